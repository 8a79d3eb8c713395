// What bad files come to, from the upload to the import: each is refused, or what is wrong is said row by row, soon, and the
// server answers everybody else meanwhile. That each is read as it should be is in readers.test.ts.
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { codeOf, csv, type Importer, importerAs, make } from './importing.ts';
import { askStanding, announce, put, putPart } from './uploading.ts';
import { patchZip, row, workbook } from './workbooks.ts';

const samples = new URL('fixtures/samples/hostile/', import.meta.url);
const sample = (name: string) => readFileSync(new URL(name, samples));

/** From when a file is read until it is refused, or its last row was. The machine may be busy with other tests. */
const soon = 2_000;
const patience = Number(process.env['PATIENCE'] ?? 5);

let world: World;
let staff: Importer;
beforeAll(async () => {
  world = await createWorld();
  staff = await importerAs(world, 'Staff');
  await make(staff.client, { firstName: 'Eve', email: 'eve@club.example' });
});
afterAll(() => world[Symbol.asyncDispose]());

/** Uploads a file and has it read, while others ask for contacts. @returns what was said of it: of the upload, of the file, or of its rows */
async function comesTo(content: string | Buffer, fileName = 'members.csv'): Promise<string | string[]> {
  const { path } = await announce(staff.client, { fileName });
  const sent = await put(world, path, content);
  if (sent.status !== 200) return `upload ${sent.code}`;
  const uploadId = (JSON.parse(sent.text) as { upload: { id: string } }).upload.id;
  const { startImport } = await staff.client.request(sdk.StartImportDocument, { input: { uploadId } });
  const id = startImport.import!.id;
  const since = performance.now();
  const reading = new AbortController();
  let answered = 0;
  const others = async () => {
    for (; !reading.signal.aborted; await wait(20)) answered += (await staff.client.request(sdk.ContactsDocument, {})).contacts.nodes.length;
  };
  const asking = others();
  await runJobs(world);
  const lasted = performance.now() - since;
  reading.abort();
  await asking;
  expect(lasted).toBeLessThan(soon * patience);
  expect(answered).toBeGreaterThan(0);
  const { state, failure } = await staff.read(id);
  if (state === 'FAILED') return `file ${failure!.code}`;
  const outcomes = await staff.outcomes(id);
  await staff.discard(id);
  return outcomes;
}

const many = (count: number, text: string) => Array.from({ length: count }, () => text).join(',');
const valid = () => workbook({ sheets: { S: row(1, 'Name', 'Email') + row(2, 'Ann', 'ann@example.org') } });
const sheet = 'xl/worksheets/sheet1.xml';

