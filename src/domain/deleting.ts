// Carrying a deletion out, batch by batch: each one's snapshot, removal and log entry commit together.
import type { Transaction } from '../database.ts';
import { deferFlush, removeChunk } from '../snapshots/capture.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { readDeletions } from './deletion-rows.ts';
import { endJob, type Report } from './jobs.ts';

/** Chunks at work at the same time: one is read and sealed while another is written. */
const lanes = 2;

/** One batch: snapshot, removal and log entry, all in `tx`. @returns how many contacts went; null when it was done before */
export async function removeAndLog(
  tx: Transaction,
  app: App,
  actor: Actor,
  deletion: { id: string; snapshotId: string },
  number: number,
): Promise<number | null> {
  const removed = await removeChunk(tx, app, deletion.id, { organizationId: tx.organizationId, snapshotId: deletion.snapshotId, number });
  if (removed === null) return null;
  // Held until the commit: whoever takes the reason away waits, and then takes it from this entry too.
  const given = await tx.row<{ reason: string | null }>(sql`
    select reason from deletion where organization_id = ${tx.organizationId} and id = ${deletion.id} for share`);
  await logAction(tx, actor, {
    action: 'contacts.deleted',
    target: { kind: 'Deletion', id: deletion.id },
    targetCount: removed,
    batch: { deletionId: deletion.id, chunkNumber: number },
    ...(given?.reason ? { reason: given.reason } : {}),
  });
  return removed;
}

/** From here on the 30 days run. */
export async function completeDeletion(tx: Transaction, app: App, id: string): Promise<void> {
  await tx.run(sql`
    update deletion set state = 'COMPLETED', deleted_at = clock_timestamp(),
      recoverable_until = clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS}),
      contact_count = (select coalesce(sum(k.contact_count), 0)::int from snapshot_chunk k where k.organization_id = deletion.organization_id and k.snapshot_id = deletion.snapshot_id)
    where organization_id = ${tx.organizationId} and id = ${id} and state = 'RUNNING'`);
}

/**
 * Carries out a deletion that has a job: every batch that is not done, each in a transaction of its own. Safe to run again
 * after a crash, and by two workers at once.
 */
export async function removeContacts(app: App, actor: Actor, organizationId: string, deletionId: string, report: Report, signal: AbortSignal): Promise<void> {
  const { database } = app;
  const plan = await database.transact(organizationId, async (tx) => {
    const deletion = (await readDeletions(tx, [deletionId]))[0]!;
    const chunks = await tx.rows<{ number: number; count: number; done: boolean }>(sql`
      select d.chunk_number as number, count(*)::int as count,
        exists (select 1 from snapshot_chunk k where k.organization_id = ${organizationId} and k.snapshot_id = ${deletion.snapshotId} and k.number = d.chunk_number) as done
      from deletion_contact d where d.organization_id = ${organizationId} and d.deletion_id = ${deletionId} group by d.chunk_number order by d.chunk_number`);
    return { deletion, chunks };
  });
  const total = plan.chunks.reduce((sum, chunk) => sum + chunk.count, 0);
  let done = plan.chunks.reduce((sum, chunk) => sum + (chunk.done ? chunk.count : 0), 0);
  await report({ phase: 'REMOVING', done, total });
  await eachInLanes(
    lanes,
    plan.chunks.filter((chunk) => !chunk.done),
    async (chunk) => {
      signal.throwIfAborted();
      await database.transact(organizationId, async (tx) => {
        await deferFlush(tx);
        await removeAndLog(tx, app, actor, plan.deletion, chunk.number);
      });
      done += chunk.count;
      await report({ phase: 'REMOVING', done, total });
    },
  );
  await database.transact(organizationId, async (tx) => {
    await completeDeletion(tx, app, deletionId);
    if (plan.deletion.jobId) await endJob(tx, plan.deletion.jobId, 'COMPLETED');
  });
}

/** Closes a deletion that could not be finished: what was removed can be recovered, the other contacts stay. */
export async function stopDeletion(app: App, organizationId: string, deletionId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const [deletion] = await readDeletions(tx, [deletionId]);
    await tx.run(sql`
      delete from deletion_contact d where d.organization_id = ${organizationId} and d.deletion_id = ${deletionId} and not exists (
        select 1 from snapshot_chunk k where k.organization_id = ${organizationId} and k.snapshot_id = ${deletion!.snapshotId} and k.number = d.chunk_number)`);
    await completeDeletion(tx, app, deletionId);
    if (deletion!.jobId) await endJob(tx, deletion!.jobId, 'FAILED', failure);
  });
}
