// Restoring one chunk of a recovery: the rows, what an undo needs, the conflicts, the counts and the log entry, in one transaction.
import type { Transaction } from '../database.ts';
import { captureGraphs, storeChunk } from '../snapshots/capture.ts';
import type { Chunk, Part } from '../snapshots/chunk.ts';
import type { Conflict, SettledConflict } from '../snapshots/conflicts.ts';
import { type Restoration, restoreChunk } from '../snapshots/restore.ts';
import { sql } from '../sql.ts';
import { logAction, logActions } from './action-log.ts';
import { policyFor } from './recovery-plans.ts';
import { type ChunkState, type Run, safetyChunks } from './recovery-runs.ts';

/** Restores an opened chunk and writes down what was done. All within `tx`. */
export async function restore(tx: Transaction, run: Run, state: ChunkState, chunk: Chunk): Promise<void> {
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
