// Undoing a recovery: what it brought back is deleted again, through a deletion of its own, and what it changed is put back;
// all of it only where nobody has touched it since.
import type { Transaction } from '../database.ts';
import type { UndoOutcome } from '../entities/recovery.ts';
import { NotFound, Refusal } from '../errors.ts';
import { deferFlush, followIndexes } from '../snapshots/capture.ts';
import { type Chunk, DamagedChunk, type Deeds, proveChunk } from '../snapshots/chunk.ts';
import { dropUnused } from '../snapshots/references.ts';
import { readChunk, readStoredChunk } from '../snapshots/restore.ts';
import { putBack, revertMerges, sortRestored } from '../snapshots/undo.ts';
import { sql } from '../sql.ts';
import type { Actor, App, Viewer } from './app.ts';
import { removeAndLog } from './deleting.ts';
import { endJob, queueJob, type Report } from './jobs.ts';
import { announce, move } from './recovery-states.ts';
import { type ChunkState, chunkStates, eachChunk, safetyChunks } from './recovery-runs.ts';
import { readRecoveries, type RecoveryRow } from './recovery-rows.ts';
import { closeUndoDeletion, readUndoDeletion, startUndoDeletion, type UndoDeletion } from './undo-deletions.ts';
import { transactAs } from './writing.ts';

/**
 * Orders the undo of a completed recovery and queues its job.
 * @returns the request's id
 * @throws NotFound; Refusal NOT_UNDOABLE, UNDO_RUNNING, UNDO_WINDOW_CLOSED
 */
export async function undoRecovery(app: App, viewer: Viewer, id: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    await tx.run(sql`select 1 from recovery_request where organization_id = ${tx.organizationId} and id = ${id} for update`);
    const [request] = await readRecoveries(tx, [id]);
    if (!request) throw new NotFound('recovery request');
    checkUndoable(request);
    const jobId = await queueJob(tx, { kind: 'UNDO_RECOVERY', subjectId: id, total: request.contactCount, actor: viewer });
    const deletionId = await startUndoDeletion(tx, app, viewer, `Undo of the recovery of ${request.requestedAt.toISOString()}`, jobId);
    await tx.run(sql`
      update recovery_request set undo_job_id = ${jobId}, undo_deletion_id = ${deletionId}, undone_by_name = ${viewer.name}
      where organization_id = ${tx.organizationId} and id = ${id}`);
    await announce(tx, viewer, id, 'recovery.undo_requested', request.restoredCount + request.mergedCount);
    return id;
  });
}

function checkUndoable({ state, undoJobId, isUndoable, undoableUntil }: RecoveryRow): void {
  const path = ['input', 'id'];
  if (state !== 'COMPLETED')
    throw new Refusal('NOT_UNDOABLE', `Only a completed recovery can be undone; this one is ${state}. Nothing was changed. Look at its state.`, path);
  if (undoJobId) throw new Refusal('UNDO_RUNNING', 'This recovery is being undone already. Nothing more was changed. Watch its progress.', path);
  if (!isUndoable)
    throw new Refusal(
      'UNDO_WINDOW_CLOSED',
      `This recovery could be undone until ${undoableUntil?.toISOString() ?? 'its end'}. Nothing was changed. Delete the contacts instead.`,
      path,
    );
}

interface Undo {
  app: App;
  actor: Actor;
  organizationId: string;
  request: RecoveryRow;
  deletion: UndoDeletion;
}

/** Carries an undo out. Safe to run again after a crash, and by two workers at once. */
export async function revertRecovery(app: App, actor: Actor, organizationId: string, requestId: string, report: Report, signal: AbortSignal): Promise<void> {
  const found = await app.database.transact(organizationId, async (tx) => {
    const [request] = await readRecoveries(tx, [requestId]);
    const deletion = await readUndoDeletion(tx, request!.undoDeletionId);
    const chunks = (await chunkStates(tx, requestId)).filter(({ restored }) => restored);
    return { request: request!, deletion, chunks };
  });
  const { request, deletion, chunks } = found;
  if (request.state !== 'COMPLETED' || !deletion) return;
  const undo: Undo = { app, actor, organizationId, request, deletion };
  try {
    for (const chunk of chunks) {
      signal.throwIfAborted();
      await app.database.transact(organizationId, (tx) => checkSafety(tx, undo, chunk), { readOnly: true });
    }
  } catch (error) {
    if (!(error instanceof DamagedChunk)) throw error;
    const message = `${error.message} Nothing more was taken back. Ask the operator to look at the snapshot store.`;
    return stopUndo(app, organizationId, requestId, { code: 'SNAPSHOT_DAMAGED', message });
  }
  await eachChunk(
    { report, signal },
    chunks,
    'REVERTING',
    () => false,
    (chunk) =>
      app.database.transact(organizationId, async (tx) => {
        await deferFlush(tx);
        const mine = await tx.run(sql`
        update recovery_chunk set undone_at = clock_timestamp() where organization_id = ${organizationId} and recovery_request_id = ${requestId}
          and number = ${chunk.number} and undone_at is null`);
        if (mine.rowCount === 1) await revertChunk(tx, undo, chunk);
      }),
  );
  await app.database.transact(organizationId, async (tx) => {
    const moved = await move(tx, requestId, ['COMPLETED'], 'UNDONE');
    if (!moved) return;
    for (const chunk of chunks) await dropUnused(tx, app, (await readDeeds(tx, undo, chunk)).deeds.recreated);
    await closeDeletion(tx, app, requestId, deletion);
    await endJob(tx, request.undoJobId!, 'COMPLETED');
    await announce(tx, actor, requestId, 'recovery.undone', moved.revertedCount);
  });
}

