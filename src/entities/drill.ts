// Restore drills: proof, night by night, that what is stored can be brought back.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { instant, ofOneOrganization, tenantKey } from './columns.ts';

export const drillOutcomes = ['PASSED', 'FAILED'] as const;
export type DrillOutcome = (typeof drillOutcomes)[number];

/** How a drill went. It outlives the snapshot that it was done on, and tells nothing of the people in it. */
export const RestoreDrill = defineEntity({
  name: 'RestoreDrill',
  tableName: 'restore_drill',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    snapshotId: p.uuid(),
    outcome: p.enum(drillOutcomes),
    failure: p.text().nullable(),
    /** What came back and was proven. */
    contactCount: p.integer(),
    rowCount: p.integer(),
    byteCount: p.bigint('number'),
    openingSeconds: p.double(),
    writingSeconds: p.double(),
    provingSeconds: p.double(),
    startedAt: instant(),
    finishedAt: instant().defaultRaw('clock_timestamp()'),
  },
});
