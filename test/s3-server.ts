// A real S3 server in a process of its own, and a proxy before it that delays, cuts, swallows and alters what goes through.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { leash } from './processes.ts';

const program = fileURLToPath(new URL('../node_modules/s3rver/bin/s3rver.js', import.meta.url));
const bucket = 'snapshots';

export interface S3Server extends AsyncDisposable {
  /** Where the server keeps its objects. */
  directory: string;
  proxy: Proxy;
  settings: Record<string, string>;
}

/** Starts the server with an empty bucket, and the proxy that the settings lead to. Use with `await using`. */
export async function startS3(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-s3-'));
  const args = ['--import', leash, program, '-d', directory, '-a', '127.0.0.1', '-p', '0', '-s', '--configure-bucket', bucket];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true, force: true });
  };
  let port = '';
  for await (const line of createInterface(child.stdout)) if ((port = /:(\d+)$/.exec(line)?.[1] ?? '')) break;
  child.stdout.resume();
  const proxy = await Proxy.before(Number(port));
  return {
    directory: join(directory, bucket),
    proxy,
    settings: {
      SNAPSHOT_STORE: 's3',
      S3_BUCKET: bucket,
      S3_ENDPOINT: `http://127.0.0.1:${proxy.port}`,
      S3_ACCESS_KEY_ID: 'S3RVER',
      S3_SECRET_ACCESS_KEY: 'S3RVER',
      S3_PREFIX: 'reinstate/',
    },
    async [Symbol.asyncDispose]() {
      await proxy.close();
      await stop();
    },
  };
}

interface Passing {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
}

/** What the proxy does with a request; `pass` sends it on, with another body where one is given. */
export type Fault = (asked: Passing, pass: (body?: Buffer) => Promise<void>, answer: ServerResponse, body: Buffer) => Promise<void> | void;

export class Proxy {
  /** Every request that came. */
  readonly seen: Passing[] = [];
  /** What happens to requests; undefined: they pass. */
  fault: Fault | undefined;
  /** Flips a bit of every body that the server gives. */
  alterAnswers = false;
  readonly #server = createServer((asked, answer) => void this.#handle(asked, answer));

  private constructor(readonly target: number) {}

  static async before(target: number): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, '127.0.0.1');
    await once(proxy.#server, 'listening');
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(asked: IncomingMessage, answer: ServerResponse): Promise<void> {
    const body = await collect(asked);
    const passing = { method: asked.method!, url: asked.url!, headers: asked.headers };
    this.seen.push(passing);
    const pass = (other = body) => this.#pass(passing, other, answer);
    if (this.fault) await this.fault(passing, pass, answer, body);
    else await pass();
  }

  async #pass({ method, url, headers }: Passing, body: Buffer, answer: ServerResponse): Promise<void> {
    const sent = request({ host: '127.0.0.1', port: this.target, method, path: url, headers });
    sent.end(body);
    const [got] = (await once(sent, 'response')) as [IncomingMessage];
    const given = await collect(got);
    answer.writeHead(got.statusCode!, got.headers);
    answer.end(this.alterAnswers && method === 'GET' ? flipped(given) : given);
  }
}

async function collect(stream: AsyncIterable<Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts);
}

/** The same with one bit in its middle turned over. */
export function flipped(body: Buffer): Buffer {
  const other = Buffer.from(body);
  const middle = Math.floor(other.length / 2);
  if (middle < other.length) other[middle]! ^= 1;
  return other;
}
