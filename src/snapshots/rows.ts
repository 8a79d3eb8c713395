// What the steps of the ladder are made of: changes to parts of a chunk, row by row, on binary COPY rows. All are pure.
import type { Chunk, Part } from './chunk.ts';
import { eachRow } from './copy.ts';
import type { Column } from './graph.ts';

/** The bytes of a field in PostgreSQL's binary form; null for SQL's null. */
export type Field = Buffer | null;

/** Gives the fields of a row by their columns. */
export type Fields = (column: string) => Field;

/** The chunk with `change` done to the part of that table, be it owned or referred to; as it is where there is none. */
export function changePart(chunk: Chunk, table: string, change: (part: Part) => Part): Chunk {
  const all = (parts: Part[]) => parts.map((part) => (part.table === table ? change(part) : part));
  return { ...chunk, parts: all(chunk.parts), references: all(chunk.references) };
}

/** The part with other columns, each row made anew from the fields that it had. */
export function mapRows(part: Part, columns: Column[], map: (fields: Fields) => Field[]): Part {
  const places = new Map(part.columns.map(({ name }, index) => [name, index]));
  const rows: Buffer[] = [];
  eachRow(part.rows, (_start, _end, starts) => {
    const fields: Fields = (column) => {
      const place = places.get(column);
      if (place === undefined) throw new Error(`The ladder asks for ${part.table}.${column}, which that version did not have.`);
      const at = starts[place]!;
      return at < 0 ? null : part.rows.subarray(at, at + part.rows.readInt32BE(at - 4));
    };
    rows.push(packRow(map(fields)));
  });
  return { ...part, columns, rows: Buffer.concat(rows) };
}

/** A row in binary COPY form. */
function packRow(fields: readonly Field[]): Buffer {
  const size = fields.reduce((sum, field) => sum + 4 + (field?.length ?? 0), 2);
  const row = Buffer.allocUnsafe(size);
  let at = row.writeInt16BE(fields.length);
  for (const field of fields) {
    at = row.writeInt32BE(field?.length ?? -1, at);
    if (field) at += field.copy(row, at);
  }
  return row;
}

/** Adds a column behind the one named `after`, filled from the rest of its row. */
export function addColumn(part: Part, column: Column, after: string, fill: (fields: Fields) => Field): Part {
  const columns = part.columns.flatMap((one) => (one.name === after ? [one, column] : [one]));
  return mapRows(part, columns, (fields) => columns.map(({ name }) => (name === column.name ? fill(fields) : fields(name))));
}

/** Leaves a column out. */
export function dropColumn(part: Part, name: string): Part {
  const columns = part.columns.filter((column) => column.name !== name);
  return mapRows(part, columns, (fields) => columns.map((column) => fields(column.name)));
}

/** Renames a column; the rows stay as they are. */
export const renameColumn = (part: Part, from: string, to: string): Part => ({
  ...part,
  columns: part.columns.map((column) => (column.name === from ? { ...column, name: to } : column)),
});

/** Renames a table; its rows stay as they are. */
export const renameTable = (chunk: Chunk, from: string, to: string): Chunk => changePart(chunk, from, (part) => ({ ...part, table: to }));

/** Adds an owned table that did not exist then, so nobody has rows in it. */
export const addTable = (chunk: Chunk, table: string, columns: Column[]): Chunk => ({
  ...chunk,
  parts: [...chunk.parts, { table, columns, count: 0, rows: Buffer.alloc(0) }],
});
