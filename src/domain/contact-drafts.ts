// What a new contact, or a change of one, must fulfil before anything is written.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { Refusal } from '../errors.ts';
import { groupOfField, groupOfPoint } from '../permissions/field-groups.ts';
import { ownColumns, textColumns } from './contact-columns.ts';
import { comparableForm } from './contact-points.ts';
import type { ContactPointRow } from './contacts.ts';
import { normalizeEmail } from './email.ts';
import { type CustomFieldDefinitionRow, readCustomFields, readPlans, readTagNames } from './references.ts';
import { checkLength, readDate, readText, requireText, textLength } from './text.ts';
import { mustSee, type Sight, sees } from './visibility.ts';

export type ContactFieldName = keyof typeof ownColumns;
/** The names of a contact's own fields. */
export const contactFieldNames = Object.keys(ownColumns) as ContactFieldName[];
const lines = Object.keys(textColumns) as (keyof typeof textColumns)[];

/** A contact's own fields. Absent: not given; null or empty: none. */
export type ContactFields = { [name in ContactFieldName]?: string | null };

export interface MembershipDraft {
  /** The plan, by its id or by its name. */
  planId?: string | null;
  planName?: string | null;
  /** ISO 8601. */
  startsOn: string;
  endsOn?: string | null;
}

/** A contact as it is asked for, with what it owns from the start. */
export interface ContactDraft extends ContactFields {
  contactPoints?: readonly (Omit<ContactPointRow, 'id' | 'label'> & { label?: string | null })[] | null;
  /** Names; made when they are missing. */
  tags?: readonly string[] | null;
  customFields?: readonly { key: string; value: string }[] | null;
  notes?: readonly string[] | null;
  memberships?: readonly MembershipDraft[] | null;
}

/** A contact that may be written: everything is checked but what only the database knows. */
export interface NewContact {
  id: string;
  fields: Required<ContactFields>;
  contactPoints: { id: string; kind: ContactPointRow['kind']; label: string | null; value: string; normalized: string }[];
  tags: string[];
  customFields: { definitionId: string; value: string }[];
  notes: { id: string; body: string }[];
  memberships: ({ id: string } & CheckedMembership)[];
}

export interface CheckedMembership {
  planId: string;
  startsOn: string;
  endsOn: string | null;
}

/** What drafts refer to and what is really there. */
export interface References {
  /** Ids by id and by name. */
  plans: ReadonlyMap<string, string>;
  customFields: ReadonlyMap<string, CustomFieldDefinitionRow>;
}

/** Looks up all that the drafts refer to, in two statements at most. */
export async function readReferences(tx: Transaction, drafts: readonly ContactDraft[]): Promise<References> {
  const memberships = drafts.flatMap((draft) => draft.memberships ?? []);
  const keys = new Set(drafts.flatMap((draft) => draft.customFields ?? []).map(({ key }) => storable(key)));
  const ids = new Set(memberships.flatMap(({ planId }) => planId ?? []));
  const names = new Set(memberships.flatMap(({ planName }) => (planName ? storable(planName) : [])));
  const plans = memberships.length > 0 ? await readPlans(tx, [...ids], [...names]) : [];
  const customFields = keys.size > 0 ? await readCustomFields(tx, [...keys]) : [];
  return {
    plans: new Map(
      plans.flatMap(({ id, name }) => [
        [id, id],
        [name, id],
      ]),
    ),
    customFields: new Map(customFields.map((field) => [field.key, field])),
  };
}

/** The form in which names and keys are kept; what can't be kept names nothing. */
const storable = (name: string): string => name.replaceAll('\0', '').normalize('NFC').trim();

/** The fields that are given, checked. @throws Refusal HIDDEN_FIELD, INVALID_EMAIL and those of text.ts */
export function readFields(viewer: Sight, given: ContactFields, path: string[]): ContactFields {
  for (const [name, group] of Object.entries(groupOfField)) if (given[name as keyof ContactFields] !== undefined) mustSee(viewer, [group], [...path, name]);
  const fields: ContactFields = {};
  for (const name of lines) if (given[name] !== undefined) fields[name] = readText(given[name], [...path, name]);
  if (given.birthDate !== undefined) fields.birthDate = readDate(given.birthDate, [...path, 'birthDate']);
  if (fields.email && normalizeEmail(fields.email) === null)
    throw new Refusal('INVALID_EMAIL', 'This is not an email address. Nothing was changed. Write it like name@example.org, or leave it empty.', [
      ...path,
      'email',
    ]);
  return fields;
}

/** @throws Refusal NO_NAME_OR_EMAIL for a contact that nobody could find again; who does not see emails is not told whether there is one */
export function checkNamed(viewer: Sight, { firstName, lastName, company, email }: ContactFields, path: string[]): void {
  if (!firstName && !lastName && !company && !(email && sees(viewer, ['EMAIL_AND_PHONE'])))
    throw new Refusal('NO_NAME_OR_EMAIL', 'A contact needs a name, a company or an email address. Nothing was changed. Fill in one of them.', path);
}

