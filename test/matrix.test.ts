// Who may do what: every root field for every built-in role, written by hand from what the roles are for, and never derived
// from the rules in the code. Then what hangs on the root fields, which must not give more than they do.
import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { Client, ReinstateError } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { encodeId } from '../src/schema/common.ts';
import { post } from './asking.ts';
import { hire } from './custom-roles.ts';
import { askFor, everyField, type Given, namesTaken, takes } from './every-field.ts';
import { createFullWorld, rowsOf, type Scene as FullScene } from './full-world.ts';
import { contactId, deleteThem, fill, liveIds, orderRecovery, pay, runJobs, takeSnapshot, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { rootFields } from './walk.ts';

const people = ['Super admin', 'Admin', 'Staff', 'Viewer', 'Operator', 'signed out'] as const;
type Person = (typeof people)[number];

/** Super admin, Admin, Staff and Viewer work for an organization; the operator works for the company that runs Reinstate. */
const matrix = `
                                   Super admin   Admin   Staff   Viewer   Operator   signed out
  Query.viewer                         yes        yes     yes     yes       yes          no
  Query.permissionCatalogue            yes        yes     yes     yes       yes          no
  Query.fieldGroupCatalogue            yes        yes     yes     yes       yes          no
  Query.node                           yes        yes     yes     yes       yes          no
  Query.contact                        yes        yes     yes     yes       no           no
  Query.contacts                       yes        yes     yes     yes       no           no
  Query.membershipPlans                yes        yes     yes     yes       no           no
  Query.tags                           yes        yes     yes     yes       no           no
  Query.customFieldDefinitions         yes        yes     yes     yes       no           no
  Query.contactDeletionPreview         yes        yes     no      no        no           no
  Query.contactErasurePreview          yes        yes     no      no        no           no
  Query.deletion                       yes        yes     no      no        no           no
  Query.deletions                      yes        yes     no      no        no           no
  Query.erasure                        yes        yes     no      no        no           no
  Query.erasures                       yes        yes     no      no        no           no
  Query.recoveryPlan                   yes        yes     no      no        no           no
  Query.recoveryRequest                yes        yes     no      no        no           no
  Query.recoveryRequests               yes        yes     no      no        no           no
  Query.contactExport                  yes        yes     no      no        no           no
  Query.contactExports                 yes        yes     no      no        no           no
  Query.restoreDrills                  yes        yes     no      no        no           no
  Query.snapshot                       yes        yes     no      no        no           no
  Query.snapshots                      yes        yes     no      no        no           no
  Query.compareSnapshot                yes        yes     no      no        no           no
  Query.job                            yes        yes     yes     no        no           no
  Query.jobs                           yes        yes     yes     no        no           no
  Query.actionLog                      yes        yes     no      no        no           no
  Query.verifyActionLog                yes        yes     no      no        no           no
  Query.apiKey                         yes        yes     no      no        no           no
  Query.apiKeys                        yes        yes     no      no        no           no
  Query.role                           yes        yes     no      no        no           no
  Query.roles                          yes        yes     no      no        no           no
  Query.staffMember                    yes        yes     no      no        no           no
  Query.staffMembers                   yes        yes     no      no        no           no
  Query.webhookEndpoint                yes        yes     no      no        no           no
  Query.webhookEndpoints               yes        yes     no      no        no           no
  Query.upload                         yes        yes     yes     no        no           no
  Query.import                         yes        yes     yes     no        no           no
  Query.imports                        yes        yes     yes     no        no           no
  Query.importTemplates                yes        yes     yes     no        no           no
  Query.sessions                       yes        yes     yes     yes       yes          no
  Query.invitation                     yes        yes     no      no        no           no
  Query.invitations                    yes        yes     no      no        no           no
  Query.identityProviders              yes        yes     no      no        no           no
  Query.organizations                  no         no      no      no        yes          no
  Query.openInvoices                   no         no      no      no        yes          no
  Mutation.signIn                      yes        yes     yes     yes       yes          yes
  Mutation.completeSignIn              yes        yes     yes     yes       yes          yes
  Mutation.startProviderSignIn         yes        yes     yes     yes       yes          yes
  Mutation.completeProviderSignIn      yes        yes     yes     yes       yes          yes
  Mutation.refreshSession              yes        yes     yes     yes       yes          yes
  Mutation.requestPasswordReset        yes        yes     yes     yes       yes          yes
  Mutation.resetPassword               yes        yes     yes     yes       yes          yes
  Mutation.acceptInvitation            yes        yes     yes     yes       yes          yes
  Mutation.endSessions                 yes        yes     yes     yes       yes          no
  Mutation.proveIdentity               yes        yes     yes     yes       yes          no
  Mutation.changePassword              yes        yes     yes     yes       yes          no
  Mutation.beginSecondFactor           yes        yes     yes     yes       yes          no
  Mutation.confirmSecondFactor         yes        yes     yes     yes       yes          no
  Mutation.removeSecondFactor          yes        yes     yes     yes       yes          no
  Mutation.renewRecoveryCodes          yes        yes     yes     yes       yes          no
  Mutation.createContact               yes        yes     yes     no        no           no
  Mutation.createContacts              yes        yes     yes     no        no           no
  Mutation.updateContact               yes        yes     yes     no        no           no
  Mutation.addNote                     yes        yes     yes     no        no           no
  Mutation.addActivity                 yes        yes     yes     no        no           no
  Mutation.addMembership               yes        yes     yes     no        no           no
  Mutation.tagContacts                 yes        yes     yes     no        no           no
  Mutation.untagContacts               yes        yes     yes     no        no           no
  Mutation.addPayment                  yes        yes     yes     no        no           no
  Mutation.addCharge                   yes        yes     yes     no        no           no
  Mutation.deleteContacts              yes        yes     no      no        no           no
  Mutation.eraseContacts               yes        yes     no      no        no           no
  Mutation.createUpload                yes        yes     yes     no        no           no
  Mutation.startImport                 yes        yes     yes     no        no           no
  Mutation.changeImport                yes        yes     yes     no        no           no
  Mutation.applyImport                 yes        yes     yes     no        no           no
  Mutation.undoImport                  yes        yes     no      no        no           no
  Mutation.discardImport               yes        yes     yes     no        no           no
  Mutation.createImportFileLink        yes        yes     yes     no        no           no
  Mutation.saveImportTemplate          yes        yes     yes     no        no           no
  Mutation.deleteImportTemplate        yes        yes     yes     no        no           no
  Mutation.takeSnapshot                yes        yes     no      no        no           no
  Mutation.exportContacts              yes        yes     no      no        no           no
  Mutation.createContactExportLink     yes        yes     no      no        no           no
  Mutation.exportContact               yes        yes     no      no        no           no
  Mutation.exportActionLog             yes        yes     no      no        no           no
  Mutation.requestRecovery             yes        no      no      no        no           no
  Mutation.cancelRecovery              yes        no      no      no        no           no
  Mutation.undoRecovery                yes        no      no      no        no           no
  Mutation.createApiKey                yes        yes     no      no        no           no
  Mutation.revokeApiKey                yes        yes     no      no        no           no
  Mutation.createRole                  yes        yes     no      no        no           no
  Mutation.copyRole                    yes        yes     no      no        no           no
  Mutation.updateRole                  yes        yes     no      no        no           no
  Mutation.deleteRole                  yes        yes     no      no        no           no
  Mutation.assignRoles                 yes        yes     no      no        no           no
  Mutation.suspendStaffMember          yes        yes     no      no        no           no
  Mutation.reinstateStaffMember        yes        yes     no      no        no           no
  Mutation.inviteStaffMember           yes        yes     no      no        no           no
  Mutation.revokeInvitation            yes        yes     no      no        no           no
  Mutation.createIdentityProvider      yes        yes     no      no        no           no
  Mutation.deleteIdentityProvider      yes        yes     no      no        no           no
  Mutation.createWebhookEndpoint       yes        yes     no      no        no           no
  Mutation.deleteWebhookEndpoint       yes        yes     no      no        no           no
  Mutation.sendTestEvent               yes        yes     no      no        no           no
  Mutation.confirmPayment              no         no      no      no        yes          no
  Mutation.approveRecovery             no         no      no      no        yes          no
  Subscription.jobProgress             yes        yes     yes     no        no           no
  Subscription.importProgress          yes        yes     yes     no        no           no
  Subscription.organizationJobs        yes        yes     yes     no        no           no
  Subscription.recoveryProgress        yes        yes     no      no        no           no
  Subscription.actionLogAdded          yes        yes     no      no        no           no
`;

const cells = new Map<string, Record<Person, string>>();
for (const line of matrix.trim().split('\n').slice(1)) {
  const [field, ...answers] = line.trim().split(/ +/);
  cells.set(field!, Object.fromEntries(people.map((person, index) => [person, answers[index]!])) as Record<Person, string>);
}

/** What some requests are about: a deletion of two contacts, for which a recovery is ordered. */
interface Scene {
  deletion: string;
  recovery: string;
  invoice: string;
  job: string;
}

async function setScene(world: World): Promise<Scene> {
  await fill(world, 8);
  const [first, second, third] = (await liveIds(world)).map(contactId);
  const { deletion } = await deleteThem(world, { contactIds: [first!, second!] });
  await deleteThem(world, { contactIds: [third!] });
  await runJobs(world);
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  const { rows } = await world.owner.query<{ id: string }>('select id from job');
  return { deletion: deletion!.id, recovery: recoveryRequest!.id, invoice: recoveryRequest!.invoice.id, job: encodeId('Job', rows[0]!.id) };
}

/** "yes" for whoever got past the rules: what is refused or not found behind them is another matter. */
const answerTo = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'yes',
    ({ code }: ReinstateError) => (code === 'NOT_FOUND' ? 'yes' : code),
  );

