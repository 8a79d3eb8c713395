// What contacts refer to and share: membership plans, tags and custom fields.
import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { described, Money, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { Contact } from './contacts.ts';

export const MembershipInterval = { MONTH: 'MONTH', YEAR: 'YEAR', LIFETIME: 'LIFETIME' } as const;
registerEnumType(MembershipInterval, {
  name: 'MembershipInterval',
  description: 'How often the price of a membership plan is due.',
  valuesConfig: described({ MONTH: 'Each month.', YEAR: 'Each year.', LIFETIME: 'Once.' }),
});

export const CustomFieldKind = { TEXT: 'TEXT', NUMBER: 'NUMBER', DATE: 'DATE', BOOLEAN: 'BOOLEAN' } as const;
registerEnumType(CustomFieldKind, {
  name: 'CustomFieldKind',
  description: 'What a custom field holds.',
  valuesConfig: described({
    TEXT: 'Any text.',
    NUMBER: 'A number, as in `-1.5`.',
    DATE: 'A calendar date, as in `1984-05-09`.',
    BOOLEAN: '`true` or `false`.',
  }),
});

@ObjectType({ simpleResolvers: true, description: 'What members can book.' })
export class MembershipPlan {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => String, { description: 'Its name; no two plans of an organization have the same.' })
  name!: string;

  @Field(() => Money, { description: 'What it costs each time.' })
  price!: Money;

  @Field(() => MembershipInterval, { description: 'How often that is due.' })
  interval!: keyof typeof MembershipInterval;
}

@ObjectType({ simpleResolvers: true, description: 'A word that contacts are marked with.' })
export class Tag {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => String, { description: 'The word itself; no two tags of an organization have the same.' })
  name!: string;
}

@ObjectType({ simpleResolvers: true, description: 'A field that the organization added to its contacts.' })
export class CustomFieldDefinition {
  @Field(() => ID, { description: 'The global id.' })
  id!: string;

  @Field(() => String, { description: 'Its name for programs; no two of an organization have the same.' })
  key!: string;

  @Field(() => String, { description: 'Its name for people.' })
  label!: string;

  @Field(() => CustomFieldKind, { description: 'What it holds.' })
  kind!: keyof typeof CustomFieldKind;
}

@ObjectType({ simpleResolvers: true, description: 'What a contact has in a custom field.' })
export class CustomField {
  @Field(() => CustomFieldDefinition, { description: 'Which field.' })
  definition!: CustomFieldDefinition;

  @Field(() => String, { description: 'The value, written as its kind says.' })
  value!: string;
}

export const MembershipPlanConnection = connectionOf(MembershipPlan, 'membership plan', 'membership plans');
export const TagConnection = connectionOf(Tag, 'tag', 'tags');
export const CustomFieldDefinitionConnection = connectionOf(CustomFieldDefinition, 'custom field', 'custom fields');

@InputType({ description: 'Which tags for which contacts.' })
export class TagContactsInput {
  @Field(() => [ID], { description: 'The contacts, at most 100.' })
  contactIds!: string[];

  @Field(() => [String], { description: 'The names of the tags, at most 20, each of at most 100 characters.' })
  tags!: string[];
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `tagContacts` and `untagContacts`.' })
export class TagContactsPayload {
  @Field(() => [Contact], {
    nullable: true,
    description: 'The contacts, in the order of their ids in the input; null when nothing was done.',
  })
  contacts!: Contact[] | null;

  @Field(() => [UserError], { description: 'Why nothing was done; empty when it was.' })
  userErrors!: UserError[];
}
