// Invoices, and what operators do: see which are open, record a payment, let a paid recovery start.
import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { type InvoiceRow, listOpenInvoices, readInvoice } from '../domain/invoices.ts';
import { approveRecovery, confirmPayment } from '../domain/recoveries.ts';
import { InvalidInput } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import type { Invoice } from '../schema/invoices.ts';
import { ApproveRecoveryInput, ConfirmPaymentInput, InvoiceConnection, OperatorPayload } from '../schema/invoices.ts';
import { checkFirst, decodeCursor, type Page, PageArgs, pageOf } from '../schema/pages.ts';

export const shownInvoice = ({ app }: Context, row: InvoiceRow): Invoice & { __typename: string } => ({
  ...row,
  __typename: 'Invoice',
  id: encodeId('Invoice', row.id),
  amount: { amountMinor: row.amountMinor, currency: row.currency },
  instructions: app.payments.instructions(row),
  paymentReference: row.providerReference,
  recoveryRequestId: encodeId('RecoveryRequest', row.recoveryRequestId),
});

/** The invoice, or null. */
export async function loadInvoice(context: Context, id: string): Promise<(Invoice & { __typename: string }) | null> {
  const row = await readInvoice(await context.reading(), id);
  return row ? shownInvoice(context, row) : null;
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

const operated = (work: () => Promise<string>): Promise<OperatorPayload> =>
  payload<OperatorPayload>(async () => ({ recoveryRequestId: encodeId('RecoveryRequest', await work()) }), { recoveryRequestId: null });
