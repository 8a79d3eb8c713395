// A PostgreSQL of a test's own, which can be taken away as a crash would, and started again where it was. Linux only.
import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { startEmbedded } from '../src/embedded.ts';
import { environment, findPlace, type Place } from '../src/embedded-files.ts';
import { until } from './processes.ts';

/** Enough for the slowest recovery of the database itself. */
const patienceSeconds = 60;

/** Stopped without any shutdown: by the postmaster itself, or by `kill -9` of it and all that it has started. */
export const crashes = ['SIGQUIT', 'SIGKILL'] as const;

export class DatabaseServer {
  private constructor(
    readonly directory: string,
    readonly url: string,
    readonly place: Place,
    /** What the server was started with: so it comes back on the same port. */
    readonly args: readonly string[],
    private pid: number,
  ) {}

  static async start(): Promise<DatabaseServer> {
    const directory = await realpath(await mkdtemp(join(tmpdir(), 'reinstate-outage-')));
    // What it has written survives the end of its processes without being flushed; only the machine must not fail.
    const server = await startEmbedded({ directory, settings: { fsync: 'off', full_page_writes: 'off' } });
    const args = (await readFile(`/proc/${server.pid}/cmdline`, 'utf8')).split('\0').slice(1, -1);
    return new DatabaseServer(directory, server.urlOf('postgres'), await findPlace(directory), args, server.pid);
  }

  /** Takes it away, now. */
  async crash(how: (typeof crashes)[number]): Promise<void> {
    const children = (await readFile(`/proc/${this.pid}/task/${this.pid}/children`, 'utf8')).trim().split(' ');
    process.kill(this.pid, how);
    if (how === 'SIGKILL') for (const child of children) kill(Number(child));
    await until('the database server to be gone', patienceSeconds, async () => !(await this.#answers()));
  }

  /** Starts it again and waits until it has recovered. */
  async restart(): Promise<void> {
    const log = openSync(join(this.directory, 'postgres.log'), 'a');
    const begin = () =>
      spawn(this.place.programs.postgres, this.args, {
        ...this.place.user,
        cwd: dirname(this.place.programs.postgres),
        env: environment,
        detached: true,
        stdio: ['ignore', log, log],
      });
    let child = begin();
    await until('the database server to be back', patienceSeconds, () => {
      // A backend that has not noticed its end yet keeps the next server from starting.
      if (child.exitCode !== null) child = begin();
      return this.#answers();
    });
    child.unref();
    closeSync(log);
    this.pid = child.pid!;
  }

  async #answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url });
    client.on('error', () => {});
    try {
      await client.connect();
      await client.query('select 1');
      return true;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (await this.#answers()) await this.crash('SIGQUIT');
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 });
    await rm(this.place.data, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One that has ended by itself meanwhile is passed over. */
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
