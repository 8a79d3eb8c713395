// Contacts, as the world sees them, and how they are found.
import { ArgsType, Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { CalendarDate, DateTime, described, Node } from './common.ts';
import { connectionOf, PageArgs } from './pages.ts';

export const ContactPointKind = { EMAIL: 'EMAIL', PHONE: 'PHONE', ADDRESS: 'ADDRESS', WEBSITE: 'WEBSITE' } as const;
registerEnumType(ContactPointKind, {
  name: 'ContactPointKind',
  description: 'How a contact point reaches the contact.',
  valuesConfig: described({
    EMAIL: 'A further email address.',
    PHONE: 'A telephone number.',
    ADDRESS: 'A further postal address.',
    WEBSITE: 'A page on the web.',
  }),
});

export const BalanceState = { OWING: 'OWING', SETTLED: 'SETTLED', IN_CREDIT: 'IN_CREDIT' } as const;
registerEnumType(BalanceState, {
  name: 'BalanceState',
  description: 'How a contact’s account stands.',
  valuesConfig: described({
    OWING: 'A balance is below zero: the contact owes money.',
    SETTLED: 'Every balance is zero, or there is none.',
    IN_CREDIT: 'A balance is above zero: the contact has paid more than was charged.',
  }),
});

export const ContactOrderField = { NAME: 'NAME', EMAIL: 'EMAIL', CREATED_AT: 'CREATED_AT' } as const;
registerEnumType(ContactOrderField, {
  name: 'ContactOrderField',
  description: 'What contacts are sorted by.',
  valuesConfig: described({
    NAME: 'Last name, then first name; the company, the email or the member number of contacts without a name, which come last, by age, when your roles hide emails.',
    EMAIL: 'Email address. Contacts without one come last in both directions. Refused when your roles hide emails.',
    CREATED_AT: 'When the contact was created.',
  }),
});

export const OrderDirection = { ASC: 'ASC', DESC: 'DESC' } as const;
registerEnumType(OrderDirection, {
  name: 'OrderDirection',
  description: 'Which end of an order comes first.',
  valuesConfig: described({ ASC: 'The smallest or the oldest first.', DESC: 'The largest or the newest first.' }),
});

@ObjectType({ simpleResolvers: true, description: 'A way to reach a contact, besides its email and its address.' })
export class ContactPoint {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => ContactPointKind, { description: 'How it reaches the contact.' })
  kind!: keyof typeof ContactPointKind;

  @Field(() => String, { nullable: true, description: 'What it is called, as in `Mobile`.' })
  label!: string | null;

  @Field(() => String, { description: 'The number, the address or the URL, as it was given.' })
  value!: string;
}

@ObjectType({
  implements: Node,
  simpleResolvers: true,
  description:
    'A person or a company that the organization deals with. All that a contact owns is deleted, and recovered, with it. Roles can hide groups of its fields (see `FieldGroup`): what is hidden is null, the answer’s `extensions.hidden` says so, and it can’t be found by, sorted by or changed.',
})
export class Contact extends Node {
  @Field(() => String, { nullable: true, description: 'The number that the organization gave the contact; no two contacts have the same.' })
  memberNumber!: string | null;

  @Field(() => String, { nullable: true, description: 'First name.' })
  firstName!: string | null;

  @Field(() => String, { nullable: true, description: 'Last name.' })
  lastName!: string | null;

  @Field(() => String, {
    description: 'What to call the contact: first and last name, or else the company, the email (unless your roles hide it) or the member number.',
  })
  name!: string;

  @Field(() => String, {
    nullable: true,
    description: 'Email address, as it was given. No two contacts have the same, whatever its spelling.',
  })
  email!: string | null;

  @Field(() => String, { nullable: true, description: 'Company.' })
  company!: string | null;

  @Field(() => String, { nullable: true, description: 'Job title.' })
  jobTitle!: string | null;

  @Field(() => String, { nullable: true, description: 'Street and number.' })
  street!: string | null;

  @Field(() => String, { nullable: true, description: 'City.' })
  city!: string | null;

  @Field(() => String, { nullable: true, description: 'Postal code.' })
  postalCode!: string | null;

  @Field(() => String, { nullable: true, description: 'Country, as it was given.' })
  country!: string | null;

  @Field(() => CalendarDate, { nullable: true, description: 'Date of birth.' })
  birthDate!: string | null;

  @Field(() => Int, { description: 'Counts the changes of the contact’s own fields: give it to `updateContact`.' })
  version!: number;

  @Field(() => DateTime, { description: 'When it was created; a recovery keeps it.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When its own fields were last changed.' })
  updatedAt!: Date;

  /** The id without its kind. */
  uuid!: string;
}

export const ContactConnection = connectionOf(Contact, 'contact', 'contacts');

@ObjectType({ simpleResolvers: true, description: 'How many there are. Counting stops at 1,000.' })
export class CappedCount {
  @Field(() => Int, { description: 'How many, at most 1,000.' })
  count!: number;

  @Field(() => Boolean, { description: 'Whether there are more than that: show it as “1,000+”.' })
  isCapped!: boolean;
}

@InputType({ description: 'Which contacts. All that is given must hold; what is left out or null does not matter. What your roles hide can’t be given.' })
export class ContactFilter {
  @Field(() => [ID], { nullable: true, description: 'One of these ids, at most 10,000.' })
  ids?: string[] | null;

  @Field(() => [String], { nullable: true, description: 'With at least one of these tags, by name.' })
  tags?: string[] | null;

  @Field(() => ID, { nullable: true, description: 'With a membership of this plan, in whatever state.' })
  membershipPlanId?: string | null;

  @Field(() => String, { nullable: true, description: 'With exactly this member number.' })
  memberNumber?: string | null;

  @Field(() => String, { nullable: true, description: 'With this email address, whatever its spelling.' })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'In exactly this country.' })
  country?: string | null;

  @Field(() => Boolean, { nullable: true, description: 'With an email address, or without one.' })
  hasEmail?: boolean | null;

  @Field(() => DateTime, { nullable: true, description: 'Created at this instant or later.' })
  createdFrom?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Created before this instant.' })
  createdBefore?: Date | null;

  @Field(() => BalanceState, { nullable: true, description: 'Whose account stands like this.' })
  balance?: keyof typeof BalanceState | null;
}

@InputType({ description: 'How contacts are sorted.' })
export class ContactOrder {
  @Field(() => ContactOrderField, { description: 'By what.' })
  field!: keyof typeof ContactOrderField;

  @Field(() => OrderDirection, { defaultValue: 'ASC', description: 'Which end first.' })
  direction!: keyof typeof OrderDirection;
}

@ArgsType()
export class ContactsArgs extends PageArgs {
  @Field(() => ContactFilter, { nullable: true, description: 'Which contacts; all, when left out.' })
  filter?: ContactFilter | null;

  @Field(() => String, {
    nullable: true,
    description:
      'Words that must all occur, each somewhere in the name, the email, the company or the member number, in any case. At most 10 words count. Emails are not searched when your roles hide them.',
  })
  search?: string | null;

  @Field(() => ContactOrder, { nullable: true, description: 'How they are sorted; by name, when left out.' })
  orderBy?: ContactOrder | null;
}
