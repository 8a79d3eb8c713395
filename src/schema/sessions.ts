// Signing in and the one who is signed in, as clients see them.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { allFieldGroups, type FieldGroup, fieldGroups } from '../permissions/field-groups.ts';
import { DateTime, described, UserError } from './common.ts';
import { Organization } from './organizations.ts';

export const ViewerKind = { STAFF: 'STAFF', OPERATOR: 'OPERATOR', API_KEY: 'API_KEY' } as const;

registerEnumType(ViewerKind, {
  name: 'ViewerKind',
  description: 'Where someone who is signed in stands.',
  valuesConfig: described({
    STAFF: 'A staff member of one organization.',
    OPERATOR: 'Staff of the company that runs the platform; works across organizations.',
    API_KEY: 'An integration of one organization.',
  }),
});

export const FieldGroupEnum = Object.fromEntries(allFieldGroups.map((group) => [group, group])) as Record<FieldGroup, FieldGroup>;
registerEnumType(FieldGroupEnum, {
  name: 'FieldGroup',
  description:
    'A group of a contact’s fields that a role can hide from its holders. To find or sort contacts by something hidden, or to change it, is refused with `HIDDEN_FIELD`.',
  valuesConfig: Object.fromEntries(allFieldGroups.map((group) => [group, { description: fieldGroups[group][1] }])),
});

@ObjectType({ description: 'A group of a contact’s fields, in human words.' })
export class FieldGroupDescription {
  @Field(() => FieldGroupEnum, { description: 'The group; made for programs.' })
  group!: FieldGroup;

  @Field(() => String, { description: 'A short title for people.' })
  title!: string;

  @Field(() => String, { description: 'What belongs to it.' })
  description!: string;
}

export const describedGroups = (groups: Iterable<FieldGroup>): FieldGroupDescription[] =>
  [...groups].map((group) => ({ group, title: fieldGroups[group][0], description: fieldGroups[group][1] }));

@ObjectType({ description: 'Who is signed in, with what they may do at this moment.' })
export class Viewer {
  @Field(() => ID, { nullable: true, description: 'The global id of the staff member or the API key; null for an operator.' })
  id!: string | null;

  @Field(() => String, { description: 'Their name, as the action log shows it.' })
  name!: string;

  @Field(() => String, { nullable: true, description: 'The email that they sign in with; null for an API key.' })
  email!: string | null;

  @Field(() => ViewerKind, { description: 'Whether they are staff of an organization, an operator, or an integration.' })
  kind!: keyof typeof ViewerKind;

  @Field(() => Organization, { nullable: true, description: 'The organization that they work for; null for an operator.' })
  organization!: Organization | null;

  @Field(() => [String], { description: 'The names of the roles that they hold, in alphabetical order.' })
  roles!: string[];

  @Field(() => [String], { description: 'What their roles let them do, as `noun:verb`. `permissionCatalogue` explains each.' })
  permissions!: string[];

  @Field(() => [FieldGroupEnum], {
    description:
      'The groups of a contact’s fields that their roles hide. Each answer that leaves something out lists it in `extensions.hidden`, at most 100 times: the `path` to it (names, without places in lists), its `group`, and the `reason`.',
  })
  hiddenFields!: FieldGroup[];

  @Field(() => [String], { nullable: true, description: 'The names of the tags whose contacts they work with; null: they work with all.' })
  tagScope!: string[] | null;
}

@ObjectType({ description: 'One thing that a role can let its holders do.' })
export class PermissionDescription {
  @Field(() => String, { description: 'The permission, as `noun:verb`; made for programs.' })
  permission!: string;

  @Field(() => String, { description: 'A short title for people.' })
  title!: string;

  @Field(() => String, { description: 'What it allows.' })
  description!: string;
}

@InputType({ description: 'Who wants to sign in.' })
export class SignInInput {
  @Field(() => String, { description: 'The email of the account; upper and lower case are alike.' })
  email!: string;

  @Field(() => String, { description: 'The password of the account.' })
  password!: string;
}

/** What each way of signing in gives. */
@ObjectType()
export abstract class Tokens {
  @Field(() => String, {
    nullable: true,
    description:
      'Send it as `Authorization: Bearer …` with each request, and as `accessToken` in the first message of a WebSocket. Null when you are not signed in by this.',
  })
  accessToken!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When the access token runs out.' })
  expiresAt!: Date | null;