const clientOf = (world: World, person: Person): Client | Promise<Client> => (person === 'signed out' ? world.client() : world.as(person));

/** Asks everyone for every field whose cell says so. @returns the answers, by field and person */
async function ask(world: World, asks: Record<string, readonly Given[]>, cell: 'yes' | 'no'): Promise<{ given: object; expected: object }> {
  const clients = Object.fromEntries(await Promise.all(people.map(async (person) => [person, await clientOf(world, person)] as const))) as Record<
    Person,
    Client
  >;
  const [given, expected] = [{}, {}] as [Record<string, string>, Record<string, string>];
  for (const [field, answers] of cells)
    for (const person of people.filter((someone) => answers[someone] === cell)) {
      given[`${field} · ${person}`] = await answerTo(askFor(clients[person], field, asks[field]![0]!));
      expected[`${field} · ${person}`] = cell === 'yes' ? 'yes' : person === 'signed out' ? 'UNAUTHENTICATED' : 'FORBIDDEN';
    }
  return { given, expected };
}

/** Two contacts are a large deletion, which has a job. */
const settings = { DELETE_AT_ONCE: '1' };

describe('the matrix', () => {
  it('has a line for every root field of the contract, and a yes or a no for everyone', () => {
    const fields = [...rootFields.keys()].toSorted();
    expect([...cells.keys()].toSorted()).toEqual(fields);
    expect(Object.keys(everyField({} as FullScene)).toSorted()).toEqual(fields);
    expect([...takes.keys()].toSorted()).toEqual(fields);
    expect(namesTaken.filter((name) => !fields.some((field) => field.endsWith(`.${name}`)))).toEqual([]);
    for (const answers of cells.values()) expect(Object.values(answers).every((answer) => answer === 'yes' || answer === 'no')).toBe(true);
  });

  it('holds: whoever may not is refused, nothing changes and the attempt is logged; whoever may gets past the rule', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    const [before, asks] = [await rowsOf(world), everyField(mine)];
    const refused = await ask(world, asks, 'no');
    expect(refused.given).toEqual(refused.expected);
    expect(await rowsOf(world)).toEqual(before);
    expect(await refusals(world)).toEqual(expectedRefusals());
    const allowed = await ask(world, asks, 'yes');
    expect(allowed.given).toEqual(allowed.expected);
  });
});

