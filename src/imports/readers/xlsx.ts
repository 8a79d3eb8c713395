// Rows out of a workbook (ECMA-376 and ISO/IEC 29500, transitional and strict). The sheet streams; of the rest only what
// a cell may need is kept: the texts that cells share, how styles show numbers, and where links lead.
import type { ReadOptions, SheetFacts, SheetRow } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';
import { dateCell, numberFormat, plainNumber, type ShowNumber } from './number-format.ts';
import { refusal } from './refuse.ts';
import {
  Batch,
  checkHeader,
  checkRow,
  emptyFile,
  findHeader,
  isBlank,
  isEmail,
  isSuspicious,
  noHeader,
  noHeaderRow,
  type OpenSheet,
  sampleSize,
  tooManyCells,
  tooManyColumns,
  tooManyRows,
} from './rows.ts';
import { SharedTexts } from './shared-texts.ts';
import { parseXml, readXml, type XmlAttributes } from './xml.ts';
import { broken, openZip, type Zip } from './zip.ts';

interface Relation {
  type: string;
  target: string;
  external: boolean;
}

interface Sheet {
  name: string;
  part: string;
  hidden: boolean;
}

interface Workbook {
  zip: Zip;
  texts: SharedTexts;
  /** By the number of the style. */
  styles: ShowNumber[];
  /** By the part of a sheet: mail addresses by row and column. */
  links: Map<string, Map<number, Map<number, string>>>;
  /** Some text must be looked at cell by cell. */
  isSuspicious: boolean;
}

/** A workbook may have more; those beyond are not looked at, but can be chosen. */
const sheetsLookedAt = 50;
const mostLinks = 100_000;
/** Those of Excel, which has them too. */
const longestFormat = 255;
const mostStyles = 65_536;
const mostSheets = 1_000;

/** Undefined when the archive is no workbook. */
export async function openXlsx(
  path: string,
  totalBytes: number,
  options: ReadOptions,
  limits: SheetLimits,
): Promise<(OpenSheet<SheetFacts> & { close(): void }) | undefined> {
  const zip = await openZip(path, limits);
  try {
    const root = await readRelations(zip, '');
    const part = [...root.values()].find(({ type }) => type === 'officeDocument')?.target ?? 'xl/workbook.xml';
    if (!zip.has(part) || !part.endsWith('.xml')) {
      zip.close();
      return undefined;
    }
    const { sheets, is1904, relations } = await readWorkbook(zip, part);
    const partOf = (type: string) => [...relations.values()].find((relation) => relation.type === type && zip.has(relation.target))?.target;
    const stylesPart = partOf('styles');
    const textsPart = partOf('sharedStrings');
    const workbook: Workbook = { zip, texts: new SharedTexts(), styles: [], links: new Map(), isSuspicious: false };
    if (stylesPart) workbook.styles = await readStyles(zip, stylesPart, is1904);
    if (textsPart) await readTexts(workbook, textsPart, limits);
    const { sheet, header, headerRow } = await chooseSheet(workbook, sheets, options, limits);
    return {
      facts: { format: 'XLSX', encoding: null, separator: null, quote: null, sheet: sheet.name, sheets: sheets.map(({ name }) => name), headerRow, header },
      totalBytes,
      bytesRead: zip.bytesRead,
      rows: contactRows(workbook, sheet, header, headerRow, limits),
      close: () => zip.close(),
    };
  } catch (error) {
    zip.close();
    throw error;
  }
}

async function* contactRows(workbook: Workbook, sheet: Sheet, header: string[], headerRow: number, limits: SheetLimits): AsyncGenerator<SheetRow[]> {
  const batch = new Batch();
  for await (const rows of sheetRows(workbook, sheet, limits)) {
    for (const row of rows) {
      if (row.rowNumber <= headerRow) continue;
      if (row.rowNumber > headerRow + limits.rows) throw tooManyRows(limits);
      batch.add(checkRow(row, header, limits, workbook.isSuspicious, true));
      if (batch.isFull) yield batch.take();
    }
  }
  if (!batch.isEmpty) yield batch.take();
}

/** The kind of a relation is the end of its type: the rest differs between strict and transitional. */
async function readRelations(zip: Zip, part: string): Promise<Map<string, Relation>> {
  const relations = new Map<string, Relation>();
  const [, folder, name] = /^(.*?)([^/]*)$/.exec(part) as unknown as [string, string, string];
  const rels = `${folder}_rels/${name}.rels`;
  if (!zip.has(rels)) return relations;
  await parseXml(zip.read(rels), {
    open(element, attributes) {
      if (element !== 'Relationship' || relations.size >= mostLinks) return;
      const [id, type, target] = ['Id', 'Type', 'Target'].map((name) => attributes.get(name) ?? '') as [string, string, string];
      const external = attributes.get('TargetMode') === 'External';
      relations.set(id, { type: type.slice(type.lastIndexOf('/') + 1), target: external ? target : resolvePart(folder, target), external });
    },
  });
  return relations;
}

