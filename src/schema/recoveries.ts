// Recovering, as the world sees it: the plan, the request, the invoice, the conflicts.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { ConflictRow } from '../domain/recovery-rows.ts';
import type { ConflictKind, ConflictPolicy, RecoveryState, UndoOutcome } from '../entities/recovery.ts';
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
  UNDONE: 'UNDONE',
};
registerEnumType(RecoveryStateEnum, {
  name: 'RecoveryState',
  description: 'Where a recovery request stands. The last five are final, but for a completed one, which can be undone.',
  valuesConfig: {
    AWAITING_PAYMENT: { description: 'Its invoice is open. An unpaid request holds nothing back from the deadline.' },
    AWAITING_APPROVAL: { description: 'It is paid and waits for an operator, where the policy asks for one.' },
    QUEUED: { description: 'It is paid and waits for a worker.' },
    RUNNING: { description: 'A worker is at it, or will go on with it after a crash.' },
    COMPLETED: { description: 'Every contact came back as it was, or is named as a conflict with what was done about it.' },
    FAILED: { description: 'It could not be done; `failure` says why. It was refunded.' },
    CANCELLED: { description: 'It was called off before it began; refunded when it was paid.' },
    EXPIRED: { description: 'It was not paid before the deadline.' },
    UNDONE: { description: 'It was completed and then taken back.' },
  },
});

export const ConflictKindEnum: Record<ConflictKind, ConflictKind> = {
  SAME_ID: 'SAME_ID',
  SAME_EMAIL: 'SAME_EMAIL',
  SAME_MEMBER_NUMBER: 'SAME_MEMBER_NUMBER',
};
registerEnumType(ConflictKindEnum, {
  name: 'ConflictKind',
  description: 'What a live contact shares with one that is to come back.',
  valuesConfig: {
    SAME_ID: { description: 'The contact is live already.' },
    SAME_EMAIL: { description: 'Another contact has its email now.' },
    SAME_MEMBER_NUMBER: { description: 'Another contact has its member number now.' },
  },
});

export const ConflictPolicyEnum: Record<ConflictPolicy, ConflictPolicy> = {
  SKIP: 'SKIP',
  MERGE: 'MERGE',
  RESTORE_WITHOUT_EMAIL: 'RESTORE_WITHOUT_EMAIL',
  REPLACE: 'REPLACE',
};
registerEnumType(ConflictPolicyEnum, {
  name: 'ConflictPolicy',
  description: 'What becomes of a contact when something live stands in its way. One conflict never stops the other contacts.',
  valuesConfig: {
    SKIP: { description: 'It stays in the snapshot; what is live is left as it is.' },
    MERGE: {
      description:
        'Its notes, activities, memberships, payments, ledger, tags and fields go onto the live contact, without doubling what is the same; fields that the live contact has filled win.',
    },
    RESTORE_WITHOUT_EMAIL: {
      description: 'It comes back beside the live contact, without the email or member number that is taken. When its own id is live it is skipped.',
    },
    REPLACE: {
      description: 'The live contact is removed, into a safety snapshot, and it comes back in its place. Takes contacts:delete.',
    },
  },
});