/** Who was refused which field, as the log has it; the deletion's own preview is asked for on the way. */
async function refusals(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ line: string }>(
    `select distinct actor_name || ' ' || action || ' ' || code as line from action_log where outcome = 'REFUSED' and action <> 'upload.refused' order by 1`,
  );
  return rows.map(({ line }) => line).toSorted();
}

/** Operators belong to no organization, and neither do the signed out: the log of an organization has nothing of them. */
function expectedRefusals(): string[] {
  const staff = people.filter((person) => person !== 'Operator' && person !== 'signed out');
  return [...cells]
    .flatMap(([field, answers]) =>
      staff.filter((person) => answers[person] === 'no').map((person) => `${person} of Riverside Club ${field.split('.')[1]} FORBIDDEN`),
    )
    .toSorted();
}

/** What an answer left out, as "path: code". */
async function leftOut(world: World, token: string, query: string, variables: object = {}): Promise<string[]> {
  const { errors } = await post(world, token, query, variables);
  return errors.map(({ path, code }) => `${path}: ${code}`);
}

describe('a recovery', () => {
  it('on the FREE plan is refused for want of the permission first, and of the plan then', async () => {
    await using world = await createWorld();
    await fill(world, 1, 'Hilltop Society');
    const { deletion } = await deleteThem(world, { filter: {} }, 'Hilltop Society');
    const order = async (role: 'Super admin' | 'Admin' | 'Viewer') =>
      answerTo(
        (await world.as(role, 'Hilltop Society')).request(sdk.RequestRecoveryDocument, {
          input: { ...whole(deletion!.id), planHash: 'none', idempotencyKey: 'matrix-key' },
        }),
      );
    expect([await order('Viewer'), await order('Admin'), await order('Super admin')]).toEqual(['FORBIDDEN', 'FORBIDDEN', 'PLAN_REQUIRED']);
  });
});

