// Recovery requests and their conflicts, as they are read.
import type { Transaction } from '../database.ts';
import type { ConflictPolicy, RecoveryState, Selected, UndoOutcome } from '../entities/recovery.ts';
import type { SettledConflict } from '../snapshots/conflicts.ts';
import { raw, sql } from '../sql.ts';

export interface RecoveryRow {
  id: string;
  selected: Selected;
  state: RecoveryState;
  requestedById: string;
  requestedByName: string;
  jobId: string | null;
  contactCount: number;
  restoredCount: number;
  replacedCount: number;
  mergedCount: number;
  skippedCount: number;
  erasedCount: number;
  conflictCount: number;
  provenCount: number;
  conflictPolicy: ConflictPolicy | null;
  failureCode: string | null;
  failureMessage: string | null;
  recoverableUntil: Date;
  /** Whether its deadline has passed, by the database clock. */
  isLate: boolean;
  requestedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
  safetySnapshotId: string | null;
  undoJobId: string | null;
  undoDeletionId: string | null;
  undoneByName: string | null;
  undoneAt: Date | null;
  undoableUntil: Date | null;
  isUndoable: boolean;
  revertedCount: number;
  keptCount: number;
  couldNotCount: number;
}

/** Until when a request, r, must have begun: the earliest deadline of the deletions that it selects, else the one that it was ordered under. */
export const deadline = sql`
  coalesce((select min(d.recoverable_until) from recovery_chunk k join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
    where k.organization_id = r.organization_id and k.recovery_request_id = r.id), r.recoverable_until)`;

const summed = (column: string, name: string) => sql`
  coalesce((select sum(k.${raw(column)})::int from recovery_chunk k where k.organization_id = r.organization_id and k.recovery_request_id = r.id), 0) as ${raw(`"${name}"`)}`;
const excepted = (outcome: UndoOutcome, name: string) => sql`
  (select count(*)::int from recovery_undo_exception x where x.organization_id = r.organization_id and x.recovery_request_id = r.id and x.outcome = ${raw(`'${outcome}'`)}) as ${raw(`"${name}"`)}`;
const undoableUntil = sql`(select s.expires_at from snapshot s where s.organization_id = r.organization_id and s.id = r.safety_snapshot_id and r.state in ('COMPLETED', 'UNDONE'))`;

export const recoveryColumns = sql`
  r.id, r.selected, r.state, r.requested_by_id as "requestedById", r.requested_by_name as "requestedByName",
  r.job_id as "jobId", r.contact_count as "contactCount", r.conflict_policy as "conflictPolicy", r.failure_code as "failureCode", r.failure_message as "failureMessage",
  ${deadline} as "recoverableUntil", ${deadline} <= clock_timestamp() as "isLate",
  r.requested_at as "requestedAt", r.started_at as "startedAt", r.finished_at as "finishedAt", r.proven_count as "provenCount",
  r.safety_snapshot_id as "safetySnapshotId", r.undo_job_id as "undoJobId", r.undo_deletion_id as "undoDeletionId", r.undone_by_name as "undoneByName",
  r.undone_at as "undoneAt", ${undoableUntil} as "undoableUntil", coalesce(r.state = 'COMPLETED' and ${undoableUntil} > clock_timestamp(), false) as "isUndoable",
  ${summed('restored_count', 'restoredCount')}, ${summed('replaced_count', 'replacedCount')}, ${summed('merged_count', 'mergedCount')},
  ${summed('skipped_count', 'skippedCount')}, ${summed('erased_count', 'erasedCount')}, ${summed('conflict_count', 'conflictCount')},
  ${summed('reverted_count', 'revertedCount')}, ${excepted('KEPT', 'keptCount')}, ${excepted('COULD_NOT', 'couldNotCount')}`;

export async function readRecoveries(tx: Transaction, ids: readonly string[]): Promise<RecoveryRow[]> {
  return tx.rows<RecoveryRow>(
    sql`select ${recoveryColumns} from recovery_request r where r.organization_id = ${tx.organizationId} and r.id = any(${ids}::uuid[])`,
  );
}

/** The newest first; of one deletion where it is given; `before` is the id that the last page ended with. */
export async function listRecoveries(tx: Transaction, limit: number, before: string | null, deletionId: string | null): Promise<RecoveryRow[]> {
  return tx.rows<RecoveryRow>(sql`
    select ${recoveryColumns} from recovery_request r
    where r.organization_id = ${tx.organizationId} ${before ? sql`and r.id < ${before}` : raw('')} ${
      deletionId
        ? sql`and exists (select 1 from recovery_chunk k join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
          where k.organization_id = r.organization_id and k.recovery_request_id = r.id and d.id = ${deletionId})`
        : raw('')
    }
    order by r.id desc limit ${limit}`);
}

/** A conflict, and the chunk that the recovered contact is in. */
export interface ConflictRow extends SettledConflict {
  snapshotId: string;
  chunkNumber: number;
}

/** The conflicts of a request in order of contact id; `after` is the one that the last page ended with. */
export async function listConflicts(tx: Transaction, id: string, limit: number, after: string | null): Promise<ConflictRow[]> {
  return tx.rows<ConflictRow>(sql`
    select x.contact_id as "contactId", x.kind, x.live_contact_id as "liveContactId", x.policy, k.snapshot_id as "snapshotId", k.chunk_number as "chunkNumber"
    from recovery_conflict x
    join recovery_chunk k on k.organization_id = x.organization_id and k.recovery_request_id = x.recovery_request_id and k.number = x.chunk_number
    where x.organization_id = ${tx.organizationId} and x.recovery_request_id = ${id} ${after ? sql`and x.contact_id > ${after}` : raw('')}
    order by x.contact_id limit ${limit}`);
}

/** A contact that an undo did not take back. */
export interface UndoException {
  contactId: string;
  outcome: UndoOutcome;
  reason: string;
}

/** What an undo did not take back, in order of contact id; `after` is the one that the last page ended with. */
export async function listUndoExceptions(tx: Transaction, id: string, limit: number, after: string | null): Promise<UndoException[]> {
  return tx.rows<UndoException>(sql`
    select x.contact_id as "contactId", x.outcome, x.reason from recovery_undo_exception x
    where x.organization_id = ${tx.organizationId} and x.recovery_request_id = ${id} ${after ? sql`and x.contact_id > ${after}` : raw('')}
    order by x.contact_id limit ${limit}`);
}
