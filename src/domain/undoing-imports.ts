// Taking an import back: contacts that it created are deleted, through a deletion of its own; on contacts that it changed what
// was before is put back, field by field. All of it only where nobody has touched it since.
import type { Transaction } from '../database.ts';
import type { RowUndoOutcome } from '../entities/import.ts';
import { Refusal } from '../errors.ts';
import { publish } from '../pubsub.ts';
import { deferFlush, graphOf } from '../snapshots/capture.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { join, name, raw, type Sql, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App, Viewer } from './app.ts';
import { removeAndLog } from './deleting.ts';
import { type Batch, draftOf, inBatch, joinByIndex, lockContacts, takeStatistics } from './import-batches.ts';
import { mustFill } from './import-choices.ts';
import { holdImport, keepCounts, lockImport, outcome, readImports } from './import-rows.ts';
import { endJob, queueJob, type Report } from './jobs.ts';
import { revertUpdated, type UpdatedRow } from './reverting-updates.ts';
import { closeUndoDeletion, readUndoDeletion, startUndoDeletion, type UndoDeletion } from './undo-deletions.ts';
import { mustHold } from './visibility.ts';
import { transactAs } from './writing.ts';

/** Batches at the same time. */
const lanes = 2;

/**
 * Orders the undo of an import and queues its job.
 * @returns the import's id
 * @throws NotFound; Refusal NOT_UNDOABLE, UNDO_WINDOW_CLOSED, HIDDEN_FIELD; Forbidden
 */
export async function undoImport(app: App, viewer: Viewer, id: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    const found = await lockImport(tx, id);
    const path = ['input', 'id'];
    if (found.state !== 'APPLIED' && found.state !== 'STOPPED')
      throw new Refusal(
        'NOT_UNDOABLE',
        `Only an import that was applied can be undone; this one is ${found.state}. Nothing was changed. Look at its state.`,
        path,
      );
    if (!found.isUndoable)
      throw new Refusal(
        'UNDO_WINDOW_CLOSED',
        `This import could be undone until ${found.expiresAt.toISOString()}. Nothing was changed. Delete the contacts instead.`,
        path,
      );
    const { total, updated } = (await tx.row<{ total: number; updated: boolean }>(sql`
      select count(*)::int as total, coalesce(bool_or(${outcome} = 'UPDATED'), false) as updated from import i, import_row r where ${toUndo(tx, id)}`))!;
    // What it changed on contacts that were there is changed back, which takes what changing it took.
    if (updated) {
      mustHold(viewer, 'contacts:update');
      for (const { target } of found.mapping) if (target) mustFill(viewer, target, path);
    }
    const jobId = await queueJob(tx, { kind: 'UNDO_IMPORT', subjectId: id, total, actor: viewer });
    const deletionId = await startUndoDeletion(tx, app, viewer, `Undo of the import of ${found.createdAt.toISOString()}`, jobId);
    await tx.run(sql`
      update import set state = 'UNDOING', counts = null, job_id = ${jobId}, undo_deletion_id = ${deletionId}, undone_by_name = ${viewer.name},
        failure_code = null, failure_message = null
      where organization_id = ${tx.organizationId} and id = ${id}`);
    await logAction(tx, viewer, { action: 'import.undo_requested', target: { kind: 'Import', id }, targetCount: total });
    await publish(tx, 'import', id);
    return id;
  });
}

/** The condition on rows, r, of an import, i, that changed something and are still to be taken back. */
const toUndo = (tx: Transaction, importId: string): Sql => sql`
  i.organization_id = ${tx.organizationId} and i.id = ${importId} and r.organization_id = i.organization_id and r.import_id = i.id
  and ${outcome} in ('CREATED', 'UPDATED') and r.undo_outcome is null and not exists ${draftOf}`;

interface Undo {
  app: App;
  actor: Actor;
  importId: string;
  deletion: UndoDeletion;
}

