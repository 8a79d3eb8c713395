// Rows that hang on contacts, read for many contacts in one statement, with no more columns than are asked for.
import type { Transaction } from '../database.ts';
import { join, name, raw, type Sql, sql } from '../sql.ts';

/** The SQL of each field of a row. */
export type Columns<Row> = { readonly [field in keyof Row]: Sql };

/** The columns of a row, or only the wanted ones; the id always. */
export function columnsOf<Row extends { id: string }>(columns: Columns<Row>, wanted: ReadonlySet<string> | null = null): Sql {
  const chosen = (Object.entries(columns) as [string, Sql][]).filter(([field]) => field === 'id' || !wanted || wanted.has(field));
  return join(
    chosen.map(([field, column]) => sql`${column} as ${name(field)}`),
    ', ',
  );
}

/** Which children of a contact are read. */
export interface ChildPage {
  limit: number;
  /** The id that the last page ended with. */
  before: string | null;
  /** The fields that are needed; what is not among them may be missing in the rows. All, when null. */
  fields: ReadonlySet<string> | null;
}

/**
 * Up to `limit` children of each contact, the newest first. One statement, one index range for each contact.
 * @param table under the alias t, joined with what the columns need
 * @returns a list for each contact, in the order asked
 */
export async function childrenOf<Row extends { id: string }>(
  tx: Transaction,
  table: Sql,
  columns: Columns<Row>,
  contactIds: readonly string[],
  { limit, before, fields }: ChildPage,
): Promise<Row[][]> {
  // A lateral join with a limit gives each contact's rows together and in their order.
  const rows = await tx.rows<Row & { place: number }>(sql`
    select asked.place::int, child.* from unnest(${contactIds}::uuid[]) with ordinality as asked (id, place)
    cross join lateral (
      select ${columnsOf(columns, fields)} from ${table}
      where t.organization_id = ${tx.organizationId} and t.contact_id = asked.id ${before ? sql`and t.id < ${before}` : raw('')}
      order by t.id desc limit ${limit}
    ) child`);
  const lists: Row[][] = contactIds.map(() => []);
  for (const row of rows) lists[row.place - 1]!.push(row);
  return lists;
}

/** The rows of each contact, in the order of `contactIds`; within a contact as they come. */
export function byContact<Row>(rows: readonly (Row & { contactId: string })[], contactIds: readonly string[]): Row[][] {
  const lists = new Map<string, Row[]>(contactIds.map((id) => [id, []]));
  for (const row of rows) lists.get(row.contactId)!.push(row);
  return contactIds.map((id) => lists.get(id)!);
}
