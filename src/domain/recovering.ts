// Carrying a recovery out: check every chunk before anything is written, restore chunk by chunk, reconcile the balances,
// account for every contact. Safe to run again after a crash, and by two workers at once.
import type { Transaction } from '../database.ts';
import { deferFlush, followIndexes } from '../snapshots/capture.ts';
import { type Chunk, DamagedChunk } from '../snapshots/chunk.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { type Clash, readChunk, restoreChunk } from '../snapshots/restore.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { readDeletions } from './deletion-rows.ts';
import type { Progress, Report } from './jobs.ts';
import { endRecovery, graceIsOver, startRecovery } from './recoveries.ts';
import type { RecoveryRow } from './recovery-rows.ts';

/** Chunks at work at the same time: one is read and opened while another is written. */
const lanes = 3;

interface Run {
  app: App;
  actor: Actor;
  organizationId: string;
  request: RecoveryRow;
  snapshotId: string;
  chunks: ChunkState[];
  report: Report;
  signal: AbortSignal;
}

interface ChunkState {
  number: number;
  contacts: number;
  restored: boolean;
}

/** Runs a recovery to its end, whatever that is: completed, or failed and refunded. Throws only what a further try may mend. */
export async function recoverContacts(app: App, actor: Actor, organizationId: string, requestId: string, report: Report, signal: AbortSignal): Promise<void> {
  const request = await startRecovery(app, actor, organizationId, requestId);
  if (!request) return;
  const run = await app.database.transact(organizationId, async (tx): Promise<Run> => {
    const [deletion] = await readDeletions(tx, [request.deletionId]);
    const { snapshotId } = deletion!;
    return { app, actor, organizationId, request, snapshotId, chunks: await chunkStates(tx, snapshotId, requestId), report, signal };
  });
  try {
    await check(run);
  } catch (error) {
    if (!(error instanceof DamagedChunk)) throw error;
    await endRecovery(app, actor, organizationId, requestId, {
      code: 'SNAPSHOT_DAMAGED',
      message: `${error.message} Nothing more was restored and the fee is refunded. Ask the operator to look at the snapshot store.`,
    });
    return;
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
          message: 'Every contact clashes with one that is live, or was erased, so nothing was restored. The fee is refunded. The report names each clash.',
        },
  );
}

async function chunkStates(tx: Transaction, snapshotId: string, requestId: string): Promise<ChunkState[]> {
  return tx.rows<ChunkState>(sql`
    select k.number, k.contact_count as contacts, r.number is not null as restored
    from snapshot_chunk k
    left join recovery_chunk r on r.organization_id = k.organization_id and r.recovery_request_id = ${requestId} and r.number = k.number
    where k.organization_id = ${tx.organizationId} and k.snapshot_id = ${snapshotId} order by k.number`);
}

/** Does `work` for each chunk in lanes and reports the contacts done, those of finished chunks included. */
async function eachChunk(
  { chunks, report, signal }: Run,
  phase: Progress['phase'],
  finished: (chunk: ChunkState) => boolean,
  work: (chunk: ChunkState) => Promise<void>,
): Promise<void> {
  const sum = (some: ChunkState[]) => some.reduce((contacts, chunk) => contacts + chunk.contacts, 0);
  const total = sum(chunks);
  let done = sum(chunks.filter(finished));
  await report({ phase, done, total });
  await eachInLanes(
    lanes,
    chunks.filter((chunk) => !finished(chunk)),
    async (chunk) => {
      signal.throwIfAborted();
      await work(chunk);
      done += chunk.contacts;
      await report({ phase, done, total });
    },
  );
}

const open = ({ app, organizationId, snapshotId }: Run, tx: Transaction, { number }: ChunkState): Promise<Chunk> =>
  readChunk(tx, app, { organizationId, snapshotId, number });

/** Opens every chunk that is still to be restored, so that one damaged chunk is found before anything is written. */
async function check(run: Run): Promise<void> {
  await eachChunk(
    run,
    'CHECKING',
    (chunk) => chunk.restored,
    async (chunk) => {
      await run.app.database.transact(run.organizationId, (tx) => open(run, tx, chunk), { readOnly: true });
    },
  );
}

