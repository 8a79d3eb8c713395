// The ordered, billed restoration of a deletion: the request, its invoice, and what each chunk gave back.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, currencyCode, instant, minorUnits, ofOneOrganization, rootKey, tenantKey } from './columns.ts';

export const recoveryStates = ['AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED'] as const;
export type RecoveryState = (typeof recoveryStates)[number];

export const RecoveryRequest = defineEntity({
  name: 'RecoveryRequest',
  tableName: 'recovery_request',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    deletionId: p.uuid(),
    state: p.enum(recoveryStates),
    idempotencyKey: p.text(),
    requestedById: p.uuid(),
    requestedByName: p.text(),
    jobId: p.uuid().nullable(),
    contactCount: p.integer(),
    restoredCount: p.integer().default(0),
    clashCount: p.integer().default(0),
    provenCount: p.integer().default(0),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    requestedAt: createdNow(),
    startedAt: instant().nullable(),
    finishedAt: instant().nullable(),
  },
  uniques: [
    { properties: ['organizationId', 'idempotencyKey'] },
    {
      name: 'recovery_request_one_per_deletion',
      properties: ['organizationId', 'deletionId'],
      where: "state in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING', 'COMPLETED')",
    },
  ],
});

/** A chunk that has been given back: the recovery's cursor, committed with the rows. */
export const RecoveryChunk = defineEntity({
  name: 'RecoveryChunk',
  tableName: 'recovery_chunk',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    recoveryRequestId: p.uuid().primary(),
    number: p.integer().primary(),
    restoredCount: p.integer(),
    clashCount: p.integer(),
    restoredAt: createdNow(),
  },
});

export const clashKinds = ['SAME_ID', 'SAME_EMAIL', 'SAME_MEMBER_NUMBER'] as const;

export const RecoveryClash = defineEntity({
  name: 'RecoveryClash',
  tableName: 'recovery_clash',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    recoveryRequestId: p.uuid().primary(),
    contactId: p.uuid().primary(),
    chunkNumber: p.integer(),
    kind: p.enum(clashKinds),
    liveContactId: p.uuid(),
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
