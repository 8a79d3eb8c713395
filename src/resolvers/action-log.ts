// Reading the action log.
import { Arg, Args, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { type ActionLogRow, listActions, listBatchContacts } from '../domain/action-log.ts';
import { ActionLogEntry, ActionLogEntryConnection, ActionLogFilter } from '../schema/action-log.ts';
import { checkFirst, decodeAnyId, decodeCursor, decodeId, encodeId, type Kinds, PageArgs, pageOf, type Page } from '../schema/common.ts';
import { type DeletedContact, DeletedContactConnection } from '../schema/deletions.ts';

export const shownAction = (row: ActionLogRow): ActionLogEntry & { __typename: string } => ({
  ...row,
  __typename: 'ActionLogEntry',
  id: encodeId('ActionLogEntry', row.id),
  actorId: row.actorId && row.actorKind === 'STAFF' ? encodeId('StaffMember', row.actorId) : null,
  targetId: row.targetId && row.targetKind ? encodeId(row.targetKind as Kinds, row.targetId) : null,
  deletionUuid: row.deletionId,
});

@Resolver(() => ActionLogEntry)
export class ActionLogResolver {
  @Query(() => ActionLogEntryConnection, { description: 'Who did what and exactly when, the newest first, refused attempts included.' })
  async actionLog(
    @Ctx() context: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('filter', () => ActionLogFilter, { nullable: true, description: 'Which entries.' }) filter?: ActionLogFilter | null,
  ): Promise<Page<ActionLogEntry>> {
    const [instant, id] = after ? decodeCursor(after, 2) : [];
    const rows = await listActions(await context.reading(), filterOf(filter ?? {}), checkFirst(first) + 1, instant && id ? { instant, id } : null);
    return pageOf(rows, first, (row) => [row.cursor, row.id], shownAction);
  }

  @FieldResolver(() => DeletedContactConnection, { description: 'The contacts that it touched, by id, when it was a batch; else none.' })
  async contacts(@Ctx() context: Context, @Root() entry: ActionLogEntry, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<DeletedContact>> {
    const { deletionUuid, chunkNumber } = entry;
    const rows = deletionUuid ? await listBatchContacts(await context.reading(), deletionUuid, chunkNumber, checkFirst(first) + 1, after ? decodeCursor(after, 1)[0]! : null) : [];
    return pageOf(rows, first, (row) => [row.id], ({ id }) => ({ id: encodeId('Contact', id) }));
  }
}

function filterOf({ actorId, targetId, ...filter }: ActionLogFilter) {
  const { action, outcome, requestId, from, before } = filter;
  return {
    action: action ?? undefined,
    outcome: outcome ?? undefined,
    requestId: requestId ?? undefined,
    from: from ?? undefined,
    before: before ?? undefined,
    actorId: actorId ? decodeId('StaffMember', actorId) : undefined,
    targetId: targetId ? decodeAnyId(targetId)[1] : undefined,
  };
}
