// Carrying a recovery out: check every chunk before anything is written, safeguard what will change, restore chunk by chunk,
// reconcile the balances, account for every contact. Safe to run again after a crash, and by two workers at once.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { ConflictPolicy } from '../entities/recovery.ts';
import { Refusal } from '../errors.ts';
import { captureGraphs, deferFlush, followIndexes, startSnapshot, storeChunk } from '../snapshots/capture.ts';
import { type Chunk, type ChunkName, DamagedChunk, type Part } from '../snapshots/chunk.ts';
import { type Conflict, findConflicts, type SettledConflict } from '../snapshots/conflicts.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { type Restoration, restoreChunk } from '../snapshots/restore.ts';
import { raw, sql } from '../sql.ts';
import { logAction, logActions } from './action-log.ts';
import type { Actor, App } from './app.ts';
import type { Progress, Report } from './jobs.ts';
import { endRecovery, graceIsOver, startRecovery } from './recoveries.ts';
import { openSource, policyFor, type Policies } from './recovery-plans.ts';
import type { RecoveryRow } from './recovery-rows.ts';
import type { Source } from './recovery-selection.ts';

/** Chunks at work at the same time: one is read and opened while another is written. */
const lanes = 3;

interface Run {
  app: App;
  actor: Actor;
  organizationId: string;
  request: RecoveryRow;
  policies: Policies;
  /** Where what is about to be changed is kept, and what was done: see `safetyChunks`. */
  safetySnapshotId: string;
  chunks: ChunkState[];
  report: Report;
  signal: AbortSignal;
}

/** A chunk to restore from, and how far the recovery is with it. */
export interface ChunkState extends Source {
  number: number;
  /** The deletion that the chunk belongs to; null for an organization snapshot's. */
  deletionId: string | null;
  restored: boolean;
}

/** The chunks of a safety snapshot that belong to a chunk of the recovery: live graphs before it changed them, and what it did. */
export const safetyChunks = (organizationId: string, snapshotId: string, number: number): { before: ChunkName; deeds: ChunkName } => ({
  before: { organizationId, snapshotId, number: 2 * number - 1 },
  deeds: { organizationId, snapshotId, number: 2 * number },
});

/** Runs a recovery to its end, whatever that is: completed, or failed and refunded. Throws only what a further try may mend. */
export async function recoverContacts(app: App, actor: Actor, organizationId: string, requestId: string, report: Report, signal: AbortSignal): Promise<void> {
  const request = await startRecovery(app, actor, organizationId, requestId);
  if (!request) return;
  const run = await app.database.transact(organizationId, async (tx): Promise<Run> => {
    const safetySnapshotId = await ensureSafetySnapshot(tx, app, requestId);
    const chunks = await chunkStates(tx, requestId);
    return { app, actor, organizationId, request, policies: await readPolicies(tx, requestId), safetySnapshotId, chunks, report, signal };
  });
  try {
    await safeguard(run, await check(run));
  } catch (error) {
    const failure = failureOf(error);
    if (!failure) throw error;
    return endRecovery(app, actor, organizationId, requestId, failure);
  }
  await migrate(run);
  await reconcile(run);
  const proven = await account(run);
  await endRecovery(
    app,
    actor,
    organizationId,
    requestId,
    proven > 0
      ? { provenCount: proven }
      : {
          code: 'NOTHING_RECOVERED',
          message:
            'Every contact conflicts with one that is live and was skipped, or was erased, so nothing was restored. The fee is refunded. The report names each conflict.',
        },
  );
}

/** What a recovery fails with at once, because no further try could mend it; undefined for anything else. */
function failureOf(error: unknown): { code: string; message: string } | undefined {
  const rest = 'Nothing more was restored and the fee is refunded.';
  if (error instanceof DamagedChunk) return { code: 'SNAPSHOT_DAMAGED', message: `${error.message} ${rest} Ask the operator to look at the snapshot store.` };
  if (error instanceof Refusal && error.code === 'SNAPSHOT_TOO_NEW') return { code: error.code, message: `${error.message} ${rest}` };
  return undefined;
}

async function ensureSafetySnapshot(tx: Transaction, app: App, requestId: string): Promise<string> {
  const request = (await tx.row<{ id: string | null }>(sql`
    select safety_snapshot_id as id from recovery_request where organization_id = ${tx.organizationId} and id = ${requestId} for update`))!;
  if (request.id) return request.id;
  const id = newId();
  await startSnapshot(tx, app, id, 'SAFETY');
  await tx.run(sql`update recovery_request set safety_snapshot_id = ${id} where organization_id = ${tx.organizationId} and id = ${requestId}`);
  return id;
}

