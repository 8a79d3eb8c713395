// A contact's money, as the world sees it: payments, the ledger, and what is added to them.
import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { DateTime, described, MinorUnits, Money, UserError } from './common.ts';
import { connectionOf } from './pages.ts';

export const PaymentMethod = {
  CARD: 'CARD',
  BANK_TRANSFER: 'BANK_TRANSFER',
  CASH: 'CASH',
  DIRECT_DEBIT: 'DIRECT_DEBIT',
  OTHER: 'OTHER',
} as const;
registerEnumType(PaymentMethod, {
  name: 'PaymentMethod',
  description: 'How a contact paid.',
  valuesConfig: described({
    CARD: 'With a card.',
    BANK_TRANSFER: 'By bank transfer.',
    CASH: 'In cash.',
    DIRECT_DEBIT: 'By direct debit.',
    OTHER: 'In any other way.',
  }),
});

export const LedgerEntryKind = {
  CHARGE: 'CHARGE',
  PAYMENT: 'PAYMENT',
  REFUND: 'REFUND',
  ADJUSTMENT: 'ADJUSTMENT',
  OPENING: 'OPENING',
} as const;
registerEnumType(LedgerEntryKind, {
  name: 'LedgerEntryKind',
  description: 'Why an amount is in the ledger.',
  valuesConfig: described({
    CHARGE: 'The contact was charged.',
    PAYMENT: 'The contact paid.',
    REFUND: 'A payment was given back.',
    ADJUSTMENT: 'A correction.',
    OPENING: 'What the balance was when the ledger began.',
  }),
});

@ObjectType({ simpleResolvers: true, description: 'Money that a contact paid.' })
export class Payment {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => Money, { description: 'How much.' })
  amount!: Money;

  @Field(() => PaymentMethod, { description: 'How.' })
  method!: keyof typeof PaymentMethod;

  @Field(() => String, { nullable: true, description: 'The reference of the bank, the card processor or the receipt.' })
  reference!: string | null;

  @Field(() => ID, { nullable: true, description: 'The membership that it was for.' })
  membershipId!: string | null;

  @Field(() => DateTime, { description: 'When it was paid.' })
  paidAt!: Date;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  createdAt!: Date;
}

@ObjectType({ simpleResolvers: true, description: 'An amount on a contact’s account. The balance is the sum of these.' })
export class LedgerEntry {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => LedgerEntryKind, { description: 'Why it is there.' })
  kind!: keyof typeof LedgerEntryKind;

  @Field(() => Money, { description: 'The amount: below zero when the contact owes it.' })
  amount!: Money;

  @Field(() => String, { description: 'What it is for.' })
  description!: string;

  @Field(() => ID, { nullable: true, description: 'The payment that it enters.' })
  paymentId!: string | null;

  @Field(() => DateTime, { description: 'When it took effect.' })
  occurredAt!: Date;

  @Field(() => DateTime, { description: 'When it was entered.' })
  createdAt!: Date;
}

export const PaymentConnection = connectionOf(Payment, 'payment', 'payments');
export const LedgerEntryConnection = connectionOf(LedgerEntry, 'ledger entry', 'ledger entries');

@InputType({ description: 'A payment to record. It is entered in the ledger and raises the balance.' })
export class AddPaymentInput {
  @Field(() => ID, { description: 'Who paid.' })
  contactId!: string;

  @Field(() => MinorUnits, { description: 'How much in minor units (cents), 1 to 1,000,000,000,000.' })
  amountMinor!: number;

  @Field(() => String, { nullable: true, description: 'The ISO 4217 code of the currency; the organization’s, when left out.' })
  currency?: string | null;

  @Field(() => PaymentMethod, { description: 'How.' })
  method!: keyof typeof PaymentMethod;

  @Field(() => ID, { nullable: true, description: 'The membership that it is for; one of the contact’s.' })
  membershipId?: string | null;

  @Field(() => String, { nullable: true, description: 'The reference of the bank, the card processor or the receipt.' })
  reference?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was paid; now, when left out.' })
  paidAt?: Date | null;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `addPayment`.' })
export class AddPaymentPayload {
  @Field(() => Payment, { nullable: true, description: 'The payment; null when it was refused.' })
  payment!: Payment | null;

  @Field(() => [UserError], { description: 'Why nothing was recorded; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'A charge. It is entered in the ledger and lowers the balance.' })
export class AddChargeInput {
  @Field(() => ID, { description: 'Who is charged.' })
  contactId!: string;

  @Field(() => MinorUnits, { description: 'How much in minor units (cents), 1 to 1,000,000,000,000.' })
  amountMinor!: number;

  @Field(() => String, { nullable: true, description: 'The ISO 4217 code of the currency; the organization’s, when left out.' })
  currency?: string | null;

  @Field(() => String, { description: 'What for, 1 to 255 characters.' })
  description!: string;

  @Field(() => DateTime, { nullable: true, description: 'When it takes effect; now, when left out.' })
  occurredAt?: Date | null;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `addCharge`.' })
export class AddChargePayload {
  @Field(() => LedgerEntry, { nullable: true, description: 'The ledger entry; null when it was refused.' })
  ledgerEntry!: LedgerEntry | null;

  @Field(() => [UserError], { description: 'Why nothing was charged; empty when it was.' })
  userErrors!: UserError[];
}
