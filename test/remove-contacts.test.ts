// The database function that removes contacts checks what refers to them itself, because it works without the keys' own triggers.
import { describe, expect, it } from 'vitest';
import { deleteAndRecover, everything, fill } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { until } from './processes.ts';
import { asServer, refusal } from './server-role.ts';

const contact = '01890000-0000-7000-8000-000000000001';

/** A contact that owns nothing. */
const add = (world: World) =>
  world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'x', 'x')`, [world.organizationId(), contact]);

/** SQL that gives the contact a row like one that is there. */
const ownOne = (table: string, column = 'contact_id') =>
  `insert into ${table} select (jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid(), '${column}', '${contact}'))).* from ${table} t
    where t.organization_id = current_setting('app.organization_id')::uuid limit 1`;

const remove = 'select id from remove_contacts($1, $2)';

describe('remove_contacts', () => {
  it('removes contacts that nothing refers to, gives them, and leaves the session as it was', async () => {
    await using world = await createWorld();
    await add(world);
    await asServer(world, async (client) => {
      const { rows } = await client.query(remove, [world.organizationId(), [contact, '01890000-0000-7000-8000-000000000002']]);
      expect(rows).toEqual([{ id: contact }]);
      expect((await client.query('select 1 from contact where id = $1', [contact])).rows).toEqual([]);
      expect((await client.query('show session_replication_role')).rows).toEqual([{ session_replication_role: 'origin' }]);
    });
  });

  for (const [how, prepare] of [
    ['without the keys’ triggers', 'select'],
    ['with them, where no superuser has allowed it to do without', 'alter function remove_contacts security invoker reset session_replication_role'],
  ] as const)
    it(`finds every key that still refers to a contact, ${how}`, async () => {
      await using world = await createWorld();
      await fill(world, 3);
      await add(world);
      await world.owner.query(prepare);
      const { rows: keys } = await world.owner.query<{ table: string; name: string; column: string }>(
        `select conrelid::regclass::text as table, conname as name, attname as column from pg_constraint join pg_attribute on attrelid = conrelid and attnum = any (conkey)
         where contype = 'f' and confrelid = 'contact'::regclass and attname <> 'organization_id' order by 1, 2`,
      );
      expect(keys.length).toBeGreaterThan(8);
      for (const { table, name, column } of keys)
        await asServer(world, async (client) => {
          expect((await client.query(ownOne(table, column))).rowCount).toBe(1);
          expect(await refusal(client.query(remove, [world.organizationId(), [contact]]))).toMatchObject({ code: '23503', constraint: name });
        });
    });

  it('deletes and recovers the same with the keys’ triggers, too', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await world.owner.query('alter function remove_contacts security invoker reset session_replication_role');
    const before = await everything(world);
    await deleteAndRecover(world);
    expect(await everything(world)).toEqual(before);
  });

  it('removes only what its caller sees, and finds what that one does not see', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await add(world);
    const { rows: tags } = await world.owner.query<{ id: string }>('select id from tag where organization_id = $1 limit 1', [world.organizationId()]);
    const scope = `select set_config('app.tag_scope', '{${tags[0]!.id}}', true)`;
    await asServer(world, async (client) => {
      await client.query(scope);
      expect((await client.query(remove, [world.organizationId(), [contact]])).rows).toEqual([]);
      expect((await client.query(`select current_setting('app.tag_scope') as scope`)).rows).toEqual([{ scope: `{${tags[0]!.id}}` }]);
    });
    await asServer(world, async (client) => {
      await client.query(ownOne('note'));
      await client.query(`insert into contact_tag (organization_id, contact_id, tag_id) values ($1, $2, $3)`, [world.organizationId(), contact, tags[0]!.id]);
      await client.query(scope);
      expect(await refusal(client.query(remove, [world.organizationId(), [contact]]))).toMatchObject({ code: '23503' });
    });
  });

  it('waits for whoever is adding what refers to a contact, and finds it; and lets nothing be added to one that it has removed', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await add(world);
    const waiting = async () =>
      (await world.owner.query(`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)).rows.length > 0;
    await asServer(world, (adding) =>
      asServer(world, async (client) => {
        await adding.query(ownOne('note'));
        const outcome = refusal(client.query(remove, [world.organizationId(), [contact]]));
        await until('the remover to wait', 10, waiting);
        await adding.query('commit');
        expect(await outcome).toMatchObject({ code: '23503', constraint: 'note_organization_id_contact_id_foreign' });
      }),
    );
    await world.owner.query('delete from note where contact_id = $1', [contact]);
    await asServer(world, (adding) =>
      asServer(world, async (client) => {
        await client.query(remove, [world.organizationId(), [contact]]);
        const outcome = refusal(adding.query(ownOne('note')));
        await until('who adds to wait', 10, waiting);
        await client.query('commit');
        expect(await outcome).toMatchObject({ code: '23503', constraint: 'note_organization_id_contact_id_foreign' });
      }),
    );
  });

  it('works in no transaction that would not see what was added to a contact a moment ago', async () => {
    await using world = await createWorld();
    await add(world);
    for (const level of ['repeatable read', 'serializable'])
      await asServer(world, async (client) => {
        await client.query(`rollback; begin isolation level ${level}; set local app.organization_id = '${world.organizationId()}'`);
        expect(await refusal(client.query(remove, [world.organizationId(), [contact]]))).toMatchObject({ code: '25000' });
      });
  });

  it('is not led astray by tables of the session, nor by triggers', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await add(world);
    await asServer(world, async (client) => {
      await client.query(ownOne('note'));
      await client.query(`create temporary table note (like public.note); create temporary table contact (like public.contact); grant all on note, contact to public;
        create temporary table pg_constraint (oid oid); set local search_path = pg_temp, public, pg_catalog`);
      expect(await refusal(client.query('select * from public.remove_contacts($1, $2)', [world.organizationId(), [contact]]))).toMatchObject({ code: '23503' });
    });
    await world.owner.query(`
      create function seen() returns trigger language plpgsql as 'begin return null; end';
      create trigger seen after delete on contact for each row execute function seen()`);
    await asServer(world, async (client) => {
      expect(await refusal(client.query(remove, [world.organizationId(), [contact]]))).toMatchObject({
        code: '42809',
        message: expect.stringMatching(/Nothing was removed\.$/) as string,
      });
    });
  });
});
