// Rows out of separated text. The file comes from outside, so everything about it is bounded; what separates and what
// quotes is told from its first lines, where nobody says.
import type { FileHandle } from 'node:fs/promises';
import { brokenCharacter } from '../problems.ts';
import { type ReadOptions, separators, type SheetFacts, type SheetRow } from '../sheet.ts';
import { brokenQuotes, CsvRows } from './csv-rows.ts';
import type { SheetLimits } from './limits.ts';
import { refusal } from './refuse.ts';
import {
  Batch,
  checkHeader,
  checkRow,
  emptyFile,
  findHeader,
  isBlank,
  mixedEncoding,
  noHeader,
  noHeaderRow,
  type OpenSheet,
  sampleSize,
  tooManyRows,
} from './rows.ts';
import { openText } from './text.ts';

/** So much text is looked at to tell the separator. */
const headLength = 65_536;

export async function openCsv(file: FileHandle, totalBytes: number, options: ReadOptions, limits: SheetLimits): Promise<OpenSheet<SheetFacts>> {
  const text = await openText(file, options.encoding);
  const chunks = text.chunks();
  let head = '';
  for (let next = await chunks.next(); !next.done; next = await chunks.next()) {
    head += next.value;
    if (head.length >= headLength) break;
  }
  const announced = /^sep=(.)(?:\r\n|\r|\n)/i.exec(head);
  if (announced) head = head.slice(announced[0].length);
  const sample = head.slice(0, headLength);
  const quote = options.quote ?? detectQuote(sample);
  const separator = options.separator ?? announced?.[1] ?? detectSeparator(sample, quote);

  const rows = new CsvRows(separator, quote, limits);
  rows.add(head);
  const next = async (): Promise<SheetRow | undefined> => {
    for (;;) {
      const row = rows.next();
      if (row || rows.ended) return row;
      const { value, done } = await chunks.next();
      if (done) rows.end();
      else rows.add(value);
    }
  };

  const first: SheetRow[] = [];
  while (options.headerRow ? (first.at(-1)?.rowNumber ?? 0) < options.headerRow : first.length < sampleSize) {
    const row = await next();
    if (!row) break;
    if (isBlank(row.cells)) continue;
    // Those before it may be many.
    if (options.headerRow) first.length = 0;
    first.push(row);
  }
  if (first.length === 0) throw emptyFile();
  const found = options.headerRow ? first.find(({ rowNumber }) => rowNumber === options.headerRow) : findHeader(first, limits);
  if (!found) throw options.headerRow ? noHeaderRow(options.headerRow) : noHeader();
  const header = checkHeader(found.cells, limits);
  if (found.problem) throw refusal(found.problem.code, 'The row with the column names can’t be read.', found.problem.message);
  const lastRow = found.rowNumber + limits.rows;
  const replaced = text.mixed ? mixedEncoding : brokenCharacter;

  return {
    facts: { format: 'CSV', encoding: text.encoding, separator, quote, sheet: null, sheets: [], headerRow: found.rowNumber, header },
    totalBytes,
    bytesRead: text.bytesRead,
    rows: (async function* () {
      const batch = new Batch();
      // What was read for the header was not looked at yet.
      for (const row of first.slice(first.indexOf(found) + 1)) {
        if (swallowsRow(row.cells, separator, header.length)) throw brokenQuotes(row.rowNumber);
        batch.add(checkRow(row, header, limits, true, replaced));
      }
      if (first.at(-1)!.rowNumber > lastRow) throw tooManyRows(limits);
      for (;;) {
        const row = rows.next() ?? (await next());
        if (!row) break;
        if (row.rowNumber > lastRow) throw tooManyRows(limits);
        if (row.cells[0] === '' && isBlank(row.cells)) continue;
        if (rows.isMultiline && swallowsRow(row.cells, separator, header.length)) throw brokenQuotes(row.rowNumber);
        batch.add(checkRow(row, header, limits, rows.isSuspicious, replaced));
        if (batch.isFull) yield batch.take();
      }
      if (!batch.isEmpty) yield batch.take();
    })(),
  };
}

/** @throws Refusal BAD_READ_OPTIONS */
export function checkOptions({ separator, quote, headerRow }: ReadOptions): void {
  const isUsable = separator == null || (/^[^\r\n]$/.test(separator) && separator !== quote);
  if (isUsable && (quote == null || /^[^\r\n]?$/.test(quote)) && (headerRow == null || (Number.isSafeInteger(headerRow) && headerRow > 0))) return;
  throw refusal(
    'BAD_READ_OPTIONS',
    'The file can’t be read in the way that was chosen.',
    'Choose one character each as the separator and as the quote, and a row from 1 on.',
  );
}

/** Single quotes only where every cell of the first line stands in them. */
function detectQuote(sample: string): string {
  const [line] = sample.split(/[\r\n]/, 1) as [string];
  return !sample.includes('"') && separators.some((separator) => line.split(separator).every((cell) => /^'.*'$/.test(cell))) ? "'" : '"';
}

/** More than any number of cells. */
const everyRow = 1_000_000;

/**
 * The one that cuts most of the first rows into the same number of cells, the more the better; before all others one that cuts
 * every row so. What stands between the tags of a cell is in no header.
 */
function detectSeparator(sample: string, quote: string): string {
  let best = { separator: ',', score: 0 };
  for (const separator of separators) {
    const widths = new Map<number, number>();
    let count = 0;
    const rows = new CsvRows(separator, quote, { rowLength: Infinity, cellLength: Infinity });
    rows.add(sample);
    try {
      for (let row = rows.next(); row && count < sampleSize; row = rows.next()) {
        if (isBlank(row.cells)) continue;
        count++;
        widths.set(row.cells.length, (widths.get(row.cells.length) ?? 0) + 1);
      }
      // Of a file of one line without an end, and after a cut within a row.
      if (count === 0) widths.set(sample.split(separator).length, (count = 1));
    } catch {
      // Quotes that make no sense with this separator; with the right one they are refused when the rows are read.
    }
    for (const [width, times] of widths) {
      const score = (times / count) * (width - 1) + (times === count && width > 1 ? everyRow : 0);
      if (score > best.score) best = { separator, score };
    }
  }
  return best.separator;
}

/**
 * Whether two marks that never met have met over a row: a cell of several lines holds one that is as wide as the table, while its
 * first line makes a whole row with the cells before it, and its last one with those after it, or more: a cell may be cut there.
 */
function swallowsRow(cells: readonly string[], separator: string, width: number): boolean {
  const widthOf = (line: string | undefined) => line!.split(separator).length;
  return (
    width > 2 &&
    cells.some((cell, at) => {
      const lines = cell.split(/\r\n|\r|\n/);
      return (
        lines.length > 2 &&
        at + widthOf(lines[0]) === width &&
        widthOf(lines.at(-1)) + cells.length - at - 1 >= width &&
        lines.slice(1, -1).some((line) => widthOf(line) === width)
      );
    })
  );
}
