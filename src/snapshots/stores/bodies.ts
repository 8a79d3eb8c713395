// The stores outside of the database, and their bodies as rows tell of them. Only rows make a body known to anyone, so one
// whose row was never committed is an orphan that the sweep removes.
import type { Transaction } from '../../database.ts';
import { type OutsideStoreKind, outsideStoreKinds, type StoreKind } from '../../entities/snapshot.ts';
import { raw, type Sql, sql } from '../../sql.ts';
import { type Contents, madeAt, newName, type OutsideStore, StoreUnavailable, withinTime } from './outside.ts';

/** The background job that removes outside bodies that nothing names any more. */
export const removeBodiesTask = 'remove_bodies';

/** Where a row says that a body lies. */
export interface Place {
  store: StoreKind;
  /** Its name in an outside store. */
  location: string | null;
}

/** In milliseconds by the database clock. */
export const clock: Sql = raw('floor(extract(epoch from clock_timestamp()) * 1000)::bigint');

const settings = {
  SNAPSHOTS: { plural: 'snapshots', directory: 'SNAPSHOT_DIRECTORY' },
  FILES: { plural: 'files', directory: 'FILES_DIRECTORY' },
} as const satisfies Record<Contents, object>;

export class OutsideStores {
  /**
   * @param outside the stores that are set up, the one of new bodies and those that older ones lie in
   * @param timeoutSeconds what one may take for one body
   */
  constructor(
    readonly of: Contents,
    readonly outside: readonly OutsideStore[],
    readonly timeoutSeconds: number,
  ) {}

  /** The outside store of that kind. @throws StoreUnavailable when it is not set up */
  at(kind: OutsideStoreKind): OutsideStore {
    const store = this.outside.find((one) => one.kind === kind);
    if (store) return store;
    const { plural, directory } = settings[this.of];
    throw new StoreUnavailable(
      this.of,
      `some ${plural} lie in ${kind === 'S3' ? 'S3, and S3_BUCKET is' : `a directory, and ${directory} is`} not set where this server runs`,
    );
  }

  /** Keeps a body under a name of its own; `now` is the clock's. @returns the name @throws StoreUnavailable when it is not kept for certain */
  async write(kind: OutsideStoreKind, part: { organizationId: string; id: string; number: number; now: number }, body: Buffer): Promise<string> {
    const store = this.at(kind);
    const name = newName(part.organizationId, part.id, part.number, part.now);
    await this.#ask((signal) => store.put(name, body, signal));
    return name;
  }

  /** The body, or undefined when there is none. @throws StoreUnavailable when its store does not answer, or is not set up */
  async read(kind: OutsideStoreKind, name: string): Promise<Buffer | undefined> {
    // What is none of our names was changed, and there is nothing under it.
    if (madeAt(name) === undefined) return undefined;
    const store = this.at(kind);
    return this.#ask((signal) => store.get(name, signal));
  }

  /** Asks a store and tells the operator what the caller is not told. @throws StoreUnavailable */
  async #ask<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    return withinTime(this.of, this.timeoutSeconds, work).catch((error: StoreUnavailable) => {
      const { why, cause } = error;
      const at = this.of === 'SNAPSHOTS' ? 'snapshot store' : 'file store';
      console.error(JSON.stringify({ at, message: why, cause: cause instanceof Error ? cause.message : undefined }));
      throw error;
    });
  }
}

/** New files go to an outside store always. */
export class FileStore extends OutsideStores {
  /** @param kept where new bodies go */
  constructor(
    readonly kept: OutsideStoreKind,
    outside: readonly OutsideStore[],
    timeoutSeconds: number,
  ) {
    super('FILES', outside, timeoutSeconds);
  }
}

/** Has outside bodies removed as soon as `tx` has committed, and never before. */
export async function discardBodies(tx: Transaction, of: Contents, places: readonly Place[]): Promise<void> {
  for (const kind of outsideStoreKinds) {
    const names = places.filter(({ store }) => store === kind).map(({ location }) => location);
    if (names.length === 0) continue;
    const payload = { organizationId: tx.organizationId, of, store: kind, names };
    await tx.run(sql`select graphile_worker.add_job(${removeBodiesTask}, ${JSON.stringify(payload)}::json)`);
  }
}
