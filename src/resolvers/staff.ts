// Staff and the roles that they hold.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import type { App, Viewer } from '../domain/app.ts';
import { copyRole, createRole, deleteRole, listRoles, readRoles, type RoleRow, rolesOf, updateRole } from '../domain/roles.ts';
import { assignRoles, listStaff, readStaff, reinstateStaffMember, type StaffRow, suspendStaffMember } from '../domain/staff.ts';
import { NotFound } from '../errors.ts';
import type { GivenGrants } from '../domain/grants.ts';
import { readTags, type TagRow } from '../domain/references.ts';
import { catalogue } from '../permissions/catalogue.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { describedGroups } from '../schema/sessions.ts';
import { Tag } from '../schema/references.ts';
import {
  AssignRolesInput,
  CopyRoleInput,
  CreateRoleInput,
  DeleteRoleInput,
  DeleteRolePayload,
  Role,
  RolePayload,
  StaffMember,
  StaffMemberConnection,
  StaffMemberInput,
  StaffMemberPayload,
  UpdateRoleInput,
} from '../schema/staff.ts';
import { shownTag } from './references.ts';

const shownRole = (row: RoleRow): Role & { __typename: string } => ({
  ...row,
  __typename: 'Role',
  id: encodeId('Role', row.id),
  scope: row.tagScope,
  hiddenFields: describedGroups(row.hiddenFields),
  permissions: row.permissions.map((permission) => ({ permission, title: catalogue[permission][0], description: catalogue[permission][1] })),
});

const shownStaff = (row: StaffRow): StaffMember & { __typename: string } => ({
  ...row,
  __typename: 'StaffMember',
  id: encodeId('StaffMember', row.id),
  uuid: row.id,
});

/** The role, or null. */
export async function loadRole(context: Context, id: string): Promise<(Role & { __typename: string }) | null> {
  const [row] = await readRoles(await context.reading(), [id]);
  return row ? shownRole(row) : null;
}

/** The staff member, or null. */
export async function loadStaff(context: Context, id: string): Promise<(StaffMember & { __typename: string }) | null> {
  const [row] = await readStaff(await context.reading(), [id]);
  return row ? shownStaff(row) : null;
}

/** What is asked to be given, as the domain takes it. What is left out stays out; a scope of null is none. */
export const grantsOf = ({ permissions, hiddenFields, scopeTagIds }: Pick<UpdateRoleInput, 'permissions' | 'hiddenFields' | 'scopeTagIds'>): GivenGrants => ({
  permissions: permissions ?? undefined,
  hiddenFields: hiddenFields ?? undefined,
  tagScope: scopeTagIds && scopeTagIds.map((id) => decodeId('Tag', id)),
});

/** The tags of a scope that are still there, by name; null when there is no scope. */
export async function scopeTags(context: Context, scope: readonly string[] | null): Promise<Tag[] | null> {
  if (!scope) return null;
  const loader = context.loader<string, TagRow | null>('tags of scopes', async (tx, ids) => {
    const tags = new Map((await readTags(tx, ids)).map((tag) => [tag.id, tag]));
    return ids.map((id) => tags.get(id) ?? null);
  });
  const tags = (await loader.loadMany(scope)) as (TagRow | null)[];
  return tags.flatMap((tag) => (tag ? [shownTag(tag)] : [])).sort((a, b) => (a.name < b.name ? -1 : 1));
}

@Resolver(() => Role)
export class RoleScopeResolver {
  @FieldResolver(() => [Tag], {
    nullable: true,
    description: 'The tags whose contacts it is limited to, by name; null: it has no limit. A tag that is gone is left out, and widens nothing.',
  })
  tagScope(@Ctx() context: Context, @Root() { scope }: Role): Promise<Tag[] | null> {
    return scopeTags(context, scope);
  }
}

@Resolver(() => StaffMember)
export class StaffResolver {
  @Query(() => [Role], { description: 'The roles of the organization, of which it may have 100, the built-in ones first.' })
  async roles(@Ctx() context: Context): Promise<Role[]> {
    return (await listRoles(await context.reading())).map(shownRole);
  }

  @Query(() => Role, { description: 'A role, by its id.' })
  async role(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the role.' }) id: string): Promise<Role> {
    const role = await loadRole(context, decodeId('Role', id));
    if (!role) throw new NotFound('role');
    return role;
  }

  @Query(() => StaffMember, { description: 'A staff member, by their id.' })
  async staffMember(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the staff member.' }) id: string): Promise<StaffMember> {
    const member = await loadStaff(context, decodeId('StaffMember', id));
    if (!member) throw new NotFound('staff member');
    return member;
  }

  @Query(() => StaffMemberConnection, { description: 'Who works for the organization, by name, suspended staff included.' })
  async staffMembers(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<StaffMember>> {
    const rows = await listStaff(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'staff', 2) : null);
    return pageOf(rows, first, (row) => ['staff', row.name, row.id], shownStaff);
  }

