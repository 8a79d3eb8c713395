// Deadlines, by the database clock: warnings before one, and what happens when it has passed. Run every minute for each
// organization; safe to run by several at once.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { globalId } from '../global-id.ts';
import { publish } from '../pubsub.ts';
import { destroyKey, eraseSnapshot } from '../snapshots/erase.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { queueErasure, startErasure } from './erasures.ts';
import { removeExports } from './export-rows.ts';
import { removeExpiredFiles } from './files.ts';
import { clearExpiredImports } from './import-removal.ts';
import { deadline } from './recovery-rows.ts';
import { expireLateRequests } from './recoveries.ts';
import { endRecovery, graceIsOver, tooLate, tooLong } from './recovery-states.ts';
import { expireUploads } from './uploads.ts';
import { queueEvent } from './webhook-deliveries.ts';

/** Days before the deadline on which it is told to be near. */
const warningDays = [7, 1];

/** Does all that is due in an organization now. */
export async function meetDeadlines(app: App, actor: Actor, organizationId: string): Promise<void> {
  await app.database.transact(organizationId, (tx) => warn(tx, actor));
  await expireLateRequests(app, actor, organizationId);
  await stopLateRecoveries(app, actor, organizationId);
  await purgeDeletions(app, actor, organizationId);
  await queueErasuresAgain(app, actor, organizationId);
  await eraseSafetySnapshots(app, actor, organizationId);
  await clearExpiredImports(app, organizationId);
  await expireUploads(app, organizationId);
  await removeExpiredFiles(app, organizationId);
}

/** Tells of deadlines that are near, each once for each number of days; what has come nearer meanwhile is told as that. */
async function warn(tx: Transaction, actor: Actor): Promise<void> {
  const near = await tx.rows<{ id: string; contacts: number; days: number; until: Date; warnedAt: Date }>(sql`
    with due as (
      select d.organization_id, d.id, d.contact_count, d.recoverable_until, (
        select min(days) from unnest(${warningDays}::int[]) days where d.recoverable_until - make_interval(days => days) <= clock_timestamp()) as days
      from deletion d where d.organization_id = ${tx.organizationId} and d.state = 'COMPLETED' and d.contact_count > 0 and d.recoverable_until > clock_timestamp()
    ), told as (
      insert into deletion_warning (organization_id, deletion_id, days_before, warned_at)
      select due.organization_id, due.id, due.days, clock_timestamp() from due
      join deletion d on d.organization_id = due.organization_id and d.id = due.id and d.deleted_at < d.recoverable_until - make_interval(days => due.days)
      on conflict do nothing returning deletion_id, warned_at
    ) select due.id, due.contact_count as contacts, due.days, due.recoverable_until as until, told.warned_at as "warnedAt" from due join told on told.deletion_id = due.id`);
  for (const { id, contacts, days, until, warnedAt } of near) {
    await logAction(tx, actor, { action: 'deletion.deadline_near', target: { kind: 'Deletion', id }, targetCount: contacts });
    const data = { deletionId: globalId('Deletion', id), daysBefore: days, contactCount: contacts, recoverableUntil: until };
    await queueEvent(tx, { id: newId(), type: 'deletion.deadline_near', timestamp: warnedAt, data });
    await publish(tx, 'deletion', id);
  }
}

/** Ends paid recoveries that did not begin in time, and those that are still at it an hour after the deadline; all are refunded. */
async function stopLateRecoveries(app: App, actor: Actor, organizationId: string): Promise<void> {
  const late = await app.database.transact(organizationId, (tx) =>
    tx.rows<{ id: string; began: boolean }>(sql`
      select r.id, r.state = 'RUNNING' as began from recovery_request r
      where r.organization_id = ${organizationId} and (
        r.state in ('AWAITING_APPROVAL', 'QUEUED') and ${deadline} <= clock_timestamp()
        or r.state = 'RUNNING' and ${graceIsOver})`),
  );
  for (const { id, began } of late) await endRecovery(app, actor, organizationId, id, began ? tooLong : tooLate);
}

