// Rows as an Excel workbook (ECMA-376), written as they come: memory stays at a page of rows, whatever the file. Texts are
// texts, so leading zeros stay and nothing is ever computed.
import { Readable } from 'node:stream';
import { ZipFile } from 'yazl';
import type { Cells, SheetColumn } from './sheet.ts';

/** What a workbook can hold. */
const mostRows = 1_048_576;
const longestCell = 32_767;

/** The end of a cell that could not be kept whole: nothing is cut without a word. */
const cutHere = ' … [Cut here: a cell of a workbook holds 32,767 characters. A CSV file has all of it.]';

const head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n';
const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const relations = 'http://schemas.openxmlformats.org/package/2006/relationships';
const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';
const types = 'application/vnd.openxmlformats-officedocument.spreadsheetml';
/** The media type of a workbook. */
export const xlsxType = `${types}.sheet`;

export interface XlsxOptions {
  /** The name of the sheet; of several, they are numbered. */
  name: string;
  /** When a sheet is full and the next one begins. Less than what a workbook can hold only in tests. */
  rowsOfSheet?: number;
}

/** A workbook with a header in bold that stays in sight, a filter on it, and as many sheets as the rows fill. */
export async function* writeXlsx(
  columns: readonly SheetColumn[],
  pages: AsyncIterable<readonly Cells[]>,
  { name, rowsOfSheet = mostRows }: XlsxOptions,
): AsyncGenerator<Buffer> {
  const zip = new ZipFile();
  const add = (path: string, xml: string) => zip.addBuffer(Buffer.from(head + xml), path);
  const rows = new Pages(pages);
  let sheets = 0;
  let open: Readable | undefined;

  const addSheet = (): void => {
    sheets++;
    open = Readable.from(sheet(sheets), { objectMode: false });
    open.on('error', (error) => zip.outputStream.destroy(error));
    zip.addReadStream(open, `xl/worksheets/sheet${sheets}.xml`, { compressionLevel: 3 });
  };
  async function* sheet(number: number): AsyncGenerator<Buffer> {
    yield Buffer.from(head + sheetHead(columns, number === 1));
    let row = 1;
    while (row < rowsOfSheet && (await rows.more())) {
      const some = rows.take(rowsOfSheet - row);
      yield Buffer.from(some.map((cells, index) => rowOf(columns, cells, row + index + 1)).join(''));
      row += some.length;
    }
    yield Buffer.from(`</sheetData><autoFilter ref="A1:${columnName(columns.length - 1)}${row}"/></worksheet>`);
    if (await rows.more()) return addSheet();
    add('xl/workbook.xml', workbook(name, sheets));
    add('xl/_rels/workbook.xml.rels', workbookRelations(sheets));
    add('[Content_Types].xml', contentTypes(sheets));
    zip.end();
  }

  // First, because that is how programs that look at the content know a workbook.
  add('_rels/.rels', `<Relationships xmlns="${relations}"><Relationship Id="rId1" Type="${office}/officeDocument" Target="xl/workbook.xml"/></Relationships>`);
  add('xl/styles.xml', styles);
  addSheet();
  zip.on('error', (error: Error) => zip.outputStream.destroy(error));
  try {
    yield* zip.outputStream as AsyncIterable<Buffer>;
  } finally {
    open?.destroy();
    await rows.close();
  }
}

/** Rows out of pages, as many at a time as there is room for. */
class Pages {
  readonly #pages: AsyncIterator<readonly Cells[]>;
  #page: readonly Cells[] = [];
  #ended = false;

  constructor(pages: AsyncIterable<readonly Cells[]>) {
    this.#pages = pages[Symbol.asyncIterator]();
  }

  /** Whether there is a row left. */
  async more(): Promise<boolean> {
    while (this.#page.length === 0 && !this.#ended) {
      const next = await this.#pages.next();
      if (next.done) this.#ended = true;
      else this.#page = next.value;
    }
    return this.#page.length > 0;
  }

  /** Of the page in hand, up to `most` rows. */
  take(most: number): readonly Cells[] {
    const taken = this.#page.slice(0, most);
    this.#page = this.#page.slice(most);
    return taken;
  }

