// A contact file as a sheet, whatever it is: its kind is told by its content and never by its name.
import { open } from 'node:fs/promises';
import { kindOf, lookedAt } from '../../domain/file-kinds.ts';
import type { ReadOptions, SheetFacts } from '../sheet.ts';
import { checkOptions, openCsv } from './csv.ts';
import { type SheetLimits, sheetLimits } from './limits.ts';
import { refusal, saveAsCsv } from './refuse.ts';
import { emptyFile, type OpenSheet } from './rows.ts';
import { openVcard } from './vcard.ts';
import { openXlsx } from './xlsx.ts';

/**
 * Reads as much as tells how the file is to be read. The rows then stream, and memory stays flat.
 * @throws Refusal when the file as a whole can't be read, here or from the rows: act on them only when they have ended
 */
export async function openSheet(path: string, options: ReadOptions = {}, limits: SheetLimits = sheetLimits): Promise<OpenSheet<SheetFacts>> {
  checkOptions(options);
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const start = Buffer.alloc(lookedAt);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    if (bytesRead === 0) throw emptyFile();
    const kind = kindOf(start.subarray(0, bytesRead));
    if (kind === 'ZIP') {
      await file.close();
      const workbook = await openXlsx(path, size, options, limits);
      if (!workbook) throw refusal('UNSUPPORTED_FILE', 'The file is not a table of contacts but a ZIP archive, or a workbook of another program.', saveAsCsv);
      return { ...workbook, rows: closing(workbook.rows, workbook.close) };
    }
    const sheet = await (kind === 'VCARD' ? openVcard : openCsv)(file, size, options, limits);
    return { ...sheet, rows: closing(sheet.rows, () => file.close()) };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function* closing<T>(items: AsyncIterable<T>, close: () => void | Promise<void>): AsyncGenerator<T> {
  try {
    yield* items;
  } finally {
    await close();
  }
}
