// Where the bodies of chunks lie. A row tells for each one; it commits with what the body was made of. Only then is an
// outside body known to anyone, so one whose transaction rolled back is an orphan that the sweep removes.
import type { Transaction } from '../database.ts';
import { type OutsideStoreKind, outsideStoreKinds, type StoreKind } from '../entities/snapshot.ts';
import { join, type Sql, sql } from '../sql.ts';
import { madeAt, newName, type OutsideStore, StoreUnavailable, withinTime } from './stores/outside.ts';

/** The background job that removes outside bodies that nothing names any more. */
export const removeBodiesTask = 'remove_bodies';

interface Place {
  store: StoreKind;
  location: string | null;
}

export class SnapshotStore {
  /**
   * @param kept where new bodies go
   * @param outside the stores that are set up, the one of new bodies and those that older ones lie in
   * @param timeoutSeconds what an outside store may take for one body
   */
  constructor(
    readonly kept: StoreKind,
    readonly outside: readonly OutsideStore[],
    readonly timeoutSeconds: number,
  ) {}

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
    // What is none of our names was changed, and there is nothing under it.
    if (madeAt(row.location!) === undefined) return undefined;
    const store = this.at(row.store);
    return this.#ask((signal) => store.get(row.location!, signal));
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

  /** The outside store of that kind. @throws StoreUnavailable when it is not set up */
  at(kind: OutsideStoreKind): OutsideStore {
    const store = this.outside.find((one) => one.kind === kind);
    if (store) return store;
    throw new StoreUnavailable(
      `some snapshots lie in ${kind === 'S3' ? 'S3, and S3_BUCKET is' : 'a directory, and SNAPSHOT_DIRECTORY is'} not set where this server runs`,
    );
  }

  /** Puts the body where new ones go. @returns what its row tells of it: the body itself, or where it lies outside */
  async #keep(tx: Transaction, snapshotId: string, number: number, body: Buffer): Promise<{ inside: Buffer | null; location: string | null }> {
    if (this.kept === 'POSTGRES') return { inside: body, location: null };
    const store = this.at(this.kept);
    const { now } = (await tx.row<{ now: number }>(sql`select floor(extract(epoch from clock_timestamp()) * 1000)::bigint as now`))!;
    const name = newName(tx.organizationId, snapshotId, number, now);
    await this.#ask((signal) => store.put(name, body, signal));
    return { inside: null, location: name };
  }

  /** Asks a store and tells the operator what the caller is not told. @throws StoreUnavailable */
  async #ask<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withinTime(this.timeoutSeconds, work).catch((error: StoreUnavailable) => {
      const { why, cause } = error;
      console.error(JSON.stringify({ at: 'snapshot store', message: why, cause: cause instanceof Error ? cause.message : undefined }));
      throw error;
    });
  }

  /** Has outside bodies removed as soon as `tx` has committed, and never before. */
  async #discard(tx: Transaction, places: readonly Place[]): Promise<void> {
    for (const kind of outsideStoreKinds) {
      const names = places.filter(({ store }) => store === kind).map(({ location }) => location);
      if (names.length === 0) continue;
      const payload = { organizationId: tx.organizationId, store: this.at(kind).kind, names };
      await tx.run(sql`select graphile_worker.add_job(${removeBodiesTask}, ${JSON.stringify(payload)}::json)`);
    }
  }
}