  async close(): Promise<void> {
    if (!this.#ended) await this.#pages.return?.();
    this.#ended = true;
  }
}

/** The numbers of the cell formats in `styles`. */
const style = { TEXT: 1, HEADER: 2, DATE: 3, INSTANT: 4, NUMBER: 0 } as const;
/** Of amounts: by the digits behind the point. */
const amountStyle = [5, 0, 6, 7] as const;

const format = (number: number, rest = '') => `<xf numFmtId="${number}" fontId="0" fillId="0" borderId="0" xfId="0" applyNumberFormat="1"${rest}/>`;
const styles =
  `<styleSheet xmlns="${main}"><numFmts count="3"><numFmt numFmtId="164" formatCode="yyyy\\-mm\\-dd"/>` +
  `<numFmt numFmtId="165" formatCode="yyyy\\-mm\\-dd\\ hh:mm:ss"/><numFmt numFmtId="166" formatCode="#,##0.000"/></numFmts>` +
  `<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font><font><b/><sz val="11"/><name val="Calibri"/></font></fonts>` +
  `<fills count="2"><fill><patternFill patternType="none"/></fill><fill><patternFill patternType="gray125"/></fill></fills>` +
  `<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>` +
  `<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>` +
  `<cellXfs count="8">${format(0)}${format(49)}${format(49).replace('fontId="0"', 'fontId="1" applyFont="1"')}${format(164)}${format(165)}${format(3)}${format(4)}${format(166)}</cellXfs>` +
  `<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>`;

function sheetHead(columns: readonly SheetColumn[], first: boolean): string {
  const widths = columns.map(({ header, kind }, index) => {
    const width = Math.min(Math.max(header.length + 4, kind === 'TEXT' ? 18 : kind === 'INSTANT' ? 20 : 12), 60);
    return `<col min="${index + 1}" max="${index + 1}" width="${width}" customWidth="1"/>`;
  });
  const header = columns.map((column, index) => textCell(`${columnName(index)}1`, style.HEADER, column.header));
  return (
    `<worksheet xmlns="${main}"><sheetViews><sheetView${first ? ' tabSelected="1"' : ''} workbookViewId="0">` +
    `<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/></sheetView></sheetViews>` +
    `<cols>${widths.join('')}</cols><sheetData><row r="1">${header.join('')}</row>`
  );
}

/** A cell that has no column: of a row that was refused for having it. */
const beyond: SheetColumn = { header: '', kind: 'TEXT' };

function rowOf(columns: readonly SheetColumn[], cells: Cells, row: number): string {
  let xml = `<row r="${row}">`;
  for (let index = 0; index < cells.length; index++) {
    const text = cells[index];
    if (text != null && text !== '') xml += cellOf(`${columnName(index)}${row}`, columns[index] ?? beyond, text);
  }
  return `${xml}</row>`;
}

function cellOf(place: string, { kind, digits }: SheetColumn, text: string): string {
  const value = kind === 'TEXT' ? undefined : kind === 'NUMBER' ? exact(text) : serial(kind, text);
  if (value === undefined) return textCell(place, style.TEXT, text);
  const number = kind === 'NUMBER' && digits !== undefined ? (amountStyle[digits] ?? style.NUMBER) : style[kind];
  return `<c r="${place}" s="${number}"><v>${value}</v></c>`;
}

/** A number that a workbook keeps exactly, which are those of up to 15 digits; another one stays text. */
const exact = (text: string): string | undefined => (/^-?\d+(?:\.\d+)?$/.test(text) && text.replace(/^-?0*|\./g, '').length <= 15 ? text : undefined);

const day = 86_400_000;

/** Days since the end of 1899. Before March 1900 programs count differently, so such a date stays text. */
function serial(kind: 'DATE' | 'INSTANT', text: string): number | undefined {
  const time = Date.parse(kind === 'DATE' ? `${text}T00:00:00Z` : text);
  const days = (time - Date.UTC(1899, 11, 30)) / day;
  return days >= 61 && days < 2_958_466 ? days : undefined;
}

function textCell(place: string, format: number, text: string): string {
  const escaped = escapeText(text.length > longestCell ? text.slice(0, longestCell - cutHere.length).toWellFormed() + cutHere : text);
  return `<c r="${place}" s="${format}" t="inlineStr"><is><t${/^\s|\s$|\n/.test(escaped) ? ' xml:space="preserve"' : ''}>${escaped}</t></is></c>`;
}

// What XML can’t hold, halves of characters among it, and what would be read as an escape.
// oxlint-disable-next-line no-control-regex -- XML can’t hold them
const special = /[&<>"\u0000-\u0008\u000b-\u001f\ufffe\uffff]|_(?=x[0-9a-f]{4}_)|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/gi;
const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

const escapeText = (text: string): string =>
  text.replace(special, (found) => entities[found] ?? `_x${found.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}_`);

const names: string[] = [];

/** A, B, …, Z, AA, … */
function columnName(index: number): string {
  return (names[index] ??= (index >= 26 ? columnName(Math.floor(index / 26) - 1) : '') + String.fromCharCode(65 + (index % 26)));
}

const each = (sheets: number, text: (number: number) => string): string => Array.from({ length: sheets }, (_, index) => text(index + 1)).join('');

const workbook = (name: string, sheets: number): string =>
  `<workbook xmlns="${main}" xmlns:r="${office}"><sheets>${each(
    sheets,
    (number) => `<sheet name="${escapeText(sheets > 1 ? `${name} ${number}` : name)}" sheetId="${number}" r:id="rId${number}"/>`,
  )}</sheets></workbook>`;

const workbookRelations = (sheets: number): string =>
  `<Relationships xmlns="${relations}">${each(
    sheets,
    (number) => `<Relationship Id="rId${number}" Type="${office}/worksheet" Target="worksheets/sheet${number}.xml"/>`,
  )}<Relationship Id="rId${sheets + 1}" Type="${office}/styles" Target="styles.xml"/></Relationships>`;

const contentTypes = (sheets: number): string =>
  `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">` +
  `<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>` +
  `<Override PartName="/xl/workbook.xml" ContentType="${types}.sheet.main+xml"/><Override PartName="/xl/styles.xml" ContentType="${types}.styles+xml"/>` +
  `${each(sheets, (number) => `<Override PartName="/xl/worksheets/sheet${number}.xml" ContentType="${types}.worksheet+xml"/>`)}</Types>`;
