// Every root field of the contract with what it takes: one table of permissions and one of arguments, for all tests that go
// through all fields. A field that is missing here is named by those tests.
import type { Client, Document, ReinstateError } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import type { Permission } from '../src/permissions/catalogue.ts';
import type { Scene } from './full-world.ts';
import { whole } from './graphs.ts';
import { password } from './people.ts';
import { documentOf, rootFields } from './walk.ts';

/**
 * What each root field takes, all permissions of it. The rules say it too, and are not asked: whoever changes them changes this as well,
 * knowingly. `nobody`: it takes not even to be signed in; `person`: it takes that, and not to be an
 * API key; `anybody`: it takes no more than to be signed in.
 */
const table = `
  nobody                  signIn completeSignIn startProviderSignIn completeProviderSignIn refreshSession
  nobody                  requestPasswordReset resetPassword acceptInvitation
  person                  sessions endSessions proveIdentity changePassword
  person                  beginSecondFactor confirmSecondFactor removeSecondFactor renewRecoveryCodes
  anybody                 viewer permissionCatalogue fieldGroupCatalogue node
  contacts:read           contact contacts membershipPlans tags customFieldDefinitions compareSnapshot
  contacts:read           exportContacts createContactExportLink exportContact
  contacts:export         contactExport contactExports exportContacts createContactExportLink exportContact
  contacts:create         createContact createContacts applyImport
  contacts:update         updateContact addNote addActivity addMembership tagContacts untagContacts
  contacts:delete         contactDeletionPreview deleteContacts undoRecovery undoImport
  contacts:import         upload createUpload
  contacts:import         import imports importTemplates startImport changeImport applyImport undoImport discardImport
  contacts:import         createImportFileLink saveImportTemplate deleteImportTemplate importProgress
  contacts:erase          contactErasurePreview eraseContacts
  payments:read           exportContact
  payments:create         addPayment addCharge
  deletions:read          deletion deletions erasure erasures
  recovery:read           recoveryPlan recoveryRequest recoveryRequests recoveryProgress requestRecovery
  recovery:request        requestRecovery cancelRecovery undoRecovery
  snapshots:read          restoreDrills snapshot snapshots compareSnapshot
  snapshots:take          takeSnapshot
  jobs:read               job jobs jobProgress organizationJobs
  log:read                actionLog verifyActionLog exportActionLog actionLogAdded
  staff:read              role roles staffMember staffMembers invitation invitations
  staff:manage            suspendStaffMember reinstateStaffMember inviteStaffMember revokeInvitation
  roles:manage            createRole copyRole updateRole deleteRole assignRoles inviteStaffMember
  keys:manage             apiKey apiKeys createApiKey revokeApiKey
  identity:manage         identityProviders createIdentityProvider deleteIdentityProvider
  integrations:manage     webhookEndpoint webhookEndpoints createWebhookEndpoint deleteWebhookEndpoint sendTestEvent
  platform:organizations  organizations openInvoices
  platform:payments       confirmPayment
  platform:approvals      approveRecovery
`;

export interface Takes {
  signedIn: boolean;
  person: boolean;
  permissions: Permission[];
}

/** By "Mutation.addNote". What the table does not name is not in it. */
export const takes = new Map<string, Takes>();
const lines = table
  .trim()
  .split('\n')
  .map((line) => line.trim().split(/ +/));
/** Every name in the table, those included that the schema does not have. */
export const namesTaken = lines.flatMap(([, ...names]) => names);
for (const path of rootFields.keys()) {
  const words = lines.filter((line) => line.includes(path.split('.')[1]!)).map(([word]) => word!);
  if (words.length > 0)
    takes.set(path, {
      signedIn: !words.includes('nobody'),
      person: words.includes('person'),
      permissions: words.filter((word) => word.includes(':')) as Permission[],
    });
}

/** Whether it is for operators, who are in no organization. */
export const isForOperators = (path: string): boolean => takes.get(path)!.permissions.some((permission) => permission.startsWith('platform:'));

/** A password that may be chosen. */
const chosen = 'a sentence that nobody knows';

export type Variables = Record<string, unknown>;

/** Variables, or how whoever asks gets at them: a confirmation, a plan. Without the right to those it asks with none. */
export type Given = Variables | ((client: Client) => Promise<Variables>);

