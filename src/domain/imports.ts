// Importing: from an uploaded file to a dry run, to applying it, or calling it off.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import type { ColumnMapping, ValueSettings } from '../imports/recognition/mapping.ts';
import { publish } from '../pubsub.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { keepFile } from './files.ts';
import { barredFor, choose, type ImportChoices, mustFill } from './import-choices.ts';
import { clearImport } from './import-removal.ts';
import { importCounts, keepCounts, lockImport, updatesContacts } from './import-rows.ts';
import { readTemplate } from './import-templates.ts';
import { endJob, queueJob } from './jobs.ts';
import { readUploads } from './uploads.ts';
import { mustHold, sees } from './visibility.ts';
import { transactAs } from './writing.ts';

/** Days that a dry run waits to be applied. */
const waitingDays = 7;

/**
 * Begins an import with the dry run of an uploaded file. The upload is used up.
 * @returns the import's id
 * @throws NotFound; Refusal UPLOAD_NOT_COMPLETE and those of `changeImport`
 */
export async function startImport(app: App, viewer: Viewer, { uploadId, ...choices }: ImportChoices & { uploadId: string }): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    const id = newId();
    const file = await takeUpload(tx, uploadId);
    const { currency, country } = (await tx.row<{ currency: string; country: string | null }>(
      sql`select currency, country from organization where id = ${tx.organizationId}`,
    ))!;
    const template = choices.templateId == null ? undefined : await readTemplate(tx, choices.templateId);
    const barred = barredFor(viewer);
    const mapping = (template?.mapping ?? []).map((column) => (column.target && barred.includes(column.target.field) ? { ...column, target: null } : column));
    const settings: ValueSettings = template?.settings ?? { country, currency, dateOrder: null, decimal: null };
    await tx.run(sql`
      insert into import (organization_id, id, state, file_id, file_name, byte_length, file_digest, read_options, mapping, settings, duplicate_policy,
        barred, requested_by_id, requested_by_name, expires_at)
      values (${tx.organizationId}, ${id}, 'CHECKED', ${file.fileId}, ${file.fileName}, ${file.byteLength}, ${file.sha256}, ${JSON.stringify(template?.readOptions ?? {})},
        ${JSON.stringify(mapping)}, ${JSON.stringify(settings)}, 'SKIP', ${barred}, ${viewer.id}, ${viewer.name}, clock_timestamp() + make_interval(days => ${waitingDays}))`);
    await choose(tx, viewer, id, choices);
    await queueCheck(tx, viewer, id);
    await logAction(tx, viewer, { action: 'import.started', target: { kind: 'Import', id } });
    return id;
  });
}

/** Takes the file of a complete upload over: what becomes of it is the import's business from now on. @throws NotFound; Refusal */
async function takeUpload(tx: Transaction, uploadId: string): Promise<{ fileId: string; fileName: string; byteLength: number; sha256: Buffer }> {
  await tx.run(sql`select 1 from upload where organization_id = ${tx.organizationId} and id = ${uploadId} for update`);
  const [upload] = await readUploads(tx, [uploadId]);
  if (!upload) throw new NotFound('upload');
  const path = ['input', 'uploadId'];
  if (upload.state !== 'COMPLETE')
    throw new Refusal(
      'UPLOAD_NOT_COMPLETE',
      `This upload is ${upload.state}, and only one that is complete can be imported. Nothing was begun. Look at its state.`,
      path,
    );
  const { fileId, fileName, byteLength, sha256 } = upload;
  if (!fileId || !sha256 || byteLength === null || !(await keepFile(tx, fileId, waitingDays + 1)))
    throw new Refusal(
      'UPLOAD_USED',
      'This upload was imported already, or its time is over. Nothing was begun. Look at the imports, or upload the file again.',
      path,
    );
  await tx.run(sql`update upload set file_id = null where organization_id = ${tx.organizationId} and id = ${uploadId}`);
  return { fileId, fileName, byteLength, sha256 };
}

/**
 * Changes how a file is read, what its columns are for, or what becomes of duplicates. The dry run is done again where that
 * changes what rows say; where only the policies change, it is not.
 * @returns the import's id
 * @throws NotFound; Refusal NOT_CHANGEABLE, HIDDEN_FIELD, BAD_SETTING, UNKNOWN_COLUMN, UNKNOWN_CUSTOM_FIELD; Forbidden
 */
