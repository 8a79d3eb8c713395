// Who may do what: every root field for every built-in role, written by hand from what the roles are for, and never derived
// from the rules in the code. Then what hangs on the root fields, which must not give more than they do.
import { readFileSync } from 'node:fs';
import { buildSchema, parse, type GraphQLObjectType } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { Client, Document, ReinstateError } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { decodeId, encodeId } from '../src/schema/common.ts';
import { hire, makeKey } from './custom-roles.ts';
import { eraseThem } from './erasing.ts';
import { contactId, deleteThem, everything, fill, liveIds, orderRecovery, pay, registerEndpoint, runJobs, takeSnapshot, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { password } from './people.ts';
import { post } from './asking.ts';

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
  Query.organizations                  no         no      no      no        yes          no
  Query.openInvoices                   no         no      no      no        yes          no
  Mutation.signIn                      yes        yes     yes     yes       yes          yes
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
  Mutation.takeSnapshot                yes        yes     no      no        no           no
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
  Mutation.createWebhookEndpoint       yes        yes     no      no        no           no
  Mutation.deleteWebhookEndpoint       yes        yes     no      no        no           no
  Mutation.sendTestEvent               yes        yes     no      no        no           no
  Mutation.confirmPayment              no         no      no      no        yes          no
  Mutation.approveRecovery             no         no      no      no        yes          no
  Subscription.jobProgress             yes        yes     yes     no        no           no
  Subscription.organizationJobs        yes        yes     yes     no        no           no
  Subscription.recoveryProgress        yes        yes     no      no        no           no
`;

const cells = new Map<string, Record<Person, string>>();
for (const line of matrix.trim().split('\n').slice(1)) {
  const [field, ...answers] = line.trim().split(/ +/);
  cells.set(field!, Object.fromEntries(people.map((person, index) => [person, answers[index]!])) as Record<Person, string>);
}

/** What the requests are about: real records of Riverside Club. */
interface Scene {
  organization: string;
  contact: string;
  plan: string;
  /** Two deletions: of the first a recovery is ordered, of the second not. */
  deletion: string;
  otherDeletion: string;
  recovery: string;
  invoice: string;
  job: string;
  erasure: string;
  snapshot: string;
  endpoint: string;
  /** Someone with a custom role, which one permission is in. */
  member: string;
  role: string;
  key: string;
}

async function setScene(world: World): Promise<Scene> {
  await fill(world, 8);
  const [first, second, third, fourth, fifth] = (await liveIds(world)).map(contactId);
  const { deletion } = await deleteThem(world, { contactIds: [first!, second!] });
  const { deletion: otherDeletion } = await deleteThem(world, { contactIds: [third!] });
  await runJobs(world);
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  const { erasure } = await eraseThem(world, [decodeId('Contact', fifth!)]);
  const snapshot = await takeSnapshot(world);
  const endpoint = await registerEndpoint(world);
  await hire(world, 'contacts:read');
  const { rows } = await world.owner.query<{ job: string; plan: string; member: string; role: string }>(
    `select (select id from job limit 1) as job, (select id from membership_plan limit 1) as plan, staff_member_id as member, role_id as role
     from staff_member_role join role on role.id = role_id where not built_in`,
  );
  return {
    organization: encodeId('Organization', world.organizationId()),
    contact: fourth!,
    plan: encodeId('MembershipPlan', rows[0]!.plan),
    deletion: deletion!.id,
    otherDeletion: otherDeletion!.id,
    recovery: recoveryRequest!.id,
    invoice: recoveryRequest!.invoice.id,
    job: encodeId('Job', rows[0]!.job),
    erasure: erasure!.id,
    snapshot,
    endpoint,
    member: encodeId('StaffMember', rows[0]!.member),
    role: encodeId('Role', rows[0]!.role),
    key: (await makeKey(world, 'contacts:read')).id,
  };
}

/** A request, or the first event of a subscription. */
type Ask = (client: Client) => Promise<unknown>;

const asked =
  <Result, Variables>(document: Document<Result, Variables>, variables: Variables): Ask =>
  (client) =>
    client.request(document as Document<Result, object>, variables as object);
const watched =
  <Result, Variables>(document: Document<Result, Variables>, variables: Variables): Ask =>
  (client) =>
    client.subscribe(document as Document<Result, object>, variables as object).next();

/** What is asked of each root field: with the documents that users get, about records that are there. */
const asks = ({
  organization,
  contact,
  plan,
  deletion,
  otherDeletion,
  recovery,
  invoice,
  job,
  erasure,
  snapshot,
  endpoint,
  member,
  role,
  key,
}: Scene): Record<string, Ask> => ({
  'Query.viewer': asked(sdk.ViewerDocument, {}),
  'Query.permissionCatalogue': asked(sdk.PermissionCatalogueDocument, {}),
  'Query.fieldGroupCatalogue': asked(sdk.FieldGroupCatalogueDocument, {}),
  'Query.node': asked(parse('query ($id: ID!) { node(id: $id) { id } }'), { id: organization }),
  'Query.contact': asked(sdk.ContactDocument, { id: contact }),
  'Query.contacts': asked(sdk.ContactsDocument, { search: 'a', withTotal: true }),
  'Query.membershipPlans': asked(sdk.MembershipPlansDocument, {}),
  'Query.tags': asked(sdk.TagsDocument, {}),
  'Query.customFieldDefinitions': asked(sdk.CustomFieldDefinitionsDocument, {}),
  'Query.contactDeletionPreview': asked(sdk.ContactDeletionPreviewDocument, { input: { contactIds: [contact] } }),
  'Query.contactErasurePreview': asked(sdk.ContactErasurePreviewDocument, { input: { contactIds: [contact] } }),
  'Query.deletion': asked(sdk.DeletionDocument, { id: deletion }),
  'Query.deletions': asked(sdk.DeletionsDocument, {}),
  'Query.erasure': asked(sdk.ErasureDocument, { id: erasure }),
  'Query.erasures': asked(sdk.ErasuresDocument, {}),
  'Query.recoveryPlan': asked(sdk.RecoveryPlanDocument, { input: whole(deletion) }),
  'Query.recoveryRequest': asked(sdk.RecoveryRequestDocument, { id: recovery }),
  'Query.recoveryRequests': asked(sdk.RecoveryRequestsDocument, { deletionId: deletion }),
  'Query.restoreDrills': asked(sdk.RestoreDrillsDocument, {}),
  'Query.snapshot': asked(sdk.SnapshotDocument, { id: snapshot }),
  'Query.snapshots': asked(sdk.SnapshotsDocument, {}),
  'Query.compareSnapshot': asked(sdk.CompareSnapshotDocument, { input: { snapshotId: snapshot } }),
  'Query.job': asked(sdk.JobDocument, { id: job }),
  'Query.jobs': asked(sdk.JobsDocument, {}),
  'Query.actionLog': asked(sdk.ActionLogDocument, {}),
  'Query.verifyActionLog': asked(sdk.VerifyActionLogDocument, { since: null }),
  'Query.apiKey': asked(sdk.ApiKeyDocument, { id: key }),
  'Query.apiKeys': asked(sdk.ApiKeysDocument, {}),
  'Query.role': asked(sdk.RoleDocument, { id: role }),
  'Query.roles': asked(sdk.RolesDocument, {}),
  'Query.staffMember': asked(sdk.StaffMemberDocument, { id: member }),
  'Query.staffMembers': asked(sdk.StaffMembersDocument, {}),
  'Query.webhookEndpoint': asked(sdk.WebhookEndpointDocument, { id: endpoint }),
  'Query.webhookEndpoints': asked(sdk.WebhookEndpointsDocument, {}),
  'Query.organizations': asked(sdk.OrganizationsDocument, { first: 10 }),
  'Query.openInvoices': asked(sdk.OpenInvoicesDocument, { organizationId: organization }),
  'Mutation.signIn': asked(sdk.SignInDocument, { input: { email: 'nobody@riverside.example', password } }),
  'Mutation.createContact': asked(sdk.CreateContactDocument, { input: { firstName: 'New', tags: ['matrix'] } }),
  'Mutation.createContacts': asked(sdk.CreateContactsDocument, { input: { contacts: [{ firstName: 'New' }] } }),
  'Mutation.updateContact': asked(sdk.UpdateContactDocument, { input: { id: contact, version: 1, city: 'Porto' } }),
  'Mutation.addNote': asked(sdk.AddNoteDocument, { input: { contactId: contact, body: 'Hello' } }),
  'Mutation.addActivity': asked(sdk.AddActivityDocument, { input: { contactId: contact, kind: 'CALL', subject: 'Hello' } }),
  'Mutation.addMembership': asked(sdk.AddMembershipDocument, { input: { contactId: contact, planId: plan, startsOn: '2024-01-01' } }),
  'Mutation.tagContacts': asked(sdk.TagContactsDocument, { input: { contactIds: [contact], tags: ['matrix'] } }),
  'Mutation.untagContacts': asked(sdk.UntagContactsDocument, { input: { contactIds: [contact], tags: ['newsletter'] } }),
  'Mutation.addPayment': asked(sdk.AddPaymentDocument, { input: { contactId: contact, amountMinor: 100, method: 'CASH' } }),
  'Mutation.addCharge': asked(sdk.AddChargeDocument, { input: { contactId: contact, amountMinor: 100, description: 'Fee' } }),
  'Mutation.deleteContacts': async (client) => {
    // A confirmation of one's own where there is one to be had.
    const preview = await client.request(sdk.ContactDeletionPreviewDocument, { input: { contactIds: [contact] } }).catch(() => null);
    const confirmation = preview?.contactDeletionPreview.confirmation ?? 'none';
    return client.request(sdk.DeleteContactsDocument, { input: { contactIds: [contact], confirmation, reason: 'Matrix' } });
  },
  'Mutation.eraseContacts': async (client) => {
    const preview = await client.request(sdk.ContactErasurePreviewDocument, { input: { contactIds: [contact] } }).catch(() => null);
    const confirmation = preview?.contactErasurePreview.confirmation ?? 'none';
    return client.request(sdk.EraseContactsDocument, { input: { contactIds: [contact], confirmation, legalGround: 'OBJECTION', reason: 'Matrix' } });
  },
  'Mutation.takeSnapshot': asked(sdk.TakeSnapshotDocument, { input: { label: 'Matrix' } }),
  'Mutation.exportActionLog': asked(sdk.ExportActionLogDocument, { input: { format: 'CSV' } }),
  'Mutation.requestRecovery': async (client) => {
    const plan = await client.request(sdk.RecoveryPlanDocument, { input: whole(otherDeletion) }).catch(() => null);
    const planHash = plan?.recoveryPlan.hash ?? 'none';
    return client.request(sdk.RequestRecoveryDocument, { input: { ...whole(otherDeletion), planHash, idempotencyKey: 'matrix-key' } });
  },
  'Mutation.cancelRecovery': asked(sdk.CancelRecoveryDocument, { input: { id: recovery } }),
  'Mutation.undoRecovery': asked(sdk.UndoRecoveryDocument, { input: { id: recovery } }),
  'Mutation.createApiKey': asked(sdk.CreateApiKeyDocument, { input: { name: 'Matrix', permissions: [] } }),
  'Mutation.revokeApiKey': asked(sdk.RevokeApiKeyDocument, { input: { id: key } }),
  'Mutation.createRole': asked(sdk.CreateRoleDocument, { input: { name: 'Matrix', description: 'x', permissions: [] } }),
  'Mutation.copyRole': asked(sdk.CopyRoleDocument, { input: { id: role, name: 'Matrix' } }),
  'Mutation.updateRole': asked(sdk.UpdateRoleDocument, { input: { id: role, name: 'Matrix' } }),
  'Mutation.deleteRole': asked(sdk.DeleteRoleDocument, { input: { id: role } }),
  'Mutation.assignRoles': asked(sdk.AssignRolesDocument, { input: { staffMemberId: member, roleIds: [] } }),
  'Mutation.suspendStaffMember': asked(sdk.SuspendStaffMemberDocument, { input: { staffMemberId: member } }),
  'Mutation.reinstateStaffMember': asked(sdk.ReinstateStaffMemberDocument, { input: { staffMemberId: member } }),
  'Mutation.createWebhookEndpoint': asked(sdk.CreateWebhookEndpointDocument, { input: { url: 'https://hooks.example/matrix' } }),
  'Mutation.deleteWebhookEndpoint': asked(sdk.DeleteWebhookEndpointDocument, { input: { id: endpoint } }),
  'Mutation.sendTestEvent': asked(sdk.SendTestEventDocument, { input: { endpointId: endpoint } }),
  'Mutation.confirmPayment': asked(sdk.ConfirmPaymentDocument, {
    input: { organizationId: organization, invoiceId: invoice, reference: 'Matrix' },
  }),
  'Mutation.approveRecovery': asked(sdk.ApproveRecoveryDocument, { input: { organizationId: organization, id: recovery } }),
  'Subscription.jobProgress': watched(sdk.JobProgressDocument, { id: job }),
  'Subscription.organizationJobs': watched(sdk.OrganizationJobsDocument, {}),
  'Subscription.recoveryProgress': watched(sdk.RecoveryProgressDocument, { id: recovery }),
});

/** What has been done, beyond the contacts. */
async function records(world: World): Promise<unknown> {
  const tables = [
    'deletion',
    'organization_snapshot',
    'snapshot_part',
    'snapshot_chunk',
    'erasure',
    'erasure_ledger',
    'recovery_request',
    'invoice',
    'job',
    'tag',
    'api_key',
    'role',
    'staff_member',
    'staff_member_role',
    'webhook_endpoint',
    'webhook_delivery',
    'graphile_worker._private_jobs',
  ];
  const kept: Record<string, unknown> = { contacts: await everything(world) };
  for (const table of tables) kept[table] = (await world.owner.query(`select to_jsonb(t) as row from ${table} t order by 1`)).rows;
  return kept;
}

/** "yes" for whoever got past the rules: what is refused or not found behind them is another matter. */
const answerTo = (asking: Promise<unknown>): Promise<string> =>
  asking.then(
    () => 'yes',
    ({ code }: ReinstateError) => (code === 'NOT_FOUND' ? 'yes' : code),
  );

const clientOf = (world: World, person: Person): Client | Promise<Client> => (person === 'signed out' ? world.client() : world.as(person));

/** Asks everyone for every field whose cell says so. @returns the answers, by field and person */
async function ask(world: World, scene: Scene, cell: 'yes' | 'no'): Promise<{ given: object; expected: object }> {
  const clients = Object.fromEntries(await Promise.all(people.map(async (person) => [person, await clientOf(world, person)] as const))) as Record<
    Person,
    Client
  >;
  const [given, expected] = [{}, {}] as [Record<string, string>, Record<string, string>];
  for (const [field, answers] of cells)
    for (const person of people.filter((someone) => answers[someone] === cell)) {
      given[`${field} · ${person}`] = await answerTo(asks(scene)[field]!(clients[person]));
      expected[`${field} · ${person}`] = cell === 'yes' ? 'yes' : person === 'signed out' ? 'UNAUTHENTICATED' : 'FORBIDDEN';
    }
  return { given, expected };
}

/** Two contacts are a large deletion, which has a job. */
const settings = { DELETE_AT_ONCE: '1' };

describe('the matrix', () => {
  it('has a line for every root field of the contract, and a yes or a no for everyone', () => {
    const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));
    const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()] as GraphQLObjectType[];
    const fields = roots.flatMap((type) => Object.keys(type.getFields()).map((name) => `${type.name}.${name}`));
    expect([...cells.keys()].toSorted()).toEqual(fields.toSorted());
    expect(Object.keys(asks({} as Scene)).toSorted()).toEqual(fields.toSorted());
    for (const answers of cells.values()) expect(Object.values(answers).every((answer) => answer === 'yes' || answer === 'no')).toBe(true);
  });

  it('holds: whoever may not is refused, nothing changes and the attempt is logged; whoever may gets past the rule', async () => {
    await using world = await createWorld({ settings });
    const scene = await setScene(world);
    const before = await records(world);
    const refused = await ask(world, scene, 'no');
    expect(refused.given).toEqual(refused.expected);
    expect(await records(world)).toEqual(before);
    expect(await refusals(world)).toEqual(expectedRefusals());
    const allowed = await ask(world, scene, 'yes');
    expect(allowed.given).toEqual(allowed.expected);
  });
});

/** Who was refused which field, as the log has it; the deletion's own preview is asked for on the way. */
async function refusals(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ line: string }>(
    `select distinct actor_name || ' ' || action || ' ' || code as line from action_log where outcome = 'REFUSED' order by 1`,
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
    const { client } = await hire(world, 'contacts:delete');
    const { contactDeletionPreview } = await client.request(sdk.ContactDeletionPreviewDocument, { input: { filter: {} } });
    const { deleteContacts } = await client.request(sdk.DeleteContactsDocument, {
      input: { filter: {}, confirmation: contactDeletionPreview.confirmation!, reason: 'Matrix' },
    });
    expect(deleteContacts).toMatchObject({ deletion: { contactCount: 2, job: { state: 'QUEUED' } }, userErrors: [] });
    await runJobs(world);
    const buyer = await hire(world, 'recovery:read', 'recovery:request');
    const { recoveryPlan } = await buyer.client.request(sdk.RecoveryPlanDocument, { input: whole(deleteContacts.deletion!.id) });
    const input = { ...whole(deleteContacts.deletion!.id), planHash: recoveryPlan.hash, idempotencyKey: 'matrix-key' };
    const { requestRecovery } = await buyer.client.request(sdk.RequestRecoveryDocument, { input });
    expect(requestRecovery.recoveryRequest).toMatchObject({ state: 'AWAITING_PAYMENT', invoice: { state: 'OPEN' } });
    const query = 'mutation ($input: RequestRecoveryInput!) { requestRecovery(input: $input) { recoveryRequest { state job { id } deletion { reason } } } }';
    expect(await leftOut(world, buyer.token, query, { input })).toEqual(['requestRecovery.recoveryRequest.deletion: FORBIDDEN']);
  });
});
