// Brings a database to the code's schema and makes the role that the server works with: neither superuser nor exempt
// from row-level security, and unable to change or remove what is in the action log or the erasure ledger.
import { createHmac } from 'node:crypto';
import { Migrator } from '@mikro-orm/migrations';
import { MikroORM } from '@mikro-orm/postgresql';
import { Logger as WorkerLogger, runMigrations } from 'graphile-worker';
import pg from 'pg';
import { Migration20261123000000 } from '../migrations/Migration20261123000000.ts';
import { Migration20261124142247 } from '../migrations/Migration20261124142247.ts';
import { Migration20261124143603 } from '../migrations/Migration20261124143603.ts';
import { Migration20261124143932 } from '../migrations/Migration20261124143932.ts';
import { Migration20261124144055 } from '../migrations/Migration20261124144055.ts';
import { Migration20261124144126 } from '../migrations/Migration20261124144126.ts';
import { Migration20261124144706 } from '../migrations/Migration20261124144706.ts';
import { Migration20261124145549 } from '../migrations/Migration20261124145549.ts';
import { Migration20261124145700 } from '../migrations/Migration20261124145700.ts';
import { Migration20261124180000 } from '../migrations/Migration20261124180000.ts';
import { Migration20261125010000 } from '../migrations/Migration20261125010000.ts';
import { Migration20261125100000 } from '../migrations/Migration20261125100000.ts';
import { Migration20261125120000 } from '../migrations/Migration20261125120000.ts';
import { Migration20261125140000 } from '../migrations/Migration20261125140000.ts';
import { Migration20261125160000 } from '../migrations/Migration20261125160000.ts';
import { Migration20261125170000 } from '../migrations/Migration20261125170000.ts';
import { Migration20261125180000 } from '../migrations/Migration20261125180000.ts';
import { Migration20261125190000 } from '../migrations/Migration20261125190000.ts';
import { Migration20261125200000 } from '../migrations/Migration20261125200000.ts';
import { Migration20261125210000 } from '../migrations/Migration20261125210000.ts';
import { Migration20261125211000 } from '../migrations/Migration20261125211000.ts';
import { Migration20261125220000 } from '../migrations/Migration20261125220000.ts';
import { Migration20261125230000 } from '../migrations/Migration20261125230000.ts';
import { Migration20261125231000 } from '../migrations/Migration20261125231000.ts';
import { Migration20261125232000 } from '../migrations/Migration20261125232000.ts';
import { Migration20261125233000 } from '../migrations/Migration20261125233000.ts';
import { Migration20261126010000 } from '../migrations/Migration20261126010000.ts';
import { Migration20261126020000 } from '../migrations/Migration20261126020000.ts';
import { entities } from './entities/index.ts';
import { StartupError } from './errors.ts';
import { quoted } from './sql.ts';

const migrations = [
  Migration20261123000000,
  Migration20261124142247,
  Migration20261124143603,
  Migration20261124143932,
  Migration20261124144055,
  Migration20261124144126,
  Migration20261124144706,
  Migration20261124145549,
  Migration20261124145700,
  Migration20261124180000,
  Migration20261125010000,
  Migration20261125100000,
  Migration20261125120000,
  Migration20261125140000,
  Migration20261125160000,
  Migration20261125170000,
  Migration20261125180000,
  Migration20261125190000,
  Migration20261125200000,
  Migration20261125210000,
  Migration20261125211000,
  Migration20261125220000,
  Migration20261125230000,
  Migration20261125231000,
  Migration20261125232000,
  Migration20261125233000,
  Migration20261126010000,
  Migration20261126020000,
];
const oldestServer = 15;
/** Any number, as long as every starter asks for the same. */
const startLock = 7_364_901;

export const quietWorkerLogger = new WorkerLogger(() => (level, message) => {
  if (level === 'error') console.error(JSON.stringify({ at: 'jobs', message }));
});

export interface MigrateOptions {
  /** The role that owns the tables. */
  url: string;
  /** The role that the server works with, when it was made by hand. */
  appUrl?: string | undefined;
  /** Derives the password of the role that is made here. */
  secret: Buffer;
  /** How old entries of the action log must be to be pruned; 0: they never are. What was set before stays without it. */
  logRetentionDays?: number;
}

/**
 * Migrates under a lock, so that any number of processes may start at once.
 * @returns the address of the database as the role that the server works with
 * @throws StartupError when the server is unreachable or too old, or the schema is newer than the code
 */
export async function migrate({ url, appUrl, secret, logRetentionDays }: MigrateOptions): Promise<string> {
  const owner = await connect(url, 'DATABASE_URL');
  try {
    await checkServer(owner);
    await owner.query(`select pg_advisory_lock(${startLock})`);
    await checkNotNewer(owner);
    await migrateSchema(url);
    const address = appUrl ?? (await makeAppRole(owner, url, secret));
    await checkAppRole(address);
    await grantAppRole(owner, new URL(address).username);
    await grantRestoring(owner, new URL(address).username);
    if (logRetentionDays !== undefined)
      await owner.query(`create or replace function log_retention_days() returns int language sql return ${logRetentionDays}`);
    await migrateJobs(owner, address);
    return address;
  } finally {
    await owner.end();
  }
}