function resolvePart(folder: string, target: string): string {
  const path: string[] = [];
  for (const step of (target.startsWith('/') ? target : folder + target).split('/')) {
    if (step === '..') path.pop();
    else if (step !== '' && step !== '.') path.push(step);
  }
  return path.join('/');
}

async function readWorkbook(zip: Zip, part: string): Promise<{ sheets: Sheet[]; is1904: boolean; relations: Map<string, Relation> }> {
  const relations = await readRelations(zip, part);
  const sheets: Sheet[] = [];
  let is1904 = false;
  await parseXml(zip.read(part), {
    open(element, attributes) {
      if (element === 'workbookPr') is1904 = isTrue(attributes.get('date1904'));
      if (element !== 'sheet') return;
      const relation = relations.get(attributes.relationId() ?? '');
      // A sheet may also be a chart.
      if (relation?.type !== 'worksheet' || relation.external || !zip.has(relation.target)) return;
      if (sheets.length >= mostSheets) throw broken(new Error('It has too many sheets.'));
      sheets.push({ name: (attributes.get('name') ?? '').slice(0, 255), part: relation.target, hidden: (attributes.get('state') ?? 'visible') !== 'visible' });
    },
  });
  return { sheets, is1904, relations };
}

const isTrue = (value: string | undefined) => value === '1' || value === 'true' || value === 'on';

async function readStyles(zip: Zip, part: string, is1904: boolean): Promise<ShowNumber[]> {
  const codes = new Map<number, string>();
  const styles: number[] = [];
  let inCellStyles = false;
  await parseXml(zip.read(part), {
    open(element, attributes) {
      if (codes.size > mostStyles || styles.length > mostStyles) throw broken(new Error('It has too many styles.'));
      if (element === 'numFmt') codes.set(Number(attributes.get('numFmtId')), (attributes.get('formatCode') ?? '').slice(0, longestFormat));
      else if (element === 'cellXfs') inCellStyles = true;
      else if (element === 'xf' && inCellStyles) styles.push(Number(attributes.get('numFmtId') ?? 0));
    },
    close(element) {
      if (element === 'cellXfs') inCellStyles = false;
    },
  });
  const formats = new Map([...new Set(styles)].map((id) => [id, numberFormat(id, codes.get(id), is1904)]));
  return styles.map((id) => formats.get(id)!);
}

async function readTexts(workbook: Workbook, part: string, limits: SheetLimits): Promise<void> {
  const { texts } = workbook;
  let text: string | undefined;
  let phonetic = false;
  let isText = false;
  await parseXml(workbook.zip.read(part), {
    source(source) {
      workbook.isSuspicious ||= isSuspicious(source) || source.includes('_x');
    },
    open(element) {
      if (element === 'si') text = '';
      else if (element === 'rPh') phonetic = true;
      else if (element === 't') isText = !phonetic;
    },
    text(piece) {
      if (isText && text !== undefined && text.length <= limits.cellLength) text += piece;
    },
    close(element) {
      if (element === 't') isText = false;
      else if (element === 'rPh') phonetic = false;
      else if (element === 'si') {
        const whole = unescapeText(text ?? '').slice(0, limits.cellLength + 1);
        workbook.isSuspicious ||= whole.length > limits.cellLength;
        texts.add(whole);
        text = undefined;
        if (texts.bytes > limits.sharedTextBytes) {
          throw refusal(
            'WORKBOOK_TOO_LARGE',
            'The workbook holds more text than can be read at once.',
            'Save the sheet with the contacts as CSV, and upload that.',
          );
        }
      }
    },
  });
}

/** Workbooks write characters that XML does not have as `_x000D_`. */
const unescapeText = (text: string) =>
  text.includes('_x') ? text.replace(/_x([\dA-F]{4})_/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))).replace(/\r\n?/g, '\n') : text;