/** Without what can't be had. */
const orNone = <T>(asked: Promise<T>, read: (answer: T) => string | null): Promise<string> =>
  asked.then(
    (answer) => read(answer) ?? 'none',
    ({ code }: ReinstateError) => {
      if (code === 'INTERNAL_SERVER_ERROR') throw new Error(code);
      return 'none';
    },
  );

const previewed = documentOf('Query.contactDeletionPreview', '{ confirmation }');
const planned = documentOf('Query.recoveryPlan', '{ hash }');

/** Deletes as whoever asks, with a confirmation of their own where there is one to be had: of the same contacts, if not of others. */
const deletion =
  (target: sdk.ContactDeletionPreviewInput, confirmed = target) =>
  async (client: Client) => {
    const asked = client.request(previewed as Document<sdk.ContactDeletionPreviewQuery, object>, { input: confirmed });
    return { input: { ...target, reason: 'Test', confirmation: await orNone(asked, (answer) => answer.contactDeletionPreview.confirmation) } };
  };

const erasure = (contactIds: string[]) => async (client: Client) => {
  const asked = client.request(sdk.ContactErasurePreviewDocument, { input: { contactIds } });
  return {
    input: { contactIds, legalGround: 'OBJECTION', reason: 'Test', confirmation: await orNone(asked, (answer) => answer.contactErasurePreview.confirmation) },
  };
};

const order = (input: sdk.RecoveryPlanInput) => async (client: Client) => {
  const asked = client.request(planned as Document<sdk.RecoveryPlanQuery, object>, { input });
  return { input: { ...input, idempotencyKey: 'every-field', planHash: await orNone(asked, (answer) => answer.recoveryPlan.hash) } };
};

/**
 * With what each root field is asked, about records that are there. The first of several is what the field is tried with; together they
 * give a value in every place that takes an id, from which the kind of that id is known. In this order each mutation can be done after those
 * before it.
 */
