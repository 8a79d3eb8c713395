// The main job in the terminal, over HTTP and a real WebSocket, on a database of its own that is removed afterwards:
// import, delete 1,000, get everything back, and prove it with what the API itself shows before and after.
import { createHash, randomUUID } from 'node:crypto';
import { openAsBlob } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import pg from 'pg';
import { type Client, createClient, ReinstateError } from '../sdk/client.ts';
import {
  ActionLogDocument,
  ApplyImportDocument,
  ConfirmPaymentDocument,
  ContactDeletionPreviewDocument,
  ContactGraphsDocument,
  CreateUploadDocument,
  DeleteContactsDocument,
  ImportDocument,
  ImportJobDocument,
  ImportRowsDocument,
  JobProgressDocument,
  RecoveryPlanDocument,
  RecoveryProgressDocument,
  RequestRecoveryDocument,
  SignInDocument,
  StartImportDocument,
  ViewerDocument,
  type ContactGraphsQuery,
  type ImportQuery,
} from '../sdk/generated.ts';
import { readConfig } from '../src/config.ts';
import { type Running, start } from '../src/main.ts';
import { giveHistory } from './history.ts';
import { createDemoOrganizations, demoEmail, demoOrganizations, demoPassword, type DemoRole, inOrganization, operatorEmail } from './organizations.ts';
import { bold, dim, green, heading, money, number, ProgressBar, red, say, table } from './terminal.ts';

const file = 'samples/riverside-club.csv';
const deleted = 1000;
const [club] = demoOrganizations;

type Graph = ContactGraphsQuery['contacts']['nodes'][number];

async function main(): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-demo-'));
  const running = await start(readConfig({ DATA_DIRECTORY: directory, PORT: '0' }), 'all');
  const owner = new pg.Client({ connectionString: running.ownerUrl });
  try {
    await owner.connect();
    await show(running, owner);
  } finally {
    await owner.end();
    await running.stop({ remove: true });
    await rm(directory, { recursive: true, force: true });
  }
}

async function show(running: Running, owner: pg.Client): Promise<void> {
  const organizationId = (await createDemoOrganizations(owner)).get(club.name)!;
  const url = running.url!;
  say(bold('Reinstate: delete 1,000 contacts, and get everything back'));
  say(dim(`   API and WebSocket at ${url}, PostgreSQL embedded, all of it removed at the end`));
  const admin = await signIn(url, demoEmail('Super admin', club.domain));
  await importMembers(url, admin);
  await inOrganization(owner, organizationId, () => giveHistory(owner, organizationId, { seed: 2026 }));
  say(`   History added: notes, activities, memberships, payments and ledgers`);

  heading(`Choose ${number(deleted)} members, and remember what the API shows of them`);
  const before = await readGraphs(admin, deleted);
  const ids = [...before.keys()];
  table(tally(before));

  heading('Who may delete');
  for (const role of ['Viewer', 'Staff'] as const) await showRefused(url, role, ids);

  const deletionId = await showDeletion(admin, ids);
  await showLog(admin);
  const requestId = await showOrder(url, admin, deletionId);
  const seconds = await watchRecovery(admin, requestId);

  heading('Proof');
  const after = await readGraphs(admin, deleted, ids);
  prove(before, after);
  const rate = deleted / seconds;
  say(`   ${green('✓')} ${number(deleted)} contacts in ${bold(`${seconds.toFixed(2)} s`)}: ${bold(`${number(Math.round(rate))} contacts a second`)}`);
  await admin.close();
}

async function signIn(url: string, email: string): Promise<Client> {
  const { signIn } = await createClient({ url }).request(SignInDocument, { input: { email, password: demoPassword } });
  return createClient({ url, accessToken: signIn.accessToken! });
}

async function importMembers(url: string, admin: Client): Promise<void> {
  heading(`Import ${file}`);
  const { size } = await stat(file);
  const { createUpload } = await admin.request(CreateUploadDocument, { input: { fileName: basename(file), byteLength: size } });
  const sent = await fetch(new URL(createUpload.path!, url), { method: 'PUT', body: await openAsBlob(file) });
  if (!sent.ok) throw new Error(await sent.text());
  const { startImport } = await admin.request(StartImportDocument, { input: { uploadId: createUpload.upload!.id } });
  const { id } = startImport.import!;
  const { counts, columns } = await untilDone(admin, id);
  say(`   Dry run: ${number(counts.createdCount)} would be created, ${number(counts.skippedCount)} skipped, ${number(counts.refusedCount)} refused;`);
  say(dim(`   ${columns.filter(({ field }) => field).length} of ${columns.length} columns recognized by their names`));
  await admin.request(ApplyImportDocument, { input: { id } });
  const done = await untilDone(admin, id);
  say(`   ${green('✓')} ${number(done.counts.createdCount)} members created. The others, each with its reason:`);
  for (const outcome of ['REFUSED', 'SKIPPED'] as const) {
    const { import: found } = await admin.request(ImportRowsDocument, { id, first: 2, outcome });
    for (const { rowNumber, reasons } of found.rows.nodes) say(dim(`     row ${rowNumber}: ${reasons[0]!.message}`));
  }
}

