// Where the bodies of chunks lie. A row tells for each one; it commits with what the body was made of. Only then is an
// outside body known to anyone, so one whose transaction rolled back is an orphan that the sweep removes.
import type { Transaction } from '../database.ts';
import type { StoreKind } from '../entities/snapshot.ts';
import { join, type Sql, sql } from '../sql.ts';
import { clock, discardBodies, OutsideStores, type Place } from './stores/bodies.ts';
import type { OutsideStore } from './stores/outside.ts';

export class SnapshotStore extends OutsideStores {
  /** @param kept where new bodies go */
  constructor(
    readonly kept: StoreKind,
    outside: readonly OutsideStore[],
    timeoutSeconds: number,
  ) {
    super('SNAPSHOTS', outside, timeoutSeconds);
  }

  /** Keeps the bodies of chunks that are new. @throws StoreUnavailable when one is not kept for certain: then `tx` must not commit */
  async putNew(tx: Transaction, snapshotId: string, bodies: readonly { number: number; body: Buffer }[]): Promise<void> {
    if (bodies.length === 0) return;
    const rows: Sql[] = [];
    for (const { number, body } of bodies) {
      const { inside, location } = await this.#keep(tx, snapshotId, number, body);
      rows.push(sql`(${tx.organizationId}::uuid, ${snapshotId}::uuid, ${number}::int, ${this.kept}, ${inside}::bytea, ${location}::text)`);
    }
    await tx.run(sql`insert into snapshot_chunk_body (organization_id, snapshot_id, number, store, body, location) values ${join(rows, ', ')}`);
  }

  /**
   * Keeps the body of a chunk, in place of an earlier one. Both are there until `tx` ends; then only the one that the
   * database names.
   * @throws StoreUnavailable when it is not kept for certain: then `tx` must not commit
   */
  async put(tx: Transaction, snapshotId: string, number: number, body: Buffer): Promise<void> {
    const { inside, location } = await this.#keep(tx, snapshotId, number, body);
    const replaced = await tx.rows<Place>(sql`
      select store, location from snapshot_chunk_body
      where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = ${number} for update`);
    await tx.run(sql`
      insert into snapshot_chunk_body (organization_id, snapshot_id, number, store, body, location)
      values (${tx.organizationId}, ${snapshotId}, ${number}, ${this.kept}, ${inside}, ${location})
      on conflict (organization_id, snapshot_id, number) do update set store = excluded.store, body = excluded.body, location = excluded.location`);
    await this.#discard(tx, replaced);
  }

  /** The body, or undefined when there is none. @throws StoreUnavailable when its store does not answer, or is not set up */
  async get(tx: Transaction, snapshotId: string, number: number): Promise<Buffer | undefined> {
    const row = await tx.row<Place & { body: Buffer | null }>(sql`
      select store, location, body from snapshot_chunk_body
      where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = ${number}`);
    if (!row || row.store === 'POSTGRES') return row?.body ?? undefined;
    return this.read(row.store, row.location!);
  }

  /** The store that the body of a chunk lies in; the one for new bodies when there is none. */
  async placeOf(tx: Transaction, snapshotId: string, number: number): Promise<StoreKind> {
    const row = await tx.row<Pick<Place, 'store'>>(sql`
      select store from snapshot_chunk_body where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = ${number}`);
    return row?.store ?? this.kept;
  }

  /**
   * Removes bodies for good. Safe to repeat; those that are not there are passed over. Outside bodies go when `tx` has
   * committed, within moments when a worker runs and the store answers.
   * @throws StoreUnavailable when one lies in a store that is not set up, where nobody could remove it
   */
  async remove(tx: Transaction, snapshotId: string, numbers: readonly number[]): Promise<void> {
    const gone = await tx.rows<Place>(sql`
      delete from snapshot_chunk_body where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} and number = any(${numbers}::int[])
      returning store, location`);
    await this.#discard(tx, gone);
  }

  /** Puts the body where new ones go. @returns what its row tells of it: the body itself, or where it lies outside */
  async #keep(tx: Transaction, snapshotId: string, number: number, body: Buffer): Promise<{ inside: Buffer | null; location: string | null }> {
    if (this.kept === 'POSTGRES') return { inside: body, location: null };
    const { now } = (await tx.row<{ now: number }>(sql`select ${clock} as now`))!;
    return { inside: null, location: await this.write(this.kept, { organizationId: tx.organizationId, id: snapshotId, number, now }, body) };
  }

  async #discard(tx: Transaction, places: readonly Place[]): Promise<void> {
    for (const { store } of places) if (store !== 'POSTGRES') this.at(store);
    await discardBodies(tx, this.of, places);
  }
}
