// Reading the action log: what was done to one contact, whatever became of it, and the log as it grows.
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { print } from 'graphql';
import * as sdk from '../sdk/generated.ts';
import { startWorker } from '../src/jobs/worker.ts';
import { sealEntries } from '../src/log/sealing.ts';
import { encodeId } from '../src/schema/common.ts';
import { encodeCursor } from '../src/schema/pages.ts';
import { post } from './asking.ts';
import { hire } from './custom-roles.ts';
import { deadlinesAgo, eraseThem, meetDeadlines } from './erasing.ts';
import { contactId, deleteThem, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { OrganizationName } from './people.ts';
import { until } from './processes.ts';

/** What was done to a contact, as the API tells it, the oldest first. */
async function timeline(world: World, id: string): Promise<sdk.ActionPartsFragment[]> {
  const { actionLog } = await (await world.as('Super admin')).request(sdk.ActionLogDocument, { filter: { targetId: contactId(id) }, first: 100 });
  return actionLog.nodes.toReversed();
}

const actionsOf = async (world: World, id: string) => (await timeline(world, id)).map(({ action }) => action);

describe('what was done to a contact', () => {
  it(
    'is told after it was deleted with 10,000 others, recovered, and erased: who, and exactly when, and nothing of the person',
    { timeout: 120_000 },
    async () => {
      await using world = await createWorld();
      const admin = await world.as('Super admin');
      const { createContact, createContact: created } = await admin.request(sdk.CreateContactDocument, {
        input: { firstName: 'Zerlina', lastName: 'Quux', email: 'zerlina.quux@person.example' },
      });
      await admin.request(sdk.UpdateContactDocument, { input: { id: createContact.contact!.id, version: 1, city: 'Xanadu' } });
      await fill(world, 9999);
      const { rows } = await world.owner.query<{ id: string }>(`select id from contact where first_name = 'Zerlina'`);
      const id = rows[0]!.id;
      expect(contactId(id)).toBe(created.contact!.id);
      const { deletion } = await deleteThem(world, { filter: {} }, 'Riverside Club', 'Zerlina Quux asked for it');
      await runJobs(world);
      const { rows: exact } = await world.owner.query<{ at: Date }>(
        `select a.occurred_at as at from action_log a join deletion_contact d on d.deletion_id = a.deletion_id and d.chunk_number = a.chunk_number where d.contact_id = $1`,
        [id],
      );
      const { recoveryRequest } = await orderRecovery(world, deletion!.id);
      await pay(world, recoveryRequest!.invoice.id);
      await runJobs(world);
      const { erasure } = await eraseThem(world, [id], 'Riverside Club', 'Zerlina insists');
      await runJobs(world);
      const told = await timeline(world, id);
      expect(told.map(({ action, targetId, targetCount }) => [action, targetId, targetCount])).toEqual([
        ['contact.created', contactId(id), 1],
        ['contact.updated', contactId(id), 1],
        ['contacts.deleted', deletion!.id, 1000],
        ['contacts.recovered', recoveryRequest!.id, 1000],
        ['contacts.erased', erasure!.id, 1],
        ['erasure.completed', erasure!.id, 1],
      ]);
      expect(told[2]).toMatchObject({ actorName: 'Super admin of Riverside Club', actorKind: 'STAFF', occurredAt: exact[0]!.at.toISOString(), reason: null });
      expect(exact).toHaveLength(1);
      const { text } = await post(world, await world.token('Super admin'), sdk.ActionLogDocument, { filter: { targetId: contactId(id) }, first: 100 });
      expect(text).not.toMatch(/zerlina|quux|xanadu/i);
      const other = (await liveIds(world)).at(-1)!;
      expect(await actionsOf(world, other)).toEqual(['contacts.deleted', 'contacts.recovered']);
    },
  );

  it('is told after its deletion has become final, by whoever may read the log and by nobody else', async () => {
    await using world = await createWorld({ settings: { DELETE_AT_ONCE: '1' } });
    await fill(world, 3);
    const [one, two] = await liveIds(world);
    await deleteThem(world, { contactIds: [contactId(one!), contactId(two!)] });
    await runJobs(world);
    await deadlinesAgo(world, '1 minute');
    await meetDeadlines(world);
    const told = await timeline(world, one!);
    expect(told.map(({ action, actorKind, reason }) => [action, actorKind, reason])).toEqual([
      ['contacts.deleted', 'STAFF', null],
      ['deletion.erasing', 'SYSTEM', null],
      ['deletion.erased', 'SYSTEM', null],
    ]);
    expect(await actionsOf(world, (await liveIds(world))[0]!)).toEqual([]);
    const ask = (role: 'Staff' | 'Super admin', organization: OrganizationName) =>
      world.as(role, organization).then((client) => client.request(sdk.ActionLogDocument, { filter: { targetId: contactId(one!) } }));
    await expect(ask('Staff', 'Riverside Club')).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect((await ask('Super admin', 'Hilltop Society')).actionLog.nodes).toEqual([]);
  });

  it('leaves out the purge of a deletion that it was brought back from', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const [one] = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    await deadlinesAgo(world, '2 hours');
    await meetDeadlines(world);
    expect(await actionsOf(world, one!)).toEqual(['contacts.deleted', 'contacts.recovered']);
  });
});

