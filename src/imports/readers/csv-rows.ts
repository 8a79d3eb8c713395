// Separated text cut into rows. They are cut where line ends and quotes are found, with one native search each, and not
// character by character.
import { undefuse } from '../../exports/formulas.ts';
import type { SheetRow } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';
import { refusal } from './refuse.ts';
import { isSuspicious } from './rows.ts';

const apostrophe = 0x27;

export const brokenQuotes = (rowNumber: number) =>
  refusal(
    'BROKEN_QUOTES',
    `In row ${rowNumber} a cell opens a quotation mark and does not close it properly, so that it can’t be told where the row ends.`,
    'Remove the mark, or save the sheet as CSV again, and upload the file.',
  );

const quotesProblem = () => ({
  code: 'BROKEN_QUOTES',
  message: 'A cell opens a quotation mark and does not close it properly. Remove the mark, or write it twice within a cell that stands in marks.',
});

/**
 * Cuts text into rows. Cells in quotes may hold separators, line ends, and quotes written twice; a quote within a plain
 * cell is text, as every spreadsheet reads it. A quoted cell that goes on after its closing quote, or is never closed, is
 * a problem of its row where that row is certainly one line; where it may have swallowed others, the file is refused.
 */
export class CsvRows {
  /** Whether the text that the last row came from must be looked at cell by cell. */
  isSuspicious = false;
  /** Whether the last row has cells of several lines. */
  isMultiline = false;
  ended = false;
  #text = '';
  #at = 0;
  #rowNumber = 0;
  /** The next of each from `#at` on; Infinity when there is none in the text. */
  #quoteAt = -1;
  #newlineAt = -1;
  #returnAt = -1;
  #last = false;
  /** A plain line beyond all bounds is dropped up to its end. */
  #skipping: SheetRow | undefined;
  readonly #stops: RegExp;

  constructor(
    private readonly separator: string,
    private readonly quote: string,
    private readonly limits: Pick<SheetLimits, 'rowLength' | 'cellLength'>,
  ) {
    this.#stops = new RegExp(`[\\r\\n${separator.replace(/[\\\]^-]/, '\\$&')}]`, 'g');
  }

  add(text: string): void {
    const rest = this.#text.slice(this.#at);
    const suspicious = isSuspicious(text);
    this.isSuspicious = suspicious || (rest !== '' && this.isSuspicious);
    this.#text = rest + text;
    this.#at = 0;
    this.#quoteAt = this.#newlineAt = this.#returnAt = -1;
  }

  /** There is no more text. */
  end(): void {
    this.#last = true;
    this.#quoteAt = this.#newlineAt = this.#returnAt = -1;
  }

