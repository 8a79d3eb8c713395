// Starting: what stops it is said in one line, and what it makes of a database is held to that by the database itself.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, inject, it } from 'vitest';
import { startEmbedded } from '../src/embedded.ts';
import { quoted } from '../src/sql.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { createWorld, type World } from './harness.ts';
import { masterKey } from './people.ts';
import { ServerProcess, settingsOf, until } from './processes.ts';
import { dropRoles } from './setup.ts';

const patience = { timeout: 120_000 };
const MASTER_KEY = masterKey.toString('base64');

/** A server on a free port, closed with its connections at the end. */
async function listen(server: Server): Promise<AsyncDisposable & { port: number }> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const close = async () => {
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, [Symbol.asyncDispose]: close };
}

/** A message of PostgreSQL's protocol 3.0: its type, its length, its content. */
function message(type: string, ...content: (number | string | Buffer)[]): Buffer {
  const bytes = Buffer.concat(content.map((part) => (typeof part === 'number' ? Buffer.from([part]) : Buffer.from(part))));
  const head = Buffer.alloc(5);
  head.write(type, 'latin1');
  head.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([head, bytes]);
}

const int = (value: number, bytes: 2 | 4) => {
  const buffer = Buffer.alloc(bytes);
  buffer.writeIntBE(value, 0, bytes);
  return buffer;
};

/** A PostgreSQL 14, as far as a start gets on it: lets everyone in, and tells its version to whoever asks. */
function oldPostgres(): Server {
  const ready = message('Z', 'I');
  const column = (name: string, type: number) =>
    Buffer.concat([Buffer.from(`${name}\0`), int(0, 4), int(0, 2), int(type, 4), int(-1, 2), int(-1, 4), int(0, 2)]);
  const field = (text: string) => Buffer.concat([int(text.length, 4), Buffer.from(text)]);
  const version = Buffer.concat([
    message('T', int(2, 2), column('version', 25), column('number', 23)),
    message('D', int(2, 2), field('14.9'), field('140009')),
    message('C', 'SELECT 1\0'),
    ready,
  ]);
  return createServer((socket) => {
    socket.once('data', () => {
      socket.write(Buffer.concat([message('R', int(0, 4)), message('S', 'server_version\0', '14.9\0'), ready]));
      socket.on('data', (asked) => asked.toString('latin1', 0, 1) === 'Q' && socket.write(version));
    });
    socket.on('error', () => socket.destroy());
  });
}

/** Starts the process, which must end by itself. */
async function failing(settings: Record<string, string>, ...args: string[]): Promise<{ code: number | null; err: string[]; out: string[] }> {
  await using started = new ServerProcess(args, settings);
  const { code } = await started.ended;
  return { code, err: started.err, out: started.out };
}

