// Has ClamAV's daemon look at a file, over its own protocol (clamd, INSTREAM): chunks headed by their length, in order, and one
// word back. The file goes through without being kept.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Config } from '../config.ts';
import { Refusal } from '../errors.ts';

/** clamd takes no more at once than its settings say; this is less than any of them. */
const chunkBytes = 256 * 1024;
const longestReply = 10_000;

/**
 * Whether something was found in it. True without a scanner, when the content was gone through.
 * @throws Refusal SCANNER_UNAVAILABLE when the scanner is away, silent or broken; whatever `content` throws
 */
export async function isClean(config: Config, content: AsyncIterable<Buffer>): Promise<boolean> {
  if (!config.CLAMD_URL) {
    for await (const _ of content);
    return true;
  }
  const reply = await ask(config, content);
  if (/^stream: .+ FOUND$/.test(reply)) return false;
  if (reply === 'stream: OK') return true;
  throw unavailable(`it answered ${JSON.stringify(reply.slice(0, 200))}`);
}

async function ask({ CLAMD_URL, CLAMD_TIMEOUT_SECONDS }: Config, content: AsyncIterable<Buffer>): Promise<string> {
  const socket = connectTo(CLAMD_URL!);
  let reply = '';
  let failure: Error | undefined;
  socket.setTimeout(CLAMD_TIMEOUT_SECONDS * 1000, () => socket.destroy(new Error(`it said nothing for ${CLAMD_TIMEOUT_SECONDS} seconds`)));
  socket.on('data', (part) => {
    reply += part.toString('latin1');
    if (reply.length > longestReply) socket.destroy(new Error('its answer does not end'));
  });
  socket.on('error', (error) => (failure = error));
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  try {
    await send(socket, Buffer.from('zINSTREAM\0'));
    for await (const piece of content)
      for (let at = 0; at < piece.length && isOpen(socket); at += chunkBytes) await send(socket, headed(piece.subarray(at, at + chunkBytes)));
    await send(socket, headed(Buffer.alloc(0)));
    await closed;
  } finally {
    socket.destroy();
  }
  // It may have said what it found, and closed, before it had everything.
  const [said, ...rest] = reply.split('\0');
  if (rest.length > 0) return said!;
  throw unavailable(failure?.message ?? 'it closed the connection without an answer');
}

function connectTo(url: string): Socket {
  const [, path] = /^unix:(.+)$/i.exec(url) ?? [];
  if (path) return connect(path);
  const { hostname, port } = new URL(url);
  // In a URL an IPv6 address stands in brackets.
  return connect(Number(port), hostname.replace(/^\[|\]$/g, ''));
}

const isOpen = (socket: Socket): boolean => !socket.destroyed && !socket.readableEnded;

function headed(chunk: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(chunk.length);
  return Buffer.concat([length, chunk]);
}

/** Sends, and waits while the other side takes nothing. */
async function send(socket: Socket, bytes: Buffer): Promise<void> {
  if (!isOpen(socket) || socket.write(bytes)) return;
  const ended = new AbortController();
  const { signal } = ended;
  await Promise.race(['drain', 'close', 'end'].map((event) => once(socket, event, { signal }))).catch(() => undefined);
  ended.abort();
}

function unavailable(why: string): Refusal {
  console.error(JSON.stringify({ at: 'virus scanner', message: why }));
  return new Refusal(
    'SCANNER_UNAVAILABLE',
    'The virus scanner can’t be used, and no file is taken without it. What was uploaded so far stays. Ask for the standing of the upload in a minute, which tries again; if it stays so, tell the operator.',
  );
}
