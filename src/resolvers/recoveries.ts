// Recoveries: the plan, ordering and cancelling, what operators do, and the progress live.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import { type InvoiceRow, listOpenInvoices, readInvoice, readInvoices } from '../domain/invoices.ts';
import { approveRecovery, cancelRecovery, confirmPayment, requestRecovery } from '../domain/recoveries.ts';
import { planRecovery } from '../domain/recovery-plans.ts';
import { listClashes, listRecoveries, readRecoveries, type RecoveryRow } from '../domain/recovery-rows.ts';
import { InvalidInput, NotFound } from '../errors.ts';
import { watch } from '../pubsub.ts';
import { checkFirst, decodeCursor, decodeId, decodeOptionalId, encodeId, PageArgs, pageOf, type Page, payload } from '../schema/common.ts';
import { Deletion } from '../schema/deletions.ts';
import { Job } from '../schema/jobs.ts';
import {
  ApproveRecoveryInput,
  CancelRecoveryInput,
  type Clash,
  ClashConnection,
  ConfirmPaymentInput,
  Invoice,
  InvoiceConnection,
  OperatorPayload,
  RecoveryPayload,
  RecoveryPlan,
  RecoveryRequest,
  RecoveryRequestConnection,
  RequestRecoveryInput,
} from '../schema/recoveries.ts';
import type { Clash as ClashRow } from '../snapshots/restore.ts';
import { loadDeletion } from './deletions.ts';
import { loadJob } from './jobs.ts';

const ended = new Set(['COMPLETED', 'FAILED', 'CANCELLED', 'EXPIRED']);

export const shownRecovery = (row: RecoveryRow): RecoveryRequest & { __typename: string } => ({
  ...row,
  __typename: 'RecoveryRequest',
  id: encodeId('RecoveryRequest', row.id),
  uuid: row.id,
  deletionUuid: row.deletionId,
  jobUuid: row.jobId,
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
});

const shownClash = (row: ClashRow): Clash => ({
  kind: row.kind,
  contactId: encodeId('Contact', row.contactId),
  liveContactId: encodeId('Contact', row.liveContactId),
});

