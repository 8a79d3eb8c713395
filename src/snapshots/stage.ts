// Rows of a chunk on their way into the tables. COPY can't write where row-level security holds, so they are copied into
// temporary tables first; there they can also be mended before they go in.
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { quoted } from '../sql.ts';
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

/** Copies a part into a temporary table that is empty again after the transaction. @returns its quoted name */
export async function stagePart(tx: Transaction, part: Part): Promise<string> {
  const shape = part.columns.map((column) => `${quoted(column.name)} ${column.type}`).join(', ');
  const stage = quoted(`stage_${part.table}_${createHash('sha256').update(shape).digest('hex').slice(0, 8)}`);
  await plain(tx, `create temporary table if not exists ${stage} (${shape}) on commit delete rows`);
  await copyIn(tx, stage, columnList(part.columns), part.rows);
  return stage;
}

/** Copies every part of the chunk that has rows, the contacts first. */
export async function stageChunk(tx: Transaction, app: App, chunk: Chunk): Promise<Staged[]> {
  const staged: Staged[] = [];
  for (const table of graphOf(app).tables) {
    const part = chunk.parts.find((one) => one.table === table.name);
    if (part && part.count > 0) staged.push({ table, part, stage: await stagePart(tx, part) });
  }
  return staged;
}

/** Empties the temporary tables, so that the transaction can stage another chunk. */
export async function unstage(tx: Transaction, staged: readonly Staged[]): Promise<void> {
  if (staged.length > 0) await plain(tx, `truncate ${staged.map(({ stage }) => stage).join(', ')}`);
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