async function readPolicies(tx: Transaction, requestId: string): Promise<Policies> {
  const row = (await tx.row<{ policy: ConflictPolicy | null; overrides: Record<string, ConflictPolicy> }>(sql`
    select conflict_policy as policy, conflict_overrides as overrides from recovery_request where organization_id = ${tx.organizationId} and id = ${requestId}`))!;
  return { conflictPolicy: row.policy, overrides: new Map(Object.entries(row.overrides)) };
}

export async function chunkStates(tx: Transaction, requestId: string): Promise<ChunkState[]> {
  return tx.rows<ChunkState>(sql`
    select k.number, k.snapshot_id as "snapshotId", k.chunk_number as "chunkNumber", k.contact_ids as "contactIds", k.contact_count as "contactCount",
      k.restored_at is not null as restored, d.id as "deletionId"
    from recovery_chunk k left join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
    where k.organization_id = ${tx.organizationId} and k.recovery_request_id = ${requestId} order by k.number`);
}

/** Does `work` for each chunk in lanes and reports the contacts done, those of finished chunks included. */
export async function eachChunk<Item extends { contactCount: number }>(
  { report, signal }: Pick<Run, 'report' | 'signal'>,
  chunks: readonly Item[],
  phase: Progress['phase'],
  finished: (chunk: Item) => boolean,
  work: (chunk: Item) => Promise<void>,
): Promise<void> {
  const sum = (some: readonly Item[]) => some.reduce((contacts, chunk) => contacts + chunk.contactCount, 0);
  const total = sum(chunks);
  let done = sum(chunks.filter(finished));
  await report({ phase, done, total });
  await eachInLanes(
    lanes,
    chunks.filter((chunk) => !finished(chunk)),
    async (chunk) => {
      signal.throwIfAborted();
      await work(chunk);
      done += chunk.contactCount;
      await report({ phase, done, total });
    },
  );
}

/** What is about to be changed, chunk by chunk. */
type Endangered = Map<ChunkState, string[]>;

/**
 * Opens every chunk that is still to be restored, so that one damaged chunk is found before anything is written.
 * @returns the live contacts that conflicts, as they stand, would change
 */
async function check(run: Run): Promise<Endangered> {
  const endangered: Endangered = new Map();
  await eachChunk(
    run,
    run.chunks,
    'CHECKING',
    (chunk) => chunk.restored,
    async (chunk) => {
      await run.app.database.transact(
        run.organizationId,
        async (tx) => {
          const conflicts = await findConflicts(tx, await openSource(tx, run.app, chunk));
          const ids = conflicts.filter((one) => ['MERGE', 'REPLACE'].includes(policyFor(run.policies, one))).map((one) => one.liveContactId);
          if (ids.length > 0) endangered.set(chunk, [...new Set(ids)]);
        },
        { readOnly: true },
      );
    },
  );
  return endangered;
}

/** Takes the safety snapshot. Each chunk is held against it again, and taken anew where it has changed, when it is restored. */
async function safeguard(run: Run, endangered: Endangered): Promise<void> {
  const { app, organizationId, safetySnapshotId } = run;
  await eachChunk(
    run,
    [...endangered].map(([chunk, ids]) => ({ chunk, ids, contactCount: ids.length })),
    'SAFEGUARDING',
    () => false,
    async ({ chunk, ids }) => {
      await app.database.transact(organizationId, async (tx) => {
        await followIndexes(tx);
        await storeChunk(tx, app, safetyChunks(organizationId, safetySnapshotId, chunk.number).before, await captureGraphs(tx, app, ids));
      });
    },
  );
}

/** Restores every chunk that is not. The cursor, the rows, the conflicts, what an undo needs and the log entry of a chunk commit together. */
async function migrate(run: Run): Promise<void> {
  const { app, organizationId, request } = run;
  await eachChunk(
    run,
    run.chunks,
    'MIGRATING',
    (chunk) => chunk.restored,
    (chunk) =>
      app.database.transact(organizationId, async (tx) => {
        await deferFlush(tx);
        // Held until the commit: nobody can end the recovery while a chunk of it is being written. Once its time is over no
        // other chunk begins, or whoever wants to end it could wait for ever: locks of this kind do not queue behind that.
        const running = await tx.row(sql`
          select 1 from recovery_request r
          where r.organization_id = ${organizationId} and r.id = ${request.id} and r.state = 'RUNNING' and not (${graceIsOver}) for share`);
        if (!running) throw new Error('The recovery was ended by someone else, or its time is over.');
        const mine = await tx.run(sql`
          update recovery_chunk set restored_at = clock_timestamp()
          where organization_id = ${organizationId} and recovery_request_id = ${request.id} and number = ${chunk.number} and restored_at is null`);
        if (mine.rowCount === 0) return;
        await restore(tx, run, chunk, await openSource(tx, app, chunk));
      }),
  );
}

