// A contact's money: its payments, ledger and balances, and adding to them.
import type { GraphQLResolveInfo } from 'graphql';
import { Arg, Args, Ctx, FieldResolver, Info, Mutation, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { addCharge, addPayment, type BalanceRow, balancesOf, ledgerEntriesOf, type LedgerEntryRow, type PaymentRow, paymentsOf } from '../domain/ledger.ts';
import { decodeId, decodeOptionalId, encodeId, Money, payload } from '../schema/common.ts';
import { PageArgs, type Page } from '../schema/pages.ts';
import { Contact } from '../schema/contacts.ts';
import {
  AddChargeInput,
  AddChargePayload,
  AddPaymentInput,
  AddPaymentPayload,
  type LedgerEntry,
  LedgerEntryConnection,
  type Payment,
  PaymentConnection,
} from '../schema/ledger.ts';
import { type ChildList, childPage } from './pages.ts';

const shownPayment = ({ id, membershipId, amountMinor, currency, ...row }: PaymentRow): Payment => ({
  ...row,
  id: encodeId('Payment', id),
  membershipId: membershipId && encodeId('Membership', membershipId),
  amount: { amountMinor, currency },
});
const shownLedgerEntry = ({ id, paymentId, amountMinor, currency, ...row }: LedgerEntryRow): LedgerEntry => ({
  ...row,
  id: encodeId('LedgerEntry', id),
  paymentId: paymentId && encodeId('Payment', paymentId),
  amount: { amountMinor, currency },
});

const paymentList: ChildList<PaymentRow, Payment> = {
  name: 'payments',
  read: paymentsOf,
  show: shownPayment,
  madeOf: { amount: ['amountMinor', 'currency'] },
};
const ledgerList: ChildList<LedgerEntryRow, LedgerEntry> = {
  name: 'ledger entries',
  read: ledgerEntriesOf,
  show: shownLedgerEntry,
  madeOf: { amount: ['amountMinor', 'currency'] },
};

const balances = (context: Context, { uuid }: Contact): Promise<BalanceRow[]> => context.loader('balances', balancesOf).load(uuid);

@Resolver(() => Contact)
export class LedgerResolver {
  @FieldResolver(() => PaymentConnection, {
    nullable: true,
    description: 'Its payments, the one that was recorded last first; null without the permission `payments:read`, and when your roles hide them.',
  })
  payments(@Ctx() context: Context, @Root() contact: Contact, @Args(() => PageArgs) page: PageArgs, @Info() info: GraphQLResolveInfo): Promise<Page<Payment>> {
    return childPage(context, contact, page, info, paymentList);
  }

  @FieldResolver(() => LedgerEntryConnection, {
    nullable: true,
    description: 'Its ledger, the one that was entered last first; null without the permission `payments:read`, and when your roles hide them.',
  })
  ledgerEntries(
    @Ctx() context: Context,
    @Root() contact: Contact,
    @Args(() => PageArgs) page: PageArgs,
    @Info() info: GraphQLResolveInfo,
  ): Promise<Page<LedgerEntry>> {
    return childPage(context, contact, page, info, ledgerList);
  }

  @FieldResolver(() => [Money], {
    nullable: true,
    description:
      'The sum of its ledger for each currency that was ever used: below zero when the contact owes; null without the permission `payments:read`, and when your roles hide them.',
  })
  balances(@Ctx() context: Context, @Root() contact: Contact): Promise<Money[]> {
    return balances(context, contact);
  }

  @FieldResolver(() => Money, {
    nullable: true,
    description:
      'The balance in the organization’s own currency: below zero when the contact owes; null without the permission `payments:read`, and when your roles hide it.',
  })
  async balance(@Ctx() context: Context, @Root() contact: Contact): Promise<Money> {
    const { currency } = (await context.viewer()).organization!;
    return (await balances(context, contact)).find((balance) => balance.currency === currency) ?? { amountMinor: 0, currency };
  }

  @Mutation(() => AddPaymentPayload, { description: 'Records a payment, which raises the contact’s balance.' })
  addPayment(
    @Ctx() context: Context,
    @Arg('input', () => AddPaymentInput, { description: 'The payment.' }) { contactId, membershipId, ...rest }: AddPaymentInput,
  ): Promise<AddPaymentPayload> {
    const payment = { ...rest, contactId: decodeId('Contact', contactId), membershipId: decodeOptionalId('Membership', membershipId) };
    const work = async () => ({ payment: shownPayment(await context.write((app, viewer) => addPayment(app, viewer, payment))) });
    return payload<AddPaymentPayload>(work, { payment: null });
  }

  @Mutation(() => AddChargePayload, { description: 'Charges a contact, which lowers its balance.' })
  addCharge(@Ctx() context: Context, @Arg('input', () => AddChargeInput, { description: 'The charge.' }) input: AddChargeInput): Promise<AddChargePayload> {
    const charge = { ...input, contactId: decodeId('Contact', input.contactId) };
    const work = async () => ({ ledgerEntry: shownLedgerEntry(await context.write((app, viewer) => addCharge(app, viewer, charge))) });
    return payload<AddChargePayload>(work, { ledgerEntry: null });
  }
}
