// The database that needs no installing: a real PostgreSQL 18 out of npm, kept in one directory and shared by
// every process that starts on it. The package's own class is not used: it cannot attach, adopt or say what failed.
import { execFile, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { environment, findPlace, initialize, keepPassword, lastLines, type Place } from './embedded-files.ts';
import { StartupError } from './errors.ts';

export type Embedded = {
  /** The superuser's address of the database `reinstate`. */
  url: string;
  urlOf(database: string): string;
  /** Where the data really is: as root often not below the directory asked for. */
  location: string;
  /** True when the server outlived the process that had started it, and is this process's to stop now. */
  adopted: boolean;
  /** The postmaster's. */
  pid: number;
  /**
   * Shuts the server down in order and resolves once it is gone; `remove` then deletes its data, password and log.
   * Every call waits for the first one's end. Does nothing in a process that merely attached to another's server.
   */
  stop(options?: { remove?: boolean }): Promise<void>;
};

type Options = {
  directory: string;
  /** Server settings beyond our own; they count only for the process that comes first. */
  settings?: Record<string, string>;
  log?: (line: string) => void;
};

const defaults = {
  max_connections: '200',
  shared_buffers: '256MB',
  // Failed statements are reported by whoever sent them; here they would keep personal data for ever.
  log_min_messages: 'log',
};

/**
 * Starts the server of `directory`, creating it the first time, or attaches to the one that runs there. Who starts
 * or adopts it owns it.
 *
 * @throws StartupError one sentence, with the end of the server's log if it has said anything
 */
export async function startEmbedded({ directory, settings = {}, log = () => {} }: Options): Promise<Embedded> {
  await mkdir(directory, { recursive: true });
  const home = await realpath(directory);
  return await locked(home, log, async () => {
    const place = await findPlace(home);
    const password = await keepPassword(join(home, 'password'));
    const running = await findServer(place.data);
    if (!running && !existsSync(place.data)) {
      log(`Creating a PostgreSQL database in ${place.data}.`);
      await initialize(place, password, settings);
    }
    const { pid, port } = running ?? (await launch(place, settings, join(home, 'postgres.log')));
    const urlOf = (database: string) => `postgresql://postgres:${password}@127.0.0.1:${port}/${encodeURIComponent(database)}`;
    try {
      await ensureDatabase(urlOf('postgres'));
    } catch (cause) {
      if (!running) await halt(place, pid);
      throw new StartupError(`The PostgreSQL in ${place.data} runs but refuses us: ${(cause as Error).message}.`, { cause });
    }
    log(`PostgreSQL ${running ? 'was running' : 'runs'} on 127.0.0.1:${port}, its data is in ${place.data}.`);

    const ownerFile = join(home, 'owner.pid');
    const owned = !running || !isAlive(await readFile(ownerFile, 'utf8').catch(() => ''));
    if (owned) await writeFile(ownerFile, lifeOf(process.pid)!);
    let stopped: Promise<void> | undefined;
    const stop = async ({ remove = false } = {}) => {
      if (owned) await (stopped ??= locked(home, log, () => shutDown(home, place, pid, remove)));
    };
    return { url: urlOf('reinstate'), urlOf, location: place.data, adopted: owned && running !== undefined, pid, stop };
  });
}

async function shutDown(home: string, place: Place, pid: number, remove: boolean): Promise<void> {
  const running = readPidFile(place.data)?.pid ?? pid;
  if (running !== pid) return; // ours crashed and somebody has started the next
  await halt(place, pid);
  const kept = [place.data, ...['postgres', 'postgres.log', 'password'].map((name) => join(home, name))];
  for (const path of [join(home, 'owner.pid'), ...(remove ? kept : [])]) await rm(path, { recursive: true, force: true });
}

type Server = { pid: number; port: number; status: string };

/** Launches until it works for five seconds: backends outlive a killed server a little, and a free port may be taken. */
async function launch(place: Place, settings: Record<string, string>, logFile: string): Promise<Server> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await launchOnce(place, settings, logFile);
    } catch (error) {
      if (attempt === 20 || !/(still|already) in use/.test((error as Error).message)) throw error;
      await delay(250);
    }
  }
}

