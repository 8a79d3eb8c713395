// Deleting: the preview that says exactly what will go, the deletion that takes its confirmation, and the work itself.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { graphOf, removeChunk, startSnapshot } from '../snapshots/capture.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { name, raw, type Sql, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App, Viewer } from './app.ts';
import { readConfirmation, signConfirmation } from './confirmations.ts';
import { type ContactFilter, matching } from './contacts.ts';
import { endJob, queueJob, type Report } from './jobs.ts';

/** Chunks at work at the same time: one is read and sealed while another is written. */
const lanes = 2;

/** Which contacts: these, or all that the filter finds. */
export interface DeletionTarget {
  contactIds?: readonly string[] | null | undefined;
  filter?: ContactFilter | null | undefined;
}

/** How many rows of an entity, and what the balances add up to in a currency. */
export interface RowCount {
  kind: string;
  count: number;
}
export interface Amount {
  amountMinor: number;
  currency: string;
}

export interface DeletionPreview {
  contactCount: number;
  rows: RowCount[];
  balances: Amount[];
  recoverableUntil: Date;
  confirmation: string | null;
  confirmationExpiresAt: Date | null;
}

export interface DeletionRow {
  id: string;
  state: 'RUNNING' | 'COMPLETED';
  reason: string;
  requestedById: string;
  requestedByName: string;
  snapshotId: string;
  jobId: string | null;
  contactCount: number;
  requestedAt: Date;
  deletedAt: Date | null;
  recoverableUntil: Date | null;
  isRecoverable: boolean;
}

const columns = sql`
  d.id, d.state, d.reason, d.requested_by_id as "requestedById", d.requested_by_name as "requestedByName", d.snapshot_id as "snapshotId",
  d.job_id as "jobId", d.contact_count as "contactCount", d.requested_at as "requestedAt", d.deleted_at as "deletedAt",
  d.recoverable_until as "recoverableUntil", coalesce(d.recoverable_until > clock_timestamp(), false) as "isRecoverable"`;

/** The condition on contacts, alias c, for a target. @throws Refusal when it names both ways or neither */
function targeted(tx: Transaction, target: DeletionTarget): Sql {
  const { contactIds, filter } = target;
  if (Boolean(contactIds) === Boolean(filter))
    throw new Refusal('BAD_TARGET', 'Name the contacts either by `contactIds` or by `filter`. Nothing was deleted.', ['input']);
  if (filter) return matching(tx.organizationId, filter);
  if (contactIds!.length > 10_000)
    throw new Refusal('TOO_MANY_IDS', 'At most 10,000 contacts can be named by id. Nothing was deleted. Name them by `filter`.', ['input', 'contactIds']);
  return sql`c.organization_id = ${tx.organizationId} and c.id = any(${contactIds}::uuid[])`;
}

const setOf = (ids: Sql) => sql`encode(sha256(coalesce(string_agg(uuid_send(${ids}), ''::bytea order by ${ids}), ''::bytea)), 'hex')`;

/** @throws NotFound when a contact that is named by id is not there, whoever's it is */
function checkAllFound(target: DeletionTarget, count: number): void {
  if (target.contactIds && new Set(target.contactIds).size !== count) throw new NotFound('contact');
}

/**
 * Says exactly what deleting the target would remove, and gives the confirmation that the deletion takes; none for an
 * empty set. Changes nothing.
 */
export async function previewDeletion(tx: Transaction, app: App, viewer: Viewer, target: DeletionTarget): Promise<DeletionPreview> {
  const condition = targeted(tx, target);
  const set = (await tx.row<{ count: number; digest: string; now: Date; until: Date }>(sql`
    select count(*)::int as count, ${setOf(raw('c.id'))} as digest, clock_timestamp() as now,
      clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS}) as until
    from contact c where ${condition}`))!;
  checkAllFound(target, set.count);
  const rows: RowCount[] = [];
  for (const table of graphOf(app).tables) {
    const counted = await tx.row<{ count: number }>(sql`
      select count(*)::int as count from ${name(table.name)} t
      where t.organization_id = ${tx.organizationId} and t.${name(table.contactColumn)} in (select c.id from contact c where ${condition})`);
    rows.push({ kind: table.kind, count: counted!.count });
  }
  const balances = await tx.rows<Amount>(sql`
    select b.currency, sum(b.amount_minor)::bigint as "amountMinor" from balance b
    where b.organization_id = ${tx.organizationId} and b.contact_id in (select c.id from contact c where ${condition}) group by b.currency order by b.currency`);
  const signed = set.count > 0 ? await signConfirmation(app, viewer, set, set.now) : null;
  return {
    contactCount: set.count,
    rows,
    balances,
    recoverableUntil: set.until,
    confirmation: signed?.confirmation ?? null,
    confirmationExpiresAt: signed?.expiresAt ?? null,
  };
}