export function everyField(mine: Scene): Record<string, [Given, ...Given[]]> {
  const [contact, id] = [mine.Contact, { id: mine.Contact }];
  const selections: Variables[] = [
    { deletionId: mine.Deletion, contactIds: [mine.deletedContact] },
    { deletedById: mine.StaffMember },
    { snapshotId: mine.Snapshot },
  ];
  const plans = [
    ...selections.map((selection) => ({ selection })),
    { ...whole(mine.Deletion), overrides: [{ contactId: mine.deletedContact, policy: 'SKIP' }] },
  ];
  const membership = { planId: mine.MembershipPlan, startsOn: '2024-01-01' };
  const operated = { organizationId: mine.Organization };
  const scoped = { permissions: ['contacts:read'], scopeTagIds: [mine.Tag] };
  const ofTheOrganization = { staffMemberId: mine.StaffMember };
  const targets = [{ filter: { ids: [contact] } }, { filter: { membershipPlanId: mine.MembershipPlan } }];
  return {
    'Query.viewer': [{}],
    'Query.permissionCatalogue': [{}],
    'Query.fieldGroupCatalogue': [{}],
    'Query.node': [{ id: mine.Organization }],
    'Query.contact': [id],
    'Query.contacts': [{ search: 'a' }, ...targets],
    'Query.membershipPlans': [{}],
    'Query.tags': [{}],
    'Query.customFieldDefinitions': [{}],
    'Query.contactDeletionPreview': [{ input: { contactIds: [contact] } }, ...targets.map((input) => ({ input }))],
    'Query.contactErasurePreview': [{ input: { contactIds: [contact] } }],
    'Query.contactExport': [{ id: mine.ContactExport }],
    'Query.contactExports': [{}],
    'Query.deletion': [{ id: mine.Deletion }],
    'Query.deletions': [{}],
    'Query.erasure': [{ id: mine.Erasure }],
    'Query.erasures': [{}],
    'Query.recoveryPlan': [{ input: whole(mine.Deletion) }, ...plans.map((input) => ({ input }))],
    'Query.recoveryRequest': [{ id: mine.RecoveryRequest }],
    'Query.recoveryRequests': [{}, { deletionId: mine.Deletion }],
    'Query.restoreDrills': [{}],
    'Query.snapshot': [{ id: mine.Snapshot }],
    'Query.snapshots': [{}],
    'Query.compareSnapshot': [{ input: { snapshotId: mine.Snapshot } }],
    'Query.job': [{ id: mine.Job }],
    'Query.jobs': [{}],
    'Query.actionLog': [{}, { filter: { actorId: mine.StaffMember } }, { filter: { targetId: contact } }],
    'Query.verifyActionLog': [{}],
    'Query.sessions': [{}],
    'Query.invitation': [{ id: mine.Invitation }],
    'Query.invitations': [{}],
    'Query.identityProviders': [{}],
    'Query.apiKey': [{ id: mine.ApiKey }],
    'Query.apiKeys': [{}],
    'Query.role': [{ id: mine.Role }],
    'Query.roles': [{}],
    'Query.staffMember': [{ id: mine.StaffMember }],
    'Query.staffMembers': [{}],
    'Query.upload': [{ id: mine.Upload }],
    'Query.import': [{ id: mine.Import }],
    'Query.imports': [{}],
    'Query.importTemplates': [{}],
    'Query.webhookEndpoint': [{ id: mine.WebhookEndpoint }],
    'Query.webhookEndpoints': [{}],
    'Query.organizations': [{}],
    'Query.openInvoices': [operated],
    'Mutation.signIn': [{ input: { email: 'nobody@riverside.example', password } }],
    'Mutation.completeSignIn': [{ input: { challenge: 'none', code: '000000' } }],
    'Mutation.startProviderSignIn': [{ input: { ...operated, providerId: mine.IdentityProvider } }],
    'Mutation.completeProviderSignIn': [{ input: { challenge: 'none', callbackUrl: 'https://club.example' } }],
    'Mutation.refreshSession': [{ input: { refreshToken: 'none' } }],
    'Mutation.requestPasswordReset': [{ input: { email: 'nobody@riverside.example' } }],
    'Mutation.resetPassword': [{ input: { token: 'none', newPassword: chosen } }],
    'Mutation.acceptInvitation': [{ input: { token: 'none', password: chosen } }],
    // With a wrong password, so that nobody's way in changes.
    'Mutation.endSessions': [
      async (client) => {
        const others = (await client.request(sdk.SessionsDocument).catch(() => null))?.sessions.filter(({ current }) => !current) ?? [];
        return { input: { ids: others.map(({ id }) => id) } };
      },
    ],
    'Mutation.proveIdentity': [{ input: { password: 'wrong' } }],
    'Mutation.changePassword': [{ input: { currentPassword: 'wrong', newPassword: chosen } }],
    'Mutation.beginSecondFactor': [{ input: { password: 'wrong' } }],
    'Mutation.confirmSecondFactor': [{ input: { code: '000000' } }],
    'Mutation.removeSecondFactor': [{ input: { password: 'wrong' } }],
    'Mutation.renewRecoveryCodes': [{ input: { password: 'wrong' } }],
    'Mutation.createContact': [{ input: { firstName: 'New', tags: ['made'], memberships: [membership] } }],
    'Mutation.createContacts': [{ input: { contacts: [{ firstName: 'New', memberships: [membership] }] } }],
    'Mutation.updateContact': [{ input: { id: contact, version: 1, city: 'Porto' } }],
    'Mutation.addNote': [{ input: { contactId: contact, body: 'Hello' } }],
    'Mutation.addActivity': [{ input: { contactId: contact, kind: 'CALL', subject: 'Hello' } }],
    'Mutation.addMembership': [{ input: { contactId: contact, ...membership } }],
    'Mutation.tagContacts': [{ input: { contactIds: [contact], tags: ['put'] } }],
    'Mutation.untagContacts': [{ input: { contactIds: [contact], tags: ['newsletter'] } }],
    'Mutation.addPayment': [{ input: { contactId: contact, membershipId: mine.Membership, amountMinor: 100, method: 'CASH' } }],
    'Mutation.addCharge': [{ input: { contactId: contact, amountMinor: 100, description: 'Fee' } }],
    'Mutation.createUpload': [{ input: { fileName: 'members.csv', byteLength: 100 } }],
    'Mutation.startImport': [{ input: { uploadId: mine.completeUpload, templateId: mine.ImportTemplate } }],
    'Mutation.changeImport': [{ input: { id: mine.Import, deletedPolicy: 'CREATE' } }],
    'Mutation.saveImportTemplate': [{ input: { importId: mine.Import, name: 'Members' } }],
    'Mutation.createImportFileLink': [{ input: { id: mine.Import, file: 'REPORT' } }],
    'Mutation.deleteImportTemplate': [{ input: { id: mine.ImportTemplate } }],
    'Mutation.applyImport': [{ input: { id: mine.Import } }],
    'Mutation.undoImport': [{ input: { id: mine.appliedImport } }],
    'Mutation.discardImport': [{ input: { id: mine.unwantedImport } }],
    'Mutation.takeSnapshot': [{ input: { label: 'Test' } }],
    'Mutation.exportContacts': [{ input: { format: 'CSV' } }, ...targets.map((target) => ({ input: { format: 'CSV', ...target } }))],
    'Mutation.createContactExportLink': [{ input: { id: mine.ContactExport } }],
    'Mutation.exportContact': [{ input: { contactId: contact } }],
    'Mutation.exportActionLog': [
      { input: { format: 'CSV' } },
      { input: { format: 'CSV', filter: { actorId: mine.StaffMember } } },
      { input: { format: 'CSV', filter: { targetId: contact } } },
    ],
    'Mutation.createApiKey': [{ input: { name: 'Test', permissions: [] } }, { input: { name: 'Scoped', ...scoped } }],
    'Mutation.revokeApiKey': [{ input: { id: mine.ApiKey } }],
    'Mutation.createRole': [{ input: { name: 'Made', description: 'Test', permissions: [] } }, { input: { name: 'Scoped', description: 'Test', ...scoped } }],
    'Mutation.copyRole': [{ input: { id: mine.Role, name: 'Copied' } }, { input: { id: mine.Role, name: 'Scoped copy', scopeTagIds: [mine.Tag] } }],
    'Mutation.updateRole': [{ input: { id: mine.Role, name: 'Renamed' } }, { input: { id: mine.Role, scopeTagIds: [mine.Tag] } }],
    'Mutation.inviteStaffMember': [{ input: { email: 'invited@riverside.example', name: 'Invited', roleIds: [mine.Role] } }],
    'Mutation.revokeInvitation': [{ input: { id: mine.Invitation } }],
    'Mutation.createIdentityProvider': [
      { input: { name: 'Login', issuer: 'https://login.example', clientId: 'us', clientSecret: 'x', redirectUrl: 'https://club.example' } },
    ],
    'Mutation.deleteIdentityProvider': [{ input: { id: mine.IdentityProvider } }],
    'Mutation.assignRoles': [{ input: { ...ofTheOrganization, roleIds: [mine.Role, mine.otherRole] } }],
    'Mutation.suspendStaffMember': [{ input: ofTheOrganization }],
    'Mutation.reinstateStaffMember': [{ input: ofTheOrganization }],
    'Mutation.deleteRole': [{ input: { id: mine.Role, reassignTo: mine.otherRole } }],
    'Mutation.createWebhookEndpoint': [{ input: { url: 'https://hooks.example/test' } }],
    'Mutation.sendTestEvent': [{ input: { endpointId: mine.WebhookEndpoint } }],
    'Mutation.deleteWebhookEndpoint': [{ input: { id: mine.WebhookEndpoint } }],
    'Mutation.confirmPayment': [{ input: { ...operated, invoiceId: mine.Invoice, reference: 'Test' } }],
    'Mutation.approveRecovery': [{ input: { ...operated, id: mine.RecoveryRequest } }],
    'Mutation.cancelRecovery': [{ input: { id: mine.RecoveryRequest } }],
    'Mutation.undoRecovery': [{ input: { id: mine.completedRecovery } }],
    'Mutation.requestRecovery': [order(whole(mine.Deletion)), ...plans.map((input) => ({ input: { ...input, planHash: 'none', idempotencyKey: 'test-key' } }))],
    'Mutation.deleteContacts': [deletion({ contactIds: [contact] }), ...targets.map((target) => deletion(target, { filter: {} }))],
    'Mutation.eraseContacts': [erasure([contact])],
    'Subscription.jobProgress': [{ id: mine.Job }],
    'Subscription.organizationJobs': [{}],
    'Subscription.importProgress': [{ id: mine.Import }],
    'Subscription.recoveryProgress': [{ id: mine.RecoveryRequest }],
    'Subscription.actionLogAdded': [{}, { filter: { actorId: mine.StaffMember } }, { filter: { targetId: contact } }],
  };
}

/** The variables for whoever asks. */
export const variablesFor = async (client: Client, given: Given): Promise<Variables> => (typeof given === 'function' ? given(client) : given);

/** Asks for a root field; of a subscription for its first event. Rejects with what was answered in `errors`. */
export async function askFor(client: Client, path: string, given: Given): Promise<unknown> {
  const [document, variables] = [documentOf(path, '{ __typename }'), await variablesFor(client, given)];
  return path.startsWith('Subscription') ? client.subscribe(document, variables).next() : client.request(document, variables);
}
