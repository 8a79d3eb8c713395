// What a recovery would do, as the world sees it: the selection, the plan, the conflicts and what is done about them.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { ConflictRow } from '../domain/recovery-rows.ts';
import type { ConflictKind, ConflictPolicy } from '../entities/recovery.ts';
import { DateTime, described, Money } from './common.ts';
import { connectionOf } from './pages.ts';
import { RowCount } from './deletions.ts';

export const ConflictKindEnum: Record<ConflictKind, ConflictKind> = {
  SAME_ID: 'SAME_ID',
  SAME_EMAIL: 'SAME_EMAIL',
  SAME_MEMBER_NUMBER: 'SAME_MEMBER_NUMBER',
};
registerEnumType(ConflictKindEnum, {
  name: 'ConflictKind',
  description: 'What a live contact shares with one that is to come back.',
  valuesConfig: described({
    SAME_ID: 'The contact is live already.',
    SAME_EMAIL: 'Another contact has its email now.',
    SAME_MEMBER_NUMBER: 'Another contact has its member number now.',
  }),
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
  valuesConfig: described({
    SKIP: 'It stays in the snapshot; what is live is left as it is.',
    MERGE:
      'Its notes, activities, memberships, payments, ledger, tags and fields go onto the live contact, without doubling what is the same; fields that the live contact has filled win.',
    RESTORE_WITHOUT_EMAIL: 'It comes back beside the live contact, without the email or member number that is taken. When its own id is live it is skipped.',
    REPLACE: 'The live contact is removed, into a safety snapshot, and it comes back in its place. Takes contacts:delete.',
  }),
});

@ObjectType({ description: 'The fields of a contact as the snapshot has them; those that your roles hide are null.' })
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

  @Field(() => [RowCount], { description: 'How many rows of each kind are in the snapshot, the contacts included; without kinds that your roles hide.' })
  rows!: RowCount[];

  @Field(() => [Money], {
    nullable: true,
    description: 'The sum of the balances that would come back, for each currency; null without the permission `payments:read`, or when your roles hide them.',
  })
  balances!: Money[] | null;

  @Field(() => Int, { description: 'How many contacts conflict with live ones now.' })
  conflictCount!: number;

  @Field(() => [RecreatedRecord], { description: 'What would be recreated because it is gone.' })
  recreated!: RecreatedRecord[];

  @Field(() => [String], { nullable: true, description: 'Authors of notes and activities who have left; their names stay. Null when your roles hide notes.' })
  namesKept!: string[] | null;

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
      'What is done about every conflict. Left out: `MERGE` for an email, `SKIP` for an id that is live, `RESTORE_WITHOUT_EMAIL` for a member number; and `SKIP` for all when your roles hide anything of contacts, beside which `MERGE` and `REPLACE` are refused.',
  })
  conflictPolicy?: ConflictPolicy | null;

  @Field(() => [ConflictOverrideInput], { nullable: true, description: 'For single contacts, at most 10,000; they win over `conflictPolicy`.' })
  overrides?: ConflictOverrideInput[] | null;
}
