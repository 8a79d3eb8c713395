import { test } from 'vitest';
import { Session } from 'node:inspector/promises';
import { createWorld } from './harness.ts';
import { ContactsWithHistoryDocument } from '../sdk/generated.ts';
import { parse, print } from 'graphql';


test('bench', async () => {
  if (process.env['SIMPLE']) for (const t of (globalThis as any).TypeGraphQLMetadataStorage.objectTypes) t.simpleResolvers = true;
  await using world = await createWorld();
  const admin = await world.as('Super admin');
  const doc = parse('mutation ($input: CreateContactsInput!) { createContacts(input: $input) { createdCount results { contactId } } }');
  const contacts = Array.from({ length: 200 }, (_, n) => ({ firstName: `Ada${n}`, lastName: `Love${n}`, email: `a${n}@x.example`, notes: ['one', 'two', 'three'] }));
  const made = await admin.request<any, any>(doc, { input: { contacts } });
  const pay = parse('mutation ($input: AddPaymentInput!) { addPayment(input: $input) { userErrors { code message } } }');
  let pm: any;
  for (const { contactId } of made.createContacts.results.slice(0, 60)) for (let i = 0; i < 3; i++) pm = await admin.request<any, any>(pay, { input: { contactId, amountMinor: 100, method: 'CARD' } }).catch((e: any) => e);
  console.log(made.createContacts.createdCount, JSON.stringify(pm).slice(0, 300));
  const token = await world.token('Super admin');
  const query = '{ contacts(first: 50) { nodes { id firstName lastName email company city notes(first: 3) { nodes { id body createdAt } } payments(first: 3) { nodes { id amount { amountMinor currency } paidAt } } } pageInfo { hasNextPage endCursor } } }';
  const body = JSON.stringify({ query });
  const once = async () => { const r = await fetch(world.url, { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` }, body }); const j = await r.json() as any; if (j.errors) throw new Error(JSON.stringify(j.errors[0])); return j; };
  const j = await once(); console.log(JSON.stringify(j).length, j.data.contacts.nodes[0].payments.nodes.length);
  console.log(await world.statements(once).then(s => s.length));
  const session = new Session(); session.connect(); await session.post('Profiler.enable');
  for (let round = 0; round < 4; round++) {
    if (round === 3) await session.post('Profiler.start');
    const end = Date.now() + 3000; let n = 0; const c0 = process.cpuUsage();
    await Promise.all(Array.from({ length: 16 }, async () => { while (Date.now() < end) { await once(); n++; } }));
    console.log(process.env['SIMPLE'], 'rps', (n / 3).toFixed(1), 'cpu ms/request', (process.cpuUsage(c0).user/1000/n).toFixed(2));
  }
  const { profile } = await session.post('Profiler.stop') as any;
  const self = new Map<string, number>(), byFile = new Map<string, number>(); const dt = profile.timeDeltas; const nodes = new Map(profile.nodes.map((n: any) => [n.id, n]));
  profile.samples.forEach((id: number, i: number) => { const n = nodes.get(id) as any; const f = n.callFrame; const file = f.url.replace(/.*node_modules\//, '').replace(/.*work\/main\//, '').split('/').slice(0, 3).join('/'); const k = f.functionName + ' ' + file + ':' + f.lineNumber; self.set(k, (self.get(k) ?? 0) + dt[i]); byFile.set(file || f.functionName, (byFile.get(file || f.functionName) ?? 0) + dt[i]); });
  const top = (m: Map<string, number>, n: number) => [...m].sort((a, b) => b[1] - a[1]).slice(0, n).map(([k, v]) => (v / 1000).toFixed(0).padStart(6) + ' ' + k).join('\n');
  console.log(top(byFile, 30)); console.log(top(self, 30));
  void print; void ContactsWithHistoryDocument;
}, 120000);
