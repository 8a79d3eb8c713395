// A world for a test: its own database, cloned from the template, with a server on it, and clients for everyone in it.
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { GraphQLSchema } from 'graphql';
import pg from 'pg';
import { inject } from 'vitest';
import { createClient, type Client } from '../sdk/client.ts';
import { SignInDocument } from '../sdk/generated.ts';
import { buildApi } from '../src/api.ts';
import { readConfig } from '../src/config.ts';
import { Database } from '../src/database.ts';
import type { App } from '../src/domain/app.ts';
import { manualPayments } from '../src/domain/payments.ts';
import { PubSub } from '../src/pubsub.ts';
import { startServer, type RunningServer } from '../src/server.ts';
import { quoted } from '../src/sql.ts';
import { openCheckpoints, openFiles, openStore } from '../src/snapshots/stores/open.ts';
import { dropRoles, type Template } from './setup.ts';
import { emailOf, masterKey, operatorEmail, password, testKeys, type OrganizationName, type RoleName } from './people.ts';

export interface WorldOptions {
  /** Settings as the environment would give them. */
  settings?: Record<string, string>;
  /** In place of the real API: for tests of what is around it. */
  schema?: GraphQLSchema;
  /** What it is cloned from, on a server of the test's own. */
  template?: Template;
}

/** What tests of other things are not to run into. */
const unlimited = { COST_PER_MINUTE: '1000000000', ATTEMPTS_PER_ACCOUNT: '1000000', ATTEMPTS_PER_ADDRESS: '1000000' };

/** Where a world's emails go that nobody looks at. */
const mailFolder = (name: string) => join(tmpdir(), `reinstate-mail-${name}`);
/** Where its files lie. */
const dataDirectory = (name: string) => join(tmpdir(), `reinstate-data-${name}`);

/** One per process: building it is most of what starting a server takes. */
let api: GraphQLSchema | undefined;

/** Use with `await using`: its end closes and drops everything, and fails the test that leaked a connection. */
export async function createWorld({ settings = {}, schema = (api ??= buildApi()), template = inject('template') }: WorldOptions = {}): Promise<World> {
  const name = `${template.name}_${randomBytes(5).toString('hex')}`;
  const admin = new pg.Client({ connectionString: template.url });
  await admin.connect();
  await admin.query(`create database ${quoted(name)} template ${quoted(template.name)}`);
  const owner = new pg.Client({ connectionString: at(template.url, name) });
  const appUrl = at(template.appUrl, name);
  const folders = { MAIL_DIRECTORY: mailFolder(name), DATA_DIRECTORY: dataDirectory(name) };
  const config = readConfig({ MASTER_KEY: masterKey.toString('base64'), NODE_ENV: 'test', ...folders, ...unlimited, ...settings });
  const pubsub = new PubSub(appUrl);
  const [database] = await Promise.all([Database.open(appUrl, config.POOL_SIZE), pubsub.open(), owner.connect()]);
  const [store, files] = [await openStore(config), await openFiles(config)];
  const checkpoints = config.CHECKPOINT_DIRECTORY ? await openCheckpoints(config, store) : null;
  const app: App = { config, database, keys: testKeys, store, files, checkpoints, payments: manualPayments };
  const server = await startServer({ app, pubsub, schema, host: '127.0.0.1', port: 0 });
  return new World(app, pubsub, server, owner, admin, name, template);
}

export class World {
  #clients: Client[] = [];
  #tokens = new Map<string, Promise<string>>();
  #leaked = 0;

  constructor(
    readonly app: App,
    readonly pubsub: PubSub,
    readonly server: RunningServer,
    /** The owner of the tables, who sees every organization: for looking behind the curtain. */
    public owner: pg.Client,
    public admin: pg.Client,
    readonly name: string,
    readonly template: Template,
  ) {}

  /** Connects anew behind the curtain, after the database server has been away. */
  async reconnect(): Promise<void> {
    const { url } = this.template;
    [this.owner, this.admin] = [at(url, this.name), url].map((connectionString) => new pg.Client({ connectionString })) as [pg.Client, pg.Client];
    await Promise.all([this.owner.connect(), this.admin.connect()]);
  }

  get url(): string {
    return this.server.url;
  }

  /** The organization's id, as the database has it. */
  organizationId(name: OrganizationName = 'Riverside Club'): string {
    return this.template.organizations[name]!;
  }

  /** A client for whoever holds the token; without one: signed out. */
  client(accessToken?: string): Client {
    const client = createClient({ url: this.url, ...(accessToken === undefined ? {} : { accessToken }) });
    this.#clients.push(client);
    return client;
  }

  /** A client for the one who holds the role in the organization. */
  async as(role: RoleName, organization: OrganizationName = 'Riverside Club'): Promise<Client> {
    return this.client(await this.token(role, organization));
  }

  /** Signs in, the first time. */
  token(role: RoleName, organization: OrganizationName = 'Riverside Club'): Promise<string> {
    const email = role === 'Operator' ? operatorEmail : emailOf(role, organization);
    const token = this.#tokens.get(email) ?? this.#signIn(email);
    this.#tokens.set(email, token);
    return token;
  }

  async #signIn(email: string): Promise<string> {
    const { signIn } = await this.client().request(SignInDocument, { input: { email, password } });
    return signIn.accessToken!;
  }

  /** The texts of the SQL statements that are sent while `work` runs. */
  async statements(work: () => Promise<unknown>): Promise<string[]> {
    const trace: string[] = (this.app.database.trace = []);
    try {
      await work();
      return trace;
    } finally {
      this.app.database.trace = undefined;
    }
  }

  /** The connections that someone has taken and not given back. */
  get connectionsOut(): number {
    const { pool } = this.app.database;
    return pool.totalCount - pool.idleCount;
  }

  /** Ends the world and keeps its database, for `createWorld` to clone as often as it is needed. */
  async freeze(): Promise<Template & AsyncDisposable> {
    await this.#end();
    return {
      ...this.template,
      name: this.name,
      [Symbol.asyncDispose]: () => this.#drop(),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end();
    await this.#drop();
  }

  async #end(): Promise<void> {
    for (const client of this.#clients) await client.close();
    await this.server.close();
    // The job runner does not wait for its own last write.
    for (const patience = performance.now() + 5000; this.connectionsOut > 0 && performance.now() < patience;) await wait(10);
    this.#leaked = this.connectionsOut;
    await this.pubsub.close();
    if (this.#leaked === 0) await this.app.database.close();
    // The pool has said goodbye without waiting for an answer; dropping the database cuts its last connections short.
    this.app.database.pool.removeAllListeners('error').on('error', () => {});
    await this.owner.end();
  }

  async #drop(): Promise<void> {
    await this.admin.query(`drop database ${quoted(this.name)} with (force)`);
    // A process of its own that worked on it has migrated it, and made roles for it.
    await dropRoles(this.admin, this.name);
    await this.admin.end();
    for (const folder of [mailFolder(this.name), dataDirectory(this.name)]) await rm(folder, { recursive: true, force: true });
    if (this.#leaked > 0) throw new Error(`${this.#leaked} database connections were taken and never given back.`);
  }
}

function at(url: string, database: string): string {
  const address = new URL(url);
  address.pathname = database;
  return address.href;
}
