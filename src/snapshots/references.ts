// What graphs refer to but do not own: plans, tags, custom fields, authors. What is gone is recreated; what was made anew
// under the same name meanwhile takes its place; an author who left stays by name.
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { quoted } from '../sql.ts';
import { graphOf, uuidArray } from './capture.ts';
import type { Chunk, Part } from './chunk.ts';
import { eachRow, textAt, uuidAt } from './copy.ts';
import { columnList, type GraphTable } from './graph.ts';
import { pairsOf, plain, type Staged, stageParts } from './stage.ts';

export interface LostReference {
  /** The table: `tag`. */
  table: string;
  id: string;
  /** What people know it by. */
  name: string;
}

/** The mandatory references of a chunk that the organization no longer has. Changes nothing. */
export async function lostReferences(tx: Transaction, app: App, chunk: Chunk): Promise<LostReference[]> {
  const lost: LostReference[] = [];
  for (const part of chunk.references) {
    const there = await present(tx, part.table, idsOf(part));
    const table = graphOf(app).referenced.get(part.table)!;
    const [idAt, nameAt] = ['id', table.natural ?? 'id'].map((name) => part.columns.findIndex((column) => column.name === name)) as [number, number];
    eachRow(part.rows, (_start, _end, starts) => {
      const id = uuidAt(part.rows, starts[idAt]!);
      if (!there.has(id)) lost.push({ table: part.table, id, name: table.natural ? textAt(part.rows, starts[nameAt]!)! : id });
    });
  }
  return lost;
}

/** The names that stay where the record behind an optional key, such as a note's author, is gone. Changes nothing. */
export async function namesKept(tx: Transaction, app: App, chunk: Chunk): Promise<Set<string>> {
  const names = new Set<string>();
  for (const table of graphOf(app).tables)
    for (const { column, target } of optional(table)) {
      const part = chunk.parts.find((one) => one.table === table.name);
      const at = (name: string) => part?.columns.findIndex((one) => one.name === name) ?? -1;
      const [keyAt, nameAt] = [at(column), at(column.replace(/_id$/, '_name'))];
      if (!part || keyAt < 0 || nameAt < 0) continue;
      const found = new Map<string, Set<string>>();
      eachRow(part.rows, (_start, _end, starts) => {
        if (starts[keyAt]! < 0) return;
        const id = uuidAt(part.rows, starts[keyAt]!);
        found.set(id, (found.get(id) ?? new Set()).add(textAt(part.rows, starts[nameAt]!) ?? ''));
      });
      const there = await present(tx, target, [...found.keys()]);
      for (const [id, given] of found) if (!there.has(id)) given.forEach((name) => names.add(name));
    }
  return names;
}

const optional = (table: GraphTable) => table.references.filter((reference) => !reference.mandatory);

function idsOf(part: Part): string[] {
  const ids: string[] = [];
  const idAt = part.columns.findIndex((column) => column.name === 'id');
  eachRow(part.rows, (_start, _end, starts) => ids.push(uuidAt(part.rows, starts[idAt]!)));
  return ids;
}

async function present(tx: Transaction, table: string, ids: readonly string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set();
  const { rows } = await plain(tx, `select id from ${quoted(table)} where organization_id = '${tx.organizationId}' and id = any (${uuidArray(ids)})`);
  return new Set(rows.map(({ id }) => id));
}

export interface References {
  /** Ids of the rows that were made, by table. */
  recreated: Record<string, string[]>;
  /** By table: the id in the snapshot, and the id of the live row of the same name. */
  renamed: Map<string, Map<string, string>>;
}

/** Brings back what the graphs refer to by mandatory keys and the organization no longer has. */
export async function bringReferences(tx: Transaction, app: App, chunk: Chunk): Promise<References> {
  const recreated: References['recreated'] = {};
  const renamed: References['renamed'] = new Map();
  for (const part of chunk.references) {
    const there = await present(tx, part.table, idsOf(part));
    const lost = idsOf(part).filter((id) => !there.has(id));
    if (lost.length === 0) continue;
    const list = columnList(part.columns);
    const [stage] = await stageParts(tx, [part]);
    const made = await plain(
      tx,
      `insert into ${quoted(part.table)} (${list}) select ${list} from ${stage} where id = any (${uuidArray(lost)}) order by id on conflict do nothing returning id`,
    );
    if (made.rows.length > 0) recreated[part.table] = made.rows.map(({ id }) => id);
    const { natural } = graphOf(app).referenced.get(part.table)!;
    const twins =
      natural && made.rows.length < lost.length
        ? await plain<{ old: string; live: string }>(
            tx,
            `select s.id as old, t.id as live from ${stage} s join ${quoted(part.table)} t
             on t.organization_id = s.organization_id and t.${quoted(natural)} = s.${quoted(natural)} and t.id <> s.id
           where s.id = any (${uuidArray(lost)})`,
          )
        : { rows: [] };
    renamed.set(part.table, new Map(twins.rows.map(({ old, live }) => [old, live])));
  }
  return { recreated, renamed };
}

/** Points staged rows to the rows that took the place of what they referred to. @returns whether any was changed */
export async function followRenamed(tx: Transaction, staged: readonly Staged[], renamed: References['renamed']): Promise<boolean> {
  let changed = false;
  for (const { table, stage } of staged)
    for (const { column, target } of table.references) {
      const pairs = renamed.get(target);
      if (!pairs?.size) continue;
      const { rowCount } = await plain(tx, `update ${stage} s set ${quoted(column)} = m.live from ${pairsOf(pairs)} where s.${quoted(column)} = m.old`);
      changed ||= rowCount !== 0;
    }
  return changed;
}

/** Empties optional keys whose target is gone: an author who left stays by name. @returns whether any was emptied */
export async function emptyLost(tx: Transaction, staged: readonly Staged[]): Promise<boolean> {
  let emptied = false;
  for (const { table, stage } of staged)
    for (const { column, target } of optional(table)) {
      const lost = await plain(
        tx,
        `update ${stage} set ${quoted(column)} = null where ${quoted(column)} in (
          select s.id from (select distinct ${quoted(column)} as id from ${stage}) s
          where s.id is not null and not exists (select 1 from ${quoted(target)} r where r.organization_id = '${tx.organizationId}' and r.id = s.id))`,
      );
      emptied ||= lost.rowCount !== 0;
    }
  return emptied;
}

/** Removes rows that were recreated and that nothing refers to any more. */
export async function dropUnused(tx: Transaction, app: App, recreated: References['recreated']): Promise<void> {
  for (const [target, ids] of Object.entries(recreated)) {
    const used = graphOf(app)
      .tables.flatMap((table) => table.references.map((reference) => ({ table: table.name, ...reference })))
      .filter((reference) => reference.target === target)
      .map(
        ({ table, column }) => `and not exists (select 1 from ${quoted(table)} u where u.organization_id = t.organization_id and u.${quoted(column)} = t.id)`,
      );
    await plain(tx, `delete from ${quoted(target)} t where t.organization_id = '${tx.organizationId}' and t.id = any (${uuidArray(ids)}) ${used.join(' ')}`);
  }
}
