// What it takes to create and to change contacts, and what comes of it.
import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import { CalendarDate, UserError } from './common.ts';
import { Contact, ContactPointKind } from './contacts.ts';
import { MembershipInput } from './history.ts';

@InputType({ description: 'A way to reach a contact.' })
export class ContactPointInput {
  @Field(() => ContactPointKind, { description: 'How it reaches the contact.' })
  kind!: keyof typeof ContactPointKind;

  @Field(() => String, { nullable: true, description: 'What it is called, as in `Mobile`.' })
  label?: string | null;

  @Field(() => String, { description: 'The number, the address or the URL, 1 to 1,000 characters.' })
  value!: string;
}

@InputType({ description: 'What a contact has in a custom field.' })
export class CustomFieldInput {
  @Field(() => String, { description: 'The key of the custom field.' })
  key!: string;

  @Field(() => String, { description: 'The value, written as the field’s kind says.' })
  value!: string;
}

@InputType({ description: 'A contact’s own fields, each of at most 255 characters.' })
export class ContactFieldsInput {
  @Field(() => String, {
    nullable: true,
    description: 'The number that the organization gives the contact; no two contacts have the same.',
  })
  memberNumber?: string | null;

  @Field(() => String, { nullable: true, description: 'First name.' })
  firstName?: string | null;

  @Field(() => String, { nullable: true, description: 'Last name.' })
  lastName?: string | null;

  @Field(() => String, { nullable: true, description: 'Email address; no two contacts have the same, whatever its spelling.' })
  email?: string | null;

  @Field(() => String, { nullable: true, description: 'Company.' })
  company?: string | null;

  @Field(() => String, { nullable: true, description: 'Job title.' })
  jobTitle?: string | null;

  @Field(() => String, { nullable: true, description: 'Street and number.' })
  street?: string | null;

  @Field(() => String, { nullable: true, description: 'City.' })
  city?: string | null;

  @Field(() => String, { nullable: true, description: 'Postal code.' })
  postalCode?: string | null;

  @Field(() => String, { nullable: true, description: 'Country.' })
  country?: string | null;

  @Field(() => CalendarDate, { nullable: true, description: 'Date of birth.' })
  birthDate?: string | null;
}

@InputType({ description: 'A new contact. It needs a name, a company or an email address. Each list takes at most 50 entries.' })
export class ContactInput extends ContactFieldsInput {
  @Field(() => [ContactPointInput], { nullable: true, description: 'Further ways to reach it.' })
  contactPoints?: ContactPointInput[] | null;

  @Field(() => [String], { nullable: true, description: 'The names of its tags; those that are missing are made.' })
  tags?: string[] | null;

  @Field(() => [CustomFieldInput], { nullable: true, description: 'What it has in custom fields.' })
  customFields?: CustomFieldInput[] | null;

  @Field(() => [String], { nullable: true, description: 'Notes, written in your name, each of at most 20,000 characters.' })
  notes?: string[] | null;

  @Field(() => [MembershipInput], { nullable: true, description: 'Its memberships.' })
  memberships?: MembershipInput[] | null;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `createContact`.' })
export class CreateContactPayload {
  @Field(() => Contact, { nullable: true, description: 'The new contact; null when it was refused.' })
  contact!: Contact | null;

  @Field(() => [UserError], { description: 'Why nothing was created; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Many new contacts.' })
export class CreateContactsInput {
  @Field(() => [ContactInput], { description: 'The contacts, at most 500.' })
  contacts!: ContactInput[];
}

@ObjectType({ simpleResolvers: true, description: 'What became of one contact of a batch.' })
export class CreateContactsResult {
  @Field(() => Int, { description: 'Its place in the input, from 0.' })
  index!: number;

  @Field(() => ID, { nullable: true, description: 'The id of the new contact; null when it was refused.' })
  contactId!: string | null;

  @Field(() => [UserError], {
    description: 'Why it was refused; empty when it was created. The path begins with `input`, `contacts` and its place.',
  })
  userErrors!: UserError[];
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `createContacts`. A contact that is refused does not stop the others.' })
export class CreateContactsPayload {
  @Field(() => Int, { description: 'How many were created.' })
  createdCount!: number;

  @Field(() => [CreateContactsResult], {
    description: 'What became of each, in the order of the input; empty when the whole batch was refused.',
  })
  results!: CreateContactsResult[];

  @Field(() => [UserError], { description: 'Why the whole batch was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Changes of a contact’s own fields. What is left out stays; null or an empty text clears a field.' })
export class UpdateContactInput extends ContactFieldsInput {
  @Field(() => ID, { description: 'The contact.' })
  id!: string;

  @Field(() => Int, { description: 'The version that you read. If the contact was changed since, your change is refused.' })
  version!: number;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `updateContact`.' })
export class UpdateContactPayload {
  @Field(() => Contact, { nullable: true, description: 'The contact with its new version; null when the change was refused.' })
  contact!: Contact | null;

  @Field(() => [UserError], { description: 'Why nothing was changed; empty when it was.' })
  userErrors!: UserError[];
}
