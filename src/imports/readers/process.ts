// The process that reads a file. What it reads may be made to break readers, so it holds no secret, and its parent
// kills it as soon as it takes too much. It is asked by lines on stdin, one after another, and ends when stdin does.
import { Socket } from 'node:net';
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { Refusal } from '../../errors.ts';
import type { SheetRow } from '../sheet.ts';
import { Stager, type StagingTask } from '../staging.ts';
import { openSheet } from './open-sheet.ts';
import { type ChildRequest, type Message, tooLargeExit } from './messages.ts';

/** What becomes of rows before they are handed over: lines, as many as are wanted, each with its end. */
interface Transform {
  lines(rows: SheetRow[]): string;
  /** What is to be told at the end. */
  result?(): unknown;
}

/** By the name of the mode; made once for a file, of the task that came with the request. */
const modes: Record<string, (task: unknown) => Transform> = {
  rows: () => ({ lines: (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('') }),
  stage: (task) => new Stager(task as StagingTask),
};

/** Asking the system takes as long as two rows. */
const checkedEveryMs = 10;

async function answer({ path, options, limits, memoryBytes, mode, task, firstRows }: ChildRequest): Promise<void> {
  let checkedAt = 0;
  const checkMemory = () => {
    const now = performance.now();
    if (now - checkedAt < checkedEveryMs) return;
    checkedAt = now;
    if (process.memoryUsage.rss() > memoryBytes) process.exit(tooLargeExit);
  };
  // What takes long without a row to show for it is checked by the clock.
  const watch = setInterval(checkMemory, 50);
  const sheet = await openSheet(path, options, limits);
  const transform = modes[mode]!(task);
  await send({ kind: 'FACTS', facts: sheet.facts, totalBytes: sheet.totalBytes });
  let wanted = firstRows ?? Infinity;
  for await (const batch of sheet.rows) {
    checkMemory();
    const rows = batch.slice(0, wanted);
    wanted -= rows.length;
    await send({ kind: 'ROWS', rows: rows.length, bytesRead: sheet.bytesRead() }, transform.lines(rows));
    if (wanted === 0) break;
  }
  clearInterval(watch);
  await send({ kind: 'END', result: transform.result?.() });
}

// `process.stdout` would have all wait for the parent; this is written beside the reading.
const output = new Socket({ fd: 1, readable: false, writable: true });
let sent: Promise<unknown> = Promise.resolve();

/** A line of JSON that says how many bytes follow it, and these. Waits until the parent has taken what was sent before. */
async function send(message: Message, text = ''): Promise<void> {
  const body = Buffer.from(text);
  const head = `${JSON.stringify({ ...message, length: body.length })}\n`;
  await sent;
  output.cork();
  output.write(head);
  sent = new Promise((taken) => void output.write(body, taken));
  output.uncork();
}

const sendError = (error: unknown) =>
  error instanceof Refusal
    ? send({ kind: 'REFUSED', code: error.code, message: error.message })
    : send({ kind: 'FAILED', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) });

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const lines = createInterface(process.stdin);
lines.on('line', async (line) => {
  try {
    await answer(JSON.parse(line) as ChildRequest);
  } catch (error) {
    await sendError(error);
    await sent;
    process.exit();
  }
});
lines.once('close', () => process.exit());
