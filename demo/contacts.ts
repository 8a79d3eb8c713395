// Plausible contacts by the hundred thousand, the same for the same seed: for the demo, the tests and the benchmarks.
import type { ClientBase } from 'pg';
import { raw, type Sql, sql } from '../src/sql.ts';

const firstNames = [
  'Aaliyah',
  'Bruno',
  'Chloé',
  'Daniel',
  'Emery',
  'Fatma',
  'Grace',
  'Hiroshi',
  'Ines',
  'Jürgen',
  'Kwame',
  'Lucía',
  'Mehmet',
  'Núria',
  'Oskar',
  'Priya',
  'Quinn',
  'Rosa',
  'Søren',
  'Thandi',
  'Uma',
  'Viktor',
  'Wen',
  'Xavier',
  'Yara',
  'Zoë',
];
const lastNames = [
  'Adler',
  'Bosco',
  'Castaño',
  'Demir',
  'Eriksen',
  'Fischer',
  'Gonzalez',
  'Haddad',
  'Ivanov',
  'Jansen',
  'Kaya',
  'Lindqvist',
  'Müller',
  'Nkosi',
  'Okafor',
  'Peña',
  'Quispe',
  'Rossi',
  'Sato',
  'Tremblay',
  'Uzun',
  'Varga',
  'Walker',
  'Xu',
  'Yılmaz',
  'Zhang',
];
const companies = ['Riverside Rowing', 'Harbour Legal', 'Northwind Clinics', 'Bluebird Foods', 'Atlas Freight', 'Juniper Studio', 'Old Mill Brewery'];
const cities: readonly (readonly [city: string, country: string])[] = [
  ['Ghent', 'Belgium'],
  ['Porto', 'Portugal'],
  ['Leeds', 'United Kingdom'],
  ['İzmir', 'Türkiye'],
  ['Graz', 'Austria'],
  ['Austin', 'United States'],
  ['Kyoto', 'Japan'],
  ['Lyon', 'France'],
];

/** SQL of a UUID that sorts by `instant` and is otherwise a hash of `key`: as version 7, on servers that have none. */
export const uuidAt = (instant: Sql, key: Sql): Sql => sql`
  (select (lpad(to_hex(floor(extract(epoch from ${instant}) * 1000)::bigint), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid
   from md5(${key}) h)`;

/** SQL of a whole number from 0 to `below` - 1, the same for the same seed and key. */
export const pick = (seed: number, key: Sql, below: number): Sql =>
  sql`((hashtextextended(${key}, ${seed}::bigint) & 9223372036854775807) % ${raw(String(below))})`;

/** SQL of one of the texts, chosen by the key. */
export const oneOf = (seed: number, key: Sql, texts: readonly string[]): Sql => sql`(${texts}::text[])[1 + ${pick(seed, key, texts.length)}::int]`;

/** Runs a composed statement on a bare client. */
export const run = (client: ClientBase, statement: Sql) => client.query(statement.text, statement.values as unknown[]);

/**
 * Adds `count` contacts, numbered M000001 and on, to an organization that has none of these numbers. One statement;
 * `client` must be in a transaction of the organization. Instants lie in the years 2021 to 2024.
 */
export async function makeContacts(client: ClientBase, organizationId: string, count: number, seed: number): Promise<void> {
  const key = (what: string) => sql`n || ${raw(`':${what}'`)}`;
  const city = pick(seed, key('city'), cities.length);
  await run(
    client,
    sql`
    insert into contact (organization_id, id, member_number, first_name, last_name, email, email_normalized, company, job_title,
      street, city, postal_code, country, birth_date, sort_name, search_text, created_at, updated_at)
    select ${organizationId}, ${uuidAt(sql`joined`, sql`concat_ws(':', ${organizationId}::text, ${seed}::bigint, n)`)},
      number, first, last, email, lower(email), company, case when company is not null then 'Manager' end,
      street, city, lpad((n % 100000)::text, 5, '0'), country, date '1940-01-01' + born,
      lower(concat_ws(' ', last, first)), lower(concat_ws(' ', first, last, email, company, number)), joined, joined
    from (
      select n, 'M' || lpad(n::text, 6, '0') as number, first, last,
        case when ${pick(seed, key('mail'), 20)} > 0
          then translate(lower(first || '.' || last), 'éüíúøëñı', 'euiuoeni') || n || '@example.org' end as email,
        case when ${pick(seed, key('works'), 4)} = 0 then ${oneOf(seed, key('company'), companies)} end as company,
        ${pick(seed, key('house'), 400)} + 1 || ' Station Road' as street,
        (${cities.map(([name]) => name)}::text[])[1 + ${city}::int] as city,
        (${cities.map(([, country]) => country)}::text[])[1 + ${city}::int] as country,
        ${pick(seed, key('born'), 24_000)}::int as born,
        timestamptz '2021-01-01 00:00Z' + (126e6 / ${count}::bigint * n)::bigint * interval '1 second' as joined
      from (
        select n, ${oneOf(seed, key('first'), firstNames)} as first, ${oneOf(seed, key('last'), lastNames)} as last
        from generate_series(1, ${count}::bigint) n
      ) named
    ) person`,
  );
}
