// What is written for other programs: CSV, workbooks and vCards, read back by readers that are not ours.
import { execFile } from 'node:child_process';
import { parse } from 'csv-parse/sync';
import { SaxesParser } from 'saxes';
import { describe, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { csvLines, writeCsv } from '../src/exports/csv.ts';
import { defuse, undefuse } from '../src/exports/formulas.ts';
import type { Cells, SheetColumn } from '../src/exports/sheet.ts';
import { vCard } from '../src/exports/vcard.ts';
import { writeXlsx } from '../src/exports/xlsx.ts';
import { CsvRows } from '../src/imports/readers/csv-rows.ts';
import { sheetLimits } from '../src/imports/readers/limits.ts';
import { separators } from '../src/imports/sheet.ts';

async function* pagesOf(...pages: Cells[][]): AsyncGenerator<Cells[]> {
  yield* pages;
}

async function whole(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of pieces) all.push(piece);
  return Buffer.concat(all);
}

const dangerous = [
  '=1+1',
  '=HYPERLINK("http://x.example","y")',
  '+1+1',
  "-2+3+cmd|' /C calc'!A0",
  '@SUM(A1)',
  '\t=1',
  '\r=1',
  '\n=1',
  '＝1',
  '＋1',
  '－1',
  '＠x',
  ' =1',
  '\u200b=1',
];
const harmless = ['+4930123456', '+49 30 123', '+1 (415) 555-0100', '-12.5', '-12,50', '+7', 'a=b', "O'Neill", '', '1-2', '0049'];

describe('formulas', () => {
  test('what a spreadsheet would compute gets an apostrophe, numbers and phone numbers do not', () => {
    expect(dangerous.map(defuse)).toEqual(dangerous.map((text) => `'${text}`));
    expect(harmless.map(defuse)).toEqual(harmless);
    expect(['+1-415-555-0100', '-1+1', '+A1', '-'].map(defuse)).toEqual(["'+1-415-555-0100", "'-1+1", "'+A1", "'-"]);
  });

  test('every text comes back as it was, also one that looks as if it had been defused', () => {
    for (const text of [...dangerous, ...harmless, "'=1", "''=1", "'", "''", "'a", "'+49 30 123", "'-"]) expect(undefuse(defuse(text))).toBe(text);
  });
});

describe('CSV', () => {
  test('RFC 4180, with a mark at the beginning, and with another separator', async () => {
    const rows = [
      ['Ünal; "Ada"', null, 'two\r\nlines'],
      ['=1', '007', ','],
    ];
    for (const separator of [',', ';', '\t']) {
      const text = (await whole(writeCsv(['Name', 'No', 'x'], pagesOf(rows.slice(0, 1), [], rows.slice(1)), { separator }))).toString();
      expect(text.startsWith('\ufeffName')).toBe(true);
      expect(parse(text, { bom: true, delimiter: separator, record_delimiter: '\r\n' })).toEqual([
        ['Name', 'No', 'x'],
        ['Ünal; "Ada"', '', 'two\r\nlines'],
        ["'=1", '007', ','],
      ]);
    }
    expect(csvLines([['a', 'b,c']])).toBe('a,"b,c"\r\n');
  });

  /** As the reader of imports cuts it. */
  const cut = (text: string, separator: string) => {
    const rows = new CsvRows(separator, '"', sheetLimits);
    rows.add(text);
    rows.end();
    const found: string[][] = [];
    for (let row = rows.next(); row; row = rows.next()) found.push(row.cells);
    return found;
  };

  test('what ends a line or a cell for anybody is in quotation marks, so that no cell becomes a row of its own', async () => {
    const rows = [
      ['Bob', 'b@x.org', 'plain\n@SUM(1)\n=1+1'],
      ['returns\r=1+1', 'both\r\n=1', 'end\n'],
      ['tab\t=1', 'semi;=1', 'bar|=1'],
      ['comma,=1', 'mark"', '"all" of it'],
    ];
    const ends = ['\r\n', '\n', '\r'];
    for (const separator of separators) {
      const text = csvLines(rows, { separator });
      expect(cut(text, separator)).toEqual(rows);
      expect(parse(text, { delimiter: separator, record_delimiter: ends })).toEqual(rows);
      const file = (await whole(writeCsv(['A', 'B\nb', 'C'], pagesOf(rows), { separator }))).toString();
      expect(cut(file.slice(1), separator)).toEqual([['A', 'B\nb', 'C'], ...rows]);
    }
    expect(csvLines([['a\nb', 'a\rb', 'a\tb', 'a;b', 'a|b', 'a b']])).toBe('"a\nb","a\rb","a\tb","a;b","a|b",a b\r\n');
  });
});

