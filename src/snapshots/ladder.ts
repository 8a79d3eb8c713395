// Lifts chunks of older versions of the schema to today's: one pure step for each version that changed the graph. No step
// is ever removed or changed once its version was released: snapshots of that version are still kept somewhere.
import { comparableForm, type ContactPointKind } from '../domain/contact-points.ts';
import { Refusal } from '../errors.ts';
import { type Chunk, type ChunkName, DamagedChunk, digestGraphs, type Part, proveChunk } from './chunk.ts';
import { type Column, type ContactGraph, schemaVersion } from './graph.ts';
import { addColumn, changePart } from './rows.ts';

export interface Step {
  /** The version that it lifts, to the next. */
  from: number;
  lift(chunk: Chunk): Chunk;
}

/** Every step, the oldest first: the one from version n stands at place n - 1. */
export const ladder: readonly Step[] = [
  {
    // Contact points got a comparable form.
    from: 1,
    lift: (chunk) =>
      changePart(chunk, 'contact_point', (part) =>
        addColumn(part, { name: 'normalized', type: 'text' }, 'value', (fields) =>
          Buffer.from(comparableForm(fields('kind')!.toString() as ContactPointKind, fields('value')!.toString())),
        ),
      ),
  },
];

/**
 * Climbs from the version that a chunk was taken under to today's. Its digests are held against its rows first, then taken
 * anew of the lifted rows. A chunk of today's version is given back as it is, if its columns are the graph's.
 * @throws DamagedChunk when an older chunk's rows are not the ones that its digests were taken of
 * @throws Refusal SNAPSHOT_TOO_NEW
 * @throws DamagedChunk naming the table and the column in which it is not of today's graph, or the ladder does not lead there
 */
export function liftChunk(chunk: Chunk, graph: ContactGraph, name: ChunkName): Chunk {
  if (chunk.schemaVersion === schemaVersion) {
    // An erasure leaves nothing of a chunk that held nobody else.
    if (chunk.parts.length > 0) inForm(name, () => fit(chunk, graph));
    return chunk;
  }
  if (chunk.schemaVersion > schemaVersion) throw tooNew(chunk, name);
  proveChunk(chunk, name);
  const fitted = inForm(name, () =>
    fit(
      ladder.slice(chunk.schemaVersion - 1).reduce((lower, step) => step.lift(lower), chunk),
      graph,
    ),
  );
  return { ...fitted, schemaVersion, digests: digestGraphs(fitted.parts) };
}

/** No further try could mend it. @throws DamagedChunk for whatever goes wrong */
function inForm<T>(name: ChunkName, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw new DamagedChunk(name, `its rows do not lead to today’s tables (${(error as Error).message})`);
  }
}

const tooNew = (chunk: Chunk, name: ChunkName) =>
  new Refusal(
    'SNAPSHOT_TOO_NEW',
    `Snapshot ${name.snapshotId} was taken by a newer version of Reinstate: its schema is version ${chunk.schemaVersion}, and this process knows versions up to ${schemaVersion}. Nothing was changed. Let a process of the newer version do it.`,
  );

/** The parts in the order of the graph. @throws Error naming what differs from the graph */
export function fit(chunk: Chunk, graph: ContactGraph): Chunk {
  const known = new Set(graph.tables.map((table) => table.name));
  const stray = chunk.parts.find((part) => !known.has(part.table)) ?? chunk.references.find((part) => !graph.referenced.has(part.table));
  if (stray) throw astray(`The table ${stray.table} is not one that contacts own or refer to`);
  const parts = graph.tables.map((table) => {
    const part = chunk.parts.find((one) => one.table === table.name);
    if (!part) throw astray(`The table ${table.name} is missing`);
    return compare(part, table.columns);
  });
  return { ...chunk, parts, references: chunk.references.map((part) => compare(part, graph.referenced.get(part.table)!.columns)) };
}

function compare(part: Part, columns: Column[]): Part {
  const told = (column: Column | undefined) => (column ? `${part.table}.${column.name} ${column.type}` : 'no further column');
  for (let place = 0; place < Math.max(columns.length, part.columns.length); place++) {
    const [lifted, wanted] = [part.columns[place], columns[place]];
    if (lifted?.name !== wanted?.name || lifted?.type !== wanted?.type)
      throw astray(`At place ${place + 1} of ${part.table} it has ${told(lifted)} where the graph has ${told(wanted)}`);
  }
  return part;
}

const astray = (how: string) => new Error(`${how}. If it was stored like that, correct the ladder (src/snapshots/ladder.ts).`);
