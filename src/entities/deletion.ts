// One delete operation, the contacts it takes, and the warnings before its deadline.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, ofScopedActors, rootKey } from './columns.ts';

export const deletionStates = ['RUNNING', 'COMPLETED', 'ERASING', 'ERASED'] as const;
export type DeletionState = (typeof deletionStates)[number];

export const Deletion = defineEntity({
  name: 'Deletion',
  tableName: 'deletion',
  // Deleted contacts have no tags any more.
  ...ofScopedActors,
  properties: {
    ...rootKey,
    state: p.enum(deletionStates),
    /** Null once a contact of it was erased, whom it could name. */
    reason: p.text().nullable(),
    requestedById: p.uuid(),
    requestedByName: p.text(),
    confirmationId: p.uuid(),
    snapshotId: p.uuid(),
    jobId: p.uuid().nullable(),
    contactCount: p.integer(),
    requestedAt: createdNow(),
    deletedAt: instant().nullable(),
    recoverableUntil: instant().nullable(),
    erasedAt: instant().nullable(),
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

/** That a deadline is near is told once for each of so many days before it. */
export const DeletionWarning = defineEntity({
  name: 'DeletionWarning',
  tableName: 'deletion_warning',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), deletionId: p.uuid().primary(), daysBefore: p.integer().primary(), warnedAt: createdNow() },
});