/** What the recovery did with a chunk; nothing, where all of it was skipped or has been erased since. */
async function readDeeds(tx: Transaction, { app, organizationId, request }: Undo, { number }: ChunkState): Promise<Chunk & { deeds: Deeds }> {
  const chunk = await readStoredChunk(tx, app, safetyChunks(organizationId, request.safetySnapshotId!, number).deeds);
  return { ...chunk, deeds: chunk.deeds ?? { merged: [], replaced: [], recreated: {} } };
}

/** Opens what the undo of a chunk goes by, so that one damaged chunk is found before anything is taken back. @throws DamagedChunk */
async function checkSafety(tx: Transaction, undo: Undo, chunk: ChunkState): Promise<void> {
  const { deeds } = await readDeeds(tx, undo, chunk);
  if (deeds.replaced.length === 0) return;
  const { before } = safetyChunks(undo.organizationId, undo.request.safetySnapshotId!, chunk.number);
  proveChunk(await readChunk(tx, undo.app, before), before);
}

async function revertChunk(tx: Transaction, undo: Undo, chunk: ChunkState): Promise<void> {
  const { app, actor, organizationId, request, deletion } = undo;
  await followIndexes(tx);
  const deeds = await readDeeds(tx, undo, chunk);
  const { merged, replaced } = deeds.deeds;
  const merges = await revertMerges(tx, app, deeds);
  const { untouched, edited, gone } = await sortRestored(tx, app, deeds);
  if (untouched.length > 0) {
    await tx.run(sql`
      insert into deletion_contact (organization_id, contact_id, deletion_id, chunk_number)
      select ${organizationId}, id, ${deletion.id}, ${chunk.number} from unnest(${untouched}::uuid[]) id`);
    await removeAndLog(tx, app, actor, deletion, chunk.number);
  }
  const removed = new Set(untouched);
  const owners = new Map(replaced.filter(({ contactId }) => removed.has(contactId)).map(({ contactId, liveContactId }) => [liveContactId, contactId]));
  let blocked: string[] = [];
  if (owners.size > 0) {
    const before = await readChunk(tx, app, safetyChunks(organizationId, request.safetySnapshotId!, chunk.number).before);
    blocked = (await putBack(tx, app, before, new Set(owners.keys()))).map((id) => owners.get(id)!);
  }
  await saveExceptions(tx, request.id, [
    ...edited.map((id) => [id, 'KEPT', 'It was edited since.'] as const),
    ...merges.kept.map((id) => [id, 'KEPT', 'What its history was merged into was edited since; the edited part stays.'] as const),
    ...gone.map((id) => [id, 'COULD_NOT', 'It was deleted again since.'] as const),
    ...merges.gone.map((id) => [id, 'COULD_NOT', 'The contact that its history was merged into was deleted since.'] as const),
    ...blocked.map(
      (id) => [id, 'COULD_NOT', 'It was taken back, but the contact that it had replaced could not return: something live stands in its way.'] as const,
    ),
  ]);
  const reverted = untouched.length - blocked.length + merged.length - merges.kept.length - merges.gone.length;
  await tx.run(sql`
    update recovery_chunk set reverted_count = ${reverted} where organization_id = ${organizationId} and recovery_request_id = ${request.id} and number = ${chunk.number}`);
}

async function saveExceptions(
  tx: Transaction,
  requestId: string,
  rows: readonly (readonly [id: string, outcome: UndoOutcome, reason: string])[],
): Promise<void> {
  await tx.run(sql`
    insert into recovery_undo_exception (organization_id, recovery_request_id, contact_id, outcome, reason)
    select ${tx.organizationId}, ${requestId}, id, outcome, reason
    from unnest(${rows.map(([id]) => id)}::uuid[], ${rows.map(([, outcome]) => outcome)}::text[], ${rows.map(([, , reason]) => reason)}::text[]) x (id, outcome, reason)
    on conflict do nothing`);
}

/** Closes the deletion of an undo; one that removed nothing is forgotten. */
async function closeDeletion(tx: Transaction, app: App, requestId: string, deletion: UndoDeletion): Promise<void> {
  if (!(await closeUndoDeletion(tx, app, deletion)))
    await tx.run(sql`update recovery_request set undo_deletion_id = null where organization_id = ${tx.organizationId} and id = ${requestId}`);
}

/** Closes an undo that could not be finished; what it took back stays taken back, and it can be ordered again. */
export async function stopUndo(app: App, organizationId: string, requestId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const [request] = await readRecoveries(tx, [requestId]);
    if (!request?.undoJobId || request.state !== 'COMPLETED') return;
    const deletion = await readUndoDeletion(tx, request.undoDeletionId);
    if (deletion) await closeDeletion(tx, app, requestId, deletion);
    await tx.run(sql`update recovery_request set undo_job_id = null where organization_id = ${organizationId} and id = ${requestId}`);
    await endJob(tx, request.undoJobId, 'FAILED', failure);
  });
}