/**
 * Deletes what was confirmed. A small deletion is done when this returns: snapshot, removal and log entry have committed
 * together. A large one has frozen its set and queued its job.
 * @returns the deletion's id
 * @throws Refusal CONFIRMATION_*; NotFound for a contact that is not there
 */
export async function deleteContacts(app: App, viewer: Viewer, input: DeletionTarget & { confirmation: string; reason: string }): Promise<string> {
  const reason = input.reason.trim();
  if (reason.length < 1 || reason.length > 500)
    throw new Refusal('BAD_REASON', 'The reason must have 1 to 500 characters. Nothing was deleted. Say in a sentence why.', ['input', 'reason']);
  return app.database.transact(viewer.organization!.id, async (tx) => {
    const { now } = (await tx.row<{ now: Date }>(sql`select clock_timestamp() as now`))!;
    const confirmed = await readConfirmation(app, viewer, input.confirmation, now);
    const [id, snapshotId] = [newId(), newId()];
    const added = await tx.run(sql`
      insert into deletion (organization_id, id, state, reason, requested_by_id, requested_by_name, confirmation_id, snapshot_id, contact_count)
      values (${tx.organizationId}, ${id}, 'RUNNING', ${reason}, ${viewer.id}, ${viewer.name}, ${confirmed.id}, ${snapshotId}, 0)
      on conflict (organization_id, confirmation_id) do nothing`);
    if (added.rowCount === 0)
      throw new Refusal('CONFIRMATION_USED', 'This confirmation has been used. Nothing more was deleted. Ask for a new preview if there is more to delete.', ['input', 'confirmation']);
    const count = await freezeSet(tx, app, id, input, confirmed.digest);
    await startSnapshot(tx, app, snapshotId);
    if (count <= Math.min(app.config.DELETE_AT_ONCE, app.config.CHUNK_CONTACTS)) {
      await removeAndLog(tx, app, viewer, { id, snapshotId, reason }, 1);
      await completeDeletion(tx, app, id);
    } else {
      const jobId = await queueJob(tx, { kind: 'DELETE_CONTACTS', subjectId: id, total: count, actor: viewer });
      await tx.run(sql`update deletion set job_id = ${jobId} where organization_id = ${tx.organizationId} and id = ${id}`);
      await logAction(tx, viewer, { action: 'deletion.started', target: { kind: 'Deletion', id }, targetCount: count, reason });
    }
    return id;
  });
}

/** Writes down which contacts go, chunk by chunk, and holds them against what was confirmed. @returns how many */
async function freezeSet(tx: Transaction, app: App, deletionId: string, target: DeletionTarget, digest: string): Promise<number> {
  await tx.run(sql`
    insert into deletion_contact (organization_id, contact_id, deletion_id, chunk_number)
    select c.organization_id, c.id, ${deletionId}, (row_number() over (order by c.id) - 1) / ${raw(String(app.config.CHUNK_CONTACTS))} + 1
    from contact c where ${targeted(tx, target)}`);
  const frozen = (await tx.row<{ count: number; digest: string }>(sql`
    update deletion set contact_count = f.count
    from (select count(*)::int as count, ${setOf(raw('contact_id'))} as digest from deletion_contact
      where organization_id = ${tx.organizationId} and deletion_id = ${deletionId}) f
    where organization_id = ${tx.organizationId} and id = ${deletionId} returning f.count, f.digest`))!;
  checkAllFound(target, frozen.count);
  if (frozen.digest !== digest)
    throw new Refusal(
      'CONFIRMATION_MISMATCH',
      'These are not the contacts that were confirmed; some were added, removed or left out since the preview. Nothing was deleted. Ask for a new preview.',
      ['input', 'confirmation'],
    );
  return frozen.count;
}

