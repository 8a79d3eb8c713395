// Recoveries: ordering, cancelling and undoing, and the progress live.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import { type InvoiceRow, readInvoices } from '../domain/invoices.ts';
import { cancelRecovery, type RecoveryOrder, requestRecovery } from '../domain/recoveries.ts';
import { listConflicts, listRecoveries, listUndoExceptions, readRecoveries, type RecoveryRow } from '../domain/recovery-rows.ts';
import { undoRecovery } from '../domain/undoing.ts';
import { NotFound } from '../errors.ts';
import { watch } from '../pubsub.ts';
import { decodeId, decodeOptionalId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { Deletion } from '../schema/deletions.ts';
import { Invoice } from '../schema/invoices.ts';
import { Job } from '../schema/jobs.ts';
import {
  CancelRecoveryInput,
  RecoveryPayload,
  RecoveryRequest,
  RecoveryRequestConnection,
  RequestRecoveryInput,
  Undo,
  type UndoException,
  UndoExceptionConnection,
  UndoRecoveryInput,
} from '../schema/recoveries.ts';
import { type Conflict, ConflictConnection, type RecoveryPlan } from '../schema/recovery-plans.ts';
import { loadDeletion } from './deletions.ts';
import { shownInvoice } from './invoices.ts';
import { loadJob } from './jobs.ts';
import { policiesOf, selectionOf, shownConflict, shownPlan } from './recovery-plans.ts';

const ended = new Set(['COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED', 'UNDONE']);

export const shownRecovery = (row: RecoveryRow): RecoveryRequest & { __typename: string } => ({
  ...row,
  __typename: 'RecoveryRequest',
  id: encodeId('RecoveryRequest', row.id),
  uuid: row.id,
  deletionUuid: row.selected.deletionId ?? null,
  jobUuid: row.jobId,
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
  undo: row.undoJobId ? shownUndo(row) : null,
});

const shownUndo = (row: RecoveryRow): Undo => ({
  ...row,
  orderedByName: row.undoneByName,
  jobUuid: row.undoJobId,
  deletionUuid: row.undoDeletionId,
  requestUuid: row.id,
});

/** The request, or null. */
export async function loadRecovery(context: Context, id: string): Promise<(RecoveryRequest & { __typename: string }) | null> {
  const row = await context
    .loader<string, RecoveryRow | null>('recovery', async (tx, ids) => {
      const rows = new Map((await readRecoveries(tx, ids)).map((row) => [row.id, row]));
      return ids.map((id) => rows.get(id) ?? null);
    })
    .load(id);
  return row && shownRecovery(row);
}

@Resolver(() => Undo)
export class UndoResolver {
  @FieldResolver(() => Job, { nullable: true, description: 'The job that carries it out, for those who may watch jobs or ordered the recovery.' })
  async job(@Ctx() context: Context, @Root() { jobUuid }: Undo): Promise<Job | null> {
    return jobUuid ? loadJob(context, jobUuid) : null;
  }

  @FieldResolver(() => Deletion, {
    nullable: true,
    description: 'The deletion that took the recovered contacts away again, for those who may see deletions; null when there was nothing to take.',
  })
  async deletion(@Ctx() context: Context, @Root() { deletionUuid }: Undo): Promise<Deletion | null> {
    return deletionUuid ? loadDeletion(context, deletionUuid) : null;
  }

  @FieldResolver(() => UndoExceptionConnection, { description: 'The contacts that were kept or could not be taken back, in order of id.' })
  async exceptions(@Ctx() context: Context, @Root() { requestUuid }: Undo, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<UndoException>> {
    const place = after ? decodeCursor(after, 'undo exceptions', 1)[0]! : null;
    const rows = await listUndoExceptions(await context.reading(), requestUuid, checkFirst(first) + 1, place);
    return pageOf(
      rows,
      first,
      (row) => ['undo exceptions', row.contactId],
      (row) => ({ ...row, contactId: encodeId('Contact', row.contactId) }),
    );
  }
}

@Resolver(() => RecoveryRequest)
export class RecoveryResolver {
  @Query(() => RecoveryRequest, { description: 'A recovery request, by its id.' })
  async recoveryRequest(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the request.' }) id: string): Promise<RecoveryRequest> {
    const request = await loadRecovery(context, decodeId('RecoveryRequest', id));
    if (!request) throw new NotFound('recovery request');
    return request;
  }

  @Query(() => RecoveryRequestConnection, { description: 'Recovery requests, the newest first.' })
  async recoveryRequests(
    @Ctx() context: Context,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('deletionId', () => ID, { nullable: true, description: 'Of this deletion only.' }) deletionId?: string | null,
  ): Promise<Page<RecoveryRequest>> {
    const before = after ? decodeCursor(after, 'recoveries', 1)[0]! : null;
    const rows = await listRecoveries(await context.reading(), checkFirst(first) + 1, before, decodeOptionalId('Deletion', deletionId) ?? null);
    return pageOf(rows, first, (row) => ['recoveries', row.id], shownRecovery);
  }

  @Mutation(() => RecoveryPayload, {
    complexity: 5000,
    description: 'Orders a recovery that was planned and issues its invoice. It starts when the invoice has been paid.',
  })
  requestRecovery(
    @Ctx() context: Context,
    @Arg('input', () => RequestRecoveryInput, { description: 'What was planned, the hash of the plan, and a key of your own.' }) input: RequestRecoveryInput,
  ): Promise<RecoveryPayload> {
    const { planHash, idempotencyKey } = input;
    return order(context, { selection: selectionOf(input), ...policiesOf(input), planHash, idempotencyKey });
  }

  @Mutation(() => RecoveryPayload, {
    description:
      'Takes a completed recovery back, for 30 days: what it brought back is deleted again, what it changed is put back; what was edited since is kept. Its job tells the progress.',
  })
  undoRecovery(
    @Ctx() context: Context,
    @Arg('input', () => UndoRecoveryInput, { description: 'Which request.' }) { id }: UndoRecoveryInput,
  ): Promise<RecoveryPayload> {
    return changed(context, () => context.write((app, viewer) => undoRecovery(app, viewer, decodeId('RecoveryRequest', id))));
  }

  @Mutation(() => RecoveryPayload, { description: 'Cancels a recovery that has not begun; what was paid is refunded.' })
  cancelRecovery(
    @Ctx() context: Context,
    @Arg('input', () => CancelRecoveryInput, { description: 'Which request.' }) { id }: CancelRecoveryInput,
  ): Promise<RecoveryPayload> {
    return changed(context, () => context.write((app, viewer) => cancelRecovery(app, viewer, decodeId('RecoveryRequest', id))));
  }

  @FieldResolver(() => Deletion, {
    nullable: true,
    description: 'The deletion that it recovers, for those who may see deletions; null when it was selected in another way.',
  })
  async deletion(@Ctx() context: Context, @Root() { deletionUuid }: RecoveryRequest): Promise<Deletion | null> {
    return deletionUuid ? loadDeletion(context, deletionUuid) : null;
  }

  @FieldResolver(() => Job, {
    nullable: true,
    description: 'The job that carries it out, with its phase and progress, for those who may watch jobs or ordered it; null until it is queued.',
  })
  async job(@Ctx() context: Context, @Root() { jobUuid }: RecoveryRequest): Promise<Job | null> {
    return jobUuid ? loadJob(context, jobUuid) : null;
  }

  @FieldResolver(() => Invoice, { description: 'Its invoice.' })
  async invoice(@Ctx() context: Context, @Root() { uuid }: RecoveryRequest): Promise<Invoice> {
    const row = await context
      .loader<string, InvoiceRow>('invoice', async (tx, ids) => {
        const rows = new Map((await readInvoices(tx, ids)).map((row) => [row.recoveryRequestId, row]));
        return ids.map((id) => rows.get(id)!);
      })
      .load(uuid);
    return shownInvoice(context, row);
  }

  @FieldResolver(() => ConflictConnection, { description: 'The contacts that something live stood in the way of, each with what was done.' })
  async conflicts(@Ctx() context: Context, @Root() { uuid }: RecoveryRequest, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<Conflict>> {
    const rows = await listConflicts(await context.reading(), uuid, checkFirst(first) + 1, after ? decodeCursor(after, 'conflicts', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['conflicts', row.contactId], shownConflict);
  }

  @Subscription(() => RecoveryRequest, {
    description: 'A recovery request as it is now, then each change, at most ten a second, then its final state; then the stream completes.',
    subscribe: ({ args, context }: { args: { id?: string }; context: Context }) => watchRecovery(context, args.id!),
  })
  recoveryProgress(@Root() request: RecoveryRow, @Arg('id', () => ID, { description: 'The id of the request.' }) _id: string): RecoveryRequest {
    return shownRecovery(request);
  }
}

const changed = (context: Context, work: () => Promise<string>): Promise<RecoveryPayload> =>
  payload<RecoveryPayload>(async () => ({ plan: null, recoveryRequest: await loadRecovery(context, await work()) }), { plan: null, recoveryRequest: null });

/** Orders; a plan that has drifted comes back with its refusal. */
async function order(context: Context, wanted: RecoveryOrder): Promise<RecoveryPayload> {
  let plan: RecoveryPlan | null = null;
  const answer = await changed(context, async () => {
    const { id, drifted } = await context.write((app, viewer) => requestRecovery(app, viewer, wanted));
    if (id !== undefined) return id;
    plan = shownPlan(context, drifted.plan);
    throw drifted.refusal;
  });
  return { ...answer, plan };
}

async function watchRecovery({ app, claims, pubsub }: Context, globalId: string): Promise<AsyncIterableIterator<RecoveryRow>> {
  const id = decodeId('RecoveryRequest', globalId);
  const read = () =>
    app.database.transact(
      claims!.organizationId!,
      async (tx) => {
        const [row] = await readRecoveries(tx, [id]);
        if (!row) throw new NotFound('recovery request');
        return row;
      },
      { readOnly: true },
    );
  // Told at once, before the stream begins.
  await read();
  return watch(pubsub, 'recovery', id, read, (row) => ended.has(row.state));
}
