// Measures how fast contact files are read in the process that reads them, against a bare csv-parse stream in this one,
// and what that process takes of memory. Argument: how many rows (100,000; a sheet has 1,048,576).
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { ZipFile } from 'yazl';
import { readInChild } from '../src/imports/readers/reader.ts';
import { seconds } from './bench.ts';

const count = Number(process.argv[2] ?? 100_000);
const rounds = 5;

const header = 'Member No,First Name,Last Name,Email,Mobile,Company,Job Title,Street,City,Postal Code,Country,Birth Date,Plan,Tags,Notes'.split(',');
/** Days since 1899-12-30. */
const birthDay = (index: number) => 20_000 + (index % 20_000);

function cellsOf(index: number): string[] {
  const birthDate = new Date((birthDay(index) - 25_569) * 86_400_000).toISOString().slice(0, 10);
  return [
    String(index).padStart(7, '0'),
    `First${index % 977}`,
    `Lást${index % 3001}`,
    `member${index}@example.org`,
    `+1 415 555 ${String(index % 10_000).padStart(4, '0')}`,
    index % 3 ? '' : `Roob, Rath and Co ${index % 100}`,
    'Engineer',
    `${index % 999} Main Street`,
    'Springfield',
    String(10_000 + (index % 89_999)),
    'United States',
    birthDate,
    'Adult',
    'rower, cox',
    `A note with a few words ${index}`,
  ];
}

/** In pieces that are not too small. */
function* pieces(all: Iterable<string>): Generator<string> {
  let piece = '';
  for (const text of all) {
    piece += text;
    if (piece.length < 65_536) continue;
    yield piece;
    piece = '';
  }
  yield piece;
}

function* csvText(): Generator<string> {
  yield `${header.join(',')}\r\n`;
  for (let index = 0; index < count - 1; index++)
    yield `${cellsOf(index)
      .map((cell) => (cell.includes(',') ? `"${cell}"` : cell))
      .join(',')}\r\n`;
}

const main = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
const office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

/** As spreadsheets write them: texts are shared, dates and postal codes are numbers. */
async function writeWorkbook(path: string): Promise<void> {
  const texts = new Map<string, number>();
  const cell = (text: string, column: number, row: number) => {
    const reference = `${String.fromCharCode(65 + column)}${row}`;
    if (text === '') return '';
    if (column === 9 && row > 1) return `<c r="${reference}"><v>${text}</v></c>`;
    if (column === 11 && row > 1) return `<c r="${reference}" s="1"><v>${birthDay(row - 2)}</v></c>`;
    if (!texts.has(text)) texts.set(text, texts.size);
    return `<c r="${reference}" t="s"><v>${texts.get(text)}</v></c>`;
  };
  function* sheet(): Generator<string> {
    yield `<worksheet xmlns="${main}"><sheetData>`;
    for (let row = 1; row <= count; row++) {
      yield `<row r="${row}" spans="1:15">${(row === 1 ? header : cellsOf(row - 2)).map((text, column) => cell(text, column, row)).join('')}</row>`;
    }
    yield '</sheetData></worksheet>';
  }
  function* sharedTexts(): Generator<string> {
    yield `<sst xmlns="${main}">`;
    for (const text of texts.keys()) yield `<si><t>${text}</t></si>`;
    yield '</sst>';
  }
  const relations = (...all: [type: string, target: string][]) =>
    `<Relationships>${all.map(([type, target], index) => `<Relationship Id="rId${index}" Type="${office}/${type}" Target="${target}"/>`).join('')}</Relationships>`;
  const zip = new ZipFile();
  const parts: [name: string, content: Iterable<string>][] = [
    ['_rels/.rels', [relations(['officeDocument', 'xl/workbook.xml'])]],
    ['xl/workbook.xml', [`<workbook xmlns="${main}" xmlns:r="${office}"><sheets><sheet name="Members" sheetId="1" r:id="rId0"/></sheets></workbook>`]],
    ['xl/_rels/workbook.xml.rels', [relations(['worksheet', 'worksheets/sheet1.xml'], ['styles', 'styles.xml'], ['sharedStrings', 'sharedStrings.xml'])]],
    ['xl/styles.xml', [`<styleSheet xmlns="${main}"><cellXfs><xf numFmtId="0"/><xf numFmtId="14"/></cellXfs></styleSheet>`]],
    ['xl/worksheets/sheet1.xml', sheet()],
    ['xl/sharedStrings.xml', sharedTexts()],
  ];
  for (const [name, content] of parts) zip.addReadStream(Readable.from(pieces(content)), name);
  zip.end();
  await pipeline(zip.outputStream, createWriteStream(path));
}

let peakMb = 0;

async function readAll(path: string): Promise<void> {
  await using reading = await readInChild({ path, mode: 'rows' });
  let rows = 0;
  for await (const batch of reading.batches) {
    rows += batch.rows;
    // Once in a while, and at the end.
    if (rows % 50_000 !== 0 && rows !== count - 1) continue;
    const status = await readFile(`/proc/${reading.pid}/status`, 'utf8').catch(() => '');
    peakMb = Math.max(peakMb, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024);
  }
  if (rows !== count - 1) throw new Error(`${rows} rows of ${count - 1} were read.`);
}

async function parseAll(path: string): Promise<void> {
  let rows = 0;
  for await (const _ of createReadStream(path).pipe(parse())) rows++;
  if (rows !== count) throw new Error(`${rows} rows of ${count} were parsed.`);
}

const folder = await mkdtemp(join(tmpdir(), 'reinstate-bench-'));
try {
  const [csv, xlsx] = [join(folder, 'members.csv'), join(folder, 'members.xlsx')];
  await pipeline(Readable.from(pieces(csvText())), createWriteStream(csv));
  await writeWorkbook(xlsx);
  const times = { bare: [] as number[], csv: [] as number[], xlsx: [] as number[] };
  const peaks = { csv: 0, xlsx: 0 };
  // In turns, so that whoever else uses the machine disturbs all of them.
  for (let round = 0; round < rounds; round++) {
    times.bare.push(await seconds(() => parseAll(csv)));
    for (const [kind, path] of [['csv', csv] as const, ['xlsx', xlsx] as const]) {
      peakMb = 0;
      times[kind].push(await seconds(() => readAll(path)));
      peaks[kind] = Math.max(peaks[kind], peakMb);
    }
  }
  const rate = (some: number[]) => count / some.toSorted((a, b) => a - b)[some.length >> 1]!;
  const [bare, csvRate, xlsxRate] = [rate(times.bare), rate(times.csv), rate(times.xlsx)];
  const line = (name: string, rate: number, more: string) => console.log(`${name}: ${Math.round(rate).toLocaleString('en')} rows/s; ${more}`);
  line('csv-parse alone', bare, 'ratio 1.00');
  line('CSV in its process', csvRate, `ratio ${(csvRate / bare).toFixed(2)}; at most ${Math.round(peaks.csv)} MB`);
  line(
    'XLSX in its process',
    xlsxRate,
    `ratio ${(xlsxRate / bare).toFixed(2)}, of the CSV ${(xlsxRate / csvRate).toFixed(2)}; at most ${Math.round(peaks.xlsx)} MB`,
  );
} finally {
  await rm(folder, { recursive: true, force: true });
}
