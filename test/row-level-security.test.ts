// What the database itself holds, whatever the server's code would do: everything here is sent as the server's own role, past
// the resolvers. The tables, keys and functions come out of the catalogue, so new ones are held to this by being there.
import type pg from 'pg';
import { to as copyTo } from 'pg-copy-streams';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sealEntries } from '../src/log/sealing.ts';
import { quoted } from '../src/sql.ts';
import { createFullWorld, rowsOf } from './full-world.ts';
import type { World } from './harness.ts';
import { asServer, attempt, refusal, restore, stage } from './server-role.ts';

/**
 * The tables that row-level security does not hold by an organization, why that is right, and what the server may do there.
 * A new one is to be named here, or to be of an organization: `ofOneOrganization` in its entity.
 */
const exceptions: Record<string, { because: string; may: string }> = {
  account: {
    because: 'A sign-in names no organization yet. The server makes one for who joins, and notes a second factor; columns say so.',
    may: 'SELECT INSERT UPDATE',
  },
  credential: { because: 'It hangs on an account, and proves who that is.', may: 'SELECT INSERT UPDATE DELETE' },
  migration: { because: 'It tells which migrations have run, to who owns the tables alone.', may: '' },
  rate_limit: { because: 'It counts under keyed hashes of accounts and addresses, before it is known whose they are.', may: 'SELECT INSERT UPDATE DELETE' },
  refresh_token: { because: 'It hangs on a session.', may: 'SELECT INSERT UPDATE DELETE' },
  second_factor: { because: 'It hangs on an account; secrets in it are encrypted.', may: 'SELECT INSERT UPDATE DELETE' },
  session: { because: 'It hangs on an account.', may: 'SELECT INSERT UPDATE DELETE' },
  verification: { because: 'It is what is waited for, under hashed names; a sign-in names no organization yet.', may: 'SELECT INSERT UPDATE DELETE' },
  organization: { because: 'It is the organization: a policy on its own id holds it.', may: 'SELECT' },
  worker_heartbeat: { because: 'It has nothing but the names of processes.', may: 'SELECT INSERT UPDATE DELETE' },
  'graphile_worker._private_job_queues': { because: 'The runner’s own. It has names only.', may: 'owner' },
  'graphile_worker._private_jobs': {
    because: 'The runner’s own. What is queued names records by their ids, and each task opens its organization.',
    may: 'owner',
  },
  'graphile_worker._private_known_crontabs': { because: 'The runner’s own. It has names and times only.', may: 'owner' },
  'graphile_worker._private_tasks': { because: 'The runner’s own. It has names only.', may: 'owner' },
  'graphile_worker.migrations': { because: 'The runner’s own. It has numbers and times only.', may: 'owner' },
};

/** What sweeps over all organizations sees of them (`app.platform`), and may not change: ids and names, nothing in them. */
const platformTables = ['action_unsealed', 'organization'];

/** The functions that the server may call, PostgreSQL's own left out. */
const functions =
  /^(restore_rows\(anyelement,regclass,uuid\[\]\)|remove_contacts\(uuid,uuid\[\]\)|prune_action_log\(text,bytea\)|analyze_contacts\(boolean\)|log_retention_days\(\)|in_tag_scope\(uuid,uuid\)|graphile_worker\.\w+\(.*\))$/;

interface Table {
  name: string;
  may: Set<string>;
  /** A row of each organization, as JSON. */
  mine: string;
  theirs: string;
  primaryKey: string;
}

let world: World;
let end: () => PromiseLike<void>;
let tables: Table[];
let [mine, theirs] = ['', ''];

beforeAll(async () => {
  const full = await createFullWorld();
  world = full.world;
  end = () => full[Symbol.asyncDispose]();
  [mine, theirs] = [world.organizationId(), world.organizationId('Hilltop Society')];
  await fillTheRest();
  await world.owner.query('analyze');
  tables = await readTables();
});
afterAll(() => end());

