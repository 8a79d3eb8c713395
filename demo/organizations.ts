// The two organizations of the demo, one on PREMIUM and one on FREE, and the people who can sign in.
import type pg from 'pg';
import { createOperator, createOrganization } from '../src/domain/organizations.ts';
import { hashPassword } from '../src/domain/accounts.ts';
import { platformPermissions } from '../src/permissions/catalogue.ts';
import { makeContacts } from './contacts.ts';
import { giveHistory, makePlans } from './history.ts';

/** Everyone in the demo has this password; the demo is for a machine of your own. */
export const demoPassword = 'reinstate-demo';

export const demoRoles = ['Super admin', 'Admin', 'Staff', 'Viewer'] as const;
export type DemoRole = (typeof demoRoles)[number];

export const demoOrganizations = [
  { name: 'Riverside Club', plan: 'PREMIUM', domain: 'riverside.example' },
  { name: 'Hilltop Society', plan: 'FREE', domain: 'hilltop.example' },
] as const;

export const operatorEmail = 'operator@reinstate.example';

/** The email of whoever holds a role in a demo organization. */
export const demoEmail = (role: DemoRole, domain: string): string => `${role.toLowerCase().replace(' ', '.')}@${domain}`;

export interface DemoPeople {
  /** How to sign in, for people. */
  lines: string[];
}

/** Makes the demo organizations and the operator. @returns their ids by name */
export async function createDemoOrganizations(owner: pg.Client): Promise<Map<string, string>> {
  const passwordHash = await hashPassword(demoPassword);
  const ids = new Map<string, string>();
  for (const { name, plan, domain } of demoOrganizations) {
    const staff = demoRoles.map((role) => ({ name: `${role} of ${name}`, email: demoEmail(role, domain), passwordHash, roles: [role] }));
    const { id: organizationId } = await createOrganization(owner, { name, plan, currency: 'USD', staff });
    await inOrganization(owner, organizationId, () => makePlans(owner, { organizationId, currency: 'USD' }));
    ids.set(name, organizationId);
  }
  await createOperator(owner, { name: 'Operator', email: operatorEmail, passwordHash }, platformPermissions);
  return ids;
}

/** Runs `work` in a transaction of the organization on the owner's connection. */
export async function inOrganization(owner: pg.Client, organizationId: string, work: () => Promise<void>): Promise<void> {
  await owner.query(`begin; set local app.organization_id = '${organizationId}'`);
  await work();
  await owner.query('commit');
}

/** Fills a database that has no accounts; leaves any other as it is. */
export async function seedDemo(owner: pg.Client): Promise<DemoPeople> {
  const { rows } = await owner.query<{ empty: boolean; there: boolean }>(
    `select not exists (select 1 from account) as empty, exists (select 1 from account where email = $1) as there`,
    [operatorEmail],
  );
  const { empty, there } = rows[0]!;
  if (empty) {
    const ids = await createDemoOrganizations(owner);
    const organizationId = ids.get(demoOrganizations[0].name)!;
    await inOrganization(owner, organizationId, async () => {
      await makeContacts(owner, organizationId, 250, 1);
      await giveHistory(owner, organizationId, { seed: 1 });
    });
  }
  return { lines: empty || there ? signInLines() : [] };
}

function signInLines(): string[] {
  const [premium, free] = demoOrganizations;
  return [
    `Sign in with the password ${demoPassword} as`,
    ...demoRoles.map((role) => `  ${demoEmail(role, premium.domain).padEnd(32)} ${role} of ${premium.name} (${premium.plan})`),
    `  ${demoEmail('Super admin', free.domain).padEnd(32)} Super admin of ${free.name} (${free.plan})`,
    `  ${operatorEmail.padEnd(32)} operator`,
  ];
}