async function launchOnce({ programs, data, user }: Place, settings: Record<string, string>, logFile: string): Promise<Server> {
  const fixed = { port: await freePort(), listen_addresses: '127.0.0.1', unix_socket_directories: '' };
  const flags = Object.entries({ ...defaults, ...settings, ...fixed }).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  await rm(join(data, 'postmaster.pid'), { force: true }); // stale, or findServer() had found its server
  const output = openSync(logFile, 'a');
  const { size } = fstatSync(output);
  // Detached, because Ctrl-C goes to the whole terminal: the database must outlive what still has to write to it.
  const child = spawn(programs.postgres, ['-D', data, ...flags], {
    ...user,
    cwd: dirname(programs.postgres),
    env: environment,
    detached: true,
    windowsHide: true,
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  child.unref();
  let spawnError = '';
  child.once('error', ({ message }) => (spawnError = message));
  let server: Server | undefined;
  await until('PostgreSQL to start', () => {
    if (spawnError || child.exitCode !== null || child.signalCode !== null) {
      const reason = spawnError || lastLines(readFileSync(logFile).subarray(size).toString());
      throw new StartupError(`PostgreSQL could not start in ${data}: ${reason}`);
    }
    server = readPidFile(data);
    return server?.pid === child.pid && server?.status === 'ready';
  });
  return server!;
}

/** The server that runs on `data`, once it has made up its mind between starting and stopping. */
async function findServer(data: string): Promise<Server | undefined> {
  await until('PostgreSQL to finish starting or stopping', () => ['ready', undefined].includes(readPidFile(data)?.status));
  const server = readPidFile(data);
  if (!server) return undefined;
  const socket = connect(server.port, '127.0.0.1');
  const answers = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return answers ? server : undefined;
}

/** Reads postmaster.pid, whose lines PostgreSQL documents; undefined when its pid is dead or another program's by now. */
function readPidFile(data: string): Server | undefined {
  try {
    const lines = readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    if (!pid || !lifeOf(pid)) return undefined;
    if (process.platform === 'linux' && !readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(data)) return undefined;
    return { pid, port: Number(lines[3]), status: lines[7]?.trim() ?? '' };
  } catch (error) {
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code!)) return undefined;
    throw error;
  }
}

async function halt({ programs, data }: Place, pid: number): Promise<void> {
  const life = lifeOf(pid);
  if (!life || readPidFile(data)?.pid !== pid) return;
  // SIGINT is PostgreSQL's fast shutdown; Windows has no signals, so there pg_ctl delivers it.
  if (process.platform === 'win32') await promisify(execFile)(programs.pg_ctl, ['kill', 'INT', `${pid}`]);
  else process.kill(pid, 'SIGINT');
  await until('PostgreSQL to shut down', () => !isAlive(life));
}

async function ensureDatabase(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  try {
    await client.connect();
    const { rowCount } = await client.query("SELECT FROM pg_database WHERE datname = 'reinstate'");
    if (!rowCount) await client.query('CREATE DATABASE reinstate');
  } finally {
    await client.end();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Runs `work` while no other process, nor another call in this one, runs its own on `directory`. The lock is a
 * directory with one file that names its holder: rename() puts both in place at once and never replaces a directory
 * that still holds a name, and a dead holder's name is removed by that name only, so two heirs cannot both win.
 */
async function locked<T>(directory: string, log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  const lock = join(directory, 'lock');
  const token = `${lifeOf(process.pid)}.${randomUUID()}`;
  const draft = `${lock}.${token}`;
  let waiting = false;
  await until(`another process to finish starting or stopping the database in ${directory}`, async () => {
    const [holder] = await readdir(lock).catch(() => []);
    const life = holder?.split('.')[0] ?? '';
    if (isAlive(life)) {
      if (!waiting) log(`Waiting for process ${parseInt(life)}, which is starting or stopping the database.`);
      waiting = true;
      return false;
    }
    if (holder) await rm(join(lock, holder), { force: true });
    await mkdir(draft);
    await writeFile(join(draft, token), '');
    await rmdir(lock).catch(() => {}); // Windows renames onto no directory, not even an empty one
    const taken = await rename(draft, lock).then(
      () => true,
      () => false,
    );
    if (!taken) await rm(draft, { recursive: true, force: true });
    return taken;
  });
  try {
    return await work();
  } finally {
    await rm(join(lock, token), { force: true });
    await rmdir(lock).catch(() => {});
  }
}

/**
 * Names one life of a process, `<pid>-<start>` on Linux, so that a reused pid is not taken for its predecessor; a
 * killed process that nobody has reaped is dead too. Undefined when it doesn't run.
 */
function lifeOf(pid: number): string | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return undefined;
  }
  if (process.platform !== 'linux') return `${pid}`;
  try {
    const [state, ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
    return state === 'Z' || state === 'X' ? undefined : `${pid}-${fields[18]}`;
  } catch {
    return undefined;
  }
}

const isAlive = (life: string) => life !== '' && lifeOf(parseInt(life)) === life;

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (!(await holds())) {
    if (Date.now() > deadline) throw new StartupError(`Waited two minutes for ${what}.`);
    await delay(5);
  }
}
