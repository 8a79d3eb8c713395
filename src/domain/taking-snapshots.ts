// Taking the snapshot of a whole organization, which its job does: all of it commits at once, or nothing.
import type { Transaction } from '../database.ts';
import { captureOrganization } from '../snapshots/organization.ts';
import { holdChunks } from '../snapshots/parts.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { endJob, type Report } from './jobs.ts';

/**
 * Takes a snapshot that was ordered. Safe to run again after a crash, of which nothing is left, and by two workers at once,
 * of which the second waits and then finds it done.
 */
export async function captureSnapshot(app: App, actor: Actor, organizationId: string, id: string, report: Report, signal: AbortSignal): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    await holdChunks(tx);
    if (!(await isBeingTaken(tx, id))) return;
    let done = 0;
    const { takenAt } = await captureOrganization(tx, app, id, (contacts, total) => report({ phase: 'CAPTURING', done: (done += contacts), total }), signal);
    await completeSnapshot(tx, id, takenAt);
    await logAction(tx, actor, { action: 'snapshot.taken', target: { kind: 'Snapshot', id }, targetCount: done });
    await end(tx, id, 'COMPLETED');
  });
}

const isBeingTaken = async (tx: Transaction, id: string): Promise<boolean> =>
  (await tx.row(sql`select 1 from organization_snapshot where organization_id = ${tx.organizationId} and id = ${id} and state = 'TAKING'`)) !== undefined;

/** Adds up what its chunks say of themselves. */
async function completeSnapshot(tx: Transaction, id: string, takenAt: Date): Promise<void> {
  const chunks = sql`
    select k.* from snapshot_part p
    join snapshot_chunk k on k.organization_id = p.organization_id and k.snapshot_id = p.chunk_snapshot_id and k.number = p.chunk_number
    where p.organization_id = ${tx.organizationId} and p.snapshot_id = ${id}`;
  await tx.run(sql`
    update organization_snapshot set state = 'COMPLETE', taken_at = ${takenAt}, finished_at = clock_timestamp(), contact_count = sums.contacts,
      stored_bytes = sums.stored, new_bytes = sums.added, chunk_count = sums.chunks, new_chunk_count = sums.fresh,
      row_counts = (
        select coalesce(jsonb_object_agg(kind, rows), '{}')
        from (select c.key as kind, sum(c.value::int)::int as rows from (${chunks}) k cross join jsonb_each_text(k.row_counts) c group by c.key) kinds)
    from (select coalesce(sum(contact_count), 0)::int as contacts, coalesce(sum(stored_bytes), 0) as stored, count(*)::int as chunks,
        coalesce(sum(stored_bytes) filter (where snapshot_id = ${id}), 0) as added, (count(*) filter (where snapshot_id = ${id}))::int as fresh
      from (${chunks}) k) sums
    where organization_id = ${tx.organizationId} and id = ${id}`);
}

async function end(tx: Transaction, id: string, state: 'COMPLETED' | 'FAILED', failure?: { code: string; message: string }): Promise<void> {
  const row = await tx.row<{ jobId: string }>(
    sql`select job_id as "jobId" from organization_snapshot where organization_id = ${tx.organizationId} and id = ${id}`,
  );
  if (row) await endJob(tx, row.jobId, state, failure);
}

/** Gives a snapshot up that could not be taken. Nothing of it was kept, so its key goes at once. */
export async function failSnapshot(app: App, actor: Actor, organizationId: string, id: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const { rowCount } = await tx.run(sql`
      update organization_snapshot set state = 'FAILED', finished_at = clock_timestamp(), failure_code = ${failure.code}, failure_message = ${failure.message}
      where organization_id = ${organizationId} and id = ${id} and state = 'TAKING'`);
    if (rowCount === 0) return;
    await tx.run(sql`
      update snapshot set wrapped_key = null, key_destroyed_at = clock_timestamp() where organization_id = ${organizationId} and id = ${id}`);
    await logAction(tx, actor, { action: 'snapshot.failed', target: { kind: 'Snapshot', id } });
    await end(tx, id, 'FAILED', failure);
  });
}
