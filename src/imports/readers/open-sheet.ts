// A contact file as a sheet, whatever it is: its kind is told by its content and never by its name.
import { open } from 'node:fs/promises';
import type { ReadOptions, SheetFacts } from '../sheet.ts';
import { checkOptions, openCsv } from './csv.ts';
import { type SheetLimits, sheetLimits } from './limits.ts';
import { refusal, saveAsCsv } from './refuse.ts';
import { emptyFile, type OpenSheet } from './rows.ts';
import { isVcard, openVcard } from './vcard.ts';
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
    const start = Buffer.alloc(4096);
    const { bytesRead } = await file.read(start, 0, start.length, 0);
    if (bytesRead === 0) throw emptyFile();
    const text = start.toString('latin1', 0, bytesRead);
    refuseOthers(text);
    if (text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06')) {
      await file.close();
      const workbook = await openXlsx(path, size, options, limits);
      if (!workbook) throw unsupported('a ZIP archive, or a workbook of another program');
      return { ...workbook, rows: closing(workbook.rows, workbook.close) };
    }
    const sheet = await (isVcard(text) ? openVcard : openCsv)(file, size, options, limits);
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

/* oxlint-disable no-control-regex -- files begin with them */
const others: [pattern: RegExp, code: string, kind: string][] = [
  [/^\xD0\xCF\x11\xE0/, 'OLD_OR_LOCKED_WORKBOOK', 'a workbook of Excel 97 to 2003, or one with a password'],
  [/^\s*%PDF-/, 'UNSUPPORTED_FILE', 'a PDF document'],
  [/^(?:\x89PNG|\xFF\xD8\xFF|GIF8|RIFF....WEBP|II\*\0|MM\0\*|\0\0\0.ftyp)/s, 'UNSUPPORTED_FILE', 'an image or a film'],
  [/^(?:\x1F\x8B|7z\xBC\xAF|Rar!|BZh|\xFD7zXZ|\x28\xB5\x2F\xFD)/, 'UNSUPPORTED_FILE', 'a compressed file'],
  [/^(?:\xEF\xBB\xBF)?\s*<(?:!doctype|html|head|body|meta|table|style)\b/i, 'UNSUPPORTED_FILE', 'a web page'],
  [/^(?:\xEF\xBB\xBF)?\s*<\?xml\b/i, 'UNSUPPORTED_FILE', 'an XML document'],
  [/^\s*\{\\rtf/, 'UNSUPPORTED_FILE', 'a text document'],
];
/* oxlint-enable no-control-regex */

function refuseOthers(start: string): void {
  const other = others.find(([pattern]) => pattern.test(start));
  if (other) throw unsupported(other[2], other[1]);
}

const unsupported = (kind: string, code = 'UNSUPPORTED_FILE') => refusal(code, `The file is not a table of contacts but ${kind}.`, saveAsCsv);
