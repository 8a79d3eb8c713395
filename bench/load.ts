// A server under measurement in a process of its own, and requests to it over and over.
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent, request } from 'node:http';
import { join } from 'node:path';

const connections = 16;

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

/** A file of this folder, by its name, as it was built. */
export const script = (name: string): string => join(import.meta.dirname, `${name}.js`);

export async function serve(name: string, settings: NodeJS.ProcessEnv): Promise<{ process: ChildProcess; port: number }> {
  const child = fork(script(name), {
    execArgv: ['--max-semi-space-size=8'],
    env: { PATH: process.env['PATH'], NODE_ENV: 'production', ...settings },
  });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { process: child, port };
}

export async function end(child: ChildProcess): Promise<void> {
  const exit = once(child, 'exit');
  child.disconnect();
  await exit;
}

/** Sends the query over and over from all connections. @returns requests per second */
export async function load(port: number, accessToken: string, query: string, milliseconds: number): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const body = JSON.stringify({ query });
  const until = performance.now() + milliseconds;
  const start = performance.now();
  let answered = 0;
  const connection = async (): Promise<void> => {
    while (performance.now() < until) {
      await post(agent, port, accessToken, body);
      answered++;
    }
  };
  await Promise.all(Array.from({ length: connections }, connection));
  agent.destroy();
  return (answered / (performance.now() - start)) * 1000;
}

function post(agent: Agent, port: number, accessToken: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      authorization: `Bearer ${accessToken}`,
    };
    const sent = request({ agent, port, host: '127.0.0.1', path: '/graphql', method: 'POST', headers }, (response) => {
      let start = '';
      response.on('data', (part: Buffer) => (start ||= part.toString('utf8', 0, 30)));
      response.on('end', () => (start.startsWith('{"data":{"contacts"') ? resolve() : reject(new Error(start))));
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
