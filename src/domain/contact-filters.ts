// Which contacts: what a filter stands for, for those who see what it asks about.
import { InvalidInput } from '../errors.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { join, raw, type Sql, sql } from '../sql.ts';
import { normalizeEmail } from './email.ts';
import type { Viewer } from './app.ts';
import { mustSee } from './visibility.ts';

/** Who looks for contacts. */
export type Finder = Pick<Viewer, 'hidden' | 'scope'>;

const mostIds = 10_000;

/** All that is given must hold. */
export interface ContactFilter {
  ids?: readonly string[] | null;
  /** Names; one of them is enough. */
  tags?: readonly string[] | null;
  membershipPlanId?: string | null;
  memberNumber?: string | null;
  /** Compared in normalized form. */
  email?: string | null;
  country?: string | null;
  hasEmail?: boolean | null;
  createdFrom?: Date | null;
  createdBefore?: Date | null;
  balance?: 'OWING' | 'SETTLED' | 'IN_CREDIT' | null;
}

const filteredGroups: { readonly [field in keyof ContactFilter]?: FieldGroup } = {
  email: 'EMAIL_AND_PHONE',
  hasEmail: 'EMAIL_AND_PHONE',
  country: 'ADDRESS',
  balance: 'BALANCES',
};

/** What one must see to find contacts by this filter. */
export const groupsOfFilter = (filter: ContactFilter | null | undefined): FieldGroup[] =>
  (Object.keys(filteredGroups) as (keyof ContactFilter)[]).filter((field) => filter?.[field] != null).map((field) => filteredGroups[field]!);

/**
 * The condition on contacts, alias c, that the filter stands for; always within the organization.
 * @throws InvalidInput BAD_INPUT for more than 10,000 ids; Refusal HIDDEN_FIELD
 */
export function matching(organizationId: string, viewer: Finder, filter: ContactFilter): Sql {
  const { scope } = viewer;
  mustSee(viewer, groupsOfFilter(filter), ['input', 'filter']);
  const { ids, tags, membershipPlanId, memberNumber, email, country, hasEmail, createdFrom, createdBefore, balance } = filter;
  if (ids && ids.length > mostIds) throw new InvalidInput('BAD_INPUT', 'A filter takes at most 10,000 ids. Nothing was changed. Ask in several steps.');
  const owned = (table: string, alias: string) =>
    sql`from ${raw(`${table} ${alias}`)} where ${raw(alias)}.organization_id = ${organizationId} and ${raw(alias)}.contact_id = c.id`;
  const parts = [sql`c.organization_id = ${organizationId}`];
  // Row-level security holds to the scope anyway; said here too, it is where the planner can begin.
  if (scope)
    parts.push(sql`c.id in (select ct.contact_id from contact_tag ct where ct.organization_id = ${organizationId} and ct.tag_id = any(${scope.tags}::uuid[]))`);
  if (ids) parts.push(sql`c.id = any(${ids}::uuid[])`);
  if (tags)
    parts.push(sql`exists (select ${owned('contact_tag', 'ct')} and ct.tag_id in
      (select tag.id from tag where tag.organization_id = ${organizationId} and tag.name = any(${tags}::text[])))`);
  if (membershipPlanId) parts.push(sql`exists (select ${owned('membership', 'm')} and m.plan_id = ${membershipPlanId})`);
  if (memberNumber != null) parts.push(sql`c.member_number = ${memberNumber}`);
  if (email != null) parts.push(sql`c.email_normalized = ${normalizeEmail(email)}`);
  if (country != null) parts.push(sql`c.country = ${country}`);
  if (hasEmail != null) parts.push(hasEmail ? sql`c.email_normalized is not null` : sql`c.email_normalized is null`);
  if (createdFrom) parts.push(sql`c.created_at >= ${createdFrom}`);
  if (createdBefore) parts.push(sql`c.created_at < ${createdBefore}`);
  if (balance === 'OWING') parts.push(sql`exists (select ${owned('balance', 'b')} and b.amount_minor < 0)`);
  if (balance === 'IN_CREDIT') parts.push(sql`exists (select ${owned('balance', 'b')} and b.amount_minor > 0)`);
  if (balance === 'SETTLED') parts.push(sql`not exists (select ${owned('balance', 'b')} and b.amount_minor <> 0)`);
  return join(parts, ' and ');
}
