// What an import gives as files: what becomes of every row, and the refused rows as they stood in the file. Read back by the
// reader of imports, and by one that is not ours.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parse } from 'csv-parse/sync';
import { afterAll, describe, expect, test } from 'vitest';
import type { Client } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { listImportRows } from '../src/domain/import-rows.ts';
import { sheetLimits } from '../src/imports/readers/limits.ts';
import { openSheet } from '../src/imports/readers/open-sheet.ts';
import type { SheetFacts, SheetRow } from '../src/imports/sheet.ts';
import { decodeId } from '../src/schema/common.ts';
import { sql } from '../src/sql.ts';
import { hireWith } from './custom-roles.ts';
import { runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { csv, Importer, importerAs } from './importing.ts';
import { filesOf } from './stores.ts';
import { row, workbook } from './workbooks.ts';

const folder = await mkdtemp(join(tmpdir(), 'reinstate-import-files-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

let files = 0;

/** A file as the reader of imports has it, with all that stands in its rows. */
async function read(content: string | Buffer): Promise<{ facts: SheetFacts; rows: SheetRow[] }> {
  const path = join(folder, `file-${++files}`);
  await writeFile(path, content);
  const { facts, rows: batches } = await openSheet(path, {}, { ...sheetLimits, wholeRows: true });
  const rows: SheetRow[] = [];
  for await (const batch of batches) rows.push(...batch);
  return { facts, rows };
}

async function link(client: Client, id: string, file: sdk.ImportFile) {
  return (await client.request(sdk.CreateImportFileLinkDocument, { input: { id, file } })).createImportFileLink;
}

async function fetchFile({ world, client }: Importer, id: string, file: sdk.ImportFile): Promise<Response> {
  const { path, userErrors } = await link(client, id, file);
  expect(userErrors).toEqual([]);
  return fetch(new URL(path!, world.url));
}

/** The refused rows of what is imported. */
async function refusedOf(importer: Importer, content: string | Buffer): Promise<Buffer> {
  const { id } = await importer.check(content);
  const response = await fetchFile(importer, id, 'REFUSED_ROWS');
  const bytes = Buffer.from(await response.arrayBuffer());
  expect(await filesOf(`${importer.world.app.config.DATA_DIRECTORY}/copies`)).toEqual([]);
  return bytes;
}

const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code,
];

const actionsOf = async (world: World) =>
  (await world.owner.query<{ action: string }>(`select action from action_log where action like '%ile%' order by occurred_at`)).rows.map(
    ({ action }) => action,
  );

describe('the rows of an import', () => {
  test('are read a page at a time without going through all that the import has, however new it is to the database', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id } = await admin.check(csv('First name', ...Array.from({ length: 3_000 }, (_, place) => `Ann ${place}`)));
    const looked = await world.app.database.transact(world.organizationId(), async (tx) => {
      expect(await listImportRows(tx, decodeId('Import', id), 100, 2_000, {})).toHaveLength(100);
      return tx.row<{ drafts: number }>(sql`
        select (coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0))::int as drafts from pg_stat_xact_user_tables where relname = 'import_draft'`);
    });
    expect(looked!.drafts).toBeGreaterThanOrEqual(100);
    expect(looked!.drafts).toBeLessThan(3_000);
  });
});

