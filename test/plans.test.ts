// Planning a recovery: exact before anything is paid, of whatever is selected, and held to by the order.
import { describe, expect, it } from 'vitest';
import { ActionLogDocument, RecoveryPlanDocument, type RecoveryPlanInput, RecoveryRequestDocument, RequestRecoveryDocument } from '../sdk/generated.ts';
import { encodeId } from '../src/schema/common.ts';
import { SnapshotStore } from '../src/snapshots/store.ts';
import { post } from './asking.ts';
import { contactId, deleteThem, everything, fill, liveIds, order, orderRecovery, pay, runJobs, takeSnapshot, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const planOf = async (world: World, input: RecoveryPlanInput) => (await (await world.as('Super admin')).request(RecoveryPlanDocument, { input })).recoveryPlan;
const request = async (world: World, input: RecoveryPlanInput, planHash: string, idempotencyKey: string) =>
  (await (await world.as('Super admin')).request(RequestRecoveryDocument, { input: { ...input, planHash, idempotencyKey } })).requestRecovery;

async function carryOut(world: World, input: RecoveryPlanInput, key: string) {
  const admin = await world.as('Super admin');
  const { recoveryRequest, userErrors } = await order(admin, input, key);
  expect(userErrors).toEqual([]);
  await pay(world, recoveryRequest!.invoice.id);
  await runJobs(world);
  return (await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id })).recoveryRequest;
}

