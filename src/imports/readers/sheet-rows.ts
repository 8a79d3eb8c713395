// The rows of a sheet of a workbook as they come: the sheet streams, and each cell becomes the text that it shows.
import type { SheetRow } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';
import { dateCell, plainNumber, type ShowNumber } from './number-format.ts';
import { isBlank, tooManyCells } from './rows.ts';
import { columnOf, isTrue, longestEscape, readMailLinks, type Sheet, unescapeText, watchSource, type Workbook } from './workbook.ts';
import { readXml, type XmlAttributes } from './xml.ts';
import { broken } from './zip.ts';

/** The rows of a sheet that are not blank, a few at a time. */
export async function* sheetRows(workbook: Workbook, sheet: Sheet, limits: SheetLimits): AsyncGenerator<SheetRow[]> {
  const { styles } = workbook;
  const links = await readMailLinks(workbook, sheet, limits);
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
      if (!limits.wholeRows || column >= everyColumn) return;
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
    put(cellText(isShared ? 's' : undefined, text.slice(from, at), styles[style] ?? plainNumber, workbook));
    return at + 8;
  };

  const handler = {
    quick: { parent: 'row', read: readCell },
    source: watchSource(workbook),
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
      if (isValue && value.length <= longestEscape * limits.cellLength) value += text;
    },
    close(element: string) {
      if (element === 'c') put(cellText(type, value, styles[style] ?? plainNumber, workbook));
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

/** Those of a spreadsheet. */
const everyColumn = 16_384;

const quotationMark = 34;
const isDigit = (char: number) => char >= 48 && char <= 57;
/** Of `-1.5E+10`. */
const isOfNumber = (char: number) => isDigit(char) || char === 43 || char === 45 || char === 46 || char === 69 || char === 101;

function cellText(type: string | undefined, value: string, show: ShowNumber, workbook: Workbook): string {
  switch (type) {
    case 's':
      return value === '' ? '' : (workbook.texts.get(Number(value)) ?? missingText());
    case 'inlineStr':
    case 'str':
      return unescapeText(workbook, value);
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
