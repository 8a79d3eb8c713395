// Measures importing: the dry run with its checks for duplicates, applying with a log entry for each contact, and the undo,
// against a bare csv-parse stream into COPY in the same run; the same of a workbook against the CSV; what memory the process
// and its reader take; and what a running import leaves of the rate of a page of 50. Arguments: how many rows (100,000); `load` for the
// last, which asks a server beside it; `installed` to have all of it on the PostgreSQL that the machine has, because the embedded
// one is built to be small.
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { from as copyFrom } from 'pg-copy-streams';
import { v7 as newId } from 'uuid';
import { makeContacts } from '../demo/contacts.ts';
import { writeFile as storeFile } from '../src/domain/files.ts';
import { checkImport } from '../src/domain/import-checks.ts';
import { readImports } from '../src/domain/import-rows.ts';
import { applyImportRows } from '../src/domain/importing.ts';
import { applyImport, startImport } from '../src/domain/imports.ts';
import { signIn } from '../src/domain/signing-in.ts';
import { revertImport, undoImport } from '../src/domain/undoing-imports.ts';
import { sql } from '../src/sql.ts';
import { openBench, readViewer, seconds, serverSettings } from './bench.ts';
import { findDumpProgram, startInstalled } from './installed.ts';
import { end, load, script, serve } from './load.ts';
import { header } from './members.ts';

const count = Number(process.argv[2] ?? 100_000);
const underLoad = process.argv.includes('load');
const program = process.argv.includes('installed') ? await findDumpProgram() : undefined;
await using installed = program && (await startInstalled(program, serverSettings));
await using bench = await openBench(installed?.url);
const { app, owner, organizationId } = bench;
const viewer = await readViewer(bench);
const directory = await mkdtemp(join(tmpdir(), 'reinstate-imports-'));
const signal = new AbortController().signal;
const report = () => Promise.resolve();
await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
await owner.query("insert into membership_plan (organization_id, id, name, price_minor, currency, interval) values ($1, $2, 'Family', 1000, 'USD', 'YEAR')", [
  organizationId,
  newId(),
]);
await owner.query('commit');

// Made in a process of its own, whose memory is none of the import's.
const made = spawnSync(process.execPath, [script('members'), String(count), directory], { stdio: 'inherit' });
if (made.status !== 0) throw new Error('The files could not be made.');
const files = { CSV: join(directory, 'members.csv'), XLSX: join(directory, 'members.xlsx') };

/** The largest sizes seen, in MB. */
const peaks = { process: 0, reader: 0 };
/** That of the process up to the end of the first import, before its undo. */
let importing = 0;
const watch = setInterval(() => void look(), 100);

async function look(): Promise<void> {
  peaks.process = Math.max(peaks.process, Math.round(process.memoryUsage.rss() / 1e6));
  // Only the children, each by two small files: what looks on must not take the time of what is measured.
  const children = await readFile(`/proc/self/task/${process.pid}/children`, 'utf8').catch(() => '');
  for (const id of children.split(' ').filter(Boolean)) {
    const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => '');
    if (status.startsWith('Name:\tpostgres')) continue;
    peaks.reader = Math.max(peaks.reader, Math.round((Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024) / 1e6));
  }
}

/** What an expert would do who needs none of it: parse, and copy texts into a table. */
async function bare(): Promise<number> {
  await owner.query(`drop table if exists bare; create table bare (${header.map((_, place) => `c${place} text`).join(', ')})`);
  const lines = new Transform({
    writableObjectMode: true,
    transform: (cells: string[], _encoding, done) => done(null, `${cells.map((cell) => cell.replace(/[\\\t\r\n]/g, '\\$&')).join('\t')}\n`),
  });
  return seconds(() => pipeline(createReadStream(files.CSV), parse({ from_line: 2 }), lines, owner.query(copyFrom('copy bare from stdin'))));
}

interface Times {
  check: number;
  apply: number;
  undo: number;
}

/** Begins an import of a file as if it had been uploaded. @returns its id */
async function begin(file: string): Promise<string> {
  const stored = await storeFile(app, organizationId, createReadStream(file), 24);
  const uploadId = newId();
  await app.database.transact(organizationId, (tx) =>
    tx.run(sql`
      insert into upload (organization_id, id, file_name, byte_length, state, file_id, created_by_id, created_by_name, expires_at)
      values (${organizationId}, ${uploadId}, 'members', ${stored.byteLength}, 'COMPLETE', ${stored.id}, ${viewer.id}, ${viewer.name}, now() + interval '1 day')`),
  );
  return startImport(app, viewer, { uploadId });
}

