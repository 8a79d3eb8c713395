// Rows out of a CSV byte stream. The file comes from outside, so everything about it is bounded and nothing is guessed:
// strict UTF-8, strict quotes, the separator read from the header. Memory stays at a chunk and a row, whatever the file.
import { pipeline } from 'node:stream';
import { parse } from 'csv-parse';
import { Refusal } from '../errors.ts';

/** Lengths are in UTF-16 code units; a row's includes its separators and quotes. */
export const csvLimits = { rowLength: 1_048_576, columns: 200, cellLength: 10_000 };

/** Why one row can't be imported. The message never repeats a value: problems are kept longer than personal data may be. */
export type RowProblem = {
  rowNumber: number;
  code:
    | 'NUL_CHARACTER'
    | 'CELL_TOO_LONG'
    | 'TOO_MANY_CELLS'
    | 'VALUE_TOO_LONG'
    | 'INVALID_EMAIL'
    | 'INVALID_DATE'
    | 'INCOMPLETE_MEMBERSHIP'
    | 'MEMBERSHIP_ENDS_BEFORE_START'
    | 'NO_NAME_OR_EMAIL'
    | 'DUPLICATE_EMAIL'
    | 'DUPLICATE_MEMBER_NUMBER';
  /** The header of the column at fault, as the file spells it; absent when the whole row is at fault. */
  column?: string;
  message: string;
};

/** `rowNumber` is the row a spreadsheet shows: a cell of several lines is still in one row, an empty line is one too. */
export type SheetRow = { rowNumber: number; cells: string[] } | { rowNumber: number; problem: RowProblem };

/**
 * Yields the header, then every row that is not blank. A row may be shorter than the header: spreadsheets drop empty
 * cells at the end. Throws a Refusal when the file as a whole can't be read.
 */
