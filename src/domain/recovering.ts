// Carrying a recovery out: check every chunk before anything is written, safeguard what will change, restore chunk by chunk,
// reconcile the balances, account for every contact. Safe to run again after a crash, and by two workers at once.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { ConflictPolicy } from '../entities/recovery.ts';
import { Refusal } from '../errors.ts';
import { captureGraphs, deferFlush, followIndexes, startSnapshot, storeChunk } from '../snapshots/capture.ts';
import { DamagedChunk, proveChunk } from '../snapshots/chunk.ts';
import { findConflicts } from '../snapshots/conflicts.ts';
import { sql } from '../sql.ts';
import type { Actor, App } from './app.ts';
import type { Report } from './jobs.ts';
import { account, reconcile } from './proving.ts';
import { endRecovery, graceIsOver, startRecovery } from './recovery-states.ts';
import { openSource, policyFor, type Policies } from './recovery-plans.ts';
import { type ChunkState, chunkStates, eachChunk, type Run, safetyChunks } from './recovery-runs.ts';
import { restore } from './restoring.ts';

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

/** What is about to be changed, chunk by chunk. */
type Endangered = Map<ChunkState, string[]>;

/**
 * Opens every chunk that is still to be restored and holds its digests against its rows, so that one damaged chunk is found
 * before anything is written.
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
          const opened = await openSource(tx, run.app, chunk);
          proveChunk(opened, { organizationId: run.organizationId, snapshotId: chunk.snapshotId, number: chunk.chunkNumber });
          const conflicts = await findConflicts(tx, opened);
          const ids = conflicts.filter((one) => ['MERGE', 'REPLACE'].includes(policyFor(run.policies, one))).map((one) => one.liveContactId);
          if (ids.length > 0) endangered.set(chunk, [...new Set(ids)]);
        },
        { readOnly: true },
      );
    },
  );
  return endangered;
}

/** Takes the safety snapshot. What stands in the way when a chunk is restored is taken anew then, in its transaction. */
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
