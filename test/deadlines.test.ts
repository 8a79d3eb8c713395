// The 30 days and their end: warnings before, the purge after, and recoveries that meet it, all by the database clock.
import { describe, expect, it, vi } from 'vitest';
import { ActionLogDocument, DeletionDocument, ErasureDocument, RecoveryRequestDocument } from '../sdk/generated.ts';
import type { Actor } from '../src/domain/app.ts';
import { meetDeadlines as meetDeadlinesOf, purgeDeletion } from '../src/domain/deadlines.ts';
import { startRecovery } from '../src/domain/recovery-states.ts';
import { decodeId } from '../src/schema/common.ts';
import { sql } from '../src/sql.ts';
import { readChunk } from '../src/snapshots/restore.ts';
import { deadlinesAgo, meetDeadlines, places } from './erasing.ts';
import { contactId, deleteThem, everything, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const system: Actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: 'test', address: null, agent: null };

const deletionOf = async (world: World, id: string) => (await (await world.as('Super admin')).request(DeletionDocument, { id })).deletion;
const recoveryOf = async (world: World, id: string) => (await (await world.as('Super admin')).request(RecoveryRequestDocument, { id })).recoveryRequest;

/** Deletes all contacts, orders their recovery and pays it. */
async function paid(world: World): Promise<{ deletionId: string; requestId: string }> {
  const { deletion } = await deleteThem(world, { filter: {} });
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  await pay(world, recoveryRequest!.invoice.id);
  return { deletionId: deletion!.id, requestId: recoveryRequest!.id };
}

