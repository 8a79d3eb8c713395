// The database function that puts staged rows back checks their foreign keys itself, because it works without the keys' own triggers.
import { describe, expect, it } from 'vitest';
import { contactGraph } from '../src/snapshots/graph.ts';
import { deleteAndRecover, everything, fill } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { until } from './processes.ts';
import { asServer, refusal, restore, stage } from './server-role.ts';

/** A membership plan that no membership has. */
async function makePlan(world: World): Promise<string> {
  const { rows } = await world.owner.query<{ id: string }>(
    `insert into membership_plan select (jsonb_populate_record(p, '{"name": "Spare"}'::jsonb || jsonb_build_object('id', gen_random_uuid()))).*
     from membership_plan p where organization_id = $1 limit 1 returning id`,
    [world.organizationId()],
  );
  return rows[0]!.id;
}

const waiting = (world: World) => async () =>
  (await world.owner.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).rows.length > 0;

describe('restore_rows', () => {
  it('inserts what was staged and gives it, and leaves the session as it was', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await asServer(world, async (client) => {
      await stage(client, 'note');
      const { rows } = await restore(client, 'note');
      const { rows: inserted } = await client.query('select n.* from note n join staged s on s.id = n.id');
      expect(rows).toHaveLength(1);
      expect(rows).toEqual(inserted);
      const { rows: role } = await client.query('show session_replication_role');
      expect(role).toEqual([{ session_replication_role: 'origin' }]);
    });
  });

  it('works without the keys’ triggers, as a role that can do nothing else', async () => {
    await using world = await createWorld();
    const { rows } = await world.owner.query<{ name: string }>(`
      select rolname as name, prosecdef, proconfig @> '{session_replication_role=replica}' as replica, rolsuper or rolbypassrls or rolcanlogin as more,
        (select string_agg(c.relname || ':' || p, ' ' order by c.relname, p) from pg_class c, unnest('{UPDATE,DELETE,TRUNCATE}'::text[]) p
          where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and has_table_privilege(r.oid, c.oid, p)) as changes
      from pg_proc join pg_roles r on r.oid = proowner where pg_proc.oid = 'restore_rows'::regproc`);
    expect(rows).toEqual([{ name: `${world.template.name}_restorer`, prosecdef: true, replica: true, more: false, changes: 'contact:DELETE' }]);
    await asServer(world, async (client) => {
      expect(await refusal(client.query('set local session_replication_role = replica'))).toMatchObject({ code: '42501' });
    });
  });

  it('finds every foreign key broken that a table of the graph has', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const graph = contactGraph(world.app.database.orm);
    const tables = [...graph.tables.map(({ name }) => name), ...graph.rebuilt];
    const { rows: keys } = await world.owner.query<{ table: string; name: string; columns: string[] }>(
      `select conrelid::regclass::text as table, conname as name, array_agg(attname::text) filter (where attname <> 'organization_id') as columns
       from pg_constraint join pg_attribute on attrelid = conrelid and attnum = any (conkey)
       where contype = 'f' and conrelid::regclass::text = any ($1) group by 1, 2 order by 1, 2`,
      [tables],
    );
    expect(new Set(keys.map(({ table }) => table)).size).toBe(tables.length - 1);
    for (const { table, name, columns } of keys)
      await asServer(world, async (client) => {
        await stage(client, table, Object.fromEntries(columns.map((column) => [column, 'gen_random_uuid()'])));
        expect(await refusal(restore(client, table))).toMatchObject({ code: '23503', constraint: name });
      });
  });

  it('works with the keys’ triggers, too, where no superuser has allowed it to do without them', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await world.owner.query('alter function restore_rows security invoker reset session_replication_role');
    const before = await everything(world);
    await deleteAndRecover(world);
    expect(await everything(world)).toEqual(before);
    await asServer(world, async (client) => {
      await stage(client, 'note', { contact_id: 'gen_random_uuid()' });
      expect(await refusal(restore(client, 'note'))).toMatchObject({ code: '23503', constraint: 'note_organization_id_contact_id_foreign' });
    });
  });

  it('lets a row refer to what the same transaction wrote, also within a savepoint, and to nothing', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await asServer(world, async (client) => {
      await client.query('savepoint one');
      await client.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, '01890000-0000-7000-8000-000000000001', 'x', 'x')`, [
        world.organizationId(),
      ]);
      await client.query('savepoint two');
      await stage(client, 'note', { contact_id: `'01890000-0000-7000-8000-000000000001'`, author_id: 'null' });
      expect((await restore(client, 'note')).rows).toMatchObject([{ contact_id: '01890000-0000-7000-8000-000000000001', author_id: null }]);
    });
  });

  it('waits for whoever is removing what a row refers to, and then finds it gone', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const plan = await makePlan(world);
    await asServer(world, (removing) =>
      asServer(world, async (client) => {
        await removing.query('delete from membership_plan where id = $1', [plan]);
        await stage(client, 'membership', { plan_id: `'${plan}'` });
        const outcome = refusal(restore(client, 'membership'));
        await until('the restorer to wait', 10, waiting(world));
        await removing.query('commit');
        expect(await outcome).toMatchObject({ code: '23503', constraint: 'membership_organization_id_plan_id_foreign' });
      }),
    );
  });

  it('keeps what a row refers to from being removed until the transaction ends', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const plan = await makePlan(world);
    await asServer(world, (removing) =>
      asServer(world, async (client) => {
        await stage(client, 'membership', { plan_id: `'${plan}'` });
        await restore(client, 'membership');
        const outcome = refusal(removing.query('delete from membership_plan where id = $1', [plan]));
        await until('the remover to wait', 10, waiting(world));
        await client.query('commit');
        expect(await outcome).toMatchObject({ code: '23503', constraint: 'membership_organization_id_plan_id_foreign' });
      }),
    );
  });

  it('reads nothing but rows of the table’s own columns that the session staged, and writes to no other table', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const refused = async (table: string, from: string, prepare = 'select') =>
      asServer(world, async (client) => {
        await stage(client, 'note');
        await client.query(prepare);
        return refusal(restore(client, table, from));
      });
    const nothing = /Nothing was restored\.$/;
    expect(await refused('note', 'note')).toMatchObject({ code: '42809', message: expect.stringMatching(nothing) as string });
    expect(await refused('note', 'pg_temp.seen', 'create temporary view seen as select * from note; grant select on seen to public')).toMatchObject({
      code: '42809',
    });
    expect(await refused('note', 'staged', 'alter table staged enable row level security')).toMatchObject({ code: '42809' });
    expect(await refused('note', 'staged', 'alter table staged add surplus text')).toMatchObject({
      code: '42804',
      message: expect.stringMatching(nothing) as string,
    });
    expect(await refused('note', 'staged', 'alter table staged alter body type varchar')).toMatchObject({ code: '42804' });
    expect(
      await refused(
        'erasure_subject',
        'staged',
        'create temporary table other (like erasure_subject); drop table staged; alter table other rename to staged; grant select on staged to public',
      ),
    ).toMatchObject({ code: '42501' });
    expect(await refused('note', 'staged', `create index on staged ((body || 'x'))`)).toMatchObject({
      code: '42809',
      message: expect.stringMatching(nothing) as string,
    });
    expect(await refused('note', 'staged', 'create statistics pg_temp.seen on (lower(body)), author_id from staged')).toMatchObject({ code: '42809' });
    expect(await refused('note', 'staged', 'alter table staged add check (length(body) > 0)')).toMatchObject({ code: '42809' });
    expect(await refused('note', 'staged', 'create temporary table more () inherits (staged)')).toMatchObject({ code: '42809' });
    expect(await refused('note', 'staged', `alter table staged alter body set default 'x'`)).toMatchObject({ code: '42809' });
    expect(await refused('note', 'staged', 'create rule seen as on insert to staged do also select 1')).toMatchObject({ code: '42809' });
    // A table of the session's own would run the session's own checks with the function's rights.
    expect(await refused('note', 'staged', 'create temporary table note (like public.note); grant all on note to public')).toMatchObject({
      code: '42809',
      message: expect.stringMatching(nothing) as string,
    });
    await asServer(world, async (client) => {
      await stage(client, 'note', { organization_id: `'${world.organizationId('Hilltop Society')}'` });
      expect(await refusal(restore(client, 'note'))).toMatchObject({ code: '42501' });
    });
    await world.owner.query(`
      create function seen() returns trigger language plpgsql as 'begin return null; end';
      create trigger seen after insert on note for each row execute function seen()`);
    expect(await refused('note', 'staged')).toMatchObject({ code: '42809', message: expect.stringMatching(nothing) as string });
  });
});
