// What of contacts is written to a file: which fields there are, which columns they make, and the contacts page by page, with
// what they own in one statement for each kind of it.
import type { Transaction } from '../database.ts';
import type { CardContact } from '../exports/vcard.ts';
import type { Cells, SheetColumn } from '../exports/sheet.ts';
import { globalId } from '../global-id.ts';
import { type FieldGroup, groupOfField, groupOfPoint } from '../permissions/field-groups.ts';
import { sql } from '../sql.ts';
import { byContact } from './children.ts';
import { type ContactFilter, matching } from './contact-filters.ts';
import { type ContactPlace, contactPointsOf, type ContactPointRow, type ContactRow, listContacts } from './contacts.ts';
import type { MembershipRow } from './history.ts';
import type { Holder } from './holders.ts';
import { balancesOf, type BalanceRow } from './ledger.ts';
import { customFieldsOf, type CustomFieldDefinitionRow, listCustomFields, tagsOf } from './references.ts';

/** A contact's own fields: by the name of the column, and the header, which is one that importing knows. */
const own = {
  MEMBER_NUMBER: ['memberNumber', 'Member Number'],
  FIRST_NAME: ['firstName', 'First Name'],
  LAST_NAME: ['lastName', 'Last Name'],
  EMAIL: ['email', 'Email'],
  COMPANY: ['company', 'Company'],
  JOB_TITLE: ['jobTitle', 'Job Title'],
  STREET: ['street', 'Street'],
  CITY: ['city', 'City'],
  POSTAL_CODE: ['postalCode', 'Postal Code'],
  COUNTRY: ['country', 'Country'],
  BIRTH_DATE: ['birthDate', 'Birth Date'],
} as const;

/** In the order of the columns. */
export const exportFields = [
  'ID',
  ...(Object.keys(own) as (keyof typeof own)[]),
  'CONTACT_POINTS',
  'TAGS',
  'MEMBERSHIPS',
  'BALANCES',
  'CUSTOM_FIELDS',
  'NOTES',
  'CREATED_AT',
  'UPDATED_AT',
] as const;
export type ExportField = (typeof exportFields)[number];

const isOwn = (field: ExportField): field is keyof typeof own => Object.hasOwn(own, field);

/** What one must see for a field to be written; of these one is enough. */
const groupsOf = (field: ExportField): readonly FieldGroup[] => {
  if (field === 'CONTACT_POINTS') return ['EMAIL_AND_PHONE', 'ADDRESS'];
  if (field === 'BALANCES' || field === 'CUSTOM_FIELDS' || field === 'NOTES') return [field];
  const group = isOwn(field) ? groupOfField[own[field][0]] : undefined;
  return group ? [group] : [];
};

/** The group that keeps somebody from a field; PAYMENTS for who may not see payments at all; undefined when they see it. */
export function hiddenIn({ hidden, permissions }: Holder, field: ExportField): FieldGroup | undefined {
  const groups = groupsOf(field);
  if (field === 'BALANCES' && !permissions.has('payments:read')) return 'PAYMENTS';
  return groups.length > 0 && groups.every((group) => hidden.has(group)) ? groups[0] : undefined;
}

/** The groups that a file with these fields shows, when it is made for somebody. */
export const shownGroups = ({ hidden }: Holder, fields: readonly ExportField[]): FieldGroup[] => [
  ...new Set(fields.flatMap(groupsOf).filter((group) => !hidden.has(group))),
];

export interface ExportedContact extends ContactRow {
  points: ContactPointRow[];
  tags: string[];
  /** By the id of the definition. */
  customFields: Map<string, string>;
  /** The current one first. */
  memberships: Pick<MembershipRow, 'planName' | 'state' | 'startsOn' | 'endsOn'>[];
  balances: BalanceRow[];
  /** The oldest first. */
  notes: string[];
}

const pageLength = 250;
/** The most bytes of notes in memory at a time: of one contact there may be any number, and they are the longest texts. */
const mostNotes = 2_000_000;

