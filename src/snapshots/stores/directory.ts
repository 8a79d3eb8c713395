// Bodies as files of a directory, best on a disk of its own. A file has its name only once its bytes are on the disk.
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { madeAt, type OutsideStore } from './outside.ts';

/** Names in one answer of `list`. */
const batch = 500;

export function directoryStore(root: string): OutsideStore {
  return {
    kind: 'DIRECTORY',

    async put(name, body, signal) {
      // The directory itself is never made: where a disk is not mounted, nothing may be written in its place.
      await access(root, constants.W_OK);
      const path = pathOf(root, name);
      if (await mkdir(dirname(path), { recursive: true, mode: 0o700 })) await syncDirectory(root);
      const unfinished = `${path}.part`;
      try {
        await writeThrough(unfinished, body, signal);
        signal.throwIfAborted();
        await rename(unfinished, path);
      } catch (error) {
        await rm(unfinished, { force: true });
        throw error;
      }
      await syncDirectory(dirname(path));
    },

    async get(name, signal) {
      await access(root);
      return readFile(pathOf(root, name), { signal }).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return undefined;
        throw error;
      });
    },

    async remove(name) {
      const path = pathOf(root, name);
      await rm(path, { force: true });
      await syncDirectory(dirname(path)).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      });
    },

    async list(organizationId, after) {
      await access(root);
      const files = await readdir(join(root, organizationId)).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      });
      const names = files.map((file) => `${organizationId}/${file}`).filter((name) => name > after);
      return names.sort().slice(0, batch);
    },
  };
}

/** @throws RangeError for a name that could lead elsewhere */
function pathOf(root: string, name: string): string {
  if (madeAt(name) === undefined) throw new RangeError('The name of a stored body is none that we make.');
  return join(root, name);
}

async function writeThrough(path: string, body: Buffer, signal: AbortSignal): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(body, { signal });
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes new and removed names last. Windows can't open a directory; its file systems keep names in their journal. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return;
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
