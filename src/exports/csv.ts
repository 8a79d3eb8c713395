// Rows as CSV (RFC 4180).
import { stringify } from 'csv-stringify/sync';
import { defuse } from './formulas.ts';
import type { Cells } from './sheet.ts';

export const csvType = 'text/csv; charset=utf-8';

export interface CsvOptions {
  /** `,` when left out. */
  separator?: string;
  /** What becomes of each text before it is defused. */
  cast?: (text: string) => string;
}

/** What ends a line or a cell for some program or other; the separator in use, its line end and marks are seen to anyway. */
const quoted_match = /[\r\n\t;|]/;

/** Lines, each with its end. A text that a spreadsheet would take for a formula begins with an apostrophe. */
export function csvLines(rows: readonly (readonly unknown[])[], { separator = ',', cast }: CsvOptions = {}): string {
  const string = cast ? (text: string) => defuse(cast(text)) : defuse;
  return stringify(rows as unknown[][], { delimiter: separator, record_delimiter: '\r\n', quoted_match, cast: { string } });
}

/** A file with its header, a piece for each page of rows; in UTF-8 with a mark at its beginning, without which Excel takes it for Windows-1252. */
export async function* writeCsv(header: readonly string[], pages: AsyncIterable<readonly Cells[]>, options: CsvOptions = {}): AsyncGenerator<Buffer> {
  yield Buffer.from(`\ufeff${csvLines([header], options)}`);
  for await (const rows of pages) if (rows.length > 0) yield Buffer.from(csvLines(rows, options));
}
