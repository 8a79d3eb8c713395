// Rows of a chunk on their way into the tables. COPY can't write where row-level security holds, so they are copied into
// temporary tables first; there they can also be mended before they go in.
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { quoted, sql } from '../sql.ts';
import { graphOf, uuidArray } from './capture.ts';
import { type Chunk, digestGraphs, type Part } from './chunk.ts';
import { copyIn, copyOut, eachRow } from './copy.ts';
import { columnList, rowOrder, type GraphTable } from './graph.ts';

export interface Staged {
  table: GraphTable;
  part: Part;
  /** The quoted name of the temporary table that holds the part. */
  stage: string;
}

/** Runs a statement whose text is made of column lists and ids that the engine wrote itself. */
export const plain = <Row extends pg.QueryResultRow = { id: string }>(tx: Transaction, text: string): Promise<pg.QueryResult<Row>> =>
  tx.inTurn(() => {
    tx.database.trace?.push(text);
    return tx.client.query<Row>(text);
  });

/** SQL of pairs of ids as a table `m (old, live)`. */
export const pairsOf = (pairs: ReadonlyMap<string, string>): string => `unnest(${uuidArray(pairs.keys())}, ${uuidArray(pairs.values())}) m (old, live)`;

/** What a transaction has staged so far, by the names of the temporary tables. */
const stagedIn = new WeakMap<Transaction, Set<string>>();

/** Makes those of the temporary tables that are missing. They are empty again after each transaction, and `restore_rows` may read them. */
export async function makeStages(tx: Transaction, stages: readonly { name: string; shape: string }[]): Promise<void> {
  const missing = await tx.rows<{ place: number }>(sql`
    select place::int - 1 as place from unnest(${stages.map(({ name }) => name)}::text[]) with ordinality s (name, place)
    where to_regclass('pg_temp.' || quote_ident(name)) is null`);
  for (const { place } of missing) {
    const { name, shape } = stages[place]!;
    await plain(tx, `create temporary table ${quoted(name)} (${shape}) on commit delete rows; grant select on ${quoted(name)} to public`);
  }
}

/** Copies parts into temporary tables, which are empty again after the transaction. @returns their quoted names */
export async function stageParts(tx: Transaction, parts: readonly Part[]): Promise<string[]> {
  const used = stagedIn.get(tx) ?? new Set();
  stagedIn.set(tx, used);
  const shapes = parts.map(({ columns }) => columns.map(({ name, type }) => `${quoted(name)} ${type}`).join(', '));
  const names = parts.map(({ table }, index) => `stage_${table}_${createHash('sha256').update(shapes[index]!).digest('hex').slice(0, 8)}`);
  await makeStages(
    tx,
    names.map((name, index) => ({ name, shape: shapes[index]! })),
  );
  const stages = names.map(quoted);
  const again = stages.filter((stage) => used.has(stage));
  if (again.length > 0) await plain(tx, `truncate ${again.join(', ')}`);
  for (const [index, stage] of stages.entries()) {
    used.add(stage);
    await copyIn(tx, stage, columnList(parts[index]!.columns), parts[index]!.rows);
  }
  return stages;
}

/** Copies every part of the chunk that has rows, the contacts first. */
export async function stageChunk(tx: Transaction, app: App, chunk: Chunk): Promise<Staged[]> {
  const parts = graphOf(app).tables.flatMap((table) =>
    chunk.parts.filter((part) => part.table === table.name && part.count > 0).map((part) => ({ table, part })),
  );
  const stages = await stageParts(
    tx,
    parts.map(({ part }) => part),
  );
  return parts.map((one, index) => ({ ...one, stage: stages[index]! }));
}

/**
 * Inserts staged rows and gives them as the table has them now, in the order that they are digested in: what is proven is
 * what the insertion itself gives.
 */
export async function insertStaged(tx: Transaction, { table, part, stage }: Staged, which = 'true', onConflict = ''): Promise<{ rows: Buffer; count: number }> {
  const list = columnList(part.columns);
  const rows = await copyOut(
    tx,
    `with back as (insert into ${quoted(table.name)} (${list}) select ${list} from ${stage} where ${which} ${onConflict} returning ${list})
     select ${list} from back order by ${rowOrder(table)}`,
  );
  return { rows, count: eachRow(rows, () => undefined) };
}

/**
 * Inserts staged rows that contacts own, but for those of the contacts `leftOut`, whose foreign keys are checked for all rows at
 * once (`restore_rows`). @returns them like `insertStaged` @throws a foreign key violation when what a row refers to is not there
 */
export async function restoreStaged(tx: Transaction, { table, part, stage }: Staged, leftOut: string): Promise<Buffer> {
  const rows = `restore_rows(null::${quoted(table.name)}, '${stage}', ${leftOut})`;
  return copyOut(tx, `select ${columnList(part.columns)} from ${rows} order by ${rowOrder(table)}`);
}

/** The digests of the graphs of the staged contacts that `which` names, as they are staged now. */
export async function stagedDigests(tx: Transaction, staged: readonly Staged[], contactIds: string): Promise<Map<string, Buffer>> {
  const parts = [];
  for (const { table, part, stage } of staged) {
    const rows = await copyOut(
      tx,
      `select ${columnList(part.columns)} from ${stage} where ${quoted(table.contactColumn)} = any (${contactIds}) order by ${rowOrder(table)}`,
    );
    parts.push({ ...part, rows });
  }
  return digestGraphs(parts);
}