describe('the hash of a plan', () => {
  it('is the same as long as nothing changes, and orders', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { deletion } = await deleteThem(world, { filter: {} });
    const [first, second] = [await planOf(world, whole(deletion!.id)), await planOf(world, whole(deletion!.id))];
    expect(first.hash).toBe(second.hash);
    expect((await request(world, whole(deletion!.id), first.hash, 'same-hash')).recoveryRequest).toMatchObject({ state: 'AWAITING_PAYMENT' });
  });

  it('of a plan that has drifted is refused with the difference, and the new plan comes along', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { rows } = await world.owner.query<{ email: string }>('select email_normalized as email from contact where email is not null limit 1');
    const { deletion } = await deleteThem(world, { filter: {} });
    const { hash } = await planOf(world, whole(deletion!.id));
    await world.owner.query(
      `insert into contact (organization_id, id, email, email_normalized, sort_name, search_text) values ($1, gen_random_uuid(), $2, $2, 'x', 'x')`,
      [world.organizationId(), rows[0]!.email],
    );
    await world.owner.query('delete from tag');
    const refused = await request(world, whole(deletion!.id), hash, 'drifted-plan');
    expect(refused.recoveryRequest).toBeNull();
    expect(refused.userErrors).toEqual([
      { code: 'PLAN_DRIFTED', path: ['input', 'planHash'], message: expect.stringContaining('conflicts 0, now 1; records to recreate 0, now 1') as string },
    ]);
    expect(refused.plan).toMatchObject({ conflictCount: 1, recreated: [{ kind: 'Tag', name: 'newsletter' }] });
    expect((await world.owner.query('select 1 from recovery_request')).rows).toEqual([]);
    expect((await request(world, whole(deletion!.id), refused.plan!.hash, 'drifted-plan')).recoveryRequest).toMatchObject({ state: 'AWAITING_PAYMENT' });
  });

  it('changes when the live contact of a conflict is edited, and when another policy is chosen', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const [one] = (await liveIds(world)) as [string];
    const { deletion } = await deleteThem(world, { filter: {} });
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'x', 'x')`, [world.organizationId(), one]);
    const { hash } = await planOf(world, whole(deletion!.id));
    await world.owner.query('update contact set version = version + 1');
    expect((await request(world, whole(deletion!.id), hash, 'edited-since')).userErrors[0]).toMatchObject({
      code: 'PLAN_DRIFTED',
      message: expect.stringContaining('the counts are the same') as string,
    });
    const again = await planOf(world, whole(deletion!.id));
    expect((await request(world, { ...whole(deletion!.id), conflictPolicy: 'REPLACE' }, again.hash, 'other-policy')).userErrors[0]!.code).toBe('PLAN_DRIFTED');
  });

  it('that is none is refused', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletion } = await deleteThem(world, { filter: {} });
    for (const hash of ['', 'none', Buffer.from('[1,2]').toString('base64url'), Buffer.from('{"length":6}').toString('base64url'), 'x'.repeat(100_000)])
      expect((await request(world, whole(deletion!.id), hash, 'not-a-hash')).userErrors.map(({ code }) => code)).toEqual(['BAD_PLAN_HASH']);
  });
});

describe('the plan', () => {
  it('tells whose names stay though their accounts are gone', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const { rows } = await world.owner.query<{ id: string }>(
      `insert into staff_member (organization_id, id, name, email) values ($1, gen_random_uuid(), 'Ada Leaver', 'ada@riverside.example') returning id`,
      [world.organizationId()],
    );
    await world.owner.query(`update note set author_id = $1, author_name = 'Ada Leaver'`, [rows[0]!.id]);
    const { deletion } = await deleteThem(world, { filter: {} });
    expect((await planOf(world, whole(deletion!.id))).namesKept).toEqual([]);
    await world.owner.query('delete from staff_member where id = $1', [rows[0]!.id]);
    expect((await planOf(world, whole(deletion!.id))).namesKept).toEqual(['Ada Leaver']);
  });
});

describe('a selection', () => {
  it('of chosen contacts recovers them and leaves the rest, which can be ordered later', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '10', DELETE_AT_ONCE: '10' } });
    await fill(world, 40);
    const [before, all] = [await everything(world), await liveIds(world)];
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const chosen = [all[3]!, all[17]!, all[18]!];
    const selection = { deletionId: deletion!.id, contactIds: chosen.map(contactId) };
    expect(await planOf(world, { selection })).toMatchObject({ contactCount: 3, rows: expect.arrayContaining([{ kind: 'Note', count: 9 }]) as unknown });
    const done = await carryOut(world, { selection }, 'chosen-ones');
    expect(done).toMatchObject({ state: 'COMPLETED', contactCount: 3, restoredCount: 3, provenCount: 3 });
    expect(await liveIds(world)).toEqual(chosen);
    const admin = await world.as('Super admin');
    const { data } = await post(
      world,
      await world.token('Super admin'),
      '{ actionLog(filter: { action: "contacts.recovered" }) { nodes { contacts { nodes { id } } } } }',
    );
    const { nodes } = data!['actionLog'] as { nodes: { contacts: { nodes: { id: string }[] } }[] };
    const named = nodes.flatMap(({ contacts }) => contacts.nodes.map(({ id }) => id));
    expect(named.toSorted()).toEqual(chosen.map(contactId).toSorted());
    const { actionLog: ofOther } = await admin.request(ActionLogDocument, { filter: { targetId: contactId(all[4]!) } });
    expect(ofOther.nodes.map(({ action }) => action)).toEqual(['contacts.deleted']);
    expect((await order(admin, { selection }, 'chosen-again')).userErrors[0]!.code).toBe('ALREADY_REQUESTED');
    expect((await orderRecovery(world, deletion!.id)).userErrors[0]!.code).toBe('ALREADY_REQUESTED');
    const rest = { deletionId: deletion!.id, contactIds: all.filter((id) => !chosen.includes(id)).map(contactId) };
    expect(await carryOut(world, { selection: rest }, 'all-the-rest')).toMatchObject({ state: 'COMPLETED', restoredCount: 37 });
    expect(await everything(world)).toEqual(before);
  });

  it('of contacts that were skipped can be ordered again with another policy', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [before, all] = [await everything(world), await liveIds(world)];
    const { deletion } = await deleteThem(world, { filter: {} });
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'x', 'x')`, [world.organizationId(), all[0]]);
    expect(await carryOut(world, whole(deletion!.id), 'first-round')).toMatchObject({ skippedCount: 1, restoredCount: 2 });
    const selection = { deletionId: deletion!.id, contactIds: [contactId(all[0]!)] };
    expect(await carryOut(world, { selection, conflictPolicy: 'REPLACE' }, 'second-round')).toMatchObject({ replacedCount: 1 });
    expect(await everything(world)).toEqual(before);
  });

  it('of all that one person deleted, or that was deleted in a span of time, takes what is still gone', async () => {
    await using world = await createWorld();
    await fill(world, 12);
    const [before, all] = [await everything(world), await liveIds(world)];
    const admin = await world.as('Super admin');
    const first = await deleteThem(world, { contactIds: all.slice(0, 3).map(contactId) });
    const second = await deleteThem(world, { contactIds: all.slice(3, 7).map(contactId) });
    await world.owner.query(`update deletion set deleted_at = deleted_at - interval '1 day' where id = (select id from deletion order by id limit 1)`);
    await carryOut(world, { selection: { deletionId: first.deletion!.id, contactIds: [contactId(all[0]!)] } }, 'back-already');
    const { rows: staff } = await world.owner.query<{ id: string }>(`select requested_by_id as id from deletion limit 1`);
    const byPerson = { selection: { deletedById: encodeId('StaffMember', staff[0]!.id) } };
    expect(await planOf(world, byPerson)).toMatchObject({ contactCount: 6 });
    const today = { selection: { deletedFrom: second.deletion!.requestedAt } };
    expect(await planOf(world, today)).toMatchObject({ contactCount: 4 });
    const yesterday = { selection: { deletedBefore: second.deletion!.requestedAt } };
    expect(await planOf(world, yesterday)).toMatchObject({ contactCount: 2 });
    expect(await carryOut(world, byPerson, 'by-one-person')).toMatchObject({ state: 'COMPLETED', restoredCount: 6, provenCount: 6 });
    expect(await everything(world)).toEqual(before);
    await expect(admin.request(RecoveryPlanDocument, { input: byPerson })).rejects.toMatchObject({ code: 'NOTHING_SELECTED' });
  });

  it('of a contact that was deleted twice takes it as it was deleted last', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const [one] = (await liveIds(world)) as [string];
    const { deletion } = await deleteThem(world, { contactIds: [contactId(one)] });
    await carryOut(world, whole(deletion!.id), 'first-time');
    await world.owner.query(`update contact set city = 'Deleted from here' where id = $1`, [one]);
    await deleteThem(world, { contactIds: [contactId(one)] });
    await carryOut(world, { selection: { deletedFrom: deletion!.requestedAt } }, 'second-time');
    expect((await world.owner.query('select city from contact where id = $1', [one])).rows).toEqual([{ city: 'Deleted from here' }]);
  });

  it('must name one thing, and what it names must be there', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [one, two] = (await liveIds(world)) as [string, string];
    const { deletion } = await deleteThem(world, { contactIds: [contactId(one)] });
    const admin = await world.as('Super admin');
    const codeOf = (selection: RecoveryPlanInput['selection']) =>
      admin.request(RecoveryPlanDocument, { input: { selection } }).then(
        () => 'NONE',
        (error: { code: string }) => error.code,
      );
    expect(await codeOf({})).toBe('BAD_SELECTION');
    expect(await codeOf({ deletionId: deletion!.id, deletedFrom: '2026-01-01T00:00:00Z' })).toBe('BAD_SELECTION');
    expect(await codeOf({ deletionId: deletion!.id, contactIds: [] })).toBe('BAD_SELECTION');
    expect(await codeOf({ deletionId: deletion!.id, contactIds: [contactId(two)] })).toBe('NOT_FOUND');
    expect(await codeOf({ deletedBefore: '2001-01-01T00:00:00Z' })).toBe('NOTHING_SELECTED');
  });

  it('of contacts out of an organization snapshot opens only the chunks that hold them', async () => {
    await using world = await createWorld();
    await fill(world, 300);
    const [before, all] = [await everything(world), await liveIds(world)];
    const snapshotId = await takeSnapshot(world);
    const chosen = [all[7]!, all[150]!, all[290]!];
    await deleteThem(world, { contactIds: chosen.map(contactId) });
    const { store } = world.app;
    const opened = new Set<string>();
    const watched = Object.assign(new SnapshotStore('POSTGRES', [], 1), {
      get: (...[tx, id, number]: Parameters<typeof store.get>) => (opened.add(`${id}/${number}`), store.get(tx, id, number)),
    });
    Object.assign(world.app, { store: watched });
    const selection = { snapshotId, contactIds: chosen.map(contactId) };
    expect(await planOf(world, { selection })).toMatchObject({ contactCount: 3, conflictCount: 0 });
    expect(opened.size).toBeLessThanOrEqual(3);
    expect(await carryOut(world, { selection }, 'from-a-snapshot')).toMatchObject({ state: 'COMPLETED', restoredCount: 3, provenCount: 3, deletion: null });
    expect(await everything(world)).toEqual(before);
    const { rows } = await world.owner.query(`select target_id as id from action_log where action = 'contact.recovered' order by target_id`);
    expect(rows).toEqual(chosen.toSorted().map((id) => ({ id })));
    // What was changed since can be put back to how it was.
    await world.owner.query(`update contact set city = 'Changed' where id = $1`, [all[9]]);
    const wanted = { selection: { snapshotId, contactIds: [contactId(all[9]!)] }, conflictPolicy: 'REPLACE' as const };
    expect(await carryOut(world, wanted, 'back-as-it-was')).toMatchObject({ state: 'COMPLETED', replacedCount: 1 });
    expect(await everything(world)).toEqual(before);
  });
});
