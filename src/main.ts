// Starts the database, the API and the worker, as the role asks, and stops them in reverse order.
import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import pg from 'pg';
import { type DemoPeople, seedDemo } from '../demo/organizations.ts';
import { type Config, readConfig } from './config.ts';
import { Database } from './database.ts';
import type { App } from './domain/app.ts';
import { removeLeftCopies } from './domain/local-copies.ts';
import { manualPayments } from './domain/payments.ts';
import { type Embedded, startEmbedded } from './embedded.ts';
import { StartupError } from './errors.ts';
import { startWorker } from './jobs/worker.ts';
import { deriveKeys } from './keys.ts';
import { migrate } from './migrate.ts';
import { PubSub } from './pubsub.ts';
import { graphOf } from './snapshots/capture.ts';
import { openCheckpoints, openFiles, openStore } from './snapshots/stores/open.ts';

export const roles = ['all', 'api', 'worker'] as const;
export type ProcessRole = (typeof roles)[number];

export interface Running {
  app: App;
  /** The database as the role that owns the tables. */
  ownerUrl: string;
  /** The address of the API; absent in a worker. */
  url: string | undefined;
  /** Resolves when a part has ended by itself, which is a fault. */
  broken: Promise<void>;
  /** Stops everything that was started; `remove` deletes the embedded database. */
  stop(how?: { remove?: boolean }): Promise<void>;
}

/** Starts what the role asks for. Nothing is left running when it throws. @throws StartupError with one clear line */
export async function start(config: Config, role: ProcessRole, say: (line: string) => void = () => {}): Promise<Running> {
  const stops: ((how: { remove?: boolean }) => Promise<unknown>)[] = [];
  const stop = async (how: { remove?: boolean } = {}): Promise<void> => {
    for (let next = stops.pop(); next; next = stops.pop()) await next(how);
  };
  try {
    const embedded = config.DATABASE_URL ? undefined : await startEmbedded({ directory: config.DATA_DIRECTORY });
    if (embedded) stops.push((how) => embedded.stop(how));
    const store = await openStore(config);
    const files = await openFiles(config);
    await removeLeftCopies(config);
    const keys = deriveKeys(await masterKey(config, say));
    const ownerUrl = config.DATABASE_URL ?? embedded!.url;
    const appUrl = await migrate({ url: ownerUrl, appUrl: config.DATABASE_APP_URL, secret: keys.database, logRetentionDays: config.LOG_RETENTION_DAYS });
    const database = await Database.open(appUrl, config.POOL_SIZE);
    stops.push(() => database.close());
    const checkpoints = await openCheckpoints(config, store);
    const app: App = { config, database, keys, store, files, checkpoints, payments: manualPayments };
    // Refuses entities that it could not bring back.
    graphOf(app);
    let broken = new Promise<void>(() => {});
    if (role !== 'api') {
      const worker = await startWorker(app);
      broken = worker.ended;
      stops.push(() => worker.stop());
    }
    let url: string | undefined;
    if (role !== 'worker') {
      const pubsub = new PubSub(appUrl);
      stops.push(() => pubsub.close());
      await pubsub.open();
      // Half of what there is to load, and a worker has no use for it.
      const { startServer } = await import('./server.ts');
      const server = await startServer({ app, pubsub, host: config.HOST, port: config.PORT });
      url = server.url;
      stops.push(() => server.close());
    }
    if (!checkpoints) say('Checkpoints of the action log are kept nowhere outside of the database. Set CHECKPOINT_DIRECTORY, or S3_BUCKET.');
    if (embedded) sayWhere(embedded, say);
    return { app, ownerUrl, url, broken, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The configured master key; without one, the key that is kept beside the embedded data. */
async function masterKey(config: Config, say: (line: string) => void): Promise<Buffer> {
  if (config.MASTER_KEY) return Buffer.from(config.MASTER_KEY, 'base64');
  await mkdir(config.DATA_DIRECTORY, { recursive: true });
  const file = join(config.DATA_DIRECTORY, 'master.key');
  try {
    await writeFile(file, randomBytes(32).toString('base64'), { mode: 0o600, flag: 'wx' });
    say(`A master key was made in ${file}. Without it no snapshot can be opened: keep it, or set MASTER_KEY.`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    say(`The master key is the one in ${file}.`);
  }
  return Buffer.from(await readFile(file, 'utf8'), 'base64');
}

function sayWhere(embedded: Embedded, say: (line: string) => void): void {
  say(`Embedded PostgreSQL keeps its data in ${embedded.location}.`);
}

/** Puts the demo organizations into an embedded database that has none. Nothing is left running when it throws. */
async function peopleOf(running: Running, config: Config): Promise<DemoPeople | undefined> {
  if (!running.url || config.DATABASE_URL) return undefined;
  const owner = new pg.Client({ connectionString: running.ownerUrl });
  try {
    await owner.connect();
    return await seedDemo(owner);
  } catch (error) {
    await running.stop();
    throw error;
  } finally {
    await owner.end();
  }
}

async function main(): Promise<void> {
  const role = askedRole();
  const config = readConfig();
  const say = (line: string) => console.log(line);
  // From here on, for whoever is told to stop while starting has a database server to stop. Told a second time, the process ends at once.
  const told = new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  const running = await start(config, role, say);
  const people = await peopleOf(running, config);
  stopWhenTold(running, told);
  if (running.url) {
    say(`GraphQL is served at ${running.url.replace('127.0.0.1', 'localhost')}`);
    for (const line of people?.lines ?? []) say(line);
  } else say('The worker is ready.');
}

/** @throws StartupError */
function askedRole(): ProcessRole {
  let asked: string;
  try {
    asked = parseArgs({ options: { role: { type: 'string', default: 'all' } } }).values.role;
  } catch (error) {
    throw new StartupError((error as Error).message);
  }
  const role = roles.find((one) => one === asked);
  if (!role) throw new StartupError(`There is no role ${asked}; say --role api, worker or all.`);
  return role;
}

/** Stops everything, once: with exit code 0 when it is told to, or has been, and 1 when a part has ended by itself. */
function stopWhenTold(running: Running, told: Promise<unknown>): void {
  let stopping = false;
  const quit = (code: number) => async () => {
    // A worker that is being stopped ends, which is no fault then.
    if (stopping) return;
    stopping = true;
    process.exitCode = code;
    if (code) console.error('The worker has ended by itself. Everything is stopped; start again.');
    process.removeAllListeners('SIGINT').removeAllListeners('SIGTERM');
    await running.stop();
  };
  void told.then(quit(0));
  running.broken.then(quit(1), quit(1));
}

if (import.meta.main) {
  main().catch((error: unknown) => {
    console.error(error instanceof StartupError ? error.message : error);
    process.exit(1);
  });
}
