// Roles: named sets of permissions that an organization shapes itself. Nobody gives or takes what they do not hold, so
// nobody can raise themselves or bring down those above them.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { staffPermissions } from '../permissions/catalogue.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { type GivenGrants, type Grants, mustHold, readGrants } from './grants.ts';
import { requireText } from './text.ts';
import { write } from './writing.ts';

/** How many roles an organization may have. */
const mostRoles = 100;
const longestName = 60;

export interface RoleRow extends Grants {
  id: string;
  name: string;
  description: string;
  builtIn: boolean;
  memberCount: number;
  createdAt: Date;
}

const columns = sql`r.id, r.name, r.description, r.built_in as "builtIn", r.permissions, r.hidden_fields as "hiddenFields", r.tag_scope as "tagScope", r.created_at as "createdAt",
  (select count(*)::int from staff_member_role l where l.organization_id = r.organization_id and l.role_id = r.id) as "memberCount"`;

export async function readRoles(tx: Transaction, ids: readonly string[]): Promise<RoleRow[]> {
  return tx.rows<RoleRow>(sql`select ${columns} from role r where r.organization_id = ${tx.organizationId} and r.id = any(${ids}::uuid[])`);
}

/** All roles, the built-in ones first, by name. */
export async function listRoles(tx: Transaction): Promise<RoleRow[]> {
  return tx.rows<RoleRow>(sql`select ${columns} from role r where r.organization_id = ${tx.organizationId} order by r.built_in desc, r.name, r.id`);
}

/** The roles of several staff members. */
export async function rolesOf(tx: Transaction, staffIds: readonly string[]): Promise<Map<string, RoleRow[]>> {
  const rows = await tx.rows<RoleRow & { staffId: string }>(sql`
    select m.staff_member_id as "staffId", ${columns} from staff_member_role m join role r on r.organization_id = m.organization_id and r.id = m.role_id
    where m.organization_id = ${tx.organizationId} and m.staff_member_id = any(${staffIds}::uuid[]) order by r.name, r.id`);
  return Map.groupBy(rows, ({ staffId }) => staffId);
}

/** Whoever changes who holds what does so one at a time, so that of two who take away the last Super admins one is refused. */
export async function lockRoles(tx: Transaction): Promise<void> {
  await tx.run(sql`select 1 from role where organization_id = ${tx.organizationId} and built_in order by id for update`);
}

/** @throws Refusal LAST_SUPER_ADMIN when nobody who may sign in holds a built-in role with every permission any more */
export async function keepSuperAdmin(tx: Transaction): Promise<void> {
  const left = await tx.row(sql`
    select 1 from role r join staff_member_role l on l.organization_id = r.organization_id and l.role_id = r.id
    join staff_member s on s.organization_id = l.organization_id and s.id = l.staff_member_id and s.suspended_at is null
    where r.organization_id = ${tx.organizationId} and r.built_in and r.permissions @> ${staffPermissions}::text[] limit 1`);
  if (!left)
    throw new Refusal('LAST_SUPER_ADMIN', 'Then nobody would be left who may do everything. Nothing was changed. Give the role to someone else first.');
}

async function changing<T>(app: App, viewer: Viewer, work: (tx: Transaction) => Promise<T>): Promise<T> {
  try {
    return await write(app, viewer, async (tx) => {
      await lockRoles(tx);
      return work(tx);
    });
  } catch (error) {
    if ((error as { constraint?: string }).constraint !== 'role_organization_id_name_unique') throw error;
    throw new Refusal('ROLE_NAME_TAKEN', 'Another role has this name. Nothing was changed. Choose another name.', ['input', 'name']);
  }
}

/** A custom role that the viewer may change. @throws NotFound; Refusal ROLE_BUILT_IN, CANNOT_GRANT */
async function changeable(tx: Transaction, viewer: Viewer, id: string): Promise<RoleRow> {
  const role = await mustFind(tx, id);
  if (role.builtIn) throw new Refusal('ROLE_BUILT_IN', 'A built-in role stays as it is. Nothing was changed. Copy it, and change the copy.', ['input', 'id']);
  mustHold(viewer, [role], ['input', 'id']);
  return role;
}

async function mustFind(tx: Transaction, id: string): Promise<RoleRow> {
  const [role] = await readRoles(tx, [id]);
  if (!role) throw new NotFound('role');
  return role;
}

export interface NewRole extends GivenGrants {
  name: string;
  description: string;
}

/** Makes a role and logs it. @returns its id @throws Refusal ROLE_NAME_TAKEN, TOO_MANY_ROLES and those of `readGrants` and `requireText` */
export async function createRole(app: App, viewer: Viewer, given: NewRole): Promise<string> {
  const names = readNames(given);
  return changing(app, viewer, async (tx) => insertRole(tx, viewer, { ...names, ...(await readGrants(tx, viewer, given)) }, 'role.created'));
}