async function restore(tx: Transaction, run: Run, state: ChunkState, chunk: Chunk): Promise<void> {
  const { app, organizationId, request, policies, safetySnapshotId } = run;
  const safety = safetyChunks(organizationId, safetySnapshotId, state.number);
  const restoration = await restoreChunk(tx, app, chunk, {
    decide: (conflict: Conflict) => policyFor(policies, conflict),
    safeguard: async (ids) => storeChunk(tx, app, safety.before, await captureGraphs(tx, app, ids)),
  });
  const { digests, conflicts, deeds } = restoration;
  await storeChunk(tx, app, safety.deeds, deedsOf(restoration, chunk));
  await saveConflicts(tx, request.id, state.number, conflicts);
  const skipped = conflicts.filter(({ policy }) => policy === 'SKIP').length;
  await tx.run(sql`
    update recovery_chunk set restored_count = ${digests.size}, replaced_count = ${deeds.replaced.length}, merged_count = ${deeds.merged.length},
      skipped_count = ${skipped}, conflict_count = ${conflicts.length}, erased_count = contact_count - ${chunk.digests.size}
    where organization_id = ${organizationId} and recovery_request_id = ${request.id} and number = ${state.number}`);
  await logRestoration(tx, run, state, restoration);
}

/** One entry for the chunk of a deletion, which names its contacts; out of an organization snapshot one for each contact. */
async function logRestoration(tx: Transaction, { actor, request }: Run, state: ChunkState, { digests, deeds }: Restoration): Promise<void> {
  const each = (action: string, ids: Iterable<string>) => [...ids].map((id) => ({ action, target: { kind: 'Contact', id } }));
  if (state.deletionId)
    await logAction(tx, actor, {
      action: 'contacts.recovered',
      target: { kind: 'RecoveryRequest', id: request.id },
      targetCount: digests.size + deeds.merged.length,
      batch: { deletionId: state.deletionId, chunkNumber: state.chunkNumber },
    });
  const live = (some: { liveContactId: string }[]) => some.map(({ liveContactId }) => liveContactId);
  await logActions(tx, actor, [
    ...(state.deletionId ? [] : each('contact.recovered', [...digests.keys(), ...deeds.merged.map(({ contactId }) => contactId)])),
    ...each('contact.merged', live(deeds.merged)),
    ...each('contact.replaced', live(deeds.replaced)),
  ]);
}

/** What an undo goes by: the digests of what came back, the rows that merges added, and what else was done. */
function deedsOf({ digests, added, deeds }: Restoration, chunk: Chunk): Chunk {
  const noRows = ({ table, columns }: Part): Part => ({ table, columns, count: 0, rows: Buffer.alloc(0) });
  const parts = chunk.parts.map((part) => added.find(({ table }) => table === part.table) ?? noRows(part));
  // A live contact that was merged onto is named too, so that its erasure finds the rows that it was given.
  const named = deeds.merged.map(({ liveContactId }) => [liveContactId, Buffer.alloc(32)] as const);
  return { schemaVersion: chunk.schemaVersion, digests: new Map([...digests, ...named]), parts, references: [], deeds };
}

async function saveConflicts(tx: Transaction, requestId: string, chunkNumber: number, conflicts: readonly SettledConflict[]): Promise<void> {
  if (conflicts.length === 0) return;
  const all = <T>(value: (conflict: SettledConflict) => T) => conflicts.map(value);
  await tx.run(sql`
    insert into recovery_conflict (organization_id, recovery_request_id, contact_id, chunk_number, kind, live_contact_id, policy)
    select ${tx.organizationId}, ${requestId}, c.contact_id, ${chunkNumber}, c.kind, c.live, c.policy
    from unnest(${all(({ contactId }) => contactId)}::uuid[], ${all(({ kind }) => kind)}::text[], ${all(({ liveContactId }) => liveContactId)}::uuid[],
      ${all(({ policy }) => policy)}::text[]) c (contact_id, kind, live, policy)`);
}