/** What the scene has nothing of yet. */
async function fillTheRest(): Promise<void> {
  for (const id of [mine, theirs]) {
    await sealEntries(world.app, id);
    await world.owner.query(`
      insert into action_checkpoint (organization_id, seal_number, location) values ('${id}', 1, 'x');
      insert into action_pruning (organization_id, statement, signature) values ('${id}', '{}', '');
      insert into stored_file (organization_id, id, master_key_id, wrapped_key, expires_at) values ('${id}', gen_random_uuid(), 'x', '', now());
      insert into file_piece values ('${id}', gen_random_uuid(), 1, 1, 'DIRECTORY', 'x');
      insert into action_unsealed values ('${id}', gen_random_uuid());
      insert into action_salt values ('${id}', gen_random_uuid(), gen_random_uuid(), '');
      insert into deletion_warning (organization_id, deletion_id, days_before) select organization_id, id, 7 from deletion where organization_id = '${id}' limit 1`);
  }
}

const privileges = `array(select p from unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) with ordinality o (p, n)
  where has_table_privilege($1, c.oid, p) or has_any_column_privilege($1, c.oid, replace(p, 'DELETE', 'SELECT')) and p <> 'DELETE' order by n)`;

const role = () => new URL(world.app.database.url).username;

/** The tables of an organization, each with a row of both. */
async function readTables(): Promise<Table[]> {
  const { rows } = await world.owner.query<{ name: string; may: string[]; key: string[] }>(
    `select c.relname as name, ${privileges} as may,
      array(select attname::text from pg_index join pg_attribute on attrelid = c.oid and attnum = any (indkey) where indrelid = c.oid and indisprimary) as key
     from pg_class c join pg_attribute o on o.attrelid = c.oid and o.attname = 'organization_id'
     where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relname = any ($2) order by 1`,
    [role(), Object.keys(exceptions)],
  );
  const found: Table[] = [];
  for (const { name, may, key } of rows) {
    const row = async (organization: string) =>
      (await world.owner.query<{ row: string }>(`select to_jsonb(t)::text as row from ${quoted(name)} t where organization_id = $1 limit 1`, [organization]))
        .rows[0]?.row;
    const both = [await row(mine), await row(theirs)];
    expect([name, both.every(Boolean) ? 'filled' : 'has no row of both organizations: see fillTheRest']).toEqual([name, 'filled']);
    found.push({ name, may: new Set(may), mine: both[0]!, theirs: both[1]!, primaryKey: key.map(quoted).join(', ') });
  }
  return found;
}

const catalogue = async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) => (await world.owner.query<Row>(text, values)).rows;

const moved = (row: string, organization: string) => JSON.stringify({ ...(JSON.parse(row) as object), organization_id: organization });
const insertion = (table: string, then = '') => `insert into ${quoted(table)} select * from jsonb_populate_record(null::${quoted(table)}, $1) ${then}`;

