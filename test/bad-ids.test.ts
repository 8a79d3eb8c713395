// Ids that are malformed, unknown or another organization’s, everywhere that the contract takes one.
import { readFileSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  isInputObjectType,
  parse,
  type DocumentNode,
  type GraphQLArgument,
  type GraphQLInputField,
  type GraphQLObjectType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import type { Kinds } from '../src/schema/common.ts';
import { ask, createFullWorld, expectNothingLeaked, expectWellSaid, rowsOf, type Scene, secretsOf, unknownId } from './full-world.ts';
import type { World } from './harness.ts';
import type { RoleName } from './people.ts';

const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

/** One place of the contract that takes an id. */
interface Place {
  kind: Kinds;
  role: RoleName;
  /** Sends the id there; all else is in order. */
  ask(id: string): [document: DocumentNode, variables: object];
}

/** Every argument and input field of type ID, as "Mutation.addNote.input.contactId". */
function idPlaces(): string[] {
  const within = (path: string, { name, type }: GraphQLArgument | GraphQLInputField): string[] => {
    const named = getNamedType(type);
    if (named.name === 'ID') return [`${path}.${name}`];
    return isInputObjectType(named) ? Object.values(named.getFields()).flatMap((field) => within(`${path}.${name}`, field)) : [];
  };
  const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()] as GraphQLObjectType[];
  return roots.flatMap((root) => Object.values(root.getFields()).flatMap(({ name, args }) => args.flatMap((arg) => within(`${root.name}.${name}`, arg))));
}

