// Measures the promise that deleting and recovering keep up with an expert: archive tables of the same shape, written and
// emptied by hand-made INSERT … SELECT and DELETE on one connection, and restored on two as well, in the same run on the same
// rows; and what it costs when 5 % of the contacts clash. Arguments: how many contacts (100,000), and `alone` to leave the
// expert and the clashes out and look at the memory only.
import pg from 'pg';
import { makeContacts } from '../demo/contacts.ts';
import { giveHistory } from '../demo/history.ts';
import { removeContacts } from '../src/domain/deleting.ts';
import { deleteContacts, previewDeletion } from '../src/domain/deletions.ts';
import { readInvoices } from '../src/domain/invoices.ts';
import { confirmPayment, requestRecovery } from '../src/domain/recoveries.ts';
import { recoverContacts } from '../src/domain/recovering.ts';
import { planRecovery } from '../src/domain/recovery-plans.ts';
import { readRecoveries } from '../src/domain/recovery-rows.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { quoted } from '../src/sql.ts';
import { openBench, readViewer, seconds } from './bench.ts';

const count = Number(process.argv[2] ?? 100_000);
const alone = process.argv[3] === 'alone';
await using bench = await openBench();
const { app, owner, organizationId } = bench;
const report = () => Promise.resolve();
const graph = contactGraph(app.database.orm);
const viewer = await readViewer(bench);
const tables = [
  ...graph.tables.map((table) => ({ name: table.name, contact: table.contactColumn })),
  ...graph.rebuilt.map((name) => ({ name, contact: 'contact_id' })),
];

await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
await makeContacts(owner, organizationId, count, 1);
await giveHistory(owner, organizationId, { seed: 1 });
await owner.query('commit');
for (const { name } of tables) await owner.query(`create table ${quoted(`archive_${name}`)} (like ${quoted(name)})`);
await owner.query('vacuum analyze');

const expert = { remove: 0, restore: 0, restoreOnTwo: 0 };
if (!alone) {
  await expertRemoves();
  await owner.query('vacuum analyze');
  expert.restoreOnTwo = await seconds(expertRestoresOnTwo);
  for (const { name } of tables) await owner.query(`truncate ${quoted(`archive_${name}`)}`);
  await owner.query('vacuum analyze');
  expert.remove = await seconds(expertRemoves);
  await owner.query('vacuum analyze');
  expert.restore = await seconds(expertRestores);
  await owner.query('vacuum analyze');
}
const ours = await reinstate();
console.log(`${count} contacts, ${ours.rows} rows`);
console.log(`delete with snapshot: ${ours.remove.toFixed(2)} s${compared(ours.remove, expert.remove, "the expert's archive and delete")}`);
console.log(`recover and prove:    ${ours.restore.toFixed(2)} s${compared(ours.restore, expert.restore, "the expert's INSERT … SELECT")}`);
if (!alone) console.log(`                      ${ours.restore.toFixed(2)} s${compared(ours.restore, expert.restoreOnTwo, 'the same on two connections')}`);
console.log(`memory of the process: at most ${ours.megabytes} MB; stored: ${ours.bytes} bytes a contact`);
if (!alone) {
  await owner.query('vacuum analyze');
  const clashing = await reinstate(true);
  console.log(`with 5 % clashing:    ${clashing.restore.toFixed(2)} s${compared(clashing.restore, ours.restore, 'without')}`);
}

function compared(mine: number, theirs: number, what: string): string {
  return alone ? '' : `; ${what} ${theirs.toFixed(2)} s; ratio ${(mine / theirs).toFixed(2)}`;
}

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

/** Half of the contacts on each connection, which is what an expert with two of them would do. */
async function expertRestoresOnTwo(): Promise<void> {
  const middle = (await owner.query<{ id: string }>('select id from archive_contact order by id offset $1 limit 1', [count >> 1])).rows[0]!.id;
  await Promise.all(
    ['<', '>='].map(async (side) => {
      const client = new pg.Client({ connectionString: bench.ownerUrl });
      await client.connect();
      await client.query(`begin; set local app.organization_id = '${organizationId}'`);
      for (const { name, contact } of tables)
        await client.query(`insert into ${quoted(name)} select * from ${quoted(`archive_${name}`)} where ${contact} ${side} '${middle}'`);
      await client.query('commit');
      await client.end();
    }),
  );
}

/**
 * The whole jobs as a worker runs them: freezing, batches, log, progress; checking, migrating, reconciling, proving.
 * @param clashing whether every twentieth contact finds its email taken when it comes back
 */
async function reinstate(clashing = false) {
  if (clashing)
    await owner.query(
      'create table clashing as select (c).* from (select c, row_number() over (order by id) as place from contact c) numbered where place % 20 = 0',
    );
  let megabytes = 0;
  const watch = setInterval(() => (megabytes = Math.max(megabytes, Math.round(process.memoryUsage.rss() / 1e6))), 20);
  let deletionId = '';
  const { confirmation } = await app.database.transact(organizationId, (tx) => previewDeletion(tx, app, viewer, { filter: {} }));
  const remove = await seconds(async () => {
    deletionId = await deleteContacts(app, viewer, { filter: {}, confirmation: confirmation!, reason: 'Measured' });
    await removeContacts(app, viewer, organizationId, deletionId, report, new AbortController().signal);
  });
  if (clashing) {
    await owner.query('update clashing set id = gen_random_uuid(), member_number = null');
    await owner.query('insert into contact select * from clashing');
  }
  await owner.query('vacuum analyze');
  const selection = { deletionId };
  const { hash } = await app.database.transact(organizationId, (tx) => planRecovery(tx, app, viewer, selection, {}));
  const { id: requestId } = (await requestRecovery(app, viewer, { selection, planHash: hash, idempotencyKey: deletionId })) as { id: string };
  const invoice = await app.database.transact(organizationId, async (tx) => (await readInvoices(tx, [requestId]))[0]!);
  await confirmPayment(app, viewer, organizationId, invoice.id, 'measured');
  const restore = await seconds(() => recoverContacts(app, viewer, organizationId, requestId, report, new AbortController().signal));
  clearInterval(watch);
  const [request] = await app.database.transact(organizationId, (tx) => readRecoveries(tx, [requestId]));
  if (request!.provenCount !== count) throw new Error(`${request!.provenCount} of ${count} contacts came back: ${request!.failureMessage}`);
  await owner.query(`set app.organization_id = '${organizationId}'`);
  const { rows } = await owner.query<{ bytes: number; rows: number }>(`
    select (sum(stored_bytes) / sum(contact_count))::int as bytes,
      (select sum(n::int)::int from snapshot_chunk, jsonb_each_text(row_counts) r (kind, n)) as rows from snapshot_chunk`);
  return { remove, restore, megabytes, ...rows[0]! };
}