/** Ways to get at rows of an organization that is not the transaction's; what each comes to. */
function waysInto({ name, may, theirs: row, primaryKey }: Table, whose: string): [statement: string, values: unknown[], outcome: number | string][] {
  const table = quoted(name);
  const where = `where organization_id = '${whose}'`;
  const [updates, deletes] = [may.has('UPDATE') ? 0 : '42501', may.has('DELETE') ? 0 : '42501'];
  return [
    [`select 1 from ${table} ${where}`, [], 0],
    [`select 1 from ${table} where organization_id::text = '${whose}'`, [], 0],
    [`select 1 from ${table} ${where} for update`, [], updates],
    [`update ${table} set organization_id = organization_id ${where}`, [], updates],
    [`update ${table} set organization_id = nullif(current_setting('app.organization_id', true), '')::uuid ${where}`, [], updates],
    [`delete from ${table} ${where}`, [], deletes],
    [`merge into ${table} t using (select '${whose}'::uuid as o) s on t.organization_id = s.o when matched then delete`, [], deletes],
    [`merge into ${table} t using (select '${whose}'::uuid as o) s on t.organization_id = s.o when matched then update set organization_id = s.o`, [], updates],
    [insertion(name), [row], '42501'],
    [insertion(name, 'on conflict do nothing'), [row], '42501'],
    [insertion(name, `on conflict (${primaryKey}) do update set organization_id = excluded.organization_id`), [row], '42501'],
    [`with gone as (select 1 from ${table} ${where}) select * from gone`, [], 0],
    [`copy ${table} from stdin`, [], may.has('INSERT') ? '0A000' : '42501'],
    [`truncate ${table}`, [], '42501'],
    [`alter table ${table} disable row level security`, [], '42501'],
    [`alter table ${table} no force row level security`, [], '42501'],
    [`drop policy one_organization on ${table}`, [], '42501'],
    [`create policy mine on ${table} using (true)`, [], '42501'],
    [`alter policy one_organization on ${table} using (true)`, [], '42501'],
    [`create rule mine as on insert to ${table} do also select 1`, [], '42501'],
    [`create trigger mine after insert on ${table} execute function pg_catalog.suppress_redundant_updates_trigger()`, [], '42501'],
    [`create index on ${table} (organization_id)`, [], '42501'],
    [`create statistics pg_temp.mine on organization_id, (organization_id::text) from ${table}`, [], '42501'],
    [`alter table ${table} owner to current_user`, [], '42501'],
    [`drop table ${table}`, [], '42501'],
  ];
}

async function outcomes(client: pg.PoolClient, ways: readonly [string, unknown[], number | string][]): Promise<{ given: unknown[]; expected: unknown[] }> {
  const given = [];
  for (const [statement, values] of ways) given.push([statement, await attempt(client, statement, values)]);
  return { given, expected: ways.map(([statement, , outcome]) => [statement, outcome]) };
}