/** One batch: snapshot, removal and log entry, all in `tx`. @returns how many contacts went; null when it was done before */
async function removeAndLog(tx: Transaction, app: App, actor: Actor, deletion: { id: string; snapshotId: string; reason: string }, number: number): Promise<number | null> {
  const removed = await removeChunk(tx, app, deletion.id, { organizationId: tx.organizationId, snapshotId: deletion.snapshotId, number });
  if (removed !== null)
    await logAction(tx, actor, {
      action: 'contacts.deleted',
      target: { kind: 'Deletion', id: deletion.id },
      targetCount: removed,
      batch: { deletionId: deletion.id, chunkNumber: number },
      reason: deletion.reason,
    });
  return removed;
}

/** From here on the 30 days run. */
async function completeDeletion(tx: Transaction, app: App, id: string): Promise<void> {
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
  await eachInLanes(lanes, plan.chunks.filter((chunk) => !chunk.done), async (chunk) => {
    signal.throwIfAborted();
    await database.transact(organizationId, (tx) => removeAndLog(tx, app, actor, plan.deletion, chunk.number));
    done += chunk.count;
    await report({ phase: 'REMOVING', done, total });
  });
  await database.transact(organizationId, async (tx) => {
    await completeDeletion(tx, app, deletionId);
    if (plan.deletion.jobId) await endJob(tx, plan.deletion.jobId, 'COMPLETED');
  });
}

/** Closes a deletion that could not be finished: what was removed can be recovered, the other contacts stay. */
export async function stopDeletion(app: App, organizationId: string, deletionId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const [deletion] = await readDeletions(tx, [deletionId]);
    await completeDeletion(tx, app, deletionId);
    if (deletion?.jobId) await endJob(tx, deletion.jobId, 'FAILED', failure);
  });
}

export async function readDeletions(tx: Transaction, ids: readonly string[]): Promise<DeletionRow[]> {
  return tx.rows<DeletionRow>(sql`select ${columns} from deletion d where d.organization_id = ${tx.organizationId} and d.id = any(${ids}::uuid[])`);
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listDeletions(tx: Transaction, limit: number, before: string | null): Promise<DeletionRow[]> {
  const after = before ? sql`and d.id < ${before}` : raw('');
  return tx.rows<DeletionRow>(sql`select ${columns} from deletion d where d.organization_id = ${tx.organizationId} ${after} order by d.id desc limit ${limit}`);
}

/** What each deletion took: rows of each kind, and the sum of balances, added up from its chunks. */
export async function readDeletionContents(tx: Transaction, snapshotIds: readonly string[]): Promise<{ snapshotId: string; rows: RowCount[]; balances: Amount[]; storedBytes: number }[]> {
  const chunks = await tx.rows<{ snapshotId: string; rows: Record<string, number>; balances: Record<string, number>; storedBytes: number }>(sql`
    select snapshot_id as "snapshotId", row_counts as rows, balances, stored_bytes as "storedBytes"
    from snapshot_chunk where organization_id = ${tx.organizationId} and snapshot_id = any(${snapshotIds}::uuid[])`);
  return snapshotIds.map((snapshotId) => {
    const own = chunks.filter((chunk) => chunk.snapshotId === snapshotId);
    return {
      snapshotId,
      rows: added(own.map((chunk) => chunk.rows)).map(([kind, count]) => ({ kind, count })),
      balances: added(own.map((chunk) => chunk.balances)).map(([currency, amountMinor]) => ({ currency, amountMinor })),
      storedBytes: own.reduce((sum, chunk) => sum + chunk.storedBytes, 0),
    };
  });
}

function added(records: readonly Record<string, number>[]): [string, number][] {
  const sums = new Map<string, number>();
  for (const record of records) for (const [key, value] of Object.entries(record)) sums.set(key, (sums.get(key) ?? 0) + value);
  return [...sums];
}
