// Staff with roles that an organization made up itself.
import { v7 as newId } from 'uuid';
import type { Client } from '../sdk/client.ts';
import { CreateApiKeyDocument, CreateIdentityProviderDocument, InviteStaffMemberDocument, SignInDocument } from '../sdk/generated.ts';
import type { Permission } from '../src/permissions/catalogue.ts';
import type { FieldGroup } from '../src/permissions/field-groups.ts';
import type { World } from './harness.ts';
import { emailOf, type OrganizationName, password } from './people.ts';

/** What a role gives. */
export interface Given {
  permissions: readonly Permission[];
  hiddenFields?: readonly FieldGroup[];
  /** Ids, as the database has them. */
  tagScope?: readonly string[] | null;
}

/** Someone who was hired. */
export interface Hired {
  client: Client;
  token: string;
  name: string;
  /** As the database has them. */
  id: string;
  roleIds: string[];
}

/** Someone new at Riverside Club, whose one role holds exactly these permissions. */
export const hire = (world: World, ...permissions: Permission[]): Promise<Hired> => hireWith(world, { permissions });

/** Someone new at Riverside Club, with a role of its own for each of these. */
export async function hireWith(world: World, ...given: Given[]): Promise<Hired> {
  const permissions = given.flatMap((one) => one.permissions);
  const [staffId, name] = [newId(), `Holder of ${permissions.join(' and ') || 'nothing'}`];
  const email = `${staffId}@riverside.example`;
  const organizationId = world.organizationId();
  const insert = (table: string, row: object) =>
    world.owner.query(`insert into ${table} select * from jsonb_populate_record(null::${table}, $1)`, [
      JSON.stringify({ organization_id: organizationId, created_at: new Date(), ...row }),
    ]);
  await insert('staff_member', { id: staffId, name, email });
  const roleIds: string[] = [];
  for (const { permissions, hiddenFields: hidden_fields = [], tagScope: tag_scope = null } of given) {
    const id = newId();
    await insert('role', { id, name: `Custom ${id}`, description: 'Made for a test.', built_in: false, permissions, hidden_fields, tag_scope });
    await insert('staff_member_role', { staff_member_id: staffId, role_id: id });
    roleIds.push(id);
  }
  const accountId = newId();
  await world.owner.query(`insert into account (id, email, name, organization_id, staff_member_id, platform_permissions) values ($1, $2, $3, $4, $5, '{}')`, [
    accountId,
    email,
    name,
    organizationId,
    staffId,
  ]);
  await world.owner.query(
    `insert into credential (id, account_id, provider_id, subject, password)
     select gen_random_uuid(), $1::uuid, 'credential', $1::text, c.password from credential c join account a on a.id = c.account_id where a.email = $2`,
    [accountId, emailOf('Viewer', 'Riverside Club')],
  );
  const { signIn } = await world.client().request(SignInDocument, { input: { email, password } });
  return { client: world.client(signIn.accessToken!), token: signIn.accessToken!, name, id: staffId, roleIds };
}

/** An API key of an organization, that its Super admin made. */
export async function makeKey(
  world: World,
  permissions: Permission | Permission[],
  organization: OrganizationName = 'Riverside Club',
): Promise<{ id: string; key: string }> {
  const admin = await world.as('Super admin', organization);
  const input = { name: 'Key for a test', permissions: [permissions].flat() };
  const { createApiKey } = await admin.request(CreateApiKeyDocument, { input });
  return { id: createApiKey.apiKey!.id, key: createApiKey.key! };
}

/** Invites someone to an organization, and registers an identity provider that leads nowhere. */
export async function welcome(world: World, organization: OrganizationName): Promise<void> {
  const admin = await world.as('Super admin', organization);
  const provider = { name: 'Login', issuer: 'https://localhost', redirectUrl: 'https://club.example', clientId: 'us', clientSecret: 'x' };
  await admin.request(CreateIdentityProviderDocument, { input: provider });
  const email = `invited@${world.organizationId(organization)}.example`;
  await admin.request(InviteStaffMemberDocument, { input: { email, name: 'Invited', roleIds: [] } });
}
