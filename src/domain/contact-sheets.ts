// The columns of a file of contacts: which there are for the fields that were chosen, and what stands in them.
import type { Transaction } from '../database.ts';
import type { Cells, SheetColumn } from '../exports/sheet.ts';
import type { CardContact } from '../exports/vcard.ts';
import { globalId } from '../global-id.ts';
import { currencyDigits } from '../imports/recognition/numbers.ts';
import { betweenValues, unnamed } from '../imports/sheet.ts';
import { groupOfPoint } from '../permissions/field-groups.ts';
import { sql } from '../sql.ts';
import { type ContactFilter, matching } from './contact-filters.ts';
import type { ContactPointRow } from './contacts.ts';
import { type ExportField, exportFields, isOwn, ownFields } from './export-fields.ts';
import type { ExportedContact } from './exported-contacts.ts';
import type { Holder } from './holders.ts';
import { type CustomFieldDefinitionRow, listCustomFields } from './references.ts';

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

function ownColumn(field: keyof typeof ownFields): Column {
  const [name, header] = ownFields[field];
  return { header, kind: field === 'BIRTH_DATE' ? 'DATE' : 'TEXT', cell: (contact) => contact[name] };
}

type Columns = (tx: Transaction, holder: Holder, found: ReturnType<typeof sql>) => Promise<Column[]> | Column[];

/** Instants are in UTC. */
const instant =
  (header: string, name: 'createdAt' | 'updatedAt'): Columns =>
  () => [{ header, kind: 'INSTANT', cell: (contact) => contact[name].toISOString() }];

const columnsOf: Record<Exclude<ExportField, keyof typeof ownFields>, Columns> = {
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
              .join(betweenValues),
        },
      ];
    }).flat();
  });
}

/** The label that all have, or each one’s. */
const labelOf = (points: readonly ContactPointRow[]): string => {
  const labels = points.map(({ label }) => label ?? '');
  return new Set(labels).size > 1 ? labels.join(betweenValues) : (labels[0] ?? '');
};

async function balanceColumns(tx: Transaction, _holder: Holder, found: ReturnType<typeof sql>): Promise<Column[]> {
  const currencies = await tx.rows<{ currency: string }>(sql`
    select distinct currency from balance where organization_id = ${tx.organizationId} and contact_id in (select c.id ${found}) order by 1`);
  return currencies.map(({ currency }) => {
    const digits = currencyDigits(currency);
    const cell = ({ balances }: ExportedContact) => {
      const balance = balances.find((one) => one.currency === currency);
      return balance ? decimal(balance.amountMinor, digits) : null;
    };
    return { header: `Balance ${currency}`, kind: 'NUMBER', digits, cell };
  });
}

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
  const chosen = Object.entries(ownFields).filter(([field]) => fields.has(field as ExportField));
  const shown: { [name in (typeof ownFields)[keyof typeof ownFields][0]]?: string | null } = Object.fromEntries(
    chosen.map(([, [name]]) => [name, contact[name]]),
  );
  // Each card needs a name, which no field may get into that was not chosen.
  const name = [shown.firstName, shown.lastName].filter(Boolean).join(' ') || shown.company || shown.email || shown.memberNumber || unnamed;
  return {
    id: contact.id,
    name,
    ...shown,
    contactPoints: contact.points,
    tags: contact.tags,
    notes: contact.notes,
    ...(fields.has('UPDATED_AT') ? { updatedAt: contact.updatedAt } : {}),
  };
}
