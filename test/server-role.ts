// What the server's own database role is let do, past the code of the server: for tests of what the database itself holds.
import type pg from 'pg';
import type { World } from './harness.ts';
import { quoted } from '../src/sql.ts';

/** As the server, in a transaction of one organization that is rolled back unless `work` commits; of none for `null`. */
export async function asServer<T>(
  world: World,
  work: (client: pg.PoolClient) => Promise<T>,
  organizationId: string | null = world.organizationId(),
): Promise<T> {
  const client = await world.app.database.pool.connect();
  try {
    await client.query(organizationId === null ? 'begin' : `begin; set local app.organization_id = '${organizationId}'`);
    return await work(client);
  } finally {
    await client.query('rollback');
    client.release();
  }
}

/** Stages a copy of one live row under another id, with some columns set. */
export async function stage(client: pg.PoolClient, table: string, set: Record<string, string> = {}): Promise<void> {
  await client.query(`
    create temporary table staged (like ${quoted(table)}) on commit drop;
    insert into staged select * from public.${quoted(table)} limit 1;
    grant select on staged to public`);
  const { rows } = await client.query(`select 1 from pg_attribute where attrelid = 'staged'::regclass and attname = 'id'`);
  const all = Object.entries({ ...(rows.length > 0 ? { id: 'gen_random_uuid()' } : {}), ...set });
  if (all.length > 0) await client.query(`update staged set ${all.map(([column, value]) => `${quoted(column)} = ${value}`).join(', ')}`);
}

export const restore = (client: pg.PoolClient, table: string, from = 'staged') =>
  client.query(`select * from restore_rows(null::${quoted(table)}, '${from}', '{}')`);

/** What PostgreSQL says to it. */
export const refusal = async (query: Promise<unknown>) =>
  query.then(
    () => 'done',
    ({ code, constraint, message }: pg.DatabaseError) => ({ code, constraint, message }),
  );

/** What comes of a statement, which is taken back: how many rows it gave or touched, or the code that it was refused with. */
export async function attempt(client: pg.PoolClient, text: string, values: unknown[] = []): Promise<number | string> {
  await client.query('savepoint attempt');
  try {
    return (await client.query(text, values)).rowCount ?? 0;
  } catch (error) {
    return (error as pg.DatabaseError).code!;
  } finally {
    await client.query('rollback to savepoint attempt');
  }
}
