// What of a workbook (ECMA-376 and ISO/IEC 29500, transitional and strict) a cell may need besides its sheet: the texts
// that cells share, how styles show numbers, and where links lead. Only that is kept.
import type { SheetLimits } from './limits.ts';
import { numberFormat, type ShowNumber } from './number-format.ts';
import { refusal } from './refuse.ts';
import { isSuspicious } from './rows.ts';
import type { SharedTexts } from './shared-texts.ts';
import { parseXml } from './xml.ts';
import { broken, type Zip } from './zip.ts';

interface Relation {
  type: string;
  target: string;
  external: boolean;
}

export interface Sheet {
  name: string;
  part: string;
  hidden: boolean;
}

export interface Workbook {
  zip: Zip;
  texts: SharedTexts;
  /** By the number of the style. */
  styles: ShowNumber[];
  /** By the part of a sheet: mail addresses by row and column. */
  links: Map<string, Map<number, Map<number, string>>>;
  /** Some text must be looked at cell by cell. */
  isSuspicious: boolean;
}

const mostLinks = 100_000;
/** Those of Excel, which has them too. */
const longestFormat = 255;
const mostStyles = 65_536;
const mostSheets = 1_000;

/** The kind of a relation is the end of its type: the rest differs between strict and transitional. */
export async function readRelations(zip: Zip, part: string): Promise<Map<string, Relation>> {
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

export async function readWorkbook(zip: Zip, part: string): Promise<{ sheets: Sheet[]; is1904: boolean; relations: Map<string, Relation> }> {
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

export const isTrue = (value: string | undefined) => value === '1' || value === 'true' || value === 'on';

export async function readStyles(workbook: Workbook, part: string, is1904: boolean): Promise<void> {
  const codes = new Map<number, string>();
  const styles: number[] = [];
  let inCellStyles = false;
  await parseXml(workbook.zip.read(part), {
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
  // What they write around digits is in the cells, too.
  workbook.isSuspicious ||= [...codes.values()].some(isSuspicious);
  const formats = new Map([...new Set(styles)].map((id) => [id, numberFormat(id, codes.get(id), is1904)]));
  workbook.styles = styles.map((id) => formats.get(id)!);
}

export async function readTexts(workbook: Workbook, part: string, limits: SheetLimits): Promise<void> {
  const { texts } = workbook;
  let text: string | undefined;
  let phonetic = false;
  let isText = false;
  await parseXml(workbook.zip.read(part), {
    source: watchSource(workbook),
    open(element) {
      if (element === 'si') text = '';
      else if (element === 'rPh') phonetic = true;
      else if (element === 't') isText = !phonetic;
    },
    text(piece) {
      if (isText && text !== undefined && text.length <= longestEscape * limits.cellLength) text += piece;
    },
    close(element) {
      if (element === 't') isText = false;
      else if (element === 'rPh') phonetic = false;
      else if (element === 'si') {
        const whole = unescapeText(workbook, text ?? '').slice(0, limits.cellLength + 1);
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

/** For the pieces of a part: whether a cell of it may hold what none may, as it is or written as `&#1;`. */
export function watchSource(workbook: Workbook): (piece: string) => void {
  let last = '';
  return (piece) => {
    // What is written so may be cut in two.
    workbook.isSuspicious ||= isSuspicious(piece) || piece.includes('&#') || (last === '&' && piece.startsWith('#'));
    last = piece.at(-1) ?? last;
  };
}

/** So many characters of a part may be one of the cell: `_x000D_` and a line feed after it. */
export const longestEscape = 8;

/** Workbooks write characters that XML does not have as `_x000D_`. */
export function unescapeText(workbook: Workbook, text: string): string {
  if (!text.includes('_x')) return text;
  const whole = text.replace(/_x([\dA-F]{4})_/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16))).replace(/\r\n?/g, '\n');
  workbook.isSuspicious ||= isSuspicious(whole);
  return whole;
}

/** Where links of mail addresses lead, by row and column. They stand behind the rows, so that they are read before. */
export async function readMailLinks(workbook: Workbook, sheet: Sheet, limits: SheetLimits): Promise<Map<number, Map<number, string>>> {
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
      const address = mailAddress(relation.target);
      workbook.isSuspicious ||= isSuspicious(address) || address.length > limits.cellLength;
      links.get(row)!.set(columnOf(place[1]!), address);
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
export function columnOf(reference: string): number {
  let column = 0;
  for (let index = 0; index < reference.length; index++) {
    const letter = reference.charCodeAt(index) & ~0x20;
    if (letter < 65 || letter > 90) break;
    column = column * 26 + letter - 64;
  }
  return column - 1;
}
