// What graphs refer to by mandatory keys but do not own: it travels with them, so that it can be recreated when it is gone.
import type { Transaction } from '../database.ts';
import { quoted } from '../sql.ts';
import type { Part } from './chunk.ts';
import { copyOut, eachRow, uuidAt } from './copy.ts';
import { columnList, type ContactGraph } from './graph.ts';

/** The ids that are wanted, by table; each as 16 characters of one byte. */
export type Wanted = Map<string, Set<string>>;

/** What the rows of the parts refer to. Counts the rows of the parts on the way. */
export function wantedBy(graph: ContactGraph, parts: readonly Part[]): Wanted {
  const wanted: Wanted = new Map();
  const setOf = (target: string): Set<string> => {
    const set = wanted.get(target) ?? new Set();
    wanted.set(target, set);
    return set;
  };
  for (const [index, part] of parts.entries()) {
    const keys = graph.tables[index]!.references.filter((reference) => reference.mandatory).map(({ column, target }) => ({
      at: part.columns.findIndex((one) => one.name === column),
      ids: setOf(target),
    }));
    part.count = eachRow(part.rows, (_start, _end, starts) => {
      for (const { at, ids } of keys) ids.add(part.rows.toString('latin1', starts[at], starts[at]! + 16));
    });
  }
  return wanted;
}

/** The rows that are referred to, each read once for a view of the database. */
export class References {
  #rows = new Map<string, Map<string, Buffer>>();

  constructor(readonly graph: ContactGraph) {}

  /** For each of the wanted: a part for each table, its rows in the order of their ids. */
  async read(tx: Transaction, all: readonly Wanted[]): Promise<Part[][]> {
    for (const name of this.graph.referenced.keys()) await this.#readMissing(tx, name, new Set(all.flatMap((wanted) => [...(wanted.get(name) ?? [])])));
    return all.map((wanted) =>
      [...wanted].flatMap(([table, ids]) => {
        const known = this.#rows.get(table)!;
        const rows = [...ids].sort().flatMap((id) => known.get(id) ?? []);
        return rows.length === 0 ? [] : [{ table, columns: this.graph.referenced.get(table)!.columns, count: rows.length, rows: Buffer.concat(rows) }];
      }),
    );
  }

  async #readMissing(tx: Transaction, name: string, ids: ReadonlySet<string>): Promise<void> {
    const known = this.#rows.get(name) ?? new Map<string, Buffer>();
    this.#rows.set(name, known);
    const missing = [...ids].filter((id) => !known.has(id));
    if (missing.length === 0) return;
    const { columns } = this.graph.referenced.get(name)!;
    const idAt = columns.findIndex((column) => column.name === 'id');
    const list = missing.map((id) => `'${uuidAt(Buffer.from(id, 'latin1'), 0)}'`).join(',');
    const rows = await copyOut(tx, `select ${columnList(columns)} from ${quoted(name)} where organization_id = '${tx.organizationId}' and id in (${list})`);
    eachRow(rows, (start, end, starts) => known.set(rows.toString('latin1', starts[idAt], starts[idAt]! + 16), rows.subarray(start, end)));
  }
}
