// Moves the history of a deleted contact onto a live one without doubling what is the same.
import type { Transaction } from '../database.ts';
import { derive } from '../domain/derived-fields.ts';
import { quoted, raw, type Sql, sql } from '../sql.ts';
import { uuidArray } from './capture.ts';
import type { Deeds, Part } from './chunk.ts';
import type { GraphTable } from './graph.ts';
import { insertStaged, pairsOf, plain, type Staged } from './stage.ts';

/** Columns of a contact that are computed, or say nothing of the person. */
const unfilled = new Set(['organization_id', 'id', 'sort_name', 'search_text', 'version', 'created_at', 'updated_at']);
const unique = new Set(['email', 'email_normalized', 'member_number']);

/**
 * Fills the empty fields of live contacts from the staged ones; what a live contact has stays. An email or a member number
 * that a third contact has is left out. Of two that are merged onto one live contact the older fills.
 */
export async function fillFields(tx: Transaction, { part, stage }: Staged, merged: ReadonlyMap<string, string>): Promise<Deeds['merged']> {
  const columns = part.columns.filter(({ name }) => !unfilled.has(name));
  const taken = (name: string) => `exists (select 1 from contact o where o.organization_id = c.organization_id and o.${name} = source.${name})`;
  const given = (name: string) => {
    if (!unique.has(name)) return `source.${quoted(name)}`;
    return `case when ${taken(name === 'member_number' ? name : 'email_normalized')} then null else source.${quoted(name)} end`;
  };
  const sets = columns.map(({ name, type }) => {
    const own = type === 'text' ? `nullif(c.${quoted(name)}, '')` : `c.${quoted(name)}`;
    return `${quoted(name)} = coalesce(${own}, ${given(name)})`;
  });
  const { rows } = await plain<{ id: string; contact: string; filled: Record<string, string> } & Parameters<typeof derive>[0]>(
    tx,
    `with source as (select distinct on (m.live) m.live, s.* from ${stage} s join ${pairsOf(merged)} on m.old = s.id order by m.live, s.id),
       before as (select c.id, to_jsonb(c) as fields from contact c where c.organization_id = '${tx.organizationId}' and c.id = any (${uuidArray(merged.values())}))
     update contact c set ${sets.join(', ')}, version = c.version + 1, updated_at = clock_timestamp()
     from source join before on before.id = source.live
     where c.organization_id = '${tx.organizationId}' and c.id = source.live
     returning c.id, source.id as contact, c.first_name as "firstName", c.last_name as "lastName", c.email, c.company, c.member_number as "memberNumber",
       (select coalesce(jsonb_object_agg(now.key, now.value), '{}') from jsonb_each_text(to_jsonb(c)) now
         where now.key = any ('{${columns.map(({ name }) => name).join(',')}}') and now.value is distinct from before.fields ->> now.key) as filled`,
  );
  await writeDerived(tx, raw('contact'), rows);
  const filled = new Map(rows.map((row) => [row.contact, row.filled]));
  return [...merged].map(([contactId, liveContactId]) => ({ contactId, liveContactId, filled: filled.get(contactId) ?? {} }));
}

/** Writes anew what the contacts in `table` are sorted and found by. */
export async function writeDerived(tx: Transaction, table: Sql, rows: readonly ({ id: string } & Parameters<typeof derive>[0])[]): Promise<void> {
  const derived = rows.map((row) => ({ id: row.id, ...derive(row) }));
  await tx.run(sql`
    update ${table} c set sort_name = d.name, search_text = d.search
    from unnest(${derived.map(({ id }) => id)}::uuid[], ${derived.map(({ sortName }) => sortName)}::text[], ${derived.map(({ searchText }) => searchText)}::text[])
      d (id, name, search)
    where c.organization_id = ${tx.organizationId} and c.id = d.id`);
}

/**
 * Moves the staged rows of the contacts in `merged` onto their live ones and inserts them. A row is the same as a live one
 * when everything but its id, its author's account and the instants of its record is equal; the n-th of several equal rows
 * is paired with the n-th live one, so none is lost and none doubled.
 * @returns the rows that were added
 */
