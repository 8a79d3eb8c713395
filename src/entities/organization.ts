// The tenant. Everything else belongs to one.
import { defineEntity, p } from '@mikro-orm/postgresql';

export const plans = ['FREE', 'STANDARD', 'PREMIUM'] as const;
export type Plan = (typeof plans)[number];

/**
 * The organization of the transaction, as row-level security sees it: looked up once for a statement and not for each row,
 * because it is a subquery. Written as PostgreSQL shows it, so that entities and tables compare equal.
 */
export const currentOrganization = `( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif")`;

export const Organization = defineEntity({
  name: 'Organization',
  tableName: 'organization',
  rowLevelSecurity: 'force',
  policies: [
    { name: 'one_organization', using: `id = ${currentOrganization}` },
    // Operators and the platform's own jobs find organizations; what is inside them stays behind its own policy.
    { name: 'platform', command: 'select', using: "current_setting('app.platform', true) = 'on'" },
  ],
  properties: {
    id: p.uuid().primary(),
    name: p.text(),
    plan: p.enum(plans),
    currency: p.string().columnType('char(3)'),
    /** ISO 3166-1 alpha-2: where its contacts are, when nothing else says so. */
    country: p.string().columnType('char(2)').nullable(),
    createdAt: p.datetime(3).defaultRaw('now()'),
  },
});
