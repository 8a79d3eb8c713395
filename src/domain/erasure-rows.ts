// Erasures and their subjects, as they are read.
import type { Transaction } from '../database.ts';
import type { ErasureKind, ErasureState, LegalGround, StoreCounts } from '../entities/erasure.ts';
import { raw, sql } from '../sql.ts';
import type { Actor } from './app.ts';

export interface ErasureRow {
  id: string;
  organizationId: string;
  kind: ErasureKind;
  state: ErasureState;
  ground: LegalGround;
  requestedByKind: Actor['kind'];
  requestedById: string | null;
  requestedByName: string;
  deletionId: string | null;
  jobId: string | null;
  subjectCount: number;
  rowCounts: Record<string, number>;
  stores: StoreCounts[];
  destroyedKeys: string[];
  requestedAt: Date;
  doneAt: Date | null;
  certificate: string | null;
  signature: Buffer | null;
}

const columns = sql`
  e.id, e.organization_id as "organizationId", e.kind, e.state, e.ground, e.requested_by_kind as "requestedByKind", e.requested_by_id as "requestedById",
  e.requested_by_name as "requestedByName", e.deletion_id as "deletionId", e.job_id as "jobId", e.subject_count as "subjectCount",
  e.row_counts as "rowCounts", e.stores, e.destroyed_keys as "destroyedKeys", e.requested_at as "requestedAt", e.done_at as "doneAt", e.certificate, e.signature`;

export async function readErasures(tx: Transaction, ids: readonly string[]): Promise<ErasureRow[]> {
  return tx.rows<ErasureRow>(sql`select ${columns} from erasure e where e.organization_id = ${tx.organizationId} and e.id = any(${ids}::uuid[])`);
}

/** The purges of deletions, of those that have one. */
export async function readPurges(tx: Transaction, deletionIds: readonly string[]): Promise<ErasureRow[]> {
  return tx.rows<ErasureRow>(
    sql`select ${columns} from erasure e where e.organization_id = ${tx.organizationId} and e.deletion_id = any(${deletionIds}::uuid[])`,
  );
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listErasures(tx: Transaction, limit: number, before: string | null): Promise<ErasureRow[]> {
  return tx.rows<ErasureRow>(sql`
    select ${columns} from erasure e where e.organization_id = ${tx.organizationId} ${before ? sql`and e.id < ${before}` : raw('')} order by e.id desc limit ${limit}`);
}

/** The erasure, locked until `tx` ends. */
export async function lockErasure(tx: Transaction, id: string): Promise<ErasureRow> {
  return (await tx.row<ErasureRow>(sql`select ${columns} from erasure e where e.organization_id = ${tx.organizationId} and e.id = ${id} for update`))!;
}

/** The ids of those whose data it destroyed, in order; `after` is the one that the last page ended with. Without a limit: all. */
export async function listSubjects(tx: Transaction, erasureId: string, limit: number | null = null, after: string | null = null): Promise<{ id: string }[]> {
  return tx.rows<{ id: string }>(sql`
    select s.contact_id as id from erasure_subject s
    where s.organization_id = ${tx.organizationId} and s.erasure_id = ${erasureId} ${after ? sql`and s.contact_id > ${after}` : raw('')}
    order by s.contact_id limit ${limit}`);
}