export async function mergeRows(tx: Transaction, owned: readonly Staged[], merged: ReadonlyMap<string, string>): Promise<Part[]> {
  const lives = uuidArray(merged.values());
  const moved = new Map<string, Map<string, string>>();
  const added: Part[] = [];
  // The staged rows have no index to follow.
  await plain(tx, 'set local enable_hashjoin = on');
  for (const one of owned) {
    const { table, part, stage } = one;
    await plain(tx, `update ${stage} s set contact_id = m.live from ${pairsOf(merged)} where s.contact_id = m.old`);
    for (const { column, target } of table.inner) {
      const pairs = moved.get(target);
      if (pairs?.size)
        await plain(
          tx,
          `update ${stage} s set ${quoted(column)} = m.live from ${pairsOf(pairs)} where s.contact_id = any (${lives}) and s.${quoted(column)} = m.old`,
        );
    }
    if (table.key.includes('id')) moved.set(table.name, await dropSame(tx, one, lives));
    const { rows, count } = await insertStaged(tx, one, `contact_id = any (${lives})`, 'on conflict do nothing');
    added.push({ ...part, count, rows });
  }
  return added;
}

/** The columns that say what a row means. */
function meaning(table: GraphTable): string[] {
  const record = new Set(['organization_id', 'id', table.contactColumn, 'created_at', 'updated_at']);
  for (const { column, mandatory } of table.references) if (!mandatory) record.add(column);
  return table.columns.map(({ name }) => name).filter((name) => !record.has(name));
}

/** Takes from the stage what the live contacts have already. @returns from each row taken to the live one that is the same */
async function dropSame(tx: Transaction, { table, stage }: Staged, lives: string): Promise<Map<string, string>> {
  const live = quoted(table.name);
  const columns = meaning(table).map(quoted);
  const { rows: known } = await plain(
    tx,
    `delete from ${stage} s using ${live} t where s.contact_id = any (${lives}) and t.organization_id = s.organization_id and t.id = s.id returning s.id`,
  );
  const kept = uuidArray(known.map(({ id }) => id));
  const numbered = (from: string, which: string) =>
    `select id, contact_id, ${columns.join(', ')}, row_number() over (partition by contact_id, ${columns.join(', ')} order by id) as n
     from ${from} where contact_id = any (${lives}) and ${which}`;
  const equal = columns.map((column) => `a.${column} is not distinct from b.${column}`).join(' and ');
  const { rows } = await plain<{ old: string; live: string }>(
    tx,
    `with a as (${numbered(stage, 'true')}), b as (${numbered(live, `organization_id = '${tx.organizationId}' and id <> all (${kept})`)}),
       same as (select a.id as old, b.id as live from a join b on a.contact_id = b.contact_id and a.n = b.n and ${equal})
     delete from ${stage} s using same where s.id = same.old returning same.old, same.live`,
  );
  return new Map(rows.map(({ old, live }) => [old, live]));
}

/** Writes the balances of live contacts anew, as the sums of their ledgers. */
export async function sumBalances(tx: Transaction, contactIds: readonly string[]): Promise<void> {
  await tx.run(sql`
    with sums as (select l.contact_id, l.currency, sum(l.amount_minor)::bigint as amount from ledger_entry l
      where l.organization_id = ${tx.organizationId} and l.contact_id = any(${contactIds}::uuid[]) group by 1, 2),
    gone as (delete from balance b where b.organization_id = ${tx.organizationId} and b.contact_id = any(${contactIds}::uuid[])
      and not exists (select 1 from sums s where s.contact_id = b.contact_id and s.currency = b.currency))
    insert into balance (organization_id, contact_id, currency, amount_minor)
    select ${tx.organizationId}, contact_id, currency, amount from sums order by contact_id, currency
    on conflict (organization_id, contact_id, currency) do update set amount_minor = excluded.amount_minor, updated_at = clock_timestamp()
      where balance.amount_minor <> excluded.amount_minor`);
}