interface Workbook {
  names: string[];
  /** Each cell by its place: its kind, its format, its text. */
  sheets: Map<string, { type: string | undefined; style: string; text: string }>[];
  parts: Map<string, string>;
}

const unescape = (text: string) => text.replace(/_x([0-9A-F]{4})_/g, (_, code: string) => String.fromCharCode(parseInt(code, 16)));

async function openWorkbook(bytes: Buffer): Promise<Workbook> {
  const parts = new Map<string, string>();
  const zip = await fromBufferPromise(bytes);
  for await (const entry of zip.eachEntry()) parts.set(entry.fileName, (await whole(await zip.openReadStreamPromise(entry))).toString());
  const names: string[] = [];
  read(parts.get('xl/workbook.xml')!, (tag, attributes) => tag === 'sheet' && names.push(attributes['name']!));
  const sheets = names.map((_, index) => {
    const cells: Workbook['sheets'][number] = new Map();
    let cell = { place: '', type: undefined as string | undefined, style: '', text: '' };
    read(
      parts.get(`xl/worksheets/sheet${index + 1}.xml`)!,
      (tag, attributes) => {
        if (tag === 'c') cell = { place: attributes['r']!, type: attributes['t'], style: attributes['s']!, text: '' };
      },
      (text) => (cell.text += text),
      (tag) => tag === 'c' && cells.set(cell.place, { type: cell.type, style: cell.style, text: unescape(cell.text) }),
    );
    return cells;
  });
  return { names, sheets, parts };
}

/** A strict parser: what is not well-formed throws. */
function read(
  xml: string,
  open: (tag: string, attributes: Record<string, string>) => unknown,
  text?: (text: string) => unknown,
  close?: (tag: string) => unknown,
) {
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => open(name, attributes as Record<string, string>));
  parser.on('text', (some) => text?.(some));
  parser.on('closetag', ({ name }) => close?.(name));
  parser.write(xml).close();
}

const columns: SheetColumn[] = [
  { header: 'Name', kind: 'TEXT' },
  { header: 'Born', kind: 'DATE' },
  { header: 'Changed (UTC)', kind: 'INSTANT' },
  { header: 'Balance EUR', kind: 'NUMBER', digits: 2 },
  { header: 'Points', kind: 'NUMBER' },
];

