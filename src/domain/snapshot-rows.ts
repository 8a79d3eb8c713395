// Snapshots of a whole organization, as they are read.
import type { Transaction } from '../database.ts';
import type { OrganizationSnapshotKind, SnapshotState } from '../entities/organization-snapshot.ts';
import { raw, sql } from '../sql.ts';
import type { RowCount } from './deletion-rows.ts';

export interface SnapshotRow {
  id: string;
  kind: OrganizationSnapshotKind;
  state: SnapshotState;
  label: string | null;
  requestedById: string | null;
  requestedByName: string;
  jobId: string | null;
  requestedAt: Date;
  takenAt: Date | null;
  finishedAt: Date | null;
  expiresAt: Date;
  contactCount: number;
  rows: RowCount[];
  storedBytes: number;
  newBytes: number;
  chunkCount: number;
  newChunkCount: number;
  failureCode: string | null;
  failureMessage: string | null;
}

const columns = sql`
  o.id, o.kind, o.state, o.label, o.requested_by_id as "requestedById", o.requested_by_name as "requestedByName", o.job_id as "jobId",
  o.requested_at as "requestedAt", o.taken_at as "takenAt", o.finished_at as "finishedAt", s.expires_at as "expiresAt", o.contact_count as "contactCount",
  (select coalesce(json_agg(json_build_object('kind', c.key, 'count', c.value::int) order by c.key), '[]') from jsonb_each_text(o.row_counts) c) as rows,
  o.stored_bytes as "storedBytes", o.new_bytes as "newBytes", o.chunk_count as "chunkCount", o.new_chunk_count as "newChunkCount",
  o.failure_code as "failureCode", o.failure_message as "failureMessage"`;

const tables = sql`organization_snapshot o join snapshot s on s.organization_id = o.organization_id and s.id = o.id`;

export async function readSnapshots(tx: Transaction, ids: readonly string[]): Promise<SnapshotRow[]> {
  return tx.rows<SnapshotRow>(sql`select ${columns} from ${tables} where o.organization_id = ${tx.organizationId} and o.id = any(${ids}::uuid[])`);
}

/** The newest first; of one kind where it is given; `before` is the id that the last page ended with. */
export async function listSnapshots(tx: Transaction, limit: number, before: string | null, kind: OrganizationSnapshotKind | null): Promise<SnapshotRow[]> {
  return tx.rows<SnapshotRow>(sql`
    select ${columns} from ${tables}
    where o.organization_id = ${tx.organizationId} ${before ? sql`and o.id < ${before}` : raw('')} ${kind ? sql`and o.kind = ${kind}` : raw('')}
    order by o.id desc limit ${limit}`);
}
