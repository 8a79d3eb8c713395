// Importing: from an uploaded file to a dry run, to applying it, or calling it off.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { DeletedPolicy, DuplicatePolicy } from '../entities/import.ts';
import { NotFound, Refusal } from '../errors.ts';
import { isCurrency } from '../imports/recognition/numbers.ts';
import {
  type ColumnMapping,
  type ColumnTarget,
  type DateOrder,
  type DecimalMark,
  type TargetField,
  targetFields,
  type ValueSettings,
} from '../imports/recognition/mapping.ts';
import { type Encoding, type ReadOptions, separators } from '../imports/sheet.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { publish } from '../pubsub.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { removeFile } from './files.ts';
import { type ImportRecord, importCounts, keepCounts, readImports } from './import-rows.ts';
import { readTemplate } from './import-templates.ts';
import { endJob, queueJob } from './jobs.ts';
import { readCustomFields } from './references.ts';
import { checkLength, readText } from './text.ts';
import { readUploads } from './uploads.ts';
import { mustHold, mustSee, sees } from './visibility.ts';
import { transactAs } from './writing.ts';

/** Days that a dry run waits to be applied. */
const waitingDays = 7;

/** What somebody says of a column. */
export interface ColumnChoice {
  index: number;
  target: ColumnTarget | null;
  dateOrder?: DateOrder | null | undefined;
  decimal?: DecimalMark | null | undefined;
}

/** How a file is to be read, what its columns are for, and what becomes of duplicates. What is left out stays. */
export interface ImportChoices {
  encoding?: Encoding | null | undefined;
  separator?: string | null | undefined;
  quote?: string | null | undefined;
  sheet?: string | null | undefined;
  headerRow?: number | null | undefined;
  columns?: readonly ColumnChoice[] | null | undefined;
  /** ISO 3166-1 alpha-2. */
  country?: string | null | undefined;
  /** ISO 4217. */
  currency?: string | null | undefined;
  dateOrder?: DateOrder | null | undefined;
  decimal?: DecimalMark | null | undefined;
  duplicatePolicy?: DuplicatePolicy | null | undefined;
  deletedPolicy?: DeletedPolicy | null | undefined;
  /** A template whose choices come before these. */
  templateId?: string | null | undefined;
}

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
  const file = await tx.row<{ fileId: string; byteLength: number; sha256: Buffer }>(sql`
    select id as "fileId", byte_length as "byteLength", sha256 from stored_file where organization_id = ${tx.organizationId} and id = ${upload.fileId} for update`);
  if (!file)
    throw new Refusal(
      'UPLOAD_USED',
      'This upload was imported already, or its time is over. Nothing was begun. Look at the imports, or upload the file again.',
      path,
    );
  await tx.run(sql`update upload set file_id = null where organization_id = ${tx.organizationId} and id = ${uploadId}`);
  await tx.run(sql`
    update stored_file set expires_at = clock_timestamp() + make_interval(days => ${waitingDays + 1}) where organization_id = ${tx.organizationId} and id = ${file.fileId}`);
  return { ...file, fileName: upload.fileName };
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

/** Writes choices down. @returns whether rows must be read anew */
async function choose(tx: Transaction, viewer: Viewer, id: string, choices: ImportChoices): Promise<boolean> {
  const now = (await tx.row<{ options: ReadOptions; mapping: ColumnMapping[]; settings: ValueSettings; facts: { header: string[] } | null }>(sql`
    select read_options as options, mapping, settings, facts from import where organization_id = ${tx.organizationId} and id = ${id}`))!;
  const options = checkOptions({ ...now.options, ...given(choices, ['encoding', 'separator', 'quote', 'sheet', 'headerRow']) });
  const settings = checkSettings({
    ...now.settings,
    ...given(choices, ['country', 'dateOrder', 'decimal']),
    currency: choices.currency ?? now.settings.currency,
  });
  // Read in another way, the file has other columns.
  const reread = JSON.stringify(options) !== JSON.stringify(now.options);
  const mapping = await chooseColumns(tx, viewer, reread ? [] : now.mapping, choices.columns ?? [], now.facts?.header ?? []);
  if (choices.duplicatePolicy === 'FILL_EMPTY' || choices.duplicatePolicy === 'OVERWRITE') mustHold(viewer, 'contacts:update');
  await tx.run(sql`
    update import set read_options = ${JSON.stringify(options)}, settings = ${JSON.stringify(settings)}, mapping = ${JSON.stringify(mapping)},
      duplicate_policy = coalesce(${choices.duplicatePolicy ?? null}, duplicate_policy), deleted_policy = coalesce(${choices.deletedPolicy ?? null}, deleted_policy)
    where organization_id = ${tx.organizationId} and id = ${id}`);
  return reread || JSON.stringify([settings, mapping]) !== JSON.stringify([now.settings, now.mapping]);
}

const given = <Name extends keyof ImportChoices>(choices: ImportChoices, names: readonly Name[]): Pick<ImportChoices, Name> =>
  Object.fromEntries(names.flatMap((name) => (choices[name] === undefined ? [] : [[name, choices[name]]]))) as Pick<ImportChoices, Name>;