describe('XLSX', () => {
  test('texts stay texts, dates are dates, amounts are amounts, and nothing is a formula', async () => {
    const rows: Cells[] = [
      ['007', '1990-12-31', '2026-11-25T12:00:00.000Z', '-12.50', '0'],
      ['=1+1', '1899-01-01', null, '12345678901234567.89', '1e5'],
      ['a\r\nb\u0001 _x0041_ \ud800 <&>" ', null, null, '', '3'],
    ];
    const { names, sheets, parts } = await openWorkbook(await whole(writeXlsx(columns, pagesOf(rows), { name: 'Contacts' })));
    const cells = sheets[0]!;
    expect(names).toEqual(['Contacts']);
    expect([...parts.keys()][0]).toBe('_rels/.rels');
    expect([...parts.values()].join('')).not.toContain('<f>');
    expect(cells.get('A1')).toEqual({ type: 'inlineStr', style: '2', text: 'Name' });
    expect(cells.get('A2')).toEqual({ type: 'inlineStr', style: '1', text: '007' });
    // 1990-12-31 is day 33,238 of a spreadsheet.
    expect(cells.get('B2')).toEqual({ type: undefined, style: '3', text: '33238' });
    expect(cells.get('C2')).toEqual({ type: undefined, style: '4', text: '46351.5' });
    expect(cells.get('D2')).toEqual({ type: undefined, style: '6', text: '-12.50' });
    expect(cells.get('E2')).toEqual({ type: undefined, style: '0', text: '0' });
    // What a workbook could not keep exactly stays the text that it is.
    expect(cells.get('A3')).toMatchObject({ type: 'inlineStr', text: '=1+1' });
    expect(cells.get('B3')).toMatchObject({ type: 'inlineStr', text: '1899-01-01' });
    expect(cells.get('D3')).toMatchObject({ type: 'inlineStr', text: '12345678901234567.89' });
    expect(cells.get('E3')).toMatchObject({ type: 'inlineStr', text: '1e5' });
    expect(cells.get('A4')?.text).toBe('a\r\nb\u0001 _x0041_ \ud800 <&>" ');
    expect(cells.has('D4')).toBe(false);
    expect(parts.get('xl/worksheets/sheet1.xml')).toContain('<autoFilter ref="A1:E4"/>');
    expect(parts.get('xl/worksheets/sheet1.xml')).toContain('state="frozen"');
  });

  test('a full sheet is followed by another, each with the header; no row is lost at the seam', async () => {
    const rows = Array.from({ length: 10 }, (_, index): Cells => [`n${index}`]);
    const file = await whole(writeXlsx(columns, pagesOf(rows.slice(0, 7), rows.slice(7)), { name: 'Contacts', rowsOfSheet: 5 }));
    const { names, sheets } = await openWorkbook(file);
    expect(names).toEqual(['Contacts 1', 'Contacts 2', 'Contacts 3']);
    expect(sheets.map((cells) => [...cells].filter(([place]) => place.startsWith('A')).map(([, { text }]) => text))).toEqual([
      ['Name', 'n0', 'n1', 'n2', 'n3'],
      ['Name', 'n4', 'n5', 'n6', 'n7'],
      ['Name', 'n8', 'n9'],
    ]);
  });

  test('no rows make a workbook with its header', async () => {
    const { sheets } = await openWorkbook(await whole(writeXlsx(columns, pagesOf(), { name: 'Contacts' })));
    expect([...sheets[0]!.keys()]).toEqual(['A1', 'B1', 'C1', 'D1', 'E1']);
  });

  test('a cell that is too long says that it was cut', async () => {
    const { sheets } = await openWorkbook(await whole(writeXlsx(columns, pagesOf([['x'.repeat(40_000)], ['y'.repeat(32_767)]]), { name: 'Contacts' })));
    expect(sheets[0]!.get('A2')!.text).toMatch(/^x+ … \[Cut here: .*\]$/);
    expect(sheets[0]!.get('A2')!.text).toHaveLength(32_767);
    expect(sheets[0]!.get('A3')!.text).toBe('y'.repeat(32_767));
  });

  test('a source that fails fails the file, and a reader that leaves ends the source', async () => {
    async function* failing(): AsyncGenerator<Cells[]> {
      yield [['a']];
      throw new Error('The source failed.');
    }
    await expect(whole(writeXlsx(columns, failing(), { name: 'Contacts' }))).rejects.toThrow('The source failed.');
    let ended = false;
    async function* endless(): AsyncGenerator<Cells[]> {
      try {
        for (let row = 0; ; row++) yield [[`${row} ${Math.random()}`]];
      } finally {
        ended = true;
      }
    }
    const pieces = writeXlsx(columns, endless(), { name: 'Contacts' });
    for (let taken = 0; taken < 30; taken++) await pieces.next();
    await pieces.return(undefined);
    expect(ended).toBe(true);
  });
});

const unfold = (card: string) => card.replaceAll('\r\n ', '').split('\r\n');

