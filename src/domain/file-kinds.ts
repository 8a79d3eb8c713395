// What a file is, by its first bytes and never by its name. This keeps out what is no contact file at all, and says which reader
// is to look closer.
import type { FileKind } from '../entities/upload.ts';
import { Refusal } from '../errors.ts';

/** How much of a file is looked at. */
export const lookedAt = 64 * 1024;

/** What a zip archive begins with, in hex: that of a file, or of the end where there is none. */
const zip = /^504b(0304|0506)/;

/** What other files begin with, and what they are called. */
const others: readonly [begins: RegExp, called: string][] = [
  [/^255044462d/, 'a PDF'],
  [/^(89504e47|ffd8ff|47494638|52494646.{8}57454250|49492a00|4d4d002a|.{8}66747970)/, 'an image or a film'],
  [/^(4d5a|7f454c46|feedfac[ef]|c[ef]faedfe|cafebabe|2321)/, 'a program'],
  [/^d0cf11e0/, 'a workbook of Excel 97 to 2003, or one with a password (save it as .xlsx, and without one)'],
  [/^(1f8b|425a68|377abcaf|52617221|fd377a585a|28b52ffd)/, 'an archive (unpack it)'],
  [/^7b5c727466/, 'a text document'],
];

/** The same for text, in small letters and without what blank comes first. */
const markup = /^(<!doctype html|<html|<head|<body|<script|<table|<svg|<\?xml|<!--)/;

/** One in so many characters that no text has, and it is none. */
const oddAmong = 20;

/** @throws Refusal UNSUPPORTED_FILE */
export function kindOf(content: Buffer): FileKind {
  const start = content.subarray(0, lookedAt);
  const begins = start.toString('hex', 0, 16);
  if (zip.test(begins)) return 'ZIP';
  const other = others.find(([begin]) => begin.test(begins));
  if (other) throw unsupported(other[1]);
  const text = textOf(start).trimStart();
  if (/^(?:[\w-]+\.)?BEGIN\s*:\s*VCARD\b/i.test(text)) return 'VCARD';
  if (markup.test(text.slice(0, 20).toLowerCase())) throw unsupported('a web page or XML');
  let odd = 0;
  for (let at = 0; at < text.length; at++) if (isOdd(text.charCodeAt(at))) odd++;
  if (odd * oddAmong > text.length) throw unsupported('no text');
  return 'TEXT';
}

/** Control characters, but for those that lay text out. */
const isOdd = (code: number): boolean => code < 0x20 && !(code >= 0x09 && code <= 0x0d) && code !== 0x1b;

/** As text enough to look at: UTF-16 by its mark, or by half of its bytes being zero; else a byte a character. */
function textOf(bytes: Buffer): string {
  const units = bytes.subarray(0, bytes.length - (bytes.length % 2));
  const first = bytes.subarray(0, 1000);
  const zeros = (parity: number) => first.filter((byte, at) => byte === 0 && at % 2 === parity).length > first.length / 4;
  const mark = bytes.toString('hex', 0, 3);
  if (mark.startsWith('fffe') || zeros(1)) return units.toString('utf16le').replace(/^\ufeff/, '');
  if (mark.startsWith('feff') || zeros(0))
    return Buffer.from(units)
      .swap16()
      .toString('utf16le')
      .replace(/^\ufeff/, '');
  return bytes.toString('latin1', mark === 'efbbbf' ? 3 : 0);
}

const unsupported = (called: string) =>
  new Refusal(
    'UNSUPPORTED_FILE',
    `By its content the file is ${called}, whatever its name says. Nothing was imported. Upload contacts as CSV, as an .xlsx workbook or as vCards.`,
  );
