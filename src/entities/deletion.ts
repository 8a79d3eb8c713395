// One delete operation, the contacts it takes, and the snapshot that brings them back.
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

export const snapshotKinds = ['DELETION'] as const;

export const Snapshot = defineEntity({
  name: 'Snapshot',
  tableName: 'snapshot',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    kind: p.enum(snapshotKinds),
    schemaVersion: p.integer(),
    masterKeyId: p.text(),
    wrappedKey: p.blob(),
    createdAt: createdNow(),
  },
});

/** What is known of a chunk without opening it. Its body lies in the snapshot store. */
export const SnapshotChunk = defineEntity({
  name: 'SnapshotChunk',
  tableName: 'snapshot_chunk',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    snapshotId: p.uuid().primary(),
    number: p.integer().primary(),
    contactCount: p.integer(),
    rowCounts: p.json().$type<Record<string, number>>(),
    balances: p.json().$type<Record<string, number>>(),
    rawBytes: p.integer(),
    storedBytes: p.integer(),
    digest: p.blob(),
    createdAt: createdNow(),
  },
});

/** The default snapshot store: chunk bodies beside the rows they came from, in the same transaction. */
export const SnapshotChunkBody = defineEntity({
  name: 'SnapshotChunkBody',
  tableName: 'snapshot_chunk_body',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    snapshotId: p.uuid().primary(),
    number: p.integer().primary(),
    body: p.blob(),
  },
});