/** The contacts that the filter finds, in the order they were created. For somebody, whose scope `tx` is limited to. @throws Refusal HIDDEN_FIELD */
export async function* eachContact(
  tx: Transaction,
  holder: Holder,
  filter: ContactFilter,
  fields: ReadonlySet<ExportField>,
): AsyncGenerator<ExportedContact[]> {
  const read = async <Row>(field: ExportField, rows: (tx: Transaction, ids: readonly string[]) => Promise<Row[][]>, ids: readonly string[]) =>
    fields.has(field) ? rows(tx, ids) : ids.map((): Row[] => []);
  const order = { field: 'CREATED_AT', direction: 'ASC' } as const;
  for (let after: ContactPlace | null = null; ;) {
    const rows: ContactRow[] = await listContacts(tx, holder, { filter }, { order, limit: pageLength, after });
    const ids = rows.map(({ id }) => id);
    const points = await read('CONTACT_POINTS', contactPointsOf, ids);
    const tags = await read('TAGS', tagsOf, ids);
    const memberships = await read('MEMBERSHIPS', allMemberships, ids);
    const balances = await read('BALANCES', balancesOf, ids);
    const customFields = await read('CUSTOM_FIELDS', customFieldsOf, ids);
    const contacts = rows.map((row, index) => ({
      ...row,
      points: points[index]!.filter(({ kind }) => !holder.hidden.has(groupOfPoint(kind))),
      tags: tags[index]!.map(({ name }) => name),
      memberships: memberships[index]!,
      balances: balances[index]!,
      customFields: new Map(customFields[index]!.map(({ definition, value }) => [definition.id, value])),
    }));
    for await (const [start, end] of fields.has('NOTES') ? partsByNotes(tx, ids) : [[0, ids.length]]) {
      const notes = await read('NOTES', allNotes, ids.slice(start, end));
      if (notes.length > 0) yield contacts.slice(start, end).map((contact, index) => ({ ...contact, notes: notes[index]!.map(({ body }) => body) }));
    }
    if (rows.length < pageLength) return;
    const last = rows.at(-1)!.id;
    after = { place: last, id: last };
  }
}

async function allMemberships(tx: Transaction, contactIds: readonly string[]) {
  const rows = await tx.rows<ExportedContact['memberships'][number] & { contactId: string }>(sql`
    select m.contact_id as "contactId", p.name as "planName", m.state, m.starts_on as "startsOn", m.ends_on as "endsOn"
    from membership m join membership_plan p on p.organization_id = m.organization_id and p.id = m.plan_id
    where m.organization_id = ${tx.organizationId} and m.contact_id = any(${contactIds}::uuid[]) order by m.contact_id, m.state <> 'ACTIVE', m.starts_on desc, m.id`);
  return byContact(rows, contactIds);
}

/** From where to where the contacts are one after the other written, so that the notes of each part fit into memory. */
async function* partsByNotes(tx: Transaction, ids: readonly string[]): AsyncGenerator<[start: number, end: number]> {
  const sizes = await tx.rows<{ contactId: string; size: number }>(sql`
    select contact_id as "contactId", sum(octet_length(body))::float8 as size from note
    where organization_id = ${tx.organizationId} and contact_id = any(${ids}::uuid[]) group by contact_id`);
  const sizeOf = new Map(sizes.map(({ contactId, size }) => [contactId, size]));
  let [start, sum] = [0, 0];
  for (const [index, id] of ids.entries()) {
    const size = sizeOf.get(id) ?? 0;
    if (sum > 0 && sum + size > mostNotes) {
      yield [start, index];
      [start, sum] = [index, 0];
    }
    sum += size;
  }
  yield [start, ids.length];
}

async function allNotes(tx: Transaction, contactIds: readonly string[]) {
  const rows = await tx.rows<{ contactId: string; body: string }>(sql`
    select contact_id as "contactId", body from note
    where organization_id = ${tx.organizationId} and contact_id = any(${contactIds}::uuid[]) order by contact_id, id`);
  return byContact(rows, contactIds);
}