describe('vCard', () => {
  const contact = {
    id: '01930000-0000-7000-8000-000000000001',
    name: 'Zoë Ünal; Ltd, \\ co',
    firstName: 'Zoë',
    lastName: 'Ünal;x',
    company: 'A, B',
    jobTitle: 'Chair',
    email: 'zoe@example.org',
    street: 'Main; Street 1',
    city: 'Köln',
    postalCode: '01067',
    country: 'DE',
    birthDate: '1990-12-31',
    contactPoints: [
      { kind: 'PHONE', label: 'Mobile', value: '+49 170 1' },
      { kind: 'PHONE', label: 'Summer house', value: '123' },
      { kind: 'WEBSITE', label: null, value: 'https://x.example/a%20b c\r\nEND:VCARD' },
      { kind: 'ADDRESS', label: 'Work', value: 'Far\nAway' },
    ],
    tags: ['a,b', 'c'],
    notes: ['line\r\nEND:VCARD\nline', '🙂'.repeat(60)],
    updatedAt: new Date('2026-11-25T17:38:00.123Z'),
  } as const;

  test('4.0', () => {
    const card = vCard(contact, '4.0');
    expect(unfold(card)).toEqual([
      'BEGIN:VCARD',
      'VERSION:4.0',
      'UID:urn:uuid:01930000-0000-7000-8000-000000000001',
      'FN:Zoë Ünal\\; Ltd\\, \\\\ co',
      'N:Ünal\\;x;Zoë;;;',
      'ORG:A\\, B',
      'TITLE:Chair',
      'EMAIL:zoe@example.org',
      'ADR:;;Main\\; Street 1;Köln;;01067;DE',
      'TEL;TYPE=cell:+49 170 1',
      'item1.TEL:123',
      'item1.X-ABLabel:Summer house',
      'URL:https://x.example/a%20b%20c%0D%0AEND:VCARD',
      'ADR;TYPE=work:;;Far\\nAway;;;;',
      'BDAY:19901231',
      'NOTE:line\\nEND:VCARD\\nline',
      `NOTE:${'🙂'.repeat(60)}`,
      'CATEGORIES:a\\,b,c',
      'REV:20261125T173800Z',
      'END:VCARD',
      '',
    ]);
    for (const line of card.split('\r\n')) {
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(75);
      expect(line.isWellFormed()).toBe(true);
    }
  });

  test('3.0', () => {
    expect(unfold(vCard(contact, '3.0'))).toEqual(
      expect.arrayContaining(['VERSION:3.0', 'TEL;TYPE=CELL:+49 170 1', 'BDAY:1990-12-31', 'REV:2026-11-25T17:38:00.123Z']),
    );
  });
});

test('flat memory: half a million rows pass with less than 60 MB in hand', async () => {
  const script = `
    const { writeXlsx } = await import('./src/exports/xlsx.ts');
    const { writeCsv } = await import('./src/exports/csv.ts');
    async function* pages() { for (let page = 0; page < 250; page++) yield Array.from({ length: 1000 }, (_, row) => [page + ' ' + row, '1990-12-31', null, '1.50', 'x'.repeat(50)]); }
    const columns = ['TEXT', 'DATE', 'INSTANT', 'NUMBER', 'TEXT'].map((kind) => ({ header: kind, kind }));
    let most = 0;
    gc();
    const before = process.memoryUsage().rss;
    for (const file of [writeXlsx(columns, pages(), { name: 'x' }), writeCsv(columns.map((c) => c.header), pages())])
      for await (const piece of file) most = Math.max(most, process.memoryUsage().rss);
    console.log(JSON.stringify(Math.round((most - before) / 1e6)));`;
  const printed = await new Promise<string>((resolve, reject) =>
    execFile(process.execPath, ['--import', 'tsx', '--expose-gc', '--max-semi-space-size=8', '--input-type=module', '-e', script], (error, stdout) =>
      error ? reject(error) : resolve(stdout),
    ),
  );
  expect(Number(printed)).toBeLessThan(60);
});