/** The whole jobs as a worker runs them. */
async function ours(file: string): Promise<Times> {
  const id = await begin(file);
  const check = await seconds(() => checkImport(app, organizationId, id, report, signal));
  await applyImport(app, viewer, id);
  const apply = await seconds(() => applyImportRows(app, viewer, organizationId, id, report, signal));
  await expectState(id, 'APPLIED');
  importing ||= peaks.process;
  const { rows } = await owner.query<{ contacts: number; entries: number }>(
    "select (select count(*)::int from contact) as contacts, (select count(*)::int from action_log where action = 'contact.imported') as entries",
  );
  if (rows[0]!.contacts !== count || rows[0]!.entries % count !== 0)
    throw new Error(`Imported ${rows[0]!.contacts} contacts with ${rows[0]!.entries} entries.`);
  await undoImport(app, viewer, id);
  const undo = await seconds(() => revertImport(app, viewer, organizationId, id, report, signal));
  await expectState(id, 'UNDONE');
  // Else the next file would match whom this one has left to be recovered.
  await owner.query('update deletion set recoverable_until = now()');
  await owner.query('vacuum analyze');
  return { check, apply, undo };
}

async function expectState(id: string, state: string): Promise<void> {
  const [found] = await app.database.transact(organizationId, (tx) => readImports(tx, [id]));
  if (found!.state !== state) throw new Error(`The import is ${found!.state}: ${found!.failureMessage}`);
}

const rate = (time: number): string => `${Math.round(count / time).toLocaleString('en')} rows/s`;
const ratio = (mine: number, theirs: number): string => (mine / theirs).toFixed(2);

console.log(`${count.toLocaleString('en')} rows of ${header.length} columns`);
if (underLoad) {
  const { tokens } = await signIn(app, { id: 'bench', address: null, agent: null }, bench.email, bench.password);
  const accessToken = tokens!.accessToken;
  const server = await serve('serve', { DATABASE_URL: bench.ownerUrl, MASTER_KEY: bench.masterKey, PORT: '0', COST_PER_MINUTE: '1000000000' });
  // The page is of contacts that are there already.
  await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
  await makeContacts(owner, organizationId, 1_000, 1);
  await owner.query('commit');
  const query = '{ contacts(first: 50, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { id firstName lastName email memberNumber } } }';
  const ask = (milliseconds: number) => load(server.port, accessToken, query, milliseconds);
  await ask(2_000);
  const idle = await ask(10_000);
  const asker = new AbortController();
  const rates: number[] = [];
  const asking = async () => {
    while (!asker.signal.aborted) rates.push(await ask(2_000));
  };
  const id = await begin(files.CSV);
  const asked = asking();
  const check = await seconds(() => checkImport(app, organizationId, id, report, signal));
  const applied = rates.length;
  await applyImport(app, viewer, id);
  const apply = await seconds(() => applyImportRows(app, viewer, organizationId, id, report, signal));
  asker.abort();
  await asked;
  const mean = (some: number[]) => some.reduce((sum, one) => sum + one, 0) / some.length;
  console.log(
    `page of 50: ${idle.toFixed(0)} requests/s idle; during the dry run ${ratio(mean(rates.slice(0, applied)), idle)} of that, while applying ${ratio(mean(rates.slice(applied)), idle)}`,
  );
  console.log(`meanwhile: dry run ${rate(check)}, applying ${rate(apply)}`);
  await end(server.process);
} else {
  // Both once before, so that neither is measured while it is compiled; and what is compared with on both sides of ours.
  await bare();
  if (count <= 100_000) await ours(files.CSV);
  const before = await bare();
  const text = await ours(files.CSV);
  const expert = (before + (await bare())) / 2;
  const whole = ({ check, apply }: Times) => check + apply;
  console.log(`csv-parse into COPY:       ${rate(expert)}`);
  console.log(`CSV, applying:             ${rate(text.apply)}; ratio ${ratio(expert, text.apply)}`);
  console.log(`CSV, dry run and applying: ${rate(whole(text))}; ratio ${ratio(expert, whole(text))} (dry run ${rate(text.check)})`);
  console.log(
    `undo:                      ${rate(text.undo)}; of the import's rate ${ratio(whole(text), text.undo)}, of applying alone ${ratio(text.apply, text.undo)}`,
  );
  const book = await ours(files.XLSX);
  console.log(`XLSX, both:                ${rate(whole(book))}; of the CSV's rate ${ratio(whole(text), whole(book))} (dry run ${rate(book.check)})`);
  console.log(`memory: process at most ${importing} MB for the first import, ${peaks.process} MB with all; reader at most ${peaks.reader} MB`);
}
clearInterval(watch);
await rm(directory, { recursive: true });
