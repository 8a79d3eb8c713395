// One delete operation and the contacts it takes.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

export const deletionStates = ['RUNNING', 'COMPLETED'] as const;

export const Deletion = defineEntity({
  name: 'Deletion',
  tableName: 'deletion',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    state: p.enum(deletionStates),
    reason: p.text(),
    requestedById: p.uuid(),
    requestedByName: p.text(),
    confirmationId: p.uuid(),
    snapshotId: p.uuid(),
    jobId: p.uuid().nullable(),
    contactCount: p.integer(),
    requestedAt: createdNow(),
    deletedAt: instant().nullable(),
    recoverableUntil: instant().nullable(),
  },
  uniques: [{ properties: ['organizationId', 'confirmationId'] }],
  indexes: [{ properties: ['organizationId', 'snapshotId'] }],
});

/** The exact set of a deletion, frozen when it is confirmed; the chunk that each contact goes into. */
export const DeletionContact = defineEntity({
  name: 'DeletionContact',
  tableName: 'deletion_contact',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    contactId: p.uuid().primary(),
    deletionId: p.uuid().primary(),
    chunkNumber: p.integer(),
  },
  indexes: [{ properties: ['organizationId', 'deletionId', 'chunkNumber'] }],
});
