// What creating, updating and taking back rows of an import share.
import type { Transaction } from '../database.ts';
import type { RowProblem } from '../imports/problems.ts';
import { raw, type Sql, sql } from '../sql.ts';
import { followIndexes } from '../snapshots/capture.ts';
import type { Actor, App } from './app.ts';
import { writtenColumns } from './contact-columns.ts';

export interface Applying {
  app: App;
  actor: Actor;
  organizationId: string;
  importId: string;
}

/** A batch: the rows with numbers from `from` to before `to` that are to be done. */
export interface Batch {
  from: number;
  to: number;
}

/** The condition on rows or drafts of the batch, by their name in the statement. */
export const inBatch = (tx: Transaction, { importId }: Pick<Applying, 'importId'>, { from, to }: Batch, table: 'r' | 'd' = 'r'): Sql => {
  const of = raw(table);
  return sql`${of}.organization_id = ${tx.organizationId} and ${of}.import_id = ${importId} and ${of}.row_number >= ${from} and ${of}.row_number < ${to}`;
};

/** The condition on rows, r, of the batch that are not done yet, with their import, i, and their drafts, d. */
export const isPending = (tx: Transaction, { importId }: Pick<Applying, 'importId'>, batch: Batch): Sql => sql`
  i.organization_id = ${tx.organizationId} and i.id = ${importId} and ${inBatch(tx, { importId }, batch)} and ${inBatch(tx, { importId }, batch, 'd')}
  and d.row_number = r.row_number`;

/**
 * The draft of a row, r, as a table of its own, looked up by its whole key: of drafts that have just come the planner knows
 * nothing, and would go through all of the import for each row.
 */
export const draftOf = raw(
  '(select * from import_draft d where d.organization_id = r.organization_id and d.import_id = r.import_id and d.row_number = r.row_number offset 0)',
);

/** A draft, d, as a `StagedDraft`. */
export const stagedDraft = raw(`
  jsonb_strip_nulls(jsonb_build_object('id', d.contact_id, ${Object.entries(writtenColumns)
    .map(([field, column]) => `'${field}', d.${column}`)
    .join(', ')})) || coalesce(d.owned, '{}')`);

/** Locks contacts, in one order. What is read of them afterwards, and not with it, is what was committed before. */
export const lockContacts = (tx: Transaction, ids: readonly string[]): Promise<unknown> =>
  tx.run(sql`select 1 from contact where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[]) order by id for update`);

/** What the ledger entry of an opening balance is called. */
export const openingDescription = 'Opening balance';

/** Why a row is refused that came too late. */
export const takenProblem = (code: 'EMAIL_TAKEN' | 'MEMBER_NUMBER_TAKEN', what: string): RowProblem => ({
  code,
  message: `Another contact has this ${what}. The row was not imported. Open that contact, or correct the row and import it again.`,
});

/**
 * Has the statistics taken anew that each row is looked up by, of contacts and their contact points; of all that an import writes
 * to where `owned` says so. In a transaction of its own, which others that ask for the same wait for.
 */
export const takeStatistics = (app: App, organizationId: string, owned: boolean): Promise<unknown> =>
  app.database.transact(organizationId, (tx) => tx.run(sql`select analyze_contacts(${owned}::boolean)`));

/** For this transaction: each row is looked up by an index. */
export async function joinByIndex(tx: Transaction): Promise<void> {
  tx.planAnew();
  await followIndexes(tx);
}

/**
 * For this transaction: sets of rows are joined by hashing. Of tables within a statement, and of those that are being filled, the
 * planner knows nothing, and would go through one for each row of the other.
 */
export async function joinByHash(tx: Transaction): Promise<void> {
  tx.planAnew();
  await tx.run(sql`
    select set_config('enable_hashjoin', 'on', true), set_config('enable_nestloop', 'off', true), set_config('enable_mergejoin', 'off', true),
      set_config('enable_seqscan', 'off', true)`);
}
