// Measures the promises of the action log: what a write costs more with its entry, how fast entries are sealed, how long a
// million of them take to verify, and how much memory that needs. Argument: how many entries (1,000,000).
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createContact } from '../src/domain/contact-writing.ts';
import { Transaction } from '../src/database.ts';
import { sealEntries } from '../src/log/sealing.ts';
import { openBench, readViewer, seconds } from './bench.ts';
import { script } from './load.ts';

const entries = Number(process.argv[2] ?? 1_000_000);
const rounds = 100;
const writes = 20;

await using bench = await openBench();
const { app, owner, organizationId } = bench;

await measureWrites();
await measureSealing();

/** In short turns, so that whoever else uses the machine disturbs both; the median of the rounds. */
async function measureWrites(): Promise<void> {
  const viewer = await readViewer(bench);
  const round = (name: string) =>
    seconds(async () => {
      for (let index = 0; index < writes; index++) await createContact(app, viewer, { firstName: name, lastName: String(index), city: 'Ghent' });
    });
  for (let index = 0; index < 10; index++) await round('Warm');
  const times = { logged: [] as number[], unlogged: [] as number[] };
  const turns = [async () => times.logged.push(await round('Logged')), async () => times.unlogged.push(await withoutLog(() => round('Unlogged')))];
  for (let index = 0; index < rounds; index++) for (const turn of index % 2 ? turns : turns.toReversed()) await turn();
  const median = (some: number[]) => some.toSorted((a, b) => a - b)[some.length >> 1]!;
  const [logged, unlogged] = [median(times.logged), median(times.unlogged)];
  console.log(
    `a contact created: ${((logged / writes) * 1000).toFixed(2)} ms; without its log entry ${((unlogged / writes) * 1000).toFixed(2)} ms; ratio ${(logged / unlogged).toFixed(2)}`,
  );
}

/** Leaves out the one statement that adds an entry; everything else is the same. */
async function withoutLog(work: () => Promise<number>): Promise<number> {
  const { atEnd } = Transaction.prototype;
  Transaction.prototype.atEnd = function (this: Transaction, statement) {
    if (!statement.text.includes('insert into action_log')) atEnd.call(this, statement);
  };
  try {
    return await work();
  } finally {
    Transaction.prototype.atEnd = atEnd;
  }
}

async function measureSealing(): Promise<void> {
  await sealEntries(app, organizationId);
  for (let done = 0, step = 100_000; done < entries; done += step) {
    step = Math.min(100_000, entries - done);
    await owner.query(
      `insert into action_log (organization_id, id, actor_kind, actor_id, actor_name, action, outcome, target_kind, target_id, target_count, request_id, address, agent)
       select $1, gen_random_uuid(), 'STAFF', gen_random_uuid(), 'Ada Admin', 'contact.updated', 'DONE', 'Contact', gen_random_uuid(), 1, gen_random_uuid()::text, '192.0.2.17', 'Mozilla/5.0'
       from generate_series(1, $2)`,
      [organizationId, step],
    );
    // A tenth first, and all of them then: what verifying needs must not grow with the log.
    if (done === 0 || done + step >= entries) await sealAndVerify();
  }
}

async function sealAndVerify(): Promise<void> {
  await owner.query('vacuum analyze');
  let sealed = 0;
  const sealing = await seconds(async () => (sealed = await sealEntries(app, organizationId)));
  console.log(`sealed: ${sealed} entries in ${sealing.toFixed(1)} s, ${Math.round(sealed / sealing)} a second`);
  await owner.query('vacuum analyze');
  const alone = fork(script('verify-log'), [app.database.url, organizationId, bench.masterKey], {
    execArgv: [...process.execArgv, '--expose-gc'],
  });
  const [[code]] = await Promise.all([once(alone, 'close'), once(alone, 'message').then(([report]) => console.log(report))]);
  if (code !== 0) throw new Error(`Verifying ended with ${code}.`);
}