/** Carries an undo out. Safe to run again after a crash, and by two workers at once. */
export async function revertImport(app: App, actor: Actor, organizationId: string, importId: string, report: Report, signal: AbortSignal): Promise<void> {
  const { found, deletion, left } = await app.database.transact(organizationId, async (tx) => {
    const [found] = await readImports(tx, [importId]);
    const left = await tx.row<{ count: number; first: number | null; last: number; done: number }>(sql`
      select count(*)::int as count, min(r.row_number) as first, max(r.row_number) as last, (
        select count(*)::int from import_row d where d.organization_id = ${organizationId} and d.import_id = ${importId} and d.undo_outcome is not null) as done
      from import i, import_row r where ${toUndo(tx, importId)}`);
    return { found: found!, deletion: await readUndoDeletion(tx, found!.undoDeletionId), left: left! };
  });
  if (found.state !== 'UNDOING' || !deletion) return;
  await takeStatistics(app, organizationId, true);
  const undo: Undo = { app, actor, importId, deletion };
  const total = left.count + left.done;
  let { done } = left;
  await report({ phase: 'UNDOING', done, total });
  const batches: Batch[] = [];
  const size = app.config.CHUNK_CONTACTS;
  // A batch is always the same rows, because its number is that of the chunk that its contacts go into.
  if (left.first !== null) for (let from = left.first - (left.first % size); from <= left.last; from += size) batches.push({ from, to: from + size });
  // The last first: a contact may have what an earlier row has taken from another.
  await eachInLanes(lanes, batches.toReversed(), async (batch) => {
    signal.throwIfAborted();
    done += await app.database.transact(organizationId, (tx) => revertBatch(tx, undo, batch));
    await report({ phase: 'UNDOING', done, total });
  });
  await app.database.transact(organizationId, async (tx) => {
    const ended = await tx.run(sql`
      update import set state = 'UNDONE', undone_at = clock_timestamp() where organization_id = ${organizationId} and id = ${importId} and state = 'UNDOING'`);
    if (ended.rowCount === 0) return;
    await dropTags(tx, importId);
    await closeDeletion(tx, app, importId, deletion);
    const { revertedCount } = await keepCounts(tx, importId);
    await logAction(tx, actor, { action: 'import.undone', target: { kind: 'Import', id: importId }, targetCount: revertedCount });
    await endJob(tx, found.jobId!, 'COMPLETED');
    await publish(tx, 'import', importId);
  });
}

async function closeDeletion(tx: Transaction, app: App, importId: string, deletion: UndoDeletion): Promise<void> {
  if (!(await closeUndoDeletion(tx, app, deletion)))
    await tx.run(sql`update import set undo_deletion_id = null where organization_id = ${tx.organizationId} and id = ${importId}`);
}

/** Tags that the import made and that nobody has any more. */
async function dropTags(tx: Transaction, importId: string): Promise<void> {
  await tx.run(sql`
    delete from tag t using import_tag m where m.organization_id = ${tx.organizationId} and m.import_id = ${importId} and t.organization_id = m.organization_id
      and t.id = m.tag_id and not exists (select 1 from contact_tag l where l.organization_id = t.organization_id and l.tag_id = t.id)`);
}

/** Closes an undo that could not be finished: what it took back stays taken back, and it can be ordered again. */
export async function stopUndoingImport(
  app: App,
  organizationId: string,
  importId: string,
  jobId: string,
  failure: { code: string; message: string },
): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const found = await lockImport(tx, importId);
    if (found.state !== 'UNDOING' || found.jobId !== jobId) return;
    const deletion = await readUndoDeletion(tx, found.undoDeletionId);
    if (deletion) await closeDeletion(tx, app, importId, deletion);
    await tx.run(sql`
      update import set state = 'STOPPED', failure_code = ${failure.code}, failure_message = ${failure.message} where organization_id = ${organizationId} and id = ${importId}`);
    await keepCounts(tx, importId);
    await endJob(tx, jobId, 'FAILED', failure);
    await publish(tx, 'import', importId);
  });
}

