// Recovering, as the world sees it: the request, its undo, and the orders that change it.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { ConflictPolicy, RecoveryState, UndoOutcome } from '../entities/recovery.ts';
import { DateTime, described, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { Failure } from './jobs.ts';
import { ConflictPolicyEnum, RecoveryPlan, RecoveryPlanInput } from './recovery-plans.ts';

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
  valuesConfig: described({
    AWAITING_PAYMENT: 'Its invoice is open. An unpaid request holds nothing back from the deadline.',
    AWAITING_APPROVAL: 'It is paid and waits for an operator, where the policy asks for one.',
    QUEUED: 'It is paid and waits for a worker.',
    RUNNING: 'A worker is at it, or will go on with it after a crash.',
    COMPLETED: 'Every contact came back as it was, or is named as a conflict with what was done about it.',
    FAILED: 'It could not be done; `failure` says why. It was refunded.',
    CANCELLED: 'It was called off before it began; refunded when it was paid.',
    EXPIRED: 'It was not paid before the deadline.',
    UNDONE: 'It was completed and then taken back.',
  }),
});

export const UndoOutcomeEnum: Record<UndoOutcome, UndoOutcome> = { KEPT: 'KEPT', COULD_NOT: 'COULD_NOT' };
registerEnumType(UndoOutcomeEnum, {
  name: 'UndoOutcome',
  description: 'Why an undo did not take a contact back.',
  valuesConfig: described({
    KEPT: 'It was edited since, so it was kept.',
    COULD_NOT: 'It is gone, or something live stands in the way.',
  }),
});

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

@ObjectType({ description: 'The outcome of `requestRecovery`, `cancelRecovery` and `undoRecovery`.' })
export class RecoveryPayload {
  @Field(() => RecoveryPlan, { nullable: true, description: 'The plan as it is now, when the one that was sent has changed.' })
  plan!: RecoveryPlan | null;

  @Field(() => RecoveryRequest, { nullable: true, description: 'The request as it is now, for those who may see recoveries.' })
  recoveryRequest!: RecoveryRequest | null;

  @Field(() => [UserError], { description: 'Why nothing was changed; empty when it was.' })
  userErrors!: UserError[];
}
