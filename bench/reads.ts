// Measures the promise that reads keep up with a bare Apollo Server with hand-written SQL and dataloader: pages of 50
// contacts with 3 notes, the membership and 3 payments each, from 16 connections, in turns in one run; and what our rules,
// row-level security and the counting of costs take of that.
import { makeContacts } from '../demo/contacts.ts';
import { giveHistory } from '../demo/history.ts';
import { signIn } from '../src/domain/signing-in.ts';
import { openBench } from './bench.ts';
import { end, load, median, serve } from './load.ts';

const rounds = 5;
const millisecondsEach = 4000;

await using bench = await openBench();
const { app, owner, organizationId } = bench;
await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
await makeContacts(owner, organizationId, 10_000, 1);
await giveHistory(owner, organizationId, { seed: 1 });
await owner.query('commit');
await owner.query('vacuum analyze');
const { tokens } = await signIn(app, { id: 'bench', address: null, agent: null }, bench.email, bench.password);
const { accessToken } = tokens!;

const settings = { DATABASE_URL: bench.ownerUrl, MASTER_KEY: bench.masterKey, PORT: '0', COST_PER_MINUTE: '1000000000' };
const ours = await serve('serve', settings);
const unguarded = await serve('serve-unguarded', settings);
const bare = await serve('bare-apollo', { DATABASE_URL: bench.ownerUrl, ORGANIZATION_ID: organizationId });
const pages = {
  nested: {
    ours: `{ contacts(first: 50, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { id firstName lastName email memberNumber
      notes(first: 3) { nodes { id body authorName createdAt } }
      memberships(first: 1) { nodes { id state startsOn plan { name } } }
      payments(first: 3) { nodes { id amount { amountMinor currency } paidAt } } } } }`,
    bare: `{ contacts(first: 50) { id firstName lastName email memberNumber
      notes(first: 3) { id body authorName createdAt }
      memberships(first: 1) { id state startsOn plan { name } }
      payments(first: 3) { id amountMinor currency paidAt } } }`,
  },
  flat: {
    ours: '{ contacts(first: 50, orderBy: { field: CREATED_AT, direction: ASC }) { nodes { id firstName lastName email memberNumber } } }',
    bare: '{ contacts(first: 50) { id firstName lastName email memberNumber } }',
  },
};
for (const [name, query] of Object.entries(pages)) {
  const rates = { ours: [] as number[], unguarded: [] as number[], bare: [] as number[] };
  await load(ours.port, accessToken, query.ours, 1500);
  await load(unguarded.port, accessToken, query.ours, 1500);
  await load(bare.port, accessToken, query.bare, 1500);
  for (let round = 0; round < rounds; round++) {
    rates.ours.push(await load(ours.port, accessToken, query.ours, millisecondsEach));
    rates.unguarded.push(await load(unguarded.port, accessToken, query.ours, millisecondsEach));
    rates.bare.push(await load(bare.port, accessToken, query.bare, millisecondsEach));
  }
  const [mine, open, theirs] = [median(rates.ours), median(rates.unguarded), median(rates.bare)];
  console.log(`page of 50, ${name}: bare ${theirs.toFixed(0)} requests/s, ours ${mine.toFixed(0)} requests/s, ratio ${(mine / theirs).toFixed(2)}`);
  console.log(`page of 50, ${name}: without rules, row-level security and counting ${open.toFixed(0)} requests/s, ours ${(mine / open).toFixed(2)} of that`);
}
for (const { process: child } of [ours, unguarded, bare]) await end(child);