  @FieldResolver(() => [Role], { name: 'roles', description: 'The roles that they hold, by name.' })
  async heldRoles(@Ctx() context: Context, @Root() { uuid }: StaffMember): Promise<Role[]> {
    const loader = context.loader<string, RoleRow[]>('roles of staff', async (tx, ids) => {
      const roles = await rolesOf(tx, ids);
      return ids.map((id) => roles.get(id) ?? []);
    });
    return (await loader.load(uuid)).map(shownRole);
  }

  @Mutation(() => RolePayload, { description: 'Makes a custom role of permissions that you hold yourself.' })
  createRole(@Ctx() context: Context, @Arg('input', () => CreateRoleInput, { description: 'The role.' }) input: CreateRoleInput): Promise<RolePayload> {
    return withRole(context, (app, viewer) => createRole(app, viewer, { ...grantsOf(input), name: input.name, description: input.description }));
  }

  @Mutation(() => RolePayload, { description: 'Makes a custom role that gives what another role gives.' })
  copyRole(@Ctx() context: Context, @Arg('input', () => CopyRoleInput, { description: 'Which role.' }) input: CopyRoleInput): Promise<RolePayload> {
    return withRole(context, (app, viewer) => copyRole(app, viewer, decodeId('Role', input.id), { ...grantsOf(input), name: input.name }));
  }

  @Mutation(() => RolePayload, {
    description: 'Renames a custom role, or changes what it holds, hides or is limited to: from the next request and event of its holders on.',
  })
  updateRole(@Ctx() context: Context, @Arg('input', () => UpdateRoleInput, { description: 'What changes.' }) input: UpdateRoleInput): Promise<RolePayload> {
    const { name, description } = input;
    const given = { ...Object.fromEntries(Object.entries({ name, description }).filter(([, value]) => value != null)), ...grantsOf(input) };
    return withRole(context, async (app, viewer) => {
      const id = decodeId('Role', input.id);
      await updateRole(app, viewer, id, given);
      return id;
    });
  }

  @Mutation(() => DeleteRolePayload, { description: 'Deletes a custom role and gives its holders another one in its place.' })
  deleteRole(@Ctx() context: Context, @Arg('input', () => DeleteRoleInput, { description: 'Which role.' }) input: DeleteRoleInput): Promise<DeleteRolePayload> {
    return payload<DeleteRolePayload>(
      async () => {
        const [id, other] = [decodeId('Role', input.id), input.reassignTo == null ? null : decodeId('Role', input.reassignTo)];
        await context.write((app, viewer) => deleteRole(app, viewer, id, other));
        return { deletedId: input.id };
      },
      { deletedId: null },
    );
  }

  @Mutation(() => StaffMemberPayload, { description: 'Says which roles a staff member holds: from their next request and event on.' })
  assignRoles(
    @Ctx() context: Context,
    @Arg('input', () => AssignRolesInput, { description: 'Who holds what.' }) input: AssignRolesInput,
  ): Promise<StaffMemberPayload> {
    const roleIds = input.roleIds.map((id) => decodeId('Role', id));
    return withStaff(context, input.staffMemberId, (app, viewer, id) => assignRoles(app, viewer, id, roleIds));
  }

  @Mutation(() => StaffMemberPayload, { description: 'Keeps a staff member out, from their next request and event on. What they did stays.' })
  suspendStaffMember(
    @Ctx() context: Context,
    @Arg('input', () => StaffMemberInput, { description: 'Whom.' }) input: StaffMemberInput,
  ): Promise<StaffMemberPayload> {
    return withStaff(context, input.staffMemberId, suspendStaffMember);
  }

  @Mutation(() => StaffMemberPayload, { description: 'Lets a suspended staff member back in, with the roles that they hold.' })
  reinstateStaffMember(
    @Ctx() context: Context,
    @Arg('input', () => StaffMemberInput, { description: 'Whom.' }) input: StaffMemberInput,
  ): Promise<StaffMemberPayload> {
    return withStaff(context, input.staffMemberId, reinstateStaffMember);
  }
}

/** Does `work`, and shows the role whose id it gives. */
const withRole = (context: Context, work: (app: App, viewer: Viewer) => Promise<string>): Promise<RolePayload> =>
  payload<RolePayload>(async () => ({ role: await loadRole(context, await context.write(work)) }), { role: null });

/** Does `work` to a staff member, and shows them. */
const withStaff = (context: Context, globalId: string, work: (app: App, viewer: Viewer, id: string) => Promise<void>): Promise<StaffMemberPayload> =>
  payload<StaffMemberPayload>(
    async () => {
      const id = decodeId('StaffMember', globalId);
      await context.write((app, viewer) => work(app, viewer, id));
      return { staffMember: await loadStaff(context, id) };
    },
    { staffMember: null },
  );
