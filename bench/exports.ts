// Measures how fast contacts are taken out as files, with all that they own, through the whole job: reading at one instant,
// writing, encrypting, storing. The promise is 10,000 contacts a second as CSV. Arguments: how many contacts (100,000).
import { makeContacts } from '../demo/contacts.ts';
import { giveHistory } from '../demo/history.ts';
import { type ExportRow, readExports } from '../src/domain/export-rows.ts';
import { exportContacts } from '../src/domain/exports.ts';
import { writeExport } from '../src/domain/writing-exports.ts';
import { exportFormats } from '../src/entities/contact-export.ts';
import { openBench, readViewer, seconds } from './bench.ts';

const [count = 100_000] = process.argv.slice(2).map(Number);
const rounds = 3;

await using bench = await openBench();
const { app, owner, organizationId } = bench;
await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
await makeContacts(owner, organizationId, count, 1);
await giveHistory(owner, organizationId, { seed: 1 });
await owner.query('commit');
await owner.query('vacuum analyze');

const viewer = await readViewer(bench);

// The best of each: whoever else uses the machine disturbs them, and the first one reads what no other has read before.
for (const format of exportFormats) {
  let best = Infinity;
  let [cpu, megabytes] = [0, 0];
  const before = Math.round(process.memoryUsage.rss() / 1e6);
  const watch = setInterval(() => (megabytes = Math.max(megabytes, Math.round(process.memoryUsage.rss() / 1e6))), 20);
  let row: ExportRow | undefined;
  for (let round = 0; round < rounds; round++) {
    const id = await exportContacts(app, viewer, { filter: {}, format });
    const start = process.cpuUsage();
    const taken = await seconds(() => writeExport(app, viewer, organizationId, id, () => Promise.resolve(), new AbortController().signal));
    const { user, system } = process.cpuUsage(start);
    [row] = await app.database.transact(organizationId, (tx) => readExports(tx, [id]), { readOnly: true });
    if (row!.state !== 'COMPLETED') throw new Error(`The export is ${row!.state}: ${row!.failureMessage}`);
    if (taken < best) [best, cpu] = [taken, (user + system) / 1e6];
  }
  clearInterval(watch);
  const { contactCount, byteLength } = row!;
  console.log(
    `${format}: ${contactCount} contacts in ${best.toFixed(2)} s, ${Math.round(contactCount / best)} a second, ${cpu.toFixed(1)} s of processor time; ${(byteLength / 1e6).toFixed(1)} MB; memory of the process: ${before} MB before, at most ${megabytes} MB`,
  );
}
