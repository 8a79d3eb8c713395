// Organizations: found by operators, and made by whoever owns the tables, since the server's role may not.
import type pg from 'pg';
import { v7 as newId } from 'uuid';
import type { Plan } from '../entities/organization.ts';
import { builtInRoles, type Permission } from '../permissions/catalogue.ts';
import { sql } from '../sql.ts';
import { accountEmail } from './accounts.ts';
import type { App } from './app.ts';

export interface OrganizationRow {
  id: string;
  name: string;
  plan: Plan;
  currency: string;
}

/** `first` + 1 organizations in order of name, after the one that the cursor names. */
export async function listOrganizations(app: App, first: number, after: readonly (string | null)[] | null): Promise<OrganizationRow[]> {
  const rest = after ? sql`where (name, id) > (${after[0]}, ${after[1]}::uuid)` : sql``;
  const statement = sql`select id, name, plan, currency from organization ${rest} order by name, id limit ${first + 1}`;
  return app.database.platform(async (client) => (await client.query<OrganizationRow>(statement.text, [...statement.values])).rows);
}

/** Every organization's id, for the platform's own jobs. */
export async function listOrganizationIds(app: App): Promise<string[]> {
  const { rows } = await app.database.platform((client) => client.query<{ id: string }>('select id from organization order by id'));
  return rows.map(({ id }) => id);
}

export interface NewAccount {
  name: string;
  email: string;
  /** From `hashPassword`. */
  passwordHash: string;
}

export interface NewOrganization {
  name: string;
  plan: Plan;
  currency: string;
  /** ISO 3166-1 alpha-2. */
  country?: string | null;
  staff: readonly (NewAccount & { roles: readonly string[] })[];
}

export interface CreatedOrganization {
  id: string;
  /** Ids by the role's name. */
  roles: ReadonlyMap<string, string>;
  /** Ids by the staff member's email. */
  staff: ReadonlyMap<string, string>;
}

/** Makes an organization with the built-in roles and its staff, in one transaction on the tables owner's connection. */
export async function createOrganization(owner: pg.ClientBase, { name, plan, currency, country = null, staff }: NewOrganization): Promise<CreatedOrganization> {
  const id = newId();
  const roles = new Map(builtInRoles.map((role) => [role.name, newId()]));
  const members = new Map(staff.map((member) => [member.email, newId()]));
  await atOnce(owner, id, async () => {
    await owner.query('insert into organization (id, name, plan, currency, country) values ($1, $2, $3, $4, $5)', [id, name, plan, currency, country]);
    for (const role of builtInRoles)
      await owner.query('insert into role (organization_id, id, name, description, built_in, permissions) values ($1, $2, $3, $4, true, $5)', [
        id,
        roles.get(role.name),
        role.name,
        role.description,
        role.permissions,
      ]);
    for (const member of staff) {
      const memberId = members.get(member.email)!;
      await owner.query('insert into staff_member (organization_id, id, name, email) values ($1, $2, $3, $4)', [
        id,
        memberId,
        member.name,
        accountEmail(member.email),
      ]);
      for (const role of member.roles)
        await owner.query('insert into staff_member_role (organization_id, staff_member_id, role_id) values ($1, $2, $3)', [id, memberId, roles.get(role)]);
      await createAccount(owner, member, [id, memberId, []]);
    }
  });
  return { id, roles, staff: members };
}

/** Makes an operator. @returns the account's id */
export async function createOperator(owner: pg.ClientBase, account: NewAccount, permissions: readonly Permission[]): Promise<string> {
  return createAccount(owner, account, [null, null, permissions]);
}

async function createAccount(owner: pg.ClientBase, { name, email, passwordHash }: NewAccount, place: readonly unknown[]): Promise<string> {
  const id = newId();
  await owner.query(
    `with made as (
       insert into account (id, name, email, organization_id, staff_member_id, platform_permissions) values ($1, $2, $3, $5, $6, $7) returning id)
     insert into credential (id, account_id, provider_id, subject, password) select gen_random_uuid(), id, 'credential', id::text, $4 from made`,
    [id, name, accountEmail(email), passwordHash, ...place],
  );
  return id;
}

/** The owner is bound by row-level security like everyone, unless it is a superuser. */
async function atOnce(owner: pg.ClientBase, organizationId: string, work: () => Promise<void>): Promise<void> {
  await owner.query(`BEGIN; SET LOCAL app.organization_id = '${organizationId}'`);
  try {
    await work();
    await owner.query('COMMIT');
  } catch (error) {
    await owner.query('ROLLBACK');
    throw error;
  }
}
