// Removes outside bodies that the database does not know: what was removed or replaced, and the orphans of transactions
// that rolled back. The database says first that a body is gone; only then does the body go.
import type { App } from '../../domain/app.ts';
import { raw, type Sql, sql } from '../../sql.ts';
import type { OutsideStores } from './bodies.ts';
import { type Contents, madeAt, type OutsideStore, withinTime } from './outside.ts';

const hour = 3_600_000;

/** The tables whose rows tell of bodies. */
const tables: Record<Contents, Sql> = { SNAPSHOTS: raw('snapshot_chunk_body'), FILES: raw('file_piece') };

/** Of the names, removes those that the organization's rows do not hold. Safe to repeat. @throws StoreUnavailable */
export async function removeBodies(app: App, organizationId: string, stores: OutsideStores, store: OutsideStore, names: readonly string[]): Promise<number> {
  const known = await app.database.transact(
    organizationId,
    (tx) =>
      tx.rows<{ location: string }>(sql`
        select location from ${tables[stores.of]}
        where organization_id = ${organizationId} and store = ${store.kind} and location = any(${names}::text[])`),
    { readOnly: true },
  );
  const held = new Set(known.map(({ location }) => location));
  const gone = names.filter((name) => !held.has(name));
  for (const name of gone) await withinTime(stores.of, stores.timeoutSeconds, (signal) => store.remove(name, signal));
  return gone.length;
}

/**
 * Looks through all bodies of an organization in every outside store and removes the orphans. Left alone is what is younger
 * than an hour or than the oldest transaction that is open, which may be the one that a body was written for.
 * @returns how many were removed
 */
export async function sweepBodies(app: App, organizationId: string): Promise<number> {
  const before = await oldEnough(app);
  let removed = 0;
  for (const stores of [app.store, app.files])
    for (const store of stores.outside) {
      const next = (after: string) => withinTime(stores.of, stores.timeoutSeconds, (signal) => store.list(organizationId, after, signal));
      for (let names = await next(''); names.length > 0; names = await next(names.at(-1)!)) {
        const old = names.filter((name) => (madeAt(name) ?? Infinity) < before);
        removed += await removeBodies(app, organizationId, stores, store, old);
      }
    }
  return removed;
}

/** In milliseconds by the database clock, like the names. Other processes work as the same role, so their transactions are seen. */
async function oldEnough(app: App): Promise<number> {
  const { rows } = await app.database.pool.query<{ oldest: number }>(`
    select floor(extract(epoch from least(clock_timestamp(), min(xact_start))) * 1000)::bigint as oldest
    from pg_stat_activity where datname = current_database()`);
  return rows[0]!.oldest - hour;
}