describe('a deletion whose time has run out', () => {
  it('is purged: key, chunks and reason are gone, whoever is nowhere else is in the ledger, and it is certified and logged', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '2', DELETE_AT_ONCE: '1' } });
    await fill(world, 5);
    const all = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    await meetDeadlines(world);
    expect(await deletionOf(world, deletion!.id)).toMatchObject({ state: 'COMPLETED', isRecoverable: true, erasure: null });
    await deadlinesAgo(world, '1 second');
    await meetDeadlines(world);
    const purged = await deletionOf(world, deletion!.id);
    expect(purged).toMatchObject({ state: 'ERASED', reason: null, isRecoverable: false, rows: [], balances: [] });
    expect(purged.erasedAt).not.toBe(null);
    expect(purged.erasure).toMatchObject({
      kind: 'PURGE',
      state: 'COMPLETED',
      legalGround: 'RETENTION_ENDED',
      requestedByKind: 'SYSTEM',
      deletionId: deletion!.id,
      subjectCount: 5,
      stores: [{ store: 'POSTGRES', removed: 3, rewritten: 0 }],
      certificate: { isValid: true },
    });
    expect(purged.erasure!.rows).toEqual(
      expect.arrayContaining([
        { kind: 'Contact', count: 5 },
        { kind: 'Note', count: 15 },
      ]),
    );
    const { rows: left } = await world.owner.query(`
      select (select count(*)::int from snapshot where wrapped_key is not null) as keys, (select count(*)::int from snapshot_chunk) as chunks,
        (select count(*)::int from snapshot_chunk_body) as bodies, (select count(*)::int from erasure_ledger) as ledger`);
    expect(left).toEqual([{ keys: 0, chunks: 0, bodies: 0, ledger: 5 }]);
    expect(await places(world, all)).toEqual(Object.fromEntries(all.map((id) => [id, ['erased']])));
    const admin = await world.as('Super admin');
    const { erasure } = await admin.request(ErasureDocument, { id: purged.erasure!.id });
    expect(erasure.subjects.nodes.map(({ id }) => id)).toEqual(all.map(contactId));
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { targetId: deletion!.id }, first: 3 });
    expect(actionLog.nodes.map(({ action, actorKind }) => [action, actorKind])).toEqual([
      ['deletion.erased', 'SYSTEM'],
      ['deletion.erasing', 'SYSTEM'],
      ['contacts.deleted', 'STAFF'],
    ]);
    await meetDeadlines(world);
    expect((await world.owner.query('select 1 from erasure')).rows).toHaveLength(1);
  });

  it('erases nobody who is live again or in a later deletion that can be recovered', async () => {
    await using world = await createWorld();
    await fill(world, 4);
    const [gone, back, again, clashed] = (await liveIds(world)) as [string, string, string, string];
    const { deletion } = await deleteThem(world, { contactIds: [gone, back, again, clashed].map(contactId) });
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) select $1, id, 'x', 'x' from unnest($2::uuid[]) id`, [
      world.organizationId(),
      [back, again],
    ]);
    await deadlinesAgo(world, '1 second');
    const later = await deleteThem(world, { contactIds: [contactId(again)] });
    await meetDeadlines(world);
    const purged = await deletionOf(world, deletion!.id);
    expect(purged.erasure).toMatchObject({ subjectCount: 2 });
    expect(await deletionOf(world, later.deletion!.id)).toMatchObject({ state: 'COMPLETED', isRecoverable: true });
    expect(await places(world, [gone, back, again, clashed])).toEqual({ [gone]: ['erased'], [back]: ['live'], [again]: ['snapshot'], [clashed]: ['erased'] });
  });

  it('takes its contacts out of snapshots of the organization too, and leaves the others in them', async () => {
    await using world = await createWorld();
    await fill(world, 6);
    const all = await liveIds(world);
    const organizationId = world.organizationId();
    // A snapshot of the organization holds whoever was there: here made of a deletion of all, who are live again.
    const whole = await deleteThem(world, { filter: {} });
    const { recoveryRequest } = await orderRecovery(world, whole.deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    const { rows: snapshots } = await world.owner.query<{ id: string }>(`update snapshot set kind = 'MANUAL' returning id`);
    await world.owner.query(`update deletion set snapshot_id = gen_random_uuid()`);
    const [first, second] = all as [string, string];
    const { deletion } = await deleteThem(world, { contactIds: [contactId(first), contactId(second)] });
    await deadlinesAgo(world, '1 second');
    await meetDeadlines(world);
    expect((await deletionOf(world, deletion!.id)).erasure).toMatchObject({
      state: 'COMPLETED',
      subjectCount: 2,
      stores: [{ store: 'POSTGRES', removed: 1, rewritten: 2 }],
    });
    const chunk = await world.app.database.transact(organizationId, (tx) =>
      readChunk(tx, world.app, { organizationId, snapshotId: snapshots[0]!.id, number: 1 }),
    );
    expect([...chunk.digests.keys()]).toEqual(all.slice(2));
  });

  it('is not held back by an unpaid request, which expires, or by a paid one that has not begun, which is refunded', async () => {
    await using world = await createWorld({ settings: { RECOVERY_APPROVAL: 'true' } });
    await fill(world, 2);
    const [one, two] = (await liveIds(world)).map(contactId);
    const [unpaid, approving] = [await deleteThem(world, { contactIds: [one!] }), await deleteThem(world, { contactIds: [two!] })];
    const { recoveryRequest: first } = await orderRecovery(world, unpaid.deletion!.id);
    const { recoveryRequest: second } = await orderRecovery(world, approving.deletion!.id);
    await pay(world, second!.invoice.id);
    await deadlinesAgo(world, '1 second');
    await meetDeadlines(world);
    expect(await recoveryOf(world, first!.id)).toMatchObject({ state: 'EXPIRED', invoice: { state: 'VOID' } });
    expect(await recoveryOf(world, second!.id)).toMatchObject({
      state: 'FAILED',
      failure: { code: 'RECOVERY_WINDOW_CLOSED' },
      invoice: { state: 'REFUNDED' },
    });
    expect(await deletionOf(world, unpaid.deletion!.id)).toMatchObject({ state: 'ERASED' });
    expect(await deletionOf(world, approving.deletion!.id)).toMatchObject({ state: 'ERASED' });
  });
});

describe('a recovery that meets the deadline', () => {
  it('and has begun before it may finish for an hour; then its snapshot is purged, and its contacts stay', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const before = await everything(world);
    const { deletionId, requestId } = await paid(world);
    await startRecovery(world.app, system, world.organizationId(), decodeId('RecoveryRequest', requestId));
    await deadlinesAgo(world, '59 minutes');
    await meetDeadlinesOf(world.app, system, world.organizationId());
    expect(await deletionOf(world, deletionId)).toMatchObject({ state: 'COMPLETED', isRecoverable: false });
    await runJobs(world);
    expect(await recoveryOf(world, requestId)).toMatchObject({ state: 'COMPLETED', restoredCount: 3, invoice: { state: 'PAID' } });
    await meetDeadlines(world);
    expect(await deletionOf(world, deletionId)).toMatchObject({ state: 'ERASED', erasure: { subjectCount: 0 } });
    expect(await everything(world)).toEqual(before);
  });

  it('and is still at it after an hour is stopped and refunded; what it had restored stays, the rest is erased', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '1' } });
    await fill(world, 60);
    const all = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    // Someone is about to add a contact of each chunk from the fourth on, so three are restored and three wait in hand.
    const { database } = world.app;
    const adding = await database.begin(world.organizationId());
    await adding.run(sql`
      insert into contact (organization_id, id, sort_name, search_text) select ${world.organizationId()}, id, 'x', 'x' from unnest(${all.filter((_id, index) => index >= 15 && index % 5 === 0)}::uuid[]) id`);
    const working = runJobs(world);
    await vi.waitFor(async () => expect((await world.owner.query('select 1 from recovery_chunk where restored_at is not null')).rowCount).toBe(3), 30_000);
    const inHand = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
    await vi.waitFor(async () => expect((await world.owner.query(inHand)).rowCount).toBe(3), 30_000);
    await deadlinesAgo(world, '61 minutes');
    const meeting = meetDeadlinesOf(world.app, system, world.organizationId());
    await vi.waitFor(async () => expect((await world.owner.query(inHand)).rowCount).toBe(4), 30_000);
    await database.end(adding, 'ROLLBACK');
    await meeting;
    await working;
    await runJobs(world);
    expect(await recoveryOf(world, recoveryRequest!.id)).toMatchObject({
      state: 'FAILED',
      failure: { code: 'RECOVERY_WINDOW_CLOSED' },
      invoice: { state: 'REFUNDED' },
      job: { state: 'FAILED' },
    });
    const live = await liveIds(world);
    expect(live).toEqual(all.slice(0, 30));
    const where = await places(world, all);
    expect(where).toEqual(Object.fromEntries(all.map((id) => [id, [live.includes(id) ? 'live' : 'erased']])));
    expect(await deletionOf(world, deletion!.id)).toMatchObject({ state: 'ERASED', erasure: { subjectCount: 30 } });
  });

  it('races the purge, and of the two exactly one begins, every time', async () => {
    await using world = await createWorld();
    const rounds = 40;
    await fill(world, rounds);
    const all = await liveIds(world);
    const organizationId = world.organizationId();
    const races: { deletionId: string; requestId: string }[] = [];
    for (const id of all) {
      const { deletion } = await deleteThem(world, { contactIds: [contactId(id)] });
      const { recoveryRequest } = await orderRecovery(world, deletion!.id);
      await pay(world, recoveryRequest!.invoice.id);
      races.push({ deletionId: decodeId('Deletion', deletion!.id), requestId: decodeId('RecoveryRequest', recoveryRequest!.id) });
    }
    let recoveries = 0;
    // The deadline passes while both are on their way: sooner after each win of the recovery, later after each of the purge,
    // so that however fast the machine is, the rounds stay about where either may win.
    let margin = 0.001;
    for (const [round, { deletionId, requestId }] of races.entries()) {
      await world.owner.query(`update deletion set recoverable_until = clock_timestamp() + make_interval(secs => $2) where id = $1`, [deletionId, margin]);
      const purge = async (): Promise<boolean> => {
        for (;;) {
          if (await purgeDeletion(world.app, system, organizationId, deletionId)) return true;
          const { rows } = await world.owner.query<{ state: string }>('select state from recovery_request where id = $1', [requestId]);
          if (rows[0]!.state !== 'QUEUED') return false;
        }
      };
      const [purged, started] = await Promise.all([purge(), startRecovery(world.app, system, organizationId, requestId)]);
      expect([round, purged]).toEqual([round, started === undefined]);
      if (started) recoveries++;
      margin *= started ? 0.5 : 2;
    }
    expect(recoveries).toBeGreaterThan(0);
    expect(recoveries).toBeLessThan(rounds);
    await runJobs(world);
    await meetDeadlines(world);
    const where = await places(world, all);
    expect(Object.values(where).filter(([place]) => place === 'live')).toHaveLength(recoveries);
    expect(Object.values(where).every((found) => found.length === 1 && found[0] !== 'snapshot')).toBe(true);
  });
});

describe('the clock of the process', () => {
  for (const [how, milliseconds] of [
    ['a day ahead', 86_400_000],
    ['a day behind', -86_400_000],
  ] as const)
    it(`${how} changes nothing: the database's counts`, async () => {
      await using world = await createWorld();
      await fill(world, 2);
      const [one, two] = (await liveIds(world)).map(contactId);
      const [due, early] = [(await deleteThem(world, { contactIds: [one!] })).deletion!.id, (await deleteThem(world, { contactIds: [two!] })).deletion!.id];
      const until = (id: string, interval: string) =>
        world.owner.query(
          `update deletion set deleted_at = deleted_at - interval '30 days', recoverable_until = clock_timestamp() + $2::interval where id = $1`,
          [decodeId('Deletion', id), interval],
        );
      await until(due, '-12 hours');
      await until(early, '12 hours');
      const { recoveryRequest } = await orderRecovery(world, early);
      await pay(world, recoveryRequest!.invoice.id);
      vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + milliseconds });
      try {
        await meetDeadlinesOf(world.app, system, world.organizationId());
        await startRecovery(world.app, system, world.organizationId(), decodeId('RecoveryRequest', recoveryRequest!.id));
      } finally {
        vi.useRealTimers();
      }
      await runJobs(world);
      expect(await deletionOf(world, due)).toMatchObject({ state: 'ERASED' });
      expect(await deletionOf(world, early)).toMatchObject({ state: 'COMPLETED', warnings: [{ daysBefore: 1 }] });
      expect(await recoveryOf(world, recoveryRequest!.id)).toMatchObject({ state: 'COMPLETED' });
      const { rows } = await world.owner.query<{ off: number }>(`select abs(extract(epoch from done_at - clock_timestamp()))::float8 as off from erasure`);
      expect(rows[0]!.off).toBeLessThan(60);
    });
});

