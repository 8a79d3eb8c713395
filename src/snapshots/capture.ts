// Takes contact graphs out of the database: into a chunk of a snapshot, and out of the tables, in one transaction.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import type { SnapshotKind } from '../entities/snapshot.ts';
import { name, quoted, sql } from '../sql.ts';
import { type Chunk, type ChunkName, digestGraphs, type Part, sealChunk } from './chunk.ts';
import { LostKey, newSnapshotKey, unwrapSnapshotKey } from './cipher.ts';
import { copyOut } from './copy.ts';
import { columnList, type ContactGraph, contactGraph, type GraphTable, rowOrder, schemaVersion } from './graph.ts';
import { root } from './graph-checks.ts';
import { References, wantedBy } from './referred.ts';

const graphs = new WeakMap<object, ContactGraph>();

/** The graph of this process's entities, derived once. */
export function graphOf(app: App): ContactGraph {
  const { orm } = app.database;
  const graph = graphs.get(orm) ?? contactGraph(orm);
  graphs.set(orm, graph);
  return graph;
}

/**
 * For this transaction: the sets are small and each table has an index that leads to them, whatever the planner's
 * statistics say. Sets are given as `= any (array(…))`, which is looked up in the index; a join may be turned around.
 */
export async function followIndexes(tx: Transaction): Promise<void> {
  await tx.run(sql`
    select set_config('enable_hashjoin', 'off', true), set_config('enable_nestloop', 'on', true), set_config('enable_mergejoin', 'off', true),
      set_config('enable_seqscan', 'off', true)`);
}

/**
 * For this transaction: its commit need not wait for the disk. It stays atomic; after a crash of the database server the
 * last batches of a job may be undone as a whole, and the job does them again. What ends the job waits for the disk, and so
 * for all of them.
 */
export async function deferFlush(tx: Transaction): Promise<void> {
  await tx.run(sql`select set_config('synchronous_commit', 'off', true)`);
}

/** Makes a snapshot's row with a key of its own; chunks follow. */
export async function startSnapshot(tx: Transaction, app: App, snapshotId: string, kind: SnapshotKind): Promise<void> {
  const { wrapped } = newSnapshotKey(app.keys.snapshots, tx.organizationId, snapshotId);
  await tx.run(sql`
    insert into snapshot (organization_id, id, kind, schema_version, master_key_id, wrapped_key)
    values (${tx.organizationId}, ${snapshotId}, ${kind}, ${schemaVersion}, ${app.keys.id}, ${wrapped})`);
}

/** The key that a snapshot's chunks are sealed with. @throws LostKey when it was wrapped by another master key, or destroyed */
export async function snapshotKey(tx: Transaction, app: App, snapshotId: string): Promise<Buffer> {
  const row = await tx.row<{ wrapped: Buffer | null; master: string }>(sql`
    select wrapped_key as wrapped, master_key_id as master from snapshot where organization_id = ${tx.organizationId} and id = ${snapshotId}`);
  if (!row?.wrapped) throw new LostKey('its snapshot has no key');
  if (row.master !== app.keys.id) throw new LostKey(`its snapshot was sealed under master key ${row.master} and this process has ${app.keys.id}`);
  return unwrapSnapshotKey(app.keys.snapshots, tx.organizationId, snapshotId, row.wrapped);
}

/**
 * Removes the contacts of one chunk of a deletion with all they own, and keeps them as that chunk of its snapshot. All
 * within `tx`. The contacts are locked first, so nothing can be added to them meanwhile; what is captured is what was
 * removed, because it is the removal that gives it.
 * @returns how many contacts were removed; null when the chunk was there already
 */
