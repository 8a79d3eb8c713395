// Decrypted copies of stored files on the local disk, for readers that must jump about in a file.
import { randomBytes } from 'node:crypto';
import { mkdir, open, readdir, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { App } from './app.ts';
import { readFile } from './files.ts';

const copiesOf = ({ DATA_DIRECTORY }: Pick<Config, 'DATA_DIRECTORY'>) => join(DATA_DIRECTORY, 'copies');
/** The host, lest a process of another one that shares the directory is taken for ours. */
const host = hostname().replaceAll(/[^\w]/g, '_');
/** The copies that this process has open. */
const opened = new Set<string>();
/** A copy in use is touched so often, and one that was not touched for a while is in nobody's use. */
const touchedEvery = 60_000;
const leftAfter = 15 * touchedEvery;

/**
 * Does something with a decrypted copy, for readers that must jump about in a file. Nobody else may read the copy, and it is
 * removed however this ends; that of a process that was killed, by the next that starts or the next minute's sweep.
 * @throws NotFound; DamagedFile; StoreUnavailable; whatever `work` throws
 */
export async function withLocalCopy<T>(app: App, organizationId: string, id: string, work: (path: string) => Promise<T>): Promise<T> {
  const directory = copiesOf(app.config);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const name = `${host}-${process.pid}-${randomBytes(8).toString('hex')}`;
  const path = join(directory, name);
  opened.add(name);
  const touching = setInterval(() => utimes(path, new Date(), new Date()).catch(() => undefined), touchedEvery).unref();
  try {
    const copy = await open(path, 'wx', 0o600);
    try {
      for await (const piece of readFile(app, organizationId, id)) await copy.writeFile(piece);
    } finally {
      await copy.close();
    }
    return await work(path);
  } finally {
    clearInterval(touching);
    await rm(path, { force: true });
    opened.delete(name);
  }
}

/** Removes the copies that killed processes have left: those of a process of this host that is no more, and those that nobody has touched for long. */
export async function removeLeftCopies(config: Config): Promise<void> {
  const directory = copiesOf(config);
  const names = await readdir(directory).catch(() => []);
  for (const name of names) {
    const [, from, pid] = /^(\w+)-(\d+)-[0-9a-f]{16}$/.exec(name) ?? [];
    if (pid === undefined || opened.has(name)) continue;
    const path = join(directory, name);
    const ended = from === host && !isRunning(Number(pid));
    const touched = await stat(path).then(
      ({ mtimeMs }) => mtimeMs,
      () => Infinity,
    );
    if (ended || touched < Date.now() - leftAfter) await rm(path, { force: true });
  }
}

/** Whether another process has that id. Ours is told by `opened`: what bears our id and is not in it was left by one that had it before. */
function isRunning(pid: number): boolean {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
