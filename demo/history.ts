// A history for contacts that have none: what people leave behind in some years of membership. The same for the same
// seed and contact, written by the database itself, so that 100,000 contacts take seconds.
import type { ClientBase } from 'pg';
import { raw, type Sql, sql } from '../src/sql.ts';
import { oneOf, pick, run, uuidAt } from './contacts.ts';

export interface HistoryOptions {
  seed: number;
  /** Only these contacts; all of the organization's when absent. */
  contactIds?: readonly string[];
}

const plans: readonly (readonly [name: string, priceMinor: number])[] = [
  ['Adult', 12_000],
  ['Family', 24_000],
  ['Student', 6_000],
  ['Patron', 60_000],
  ['Honorary', 0],
];
const notes = [
  'Prefers to be called in the evening.',
  'Asked about the family plan.',
  'Helped at the summer regatta.',
  'Allergic to peanuts: tell the kitchen.',
  'Moved house; new address confirmed by phone.',
  'Wants invoices on paper.',
];
const subjects = ['Renewal', 'Welcome evening', 'Annual meeting', 'Trial lesson', 'Complaint about the boathouse', 'Volunteer day'];

/**
 * Gives each contact 2 contact points, 3 notes, 4 activities, 1 membership, 3 payments, 4 ledger entries (the payments and
 * a charge, so that some owe, some are even and some have credit) and the balance that follows from its ledger. Makes the
 * membership plans that are missing. `client` must be in a transaction of the organization. Instants lie in 2023 to 2025.
 * A second run with the same seed on the same contacts fails on their keys.
 */
export async function giveHistory(client: ClientBase, organizationId: string, { seed, contactIds }: HistoryOptions): Promise<void> {
  const { rows } = await client.query<{ currency: string }>('select currency from organization where id = $1', [organizationId]);
  const of: Scope = {
    organizationId,
    seed,
    currency: rows[0]!.currency,
    chosen: contactIds ? sql`and c.id = any(${contactIds}::uuid[])` : raw(''),
  };
  await makePlans(client, of);
  await run(client, contactPoints(of));
  await run(client, noteRows(of));
  await run(client, activities(of));
  await run(client, memberships(of));
  await run(client, money(of));
}

interface Scope {
  organizationId: string;
  seed: number;
  currency: string;
  chosen: Sql;
}

/** Makes the membership plans that the organization lacks. */
export async function makePlans(client: ClientBase, { organizationId, currency }: Pick<Scope, 'organizationId' | 'currency'>): Promise<void> {
  await run(
    client,
    sql`
    insert into membership_plan (organization_id, id, name, price_minor, currency, interval)
    select ${organizationId}, ${uuidAt(sql`timestamptz '2023-01-01 00:00Z'`, sql`${organizationId}::text || name`)}, name, price, ${currency}, 'YEAR'
    from unnest(${plans.map(([name]) => name)}::text[], ${plans.map(([, price]) => price)}::bigint[]) plan (name, price)
    on conflict (organization_id, name) do nothing`,
  );
}

/** The `n`th of `count` children of a kind for contact c: what is chosen by, when it came about, and its id. */
function child({ organizationId, seed }: Scope, kind: string, count: number, n: Sql): { key: Sql; at: Sql; id: Sql } {
  const key = sql`concat_ws(':', coalesce(c.member_number, c.id::text), ${raw(`'${kind}'`)}, ${n})`;
  const span = Math.floor(90e6 / count);
  const at = sql`timestamptz '2023-01-01 00:00Z' + ((${n} - 1) * ${raw(String(span))} + ${pick(seed, key, span)}) * interval '1 second'`;
  return { key, at, id: uuidAt(at, sql`concat_ws(':', ${organizationId}::text, ${seed}::bigint, c.id, ${key})`) };
}

/**
 * All children of a kind, oldest first, with the ids of their contacts. Nothing is joined: for an organization that
 * PostgreSQL has no statistics of yet, it would pick a nested loop and never end.
 */
function children(of: Scope, kind: string, count: number, more: Sql = raw('')): Sql {
  const { key, at, id } = child(of, kind, count, raw('n'));
  return sql`(
    select ${of.organizationId}::uuid as organization_id, c.id as contact_id, n, ${key} as key, ${at} as at, ${id} as id ${more}
    from contact c cross join generate_series(1, ${raw(String(count))}) n
    where c.organization_id = ${of.organizationId} ${of.chosen} order by at
  ) child`;
}

