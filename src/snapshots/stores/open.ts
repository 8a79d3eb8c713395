// The stores that the settings name, opened, and the one for new snapshots tried before anything depends on it.
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { Config } from '../../config.ts';
import type { StoreKind } from '../../entities/snapshot.ts';
import { StartupError } from '../../errors.ts';
import { SnapshotStore } from '../store.ts';
import { FileStore } from './bodies.ts';
import { directoryStore } from './directory.ts';
import { type Contents, newName, type OutsideStore, type StoreUnavailable, withinTime } from './outside.ts';

const kinds = { postgres: 'POSTGRES', directory: 'DIRECTORY', s3: 'S3' } as const satisfies Record<Config['SNAPSHOT_STORE'], StoreKind>;

/** Opens every store that is set up, and writes to, reads from and removes from the one for new snapshots. @throws StartupError */
export async function openStore(config: Config): Promise<SnapshotStore> {
  const outside: OutsideStore[] = [];
  if (config.SNAPSHOT_DIRECTORY) outside.push(directoryStore(config.SNAPSHOT_DIRECTORY));
  if (config.S3_BUCKET) outside.push(await openS3(config, config.S3_PREFIX));
  const store = new SnapshotStore(kinds[config.SNAPSHOT_STORE], outside, config.STORE_TIMEOUT_SECONDS);
  const kept = outside.find(({ kind }) => kind === store.kept);
  if (kept) await probe('SNAPSHOTS', kept, `the directory ${config.SNAPSHOT_DIRECTORY} (SNAPSHOT_DIRECTORY)`, config);
  return store;
}

/** The same for files: they lie in a directory, beside the embedded database where no other is set, or in S3 under a prefix of their own. @throws StartupError */
export async function openFiles(config: Config): Promise<FileStore> {
  const directory = config.FILES_DIRECTORY ?? join(config.DATA_DIRECTORY, 'files');
  const where = `the directory ${directory} (${config.FILES_DIRECTORY ? 'FILES_DIRECTORY' : 'DATA_DIRECTORY, or set FILES_DIRECTORY'})`;
  if (!config.FILES_DIRECTORY)
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch((error: Error) => {
      throw new StartupError(`Files can’t be kept in ${where}: ${error.message}. Nothing was started.`);
    });
  // What one of the two knows nothing of it would sweep away.
  if (config.SNAPSHOT_DIRECTORY && (await isSame(config.SNAPSHOT_DIRECTORY, directory)))
    throw new StartupError(`Files can’t be kept in ${where}: snapshots are kept there. Set another directory. Nothing was started.`);
  const outside: OutsideStore[] = [directoryStore(directory)];
  if (config.S3_BUCKET) outside.push(await openS3(config, `${config.S3_PREFIX}files/`));
  const store = new FileStore(kinds[config.FILE_STORE], outside, config.STORE_TIMEOUT_SECONDS);
  await probe('FILES', store.at(store.kept), where, config);
  return store;
}

async function isSame(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => realpath(path).catch(() => path)));
  return first === second;
}

/**
 * Where checkpoints of the action log go: the directory that is set, else the S3 bucket, else beside the embedded database.
 * Null with a database of one's own and neither of them.
 * @throws StartupError when a directory that is set can't be used
 */
export async function openCheckpoints(config: Config, store: SnapshotStore): Promise<OutsideStore | null> {
  const { CHECKPOINT_DIRECTORY: directory, DATABASE_URL, DATA_DIRECTORY } = config;
  if (directory) {
    await access(directory, constants.W_OK).catch((error: Error) => {
      throw new StartupError(`Checkpoints can’t be kept in the directory ${directory} (CHECKPOINT_DIRECTORY): ${error.message}. Nothing was started.`);
    });
    return directoryStore(directory);
  }
  const bucket = store.outside.find(({ kind }) => kind === 'S3');
  if (bucket) return bucket;
  if (DATABASE_URL) return null;
  const beside = join(DATA_DIRECTORY, 'checkpoints');
  await mkdir(beside, { recursive: true, mode: 0o700 });
  return directoryStore(beside);
}

/** Loaded only where it is used: Amazon's client is larger than everything else together. */
async function openS3(config: Config, prefix: string): Promise<OutsideStore> {
  const { s3Store } = await import('./s3.ts');
  return s3Store({
    bucket: config.S3_BUCKET!,
    endpoint: config.S3_ENDPOINT ?? null,
    region: config.S3_REGION,
    accessKeyId: config.S3_ACCESS_KEY_ID!,
    secretAccessKey: config.S3_SECRET_ACCESS_KEY!,
    prefix,
    partBytes: config.S3_PART_MEGABYTES * 1024 * 1024,
  });
}

async function probe(of: Contents, store: OutsideStore, directory: string, config: Config): Promise<void> {
  const body = randomBytes(64);
  const name = newName('probe', 'start', 0, Date.now());
  const where =
    store.kind === 'S3'
      ? `the bucket ${config.S3_BUCKET} at ${config.S3_ENDPOINT ?? 'Amazon S3'} (S3_BUCKET, S3_ENDPOINT, S3_REGION, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY)`
      : directory;
  await withinTime(of, config.STORE_TIMEOUT_SECONDS, async (signal) => {
    await store.put(name, body, signal);
    const kept = await store.get(name, signal);
    if (!kept?.equals(body)) throw new Error('It gave back other bytes than it was given.');
    await store.remove(name, signal);
  }).catch(async (error: StoreUnavailable) => {
    // It may have got there all the same, and no sweep comes by.
    await withinTime(of, config.STORE_TIMEOUT_SECONDS, (signal) => store.remove(name, signal)).catch(() => undefined);
    const cause = error.cause instanceof Error ? ` (${error.cause.message.split('\n')[0]})` : '';
    throw new StartupError(`${of === 'FILES' ? 'Files' : 'Snapshots'} can’t be kept in ${where}: ${error.why}${cause}. Nothing was started.`);
  });
}
