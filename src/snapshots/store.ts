// Where the bodies of chunks lie. PostgreSQL is the default: the body commits with the rows it was made of.
import type { Transaction } from '../database.ts';
import { sql } from '../sql.ts';

/** Keeps encrypted chunk bodies. `tx` is the transaction of the operation that the body belongs to. */
export interface SnapshotStore {
  /** What it is called in erasure certificates. */
  readonly name: string;
  /** Keeps a body, in place of the one that is there. */
  put(tx: Transaction, snapshotId: string, number: number, body: Buffer): Promise<void>;
  /** The body, or undefined when there is none. */
  get(tx: Transaction, snapshotId: string, number: number): Promise<Buffer | undefined>;
  /** Removes bodies for good. Safe to repeat; those that are not there are passed over. */
  remove(tx: Transaction, snapshotId: string, numbers: readonly number[]): Promise<void>;
}

export const postgresStore: SnapshotStore = {
  name: 'PostgreSQL',
  async put(tx, snapshotId, number, body) {
    await tx.run(sql`
      insert into snapshot_chunk_body (organization_id, snapshot_id, number, body)
      values (${tx.organizationId}, ${snapshotId}, ${number}, ${body})
      on conflict (organization_id, snapshot_id, number) do update set body = excluded.body`);
  },
  async get(tx, snapshotId, number) {
    const row = await tx.row<{ body: Buffer }>(sql`
      select body from snapshot_chunk_body
      where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = ${number}`);
    return row?.body;
  },
  async remove(tx, snapshotId, numbers) {
    await tx.run(sql`
      delete from snapshot_chunk_body where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = any(${numbers}::int[])`);
  },
};