/** Where links of mail addresses lead, by row and column. They stand behind the rows, so that they are read before. */
async function readMailLinks(workbook: Workbook, sheet: Sheet): Promise<Map<number, Map<number, string>>> {
  const known = workbook.links.get(sheet.part);
  if (known) return known;
  const links = new Map<number, Map<number, string>>();
  workbook.links.set(sheet.part, links);
  const relations = await readRelations(workbook.zip, sheet.part);
  const isMail = ({ type, external, target }: Relation) => type === 'hyperlink' && external && /^mailto:/i.test(target);
  if (![...relations.values()].some(isMail)) return links;
  await parseXml(workbook.zip.read(sheet.part), {
    open(element, attributes) {
      if (element !== 'hyperlink') return;
      const relation = relations.get(attributes.relationId() ?? '');
      const place = /^([A-Z]+)(\d+)/i.exec(attributes.get('ref') ?? '');
      if (!relation || !isMail(relation) || !place) return;
      const row = Number(place[2]);
      if (!links.has(row)) links.set(row, new Map());
      links.get(row)!.set(columnOf(place[1]!), mailAddress(relation.target));
    },
  });
  return links;
}

function mailAddress(link: string): string {
  const address = link.slice('mailto:'.length).split('?', 1)[0]!;
  try {
    return decodeURIComponent(address);
  } catch {
    return address;
  }
}

/** From 0; -1 when the reference begins with no column. */
function columnOf(reference: string): number {
  let column = 0;
  for (let index = 0; index < reference.length; index++) {
    const letter = reference.charCodeAt(index) & ~0x20;
    if (letter < 65 || letter > 90) break;
    column = column * 26 + letter - 64;
  }
  return column - 1;
}

/** The rows of a sheet that are not blank, a few at a time. */
async function* sheetRows(workbook: Workbook, sheet: Sheet, limits: SheetLimits): AsyncGenerator<SheetRow[]> {
  const { texts, styles } = workbook;
  const links = await readMailLinks(workbook, sheet);
  let rows: SheetRow[] = [];
  let rowNumber = 0;
  let cells: string[] = [];
  /** A cell beyond all columns that are taken. */
  let isWide = false;
  let column = -1;
  let type: string | undefined;
  let style = 0;
  let value = '';
  let isValue = false;
  let phonetic = false;

  const put = (text: string) => {
    if (text === '') return;
    if (text.length > limits.cellLength) workbook.isSuspicious = true;
    if (column >= limits.columns) {
      isWide ||= text.trim() !== '';
      return;
    }
    while (cells.length < column) cells.push('');
    cells[column] = text;
  };

  const endRow = () => {
    for (const [at, address] of links.get(rowNumber) ?? []) {
      if (at >= limits.columns || cells[at]?.trim()) continue;
      while (cells.length < at) cells.push('');
      cells[at] = address;
    }
    if (isWide) rows.push({ rowNumber, cells, problem: tooManyCells() });
    else if (cells.length && !isBlank(cells)) rows.push({ rowNumber, cells });
  };

  /** A cell as `<c r="B2" s="1" t="s"><v>3</v></c>`, which is how most writers write most of them. */
  const readCell = (text: string, start: number): number => {
    if (!text.startsWith('<c r="', start)) return -1;
    let at = start + 6;
    let char = text.charCodeAt(at);
    let letters = 0;
    for (; char >= 65 && char <= 90; char = text.charCodeAt(++at)) letters = letters * 26 + char - 64;
    while (isDigit(char)) char = text.charCodeAt(++at);
    if (letters === 0 || char !== quotationMark) return -1;
    at++;
    let style = 0;
    if (text.startsWith(' s="', at)) {
      at += 4;
      for (char = text.charCodeAt(at); isDigit(char); char = text.charCodeAt(++at)) style = style * 10 + char - 48;
      if (char !== quotationMark) return -1;
      at++;
    }
    const isShared = text.startsWith(' t="s"', at);
    if (isShared) at += 6;
    if (!text.startsWith('><v>', at)) return -1;
    at += 4;
    const from = at;
    while (isOfNumber(text.charCodeAt(at))) at++;
    if (at === from || !text.startsWith('</v></c>', at)) return -1;
    column = letters - 1;
    put(cellText(isShared ? 's' : undefined, text.slice(from, at), styles[style] ?? plainNumber, texts));
    return at + 8;
  };

  const handler = {
    quick: { parent: 'row', read: readCell },
    source(text: string) {
      workbook.isSuspicious ||= isSuspicious(text);
    },
    open(element: string, attributes: XmlAttributes) {
      if (element === 'c') {
        const reference = attributes.get('r');
        const at = reference === undefined ? -1 : columnOf(reference);
        column = at < 0 ? column + 1 : at;
        type = attributes.get('t');
        style = Number(attributes.get('s') ?? 0);
        value = '';
      } else if (element === 'v') {
        isValue = true;
      } else if (element === 't') {
        isValue = !phonetic;
      } else if (element === 'rPh') {
        phonetic = true;
      } else if (element === 'row') {
        const at = Number(attributes.get('r') ?? rowNumber + 1);
        if (!Number.isSafeInteger(at) || at <= rowNumber) throw broken(new Error('The rows of a sheet are out of order.'));
        rowNumber = at;
        cells = [];
        isWide = false;
        column = -1;
      }
    },
    text(text: string) {
      if (isValue && value.length <= limits.cellLength) value += text;
    },
    close(element: string) {
      if (element === 'c') put(cellText(type, value, styles[style] ?? plainNumber, texts));
      else if (element === 'v' || element === 't') isValue = false;
      else if (element === 'rPh') phonetic = false;
      else if (element === 'row') endRow();
    },
  };

  for await (const _ of readXml(workbook.zip.read(sheet.part), handler)) {
    if (rows.length === 0) continue;
    yield rows;
    rows = [];
  }
  if (rows.length) yield rows;
}

