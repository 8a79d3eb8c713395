// Typed topics over LISTEN/NOTIFY; the one place where the transport is chosen. An event is only a hint that a row
// has changed: whoever hears it reads the row.
import { setTimeout as wait } from 'node:timers/promises';
import pg from 'pg';
import type { Transaction } from './database.ts';
import { sql } from './sql.ts';

/** A job, a recovery request, a deletion or an import by its id; all jobs and the sealed log of an organization by the organization's. */
export type Topic = 'job' | 'jobs' | 'recovery' | 'deletion' | 'import' | 'log';

const channel = 'reinstate';
const keyOf = (topic: Topic, id: string) => `${topic}:${id}`;

/** Announces a change; delivered when the transaction commits, to every process, or not at all. */
export async function publish(tx: Transaction, topic: Topic, id: string): Promise<void> {
  await tx.run(sql`select pg_notify(${channel}, ${keyOf(topic, id)})`);
}

/** At most this often does a watcher read the row again, in milliseconds. */
const shortestPause = 100;
/** And no larger part of the time does it spend on that and on what is shown of the row: the counts of a large import take a while. */
const busyPart = 1 / 4;
/** However long that took, for whoever takes slowly. */
const longestPause = 10_000;

/**
 * Watches a row: yields it as it is now, then each change, at most ten a second and fewer where showing it takes long, and after
 * the final one ends. What changed between two reads is seen as one change; what was missed while the connection was lost is caught up with.
 * `return` ends it at once, even while it waits for news.
 */
export const watch = <Row>(pubsub: PubSub, topic: Topic, id: string, read: () => Promise<Row>, isFinal: (row: Row) => boolean): AsyncIterableIterator<Row> =>
  listening(pubsub, topic, id, async function* (news) {
    for (let last: string | undefined; !news.over;) {
      const begun = performance.now();
      news.forget();
      const row = await read();
      const now = JSON.stringify(row);
      // The next one is asked for when this one has been shown.
      if (now !== last) yield row;
      last = now;
      if (isFinal(row)) return;
      const took = performance.now() - begun;
      await news.come();
      await news.until(begun + Math.min(Math.max(shortestPause, took / busyPart), longestPause));
    }
  });

/**
 * Follows a list that is only added to: yields what `read` gives, which goes on each time where it stopped, and waits for
 * news when it says that there is no more. Whoever takes slowly is read for slowly: nothing is kept for them here.
 */
export const follow = <Part>(
  pubsub: PubSub,
  topic: Topic,
  id: string,
  read: () => Promise<{ part: Part | null; more: boolean }>,
): AsyncIterableIterator<Part> =>
  listening(pubsub, topic, id, async function* (news) {
    while (!news.over) {
      const begun = performance.now();
      news.forget();
      const { part, more } = await read();
      if (part !== null) yield part;
      if (more) continue;
      await news.come();
      await news.until(begun + shortestPause);
    }
  });

/** What whoever listens has heard. */
interface News {
  /** Whether they have stopped to listen. */
  readonly over: boolean;
  /** From here on only what comes now is news. */
  forget(): void;
  /** Waits for news, unless there was some, or for the end. */
  come(): Promise<void>;
  /** Waits until this moment of `performance.now()`, or for the end. */
  until(moment: number): Promise<void>;
}

/** Runs a walk that listens to a topic. Its `return` ends it at once, even while it waits. */
function listening<T>(pubsub: PubSub, topic: Topic, id: string, walk: (news: News) => AsyncGenerator<T, void>): AsyncIterableIterator<T> {
  let wake = () => {};
  let heard = false;
  const end = new AbortController();
  const news: News = {
    get over() {
      return end.signal.aborted;
    },
    forget: () => (heard = false),
    come: async () => {
      if (!heard && !news.over) await new Promise<void>((resolve) => (wake = resolve));
    },
    until: async (moment) => {
      const left = moment - performance.now();
      if (left > 0) await wait(left, undefined, { signal: end.signal }).catch(() => undefined);
    },
  };
  const parts = (async function* () {
    const deaf = pubsub.listen(topic, id, () => {
      heard = true;
      wake();
    });
    try {
      yield* walk(news);
    } finally {
      deaf();
    }
  })();
  return {
    next: () => parts.next(),
    return: () => {
      end.abort();
      wake();
      return parts.return();
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
