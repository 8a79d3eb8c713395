// The whole policy. Every root field is named here with its rule; what is not named is denied, and the server refuses to
// start. Roles are data: no rule asks for a role's name.
import { allow, chain } from './shield.ts';
import { allFieldGroups, type FieldGroup, groupOfField } from './field-groups.ts';
import type { Policy } from './guard.ts';
import { may, maySee, maySeeOwn, onPlan, operator, seesAsked, signedIn, withinWindow } from './rules.ts';
import type { Visibility } from './veil.ts';

export const policy: Policy = {
  Query: {
    viewer: signedIn,
    permissionCatalogue: signedIn,
    fieldGroupCatalogue: signedIn,
    // A node is read under the permission of its kind: see resolvers/nodes.ts.
    node: signedIn,
    contact: may('contacts:read'),
    contacts: chain(may('contacts:read'), seesAsked),
    membershipPlans: may('contacts:read'),
    tags: may('contacts:read'),
    customFieldDefinitions: may('contacts:read'),
    contactDeletionPreview: chain(may('contacts:delete'), seesAsked),
    contactErasurePreview: may('contacts:erase'),
    deletion: may('deletions:read'),
    deletions: may('deletions:read'),
    erasure: may('deletions:read'),
    erasures: may('deletions:read'),
    recoveryPlan: may('recovery:read'),
    recoveryRequest: may('recovery:read'),
    recoveryRequests: may('recovery:read'),
    restoreDrills: may('snapshots:read'),
    snapshot: may('snapshots:read'),
    snapshots: may('snapshots:read'),
    // It tells what contacts are and were.
    compareSnapshot: chain(may('snapshots:read'), may('contacts:read')),
    job: may('jobs:read'),
    jobs: may('jobs:read'),
    actionLog: may('log:read'),
    verifyActionLog: may('log:read'),
    role: may('staff:read'),
    roles: may('staff:read'),
    staffMember: may('staff:read'),
    staffMembers: may('staff:read'),
    apiKey: may('keys:manage'),
    apiKeys: may('keys:manage'),
    webhookEndpoint: may('integrations:manage'),
    webhookEndpoints: may('integrations:manage'),
    organizations: operator('platform:organizations'),
    openInvoices: operator('platform:organizations'),
  },
  Mutation: {
    signIn: allow,
    createContact: may('contacts:create'),
    createContacts: may('contacts:create'),
    updateContact: may('contacts:update'),
    addNote: may('contacts:update'),
    addActivity: may('contacts:update'),
    addMembership: may('contacts:update'),
    tagContacts: may('contacts:update'),
    untagContacts: may('contacts:update'),
    addPayment: may('payments:create'),
    addCharge: may('payments:create'),
    deleteContacts: chain(may('contacts:delete'), seesAsked),
    eraseContacts: may('contacts:erase'),
    takeSnapshot: may('snapshots:take'),
    exportActionLog: may('log:read'),
    requestRecovery: chain(may('recovery:request'), onPlan('PREMIUM'), withinWindow),
    cancelRecovery: may('recovery:request'),
    // It deletes again what the recovery brought back.
    undoRecovery: chain(may('recovery:request'), may('contacts:delete')),
    createRole: may('roles:manage'),
    copyRole: may('roles:manage'),
    updateRole: may('roles:manage'),
    deleteRole: may('roles:manage'),
    assignRoles: may('roles:manage'),
    suspendStaffMember: may('staff:manage'),
    reinstateStaffMember: may('staff:manage'),
    createApiKey: may('keys:manage'),
    revokeApiKey: may('keys:manage'),
    createWebhookEndpoint: may('integrations:manage'),
    deleteWebhookEndpoint: may('integrations:manage'),
    sendTestEvent: may('integrations:manage'),
    confirmPayment: operator('platform:payments'),
    approveRecovery: operator('platform:approvals'),
  },
  Subscription: {
    jobProgress: may('jobs:read'),
    organizationJobs: may('jobs:read'),
    recoveryProgress: may('recovery:read'),
  },
  // What hangs on a root field gives no more than the root field of its own kind. Where it is not named here, the root suffices.
  Contact: {
    payments: maySee('payments:read'),
    ledgerEntries: maySee('payments:read'),
    balances: maySee('payments:read'),
    balance: maySee('payments:read'),
  },
  UpdateContactPayload: { contact: maySee('contacts:read') },
  TagContactsPayload: { contacts: maySee('contacts:read') },
  Deletion: { job: maySeeOwn('jobs:read') },
  Conflict: { recovered: maySee('contacts:read'), live: maySee('contacts:read') },
  Undo: { job: maySeeOwn('jobs:read'), deletion: maySee('deletions:read') },
  Erasure: { job: maySeeOwn('jobs:read') },
  Snapshot: { job: maySeeOwn('jobs:read') },
  // A count would tell of changed payments.
  ComparedContactConnection: { totals: maySee('payments:read') },
  RecoveryRequest: { deletion: maySee('deletions:read'), job: maySeeOwn('jobs:read') },
};

const fieldsOf = (...names: string[]): Record<string, FieldGroup[]> => Object.fromEntries(names.map((name) => [name, [groupOfField[name]!]]));

/** What roles may hide, wherever an answer comes to it. Numbers of rows are not named here: see veil.ts. */
export const visibility: Visibility = {
  hides: {
    Contact: {
      ...fieldsOf(...Object.keys(groupOfField)),
      notes: ['NOTES'],
      activities: ['NOTES'],
      customFields: ['CUSTOM_FIELDS'],
      payments: ['PAYMENTS'],
      ledgerEntries: ['PAYMENTS', 'BALANCES'],
      balances: ['BALANCES'],
      balance: ['BALANCES'],
    },
    RecoveredContact: fieldsOf('email', 'street', 'city', 'postalCode', 'country'),
    ContactDeletionPreview: { balances: ['BALANCES'] },
    Deletion: { balances: ['BALANCES'] },
    RecoveryPlan: { balances: ['BALANCES'], namesKept: ['NOTES'] },
    // They count and name rows of all kinds, and a count would tell of changes in any.
    ComparedContactConnection: { totals: allFieldGroups },
    Erasure: { certificate: allFieldGroups },
    RestoreDrill: { rowCount: allFieldGroups },
  },
  leavesOut: {
    Contact: { contactPoints: ['EMAIL_AND_PHONE', 'ADDRESS'] },
    ComparedContact: { changes: allFieldGroups },
  },
};
