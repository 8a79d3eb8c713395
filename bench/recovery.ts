// Measures the promise that deleting and recovering keep up with an expert: archive tables of the same shape, written and
// emptied by hand-made INSERT … SELECT and DELETE on one connection, in the same run on the same rows.
import { v7 as newId } from 'uuid';
import { contactGraph } from '../src/snapshots/graph.ts';
import { removeChunk, startSnapshot } from '../src/snapshots/capture.ts';
import { readChunk, restoreChunk } from '../src/snapshots/restore.ts';
import { eachInLanes } from '../src/snapshots/lanes.ts';
import { quoted, sql } from '../src/sql.ts';
import { makeContacts } from '../demo/contacts.ts';
import { giveHistory } from '../demo/history.ts';
import { type Bench, openBench, seconds } from './bench.ts';

const count = Number(process.argv[2] ?? 100_000);
await using bench = await openBench();
const { app, owner, organizationId } = bench;
const graph = contactGraph(app.database.orm);
const tables = [...graph.tables.map((table) => ({ name: table.name, contact: table.contactColumn })), ...graph.rebuilt.map((name) => ({ name, contact: 'contact_id' }))];

await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
await makeContacts(owner, organizationId, count, 1);
await giveHistory(owner, organizationId, { seed: 1 });
await owner.query('commit');
for (const { name } of tables) await owner.query(`create table ${quoted(`archive_${name}`)} (like ${quoted(name)})`);
await owner.query('vacuum analyze');

const expert = { remove: await seconds(() => expertRemoves()), restore: 0, restoreTwo: 0 };
await owner.query('vacuum analyze');
expert.restore = await seconds(() => expertRestores());
await owner.query('vacuum analyze');
const ours = await reinstate();
console.log(`${count} contacts`);
console.log(`delete: expert ${expert.remove.toFixed(2)} s, with snapshot ${ours.remove.toFixed(2)} s, ratio ${(ours.remove / expert.remove).toFixed(2)}`);
console.log(`recover: expert ${expert.restore.toFixed(2)} s, proven ${ours.restore.toFixed(2)} s, ratio ${(ours.restore / expert.restore).toFixed(2)}`);
console.log(`memory: at most ${ours.megabytes} MB; stored: ${ours.bytes} bytes a contact`);

async function expertRemoves(): Promise<void> {
  await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
  await owner.query('create temporary table doomed on commit drop as select id from contact');
  await owner.query('create unique index on doomed (id); analyze doomed');
  for (const { name, contact } of tables)
    await owner.query(`insert into ${quoted(`archive_${name}`)} select t.* from ${quoted(name)} t join doomed d on d.id = t.${contact}`);
  for (const { name, contact } of tables.toReversed()) await owner.query(`delete from ${quoted(name)} t using doomed d where d.id = t.${contact}`);
  await owner.query('commit');
}

async function expertRestores(): Promise<void> {
  await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
  for (const { name } of tables) await owner.query(`insert into ${quoted(name)} select * from ${quoted(`archive_${name}`)}`);
  await owner.query('commit');
}

async function reinstate() {
  const [deletionId, snapshotId] = [newId(), newId()];
  let megabytes = 0;
  const watch = setInterval(() => (megabytes = Math.max(megabytes, Math.round(process.memoryUsage.rss() / 1e6))), 20);
  const remove = await seconds(() => ourRemoval(bench, deletionId, snapshotId));
  await owner.query('vacuum analyze');
  const restore = await seconds(() => ourRecovery(bench, snapshotId));
  clearInterval(watch);
  await owner.query(`set app.organization_id = '${organizationId}'`);
  const { rows } = await owner.query('select (sum(stored_bytes) / sum(contact_count))::int as bytes from snapshot_chunk');
  return { remove, restore, megabytes, bytes: rows[0].bytes as number };
}

async function ourRemoval({ app, organizationId }: Bench, deletionId: string, snapshotId: string): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    await startSnapshot(tx, app, snapshotId);
    await tx.run(sql`
      insert into deletion_contact (organization_id, contact_id, deletion_id, chunk_number)
      select organization_id, id, ${deletionId}, (row_number() over (order by id) - 1) / 1000 + 1 from contact where organization_id = ${organizationId}`);
  });
  await eachInLanes(2, chunkNumbers(), async (number) => {
    await app.database.transact(organizationId, (tx) => removeChunk(tx, app, deletionId, { organizationId, snapshotId, number }));
  });
}

async function ourRecovery({ app, organizationId }: Bench, snapshotId: string): Promise<void> {
  await eachInLanes(2, chunkNumbers(), async (number) => {
    await app.database.transact(organizationId, (tx) => readChunk(tx, app, { organizationId, snapshotId, number }));
  });
  await eachInLanes(2, chunkNumbers(), async (number) => {
    await app.database.transact(organizationId, async (tx) => restoreChunk(tx, app, await readChunk(tx, app, { organizationId, snapshotId, number })));
  });
}

function chunkNumbers(): number[] {
  return Array.from({ length: Math.ceil(count / 1000) }, (_, index) => index + 1);
}
