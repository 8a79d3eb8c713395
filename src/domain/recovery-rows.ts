// Recovery requests and their clashes, as they are read.
import type { Transaction } from '../database.ts';
import type { RecoveryState } from '../entities/recovery.ts';
import type { Clash } from '../snapshots/restore.ts';
import { raw, sql } from '../sql.ts';

export interface RecoveryRow {
  id: string;
  deletionId: string;
  state: RecoveryState;
  requestedById: string;
  requestedByName: string;
  jobId: string | null;
  contactCount: number;
  restoredCount: number;
  clashCount: number;
  provenCount: number;
  failureCode: string | null;
  failureMessage: string | null;
  requestedAt: Date;
  startedAt: Date | null;
  finishedAt: Date | null;
}

export const recoveryColumns = sql`
  r.id, r.deletion_id as "deletionId", r.state, r.requested_by_id as "requestedById", r.requested_by_name as "requestedByName",
  r.job_id as "jobId", r.contact_count as "contactCount", r.failure_code as "failureCode", r.failure_message as "failureMessage",
  r.requested_at as "requestedAt", r.started_at as "startedAt", r.finished_at as "finishedAt", r.proven_count as "provenCount",
  coalesce((select sum(k.restored_count)::int from recovery_chunk k where k.organization_id = r.organization_id and k.recovery_request_id = r.id), 0) as "restoredCount",
  coalesce((select sum(k.clash_count)::int from recovery_chunk k where k.organization_id = r.organization_id and k.recovery_request_id = r.id), 0) as "clashCount"`;

export async function readRecoveries(tx: Transaction, ids: readonly string[]): Promise<RecoveryRow[]> {
  return tx.rows<RecoveryRow>(
    sql`select ${recoveryColumns} from recovery_request r where r.organization_id = ${tx.organizationId} and r.id = any(${ids}::uuid[])`,
  );
}

/** The newest first; of one deletion where it is given; `before` is the id that the last page ended with. */
export async function listRecoveries(tx: Transaction, limit: number, before: string | null, deletionId: string | null): Promise<RecoveryRow[]> {
  return tx.rows<RecoveryRow>(sql`
    select ${recoveryColumns} from recovery_request r
    where r.organization_id = ${tx.organizationId} ${before ? sql`and r.id < ${before}` : raw('')} ${deletionId ? sql`and r.deletion_id = ${deletionId}` : raw('')}
    order by r.id desc limit ${limit}`);
}

/** The clashes of a request in order of contact id; `after` is the one that the last page ended with. */
export async function listClashes(tx: Transaction, id: string, limit: number, after: string | null): Promise<Clash[]> {
  return tx.rows<Clash>(sql`
    select x.contact_id as "contactId", x.kind, x.live_contact_id as "liveContactId" from recovery_clash x
    where x.organization_id = ${tx.organizationId} and x.recovery_request_id = ${id} ${after ? sql`and x.contact_id > ${after}` : raw('')}
    order by x.contact_id limit ${limit}`);
}
