// Background work as the world sees it.
import { Field, ID, Int, Float, ObjectType, registerEnumType } from 'type-graphql';
import type { JobKind, JobState } from '../domain/jobs.ts';
import { jobKinds, type JobPhase, jobPhases, jobStates } from '../entities/job.ts';
import { DateTime, described, enumOf, Node } from './common.ts';
import { connectionOf } from './pages.ts';

export const JobKindEnum = enumOf<JobKind>(jobKinds);
registerEnumType(JobKindEnum, {
  name: 'JobKind',
  description: 'What a job does.',
  valuesConfig: described({
    DELETE_CONTACTS: 'Carries out a large deletion.',
    RECOVER_CONTACTS: 'Carries out a recovery.',
    UNDO_RECOVERY: 'Takes a recovery back.',
    RESTORE_DRILL: 'Brings a sample of the newest snapshot back beside the live contacts, to prove that it can be.',
    ERASE_CONTACTS: 'Carries out an erasure: a purge, or one under Article 17.',
    TAKE_SNAPSHOT: 'Takes a snapshot of the whole organization.',
    CHECK_IMPORT: 'Reads a contact file and says what importing it would do.',
    APPLY_IMPORT: 'Creates and changes contacts as a contact file says.',
    UNDO_IMPORT: 'Takes an import back.',
    EXPORT_CONTACTS: 'Writes contacts to a file.',
  }),
});

export const JobStateEnum = enumOf<JobState>(jobStates);
registerEnumType(JobStateEnum, {
  name: 'JobState',
  description: 'Where a job stands. The last three are final.',
  valuesConfig: described({
    QUEUED: 'Waits for a worker.',
    RUNNING: 'A worker is at it, or will go on with it after a crash.',
    COMPLETED: 'Everything is done.',
    FAILED: 'It was given up; `failure` says why.',
    CANCELLED: 'It was called off before it began.',
  }),
});

export const JobPhaseEnum = enumOf<JobPhase>(jobPhases);
registerEnumType(JobPhaseEnum, {
  name: 'JobPhase',
  description:
    'What a running job is at. Each phase counts from nothing to all of its contacts. A job never goes back to an earlier phase or count, also not when another worker goes on with it.',
  valuesConfig: described({
    REMOVING: 'Deletion: contacts move into the snapshot, batch by batch.',
    CHECKING: 'Recovery: every chunk is decrypted and held against its manifest before anything is written.',
    SAFEGUARDING: 'Recovery: the live contacts that it will change are copied into a safety snapshot, for an undo.',
    MIGRATING: 'Recovery: contacts come back, chunk by chunk, each graph compared with its digest before it is committed.',
    RECONCILING: 'Recovery: every balance is held against its ledger.',
    ERASING: 'Erasure: stored copies are destroyed, chunk by chunk.',
    PROVING: 'Recovery: every contact of the snapshot is accounted for.',
    REVERTING: 'Undo: what the recovery brought back is deleted again, and what it changed is put back, where nobody has touched it since.',
    CAPTURING: 'Snapshot: every contact is read as it is at one instant, and kept.',
    READING: 'Dry run of an import: rows are read and held against the contacts. The total is an estimate until the file has been read.',
    APPLYING: 'Import: contacts are created and changed, row by row.',
    UNDOING: 'Undo of an import: row by row what it created is deleted, and what it changed is put back.',
    EXPORTING: 'Export: every contact is read as it is at one instant, and written to the file.',
  }),
});

@ObjectType({ description: 'Why something failed.' })
export class Failure {
  @Field(() => String, { description: 'A stable code.' })
  code!: string;

  @Field(() => String, { description: 'What happened, what was left unchanged and what to do.' })
  message!: string;
}

@ObjectType({ implements: Node, description: 'Work in the background: its phase, how much is done, and its outcome.' })
export class Job extends Node {
  @Field(() => JobKindEnum, { description: 'What it does.' })
  kind!: JobKind;

  @Field(() => JobStateEnum, { description: 'Where it stands.' })
  state!: JobState;

  @Field(() => ID, { description: 'The id of the deletion, the recovery request, the erasure, the drill, the snapshot or the import that it carries out.' })
  subjectId!: string;

  @Field(() => JobPhaseEnum, { nullable: true, description: 'What it is at; null before it starts.' })
  phase!: JobPhase | null;

  @Field(() => Int, { description: 'Contacts done in this phase.' })
  done!: number;

  @Field(() => Int, { description: 'Contacts in all.' })
  total!: number;

  @Field(() => Float, { description: 'Seconds from its start to its end, or to now.' })
  elapsedSeconds!: number;

  @Field(() => Float, {
    nullable: true,
    description: 'Contacts a second, measured since the phase began; null until there is something to measure, and when the job is not running.',
  })
  ratePerSecond!: number | null;

  @Field(() => Float, { nullable: true, description: 'Seconds until this phase is done if it goes on at that rate; null where the rate is.' })
  secondsLeft!: number | null;

  @Field(() => Failure, { nullable: true, description: 'Why it failed, when it did.' })
  failure!: Failure | null;

  @Field(() => DateTime, { description: 'When it was queued.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When a worker first took it.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { description: 'When it last told of its progress.' })
  updatedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  finishedAt!: Date | null;
}

export const JobConnection = connectionOf(Job, 'job', 'jobs');
