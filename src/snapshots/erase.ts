// Destroys for good: the graphs of single contacts within stored chunks, the key of a snapshot, and with its
// chunks the whole of it.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { sql } from '../sql.ts';
import { graphOf, type RowCounts, snapshotKey } from './capture.ts';
import { type Chunk, type ChunkName, ledgerSums, pickContacts, sealChunk } from './chunk.ts';
import { erasedAmong, shareErasureLedger } from './erasure-ledger.ts';
import { readStoredChunk } from './restore.ts';

/**
 * Seals a stored chunk anew, under its name, without the contacts that the erasure ledger knows; of a chunk that holds
 * nobody else an empty manifest stays. Locks the manifest until `tx` ends. Safe to repeat after a crash between the store
 * and the commit.
 * @returns how many rows of each kind it no longer holds; null when it holds nobody who was erased, or its key is destroyed
 */
export async function rewriteChunk(tx: Transaction, app: App, name: ChunkName): Promise<{ destroyed: RowCounts; contactsLeft: number } | null> {
  await shareErasureLedger(tx);
  const manifest = await tx.row<{ ids: string[]; rows: RowCounts }>(sql`
    select contact_ids as ids, row_counts as rows from snapshot_chunk k
    where organization_id = ${tx.organizationId} and snapshot_id = ${name.snapshotId} and number = ${name.number}
      and exists (select 1 from snapshot s where s.organization_id = k.organization_id and s.id = k.snapshot_id and s.wrapped_key is not null) for update of k`);
  const erased = manifest ? await erasedAmong(tx, app, manifest.ids) : new Set();
  if (!manifest || erased.size === 0) return null;
  const left = erased.size === manifest.ids.length ? await emptyChunk(tx, app, name) : await sealAnew(tx, app, name, (id) => !erased.has(id));
  const destroyed = Object.entries(manifest.rows).map(([kind, count]): [string, number] => [kind, count - (left[kind] ?? 0)]);
  return { destroyed: Object.fromEntries(destroyed), contactsLeft: manifest.ids.length - erased.size };
}

/** Leaves an empty manifest of a chunk, unopened. @returns how many rows of each kind it holds now: none */
async function emptyChunk(tx: Transaction, app: App, { snapshotId, number }: ChunkName): Promise<RowCounts> {
  await app.store.remove(tx, snapshotId, [number]);
  await tx.run(sql`
    update snapshot_chunk set contact_count = 0, contact_ids = '{}', row_counts = '{}', balances = '{}', raw_bytes = 0, stored_bytes = 0, digest = '', content = null
    where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = ${number}`);
  return {};
}

/** Puts a body in place that holds the contacts that `keep` wants. @returns how many rows of each kind it holds now */
async function sealAnew(tx: Transaction, app: App, name: ChunkName, keep: (contactId: string) => boolean): Promise<RowCounts> {
  const { snapshotId, number } = name;
  const chunk = pickContacts(await readStoredChunk(tx, app, name), keep);
  const { body, rawBytes } = await sealChunk(await snapshotKey(tx, app, snapshotId), name, chunk);
  await app.store.put(tx, snapshotId, number, body);
  const rows = countRows(app, chunk);
  await tx.run(sql`
    update snapshot_chunk set contact_count = ${chunk.digests.size}, contact_ids = ${[...chunk.digests.keys()]}::uuid[], row_counts = ${JSON.stringify(rows)},
      balances = ${JSON.stringify(ledgerSums(chunk.parts))}, raw_bytes = ${rawBytes}, stored_bytes = ${body.length}, digest = ${createHash('sha256').update(body).digest()},
      content = null
    where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = ${number}`);
  return rows;
}

function countRows(app: App, chunk: Chunk): RowCounts {
  const kinds = new Map(graphOf(app).tables.map((table) => [table.name, table.kind]));
  return Object.fromEntries(chunk.parts.map((part) => [kinds.get(part.table) ?? part.table, part.count]));
}

/** Destroys the key of a snapshot, so that no copy of its chunks, wherever it may lie, can ever be opened. @returns whether it had one */
export async function destroyKey(tx: Transaction, snapshotId: string): Promise<boolean> {
  const { rowCount } = await tx.run(sql`
    update snapshot set wrapped_key = null, key_destroyed_at = clock_timestamp()
    where organization_id = ${tx.organizationId} and id = ${snapshotId} and wrapped_key is not null`);
  return rowCount === 1;
}

/** Removes chunks for good, bodies and manifests. Safe to repeat. */
export async function removeStoredChunks(tx: Transaction, app: App, snapshotId: string, numbers: readonly number[]): Promise<void> {
  await app.store.remove(tx, snapshotId, numbers);
  await tx.run(sql`
    delete from snapshot_chunk where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = any(${numbers}::int[])`);
}

/** Chunks that are removed in one transaction. */
const batch = 100;

/**
 * Destroys a snapshot that no other refers to: its key first, then its chunks in batches, each in a transaction of its own.
 * Safe to repeat after a crash, and by two at once. Its row stays, without a key.
 */
export async function eraseSnapshot(app: App, organizationId: string, snapshotId: string): Promise<void> {
  await app.database.transact(organizationId, (tx) => destroyKey(tx, snapshotId));
  for (let left = true; left;)
    left = await app.database.transact(organizationId, async (tx) => {
      const chunks = await tx.rows<{ number: number }>(sql`
        select number from snapshot_chunk where organization_id = ${organizationId} and snapshot_id = ${snapshotId} order by number limit ${batch} for update`);
      if (chunks.length > 0)
        await removeStoredChunks(
          tx,
          app,
          snapshotId,
          chunks.map(({ number }) => number),
        );
      return chunks.length === batch;
    });
}
