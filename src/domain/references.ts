// What contacts refer to but do not own: membership plans, tags and custom fields, each known by its name in an organization.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { Refusal } from '../errors.ts';
import { raw, type Sql, sql } from '../sql.ts';
import { logActions } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { byContact } from './children.ts';
import { type ContactRow, readContacts } from './contacts.ts';
import { checkLength, requireText } from './text.ts';
import { holdContacts, write } from './writing.ts';

export interface MembershipPlanRow {
  id: string;
  name: string;
  priceMinor: number;
  currency: string;
  interval: 'MONTH' | 'YEAR' | 'LIFETIME';
}

export interface TagRow {
  id: string;
  name: string;
}

export interface CustomFieldDefinitionRow {
  id: string;
  key: string;
  label: string;
  kind: 'TEXT' | 'NUMBER' | 'DATE' | 'BOOLEAN';
}

export interface CustomFieldRow {
  definition: CustomFieldDefinitionRow;
  value: string;
}

/** The longest name of a tag in characters. */
const tagLength = 100;
/** The most contacts, and the most tags, that are tagged at once. */
const mostTagged = 100;
const mostTags = 20;

const planColumns = sql`t.id, t.name, t.price_minor as "priceMinor", t.currency, t.interval`;

/** A page in order of `key`, a unique column, from behind its value `after`. */
function page<Row extends object>(tx: Transaction, table: Sql, columns: Sql, key: Sql, limit: number, after: string | null): Promise<Row[]> {
  return tx.rows<Row>(sql`
    select ${columns} from ${table} t where t.organization_id = ${tx.organizationId} ${after === null ? raw('') : sql`and t.${key} > ${after}`}
    order by t.${key} limit ${limit}`);
}

export const listPlans = (tx: Transaction, limit: number, after: string | null): Promise<MembershipPlanRow[]> =>
  page(tx, raw('membership_plan'), planColumns, raw('name'), limit, after);

export const listTags = (tx: Transaction, limit: number, after: string | null): Promise<TagRow[]> =>
  page(tx, raw('tag'), raw('t.id, t.name'), raw('name'), limit, after);

export const listCustomFields = (tx: Transaction, limit: number, after: string | null): Promise<CustomFieldDefinitionRow[]> =>
  page(tx, raw('custom_field_definition'), raw('t.id, t.key, t.label, t.kind'), raw('key'), limit, after);

/** The tags with these ids, by name; the ones that are not there are left out. */
export async function readTags(tx: Transaction, ids: readonly string[]): Promise<TagRow[]> {
  return tx.rows<TagRow>(sql`select id, name from tag where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[]) order by name`);
}

/** The plans with one of these ids or names. */
export async function readPlans(tx: Transaction, ids: readonly string[], names: readonly string[]): Promise<MembershipPlanRow[]> {
  return tx.rows<MembershipPlanRow>(sql`
    select ${planColumns} from membership_plan t
    where t.organization_id = ${tx.organizationId} and (t.id = any(${ids}::uuid[]) or t.name = any(${names}::text[]))`);
}

/** The custom fields with one of these keys. */
export async function readCustomFields(tx: Transaction, keys: readonly string[]): Promise<CustomFieldDefinitionRow[]> {
  return tx.rows<CustomFieldDefinitionRow>(sql`
    select id, key, label, kind from custom_field_definition where organization_id = ${tx.organizationId} and key = any(${keys}::text[])`);
}

/** The tags of each contact by name. */
export async function tagsOf(tx: Transaction, contactIds: readonly string[]): Promise<TagRow[][]> {
  const rows = await tx.rows<TagRow & { contactId: string }>(sql`
    select l.contact_id as "contactId", t.id, t.name
    from contact_tag l join tag t on t.organization_id = l.organization_id and t.id = l.tag_id
    where l.organization_id = ${tx.organizationId} and l.contact_id = any(${contactIds}::uuid[]) order by t.name`);
  return byContact(rows, contactIds);
}

