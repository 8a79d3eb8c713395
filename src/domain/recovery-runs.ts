// A recovery under way: what its steps share, and the cursor that they go by.
import type { Transaction } from '../database.ts';
import type { ChunkName } from '../snapshots/chunk.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { sql } from '../sql.ts';
import type { Actor, App } from './app.ts';
import type { Progress, Report } from './jobs.ts';
import type { Policies } from './recovery-plans.ts';
import type { RecoveryRow } from './recovery-rows.ts';
import type { Source } from './recovery-selection.ts';

/** Chunks at work at the same time: one is read and opened while another is written. */
const lanes = 3;

export interface Run {
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
