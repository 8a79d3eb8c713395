// A role that is limited to contacts with certain tags: its holders find, count and change those and no others, whatever they try.
import { readdirSync, readFileSync } from 'node:fs';
import { v7 as newId } from 'uuid';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { builtInRoles, type Permission, scopedPermissions, staffPermissions } from '../src/permissions/catalogue.ts';
import { policy } from '../src/permissions/index.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { quoted } from '../src/sql.ts';
import { post } from './asking.ts';
import { type Hired, hireWith } from './custom-roles.ts';
import { createFullWorld } from './full-world.ts';
import { contactId, deleteThem, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { eachOf, forms, mark, markLater, questions, toldIn } from './ways.ts';

const codes = ({ userErrors }: { userErrors: { code: string }[] }) => userErrors.map(({ code }) => code);
const notFound = { code: 'NOT_FOUND' };

/** A new tag on these contacts. @returns its id */
async function tag(world: World, name: string, ...ids: string[]): Promise<string> {
  const id = newId();
  await world.owner.query('insert into tag (organization_id, id, name) values ($1, $2, $3)', [world.organizationId(), id, name]);
  await world.owner.query('insert into contact_tag (organization_id, contact_id, tag_id) select $1, id, $2 from unnest($3::uuid[]) id', [
    world.organizationId(),
    id,
    ids,
  ]);
  return id;
}

const limited = (world: World, ...tagScope: string[]): Promise<Hired> => hireWith(world, { permissions: scopedPermissions, tagScope });

/** Six contacts, of which the first two are tagged `youth`, and someone who works with those. */
async function setScene(world: World): Promise<{ youth: string; ours: string[]; others: string[]; coach: Hired }> {
  await fill(world, 6);
  const ids = await liveIds(world);
  const youth = await tag(world, 'youth', ...ids.slice(0, 2));
  return { youth, ours: ids.slice(0, 2), others: ids.slice(2), coach: await limited(world, youth) };
}

const seen = async ({ client }: Pick<Hired, 'client'>): Promise<string[]> =>
  (await client.request(sdk.ContactsDocument, {})).contacts.nodes.map(({ id }) => id).toSorted();
const idsOf = (ids: string[]) => ids.map(contactId).toSorted();

describe('the database', () => {
  it('shows and takes only what the scope holds, in every table of contacts, whoever asks past the resolvers', async () => {
    await using world = await createWorld();
    const { youth, ours, others } = await setScene(world);
    const [organizationId, actorId] = [world.organizationId(), newId()];
    const graph = contactGraph(world.app.database.orm);
    const tables = [
      ...graph.tables.map(({ name, contactColumn }) => ({ name, contactColumn })),
      ...graph.rebuilt.map((name) => ({ name, contactColumn: 'contact_id' })),
    ];
    // What links contacts with tags tells of neither, and is what the scope itself is read from.
    const open = ['contact_tag'];
    expect(tables.length).toBeGreaterThan(10);
    const owners = (tags: string[] | null, table: { name: string; contactColumn: string }) =>
      world.app.database.transact(
        organizationId,
        async ({ client }) => {
          const { rows } = await client.query<{ id: string }>(`select distinct ${quoted(table.contactColumn)} as id from ${quoted(table.name)} order by 1`);
          return rows.map(({ id }) => id);
        },
        { scope: tags && { tags, actorId } },
      );
    for (const table of tables.filter(({ name }) => !open.includes(name))) {
      const all = await owners(null, table);
      expect([table.name, all.some((id) => others.includes(id))]).toEqual([table.name, true]);
      expect([table.name, await owners([youth], table)]).toEqual([table.name, all.filter((id) => ours.includes(id))]);
      expect([table.name, await owners([], table), await owners([newId()], table)]).toEqual([table.name, [], []]);
    }
    const scoped = { scope: { tags: [youth], actorId } };
    const touched = await world.app.database.transact(
      organizationId,
      async ({ client }) => [(await client.query('update contact set version = 2')).rowCount, (await client.query('delete from balance')).rowCount],
      scoped,
    );
    expect(touched).toEqual([2, 2]);
    const add = (id: string) =>
      world.app.database.transact(
        organizationId,
        ({ client }) =>
          client.query(`insert into note (organization_id, id, contact_id, author_name, body) values ($1, gen_random_uuid(), $2, 'x', 'x')`, [
            organizationId,
            id,
          ]),
        scoped,
      );
    await add(ours[0]!);
    await expect(add(others[0]!)).rejects.toThrow('row-level security');
    await expect(world.app.database.begin(organizationId, { scope: { tags: [`x'; drop table contact; --`], actorId } })).rejects.toThrow('not a UUID');
    // Nothing of it stays on the connection.
    expect(await owners(null, { name: 'contact', contactColumn: 'id' })).toHaveLength(6);
  });

  it('is asked as the viewer whenever something is done for a viewer', () => {
    const among = (floor: string, pattern: RegExp) => {
      const directory = new URL(`../src/${floor}/`, import.meta.url);
      return readdirSync(directory).filter((file) => pattern.test(readFileSync(new URL(file, directory), 'utf8')));
    };
    expect(among('domain', /(transact|begin)\(\s*viewer\./)).toEqual([]);
    // These read of recoveries, jobs, invoices, imports and the log only.
    expect(among('resolvers', /\.(transact|begin)\(/)).toEqual(['action-log.ts', 'imports.ts', 'invoices.ts', 'jobs.ts', 'recoveries.ts']);
    expect(among('permissions', /\.(transact|begin)\(/)).toEqual(['refusals.ts']);
  });
});

describe('who is limited to contacts with a tag', () => {
  it('finds and counts those; the others are not there, like another organization’s', async () => {
    await using world = await createWorld();
    const { ours, others, coach } = await setScene(world);
    expect(await seen(coach)).toEqual(idsOf(ours));
    const count = await post(
      world,
      coach.token,
      `{ contacts(filter: { ids: [${others.map((id) => `"${contactId(id)}"`).join()}] }) { totalCount { count } nodes { id } } all: contacts { totalCount { count } } }`,
    );
    expect(count.data).toEqual({ contacts: { totalCount: { count: 0 }, nodes: [] }, all: { totalCount: { count: 2 } } });
    await coach.client.request(sdk.ContactDocument, { id: contactId(ours[0]!) });
    const id = contactId(others[0]!);
    const unknown = await post(world, coach.token, `{ contact(id: "${contactId(newId())}") { id } }`);
    for (const query of [`{ contact(id: "${id}") { id } }`, `{ node(id: "${id}") { id } }`]) {
      const { errors, data } = await post(world, coach.token, query);
      expect([data, errors]).toMatchObject([null, [notFound]]);
    }
    expect((await post(world, coach.token, `{ contact(id: "${id}") { id } }`)).errors).toEqual(unknown.errors);
    expect((await coach.client.request(sdk.ViewerDocument)).viewer).toMatchObject({ tagScope: ['youth'], hiddenFields: [] });
    // What is found depends on now: by a tag that comes or goes.
    await (await world.as('Staff')).request(sdk.TagContactsDocument, { input: { contactIds: [id], tags: ['youth'] } });
    await (await world.as('Staff')).request(sdk.UntagContactsDocument, { input: { contactIds: [contactId(ours[0]!)], tags: ['youth'] } });
    expect(await seen(coach)).toEqual(idsOf([ours[1]!, others[0]!]));
  });

  it('changes and adds to those only', async () => {
    await using world = await createWorld();
    const { ours, others, coach } = await setScene(world);
    const act = (id: string) => [
      () => coach.client.request(sdk.UpdateContactDocument, { input: { id, version: 1, jobTitle: 'Keeper' } }).then((data) => data.updateContact),
      () => coach.client.request(sdk.AddNoteDocument, { input: { contactId: id, body: 'x' } }).then((data) => data.addNote),
      () => coach.client.request(sdk.AddActivityDocument, { input: { contactId: id, kind: 'CALL', subject: 'x' } }).then((data) => data.addActivity),
      () =>
        coach.client
          .request(sdk.AddMembershipDocument, { input: { contactId: id, planName: 'Gold', startsOn: '2024-01-01' } })
          .then((data) => data.addMembership),
      () => coach.client.request(sdk.AddPaymentDocument, { input: { contactId: id, amountMinor: 5, method: 'CASH' } }).then((data) => data.addPayment),
      () => coach.client.request(sdk.AddChargeDocument, { input: { contactId: id, amountMinor: 5, description: 'x' } }).then((data) => data.addCharge),
      () => coach.client.request(sdk.TagContactsDocument, { input: { contactIds: [id], tags: ['keeper'] } }).then((data) => data.tagContacts),
      () => coach.client.request(sdk.UntagContactsDocument, { input: { contactIds: [id], tags: ['keeper'] } }).then((data) => data.untagContacts),
    ];
    await world.owner.query(
      `insert into membership_plan (organization_id, id, name, price_minor, currency, interval) values ($1, $2, 'Gold', 1, 'USD', 'YEAR')`,
      [world.organizationId(), newId()],
    );
    const rows = async () =>
      (
        await world.owner.query(`select to_jsonb(c) as row from contact c where id = $1 union all select to_jsonb(n) from note n where contact_id = $1`, [
          others[0],
        ])
      ).rows;
    const before = await rows();
    for (const action of act(contactId(others[0]!))) await expect(action()).rejects.toMatchObject(notFound);
    expect(await rows()).toEqual(before);
    for (const action of act(contactId(ours[0]!))) expect(codes(await action())).toEqual([]);
    const mixed = coach.client.request(sdk.TagContactsDocument, { input: { contactIds: [contactId(ours[0]!), contactId(others[0]!)], tags: ['both'] } });
    await expect(mixed).rejects.toMatchObject(notFound);
    // Taking the last tag of the scope would lose it.
    const untag = await coach.client.request(sdk.UntagContactsDocument, { input: { contactIds: [contactId(ours[0]!)], tags: ['youth'] } });
    expect(codes(untag.untagContacts)).toEqual(['OUT_OF_SCOPE']);
    expect(await seen(coach)).toEqual(idsOf(ours));
  });

  it('creates contacts with one of the tags, and no others', async () => {
    await using world = await createWorld();
    const { coach } = await setScene(world);
    const create = (tags: string[]) => coach.client.request(sdk.CreateContactDocument, { input: { firstName: 'New', tags } });
    expect(codes((await create([])).createContact)).toEqual(['OUT_OF_SCOPE']);
    expect(codes((await create(['Youth'])).createContact)).toEqual(['OUT_OF_SCOPE']);
    const { createContact } = await create(['other', ' youth ']);
    expect(codes(createContact)).toEqual([]);
    expect(await seen(coach)).toHaveLength(3);
    const batch = await coach.client.request(sdk.CreateContactsDocument, {
      input: { contacts: [{ firstName: 'A', tags: ['youth'] }, { firstName: 'B' }, { firstName: 'C', tags: ['other'] }] },
    });
    expect(batch.createContacts).toMatchObject({ createdCount: 1 });
    expect(batch.createContacts.results.map(codes)).toEqual([[], ['OUT_OF_SCOPE'], ['OUT_OF_SCOPE']]);
    expect(await seen(coach)).toHaveLength(4);
  });

  it.each([
    ['at once', '100'],
    ['by a job', '1'],
  ])('previews and deletes those only, %s, and sees no deletion but their own', async (_how, DELETE_AT_ONCE) => {
    await using world = await createWorld({ settings: { DELETE_AT_ONCE } });
    const { ours, others, coach } = await setScene(world);
    const { deletion: foreign } = await deleteThem(world, { contactIds: [contactId(others[0]!)] });
    const preview = (input: sdk.ContactDeletionPreviewInput) =>
      coach.client.request(sdk.ContactDeletionPreviewDocument, { input }).then((data) => data.contactDeletionPreview);
    await expect(preview({ contactIds: [contactId(ours[0]!), contactId(others[1]!)] })).rejects.toMatchObject(notFound);
    const all = await preview({ filter: {} });
    expect(all).toMatchObject({ contactCount: 2, rows: expect.arrayContaining([{ kind: 'Contact', count: 2 }]) as unknown });
    const sums = await world.owner.query<{ sum: number }>('select sum(amount_minor)::int as sum from balance where contact_id = any($1)', [ours]);
    expect(all.balances).toEqual([{ currency: 'USD', amountMinor: sums.rows[0]!.sum }]);
    const { deleteContacts } = await coach.client.request(sdk.DeleteContactsDocument, {
      input: { filter: {}, confirmation: all.confirmation!, reason: 'Left' },
    });
    expect(deleteContacts).toMatchObject({ deletion: { contactCount: 2 }, userErrors: [] });
    await runJobs(world);
    expect(await liveIds(world)).toEqual(others.slice(1));
    expect(await seen(coach)).toEqual([]);
    const { deletions } = await coach.client.request(sdk.DeletionsDocument, {});
    expect(deletions.nodes.map(({ id, state }) => [id, state])).toEqual([[deleteContacts.deletion!.id, 'COMPLETED']]);
    await expect(coach.client.request(sdk.DeletionDocument, { id: foreign!.id })).rejects.toMatchObject(notFound);
    expect((await post(world, coach.token, `{ node(id: "${foreign!.id}") { id } }`)).errors).toMatchObject([notFound]);
    const admin = await world.as('Super admin');
    expect((await admin.request(sdk.DeletionsDocument, {})).deletions.nodes).toHaveLength(2);
  });

  it('deletes nothing of what was confirmed once one of them has left the scope', async () => {
    await using world = await createWorld();
    const { ours, coach } = await setScene(world);
    const { contactDeletionPreview } = await coach.client.request(sdk.ContactDeletionPreviewDocument, { input: { filter: {} } });
    await (await world.as('Staff')).request(sdk.UntagContactsDocument, { input: { contactIds: [contactId(ours[0]!)], tags: ['youth'] } });
    const input = { filter: {}, confirmation: contactDeletionPreview.confirmation!, reason: 'Left' };
    expect(codes((await coach.client.request(sdk.DeleteContactsDocument, { input })).deleteContacts)).toEqual(['CONFIRMATION_MISMATCH']);
    expect(await liveIds(world)).toHaveLength(6);
  });

  it('has no permission about the organization as a whole, whatever other roles hold', async () => {
    await using world = await createWorld();
    const { youth } = await setScene(world);
    const wide = staffPermissions.filter((permission) => !/^(contacts|payments):/.test(permission));
    const { client, token } = await hireWith(world, { permissions: scopedPermissions, tagScope: [youth] }, { permissions: wide });
    expect((await client.request(sdk.ViewerDocument)).viewer.permissions).toEqual([...scopedPermissions].sort());
    const log = await post(world, token, '{ actionLog { nodes { id } } }');
    expect(log.errors).toMatchObject([{ code: 'FORBIDDEN', message: expect.stringContaining('about the organization as a whole') as string }]);
    // By name, so that whoever adds a permission decides.
    expect(staffPermissions.filter((permission) => !scopedPermissions.includes(permission))).toEqual([
      'contacts:erase',
      'contacts:import',
      'recovery:read',
      'recovery:request',
      'snapshots:read',
      'snapshots:take',
      'jobs:read',
      'log:read',
      'integrations:manage',
    ] satisfies Permission[]);
    expect(Object.keys(policy['Query']!).length).toBeGreaterThan(30);
  });

  it('is told nothing of others on any way that the schema knows', async () => {
    await using full = await createFullWorld(mark);
    const { world, mine } = full;
    await markLater(world, world.organizationId());
    const youth = await tag(world, 'youth');
    const { rows } = await world.owner.query<{ id: string }>(
      'select contact_id as id from deletion_contact where organization_id = $1 union select id from contact where organization_id = $1',
      [world.organizationId()],
    );
    const others = rows.map(({ id }) => contactId(id));
    const { client, token } = await hireWith(
      world,
      { permissions: scopedPermissions, tagScope: [youth] },
      { permissions: ['recovery:read', 'snapshots:read', 'log:read', 'jobs:read'] },
    );
    await client.request(sdk.CreateContactDocument, { input: { firstName: 'Seen', tags: ['youth'] } });
    const asked = await questions(world, mine);
    const answered = new Set<string>();
    for (const form of forms)
      await eachOf(asked(form), async (query) => {
        const { text, errors, ...answer } = await post(world, token, query);
        const told = [...toldIn({ ...answer, errors, text }).filter((one) => !one.startsWith('rows of')), ...others.filter((id) => text.includes(id))];
        expect([query, told]).toEqual([query, []]);
        expect([query, errors.filter(({ code }) => !['FORBIDDEN', 'NOT_FOUND'].includes(code))]).toEqual([query, []]);
        if (text.includes('"Seen"')) answered.add(form);
      });
    expect([...answered].toSorted()).toEqual([...forms].toSorted());
  }, 300_000);
});

describe('a scope', () => {
  it('is the union of those of one’s roles, and none when a role about contacts or payments has none', async () => {
    await using world = await createWorld();
    const { youth, ours, others } = await setScene(world);
    const senior = await tag(world, 'senior', others[0]!, ours[0]!);
    const contacts = { permissions: ['contacts:read'] } as const;
    const see = async (...given: Parameters<typeof hireWith>[1][]) => seen(await hireWith(world, ...given));
    expect(await see({ ...contacts, tagScope: [youth] }, { ...contacts, tagScope: [senior] })).toEqual(idsOf([...ours, others[0]!]));
    expect(await see({ ...contacts, tagScope: [youth, senior] })).toEqual(idsOf([...ours, others[0]!]));
    expect(await see({ ...contacts, tagScope: [youth] }, { permissions: ['log:read', 'staff:read'] })).toEqual(idsOf(ours));
    expect(await see({ ...contacts, tagScope: [youth] }, { permissions: ['log:read'], tagScope: [senior] })).toEqual(idsOf(ours));
    expect(await see({ ...contacts, tagScope: [youth] }, { permissions: ['payments:read'] })).toEqual(idsOf([...ours, ...others]));
    expect(await see({ ...contacts, tagScope: [youth] }, contacts)).toEqual(idsOf([...ours, ...others]));
  });

  it('is not got past by taking from one’s role what it limits', async () => {
    await using world = await createWorld();
    const { youth } = await setScene(world);
    const permissions = ['roles:manage', 'staff:read'] as const;
    const schemer = await hireWith(
      world,
      { permissions: [...permissions, 'contacts:read'], tagScope: [youth], hiddenFields: ['NOTES'] },
      { permissions: ['log:read', 'deletions:read'] },
    );
    const input = { id: encodeId('Role', schemer.roleIds[0]!), permissions: [...permissions] };
    expect(codes((await schemer.client.request(sdk.UpdateRoleDocument, { input })).updateRole)).toEqual([]);
    const { viewer } = await schemer.client.request(sdk.ViewerDocument);
    expect(viewer).toMatchObject({ tagScope: ['youth'], hiddenFields: ['NOTES'], permissions: ['deletions:read', ...permissions] });
    const self = { staffMemberId: encodeId('StaffMember', schemer.id), roleIds: [encodeId('Role', schemer.roleIds[1]!)] };
    expect(codes((await schemer.client.request(sdk.AssignRolesDocument, { input: self })).assignRoles)).toEqual(['CANNOT_GRANT']);
  });

  it('is not widened by a tag that goes, nor by another of its name', async () => {
    await using world = await createWorld();
    const { youth, ours, coach } = await setScene(world);
    const both = await limited(world, youth, await tag(world, 'senior', ours[0]!));
    await world.owner.query('delete from contact_tag where tag_id = $1', [youth]);
    await world.owner.query('delete from tag where id = $1', [youth]);
    expect([await seen(coach), await seen(both)]).toEqual([[], idsOf([ours[0]!])]);
    const admin = await world.as('Super admin');
    const role = await admin.request(sdk.RoleDocument, { id: encodeId('Role', coach.roleIds[0]!) });
    expect(role.role.tagScope).toEqual([]);
    await admin.request(sdk.TagContactsDocument, { input: { contactIds: [contactId(ours[0]!)], tags: ['youth'] } });
    expect(await seen(coach)).toEqual([]);
    expect((await coach.client.request(sdk.ViewerDocument)).viewer.tagScope).toEqual([]);
    // The role can still be changed, and stays limited.
    expect(codes((await admin.request(sdk.UpdateRoleDocument, { input: { id: role.role.id, name: 'Renamed' } })).updateRole)).toEqual([]);
    expect(await seen(coach)).toEqual([]);
  });

  it('is part of a role: given, shown, changed and taken away, from the next request on', async () => {
    await using world = await createWorld();
    const { youth, ours, others } = await setScene(world);
    const admin = await world.as('Super admin');
    const viewer = await world.as('Viewer');
    const scopeTagIds = [encodeId('Tag', youth)];
    const create = async (permissions: string[], ids: string[] | null) =>
      (await admin.request(sdk.CreateRoleDocument, { input: { name: `Coach ${newId()}`, description: 'x', permissions, scopeTagIds: ids } })).createRole;
    expect(codes(await create(['contacts:read', 'recovery:read'], scopeTagIds))).toEqual(['NOT_FOR_SCOPE']);
    expect(codes(await create(['contacts:read'], []))).toEqual(['EMPTY_SCOPE']);
    expect(
      codes(
        await create(
          ['contacts:read'],
          Array.from({ length: 51 }, () => encodeId('Tag', newId())),
        ),
      ),
    ).toEqual(['TOO_MANY_VALUES']);
    await expect(create(['contacts:read'], [encodeId('Tag', newId())])).rejects.toMatchObject(notFound);
    const { role } = await create(['contacts:read', 'contacts:update'], scopeTagIds);
    expect(role!.tagScope).toEqual([{ id: scopeTagIds[0], name: 'youth' }]);
    const { rows } = await world.owner.query<{ id: string }>(`select id from staff_member where name = 'Viewer of Riverside Club'`);
    await admin.request(sdk.AssignRolesDocument, { input: { staffMemberId: encodeId('StaffMember', rows[0]!.id), roleIds: [role!.id] } });
    expect(await seen({ client: viewer })).toEqual(idsOf(ours));
    const update = async (input: Omit<sdk.UpdateRoleInput, 'id'>) =>
      (await admin.request(sdk.UpdateRoleDocument, { input: { id: role!.id, ...input } })).updateRole;
    expect((await update({ description: 'y' })).role!.tagScope).toHaveLength(1);
    expect(codes(await update({ permissions: ['contacts:read', 'log:read'] }))).toEqual(['NOT_FOR_SCOPE']);
    expect((await update({ scopeTagIds: null })).role!.tagScope).toBeNull();
    expect(await seen({ client: viewer })).toEqual(idsOf([...ours, ...others]));
    const copied = await admin.request(sdk.CopyRoleDocument, { input: { id: role!.id, name: 'Copy', scopeTagIds, hiddenFields: ['NOTES'] } });
    expect(copied.copyRole.role).toMatchObject({ tagScope: [{ name: 'youth' }], hiddenFields: [{ group: 'NOTES' }], permissions: [{}, {}] });
    // The built-in roles have none, and stay so.
    const roles = (await admin.request(sdk.RolesDocument)).roles.filter(({ builtIn }) => builtIn);
    expect(roles.map(({ tagScope, hiddenFields }) => [tagScope, hiddenFields])).toEqual(builtInRoles.map(() => [null, []]));
  });

  it('is never widened by whoever has it: not for others, not for themselves, not through a key', async () => {
    await using world = await createWorld();
    const { youth, ours, others, coach } = await setScene(world);
    const senior = await tag(world, 'senior', others[0]!);
    const { client } = coach;
    const create = async (scopeTagIds?: string[] | null) =>
      (
        await client.request(sdk.CreateRoleDocument, {
          input: { name: `Role ${newId()}`, description: 'x', permissions: ['contacts:read'], ...(scopeTagIds === undefined ? {} : { scopeTagIds }) },
        })
      ).createRole;
    const [own, other] = [encodeId('Tag', youth), encodeId('Tag', senior)];
    expect(codes(await create(null))).toEqual(['CANNOT_GRANT']);
    expect(codes(await create([own, other]))).toEqual(['CANNOT_GRANT']);
    expect((await create()).role!.tagScope).toMatchObject([{ name: 'youth' }]);
    const { role } = await create([own]);
    const roles = new Map((await client.request(sdk.RolesDocument)).roles.map((one) => [one.name, one.id]));
    for (const scopeTagIds of [null, [other]])
      expect(codes((await client.request(sdk.UpdateRoleDocument, { input: { id: role!.id, scopeTagIds } })).updateRole)).toEqual(['CANNOT_GRANT']);
    expect(codes((await client.request(sdk.CopyRoleDocument, { input: { id: roles.get('Viewer')!, name: 'Copy' } })).copyRole)).toEqual(['CANNOT_GRANT']);
    const input = { staffMemberId: encodeId('StaffMember', coach.id), roleIds: [roles.get('Viewer')!] };
    expect(codes((await client.request(sdk.AssignRolesDocument, { input })).assignRoles)).toEqual(['CANNOT_GRANT']);
    const key = async (more: object) =>
      (await client.request(sdk.CreateApiKeyDocument, { input: { name: 'Key', permissions: ['contacts:read'], ...more } })).createApiKey;
    expect(codes(await key({ scopeTagIds: null }))).toEqual(['CANNOT_GRANT']);
    expect(codes(await key({ scopeTagIds: [other] }))).toEqual(['CANNOT_GRANT']);
    const made = await key({});
    expect(made.apiKey!.tagScope).toMatchObject([{ name: 'youth' }]);
    expect(await seen({ client: world.client(made.key!) })).toEqual(idsOf(ours));
  });

  it('takes effect on an open subscription with its next event', async () => {
    await using world = await createWorld({ settings: { DELETE_AT_ONCE: '1' } });
    const { youth, others } = await setScene(world);
    const member = await hireWith(world, { permissions: [...scopedPermissions, 'jobs:read'] });
    const { deletion } = await deleteThem(world, { contactIds: others.map(contactId) });
    const events = member.client.subscribe(sdk.JobProgressDocument, { id: deletion!.job!.id });
    expect((await events.next()).value).toMatchObject({ jobProgress: { state: 'QUEUED' } });
    await world.owner.query('update role set tag_scope = array[$1::uuid] where id = $2', [youth, member.roleIds[0]]);
    const refused = events.next().catch(({ code }: { code: string }) => code);
    await runJobs(world);
    expect(await refused).toBe('FORBIDDEN');
  });
});
