// Signing in and the one who is signed in, as clients see them.
import { Field, ID, InputType, ObjectType, registerEnumType } from 'type-graphql';
import { allFieldGroups, type FieldGroup, fieldGroups } from '../permissions/field-groups.ts';
import { DateTime, UserError } from './common.ts';
import { Organization } from './organizations.ts';

export const ViewerKind = { STAFF: 'STAFF', OPERATOR: 'OPERATOR', API_KEY: 'API_KEY' } as const;

registerEnumType(ViewerKind, {
  name: 'ViewerKind',
  description: 'Where someone who is signed in stands.',
  valuesConfig: {
    STAFF: { description: 'A staff member of one organization.' },
    OPERATOR: { description: 'Staff of the company that runs the platform; works across organizations.' },
    API_KEY: { description: 'An integration of one organization.' },
  },
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

@ObjectType({ description: 'What signing in gives.' })
export class SignInPayload {
  @Field(() => String, {
    nullable: true,
    description:
      'Send it as `Authorization: Bearer …` with each request, and as `accessToken` in the first message of a WebSocket. Null when signing in failed.',
  })
  accessToken!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When the token runs out. Null when signing in failed.' })
  expiresAt!: Date | null;

  @Field(() => [UserError], { description: 'Why signing in failed; empty when it did not.' })
  userErrors!: UserError[];
}
