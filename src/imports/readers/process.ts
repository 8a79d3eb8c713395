// The process that reads one file. What it reads may be made to break readers, so it holds no secret, and its parent
// kills it as soon as it takes too much. It is asked by one line on stdin, and ends when stdin does.
import { constants, setPriority } from 'node:os';
import { createInterface } from 'node:readline';
import { Refusal } from '../../errors.ts';
import type { SheetFacts, SheetRow } from '../sheet.ts';
import type { StagingTask } from '../staging.ts';
import { openSheet } from './open-sheet.ts';
import { type ChildRequest, type Message, tooLargeExit } from './messages.ts';

/** What becomes of rows before they are handed over: lines, as many as are wanted, each with its end. */
interface Transform {
  lines(rows: SheetRow[]): string;
  /** What is to be told at the end. */
  result?(): unknown;
}

/** By the name of the mode; made once for a file, of its facts and of the task that came with the request. */
const modes: Record<string, (facts: SheetFacts, task: unknown) => Promise<Transform>> = {
  rows: async () => ({ lines: (rows) => rows.map((row) => `${JSON.stringify(row)}\n`).join('') }),
  // Loaded for this mode only: it is the larger part.
  stage: async (_facts, task) => new (await import('../staging.ts')).Stager(task as StagingTask),
};

async function answer({ path, options, limits, memoryBytes, mode, task, firstRows }: ChildRequest): Promise<void> {
  const checkMemory = () => {
    if (process.memoryUsage.rss() > memoryBytes) process.exit(tooLargeExit);
  };
  setInterval(checkMemory, 50);
  const sheet = await openSheet(path, options, limits);
  const transform = await modes[mode]!(sheet.facts, task);
  await send({ kind: 'FACTS', facts: sheet.facts, totalBytes: sheet.totalBytes });
  let wanted = firstRows ?? Infinity;
  for await (const batch of sheet.rows) {
    checkMemory();
    const rows = batch.slice(0, wanted);
    wanted -= rows.length;
    await send({ kind: 'ROWS', rows: rows.length, bytesRead: sheet.bytesRead() }, transform.lines(rows));
    if (wanted === 0) break;
  }
  await send({ kind: 'END', result: transform.result?.() });
}

/** A line of JSON that says how many bytes follow it, and these. Waits for the parent to take them. */
async function send(message: Message, text = ''): Promise<void> {
  const body = Buffer.from(text);
  const head = Buffer.from(`${JSON.stringify({ ...message, length: body.length })}\n`);
  await new Promise((taken) => void process.stdout.write(Buffer.concat([head, body]), taken));
}

const sendError = (error: unknown) =>
  error instanceof Refusal
    ? send({ kind: 'REFUSED', code: error.code, message: error.message })
    : send({ kind: 'FAILED', fault: error instanceof Error ? (error.stack ?? error.message) : String(error) });

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
const lines = createInterface(process.stdin);
lines.once('line', (line) => {
  void answer(JSON.parse(line) as ChildRequest)
    .catch(sendError)
    .then(() => process.exit());
});
lines.once('close', () => process.exit());
