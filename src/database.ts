// The connection to PostgreSQL and its one way of working: a transaction that belongs to one organization.
import { AsyncLocalStorage } from 'node:async_hooks';
import { MikroORM, type SqlEntityManager } from '@mikro-orm/postgresql';
import { Kysely, PostgresDialect } from 'kysely';
import pg from 'pg';
import { entities } from './entities/index.ts';
import { TimedOut } from './errors.ts';
import { uuid } from './global-id.ts';
import { type Scope, scoping, unscoping } from './scope.ts';
import type { Sql } from './sql.ts';

const viewName = /^(new|[0-9A-F-]+)$/;

/** What PostgreSQL's values become: dates stay text, counts and cents become numbers. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.DATE, (text) => text);
types.setTypeParser(pg.types.builtins.INT8, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new Error(`The integer ${text} is too large to be exact.`);
  return value;
});

/** How many milliseconds a transaction that is begun now may take. */
const mostTime = new AsyncLocalStorage<number>();

/** Runs `work`, within which no transaction takes longer: no statement does, and none begins after that. Jobs take as long as they need. */
export const withinTime = <T>(milliseconds: number, work: () => T): T => mostTime.run(milliseconds, work);

export interface TransactionOptions {
  /** A read-only transaction: every write fails. */
  readOnly?: boolean;
  /**
   * Read-only, and everything is seen as it was at one instant, whatever is committed meanwhile: that of the first
   * statement for `new`, or the one that another open transaction has exported under this name.
   */
  view?: string;
  /** A statement that goes along in the round trip of the BEGIN; its rows are `opened`. */
  opening?: Opening;
  /** Sees and touches only contacts with one of these tags, and only deletions of this actor. All, when null or left out. */
  scope?: Scope | null;
}

/** A statement that is prepared once for a connection. `$1` is the organization, the others are `args`, all of them UUIDs. */
export interface Opening {
  name: string;
  text: string;
  args: readonly string[];
  /** The scope that its rows ask for. */
  scopeOf?(rows: readonly object[]): Scope | null;
}

/** An open transaction of one organization. Everything done through it commits together. */
export class Transaction {
  #em: SqlEntityManager | undefined;
  #last: Promise<unknown> = Promise.resolve();
  readonly #deadline = performance.now() + (mostTime.getStore() ?? Infinity);
  /** What `atEnd` was given. */
  readonly closing: Sql[] = [];
  #scoped: boolean;
  #prepares = true;
  ended = false;

  constructor(
    readonly database: Database,
    readonly client: pg.PoolClient,
    readonly organizationId: string,
    /** The rows of the opening statement. */
    readonly opened: readonly object[] = [],
    scoped = false,
  ) {
    this.#scoped = scoped;
  }

  /**
   * From now on each statement is planned when it is run, for its values and by the statistics of now: for tables that are being
   * filled, where a plan of a minute ago may go through all that has come since. (`plan_cache_mode` would do the same to the
   * checks of foreign keys, for each row.)
   */
  planAnew(): void {
    this.#prepares = false;
  }

  /** The rows of a statement. It is prepared once per connection, so its text must not vary with its values. */
  async rows<Row extends object>(statement: Sql): Promise<Row[]> {
    return (await this.run(statement)).rows as Row[];
  }

  /** The first row, or undefined. */
  async row<Row extends object>(statement: Sql): Promise<Row | undefined> {
    return (await this.rows<Row>(statement))[0];
  }

