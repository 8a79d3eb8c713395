// The bill for a recovery, and what operators do with it: record its payment, let a paid recovery start.
import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { DateTime, described, Money, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';

export const InvoiceStateEnum = { OPEN: 'OPEN', PAID: 'PAID', REFUNDED: 'REFUNDED', VOID: 'VOID' } as const;
registerEnumType(InvoiceStateEnum, {
  name: 'InvoiceState',
  description: 'Where an invoice stands.',
  valuesConfig: described({
    OPEN: 'It waits for payment.',
    PAID: 'It was paid.',
    REFUNDED: 'It was paid, and the money went back.',
    VOID: 'It was called off before it was paid.',
  }),
});

@ObjectType({ implements: Node, description: 'The bill for a recovery.' })
export class Invoice extends Node {
  @Field(() => String, { description: 'Its number within the organization, to name when paying.' })
  number!: string;

  @Field(() => InvoiceStateEnum, { description: 'Where it stands.' })
  state!: keyof typeof InvoiceStateEnum;

  @Field(() => Money, { description: 'How much.' })
  amount!: Money;

  @Field(() => String, { description: 'What to do to pay.' })
  instructions!: string;

  @Field(() => String, { nullable: true, description: 'The reference of the payment.' })
  paymentReference!: string | null;

  @Field(() => ID, { description: 'The id of the recovery request that it is for.' })
  recoveryRequestId!: string;

  @Field(() => DateTime, { description: 'When it was issued.' })
  issuedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was paid.' })
  paidAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was refunded.' })
  refundedAt!: Date | null;
}

export const InvoiceConnection = connectionOf(Invoice, 'invoice', 'invoices');

@InputType({ description: 'Operators: records that an invoice was paid.' })
export class ConfirmPaymentInput {
  @Field(() => ID, { description: 'The organization that paid.' })
  organizationId!: string;

  @Field(() => ID, { description: 'The invoice that was paid.' })
  invoiceId!: string;

  @Field(() => String, { description: 'The reference of the payment, 1 to 200 characters.' })
  reference!: string;
}

@InputType({ description: 'Operators: lets a paid recovery start.' })
export class ApproveRecoveryInput {
  @Field(() => ID, { description: 'The organization that ordered it.' })
  organizationId!: string;

  @Field(() => ID, { description: 'The recovery request.' })
  id!: string;
}

@ObjectType({ description: 'The outcome of what an operator did to a recovery.' })
export class OperatorPayload {
  @Field(() => ID, { nullable: true, description: 'The recovery request that it concerned.' })
  recoveryRequestId!: string | null;

  @Field(() => [UserError], { description: 'Why nothing was changed; empty when it was.' })
  userErrors!: UserError[];
}