  /** The next whole row; undefined when more text is needed. @throws Refusal */
  next(): SheetRow | undefined {
    const text = this.#text;
    const at = this.#at;
    if (at >= text.length) {
      this.ended = this.#last;
      const skipped = this.#last ? this.#skipping : undefined;
      this.#skipping = undefined;
      return skipped;
    }
    const end = this.#lineEnd(at);
    if (this.#skipping) return this.#skip(end);
    if (this.quote && this.#quoteAt < at) this.#quoteAt = orNever(text.indexOf(this.quote, at));
    if (this.quote && this.#quoteAt < Math.min(end, text.length)) return this.#quotedRow(end);
    if (end === Infinity && !this.#last) return this.#wait(false);
    const line = text.slice(at, Math.min(end, text.length));
    this.isMultiline = false;
    this.#at = this.#afterLine(end);
    return this.#row(line.split(this.separator), line.length);
  }

  #row(cells: string[], length: number): SheetRow {
    if (length > this.limits.cellLength) this.isSuspicious = true;
    // Texts that were defused when they were exported.
    for (let at = 0; at < cells.length; at++) if (cells[at]!.charCodeAt(0) === apostrophe) cells[at] = undefuse(cells[at]!);
    return { rowNumber: ++this.#rowNumber, cells };
  }

  /** Where the line from `at` on ends. Infinity when that is not in the text, or not certain: a return may be half of a line end. */
  #lineEnd(at: number): number {
    const text = this.#text;
    if (this.#newlineAt < at) this.#newlineAt = orNever(text.indexOf('\n', at));
    if (this.#returnAt < at) this.#returnAt = orNever(text.indexOf('\r', at));
    const end = Math.min(this.#newlineAt, this.#returnAt);
    return end === text.length - 1 && end === this.#returnAt && !this.#last ? Infinity : end;
  }

  #afterLine(end: number): number {
    if (end >= this.#text.length) return this.#text.length;
    return end === this.#returnAt && this.#newlineAt === end + 1 ? end + 2 : end + 1;
  }

  #wait(quoted: boolean): undefined {
    if (this.#text.length - this.#at <= this.limits.rowLength) return;
    const rowNumber = this.#rowNumber + 1;
    if (quoted) {
      const happened = `Row ${rowNumber} is longer than ${this.limits.rowLength} characters; most often a quotation mark in it is never closed.`;
      throw refusal('ROW_TOO_LONG', happened, 'Repair or shorten the row, and upload the file again.');
    }
    this.#rowNumber++;
    const cells = this.#text.slice(this.#at, this.#at + this.limits.cellLength).split(this.separator);
    const message = `The row is longer than ${this.limits.rowLength} characters. Shorten it.`;
    this.#skipping = { rowNumber, cells, problem: { code: 'ROW_TOO_LONG', message } };
    this.#at = this.#certainEnd;
  }

  /** A return at the end may be half of a line end. */
  get #certainEnd(): number {
    return this.#text.endsWith('\r') ? this.#text.length - 1 : this.#text.length;
  }

  #skip(end: number): SheetRow | undefined {
    if (end === Infinity) {
      this.#at = this.#certainEnd;
      return this.#last ? this.next() : undefined;
    }
    const row = this.#skipping;
    this.#skipping = undefined;
    this.#at = this.#afterLine(end);
    return row;
  }

  #quotedRow(firstEnd: number): SheetRow | undefined {
    const { separator, quote } = this;
    const text = this.#text;
    const cells: string[] = [];
    let at = this.#at;
    for (;;) {
      if (text[at] === quote) {
        const opened = at + 1;
        let closed = text.indexOf(quote, opened);
        let doubled = false;
        while (closed >= 0 && text[closed + 1] === quote) {
          doubled = true;
          closed = text.indexOf(quote, closed + 2);
        }
        if (closed < 0) return this.#last ? this.#brokenQuotes(text.length) : this.#wait(true);
        at = closed + 1;
        while (text[at] === ' ') at++;
        if (at >= text.length && !this.#last) return this.#wait(true);
        const next = text[at];
        if (next !== undefined && next !== separator && next !== '\n' && next !== '\r') return this.#brokenQuotes(at);
        const cell = text.slice(opened, closed);
        cells.push(doubled ? cell.replaceAll(quote + quote, quote) : cell);
      } else {
        this.#stops.lastIndex = at;
        const stop = this.#stops.exec(text)?.index ?? text.length;
        if (stop === text.length && !this.#last) return this.#wait(true);
        cells.push(text.slice(at, stop));
        at = stop;
      }
      if (text[at] === separator) {
        at++;
        continue;
      }
      const end = at < text.length ? this.#lineEnd(at) : at;
      if (end === Infinity) return this.#wait(true);
      const length = at - this.#at;
      this.isMultiline = end > firstEnd;
      this.#at = this.#afterLine(end);
      return this.#row(cells, length);
    }
  }

  /** @param at where it became clear that the quotes are broken */
  #brokenQuotes(at: number): SheetRow | undefined {
    const end = this.#lineEnd(this.#at);
    if (end === Infinity && !this.#last) return this.#wait(true);
    const line = this.#text.slice(this.#at, Math.min(end, this.#text.length));
    const isOneLine = at <= end || this.#afterLine(end) >= this.#text.length;
    const rowNumber = this.#rowNumber + 1;
    // Marks in pairs: what follows the line is not within a cell of it. After the last line nothing follows.
    if (!isOneLine || (line.split(this.quote).length % 2 === 0 && !(this.#last && this.#afterLine(end) >= this.#text.length))) {
      throw brokenQuotes(rowNumber);
    }
    this.#at = this.#afterLine(end);
    return { ...this.#row(line.split(this.separator), line.length), problem: quotesProblem() };
  }
}

const orNever = (index: number) => (index < 0 ? Infinity : index);