/** Makes a custom role with what another gives, but for what is given anew. @returns its id @throws NotFound and what `createRole` throws */
export async function copyRole(app: App, viewer: Viewer, id: string, given: GivenGrants & { name: string }): Promise<string> {
  return changing(app, viewer, async (tx) => {
    const original = await mustFind(tx, id);
    mustHold(viewer, [original], ['input', 'id']);
    const names = readNames({ name: given.name, description: original.description });
    return insertRole(tx, viewer, { ...names, ...(await readGrants(tx, viewer, given, original)) }, 'role.copied');
  });
}

const readNames = ({ name, description }: { name: string; description: string }) => ({
  name: requireText(name, ['input', 'name'], longestName),
  description: requireText(description, ['input', 'description']),
});

async function insertRole(
  tx: Transaction,
  viewer: Viewer,
  { name, description, permissions, hiddenFields, tagScope }: { name: string; description: string } & Grants,
  action: string,
): Promise<string> {
  const { count } = (await tx.row<{ count: number }>(sql`select count(*)::int as count from role where organization_id = ${tx.organizationId}`))!;
  if (count >= mostRoles)
    throw new Refusal(
      'TOO_MANY_ROLES',
      `The organization has ${mostRoles} roles, which is as many as there may be. None was added. Delete one that nobody holds.`,
    );
  const id = newId();
  await tx.run(sql`
    insert into role (organization_id, id, name, description, built_in, permissions, hidden_fields, tag_scope)
    values (${tx.organizationId}, ${id}, ${name}, ${description}, false, ${permissions}::text[], ${hiddenFields}::text[], ${tagScope}::uuid[])`);
  await logAction(tx, viewer, { action, target: { kind: 'Role', id } });
  return id;
}

/**
 * Renames a custom role, or says anew what it is for, or what it holds, hides or is limited to; what is left out stays. It takes effect with the next request of
 * whoever holds it, and with the next event of their open subscriptions.
 * @throws NotFound; Refusal ROLE_BUILT_IN and what `createRole` throws
 */
export async function updateRole(app: App, viewer: Viewer, id: string, given: Partial<NewRole>): Promise<void> {
  await changing(app, viewer, async (tx) => {
    const role = await changeable(tx, viewer, id);
    const { name, description } = readNames({ name: given.name ?? role.name, description: given.description ?? role.description });
    const { permissions, hiddenFields, tagScope } = await readGrants(tx, viewer, given, role);
    await tx.run(sql`
      update role set name = ${name}, description = ${description}, permissions = ${permissions}::text[], hidden_fields = ${hiddenFields}::text[],
        tag_scope = ${tagScope}::uuid[]
      where organization_id = ${tx.organizationId} and id = ${id}`);
    await logAction(tx, viewer, { action: 'role.updated', target: { kind: 'Role', id } });
  });
}

/**
 * Deletes a custom role; whoever holds it gets `reassignTo` in its place.
 * @throws NotFound; Refusal ROLE_BUILT_IN, CANNOT_GRANT, ROLE_IN_USE when somebody holds it and there is no other
 */
export async function deleteRole(app: App, viewer: Viewer, id: string, reassignTo: string | null): Promise<void> {
  await changing(app, viewer, async (tx) => {
    const role = await changeable(tx, viewer, id);
    if (role.memberCount > 0 && reassignTo === null)
      throw new Refusal(
        'ROLE_IN_USE',
        `${role.memberCount} staff members hold this role. Nothing was changed. Say with \`reassignTo\` which role they get in its place.`,
        ['input', 'reassignTo'],
      );
    if (reassignTo !== null) {
      const other = await mustFind(tx, reassignTo);
      if (other.id === id)
        throw new Refusal('SAME_ROLE', 'That is the role that is to be deleted. Nothing was changed. Choose another one.', ['input', 'reassignTo']);
      mustHold(viewer, [other], ['input', 'reassignTo']);
      await tx.run(sql`
        insert into staff_member_role (organization_id, staff_member_id, role_id)
        select organization_id, staff_member_id, ${reassignTo} from staff_member_role where organization_id = ${tx.organizationId} and role_id = ${id} on conflict do nothing`);
    }
    await tx.run(sql`delete from staff_member_role where organization_id = ${tx.organizationId} and role_id = ${id}`);
    await tx.run(sql`delete from role where organization_id = ${tx.organizationId} and id = ${id}`);
    await logAction(tx, viewer, { action: 'role.deleted', target: { kind: 'Role', id }, targetCount: 1 + role.memberCount });
  });
}
