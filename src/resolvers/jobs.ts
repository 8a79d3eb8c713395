// Jobs: one by its id, all of them, and their progress live.
import { Arg, Args, Ctx, ID, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import { type JobKind, type JobRow, type JobState, listJobs, listRecentJobs, readJobs } from '../domain/jobs.ts';
import { NotFound } from '../errors.ts';
import { watch } from '../pubsub.ts';
import { decodeId, encodeId, type Kinds } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { Job, JobConnection, JobStateEnum } from '../schema/jobs.ts';

/** What a job of each kind carries out. */
const subjects = {
  DELETE_CONTACTS: 'Deletion',
  RECOVER_CONTACTS: 'RecoveryRequest',
  UNDO_RECOVERY: 'RecoveryRequest',
  ERASE_CONTACTS: 'Erasure',
  RESTORE_DRILL: 'RestoreDrill',
  TAKE_SNAPSHOT: 'Snapshot',
  CHECK_IMPORT: 'Import',
  APPLY_IMPORT: 'Import',
  UNDO_IMPORT: 'Import',
  EXPORT_CONTACTS: 'ContactExport',
} as const satisfies Record<JobKind, Kinds>;

const ended = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

export const shownJob = (row: JobRow): Job & { __typename: string } => ({
  ...row,
  __typename: 'Job',
  id: encodeId('Job', row.id),
  subjectId: encodeId(subjects[row.kind], row.subjectId),
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
});

/** The job, or null. */
export async function loadJob(context: Context, id: string): Promise<(Job & { __typename: string }) | null> {
  const row = await context
    .loader<string, JobRow | null>('job', async (tx, ids) => {
      const rows = new Map((await readJobs(tx, ids)).map((row) => [row.id, row]));
      return ids.map((id) => rows.get(id) ?? null);
    })
    .load(id);
  return row && shownJob(row);
}

@Resolver()
export class JobResolver {
  @Query(() => Job, { description: 'A job, by its id.' })
  async job(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the job.' }) id: string): Promise<Job> {
    const job = await loadJob(context, decodeId('Job', id));
    if (!job) throw new NotFound('job');
    return job;
  }

  @Query(() => JobConnection, { description: 'All jobs, the newest first.' })
  async jobs(
    @Ctx() context: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('state', () => JobStateEnum, { nullable: true, description: 'In this state only.' }) state?: JobState | null,
  ): Promise<Page<Job>> {
    const before = after ? decodeCursor(after, 'jobs', 1)[0]! : null;
    const rows = await listJobs(await context.reading(), checkFirst(first) + 1, before, state ?? null);
    return pageOf(rows, first, (row) => ['jobs', row.id], shownJob);
  }

  @Subscription(() => Job, {
    description: 'A job as it is now, then each change, at most ten a second, then its final state; then the stream completes.',
    subscribe: ({ args, context }: { args: { id?: string }; context: Context }) => watchJob(context, args.id!),
  })
  jobProgress(@Root() job: JobRow, @Arg('id', () => ID, { description: 'The id of the job.' }) _id: string): Job {
    return shownJob(job);
  }

  @Subscription(() => [Job], {
    description:
      'The jobs of the organization that have not ended and those that ended in the last ten minutes, 50 at most, the newest first: as they are now, then with each change, at most ten a second. It goes on until it is left.',
    subscribe: ({ context }: { context: Context }) => watchJobs(context),
  })
  organizationJobs(@Root() jobs: JobRow[]): Job[] {
    return jobs.map(shownJob);
  }
}

function watchJobs({ app, claims, pubsub }: Context): AsyncIterableIterator<JobRow[]> {
  const organizationId = claims!.organizationId!;
  const read = () => app.database.transact(organizationId, listRecentJobs, { readOnly: true });
  return watch(pubsub, 'jobs', organizationId, read, () => false);
}

async function watchJob({ app, claims, pubsub }: Context, globalId: string): Promise<AsyncIterableIterator<JobRow>> {
  const id = decodeId('Job', globalId);
  const read = async (): Promise<JobRow> => {
    const [row] = await app.database.transact(claims!.organizationId!, (tx) => readJobs(tx, [id]), { readOnly: true });
    if (!row) throw new NotFound('job');
    return row;
  };
  // Told at once, before the stream begins.
  await read();
  return watch(pubsub, 'job', id, read, (row) => ended.has(row.state));
}