/** By what they are called: a sample by its file's name. */
const files: Record<string, [content: () => string | Buffer | Promise<Buffer>, fileName?: string]> = {
  ...Object.fromEntries(readdirSync(samples).map((name) => [name, [() => sample(name), name]])),
  'a valid workbook that bears the name of a text': [valid, 'members.csv'],
  'a picture that bears the name of a text': [() => Buffer.from('89504e470d0a1a0a0000000d49484452', 'hex'), 'members.csv'],
  'a PDF': [() => '%PDF-1.7\n%âãÏÓ', 'members.pdf'],
  'a program': [() => Buffer.concat([Buffer.from('\x7fELF\x02\x01\x01', 'latin1'), Buffer.alloc(100)]), 'members.csv'],
  'an archive of something else': [async () => Buffer.from((await valid()).toString('latin1').replaceAll('xl/workbook.xml', 'xl/workbooks.xm'), 'latin1')],
  'a truncated workbook': [async () => (await valid()).subarray(0, 900)],
  'a size that lies': [async () => patchZip(await valid(), sheet, ({ central }) => central.writeUInt32LE(central.readUInt32LE(24) + 7, 24))],
  'a size of four gigabytes': [async () => patchZip(await valid(), sheet, ({ central }) => central.writeUInt32LE(0xffff_fff0, 24))],
  'a bomb that says it is small': [
    async () => patchZip(await workbook({ sheets: { S: ' '.repeat(50_000_000) } }), sheet, ({ central }) => central.writeUInt32LE(10_000, 24)),
  ],
  'external entities': [
    () => workbook({ sheets: { S: '' }, parts: { [sheet]: '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet>&e;</worksheet>' } }),
  ],
  'a sheet whose only cell is the farthest': [() => workbook({ sheets: { S: '<row r="1048576"><c r="XFD1048576" t="str"><v>x</v></c></row>' } })],
  'no header': [() => csv('ann@example.org,1990-12-31,+1 415 555 0100', 'bob@example.org,1991-12-31,+1 415 555 0101')],
  'nothing but blanks': [() => csv('  ', '', ' ')],
  'a million columns': [() => csv(many(1_000_000, 'Name'), many(1_000_000, 'x'))],
  'a row of a million cells': [() => csv('Name,Email', many(1_000_000, 'x'), 'Ann,ann@example.org')],
  'a cell of a megabyte': [() => csv('Name,Email', `${'x'.repeat(1_048_576)},long@example.org`, 'Ann,ann@example.org')],
  'NULs among the text': [() => csv('Name,Email', 'A\0nn,nul@example.org', 'Ann,ann@example.org')],
  'unpaired surrogates': [() => Buffer.from(`\uFEFF${csv('Name,Email', 'A\ud800nn,half@example.org', 'Ann,ann@example.org')}`, 'utf16le')],
  'mixed encodings': [
    () =>
      Buffer.concat([
        Buffer.from(csv('Name,Email', ...Array.from({ length: 30 }, (_, index) => `Jörg,j${index}@example.org`))),
        Buffer.from('M\xfcller,m@example.org\n', 'latin1'),
      ]),
  ],
  'a quote that is never closed': [() => csv('Name,Email', '"Ann,ann@example.org', 'Bob,bob@example.org')],
  'names of what objects are made of': [() => csv('__proto__,constructor,toString,Email', 'a,b,c,p@example.org')],
  'what spreadsheets take for formulas': [() => csv('Name,Email', '"=HYPERLINK(""http://evil.example"")",f@example.org', '+1-1,g@example.org')],
  'SQL, markup and paths': [
    () => csv('Name,Email', `'; drop table contact; --,s@example.org`, '<script>alert(1)</script>,m@example.org', '../../etc/passwd,p@example.org'),
  ],
  'backslashes and what COPY ends with': [
    () => csv('Name,Email', '\\.,a@example.org', '\\N,b@example.org', 'x\\,c@example.org', '"a\tb\\n{}""",d@example.org'),
  ],
  'more tags than there can be': [
    () =>
      csv(
        'Name,Email,Tags',
        ...Array.from(
          { length: 60 },
          (_, index) => `N${index},t${index}@example.org,${Array.from({ length: index % 2 ? 39 : 41 }, (__, tag) => `t${index}-${tag}`).join(';')}`,
        ),
      ),
  ],
  'a card without an end': [() => 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ann\r\n', 'contacts.vcf'],
  'a web page': [() => '<!doctype html><html><table><tr><td>Name</td></tr></table></html>', 'members.xls'],
};

/** What each comes to: a refusal of the upload or of the file, or what becomes of its rows. */
const expected: Record<string, string | string[]> = {
  'bomb.xlsx': 'file WORKBOOK_TOO_LARGE',
  'broken-quotes.csv': 'file BROKEN_QUOTES',
  'empty.csv': 'upload EMPTY_FILE',
  'formula.csv': ['2 CREATED', '3 CREATED'],
  'header-only.csv': [],
  'lol.xlsx': 'file XML_ENTITIES',
  'long-line.csv': ['2 REFUSED CELL_TOO_LONG'],
  'not-a-workbook.xlsx': 'file NO_KNOWN_COLUMN',
  'nul-and-control.csv': ['2 REFUSED NUL_CHARACTER', '3 CREATED', '4 CREATED'],
  'proto.xlsx': 'file NO_KNOWN_COLUMN',
  'prototype.csv': ['2 CREATED'],
  'sparse.xlsx': 'file NO_KNOWN_COLUMN',
  'xxe.xlsx': 'file XML_ENTITIES',
  'a valid workbook that bears the name of a text': ['2 CREATED'],
  'a picture that bears the name of a text': 'upload UNSUPPORTED_FILE',
  'a PDF': 'upload UNSUPPORTED_FILE',
  'a program': 'upload UNSUPPORTED_FILE',
  'an archive of something else': 'file UNSUPPORTED_FILE',
  'a truncated workbook': 'file BROKEN_WORKBOOK',
  'a size that lies': 'file BROKEN_WORKBOOK',
  'a size of four gigabytes': 'file WORKBOOK_TOO_LARGE',
  'a bomb that says it is small': 'file BROKEN_WORKBOOK',
  'external entities': 'file XML_ENTITIES',
  'a sheet whose only cell is the farthest': 'file NO_HEADER',
  'no header': 'file NO_HEADER',
  'nothing but blanks': 'file EMPTY_FILE',
  'a million columns': 'file TOO_MANY_COLUMNS',
  'a row of a million cells': ['2 REFUSED TOO_MANY_CELLS', '3 CREATED'],
  'a cell of a megabyte': ['2 REFUSED CELL_TOO_LONG', '3 CREATED'],
  'NULs among the text': ['2 REFUSED NUL_CHARACTER', '3 CREATED'],
  'unpaired surrogates': ['2 REFUSED BROKEN_CHARACTER', '3 CREATED'],
  'mixed encodings': [...Array.from({ length: 30 }, (_, index) => `${index + 2} CREATED`), '32 REFUSED MIXED_ENCODING'],
  'a quote that is never closed': 'file BROKEN_QUOTES',
  'names of what objects are made of': ['2 CREATED'],
  'what spreadsheets take for formulas': ['2 CREATED', '3 CREATED'],
  'SQL, markup and paths': ['2 CREATED', '3 CREATED', '4 CREATED'],
  'backslashes and what COPY ends with': ['2 CREATED', '3 CREATED', '4 CREATED', '5 CREATED'],
  // 51 rows have the first two thousand.
  'more tags than there can be': [
    ...Array.from({ length: 50 }, (_, index) => `${index + 2} CREATED`),
    ...Array.from({ length: 10 }, (_, index) => `${index + 52} REFUSED TOO_MANY_TAGS`),
  ],
  'a card without an end': ['2 REFUSED BROKEN_CARD'],
  'a web page': 'upload UNSUPPORTED_FILE',
};

describe('a hostile file', () => {
  it.for(Object.entries(files))('%s', { timeout: 60_000 }, async ([name, [content, fileName]]) => {
    const said = await comesTo(await content(), fileName);
    expect([name, said]).toEqual([name, expected[name]]);
  });

  it('has left nothing behind: no contact, no copy, no process, no wait', async () => {
    expect(await liveIds(world)).toHaveLength(1);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
    expect(await codeOf(staff.check(csv('Name,Email', 'Ann,ann@example.org')))).toBe('CHECKED');
  });
});

describe('an upload that never ends', () => {
  it('can’t be imported, is told how far it has come, and goes on from there', async () => {
    const file = Buffer.from(csv('Name,Email', ...Array.from({ length: 20_000 }, (_, index) => `Member ${index},never${index}@example.org`)));
    const { id: uploadId, path } = await announce(staff.client, { fileName: 'never.csv', byteLength: file.length });
    const part = 256 * 1024;
    expect(await putPart(world, path, file, 0, part)).toMatchObject({ status: 308, here: part });
    const start = async () => (await staff.client.request(sdk.StartImportDocument, { input: { uploadId } })).startImport.userErrors.map(({ code }) => code);
    expect(await start()).toEqual(['UPLOAD_NOT_COMPLETE']);
    expect(await askStanding(world, path, file.length)).toMatchObject({ here: part });
    expect(await putPart(world, path, file, part, file.length)).toMatchObject({ status: 200 });
    expect(await start()).toEqual([]);
    await runJobs(world);
    const { id } = (await staff.client.request(sdk.ImportsDocument, { first: 1 })).imports.nodes[0]!;
    expect(await staff.read(id)).toMatchObject({ state: 'CHECKED', counts: { createdCount: 20_000 } });
  });
});
