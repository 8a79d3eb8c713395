// The columns and keys that tenant tables share. All keys are led by organization_id, so that the database can be
// distributed by organization without a change, and row-level security compares one column everywhere.
import { p } from '@mikro-orm/postgresql';
import { currentOrganization, Organization } from './organization.ts';

/** Primary key of a tenant table: the organization, then a UUIDv7. */
export const tenantKey = { organizationId: p.uuid().primary(), id: p.uuid().primary() };

/** The same, held to an organization that exists: for the few tables that others hang on. */
export const rootKey = {
  organizationId: () => p.manyToOne(Organization).mapToPk().primary().joinColumn('organization_id').updateRule('no action').deleteRule('no action'),
  id: p.uuid().primary(),
};

/** Shows and takes rows of the transaction's organization only, from the tables' owner too. Without the setting: no rows. */
export const ofOneOrganization = {
  rowLevelSecurity: 'force' as const,
  policies: [{ name: 'one_organization', using: `organization_id = ${currentOrganization}` }],
};

/** Whether the transaction sees all contacts: looked up once for a statement, as the organization is. Written as PostgreSQL shows it. */
export const unscoped = `( SELECT (NULLIF(current_setting('app.tag_scope'::text, true), ''::text) IS NULL))`;

/** The same, and only rows of contacts with one of the tags that the transaction is limited to. `column` is the contact's id. */
export const ofScopedContacts = (column = 'contact_id') => ({
  ...ofOneOrganization,
  policies: [
    ...ofOneOrganization.policies,
    { name: 'tag_scope', type: 'restrictive' as const, using: `(${unscoped} OR in_tag_scope(organization_id, ${column}))` },
  ],
});

/** The same for records of what somebody did: whoever is limited to contacts with certain tags sees what they did themselves. */
export const ofScopedActors = {
  ...ofOneOrganization,
  policies: [
    ...ofOneOrganization.policies,
    {
      name: 'tag_scope',
      type: 'restrictive' as const,
      using: `(${unscoped} OR (requested_by_id = ( SELECT (NULLIF(current_setting('app.scoped_actor_id'::text, true), ''::text))::uuid AS "nullif")))`,
    },
  ],
};

/** An instant in UTC, kept to the millisecond. */
export const instant = () => p.datetime(3);

/** An instant that the database clock sets on insert. */
export const createdNow = () => p.datetime(3).defaultRaw('now()');

/** An amount of money in minor units (cents); exact up to 2^53. */
export const minorUnits = () => p.bigint('number');

/** An ISO 4217 code. */
export const currencyCode = () => p.string().columnType('char(3)');

/** An ISO 8601 calendar date, kept as text so that no time zone can shift it. */
export const calendarDate = () => p.string().columnType('date');
