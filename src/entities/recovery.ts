// The ordered, billed restoration of deleted contacts: the request, its invoice, what each chunk gave back, and its undo.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, currencyCode, instant, minorUnits, ofOneOrganization, rootKey, tenantKey } from './columns.ts';

export const recoveryStates = ['AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED', 'UNDONE'] as const;
export type RecoveryState = (typeof recoveryStates)[number];

/** What becomes of a contact when something live stands in its way. */
export const conflictPolicies = ['SKIP', 'MERGE', 'RESTORE_WITHOUT_EMAIL', 'REPLACE'] as const;
export type ConflictPolicy = (typeof conflictPolicies)[number];

/** What a request selects: one deletion, an organization snapshot, or all that one person or a span of time deleted. */
export interface Selected {
  deletionId?: string;
  snapshotId?: string;
  deletedById?: string;
  /** Instants, ISO 8601. */
  deletedFrom?: string;
  deletedBefore?: string;
}

export const RecoveryRequest = defineEntity({
  name: 'RecoveryRequest',
  tableName: 'recovery_request',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    selected: p.json().$type<Selected>(),
    /** SHA-256 of the whole selection, chosen contacts and policies included: what an idempotency key stands for. */
    orderDigest: p.blob(),
    state: p.enum(recoveryStates),
    idempotencyKey: p.text(),
    requestedById: p.uuid(),
    requestedByName: p.text(),
    jobId: p.uuid().nullable(),
    contactCount: p.integer(),
    /** The earliest deadline of what it selects. */
    recoverableUntil: instant(),
    /** Null: `MERGE` for an email, `SKIP` for an id that is live, `RESTORE_WITHOUT_EMAIL` for a member number. */
    conflictPolicy: p.enum(conflictPolicies).nullable(),
    /** For single contacts, by their id. */
    conflictOverrides: p.json().$type<Record<string, ConflictPolicy>>(),
    safetySnapshotId: p.uuid().nullable(),
    provenCount: p.integer().default(0),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    requestedAt: createdNow(),
    startedAt: instant().nullable(),
    finishedAt: instant().nullable(),
    undoJobId: p.uuid().nullable(),
    undoDeletionId: p.uuid().nullable(),
    undoneByName: p.text().nullable(),
    undoneAt: instant().nullable(),
  },
  uniques: [{ properties: ['organizationId', 'idempotencyKey'] }],
});

/**
 * One chunk that a request restores from, whole or some contacts of it. It is the recovery's cursor: `restored_at`
 * commits with the rows, and `undone_at` with their removal.
 */
export const RecoveryChunk = defineEntity({
  name: 'RecoveryChunk',
  tableName: 'recovery_chunk',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    recoveryRequestId: p.uuid().primary(),
    number: p.integer().primary(),
    snapshotId: p.uuid(),
    chunkNumber: p.integer(),
    /** The chosen ones; null: all. */
    contactIds: p.array().columnType('uuid[]').nullable(),
    contactCount: p.integer(),
    /** Came back under their own ids. */
    restoredCount: p.integer().default(0),
    /** Of those, how many took the place of a live contact. */
    replacedCount: p.integer().default(0),
    /** History went onto a live contact. */
    mergedCount: p.integer().default(0),
    skippedCount: p.integer().default(0),
    /** Erased since the order: gone for good. */
    erasedCount: p.integer().default(0),
    conflictCount: p.integer().default(0),
    restoredAt: instant().nullable(),
    /** How many contacts the undo took back. */
    revertedCount: p.integer().default(0),
    undoneAt: instant().nullable(),
  },
  indexes: [{ properties: ['organizationId', 'snapshotId', 'chunkNumber'] }],
});

export const conflictKinds = ['SAME_ID', 'SAME_EMAIL', 'SAME_MEMBER_NUMBER'] as const;
export type ConflictKind = (typeof conflictKinds)[number];

export const RecoveryConflict = defineEntity({
  name: 'RecoveryConflict',
  tableName: 'recovery_conflict',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    recoveryRequestId: p.uuid().primary(),
    contactId: p.uuid().primary(),
    chunkNumber: p.integer(),
    kind: p.enum(conflictKinds),
    liveContactId: p.uuid(),
    /** What was done. */
    policy: p.enum(conflictPolicies),
  },
});

export const undoOutcomes = ['KEPT', 'COULD_NOT'] as const;
export type UndoOutcome = (typeof undoOutcomes)[number];

/** What an undo did not take back, contact by contact, and why. */
export const RecoveryUndoException = defineEntity({
  name: 'RecoveryUndoException',
  tableName: 'recovery_undo_exception',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    recoveryRequestId: p.uuid().primary(),
    contactId: p.uuid().primary(),
    outcome: p.enum(undoOutcomes),
    reason: p.text(),
  },
});

export const invoiceStates = ['OPEN', 'PAID', 'REFUNDED', 'VOID'] as const;

export const Invoice = defineEntity({
  name: 'Invoice',
  tableName: 'invoice',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    number: p.text(),
    recoveryRequest: () =>
      p.manyToOne(RecoveryRequest).ref().joinColumns('organization_id', 'recovery_request_id').updateRule('no action').deleteRule('no action'),
    state: p.enum(invoiceStates),
    amountMinor: minorUnits(),
    currency: currencyCode(),
    provider: p.text(),
    providerReference: p.text().nullable(),
    issuedAt: createdNow(),
    paidAt: instant().nullable(),
    refundedAt: instant().nullable(),
  },
  uniques: [{ properties: ['organizationId', 'number'] }, { properties: ['organizationId', 'recoveryRequest'] }],
});
