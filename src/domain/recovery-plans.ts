// What a recovery would do, computed without doing it.
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { type Clash, findClashes, readChunk } from '../snapshots/restore.ts';
import { sql } from '../sql.ts';
import type { App } from './app.ts';
import { type Amount, type DeletionRow, readDeletionContents, readDeletions, type RowCount } from './deletion-rows.ts';

/** Contacts a second, until an organization has recoveries of its own to measure by; about half of what a small machine does. */
const assumedRate = 2000;

export interface RecoveryPlan {
  deletion: DeletionRow;
  rows: RowCount[];
  balances: Amount[];
  clashes: Clash[];
  fee: Amount;
  estimatedSeconds: number;
  recoverableUntil: Date;
}

/**
 * What a recovery would do now, without doing it: opens every chunk and looks for clashes.
 * @throws NotFound; Refusal DELETION_RUNNING, RECOVERY_WINDOW_CLOSED; DamagedChunk
 */
export async function planRecovery(tx: Transaction, app: App, deletionId: string): Promise<RecoveryPlan> {
  const deletion = await recoverableDeletion(tx, deletionId);
  const clashes: Clash[] = [];
  for (const number of await chunkNumbers(tx, deletion.snapshotId)) {
    const chunk = await readChunk(tx, app, { organizationId: tx.organizationId, snapshotId: deletion.snapshotId, number });
    clashes.push(...(await findClashes(tx, chunk)));
  }
  const [contents] = await readDeletionContents(tx, [deletion.snapshotId]);
  const speed = await tx.row<{ rate: number | null }>(sql`
    select sum(r.contact_count) / nullif(sum(extract(epoch from r.finished_at - r.started_at)), 0)::float8 as rate
    from (select * from recovery_request where organization_id = ${tx.organizationId} and state = 'COMPLETED' order by id desc limit 20) r`);
  return {
    deletion,
    rows: contents!.rows,
    balances: contents!.balances,
    clashes,
    fee: { amountMinor: app.config.RECOVERY_FEE_MINOR, currency: app.config.RECOVERY_FEE_CURRENCY },
    estimatedSeconds: Math.ceil(deletion.contactCount / (speed?.rate || assumedRate)),
    recoverableUntil: deletion.recoverableUntil!,
  };
}

export async function chunkNumbers(tx: Transaction, snapshotId: string): Promise<number[]> {
  const rows = await tx.rows<{ number: number }>(sql`
    select number from snapshot_chunk where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} order by number`);
  return rows.map((row) => row.number);
}

/** @throws NotFound; Refusal DELETION_RUNNING, CONTACTS_ERASED, RECOVERY_WINDOW_CLOSED */
export async function recoverableDeletion(tx: Transaction, deletionId: string): Promise<DeletionRow> {
  const [deletion] = await readDeletions(tx, [deletionId]);
  if (!deletion) throw new NotFound('deletion');
  const path = ['input', 'deletionId'];
  if (deletion.state === 'RUNNING')
    throw new Refusal('DELETION_RUNNING', 'The deletion is still at work. No recovery was ordered. Wait until it has completed.', path);
  if (deletion.state === 'COMPLETED' && deletion.contactCount === 0)
    throw new Refusal('CONTACTS_ERASED', 'All contacts of this deletion have been erased. No recovery was ordered, nothing was billed.', path);
  if (!deletion.isRecoverable)
    throw new Refusal(
      'RECOVERY_WINDOW_CLOSED',
      'The time in which this deletion could be recovered is over. No recovery was ordered, nothing was billed.',
      path,
    );
  return deletion;
}
