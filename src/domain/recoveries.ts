// Ordering a recovery, and what becomes of the order before it runs: paid, approved, cancelled, expired.
import { createHash } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { RecoveryState } from '../entities/recovery.ts';
import { NotFound, Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import type { Actor, App, Viewer } from './app.ts';
import { endJob, queueJob } from './jobs.ts';
import { checkPlan, planRecovery, policiesOf, type Policies, type RecoveryPlan } from './recovery-plans.ts';
import { deadline, readRecoveries } from './recovery-rows.ts';
import { alreadyOrdered, type Selection } from './recovery-selection.ts';
import { announce, giveBackFee, lockInvoice, move } from './recovery-states.ts';
import { checkLength } from './text.ts';
import { transactAs } from './writing.ts';

export interface RecoveryOrder extends Policies {
  selection: Selection;
  /** From the plan that the person saw. */
  planHash: string;
  idempotencyKey: string;
}

/** What an order came to: the request, or the plan as it is now when the one that was sent has drifted. */
export type Ordered = { id: string; drifted?: undefined } | { id?: undefined; drifted: { plan: RecoveryPlan; refusal: Refusal } };

/**
 * Orders a recovery and issues its invoice. The same key again, for the same order, gives the same request.
 * @throws NotFound; Refusal PLAN_REQUIRED, ALREADY_REQUESTED, IDEMPOTENCY_KEY_REUSED, BAD_PLAN_HASH, FORBIDDEN_POLICY and those of
 * `resolveSelection`
 */
export async function requestRecovery(app: App, viewer: Viewer, given: RecoveryOrder): Promise<Ordered> {
  const order = { ...given, ...policiesOf(viewer, given) };
  const { selection, planHash, idempotencyKey } = order;
  if (!/^[\x21-\x7e]{8,100}$/.test(idempotencyKey))
    throw new Refusal(
      'BAD_IDEMPOTENCY_KEY',
      'The key must be 8 to 100 visible ASCII characters. Nothing was ordered. Make one for each order, for example a UUID.',
      ['input', 'idempotencyKey'],
    );
  checkPolicies(viewer, order);
  const orderDigest = digestOf(order);
  return transactAs(app, viewer, async (tx): Promise<Ordered> => {
    // One order at a time in an organization: the key, the one request for each contact and the invoice number depend on it.
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`recovery orders/${tx.organizationId}`}, 0))`);
    const earlier = await tx.row<{ id: string; digest: Buffer }>(sql`
      select id, order_digest as digest from recovery_request where organization_id = ${tx.organizationId} and idempotency_key = ${idempotencyKey}`);
    if (earlier?.digest.equals(orderDigest)) return { id: earlier.id };
    if (earlier)
      throw new Refusal('IDEMPOTENCY_KEY_REUSED', 'This key ordered another recovery. Nothing was ordered. Use a new key.', ['input', 'idempotencyKey']);
    const { plan: paidPlan } = (await tx.row<{ plan: string }>(sql`select plan from organization where id = ${tx.organizationId}`))!;
    if (paidPlan !== 'PREMIUM') throw new Refusal('PLAN_REQUIRED', 'Recoveries need the PREMIUM plan. Nothing was ordered. Change the plan first.');
    const plan = await planRecovery(tx, app, viewer, selection, order);
    if (await alreadyOrdered(tx, plan.sources))
      throw new Refusal(
        'ALREADY_REQUESTED',
        'A recovery of these contacts, or of some of them, has been ordered already. Nothing more was ordered or billed. Look at the deletion’s recoveries.',
        ['input', 'selection'],
      );
    try {
      checkPlan(plan, planHash);
    } catch (error) {
      if (error instanceof Refusal && error.code === 'PLAN_DRIFTED') return { drifted: { plan, refusal: error } };
      throw error;
    }
    const id = newId();
    await tx.run(sql`
      insert into recovery_request (organization_id, id, selected, order_digest, state, idempotency_key, requested_by_id, requested_by_name, contact_count,
        recoverable_until, conflict_policy, conflict_overrides)
      values (${tx.organizationId}, ${id}, ${JSON.stringify(plan.selected)}, ${orderDigest}, 'AWAITING_PAYMENT', ${idempotencyKey}, ${viewer.id}, ${viewer.name},
        ${plan.contactCount}, ${plan.recoverableUntil}, ${order.conflictPolicy ?? null}, ${JSON.stringify(Object.fromEntries(order.overrides ?? []))})`);
    await tx.run(sql`
      insert into recovery_chunk (organization_id, recovery_request_id, number, snapshot_id, chunk_number, contact_ids, contact_count)
      select ${tx.organizationId}, ${id}, row_number() over (), s.snapshot, s.number, s.ids, s.count
      from jsonb_to_recordset(${JSON.stringify(
        plan.sources.map((one) => ({ snapshot: one.snapshotId, number: one.chunkNumber, ids: one.contactIds, count: one.contactCount })),
      )}::jsonb) s (snapshot uuid, number int, ids uuid[], count int)`);
    await issueInvoice(tx, app, id);
    await announce(tx, viewer, id, 'recovery.requested', plan.contactCount);
    return { id };
  });
}

/** The most contacts that get a policy of their own. */
const mostOverrides = 10_000;

/**
 * Replacing removes live contacts, which takes what deleting takes; and what changes live contacts takes seeing all of them.
 * @throws Refusal FORBIDDEN_POLICY, TOO_MANY_VALUES
 */
function checkPolicies({ permissions, hidden }: Viewer, { conflictPolicy, overrides }: Policies): void {
  checkLength([...(overrides?.keys() ?? [])], mostOverrides, ['input', 'overrides']);
  const asked = new Set([conflictPolicy, ...(overrides?.values() ?? [])]);
  if (hidden.size > 0 && (asked.has('REPLACE') || asked.has('MERGE')))
    throw new Refusal(
      'FORBIDDEN_POLICY',
      'MERGE and REPLACE change live contacts, and your roles hide a part of them. Nothing was ordered. Choose another policy, or ask for a role that shows all.',
      ['input', 'conflictPolicy'],
    );
  if (asked.has('REPLACE') && !permissions.has('contacts:delete'))
    throw new Refusal(
      'FORBIDDEN_POLICY',
      'REPLACE removes live contacts, which takes the permission contacts:delete. Nothing was ordered. Choose another policy, or ask for a role that holds it.',
      ['input', 'conflictPolicy'],
    );
}

/** The same for the same order, in whatever order its parts were given. */
function digestOf({ selection, conflictPolicy, overrides }: RecoveryOrder): Buffer {
  const { deletionId, snapshotId, deletedById, deletedFrom, deletedBefore, contactIds } = selection;
  const chosen = contactIds ? [...new Set(contactIds)].sort() : null;
  const own = [...(overrides ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  const all = [deletionId ?? null, deletedById ?? null, deletedFrom ?? null, deletedBefore ?? null, chosen, conflictPolicy ?? null, own];
  return createHash('sha256')
    .update(JSON.stringify(snapshotId == null ? all : [...all, snapshotId]))
    .digest();
}

async function issueInvoice(tx: Transaction, app: App, recoveryRequestId: string): Promise<void> {
  await tx.run(sql`
    insert into invoice (organization_id, id, number, recovery_request_id, state, amount_minor, currency, provider)
    select ${tx.organizationId}, ${newId()}, 'R-' || lpad((count(*) + 1)::text, 5, '0'), ${recoveryRequestId}, 'OPEN',
      ${app.config.RECOVERY_FEE_MINOR}, ${app.config.RECOVERY_FEE_CURRENCY}, ${app.payments.name}
    from invoice where organization_id = ${tx.organizationId}`);
}

/**
 * An operator records that an invoice was paid; the recovery is queued, or waits for approval where the policy asks for it.
 * A payment that comes after the window is not taken: the request has expired.
 * @returns the request's id
 * @throws NotFound; Refusal INVOICE_NOT_OPEN, RECOVERY_WINDOW_CLOSED
 */
export async function confirmPayment(app: App, operator: Viewer, organizationId: string, invoiceId: string, reference: string): Promise<string> {
  const outcome = await app.database.transact(organizationId, async (tx) => {
    const invoice = await tx.row<{ requestId: string; state: string }>(sql`
      select recovery_request_id as "requestId", state from invoice where organization_id = ${organizationId} and id = ${invoiceId} for update`);
    if (!invoice) throw new NotFound('invoice');
    if (invoice.state !== 'OPEN')
      throw new Refusal('INVOICE_NOT_OPEN', `The invoice is ${invoice.state}. Nothing was changed. Look at its recovery request.`, ['input', 'invoiceId']);
    if (await expireIfLate(tx, operator, invoice.requestId)) return undefined;
    await tx.run(sql`
      update invoice set state = 'PAID', paid_at = clock_timestamp(), provider_reference = ${reference} where organization_id = ${organizationId} and id = ${invoiceId}`);
    await announce(tx, operator, invoice.requestId, 'recovery.paid');
    if (app.config.RECOVERY_APPROVAL) await move(tx, invoice.requestId, ['AWAITING_PAYMENT'], 'AWAITING_APPROVAL');
    else await queueRecovery(tx, operator, invoice.requestId, 'AWAITING_PAYMENT');
    return invoice.requestId;
  });
  if (!outcome)
    throw new Refusal(
      'RECOVERY_WINDOW_CLOSED',
      'The time in which this deletion could be recovered is over. The payment was not taken; the request has expired.',
      ['input', 'invoiceId'],
    );
  return outcome;
}

/** Expires an unpaid request whose deadline has passed. @returns whether it has expired */
async function expireIfLate(tx: Transaction, actor: Actor, id: string): Promise<boolean> {
  const late = await tx.row(sql`
    select 1 from recovery_request r where r.organization_id = ${tx.organizationId} and r.id = ${id} and ${deadline} <= clock_timestamp()`);
  if (!late || !(await move(tx, id, ['AWAITING_PAYMENT'], 'EXPIRED'))) return false;
  await tx.run(sql`update invoice set state = 'VOID' where organization_id = ${tx.organizationId} and recovery_request_id = ${id} and state = 'OPEN'`);
  await announce(tx, actor, id, 'recovery.expired');
  return true;
}

/** Expires every unpaid request of the organization whose deadline has passed. */
export async function expireLateRequests(app: App, actor: Actor, organizationId: string): Promise<void> {
  const late = await app.database.transact(organizationId, (tx) =>
    tx.rows<{ id: string }>(sql`
      select r.id from recovery_request r
      where r.organization_id = ${organizationId} and r.state = 'AWAITING_PAYMENT' and ${deadline} <= clock_timestamp()`),
  );
  for (const { id } of late)
    await app.database.transact(organizationId, async (tx) => {
      await lockInvoice(tx, id);
      await expireIfLate(tx, actor, id);
    });
}

async function queueRecovery(tx: Transaction, actor: Actor, id: string, from: RecoveryState): Promise<boolean> {
  const request = await move(tx, id, [from], 'QUEUED');
  if (!request) return false;
  const jobId = await queueJob(tx, { kind: 'RECOVER_CONTACTS', subjectId: id, total: request.contactCount, actor });
  await tx.run(sql`update recovery_request set job_id = ${jobId} where organization_id = ${tx.organizationId} and id = ${id}`);
  await announce(tx, actor, id, 'recovery.queued');
  return true;
}

/** An operator lets a paid recovery start. @returns the request's id @throws NotFound; Refusal NOT_AWAITING_APPROVAL */
export async function approveRecovery(app: App, operator: Viewer, organizationId: string, id: string): Promise<string> {
  return app.database.transact(organizationId, async (tx) => {
    if (!(await readRecoveries(tx, [id]))[0]) throw new NotFound('recovery request');
    if (!(await queueRecovery(tx, operator, id, 'AWAITING_APPROVAL')))
      throw new Refusal('NOT_AWAITING_APPROVAL', 'This recovery does not wait for approval. Nothing was changed. Look at its state.', ['input', 'id']);
    return id;
  });
}

/** Cancels a recovery that has not begun; what was paid is refunded. @throws NotFound; Refusal NOT_CANCELLABLE */
export async function cancelRecovery(app: App, viewer: Viewer, id: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    if (!(await lockInvoice(tx, id))) throw new NotFound('recovery request');
    const request = await move(tx, id, ['AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED'], 'CANCELLED');
    if (!request) throw new Refusal('NOT_CANCELLABLE', 'The recovery has begun or has ended. Nothing was changed. Look at its state.', ['input', 'id']);
    if (request.jobId) await endJob(tx, request.jobId, 'CANCELLED');
    await giveBackFee(tx, app, id);
    await announce(tx, viewer, id, 'recovery.cancelled');
    return id;
  });
}
