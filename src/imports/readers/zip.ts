// The parts of a ZIP archive that comes from outside. Nothing is ever written to where a name says, and nothing is
// unpacked that was not asked for; what an archive claims about its sizes is held against what comes out of it.
import { pipeline } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import yauzl from 'yauzl';
import { Refusal } from '../../errors.ts';
import type { SheetLimits } from './limits.ts';
import { refusal } from './refuse.ts';

const mostEntries = 10_000;

/** Text shrinks to a tenth, rows that are all alike to a hundredth; more than this is made to fill a memory. */
const highestRatio = 200;
const suspiciousBytes = 16_777_216;

export interface Zip {
  has(name: string): boolean;
  /** @throws Refusal when there is no such part */
  read(name: string): AsyncGenerator<Buffer>;
  /** Of the archive, by what was unpacked so far. */
  bytesRead(): number;
  close(): void;
}

export async function openZip(path: string, limits: SheetLimits): Promise<Zip> {
  const zip = await yauzl.openPromise(path, { lazyEntries: true, autoClose: false, strictFileNames: true }).catch(refuse);
  try {
    const entries = await listEntries(zip, limits).catch(refuse);
    let inflated = 0;
    /** Compressed, by part: a part may be read again. */
    const read = new Map<string, number>();
    return {
      has: (name) => entries.has(name.toLowerCase()),
      bytesRead: () => Math.floor([...read.values()].reduce((sum, bytes) => sum + bytes, 0)),
      close: () => zip.close(),
      async *read(name) {
        const entry = entries.get(name.toLowerCase());
        if (!entry) throw broken(new Error(`It has no part ${name}.`));
        try {
          let sum = 0;
          let here = 0;
          for await (const bytes of await inflate(zip, entry)) {
            inflated += bytes.length;
            here += bytes.length;
            if (inflated > limits.inflatedBytes) throw tooLarge();
            if (here > entry.uncompressedSize) break;
            read.set(name, Math.max(read.get(name) ?? 0, (here / entry.uncompressedSize) * entry.compressedSize));
            sum = crc32(bytes, sum);
            yield bytes;
          }
          if (here !== entry.uncompressedSize || sum !== entry.crc32) throw new Error(`The size or the checksum of ${name} is wrong.`);
        } catch (error) {
          refuse(error);
        }
      },
    };
  } catch (error) {
    zip.close();
    throw error;
  }
}

/** Ahead of whoever reads, in another thread. */
async function inflate(zip: yauzl.ZipFile, entry: yauzl.Entry): Promise<AsyncIterable<Buffer>> {
  if (entry.compressionMethod !== 8) return zip.openReadStreamPromise(entry);
  const options = { chunkSize: 65_536, readableHighWaterMark: 1_048_576 };
  // A failure of either is thrown to whoever reads.
  return pipeline(await zip.openReadStreamPromise(entry, { decodeFileData: false }), createInflateRaw(options), () => {});
}

async function listEntries(zip: yauzl.ZipFile, limits: SheetLimits): Promise<Map<string, yauzl.Entry>> {
  const entries = new Map<string, yauzl.Entry>();
  if (zip.entryCount > mostEntries) throw tooLarge();
  let declared = 0;
  for await (const entry of zip.eachEntry()) {
    const name = entry.fileName.toLowerCase();
    if (entries.has(name)) throw new Error(`It has two parts of the name ${name}.`);
    if (entry.isEncrypted()) {
      throw refusal('LOCKED_FILE', 'The file is locked with a password.', 'Save it without one, and upload it again.');
    }
    declared += entry.uncompressedSize;
    const isBomb = entry.uncompressedSize > suspiciousBytes && entry.uncompressedSize > highestRatio * entry.compressedSize;
    if (isBomb || declared > limits.inflatedBytes) throw tooLarge();
    entries.set(name, entry);
  }
  return entries;
}

function refuse(error: unknown): never {
  throw error instanceof Refusal ? error : broken(error);
}

export const broken = (cause: unknown) =>
  Object.assign(
    refusal('BROKEN_WORKBOOK', 'The workbook is damaged or incomplete.', 'Open it in your spreadsheet, save it under another name, and upload that.'),
    {
      cause,
    },
  );

const tooLarge = () =>
  refusal(
    'WORKBOOK_TOO_LARGE',
    'The workbook unpacks to far more than a table of contacts holds.',
    'Save the sheet with the contacts as CSV, and upload that.',
  );