describe('the catalogue', () => {
  it('has every table of an organization under the one policy, and of the others only those that are named here', async () => {
    const all = await catalogue<{ name: string; held: boolean; policies: string[]; may: string; owned: boolean }>(
      `select c.oid::regclass::text as name, relrowsecurity and relforcerowsecurity as held, array_to_string(${privileges}, ' ') as may, relowner = $1::regrole as owned,
        array(select policyname || ' ' || cmd || ' ' || permissive || ' ' || array_to_string(roles, ',') || ' ' || coalesce(qual, '') || ' ' || coalesce(with_check, '')
          from pg_policies where schemaname = relnamespace::regnamespace::text and tablename = relname order by 1)::text[] as policies
       from pg_class c where relkind in ('r', 'p', 'f') and relnamespace::regnamespace::text !~ '^(pg_|information_schema$)' order by 1`,
      [role()],
    );
    const own = (column: string) =>
      `one_organization ALL PERMISSIVE public (${column} = ( SELECT (NULLIF(current_setting('app.organization_id'::text, true), ''::text))::uuid AS "nullif")) `;
    const platform = `platform SELECT PERMISSIVE public (current_setting('app.platform'::text, true) = 'on'::text) `;
    const names = new Set(tables.map(({ name }) => name));
    for (const { name, held, policies } of all.filter((table) => names.has(table.name) || table.name === 'organization')) {
      const expected = [own(name === 'organization' ? 'id' : 'organization_id'), ...(platformTables.includes(name) ? [platform] : [])];
      // A second one only ever takes away; startup.test.ts says where it is.
      expect([name, held, policies.filter((policy) => !policy.startsWith('tag_scope ALL RESTRICTIVE '))]).toEqual([name, true, expected]);
    }
    const others = all.filter(({ name }) => !names.has(name)).map(({ name, may, owned }) => [name, owned ? 'owner' : may]);
    expect(others).toEqual(
      Object.entries(exceptions)
        .map(([name, { may }]) => [name, may])
        .toSorted(([a], [b]) => (a! < b! ? -1 : 1)),
    );
  });

  it('has the organization in every unique key, so that none tells of another’s values', async () => {
    const keys = await catalogue<{ name: string }>(
      `select indexrelid::regclass::text as name from pg_index where indisunique and indrelid = any ($1::regclass[])
        and not exists (select 1 from pg_attribute where attrelid = indrelid and attnum = any (indkey) and attname = 'organization_id')`,
      [tables.map(({ name }) => quoted(name))],
    );
    expect(keys).toEqual([]);
  });

  it('lets the server call nothing that works with more rights than its own but what is tested here, and own nothing but the runner’s', async () => {
    const callable = await catalogue<{ name: string }>(
      `select oid::regprocedure::text as name from pg_proc where has_function_privilege($1, oid, 'EXECUTE')
        and pronamespace::regnamespace::text not in ('pg_catalog', 'information_schema')`,
      [role()],
    );
    expect(callable.map(({ name }) => name).filter((name) => !functions.test(name))).toEqual([]);
    const elevated = await catalogue(
      `select proname, proconfig::text[] && '{"search_path=pg_catalog, pg_temp"}' as fixed from pg_proc where prosecdef order by 1`,
    );
    expect(elevated).toEqual([
      { proname: 'analyze_contacts', fixed: true },
      { proname: 'prune_action_log', fixed: true },
      { proname: 'remove_contacts', fixed: true },
      { proname: 'restore_rows', fixed: true },
    ]);
    const owned = await catalogue(
      `select distinct relnamespace::regnamespace::text as of from pg_class where relowner = $1::regrole and relnamespace::regnamespace::text !~ '^pg_toast|^pg_temp'
       union select distinct pronamespace::regnamespace::text from pg_proc where proowner = $1::regrole union select nspname from pg_namespace where nspowner = $1::regrole`,
      [role()],
    );
    expect(owned).toEqual([{ of: 'graphile_worker' }]);
    const views = await catalogue(
      `select oid::regclass::text as name from pg_class where relkind in ('v', 'm') and relnamespace::regnamespace::text not in ('pg_catalog', 'information_schema')`,
    );
    expect(views).toEqual([{ name: 'graphile_worker.jobs' }]);
    const beyond = await catalogue(
      `select rolname from pg_roles where rolname <> $1 and pg_has_role($1, oid, 'MEMBER')
       union select 'attributes' from pg_roles where rolname = $1 and (rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication)
       union select 'database' where has_database_privilege($1, current_database(), 'CREATE') union select 'schema' where has_schema_privilege($1, 'public', 'CREATE')`,
      [role()],
    );
    expect(beyond).toEqual([]);
  });
});