/** Restores every chunk that is not. The cursor, the rows, the clashes and the log entry of a chunk commit together. */
async function migrate(run: Run): Promise<void> {
  const { app, actor, organizationId, request } = run;
  await eachChunk(
    run,
    'MIGRATING',
    (chunk) => chunk.restored,
    (chunk) =>
      app.database.transact(organizationId, async (tx) => {
        await deferFlush(tx);
        // Held until the commit: nobody can end the recovery while a chunk of it is being written. Once its time is over no
        // other chunk begins, or whoever wants to end it could wait for ever: locks of this kind do not queue behind that.
        const running = await tx.row(sql`
        select 1 from recovery_request r join deletion d on d.organization_id = r.organization_id and d.id = r.deletion_id
        where r.organization_id = ${organizationId} and r.id = ${request.id} and r.state = 'RUNNING' and not (${graceIsOver}) for share of r`);
        if (!running) throw new Error('The recovery was ended by someone else, or its time is over.');
        const mine = await tx.run(sql`
        insert into recovery_chunk (organization_id, recovery_request_id, number, restored_count, clash_count)
        values (${organizationId}, ${request.id}, ${chunk.number}, 0, 0) on conflict do nothing`);
        if (mine.rowCount === 0) return;
        const { restored, clashes } = await restoreChunk(tx, app, await open(run, tx, chunk));
        await saveClashes(tx, request.id, chunk.number, clashes);
        await tx.run(sql`
        update recovery_chunk set restored_count = ${restored}, clash_count = ${clashes.length}
        where organization_id = ${organizationId} and recovery_request_id = ${request.id} and number = ${chunk.number}`);
        await logAction(tx, actor, {
          action: 'contacts.recovered',
          target: { kind: 'RecoveryRequest', id: request.id },
          targetCount: restored,
          batch: { deletionId: request.deletionId, chunkNumber: chunk.number },
        });
      }),
  );
}

async function saveClashes(tx: Transaction, requestId: string, chunkNumber: number, clashes: readonly Clash[]): Promise<void> {
  if (clashes.length === 0) return;
  await tx.run(sql`
    insert into recovery_clash (organization_id, recovery_request_id, contact_id, chunk_number, kind, live_contact_id)
    select ${tx.organizationId}, ${requestId}, c.contact_id, ${chunkNumber}, c.kind, c.live
    from unnest(${clashes.map((clash) => clash.contactId)}::uuid[], ${clashes.map((clash) => clash.kind)}::text[], ${clashes.map((clash) => clash.liveContactId)}::uuid[])
      c (contact_id, kind, live)`);
}

/** The contacts of a chunk that came back with this request. */
const restoredOf = ({ organizationId, request }: Run, chunk: ChunkState) => sql`
  select d.contact_id from deletion_contact d
  where d.organization_id = ${organizationId} and d.deletion_id = ${request.deletionId} and d.chunk_number = ${chunk.number}
    and not exists (select 1 from recovery_clash x where x.organization_id = ${organizationId} and x.recovery_request_id = ${request.id} and x.contact_id = d.contact_id)`;

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
 * it clashed, or it was erased; and what came back is still there, unless someone has deleted it again.
 * @returns how many came back
 */
async function account(run: Run): Promise<number> {
  const { app, organizationId, request } = run;
  let proven = 0;
  await eachChunk(
    run,
    'PROVING',
    () => false,
    (chunk) =>
      app.database.transact(
        organizationId,
        async (tx) => {
          await followIndexes(tx);
          const found = (await tx.row<{ restored: number; clashed: number; expected: number; missing: number }>(sql`
        select k.restored_count as restored, k.clash_count as clashed,
          (select count(*)::int from unnest(own.contact_ids) id where not exists (${erased(run, 'id')})) as expected,
          (select count(*)::int from (${restoredOf(run, chunk)}) r
            where not exists (select 1 from contact c where c.organization_id = ${organizationId} and c.id = r.contact_id)
              and not exists (${erased(run, 'r.contact_id')})
              and not exists (
                select 1 from deletion_contact d
                join deletion o on o.organization_id = d.organization_id and o.id = d.deletion_id
                join snapshot_chunk later on later.organization_id = o.organization_id and later.snapshot_id = o.snapshot_id and later.number = d.chunk_number
                where d.organization_id = ${organizationId} and d.contact_id = r.contact_id and later.created_at > own.created_at)) as missing
        from recovery_chunk k
        join snapshot_chunk own on own.organization_id = k.organization_id and own.snapshot_id = ${run.snapshotId} and own.number = k.number
        where k.organization_id = ${organizationId} and k.recovery_request_id = ${request.id} and k.number = ${chunk.number}`))!;
          if (found.missing > 0 || found.restored + found.clashed < found.expected)
            throw new Error(
              `Chunk ${chunk.number} holds ${found.expected} contacts: ${found.restored} came back, ${found.clashed} clashed, ${found.missing} are missing.`,
            );
          proven += found.restored;
        },
        { readOnly: true },
      ),
  );
  return proven;
}
