// Exports of contacts as they are read, and the end of their files.
import type { Transaction } from '../database.ts';
import type { ExportFormat, exportStates } from '../entities/contact-export.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { raw, sql } from '../sql.ts';
import { logActions } from './action-log.ts';
import type { Actor } from './app.ts';
import type { ExportField } from './export-fields.ts';
import { removeFile } from './files.ts';

export interface ExportRow {
  id: string;
  /** EXPIRED: it was completed, and its file is not kept any more. */
  state: (typeof exportStates)[number] | 'EXPIRED';
  format: ExportFormat;
  fields: ExportField[];
  filter: string | null;
  requestedById: string;
  requestedByName: string;
  jobId: string;
  requestedAt: Date;
  takenAt: Date | null;
  finishedAt: Date | null;
  expiresAt: Date | null;
  contactCount: number;
  byteLength: number;
  fileId: string | null;
  shownGroups: FieldGroup[];
  tagScope: string[] | null;
  failureCode: string | null;
  failureMessage: string | null;
}

const columns = sql`
  e.id, case when e.state = 'COMPLETED' and e.expires_at <= clock_timestamp() then 'EXPIRED' else e.state end as state, e.format, e.fields, e.filter,
  e.requested_by_id as "requestedById", e.requested_by_name as "requestedByName", e.job_id as "jobId", e.requested_at as "requestedAt",
  case when e.state in ('COMPLETED', 'REMOVED') then e.taken_at end as "takenAt", e.finished_at as "finishedAt", e.expires_at as "expiresAt", e.contact_count as "contactCount", e.byte_length as "byteLength",
  e.file_id as "fileId", e.shown_groups as "shownGroups", e.tag_scope as "tagScope", e.failure_code as "failureCode", e.failure_message as "failureMessage"`;

export async function readExports(tx: Transaction, ids: readonly string[]): Promise<ExportRow[]> {
  return tx.rows<ExportRow>(sql`select ${columns} from contact_export e where e.organization_id = ${tx.organizationId} and e.id = any(${ids}::uuid[])`);
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listExports(tx: Transaction, limit: number, before: string | null): Promise<ExportRow[]> {
  return tx.rows<ExportRow>(sql`
    select ${columns} from contact_export e where e.organization_id = ${tx.organizationId} ${before ? sql`and e.id < ${before}` : raw('')}
    order by e.id desc limit ${limit}`);
}

const removed = {
  code: 'CONTACT_ERASED',
  message: 'The file was removed, because somebody was erased who may have been in it. All else is as it was. Order the export again.',
};

/**
 * Removes the files of exports in which someone may be who is being erased: of all, or of those that show what was there before
 * an instant. Exports that are being written begin again. `tx` holds the erasure ledger's lock, so none begins meanwhile.
 */
export async function removeExports(tx: Transaction, actor: Actor, takenBefore: Date | null = null): Promise<void> {
  const those = sql`organization_id = ${tx.organizationId} ${takenBefore ? sql`and taken_at < ${takenBefore}` : raw('')}`;
  await tx.run(sql`update contact_export set is_stale = true where ${those} and state = 'RUNNING'`);
  const files = await tx.rows<{ id: string; fileId: string }>(sql`
    select id, file_id as "fileId" from contact_export where ${those} and state = 'COMPLETED' order by id for update`);
  if (files.length === 0) return;
  for (const { fileId } of files) await removeFile(tx, fileId);
  await tx.run(sql`
    update contact_export set state = 'REMOVED', file_id = null, failure_code = ${removed.code}, failure_message = ${removed.message}
    where organization_id = ${tx.organizationId} and id = any(${files.map(({ id }) => id)}::uuid[])`);
  await logActions(
    tx,
    actor,
    files.map(({ id }) => ({ action: 'export.removed', target: { kind: 'ContactExport', id } })),
  );
}