describe('the server’s role', () => {
  it('sees and changes nothing without an organization, in any table', async () => {
    const before = await rowsOf(world);
    for (const setting of [
      '',
      `; set local app.organization_id = ''`,
      `; set local app.organization_id = '${mine}'; reset app.organization_id`,
      `; set local app.platform = 'on'`,
    ])
      await asServer(
        world,
        async (client) => {
          await client.query(`select${setting}`);
          const sweeping = setting.includes('platform');
          for (const table of tables) {
            const seen = sweeping && platformTables.includes(table.name) ? 2 : 0;
            expect([table.name, setting, await attempt(client, `select distinct organization_id from ${quoted(table.name)}`)]).toEqual([
              table.name,
              setting,
              seen,
            ]);
            if (seen > 0) continue;
            const { given, expected } = await outcomes(client, waysInto(table, theirs));
            expect([setting, given]).toEqual([setting, expected]);
          }
        },
        null,
      );
    await asServer(
      world,
      async (client) => {
        await client.query(`set local app.organization_id = 'any'`);
        for (const { name } of tables) expect([name, await attempt(client, `select 1 from ${quoted(name)}`)]).toEqual([name, '22P02']);
      },
      null,
    );
    expect(await rowsOf(world)).toEqual(before);
  });

  it('sees and changes nothing of another organization, in any table and by any statement', async () => {
    const before = await rowsOf(world);
    await asServer(world, async (client) => {
      for (const table of tables) {
        const { name } = table;
        const { given, expected } = await outcomes(client, [
          ...waysInto(table, theirs),
          [insertion(name), [moved(table.mine, theirs)], '42501'],
          [`update ${quoted(name)} set organization_id = '${theirs}'`, [], '42501'],
          [`with given as (update ${quoted(name)} set organization_id = '${theirs}' returning 1) select * from given`, [], '42501'],
        ]);
        expect(given).toEqual(expected);
        const { rows } = await client.query<{ organization_id: string }>(`select distinct organization_id from ${quoted(name)}`);
        expect([name, rows]).toEqual([name, [{ organization_id: mine }]]);
        const copied = await text(client.query(copyTo(`copy ${quoted(name)} to stdout`)));
        expect([name, copied.includes(mine), copied.includes(theirs)]).toEqual([name, true, false]);
      }
      // What waits to be sealed may be looked for by sweeps, in all organizations, and never be changed.
      await client.query(`set local app.platform = 'on'`);
      for (const table of tables.filter(({ name }) => !platformTables.includes(name))) {
        const { given, expected } = await outcomes(client, waysInto(table, theirs));
        expect(given).toEqual(expected);
      }
      for (const name of platformTables.map(quoted)) {
        const column = name.includes('organization') ? 'id' : 'organization_id';
        for (const change of [`update ${name} set ${column} = ${column} where ${column} = '${theirs}'`, `delete from ${name} where ${column} = '${theirs}'`])
          expect([change, [0, '42501']]).toEqual([change, expect.arrayContaining([await attempt(client, change)])]);
      }
    });
    expect(await rowsOf(world)).toEqual(before);
  });

  it('finds no other role to be, and nothing that leaves the policies out', async () => {
    const owner = (await catalogue<{ name: string }>(`select relowner::regrole::text as name from pg_class where oid = 'contact'::regclass`))[0]!.name;
    const restorer = (await catalogue<{ name: string }>(`select proowner::regrole::text as name from pg_proc where proname = 'restore_rows'`))[0]!.name;
    const refused = [
      ...[owner, restorer, 'pg_read_all_data', 'pg_write_all_data', 'pg_execute_server_program', 'pg_database_owner'].flatMap((name) => [
        `set role ${quoted(name)}`,
        `set local role ${quoted(name)}`,
        `grant ${quoted(name)} to current_user`,
      ]),
      ...[owner, restorer].map((name) => `set session authorization ${quoted(name)}`),
      `alter role current_user bypassrls`,
      `alter role current_user superuser`,
      `create role another superuser`,
      `set session_replication_role = replica`,
      `alter function restore_rows owner to current_user`,
      `alter function restore_rows set session_replication_role = origin`,
      `alter function remove_contacts owner to current_user`,
      `alter default privileges for role ${quoted(owner)} grant all on tables to public`,
      `create table public.shadow (id int)`,
      `create view public.shadow as select 1`,
      `create function public.shadow() returns int language sql as 'select 1'`,
      `create schema shadow`,
      `create event trigger shadow on ddl_command_start execute function refuse_change()`,
      `create publication shadow for all tables`,
      `create language plperlu`,
      `create server shadow foreign data wrapper postgres_fdw`,
    ];
    const closed = { '42501': true, '42704': true, '0A000': true } as Record<string, boolean>;
    await asServer(world, async (client) => {
      // It runs in no transaction.
      expect(await refusal(world.app.database.pool.query('alter system set row_security = off'))).toMatchObject({ code: '42501' });
      for (const statement of refused) expect([statement, closed[await attempt(client, statement)] ?? 'was not refused']).toEqual([statement, true]);
      // These are allowed, and change nothing.
      for (const statement of [
        'set role none',
        'reset role',
        'reset session authorization',
        'set session authorization default',
        `set search_path = pg_temp, public`,
      ]) {
        await client.query(statement);
        expect([statement, await attempt(client, `select 1 from contact where organization_id = '${theirs}'`)]).toEqual([statement, 0]);
        expect([statement, await attempt(client, `select 1 from contact limit 1`)]).toEqual([statement, 1]);
      }
      await client.query('set local row_security = off');
      for (const { name } of tables) expect([name, await attempt(client, `select 1 from ${quoted(name)}`)]).toEqual([name, '42501']);
      await client.query('reset all');
      for (const { name } of tables) expect([name, await attempt(client, `select 1 from ${quoted(name)}`)]).toEqual([name, 0]);
    });
  });

  it('reaches neither files nor programs nor other databases nor what PostgreSQL keeps of all rows', async () => {
    const statements = [
      `select pg_read_file('/etc/passwd')`,
      `select pg_read_binary_file('/etc/passwd')`,
      `select pg_stat_file('/etc/passwd')`,
      `select pg_ls_dir('/')`,
      `select pg_ls_logdir()`,
      `select pg_ls_waldir()`,
      `select pg_current_logfile()`,
      `select lo_import('/etc/passwd')`,
      `select lo_export(1, '/tmp/never')`,
      `select pg_reload_conf()`,
      `select pg_rotate_logfile()`,
      `select pg_switch_wal()`,
      `select pg_create_restore_point('x')`,
      `select pg_create_logical_replication_slot('x', 'test_decoding')`,
      `select pg_logical_emit_message(true, 'x', 'x') from pg_create_physical_replication_slot('x')`,
      `copy contact to program 'true'`,
      `copy contact to '/tmp/never'`,
      `copy (select 1) to program 'true'`,
      `create temporary table t (x text); copy t from program 'true'`,
      `create temporary table t (x text); copy t from '/etc/passwd'`,
      `select * from pg_authid`,
      `select * from pg_shadow`,
      `select * from pg_statistic`,
      `select * from pg_statistic_ext_data`,
      `select * from pg_largeobject`,
      `select * from pg_hba_file_rules`,
      `select * from pg_file_settings`,
      `select * from pg_user_mapping`,
      `select * from pg_subscription`,
    ];
    const extensions = ['dblink', 'postgres_fdw', 'file_fdw', 'adminpack', 'plpython3u', 'pageinspect', 'lo'];
    await asServer(world, async (client) => {
      for (const statement of statements) expect([statement, await attempt(client, statement)]).toEqual([statement, '42501']);
      for (const name of extensions)
        expect([name, ['42501', '0A000', '58P01', '22023']]).toEqual([name, expect.arrayContaining([await attempt(client, `create extension ${name}`)])]);
      expect(await attempt(client, `select dblink('dbname=postgres', 'select 1')`)).toBe('42883');
      // Statistics are shown of no table that has policies, because they hold values of all organizations.
      expect((await catalogue(`select distinct tablename from pg_stats where schemaname = 'public' and tablename = 'contact'`)).length).toBe(1);
      for (const view of ['pg_stats', 'pg_stats_ext', 'pg_stats_ext_exprs'])
        expect(await attempt(client, `select 1 from ${view} where schemaname = 'public' and tablename = any ($1)`, [tables.map(({ name }) => name)])).toBe(0);
    });
    const { rows } = await world.owner.query<{ id: number }>(`select lo_from_bytea(0, 'theirs') as id`);
    await asServer(world, async (client) => {
      for (const statement of ['select lo_get($1)', 'select lo_unlink($1)', `select lo_put($1, 0, 'x')`, 'select lo_open($1, 262144)'])
        expect([statement, await attempt(client, statement, [rows[0]!.id])]).toEqual([statement, '42501']);
    });
    expect(await catalogue('select oid from pg_largeobject_metadata where lomowner = $1::regrole', [role()])).toEqual([]);
  });

  it('sees no more through views, functions, cursors and plans of its own', async () => {
    await asServer(world, async (client) => {
      const told: string[] = [];
      client.on('notice', ({ message }) => told.push(message ?? ''));
      await client.query(`
        create temporary view seen as select * from contact;
        create temporary view barred with (security_barrier) as select * from contact;
        create function pg_temp.tell(text) returns boolean language plpgsql cost 0.0000001 as $$ begin raise notice '%', $1; return true; end $$;
        create function pg_temp.theirs() returns bigint language sql security definer as $$ select count(*) from public.contact where organization_id = '${theirs}' $$;
        prepare plan as select count(*)::int as count from contact where organization_id = '${theirs}'`);
      for (const name of ['seen', 'barred']) expect(await attempt(client, `select 1 from ${name} where organization_id = '${theirs}'`)).toBe(0);
      expect((await client.query('select pg_temp.theirs()::int as count')).rows).toEqual([{ count: 0 }]);
      await client.query('select 1 from contact where pg_temp.tell(organization_id::text)');
      await client.query('select 1 from seen where pg_temp.tell(organization_id::text)');
      expect(new Set(told)).toEqual(new Set([mine]));
      // A plan is of no organization: it is held to the one of the moment.
      for (let time = 0; time < 7; time++) expect((await client.query('execute plan')).rows).toEqual([{ count: 0 }]);
      await client.query(`set local app.organization_id = '${theirs}'`);
      expect((await client.query<{ count: number }>('execute plan')).rows[0]!.count).toBeGreaterThan(0);
      await client.query('deallocate plan');
      client.removeAllListeners('notice');
    });
  });
});

