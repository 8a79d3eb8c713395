// Workbooks made for tests, part by part, so that they can also be what no spreadsheet would write.
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

export interface WorkbookParts {
  /** What is within `sheetData`, or with `<sheetData>` all of the sheet, by the name of the sheet. */
  sheets: Record<string, string>;
  /** What is within the `sst`. */
  strings?: string;
  /** What is within the `styleSheet`. */
  styles?: string;
  /** What is before the sheets in the workbook. */
  properties?: string;
  /** The states of the sheets, by name. */
  states?: Record<string, string>;
  /** More parts, or others in the place of those that are made. */
  parts?: Record<string, string | Buffer>;
}

export function workbook({ sheets, strings, styles, properties = '', states = {}, parts = {} }: WorkbookParts): Promise<Buffer> {
  const names = Object.keys(sheets);
  const relation = (id: string, type: string, target: string) => `<Relationship Id="${id}" Type="${office}/${type}" Target="${target}"/>`;
  const relations = (...all: string[]) => `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${all.join('')}</Relationships>`;
  const all: Record<string, string | Buffer> = {
    '_rels/.rels': relations(relation('rId1', 'officeDocument', 'xl/workbook.xml')),
    'xl/workbook.xml':
      `<?xml version="1.0"?><workbook xmlns="${main}" xmlns:r="${office}">${properties}<sheets>` +
      names.map((name, index) => `<sheet name="${name}" sheetId="${index + 1}" state="${states[name] ?? 'visible'}" r:id="rId${index + 1}"/>`).join('') +
      '</sheets></workbook>',
    'xl/_rels/workbook.xml.rels': relations(
      ...names.map((_, index) => relation(`rId${index + 1}`, 'worksheet', `worksheets/sheet${index + 1}.xml`)),
      relation('rIdT', 'sharedStrings', 'sharedStrings.xml'),
      relation('rIdS', 'styles', '/xl/styles.xml'),
    ),
    ...Object.fromEntries(
      names.map((name, index) => [
        `xl/worksheets/sheet${index + 1}.xml`,
        `<worksheet xmlns="${main}" xmlns:r="${office}">${sheets[name]!.includes('sheetData') ? sheets[name] : `<sheetData>${sheets[name]}</sheetData>`}</worksheet>`,
      ]),
    ),
    ...(strings === undefined ? {} : { 'xl/sharedStrings.xml': `<sst xmlns="${main}">${strings}</sst>` }),
    ...(styles === undefined ? {} : { 'xl/styles.xml': `<styleSheet xmlns="${main}">${styles}</styleSheet>` }),
    ...parts,
  };
  return zipOf(Object.entries(all));
}

export function zipOf(parts: readonly (readonly [name: string, content: string | Buffer])[]): Promise<Buffer> {
  const zip = new ZipFile();
  for (const [name, content] of parts) zip.addBuffer(Buffer.from(content as string), name);
  zip.end();
  return buffer(zip.outputStream);
}

/** A row of texts that stand in the cells themselves; numbers are numbers. */
export const row = (number: number, ...cells: (string | number)[]) =>
  `<row r="${number}">${cells.map((cell) => (typeof cell === 'number' ? `<c><v>${cell}</v></c>` : `<c t="inlineStr"><is><t>${cell}</t></is></c>`)).join('')}</row>`;

/** Overwrites a field in the headers of a part of a ZIP archive, in its own and in that of the directory. */
export function patchZip(zip: Buffer, name: string, change: (header: { local: Buffer; central: Buffer }) => void): Buffer {
  const copy = Buffer.from(zip);
  const local = copy.indexOf(name) - 30;
  const central = copy.lastIndexOf(name) - 46;
  change({ local: copy.subarray(local), central: copy.subarray(central) });
  return copy;
}