/** How many contacts the filter finds, exactly. */
export async function countMatching(tx: Transaction, holder: Holder, filter: ContactFilter): Promise<number> {
  return (await tx.row<{ count: number }>(sql`select count(*)::int as count from contact c where ${matching(tx.organizationId, holder, filter)}`))!.count;
}

interface Column extends SheetColumn {
  cell(contact: ExportedContact): string | null;
}

export interface Sheet {
  columns: readonly SheetColumn[];
  cells(contact: ExportedContact): Cells;
}

/** The columns for these fields, as many for what there can be several of as these contacts have. */
export async function sheetFor(tx: Transaction, holder: Holder, filter: ContactFilter, fields: ReadonlySet<ExportField>): Promise<Sheet> {
  const found = sql`from contact c where ${matching(tx.organizationId, holder, filter)}`;
  const columns: Column[] = [];
  for (const field of exportFields.filter((one) => fields.has(one))) {
    if (isOwn(field)) columns.push(ownColumn(field));
    else columns.push(...(await columnsOf[field](tx, holder, found)));
  }
  const taken = new Set<string>();
  for (const column of columns) taken.add((column.header = distinct(column.header, taken)).toLowerCase());
  return { columns, cells: (contact) => columns.map(({ cell }) => cell(contact)) };
}

/** A custom field may be called like another column. */
function distinct(header: string, taken: ReadonlySet<string>): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? header : `${header} (${number})`;
    if (!taken.has(name.toLowerCase())) return name;
  }
}

function ownColumn(field: keyof typeof own): Column {
  const [name, header] = own[field];
  return { header, kind: field === 'BIRTH_DATE' ? 'DATE' : 'TEXT', cell: (contact) => contact[name] };
}

type Columns = (tx: Transaction, holder: Holder, found: ReturnType<typeof sql>) => Promise<Column[]> | Column[];

/** Instants are in UTC. */
const instant =
  (header: string, name: 'createdAt' | 'updatedAt'): Columns =>
  () => [{ header, kind: 'INSTANT', cell: (contact) => contact[name].toISOString() }];

const columnsOf: Record<Exclude<ExportField, keyof typeof own>, Columns> = {
  ID: () => [{ header: 'Contact ID', kind: 'TEXT', cell: ({ id }) => globalId('Contact', id) }],
  CONTACT_POINTS: pointColumns,
  TAGS: () => [{ header: 'Tags', kind: 'TEXT', cell: ({ tags }) => tags.join('; ') }],
  MEMBERSHIPS: () => [
    { header: 'Membership Plan', kind: 'TEXT', cell: ({ memberships: [current] }) => current?.planName ?? null },
    { header: 'Membership Start', kind: 'DATE', cell: ({ memberships: [current] }) => current?.startsOn ?? null },
    { header: 'Membership Expiry', kind: 'DATE', cell: ({ memberships: [current] }) => current?.endsOn ?? null },
    { header: 'Membership State', kind: 'TEXT', cell: ({ memberships: [current] }) => current?.state ?? null },
    { header: 'Further Memberships', kind: 'TEXT', cell: ({ memberships: [, ...others] }) => others.map(inWords).join('; ') },
  ],
  BALANCES: balanceColumns,
  CUSTOM_FIELDS: customColumns,
  NOTES: () => [{ header: 'Notes', kind: 'TEXT', cell: ({ notes }) => notes.join('\n\n') }],
  CREATED_AT: instant('Created At (UTC)', 'createdAt'),
  UPDATED_AT: instant('Updated At (UTC)', 'updatedAt'),
};

const inWords = ({ planName, startsOn, endsOn, state }: ExportedContact['memberships'][number]): string =>
  `${planName} ${startsOn} – ${endsOn ?? ''} (${state})`;

/** Contact points as Google’s contacts have them, of each kind in the order they were added; an email has number 1 already. */
const pointKinds = [
  ['EMAIL', 'E-mail', 'Value', 2],
  ['PHONE', 'Phone', 'Value', 1],
  ['ADDRESS', 'Address', 'Formatted', 1],
  ['WEBSITE', 'Website', 'Value', 1],
] as const;
/** Of one kind; the last holds what is left, as Google’s contacts have several values of one label. */
const mostPoints = 20;
const several = ' ::: ';