export const UndoOutcomeEnum: Record<UndoOutcome, UndoOutcome> = { KEPT: 'KEPT', COULD_NOT: 'COULD_NOT' };
registerEnumType(UndoOutcomeEnum, {
  name: 'UndoOutcome',
  description: 'Why an undo did not take a contact back.',
  valuesConfig: {
    KEPT: { description: 'It was edited since, so it was kept.' },
    COULD_NOT: { description: 'It is gone, or something live stands in the way.' },
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

@ObjectType({ description: 'The fields of a contact as the snapshot has them.' })
export class RecoveredContact {
  @Field(() => ID, { description: 'Its id.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'The member number.' })
  memberNumber!: string | null;

  @Field(() => String, { nullable: true, description: 'The first name.' })
  firstName!: string | null;

  @Field(() => String, { nullable: true, description: 'The last name.' })
  lastName!: string | null;

  @Field(() => String, { nullable: true, description: 'The email.' })
  email!: string | null;

  @Field(() => String, { nullable: true, description: 'The company.' })
  company!: string | null;

  @Field(() => String, { nullable: true, description: 'The job title.' })
  jobTitle!: string | null;

  @Field(() => String, { nullable: true, description: 'The street and house number.' })
  street!: string | null;

  @Field(() => String, { nullable: true, description: 'The city.' })
  city!: string | null;

  @Field(() => String, { nullable: true, description: 'The postal code.' })
  postalCode!: string | null;

  @Field(() => String, { nullable: true, description: 'The country.' })
  country!: string | null;

  @Field(() => DateTime, { description: 'When it was last changed before it was deleted.' })
  updatedAt!: Date;
}

@ObjectType({ description: 'Something live stands where a recovered contact wants to be.' })
export class Conflict {
  @Field(() => ID, { description: 'The id of the contact that was deleted.' })
  contactId!: string;

  @Field(() => ConflictKindEnum, { description: 'What the two share; of several things the first of this order: id, email, member number.' })
  kind!: ConflictKind;

  @Field(() => ConflictPolicyEnum, { description: 'In a plan: what would be done. In a request: what was done.' })
  policy!: ConflictPolicy;

  @Field(() => ID, { description: 'The id of the live contact that stands in its way.' })
  liveContactId!: string;

  row!: ConflictRow;
}

export const ConflictConnection = connectionOf(Conflict, 'conflict', 'conflicts');

@ObjectType({ description: 'A record that contacts refer to and the organization no longer has. A recovery brings it back.' })
export class RecreatedRecord {
  @Field(() => String, { description: 'What it is: `MembershipPlan`, `Tag` or `CustomFieldDefinition`.' })
  kind!: string;

  @Field(() => String, { description: 'Its name. When a record of this name was made anew meanwhile, that one is used.' })
  name!: string;
}

@ObjectType({ description: 'What a recovery would do now, computed without doing it, and free.' })
export class RecoveryPlan {
  @Field(() => Int, { description: 'How many contacts it would recover.' })
  contactCount!: number;

  @Field(() => [RowCount], { description: 'How many rows of each kind are in the snapshot, the contacts included.' })
  rows!: RowCount[];

  @Field(() => [Money], { description: 'The sum of the balances that would come back, for each currency.' })
  balances!: Money[];

  @Field(() => Int, { description: 'How many contacts conflict with live ones now.' })
  conflictCount!: number;

  @Field(() => [RecreatedRecord], { description: 'What would be recreated because it is gone.' })
  recreated!: RecreatedRecord[];

  @Field(() => [String], { description: 'Authors of notes and activities who have left; their names stay.' })
  namesKept!: string[];

  @Field(() => Money, { description: 'What it costs, once.' })
  fee!: Money;

  @Field(() => Int, { description: 'About how many seconds it would run, by the organization’s recent recoveries.' })
  estimatedSeconds!: number;

  @Field(() => DateTime, { description: 'Until when it must have started: the earliest deadline of what is selected.' })
  recoverableUntil!: Date;

  @Field(() => String, { description: 'Stands for this plan in `requestRecovery`, which refuses when the plan has changed.' })
  hash!: string;

  plannedConflicts!: readonly ConflictRow[];
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

@ObjectType({ description: 'A contact that an undo did not take back.' })
export class UndoException {
  @Field(() => ID, { description: 'The contact that had been recovered.' })
  contactId!: string;

  @Field(() => UndoOutcomeEnum, { description: 'What became of it.' })
  outcome!: UndoOutcome;

  @Field(() => String, { description: 'Why.' })
  reason!: string;
}

export const UndoExceptionConnection = connectionOf(UndoException, 'undo exception', 'undo exceptions');

@ObjectType({ description: 'The undo of a recovery: three buckets that add up to what the recovery had brought back.' })
export class Undo {
  @Field(() => String, { nullable: true, description: 'The name of who ordered it.' })
  orderedByName!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was done; null while it is at work.' })
  undoneAt!: Date | null;

  @Field(() => Int, { description: 'How many contacts are as they were before the recovery. Those that it deleted again can be recovered for 30 days.' })
  revertedCount!: number;

  @Field(() => Int, { description: 'How many were kept, because someone edited them since.' })
  keptCount!: number;

  @Field(() => Int, { description: 'How many could not be taken back.' })
  couldNotCount!: number;

  jobUuid!: string | null;
  deletionUuid!: string | null;
  requestUuid!: string;
  /** As the rule for jobs reads it: whoever ordered the recovery may see its undo. */
  requestedById!: string;
}

@ObjectType({ implements: Node, description: 'The ordered, billed recovery of deleted contacts.' })
export class RecoveryRequest extends Node {
  @Field(() => RecoveryStateEnum, { description: 'Where it stands.' })
  state!: RecoveryState;

  @Field(() => String, { description: 'The name of who ordered it.' })
  requestedByName!: string;

  @Field(() => Int, { description: 'How many contacts were selected.' })
  contactCount!: number;

  @Field(() => Int, { description: 'How many contacts have come back so far under their own ids, each proven by its digest.' })
  restoredCount!: number;

  @Field(() => Int, { description: 'How many of those took the place of a live contact.' })
  replacedCount!: number;

  @Field(() => Int, { description: 'How many contacts’ history went onto a live contact so far.' })
  mergedCount!: number;

  @Field(() => Int, { description: 'How many contacts were skipped so far, because something live stands in their way.' })
  skippedCount!: number;

  @Field(() => Int, { description: 'How many contacts were erased after the order: they never return.' })
  erasedCount!: number;

  @Field(() => Int, { description: 'How many contacts have conflicted so far, whatever was done about it.' })
  conflictCount!: number;

  @Field(() => Int, { description: 'When completed: how many contacts came back or were merged, proven and accounted for.' })
  provenCount!: number;

  @Field(() => ConflictPolicyEnum, { nullable: true, description: 'The policy for all conflicts that have none of their own; null: each kind’s default.' })
  conflictPolicy!: ConflictPolicy | null;

  @Field(() => DateTime, { description: 'Until when it must have started.' })
  recoverableUntil!: Date;

  @Field(() => Failure, { nullable: true, description: 'Why it failed, when it did.' })
  failure!: Failure | null;

  @Field(() => DateTime, { description: 'When it was ordered.' })
  requestedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it began.' })
  startedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it ended.' })
  finishedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Until when it can be undone; null before it has completed.' })
  undoableUntil!: Date | null;

  @Field(() => Undo, { nullable: true, description: 'Its undo, once one was ordered.' })
  undo!: Undo | null;

  requestedById!: string;
  uuid!: string;
  deletionUuid!: string | null;
  jobUuid!: string | null;
}

export const RecoveryRequestConnection = connectionOf(RecoveryRequest, 'recovery request', 'recovery requests');

@InputType({ description: 'What to recover: a deletion, contacts out of an organization snapshot, or all that one person or a span of time deleted.' })
export class RecoverySelectionInput {
  @Field(() => ID, { nullable: true, description: 'This deletion. Not together with who or when.' })
  deletionId?: string | null;

  @Field(() => ID, { nullable: true, description: 'This snapshot of the organization. Contacts that are live are conflicts, and skipped by default.' })
  snapshotId?: string | null;

  @Field(() => ID, { nullable: true, description: 'What this member of staff deleted and is still gone.' })
  deletedById?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'What was deleted at or after this instant and is still gone.' })
  deletedFrom?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'What was deleted before this instant and is still gone.' })
  deletedBefore?: Date | null;

  @Field(() => [ID], { nullable: true, description: 'Only these contacts of it, at most 10,000; all, when left out.' })
  contactIds?: string[] | null;
}

@InputType({ description: 'What is done about one contact when something live stands in its way.' })
export class ConflictOverrideInput {
  @Field(() => ID, { description: 'The contact that is to come back.' })
  contactId!: string;

  @Field(() => ConflictPolicyEnum, { description: 'What is done.' })
  policy!: ConflictPolicy;
}

@InputType({ description: 'What to plan.' })
export class RecoveryPlanInput {
  @Field(() => RecoverySelectionInput, { description: 'What to recover.' })
  selection!: RecoverySelectionInput;

  @Field(() => ConflictPolicyEnum, {
    nullable: true,
    description:
      'What is done about every conflict. Left out: `MERGE` for an email, `SKIP` for an id that is live, `RESTORE_WITHOUT_EMAIL` for a member number.',
  })
  conflictPolicy?: ConflictPolicy | null;

  @Field(() => [ConflictOverrideInput], { nullable: true, description: 'For single contacts, at most 10,000; they win over `conflictPolicy`.' })
  overrides?: ConflictOverrideInput[] | null;
}

@InputType({ description: 'Orders a recovery. Everything but the last two fields must be as in the plan.' })
export class RequestRecoveryInput extends RecoveryPlanInput {
  @Field(() => String, {
    description: 'The `hash` of the plan that was looked at. When the plan has changed since, nothing is ordered, and the new plan comes back.',
  })
  planHash!: string;

  @Field(() => String, {
    description: '8 to 100 visible ASCII characters of your own, for example a UUID. The same key again gives the same request and bills nothing more.',
  })
  idempotencyKey!: string;
}

@InputType({ description: 'Takes a completed recovery back.' })
export class UndoRecoveryInput {
  @Field(() => ID, { description: 'The recovery request.' })
  id!: string;
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

@ObjectType({ description: 'The outcome of `requestRecovery`, `cancelRecovery` and `undoRecovery`.' })
export class RecoveryPayload {
  @Field(() => RecoveryPlan, { nullable: true, description: 'The plan as it is now, when the one that was sent has changed.' })
  plan!: RecoveryPlan | null;

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
