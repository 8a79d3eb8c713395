// Rows out of a workbook: which of its sheets holds the contacts, and the rows of that.
import { brokenCharacter } from '../problems.ts';
import type { ReadOptions, SheetFacts, SheetRow } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';
import { refusal } from './refuse.ts';
import {
  Batch,
  checkHeader,
  checkRow,
  emptyFile,
  findHeader,
  looksLikeEmail,
  noHeader,
  noHeaderRow,
  type OpenSheet,
  sampleSize,
  tooManyColumns,
  tooManyRows,
} from './rows.ts';
import { SharedTexts } from './shared-texts.ts';
import { sheetRows } from './sheet-rows.ts';
import { readRelations, readStyles, readTexts, readWorkbook, type Sheet, type Workbook } from './workbook.ts';
import { openZip } from './zip.ts';

/** A workbook may have more; those beyond are not looked at, but can be chosen. */
const sheetsLookedAt = 50;

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
    if (stylesPart) await readStyles(workbook, stylesPart, is1904);
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
      batch.add(checkRow(row, header, limits, workbook.isSuspicious, brokenCharacter));
      if (batch.isFull) yield batch.take();
    }
  }
  if (!batch.isEmpty) yield batch.take();
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
      if (headerRow ? row.rowNumber > headerRow : first.length >= sampleSize) return first;
      // Those before it may be many.
      if (headerRow) first.length = 0;
      first.push(row);
    }
  }
  return first;
}

const contactWords =
  /name|mail|phone|tel|mobil|cell|handy|address|adress|street|stra(?:ß|ss)e|city|ort$|ville|ciudad|zip|plz|post|birth|geburt|naiss|nacim|do[gğ]um|vorname|nom$|prenom|prénom|nombre|apellid|correo|courriel|soyad|^ad[iı]?$|member|mitglied|compan|firma|country|land$|pays|pa[ií]s|notes?$/i;

function likeContacts(header: readonly string[], rows: readonly SheetRow[]): number {
  const words = header.filter((name) => contactWords.test(name.trim())).length;
  const addresses = rows.filter(({ cells }) => cells.some(looksLikeEmail)).length;
  return words * 3 + (rows.length ? (addresses / rows.length) * 10 : 0) + rows.length / 10;
}