function places(mine: Scene, { confirmation, erasing }: Confirmations): Record<string, Place> {
  const place = (kind: Kinds, role: RoleName, document: DocumentNode, variables: (id: string) => object): Place => ({
    kind,
    role,
    ask: (id) => [document, variables(id)],
  });
  const contact = (document: DocumentNode, rest: object) => place('Contact', 'Staff', document, (contactId) => ({ input: { contactId, ...rest } }));
  const membership = { contactId: mine.Contact, startsOn: '2024-01-01' };
  const deletion = { confirmation, reason: 'Bad input' };
  const ordered = { planHash: 'none', idempotencyKey: 'bad-input' };
  const erasure = { confirmation: erasing, reason: 'Bad input', legalGround: 'OBJECTION' };
  const operated = { organizationId: mine.Organization };
  return {
    'Query.actionLog.filter.actorId': place('StaffMember', 'Admin', sdk.ActionLogDocument, (actorId) => ({ filter: { actorId } })),
    'Query.actionLog.filter.targetId': place('Contact', 'Admin', sdk.ActionLogDocument, (targetId) => ({ filter: { targetId } })),
    'Query.contact.id': place('Contact', 'Staff', sdk.ContactDocument, (id) => ({ id })),
    'Query.contactDeletionPreview.input.contactIds': place('Contact', 'Admin', previewCount, (id) => ({
      input: { contactIds: [mine.Contact, id] },
    })),
    'Query.contactDeletionPreview.input.filter.ids': place('Contact', 'Admin', previewCount, (id) => ({
      input: { filter: { ids: [id] } },
    })),
    'Query.contactDeletionPreview.input.filter.membershipPlanId': place('MembershipPlan', 'Admin', previewCount, (id) => ({
      input: { filter: { membershipPlanId: id } },
    })),
    'Query.contactErasurePreview.input.contactIds': place('Contact', 'Admin', sdk.ContactErasurePreviewDocument, (id) => ({
      input: { contactIds: [id] },
    })),
    'Query.contacts.filter.ids': place('Contact', 'Staff', sdk.ContactsDocument, (id) => ({ filter: { ids: [id] }, withTotal: true })),
    'Query.contacts.filter.membershipPlanId': place('MembershipPlan', 'Staff', sdk.ContactsDocument, (membershipPlanId) => ({
      filter: { membershipPlanId },
      withTotal: true,
    })),
    'Query.deletion.id': place('Deletion', 'Admin', sdk.DeletionDocument, (id) => ({ id })),
    'Query.erasure.id': place('Erasure', 'Admin', sdk.ErasureDocument, (id) => ({ id })),
    'Query.compareSnapshot.input.snapshotId': place('Snapshot', 'Admin', sdk.CompareSnapshotDocument, (snapshotId) => ({ input: { snapshotId } })),
    'Query.snapshot.id': place('Snapshot', 'Admin', sdk.SnapshotDocument, (id) => ({ id })),
    'Query.job.id': place('Job', 'Staff', sdk.JobDocument, (id) => ({ id })),
    'Query.node.id': place('Contact', 'Viewer', parse('query ($id: ID!) { node(id: $id) { id } }'), (id) => ({ id })),
    'Query.openInvoices.organizationId': place('Organization', 'Operator', sdk.OpenInvoicesDocument, (organizationId) => ({
      organizationId,
    })),
    'Query.recoveryPlan.input.overrides.contactId': place('Contact', 'Admin', sdk.RecoveryPlanDocument, (contactId) => ({
      input: { selection: { deletionId: mine.Deletion }, overrides: [{ contactId, policy: 'SKIP' }] },
    })),
    'Query.recoveryPlan.input.selection.contactIds': place('Contact', 'Admin', sdk.RecoveryPlanDocument, (id) => ({
      input: { selection: { deletionId: mine.Deletion, contactIds: [id] } },
    })),
    'Query.recoveryPlan.input.selection.deletedById': place('StaffMember', 'Admin', sdk.RecoveryPlanDocument, (deletedById) => ({
      input: { selection: { deletedById } },
    })),
    'Query.recoveryPlan.input.selection.deletionId': place('Deletion', 'Admin', sdk.RecoveryPlanDocument, (deletionId) => ({
      input: { selection: { deletionId } },
    })),
    'Query.recoveryPlan.input.selection.snapshotId': place('Snapshot', 'Admin', sdk.RecoveryPlanDocument, (snapshotId) => ({
      input: { selection: { snapshotId } },
    })),
    'Query.recoveryRequest.id': place('RecoveryRequest', 'Admin', sdk.RecoveryRequestDocument, (id) => ({ id })),
    'Query.recoveryRequests.deletionId': place('Deletion', 'Admin', sdk.RecoveryRequestsDocument, (deletionId) => ({ deletionId })),
    'Query.apiKey.id': place('ApiKey', 'Admin', sdk.ApiKeyDocument, (id) => ({ id })),
    'Query.role.id': place('Role', 'Admin', sdk.RoleDocument, (id) => ({ id })),
    'Query.staffMember.id': place('StaffMember', 'Admin', sdk.StaffMemberDocument, (id) => ({ id })),
    'Query.webhookEndpoint.id': place('WebhookEndpoint', 'Admin', sdk.WebhookEndpointDocument, (id) => ({ id })),
    'Mutation.revokeApiKey.input.id': place('ApiKey', 'Admin', sdk.RevokeApiKeyDocument, (id) => ({ input: { id } })),
    'Mutation.assignRoles.input.roleIds': place('Role', 'Super admin', sdk.AssignRolesDocument, (id) => ({
      input: { staffMemberId: mine.StaffMember, roleIds: [id] },
    })),
    'Mutation.assignRoles.input.staffMemberId': place('StaffMember', 'Super admin', sdk.AssignRolesDocument, (staffMemberId) => ({
      input: { staffMemberId, roleIds: [] },
    })),
    'Mutation.copyRole.input.id': place('Role', 'Super admin', sdk.CopyRoleDocument, (id) => ({ input: { id, name: 'Bad input' } })),
    'Mutation.copyRole.input.scopeTagIds': place('Tag', 'Super admin', sdk.CopyRoleDocument, (id) => ({
      input: { id: mine.Role, name: 'Bad input', scopeTagIds: [id] },
    })),
    'Mutation.createApiKey.input.scopeTagIds': place('Tag', 'Super admin', sdk.CreateApiKeyDocument, (id) => ({
      input: { name: 'Bad input', permissions: ['contacts:read'], scopeTagIds: [id] },
    })),
    'Mutation.createRole.input.scopeTagIds': place('Tag', 'Super admin', sdk.CreateRoleDocument, (id) => ({
      input: { name: 'Bad input', description: 'x', permissions: ['contacts:read'], scopeTagIds: [id] },
    })),
    'Mutation.updateRole.input.scopeTagIds': place('Tag', 'Super admin', sdk.UpdateRoleDocument, (id) => ({
      input: { id: mine.Role, scopeTagIds: [id] },
    })),
    'Mutation.deleteRole.input.id': place('Role', 'Super admin', sdk.DeleteRoleDocument, (id) => ({ input: { id } })),
    'Mutation.deleteRole.input.reassignTo': place('Role', 'Super admin', sdk.DeleteRoleDocument, (reassignTo) => ({
      input: { id: mine.Role, reassignTo },
    })),
    'Mutation.updateRole.input.id': place('Role', 'Super admin', sdk.UpdateRoleDocument, (id) => ({ input: { id, name: 'Bad input' } })),
    'Mutation.suspendStaffMember.input.staffMemberId': place('StaffMember', 'Super admin', sdk.SuspendStaffMemberDocument, (staffMemberId) => ({
      input: { staffMemberId },
    })),
    'Mutation.reinstateStaffMember.input.staffMemberId': place('StaffMember', 'Super admin', sdk.ReinstateStaffMemberDocument, (staffMemberId) => ({
      input: { staffMemberId },
    })),
    'Mutation.exportActionLog.input.filter.actorId': place('StaffMember', 'Admin', exported, (actorId) => ({
      input: { format: 'CSV', filter: { actorId } },
    })),
    'Mutation.exportActionLog.input.filter.targetId': place('Contact', 'Admin', exported, (targetId) => ({
      input: { format: 'CSV', filter: { targetId } },
    })),
    'Mutation.addActivity.input.contactId': contact(sdk.AddActivityDocument, { kind: 'CALL', subject: 'x' }),
    'Mutation.addCharge.input.contactId': contact(sdk.AddChargeDocument, { amountMinor: 1, description: 'x' }),
    'Mutation.addMembership.input.contactId': contact(sdk.AddMembershipDocument, { planId: mine.MembershipPlan, startsOn: '2024-01-01' }),
    'Mutation.addMembership.input.planId': place('MembershipPlan', 'Staff', sdk.AddMembershipDocument, (planId) => ({
      input: { ...membership, planId },
    })),
    'Mutation.addNote.input.contactId': contact(sdk.AddNoteDocument, { body: 'x' }),
    'Mutation.addPayment.input.contactId': contact(sdk.AddPaymentDocument, { amountMinor: 1, method: 'CASH' }),
    'Mutation.addPayment.input.membershipId': place('Membership', 'Staff', sdk.AddPaymentDocument, (membershipId) => ({
      input: { contactId: mine.Contact, membershipId, amountMinor: 1, method: 'CASH' },
    })),
    'Mutation.approveRecovery.input.id': place('RecoveryRequest', 'Operator', sdk.ApproveRecoveryDocument, (id) => ({
      input: { ...operated, id },
    })),
    'Mutation.approveRecovery.input.organizationId': place('Organization', 'Operator', sdk.ApproveRecoveryDocument, (organizationId) => ({
      input: { organizationId, id: mine.RecoveryRequest },
    })),
    'Mutation.cancelRecovery.input.id': place('RecoveryRequest', 'Super admin', sdk.CancelRecoveryDocument, (id) => ({ input: { id } })),
    'Mutation.confirmPayment.input.invoiceId': place('Invoice', 'Operator', sdk.ConfirmPaymentDocument, (invoiceId) => ({
      input: { ...operated, invoiceId, reference: 'x' },
    })),
    'Mutation.confirmPayment.input.organizationId': place('Organization', 'Operator', sdk.ConfirmPaymentDocument, (organizationId) => ({
      input: { organizationId, invoiceId: mine.Invoice, reference: 'x' },
    })),
    'Mutation.createContact.input.memberships.planId': place('MembershipPlan', 'Staff', sdk.CreateContactDocument, (planId) => ({
      input: { firstName: 'x', memberships: [{ planId, startsOn: '2024-01-01' }] },
    })),
    'Mutation.createContacts.input.contacts.memberships.planId': place('MembershipPlan', 'Staff', sdk.CreateContactsDocument, (planId) => ({
      input: { contacts: [{ firstName: 'x', memberships: [{ planId, startsOn: '2024-01-01' }] }] },
    })),
    'Mutation.deleteContacts.input.contactIds': place('Contact', 'Admin', sdk.DeleteContactsDocument, (id) => ({
      input: { ...deletion, contactIds: [mine.Contact, id] },
    })),
    'Mutation.deleteContacts.input.filter.ids': place('Contact', 'Admin', sdk.DeleteContactsDocument, (id) => ({
      input: { ...deletion, filter: { ids: [id] } },
    })),
    'Mutation.deleteContacts.input.filter.membershipPlanId': place('MembershipPlan', 'Admin', sdk.DeleteContactsDocument, (id) => ({
      input: { ...deletion, filter: { membershipPlanId: id } },
    })),
    'Mutation.eraseContacts.input.contactIds': place('Contact', 'Admin', sdk.EraseContactsDocument, (id) => ({
      input: { ...erasure, contactIds: [id] },
    })),
    'Mutation.requestRecovery.input.overrides.contactId': place('Contact', 'Super admin', sdk.RequestRecoveryDocument, (contactId) => ({
      input: { ...ordered, selection: { deletionId: mine.Deletion }, overrides: [{ contactId, policy: 'SKIP' }] },
    })),
    'Mutation.requestRecovery.input.selection.contactIds': place('Contact', 'Super admin', sdk.RequestRecoveryDocument, (id) => ({
      input: { ...ordered, selection: { deletionId: mine.Deletion, contactIds: [id] } },
    })),
    'Mutation.requestRecovery.input.selection.deletedById': place('StaffMember', 'Super admin', sdk.RequestRecoveryDocument, (deletedById) => ({
      input: { ...ordered, selection: { deletedById } },
    })),
    'Mutation.requestRecovery.input.selection.deletionId': place('Deletion', 'Super admin', sdk.RequestRecoveryDocument, (deletionId) => ({
      input: { ...ordered, selection: { deletionId } },
    })),
    'Mutation.requestRecovery.input.selection.snapshotId': place('Snapshot', 'Super admin', sdk.RequestRecoveryDocument, (snapshotId) => ({
      input: { ...ordered, selection: { snapshotId } },
    })),
    'Mutation.undoRecovery.input.id': place('RecoveryRequest', 'Super admin', sdk.UndoRecoveryDocument, (id) => ({ input: { id } })),
    'Mutation.deleteWebhookEndpoint.input.id': place('WebhookEndpoint', 'Admin', sdk.DeleteWebhookEndpointDocument, (id) => ({ input: { id } })),
    'Mutation.sendTestEvent.input.endpointId': place('WebhookEndpoint', 'Admin', sdk.SendTestEventDocument, (endpointId) => ({ input: { endpointId } })),
    'Mutation.tagContacts.input.contactIds': place('Contact', 'Staff', sdk.TagContactsDocument, (id) => ({
      input: { contactIds: [mine.Contact, id], tags: ['bad'] },
    })),
    'Mutation.untagContacts.input.contactIds': place('Contact', 'Staff', sdk.UntagContactsDocument, (id) => ({
      input: { contactIds: [mine.Contact, id], tags: ['newsletter'] },
    })),
    'Mutation.updateContact.input.id': place('Contact', 'Staff', sdk.UpdateContactDocument, (id) => ({
      input: { id, version: 1, city: 'x' },
    })),
    'Subscription.jobProgress.id': place('Job', 'Staff', sdk.JobProgressDocument, (id) => ({ id })),
    'Subscription.recoveryProgress.id': place('RecoveryRequest', 'Admin', sdk.RecoveryProgressDocument, (id) => ({ id })),
  };
}

