// Lifting chunks of older schemas: what is verified first, what comes out, and what is refused.
import { readFileSync } from 'node:fs';
import { MikroORM } from '@mikro-orm/postgresql';
import { beforeAll, describe, expect, it } from 'vitest';
import { entities } from '../src/entities/index.ts';
import { type Chunk, type ChunkName, openChunk, type Part } from '../src/snapshots/chunk.ts';
import { unwrapSnapshotKey } from '../src/snapshots/cipher.ts';
import { eachRow, textAt } from '../src/snapshots/copy.ts';
import { type ContactGraph, contactGraph, schemaVersion } from '../src/snapshots/graph.ts';
import { fit, ladder, liftChunk } from '../src/snapshots/ladder.ts';
import { addColumn, addTable, changePart, dropColumn, renameColumn, renameTable } from '../src/snapshots/rows.ts';
import { chunkFile, readGolden } from './fixtures/golden.ts';
import { testKeys } from './people.ts';

let graph: ContactGraph;
beforeAll(async () => {
  graph = contactGraph(await MikroORM.init({ entities, dbName: 'none' }));
});

/** The first chunk of a golden, as it was stored. */
async function goldenChunk(version: number): Promise<{ chunk: Chunk; name: ChunkName }> {
  const { organizationId, snapshot } = readGolden(version);
  const name: ChunkName = { organizationId, snapshotId: snapshot['id'] as string, number: 1 };
  const wrapped = Buffer.from((snapshot['wrapped_key'] as string).slice(2), 'hex');
  const key = unwrapSnapshotKey(testKeys.snapshots, organizationId, name.snapshotId, wrapped);
  return { chunk: await openChunk(key, name, readFileSync(chunkFile(version, 1))), name };
}

const partOf = (chunk: Chunk, table: string): Part => chunk.parts.find((part) => part.table === table)!;

/** A column of a part, as text. */
function texts(part: Part, column: string): (string | null)[] {
  const place = part.columns.findIndex(({ name }) => name === column);
  const found: (string | null)[] = [];
  eachRow(part.rows, (_start, _end, starts) => found.push(textAt(part.rows, starts[place]!)));
  return found;
}

