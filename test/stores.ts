// A directory for a test to keep snapshots in.
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A store for a test: its settings, and the files in which it keeps bodies. */
export interface Place extends AsyncDisposable {
  settings: Record<string, string>;
  root: string;
  files(): Promise<string[]>;
}

export async function inDirectory(): Promise<Place> {
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-store-'));
  return {
    settings: { SNAPSHOT_STORE: 'directory', SNAPSHOT_DIRECTORY: directory },
    root: directory,
    files: () => filesOf(directory),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

export async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
