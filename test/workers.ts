// Several worker processes at once, for tests that kill the one that is at work and have others take over.
import type { World } from './harness.ts';
import { type ServerProcess, startProcess } from './processes.ts';

/** Worker processes on one database, and which of them is at work. */
export class Workers {
  #all: { process: ServerProcess; ids: string[] }[] = [];
  #starting: Promise<void> = Promise.resolve();

  constructor(
    readonly world: World,
    readonly settings: Record<string, string>,
  ) {}

  /** Starts one more; it can be waited for with `ready`. */
  start(): void {
    this.#starting = this.#starting.then(async () => {
      const known = new Set(await this.#heartbeats());
      const process = await startProcess(this.world, 'worker', this.settings);
      this.#all.push({ process, ids: (await this.#heartbeats()).filter((id) => !known.has(id)) });
    });
    this.#starting.catch(() => undefined);
  }

  ready(): Promise<void> {
    return this.#starting;
  }

  async #heartbeats(): Promise<string[]> {
    const { rows } = await this.world.owner.query<{ id: string }>('select worker_id as id from worker_heartbeat');
    return rows.map(({ id }) => id);
  }

  /** Whether one of those that are running is at work. */
  async isAtWork(): Promise<boolean> {
    return (await this.#busy()) !== undefined;
  }

  async #busy(): Promise<{ process: ServerProcess; ids: string[] } | undefined> {
    const { rows } = await this.world.owner.query<{ id: string }>(
      `select locked_by as id from graphile_worker.jobs where task_identifier not in ('meet_deadlines', 'keep_snapshots') and locked_by is not null`,
    );
    return this.#all.find(({ ids }) => rows.some(({ id }) => ids.includes(id)));
  }

  /** Sends a signal to the one that is at work, or to one that is idle when none is. @returns whether one was, and how it ended */
  async end(signal: NodeJS.Signals): Promise<{ wasAtWork: boolean; code: number | null }> {
    const busy = await this.#busy();
    const one = busy ?? this.#all[0]!;
    this.#all.splice(this.#all.indexOf(one), 1);
    const { code } = await one.process.end(signal);
    return { wasAtWork: busy !== undefined, code };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#starting.catch(() => undefined);
    await Promise.all(this.#all.map(({ process }) => process.end('SIGKILL')));
  }
}

export async function startWorkers(world: World, count: number, settings: Record<string, string>): Promise<Workers> {
  const workers = new Workers(world, settings);
  for (let one = 0; one < count; one++) workers.start();
  await workers.ready();
  return workers;
}
