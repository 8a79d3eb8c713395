// Reads a file in a process of its own, which can be killed: whatever the file does to its reader, the server stays.
import type { SheetFacts, SheetRow } from '../sheet.ts';
import { type ReaderLimits, readerLimits } from './limits.ts';
import type { ReadRequest } from './messages.ts';
import { failed, ReadingProcess } from './reading-process.ts';

/** What a mode made of up to 100 rows. */
export interface ReadBatch {
  rows: number;
  /** In UTF-8, cut anywhere. */
  lines: Buffer[];
  /** Of the file, so far. */
  bytesRead: number;
}

/** A file that is being read. */
export interface Reading {
  facts: SheetFacts;
  totalBytes: number;
  /** Once. Slower than the reader, it makes the reader wait. @throws Refusal */
  batches: AsyncIterable<ReadBatch>;
  /** What the mode told at the end. */
  readonly result: unknown;
}

/** A process that reads what it is asked for, one thing after another. Use with `await using`: it is gone when this is disposed of. */
export interface Reader extends AsyncDisposable {
  pid: number;
  /**
   * Begins a reading, when the one before has ended.
   * @throws Refusal when the file can't be read, here or from its batches: act on them only when they have ended
   */
  read(request: ReadRequest): Promise<Reading>;
}

/** Starts a process, which reads nothing until it is asked. */
export function startReader(limits: ReaderLimits = readerLimits, signal?: AbortSignal): Reader {
  const child = new ReadingProcess(limits, signal);
  return { pid: child.pid, read: (request) => read(child, request), [Symbol.asyncDispose]: () => child.end() };
}

/** Reads one file in a process of its own, which is gone when all is read, or this is disposed of. @throws Refusal, like `Reader.read` */
export async function readInChild(
  request: ReadRequest,
  limits: ReaderLimits = readerLimits,
  signal?: AbortSignal,
): Promise<Reading & AsyncDisposable & { pid: number }> {
  const child = new ReadingProcess(limits, signal);
  const reading = await read(child, request, true);
  return Object.assign(reading, { pid: child.pid, [Symbol.asyncDispose]: () => child.end() });
}

async function read(child: ReadingProcess, request: ReadRequest, isOnly = false): Promise<Reading> {
  try {
    child.ask(request);
    const first = await child.next();
    if (first?.kind !== 'FACTS') throw failed();
    let result: unknown;
    return {
      facts: first.facts,
      totalBytes: first.totalBytes,
      batches: batchesOf(child, isOnly, (told) => (result = told)),
      get result() {
        return result;
      },
    };
  } catch (error) {
    await child.end();
    throw error;
  }
}

/** Of the mode `rows`. */
export const rowsOf = ({ lines }: ReadBatch): SheetRow[] => JSON.parse(`[${Buffer.concat(lines).toString().trimEnd().replaceAll('\n', ',')}]`) as SheetRow[];

async function* batchesOf(child: ReadingProcess, isOnly: boolean, end: (result: unknown) => void): AsyncGenerator<ReadBatch> {
  let ended = false;
  try {
    let message = await child.next();
    for (; message.kind === 'ROWS'; message = await child.next()) yield { rows: message.rows, bytesRead: message.bytesRead, lines: message.body };
    if (message.kind !== 'END') throw failed();
    end(message.result);
    ended = true;
  } finally {
    // What was left half read can't be told from what comes next.
    if (isOnly || !ended) await child.end();
  }
}