describe('the ladder', () => {
  it('has a step from every version but today’s', () => {
    expect(ladder.map((step) => step.from)).toEqual(Array.from({ length: schemaVersion - 1 }, (_, index) => index + 1));
  });

  it('gives a chunk of today back as it is', async () => {
    const { chunk, name } = await goldenChunk(schemaVersion);
    expect(liftChunk(chunk, graph, name)).toBe(chunk);
  });

  it('makes of a chunk of version 1 what version 2 stores of the same contacts, and leaves the given one alone', async () => {
    const { chunk, name } = await goldenChunk(1);
    const before = chunk.parts.map((part) => Buffer.from(part.rows));
    const lifted = liftChunk(chunk, graph, name);
    expect(lifted.schemaVersion).toBe(schemaVersion);
    expect(texts(partOf(lifted, 'contact_point'), 'normalized').slice(0, 5)).toEqual([
      'chloe.nunez@example.org',
      '+351912345678',
      'example.org/Über/uns',
      '12 hauptstrasse, ghent',
      'not an address',
    ]);
    expect(lifted.parts.map((part) => [part.table, part.columns])).toEqual(graph.tables.map((table) => [table.name, table.columns]));
    expect([...lifted.digests.keys()]).toEqual([...chunk.digests.keys()]);
    const unlike = [...lifted.digests].filter(([contact, digest]) => !digest.equals(chunk.digests.get(contact)!));
    const owners = new Set<string>();
    const points = partOf(lifted, 'contact_point');
    eachRow(points.rows, (_start, _end, starts) => owners.add(points.rows.toString('hex', starts[2]!, starts[2]! + 16)));
    expect(unlike.map(([contact]) => contact.replaceAll('-', '')).toSorted()).toEqual([...owners].toSorted());
    expect(chunk.parts.map((part) => part.rows)).toEqual(before);
  });

  it('refuses a chunk whose rows are not those of its digests', async () => {
    const { chunk, name } = await goldenChunk(1);
    const flipped = changePart(chunk, 'note', (part) => {
      const rows = Buffer.from(part.rows);
      rows[rows.length - 20]! ^= 1;
      return { ...part, rows };
    });
    const damaged = `Chunk 1 of snapshot ${name.snapshotId} is damaged: its rows are not the ones that its digests were taken of.`;
    expect(() => liftChunk(flipped, graph, name)).toThrow(damaged);
    const fewer = { ...chunk, digests: new Map([...chunk.digests].slice(1)) };
    expect(() => liftChunk(fewer, graph, name)).toThrow(damaged);
  });

  it('refuses a chunk that is newer than the code, and says what to do', async () => {
    const { chunk, name } = await goldenChunk(schemaVersion);
    expect(() => liftChunk({ ...chunk, schemaVersion: schemaVersion + 1 }, graph, name)).toThrow(
      expect.objectContaining({
        code: 'SNAPSHOT_TOO_NEW',
        message: `Snapshot ${name.snapshotId} was taken by a newer version of Reinstate: its schema is version ${schemaVersion + 1}, and this process knows versions up to ${schemaVersion}. Nothing was changed. Let a process of the newer version do it.`,
      }) as Error,
    );
  });

  it('that does not lead to today’s graph is named by table and column', async () => {
    const { chunk } = await goldenChunk(schemaVersion);
    const change = (table: string, how: (part: Part) => Part) => () => fit(changePart(chunk, table, how), graph);
    expect(() => fit({ ...chunk, parts: chunk.parts.toReversed() }, graph).parts.map((part) => part.table)).not.toThrow();
    const faults: [() => unknown, string][] = [
      [change('note', (part) => dropColumn(part, 'body')), 'At place 6 of note it has note.created_at timestamptz(3) where the graph has note.body text.'],
      [change('note', (part) => renameColumn(part, 'body', 'text')), 'it has note.text text where the graph has note.body text.'],
      [
        change('note', (part) => addColumn(part, { name: 'more', type: 'text' }, 'updated_at', () => null)),
        'At place 9 of note it has note.more text where the graph has no further column.',
      ],
      [change('tag', (part) => dropColumn(part, 'created_at')), 'it has no further column where the graph has tag.created_at timestamptz(3).'],
      [
        change('payment', (part) => ({ ...part, columns: part.columns.map((column) => ({ ...column, type: column.type.replace('bigint', 'int') })) })),
        'it has payment.amount_minor int where the graph has payment.amount_minor bigint.',
      ],
      [() => fit(renameTable(chunk, 'note', 'remark'), graph), 'The table remark is not one that contacts own or refer to.'],
      [() => fit(renameTable(chunk, 'tag', 'label'), graph), 'The table label is not one that contacts own or refer to.'],
      [() => fit({ ...chunk, parts: chunk.parts.filter((part) => part.table !== 'note') }, graph), 'The table note is missing.'],
    ];
    for (const [climb, fault] of faults) expect(climb).toThrow(fault);
  });
});

describe('a step', () => {
  it('adds a column in its place, computed from the rest of the row', async () => {
    const note = partOf((await goldenChunk(1)).chunk, 'note');
    const added = addColumn(note, { name: 'by', type: 'text' }, 'body', (fields) => (fields('author_id') === null ? null : fields('author_name')));
    expect(added.columns.map(({ name }) => name).slice(5, 7)).toEqual(['body', 'by']);
    expect(added.count).toBe(note.count);
    const authors = texts(note, 'author_name');
    expect(authors).toContain('Front desk');
    expect(texts(added, 'by')).toEqual(authors.map((author) => (author === 'Front desk' ? null : author)));
    for (const { name } of note.columns) expect(texts(added, name)).toEqual(texts(note, name));
    expect(dropColumn(added, 'by')).toEqual(note);
  });

  it('that asks for a column which its version did not have is named', async () => {
    const note = partOf((await goldenChunk(1)).chunk, 'note');
    expect(() => addColumn(note, { name: 'x', type: 'text' }, 'body', (fields) => fields('title'))).toThrow(
      'The ladder asks for note.title, which that version did not have.',
    );
  });

  it('renames columns and tables, and adds tables, without touching rows', async () => {
    const { chunk } = await goldenChunk(1);
    const renamed = renameColumn(partOf(chunk, 'note'), 'body', 'text');
    expect([renamed.columns[5]!.name, renamed.rows]).toEqual(['text', partOf(chunk, 'note').rows]);
    expect(partOf(renameTable(chunk, 'note', 'remark'), 'remark')).toEqual({ ...partOf(chunk, 'note'), table: 'remark' });
    expect(addTable(chunk, 'pet', [{ name: 'id', type: 'uuid' }]).parts.at(-1)).toEqual({
      table: 'pet',
      columns: [{ name: 'id', type: 'uuid' }],
      count: 0,
      rows: Buffer.alloc(0),
    });
  });
});
