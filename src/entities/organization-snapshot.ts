// Snapshots of a whole organization, nightly or on demand: how each one stands, and which chunks it is made of.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

export const organizationSnapshotKinds = ['SCHEDULED', 'MANUAL'] as const;
export type OrganizationSnapshotKind = (typeof organizationSnapshotKinds)[number];
export const snapshotStates = ['TAKING', 'COMPLETE', 'FAILED'] as const;
export type SnapshotState = (typeof snapshotStates)[number];

/** Has the id of its snapshot, and goes when that expires. */
export const OrganizationSnapshot = defineEntity({
  name: 'OrganizationSnapshot',
  tableName: 'organization_snapshot',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    kind: p.enum(organizationSnapshotKinds),
    state: p.enum(snapshotStates),
    label: p.text().nullable(),
    /** The night that a scheduled one is for; each has one. */
    night: p.string().columnType('date').nullable(),
    requestedById: p.uuid().nullable(),
    requestedByName: p.text(),
    jobId: p.uuid().nullable(),
    requestedAt: createdNow(),
    /** The instant that it shows; null until it is complete, as are the figures. */
    takenAt: instant().nullable(),
    finishedAt: instant().nullable(),
    contactCount: p.integer().default(0),
    rowCounts: p.json().$type<Record<string, number>>(),
    /** Of all its chunks, and of those that no earlier snapshot had. */
    storedBytes: p.bigint('number').default(0),
    newBytes: p.bigint('number').default(0),
    chunkCount: p.integer().default(0),
    newChunkCount: p.integer().default(0),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
  },
  uniques: [
    { properties: ['organizationId', 'night'] },
    { name: 'organization_snapshot_one_at_a_time', properties: ['organizationId'], where: "state = 'TAKING'" },
  ],
});

/** One chunk of an organization's snapshot, which may lie under an earlier snapshot that had the same. */
export const SnapshotPart = defineEntity({
  name: 'SnapshotPart',
  tableName: 'snapshot_part',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    snapshotId: p.uuid().primary(),
    number: p.integer().primary(),
    /** The last contact of its run; the run begins after the last contact of the part before. */
    untilContactId: p.uuid(),
    chunkSnapshotId: p.uuid(),
    chunkNumber: p.integer(),
  },
  uniques: [{ properties: ['organizationId', 'snapshotId', 'untilContactId'] }],
  indexes: [{ properties: ['organizationId', 'chunkSnapshotId', 'chunkNumber'] }],
});
