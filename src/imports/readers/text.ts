// Bytes to text: which encoding a file is in, told from all of its bytes, and its text in that encoding. Nothing is
// replaced silently: what the encoding does not know is refused, or stays visible for the row to be reported.
import { isUtf8 } from 'node:buffer';
import type { FileHandle } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';
import type { Encoding } from '../sheet.ts';
import { refusal, saveAsCsv } from './refuse.ts';

const chunkSize = 262_144;

export interface TextFile {
  encoding: Encoding;
  /** Some bytes are not of the encoding, and U+FFFD in the text. */
  mixed: boolean;
  /** Once. */
  chunks(): AsyncGenerator<string>;
  bytesRead(): number;
}

export async function openText(file: FileHandle, chosen?: Encoding | null): Promise<TextFile> {
  const { encoding, mark, mixed } = await detectEncoding(file, chosen);
  let read = 0;
  return {
    encoding,
    mixed,
    bytesRead: () => read,
    async *chunks() {
      const decode = decoders[encoding]();
      for await (const bytes of readBytes(file, mark)) {
        read += bytes.length;
        yield decode(bytes);
      }
      yield decode();
    },
  };
}

/** The same memory is used for each chunk: what must stay has to be copied. */
async function* readBytes(file: FileHandle, from: number): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(chunkSize);
  for (let position = from; ;) {
    const { bytesRead } = await file.read(buffer, 0, chunkSize, position);
    if (bytesRead === 0) return;
    position += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}

type Decode = (bytes?: Buffer) => string;

const decoders: Record<Encoding, () => Decode> = {
  UTF_8: () => decodeWith('utf8'),
  UTF_16LE: () => decodeWith('utf16le'),
  UTF_16BE: () => {
    const decode = decodeWith('utf16le');
    let odd: Buffer = Buffer.alloc(0);
    return (bytes) => {
      if (!bytes) return decode();
      const all = Buffer.concat([odd, bytes]);
      const even = all.length - (all.length % 2);
      odd = all.subarray(even);
      return decode(all.subarray(0, even).swap16());
    };
  },
  WINDOWS_1252: () => (bytes) => (bytes ? decodeWindows1252(bytes) : ''),
};

export const decodeWindows1252 = (bytes: Buffer) => bytes.toString('latin1').replace(/[\x80-\x9F]/g, (char) => windows1252[char.charCodeAt(0) - 0x80]!);

/** Keeps the halves of a character together over chunks; halves without the other stay. */
function decodeWith(encoding: 'utf8' | 'utf16le'): Decode {
  const decoder = new StringDecoder(encoding);
  return (bytes) => (bytes ? decoder.write(bytes) : decoder.end());
}

/** What the bytes from 0x80 to 0x9F are; five of them are nothing, and stay as the control characters of Latin-1. */
const windows1252 = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8DŽ\x8F\x90‘’“”•–—˜™š›œ\x9DžŸ';

interface Detected {
  encoding: Encoding;
  /** The length of the byte order mark. */
  mark: number;
  mixed: boolean;
}

async function detectEncoding(file: FileHandle, chosen?: Encoding | null): Promise<Detected> {
  const head = Buffer.alloc(65_536);
  const start = head.subarray(0, (await file.read(head, 0, head.length, 0)).bytesRead);
  const marked = markOf(start);
  const encoding = chosen ?? marked?.encoding ?? guessUtf16(start);
  const mark = marked && marked.encoding === encoding ? marked.mark : 0;
  if (encoding === 'UTF_16LE' || encoding === 'UTF_16BE') return { encoding, mark, mixed: false };
  if (encoding === 'WINDOWS_1252') return { encoding, mark, mixed: false };
  if (await isAllUtf8(file)) return { encoding: 'UTF_8', mark, mixed: false };
  if (encoding === 'UTF_8') return { encoding, mark, mixed: true };
  return tellApart(file);
}

function markOf(start: Buffer): { encoding: Encoding; mark: number } | undefined {
  if (start.length >= 4 && (start.readUInt32LE() === 0x0000_feff || start.readUInt32BE() === 0x0000_feff)) throw notText();
  if (start[0] === 0xef && start[1] === 0xbb && start[2] === 0xbf) return { encoding: 'UTF_8', mark: 3 };
  if (start[0] === 0xff && start[1] === 0xfe) return { encoding: 'UTF_16LE', mark: 2 };
  if (start[0] === 0xfe && start[1] === 0xff) return { encoding: 'UTF_16BE', mark: 2 };
  return undefined;
}

/** Without a mark: separators, digits, Latin letters and line ends have a zero byte, always on the same side. */
function guessUtf16(start: Buffer): Encoding | undefined {
  const zeros = [0, 0];
  for (const [index, byte] of start.entries()) if (byte === 0) zeros[index % 2]!++;
  const [even, odd] = zeros as [number, number];
  if (odd > start.length / 8 && odd > 20 * even) return 'UTF_16LE';
  return even > start.length / 8 && even > 20 * odd ? 'UTF_16BE' : undefined;
}

async function isAllUtf8(file: FileHandle): Promise<boolean> {
  let begun: Buffer = Buffer.alloc(0);
  for await (const bytes of readBytes(file, 0)) {
    const all = begun.length ? Buffer.concat([begun, bytes]) : bytes;
    const whole = endOfWhole(all);
    if (!isUtf8(all.subarray(0, whole))) return false;
    begun = Buffer.from(all.subarray(whole));
  }
  return begun.length === 0;
}

/** Where the last character begins, if it is not whole yet. */
function endOfWhole(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back]!;
    if (byte < 0x80) break;
    if (byte >= 0xc0) return (byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2) > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}

/** Characters as UTF-8 writes them, of the alphabets that are seen; pairs that Windows-1252 text has by chance are left out. */
const utf8Characters = /[\xC2-\xC5\xCE-\xD1\xD7-\xD9][\x80-\xBF]|[\xE0-\xEF][\x80-\xBF]{2}|[\xF0-\xF4][\x80-\xBF]{3}/g;

/** Not UTF-8 throughout: Windows-1252, or a file of pieces in several encodings. */
async function tellApart(file: FileHandle): Promise<Detected> {
  let utf8 = 0;
  let strays = 0;
  let unknown = false;
  for await (const bytes of readBytes(file, 0)) {
    const text = bytes.toString('latin1');
    if (!/[\x80-\xFF]/.test(text)) continue;
    utf8 += text.match(utf8Characters)?.length ?? 0;
    const rest = text.replace(utf8Characters, '');
    strays += rest.match(/[\x80-\xFF]/g)?.length ?? 0;
    unknown ||= /[\x81\x8D\x8F\x90\x9D]/.test(rest);
  }
  if (utf8 > 0 && utf8 >= strays) return { encoding: 'UTF_8', mark: 0, mixed: true };
  if (unknown) throw notText();
  if (utf8 > 0) {
    const happened = 'The file is partly in Windows-1252 and partly in UTF-8.';
    throw refusal('MIXED_ENCODING', happened, `Choose the encoding that it is to be read in, and look at the names with accents; or repair it. ${saveAsCsv}`);
  }
  return { encoding: 'WINDOWS_1252', mark: 0, mixed: false };
}

const notText = () => refusal('NOT_TEXT', 'The file is not text in an encoding that can be read: UTF-8, UTF-16 or Windows-1252.', saveAsCsv);