describe('foreign keys', () => {
  it('answer for a record of another organization as for one that is not there', async () => {
    const keys = await catalogue<{ table: string; name: string; target: string; own: string[]; other: string[] }>(
      `select c.conrelid::regclass::text as table, c.conname as name, c.confrelid::regclass::text as target,
        array_agg(own.attname::text order by k.n) as own, array_agg(ref.attname::text order by k.n) as other
       from pg_constraint c cross join unnest(c.conkey, c.confkey) with ordinality k (own, ref, n)
       join pg_attribute own on own.attrelid = c.conrelid and own.attnum = k.own join pg_attribute ref on ref.attrelid = c.confrelid and ref.attnum = k.ref
       where c.contype = 'f' and c.conrelid = any ($1::regclass[]) group by c.oid order by 1, 2`,
      [tables.map(({ name }) => quoted(name))],
    );
    const among = keys.filter(({ target }) => target !== 'organization');
    expect(keys.filter(({ own, other }) => other[own.indexOf('organization_id')] !== 'organization_id').map(({ name }) => name)).toEqual(
      keys.filter(({ target }) => target === 'organization').map(({ name }) => name),
    );
    expect(among.length).toBeGreaterThan(15);
    const none = '01890000-0000-7000-8000-000000000000';
    for (const { table, name, target, own, other } of among) {
      const column = own.find((one) => one !== 'organization_id')!;
      const { rows } = await world.owner.query<{ id: string }>(
        `select ${quoted(other[own.indexOf(column)]!)}::text as id from ${quoted(target)} where organization_id = $1 limit 1`,
        [theirs],
      );
      await asServer(world, async (client) => {
        const tell = async (id: string) => {
          await client.query('savepoint probe');
          const said = await refusal(
            client.query(`update ${quoted(table)} set ${quoted(column)} = $1 where ctid = (select min(ctid) from ${quoted(table)})`, [id]),
          );
          await client.query('rollback to savepoint probe');
          return said;
        };
        const unknown = await tell(none);
        expect(unknown).toMatchObject({ code: '23503', constraint: name });
        expect(await tell(rows[0]!.id)).toEqual(unknown);
      });
      // The same where the keys' own triggers are left out.
      await asServer(world, async (client) => {
        const ofGraph = (await attempt(client, `select contact_id from ${quoted(table)} limit 1`)) === 1;
        if (!ofGraph || table === 'recovery_undo_exception') return;
        await stage(client, table, { [column]: `'${rows[0]!.id}'` });
        expect(await refusal(restore(client, table))).toMatchObject({ code: '23503', constraint: name });
      });
    }
  });
});