export async function removeChunk(tx: Transaction, app: App, deletionId: string, name: ChunkName): Promise<number | null> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`${name.snapshotId}/${name.number}`}, 0))`);
  const done = await tx.row(sql`
    select 1 from snapshot_chunk where organization_id = ${tx.organizationId} and snapshot_id = ${name.snapshotId} and number = ${name.number}`);
  if (done) return null;
  await followIndexes(tx);
  const batch = `select contact_id from deletion_contact where organization_id = '${tx.organizationId}' and deletion_id = '${deletionId}' and chunk_number = ${Number(name.number)}`;
  // In order, so that two deletions of the same contacts wait for each other instead of locking each other up. What the
  // other one took first is in its snapshot and not in this one, so it does not belong to this deletion any more.
  await tx.inTurn(() =>
    tx.client.query(`
      select 1 from contact where organization_id = '${tx.organizationId}' and id = any (array(${batch})) order by id for update;
      delete from deletion_contact d where organization_id = '${tx.organizationId}' and deletion_id = '${deletionId}' and chunk_number = ${Number(name.number)}
        and not exists (select 1 from contact c where c.organization_id = d.organization_id and c.id = d.contact_id)`),
  );
  const graph = graphOf(app);
  const balances = await removeBalances(tx, batch);
  const parts: Part[] = [];
  for (const table of graph.tables.toReversed()) parts.unshift(await readPart(tx, table, removal(tx.organizationId, table, batch)));
  const chunk = await chunkOf(tx, graph, parts);
  await storeChunk(tx, app, name, chunk, balances);
  return chunk.digests.size;
}

/** The graphs of live contacts as they are, in the form of a chunk; contacts that are not there are left out. Changes nothing. */
export async function captureGraphs(tx: Transaction, app: App, contactIds: readonly string[]): Promise<Chunk> {
  const graph = graphOf(app);
  const parts: Part[] = [];
  for (const table of graph.tables) {
    const query = `select ${columnList(table.columns)} from ${quoted(table.name)}
      where organization_id = '${tx.organizationId}' and ${quoted(table.contactColumn)} = any (${uuidArray(contactIds)}) order by ${rowOrder(table)}`;
    parts.push(await readPart(tx, table, query));
  }
  return chunkOf(tx, graph, parts);
}

/** Rows by kind. */
export type RowCounts = Record<string, number>;

/**
 * Removes live contacts with all they own, without keeping anything. Locks them first, so nothing can be added meanwhile.
 * @returns how many rows of each kind went; contacts that are not live are passed over
 */
export async function removeGraphs(tx: Transaction, app: App, contactIds: readonly string[]): Promise<RowCounts> {
  await followIndexes(tx);
  await tx.run(sql`select 1 from contact where organization_id = ${tx.organizationId} and id = any(${contactIds}::uuid[]) order by id for update`);
  const graph = graphOf(app);
  for (const table of graph.rebuilt)
    await tx.run(sql`delete from ${name(table)} where organization_id = ${tx.organizationId} and contact_id = any(${contactIds}::uuid[])`);
  const counts: RowCounts = {};
  for (const table of graph.tables.toReversed()) {
    const { rowCount } = await tx.run(
      table.name === root
        ? sql`select from remove_contacts(${tx.organizationId}, ${contactIds}::uuid[])`
        : sql`delete from ${name(table.name)} where organization_id = ${tx.organizationId} and ${name(table.contactColumn)} = any(${contactIds}::uuid[])`,
    );
    if (rowCount) counts[table.kind] = rowCount;
  }
  return counts;
}

/** SQL of an array of ids that the engine knows to be UUIDs. COPY takes no parameters. */
export const uuidArray = (ids: Iterable<string>): string => `'{${[...ids].join(',')}}'::uuid[]`;

async function readPart(tx: Transaction, table: GraphTable, query: string): Promise<Part> {
  return { table: table.name, columns: table.columns, count: 0, rows: await copyOut(tx, query) };
}

/** Makes a chunk of the rows that were read, table by table in the order of the graph. */
async function chunkOf(tx: Transaction, graph: ContactGraph, parts: Part[]): Promise<Chunk> {
  const [references] = await new References(graph).read(tx, [wantedBy(graph, parts)]);
  return { schemaVersion, digests: digestGraphs(parts), parts, references: references! };
}

/**
 * Seals a chunk, gives it to the store and writes its manifest; in place of what was stored under this name, if anything.
 * @param balances what the balances of its contacts add up to, by currency
 */
export async function storeChunk(tx: Transaction, app: App, name: ChunkName, chunk: Chunk, balances: Record<string, number> = {}): Promise<void> {
  const { body, rawBytes } = await sealChunk(await snapshotKey(tx, app, name.snapshotId), name, chunk);
  await app.store.put(tx, name.snapshotId, name.number, body);
  const kinds = new Map(graphOf(app).tables.map((table) => [table.name, table.kind]));
  const counts = Object.fromEntries(chunk.parts.map((part) => [kinds.get(part.table) ?? part.table, part.count]));
  const digest = createHash('sha256').update(body).digest();
  await tx.run(sql`
    insert into snapshot_chunk (organization_id, snapshot_id, number, contact_count, contact_ids, row_counts, balances, raw_bytes, stored_bytes, digest)
    values (${tx.organizationId}, ${name.snapshotId}, ${name.number}, ${chunk.digests.size}, ${[...chunk.digests.keys()]}::uuid[], ${JSON.stringify(counts)},
      ${JSON.stringify(balances)}, ${rawBytes}, ${body.length}, ${digest})
    on conflict (organization_id, snapshot_id, number) do update set contact_count = excluded.contact_count, contact_ids = excluded.contact_ids,
      row_counts = excluded.row_counts, balances = excluded.balances, raw_bytes = excluded.raw_bytes, stored_bytes = excluded.stored_bytes, digest = excluded.digest`);
}

/** Removes the rows of a table and gives them, in the order that they are digested in. Of the contacts all keys are checked at once. */
function removal(organizationId: string, table: GraphTable, batch: string): string {
  if (table.name === root) return `select ${columnList(table.columns)} from remove_contacts('${organizationId}', array(${batch})) order by ${rowOrder(table)}`;
  return `with gone as (
      delete from ${quoted(table.name)} t where t.organization_id = '${organizationId}' and t.${quoted(table.contactColumn)} = any (array(${batch})) returning t.*
    ) select ${columnList(table.columns)} from gone order by ${rowOrder(table)}`;
}

/** Removes the balances, which are rebuilt from the ledger, and gives their sum for each currency. */
async function removeBalances(tx: Transaction, batch: string): Promise<Record<string, number>> {
  const rows = await tx.inTurn(() =>
    tx.client.query<{ currency: string; amount: number }>(`
      with gone as (
        delete from balance t where t.organization_id = '${tx.organizationId}' and t.contact_id = any (array(${batch})) returning t.currency, t.amount_minor
      ) select currency, sum(amount_minor)::bigint as amount from gone group by currency`),
  );
  return Object.fromEntries(rows.rows.map((row) => [row.currency, row.amount]));
}