/** Begins the purge of every deletion whose time has run out. */
async function purgeDeletions(app: App, actor: Actor, organizationId: string): Promise<void> {
  const due = await app.database.transact(organizationId, (tx) =>
    tx.rows<{ id: string }>(sql`
      select id from deletion where organization_id = ${organizationId} and state = 'COMPLETED' and recoverable_until <= clock_timestamp() order by id`),
  );
  for (const { id } of due) await purgeDeletion(app, actor, organizationId, id);
}

/**
 * Begins a purge, unless a recovery is under way or another purge has begun: of the two exactly one wins, because each
 * locks the deletion first. The key is destroyed at once, so from this commit on nothing can be recovered; the job removes
 * the rest. @returns whether it has begun
 */
export async function purgeDeletion(app: App, actor: Actor, organizationId: string, id: string): Promise<boolean> {
  return app.database.transact(organizationId, async (tx) => {
    await tx.run(sql`select 1 from deletion where organization_id = ${organizationId} and id = ${id} for update`);
    const deletion = await tx.row<{ snapshotId: string; contacts: number; deletedAt: Date }>(sql`
      update deletion d set state = 'ERASING' where d.organization_id = ${organizationId} and d.id = ${id}
        and d.state = 'COMPLETED' and d.recoverable_until <= clock_timestamp() and not exists (
          select 1 from recovery_chunk k join recovery_request r on r.organization_id = k.organization_id and r.id = k.recovery_request_id
          where k.organization_id = d.organization_id and k.snapshot_id = d.snapshot_id and r.state = 'RUNNING')
      returning d.snapshot_id as "snapshotId", d.contact_count as contacts, d.deleted_at as "deletedAt"`);
    if (!deletion) return false;
    const { snapshotId, contacts, deletedAt } = deletion;
    // What was written before they were deleted has them; nothing that begins now has.
    await removeExports(tx, actor, deletedAt);
    const destroyedKeys = (await destroyKey(tx, snapshotId)) ? [snapshotId] : [];
    await startErasure(tx, actor, { kind: 'PURGE', ground: 'RETENTION_ENDED', deletionId: id, destroyedKeys, rows: {}, total: contacts });
    await logAction(tx, actor, { action: 'deletion.erasing', target: { kind: 'Deletion', id }, targetCount: contacts });
    await publish(tx, 'deletion', id);
    return true;
  });
}

/** Erasures whose job was given up are tried again until they are done. */
async function queueErasuresAgain(app: App, actor: Actor, organizationId: string): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const idle = await tx.rows<{ id: string; total: number }>(sql`
      select e.id, j.total from erasure e join job j on j.organization_id = e.organization_id and j.id = e.job_id
      where e.organization_id = ${organizationId} and e.state = 'RUNNING' and j.state = 'FAILED' order by e.id for update of e`);
    for (const { id, total } of idle) await queueErasure(tx, actor, id, total);
  });
}

/** Safety snapshots whose day has come: what they hold can't be taken back any more. */
async function eraseSafetySnapshots(app: App, actor: Actor, organizationId: string): Promise<void> {
  const expired = await app.database.transact(organizationId, (tx) =>
    tx.rows<{ id: string }>(sql`
      select s.id from snapshot s where s.organization_id = ${organizationId} and s.kind = 'SAFETY' and s.expires_at <= clock_timestamp()
        and (s.wrapped_key is not null or exists (
          select 1 from snapshot_chunk k where k.organization_id = s.organization_id and k.snapshot_id = s.id)) order by s.id`),
  );
  for (const { id } of expired) {
    await app.database.transact(organizationId, async (tx) => {
      if (await destroyKey(tx, id)) await logAction(tx, actor, { action: 'snapshot.erased', target: { kind: 'Snapshot', id } });
    });
    await eraseSnapshot(app, organizationId, id);
  }
}
