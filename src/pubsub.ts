// Typed topics over LISTEN/NOTIFY; the one place where the transport is chosen. An event is only a hint that a row
// has changed: whoever hears it reads the row.
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { Transaction } from './database.ts';
import { sql } from './sql.ts';

/** A job by its id, all jobs of an organization by the organization's, a recovery request by its id. */
export type Topic = 'job' | 'jobs' | 'recovery';

const channel = 'reinstate';
const keyOf = (topic: Topic, id: string) => `${topic}:${id}`;

/** Announces a change; delivered when the transaction commits, to every process, or not at all. */
export async function publish(tx: Transaction, topic: Topic, id: string): Promise<void> {
  await tx.run(sql`select pg_notify(${channel}, ${keyOf(topic, id)})`);
}

/** At most this often does a watcher read the row again. */
const shortestPause = 100;

/**
 * Watches a row: yields it as it is now, then each change, at most ten a second, and after the final one ends. What
 * changed between two reads is seen as one change; what was missed while the connection was lost is caught up with.
 * `return` ends it at once, even while it waits for news.
 */
export function watch<Row>(pubsub: PubSub, topic: Topic, id: string, read: () => Promise<Row>, isFinal: (row: Row) => boolean): AsyncIterableIterator<Row> {
  let wake = () => {};
  let news = false;
  const ending = new AbortController();
  const changes = async function* (): AsyncGenerator<Row, void> {
    const deaf = pubsub.listen(topic, id, () => {
      news = true;
      wake();
    });
    try {
      for (let last: string | undefined; !ending.signal.aborted;) {
        const pause = wait(shortestPause);
        news = false;
        const row = await read();
        const now = JSON.stringify(row);
        if (now !== last) yield row;
        last = now;
        if (isFinal(row)) return;
        if (!news && !ending.signal.aborted) await new Promise<void>((resolve) => (wake = resolve));
        await pause;
      }
    } finally {
      deaf();
    }
  };
  const rows = changes();
  return {
    next: () => rows.next(),
    return: () => {
      ending.abort();
      wake();
      return rows.return();
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** One listening connection per process, shared by all who watch. */
export class PubSub {
  #listeners = new Map<string, Set<() => void>>();
  #client: pg.Client | undefined;
  #closed = false;
  #retry: NodeJS.Timeout | undefined;

  constructor(readonly url: string) {}

  /** Connects; from then on a lost connection is replaced by itself, and everyone is told to look again. */
  async open(): Promise<void> {
    const client = new pg.Client({ connectionString: this.url, application_name: 'reinstate listener', keepAlive: true });
    client.on('notification', ({ payload }) => this.#listeners.get(payload ?? '')?.forEach((wake) => wake()));
    client.on('error', () => this.#reconnect(client));
    client.on('end', () => this.#reconnect(client));
    this.#client = client;
    await client.connect();
    await client.query(`LISTEN ${channel}`);
  }

  /** Calls `wake` after each change of the topic until the returned function is called. */
  listen(topic: Topic, id: string, wake: () => void): () => void {
    const key = keyOf(topic, id);
    const set = this.#listeners.get(key) ?? new Set();
    this.#listeners.set(key, set.add(wake));
    return () => {
      set.delete(wake);
      if (set.size === 0) this.#listeners.delete(key);
    };
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#retry);
    await this.#client?.end();
  }

  #reconnect(lost: pg.Client): void {
    if (this.#closed || lost !== this.#client) return;
    this.#client = undefined;
    this.#retry = setTimeout(() => {
      this.open().then(
        () => this.#listeners.forEach((set) => set.forEach((wake) => wake())),
        () => this.#client && this.#reconnect(this.#client),
      );
    }, 250);
  }
}