const quotationMark = 34;
const isDigit = (char: number) => char >= 48 && char <= 57;
/** Of `-1.5E+10`. */
const isOfNumber = (char: number) => isDigit(char) || char === 43 || char === 45 || char === 46 || char === 69 || char === 101;

function cellText(type: string | undefined, value: string, show: ShowNumber, texts: SharedTexts): string {
  switch (type) {
    case 's':
      return value === '' ? '' : (texts.get(Number(value)) ?? missingText());
    case 'inlineStr':
    case 'str':
      return unescapeText(value);
    case 'b':
      return value === '' ? '' : isTrue(value.trim()) ? 'TRUE' : 'FALSE';
    case 'd':
      return dateCell(value);
    case 'e':
      // `#N/A` and its like say that there is no value.
      return '';
    default:
      return value === '' ? '' : show(value);
  }
}

function missingText(): never {
  throw broken(new Error('A cell refers to a text that is not there.'));
}

interface Choice {
  sheet: Sheet;
  header: string[];
  headerRow: number;
}

/** The sheet that was asked for; else the one that looks most like a table of contacts. */
async function chooseSheet(workbook: Workbook, sheets: Sheet[], options: ReadOptions, limits: SheetLimits): Promise<Choice> {
  let candidates = [...sheets.filter(({ hidden }) => !hidden), ...sheets.filter(({ hidden }) => hidden)].slice(0, sheetsLookedAt);
  if (options.sheet != null) {
    candidates = sheets.filter(({ name }) => name === options.sheet).slice(0, 1);
    if (candidates.length === 0) throw refusal('NO_SUCH_SHEET', 'The workbook has no sheet of the name that was chosen.', 'Choose one of its sheets.');
  }
  let best: { sheet: Sheet; found: SheetRow; score: number } | undefined;
  let isEmpty = true;
  for (const sheet of candidates) {
    // A hidden sheet is taken only where no other has a table.
    if (sheet.hidden && best) break;
    const rows = await firstRows(workbook, sheet, options.headerRow, limits);
    if (rows.length) isEmpty = false;
    const found = options.headerRow ? rows.find(({ rowNumber }) => rowNumber === options.headerRow) : findHeader(rows, limits);
    if (!found) continue;
    const score = likeContacts(found.cells, rows.slice(rows.indexOf(found) + 1));
    if (!best || score > best.score) best = { sheet, found, score };
  }
  if (!best) throw isEmpty ? emptyFile() : options.headerRow ? noHeaderRow(options.headerRow) : noHeader();
  if (best.found.problem) throw tooManyColumns(limits);
  return { sheet: best.sheet, header: checkHeader(best.found.cells, limits), headerRow: best.found.rowNumber };
}

async function firstRows(workbook: Workbook, sheet: Sheet, headerRow: number | null | undefined, limits: SheetLimits): Promise<SheetRow[]> {
  const first: SheetRow[] = [];
  for await (const rows of sheetRows(workbook, sheet, limits)) {
    for (const row of rows) {
      if (headerRow ? row.rowNumber <= headerRow : first.length < sampleSize) first.push(row);
      else return first;
    }
  }
  return first;
}

const contactWords =
  /name|mail|phone|tel|mobil|cell|handy|address|adress|street|stra(?:ß|ss)e|city|ort$|ville|ciudad|zip|plz|post|birth|geburt|naiss|nacim|do[gğ]um|vorname|nom$|prenom|prénom|nombre|apellid|correo|courriel|soyad|^ad[iı]?$|member|mitglied|compan|firma|country|land$|pays|pa[ií]s|notes?$/i;

function likeContacts(header: readonly string[], rows: readonly SheetRow[]): number {
  const words = header.filter((name) => contactWords.test(name.trim())).length;
  const addresses = rows.filter(({ cells }) => cells.some(isEmail)).length;
  return words * 3 + (rows.length ? (addresses / rows.length) * 10 : 0) + rows.length / 10;
}
