// Takes back what a recovery did, as far as nobody has touched it since.
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import type { derive } from '../domain/derived-fields.ts';
import { join, name, quoted, raw, sql } from '../sql.ts';
import { graphOf, uuidArray } from './capture.ts';
import { type Chunk, type Deeds, digestGraphs, pickContacts } from './chunk.ts';
import { copyOut } from './copy.ts';
import { columnList, rowOrder, type GraphTable } from './graph.ts';
import { sumBalances, writeDerived } from './merge.ts';
import { restoreChunk, skipAll } from './restore.ts';
import { plain, stageChunk } from './stage.ts';

/** Which of the contacts that came back are as they came, which were edited, and which are gone. Locks those that are live. */
export async function sortRestored(tx: Transaction, app: App, deeds: Chunk): Promise<{ untouched: string[]; edited: string[]; gone: string[] }> {
  const merged = new Set(deeds.deeds!.merged.map(({ liveContactId }) => liveContactId));
  const ids = [...deeds.digests.keys()].filter((id) => !merged.has(id));
  await tx.run(sql`select 1 from contact where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[]) order by id for update`);
  const live = await digestsAsOf(tx, app, deeds, ids);
  const untouched = ids.filter((id) => live.get(id)?.equals(deeds.digests.get(id)!));
  const left = new Set(untouched);
  return { untouched, gone: ids.filter((id) => !live.has(id)), edited: ids.filter((id) => live.has(id) && !left.has(id)) };
}

/** The digests of live graphs over the columns that the chunk was written with: a column that came later is no edit. */
async function digestsAsOf(tx: Transaction, app: App, { parts }: Chunk, ids: readonly string[]): Promise<Map<string, Buffer>> {
  const read = [];
  for (const table of graphOf(app).tables) {
    const part = parts.find((one) => one.table === table.name);
    if (!part) continue;
    const rows = await copyOut(
      tx,
      `select ${columnList(part.columns)} from ${quoted(table.name)}
       where organization_id = '${tx.organizationId}' and ${quoted(table.contactColumn)} = any (${uuidArray(ids)}) order by ${rowOrder(table)}`,
    );
    read.push({ ...part, rows });
  }
  return digestGraphs(read);
}

/**
 * Takes from live contacts the rows and the fields that merges gave them; what was edited since stays. Locks the contacts.
 * @returns the merged contacts that kept something, and those whose live contact is gone
 */
export async function revertMerges(tx: Transaction, app: App, chunk: Chunk): Promise<{ kept: string[]; gone: string[] }> {
  const merged = chunk.deeds!.merged;
  if (merged.length === 0) return { kept: [], gone: [] };
  const lives = [...new Set(merged.map(({ liveContactId }) => liveContactId))];
  const there = new Set(
    (
      await tx.rows<{ id: string }>(
        sql`select id from contact where organization_id = ${tx.organizationId} and id = any(${lives}::uuid[]) order by id for update`,
      )
    ).map(({ id }) => id),
  );
  const kept = new Set<string>();
  const staged = await stageChunk(tx, app, chunk);
  for (const { table, part, stage } of staged.toReversed()) {
    const same = table.key.map((column) => `t.${quoted(column)} = s.${quoted(column)}`).join(' and ');
    const equal = part.columns.map((column) => `t.${quoted(column.name)} is not distinct from s.${quoted(column.name)}`).join(' and ');
    const live = `${quoted(table.name)} t where t.organization_id = '${tx.organizationId}'`;
    await plain(
      tx,
      `delete from ${quoted(table.name)} t using ${stage} s where t.organization_id = '${tx.organizationId}' and ${same} and ${equal} ${unused(app, table)}`,
    );
    const { rows } = await plain<{ id: string }>(tx, `select distinct s.contact_id as id from ${stage} s where exists (select 1 from ${live} and ${same})`);
    rows.forEach(({ id }) => kept.add(id));
  }
  for (const one of merged) if (there.has(one.liveContactId) && !(await emptyFilled(tx, one))) kept.add(one.liveContactId);
  await rederive(tx, lives);
  await sumBalances(tx, [...there]);
  return {
    kept: merged.filter(({ liveContactId }) => kept.has(liveContactId)).map(({ contactId }) => contactId),
    gone: merged.filter(({ liveContactId }) => !there.has(liveContactId)).map(({ contactId }) => contactId),
  };
}

/** The condition that no row of the graph refers to the row, alias t. */
const unused = (app: App, { name: target }: GraphTable): string =>
  graphOf(app)
    .tables.flatMap((table) => table.inner.filter((key) => key.target === target).map((key) => ({ table: table.name, column: key.column })))
    .map(({ table, column }) => `and not exists (select 1 from ${quoted(table)} u where u.organization_id = t.organization_id and u.${quoted(column)} = t.id)`)
    .join(' ');

/** Empties the fields that still are what the merge filled in. @returns whether all of them were */
async function emptyFilled(tx: Transaction, { liveContactId, filled }: Deeds['merged'][number]): Promise<boolean> {
  const fields = Object.entries(filled);
  if (fields.length === 0) return true;
  const sets = fields.map(([column, value]) => sql`${name(column)} = case when ${name(column)}::text = ${value} then null else ${name(column)} end`);
  const row = await tx.row<{ kept: number }>(sql`
    update contact set ${join(sets, ', ')}, version = version + 1, updated_at = clock_timestamp()
    where organization_id = ${tx.organizationId} and id = ${liveContactId}
    returning num_nonnulls(${join(
      fields.map(([column]) => name(column)),
      ', ',
    )}) as kept`);
  return row?.kept === 0;
}

async function rederive(tx: Transaction, ids: readonly string[]): Promise<void> {
  const rows = await tx.rows<{ id: string } & Parameters<typeof derive>[0]>(sql`
    select id, first_name as "firstName", last_name as "lastName", email, company, member_number as "memberNumber"
    from contact where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[])`);
  await writeDerived(tx, raw('contact'), rows);
}

/**
 * Puts live contacts back that the recovery had replaced, out of the safety snapshot's chunk.
 * @returns those that something else stands in the way of now
 */
export async function putBack(tx: Transaction, app: App, before: Chunk, ids: ReadonlySet<string>): Promise<string[]> {
  const { digests } = await restoreChunk(
    tx,
    app,
    pickContacts(before, (id) => ids.has(id)),
    skipAll,
  );
  return [...ids].filter((id) => !digests.has(id));
}
