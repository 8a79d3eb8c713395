// Which chunks a snapshot is made of, whoever wrote them, so that few contacts are found in a large one by opening few.
import type { Transaction } from '../database.ts';
import { type Sql, sql } from '../sql.ts';

/** A chunk, by its own name, which for an organization's snapshot may be that of an earlier one. */
export interface ChunkOf {
  snapshotId: string;
  number: number;
  contacts: number;
}

/** The chunks of a snapshot of any kind, in its order, those that are missing included. */
export const chunksIn = (tx: Transaction, snapshotId: string): Sql => sql`
  select p.snapshot_id as "snapshotId", p.number, coalesce(k.contact_count, 0) as contacts from (${placesOf(tx, snapshotId)}) p
  left join snapshot_chunk k on k.organization_id = ${tx.organizationId} and k.snapshot_id = p.snapshot_id and k.number = p.number
  order by p.part`;

export const chunksOf = (tx: Transaction, snapshotId: string): Promise<ChunkOf[]> => tx.rows<ChunkOf>(chunksIn(tx, snapshotId));

/** The chunks that hold the contacts, and which of them each holds; contacts that the snapshot does not hold are left out. */
export async function locateContacts(
  tx: Transaction,
  snapshotId: string,
  contactIds: readonly string[],
): Promise<{ snapshotId: string; number: number; contactIds: string[] }[]> {
  return tx.rows(sql`
    select k.snapshot_id as "snapshotId", k.number, array(
      select id from unnest(k.contact_ids) id where id = any(${contactIds}::uuid[]) order by id) as "contactIds"
    from (${placesOf(tx, snapshotId)}) p
    join snapshot_chunk k on k.organization_id = ${tx.organizationId} and k.snapshot_id = p.snapshot_id and k.number = p.number
    where k.contact_ids && ${contactIds}::uuid[]
    order by p.part`);
}

/** An organization's snapshot refers to its chunks; the chunks of the other kinds are its own. */
const placesOf = (tx: Transaction, snapshotId: string) => sql`
  select number as part, chunk_snapshot_id as snapshot_id, chunk_number as number from snapshot_part
  where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId}
  union all
  select k.number, k.snapshot_id, k.number from snapshot_chunk k
  join snapshot s on s.organization_id = k.organization_id and s.id = k.snapshot_id and s.kind in ('DELETION', 'SAFETY')
  where k.organization_id = ${tx.organizationId} and k.snapshot_id = ${snapshotId}`;

const chunkLock = (tx: Transaction) => `chunks of snapshots/${tx.organizationId}`;

/**
 * Waits until nobody else takes a snapshot of the organization or removes or changes its chunks, and keeps it so until
 * `tx` ends. Whoever erases people takes this first: then no snapshot that has already seen them is still being written.
 */
export async function holdChunks(tx: Transaction): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${chunkLock(tx)}, 0))`);
}

/** The same without waiting. @returns whether it is held */
export async function tryToHoldChunks(tx: Transaction): Promise<boolean> {
  const row = await tx.row<{ held: boolean }>(sql`select pg_try_advisory_xact_lock(hashtextextended(${chunkLock(tx)}, 0)) as held`);
  return row!.held;
}