/** Shows the progress of an import until nothing is under way with it. */
async function untilDone(admin: Client, id: string): Promise<ImportQuery['import']> {
  const bar = new ProgressBar();
  const { import: begun } = await admin.request(ImportJobDocument, { id });
  for await (const { jobProgress } of admin.subscribe(JobProgressDocument, { id: begun.job!.id }))
    if (jobProgress.phase) bar.show(jobProgress.phase, jobProgress.done, jobProgress.total);
  bar.end();
  const { import: found } = await admin.request(ImportDocument, { id });
  if (found.failure) throw new Error(found.failure.message);
  return found;
}

/** What the API shows of contacts with all they own, by id: the first `count`, or these. */
async function readGraphs(admin: Client, count: number, ids?: readonly string[]): Promise<Map<string, Graph>> {
  const graphs = new Map<string, Graph>();
  for (let after: string | null | undefined; graphs.size < count;) {
    const filter = ids ? { ids: ids.slice(graphs.size, graphs.size + 50) } : {};
    const { contacts } = await admin.request(ContactGraphsDocument, { filter, first: 50, after: ids ? null : after });
    for (const node of contacts.nodes) graphs.set(node.id, node);
    after = contacts.pageInfo.endCursor;
    if (contacts.nodes.length === 0) break;
  }
  return graphs;
}

function tally(graphs: Map<string, Graph>): [string, string][] {
  const all = [...graphs.values()];
  const sum = (count: (graph: Graph) => number) => number(all.reduce((total, graph) => total + count(graph), 0));
  return [
    ['contacts', number(all.length)],
    ['contact points', sum((graph) => graph.contactPoints!.length)],
    ['notes', sum((graph) => graph.notes!.nodes.length)],
    ['activities', sum((graph) => graph.activities!.nodes.length)],
    ['memberships', sum((graph) => graph.memberships.nodes.length)],
    ['payments', sum((graph) => graph.payments!.nodes.length)],
    ['ledger entries', sum((graph) => graph.ledgerEntries!.nodes.length)],
    ['balances', money({ amountMinor: balanceOf(graphs), currency: 'USD' })],
  ];
}

const balanceOf = (graphs: Map<string, Graph>): number =>
  [...graphs.values()].reduce((total, { balances }) => total + balances!.reduce((sum, { amountMinor }) => sum + amountMinor, 0), 0);

async function showRefused(url: string, role: DemoRole, contactIds: string[]): Promise<void> {
  const client = await signIn(url, demoEmail(role, club.domain));
  const { viewer } = await client.request(ViewerDocument);
  const asked = client.request(DeleteContactsDocument, { input: { contactIds, confirmation: 'please', reason: 'Because' } });
  const refusal = await asked.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(refusal instanceof ReinstateError) || refusal.code !== 'FORBIDDEN') throw new Error(`${role} was not refused.`);
  say(`   ${red('✗')} ${role.padEnd(7)} ${dim(`(${viewer.permissions.length} permissions)`)} ${refusal.code}: ${refusal.message}`);
}

async function showDeletion(admin: Client, contactIds: string[]): Promise<string> {
  heading('Preview, as Super admin');
  const { contactDeletionPreview: preview } = await admin.request(ContactDeletionPreviewDocument, { input: { contactIds } });
  say(`   ${red('This will delete:')}`);
  table([
    ...preview.rows.filter((row) => row.count > 0).map((row): [string, string] => [row.kind, number(row.count)]),
    ...preview.balances!.map((balance): [string, string] => ['Sum of balances', money(balance)]),
    ['Recoverable until', preview.recoverableUntil],
    ['Confirmation', `${preview.confirmation!.slice(0, 24)}…, valid until ${preview.confirmationExpiresAt}`],
  ]);
  heading('Delete');
  const input = { contactIds, confirmation: preview.confirmation!, reason: 'Cleaning up after the season' };
  const { deleteContacts } = await admin.request(DeleteContactsDocument, { input });
  const { deletion, userErrors } = deleteContacts;
  if (!deletion?.job) throw new Error(userErrors[0]?.message ?? 'The deletion has no job.');
  const bar = new ProgressBar();
  for await (const { jobProgress } of admin.subscribe(JobProgressDocument, { id: deletion.job.id }))
    if (jobProgress.phase) bar.show(jobProgress.phase, jobProgress.done, jobProgress.total);
  bar.end();
  return deletion.id;
}

