// Staff: who works for the organization, which roles they hold, and whether they may come in.
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { mustHold } from './grants.ts';
import { keepSuperAdmin, lockRoles, readRoles, rolesOf } from './roles.ts';
import { write } from './writing.ts';

export interface StaffRow {
  id: string;
  name: string;
  email: string;
  suspendedAt: Date | null;
  createdAt: Date;
}

const columns = sql`s.id, s.name, s.email, s.suspended_at as "suspendedAt", s.created_at as "createdAt"`;

export async function readStaff(tx: Transaction, ids: readonly string[]): Promise<StaffRow[]> {
  return tx.rows<StaffRow>(sql`select ${columns} from staff_member s where s.organization_id = ${tx.organizationId} and s.id = any(${ids}::uuid[])`);
}

/** By name; `after` is the name and the id that the last page ended with. */
export async function listStaff(tx: Transaction, limit: number, after: readonly (string | null)[] | null): Promise<StaffRow[]> {
  const rest = after ? sql`and (s.name, s.id) > (${after[0]}, ${after[1]}::uuid)` : sql``;
  return tx.rows<StaffRow>(
    sql`select ${columns} from staff_member s where s.organization_id = ${tx.organizationId} ${rest} order by s.name, s.id limit ${limit}`,
  );
}

/** The staff member, and what they hold. @throws NotFound; Refusal CANNOT_GRANT when they hold what the viewer does not */
async function mustFind(tx: Transaction, viewer: Viewer, id: string): Promise<StaffRow> {
  const [member] = await readStaff(tx, [id]);
  if (!member) throw new NotFound('staff member');
  const roles = (await rolesOf(tx, [id])).get(id) ?? [];
  mustHold(viewer, roles, ['input', 'staffMemberId']);
  return member;
}

/**
 * Says which roles a staff member holds from now on; it takes effect with their next request, and with the next event of
 * their open subscriptions.
 * @throws NotFound; Refusal CANNOT_GRANT, LAST_SUPER_ADMIN
 */
export async function assignRoles(app: App, viewer: Viewer, staffId: string, roleIds: readonly string[]): Promise<void> {
  await write(app, viewer, async (tx) => {
    await lockRoles(tx);
    await mustFind(tx, viewer, staffId);
    const ids = [...new Set(roleIds)];
    const roles = await readRoles(tx, ids);
    if (roles.length < ids.length) throw new NotFound('role');
    mustHold(viewer, roles, ['input', 'roleIds']);
    await tx.run(sql`
      delete from staff_member_role where organization_id = ${tx.organizationId} and staff_member_id = ${staffId} and role_id <> all(${ids}::uuid[])`);
    await tx.run(sql`
      insert into staff_member_role (organization_id, staff_member_id, role_id) select ${tx.organizationId}, ${staffId}, id from unnest(${ids}::uuid[]) id on conflict do nothing`);
    await keepSuperAdmin(tx);
    await logAction(tx, viewer, { action: 'staff.roles_assigned', target: { kind: 'StaffMember', id: staffId } });
  });
}

/** Keeps a staff member out, from their next request and event on. @throws NotFound; Refusal CANNOT_GRANT, LAST_SUPER_ADMIN, OWN_ACCOUNT */
export async function suspendStaffMember(app: App, viewer: Viewer, id: string): Promise<void> {
  if (id === viewer.id)
    throw new Refusal('OWN_ACCOUNT', 'Nobody suspends themselves. Nothing was changed. Ask someone else who may.', ['input', 'staffMemberId']);
  await write(app, viewer, async (tx) => {
    await lockRoles(tx);
    const { suspendedAt } = await mustFind(tx, viewer, id);
    if (suspendedAt) return;
    await tx.run(sql`update staff_member set suspended_at = clock_timestamp() where organization_id = ${tx.organizationId} and id = ${id}`);
    await keepSuperAdmin(tx);
    // Let back in, they sign in anew.
    await tx.run(
      sql`delete from session where account_id in (select id from account where organization_id = ${tx.organizationId} and staff_member_id = ${id})`,
    );
    await logAction(tx, viewer, { action: 'staff.suspended', target: { kind: 'StaffMember', id } });
  });
}

/** Lets a suspended staff member back in. @throws NotFound; Refusal CANNOT_GRANT */
export async function reinstateStaffMember(app: App, viewer: Viewer, id: string): Promise<void> {
  await write(app, viewer, async (tx) => {
    await lockRoles(tx);
    const { suspendedAt } = await mustFind(tx, viewer, id);
    if (!suspendedAt) return;
    await tx.run(sql`update staff_member set suspended_at = null where organization_id = ${tx.organizationId} and id = ${id}`);
    await logAction(tx, viewer, { action: 'staff.reinstated', target: { kind: 'StaffMember', id } });
  });
}
