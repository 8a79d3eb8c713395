// Carrying an erasure out: the chunks of a purged deletion, every stored copy of its subjects, and the certificate. Its
// cursor is what is left of the chunks, so it may be killed anywhere and run again, also by two workers at once.
import type { Transaction } from '../database.ts';
import type { RowCounts } from '../snapshots/capture.ts';
import { destroyKey, removeStoredChunks, rewriteChunk } from '../snapshots/erase.ts';
import { erasedAmong, lockErasureLedger } from '../snapshots/erasure-ledger.ts';
import { holdChunks } from '../snapshots/parts.ts';
import { sql } from '../sql.ts';
import { publish } from '../pubsub.ts';
import { eraseReasons, logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { certify } from './certificates.ts';
import { type ErasureRow, listSubjects, lockErasure, readErasures } from './erasure-rows.ts';
import { enterSubjects } from './erasures.ts';
import { endJob, type Report } from './jobs.ts';

interface Run {
  app: App;
  organizationId: string;
  erasureId: string;
  signal: AbortSignal;
}

/** Destroys what an erasure names, and certifies it. Throws only what a further try may mend. */
export async function carryOutErasure(app: App, actor: Actor, organizationId: string, erasureId: string, report: Report, signal: AbortSignal): Promise<void> {
  const run: Run = { app, organizationId, erasureId, signal };
  const erasure = (await app.database.transact(organizationId, (tx) => readErasures(tx, [erasureId]), { readOnly: true }))[0]!;
  if (erasure.state === 'COMPLETED') return;
  if (erasure.deletionId) await purgeChunks(run, erasure.deletionId, report);
  await rewriteCopies(run, report);
  await certifyAndClose(run, actor);
}

/** What is left of the deletion's snapshot, whose key is destroyed: chunk by chunk, each with its contacts' entries in the ledger. */
async function purgeChunks({ app, organizationId, erasureId, signal }: Run, deletionId: string, report: Report): Promise<void> {
  const next = sql`
    select k.snapshot_id as "snapshotId", k.number, k.contact_ids as ids, k.row_counts as rows from snapshot_chunk k
    join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
    where d.organization_id = ${organizationId} and d.id = ${deletionId} order by k.number limit 1`;
  const { total } = (await app.database.transact(organizationId, (tx) =>
    tx.row<{ total: number }>(sql`
      select contact_count as total from deletion where organization_id = ${organizationId} and id = ${deletionId}`),
  ))!;
  let done = 0;
  for (let more = true; more;) {
    signal.throwIfAborted();
    await report({ phase: 'ERASING', done, total });
    more = await app.database.transact(organizationId, async (tx) => {
      const erasure = await lockErasure(tx, erasureId);
      await lockErasureLedger(tx);
      const chunk = await tx.row<{ snapshotId: string; number: number; ids: string[]; rows: RowCounts }>(next);
      if (!chunk) return false;
      await enterSubjects(tx, app, erasureId, await lastCopies(tx, app, deletionId, chunk.ids));
      const store = await app.store.placeOf(tx, chunk.snapshotId, chunk.number);
      await removeStoredChunks(tx, app, chunk.snapshotId, [chunk.number]);
      await count(tx, store, erasure, chunk.rows, 'removed');
      done += chunk.ids.length;
      return true;
    });
  }
}

/** Of these contacts of a deletion, those that are nowhere else: neither live nor held by a deletion that can be recovered. */
async function lastCopies(tx: Transaction, app: App, deletionId: string, contactIds: readonly string[]): Promise<string[]> {
  const gone = await tx.rows<{ id: string }>(sql`
    select one.id from unnest(${contactIds}::uuid[]) one (id)
    where not exists (select 1 from contact c where c.organization_id = ${tx.organizationId} and c.id = one.id)
      and not exists (
        select 1 from deletion_contact d join deletion o on o.organization_id = d.organization_id and o.id = d.deletion_id
        where d.organization_id = ${tx.organizationId} and d.contact_id = one.id and d.deletion_id <> ${deletionId} and o.state in ('RUNNING', 'COMPLETED'))`);
  const erased = await erasedAmong(
    tx,
    app,
    gone.map(({ id }) => id),
  );
  return gone.map(({ id }) => id).filter((id) => !erased.has(id));
}

/** Every other chunk that holds a subject is sealed anew without it. */
async function rewriteCopies({ app, organizationId, erasureId, signal }: Run, report: Report): Promise<void> {
  const { total, chunks } = await app.database.transact(organizationId, async (tx) => {
    // A snapshot of the organization that is being taken may have seen them: its chunks are there when it is done.
    await holdChunks(tx);
    const [erasure] = await readErasures(tx, [erasureId]);
    const chunks = await tx.rows<{ snapshotId: string; number: number }>(sql`
      select k.snapshot_id as "snapshotId", k.number from snapshot_chunk k
      join snapshot s on s.organization_id = k.organization_id and s.id = k.snapshot_id and s.wrapped_key is not null
      where k.organization_id = ${organizationId} and exists (
        select 1 from unnest(k.contact_ids) id
        join erasure_subject x on x.organization_id = ${organizationId} and x.erasure_id = ${erasureId} and x.contact_id = id)
      order by k.snapshot_id, k.number`);
    return { total: erasure!.subjectCount, chunks };
  });
  for (const [index, { snapshotId, number }] of chunks.entries()) {
    signal.throwIfAborted();
    await report({ phase: 'ERASING', done: Math.floor((total * index) / chunks.length), total });
    await app.database.transact(organizationId, async (tx) => {
      await holdChunks(tx);
      const erasure = await lockErasure(tx, erasureId);
      const store = await app.store.placeOf(tx, snapshotId, number);
      const rewritten = await rewriteChunk(tx, app, { organizationId, snapshotId, number });
      if (!rewritten) return;
      const keyDestroyed = await adjustDeletion(tx, snapshotId);
      await count(tx, store, erasure, rewritten.destroyed, rewritten.contactsLeft === 0 ? 'removed' : 'rewritten', keyDestroyed ? [snapshotId] : []);
    });
  }
}

/**
 * After a contact of a deletion was erased: the count follows, and the reason goes, which may have named the contact, out of the action log too. When
 * nobody is left, the key goes too. @returns whether it went
 */
async function adjustDeletion(tx: Transaction, snapshotId: string): Promise<boolean> {
  const deletion = await tx.row<{ id: string; left: number }>(sql`
    update deletion d set reason = null, contact_count = case when d.state = 'RUNNING' then d.contact_count else (
      select coalesce(sum(k.contact_count), 0)::int from snapshot_chunk k where k.organization_id = d.organization_id and k.snapshot_id = d.snapshot_id) end
    where d.organization_id = ${tx.organizationId} and d.snapshot_id = ${snapshotId} returning d.id, d.contact_count as left`);
  if (deletion) await eraseReasons(tx, deletion.id);
  return deletion?.left === 0 && (await destroyKey(tx, snapshotId));
}

/** Adds what was destroyed to the record, by the store that the body lay in. `tx` holds the record's lock. */
async function count(
  tx: Transaction,
  store: string,
  { id, rowCounts, stores, destroyedKeys }: ErasureRow,
  rows: RowCounts,
  how: 'removed' | 'rewritten',
  keys: string[] = [],
): Promise<void> {
  const sums = { ...rowCounts };
  for (const [kind, number] of Object.entries(rows)) sums[kind] = (sums[kind] ?? 0) + number;
  const here = stores.find((one) => one.store === store) ?? { store, removed: 0, rewritten: 0 };
  const counted = [...stores.filter((one) => one !== here), { ...here, [how]: here[how] + 1 }];
  await tx.run(sql`
    update erasure set row_counts = ${JSON.stringify(sums)}, stores = ${JSON.stringify(counted)}, destroyed_keys = ${[...destroyedKeys, ...keys]}::uuid[]
    where organization_id = ${tx.organizationId} and id = ${id}`);
}

/** The certificate, the states and the log entry commit together, once. */
async function certifyAndClose({ app, organizationId, erasureId }: Run, actor: Actor): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const erasure = await lockErasure(tx, erasureId);
    if (erasure.state === 'COMPLETED') return;
    const subjects = await listSubjects(tx, erasureId);
    const { now } = (await tx.row<{ now: Date }>(sql`select date_trunc('milliseconds', clock_timestamp()) as now`))!;
    const { certificate, signature } = certify(
      app,
      {
        erasureId,
        organizationId,
        kind: erasure.kind,
        legalGround: erasure.ground,
        requestedAt: erasure.requestedAt.toISOString(),
        doneAt: now.toISOString(),
        actor: { kind: erasure.requestedByKind, id: erasure.requestedById, name: erasure.requestedByName },
        deletionId: erasure.deletionId,
        rows: erasure.rowCounts,
        stores: erasure.stores,
        keysDestroyed: erasure.destroyedKeys,
      },
      subjects.map(({ id }) => id),
    );
    await tx.run(sql`
      update erasure set state = 'COMPLETED', done_at = ${now}, certificate = ${certificate}, signature = ${signature}
      where organization_id = ${organizationId} and id = ${erasureId}`);
    if (erasure.deletionId) await closeDeletion(tx, actor, erasure.deletionId, subjects.length);
    else {
      await eraseReasons(tx, erasureId);
      await logAction(tx, actor, { action: 'erasure.completed', target: { kind: 'Erasure', id: erasureId }, targetCount: subjects.length });
    }
    if (erasure.jobId) await endJob(tx, erasure.jobId, 'COMPLETED');
  });
}

async function closeDeletion(tx: Transaction, actor: Actor, deletionId: string, subjectCount: number): Promise<void> {
  await tx.run(sql`
    update deletion set state = 'ERASED', erased_at = clock_timestamp(), reason = null
    where organization_id = ${tx.organizationId} and id = ${deletionId} and state = 'ERASING'`);
  await eraseReasons(tx, deletionId);
  await logAction(tx, actor, { action: 'deletion.erased', target: { kind: 'Deletion', id: deletionId }, targetCount: subjectCount });
  await publish(tx, 'deletion', deletionId);
}

/** Ends the job of an erasure that could not be finished now; the next sweep queues another. */
export async function giveUpErasure(app: App, organizationId: string, erasureId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const { jobId } = await lockErasure(tx, erasureId);
    if (jobId) await endJob(tx, jobId, 'FAILED', failure);
  });
}
