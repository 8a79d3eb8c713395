// Reading the action log.
import { Arg, Args, Ctx, FieldResolver, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import type { Transaction } from '../database.ts';
import {
  type ActionLogRow,
  endOfLog,
  followActions,
  globalIdsOf,
  listActions,
  listBatchContacts,
  type LogPlace,
  readActions,
} from '../domain/action-log-rows.ts';
import { orderLogFile } from '../domain/log-files.ts';
import { InvalidInput } from '../errors.ts';
import { follow } from '../pubsub.ts';
import { ActionLogEntry, ActionLogEntryConnection, ActionLogFilter, AddedActions, ExportActionLogInput, ExportActionLogPayload } from '../schema/action-log.ts';
import { decodeAnyId, decodeId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, encodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { type DeletedContact, DeletedContactConnection } from '../schema/deletions.ts';

export const shownAction = (row: ActionLogRow): ActionLogEntry & { __typename: string } => ({
  ...row,
  __typename: 'ActionLogEntry',
  ...globalIdsOf(row),
  deletionUuid: row.deletionId,
  subjectUuid: row.targetId,
});

/** The entry, or null. */
export async function loadAction(context: Context, id: string): Promise<(ActionLogEntry & { __typename: string }) | null> {
  const [row] = await readActions(await context.reading(), [id]);
  return row ? shownAction(row) : null;
}

/** Where a page begins. @throws InvalidInput BAD_CURSOR */
function placeOf(cursor: string): { instant: string; id: string } {
  const [instant, id] = decodeCursor(cursor, 'actions', 2) as [string | null, string];
  if (!instant || !/^(?!0000)\d{4}-/.test(instant) || new Date(instant).toJSON() !== instant)
    throw new InvalidInput('BAD_CURSOR', 'The cursor is broken. Start again without `after`.');
  return { instant, id };
}

@Resolver(() => ActionLogEntry)
export class ActionLogResolver {
  @Query(() => ActionLogEntryConnection, { description: 'Who did what and exactly when, the newest first, refused attempts included.' })
  async actionLog(
    @Ctx() context: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('filter', () => ActionLogFilter, { nullable: true, description: 'Which entries.' }) filter?: ActionLogFilter | null,
  ): Promise<Page<ActionLogEntry>> {
    const rows = await listActions(await context.reading(), filterOf(filter ?? {}), checkFirst(first) + 1, after ? placeOf(after) : null);
    return pageOf(rows, first, (row) => ['actions', row.cursor, row.id], shownAction);
  }

  @Mutation(() => ExportActionLogPayload, { description: 'Gives a link to the action log as a file. It is logged.' })
  exportActionLog(
    @Ctx() context: Context,
    @Arg('input', () => ExportActionLogInput, { description: 'Which file.' }) { format, filter }: ExportActionLogInput,
  ): Promise<ExportActionLogPayload> {
    const file = { kind: 'ACTION_LOG', format, filter: filterOf(filter ?? {}) } as const;
    return payload<ExportActionLogPayload>(() => context.write((app, viewer) => orderLogFile(app, viewer, file)), { path: null, expiresAt: null });
  }

  @Subscription(() => AddedActions, {
    description:
      'The action log as it grows, for a SIEM: at once whatever is behind the cursor, then entries within about a second, when they are sealed, each once and in the order of the log. A reader that is slow is sent no more than it takes. It goes on until it is left.',
    subscribe: ({ args, context }: { args: AddedArgs; context: Context }) => followLog(context, args),
  })
  actionLogAdded(
    @Root() { rows, cursor }: Added,
    @Arg('filter', () => ActionLogFilter, { nullable: true, description: 'Which entries.' }) _filter?: ActionLogFilter | null,
    @Arg('after', () => String, {
      nullable: true,
      description: 'The cursor of an earlier event: what was added since comes first. Without it: what is added from now on.',
    })
    _after?: string | null,
  ): AddedActions {
    return { entries: rows.map(shownAction), cursor };
  }

  @FieldResolver(() => DeletedContactConnection, { description: 'The contacts that it touched, by id, when it was a batch; else none.' })
  async contacts(@Ctx() context: Context, @Root() entry: ActionLogEntry, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<DeletedContact>> {
    const { deletionUuid: deletionId, chunkNumber, subjectUuid: subjectId } = entry;
    const [limit, place] = [checkFirst(first) + 1, after ? decodeCursor(after, 'batch', 1)[0]! : null];
    const rows = deletionId ? await listBatchContacts(await context.reading(), { deletionId, chunkNumber, subjectId }, limit, place) : [];
    return pageOf(
      rows,
      first,
      (row) => ['batch', row.id],
      ({ id }) => ({ id: encodeId('Contact', id) }),
    );
  }
}

interface AddedArgs {
  filter?: ActionLogFilter | null;
  after?: string | null;
}

interface Added {
  rows: ActionLogRow[];
  cursor: string;
}

const mostAtOnce = 50;

async function followLog({ app, claims, pubsub }: Context, { filter: given, after }: AddedArgs): Promise<AsyncIterableIterator<Added>> {
  const organizationId = claims!.organizationId!;
  const filter = filterOf(given ?? {});
  const reading = <T>(work: (tx: Transaction) => Promise<T>) => app.database.transact(organizationId, work, { readOnly: true });
  let place = after == null ? await reading(endOfLog) : logPlaceOf(after, organizationId);
  // A place that is gone is told at once, before the stream begins.
  await reading((tx) => followActions(tx, filter, place, 1));
  let first = true;
  return follow(pubsub, 'log', organizationId, async () => {
    const { rows, place: next, more } = await reading((tx) => followActions(tx, filter, place, mostAtOnce));
    place = next;
    const part = rows.length > 0 || first ? { rows, cursor: encodeCursor(['log', String(place.seal), String(place.index), organizationId]) } : null;
    first = false;
    return { part, more };
  });
}

/** @throws InvalidInput BAD_CURSOR */
function logPlaceOf(cursor: string, organizationId: string): LogPlace {
  const [seal, index, whose] = decodeCursor(cursor, 'log', 3);
  if (whose !== organizationId || ![seal, index].every((number) => /^\d{1,9}$/.test(number ?? '')) || Number(seal) < 1)
    throw new InvalidInput('BAD_CURSOR', 'The cursor is broken, or belongs to another log. Start again without `after`.');
  return { seal: Number(seal), index: Number(index) };
}

/** @throws InvalidInput MALFORMED_ID for what is neither a staff member nor an API key */
function decodeActorId(given: string): string {
  const [kind, id] = decodeAnyId(given);
  return kind === 'ApiKey' ? id : decodeId('StaffMember', given);
}

function filterOf({ actorId, targetId, ...filter }: ActionLogFilter) {
  const { action, outcome, requestId, from, before } = filter;
  return {
    action: action ?? undefined,
    outcome: outcome ?? undefined,
    requestId: requestId ?? undefined,
    from: from ?? undefined,
    before: before ?? undefined,
    actorId: actorId == null ? undefined : decodeActorId(actorId),
    targetId: targetId == null ? undefined : decodeAnyId(targetId)[1],
  };
}