async function pointColumns(tx: Transaction, { hidden }: Holder, found: ReturnType<typeof sql>): Promise<Column[]> {
  const most = await tx.rows<{ kind: ContactPointRow['kind']; most: number }>(sql`
    select kind, max(number)::int as most from (
      select p.kind, count(*) as number from contact_point p
      where p.organization_id = ${tx.organizationId} and p.contact_id in (select c.id ${found}) group by p.contact_id, p.kind) counted
    group by kind`);
  return pointKinds.flatMap(([kind, name, what, first]) => {
    const number = hidden.has(groupOfPoint(kind)) ? 0 : (most.find((one) => one.kind === kind)?.most ?? 0);
    return Array.from({ length: Math.min(number, mostPoints) }, (_, index) => {
      const points = (contact: ExportedContact) =>
        contact.points.filter((point) => point.kind === kind).slice(index, index === mostPoints - 1 ? undefined : index + 1);
      const header = `${name} ${first + index}`;
      return [
        {
          header: `${header} - Label`,
          kind: 'TEXT' as const,
          cell: (contact: ExportedContact) => labelOf(points(contact)),
        },
        {
          header: `${header} - ${what}`,
          kind: 'TEXT' as const,
          cell: (contact: ExportedContact) =>
            points(contact)
              .map(({ value }) => value)
              .join(several),
        },
      ];
    }).flat();
  });
}

/** The label that all have, or each one’s. */
const labelOf = (points: readonly ContactPointRow[]): string => {
  const labels = points.map(({ label }) => label ?? '');
  return new Set(labels).size > 1 ? labels.join(several) : (labels[0] ?? '');
};

async function balanceColumns(tx: Transaction, _holder: Holder, found: ReturnType<typeof sql>): Promise<Column[]> {
  const currencies = await tx.rows<{ currency: string }>(sql`
    select distinct currency from balance where organization_id = ${tx.organizationId} and contact_id in (select c.id ${found}) order by 1`);
  return currencies.map(({ currency }) => {
    const digits = digitsOf(currency);
    const cell = ({ balances }: ExportedContact) => {
      const balance = balances.find((one) => one.currency === currency);
      return balance ? decimal(balance.amountMinor, digits) : null;
    };
    return { header: `Balance ${currency}`, kind: 'NUMBER', digits, cell };
  });
}

/** How many digits amounts of a currency have behind the point. */
const digitsOf = (currency: string): number => new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;

/** An amount of minor units, exactly. */
function decimal(minor: number, digits: number): string {
  const text = String(Math.abs(minor)).padStart(digits + 1, '0');
  return `${minor < 0 ? '-' : ''}${text.slice(0, text.length - digits)}${digits > 0 ? `.${text.slice(-digits)}` : ''}`;
}

const kindOfColumn = { TEXT: 'TEXT', BOOLEAN: 'TEXT', NUMBER: 'NUMBER', DATE: 'DATE' } as const;
const mostCustomFields = 10_000;

async function customColumns(tx: Transaction): Promise<Column[]> {
  const fields: CustomFieldDefinitionRow[] = await listCustomFields(tx, mostCustomFields, null);
  return fields.map(({ id, label, kind }) => ({ header: label, kind: kindOfColumn[kind], cell: ({ customFields }) => customFields.get(id) ?? null }));
}

/** What a vCard can tell of a contact: the chosen fields among what it has a word for. */
export function cardOf(contact: ExportedContact, fields: ReadonlySet<ExportField>): CardContact {
  const chosen = Object.entries(own).filter(([field]) => fields.has(field as ExportField));
  return {
    id: contact.id,
    name: contact.name,
    ...Object.fromEntries(chosen.map(([, [name]]) => [name, contact[name]])),
    contactPoints: contact.points,
    tags: contact.tags,
    notes: contact.notes,
    ...(fields.has('UPDATED_AT') ? { updatedAt: contact.updatedAt } : {}),
  };
}