const bad = (field: string, message: string) => new Refusal('BAD_SETTING', `${message} Nothing was changed.`, ['input', field]);

function checkOptions(options: ReadOptions): ReadOptions {
  const { separator, quote, sheet, headerRow } = options;
  if (separator != null && !separators.includes(separator)) throw bad('separator', 'A separator is a comma, a semicolon, a tab or a vertical bar.');
  if (quote != null && !['"', "'", ''].includes(quote)) throw bad('quote', 'The quotation mark is " or \', or empty where there is none.');
  readText(sheet, ['input', 'sheet']);
  if (headerRow != null && (headerRow < 1 || headerRow > 1000)) throw bad('headerRow', 'The row with the column names is one of the first 1,000.');
  return options;
}

function checkSettings(settings: ValueSettings): ValueSettings {
  const { country, currency } = settings;
  if (country !== null && !/^[A-Z]{2}$/.test(country)) throw bad('country', 'A country is a code of two capital letters (ISO 3166-1), as in DE.');
  if (!isCurrency(currency)) throw bad('currency', 'A currency is a code of three capital letters (ISO 4217), as in EUR.');
  return settings;
}

const targetNames = Object.keys(targetFields) as TargetField[];

/** What one must see of contacts to fill a field with a column. */
const groupsOfTarget = (field: ColumnTarget['field']): FieldGroup[] => {
  if (/EMAIL|PHONE|WEBSITE/.test(field)) return ['EMAIL_AND_PHONE'];
  if (/STREET|CITY|REGION|POSTAL|COUNTRY|ADDRESS/.test(field)) return ['ADDRESS'];
  if (field === 'BIRTH_DATE') return ['BIRTH_DATE'];
  if (field === 'NOTE') return ['NOTES'];
  if (field === 'CUSTOM_FIELD') return ['CUSTOM_FIELDS'];
  return isMoney(field) ? ['PAYMENTS', 'BALANCES'] : [];
};

const isMoney = (field: ColumnTarget['field']): boolean => field === 'OPENING_BALANCE' || field === 'AMOUNT_DUE';

/** The fields that columns are not recognized as for this viewer. */
const barredFor = (viewer: Viewer): string[] =>
  targetNames.filter((field) => !sees(viewer, groupsOfTarget(field)) || (isMoney(field) && !viewer.permissions.has('payments:create')));

/** @throws Refusal HIDDEN_FIELD; Forbidden */
function mustFill(viewer: Viewer, { field }: ColumnTarget, path: string[]): void {
  mustSee(viewer, groupsOfTarget(field), path);
  if (isMoney(field)) mustHold(viewer, 'payments:create');
}

/** As many as are chosen for at once; files have fewer. */
const mostColumns = 500;

/** The mapping with what was chosen. @throws Refusal UNKNOWN_COLUMN, UNKNOWN_CUSTOM_FIELD, HIDDEN_FIELD; Forbidden */
async function chooseColumns(
  tx: Transaction,
  viewer: Viewer,
  mapping: ColumnMapping[],
  columns: readonly ColumnChoice[],
  header: readonly string[],
): Promise<ColumnMapping[]> {
  checkLength(columns, mostColumns, ['input', 'columns']);
  for (const [place, { target }] of columns.entries())
    for (const name of ['label', 'customFieldKey'] as const) readText(target?.[name], ['input', 'columns', String(place), name]);
  const keys = columns.flatMap(({ target }) => target?.customFieldKey ?? []);
  const customFields = new Set((await readCustomFields(tx, keys)).map(({ key }) => key));
  const chosen = new Map(mapping.map((column) => [column.index, column]));
  for (const [place, { index, target, dateOrder, decimal }] of columns.entries()) {
    const path = ['input', 'columns', String(place)];
    const now = chosen.get(index);
    if (!now)
      throw new Refusal(
        'UNKNOWN_COLUMN',
        `The file has ${header.length} columns, counted from 0, and no such one. Nothing was changed. Look at \`columns\` of the import.`,
        path,
      );
    if (target) mustFill(viewer, target, path);
    if (target?.field === 'CUSTOM_FIELD' && !customFields.has(target.customFieldKey ?? ''))
      throw new Refusal('UNKNOWN_CUSTOM_FIELD', 'There is no such custom field. Nothing was changed. Give the `key` of one of `customFieldDefinitions`.', path);
    chosen.set(index, { ...now, target, confidence: 1, dateOrder: dateOrder ?? null, dateForm: null, decimal: decimal ?? null });
  }
  return [...chosen.values()];
}

/** The import, locked. @throws NotFound */
async function lockImport(tx: Transaction, id: string): Promise<ImportRecord> {
  await tx.run(sql`select 1 from import where organization_id = ${tx.organizationId} and id = ${id} for update`);
  const [found] = await readImports(tx, [id]);
  if (!found) throw new NotFound('import');
  return found;
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
    if (found.duplicatePolicy === 'FILL_EMPTY' || found.duplicatePolicy === 'OVERWRITE') mustHold(viewer, 'contacts:update');
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
    await tx.run(sql`
      update stored_file set expires_at = clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS})
      where organization_id = ${tx.organizationId} and id = ${found.fileId}`);
    await logAction(tx, viewer, { action: 'import.apply_requested', target: { kind: 'Import', id }, targetCount: counts.createdCount + counts.updatedCount });
    await publish(tx, 'import', id);
    return id;
  }).catch((error: { constraint?: string }) => {
    // Two at once.
    if (error.constraint === 'import_applied_once') throw sameFile(new Date());
    throw error;
  });
}