/** Without the link, which is another each time. */
const exported = parse('mutation ($input: ExportActionLogInput!) { exportActionLog(input: $input) { userErrors { code message } } }');

const previewCount = parse(
  'query ($input: ContactDeletionPreviewInput!) { contactDeletionPreview(input: $input) { contactCount rows { count } balances { amountMinor } } }',
);

/** Of one contact, for Admin: to delete it, and to erase it. */
interface Confirmations {
  confirmation: string;
  erasing: string;
}

async function confirmationsOf(world: World, contactId: string): Promise<Confirmations> {
  const [admin, input] = [await world.as('Admin'), { contactIds: [contactId] }];
  const { contactDeletionPreview } = await admin.request(sdk.ContactDeletionPreviewDocument, { input });
  const { contactErasurePreview } = await admin.request(sdk.ContactErasurePreviewDocument, { input });
  return { confirmation: contactDeletionPreview.confirmation!, erasing: contactErasurePreview.confirmation };
}

describe('an id', () => {
  it('is tried everywhere that takes one', () => {
    expect(Object.keys(places({} as Scene, { confirmation: '', erasing: '' })).toSorted()).toEqual(idPlaces().toSorted());
  });

  it('that is malformed is refused as such, everywhere', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    const [before, secrets] = [await rowsOf(world), await secretsOf(world)];
    const uuid = '01890000-0000-7000-8000-000000000000';
    const encoded = (text: string) => Buffer.from(text).toString('base64url');
    for (const [name, { kind, role, ask: asking }] of Object.entries(places(mine, await confirmationsOf(world, mine.Contact)))) {
      const otherKind = kind === 'Note' ? 'Contact' : 'Note';
      const malformed = {
        'is empty': '',
        'is not base64url': '§$%&/()=',
        'is plain text': 'contact',
        'is a bare UUID': uuid,
        'has an upper-case UUID': encoded(`${kind}:${uuid.toUpperCase().replace('8', 'A')}`),
        'has no UUID': encoded(`${kind}:1`),
        'names nothing': encoded(`:${uuid}`),
        'is of no kind': encoded(`Nothing:${uuid}`),
        'has more behind it': `${encoded(`${kind}:${uuid}`)}AA`,
        'is padded': `${encoded(`${kind}:${uuid}`)}==`,
        'is long': 'Q'.repeat(10_000),
        'is __proto__': '__proto__',
        'names __proto__': encoded(`__proto__:${uuid}`),
        'names constructor': encoded(`constructor:${uuid}`),
        'has a NUL': encoded(`${kind}\0:${uuid}`),
        'has SQL in it': encoded(`${kind}:' or 1=1; drop table contact; --`),
        ...(['Query.node.id', 'Query.actionLog.filter.targetId', 'Mutation.exportActionLog.input.filter.targetId'].includes(name)
          ? {}
          : { 'is of another kind': encoded(`${otherKind}:${uuid}`) }),
      };
      for (const [how, id] of Object.entries(malformed)) {
        const { refusals, text } = await ask(world, role, ...asking(id));
        expect([name, how, refusals.map(({ code }) => code)]).toEqual([name, how, ['MALFORMED_ID']]);
        expectWellSaid(refusals[0]!);
        expectNothingLeaked(text, secrets);
      }
    }
    expect(await rowsOf(world)).toEqual(before);
  });

  it('of another organization reads exactly like one that does not exist, everywhere', async () => {
    await using full = await createFullWorld();
    const { world, mine, theirs } = full;
    const [before, secrets] = [await rowsOf(world), await secretsOf(world)];
    const answers: Record<string, string> = {};
    for (const [name, { kind, role, ask: asking }] of Object.entries(places(mine, await confirmationsOf(world, mine.Contact)))) {
      // Operators work across organizations: to them one is unknown only when it does not exist.
      if (name === 'Query.openInvoices.organizationId') continue;
      const [one, other] = [await ask(world, role, ...asking(unknownId(kind))), await ask(world, role, ...asking(theirs[kind]))];
      expect([name, other.refusals, other.data]).toEqual([name, one.refusals, one.data]);
      for (const refusal of other.refusals) expectWellSaid(refusal);
      expectNothingLeaked(other.text, secrets);
      answers[name] = other.refusals[0]?.code ?? 'finds nothing';
    }
    expect(await rowsOf(world)).toEqual(before);
    const exceptions = Object.fromEntries(Object.entries(answers).filter(([, code]) => code !== 'NOT_FOUND'));
    expect(exceptions).toEqual({
      'Mutation.requestRecovery.input.overrides.contactId': 'BAD_PLAN_HASH',
      'Mutation.requestRecovery.input.selection.deletedById': 'NOTHING_SELECTED',
      'Mutation.exportActionLog.input.filter.actorId': 'finds nothing',
      'Mutation.exportActionLog.input.filter.targetId': 'finds nothing',
      'Query.actionLog.filter.actorId': 'finds nothing',
      'Query.actionLog.filter.targetId': 'finds nothing',
      'Query.contactDeletionPreview.input.filter.ids': 'finds nothing',
      'Query.contactDeletionPreview.input.filter.membershipPlanId': 'finds nothing',
      'Query.contacts.filter.ids': 'finds nothing',
      'Query.contacts.filter.membershipPlanId': 'finds nothing',
      'Query.recoveryPlan.input.overrides.contactId': 'finds nothing',
      'Query.recoveryPlan.input.selection.deletedById': 'NOTHING_SELECTED',
      'Query.recoveryRequests.deletionId': 'finds nothing',
      'Mutation.addMembership.input.planId': 'UNKNOWN_PLAN',
      'Mutation.createContact.input.memberships.planId': 'UNKNOWN_PLAN',
      'Mutation.createContacts.input.contacts.memberships.planId': 'UNKNOWN_PLAN',
      'Mutation.deleteContacts.input.filter.ids': 'CONFIRMATION_MISMATCH',
      'Mutation.deleteContacts.input.filter.membershipPlanId': 'CONFIRMATION_MISMATCH',
      'Mutation.eraseContacts.input.contactIds': 'CONFIRMATION_MISMATCH',
    });
  });
});
