// The states that a recovery request goes through, and its start and its end. Each change of state is one conditional
// update, an action log entry and an event, so of two that race exactly one wins.
import type { Transaction } from '../database.ts';
import type { DeletionState } from '../entities/deletion.ts';
import type { RecoveryState } from '../entities/recovery.ts';
import { publish } from '../pubsub.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { endJob } from './jobs.ts';
import { deadline, readRecoveries, recoveryColumns, type RecoveryRow } from './recovery-rows.ts';
import { queueRecovered } from './webhook-deliveries.ts';

/** The entry and the event of a change of state. */
export async function announce(tx: Transaction, actor: Actor, recoveryRequestId: string, action: string, targetCount?: number): Promise<void> {
  await logAction(tx, actor, {
    action,
    target: { kind: 'RecoveryRequest', id: recoveryRequestId },
    ...(targetCount === undefined ? {} : { targetCount }),
  });
  await publish(tx, 'recovery', recoveryRequestId);
}

/** Moves a request from one of the states `from` to `to`, unless someone else did. @returns the request as it is now, or undefined */
export async function move(tx: Transaction, id: string, from: readonly RecoveryState[], to: RecoveryState): Promise<RecoveryRow | undefined> {
  const ends = ['COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED'].includes(to);
  return tx.row<RecoveryRow>(sql`
    update recovery_request r set state = ${to},
      undone_at = case when ${to} = 'UNDONE' then clock_timestamp() else undone_at end,
      started_at = case when ${to} = 'RUNNING' then coalesce(started_at, clock_timestamp()) else started_at end,
      finished_at = ${ends ? raw('clock_timestamp()') : raw('finished_at')}
    where r.organization_id = ${tx.organizationId} and r.id = ${id} and r.state = any(${from}::text[]) returning ${recoveryColumns}`);
}

type LockedInvoice = { id: string; number: string; state: string; providerReference: string | null };

/**
 * Locks the invoice of a request until the transaction ends. Whoever changes both locks it before the request, so that
 * paying, cancelling, expiring and failing at the same moment wait for each other and never deadlock.
 */
export function lockInvoice(tx: Transaction, recoveryRequestId: string): Promise<LockedInvoice | undefined> {
  return tx.row<LockedInvoice>(sql`
    select id, number, state, provider_reference as "providerReference" from invoice
    where organization_id = ${tx.organizationId} and recovery_request_id = ${recoveryRequestId} for update`);
}

/** Refunds a paid invoice and voids an open one. */
export async function giveBackFee(tx: Transaction, app: App, recoveryRequestId: string): Promise<void> {
  const invoice = await lockInvoice(tx, recoveryRequestId);
  if (invoice?.state === 'OPEN') await tx.run(sql`update invoice set state = 'VOID' where organization_id = ${tx.organizationId} and id = ${invoice.id}`);
  if (invoice?.state !== 'PAID') return;
  await app.payments.refund(invoice);
  await tx.run(sql`update invoice set state = 'REFUNDED', refunded_at = clock_timestamp() where organization_id = ${tx.organizationId} and id = ${invoice.id}`);
}

/** How long a recovery that has begun may go on after its deadline. */
const graceHours = 1;

/** Whether the time of a recovery that has begun is over as well; r is the request. */
export const graceIsOver = sql`${deadline} + make_interval(hours => ${graceHours}) <= clock_timestamp()`;

export const tooLong = {
  code: 'RECOVERY_WINDOW_CLOSED',
  message: 'The recovery was not done an hour after its deadline and was stopped. What it had restored stays, the rest is erased, and the fee is refunded.',
};
export const tooLate = {
  code: 'RECOVERY_WINDOW_CLOSED',
  message: 'The recovery did not start before its deadline. Nothing was restored and the fee is refunded.',
};
const nobodyLeft = {
  code: 'CONTACTS_ERASED',
  message: 'All contacts of this deletion have been erased meanwhile. Nothing was restored and the fee is refunded.',
};

/** Keeps the deletions that a request selects from being purged until `tx` ends. */
async function holdDeletions(tx: Transaction, requestId: string): Promise<{ state: DeletionState; contacts: number }[]> {
  return tx.rows<{ state: DeletionState; contacts: number }>(sql`
    select d.state, d.contact_count as contacts from deletion d
    where d.organization_id = ${tx.organizationId} and d.snapshot_id in (
      select k.snapshot_id from recovery_chunk k where k.organization_id = d.organization_id and k.recovery_request_id = ${requestId})
    order by d.id for share`);
}

/**
 * Starts a queued recovery, or goes on with one that a killed worker had started. Locks the deletion, as a purge does, so
 * of the two exactly one begins. @returns it, or undefined when it may not run
 */
export async function startRecovery(app: App, actor: Actor, organizationId: string, id: string): Promise<RecoveryRow | undefined> {
  let refused: { code: string; message: string } | undefined;
  const request = await app.database.transact(organizationId, async (tx) => {
    const [request] = await readRecoveries(tx, [id]);
    if (!request) return undefined;
    if (request.state === 'RUNNING') {
      const over = await tx.row(sql`select 1 from recovery_request r where r.organization_id = ${organizationId} and r.id = ${id} and ${graceIsOver}`);
      if (over) refused = tooLong;
      return over ? undefined : request;
    }
    const deletions = await holdDeletions(tx, id);
    if (request.isLate || deletions.some(({ state }) => state !== 'COMPLETED')) refused = tooLate;
    else if (deletions.length > 0 && deletions.every(({ contacts }) => contacts === 0)) refused = nobodyLeft;
    if (refused) return undefined;
    const started = await move(tx, id, ['QUEUED'], 'RUNNING');
    if (started) await announce(tx, actor, id, 'recovery.started');
    return started;
  });
  if (refused) await endRecovery(app, actor, organizationId, id, refused);
  return request;
}

/** Ends a paid recovery, with its job: completed, or failed and refunded. The first to end it wins; it waits for the chunk in hand. */
export async function endRecovery(
  app: App,
  actor: Actor,
  organizationId: string,
  id: string,
  end: { provenCount: number } | { code: string; message: string },
): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const failed = 'code' in end;
    if (failed) await lockInvoice(tx, id);
    const request = await move(tx, id, failed ? ['AWAITING_APPROVAL', 'QUEUED', 'RUNNING'] : ['RUNNING'], failed ? 'FAILED' : 'COMPLETED');
    if (!request) return;
    // What it changed can be taken back for as long as a deletion can.
    await tx.run(sql`
      update snapshot set expires_at = clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS})
      where organization_id = ${organizationId} and id = ${request.safetySnapshotId}`);
    await tx.run(sql`
      update recovery_request set failure_code = ${failed ? end.code : null}, failure_message = ${failed ? end.message : null}, proven_count = ${failed ? 0 : end.provenCount}
      where organization_id = ${organizationId} and id = ${id}`);
    if (failed) await giveBackFee(tx, app, id);
    if (request.jobId) await endJob(tx, request.jobId, failed ? 'FAILED' : 'COMPLETED', failed ? end : undefined);
    await announce(tx, actor, id, failed ? 'recovery.failed' : 'recovery.completed', request.restoredCount);
    if (!failed) await queueRecovered(tx, request);
  });
}
