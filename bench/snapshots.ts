// Measures the promise that the snapshot of an organization takes at most half the time of a logical dump of the same rows,
// written in the same run by the dump program of a PostgreSQL installation, where one is present; and what unchanged chunks
// save over 30 nights in which one contact in a hundred changes. Arguments: how many contacts (100,000; for the nights 5,000).
import { execFile } from 'node:child_process';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { makeContacts } from '../demo/contacts.ts';
import { giveHistory } from '../demo/history.ts';
import { readSnapshots, type SnapshotRow } from '../src/domain/snapshot-rows.ts';
import { takeScheduledSnapshot } from '../src/domain/snapshots.ts';
import { captureSnapshot } from '../src/domain/taking-snapshots.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { type Bench, openBench, seconds, serverSettings } from './bench.ts';
import { type DumpProgram, findDumpProgram, startInstalled } from './installed.ts';

const [count = 100_000, nightly = 5_000] = process.argv.slice(2).map(Number);
const rounds = 3;
const nights = 30;
const actor = { kind: 'SYSTEM', id: null, name: 'Bench', requestId: 'bench', address: null, agent: null } as const;
const report = () => Promise.resolve();

const dump = await findDumpProgram();
await using own = await openBench();
await measureTime(own, dump);
await measureRoom(own);

async function measureTime(bench: Bench, program: DumpProgram | undefined): Promise<void> {
  const { rows } = await bench.owner.query<{ version: number }>(`select current_setting('server_version_num')::int / 10000 as version`);
  if (!program || program.version >= rows[0]!.version) return compare(bench, program);
  // It refuses servers that are newer than itself, so both are measured on the server that it came with.
  await using installed = await startInstalled(program, serverSettings);
  if (!installed) {
    console.log(`pg_dump ${program.version} is older than the server, and has none of its own`);
    return compare(bench, undefined);
  }
  await using other = await openBench(installed.url);
  await compare(other, program);
}

/** In turns, and the best of each: whoever else uses the machine disturbs both. */
async function compare(bench: Bench, program: DumpProgram | undefined): Promise<void> {
  await fill(bench, count);
  const ours: number[] = [];
  const theirs = { custom: [] as number[], plain: [] as number[] };
  let [bytes, row, megabytes] = [0, undefined as SnapshotRow | undefined, 0];
  const watch = setInterval(() => (megabytes = Math.max(megabytes, Math.round(process.memoryUsage.rss() / 1e6))), 20);
  for (let round = 0; round < rounds; round++) {
    // From nothing each time: nothing to refer to.
    await bench.owner.query('truncate organization_snapshot, snapshot, snapshot_part, snapshot_chunk, snapshot_chunk_body');
    ours.push(await seconds(async () => (row = await snapshot(bench, `2026-01-0${round + 1}`))));
    if (!program) continue;
    for (const format of ['custom', 'plain'] as const) theirs[format].push(await seconds(async () => (bytes = await dumped(bench, program, format))));
  }
  clearInterval(watch);
  const again = await seconds(() => snapshot(bench, '2026-01-09'));
  const mine = Math.min(...ours);
  const graphs = row!.contactCount;
  console.log(`${graphs} graphs, ${row!.rows.reduce((sum, kind) => sum + kind.count, 0)} rows, in ${row!.chunkCount} chunks`);
  console.log(`snapshot: ${mine.toFixed(2)} s; again, with nothing changed: ${again.toFixed(2)} s; memory of the process: at most ${megabytes} MB`);
  console.log(`stored: ${Math.round(row!.storedBytes / graphs)} bytes a graph`);
  if (!program) return console.log('pg_dump: absent');
  for (const [format, times] of Object.entries(theirs)) {
    const best = Math.min(...times);
    console.log(`pg_dump ${program.version}, ${format} format: ${best.toFixed(2)} s; ratio ${(mine / best).toFixed(2)}`);
  }
  console.log(`pg_dump, plain format: ${Math.round(bytes / graphs)} bytes a graph`);
}

async function fill({ owner, organizationId }: Bench, contacts: number): Promise<void> {
  await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
  await makeContacts(owner, organizationId, contacts, 1);
  await giveHistory(owner, organizationId, { seed: 1 });
  await owner.query('commit');
  await owner.query('vacuum analyze');
}

/** The whole job, as a worker runs it. */
async function snapshot({ app, organizationId }: Bench, night: string): Promise<SnapshotRow> {
  const id = (await takeScheduledSnapshot(app, actor, organizationId, night))!;
  await captureSnapshot(app, actor, organizationId, id, report, new AbortController().signal);
  const [row] = await app.database.transact(organizationId, (tx) => readSnapshots(tx, [id]));
  if (row!.state !== 'COMPLETE') throw new Error('The snapshot is not complete.');
  return row!;
}

/** Dumps the rows of the graph and what they refer to. @returns the bytes of the dump */
async function dumped({ app, ownerUrl }: Bench, program: DumpProgram, format: 'custom' | 'plain'): Promise<number> {
  const graph = contactGraph(app.database.orm);
  const tables = [...graph.tables.map(({ name }) => name), ...graph.rebuilt, ...graph.referenced.keys()];
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-dump-'));
  const file = join(directory, 'dump');
  await promisify(execFile)(program.path, ['--dbname', ownerUrl, `--format=${format}`, `--file=${file}`, ...tables.map((name) => `--table=${name}`)]);
  const { size } = await stat(file);
  await rm(directory, { recursive: true });
  return size;
}

/** 30 nights: what they take with chunks that are not stored twice, and what they would take without. */
async function measureRoom(bench: Bench): Promise<void> {
  const { owner, organizationId } = bench;
  await owner.query('truncate organization_snapshot, snapshot, snapshot_part, snapshot_chunk, snapshot_chunk_body');
  await owner.query('truncate contact, membership_plan cascade');
  await fill(bench, nightly);
  const sums = { graphs: 0, withReuse: 0, without: 0, chunks: 0, fresh: 0 };
  for (let night = 1; night <= nights; night++) {
    const row = await snapshot(bench, new Date(Date.UTC(2026, 2, night)).toISOString().slice(0, 10));
    sums.graphs += row.contactCount;
    sums.withReuse += row.newBytes;
    sums.without += row.storedBytes;
    if (night > 1) {
      sums.chunks += row.chunkCount;
      sums.fresh += row.newChunkCount;
    }
    // One contact in a hundred gets a note, another one every night.
    await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
    await owner.query(
      `insert into note (organization_id, id, contact_id, author_name, body) select $1, gen_random_uuid(), id, 'Front desk', 'Came by on night ' || $2::int
       from contact where organization_id = $1 order by hashtextextended(id::text, $2::int) limit $3`,
      [organizationId, night, nightly / 100],
    );
    await owner.query('commit');
  }
  console.log(`${nights} nights of ${nightly} contacts, of whom 1 % change a day:`);
  console.log(`with reuse: ${Math.round(sums.withReuse / sums.graphs)} bytes a graph and night; without: ${Math.round(sums.without / sums.graphs)}`);
  console.log(
    `in all: ${(sums.withReuse / 1e6).toFixed(1)} MB instead of ${(sums.without / 1e6).toFixed(1)} MB (${(sums.withReuse / sums.without).toFixed(2)})`,
  );
  console.log(`chunks that were referred to instead of written: ${((1 - sums.fresh / sums.chunks) * 100).toFixed(0)} %`);
}
