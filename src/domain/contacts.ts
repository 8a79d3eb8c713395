// Finding and reading contacts: the one place that knows how they are searched and sorted.
import type { Transaction } from '../database.ts';
import { type FieldGroup, groupOfField } from '../permissions/field-groups.ts';
import { join, raw, type Sql, sql } from '../sql.ts';
import { type ContactFilter, type Finder, matching } from './contact-filters.ts';
import { byContact, type Columns, columnsOf } from './children.ts';
import { folded } from './derived-fields.ts';
import { mustSee, type Sight, sees } from './visibility.ts';

export interface ContactRow {
  id: string;
  memberNumber: string | null;
  firstName: string | null;
  lastName: string | null;
  /** What to call the contact, never empty. */
  name: string;
  email: string | null;
  company: string | null;
  jobTitle: string | null;
  street: string | null;
  city: string | null;
  postalCode: string | null;
  country: string | null;
  /** ISO 8601. */
  birthDate: string | null;
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

export interface ContactPointRow {
  id: string;
  kind: 'EMAIL' | 'PHONE' | 'ADDRESS' | 'WEBSITE';
  label: string | null;
  value: string;
}

export interface ContactOrder {
  field: 'NAME' | 'EMAIL' | 'CREATED_AT';
  direction: 'ASC' | 'DESC';
}

/** What a contact is sorted by, and its id. */
export interface ContactPlace {
  place: string | null;
  id: string;
}

/** Counting stops here, because counting all that a broad search finds takes long and tells little. */
const countCap = 1000;
const mostWords = 10;

/** From table contact under the alias c. */
const contactColumns: Columns<ContactRow> = {
  id: sql`c.id`,
  memberNumber: sql`c.member_number`,
  firstName: sql`c.first_name`,
  lastName: sql`c.last_name`,
  name: sql`coalesce(nullif(concat_ws(' ', c.first_name, c.last_name), ''), c.company, c.email, c.member_number, '—')`,
  email: sql`c.email`,
  company: sql`c.company`,
  jobTitle: sql`c.job_title`,
  street: sql`c.street`,
  city: sql`c.city`,
  postalCode: sql`c.postal_code`,
  country: sql`c.country`,
  birthDate: sql`c.birth_date`,
  version: sql`c.version`,
  createdAt: sql`c.created_at`,
  updatedAt: sql`c.updated_at`,
};

/** The columns as the viewer sees them: null where they are hidden, and names that are not made of what is hidden. */
function columnsFor(viewer: Sight): Columns<ContactRow> {
  if (viewer.hidden.size === 0) return contactColumns;
  const hidden = Object.keys(groupOfField).filter((field) => viewer.hidden.has(groupOfField[field]!));
  const name = viewer.hidden.has('EMAIL_AND_PHONE')
    ? { name: sql`coalesce(nullif(concat_ws(' ', c.first_name, c.last_name), ''), c.company, c.member_number, '—')` }
    : {};
  return { ...contactColumns, ...name, ...Object.fromEntries(hidden.map((field) => [field, sql`null`])) };
}

/** What may be searched by someone who does not see emails. */
const textWithoutEmail = sql`lower(normalize(concat_ws(' ', c.first_name, c.last_name, c.company, c.member_number), NFKC))`;

/** The condition that every word of the search occurs somewhere in a name, the email, the company or the member number. */
function searched(viewer: Sight, search: string | null | undefined): Sql {
  const seen = sees(viewer, ['EMAIL_AND_PHONE']);
  const words = folded([search])
    .slice(0, 500)
    .split(/\s+/u)
    .filter((word) => word !== '')
    .slice(0, mostWords);
  // One condition for each word: of an array of patterns PostgreSQL believes that it finds nothing, and plans for that.
  return join(
    words.map((word) => {
      const pattern = `%${word.replace(/[\\%_]/g, '\\$&')}%`;
      return sql`and c.search_text like ${pattern} ${seen ? raw('') : sql`and ${textWithoutEmail} like ${pattern}`}`;
    }),
    ' ',
  );
}

export interface ContactQuery {
  filter: ContactFilter;
  search?: string | null | undefined;
}

/** Which part of a list is read. */
export interface ContactPage {
  order: ContactOrder;
  limit: number;
  /** Where the last page ended. */
  after: ContactPlace | null;
  /** The fields that are needed; what is not among them is missing in the rows. All, when left out. */
  fields?: ReadonlySet<string>;
}

interface Sort {
  column: Sql;
  /** Which contacts have something to be sorted by; the others come last. All, when left out. */
  present?: Sql;
}

const sorts: Record<ContactOrder['field'], Sort> = {
  NAME: { column: raw('c.sort_name') },
  EMAIL: { column: raw('c.email_normalized'), present: raw('c.email_normalized is not null') },
  // Ids are UUIDs of version 7: they sort by the time of creation, and no two are equal.
  CREATED_AT: { column: raw('c.id') },
};

/** What one must see to sort contacts in this order. */
export const groupsOfOrder = (order: Pick<ContactOrder, 'field'> | null | undefined): FieldGroup[] => (order?.field === 'EMAIL' ? ['EMAIL_AND_PHONE'] : []);

/** Where there is no name the email takes its place, which must not be told by the order either. */
const namedOnly: Sort = { ...sorts.NAME, present: raw('coalesce(c.first_name, c.last_name, c.company) is not null') };

/**
 * Contacts in order, from behind `after`; those without an email come last in either direction of EMAIL, and those without a
 * name in either direction of NAME for someone who does not see emails. Reads one range of one index, however far behind it
 * begins; two when those that come first end on the page.
 * @throws Refusal HIDDEN_FIELD
 */
export async function listContacts(
  tx: Transaction,
  viewer: Finder,
  { filter, search }: ContactQuery,
  { order: { field, direction }, limit, after, fields }: ContactPage,
): Promise<(ContactRow & ContactPlace)[]> {
  mustSee(viewer, groupsOfOrder({ field }), ['orderBy']);
  const { column, present: first } = field === 'NAME' && !sees(viewer, ['EMAIL_AND_PHONE']) ? namedOnly : sorts[field];
  const found = sql`${matching(tx.organizationId, viewer, filter)} ${searched(viewer, search)}`;
  const [beyond, way] = direction === 'ASC' ? [raw('>'), raw('asc')] : [raw('<'), raw('desc')];
  // Not a row comparison: beside the equality on the organization it would read the index from the tenant's start.
  const behind = after ? sql`and (${column} ${beyond}= ${after.place} and (${column} ${beyond} ${after.place} or c.id ${beyond} ${after.id}))` : raw('');
  const part = (place: Sql, condition: Sql, order: Sql, length: number): Promise<(ContactRow & ContactPlace)[]> =>
    tx.rows(
      sql`select ${columnsOf(columnsFor(viewer), fields)}, ${place}::text as place from contact c where ${found} ${condition} order by ${order} limit ${length}`,
    );
  if (!first) return part(column, behind, sql`${column} ${way}, c.id ${way}`, limit);
  const present = after?.place === null ? [] : await part(column, sql`and ${first} ${behind}`, sql`${column} ${way}, c.id ${way}`, limit);
  if (present.length === limit) return present;
  const absent = sql`and not (${first}) ${after?.place === null ? sql`and c.id ${beyond} ${after.id}` : raw('')}`;
  return [...present, ...(await part(raw('null'), absent, sql`c.id ${way}`, limit - present.length))];
}

/** How many contacts the query finds, `isCapped` when there are more than that. */
export async function countContacts(tx: Transaction, viewer: Finder, { filter, search }: ContactQuery): Promise<{ count: number; isCapped: boolean }> {
  const { count } = (await tx.row<{ count: number }>(sql`
    select count(*)::int as count from (select from contact c where ${matching(tx.organizationId, viewer, filter)} ${searched(viewer, search)} limit ${countCap + 1}) found`))!;
  return { count: Math.min(count, countCap), isCapped: count > countCap };
}

/** The contacts with these ids, in the order asked; the ones that are not there are left out. */
export async function readContacts(tx: Transaction, viewer: Sight, ids: readonly string[]): Promise<ContactRow[]> {
  return tx.rows<ContactRow>(sql`select ${columnsOf(columnsFor(viewer))} from contact c where c.organization_id = ${tx.organizationId} and c.id = any(${ids}::uuid[])
    order by array_position(${ids}::uuid[], c.id)`);
}

/** The contact points of each contact, in the order they were added. */
export async function contactPointsOf(tx: Transaction, contactIds: readonly string[]): Promise<ContactPointRow[][]> {
  const rows = await tx.rows<ContactPointRow & { contactId: string }>(sql`
    select contact_id as "contactId", id, kind, label, value from contact_point
    where organization_id = ${tx.organizationId} and contact_id = any(${contactIds}::uuid[]) order by contact_id, id`);
  return byContact(rows, contactIds);
}