const shownInvoice = ({ app }: Context, row: InvoiceRow): Invoice & { __typename: string } => ({
  ...row,
  __typename: 'Invoice',
  id: encodeId('Invoice', row.id),
  amount: { amountMinor: row.amountMinor, currency: row.currency },
  instructions: app.payments.instructions(row),
  paymentReference: row.providerReference,
  recoveryRequestId: encodeId('RecoveryRequest', row.recoveryRequestId),
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

/** The invoice, or null. */
export async function loadInvoice(context: Context, id: string): Promise<(Invoice & { __typename: string }) | null> {
  const row = await readInvoice(await context.reading(), id);
  return row ? shownInvoice(context, row) : null;
}

@Resolver(() => RecoveryRequest)
export class RecoveryResolver {
  @Query(() => RecoveryPlan, {
    complexity: 5000,
    description: 'What recovering a deletion would do now. Opens the whole snapshot and changes nothing.',
  })
  async recoveryPlan(@Ctx() context: Context, @Arg('deletionId', () => ID, { description: 'The deletion.' }) deletionId: string): Promise<RecoveryPlan> {
    const plan = await planRecovery(await context.reading(), context.app, decodeId('Deletion', deletionId));
    const clashes = plan.clashes.slice(0, 1000).map(shownClash);
    return { ...plan, contactCount: plan.deletion.contactCount, clashCount: plan.clashes.length, clashes };
  }

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
    description: 'Orders the recovery of a deletion and issues its invoice. It starts when the invoice has been paid.',
  })
  requestRecovery(
    @Ctx() context: Context,
    @Arg('input', () => RequestRecoveryInput, { description: 'Which deletion, and a key of your own.' })
    { deletionId, idempotencyKey }: RequestRecoveryInput,
  ): Promise<RecoveryPayload> {
    return changed(context, () =>
      context.write((app, viewer) => requestRecovery(app, viewer, { deletionId: decodeId('Deletion', deletionId), idempotencyKey })),
    );
  }

  @Mutation(() => RecoveryPayload, { description: 'Cancels a recovery that has not begun; what was paid is refunded.' })
  cancelRecovery(
    @Ctx() context: Context,
    @Arg('input', () => CancelRecoveryInput, { description: 'Which request.' }) { id }: CancelRecoveryInput,
  ): Promise<RecoveryPayload> {
    return changed(context, () => context.write((app, viewer) => cancelRecovery(app, viewer, decodeId('RecoveryRequest', id))));
  }

  @FieldResolver(() => Deletion, { nullable: true, description: 'The deletion that it recovers, for those who may see deletions.' })
  deletion(@Ctx() context: Context, @Root() { deletionUuid }: RecoveryRequest): Promise<Deletion | null> {
    return loadDeletion(context, deletionUuid);
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

  @FieldResolver(() => ClashConnection, { description: 'The contacts that were skipped, each with what stands in its way.' })
  async clashes(@Ctx() context: Context, @Root() { uuid }: RecoveryRequest, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<Clash>> {
    const rows = await listClashes(await context.reading(), uuid, checkFirst(first) + 1, after ? decodeCursor(after, 'clashes', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['clashes', row.contactId], shownClash);
  }

  @Subscription(() => RecoveryRequest, {
    description: 'A recovery request as it is now, then each change, at most ten a second, then its final state; then the stream completes.',
    subscribe: ({ args, context }: { args: { id?: string }; context: Context }) => watchRecovery(context, args.id!),
  })
  recoveryProgress(@Root() request: RecoveryRow, @Arg('id', () => ID, { description: 'The id of the request.' }) _id: string): RecoveryRequest {
    return shownRecovery(request);
  }
}

@Resolver()
export class OperatorResolver {
  @Query(() => InvoiceConnection, { description: 'Operators: the open invoices of an organization, the newest first.' })
  async openInvoices(
    @Ctx() context: Context,
    @Arg('organizationId', () => ID, { description: 'The organization.' }) organizationId: string,
    @Args(() => PageArgs) { first, after }: PageArgs,
  ): Promise<Page<Invoice>> {
    const before = after ? decodeCursor(after, 'open invoices', 1)[0]! : null;
    const id = decodeId('Organization', organizationId);
    const rows = await context.app.database.transact(id, (tx) => listOpenInvoices(tx, checkFirst(first) + 1, before), { readOnly: true });
    return pageOf(
      rows,
      first,
      (row) => ['open invoices', row.id],
      (row) => shownInvoice(context, row),
    );
  }

  @Mutation(() => OperatorPayload, {
    description: 'Operators: records that an invoice was paid. The recovery is queued, or waits for approval where the policy asks for it.',
  })
  confirmPayment(
    @Ctx() context: Context,
    @Arg('input', () => ConfirmPaymentInput, { description: 'Which invoice, and the reference of the payment.' })
    input: ConfirmPaymentInput,
  ): Promise<OperatorPayload> {
    const [organizationId, invoiceId, reference] = [
      decodeId('Organization', input.organizationId),
      decodeId('Invoice', input.invoiceId),
      input.reference.trim(),
    ];
    if (reference.length < 1 || reference.length > 200)
      throw new InvalidInput('BAD_INPUT', 'The reference must have 1 to 200 characters. Nothing was changed.');
    return operated(() => context.write((app, operator) => confirmPayment(app, operator, organizationId, invoiceId, reference)));
  }

  @Mutation(() => OperatorPayload, { description: 'Operators: lets a paid recovery start that waits for approval.' })
  approveRecovery(
    @Ctx() context: Context,
    @Arg('input', () => ApproveRecoveryInput, { description: 'Which request.' }) input: ApproveRecoveryInput,
  ): Promise<OperatorPayload> {
    const [organizationId, id] = [decodeId('Organization', input.organizationId), decodeId('RecoveryRequest', input.id)];
    return operated(() => context.write((app, operator) => approveRecovery(app, operator, organizationId, id)));
  }
}

const changed = (context: Context, work: () => Promise<string>): Promise<RecoveryPayload> =>
  payload<RecoveryPayload>(async () => ({ recoveryRequest: await loadRecovery(context, await work()) }), { recoveryRequest: null });

const operated = (work: () => Promise<string>): Promise<OperatorPayload> =>
  payload<OperatorPayload>(async () => ({ recoveryRequestId: encodeId('RecoveryRequest', await work()) }), { recoveryRequestId: null });

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
