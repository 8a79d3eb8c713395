// What has changed since a snapshot.
import { Arg, Args, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { type ComparedContact as ComparedRow, compareSnapshot, totalComparison } from '../domain/comparisons.ts';
import { InvalidInput } from '../errors.ts';
import { holds } from '../permissions/rules.ts';
import { decodeId, encodeId } from '../schema/common.ts';
import { checkFirst, decodeCursor, encodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { type ComparedContact, ComparedContactConnection, CompareSnapshotInput, ComparisonTotals } from '../schema/comparisons.ts';

const shownDifference = (row: ComparedRow): ComparedContact => ({ ...row, contactId: encodeId('Contact', row.contactId) });

/** The contact that a page begins after. @throws InvalidInput BAD_CURSOR also for one of another snapshot */
function placeOf(cursor: string, snapshotId: string): string {
  const [snapshot, contact] = decodeCursor(cursor, 'comparison', 2);
  if (snapshot !== snapshotId) throw new InvalidInput('BAD_CURSOR', 'The cursor belongs to the comparison with another snapshot. Start again without `after`.');
  return contact!;
}

@Resolver(() => ComparedContactConnection)
export class ComparisonResolver {
  @Query(() => ComparedContactConnection, {
    complexity: 3000,
    description:
      'The contacts that are not now as a snapshot has them, in order of their ids, with what changed field by field. A page may hold fewer than `first`, even none, when a great many that are the same had to be looked at: go on with its `endCursor` while `hasNextPage`.',
  })
  async compareSnapshot(
    @Ctx() context: Context,
    @Arg('input', () => CompareSnapshotInput, { description: 'What to compare.' }) input: CompareSnapshotInput,
    @Args(() => PageArgs) { first, after }: PageArgs,
  ): Promise<Page<ComparedContact> & { snapshotId: string }> {
    const snapshotId = decodeId('Snapshot', input.snapshotId);
    const page = { first: checkFirst(first), after: after ? placeOf(after, snapshotId) : null };
    const viewer = await context.viewer();
    const looker = { hidden: viewer.hidden, seesMoney: holds(viewer, 'payments:read') };
    const { nodes, next } = await compareSnapshot(await context.reading(), context.app, snapshotId, page, looker);
    const { edges, pageInfo } = pageOf(nodes, first, (row) => ['comparison', snapshotId, row.contactId], shownDifference);
    const endCursor = next ? encodeCursor(['comparison', snapshotId, next]) : pageInfo.endCursor;
    return { snapshotId, edges, nodes: edges.map(({ node }) => node), pageInfo: { hasNextPage: next !== null, endCursor } };
  }

  @FieldResolver(() => ComparisonTotals, {
    nullable: true,
    complexity: 10_000,
    description:
      'How many there are in all, for those who may see payments and whose roles hide nothing. Reads everything, so ask for it once and not with every page.',
  })
  async totals(@Ctx() context: Context, @Root() { snapshotId }: { snapshotId: string }): Promise<ComparisonTotals> {
    return totalComparison(await context.reading(), context.app, snapshotId);
  }
}