describe('a deadline', () => {
  it('is warned of 7 days and 1 day before, once each, in the action log and to whoever listens', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletion } = await deleteThem(world, { filter: {} });
    let heard = 0;
    const deaf = world.pubsub.listen('deletion', decodeId('Deletion', deletion!.id), () => heard++);
    const warned = async () => (await deletionOf(world, deletion!.id)).warnings.map(({ daysBefore }) => daysBefore);
    const days = async (ahead: string) => {
      await deadlinesAgo(world, `-${ahead}`);
      await Promise.all([meetDeadlinesOf(world.app, system, world.organizationId()), meetDeadlinesOf(world.app, system, world.organizationId())]);
      return warned();
    };
    expect(await days('8 days')).toEqual([]);
    expect(await days('6 days 23 hours')).toEqual([7]);
    expect(await days('2 days')).toEqual([7]);
    expect(await days('23 hours')).toEqual([7, 1]);
    expect(await days('1 hour')).toEqual([7, 1]);
    const admin = await world.as('Super admin');
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { action: 'deletion.deadline_near' } });
    expect(actionLog.nodes).toMatchObject([
      { targetId: deletion!.id, targetCount: 1, actorKind: 'SYSTEM' },
      { targetId: deletion!.id, targetCount: 1, actorKind: 'SYSTEM' },
    ]);
    await vi.waitFor(() => expect(heard).toBe(2));
    deaf();
  });

  it('that was short from the start, or has come near unnoticed, is warned of only with what is still true', async () => {
    await using world = await createWorld({ settings: { RECOVERY_WINDOW_DAYS: '5' } });
    await fill(world, 1);
    const { deletion } = await deleteThem(world, { filter: {} });
    await meetDeadlines(world);
    expect((await deletionOf(world, deletion!.id)).warnings).toEqual([]);
    await deadlinesAgo(world, '-12 hours');
    await meetDeadlines(world);
    expect((await deletionOf(world, deletion!.id)).warnings).toMatchObject([{ daysBefore: 1 }]);
  });
});

describe('a snapshot whose day has come', () => {
  it('loses its key, then its chunks, and stays as a record', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    await deleteThem(world, { filter: {} });
    await world.owner.query(`update deletion set snapshot_id = gen_random_uuid()`);
    await world.owner.query(`update snapshot set kind = 'SAFETY', expires_at = clock_timestamp() + interval '1 minute'`);
    await meetDeadlines(world);
    expect((await world.owner.query('select 1 from snapshot where wrapped_key is not null')).rows).toHaveLength(1);
    await world.owner.query(`update snapshot set expires_at = clock_timestamp()`);
    await meetDeadlines(world);
    await meetDeadlines(world);
    const { rows } = await world.owner.query(`
      select s.kind, s.wrapped_key as key, s.key_destroyed_at is not null as destroyed, (select count(*)::int from snapshot_chunk) as chunks,
        (select count(*)::int from snapshot_chunk_body) as bodies, (select count(*)::int from action_log where action = 'snapshot.erased') as entries from snapshot s`);
    expect(rows).toEqual([{ kind: 'SAFETY', key: null, destroyed: true, chunks: 0, bodies: 0, entries: 1 }]);
  });
});
