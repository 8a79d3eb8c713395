// Snapshots of a whole organization: ordered by staff or by the night, and removed when their time is over.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { OrganizationSnapshotKind } from '../entities/organization-snapshot.ts';
import { Refusal } from '../errors.ts';
import { startSnapshot } from '../snapshots/capture.ts';
import { tryToHoldChunks } from '../snapshots/parts.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App, Viewer } from './app.ts';
import { queueJob } from './jobs.ts';
import { transactAs } from './writing.ts';

/**
 * Orders a snapshot of the whole organization, which a job takes.
 * @returns the snapshot's id
 * @throws Refusal SNAPSHOT_RUNNING, BAD_LABEL
 */
export async function takeSnapshot(app: App, viewer: Viewer, input: { label?: string | null | undefined }): Promise<string> {
  const label = input.label?.trim() || null;
  if (label && label.length > 100)
    throw new Refusal('BAD_LABEL', 'The label must have at most 100 characters. No snapshot was taken. Say in a few words what it is for.', ['input', 'label']);
  return transactAs(app, viewer, async (tx) => {
    const id = await orderSnapshot(tx, app, viewer, { kind: 'MANUAL', label, night: null });
    if (!id)
      throw new Refusal(
        'SNAPSHOT_RUNNING',
        'A snapshot of the organization is being taken already. No other was started. Watch its job, and take another when it has ended.',
      );
    return id;
  });
}

/**
 * Orders the snapshot of a night, unless the night has one or another snapshot is still being taken.
 * @returns its id, or null
 */
export async function takeScheduledSnapshot(app: App, actor: Actor, organizationId: string, night: string): Promise<string | null> {
  return app.database.transact(organizationId, async (tx) => {
    const there = await tx.row(sql`select 1 from organization_snapshot where organization_id = ${organizationId} and night = ${night}`);
    return there ? null : orderSnapshot(tx, app, actor, { kind: 'SCHEDULED', label: null, night });
  });
}

/** Makes the rows and queues the job. Of two at once one is there first. @returns null when there is one already */
async function orderSnapshot(
  tx: Transaction,
  app: App,
  actor: Actor,
  { kind, label, night }: { kind: OrganizationSnapshotKind; label: string | null; night: string | null },
): Promise<string | null> {
  const id = newId();
  const { rowCount } = await tx.run(sql`
    insert into organization_snapshot (organization_id, id, kind, state, label, night, requested_by_id, requested_by_name, row_counts)
    values (${tx.organizationId}, ${id}, ${kind}, 'TAKING', ${label}, ${night}, ${actor.id}, ${actor.name}, '{}') on conflict do nothing`);
  if (rowCount === 0) return null;
  await startSnapshot(tx, app, id, kind);
  // Ordered before what is deleted later, it is gone before that is: nothing outlives its own deadline in a snapshot.
  await tx.run(sql`
    update snapshot set expires_at = clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS})
    where organization_id = ${tx.organizationId} and id = ${id}`);
  const jobId = await queueJob(tx, { kind: 'TAKE_SNAPSHOT', subjectId: id, total: 0, actor });
  await tx.run(sql`update organization_snapshot set job_id = ${jobId} where organization_id = ${tx.organizationId} and id = ${id}`);
  await logAction(tx, actor, { action: 'snapshot.started', target: { kind: 'Snapshot', id } });
  return id;
}

/**
 * Removes the organization's snapshots whose time is over, the chunks that no other snapshot refers to, and the keys that
 * nothing is sealed under any more. Does nothing while a snapshot is being taken; then it is tried again soon.
 * @returns how many snapshots were removed
 */
export async function expireSnapshots(app: App, actor: Actor, organizationId: string): Promise<number> {
  return app.database.transact(organizationId, async (tx) => {
    const expired = (
      await tx.rows<{ id: string }>(sql`
        select o.id from organization_snapshot o join snapshot s on s.organization_id = o.organization_id and s.id = o.id
        where o.organization_id = ${organizationId} and o.state <> 'TAKING' and s.expires_at <= clock_timestamp() and not exists (
          select 1 from recovery_request r where r.organization_id = o.organization_id and r.selected ->> 'snapshotId' = o.id::text and r.state = 'RUNNING')
        order by o.id`)
    ).map(({ id }) => id);
    if (expired.length === 0 || !(await tryToHoldChunks(tx))) return 0;
    const referred = await tx.rows<{ snapshotId: string; number: number }>(sql`
      delete from snapshot_part where organization_id = ${organizationId} and snapshot_id = any(${expired}::uuid[])
      returning chunk_snapshot_id as "snapshotId", chunk_number as number`);
    await removeUnreferred(tx, app, referred);
    await tx.run(sql`
      update snapshot s set wrapped_key = null, key_destroyed_at = clock_timestamp()
      where s.organization_id = ${organizationId} and s.kind in ('SCHEDULED', 'MANUAL') and s.wrapped_key is not null and s.expires_at <= clock_timestamp()
        and s.id = any(${[...expired, ...referred.map(({ snapshotId }) => snapshotId)]}::uuid[])
        and not exists (select 1 from snapshot_chunk k where k.organization_id = s.organization_id and k.snapshot_id = s.id)`);
    await tx.run(sql`delete from organization_snapshot where organization_id = ${organizationId} and id = any(${expired}::uuid[])`);
    for (const id of expired) await logAction(tx, actor, { action: 'snapshot.expired', target: { kind: 'Snapshot', id } });
    return expired.length;
  });
}

/** Of these chunks, removes those that no snapshot refers to any more. */
async function removeUnreferred(tx: Transaction, app: App, chunks: readonly { snapshotId: string; number: number }[]): Promise<void> {
  const gone = await tx.rows<{ snapshotId: string; number: number }>(sql`
    delete from snapshot_chunk k
    using (select distinct * from unnest(${chunks.map(({ snapshotId }) => snapshotId)}::uuid[], ${chunks.map(({ number }) => number)}::int[]) c (snapshot_id, number)) c
    where k.organization_id = ${tx.organizationId} and k.snapshot_id = c.snapshot_id and k.number = c.number
      and not exists (
        select 1 from snapshot_part p where p.organization_id = ${tx.organizationId} and p.chunk_snapshot_id = k.snapshot_id and p.chunk_number = k.number)
    returning k.snapshot_id as "snapshotId", k.number`);
  const bySnapshot = Map.groupBy(gone, ({ snapshotId }) => snapshotId);
  for (const [snapshotId, own] of bySnapshot)
    await app.store.remove(
      tx,
      snapshotId,
      own.map(({ number }) => number),
    );
}