const sameFile = (at: Date) =>
  new Refusal(
    'SAME_FILE_APPLIED',
    `The same file was imported with the same columns at ${at.toISOString()}. Nothing was imported again. Undo that import first, if it is to be repeated.`,
    ['input', 'id'],
  );

/** Closes an import that could not be finished: what it did stays, and can be taken back; applying it again goes on. */
export async function stopImport(app: App, organizationId: string, id: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const stopped = await tx.row<{ jobId: string }>(sql`
      update import set state = 'STOPPED', failure_code = ${failure.code}, failure_message = ${failure.message}
      where organization_id = ${organizationId} and id = ${id} and state = 'APPLYING' returning job_id as "jobId"`);
    if (!stopped) return;
    await keepCounts(tx, id);
    await endJob(tx, stopped.jobId, 'FAILED', failure);
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

/** Removes the file and the rows of an import. What it did and how much stays known. */
async function clearImport(tx: Transaction, { id, fileId }: Pick<ImportRecord, 'id' | 'fileId'>, state: 'DISCARDED' | null): Promise<void> {
  if (state === null) await keepCounts(tx, id);
  if (fileId) await removeFile(tx, fileId);
  await tx.run(sql`delete from import_row where organization_id = ${tx.organizationId} and import_id = ${id}`);
  await tx.run(sql`delete from import_tag where organization_id = ${tx.organizationId} and import_id = ${id}`);
  await tx.run(sql`
    update import set state = coalesce(${state}, state), file_id = null, rows_removed_at = clock_timestamp() where organization_id = ${tx.organizationId} and id = ${id}`);
  await publish(tx, 'import', id);
}

/** Removes what is left of imports whose time is over: dry runs that nobody applied, and the rows that an undo would go by. */
export async function clearExpiredImports(app: App, organizationId: string): Promise<void> {
  const expired = await app.database.transact(organizationId, (tx) =>
    tx.rows<{ id: string }>(sql`
      select id from import where organization_id = ${organizationId} and expires_at <= clock_timestamp() and rows_removed_at is null
        and state not in ('CHECKING', 'APPLYING', 'UNDOING') order by id`),
  );
  for (const { id } of expired)
    await app.database.transact(organizationId, async (tx) => {
      const found = await lockImport(tx, id);
      if (['CHECKED', 'FAILED'].includes(found.state)) await clearImport(tx, found, 'DISCARDED');
      else if (['APPLIED', 'STOPPED', 'UNDONE'].includes(found.state)) await clearImport(tx, found, null);
    });
}

/**
 * Takes what imports keep of contacts that are being erased: the rows that became or match them or repeat such a row, and the
 * file that they stand in, with what is shown of rows that nobody knows to be about whom.
 */
export async function eraseFromImports(tx: Transaction, contactIds: readonly string[]): Promise<void> {
  const org = tx.organizationId;
  const removed = (column: 'contact_id' | 'deleted_contact_id') =>
    tx.rows<{ importId: string; rowNumber: number }>(sql`
      delete from import_row where organization_id = ${org} and ${raw(column)} = any(${contactIds}::uuid[]) returning import_id as "importId", row_number as "rowNumber"`);
  const named = [...(await removed('contact_id')), ...(await removed('deleted_contact_id'))];
  if (named.length === 0) return;
  const ids = [...new Set(named.map(({ importId }) => importId))];
  // Of rows that were applied no more than their numbers is kept.
  for (let last = named; last.length > 0;)
    last = await tx.rows(sql`
      delete from import_row r using unnest(${last.map(({ importId }) => importId)}::uuid[], ${last.map(({ rowNumber }) => rowNumber)}::int[]) gone (id, number), import i
      where r.organization_id = ${org} and r.import_id = gone.id and r.repeats = gone.number and i.organization_id = ${org} and i.id = r.import_id
        and i.state in ('CHECKING', 'CHECKED') returning r.import_id as "importId", r.row_number as "rowNumber"`);
  await tx.run(sql`update import set counts = null where organization_id = ${org} and id = any(${ids}::uuid[]) and state = 'CHECKED'`);
  const files = await tx.rows<{ id: string; fileId: string }>(sql`
    update import i set file_id = null from import before
    where i.organization_id = ${org} and i.id = any(${ids}::uuid[])
      and before.organization_id = i.organization_id and before.id = i.id and before.file_id is not null returning i.id, before.file_id as "fileId"`);
  for (const { fileId } of files) await removeFile(tx, fileId);
  await tx.run(sql`
    update import_row set cells = null where organization_id = ${org} and import_id = any(${files.map(({ id }) => id)}::uuid[]) and cells is not null`);
}