describe('a confirmation', () => {
  it('is worth nothing once its holder has lost the permission', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const admin = await world.as('Super admin');
    const { contactDeletionPreview } = await admin.request(sdk.ContactDeletionPreviewDocument, { input: { filter: {} } });
    await world.owner.query(`update role set permissions = array_remove(permissions, 'contacts:delete')`);
    const input = { filter: {}, confirmation: contactDeletionPreview.confirmation!, reason: 'Matrix' };
    expect(await answerTo(admin.request(sdk.DeleteContactsDocument, { input }))).toBe('FORBIDDEN');
    expect(await liveIds(world)).toHaveLength(2);
  });
});

describe('what hangs on a root field gives no more than the root field of its kind', () => {
  const money = `payments(first: 1) { nodes { id } }|ledgerEntries(first: 1) { nodes { id } }|balances { amountMinor }|balance { amountMinor }`.split('|');

  it('a contact’s money, on every way to the contact', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [id] = (await liveIds(world)).map(contactId);
    const { token } = await hire(world, 'contacts:read', 'contacts:create', 'contacts:update');
    const ways = (field: string) => [
      `{ contact(id: "${id}") { ${field} } }`,
      `{ contacts(first: 1) { nodes { ${field} } } }`,
      `{ contacts(first: 1) { edges { node { ${field} } } } }`,
      `{ node(id: "${id}") { ... on Contact { ${field} } } }`,
      `mutation { createContact(input: { firstName: "New" }) { contact { ${field} } } }`,
      `mutation { updateContact(input: { id: "${id}", version: 1 }) { contact { ${field} } } }`,
      `mutation { tagContacts(input: { contactIds: ["${id}"], tags: [] }) { contacts { ${field} } } }`,
      `mutation { untagContacts(input: { contactIds: ["${id}"], tags: [] }) { contacts { ${field} } } }`,
    ];
    for (const field of money)
      for (const way of ways(field)) {
        const { errors, text } = await post(world, token, way);
        expect([way, errors.map(({ code }) => code), /amountMinor":|"nodes":\[\{"id/.test(text)]).toEqual([way, ['FORBIDDEN'], false]);
        expect((await post(world, await world.token('Staff'), way)).errors).toEqual([]);
      }
  });

  it('who owes money, when contacts are filtered by it', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const query = 'query ($balance: BalanceState) { contacts(filter: { balance: $balance }) { totalCount { count } } }';
    for (const balance of ['OWING', 'SETTLED', 'IN_CREDIT']) {
      expect(await leftOut(world, await world.token('Viewer'), query, { balance })).toEqual(['contacts: FORBIDDEN']);
      expect(await leftOut(world, await world.token('Staff'), query, { balance })).toEqual([]);
    }
    expect(await leftOut(world, await world.token('Viewer'), query, { balance: null })).toEqual([]);
  });

  it('the deletion and the job of a recovery', async () => {
    await using world = await createWorld({ settings });
    const { recovery, invoice, deletion, job } = await setScene(world);
    await pay(world, invoice);
    await runJobs(world);
    const fields = 'state conflicts { nodes { contactId } } invoice { number } deletion { reason contacts { nodes { id } } job { phase } } job { phase }';
    const ways = [
      [`{ recoveryRequest(id: "${recovery}") { ${fields} } }`, 'recoveryRequest'],
      [`{ recoveryRequests { nodes { ${fields} } } }`, 'recoveryRequests.nodes.0'],
      [`{ node(id: "${recovery}") { ... on RecoveryRequest { ${fields} } } }`, 'node'],
    ] as const;
    const [reader, deletions, jobs] = [
      await hire(world, 'recovery:read'),
      await hire(world, 'recovery:read', 'deletions:read'),
      await hire(world, 'recovery:read', 'jobs:read'),
    ];
    for (const [query, path] of ways) {
      expect(await leftOut(world, reader.token, query)).toEqual([`${path}.deletion: FORBIDDEN`, `${path}.job: FORBIDDEN`]);
      expect((await leftOut(world, deletions.token, query)).toSorted()).toEqual([`${path}.deletion.job: FORBIDDEN`, `${path}.job: FORBIDDEN`]);
      expect(await leftOut(world, jobs.token, query)).toEqual([`${path}.deletion: FORBIDDEN`]);
      expect(await leftOut(world, await world.token('Admin'), query)).toEqual([]);
      expect(JSON.stringify((await post(world, reader.token, query)).data)).toContain('"state":"COMPLETED"');
    }
    const subscription = parse(`subscription { recoveryProgress(id: "${recovery}") { job { phase } } }`);
    expect(await answerTo(reader.client.subscribe(subscription, {}).next())).toBe('FORBIDDEN');
    expect(await leftOut(world, reader.token, `{ job(id: "${job}") { phase } }`)).toEqual(['job: FORBIDDEN']);
    expect(await leftOut(world, reader.token, `{ deletion(id: "${deletion}") { id } }`)).toEqual(['deletion: FORBIDDEN']);
    expect(await leftOut(world, (await hire(world, 'deletions:read')).token, `{ deletion(id: "${deletion}") { reason job { phase } } }`)).toEqual([
      'deletion.job: FORBIDDEN',
    ]);
  });

  it('the contacts of an entry of the action log, which are part of it', async () => {
    await using world = await createWorld({ settings });
    await setScene(world);
    const { token } = await hire(world, 'log:read');
    const { data, errors } = await post(world, token, '{ actionLog(filter: { action: "contacts.deleted" }) { nodes { contacts { nodes { id } } } } }');
    expect(errors).toEqual([]);
    expect(JSON.stringify(data).match(/"id"/g)).toHaveLength(3);
  });

  it('a contact that someone changes who may not see it', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const [id] = (await liveIds(world)).map(contactId);
    const { token } = await hire(world, 'contacts:update');
    const blind = [
      [`mutation { updateContact(input: { id: "${id}", version: 1, city: "Porto" }) { contact { id } userErrors { code } } }`, 'updateContact.contact'],
      [
        `mutation { tagContacts(input: { contactIds: ["${id}"], tags: ["seen"] }) { contacts { id notes { nodes { body } } } userErrors { code } } }`,
        'tagContacts.contacts',
      ],
      [`mutation { untagContacts(input: { contactIds: ["${id}"], tags: ["none"] }) { contacts { name } userErrors { code } } }`, 'untagContacts.contacts'],
    ] as const;
    for (const [query, path] of blind) {
      const { errors, data } = await post(world, token, query);
      expect(errors).toEqual([{ path, code: 'FORBIDDEN', message: expect.stringMatching(/contacts:read .*It was left out; all else .* was done/) as string }]);
      expect(Object.values(data!)).toEqual([{ [path.split('.')[1]!]: null, userErrors: [] }]);
    }
    const { rows } = await world.owner.query(
      `select c.city, t.name from contact c join contact_tag l on l.contact_id = c.id join tag t on t.id = l.tag_id where t.name = 'seen'`,
    );
    expect(rows).toEqual([{ city: 'Porto', name: 'seen' }]);
  });

  it('the money in what has changed since a snapshot, and what contacts are', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const snapshot = await takeSnapshot(world);
    await world.owner.query(`update payment set amount_minor = amount_minor + 1`);
    await world.owner.query(`update note set body = 'Changed' where id = (select min(id::text)::uuid from note)`);
    const query = `{ compareSnapshot(input: { snapshotId: "${snapshot}" }) { nodes { kind changes { entity field } } totals { changed } } }`;
    const blind = await hire(world, 'snapshots:read', 'contacts:read');
    const { data, errors } = await post(world, blind.token, query);
    expect(errors.map(({ path, code }) => `${path}: ${code}`)).toEqual(['compareSnapshot.totals: FORBIDDEN']);
    expect(data).toEqual({ compareSnapshot: { nodes: [{ kind: 'CHANGED', changes: [{ entity: 'Note', field: 'body' }] }], totals: null } });
    expect((await post(world, await world.token('Admin'), query)).data).toMatchObject({ compareSnapshot: { nodes: [{}, {}, {}], totals: { changed: 3 } } });
    const { token } = await hire(world, 'snapshots:read');
    expect(await leftOut(world, token, query)).toEqual(['compareSnapshot: FORBIDDEN']);
  });

  it('and whoever deletes or orders sees what they have done, its job included', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 2);
    const { client } = await hire(world, 'contacts:delete', 'payments:read');
    const { contactDeletionPreview } = await client.request(sdk.ContactDeletionPreviewDocument, { input: { filter: {} } });
    const { deleteContacts } = await client.request(sdk.DeleteContactsDocument, {
      input: { filter: {}, confirmation: contactDeletionPreview.confirmation!, reason: 'Matrix' },
    });
    expect(deleteContacts).toMatchObject({ deletion: { contactCount: 2, job: { state: 'QUEUED' } }, userErrors: [] });
    await runJobs(world);
    const buyer = await hire(world, 'recovery:read', 'recovery:request', 'payments:read');
    const { recoveryPlan } = await buyer.client.request(sdk.RecoveryPlanDocument, { input: whole(deleteContacts.deletion!.id) });
    const input = { ...whole(deleteContacts.deletion!.id), planHash: recoveryPlan.hash, idempotencyKey: 'matrix-key' };
    const { requestRecovery } = await buyer.client.request(sdk.RequestRecoveryDocument, { input });
    expect(requestRecovery.recoveryRequest).toMatchObject({ state: 'AWAITING_PAYMENT', invoice: { state: 'OPEN' } });
    const query = 'mutation ($input: RequestRecoveryInput!) { requestRecovery(input: $input) { recoveryRequest { state job { id } deletion { reason } } } }';
    expect(await leftOut(world, buyer.token, query, { input })).toEqual(['requestRecovery.recoveryRequest.deletion: FORBIDDEN']);
  });
});