async function connect(url: string, setting: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000, application_name: 'reinstate migrate' });
  client.on('error', () => undefined);
  await client.connect().catch((error: Error) => {
    throw new StartupError(
      `PostgreSQL at ${shown(url)} can't be reached: ${error.message || 'connection refused'}. Check ${setting} and that the server runs.`,
    );
  });
  return client;
}

/** An ORM on the owner's connection, for migrations and for comparing entities with tables. */
export async function ownerOrm(url: string): Promise<MikroORM> {
  return MikroORM.init({
    entities,
    clientUrl: url,
    extensions: [Migrator],
    logger: () => undefined,
    migrations: { migrationsList: migrations, tableName: 'migration', snapshot: false },
    schemaGenerator: { ignoreSchema: ['graphile_worker'], skipTables: ['migration'], ignoreRoutines: true, ignoreTriggers: true },
  });
}

/** The address without its password. */
function shown(url: string): string {
  const { host, pathname } = new URL(url);
  return `${host}${pathname}`;
}

async function checkServer(owner: pg.Client): Promise<void> {
  const { rows } = await owner.query<{ version: string; number: number }>(
    `select current_setting('server_version') as version, current_setting('server_version_num')::int as number`,
  );
  const { version, number } = rows[0]!;
  if (number < oldestServer * 10_000)
    throw new StartupError(`PostgreSQL ${version} is too old: Reinstate needs ${oldestServer} or newer. Nothing was changed.`);
}

async function checkNotNewer(owner: pg.Client): Promise<void> {
  const { rows: present } = await owner.query(`select to_regclass('migration') is not null as present`);
  if (!present[0].present) return;
  const { rows } = await owner.query<{ name: string }>('select name from migration order by id');
  const known = new Set(migrations.map((migration) => migration.name));
  const newer = rows.find((row) => !known.has(row.name));
  if (newer)
    throw new StartupError(`The database's schema is newer than this code: it has ${newer.name}. Nothing was changed. Start the newer version of Reinstate.`);
}

async function migrateSchema(url: string): Promise<void> {
  const orm = await ownerOrm(url);
  try {
    await orm.migrator.up();
  } finally {
    await orm.close();
  }
}

/** Makes, or brings up to date, the login role of this database; a role that is bound by row-level security needs none. */
async function makeAppRole(owner: pg.Client, url: string, secret: Buffer): Promise<string> {
  const { rows } = await owner.query<{ role: string; maymake: boolean; database: string }>(
    `select rolname as role, rolsuper or rolcreaterole as maymake, current_database() as database from pg_roles where rolname = current_user`,
  );
  const { role, maymake, database } = rows[0]!;
  if (!maymake) throw new StartupError(`The role ${role} may not make roles. Make one for the server to work as, and set DATABASE_APP_URL.`);
  const app = `${database}_app`.slice(0, 63);
  const password = createHmac('sha256', secret).update(`database role ${app}`).digest('base64url');
  const { rows: found } = await owner.query('select 1 from pg_roles where rolname = $1', [app]);
  const how = found.length > 0 ? 'alter' : 'create';
  await owner.query(`${how} role ${quoted(app)} login nosuperuser nobypassrls nocreatedb nocreaterole password '${password}'`);
  const address = new URL(url);
  address.username = app;
  address.password = password;
  return address.href;
}

/** @throws StartupError when the server can't work as this role, or would not be held by what holds it: policies and privileges */
async function checkAppRole(url: string): Promise<void> {
  const app = await connect(url, 'DATABASE_APP_URL');
  try {
    const { rows } = await app.query<{ role: string; exempt: boolean; owns: boolean }>(
      `select rolname as role, rolsuper or rolbypassrls as exempt, exists (select 1 from pg_class where oid = to_regclass('action_log') and relowner = r.oid) as owns
       from pg_roles r where rolname = current_user`,
    );
    const { role, exempt, owns } = rows[0]!;
    if (exempt)
      throw new StartupError(`The role ${role} of DATABASE_APP_URL is exempt from row-level security. Set a role that is neither superuser nor BYPASSRLS.`);
    if (owns) throw new StartupError(`The role ${role} of DATABASE_APP_URL owns the tables. Set another role, which owns none.`);
  } finally {
    await app.end();
  }
}

/** What the server may do: read and write rows, but only add to the action log, and never touch the schema. */
async function grantAppRole(owner: pg.Client, encodedRole: string): Promise<void> {
  const app = quoted(decodeURIComponent(encodedRole));
  await owner.query(`
    grant usage on schema public to ${app};
    grant select, insert, update, delete on all tables in schema public to ${app};
    revoke update, delete on action_log from ${app};
    revoke update, delete on action_seal, action_checkpoint from ${app};
    revoke insert, update, delete on action_pruning from ${app};
    grant execute on function prune_action_log, analyze_contacts to ${app};
    revoke update on action_reason, action_salt, action_unsealed from ${app};
    revoke update, delete on erasure_ledger, erasure_subject from ${app};
    revoke delete on erasure from ${app};
    revoke all on migration from ${app};
    revoke insert, update, delete on organization, account from ${app};
    -- Who joins gets an account; none of it is an operator's, or another's name.
    grant insert (id, name, email, organization_id, staff_member_id), update (two_factor_enabled, updated_at) on account to ${app};
    grant temporary on database ${quoted((await owner.query<{ name: string }>('select current_database() as name')).rows[0]!.name)} to ${app};
  `);
}