/** The values of each contact's custom fields, by key. */
export async function customFieldsOf(tx: Transaction, contactIds: readonly string[]): Promise<CustomFieldRow[][]> {
  const rows = await tx.rows<CustomFieldDefinitionRow & { contactId: string; value: string }>(sql`
    select v.contact_id as "contactId", v.value, d.id, d.key, d.label, d.kind
    from custom_field_value v join custom_field_definition d on d.organization_id = v.organization_id and d.id = v.definition_id
    where v.organization_id = ${tx.organizationId} and v.contact_id = any(${contactIds}::uuid[]) order by d.key`);
  return byContact(
    rows.map(({ contactId, value, ...definition }) => ({ contactId, value, definition })),
    contactIds,
  );
}

/** @throws Refusal for a name that is empty or too long */
export const readTagNames = (names: readonly string[], path: string[]): string[] => [
  ...new Set(names.map((name, index) => requireText(name, [...path, String(index)], tagLength))),
];

/** The ids of the tags by name; makes those that are missing. In order of name, so that two who make the same wait for each other once. */
export async function ensureTags(tx: Transaction, names: readonly string[]): Promise<Map<string, string>> {
  const sorted = [...names].sort();
  await tx.run(sql`
    insert into tag (organization_id, id, name)
    select ${tx.organizationId}, id, name from unnest(${sorted.map(() => newId())}::uuid[], ${sorted}::text[]) given (id, name)
    on conflict (organization_id, name) do nothing`);
  const rows = await tx.rows<TagRow>(sql`select id, name from tag where organization_id = ${tx.organizationId} and name = any(${sorted}::text[])`);
  return new Map(rows.map((row) => [row.name, row.id]));
}

export interface TaggingInput {
  contactIds: readonly string[];
  /** Names. */
  tags: readonly string[];
}

/**
 * Puts every tag on every contact; logs the contacts that had not all of them.
 * @throws NotFound for a contact that is not there; Refusal for too many or for a bad name
 */
export function tagContacts(app: App, viewer: Viewer, input: TaggingInput): Promise<ContactRow[]> {
  return retag(app, viewer, input, 'contact.tagged', async (tx, names) => {
    const ids = [...(await ensureTags(tx, names)).values()];
    return sql`
      insert into contact_tag (organization_id, contact_id, tag_id)
      select ${tx.organizationId}, contact_id, tag_id from unnest(${input.contactIds}::uuid[]) contact_id cross join unnest(${ids}::uuid[]) tag_id
      on conflict do nothing returning contact_id as "contactId"`;
  });
}

/**
 * Takes the tags off the contacts; logs the contacts that had one of them. A tag that nobody has any more stays.
 * @throws like `tagContacts`; Refusal OUT_OF_SCOPE when the viewer would lose one of them
 */
export function untagContacts(app: App, viewer: Viewer, input: TaggingInput): Promise<ContactRow[]> {
  return retag(
    app,
    viewer,
    input,
    'contact.untagged',
    async (tx, names) => sql`
    delete from contact_tag where organization_id = ${tx.organizationId} and contact_id = any(${input.contactIds}::uuid[])
      and tag_id in (select id from tag where organization_id = ${tx.organizationId} and name = any(${names}::text[]))
    returning contact_id as "contactId"`,
  );
}

/** @param change gives the statement that returns the contacts it changed, once for each tag */
async function retag(
  app: App,
  viewer: Viewer,
  input: TaggingInput,
  action: string,
  change: (tx: Transaction, names: string[]) => Promise<Sql>,
): Promise<ContactRow[]> {
  checkLength(input.contactIds, mostTagged, ['input', 'contactIds']);
  checkLength(input.tags, mostTags, ['input', 'tags']);
  const names = readTagNames(input.tags, ['input', 'tags']);
  return write(app, viewer, async (tx) => {
    await holdContacts(tx, input.contactIds);
    const changed = new Set((await tx.rows<{ contactId: string }>(await change(tx, names))).map((row) => row.contactId));
    await logActions(
      tx,
      viewer,
      [...changed].map((id) => ({ action, target: { kind: 'Contact', id } })),
    );
    const contacts = await readContacts(tx, viewer, input.contactIds);
    if (contacts.length < new Set(input.contactIds).size)
      throw new Refusal(
        'OUT_OF_SCOPE',
        'You work with contacts with certain tags only, and a contact would have none of them any more. Nothing was changed. Leave it one, or ask someone who works with all.',
        ['input', 'tags'],
      );
    return contacts;
  });
}