describe('restore_rows', () => {
  it('puts nothing into any table of another organization, nor into one that is not of the graph', async () => {
    const before = await rowsOf(world);
    for (const { name, theirs: row, mine: own } of tables)
      for (const staged of [row, moved(own, theirs)])
        await asServer(world, async (client) => {
          await client.query(`
            create temporary table staged (like ${quoted(name)}) on commit drop; grant select on staged to public;
            insert into staged select * from jsonb_populate_record(null::${quoted(name)}, ${client.escapeLiteral(staged)})`);
          const said = await refusal(restore(client, name));
          expect([name, ['42501', '42703', '42809']]).toEqual([name, expect.arrayContaining([(said as { code?: string }).code])]);
        });
    expect(await rowsOf(world)).toEqual(before);
  });

  it('is not led astray by tables of the session that bear the names of real ones', async () => {
    const [{ id } = { id: '' }] = await catalogue<{ id: string }>('select id from contact where organization_id = $1', [theirs]);
    await asServer(world, async (client) => {
      await stage(client, 'note', { contact_id: `'${id}'` });
      await client.query(`
        create temporary table contact (like public.contact); grant all on contact to public;
        insert into contact select * from jsonb_populate_record(null::contact, ${client.escapeLiteral(moved(tables.find(({ name }) => name === 'contact')!.theirs, mine))});
        create temporary table pg_class (oid oid); create temporary table pg_constraint (oid oid); set local search_path = pg_temp, public, pg_catalog`);
      expect(await refusal(client.query(`select * from public.restore_rows(null::public.note, 'pg_temp.staged', '{}')`))).toMatchObject({
        code: '23503',
        constraint: 'note_organization_id_contact_id_foreign',
      });
    });
  });
});