  @Field(() => String, {
    nullable: true,
    description: 'Gives the next tokens, by `refreshSession`, and works once. Keep it where no other page and no other person reads it.',
  })
  refreshToken!: string | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@ObjectType({ description: 'What signing in gives: tokens, or the challenge of a second factor.' })
export class SignInPayload extends Tokens {
  @Field(() => String, {
    nullable: true,
    description: 'There when the account has a second factor: hand it to `completeSignIn` with a code, within 10 minutes. Null otherwise.',
  })
  challenge!: string | null;
}

@InputType({ description: 'The second step of signing in.' })
export class CompleteSignInInput {
  @Field(() => String, { description: 'The challenge that `signIn` gave.' })
  challenge!: string;

  @Field(() => String, { description: 'The six digits that the authenticator app shows, or a recovery code.' })
  code!: string;
}

@ObjectType({ description: 'The outcome of `completeSignIn`.' })
export class CompleteSignInPayload extends Tokens {}

@InputType({ description: 'A sign-in at an identity provider.' })
export class StartProviderSignInInput {
  @Field(() => ID, { description: 'The id of the organization.' })
  organizationId!: string;

  @Field(() => ID, { description: 'The id of the identity provider.' })
  providerId!: string;

  @Field(() => Boolean, {
    nullable: true,
    description: 'Whether the provider is to ask anew who they are, which then counts as a proof of identity; false without it.',
  })
  fresh?: boolean | null;

  @Field(() => String, { nullable: true, description: 'The token in the link of an invitation, for who joins the staff by signing in there.' })
  invitationToken?: string | null;
}

@ObjectType({ description: 'The outcome of `startProviderSignIn`.' })
export class StartProviderSignInPayload {
  @Field(() => String, { nullable: true, description: 'Where to send the browser; null when it was refused.' })
  url!: string | null;

  @Field(() => String, { nullable: true, description: 'Keep it in the browser and hand it to `completeProviderSignIn`, within 10 minutes.' })
  challenge!: string | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@InputType({ description: 'The return from an identity provider.' })
export class CompleteProviderSignInInput {
  @Field(() => String, { description: 'The challenge that `startProviderSignIn` gave.' })
  challenge!: string;

  @Field(() => String, { description: 'The whole address that the provider sent the browser back to.' })
  callbackUrl!: string;
}

@ObjectType({ description: 'The outcome of `completeProviderSignIn`.' })
export class CompleteProviderSignInPayload extends Tokens {}

@InputType({ description: 'Stays signed in.' })
export class RefreshSessionInput {
  @Field(() => String, {
    description: 'The newest refresh token of the session. One that was used before ends the session for everyone who holds a token of it.',
  })
  refreshToken!: string;
}

@ObjectType({ description: 'The outcome of `refreshSession`.' })
export class RefreshSessionPayload extends Tokens {}

@ObjectType({ simpleResolvers: true, description: 'One sign-in that has not ended.' })
export class Session {
  @Field(() => ID, { description: 'The id of the session.' })
  id!: string;

  @Field(() => DateTime, { description: 'When they signed in.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last refreshed.' })
  lastUsedAt!: Date;

  @Field(() => DateTime, { description: 'When it ends, however often it is refreshed.' })
  expiresAt!: Date;

  @Field(() => String, { nullable: true, description: 'The address that it was last refreshed from.' })
  address!: string | null;

  @Field(() => String, { nullable: true, description: 'The program that it was last refreshed with, in its own words.' })
  agent!: string | null;

  @Field(() => Boolean, { description: 'Whether it is the one that asks.' })
  current!: boolean;
}

@InputType({ description: 'Ends sessions.' })
export class EndSessionsInput {
  @Field(() => [ID], { description: 'The ids of sessions of yours, this one included if you want to sign out.' })
  ids!: string[];
}

@ObjectType({ description: 'The outcome of `endSessions`.' })
export class EndSessionsPayload {
  @Field(() => Int, { nullable: true, description: 'How many were ended; null when it was refused.' })
  endedCount!: number | null;

  @Field(() => [UserError], { description: 'Why none was ended; empty when it was done.' })
  userErrors!: UserError[];
}
