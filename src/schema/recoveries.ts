// Recovering, as the world sees it: the plan, the request, the invoice, the clashes.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { RecoveryState } from '../entities/recovery.ts';
import type { ClashKind } from '../snapshots/restore.ts';
import { connectionOf, DateTime, Money, Node, UserError } from './common.ts';
import { RowCount } from './deletions.ts';
import { Failure } from './jobs.ts';

export const RecoveryStateEnum: Record<RecoveryState, RecoveryState> = {
  AWAITING_PAYMENT: 'AWAITING_PAYMENT',
  AWAITING_APPROVAL: 'AWAITING_APPROVAL',
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  COMPLETED: 'COMPLETED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
  EXPIRED: 'EXPIRED',
};
registerEnumType(RecoveryStateEnum, {
  name: 'RecoveryState',
  description: 'Where a recovery request stands. The last four are final.',
  valuesConfig: {
    AWAITING_PAYMENT: { description: 'Its invoice is open. An unpaid request holds nothing back from the deadline.' },
    AWAITING_APPROVAL: { description: 'It is paid and waits for an operator, where the policy asks for one.' },
    QUEUED: { description: 'It is paid and waits for a worker.' },
    RUNNING: { description: 'A worker is at it, or will go on with it after a crash.' },
    COMPLETED: { description: 'Every contact came back as it was, or is named as a clash.' },
    FAILED: { description: 'It could not be done; `failure` says why. It was refunded.' },
    CANCELLED: { description: 'It was called off before it began; refunded when it was paid.' },
    EXPIRED: { description: 'It was not paid before the deadline.' },
  },
});

export const ClashKindEnum: Record<ClashKind, ClashKind> = {
  SAME_ID: 'SAME_ID',
  SAME_EMAIL: 'SAME_EMAIL',
  SAME_MEMBER_NUMBER: 'SAME_MEMBER_NUMBER',
};
registerEnumType(ClashKindEnum, {
  name: 'ClashKind',
  description: 'What a live contact shares with one that is to come back.',
  valuesConfig: {
    SAME_ID: { description: 'The contact is live already.' },
    SAME_EMAIL: { description: 'Another contact has its email now.' },
    SAME_MEMBER_NUMBER: { description: 'Another contact has its member number now.' },
  },
});

export const InvoiceStateEnum = { OPEN: 'OPEN', PAID: 'PAID', REFUNDED: 'REFUNDED', VOID: 'VOID' } as const;
registerEnumType(InvoiceStateEnum, {
  name: 'InvoiceState',
  description: 'Where an invoice stands.',
  valuesConfig: {
    OPEN: { description: 'It waits for payment.' },
    PAID: { description: 'It was paid.' },
    REFUNDED: { description: 'It was paid, and the money went back.' },
    VOID: { description: 'It was called off before it was paid.' },
  },
});

@ObjectType({
  description: 'Something live stands where a recovered contact wants to be. The contact is skipped and stays in the snapshot.',
})
export class Clash {
  @Field(() => ID, { description: 'The id of the contact that was deleted.' })
  contactId!: string;

  @Field(() => ClashKindEnum, { description: 'What the two share.' })
  kind!: ClashKind;

  @Field(() => ID, { description: 'The id of the live contact that stands in its way.' })
  liveContactId!: string;
}

export const ClashConnection = connectionOf(Clash, 'clash', 'clashes');

@ObjectType({ description: 'What a recovery would do now, computed without doing it, and free.' })
export class RecoveryPlan {
  @Field(() => Int, { description: 'How many contacts the deletion took.' })
  contactCount!: number;

  @Field(() => [RowCount], { description: 'How many rows of each kind are in the snapshot, the contacts included.' })
  rows!: RowCount[];

  @Field(() => [Money], { description: 'The sum of the balances that would come back, for each currency.' })
  balances!: Money[];

  @Field(() => Int, { description: 'How many contacts would clash now, and be skipped.' })
  clashCount!: number;

  @Field(() => [Clash], { description: 'The clashes, at most 1,000 of them.' })
  clashes!: Clash[];

  @Field(() => Money, { description: 'What it costs, once.' })
  fee!: Money;

  @Field(() => Int, { description: 'About how many seconds it would run, by the organization’s recent recoveries.' })
  estimatedSeconds!: number;

  @Field(() => DateTime, { description: 'Until when it must have started.' })
  recoverableUntil!: Date;
}

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

@ObjectType({ implements: Node, description: 'The ordered, billed recovery of a deletion.' })
export class RecoveryRequest extends Node {
  @Field(() => RecoveryStateEnum, { description: 'Where it stands.' })
  state!: RecoveryState;

  @Field(() => String, { description: 'The name of who ordered it.' })
  requestedByName!: string;

  @Field(() => Int, { description: 'How many contacts the deletion took.' })
  contactCount!: number;

  @Field(() => Int, { description: 'How many contacts have come back so far, each proven by its digest.' })
  restoredCount!: number;

  @Field(() => Int, { description: 'How many contacts have clashed so far, and were skipped.' })
  clashCount!: number;

  @Field(() => Int, { description: 'When completed: how many contacts came back, proven and accounted for.' })
  provenCount!: number;

  @Field(() => Failure, { nullable: true, description: 'Why it failed, when it did.' })
  failure!: Failure | null;

  @Field(() => DateTime, { description: 'When it was ordered.' })
  requestedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it began.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  finishedAt!: Date | null;

  requestedById!: string;
  uuid!: string;
  deletionUuid!: string;
  jobUuid!: string | null;
}

export const RecoveryRequestConnection = connectionOf(RecoveryRequest, 'recovery request', 'recovery requests');

@InputType({ description: 'Orders the recovery of a deletion.' })
export class RequestRecoveryInput {
  @Field(() => ID, { description: 'The deletion to recover.' })
  deletionId!: string;

  @Field(() => String, {
    description: '8 to 100 visible ASCII characters of your own, for example a UUID. The same key again gives the same request and bills nothing more.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'Cancels a recovery that has not begun.' })
export class CancelRecoveryInput {
  @Field(() => ID, { description: 'The recovery request.' })
  id!: string;
}

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

@ObjectType({ description: 'The outcome of `requestRecovery` and `cancelRecovery`.' })
export class RecoveryPayload {
  @Field(() => RecoveryRequest, { nullable: true, description: 'The request as it is now.' })
  recoveryRequest!: RecoveryRequest | null;

  @Field(() => [UserError], { description: 'Why nothing was changed; empty when it was.' })
  userErrors!: UserError[];
}

@ObjectType({ description: 'The outcome of what an operator did to a recovery.' })
export class OperatorPayload {
  @Field(() => ID, { nullable: true, description: 'The recovery request that it concerned.' })
  recoveryRequestId!: string | null;

  @Field(() => [UserError], { description: 'Why nothing was changed; empty when it was.' })
  userErrors!: UserError[];
}
