// What differs between a contact's graph in a snapshot and the same one now, row by row and field by field.
import type { Transaction } from '../database.ts';
import type { Part } from './chunk.ts';
import { eachRow, uuidAt } from './copy.ts';
import type { ContactGraph, GraphTable } from './graph.ts';

/** A field of a row as it is in PostgreSQL's binary format; null where there is no value, or no row. */
export interface FieldChange {
  table: GraphTable;
  /** Of what the row is told apart by besides its contact: its id. */
  rowId: string;
  column: string;
  type: string;
  before: Buffer | null;
  after: Buffer | null;
}

interface Row {
  table: GraphTable;
  id: string;
  fields: Map<string, Buffer | null>;
}

/** By contact, then by table and id. */
type Rows = Map<string, Map<string, Row>>;

/** The rows of the contacts that are wanted. Columns that the table does not have are left out. */
export function rowsOf(graph: ContactGraph, parts: readonly Part[], wanted: ReadonlySet<string>): Rows {
  const rows: Rows = new Map();
  for (const table of graph.tables) {
    const part = parts.find((one) => one.table === table.name);
    if (!part) continue;
    const at = (name: string) => part.columns.findIndex((column) => column.name === name);
    const [contactAt, idAt] = [at(table.contactColumn), at(table.key.find((name) => name !== table.contactColumn) ?? table.contactColumn)];
    eachRow(part.rows, (_start, _end, starts) => {
      const contact = uuidAt(part.rows, starts[contactAt]!);
      if (!wanted.has(contact)) return;
      const id = uuidAt(part.rows, starts[idAt]!);
      const fields = new Map(part.columns.map(({ name }, index) => [name, fieldAt(part.rows, starts[index]!)]));
      const own = rows.get(contact) ?? new Map<string, Row>();
      rows.set(contact, own.set(`${table.name} ${id}`, { table, id, fields }));
    });
  }
  return rows;
}

const fieldAt = (rows: Buffer, at: number): Buffer | null => (at < 0 ? null : rows.subarray(at, at + rows.readInt32BE(at - 4)));

/** The fields in which two sets of a contact's rows differ, of those that `shown` names, row by row. */
export function changesBetween(
  before: ReadonlyMap<string, Row> | undefined,
  after: ReadonlyMap<string, Row> | undefined,
  shown: (table: GraphTable, column: string) => boolean,
): FieldChange[] {
  const keys = new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])]);
  return [...keys].sort().flatMap((key) => {
    const [old, now] = [before?.get(key), after?.get(key)];
    const { table, id } = (old ?? now)!;
    return table.columns
      .filter(({ name }) => shown(table, name))
      .map(({ name, type }) => ({ table, rowId: id, column: name, type, before: old?.fields.get(name) ?? null, after: now?.fields.get(name) ?? null }))
      .filter((change) => !same(change.before, change.after));
  });
}

const same = (one: Buffer | null, other: Buffer | null): boolean => (one && other ? one.equals(other) : one === other);

/** As many as a statement takes at once with room to spare. */
const valuesAtOnce = 10_000;

/** What values in binary format say, as PostgreSQL itself writes them in JSON: instants as in RFC 3339, in UTC. */
export async function textsOf(tx: Transaction, values: readonly { type: string; value: Buffer }[]): Promise<string[]> {
  const texts: string[] = [];
  for (let from = 0; from < values.length; from += valuesAtOnce) {
    const some = values.slice(from, from + valuesAtOnce);
    const list = some.map(({ type }, index) => `to_jsonb($${index + 1}::${type}) #>> '{}'`).join(', ');
    const { rows } = await tx.inTurn(async () => {
      await tx.client.query(`set local timezone = 'UTC'`);
      // Not prepared: hardly any two have the same text. A parameter that is a buffer is sent as it is, in binary format.
      return tx.client.query<{ texts: string[] }>(
        `select array[${list}] as texts`,
        some.map(({ value }) => value),
      );
    });
    texts.push(...rows[0]!.texts);
  }
  return texts;
}