  /** Runs a statement; gives the number of rows it touched and the rows it returned. */
  async run(statement: Sql): Promise<pg.QueryResult> {
    const text = statement.text;
    const name = this.database.prepared(text);
    const query = { ...(this.#prepares && name), text, values: statement.values as unknown[] };
    return this.inTurn(() => this.client.query(query));
  }

  /**
   * Leaves a statement for the end: it is sent in the round trip of the COMMIT, which takes place only if the statement
   * could be carried out. For what nothing in this transaction reads.
   */
  atEnd(statement: Sql): void {
    if (this.ended) throw new Error('The transaction has ended.');
    this.closing.push(statement);
  }

  /**
   * Waits until the connection is free: one connection answers one thing at a time. A connection that was given back
   * may serve another organization by now, so what comes too late is refused.
   */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(() => {
      if (this.ended) throw new Error('The transaction has ended.');
      if (performance.now() > this.#deadline) throw new TimedOut();
      return work();
    });
    this.#last = turn.catch(() => undefined);
    return turn;
  }

  /** The entity manager inside this transaction. Its changes are flushed before the commit. */
  get em(): SqlEntityManager {
    if (!this.#em) {
      const em = this.database.orm.em.fork({ clear: true });
      em.setTransactionContext(this.kysely);
      this.#em = em;
    }
    return this.#em;
  }

  /** A query builder inside this transaction, for libraries that work with one. */
  get kysely(): Kysely<unknown> {
    const client = this.client;
    const single = { connect: async () => new Proxy(client, borrowed), end: async () => {} };
    return new Kysely({ dialect: new PostgresDialect({ pool: single as unknown as pg.Pool }) });
  }

  /** From now on sees all contacts and deletions: for carrying out what was found to be within the scope. */
  async unscope(): Promise<void> {
    if (this.#scoped) await this.inTurn(() => this.client.query(unscoping));
    this.#scoped = false;
  }

  /** Writes what the entity manager holds. */
  async flush(): Promise<void> {
    await this.#em?.flush();
  }
}

/** A client that is lent out by a transaction: releasing it is the transaction's business. */
const borrowed: ProxyHandler<pg.PoolClient> = {
  get(client, key) {
    if (key === 'release') return () => {};
    const value = Reflect.get(client, key) as unknown;
    return typeof value === 'function' ? value.bind(client) : value;
  },
};

export class Database {
  /** Every statement text that was sent, for tests that count; undefined when nobody counts. */
  trace: string[] | undefined;
  #names = new Map<string, string>();
  /** The opening statements that each connection has prepared. */
  #opened = new WeakMap<pg.PoolClient, Set<string>>();

  private constructor(
    readonly pool: pg.Pool,
    readonly orm: MikroORM,
    readonly url: string,
  ) {}

  /** Connects lazily as the role in `url`, which must be subject to row-level security. */
  static async open(url: string, poolSize: number): Promise<Database> {
    // Compiling a statement takes longer than any of ours runs.
    const options = '-c jit=off';
    const pool = new pg.Pool({ connectionString: url, max: poolSize, types, options, application_name: 'reinstate' });
    // A dropped connection is replaced by the pool, and what was under way on it fails by itself; without listeners it
    // would end the process.
    const tell = (error: Error) => pool.ending || console.error(JSON.stringify({ at: 'database', message: error.message }));
    pool.on('error', tell).on('connect', (client) => client.on('error', tell));
    const orm = await MikroORM.init({
      entities,
      dbName: 'reinstate',
      driverOptions: new PostgresDialect({ pool }),
      ensureDatabase: false,
      // Keys come from the application, defaults from the database.
      implicitTransactions: false,
    });
    return new Database(pool, orm, url);
  }

  /** A name for a statement's text, so that each connection plans it once. The number of names is bounded. */
  prepared(text: string): { name?: string } {
    this.trace?.push(text);
    let name = this.#names.get(text);
    if (!name && this.#names.size < 1000) this.#names.set(text, (name = `s${this.#names.size}`));
    return name ? { name } : {};
  }

  /**
   * Runs `work` in a transaction that sees and touches one organization only; row-level security holds it to that.
   * Commits when `work` returns, rolls back when it throws.
   */
  async transact<T>(organizationId: string, work: (tx: Transaction) => Promise<T>, options: TransactionOptions = {}): Promise<T> {
    const tx = await this.begin(organizationId, options);
    try {
      const result = await work(tx);
      await tx.flush();
      await this.end(tx, 'COMMIT');
      return result;
    } catch (error) {
      if (!tx.ended) await this.end(tx, 'ROLLBACK');
      throw error;
    }
  }

  /** Opens a transaction that the caller ends with `end`. */
  async begin(organizationId: string, { readOnly = false, view, opening, scope }: TransactionOptions = {}): Promise<Transaction> {
    const ids = [organizationId, ...(opening?.args ?? [])];
    if (!ids.every((id) => uuid.test(id))) throw new Error('An id is not a UUID.');
    if (view && !viewName.test(view)) throw new Error('A view has no such name.');
    const most = mostTime.getStore();
    const client = await this.pool.connect();
    try {
      const parts = [
        `BEGIN${view ? ' ISOLATION LEVEL REPEATABLE READ' : ''}${readOnly || view ? ' READ ONLY' : ''}`,
        ...(view && view !== 'new' ? [`SET TRANSACTION SNAPSHOT '${view}'`] : []),
        // Plain SET LOCAL, because set_config() does not travel to the nodes of a distributed PostgreSQL.
        `SET LOCAL app.organization_id = '${organizationId}'`,
        ...(most ? [`SET LOCAL statement_timeout = ${most}`] : []),
        ...(scope ? [scoping(scope)] : []),
      ];
      if (opening) {
        if (!this.#opened.get(client)?.has(opening.name)) parts.push(`PREPARE ${opening.name} AS ${opening.text}`);
        parts.push(`EXECUTE ${opening.name} ('${ids.join("', '")}')`);
        this.trace?.push(opening.text);
      }
      const results = (await client.query(parts.join('; '))) as unknown as pg.QueryResult[];
      if (opening) this.#opened.set(client, (this.#opened.get(client) ?? new Set()).add(opening.name));
      const opened = opening ? (results.at(-1)!.rows as object[]) : [];
      const found = opening?.scopeOf?.(opened);
      if (found) await client.query(scoping(found));
      return new Transaction(this, client, organizationId, opened, Boolean(scope ?? found));
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Runs `work` in a read-only transaction that sees which organizations there are, and nothing inside them. */
  async platform<T>(work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    try {
      await client.query("BEGIN READ ONLY; SET LOCAL app.platform = 'on'");
      const result = await work(client);
      await client.query('COMMIT');
      client.release();
      return result;
    } catch (error) {
      client.release(true);
      throw error;
    }
  }

  /** Ends a transaction and gives its connection back; a connection that can't even roll back is thrown away. */
  async end(tx: Transaction, how: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    tx.ended = true;
    try {
      await (how === 'COMMIT' && tx.closing.length > 0 ? this.#close(tx) : tx.client.query(how));
      tx.client.release();
    } catch (error) {
      tx.client.release(true);
      if (how === 'COMMIT') throw error;
    }
  }

  /**
   * Sends what was left for the end and the COMMIT in one go. After a statement that failed PostgreSQL answers the COMMIT
   * with a rollback. @throws what the first of them that failed says
   */
  async #close({ client, closing }: Transaction): Promise<void> {
    const queries = closing.map(({ text, values }) => ({ ...this.prepared(text), text, values: values as unknown[] }));
    // The driver pipelines for whole connections, or not at all, and COPY can't be pipelined; so only while this goes on.
    const driver = client as { pipeline: boolean };
    const { stream } = client.connection;
    driver.pipeline = true;
    try {
      // One packet: the server wakes up once.
      stream.cork();
      const sent = Promise.allSettled([...queries.map((query) => client.query(query)), client.query('COMMIT')]);
      stream.uncork();
      const answers = await sent;
      for (const answer of answers) if (answer.status === 'rejected') throw answer.reason as Error;
      const committed = answers.at(-1) as PromiseFulfilledResult<pg.QueryResult>;
      if (committed.value.command !== 'COMMIT') throw new Error('The transaction was rolled back when it should have been committed.');
    } finally {
      driver.pipeline = false;
    }
  }

  async close(): Promise<void> {
    await this.orm.close();
    if (!this.pool.ended) await this.pool.end();
  }
}
