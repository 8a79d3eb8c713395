// Brings a chunk back beside the live tables, to prove that it can be: into temporary tables with the columns, types, keys
// and checks of the real ones, which are gone with the transaction.
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { quoted } from '../sql.ts';
import { graphOf, uuidArray } from './capture.ts';
import { columnList } from './graph.ts';
import { type Chunk, type ChunkName, pickContacts } from './chunk.ts';
import { copyIn } from './copy.ts';
import { plain, type Staged, stagedDigests } from './stage.ts';

/** Something stored that can't be brought back as it was. The message names the chunk, and nobody. */
export class DrillFailure extends Error {}

/** What a drill brought back, and how long each of its steps took. */
export interface DrillFigures {
  contactCount: number;
  rowCount: number;
  byteCount: number;
  writingSeconds: number;
  provingSeconds: number;
}

/**
 * Restores up to `most` of the graphs of an opened chunk into temporary tables and compares each with its digest. Nothing
 * live is touched, and nothing is left when `tx` ends.
 * @throws DrillFailure
 */
export async function drillChunk(tx: Transaction, app: App, name: ChunkName, chunk: Chunk, most: number): Promise<DrillFigures> {
  const chosen = new Set([...chunk.digests.keys()].slice(0, most));
  const sample = pickContacts(chunk, (contactId) => chosen.has(contactId));
  const began = performance.now();
  const staged: Staged[] = [];
  try {
    for (const part of sample.references) await scratch(tx, part.table, part.columns, part.rows);
    for (const table of graphOf(app).tables) {
      const part = sample.parts.find((one) => one.table === table.name)!;
      staged.push({ table, part, stage: await scratch(tx, table.name, part.columns, part.rows) });
    }
  } catch (error) {
    throw refused(name, error);
  }
  const written = performance.now();
  const back = await stagedDigests(tx, staged, uuidArray(chosen));
  for (const [contactId, digest] of sample.digests)
    if (!back.get(contactId)?.equals(digest)) throw new DrillFailure(`${titleOf(name)} brings contact ${contactId} back different from what was stored.`);
  return {
    contactCount: chosen.size,
    rowCount: sample.parts.reduce((sum, part) => sum + part.count, 0),
    byteCount: sample.parts.reduce((sum, part) => sum + part.rows.length, 0),
    writingSeconds: (written - began) / 1000,
    provingSeconds: (performance.now() - written) / 1000,
  };
}

const titleOf = ({ number, snapshotId }: ChunkName) => `Chunk ${number} of snapshot ${snapshotId}`;

/** Puts rows into a temporary table like the real one. @returns its quoted name */
async function scratch(tx: Transaction, table: string, columns: readonly { name: string }[], rows: Buffer): Promise<string> {
  const name = quoted(`drill_${table}`);
  await plain(tx, `create temporary table ${name} (like ${quoted(table)} including all) on commit drop`);
  await copyIn(tx, name, columnList(columns), rows);
  return name;
}

/** PostgreSQL's refusal of rows (SQLSTATE classes 22 and 23), without its text, which quotes them; other errors as they are. */
function refused(name: ChunkName, error: unknown): unknown {
  const { code, table, constraint, column } = error as { code?: string; table?: string; constraint?: string; column?: string };
  if (!/^2[23]/.test(code ?? '')) return error;
  const where = [table, constraint ?? column].filter(Boolean).join(', ');
  return new DrillFailure(`${titleOf(name)} holds rows that today's tables refuse: SQLSTATE ${code}${where && ` (${where})`}.`);
}
