// Staff and roles, as the world sees them.
import { Field, ID, InputType, Int, ObjectType } from 'type-graphql';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { DateTime, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { FieldGroupDescription, FieldGroupEnum, PermissionDescription } from './sessions.ts';

/** What a role, or an API key, hides and is limited to, as it is given. */
export const hiddenGiven =
  'The groups of a contact’s fields that it hides. At least those that you do not see yourself, which are hidden when this is left out.';
export const scopeGiven =
  'At most 50 tags, by id: it is limited to contacts with one of them, and holds no permission about the organization as a whole. Null: no limit. Only tags that you are limited to yourself, if you are, which are taken when this is left out.';

@ObjectType({
  implements: Node,
  description:
    'A named set of permissions, of what of contacts is hidden, and of the tags that it is limited to. What staff may do is what their roles hold together; they see what one of their roles shows, and work with all contacts when one of their roles has no limit. Of the last two only roles with a permission about contacts or payments decide; where there are none, what any role hides or is limited to holds. Who is limited sees, beside contacts with these tags, only deletions of their own; permissions about the organization as a whole (recoveries, snapshots, erasures, jobs, the action log, integrations) are void for them.',
})
export class Role extends Node {
  @Field(() => String, { description: 'Its name; no other role of the organization has it.' })
  name!: string;

  @Field(() => String, { description: 'What it is for, made for people.' })
  description!: string;

  @Field(() => Boolean, { description: 'Whether it came with the organization. A built-in role can be given and copied, and stays as it is.' })
  builtIn!: boolean;

  @Field(() => [PermissionDescription], { description: 'What it lets its holders do, in human words.' })
  permissions!: PermissionDescription[];

  @Field(() => [FieldGroupDescription], { description: 'What of contacts it hides from its holders, in human words.' })
  hiddenFields!: FieldGroupDescription[];

  @Field(() => Int, { description: 'How many staff members hold it.' })
  memberCount!: number;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  scope!: readonly string[] | null;
}

@ObjectType({ implements: Node, description: 'Someone who works for the organization.' })
export class StaffMember extends Node {
  @Field(() => String, { description: 'Their name, as the action log shows it.' })
  name!: string;

  @Field(() => String, { description: 'The email that they sign in with.' })
  email!: string;

  @Field(() => DateTime, { nullable: true, description: 'Since when they may not come in; null when they may.' })
  suspendedAt!: Date | null;

  @Field(() => DateTime, { description: 'When they came to the organization.' })
  createdAt!: Date;

  uuid!: string;
}

export const StaffMemberConnection = connectionOf(StaffMember, 'staff member', 'staff members');

@InputType({ description: 'Makes a role.' })
export class CreateRoleInput {
  @Field(() => String, { description: 'Its name, in at most 60 characters.' })
  name!: string;

  @Field(() => String, { description: 'What it is for, in at most 255 characters.' })
  description!: string;

  @Field(() => [String], { description: 'What it holds, as `noun:verb`: see `permissionCatalogue`. Only what you hold yourself.' })
  permissions!: string[];

  @Field(() => [FieldGroupEnum], { nullable: true, description: hiddenGiven })
  hiddenFields?: FieldGroup[] | null;

  @Field(() => [ID], { nullable: true, description: scopeGiven })
  scopeTagIds?: string[] | null;
}

@InputType({ description: 'Makes a custom role that gives what another one gives.' })
export class CopyRoleInput {
  @Field(() => ID, { description: 'The role to copy. You must hold all that it holds.' })
  id!: string;

  @Field(() => String, { description: 'The name of the copy, in at most 60 characters.' })
  name!: string;

  @Field(() => [FieldGroupEnum], { nullable: true, description: 'What of contacts the copy hides; what the other one hides, when left out.' })
  hiddenFields?: FieldGroup[] | null;

  @Field(() => [ID], { nullable: true, description: 'The tags, by id, that the copy is limited to; as the other one, when left out. Null: no limit.' })
  scopeTagIds?: string[] | null;
}

@InputType({ description: 'Changes a custom role. What is left out stays.' })
export class UpdateRoleInput {
  @Field(() => ID, { description: 'The role. You must hold all that it holds.' })
  id!: string;

  @Field(() => String, { nullable: true, description: 'Its new name, in at most 60 characters.' })
  name?: string | null;

  @Field(() => String, { nullable: true, description: 'What it is for, in at most 255 characters.' })
  description?: string | null;

  @Field(() => [String], { nullable: true, description: 'All that it holds from now on. Only what you hold yourself.' })
  permissions?: string[] | null;

  @Field(() => [FieldGroupEnum], { nullable: true, description: 'All of contacts that it hides from now on. At least what you do not see yourself.' })
  hiddenFields?: FieldGroup[] | null;

  @Field(() => [ID], { nullable: true, description: 'The tags, by id, that it is limited to from now on, at most 50. Null takes the limit away.' })
  scopeTagIds?: string[] | null;
}

@ObjectType({ description: 'The outcome of making or changing a role.' })
export class RolePayload {
  @Field(() => Role, { nullable: true, description: 'The role as it is now, for those who may see staff; null when it was refused.' })
  role!: Role | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Deletes a custom role.' })
export class DeleteRoleInput {
  @Field(() => ID, { description: 'The role. You must hold all that it holds.' })
  id!: string;

  @Field(() => ID, { nullable: true, description: 'The role that its holders get in its place. Needed when it has any.' })
  reassignTo?: string | null;
}

@ObjectType({ description: 'The outcome of `deleteRole`.' })
export class DeleteRolePayload {
  @Field(() => ID, { nullable: true, description: 'The id that the role had; null when it was refused.' })
  deletedId!: string | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Says which roles a staff member holds.' })
export class AssignRolesInput {
  @Field(() => ID, { description: 'The staff member. You must hold all that they hold.' })
  staffMemberId!: string;

  @Field(() => [ID], { description: 'All roles that they hold from now on. You must hold all that these hold.' })
  roleIds!: string[];
}

@InputType({ description: 'Keeps a staff member out, or lets them back in.' })
export class StaffMemberInput {
  @Field(() => ID, { description: 'The staff member. You must hold all that they hold.' })
  staffMemberId!: string;
}

@ObjectType({ description: 'The outcome of a change to a staff member.' })
export class StaffMemberPayload {
  @Field(() => StaffMember, { nullable: true, description: 'The staff member as they are now, for those who may see staff; null when it was refused.' })
  staffMember!: StaffMember | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}