/** The contacts of a chunk that came back under their own ids with this request. */
const restoredOf = ({ organizationId, request }: Run, chunk: ChunkState) => sql`
  select id as contact_id from unnest(${chunk.contactIds}::uuid[]) id where ${chunk.contactIds !== null}
    and not exists (select 1 from recovery_conflict x where x.organization_id = ${organizationId} and x.recovery_request_id = ${request.id}
      and x.contact_id = id and x.policy in ('SKIP', 'MERGE'))
  union all
  select id from snapshot_chunk k cross join unnest(k.contact_ids) id
  where ${chunk.contactIds === null} and k.organization_id = ${organizationId} and k.snapshot_id = ${chunk.snapshotId} and k.number = ${chunk.chunkNumber}
    and not exists (select 1 from recovery_conflict x where x.organization_id = ${organizationId} and x.recovery_request_id = ${request.id}
      and x.contact_id = id and x.policy in ('SKIP', 'MERGE'))`;

/** Whether the contact was erased meanwhile, which is no fault. */
const erased = ({ organizationId }: Run, contactId: string) => sql`
  select 1 from erasure_subject e where e.organization_id = ${organizationId} and e.contact_id = ${raw(contactId)}`;

/** Holds every balance against its ledger in one view of both, and mends it where they differ. */
async function reconcile(run: Run): Promise<void> {
  const { app, organizationId } = run;
  const sums = (chunk: ChunkState) => sql`
    select l.contact_id, l.currency, sum(l.amount_minor)::bigint as amount from ledger_entry l
    where l.organization_id = ${organizationId} and l.contact_id = any (array(${restoredOf(run, chunk)})) group by l.contact_id, l.currency`;
  await eachChunk(
    run,
    run.chunks,
    'RECONCILING',
    () => false,
    (chunk) =>
      app.database.transact(organizationId, async (tx) => {
        await followIndexes(tx);
        const off = await tx.rows<{ contactId: string }>(sql`
        select s.contact_id as "contactId" from (${sums(chunk)}) s
        left join balance b on b.organization_id = ${organizationId} and b.contact_id = s.contact_id and b.currency = s.currency
        where b.amount_minor is distinct from s.amount`);
        if (off.length === 0) return;
        // With the contacts locked no payment can come in between, so the second look is the one that counts.
        await tx.run(sql`
        select 1 from contact where organization_id = ${organizationId} and id = any(${off.map((row) => row.contactId)}::uuid[]) order by id for update`);
        await tx.run(sql`
        insert into balance (organization_id, contact_id, currency, amount_minor)
        select ${organizationId}, s.contact_id, s.currency, s.amount from (${sums(chunk)}) s
        on conflict (organization_id, contact_id, currency) do update set amount_minor = excluded.amount_minor, updated_at = clock_timestamp()
        where balance.amount_minor <> excluded.amount_minor`);
      }),
  );
}

/**
 * Accounts for every contact of the snapshot: it came back and was proven by its digest when its chunk was restored, or
 * it conflicted, or it was erased; and what came back is still there, unless someone has deleted it again.
 * @returns how many came back
 */
async function account(run: Run): Promise<number> {
  const { app, organizationId, request } = run;
  let proven = 0;
  await eachChunk(
    run,
    run.chunks,
    'PROVING',
    () => false,
    (chunk) =>
      app.database.transact(
        organizationId,
        async (tx) => {
          await followIndexes(tx);
          const found = (await tx.row<{ restored: number; merged: number; skipped: number; erased: number; missing: number }>(sql`
            select k.restored_count as restored, k.merged_count as merged, k.skipped_count as skipped, k.erased_count as erased,
              (select count(*)::int from (${restoredOf(run, chunk)}) r
                where not exists (select 1 from contact c where c.organization_id = ${organizationId} and c.id = r.contact_id)
                  and not exists (${erased(run, 'r.contact_id')})
                  and not exists (
                    select 1 from deletion_contact d
                    join deletion o on o.organization_id = d.organization_id and o.id = d.deletion_id
                    join snapshot_chunk later on later.organization_id = o.organization_id and later.snapshot_id = o.snapshot_id and later.number = d.chunk_number
                    where d.organization_id = ${organizationId} and d.contact_id = r.contact_id and later.created_at > k.restored_at)) as missing
            from recovery_chunk k where k.organization_id = ${organizationId} and k.recovery_request_id = ${request.id} and k.number = ${chunk.number}`))!;
          const { restored, merged, skipped, erased: lost, missing } = found;
          if (missing > 0 || restored + merged + skipped + lost !== chunk.contactCount)
            throw new Error(
              `Chunk ${chunk.number} holds ${chunk.contactCount} contacts: ${restored} came back, ${merged} were merged, ${skipped} skipped, ${lost} erased, ${missing} are missing.`,
            );
          proven += restored + merged;
        },
        { readOnly: true },
      ),
  );
  return proven;
}