async function showLog(admin: Client): Promise<void> {
  heading('The action log');
  const { actionLog } = await admin.request(ActionLogDocument, { first: 6, filter: {} });
  for (const entry of actionLog.nodes.toReversed())
    say(
      `   ${entry.occurredAt}  ${entry.actorName.padEnd(30)} ${entry.outcome === 'DONE' ? entry.action : red(`${entry.action} ${entry.code}`)}` +
        dim(`  ${entry.targetKind ?? ''} × ${number(entry.targetCount)}  from ${entry.address}`),
    );
}

async function showOrder(url: string, admin: Client, deletionId: string): Promise<string> {
  heading('Order the recovery');
  const wanted = { selection: { deletionId } };
  const { recoveryPlan } = await admin.request(RecoveryPlanDocument, { input: wanted });
  say(
    `   The plan: ${number(recoveryPlan.contactCount)} contacts, ${recoveryPlan.conflictCount} conflicts, about ${recoveryPlan.estimatedSeconds} s, until ${recoveryPlan.recoverableUntil}`,
  );
  const { requestRecovery } = await admin.request(RequestRecoveryDocument, {
    input: { ...wanted, planHash: recoveryPlan.hash, idempotencyKey: randomUUID() },
  });
  const { recoveryRequest: request, userErrors } = requestRecovery;
  if (!request) throw new Error(userErrors[0]!.message);
  const { invoice } = request;
  say(`   Invoice ${invoice.number}: ${bold(money(invoice.amount))}, ${invoice.state}. ${invoice.instructions}`);
  const operator = await signIn(url, operatorEmail);
  const { viewer } = await admin.request(ViewerDocument);
  const input = { organizationId: viewer.organization!.id, invoiceId: invoice.id, reference: 'bank transfer 2026-0117' };
  const { confirmPayment } = await operator.request(ConfirmPaymentDocument, { input });
  if (confirmPayment.userErrors[0]) throw new Error(confirmPayment.userErrors[0].message);
  say(`   ${green('✓')} Paid; the operator has confirmed it`);
  return request.id;
}

/** Draws the recovery as the subscription tells it. @returns how many seconds it ran, by the database clock */
async function watchRecovery(admin: Client, id: string): Promise<number> {
  heading('Watch it');
  const bar = new ProgressBar();
  let seconds = 0;
  for await (const { recoveryProgress: request } of admin.subscribe(RecoveryProgressDocument, { id })) {
    const { job } = request;
    if (job?.phase) bar.show(job.phase, job.done, job.total, `${number(request.restoredCount)} back, ${request.conflictCount} conflicts`);
    if (request.failure) throw new Error(request.failure.message);
    if (request.startedAt && request.finishedAt) seconds = (Date.parse(request.finishedAt) - Date.parse(request.startedAt)) / 1000;
  }
  bar.end();
  return seconds;
}

const digest = (graph: Graph): string => createHash('sha256').update(JSON.stringify(graph)).digest('hex');
const digestAll = (graphs: Map<string, Graph>): string =>
  createHash('sha256')
    .update(
      [...graphs.entries()]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .map(([id, graph]) => `${id} ${digest(graph)}`)
        .join('\n'),
    )
    .digest('hex');

function prove(before: Map<string, Graph>, after: Map<string, Graph>): void {
  const ids = [...before.keys()].filter((id) => after.has(id)).length;
  const same = [...before].filter(([id, graph]) => after.has(id) && digest(after.get(id)!) === digest(graph)).length;
  const [owed, owes] = [balanceOf(before), balanceOf(after)];
  const check = (right: boolean) => (right ? green('✓') : red('✗'));
  say(`   ${check(ids === before.size)} ids       ${number(ids)} of ${number(before.size)} the same`);
  say(
    `   ${check(same === before.size)} digests   ${number(same)} of ${number(before.size)} the same; of all: ${digestAll(after).slice(0, 16)}… = ${digestAll(before).slice(0, 16)}…`,
  );
  say(`   ${check(owed === owes)} balances  ${money({ amountMinor: owes, currency: 'USD' })} = ${money({ amountMinor: owed, currency: 'USD' })}`);
  if (ids !== before.size || same !== before.size || owed !== owes) throw new Error('Not everything came back as it was.');
}

await main();