/** @returns how many rows it did */
async function revertBatch(tx: Transaction, undo: Undo, batch: Batch): Promise<number> {
  await deferFlush(tx);
  const { importId } = undo;
  if (!(await holdImport(tx, importId, 'UNDOING'))) return 0;
  await joinByIndex(tx);
  const rows = await tx.rows<Row>(sql`
    select r.row_number as "rowNumber", ${outcome} as outcome, r.contact_id as "contactId", r.owned_count as "ownedCount", r.action_id as "actionId"
    from import i, import_row r where ${toUndo(tx, importId)} and ${inBatch(tx, undo, batch)} order by r.row_number for update of r`);
  if (rows.length === 0) return 0;
  const of = (outcome: Row['outcome']) => rows.filter((row) => row.outcome === outcome);
  const chunkNumber = Math.floor(batch.from / undo.app.config.CHUNK_CONTACTS) + 1;
  const outcomes = [...(await deleteCreated(tx, undo, chunkNumber, of('CREATED'))), ...(await revertUpdated(tx, undo.actor, of('UPDATED')))];
  for (const [outcome, some] of Map.groupBy(outcomes, ([, one]) => one))
    await tx.run(sql`
      update import_row set undo_outcome = ${outcome}
      where organization_id = ${tx.organizationId} and import_id = ${importId} and row_number = any(${some.map(([rowNumber]) => rowNumber)}::int[])`);
  return rows.length;
}

interface Row extends UpdatedRow {
  outcome: 'CREATED' | 'UPDATED';
  ownedCount: number;
}

/** Deletes those of the contacts that are as the import made them. @returns what became of each row, by its number */
async function deleteCreated(tx: Transaction, { app, actor, deletion }: Undo, chunkNumber: number, rows: readonly Row[]): Promise<Map<number, RowUndoOutcome>> {
  if (rows.length === 0) return new Map();
  const contactIds = rows.map(({ contactId }) => contactId);
  await lockContacts(tx, contactIds);
  const found = await tx.rows<{ id: string; owned: number | null }>(sql`
    select c.id, ${ownedUntouched(app)} as owned from contact c where c.organization_id = ${tx.organizationId} and c.id = any(${contactIds}::uuid[])`);
  const owned = new Map(found.map((contact) => [contact.id, contact.owned]));
  const isUntouched = ({ contactId, ownedCount }: Row) => owned.get(contactId) === ownedCount;
  const ids = rows.filter(isUntouched).map(({ contactId }) => contactId);
  if (ids.length > 0) {
    await tx.run(sql`
      insert into deletion_contact (organization_id, contact_id, deletion_id, chunk_number)
      select ${tx.organizationId}, id, ${deletion.id}, ${chunkNumber} from unnest(${ids}::uuid[]) id`);
    await removeAndLog(tx, app, actor, deletion, chunkNumber);
  }
  return new Map(rows.map((row) => [row.rowNumber, isUntouched(row) ? 'REVERTED' : owned.has(row.contactId) ? 'KEPT' : 'GONE']));
}

/**
 * How many rows a contact, c, owns that were made in the same instant as it and never changed; null when it owns any other, or
 * its own fields were changed.
 */
function ownedUntouched(app: App): Sql {
  const tables = graphOf(app).tables.filter(({ name: table }) => table !== 'contact');
  const counts = tables.map(({ name: table, columns }) => {
    const stamps = ['created_at', 'updated_at'].filter((stamp) => columns.some((column) => column.name === stamp));
    const untouched = raw(stamps.map((stamp) => `t.${stamp} = c.created_at`).join(' and ') || 'true');
    return sql`(select case when count(*) = count(*) filter (where ${untouched}) then count(*) end from ${name(table)} t
      where t.organization_id = c.organization_id and t.contact_id = c.id)`;
  });
  // Whoever recovered it wants it.
  const wasDeleted = sql`exists (select 1 from deletion_contact d where d.organization_id = c.organization_id and d.contact_id = c.id)`;
  return sql`case when c.version = 1 and c.updated_at = c.created_at and not ${wasDeleted} then ${join(counts, ' + ')} end`;
}
