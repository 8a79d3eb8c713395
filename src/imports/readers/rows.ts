// What is the same for the rows of every kind of file: where the header is, and what a row may hold.
import { brokenText, type RowProblem } from '../problems.ts';
import type { SheetRow } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';
import { refusal } from './refuse.ts';

/** So many rows are handed on at once, and fewer where they hold more text than this. */
const batchSize = 100;
const batchLength = 1_048_576;

/** Rows on their way out. */
export class Batch {
  #rows: SheetRow[] = [];
  #length = 0;

  add(row: SheetRow): void {
    this.#rows.push(row);
    // With what separates them: there may be any number of empty ones.
    for (const cell of row.cells) this.#length += cell.length + 1;
    this.#length += row.card?.length ?? 0;
  }

  get isFull(): boolean {
    return this.#rows.length >= batchSize || this.#length >= batchLength;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  take(): SheetRow[] {
    const rows = this.#rows;
    this.#rows = [];
    this.#length = 0;
    return rows;
  }
}

/** So many rows that are not blank are looked at to find the header. */
export const sampleSize = 30;

/** A sheet that was opened: its header is known, its rows are still to be read, once. */
export interface OpenSheet<Facts> {
  facts: Facts;
  /** In batches of up to 100, and once. */
  rows: AsyncIterable<SheetRow[]>;
  /** So far, of `totalBytes`. */
  bytesRead(): number;
  totalBytes: number;
}

// oxlint-disable-next-line no-control-regex -- they are what is looked for
const controlCharacter = /[\0-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F]/;

/** Whether any cell of this text may be at fault: one look at a lot of text spares one at each of its cells. */
// oxlint-disable-next-line no-control-regex -- as above
export const isSuspicious = (text: string) => /[\0-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F\uD800-\uDFFF\uFFFD]/.test(text);

export const isBlank = (cells: readonly string[]) => cells.every((cell) => cell === '' || cell.trim() === '');

/** Why the row can't be used. `replaced`: what U+FFFD in a cell is; nothing, where it is left out. */
export function findProblem(cells: readonly string[], header: readonly string[], limits: SheetLimits, replaced?: RowProblem): RowProblem | undefined {
  for (const [index, cell] of cells.entries()) {
    const column = header[index];
    if (cell.length > limits.cellLength) {
      return { code: 'CELL_TOO_LONG', column, message: `The cell is longer than ${limits.cellLength} characters. Shorten it.` };
    }
    const broken = brokenText(cell);
    if (broken) return { ...broken, column };
    if (controlCharacter.test(cell)) {
      return { code: 'CONTROL_CHARACTER', column, message: 'The cell contains a control character, which nobody can see or type. Type the cell again.' };
    }
    if (replaced && cell.includes('\uFFFD')) return { ...replaced, column };
  }
  return undefined;
}

/** What U+FFFD is where it stands for bytes. */
export const mixedEncoding: RowProblem = {
  code: 'MIXED_ENCODING',
  message: 'The cell contains bytes that are not UTF-8, while the rest of the file is. Type the cell again, or choose the encoding of the file.',
};

export const tooManyCells = (): RowProblem => ({
  code: 'TOO_MANY_CELLS',
  message: 'The row has more cells than the header has columns. Put quotation marks around a cell that contains the separator.',
});

/** Of a row with a problem: no more than may be kept, unless it is wanted whole. */
export const shortened = (cells: readonly string[], header: readonly string[], limits: SheetLimits): string[] =>
  limits.wholeRows ? [...cells] : cells.slice(0, header.length).map((cell) => cell.slice(0, limits.cellLength).toWellFormed());

/** A row under its header. `suspicious`: its cells must be looked at one by one. */
export function checkRow(row: SheetRow, header: readonly string[], limits: SheetLimits, suspicious: boolean, replaced?: RowProblem): SheetRow {
  let { problem } = row;
  if (!problem && row.cells.length > header.length && !isBlank(row.cells.slice(header.length))) problem = tooManyCells();
  if (!problem && suspicious) problem = findProblem(row.cells, header, limits, replaced);
  if (problem) return { ...row, cells: shortened(row.cells, header, limits), problem };
  if (row.cells.length > header.length) row.cells.length = header.length;
  return row;
}

/** @throws Refusal when the names themselves are beyond what is taken */
export function checkHeader(cells: readonly string[], limits: SheetLimits): string[] {
  const header = cells.slice(0, cells.findLastIndex((cell) => cell.trim() !== '') + 1);
  if (header.length > limits.columns) throw tooManyColumns(limits);
  const problem = findProblem(header, header, limits);
  if (problem) {
    const happened = problem.code === 'CELL_TOO_LONG' ? `A column name is longer than ${limits.cellLength} characters.` : 'A column name is not plain text.';
    throw refusal(problem.code, happened, 'Put short names of the columns in the first row, and upload the file again.');
  }
  return header;
}

const email = /^[^\s@]+@[^\s@]+\.[^\s@]+$/;
const date = /^\d{1,4}[-./]\d{1,2}[-./]\d{1,4}\b/;
const phone = /^(?=(?:\D*\d){7})[+(]?\d[\d\s()./+-]*$/;

/** What is longer is not worth a guess. */
const longestGuess = 254;

export const looksLikeEmail = (cell: string) => cell.length <= longestGuess && email.test(cell.trim());

/** A person's data, not the names of columns. */
const isData = (cells: readonly string[]) =>
  cells.some((cell) => looksLikeEmail(cell) || (cell.length <= longestGuess && (date.test(cell.trim()) || phone.test(cell.trim())))) ||
  !cells.some((cell) => /\p{L}/u.test(cell));

const filled = (cells: readonly string[]) => cells.reduce((count, cell) => (cell.trim() === '' ? count : count + 1), 0);

/**
 * The row with the column names among the first rows that are not blank: the first that fills at least half of the
 * columns, so that titles above the table are passed over. Undefined when that row holds data.
 */
export function findHeader<Row extends { cells: readonly string[] }>(rows: readonly Row[], limits: SheetLimits): Row | undefined {
  const widths = rows.map(({ cells }) => filled(cells));
  // A row beyond all columns says nothing of the others.
  const width = Math.max(0, ...widths.filter((width) => width <= limits.columns));
  const header = rows[widths.findIndex((filled) => filled >= Math.max(Math.min(2, width), width / 2))];
  return header && !isData(header.cells) ? header : undefined;
}

export const noHeader = () =>
  refusal(
    'NO_HEADER',
    'The table has no row with the names of its columns.',
    'Put the names (such as “First name” and “Email”) in its first row, or say which row they are in, and upload the file again.',
  );

export const noHeaderRow = (row: number) =>
  refusal('NO_HEADER', `Row ${row}, which should hold the column names, is empty or not there.`, 'Choose another row.');

export const tooManyColumns = (limits: SheetLimits) =>
  refusal('TOO_MANY_COLUMNS', `The table has more than ${limits.columns} columns.`, 'Remove those that are not about contacts, and upload the file again.');

export const emptyFile = () =>
  refusal('EMPTY_FILE', 'The file is empty.', 'Choose a file with the column names in its first row and one contact in each row below.');

export const tooManyRows = (limits: SheetLimits) =>
  refusal(
    'TOO_MANY_ROWS',
    `The file has more than ${limits.rows.toLocaleString('en')} rows.`,
    'Divide it into several files with the same column names, and import one after the other.',
  );
