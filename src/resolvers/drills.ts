// Restore drills: how they went.
import { Args, Ctx, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { listDrills, readDrills, type RestoreDrillRow } from '../domain/drills.ts';
import { encodeId } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { type RestoreDrill, RestoreDrillConnection } from '../schema/drills.ts';

const shownDrill = (row: RestoreDrillRow): RestoreDrill & { __typename: string } => ({
  ...row,
  __typename: 'RestoreDrill',
  id: encodeId('RestoreDrill', row.id),
  snapshotId: encodeId('Snapshot', row.snapshotId),
});

/** The drill, or null. */
export async function loadDrill(context: Context, id: string): Promise<(RestoreDrill & { __typename: string }) | null> {
  const [row] = await readDrills(await context.reading(), [id]);
  return row ? shownDrill(row) : null;
}

@Resolver()
export class RestoreDrillResolver {
  @Query(() => RestoreDrillConnection, { description: 'The restore drills of the organization, the newest first.' })
  async restoreDrills(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<RestoreDrill>> {
    const rows = await listDrills(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'restore drills', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['restore drills', row.id], shownDrill);
  }
}