/** @throws Refusal UNKNOWN_PLAN, INVALID_DATE, MEMBERSHIP_ENDS_BEFORE_START */
export function readMembership(draft: MembershipDraft, { plans }: References, path: string[]): CheckedMembership {
  const planId = plans.get(draft.planId ?? storable(draft.planName ?? ''));
  if (!planId)
    throw new Refusal(
      'UNKNOWN_PLAN',
      'There is no such membership plan. Nothing was changed. Give the `planId` or the `planName` of one of `membershipPlans`.',
      [...path, draft.planId ? 'planId' : 'planName'],
    );
  const startsOn = readDate(draft.startsOn, [...path, 'startsOn']);
  if (!startsOn) throw new Refusal('INVALID_DATE', 'A membership needs the date it starts. Nothing was changed.', [...path, 'startsOn']);
  const endsOn = readDate(draft.endsOn, [...path, 'endsOn']);
  if (endsOn && endsOn < startsOn)
    throw new Refusal('MEMBERSHIP_ENDS_BEFORE_START', 'The membership ends before it starts. Nothing was changed. Correct one of the two dates.', [
      ...path,
      'endsOn',
    ]);
  return { planId, startsOn, endsOn };
}

/**
 * The contact that a draft asks for, under a new id.
 * @throws Refusal for the first thing wrong with it; `path` leads to the draft
 */
export function readDraft(viewer: Sight, draft: ContactDraft, references: References, path: string[]): NewContact {
  const fields = readFields(viewer, draft, path);
  checkNamed(viewer, fields, path);
  if (draft.notes?.length) mustSee(viewer, ['NOTES'], [...path, 'notes']);
  if (draft.customFields?.length) mustSee(viewer, ['CUSTOM_FIELDS'], [...path, 'customFields']);
  const each = <T, Checked>(name: string, values: readonly T[] | null | undefined, read: (value: T, path: string[]) => Checked): Checked[] => {
    checkLength(values ?? [], 50, [...path, name]);
    return (values ?? []).map((value, index) => read(value, [...path, name, String(index)]));
  };
  return {
    id: newId(),
    fields: { ...nothing, ...fields },
    contactPoints: each('contactPoints', draft.contactPoints, ({ kind, label, value: given }, at) => {
      mustSee(viewer, [groupOfPoint(kind)], at);
      const value = requireText(given, [...at, 'value'], 1_000);
      return { id: newId(), kind, label: readText(label, [...at, 'label']), value, normalized: comparableForm(kind, value) };
    }),
    tags: readTagNames(
      each('tags', draft.tags, (name) => name),
      [...path, 'tags'],
    ),
    customFields: distinct(
      each('customFields', draft.customFields, (field, at) => readCustomField(field, references, at)),
      [...path, 'customFields'],
    ),
    notes: each('notes', draft.notes, (body, at) => ({ id: newId(), body: requireText(body, at, textLength) })),
    memberships: each('memberships', draft.memberships, (membership, at) => ({
      id: newId(),
      ...readMembership(membership, references, at),
    })),
  };
}

const nothing = Object.fromEntries(contactFieldNames.map((name) => [name, null])) as Required<ContactFields>;

const forms: Record<CustomFieldDefinitionRow['kind'], (value: string, path: string[]) => boolean> = {
  TEXT: () => true,
  NUMBER: (value) => /^-?\d{1,30}(\.\d{1,30})?$/.test(value),
  DATE: (value, path) => readDate(value, path) !== null,
  BOOLEAN: (value) => value === 'true' || value === 'false',
};

function readCustomField(
  { key, value }: { key: string; value: string },
  { customFields }: References,
  path: string[],
): { definitionId: string; value: string } {
  const definition = customFields.get(storable(key));
  if (!definition)
    throw new Refusal('UNKNOWN_CUSTOM_FIELD', 'There is no such custom field. Nothing was changed. Give the `key` of one of `customFieldDefinitions`.', [
      ...path,
      'key',
    ]);
  const text = requireText(value, [...path, 'value'], textLength);
  if (!forms[definition.kind](text, [...path, 'value']))
    throw new Refusal(
      'INVALID_CUSTOM_FIELD',
      `The custom field ${definition.key} takes a ${definition.kind}. Nothing was changed. Write numbers like -1.5, dates like 1990-12-31, and true or false.`,
      [...path, 'value'],
    );
  return { definitionId: definition.id, value: text };
}

function distinct<T extends { definitionId: string }>(fields: T[], path: string[]): T[] {
  if (new Set(fields.map((field) => field.definitionId)).size < fields.length)
    throw new Refusal('DUPLICATE_CUSTOM_FIELD', 'A custom field is given twice. Nothing was changed. Give it once.', path);
  return fields;
}
