// Deletions and what they took, as they are read.
import type { Transaction } from '../database.ts';
import type { DeletionState } from '../entities/deletion.ts';
import { raw, sql } from '../sql.ts';

/** How many rows of an entity, and what the balances add up to in a currency. */
export interface RowCount {
  kind: string;
  count: number;
}
export interface Amount {
  amountMinor: number;
  currency: string;
}

export interface DeletionRow {
  id: string;
  state: DeletionState;
  /** Null once a contact of it was erased. */
  reason: string | null;
  requestedById: string;
  requestedByName: string;
  snapshotId: string;
  jobId: string | null;
  contactCount: number;
  requestedAt: Date;
  deletedAt: Date | null;
  recoverableUntil: Date | null;
  erasedAt: Date | null;
  isRecoverable: boolean;
}

const columns = sql`
  d.id, d.state, d.reason, d.requested_by_id as "requestedById", d.requested_by_name as "requestedByName", d.snapshot_id as "snapshotId",
  d.job_id as "jobId", d.contact_count as "contactCount", d.requested_at as "requestedAt", d.deleted_at as "deletedAt",
  d.recoverable_until as "recoverableUntil", d.erased_at as "erasedAt",
  coalesce(d.state = 'COMPLETED' and d.contact_count > 0 and d.recoverable_until > clock_timestamp(), false) as "isRecoverable"`;

export async function readDeletions(tx: Transaction, ids: readonly string[]): Promise<DeletionRow[]> {
  return tx.rows<DeletionRow>(sql`select ${columns} from deletion d where d.organization_id = ${tx.organizationId} and d.id = any(${ids}::uuid[])`);
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listDeletions(tx: Transaction, limit: number, before: string | null): Promise<DeletionRow[]> {
  const after = before ? sql`and d.id < ${before}` : raw('');
  return tx.rows<DeletionRow>(sql`select ${columns} from deletion d where d.organization_id = ${tx.organizationId} ${after} order by d.id desc limit ${limit}`);
}

/** What each deletion took: rows of each kind, and the sum of balances, added up from its chunks. */
export async function readDeletionContents(
  tx: Transaction,
  snapshotIds: readonly string[],
): Promise<{ snapshotId: string; rows: RowCount[]; balances: Amount[]; storedBytes: number }[]> {
  const chunks = await tx.rows<{
    snapshotId: string;
    rows: Record<string, number>;
    balances: Record<string, number>;
    storedBytes: number;
  }>(sql`
    select snapshot_id as "snapshotId", row_counts as rows, balances, stored_bytes as "storedBytes"
    from snapshot_chunk where organization_id = ${tx.organizationId} and snapshot_id = any(${snapshotIds}::uuid[])`);
  return snapshotIds.map((snapshotId) => {
    const own = chunks.filter((chunk) => chunk.snapshotId === snapshotId);
    return {
      snapshotId,
      rows: added(own.map((chunk) => chunk.rows)).map(([kind, count]) => ({ kind, count })),
      balances: added(own.map((chunk) => chunk.balances)).map(([currency, amountMinor]) => ({ currency, amountMinor })),
      storedBytes: own.reduce((sum, chunk) => sum + chunk.storedBytes, 0),
    };
  });
}

function added(records: readonly Record<string, number>[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const record of records) for (const [key, value] of Object.entries(record)) sums.set(key, (sums.get(key) ?? 0) + value);
  return [...sums];
}

export interface WarningRow {
  deletionId: string;
  daysBefore: number;
  warnedAt: Date;
}

/** The warnings that were given of each deletion's deadline, the first one first. */
export async function readWarnings(tx: Transaction, deletionIds: readonly string[]): Promise<WarningRow[]> {
  return tx.rows<WarningRow>(sql`
    select deletion_id as "deletionId", days_before as "daysBefore", warned_at as "warnedAt" from deletion_warning
    where organization_id = ${tx.organizationId} and deletion_id = any(${deletionIds}::uuid[]) order by days_before desc`);
}
