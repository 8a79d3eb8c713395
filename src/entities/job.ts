// Work in the background with a phase, a count done, a total and an outcome. The row is the truth that watchers read.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, tenantKey } from './columns.ts';

export const jobKinds = [
  'DELETE_CONTACTS',
  'RECOVER_CONTACTS',
  'UNDO_RECOVERY',
  'ERASE_CONTACTS',
  'RESTORE_DRILL',
  'TAKE_SNAPSHOT',
  'CHECK_IMPORT',
  'APPLY_IMPORT',
  'UNDO_IMPORT',
  'EXPORT_CONTACTS',
] as const;
export const jobStates = ['QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'CANCELLED'] as const;
/** In the order in which a job goes through them: its row never goes back to an earlier one. */
export const jobPhases = [
  'REMOVING',
  'CHECKING',
  'SAFEGUARDING',
  'MIGRATING',
  'RECONCILING',
  'PROVING',
  'REVERTING',
  'ERASING',
  'CAPTURING',
  'READING',
  'APPLYING',
  'UNDOING',
  'EXPORTING',
] as const;
export type JobPhase = (typeof jobPhases)[number];

export const Job = defineEntity({
  name: 'Job',
  tableName: 'job',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    kind: p.enum(jobKinds),
    state: p.enum(jobStates),
    subjectId: p.uuid(),
    phase: p.enum(jobPhases).nullable(),
    done: p.integer().default(0),
    phaseStartedAt: instant().nullable(),
    /** What was done already when the phase began, by a worker that has died: it says nothing of the speed. */
    phaseDoneBefore: p.integer().default(0),
    total: p.integer(),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    createdAt: createdNow(),
    startedAt: instant().nullable(),
    updatedAt: createdNow(),
    finishedAt: instant().nullable(),
  },
  // Leads to the jobs that have not ended, and to those that have just ended.
  indexes: [{ properties: ['organizationId', 'finishedAt'] }],
});

/** The pools of running workers, so that the jobs of one that was killed can be given to another. */
export const WorkerHeartbeat = defineEntity({
  name: 'WorkerHeartbeat',
  tableName: 'worker_heartbeat',
  properties: { workerId: p.text().primary(), seenAt: createdNow() },
});
