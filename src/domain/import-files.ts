// What an import gives as files, made while they are downloaded: what becomes of every row, and the refused rows as they stood
// in the file, each with its reason.
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ImportFile } from '../entities/import.ts';
import { NotFound, Refusal } from '../errors.ts';
import { csvType, writeCsv } from '../exports/csv.ts';
import type { Cells, SheetColumn } from '../exports/sheet.ts';
import { vCardType } from '../exports/vcard.ts';
import { writeXlsx, xlsxType } from '../exports/xlsx.ts';
import { globalId } from '../global-id.ts';
import { readerLimits } from '../imports/readers/limits.ts';
import { readInChild, rowsOf } from '../imports/readers/reader.ts';
import type { SheetFacts, SheetRow } from '../imports/sheet.ts';
import type { Transaction } from '../database.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { type FileKind, type Link, type OpenFile, signDownload } from './downloads.ts';
import { withLocalCopy } from './local-copies.ts';
import { reasonsOf } from './import-reasons.ts';
import { type ImportRecord, type ImportRowRecord, listImportRows, readImports, type RowFilter } from './import-rows.ts';
import { sees } from './visibility.ts';
import { transactAs } from './writing.ts';
import { allFieldGroups } from '../permissions/field-groups.ts';

/** Rows that are read at a time. */
const pageRows = 1_000;

/**
 * Gives a link to a file of an import, and logs that.
 * @throws NotFound; Refusal IMPORT_FILE_GONE, HIDDEN_FIELD
 */
export async function orderImportFile(app: App, viewer: Viewer, { id, file }: { id: string; file: ImportFile }): Promise<Link> {
  await transactAs(app, viewer, async (tx) => {
    await readable(tx, viewer, id, file);
    await logAction(tx, viewer, { action: 'import.file_ordered', target: { kind: 'Import', id } });
  });
  return signDownload(app, viewer, { kind: 'IMPORT', importId: id, file });
}

/** The import, when its file can be made for the viewer. @throws NotFound; Refusal */
async function readable(tx: Transaction, viewer: Viewer, id: string, file: ImportFile): Promise<ImportRecord> {
  const [found] = await readImports(tx, [id]);
  if (!found) throw new NotFound('import');
  if (found.rowsRemoved || (file === 'REFUSED_ROWS' && !found.fileId))
    throw new Refusal(
      'IMPORT_FILE_GONE',
      'What this import kept of its file was removed, because its time was over or somebody in it was erased. Nothing was read.',
      ['input', 'id'],
    );
  if (found.state === 'CHECKING')
    throw new Refusal('NOT_CHECKED', 'The file is still being read. Nothing was made. Wait until the dry run is done.', ['input', 'id']);
  if (found.state === 'FAILED' || !found.facts)
    throw new Refusal(
      'NOT_CHECKED',
      'The file could not be read to its end, so there is nothing to tell of its rows. Nothing was made. Look at the `failure` of the import.',
      ['input', 'id'],
    );
  // Nobody knows what is in the cells of a row that was not understood.
  if (file === 'REFUSED_ROWS' && !sees(viewer, allFieldGroups))
    throw new Refusal(
      'HIDDEN_FIELD',
      'Your roles hide fields of contacts, and refused rows may have any of them. Nothing was made. Ask someone who sees all.',
      ['input', 'file'],
    );
  return found;
}

export const importFile: FileKind<'IMPORT'> = {
  permissions: ['contacts:import'],
  attempt: 'createImportFileLink',
  async open(tx, app, viewer, { importId, file }) {
    const found = await readable(tx, viewer, importId, file);
    const { organizationId } = tx;
    const rows = (filter: RowFilter) => pagesOf(app, organizationId, importId, filter);
    if (file === 'REPORT') return { type: csvType, name: 'import-report.csv', content: writeCsv(reportHeader, reportPages(rows({}))) };
    return refusedFile(app, organizationId, found, rows({ outcome: 'REFUSED' }));
  },
};

/** All rows with that outcome, page by page. */
async function* pagesOf(app: App, organizationId: string, importId: string, filter: RowFilter): AsyncGenerator<ImportRowRecord[]> {
  for (let after = 0; ;) {
    const page = await app.database.transact(organizationId, (tx) => listImportRows(tx, importId, pageRows, after, filter), { readOnly: true });
    if (page.length > 0) yield page;
    if (page.length < pageRows) return;
    after = page.at(-1)!.rowNumber;
  }
}

const reportHeader = ['Row', 'Outcome', 'Reason code', 'Column', 'Reason', 'Same by', 'Same as row', 'Contact', 'Deleted contact', 'Deletion', 'Undo'];