describe('remove_contacts', () => {
  it('removes nothing of another organization, whichever is named', async () => {
    const before = await rowsOf(world);
    const ids = (await catalogue<{ id: string }>('select id from contact where organization_id = $1', [theirs])).map(({ id }) => id);
    for (const organization of [mine, theirs])
      await asServer(world, async (client) => {
        expect((await client.query('select * from remove_contacts($1, $2)', [organization, ids])).rows).toEqual([]);
        await client.query('commit');
      });
    expect(await rowsOf(world)).toEqual(before);
  });
});

describe('the queue of what is to be sealed', () => {
  it('gets every entry, whatever the session has under its name', async () => {
    const row = tables.find(({ name }) => name === 'action_log')!.mine;
    await asServer(world, async (client) => {
      await client.query(
        `create temporary table action_unsealed (organization_id uuid, action_id uuid); create temporary table action_log (id uuid); set local search_path = pg_temp, public`,
      );
      const id = '01890000-0000-7000-8000-000000000001';
      await client.query('insert into public.action_log select * from jsonb_populate_record(null::public.action_log, $1)', [
        JSON.stringify({ ...(JSON.parse(row) as object), id }),
      ]);
      expect((await client.query('select 1 from public.action_unsealed where action_id = $1', [id])).rowCount).toBe(1);
    });
  });
});

describe('a connection that was given back', () => {
  it('keeps nothing of the organization that it worked for', async () => {
    const { pool } = world.app.database;
    const clients = await Promise.all(Array.from({ length: pool.totalCount }, () => pool.connect()));
    try {
      for (const client of clients) {
        const { rows } = await client.query<{ of: string; cursors: number; rows: number }>(`
          select coalesce(current_setting('app.organization_id', true), '') || coalesce(current_setting('app.platform', true), '') as of,
            (select count(*)::int from pg_cursors where name <> '') as cursors, current_user = session_user as itself`);
        expect(rows).toEqual([{ of: '', cursors: 0, itself: true }]);
        const { rows: stages } = await client.query<{ name: string }>(
          "select relname as name from pg_class where relnamespace = pg_my_temp_schema() and relkind in ('r', 'v')",
        );
        for (const { name } of stages) expect([name, (await client.query(`select 1 from pg_temp.${quoted(name)}`)).rowCount]).toEqual([name, 0]);
      }
    } finally {
      for (const client of clients) client.release();
    }
  });
});
