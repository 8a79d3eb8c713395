// Encrypted copies of contact graphs, in chunks.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

/** What a deletion removed; a whole organization, nightly or on demand; what a recovery or import is about to change. */
export const snapshotKinds = ['DELETION', 'SCHEDULED', 'MANUAL', 'SAFETY'] as const;
export type SnapshotKind = (typeof snapshotKinds)[number];

export const Snapshot = defineEntity({
  name: 'Snapshot',
  tableName: 'snapshot',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    kind: p.enum(snapshotKinds),
    schemaVersion: p.integer(),
    masterKeyId: p.text(),
    /** Null once it has been destroyed: what was sealed under it can never be opened again. */
    wrappedKey: p.blob().nullable(),
    createdAt: createdNow(),
    /** When it is erased. Null for a deletion's, which follows the deadline of its deletion. */
    expiresAt: instant().nullable(),
    keyDestroyedAt: instant().nullable(),
  },
  checks: [{ name: 'snapshot_has_its_key_until_destroyed', expression: '(wrapped_key is null) = (key_destroyed_at is not null)' }],
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
    /** Whose graphs it holds, in order: so that few contacts are found in a large snapshot without opening all of it. */
    contactIds: p.array().columnType('uuid[]'),
    rowCounts: p.json().$type<Record<string, number>>(),
    balances: p.json().$type<Record<string, number>>(),
    rawBytes: p.integer(),
    storedBytes: p.integer(),
    digest: p.blob(),
    /** A keyed hash of what it held when it was written, by which later snapshots find it; null where none looks for it. */
    content: p.blob().nullable(),
    createdAt: createdNow(),
  },
  indexes: [{ name: 'snapshot_chunk_content', properties: ['organizationId', 'content'], where: 'content is not null' }],
});

/** Where bodies of chunks can lie: in the database itself, or outside of it. */
export const outsideStoreKinds = ['DIRECTORY', 'S3'] as const;
export type OutsideStoreKind = (typeof outsideStoreKinds)[number];
export const storeKinds = ['POSTGRES', ...outsideStoreKinds] as const;
export type StoreKind = (typeof storeKinds)[number];

/** The body of a chunk, or where it lies: so that what was stored is found after the settings have changed. */
export const SnapshotChunkBody = defineEntity({
  name: 'SnapshotChunkBody',
  tableName: 'snapshot_chunk_body',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    snapshotId: p.uuid().primary(),
    number: p.integer().primary(),
    store: p.enum(storeKinds),
    body: p.blob().nullable(),
    /** Its name in an outside store. */
    location: p.text().nullable(),
  },
  checks: [
    { name: 'snapshot_chunk_body_lies_in_one_place', expression: "(store = 'POSTGRES') = (body is not null) and (body is null) = (location is not null)" },
  ],
});