export async function changeImport(app: App, viewer: Viewer, { id, ...choices }: ImportChoices & { id: string }): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    const found = await lockImport(tx, id);
    if (!['CHECKING', 'CHECKED', 'FAILED'].includes(found.state))
      throw new Refusal(
        'NOT_CHANGEABLE',
        `This import is ${found.state}, and only one that was not applied can be changed. Nothing was changed. Upload the file again.`,
        ['input', 'id'],
      );
    const again = await choose(tx, viewer, id, choices);
    const readsAgain = again || found.state === 'FAILED';
    if (readsAgain && !found.fileId)
      throw new Refusal(
        'NOT_CHANGEABLE',
        'The file of this import was removed, because somebody in it was erased, so it can’t be read in another way. Nothing was changed. Upload the file again.',
        ['input', 'id'],
      );
    if (readsAgain) await queueCheck(tx, viewer, id);
    else if (found.state === 'CHECKED') await keepCounts(tx, id);
    return id;
  });
}

/** Queues a dry run; one that is under way finds that it is not the one any more. */
async function queueCheck(tx: Transaction, viewer: Viewer, id: string): Promise<void> {
  const jobId = await queueJob(tx, { kind: 'CHECK_IMPORT', subjectId: id, total: 0, actor: viewer });
  const earlier = await tx.row<{ jobId: string | null }>(sql`
    update import i set state = 'CHECKING', counts = null, run_id = null, job_id = ${jobId}, failure_code = null, failure_message = null, mapping_digest = null
    from import before where i.organization_id = ${tx.organizationId} and i.id = ${id} and before.organization_id = i.organization_id and before.id = i.id
    returning before.job_id as "jobId"`);
  if (earlier?.jobId) await endJob(tx, earlier.jobId, 'CANCELLED');
  await publish(tx, 'import', id);
}

/**
 * Applies an import, or goes on with one that was stopped: a job creates and changes contacts as the dry run says.
 * @returns the import's id
 * @throws NotFound; Refusal NOT_CHECKED, OPEN_QUESTIONS, DELETED_POLICY_NEEDED, NOTHING_TO_IMPORT, ALREADY_APPLIED, HIDDEN_FIELD; Forbidden
 */