describe('the report', () => {
  const rows = csv('First name,Email,Birth date', 'New,new@club.example,', 'Bad,nope,1990-02-31', 'Again,NEW@club.example,', ',,1990-01-01');

  test('has a line for each row and each of its reasons, and nothing that the rows say', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id } = await admin.check(rows);
    const reportOf = async () => {
      const response = await fetchFile(admin, id, 'REPORT');
      expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
      expect(response.headers.get('content-disposition')).toBe('attachment; filename="import-report.csv"');
      const text = await response.text();
      expect(text).not.toMatch(/club\.example|nope|1990-0/);
      return parse(text, { bom: true, columns: true }) as Record<string, string>[];
    };
    const report = await reportOf();
    expect(Object.keys(report[0]!)).toEqual([
      'Row',
      'Outcome',
      'Reason code',
      'Column',
      'Reason',
      'Same by',
      'Same as row',
      'Contact',
      'Deleted contact',
      'Deletion',
      'Undo',
    ]);
    const inShort = (lines: typeof report) =>
      lines.map((line) => [line['Row'], line['Outcome'], line['Reason code'], line['Column'], line['Same by'], line['Same as row']].filter(Boolean).join(' '));
    const expected = [
      '2 CREATED',
      '3 REFUSED INVALID_EMAIL Email',
      '3 REFUSED INVALID_DATE Birth date',
      '4 SKIPPED REPEATED_ROW EMAIL 2',
      '5 REFUSED NO_NAME_OR_EMAIL',
    ];
    expect(inShort(report)).toEqual(expected);
    const told = await admin.rows(id);
    expect(report.map((line) => line['Reason'])).toEqual(told.flatMap(({ reasons }) => (reasons.length > 0 ? reasons.map(({ message }) => message) : [''])));
    expect(report.map((line) => line['Contact'])).toEqual(['', '', '', '', '']);

    await admin.apply(id);
    const applied = await reportOf();
    expect(inShort(applied)).toEqual(expected);
    expect(applied[0]!['Contact']).toBe((await admin.rows(id))[0]!.contactId);
    await admin.undo(id);
    expect((await reportOf())[0]!['Undo']).toBe((await admin.rows(id))[0]!.undoOutcome);
    expect(await actionsOf(world)).toEqual(['import.file_ordered', 'import.file_ordered', 'import.file_ordered']);
  });

  test('there is no file while the rows are being read, and none once they are gone', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id, state } = await admin.begin(rows);
    expect(state).toBe('CHECKING');
    for (const file of ['REPORT', 'REFUSED_ROWS'] as const) {
      const refused = await link(admin.client, id, file);
      expect(refused).toMatchObject({ path: null, userErrors: [{ code: 'NOT_CHECKED', path: ['input', 'id'] }] });
    }
    await runJobs(world);
    const { path } = await link(admin.client, id, 'REFUSED_ROWS');
    expect((await fetch(new URL(path!, world.url))).status).toBe(200);
    await admin.discard(id);
    for (const file of ['REPORT', 'REFUSED_ROWS'] as const)
      expect((await link(admin.client, id, file)).userErrors).toMatchObject([{ code: 'IMPORT_FILE_GONE' }]);
    expect(await codeOf(await fetch(new URL(path!, world.url)))).toEqual([410, 'IMPORT_FILE_GONE']);
    await expect(link(await world.as('Super admin', 'Hilltop Society'), id, 'REPORT')).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the refused rows', () => {
  test('of a CSV are what stood there, each with its reason, and what is beyond the header behind it', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const long = 'x'.repeat(12_000);
    const content = csv(
      'Vorname;Nachname;E-Mail',
      'Ann;Bell;ann@club.example',
      'Bob;"Semi;colon";nope',
      'Cem;Çelik;cem@club.example;more;;=1+1',
      `Dee;"two\nlines";${long}`,
      '=1+1;Formula;nope',
      'Eve;East;eve@club.example',
      '"  Fay";;nope',
    );
    const { id } = await admin.check(`\ufeff${content}`);
    expect(await admin.outcomes(id)).toEqual([
      '2 CREATED',
      '3 REFUSED INVALID_EMAIL',
      '4 REFUSED TOO_MANY_CELLS',
      '5 REFUSED CELL_TOO_LONG',
      '6 REFUSED INVALID_EMAIL',
      '7 CREATED',
      '8 REFUSED INVALID_EMAIL',
    ]);
    const response = await fetchFile(admin, id, 'REFUSED_ROWS');
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="refused-rows.csv"');
    const bytes = Buffer.from(await response.arrayBuffer());
    const reasons = (await admin.rows(id)).flatMap(({ outcome, reasons: [reason] }) =>
      outcome === 'REFUSED' ? [reason!.column ? `${reason!.column}: ${reason!.message}` : reason!.message] : [],
    );
    const expected = [
      ['Vorname', 'Nachname', 'E-Mail', 'Reason'],
      ['Bob', 'Semi;colon', 'nope', reasons[0]],
      ['Cem', 'Çelik', 'cem@club.example', reasons[1], 'more', '', '=1+1'],
      ['Dee', 'two\nlines', long, reasons[2]],
      ['=1+1', 'Formula', 'nope', reasons[3]],
      ['  Fay', '', 'nope', reasons[4]],
    ];
    const { facts, rows } = await read(bytes);
    expect(facts).toMatchObject({ format: 'CSV', separator: ';', encoding: 'UTF_8' });
    expect([facts.header, ...rows.map(({ cells }) => cells)]).toEqual(expected);
    expect(parse(bytes, { bom: true, delimiter: ';', relax_column_count: true })).toEqual(
      expected.map((cells) => cells.map((cell) => (cell === '=1+1' ? "'=1+1" : cell))),
    );
    expect(reasons[0]).toMatch(/^E-Mail: .*\.$/);
    expect(await filesOf(`${world.app.config.DATA_DIRECTORY}/copies`)).toEqual([]);

    // Corrected, the file is one to import; the reasons are for whoever reads them.
    const corrected = await admin.check(bytes.toString().replaceAll(/nope/g, ''));
    expect(corrected.columns.map(({ header, field }) => [header, field])).toEqual([
      ['Vorname', 'FIRST_NAME'],
      ['Nachname', 'LAST_NAME'],
      ['E-Mail', 'EMAIL'],
      ['Reason', null],
    ]);
    expect(await admin.outcomes(corrected.id)).toEqual(['2 CREATED', '3 REFUSED TOO_MANY_CELLS', '4 REFUSED CELL_TOO_LONG', '5 CREATED', '6 CREATED']);
  });

  test('of a CSV without any are a header', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    expect((await refusedOf(admin, csv('First name\tEmail', 'Ann\tann@club.example'))).toString()).toBe('\ufeffFirst name\tEmail\tReason\r\n');
  });

  test('of a workbook are a workbook', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const long = 'x'.repeat(12_000);
    const content = await workbook({
      sheets: {
        Members:
          row(1, 'First name', 'Last name', 'Email') +
          row(2, 'Ann', 'Bell', 'ann@club.example') +
          row(3, '=1+1', '007', 'nope') +
          row(4, 'Cem', '', 'cem@club.example', 'more', '', 'and more') +
          row(5, 'Dee', long, 'dee@club.example') +
          row(6, 'Eve', 5, 'nope'),
      },
    });
    const { id } = await admin.check(content);
    const response = await fetchFile(admin, id, 'REFUSED_ROWS');
    expect(response.headers.get('content-type')).toBe('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="refused-rows.xlsx"');
    const { facts, rows } = await read(Buffer.from(await response.arrayBuffer()));
    expect(facts).toMatchObject({ format: 'XLSX', header: ['First name', 'Last name', 'Email', 'Reason'] });
    const invalid = expect.stringMatching(/^Email: /);
    expect(rows.map(({ cells }) => cells)).toEqual([
      ['=1+1', '007', 'nope', invalid],
      ['Cem', '', 'cem@club.example', expect.stringContaining('more cells than the header'), 'more', '', 'and more'],
      ['Dee', long, 'dee@club.example', expect.stringMatching(/^Last name: .*10000 characters/)],
      ['Eve', '5', 'nope', invalid],
    ]);
  });

  test('of cards are the cards as they stood, with the reason before their end, and none that can’t be cut out again', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const card = (...lines: string[]) => ['BEGIN:VCARD', 'VERSION:3.0', ...lines, 'END:VCARD', ''].join('\r\n');
    const refused = [
      card('FN:Bad', 'EMAIL:nope', 'NOTE:one', ' END:VCARD', 'X-OTHER:kept'),
      card('FN:Spaced', 'EMAIL:nope').replace('END:VCARD', 'END : vcard '),
      card('FN:Wide', 'EMAIL:nope').replace('END:VCARD', '\u00a0END:VCARD'),
      card('FN:Bad', 'no property'),
      card('FN:Long', `NOTE:${'x'.repeat(12_000)}`),
    ];
    const tooLong = card('FN:Too long', `NOTE:${'x'.repeat(300_000)}`);
    const good = card('FN:Good');
    const noEnd = 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:No end\r\nEMAIL:nope\r\n';
    const content = good + refused.map((one) => one + good).join('') + tooLong + good + noEnd + good;
    const { id } = await admin.check(content);
    const outcomes = (await admin.outcomes(id)).filter((outcome) => outcome.includes('REFUSED'));
    expect(outcomes).toEqual([
      '3 REFUSED INVALID_EMAIL',
      '5 REFUSED INVALID_EMAIL',
      '7 REFUSED INVALID_EMAIL',
      '9 REFUSED BROKEN_CARD',
      '11 REFUSED CELL_TOO_LONG',
      '13 REFUSED CARD_TOO_LONG',
      '15 REFUSED BROKEN_CARD',
    ]);
    const response = await fetchFile(admin, id, 'REFUSED_ROWS');
    expect(response.headers.get('content-type')).toBe('text/vcard; charset=utf-8');
    expect(response.headers.get('content-disposition')).toBe('attachment; filename="refused-cards.vcf"');
    const text = await response.text();
    const reasons = (await admin.rows(id)).filter(({ outcome }) => outcome === 'REFUSED').map(({ reasons: [reason] }) => reason!);
    const withReason = (one: string, at: number) =>
      one.replace(
        /(?:\u00a0?END ?: ?VCARD ?\r\n)?$/i,
        `X-REASON:${reasons[at]!.column ? `${reasons[at]!.column}: ` : ''}${reasons[at]!.message}\r\nEND:VCARD\r\n`,
      );
    const empty = 'BEGIN:VCARD\r\nVERSION:3.0\r\n';
    expect(text.split(/(?<=\r\nEND:VCARD\r\n)/)).toEqual([...refused, empty, noEnd].map(withReason));
    const { facts, rows } = await read(text);
    expect(facts.format).toBe('VCARD');
    expect(rows.map(({ problem }) => problem?.code)).toEqual([undefined, undefined, undefined, 'BROKEN_CARD', 'CELL_TOO_LONG', undefined, undefined]);
    expect(rows.map(({ cells }) => cells[0])).toEqual(['Bad', 'Spaced', 'Wide', 'Bad', 'Long', undefined, 'No end']);
  });

  test('of a card without a beginning are a file of cards all the same', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const good = 'BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Good\r\nEND:VCARD\r\n';
    const refused = (await refusedOf(admin, `${good}VERSION:3.0\r\nFN:No begin\r\nEMAIL:nope\r\nEND:VCARD\r\n${good}`)).toString();
    expect(refused).toMatch(/^BEGIN:VCARD\r\nVERSION:3\.0\r\nFN:No begin\r\nEMAIL:nope\r\nX-REASON:.*BEGIN:VCARD.*\r\nEND:VCARD\r\n$/);
    const { facts, rows } = await read(refused);
    expect([facts.format, rows.length]).toEqual(['VCARD', 1]);
  });

  test('are for those from whom no field is hidden, when they ask and when they fetch', async () => {
    await using world = await createWorld();
    const { client, roleIds } = await hireWith(world, { permissions: ['contacts:read', 'contacts:create', 'contacts:import', 'payments:read'] });
    const importer = new Importer(world, client);
    const { id } = await importer.check(csv('First name,Email', 'Bad,nope'));
    const { path } = await link(client, id, 'REFUSED_ROWS');
    expect(await (await fetch(new URL(path!, world.url))).text()).toContain('Bad,nope,');
    await world.owner.query(`update role set hidden_fields = '{NOTES}' where id = $1`, [roleIds[0]]);
    expect(await link(client, id, 'REFUSED_ROWS')).toMatchObject({ path: null, userErrors: [{ code: 'HIDDEN_FIELD', path: ['input', 'file'] }] });
    expect(await codeOf(await fetch(new URL(path!, world.url)))).toEqual([403, 'HIDDEN_FIELD']);
    const report = await (await fetchFile(importer, id, 'REPORT')).text();
    expect(report).toContain('2,REFUSED,INVALID_EMAIL,Email,');
    expect(report).not.toContain('nope');
    const { rows } = await world.owner.query(`select code from action_log where action = 'createImportFileLink'`);
    expect(rows).toEqual([{ code: 'HIDDEN_FIELD' }, { code: 'HIDDEN_FIELD' }]);
  });
});
