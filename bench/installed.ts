// A PostgreSQL that the machine has of its own: its dump program, and its server where the program is too old for ours.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';

const run = promisify(execFile);

export interface DumpProgram {
  path: string;
  /** The major version, as in 15. */
  version: number;
}

/** The newest dump program on the PATH and where Debian keeps them; undefined when there is none. */
export async function findDumpProgram(): Promise<DumpProgram | undefined> {
  const versions = await readdir('/usr/lib/postgresql').catch(() => []);
  const directories = [...versions.map((version) => `/usr/lib/postgresql/${version}/bin`), ...(process.env['PATH'] ?? '').split(':')];
  const found: DumpProgram[] = [];
  for (const directory of directories) {
    const path = join(directory, 'pg_dump');
    const said = await run(path, ['--version']).catch(() => undefined);
    const version = /(\d+)[.\d]* ?/.exec(said?.stdout ?? '')?.[1];
    if (version) found.push({ path, version: Number(version) });
  }
  return found.toSorted((a, b) => b.version - a.version)[0];
}

/** Starts the server that came with the program, on data of its own; undefined when there is none beside it. */
export async function startInstalled({ path }: DumpProgram, settings: Record<string, string>): Promise<({ url: string } & AsyncDisposable) | undefined> {
  const programs = dirname(path);
  if (!(await readdir(programs)).includes('initdb')) return undefined;
  const user = process.getuid?.() === 0 ? await userOf('postgres') : undefined;
  const data = await mkdtemp(join(tmpdir(), 'reinstate-installed-'));
  if (user) await chown(data, user.uid, user.gid);
  await chmod(data, 0o700);
  await run(join(programs, 'initdb'), ['-D', data, '--username=postgres', '--auth=trust', '--encoding=UTF8', '--locale=C'], { ...user, cwd: '/' });
  const port = await freePort();
  const flags = Object.entries({ ...settings, port: String(port), listen_addresses: '127.0.0.1', unix_socket_directories: '' });
  const server = spawn(join(programs, 'postgres'), ['-D', data, ...flags.flatMap(([name, value]) => ['-c', `${name}=${value}`])], {
    ...user,
    cwd: '/',
    stdio: 'ignore',
  });
  const url = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  await untilItAnswers(url);
  return {
    url,
    async [Symbol.asyncDispose]() {
      const ended = once(server, 'exit');
      server.kill('SIGINT');
      await ended;
      await rm(data, { recursive: true, force: true });
    },
  };
}

async function userOf(name: string): Promise<{ uid: number; gid: number }> {
  const line = (await readFile('/etc/passwd', 'utf8')).split('\n').find((one) => one.startsWith(`${name}:`));
  const [uid, gid] = line!.split(':').slice(2);
  return { uid: Number(uid), gid: Number(gid) };
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  return port;
}

async function untilItAnswers(url: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client({ connectionString: url });
    client.on('error', () => undefined);
    try {
      await client.connect();
      return await client.end();
    } catch (error) {
      if (attempt === 100) throw error;
      await wait(100);
    }
  }
}