export async function applyImport(app: App, viewer: Viewer, id: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    const found = await lockImport(tx, id);
    const path = ['input', 'id'];
    if (found.state === 'APPLIED' || found.state === 'APPLYING')
      throw new Refusal('ALREADY_APPLIED', 'This import was applied already. Nothing more was imported. Look at its report.', path);
    if (found.state !== 'CHECKED' && found.state !== 'STOPPED')
      throw new Refusal(
        'NOT_CHECKED',
        `This import is ${found.state}, and only one whose dry run is done can be applied. Nothing was imported. Look at its state.`,
        path,
      );
    const { mapping, questions } = (await tx.row<{ mapping: ColumnMapping[]; questions: unknown[] }>(sql`
      select mapping, questions from import where organization_id = ${tx.organizationId} and id = ${id}`))!;
    if (questions.length > 0)
      throw new Refusal(
        'OPEN_QUESTIONS',
        'How some columns write dates or numbers is still to be said. Nothing was imported. Answer the `questions` of the import.',
        path,
      );
    for (const { target } of mapping) if (target) mustFill(viewer, target, path);
    if (updatesContacts(found.duplicatePolicy)) mustHold(viewer, 'contacts:update');
    if (!sees(viewer, ['NOTES']) && (await givesNotes(tx, id)))
      throw new Refusal(
        'HIDDEN_FIELD',
        'Some rows keep what has no field of its own as notes, which your roles hide. Nothing was imported. Leave those columns out with changeImport, or ask someone who sees notes.',
        path,
      );
    const counts = await importCounts(tx, id);
    if (found.state === 'STOPPED' && (!found.isUndoable || counts.revertedCount + counts.keptCount + counts.goneCount > 0))
      throw new Refusal(
        'NOT_CHECKED',
        `This import was stopped, and ${found.isUndoable ? 'a part of it is taken back already' : 'its time is over'}. Nothing more was imported. ${found.isUndoable ? 'Undo it again, or upload the file again.' : 'Upload the file again.'}`,
        path,
      );
    if (counts.deletedCount > 0 && !found.deletedPolicy)
      throw new Refusal(
        'DELETED_POLICY_NEEDED',
        `${counts.deletedCount} rows match contacts that were deleted and can still be recovered, with their history, which an import can’t bring back. Nothing was imported. Look at \`recoverable\`, then choose a \`deletedPolicy\` with changeImport.`,
        path,
      );
    if (counts.createdCount + counts.updatedCount === 0)
      throw new Refusal('NOTHING_TO_IMPORT', 'No row of the file would be created or updated. Nothing was imported. Look at the reasons of the rows.', path);
    const twin = await tx.row<{ appliedAt: Date }>(sql`
      select o.applied_at as "appliedAt" from import i join import o on o.organization_id = i.organization_id and o.id <> i.id
        and o.file_digest = i.file_digest and o.mapping_digest = i.mapping_digest and o.state in ('APPLYING', 'STOPPED', 'APPLIED', 'UNDOING')
      where i.organization_id = ${tx.organizationId} and i.id = ${id}`);
    if (twin) throw sameFile(twin.appliedAt);
    const jobId = await queueJob(tx, { kind: 'APPLY_IMPORT', subjectId: id, total: found.rowCount, actor: viewer });
    await tx.run(sql`
      update import set state = 'APPLYING', counts = null, job_id = ${jobId}, applied_by_name = ${viewer.name}, applied_at = clock_timestamp(),
        expires_at = clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS}), failure_code = null, failure_message = null
      where organization_id = ${tx.organizationId} and id = ${id}`);
    if (found.fileId) await keepFile(tx, found.fileId, app.config.RECOVERY_WINDOW_DAYS);
    await logAction(tx, viewer, { action: 'import.apply_requested', target: { kind: 'Import', id }, targetCount: counts.createdCount + counts.updatedCount });
    await publish(tx, 'import', id);
    return id;
  }).catch((error: { constraint?: string }) => {
    // Two at once.
    if (error.constraint === 'import_applied_once') throw sameFile(new Date());
    throw error;
  });
}

/** Whether a row that is still to be done has notes, which also hold what has no place of its own. */
const givesNotes = async (tx: Transaction, importId: string): Promise<boolean> =>
  Boolean(
    await tx.row(sql`
      select 1 from import_draft d where d.organization_id = ${tx.organizationId} and d.import_id = ${importId} and d.owned ? 'notes' limit 1`),
  );

const sameFile = (at: Date) =>
  new Refusal(
    'SAME_FILE_APPLIED',
    `The same file was imported with the same columns at ${at.toISOString()}. Nothing was imported again. Undo that import first, if it is to be repeated.`,
    ['input', 'id'],
  );

/** Closes an import that could not be finished: what it did stays, and can be taken back; applying it again goes on. */
export async function stopImport(app: App, organizationId: string, id: string, jobId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const { rowCount } = await tx.run(sql`
      update import set state = 'STOPPED', failure_code = ${failure.code}, failure_message = ${failure.message}
      where organization_id = ${organizationId} and id = ${id} and job_id = ${jobId} and state = 'APPLYING'`);
    if (rowCount === 0) return;
    await keepCounts(tx, id);
    await endJob(tx, jobId, 'FAILED', failure);
    await publish(tx, 'import', id);
  });
}

/**
 * Calls off an import that was not applied: its file and its rows are removed at once.
 * @returns the import's id
 * @throws NotFound; Refusal NOT_CHANGEABLE
 */
export async function discardImport(app: App, viewer: Viewer, id: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    const found = await lockImport(tx, id);
    if (!['CHECKING', 'CHECKED', 'FAILED'].includes(found.state))
      throw new Refusal(
        'NOT_CHANGEABLE',
        `This import is ${found.state}, and only one that was not applied can be discarded. Nothing was changed. Undo it instead.`,
        ['input', 'id'],
      );
    if (found.state === 'CHECKING' && found.jobId) await endJob(tx, found.jobId, 'CANCELLED');
    await clearImport(tx, found, 'DISCARDED');
    await logAction(tx, viewer, { action: 'import.discarded', target: { kind: 'Import', id } });
    return id;
  });
}
