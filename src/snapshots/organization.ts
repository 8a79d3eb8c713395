// Writes the snapshot of a whole organization as one instant shows it, without holding any writer up: one view on several
// connections reads, and one transaction, whose commit is the snapshot's, writes.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { sql } from '../sql.ts';
import { followIndexes, graphOf, snapshotKey } from './capture.ts';
import { ledgerSums, sealChunk } from './chunk.ts';
import { schemaVersion } from './graph.ts';
import { eachInLanes } from './lanes.ts';
import { References } from './referred.ts';
import { contentOf, findRuns, readRuns, type Run, type RunEnd } from './runs.ts';

/** Connections that read: while one waits for the database, what the other has read is sealed and written. */
const lanes = 2;

/** Contacts that are read with one statement for each table. */
const contactsAtOnce = 1000;

/** What there is to know of a snapshot that was written. Bytes are those that are stored. */
export interface Captured {
  takenAt: Date;
  contacts: number;
}

interface Batch {
  after: string | null;
  /** The number of its first run. */
  number: number;
  runs: RunEnd[];
}

/**
 * Writes all contacts of the organization as chunks of the snapshot. `tx` writes: nothing of it is there before its commit.
 * Runs that an earlier snapshot has the same are referred to and not written again. The caller holds what chunks are made
 * of still, so that none of those goes away meanwhile: see `holdChunks` in parts.ts.
 * @param done is told of contacts as they are done, and of how many there are
 */
export async function captureOrganization(
  tx: Transaction,
  app: App,
  snapshotId: string,
  done: (contacts: number, total: number) => Promise<void>,
  signal: AbortSignal,
): Promise<Captured> {
  const { database } = app;
  const key = await snapshotKey(tx, app, snapshotId);
  const views: Transaction[] = [];
  try {
    const first = await database.begin(tx.organizationId, { view: 'new' });
    views.push(first);
    const { view, takenAt } = (await first.row<{ view: string; takenAt: Date }>(
      sql`select pg_export_snapshot() as view, date_trunc('milliseconds', statement_timestamp()) as "takenAt"`,
    ))!;
    while (views.length < lanes) views.push(await database.begin(tx.organizationId, { view }));
    for (const reader of views) await followIndexes(reader);
    const runs = await findRuns(first);
    const total = runs.reduce((sum, run) => sum + run.contacts, 0);
    await done(0, total);
    const free = views.map((reader) => ({ reader, references: new References(graphOf(app)) }));
    await eachInLanes(lanes, batchesOf(runs), async (batch) => {
      signal.throwIfAborted();
      const lane = free.pop()!;
      const read = await readRuns(
        lane.reader,
        app,
        lane.references,
        batch.after,
        batch.runs.map(({ last }) => last),
      );
      free.push(lane);
      await writeRuns(tx, app, key, snapshotId, batch, read);
      await done(
        batch.runs.reduce((sum, run) => sum + run.contacts, 0),
        total,
      );
    });
    return { takenAt, contacts: total };
  } finally {
    for (const reader of views) await database.end(reader, 'COMMIT');
  }
}

function batchesOf(runs: readonly RunEnd[]): Batch[] {
  const batches: Batch[] = [];
  let size = contactsAtOnce;
  for (const [index, run] of runs.entries()) {
    if (size >= contactsAtOnce) {
      batches.push({ after: runs[index - 1]?.last ?? null, number: index + 1, runs: [] });
      size = 0;
    }
    batches.at(-1)!.runs.push(run);
    size += run.contacts;
  }
  return batches;
}

/** Where a chunk lies. */
interface Place {
  snapshotId: string;
  number: number;
}

/** Refers to the chunks that are there already, and writes the others. */
async function writeRuns(tx: Transaction, app: App, key: Buffer, snapshotId: string, batch: Batch, runs: readonly Run[]): Promise<void> {
  const contents = runs.map((run) => contentOf(app, tx.organizationId, run));
  const known = await tx.rows<Place & { content: Buffer; contacts: number }>(sql`
    select snapshot_id as "snapshotId", number, content, contact_count as contacts from snapshot_chunk
    where organization_id = ${tx.organizationId} and content = any(${contents}::bytea[])`);
  const byContent = new Map(known.map((chunk) => [chunk.content.toString('hex'), chunk]));
  const places = runs.map((run, index): Place => {
    const same = byContent.get(contents[index]!.toString('hex'));
    // One that lost a contact since is not what its content says any more.
    return same?.contacts === run.digests.size ? same : { snapshotId, number: batch.number + index };
  });
  const fresh = runs.map((run, index) => ({ run, index })).filter(({ index }) => places[index]!.snapshotId === snapshotId);
  const written: Written[] = [];
  for (const { run, index } of fresh) {
    const { number } = places[index]!;
    const sealed = await sealChunk(key, { organizationId: tx.organizationId, snapshotId, number }, { schemaVersion, ...run });
    written.push({ ...sealed, run, number, content: contents[index]! });
  }
  await app.store.putNew(tx, snapshotId, written);
  await insertChunks(tx, app, snapshotId, written);
  await tx.run(sql`
    insert into snapshot_part (organization_id, snapshot_id, number, until_contact_id, chunk_snapshot_id, chunk_number)
    select ${tx.organizationId}, ${snapshotId}, p.number, p.until, p.chunk_snapshot_id, p.chunk_number
    from unnest(${runs.map((_run, index) => batch.number + index)}::int[], ${batch.runs.map(({ last }) => last)}::uuid[],
      ${places.map((place) => place.snapshotId)}::uuid[], ${places.map((place) => place.number)}::int[]) p (number, until, chunk_snapshot_id, chunk_number)`);
}

interface Written {
  run: Run;
  content: Buffer;
  number: number;
  body: Buffer;
  rawBytes: number;
}

/** Writes the manifests of chunks. */
async function insertChunks(tx: Transaction, app: App, snapshotId: string, written: readonly Written[]): Promise<void> {
  const { tables } = graphOf(app);
  const all = <T>(value: (one: Written) => T) => written.map(value);
  const countsOf = (run: Run) => JSON.stringify(Object.fromEntries(run.parts.map((part, index) => [tables[index]!.kind, part.count])));
  await tx.run(sql`
    insert into snapshot_chunk (organization_id, snapshot_id, number, contact_count, contact_ids, row_counts, balances, raw_bytes, stored_bytes, digest, content)
    select ${tx.organizationId}, ${snapshotId}, k.number, cardinality(k.ids::uuid[]), k.ids::uuid[], k.counts::jsonb, k.balances::jsonb, k.raw, k.stored, k.digest, k.content
    from unnest(${all(({ number }) => number)}::int[], ${all(({ run }) => `{${[...run.digests.keys()].join(',')}}`)}::text[], ${all(({ run }) => countsOf(run))}::text[], ${all(({ run }) => JSON.stringify(ledgerSums(run.parts)))}::text[],
      ${all(({ rawBytes }) => rawBytes)}::int[], ${all(({ body }) => body.length)}::int[],
      ${all(({ body }) => createHash('sha256').update(body).digest())}::bytea[], ${all(({ content }) => content)}::bytea[])
      k (number, ids, counts, balances, raw, stored, digest, content)`);
}
