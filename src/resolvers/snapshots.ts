// Snapshots of the whole organization: taking one, and looking them up.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { listSnapshots, readSnapshots, type SnapshotRow } from '../domain/snapshot-rows.ts';
import { takeSnapshot } from '../domain/snapshots.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, pageOf, type Page } from '../schema/pages.ts';
import { Job } from '../schema/jobs.ts';
import { Snapshot, SnapshotConnection, SnapshotsArgs, TakeSnapshotInput, TakeSnapshotPayload } from '../schema/snapshots.ts';
import { loadJob } from './jobs.ts';

const shownSnapshot = (row: SnapshotRow): Snapshot & { __typename: string } => ({
  ...row,
  __typename: 'Snapshot',
  id: encodeId('Snapshot', row.id),
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
});

/** The snapshot, or null. */
export async function loadSnapshot(context: Context, id: string): Promise<(Snapshot & { __typename: string }) | null> {
  const [row] = await readSnapshots(await context.reading(), [id]);
  return row ? shownSnapshot(row) : null;
}

@Resolver(() => Snapshot)
export class SnapshotResolver {
  @Mutation(() => TakeSnapshotPayload, {
    description:
      'Takes a snapshot of the whole organization as it is at one instant. It holds up nobody who works meanwhile, and takes only as much room as has changed since earlier ones. A job does it.',
  })
  takeSnapshot(
    @Ctx() context: Context,
    @Arg('input', () => TakeSnapshotInput, { description: 'What it is for.' }) input: TakeSnapshotInput,
  ): Promise<TakeSnapshotPayload> {
    return payload<TakeSnapshotPayload>(
      async () => {
        const id = await context.write((app, viewer) => takeSnapshot(app, viewer, input));
        return { snapshot: await loadSnapshot(context, id) };
      },
      { snapshot: null },
    );
  }

  @Query(() => Snapshot, { description: 'A snapshot of the whole organization, by its id.' })
  async snapshot(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the snapshot.' }) id: string): Promise<Snapshot> {
    const snapshot = await loadSnapshot(context, decodeId('Snapshot', id));
    if (!snapshot) throw new NotFound('snapshot');
    return snapshot;
  }

  @Query(() => SnapshotConnection, { description: 'The snapshots of the whole organization that have not been erased, the newest first.' })
  async snapshots(@Ctx() context: Context, @Args(() => SnapshotsArgs) { first, after, kind }: SnapshotsArgs): Promise<Page<Snapshot>> {
    const before = after ? decodeCursor(after, 'snapshots', 1)[0]! : null;
    const rows = await listSnapshots(await context.reading(), checkFirst(first) + 1, before, kind ?? null);
    return pageOf(rows, first, (row) => ['snapshots', row.id], shownSnapshot);
  }

  @FieldResolver(() => Job, { nullable: true, description: 'The job that takes it, for those who may watch jobs or took it.' })
  async job(@Ctx() context: Context, @Root() { jobId }: Snapshot): Promise<Job | null> {
    return jobId ? loadJob(context, jobId) : null;
  }
}
