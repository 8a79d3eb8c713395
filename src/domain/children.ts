// Rows that hang on contacts, read for many contacts in one statement.
import type { Transaction } from '../database.ts';
import { raw, type Sql, sql } from '../sql.ts';

/** Where a page of children begins and how long it is; `before` is the id that the last page ended with. */
export interface ChildPage {
  limit: number;
  before: string | null;
}

/**
 * Up to `limit` children of each contact, the newest first. One statement, one index range for each contact.
 * @param columns of the table under the alias t
 * @returns a list for each contact, in the order asked
 */
export async function childrenOf<Row extends object>(tx: Transaction, table: Sql, columns: Sql, contactIds: readonly string[], { limit, before }: ChildPage): Promise<Row[][]> {
  const rows = await tx.rows<Row & { contactId: string }>(sql`
    select child.* from unnest(${contactIds}::uuid[]) with ordinality as asked (id, place)
    cross join lateral (
      select t.contact_id as "contactId", ${columns} from ${table} t
      where t.organization_id = ${tx.organizationId} and t.contact_id = asked.id ${before ? sql`and t.id < ${before}` : raw('')}
      order by t.id desc limit ${limit}
    ) child
    order by asked.place, child.id desc`);
  return byContact(rows, contactIds);
}

/** The rows of each contact, in the order of `contactIds`; within a contact as they come. */
export function byContact<Row>(rows: readonly (Row & { contactId: string })[], contactIds: readonly string[]): Row[][] {
  const lists = new Map<string, Row[]>(contactIds.map((id) => [id, []]));
  for (const row of rows) lists.get(row.contactId)!.push(row);
  return contactIds.map((id) => lists.get(id)!);
}