describe('a start is refused with one clear line', () => {
  const line = (text: unknown) => ({ code: 1, err: [text], out: [] });

  it('without a server at the address', patience, async () => {
    const port = await (async () => {
      await using closed = await listen(createServer());
      return closed.port;
    })();
    const refused = await failing({ DATABASE_URL: `postgres://owner:secret@127.0.0.1:${port}/reinstate`, MASTER_KEY });
    expect(refused).toEqual(
      line(`PostgreSQL at 127.0.0.1:${port}/reinstate can't be reached: connect ECONNREFUSED 127.0.0.1:${port}. Check DATABASE_URL and that the server runs.`),
    );
  });

  it('on a server that does not let it in, and the line does not tell the password', patience, async () => {
    const address = new URL(inject('template').appUrl);
    address.password = 'not-the-password';
    const { code, err } = await failing({ DATABASE_URL: address.href, MASTER_KEY });
    expect(code).toBe(1);
    expect(err).toEqual([expect.stringContaining("can't be reached: password authentication failed")]);
    expect(err[0]).not.toContain('not-the-password');
  });

  it('on a server older than 15', patience, async () => {
    await using server = await listen(oldPostgres());
    const refused = await failing({ DATABASE_URL: `postgres://owner@127.0.0.1:${server.port}/reinstate`, MASTER_KEY });
    expect(refused).toEqual(line('PostgreSQL 14.9 is too old: Reinstate needs 15 or newer. Nothing was changed.'));
  });

  it('on a schema that is newer than the code', patience, async () => {
    await using world = await createWorld();
    await world.owner.query(`insert into migration (name) values ('Migration29991231000000')`);
    const refused = await failing(settingsOf(world));
    expect(refused).toEqual(
      line(`The database's schema is newer than this code: it has Migration29991231000000. Nothing was changed. Start the newer version of Reinstate.`),
    );
  });

  it('as a role that row-level security would not hold, or that owns the tables', patience, async () => {
    await using world = await createWorld();
    const settings = settingsOf(world);
    const exempt = await failing({ ...settings, DATABASE_APP_URL: settings['DATABASE_URL']! });
    expect(exempt).toEqual(line(expect.stringMatching(/^The role \w+ of DATABASE_APP_URL is exempt from row-level security\./)));
    const { username } = new URL(settings['DATABASE_APP_URL']!);
    await world.owner.query(`alter table action_log owner to ${quoted(username)}`);
    expect(await failing(settings)).toEqual(line(`The role ${username} of DATABASE_APP_URL owns the tables. Set another role, which owns none.`));
  });

  it('as a role that is not let in', patience, async () => {
    await using world = await createWorld();
    const settings = settingsOf(world);
    const address = new URL(settings['DATABASE_APP_URL']!);
    address.password = 'not-the-password';
    const refused = await failing({ ...settings, DATABASE_APP_URL: address.href });
    expect(refused).toEqual(line(expect.stringMatching(/can't be reached: password authentication failed .* Check DATABASE_APP_URL /)));
  });

  it('with a database of its own and no master key', patience, async () => {
    const refused = await failing({ DATABASE_URL: 'postgres://owner@127.0.0.1/reinstate' });
    expect(refused).toEqual(line(expect.stringMatching(/^MASTER_KEY is required with DATABASE_URL: .*openssl rand/)));
  });

  it('with wrong settings, all of them named', patience, async () => {
    const refused = await failing({ PORT: 'four thousand', MASTER_KEY: 'c2hvcnQ=', RECOVERY_APPROVAL: 'maybe', TRUSTED_PROXIES: '10.0.0.0/33' });
    expect(refused).toEqual(
      line(
        expect.stringMatching(
          /^These settings are wrong: (?=.*PORT )(?=.*MASTER_KEY must be 32 bytes in base64)(?=.*RECOVERY_APPROVAL )(?=.*TRUSTED_PROXIES must be addresses)/,
        ),
      ),
    );
  });

  it('in a role that does not exist', patience, async () => {
    expect(await failing({}, '--role', 'manager')).toEqual(line('There is no role manager; say --role api, worker or all.'));
  });

  it('with an option that does not exist', patience, async () => {
    expect(await failing({}, '--roll', 'api')).toEqual(line(expect.stringContaining(`'--roll'`)));
  });

  it('on a port that is taken', patience, async () => {
    await using world = await createWorld();
    const { port } = world.server;
    const refused = await failing({ ...settingsOf(world), PORT: String(port) }, '--role', 'api');
    expect(refused).toEqual(line(`The API can't listen at 127.0.0.1:${port}: listen EADDRINUSE: address already in use 127.0.0.1:${port}. Set HOST or PORT.`));
  });
});

/** A database of its own, with its roles; empty, or a copy. */
class OwnDatabase {
  readonly name = `${inject('template').name}_${randomBytes(5).toString('hex')}`;
  readonly #admin = new pg.Client({ connectionString: inject('template').url });

  static async make(copy?: string): Promise<OwnDatabase> {
    const made = new OwnDatabase();
    await made.#admin.connect();
    await made.#admin.query(`create database ${quoted(made.name)} ${copy ? `template ${quoted(copy)}` : ''}`);
    return made;
  }

  /** As the superuser, or as a role with its password. */
  url(role?: string): string {
    const url = new URL(inject('template').url);
    url.pathname = this.name;
    if (role) url.username = url.password = role;
    return url.href;
  }

  /** A role that may sign in and nothing else; its password is its name. */
  async role(kind: 'owner' | 'app'): Promise<string> {
    const name = `${this.name}_${kind}`;
    await this.#admin.query(`create role ${quoted(name)} login password '${name}'`);
    return name;
  }

  async query<Row extends object>(text: string): Promise<Row[]> {
    const client = new pg.Client({ connectionString: this.url() });
    await client.connect();
    try {
      return (await client.query<Row>(text)).rows;
    } finally {
      await client.end();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#admin.query(`drop database ${quoted(this.name)} with (force)`);
    await dropRoles(this.#admin, this.name);
    await this.#admin.query(`drop role if exists ${quoted(`${this.name}_owner`)}`);
    await this.#admin.end();
  }
}

/** Starts the process on it, lets its worker do a job, and stops it. */
async function work(database: OwnDatabase, settings: Record<string, string>): Promise<typeof well> {
  await using started = new ServerProcess(['--role', 'all'], { MASTER_KEY, PORT: '0', ...settings });
  const health = await fetch((await started.url()).replace(/graphql$/, 'health'));
  await database.query(`select graphile_worker.add_job('meet_deadlines')`);
  await until('the job to be done', 30, async () => (await database.query('select 1 from graphile_worker.jobs')).length === 0);
  const { code } = await started.end('SIGTERM');
  return { health: (await health.json()) as unknown, code, err: started.err };
}

const well = { health: { status: 'ok' } as unknown, code: 0 as number | null, err: [] as string[] };

describe('a process works', () => {
  it('on an empty database, also when two start on it at once', patience, async () => {
    await using database = await OwnDatabase.make();
    const settings = { DATABASE_URL: database.url() };
    expect(await Promise.all([work(database, settings), work(database, settings)])).toEqual([well, well]);
  });

  it('with a database server of its own, which it stops when it is told to stop while it is still starting', patience, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-told-'));
    await using started = new ServerProcess([], { DATA_DIRECTORY: directory, PORT: '0' });
    await started.line(/master key was made/);
    const pidFile = join(directory, 'postgres', 'postmaster.pid');
    expect(Number((await readFile(pidFile, 'utf8')).split('\n')[0])).toBeGreaterThan(0);
    const ended = await started.end('SIGINT');
    const left = await readFile(pidFile, 'utf8').catch((error: NodeJS.ErrnoException) => error.code);
    await (await startEmbedded({ directory })).stop({ remove: true });
    await rm(directory, { recursive: true });
    expect({ ...ended, left, err: started.err }).toEqual({ code: 0, signal: null, left: 'ENOENT', err: [] });
  });

  it('on a copy under another name, which has another role', patience, async () => {
    await using database = await OwnDatabase.make(inject('template').name);
    expect(await work(database, { DATABASE_URL: database.url() })).toEqual(well);
  });

  it('with an owner who may not make roles, as the role that was made for it, again and again', patience, async () => {
    await using database = await OwnDatabase.make();
    const [owner, app] = [await database.role('owner'), await database.role('app')];
    await database.query(`alter database ${quoted(database.name)} owner to ${quoted(owner)}; alter schema public owner to ${quoted(owner)}`);
    const alone = await failing({ DATABASE_URL: database.url(owner), MASTER_KEY });
    expect(alone.err).toEqual([`The role ${owner} may not make roles. Make one for the server to work as, and set DATABASE_APP_URL.`]);
    for (let start = 1; start <= 2; start++)
      expect(await work(database, { DATABASE_URL: database.url(owner), DATABASE_APP_URL: database.url(app) })).toEqual(well);
  });
});

describe('the role that the server works with', () => {
  /** As that role, in a transaction that is rolled back; `organizationId` is the setting, where there is one. */
  async function asServer<T>(world: World, organizationId: string | null, work: (client: pg.PoolClient) => Promise<T>): Promise<T> {
    const client = await world.app.database.pool.connect();
    try {
      await client.query('begin');
      if (organizationId) await client.query(`set local app.organization_id = '${organizationId}'`);
      return await work(client);
    } finally {
      await client.query('rollback');
      client.release();
    }
  }

  const tenantTables = async (world: World) => {
    const { rows } = await world.owner.query<{ name: string }>(`
      select c.relname as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'organization_id'
      where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> 'account' order by 1`);
    return rows.map(({ name }) => name);
  };

  it('is no superuser, is bound by row-level security, makes nothing and owns no table', async () => {
    await using world = await createWorld();
    const { rows } = await asServer(world, null, (client) =>
      client.query(`
        select rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication,
          (select count(*)::int from pg_class where relowner = r.oid and relnamespace = 'public'::regnamespace) as tables,
          (select count(*)::int from pg_auth_members where member = r.oid) as memberships,
          has_schema_privilege('public', 'create') as "mayCreate", has_database_privilege(current_database(), 'create') as "mayCreateSchemas"
        from pg_roles r where rolname = current_user`),
    );
    const no = { rolsuper: false, rolbypassrls: false, rolcreaterole: false, rolcreatedb: false, rolreplication: false };
    expect(rows).toEqual([{ ...no, tables: 0, memberships: 0, mayCreate: false, mayCreateSchemas: false }]);
  });

  it('finds row-level security forced on every table of the tenants, with one policy that compares the organization', async () => {
    await using world = await createWorld();
    const tables = await tenantTables(world);
    expect(tables.length).toBeGreaterThan(25);
    const { rows } = await world.owner.query<{ name: string; using: string }>(`
      select c.relname as name, pg_get_expr(p.polqual, c.oid) as using from pg_class c join pg_policy p on p.polrelid = c.oid
      where c.relrowsecurity and c.relforcerowsecurity and c.relname <> 'organization'
        and p.polcmd = '*' and p.polpermissive and p.polroles = '{0}' and p.polwithcheck is null
        and (select count(*) from pg_policy other where other.polrelid = c.oid and other.polpermissive) = case c.relname when 'action_unsealed' then 2 else 1 end
      order by 1`);
    expect(rows.map(({ name }) => name)).toEqual(tables);
    const conditions = [...new Set(rows.map(({ using }) => using))];
    expect(conditions).toEqual([expect.stringMatching(/^\(organization_id = .*current_setting\('app\.organization_id'/)]);
  });

  it('finds a second policy, which only ever takes away, on every table of contacts but what links them with tags, and on what tells of many of them', async () => {
    await using world = await createWorld();
    const graph = contactGraph(world.app.database.orm);
    const { rows } = await world.owner.query<{ name: string }>(`
      select polrelid::regclass::text as name from pg_policy
      where not polpermissive and polname = 'tag_scope' and polcmd = '*' and polroles = '{0}' and polwithcheck is null order by 1`);
    const tables = [...graph.tables.map(({ name }) => name), ...graph.rebuilt, 'deletion', 'contact_export'].filter((name) => name !== 'contact_tag');
    expect(rows.map(({ name }) => name)).toEqual(tables.toSorted());
  });

  it('finds every key led by the organization, but in the tables that belong to none', async () => {
    await using world = await createWorld();
    const { rows: others } = await world.owner.query<{ name: string }>(
      `
      select c.relname as name from pg_class c where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and c.relname <> all ($1) order by 1`,
      [await tenantTables(world)],
    );
    expect(others.map(({ name }) => name)).toEqual([
      'account',
      'credential',
      'migration',
      'organization',
      'rate_limit',
      'refresh_token',
      'second_factor',
      'session',
      'verification',
      'worker_heartbeat',
    ]);
    const { rows: keys } = await world.owner.query(
      `
      select i.indrelid::regclass::text as of, i.indexrelid::regclass::text as key from pg_index i
      join pg_class c on c.oid = i.indrelid and c.relnamespace = 'public'::regnamespace
      left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0]
      where i.indisunique and c.relname <> all ($1) and a.attname is distinct from 'organization_id'`,
      [others.map(({ name }) => name)],
    );
    expect(keys).toEqual([]);
    const { rows: foreign } = await world.owner.query(
      `
      select k.conrelid::regclass::text as of, k.conname as key from pg_constraint k
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = k.conkey[1]
      join pg_attribute b on b.attrelid = k.confrelid and b.attnum = k.confkey[1]
      where k.contype = 'f' and k.connamespace = 'public'::regnamespace and k.conrelid::regclass::text <> all ($1)
        and not (a.attname = 'organization_id' and (b.attname = 'organization_id' or (k.confrelid = 'organization'::regclass and b.attname = 'id')))`,
      [others.map(({ name }) => name)],
    );
    expect(foreign).toEqual([]);
  });

  it('reads nothing without the setting, and with it no other organization', async () => {
    await using world = await createWorld();
    const [own, other] = [world.organizationId(), world.organizationId('Hilltop Society')];
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) select id, gen_random_uuid(), 'x', 'x' from organization`);
    const tables = await tenantTables(world);
    /** Whose rows each table shows. */
    const seen = (organizationId: string | null) =>
      asServer(world, organizationId, async (client) => {
        const shown: Record<string, string[]> = {};
        for (const table of tables) {
          const { rows } = await client.query<{ whose: string }>(`select distinct organization_id as whose from ${quoted(table)}`);
          if (rows.length > 0) shown[table] = rows.map(({ whose }) => whose);
        }
        return shown;
      });
    expect(await seen(null)).toEqual({});
    for (const organizationId of [own, other]) {
      const shown = await seen(organizationId);
      expect(Object.keys(shown)).toEqual(expect.arrayContaining(['contact', 'role', 'staff_member']));
      expect(new Set(Object.values(shown).flat())).toEqual(new Set([organizationId]));
    }
    const { rows } = await asServer(world, own, (client) => client.query('select id from organization'));
    expect(rows).toEqual([{ id: own }]);
  });

  it('writes nothing into another organization, and moves nothing there', async () => {
    await using world = await createWorld();
    const [own, other] = [world.organizationId(), world.organizationId('Hilltop Society')];
    const insert = `insert into contact (organization_id, id, sort_name, search_text) values ($1, gen_random_uuid(), 'x', 'x')`;
    const denied = /new row violates row-level security policy for table "contact"/;
    await expect(asServer(world, own, (client) => client.query(insert, [other]))).rejects.toThrow(denied);
    await expect(asServer(world, null, (client) => client.query(insert, [own]))).rejects.toThrow(denied);
    const moving = asServer(world, own, async (client) => {
      await client.query(insert, [own]);
      await client.query('update contact set organization_id = $1', [other]);
    });
    await expect(moving).rejects.toThrow(denied);
    await world.owner.query(insert, [other]);
    const touched = await asServer(world, own, async (client) => [
      (await client.query(`update contact set sort_name = 'y'`)).rowCount,
      (await client.query('delete from contact')).rowCount,
    ]);
    expect(touched).toEqual([0, 0]);
  });

  it('only reads and adds where that is all that may be done', async () => {
    await using world = await createWorld();
    const { rows } = await world.owner.query<{ table: string }>(
      `select t as table, array_agg(p order by p) filter (where has_table_privilege($1, t, p)) as may
       from unnest('{action_log,action_reason,migration,organization}'::text[]) t, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,TRIGGER,REFERENCES}'::text[]) p group by t order by t`,
      [new URL(world.app.database.url).username],
    );
    expect(rows).toEqual([
      { table: 'action_log', may: ['INSERT', 'SELECT'] },
      // Reasons may name people, so an erasure takes them away; nobody words them anew.
      { table: 'action_reason', may: ['DELETE', 'INSERT', 'SELECT'] },
      { table: 'migration', may: null },
      { table: 'organization', may: ['SELECT'] },
    ]);
    const own = world.organizationId();
    const statements = [
      `update action_log set action = 'never'`,
      'delete from action_log',
      'truncate action_log',
      'drop table action_log',
      'alter table action_log disable row level security',
    ];
    const refused = await Promise.all(
      statements.map((statement) =>
        asServer(world, own, (client) => client.query(statement)).then(
          () => 'done',
          (error: Error) => error.message,
        ),
      ),
    );
    expect(refused).toEqual([
      ...Array.from({ length: 3 }, () => 'permission denied for table action_log'),
      ...Array.from({ length: 2 }, () => 'must be owner of table action_log'),
    ]);
  });
});