export async function* readCsv(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<SheetRow> {
  const { separator, text } = await detectSeparator(decode(bytes));
  const parser = parse({
    delimiter: separator,
    record_delimiter: ['\r\n', '\n', '\r'],
    relax_quotes: true,
    relax_column_count: true,
  });
  // A failure anywhere in the pipeline is thrown by the loop below.
  pipeline(guardQuotes(text, separator), parser, () => {});
  let header: string[] | undefined;
  let rowNumber = 0;
  for await (const cells of parser as AsyncIterable<string[]>) {
    rowNumber++;
    if (cells.every((cell) => cell.trim() === '')) continue;
    if (header) {
      const problem = findProblem(rowNumber, cells, header);
      yield problem ? { rowNumber, problem } : { rowNumber, cells };
    } else {
      header = checkHeader(cells);
      yield { rowNumber, cells };
    }
  }
  if (!header) {
    throw new Refusal('EMPTY_FILE', 'The file is empty. Choose a file with the column names in its first row and one contact in each row below.');
  }
}

const saveAsCsv = 'In your spreadsheet choose “Save as”, then “CSV UTF-8”, and upload that file.';

async function* decode(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  const toText = (chunk?: Uint8Array) => {
    try {
      return decoder.decode(chunk, { stream: chunk !== undefined });
    } catch {
      throw new Refusal('NOT_UTF8', `The file is not text in UTF-8. ${saveAsCsv}`);
    }
  };
  for await (const chunk of bytes) yield toText(chunk);
  yield toText();
}

/** Reads to the end of the header and picks the separator that it holds most often outside quotes. */
async function detectSeparator(text: AsyncGenerator<string>): Promise<{ separator: string; text: AsyncGenerator<string> }> {
  const counts = new Map([',', ';', '\t'].map((separator) => [separator, 0]));
  let read = '';
  let quoted = false;
  let blank = true;
  reading: for (let next = await text.next(); !next.done; next = await text.next()) {
    read += next.value;
    if (read.length > csvLimits.rowLength) break;
    for (const char of next.value) {
      if (char === '"') quoted = !quoted;
      if (quoted) continue;
      if (counts.has(char)) counts.set(char, counts.get(char)! + 1);
      if (char !== '\n' && char !== '\r') blank = false;
      else if (!blank) break reading;
    }
  }
  const [[separator]] = [...counts].sort(([, a], [, b]) => b - a) as [[string, number]];
  return { separator, text: prepend(read, text) };
}

async function* prepend(first: string, rest: AsyncGenerator<string>): AsyncGenerator<string> {
  try {
    yield first;
    yield* rest;
  } finally {
    // Without this, a reader that stops at `first` would leave the upload open.
    await rest.return(undefined);
  }
}

/**
 * Passes the text on while its quotes make sense. csv-parse has one switch for two things: a quote inside a plain cell,
 * which every spreadsheet reads as text, and a quoted cell that goes on after its closing quote, which swallows rows.
 * So its switch is on, and the second is refused here, together with a row too long to be one.
 */
async function* guardQuotes(text: AsyncIterable<string>, separator: string): AsyncGenerator<string> {
  let place: 'START' | 'PLAIN' | 'QUOTED' | 'CLOSED' = 'START';
  let rowNumber = 1;
  let rowLength = 0;
  let previous = '';
  for await (const chunk of text) {
    for (const char of chunk) {
      rowLength += char.length;
      if (rowLength > csvLimits.rowLength) throw rowTooLong(rowNumber);
      if (place === 'QUOTED') {
        if (char === '"') place = 'CLOSED';
      } else if (char === separator) {
        place = 'START';
      } else if (char === '\n' || char === '\r') {
        place = 'START';
        rowLength = 0;
        if (char === '\r' || previous !== '\r') rowNumber++;
      } else if (place === 'CLOSED') {
        if (char !== '"') throw brokenQuotes(rowNumber);
        place = 'QUOTED';
      } else {
        place = place === 'START' && char === '"' ? 'QUOTED' : 'PLAIN';
      }
      previous = char;
    }
    yield chunk;
  }
  if (place === 'QUOTED') throw brokenQuotes(rowNumber);
}

const brokenQuotes = (rowNumber: number) =>
  new Refusal(
    'BROKEN_QUOTES',
    `In row ${rowNumber} a cell opens a quotation mark and does not close it properly. ` +
      'Remove the mark, or save the sheet as CSV again, and upload the file.',
  );

const rowTooLong = (rowNumber: number) =>
  new Refusal(
    'ROW_TOO_LONG',
    `Row ${rowNumber} is longer than ${csvLimits.rowLength} characters; most often a quotation mark in it is never closed. ` +
      'Repair or shorten the row and upload the file again.',
  );

function checkHeader(header: string[]): string[] {
  if (header.some((name) => name.includes('\0'))) {
    throw new Refusal('NUL_CHARACTER', `The file is not plain text. ${saveAsCsv}`);
  }
  if (header.length > csvLimits.columns) {
    throw new Refusal('TOO_MANY_COLUMNS', `The file has more than ${csvLimits.columns} columns. Remove those that are not about contacts and upload it again.`);
  }
  if (header.some((name) => name.length > csvLimits.cellLength)) {
    throw new Refusal(
      'CELL_TOO_LONG',
      `A column name is longer than ${csvLimits.cellLength} characters. Put short column names in the first row and upload the file again.`,
    );
  }
  return header;
}

function findProblem(rowNumber: number, cells: string[], header: string[]): RowProblem | undefined {
  if (cells.slice(header.length).some((cell) => cell.trim() !== '')) {
    return {
      rowNumber,
      code: 'TOO_MANY_CELLS',
      message: 'The row has more cells than the header has columns. Put quotation marks around a cell that contains the separator.',
    };
  }
  const nul = cells.findIndex((cell) => cell.includes('\0'));
  if (nul >= 0) {
    const message = 'The cell contains a NUL character, which is not text. Type the cell again.';
    return { rowNumber, code: 'NUL_CHARACTER', column: header[nul], message };
  }
  const long = cells.findIndex((cell) => cell.length > csvLimits.cellLength);
  if (long >= 0) {
    const message = `The cell is longer than ${csvLimits.cellLength} characters. Shorten it.`;
    return { rowNumber, code: 'CELL_TOO_LONG', column: header[long], message };
  }
  return undefined;
}
