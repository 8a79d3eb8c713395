// The contacts that are written to a file, page by page, with what they own in one statement for each kind of it.
import type { Transaction } from '../database.ts';
import { groupOfPoint } from '../permissions/field-groups.ts';
import { sql } from '../sql.ts';
import { byContact } from './children.ts';
import { type ContactFilter, matching } from './contact-filters.ts';
import { type ContactPlace, contactPointsOf, type ContactPointRow, type ContactRow, listContacts } from './contacts.ts';
import type { ExportField } from './export-fields.ts';
import type { MembershipRow } from './history.ts';
import type { Holder } from './holders.ts';
import { balancesOf, type BalanceRow } from './ledger.ts';
import { customFieldsOf, tagsOf } from './references.ts';

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
