// The parent's side of the process that reads: it is asked, listened to and killed here.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Refusal } from '../../errors.ts';
import type { ReaderLimits } from './limits.ts';
import { type ChildRequest, type Message, type ReadRequest, tooLargeExit } from './messages.ts';
import { refusal } from './refuse.ts';

/** A process that a file has got hold of must not fill its parent. */
const longestBody = 67_108_864;
/**
 * Of the JSON before a body, which takes many times as much once it is read. The longest that there can be has 200 names of
 * columns twice, each of 10,000 characters of three bytes.
 */
const longestHead = 16_777_216;

const entry = new URL(`process.${import.meta.url.endsWith('.ts') ? 'ts' : 'js'}`, import.meta.url);
const environment = process.platform === 'win32' ? { SystemRoot: process.env.SystemRoot } : {};

export class ReadingProcess {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #chunks: AsyncIterator<Buffer>;
  #received: Buffer = Buffer.alloc(0);
  #spentMs = 0;
  /** Why it was killed. */
  #reason: unknown;

  constructor(
    private readonly limits: ReaderLimits,
    private readonly signal?: AbortSignal,
  ) {
    signal?.throwIfAborted();
    // The heap is a part of the process; the rest is for the program and for buffers.
    const flags = [`--max-old-space-size=${Math.floor(limits.memoryBytes / 1_048_576 / 2)}`, '--max-semi-space-size=8', '--no-warnings'];
    if (entry.pathname.endsWith('.ts')) flags.push('--import', 'tsx');
    this.#child = spawn(process.execPath, [...flags, fileURLToPath(entry)], {
      cwd: fileURLToPath(new URL('.', import.meta.url)),
      env: environment as NodeJS.ProcessEnv,
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    });
    this.#closed = once(this.#child, 'close').catch((error: unknown) => (this.#reason ??= failed(error)));
    this.#chunks = this.#child.stdout![Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    signal?.addEventListener('abort', this.#abort);
    // It may end before it has read what it is asked for; that is told by its end.
    this.#child.stdin!.on('error', () => {});
  }

  /** By one line: where `readline` sees the end of one is written as JSON's escape. */
  ask(request: ReadRequest): void {
    const { sheet, memoryBytes } = this.limits;
    this.#spentMs = 0;
    const line = JSON.stringify({ ...request, path: resolve(request.path), limits: sheet, memoryBytes } satisfies ChildRequest);
    this.#child.stdin!.write(`${line.replace(/[\u2028\u2029]/g, (end) => `\\u${end.charCodeAt(0).toString(16)}`)}\n`);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  readonly #abort = () => this.#kill(this.signal!.reason);

  #kill(reason: unknown): void {
    this.#reason ??= reason;
    this.#child.kill('SIGKILL');
  }

  /** What it says next. @throws Refusal when it refuses or ends without a word */
  async next(): Promise<Message & { body: Buffer[] }> {
    const begun = performance.now();
    const patience = Math.min(this.limits.idleMs, this.limits.totalMs - this.#spentMs);
    const timer = setTimeout(() => this.#kill(tooSlow()), Math.max(patience, 0));
    try {
      if (this.#reason) throw this.#reason;
      const message = await this.#receive();
      if (message.kind === 'REFUSED') throw refusalOf(message);
      if (message.kind === 'FAILED') throw failed(message.fault);
      return message;
    } finally {
      clearTimeout(timer);
      this.#spentMs += performance.now() - begun;
    }
  }

  async #receive(): Promise<Message & { body: Buffer[] }> {
    const message = parseMessage(await this.#line());
    return { ...message, body: await this.#body(message.length) };
  }

  /** What comes up to the end of the line. */
  async #line(): Promise<string> {
    const parts: Buffer[] = [];
    let length = 0;
    for (let chunk = this.#received; ; chunk = await this.#chunk()) {
      const end = chunk.indexOf(10);
      const part = end < 0 ? chunk : chunk.subarray(0, end);
      length += part.length;
      if (length > longestHead) throw failed('It says more at once than it should.');
      parts.push(part);
      if (end < 0) continue;
      this.#received = chunk.subarray(end + 1);
      return Buffer.concat(parts, length).toString();
    }
  }

  /** The next bytes, so many, as they come. */
  async #body(length: number): Promise<Buffer[]> {
    if (length > longestBody) throw failed('It says more at once than it should.');
    const parts: Buffer[] = [];
    let left = length;
    for (let chunk = this.#received; ; chunk = await this.#chunk()) {
      const part = chunk.subarray(0, left);
      if (part.length > 0) parts.push(part);
      left -= part.length;
      if (left > 0) continue;
      this.#received = chunk.subarray(part.length);
      return parts;
    }
  }

  async #chunk(): Promise<Buffer> {
    const { value, done } = await this.#chunks.next();
    if (done) throw await this.#ending();
    return value;
  }

  /** Why it has ended without saying so. */
  async #ending(): Promise<unknown> {
    await this.#closed;
    if (this.#reason) return this.#reason;
    const { exitCode, signalCode } = this.#child;
    // V8 aborts when its heap is full.
    return exitCode === tooLargeExit || exitCode === 134 || signalCode === 'SIGABRT' ? tooLarge() : failed(`It ended with ${exitCode ?? signalCode}.`);
  }

  async end(): Promise<void> {
    this.signal?.removeEventListener('abort', this.#abort);
    this.#kill(failed('It was ended.'));
    this.#child.stdout!.destroy();
    await this.#closed;
  }
}

function parseMessage(text: string): Message & { length: number } {
  let message: (Message & { length: number }) | null;
  try {
    message = JSON.parse(text) as typeof message;
  } catch (error) {
    throw failed(error);
  }
  if (typeof message !== 'object' || message === null || !Number.isSafeInteger(message.length) || message.length < 0)
    throw failed('It does not say how many bytes follow.');
  return message;
}

const refusalOf = ({ code, message }: { code: string; message: string }) => new Refusal(code, message);

export const failed = (cause?: unknown) =>
  Object.assign(
    refusal('READER_FAILED', 'The file broke off its own reading.', 'Open it in your spreadsheet, save it as CSV, and upload that file.'),
    cause === undefined ? {} : { cause },
  );

const tooLarge = () =>
  refusal('READER_TOO_LARGE', 'Reading the file takes more memory than it may.', 'Save it as CSV, or divide it into several files, and upload them.');

const tooSlow = () =>
  refusal('READER_TOO_SLOW', 'Reading the file takes longer than it may.', 'Save it as CSV, or divide it into several files, and upload them.');
