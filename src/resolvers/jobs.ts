// Jobs: one by its id, and its progress live.
import { Arg, Ctx, ID, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import { type JobRow, readJobs } from '../domain/jobs.ts';
import { NotFound } from '../errors.ts';
import { watch } from '../pubsub.ts';
import { decodeId, encodeId } from '../schema/common.ts';
import { Job } from '../schema/jobs.ts';

const ended = new Set(['COMPLETED', 'FAILED', 'CANCELLED']);

const subjects = { DELETE_CONTACTS: 'Deletion', RECOVER_CONTACTS: 'RecoveryRequest', TAKE_SNAPSHOT: 'Snapshot' } as const;

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

  @Subscription(() => Job, {
    description: 'A job as it is now, then each change, at most ten a second, then its final state; then the stream completes.',
    subscribe: ({ args, context }: { args: { id?: string }; context: Context }) => watchJob(context, args.id!),
  })
  jobProgress(@Root() job: JobRow, @Arg('id', () => ID, { description: 'The id of the job.' }) _id: string): Job {
    return shownJob(job);
  }
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
