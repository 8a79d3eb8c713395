// PostgreSQL's binary COPY format, in and out of a transaction, and a walk over its rows without decoding them.
// Source of the format: the PostgreSQL manual, COPY, "Binary Format".
import { finished } from 'node:stream/promises';
import { from, to } from 'pg-copy-streams';
import type { Transaction } from '../database.ts';

/** Signature, flags and an empty header extension. */
const header = Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8)]);
const trailer = Buffer.from([0xff, 0xff]);
/** No table of PostgreSQL has more. */
const mostFields = 1664;

/** Runs `query` and gives its rows in binary format, without header and trailer. */
export function copyOut(tx: Transaction, query: string): Promise<Buffer> {
  return tx.inTurn(async () => {
    tx.database.trace?.push(query);
    const stream = tx.client.query(to(`copy (${query}) to stdout (format binary)`));
    const parts: Buffer[] = [];
    stream.on('data', (part: Buffer) => parts.push(part));
    await finished(stream);
    const all = Buffer.concat(parts);
    return all.subarray(header.length, all.length - trailer.length);
  });
}

/** Writes rows in binary format into a table; `columns` is the quoted list that they were read with. */
export function copyIn(tx: Transaction, table: string, columns: string, rows: Buffer): Promise<void> {
  return tx.inTurn(async () => {
    const stream = tx.client.query(from(`copy ${table} (${columns}) from stdin (format binary)`));
    stream.write(header);
    stream.write(rows);
    stream.end(trailer);
    await finished(stream);
  });
}

/**
 * Visits each row: where it starts and ends, and where the bytes of its fields start (-1: null).
 * `starts` is reused from row to row.
 * @throws RangeError when the bytes are not whole rows
 */
export function eachRow(rows: Buffer, visit: (start: number, end: number, starts: Int32Array) => void): number {
  const starts = new Int32Array(mostFields);
  const view = new DataView(rows.buffer, rows.byteOffset, rows.length);
  let at = 0;
  let count = 0;
  while (at < rows.length) {
    const start = at;
    const fields = view.getInt16(at);
    at += 2;
    for (let field = 0; field < fields; field++) {
      const length = view.getInt32(at);
      at += 4;
      starts[field] = length < 0 ? -1 : at;
      if (length > 0) at += length;
    }
    if (at > rows.length) throw new RangeError('A row goes on past the end.');
    visit(start, at, starts);
    count++;
  }
  return count;
}

/**
 * Visits the first row of each run of rows that have the same owner, whose UUID is the field number `ownerAt`: where the row
 * starts, and where the bytes of the UUID do. @throws RangeError like `eachRow`
 */
export function eachOwner(rows: Buffer, ownerAt: number, visit: (start: number, at: number) => void): void {
  let last = -1;
  eachRow(rows, (start, _end, starts) => {
    const at = starts[ownerAt]!;
    if (last < 0 || !isSameUuid(rows, last, at)) visit(start, at);
    last = at;
  });
}

function isSameUuid(bytes: Buffer, one: number, other: number): boolean {
  for (let at = 15; at >= 0; at--) if (bytes[one + at] !== bytes[other + at]) return false;
  return true;
}

/** The text of a field that starts at `at`, or null. */
export function textAt(rows: Buffer, at: number): string | null {
  return at < 0 ? null : rows.toString('utf8', at, at + rows.readInt32BE(at - 4));
}

/** The UUID of a field that starts at `at`. */
export function uuidAt(bytes: Buffer, at: number): string {
  const hex = bytes.toString('hex', at, at + 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
