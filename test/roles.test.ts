// Who may do what is data that an administrator shapes, and nobody raises themselves by it.
import { parse } from 'graphql';
import { describe, expect, it } from 'vitest';
import type { Client } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { staffPermissions } from '../src/permissions/catalogue.ts';
import { encodeId } from '../src/schema/common.ts';
import { hire } from './custom-roles.ts';
import { createWorld, type World } from './harness.ts';
import { emailOf, password, type RoleName } from './people.ts';

const rolesBy = async (client: Client) => new Map((await client.request(sdk.RolesDocument)).roles.map((role) => [role.name, role]));

/** The global id of the one who holds the built-in role, or who is called so. */
async function staffId(world: World, name: string): Promise<string> {
  const { rows } = await world.owner.query<{ id: string }>('select id from staff_member where name = $1', [name]);
  return encodeId('StaffMember', rows[0]!.id);
}

const holder = (role: Exclude<RoleName, 'Operator'>) => `${role} of Riverside Club`;
const codes = ({ userErrors }: { userErrors: { code: string }[] }) => userErrors.map(({ code }) => code);

describe('roles', () => {
  it('are listed with what they hold in human words, and with how many hold them', async () => {
    await using world = await createWorld();
    const roles = await rolesBy(await world.as('Super admin'));
    expect([...roles.keys()]).toEqual(['Admin', 'Staff', 'Super admin', 'Viewer']);
    expect(roles.get('Viewer')).toMatchObject({
      builtIn: true,
      memberCount: 1,
      permissions: [{ permission: 'contacts:read', title: 'See contacts', description: expect.stringContaining('Find contacts') as string }],
    });
    expect(roles.get('Super admin')!.permissions.map(({ permission }) => permission)).toEqual(staffPermissions);
  });

  it('are made, given, renamed, changed, copied and deleted, each with its entry, and hold from the next request on', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const viewer = await world.as('Viewer');
    const made = await admin.request(sdk.CreateRoleDocument, {
      input: { name: 'Archivist', description: 'Deletes.', permissions: ['contacts:delete', 'contacts:read'] },
    });
    const role = made.createRole.role!;
    expect(role).toMatchObject({ name: 'Archivist', builtIn: false, memberCount: 0 });
    expect(role.permissions.map(({ permission }) => permission)).toEqual(['contacts:read', 'contacts:delete']);
    const preview = () => viewer.request(parse('{ contactDeletionPreview(input: { filter: {} }) { contactCount } }'), {});
    await expect(preview()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const staffMemberId = await staffId(world, holder('Viewer'));
    const given = await admin.request(sdk.AssignRolesDocument, { input: { staffMemberId, roleIds: [role.id] } });
    expect(given.assignRoles.staffMember!.roles).toEqual([{ id: role.id, name: 'Archivist' }]);
    await preview();
    await admin.request(sdk.UpdateRoleDocument, { input: { id: role.id, name: 'Reader', permissions: ['contacts:read'] } });
    await expect(preview()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { copyRole } = await admin.request(sdk.CopyRoleDocument, { input: { id: role.id, name: 'Second reader' } });
    expect(copyRole.role).toMatchObject({ name: 'Second reader', description: 'Deletes.', memberCount: 0 });
    expect(codes((await admin.request(sdk.DeleteRoleDocument, { input: { id: role.id } })).deleteRole)).toEqual(['ROLE_IN_USE']);
    expect(codes((await admin.request(sdk.DeleteRoleDocument, { input: { id: role.id, reassignTo: role.id } })).deleteRole)).toEqual(['SAME_ROLE']);
    const { deleteRole } = await admin.request(sdk.DeleteRoleDocument, { input: { id: role.id, reassignTo: copyRole.role!.id } });
    expect(deleteRole).toEqual({ deletedId: role.id, userErrors: [] });
    const { staffMember } = await admin.request(sdk.StaffMemberDocument, { id: staffMemberId });
    expect(staffMember.roles).toEqual([{ id: copyRole.role!.id, name: 'Second reader' }]);
    const { rows } = await world.owner.query(
      `select action, target_count as count from action_log where outcome = 'DONE' and (action like 'role.%' or action like 'staff.roles%') order by id`,
    );
    expect(rows).toEqual([
      { action: 'role.created', count: 1 },
      { action: 'staff.roles_assigned', count: 1 },
      { action: 'role.updated', count: 1 },
      { action: 'role.copied', count: 1 },
      { action: 'role.deleted', count: 2 },
    ]);
  });

  it('can not be made of what one does not hold, or of what there is not, or under a name that is taken', async () => {
    await using world = await createWorld();
    const { client } = await hire(world, 'roles:manage', 'staff:read', 'contacts:read');
    const create = async (name: string, ...permissions: string[]) =>
      codes((await client.request(sdk.CreateRoleDocument, { input: { name, description: 'x', permissions } })).createRole);
    expect(await create('Mine', 'contacts:read')).toEqual([]);
    expect(await create('Mine', 'contacts:read')).toEqual(['ROLE_NAME_TAKEN']);
    expect(await create('Other', 'contacts:delete')).toEqual(['CANNOT_GRANT']);
    expect(await create('Other', 'platform:payments')).toEqual(['UNKNOWN_PERMISSION']);
    expect(await create('Other', '__proto__')).toEqual(['UNKNOWN_PERMISSION']);
    expect(await create(' ', 'contacts:read')).toEqual(['VALUE_MISSING']);
    expect(await create('x'.repeat(61))).toEqual(['VALUE_TOO_LONG']);
    const roles = await rolesBy(client);
    const copy = async (name: string) => codes((await client.request(sdk.CopyRoleDocument, { input: { id: roles.get(name)!.id, name: 'Copy' } })).copyRole);
    expect(await copy('Super admin')).toEqual(['CANNOT_GRANT']);
    expect(await copy('Viewer')).toEqual([]);
    const update = async (name: string, permissions: string[]) =>
      codes((await client.request(sdk.UpdateRoleDocument, { input: { id: roles.get(name)!.id, permissions } })).updateRole);
    expect(await update('Viewer', [])).toEqual(['ROLE_BUILT_IN']);
    expect(await update('Mine', ['contacts:erase'])).toEqual(['CANNOT_GRANT']);
    const { rows } = await world.owner.query(`select code from action_log where outcome = 'REFUSED' and action = 'createRole' order by code`);
    expect(rows.map(({ code }: { code?: string }) => code)).toContain('CANNOT_GRANT');
  });

  it('above one’s own are out of reach: nobody changes, takes or gives them, and nobody suspends who holds them', async () => {
    await using world = await createWorld();
    const { client, name } = await hire(world, 'roles:manage', 'staff:read', 'staff:manage', 'contacts:read');
    const superAdmin = await world.as('Super admin');
    const viewer = await world.as('Viewer');
    const { createRole } = await superAdmin.request(sdk.CreateRoleDocument, { input: { name: 'Eraser', description: 'x', permissions: ['contacts:erase'] } });
    const roles = await rolesBy(client);
    const assign = async (who: string, ...roleIds: string[]) =>
      codes((await client.request(sdk.AssignRolesDocument, { input: { staffMemberId: await staffId(world, who), roleIds } })).assignRoles);
    expect(await assign(name, roles.get('Super admin')!.id)).toEqual(['CANNOT_GRANT']);
    expect(await assign(holder('Super admin'))).toEqual(['CANNOT_GRANT']);
    expect(await assign(holder('Viewer'), roles.get('Viewer')!.id)).toEqual([]);
    const id = createRole.role!.id;
    expect(codes((await client.request(sdk.UpdateRoleDocument, { input: { id, permissions: [] } })).updateRole)).toEqual(['CANNOT_GRANT']);
    expect(codes((await client.request(sdk.DeleteRoleDocument, { input: { id } })).deleteRole)).toEqual(['CANNOT_GRANT']);
    const suspend = async (who: string) =>
      codes((await client.request(sdk.SuspendStaffMemberDocument, { input: { staffMemberId: await staffId(world, who) } })).suspendStaffMember);
    expect(await suspend(holder('Super admin'))).toEqual(['CANNOT_GRANT']);
    expect(await suspend(name)).toEqual(['OWN_ACCOUNT']);
    expect(await suspend(holder('Viewer'))).toEqual([]);
    await expect(viewer.request(sdk.ViewerDocument)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    await client.request(sdk.ReinstateStaffMemberDocument, { input: { staffMemberId: await staffId(world, holder('Viewer')) } });
    // Let back in, they sign in anew: their sessions have ended.
    await expect(viewer.request(sdk.ViewerDocument)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    const { signIn } = await world.client().request(sdk.SignInDocument, { input: { email: emailOf('Viewer', 'Riverside Club'), password } });
    await world.client(signIn.accessToken!).request(sdk.ViewerDocument);
  });

  it('never leave an organization without somebody who may do everything, whoever is asked at once', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const roles = await rolesBy(admin);
    const superRole = roles.get('Super admin')!.id;
    const [first, second] = [await staffId(world, holder('Super admin')), await staffId(world, holder('Admin'))];
    const assign = async (client: Client, staffMemberId: string, ...roleIds: string[]) =>
      codes((await client.request(sdk.AssignRolesDocument, { input: { staffMemberId, roleIds } })).assignRoles);
    expect(await assign(admin, first, roles.get('Viewer')!.id)).toEqual(['LAST_SUPER_ADMIN']);
    expect(await assign(admin, second, superRole)).toEqual([]);
    const other = await world.as('Admin');
    // Each takes the role from the other.
    const both = await Promise.all(
      [assign(admin, second, roles.get('Viewer')!.id), assign(other, first, roles.get('Viewer')!.id)].map((one) =>
        one.catch(({ code }: { code: string }) => [code]),
      ),
    );
    expect(both.filter((refusals) => refusals.length === 0)).toHaveLength(1);
    const { rows } = await world.owner.query(
      `select count(*)::int as left from staff_member_role l join role r on r.id = l.role_id where r.name = 'Super admin' and r.organization_id = $1`,
      [world.organizationId()],
    );
    expect(rows).toEqual([{ left: 1 }]);
  });

  it('of another organization are not there', async () => {
    await using world = await createWorld();
    const theirs = (await rolesBy(await world.as('Super admin', 'Hilltop Society'))).get('Viewer')!;
    const admin = await world.as('Super admin');
    await expect(
      admin.request(sdk.AssignRolesDocument, { input: { staffMemberId: await staffId(world, holder('Viewer')), roleIds: [theirs.id] } }),
    ).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    await expect(admin.request(sdk.RoleDocument, { id: theirs.id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('staff', () => {
  it('are listed by name in pages, with their roles, in a number of statements that does not grow', async () => {
    await using world = await createWorld();
    for (let index = 0; index < 3; index++) await hire(world, 'contacts:read');
    const admin = await world.as('Super admin');
    const names: string[] = [];
    let after: string | null = null;
    do {
      const { staffMembers }: sdk.StaffMembersQuery = await admin.request(sdk.StaffMembersDocument, { first: 2, after });
      names.push(...staffMembers.nodes.map(({ name }) => name));
      expect(staffMembers.nodes.every(({ roles }) => roles.length === 1)).toBe(true);
      after = staffMembers.pageInfo.hasNextPage ? staffMembers.pageInfo.endCursor : null;
    } while (after);
    expect(names).toEqual(names.toSorted());
    expect(names).toHaveLength(7);
    const count = async (first: number) => (await world.statements(() => admin.request(sdk.StaffMembersDocument, { first }))).length;
    expect(await count(7)).toBe(await count(1));
  });
});
