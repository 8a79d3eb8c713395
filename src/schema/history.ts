// A contact's history, as the world sees it: notes, activities and memberships.
import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { CalendarDate, DateTime, described, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { MembershipPlan } from './references.ts';

export const ActivityKind = { CALL: 'CALL', EMAIL: 'EMAIL', MEETING: 'MEETING', EVENT: 'EVENT', VISIT: 'VISIT', OTHER: 'OTHER' } as const;
registerEnumType(ActivityKind, {
  name: 'ActivityKind',
  description: 'What kind of activity.',
  valuesConfig: described({
    CALL: 'A telephone call.',
    EMAIL: 'An email that was written or received.',
    MEETING: 'A meeting.',
    EVENT: 'Taking part in an event.',
    VISIT: 'A visit.',
    OTHER: 'Anything else.',
  }),
});

export const MembershipState = { ACTIVE: 'ACTIVE', EXPIRED: 'EXPIRED', CANCELLED: 'CANCELLED' } as const;
registerEnumType(MembershipState, {
  name: 'MembershipState',
  description: 'Where a membership stands.',
  valuesConfig: described({
    ACTIVE: 'It is in force.',
    EXPIRED: 'Its last day has passed.',
    CANCELLED: 'It was ended early.',
  }),
});

@ObjectType({ simpleResolvers: true, description: 'What a member of staff wrote down about a contact.' })
export class Note {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => String, { description: 'Who wrote it.' })
  authorName!: string;

  @Field(() => String, { description: 'The text.' })
  body!: string;

  @Field(() => DateTime, { description: 'When it was written.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last changed.' })
  updatedAt!: Date;
}

@ObjectType({ simpleResolvers: true, description: 'Something that happened with a contact.' })
export class Activity {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => ActivityKind, { description: 'What kind.' })
  kind!: keyof typeof ActivityKind;

  @Field(() => String, { description: 'What it was about.' })
  subject!: string;

  @Field(() => String, { description: 'Who recorded it.' })
  authorName!: string;

  @Field(() => DateTime, { description: 'When it happened.' })
  occurredAt!: Date;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  createdAt!: Date;
}

@ObjectType({ simpleResolvers: true, description: 'A contact’s subscription to a membership plan.' })
export class Membership {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => MembershipPlan, { description: 'The plan.' })
  plan!: MembershipPlan;

  @Field(() => MembershipState, { description: 'Where it stands.' })
  state!: keyof typeof MembershipState;

  @Field(() => CalendarDate, { description: 'Its first day.' })
  startsOn!: string;

  @Field(() => CalendarDate, { nullable: true, description: 'Its last day; null when it runs on.' })
  endsOn!: string | null;

  @Field(() => DateTime, { description: 'When it was recorded.' })
  createdAt!: Date;
}

export const NoteConnection = connectionOf(Note, 'note', 'notes');
export const ActivityConnection = connectionOf(Activity, 'activity', 'activities');
export const MembershipConnection = connectionOf(Membership, 'membership', 'memberships');

@InputType({ description: 'A note to add.' })
export class AddNoteInput {
  @Field(() => ID, { description: 'The contact that it is about.' })
  contactId!: string;

  @Field(() => String, { description: 'The text, 1 to 20,000 characters.' })
  body!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `addNote`.' })
export class AddNotePayload {
  @Field(() => Note, { nullable: true, description: 'The note; null when it was refused.' })
  note!: Note | null;

  @Field(() => [UserError], { description: 'Why nothing was added; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'An activity to record.' })
export class AddActivityInput {
  @Field(() => ID, { description: 'The contact that it happened with.' })
  contactId!: string;

  @Field(() => ActivityKind, { description: 'What kind.' })
  kind!: keyof typeof ActivityKind;

  @Field(() => String, { description: 'What it was about, 1 to 255 characters.' })
  subject!: string;

  @Field(() => DateTime, { nullable: true, description: 'When it happened; now, when left out.' })
  occurredAt?: Date | null;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `addActivity`.' })
export class AddActivityPayload {
  @Field(() => Activity, { nullable: true, description: 'The activity; null when it was refused.' })
  activity!: Activity | null;

  @Field(() => [UserError], { description: 'Why nothing was added; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'A membership. Name the plan either by `planId` or by `planName`.' })
export class MembershipInput {
  @Field(() => ID, { nullable: true, description: 'The plan, by its id.' })
  planId?: string | null;

  @Field(() => String, { nullable: true, description: 'The plan, by its name.' })
  planName?: string | null;

  @Field(() => CalendarDate, { description: 'The first day.' })
  startsOn!: string;

  @Field(() => CalendarDate, {
    nullable: true,
    description: 'The last day; left out when it runs on. One that has passed makes an expired membership.',
  })
  endsOn?: string | null;
}

@InputType({ description: 'A membership to give to a contact.' })
export class AddMembershipInput extends MembershipInput {
  @Field(() => ID, { description: 'The contact.' })
  contactId!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `addMembership`.' })
export class AddMembershipPayload {
  @Field(() => Membership, { nullable: true, description: 'The membership; null when it was refused.' })
  membership!: Membership | null;

  @Field(() => [UserError], { description: 'Why nothing was added; empty when it was.' })
  userErrors!: UserError[];
}