/**
 * Who may call `restore_rows` and `remove_contacts`, and as whom they work. Checking foreign keys row by row is half of what
 * restoring and removing cost, and PostgreSQL leaves it out only where a superuser allows that. It is allowed to a role that
 * nobody can log in as, which has no other use than these functions, and they check every key themselves. Where no superuser
 * ever migrated, they work as their caller, and the keys' own triggers check as well.
 */
async function grantRestoring(owner: pg.Client, encodedRole: string): Promise<void> {
  await owner.query(`grant execute on function restore_rows, remove_contacts to ${quoted(decodeURIComponent(encodedRole))}`);
  const { rows: found } = await owner.query<{ superuser: boolean; restorer: string | null; into: string; referred: string }>(`
    select (select rolsuper from pg_roles where rolname = current_user) as superuser,
      (select proowner::regrole::text from pg_proc where oid = 'restore_rows'::regproc and prosecdef) as restorer, k.*
    from (select string_agg(distinct conrelid::regclass::text, ', ') as into, string_agg(distinct confrelid::regclass::text, ', ') as referred
      from pg_constraint where contype = 'f' and conrelid in (select conrelid from pg_constraint where contype = 'f' and confrelid = 'contact'::regclass)) k`);
  const { superuser, into, referred } = found[0]!;
  const restorer = superuser ? await makeRestorer(owner) : found[0]!.restorer;
  if (!restorer) return;
  // Locking a row that is referred to takes the right to update one of its columns.
  await owner.query(`
    revoke all on all tables in schema public from ${restorer};
    grant usage on schema public to ${restorer};
    grant select, insert on ${into} to ${restorer};
    grant delete on contact to ${restorer};
    grant select, update (organization_id) on ${referred} to ${restorer}`);
}

/** @returns the quoted name of the role that these functions work as in this database, which it has made if it wasn't there */
async function makeRestorer(owner: pg.Client): Promise<string> {
  const { rows } = await owner.query<{ name: string; present: boolean }>(`
    select name, exists (select 1 from pg_roles where rolname = name) as present from left(current_database() || '_restorer', 63) name`);
  const { name, present } = rows[0]!;
  const restorer = quoted(name);
  // Other databases of the server may be migrated at the same time, and the list of who may set what is the server's.
  await owner.query(`
    begin;
    lock table pg_parameter_acl in share row exclusive mode;
    ${present ? 'alter' : 'create'} role ${restorer} nologin nosuperuser nobypassrls nocreatedb nocreaterole;
    grant set on parameter session_replication_role to ${restorer};
    alter function restore_rows owner to ${restorer};
    alter function restore_rows security definer set session_replication_role = replica;
    alter function remove_contacts owner to ${restorer};
    alter function remove_contacts security definer set session_replication_role = replica;
    commit`);
  return restorer;
}

/** The job runner's tables have row-level security without policies, so the role that works with them must own them. */
async function migrateJobs(owner: pg.Client, appUrl: string): Promise<void> {
  const app = quoted(decodeURIComponent(new URL(appUrl).username));
  const database = quoted((await owner.query<{ name: string }>('select current_database() as name')).rows[0]!.name);
  await owner.query(`grant create on database ${database} to ${app}`);
  await handOverJobs(owner, app);
  try {
    await runMigrations({ connectionString: appUrl, logger: quietWorkerLogger });
  } finally {
    await owner.query(`revoke create on database ${database} from ${app}`);
  }
}

/** In a database that was copied or restored, the runner's tables belong to whoever made them there. */
async function handOverJobs(owner: pg.Client, app: string): Promise<void> {
  const { rows } = await owner.query<{ statement: string }>(
    `select format('alter %s %s owner to %s', kind, name, $1::text) as statement
     from pg_namespace n cross join lateral (
       select 'schema' as kind, quote_ident(n.nspname) as name, n.nspowner as owner
       union all select 'table', oid::regclass::text, relowner from pg_class where relnamespace = n.oid and relkind in ('r', 'p', 'v')
       union all select 'type', oid::regclass::text, relowner from pg_class where relnamespace = n.oid and relkind = 'c'
       union all select 'function', oid::regprocedure::text, proowner from pg_proc where pronamespace = n.oid
     ) thing
     where n.nspname = 'graphile_worker' and thing.owner <> to_regrole($1::text)`,
    [app],
  );
  for (const { statement } of rows)
    await owner.query(statement).catch((error: Error) => {
      throw new StartupError(`The job runner's tables belong to another role, and "${statement}" failed: ${error.message}. Have a superuser do it.`);
    });
}
