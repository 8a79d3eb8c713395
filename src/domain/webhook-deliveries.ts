// Events on their way to webhook endpoints. An event is queued by the transaction that makes it true, so it is neither lost
// nor made up; it is sent at least once, under one id that receivers know it again by (https://www.standardwebhooks.com).
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { DeliveryState } from '../entities/webhook.ts';
import { globalId } from '../global-id.ts';
import { raw, sql } from '../sql.ts';
import type { RecoveryRow } from './recovery-rows.ts';

/** The background job that sends what is due. */
export const sendWebhookTask = 'send_webhook';

/** What is sent, as JSON. Ids, counts and times only: receivers ask the API for more, and an erasure has nothing to look for here. */
export interface WebhookEvent {
  id: string;
  type: 'contacts.recovered' | 'deletion.deadline_near' | 'webhook.test';
  timestamp: Date;
  data: object;
}

/** Queues the one event of a recovery that has brought something back; part of the transaction that completes it. */
export async function queueRecovered(tx: Transaction, request: RecoveryRow): Promise<void> {
  const deletions = await tx.rows<{ id: string }>(sql`
    select distinct d.id from recovery_chunk k join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
    where k.organization_id = ${tx.organizationId} and k.recovery_request_id = ${request.id} order by d.id`);
  const { snapshotId } = request.selected;
  await queueEvent(tx, {
    id: request.id,
    type: 'contacts.recovered',
    timestamp: request.finishedAt!,
    data: {
      recoveryRequestId: globalId('RecoveryRequest', request.id),
      deletionIds: deletions.map(({ id }) => globalId('Deletion', id)),
      snapshotId: snapshotId ? globalId('Snapshot', snapshotId) : null,
      counts: { restored: request.restoredCount, merged: request.mergedCount, replaced: request.replacedCount, skipped: request.skippedCount },
    },
  });
}

/**
 * Queues an event for every endpoint, or for one. The endpoints stay until `tx` ends.
 * @returns the ids of the deliveries
 */
export async function queueEvent(tx: Transaction, event: WebhookEvent, endpointId?: string): Promise<string[]> {
  const endpoints = await tx.rows<{ id: string }>(sql`
    select e.id from webhook_endpoint e
    where e.organization_id = ${tx.organizationId} ${endpointId ? sql`and e.id = ${endpointId}` : raw('')} order by e.id for key share`);
  const ids = endpoints.map(() => newId());
  await tx.run(sql`
    insert into webhook_delivery (organization_id, id, endpoint_id, event_id, event, body, state, next_attempt_at)
    select ${tx.organizationId}, one.id, one.endpoint, ${event.id}, ${event.type}, ${JSON.stringify(event)}, 'PENDING', now()
    from unnest(${ids}::uuid[], ${endpoints.map(({ id }) => id)}::uuid[]) one (id, endpoint)`);
  for (const id of ids) await queueSending(tx, id, null);
  return ids;
}

/** One at a time in an organization: endpoints that hang must not take every worker from deletions and recoveries. */
async function queueSending(tx: Transaction, deliveryId: string, at: Date | null): Promise<void> {
  const payload = JSON.stringify({ organizationId: tx.organizationId, deliveryId });
  // A killed worker counts as an attempt of the runner, so its own limit must never be reached.
  await tx.run(sql`
    select graphile_worker.add_job(${sendWebhookTask}, ${payload}::json, queue_name := ${`webhooks/${tx.organizationId}`},
      run_at := ${at}::timestamptz, max_attempts := 10000)`);
}

/** A delivery that is to be sent now. */
export interface DueDelivery {
  id: string;
  endpointId: string;
  eventId: string;
  event: WebhookEvent['type'];
  body: string;
  attempts: number;
  url: string;
  sealed: Buffer;
  masterKeyId: string;
}

/** The delivery, if it is still to be sent and its time has come: its job may run twice, and a later one is queued for later. */
export async function readDue(tx: Transaction, id: string): Promise<DueDelivery | undefined> {
  return tx.row<DueDelivery>(sql`
    select d.id, d.endpoint_id as "endpointId", d.event_id as "eventId", d.event, d.body, d.attempts, e.url, e.sealed_secret as sealed, e.master_key_id as "masterKeyId"
    from webhook_delivery d join webhook_endpoint e on e.organization_id = d.organization_id and e.id = d.endpoint_id
    where d.organization_id = ${tx.organizationId} and d.id = ${id} and d.state = 'PENDING' and d.next_attempt_at <= clock_timestamp() + interval '1 second'`);
}

/** What came of an attempt: the status of the answer, and why that is no success; null when it is one. */
export interface Outcome {
  status: number | null;
  failure: string | null;
}

/** Attempts at an event in all. A test is for someone who looks on, and is sent once. */
const mostAttempts = { 'contacts.recovered': 8, 'deletion.deadline_near': 8, 'webhook.test': 1 } as const;
/** The first wait between two attempts in seconds, and how many times longer each further one is: 2.3 days in all. */
const [firstWait, longer] = [10, 5];

/** Writes down what came of an attempt, unless someone else has; queues the next one where it failed. */
export async function recordAttempt(tx: Transaction, { id, event, attempts }: DueDelivery, { status, failure }: Outcome): Promise<void> {
  const done = attempts + 1;
  const state: DeliveryState = failure === null ? 'DELIVERED' : done < mostAttempts[event] ? 'PENDING' : 'FAILED';
  const wait = state === 'PENDING' ? firstWait * longer ** attempts : null;
  const written = await tx.row<{ next: Date | null }>(sql`
    update webhook_delivery set state = ${state}, attempts = ${done}, last_status = ${status}, failure = ${failure}, last_attempt_at = now(),
      next_attempt_at = now() + make_interval(secs => ${wait}), finished_at = case when ${state} = 'PENDING' then null else now() end
    where organization_id = ${tx.organizationId} and id = ${id} and state = 'PENDING' and attempts = ${attempts} returning next_attempt_at as next`);
  if (written?.next) await queueSending(tx, id, written.next);
}

export interface DeliveryRow {
  id: string;
  eventId: string;
  event: string;
  state: DeliveryState;
  attempts: number;
  lastStatus: number | null;
  failure: string | null;
  createdAt: Date;
  lastAttemptAt: Date | null;
  nextAttemptAt: Date | null;
  finishedAt: Date | null;
}

const columns = sql`
  d.id, d.event_id as "eventId", d.event, d.state, d.attempts, d.last_status as "lastStatus", d.failure, d.created_at as "createdAt",
  d.last_attempt_at as "lastAttemptAt", d.next_attempt_at as "nextAttemptAt", d.finished_at as "finishedAt"`;

export async function readDelivery(tx: Transaction, id: string): Promise<DeliveryRow | undefined> {
  return tx.row<DeliveryRow>(sql`select ${columns} from webhook_delivery d where d.organization_id = ${tx.organizationId} and d.id = ${id}`);
}

/** Those to an endpoint, the newest first; `before` is the id that the last page ended with. */
export async function listDeliveries(tx: Transaction, endpointId: string, limit: number, before: string | null): Promise<DeliveryRow[]> {
  return tx.rows<DeliveryRow>(sql`
    select ${columns} from webhook_delivery d
    where d.organization_id = ${tx.organizationId} and d.endpoint_id = ${endpointId} ${before ? sql`and d.id < ${before}` : raw('')}
    order by d.id desc limit ${limit}`);
}