const contactPoints = (of: Scope): Sql => sql`
  insert into contact_point (organization_id, id, contact_id, kind, label, value, normalized, created_at)
  select organization_id, id, contact_id, kind, label, value,
    case kind when 'PHONE' then replace(value, ' ', '') else replace(value, 'https://', '') end, at
  from (
    select organization_id, id, contact_id, case n when 1 then 'PHONE' else 'WEBSITE' end as kind, case n when 1 then 'Mobile' end as label,
      case n when 1 then '+1 555 ' || lpad(${pick(of.seed, sql`key || 'v'`, 10_000_000)}::text, 7, '0')
        else 'https://people.example/' || ${pick(of.seed, sql`key || 'v'`, 10_000_000)} end as value, at
    from ${children(of, 'point', 2)}
  ) point`;

/** One of the organization's staff for each row, as `author_id` and `author_name`; nobody when it has no staff. */
const author = (of: Scope): Sql => sql`
  left join (select id as author_id, name as author_name, row_number() over (order by id) - 1 as place, count(*) over () as size
    from staff_member where organization_id = ${of.organizationId}) author on place = ${pick(of.seed, sql`key || 'by'`, 1_000_000)} % size`;

const noteRows = (of: Scope): Sql => sql`
  insert into note (organization_id, id, contact_id, author_id, author_name, body, created_at, updated_at)
  select organization_id, id, contact_id, author_id, coalesce(author_name, 'Front desk'), ${oneOf(of.seed, sql`key || 'body'`, notes)}, at, at
  from ${children(of, 'note', 3)} ${author(of)}`;

const activities = (of: Scope): Sql => sql`
  insert into activity (organization_id, id, contact_id, author_id, author_name, kind, subject, occurred_at, created_at)
  select organization_id, id, contact_id, author_id, coalesce(author_name, 'Front desk'),
    ${oneOf(of.seed, sql`key || 'kind'`, ['CALL', 'EMAIL', 'MEETING', 'EVENT', 'VISIT'])}, ${oneOf(of.seed, sql`key || 'subject'`, subjects)},
    at - interval '1 hour', at
  from ${children(of, 'activity', 4)} ${author(of)}`;

const memberships = (of: Scope): Sql => sql`
  insert into membership (organization_id, id, contact_id, plan_id, state, starts_on, ends_on, created_at, updated_at)
  select child.organization_id, child.id, contact_id, plan.id, case when ${pick(of.seed, sql`key || 'state'`, 10)} > 1 then 'ACTIVE' else 'EXPIRED' end,
    (at at time zone 'UTC')::date, (at at time zone 'UTC')::date + 1095, at, at
  from ${children(of, 'membership', 1)}
  join membership_plan plan on plan.organization_id = ${of.organizationId}
    and plan.name = ${oneOf(
      of.seed,
      sql`key || 'plan'`,
      plans.map(([name]) => name),
    )}`;

/**
 * Payments for the membership, a ledger entry for each, one charge for what they were for (to a third of the contacts a
 * little more than they paid, to a third exactly that, to a third a little less), and the balance that all this moves.
 */
const money = (of: Scope): Sql => sql`
  with paid as (
    insert into payment (organization_id, id, contact_id, membership_id, amount_minor, currency, method, reference, paid_at, created_at)
    select organization_id, id, contact_id, membership_id, 1000 + ${pick(of.seed, sql`key || 'amount'`, 20_000)}, ${of.currency},
      ${oneOf(of.seed, sql`key || 'method'`, ['CARD', 'BANK_TRANSFER', 'CASH', 'DIRECT_DEBIT'])}, 'R' || substr(md5(key), 1, 10), at, at
    from ${children(of, 'payment', 3, sql`, ${child(of, 'membership', 1, raw('1')).id} as membership_id`)}
    returning *
  ), charged as (
    select organization_id, contact_id, currency, max(paid_at) as at, sum(amount_minor)::bigint as total,
      concat_ws(':', ${of.seed}::bigint, contact_id, 'charge') as key
    from paid group by organization_id, contact_id, currency
  ), entered as (
    insert into ledger_entry (organization_id, id, contact_id, payment_id, kind, amount_minor, currency, description, occurred_at, created_at)
    select organization_id, ${uuidAt(sql`paid_at`, sql`id || 'entry'`)}, contact_id, id, 'PAYMENT', amount_minor, currency,
      'Payment ' || reference, paid_at as occurred_at, paid_at
    from paid
    union all
    select organization_id, ${uuidAt(sql`at`, sql`key`)}, contact_id, null, 'CHARGE',
      (${pick(of.seed, sql`total || 'how'`, 3)} - 1) * (1 + ${pick(of.seed, sql`total || 'off'`, 900)}) - total, currency, 'Membership fees', at, at
    from charged
    order by occurred_at
    returning *
  )
  insert into balance (organization_id, contact_id, currency, amount_minor)
  select organization_id, contact_id, currency, sum(amount_minor) from entered group by organization_id, contact_id, currency
  on conflict (organization_id, contact_id, currency) do update set amount_minor = balance.amount_minor + excluded.amount_minor, updated_at = now()`;