type Added = sdk.ActionLogAddedSubscription['actionLogAdded'];

/** Follows the log as Super admin, for as long as the world stands. */
async function following(world: World, variables: sdk.ActionLogAddedSubscriptionVariables = {}, organization: OrganizationName = 'Riverside Club') {
  const events = (await world.as('Super admin', organization)).subscribe(sdk.ActionLogAddedDocument, variables);
  const next = async (): Promise<Added> => (await events.next()).value!.actionLogAdded;
  return { events, next };
}

/** The ids of an organization's entries, in the order of the log. */
async function sealedIds(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ id: string }>('select unnest(action_ids) as id from action_seal where organization_id = $1 order by number', [
    world.organizationId(),
  ]);
  return rows.map(({ id }) => encodeId('ActionLogEntry', id));
}

const seal = (world: World, organization: OrganizationName = 'Riverside Club') => sealEntries(world.app, world.organizationId(organization));
const create = async (world: World, firstName: string, organization: OrganizationName = 'Riverside Club') =>
  (await world.as('Super admin', organization)).request(sdk.CreateContactDocument, { input: { firstName } });

describe('actionLogAdded', () => {
  it('gives every entry once and in the order of the log, over lost connections too, while others write and seal', async () => {
    await using world = await createWorld();
    await world.as('Super admin');
    const worker = await startWorker(world.app);
    const writing = new AbortController();
    const sealer = (async () => {
      while (!writing.signal.aborted) await seal(world);
    })();
    const first = await following(world);
    let { cursor, entries } = await first.next();
    await first.events.return();
    const seen = entries.map(({ id }) => id);
    const written = Promise.all(Array.from({ length: 150 }, (_, index) => create(world, `Contact ${index}`)));
    while (seen.length < 150) {
      // A connection that ends after each second event.
      const again = await following(world, { after: cursor });
      for (let event = 0; event < 2 && seen.length < 150; event++) {
        ({ cursor, entries } = await again.next());
        seen.push(...entries.map(({ id }) => id));
      }
      await again.events.return();
    }
    await written;
    writing.abort();
    await sealer;
    await worker.stop();
    const all = await sealedIds(world);
    expect(seen).toEqual(all.slice(all.indexOf(seen[0]!)));
    expect(new Set(seen).size).toBe(150);
  });

  it('begins with a cursor and no entries, tells of what comes within seconds, and only of what fits', async () => {
    await using world = await createWorld();
    await create(world, 'Before');
    await seal(world);
    const all = await following(world);
    const created = await following(world, { filter: { action: 'contact.created' } });
    expect(await all.next()).toEqual({ entries: [], cursor: expect.any(String) as string });
    expect((await created.next()).entries).toEqual([]);
    const worker = await startWorker(world.app);
    await world.as('Staff');
    const { createContact } = await create(world, 'After');
    await until('both entries', 20, async () => (await world.owner.query('select 1 from action_unsealed')).rows.length === 0);
    expect((await created.next()).entries).toMatchObject([{ action: 'contact.created', targetId: createContact.contact!.id, outcome: 'DONE' }]);
    const seen: string[] = [];
    while (seen.length < 2) seen.push(...(await all.next()).entries.map(({ action }) => action));
    expect(seen.toSorted()).toEqual(['contact.created', 'staff.signed_in']);
    await worker.stop();
  });

  it('gives nothing of another organization, whatever cursor comes', async () => {
    await using world = await createWorld();
    const theirs = await following(world, {}, 'Hilltop Society');
    const mine = await following(world);
    const [{ cursor }] = [await theirs.next(), await mine.next()];
    await create(world, 'Mine');
    await create(world, 'Theirs', 'Hilltop Society');
    await seal(world);
    await seal(world, 'Hilltop Society');
    expect((await theirs.next()).entries.map(({ actorName }) => actorName)).toEqual(['Super admin of Hilltop Society', 'Super admin of Hilltop Society']);
    await expect((await following(world, { after: cursor })).next()).rejects.toMatchObject({ code: 'BAD_CURSOR' });
  });

  it('takes no cursor that it did not give, or that points behind the end of the log', async () => {
    await using world = await createWorld();
    const organizationId = world.organizationId();
    await create(world, 'One');
    await seal(world);
    const { cursor } = await (await following(world)).next();
    for (const after of [
      '',
      'garbage',
      cursor.slice(0, -4),
      encodeCursor(['actions', '2', '0', organizationId]),
      encodeCursor(['log', '0', '0', organizationId]),
      encodeCursor(['log', '-1', '0', organizationId]),
      encodeCursor(['log', '1e3', '0', organizationId]),
      encodeCursor(['log', '9999999999', '0', organizationId]),
      encodeCursor(['log', '2', `0' or '1' = '1`, organizationId]),
      encodeCursor(['log', '2', '0']),
      encodeCursor(['log', '3', '0', organizationId]),
    ])
      await expect((await following(world, { after })).next()).rejects.toMatchObject({ code: 'BAD_CURSOR' });
    expect((await (await following(world, { after: encodeCursor(['log', '1', '0', organizationId]) })).next()).entries).toHaveLength(2);
  });

  it('says so when entries that would have come were pruned', async () => {
    await using world = await createWorld();
    const { cursor } = await (await following(world)).next();
    for (const name of ['One', 'Two', 'Three']) {
      await create(world, name);
      await seal(world);
    }
    // As pruning leaves it.
    await world.owner.query(`begin; set local app.pruning = 'on'; delete from action_seal where number <= 2; commit`);
    await expect((await following(world, { after: cursor })).next()).rejects.toMatchObject({ code: 'LOG_PRUNED' });
    expect((await (await following(world, { after: encodeCursor(['log', '3', '0', world.organizationId()]) })).next()).entries).toHaveLength(1);
  });

  it('ends with the first event after its reader has lost the permission', async () => {
    await using world = await createWorld();
    const { client, name } = await hire(world, 'log:read');
    const events = client.subscribe(sdk.ActionLogAddedDocument, {});
    expect((await events.next()).value!.actionLogAdded.entries).toEqual([]);
    await world.owner.query(
      `update role set permissions = '{}' where id = (select role_id from staff_member_role l join staff_member s on s.id = l.staff_member_id where s.name = $1)`,
      [name],
    );
    const next = events.next();
    await create(world, 'Secret');
    await seal(world);
    await expect(next).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('keeps nothing for a reader that does not read, who then gets everything', { timeout: 60_000 }, async () => {
    await using world = await createWorld();
    const many = 20_000;
    const token = await world.token('Super admin');
    const socket = new WebSocket(world.url.replace(/^http/, 'ws'), 'graphql-transport-ws');
    await once(socket, 'open');
    const told: { type: string; payload?: { data: { actionLogAdded: Added } } }[] = [];
    socket.on('message', (data: Buffer) => told.push(JSON.parse(data.toString()) as (typeof told)[number]));
    socket.send(JSON.stringify({ type: 'connection_init', payload: { accessToken: token } }));
    await until('the greeting', 10, () => told.length > 0);
    socket.send(JSON.stringify({ type: 'subscribe', id: '1', payload: { query: print(sdk.ActionLogAddedDocument) } }));
    await until('the first event', 10, () => told.length > 1);
    socket.pause();
    await world.owner.query(
      `insert into action_log (organization_id, id, actor_kind, actor_name, action, outcome, request_id, agent)
       select $1, ('01890000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'STAFF', 'Ada', 'contact.seen', 'DONE', 'x', repeat('agent ', 300) from generate_series(1, $2) n`,
      [world.organizationId(), many],
    );
    const trace: string[] = (world.app.database.trace = []);
    await seal(world);
    const reads = () => trace.filter((text) => text.includes('cardinality(action_ids)')).length;
    let [before, still] = [0, 0];
    await until('the server to wait for its reader', 30, () => {
      still = reads() > 0 && reads() === before ? still + 1 : 0;
      before = reads();
      return still === 20;
    });
    expect(reads()).toBeLessThan(many / 50 / 2);
    socket.resume();
    const ids = () => told.flatMap(({ payload }) => payload?.data?.actionLogAdded?.entries.map(({ id }) => id) ?? []);
    await until('all entries', 30, () => ids().length >= many + 1);
    world.app.database.trace = undefined;
    expect(ids()).toEqual(await sealedIds(world));
    socket.close();
    await once(socket, 'close');
  });
});