async function* reportPages(pages: AsyncIterable<readonly ImportRowRecord[]>): AsyncGenerator<Cells[]> {
  const id = (kind: 'Contact' | 'Deletion', uuid: string | null) => uuid && globalId(kind, uuid);
  for await (const page of pages)
    yield page.flatMap((row) => {
      const reasons = reasonsOf(row);
      const { rowNumber, outcome, matchedBy, repeats, contactId, deletedContactId, deletionId, undoOutcome } = row;
      const line = (code: string | null, column: string | null, message: string | null): Cells => [
        String(rowNumber),
        outcome,
        code,
        column,
        message,
        matchedBy,
        repeats === null ? null : String(repeats),
        id('Contact', contactId),
        id('Contact', deletedContactId),
        id('Deletion', deletionId),
        undoOutcome,
      ];
      return reasons.length > 0 ? reasons.map(({ code, column, message }) => line(code, column ?? null, message)) : [line(null, null, null)];
    });
}

/** The header of the column with the reasons. */
const reasonHeader = 'Reason';

/** The refused rows in the format of the file; a CSV in UTF-8, whatever it was, with its own separator. */
function refusedFile(app: App, organizationId: string, { fileId, readOptions, facts }: ImportRecord, pages: AsyncGenerator<ImportRowRecord[]>): OpenFile {
  const { format, separator, header } = facts!;
  const write = (path: string) => writeRefused({ format, separator, header }, refusedRows(path, readOptions, pages));
  const content = fromCopy(app, organizationId, fileId!, write);
  if (format === 'VCARD') return { type: vCardType, name: 'refused-cards.vcf', content };
  if (format === 'XLSX') return { type: xlsxType, name: 'refused-rows.xlsx', content };
  return { type: csvType, name: 'refused-rows.csv', content };
}

/** What is made of a local copy of a file, which is removed when all of it was taken, or nobody takes it any more. */
async function* fromCopy(app: App, organizationId: string, fileId: string, write: (path: string) => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  const through = new PassThrough();
  const written = withLocalCopy(app, organizationId, fileId, (path) => pipeline(Readable.from(write(path)), through)).catch((error: Error) => {
    through.destroy(error);
  });
  try {
    yield* through as AsyncIterable<Buffer>;
  } finally {
    through.destroy();
    await written;
  }
}

interface Refused {
  row: SheetRow;
  reason: string;
}

/** Goes through the file again and picks the refused rows out. */
async function* refusedRows(path: string, options: ImportRecord['readOptions'], pages: AsyncGenerator<ImportRowRecord[]>): AsyncGenerator<Refused[]> {
  const reasons = flat(pages);
  let next = await reasons.next();
  if (next.done) return;
  await using reading = await readInChild({ path, options, mode: 'rows' }, { ...readerLimits, sheet: { ...readerLimits.sheet, wholeRows: true } });
  for await (const batch of reading.batches) {
    const refused: Refused[] = [];
    for (const row of rowsOf(batch)) {
      while (!next.done && next.value.rowNumber < row.rowNumber) next = await reasons.next();
      if (next.done) break;
      if (next.value.rowNumber === row.rowNumber)
        refused.push({
          row,
          reason: reasonsOf(next.value)
            .map(({ column, message }) => (column ? `${column}: ${message}` : message))
            .join(' '),
        });
    }
    if (refused.length > 0) yield refused;
    if (next.done) return;
  }
}

async function* flat<T>(pages: AsyncIterable<T[]>): AsyncGenerator<T, void> {
  for await (const page of pages) yield* page;
}

function writeRefused(
  { format, separator, header }: Pick<SheetFacts, 'format' | 'separator' | 'header'>,
  refused: AsyncGenerator<Refused[]>,
): AsyncIterable<Uint8Array> {
  if (format === 'VCARD') return cards(refused);
  const cells = cellsOf(header.length, refused);
  if (format === 'CSV') return writeCsv([...header, reasonHeader], cells, { separator: separator! });
  const columns: SheetColumn[] = [...header, reasonHeader].map((name) => ({ header: name, kind: 'TEXT' }));
  return writeXlsx(columns, cells, { name: 'Refused rows' });
}

/** As wide as the header, with the reason behind it; what a row has beyond the header comes after. */
async function* cellsOf(width: number, refused: AsyncIterable<Refused[]>): AsyncGenerator<Cells[]> {
  for await (const some of refused)
    yield some.map(({ row: { cells }, reason }) => [...Array.from({ length: width }, (_, place) => cells[place] ?? ''), reason, ...cells.slice(width)]);
}

/** Cards as they stood in the file, each with its reason in a property that other programs pass over. */
async function* cards(refused: AsyncIterable<Refused[]>): AsyncGenerator<Uint8Array> {
  for await (const some of refused) yield Buffer.from(some.map(({ row: { card = 'VERSION:3.0\r\n' }, reason }) => cardWith(reason, card)).join(''));
}

/** The beginning and the end are those of a card, also where the file had none: it is cut out again by them. */
function cardWith(reason: string, card: string): string {
  const begun = /^\s*BEGIN\s*:\s*VCARD\s*?(?:[\r\n]|$)/i.test(card) ? card : `BEGIN:VCARD\r\n${card}`;
  return begun.replace(
    /(^|\n)[^\S\n]*END[^\S\n]*:[^\S\n]*VCARD\s*$|$/i,
    (_, before: string = '') => `${before}X-REASON:${reason.replaceAll(/[\r\n]+/g, ' ')}\r\nEND:VCARD\r\n`,
  );
}
