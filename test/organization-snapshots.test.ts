// Snapshots of a whole organization: what they hold whoever writes meanwhile, what they share, and when they go.
import { describe, expect, it } from 'vitest';
import { v7 as newId } from 'uuid';
import { JobDocument, JobProgressDocument, SnapshotDocument, SnapshotsDocument, TakeSnapshotDocument } from '../sdk/generated.ts';
import type { Actor } from '../src/domain/app.ts';
import { minuteOf, nightDue } from '../src/domain/nights.ts';
import { expireSnapshots, takeScheduledSnapshot } from '../src/domain/snapshots.ts';
import { captureSnapshot } from '../src/domain/taking-snapshots.ts';
import { takeSnapshotJob } from '../src/jobs/take-snapshot.ts';
import { taskList } from '../src/jobs/worker.ts';
import { decodeId } from '../src/schema/common.ts';
import type { Chunk } from '../src/snapshots/chunk.ts';
import { copyIn } from '../src/snapshots/copy.ts';
import { columnList } from '../src/snapshots/graph.ts';
import { chunksOf, locateContacts } from '../src/snapshots/parts.ts';
import { readChunk } from '../src/snapshots/restore.ts';
import { post } from './asking.ts';
import { contactId, deleteThem, fill, liveIds, runJobs, takeSnapshot } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { OrganizationName } from './people.ts';
import { startProcess, until } from './processes.ts';

const system: Actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: 'test', address: null, agent: null };
const patience = { timeout: 120_000 };

const uuidOf = (snapshot: string) => decodeId('Snapshot', snapshot);

/** Every chunk of a snapshot, opened. */
async function chunks(world: World, snapshot: string): Promise<Chunk[]> {
  const organizationId = world.organizationId();
  return world.app.database.transact(organizationId, async (tx) => {
    const opened: Chunk[] = [];
    for (const { snapshotId, number } of await chunksOf(tx, uuidOf(snapshot)))
      opened.push(await readChunk(tx, world.app, { organizationId, snapshotId, number }));
    return opened;
  });
}

const contactsOf = (opened: readonly Chunk[]) => opened.flatMap((chunk) => [...chunk.digests.keys()]);

/** The rows of a table in opened chunks, as text. */
async function rowsIn(world: World, opened: readonly Chunk[], table: string): Promise<string[]> {
  return world.app.database.transact(world.organizationId(), async (tx) => {
    const columns = opened[0]!.parts.find((part) => part.table === table)!.columns;
    await tx.client.query(`create temporary table opened (${columns.map(({ name, type }) => `"${name}" ${type}`).join(', ')}) on commit drop`);
    for (const chunk of opened) await copyIn(tx, 'opened', columnList(columns), chunk.parts.find((part) => part.table === table)!.rows);
    return (await tx.client.query<{ row: string }>('select to_jsonb(o)::text as row from opened o order by 1')).rows.map(({ row }) => row);
  });
}

const liveRows = async (world: World, table: string): Promise<string[]> =>
  (
    await world.owner.query<{ row: string }>(`select to_jsonb(t)::text as row from ${table} t where organization_id = $1 order by 1`, [world.organizationId()])
  ).rows.map(({ row }) => row);

const count = async (world: World, table: string): Promise<number> =>
  (await world.owner.query<{ count: number }>(`select count(*)::int as count from ${table}`)).rows[0]!.count;

const read = async (world: World, id: string) => (await (await world.as('Admin')).request(SnapshotDocument, { id })).snapshot;

describe('a snapshot of the organization', () => {
  it('holds all contacts with all they own, says so, and was watched while it was taken', async () => {
    await using world = await createWorld();
    await fill(world, 300);
    await fill(world, 20, 'Hilltop Society');
    const admin = await world.as('Admin');
    const { takeSnapshot } = await admin.request(TakeSnapshotDocument, { input: { label: '  Before the import ' } });
    expect(takeSnapshot).toMatchObject({
      snapshot: {
        kind: 'MANUAL',
        state: 'TAKING',
        label: 'Before the import',
        requestedByName: 'Admin of Riverside Club',
        takenAt: null,
        job: { state: 'QUEUED' },
      },
      userErrors: [],
    });
    const { id, job } = takeSnapshot.snapshot!;
    await runJobs(world);
    const taken = await read(world, id);
    expect(taken).toMatchObject({
      state: 'COMPLETE',
      contactCount: 300,
      failure: null,
      job: { kind: 'TAKE_SNAPSHOT', state: 'COMPLETED', subjectId: id, phase: 'CAPTURING', done: 300, total: 300 },
    });
    expect(taken.newBytes).toBe(taken.storedBytes);
    expect(taken.rows.find(({ kind }) => kind === 'Note')).toEqual({ kind: 'Note', count: 900 });
    expect(new Date(taken.expiresAt).getTime() - new Date(taken.requestedAt).getTime()).toBeCloseTo(30 * 86_400_000, -4);
    const opened = await chunks(world, id);
    expect(contactsOf(opened)).toEqual(await liveIds(world));
    for (const table of ['contact', 'note', 'payment', 'ledger_entry', 'contact_tag', 'custom_field_value'])
      expect([table, await rowsIn(world, opened, table)]).toEqual([table, await liveRows(world, table)]);
    const { value } = await admin.subscribe(JobProgressDocument, { id: job!.id }).next();
    expect(value).toMatchObject({ jobProgress: { state: 'COMPLETED' } });
    const { rows } = await world.owner.query(
      `select action, actor_name as who, target_count as count from action_log where target_kind = 'Snapshot' order by action`,
    );
    expect(rows).toEqual([
      { action: 'snapshot.started', who: 'Admin of Riverside Club', count: 1 },
      { action: 'snapshot.taken', who: 'Admin of Riverside Club', count: 300 },
    ]);
  });

  it('of nobody is empty', async () => {
    await using world = await createWorld();
    expect(await read(world, await takeSnapshot(world))).toMatchObject({ state: 'COMPLETE', contactCount: 0, chunkCount: 0, storedBytes: 0 });
  });

  it('is not ordered while another is being taken, nor under too long a label', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const admin = await world.as('Admin');
    const order = async (label?: string) => {
      const { takeSnapshot } = await admin.request(TakeSnapshotDocument, { input: { label: label ?? null } });
      return takeSnapshot.userErrors.map(({ code }) => code);
    };
    expect(await order('x'.repeat(101))).toEqual(['BAD_LABEL']);
    const both = await Promise.all([order(), order()]);
    expect(both.flat()).toEqual(['SNAPSHOT_RUNNING']);
    await runJobs(world);
    expect(await order()).toEqual([]);
  });

  it('is listed with the others, the newest first, page by page and by kind', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const first = await takeSnapshot(world);
    await takeScheduledSnapshot(world.app, system, world.organizationId(), '2026-01-01');
    await runJobs(world);
    const last = await takeSnapshot(world);
    const admin = await world.as('Admin');
    const page = async (variables: object) => {
      const { snapshots } = await admin.request(SnapshotsDocument, variables);
      return { ids: snapshots.nodes.map(({ id }) => id), ...snapshots.pageInfo };
    };
    const one = await page({ first: 1, kind: 'MANUAL' });
    expect(one).toMatchObject({ ids: [last], hasNextPage: true });
    expect(await page({ first: 1, kind: 'MANUAL', after: one.endCursor })).toMatchObject({ ids: [first], hasNextPage: false });
    const { snapshots } = await admin.request(SnapshotsDocument, { kind: 'SCHEDULED' });
    expect(snapshots.nodes).toMatchObject([{ kind: 'SCHEDULED', requestedByName: 'Reinstate', state: 'COMPLETE', newBytes: 0 }]);
  });
});

/** Moves a cent from one contact's ledger to another's, and leaves a note with both, in one transaction. */
async function transfer(world: World, from: string, to: string, n: number): Promise<void> {
  await world.app.database.transact(world.organizationId(), async (tx) => {
    for (const [contact, cents] of [
      [from, -1],
      [to, 1],
    ] as const) {
      await tx.client.query(
        `insert into ledger_entry (organization_id, id, contact_id, kind, amount_minor, currency, description, occurred_at) values ($1, $2, $3, 'ADJUSTMENT', $4, 'USD', 'Moved', now())`,
        [tx.organizationId, newId(), contact, cents],
      );
      await tx.client.query(`insert into note (organization_id, id, contact_id, author_name, body) values ($1, $2, $3, 'Test', $4)`, [
        tx.organizationId,
        newId(),
        contact,
        `pair ${n}`,
      ]);
    }
  });
}

describe('who writes while a snapshot is taken', () => {
  it('is not held up, and is not in it: it shows one instant', patience, async () => {
    await using world = await createWorld();
    // Read in at least three batches, wherever the ids of this run end them: one has less than 1,400 contacts.
    await fill(world, 2800);
    const organizationId = world.organizationId();
    const tables = ['contact', 'note', 'ledger_entry'];
    const before: string[][] = [];
    for (const table of tables) before.push(await liveRows(world, table));
    const ids = await liveIds(world);
    const id = (await takeScheduledSnapshot(world.app, system, organizationId, '2026-01-01'))!;
    let reports = 0;
    // Within the snapshot: were anyone held up by it, it would wait for itself. The end of the set is read last.
    const write = async () => {
      reports++;
      await transfer(world, ids[reports]!, ids.at(-reports)!, reports);
      await world.owner.query(`update contact set city = 'Elsewhere' where id = any($1)`, [[ids[100], ids[1100], ids[2090]]]);
      await world.owner.query(`delete from note where contact_id = $1`, [ids.at(-50 - reports)]);
      await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'new', 'new')`, [organizationId, newId()]);
    };
    await captureSnapshot(world.app, system, organizationId, id, write, new AbortController().signal);
    expect(reports).toBeGreaterThan(3);
    const opened = await world.app.database.transact(organizationId, async (tx) => {
      const all: Chunk[] = [];
      for (const { snapshotId, number } of await chunksOf(tx, id)) all.push(await readChunk(tx, world.app, { organizationId, snapshotId, number }));
      return all;
    });
    for (const [index, table] of tables.entries()) expect(await rowsIn(world, opened, table)).toEqual(before[index]);
  });

  it('keeps to the invariant in it, from any number of connections', patience, async () => {
    await using world = await createWorld();
    await fill(world, 1200);
    const ids = await liveIds(world);
    const { rows: sum } = await world.owner.query<{ cents: number }>('select sum(amount_minor)::int as cents from ledger_entry');
    const done = new AbortController();
    let n = 0;
    const writers = Array.from({ length: 4 }, async (_, writer) => {
      for (let turn = 0; !done.signal.aborted; turn++)
        await transfer(world, ids[(turn * 37 + writer) % 1200]!, ids[1199 - ((turn * 91 + writer) % 1200)]!, n++);
    });
    await until('the writers to write', 30, () => n > 8);
    const snapshot = await takeSnapshot(world);
    done.abort();
    await Promise.all(writers);
    const opened = await chunks(world, snapshot);
    const entries = (await rowsIn(world, opened, 'ledger_entry')).map((row) => JSON.parse(row) as { amount_minor: number });
    expect(entries.reduce((cents, { amount_minor }) => cents + amount_minor, 0)).toBe(sum[0]!.cents);
    const pairs = Map.groupBy(
      (await rowsIn(world, opened, 'note')).map((row) => (JSON.parse(row) as { body: string }).body).filter((body) => body.startsWith('pair ')),
      (body) => body,
    );
    expect([...pairs.values()].every(({ length }) => length === 2)).toBe(true);
    expect(pairs.size).toBeGreaterThan(0);
  });
});

describe('a chunk that has not changed', () => {
  it('is not stored twice: of 2,000 contacts eight change, one goes and one comes', patience, async ({ annotate }) => {
    await using world = await createWorld();
    await fill(world, 2000);
    const ids = await liveIds(world);
    const first = await read(world, await takeSnapshot(world));
    const same = await read(world, await takeSnapshot(world));
    expect(same).toMatchObject({ contactCount: 2000, newBytes: 0, newChunkCount: 0, storedBytes: first.storedBytes, chunkCount: first.chunkCount });
    await world.owner.query(`update note set body = 'Changed' where contact_id = any($1)`, [ids.filter((_id, index) => index % 250 === 0)]);
    await world.owner.query(`update contact set city = 'Elsewhere' where id = $1`, [ids[500]]);
    await deleteThem(world, { contactIds: [contactId(ids[700]!)] });
    await world.owner.query(
      `insert into contact (organization_id, id, sort_name, search_text) values ($1, ($2::text || right(gen_random_uuid()::text, 23))::uuid, 'new', 'new')`,
      [world.organizationId(), ids[1300]!.slice(0, 13)],
    );
    const changed = await takeSnapshot(world);
    const after = await read(world, changed);
    await annotate(`${after.newChunkCount} of ${after.chunkCount} chunks and ${after.newBytes} of ${after.storedBytes} bytes were new`);
    // One for each that changed at most, and some more where the one that went or came moved the ends of runs.
    expect(after.newChunkCount).toBeLessThan(after.chunkCount / 2);
    expect(after.newChunkCount).toBeGreaterThan(5);
    const opened = await chunks(world, changed);
    expect(contactsOf(opened)).toEqual(await liveIds(world));
    expect(await rowsIn(world, opened, 'note')).toEqual(await liveRows(world, 'note'));
    // The deletion has one of its own.
    expect(await count(world, 'snapshot_chunk')).toBe(first.newChunkCount + after.newChunkCount + 1);
  });

  it('is written anew when the one that is there has lost a contact', async () => {
    await using world = await createWorld();
    await fill(world, 60);
    await takeSnapshot(world);
    await world.owner.query(`update snapshot_chunk set contact_count = contact_count - 1, contact_ids = contact_ids[2:] where number = 1`);
    const again = await takeSnapshot(world);
    expect(await read(world, again)).toMatchObject({ contactCount: 60, newChunkCount: 1 });
    expect(contactsOf(await chunks(world, again))).toEqual(await liveIds(world));
  });
});

describe('ten contacts out of a snapshot of many chunks', () => {
  it('are found by opening the chunks that hold them, at most ten', async () => {
    await using world = await createWorld();
    await fill(world, 1500);
    const ids = await liveIds(world);
    const snapshot = await takeSnapshot(world);
    const wanted = ids.filter((_id, index) => index % 150 === 7);
    const organizationId = world.organizationId();
    const gets = await world.app.database.transact(organizationId, async (tx) => {
      expect(await chunksOf(tx, uuidOf(snapshot))).toHaveLength((await read(world, snapshot)).chunkCount);
      const places = await locateContacts(tx, uuidOf(snapshot), [...wanted, newId()]);
      expect(places.flatMap(({ contactIds }) => contactIds)).toEqual(wanted);
      for (const { snapshotId, number, contactIds } of places) {
        const { digests } = await readChunk(tx, world.app, { organizationId, snapshotId, number });
        expect(contactIds.every((id) => digests.has(id))).toBe(true);
      }
      return places.length;
    });
    expect(gets).toBeLessThanOrEqual(10);
    expect((await read(world, snapshot)).chunkCount).toBeGreaterThan(20);
  });
});

describe('a snapshot whose time is over', () => {
  const expire = async (world: World, ...snapshots: string[]) => {
    await world.owner.query(`update snapshot set expires_at = clock_timestamp() where id = any($1)`, [snapshots.map(uuidOf)]);
    return expireSnapshots(world.app, system, world.organizationId());
  };
  const keys = async (world: World) =>
    (await world.owner.query<{ kept: boolean }>(`select wrapped_key is not null as kept from snapshot order by id`)).rows.map(({ kept }) => kept);

  it('leaves what others share, takes what they do not, and its key goes with its last chunk', async () => {
    await using world = await createWorld();
    await fill(world, 300);
    const ids = await liveIds(world);
    const first = await takeSnapshot(world);
    await world.owner.query(`update contact set city = 'Elsewhere' where id = $1`, [ids[150]]);
    const second = await takeSnapshot(world);
    expect(await expireSnapshots(world.app, system, world.organizationId())).toBe(0);
    const [{ chunkCount, newChunkCount }, before] = [await read(world, second), await chunks(world, second)];
    expect(newChunkCount).toBe(1);
    expect(await expire(world, first)).toBe(1);
    expect(await count(world, 'snapshot_chunk')).toBe(chunkCount);
    expect(await count(world, 'snapshot_chunk_body')).toBe(chunkCount);
    expect(await keys(world)).toEqual([true, true]);
    expect(await chunks(world, second)).toEqual(before);
    const admin = await world.as('Admin');
    expect((await admin.request(SnapshotsDocument, {})).snapshots.nodes.map(({ id }) => id)).toEqual([second]);
    await expect(admin.request(SnapshotDocument, { id: first })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await expire(world, second)).toBe(1);
    for (const table of ['organization_snapshot', 'snapshot_part', 'snapshot_chunk', 'snapshot_chunk_body'])
      expect([table, await count(world, table)]).toEqual([table, 0]);
    expect(await keys(world)).toEqual([false, false]);
    expect(await expireSnapshots(world.app, system, world.organizationId())).toBe(0);
    const { rows } = await world.owner.query(`select count(*)::int as times from action_log where action = 'snapshot.expired'`);
    expect(rows).toEqual([{ times: 2 }]);
  });

  it('that had nothing of its own loses its key at once, and chunks of deletions stay', async () => {
    await using world = await createWorld();
    await fill(world, 30);
    await deleteThem(world, { contactIds: [contactId((await liveIds(world))[0]!)] });
    await takeSnapshot(world);
    const second = await takeSnapshot(world);
    expect(await expire(world, second)).toBe(1);
    expect(await keys(world)).toEqual([true, true, false]);
    expect(await count(world, 'snapshot_chunk')).toBeGreaterThan(1);
  });

  it('waits while another is being taken', async () => {
    await using world = await createWorld();
    await fill(world, 30);
    const first = await takeSnapshot(world);
    const id = (await takeScheduledSnapshot(world.app, system, world.organizationId(), '2026-01-01'))!;
    const expired: number[] = [];
    await captureSnapshot(
      world.app,
      system,
      world.organizationId(),
      id,
      async () => void expired.push(await expire(world, first)),
      new AbortController().signal,
    );
    expect(expired).toEqual([0, 0]);
    expect(await expireSnapshots(world.app, system, world.organizationId())).toBe(1);
  });
});

describe('the nightly snapshots', () => {
  /** Every organization's minute of the last night has come. */
  const settings = { NIGHTLY_SNAPSHOTS: 'true', SNAPSHOT_HOUR: String((new Date().getUTCHours() + 18) % 24) };
  const cron = (world: World) => taskList(world.app, new AbortController().signal)['keep_snapshots']!({}, {} as never);
  const taken = async (world: World, organization: OrganizationName) =>
    (
      await world.owner.query<{ state: string }>(`select state from organization_snapshot where organization_id = $1 and kind = 'SCHEDULED' order by id`, [
        world.organizationId(organization),
      ])
    ).rows.map(({ state }) => state);

  it('are due once a night, each organization in its own minute of four hours', () => {
    const ids = Array.from({ length: 1000 }, () => newId());
    const minutes = ids.map(minuteOf);
    expect(minutes.every((minute) => minute >= 0 && minute < 240)).toBe(true);
    expect(new Set(minutes).size).toBeGreaterThan(200);
    expect(ids.map(minuteOf)).toEqual(minutes);
    for (const hour of [1, 22]) {
      const [id] = ids;
      const due = Date.UTC(2026, 4, 10, hour) + minuteOf(id!) * 60_000;
      expect(nightDue(id!, new Date(due - 1), hour)).toBe('2026-05-09');
      expect(nightDue(id!, new Date(due), hour)).toBe('2026-05-10');
      expect(nightDue(id!, new Date(due + 86_400_000 - 1), hour)).toBe('2026-05-10');
    }
  });

  it('are taken once for each organization on STANDARD or PREMIUM, whatever the number of workers', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 3);
    await Promise.all([cron(world), cron(world), cron(world)]);
    await Promise.all([runJobs(world), runJobs(world)]);
    await cron(world);
    expect([await taken(world, 'Riverside Club'), await taken(world, 'Hilltop Society')]).toEqual([['COMPLETE'], []]);
    await world.owner.query(`update organization set plan = 'STANDARD'`);
    await cron(world);
    await runJobs(world);
    expect([await taken(world, 'Riverside Club'), await taken(world, 'Hilltop Society')]).toEqual([['COMPLETE'], ['COMPLETE']]);
    await world.owner.query(`update organization_snapshot set night = night - 1`);
    await cron(world);
    expect(await taken(world, 'Riverside Club')).toEqual(['COMPLETE', 'TAKING']);
  });

  it('wait while another snapshot of the organization is being taken', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 3);
    await (await world.as('Admin')).request(TakeSnapshotDocument, { input: {} });
    await cron(world);
    expect(await taken(world, 'Riverside Club')).toEqual([]);
    await runJobs(world);
    await cron(world);
    expect(await taken(world, 'Riverside Club')).toEqual(['TAKING']);
  });

  it('can be switched off', async () => {
    await using world = await createWorld({ settings: { ...settings, NIGHTLY_SNAPSHOTS: 'false' } });
    await cron(world);
    expect(await taken(world, 'Riverside Club')).toEqual([]);
  });
});

describe('a snapshot that is interrupted', () => {
  it('leaves nothing half behind, and is taken whole by another worker', patience, async () => {
    await using world = await createWorld();
    await fill(world, 4000);
    const settings = { WORKER_SILENCE_SECONDS: '1' };
    await using first = await startProcess(world, 'worker', settings);
    const admin = await world.as('Admin');
    const { takeSnapshot } = await admin.request(TakeSnapshotDocument, { input: {} });
    const { id, job } = takeSnapshot.snapshot!;
    const progress = admin.subscribe(JobProgressDocument, { id: job!.id });
    for await (const { jobProgress } of progress) if (jobProgress.done > 0 || jobProgress.state === 'COMPLETED') break;
    await first.end('SIGKILL');
    const { snapshot } = await admin.request(SnapshotDocument, { id });
    // It may have been quicker; then there is nothing to take over.
    const half = snapshot.state === 'TAKING';
    expect(await count(world, 'snapshot_chunk')).toBe(snapshot.chunkCount);
    expect(await count(world, 'snapshot_part')).toBe(snapshot.chunkCount);
    expect(half).toBe(true);
    await using _second = await startProcess(world, 'worker', settings);
    await until('the snapshot to be complete', 60, async () => (await read(world, id)).state === 'COMPLETE');
    expect(contactsOf(await chunks(world, id))).toEqual(await liveIds(world));
    expect((await admin.request(JobDocument, { id: job!.id })).job).toMatchObject({ state: 'COMPLETED', done: 4000, total: 4000 });
  });

  it('between two batches goes back to the queue, and two workers with the same job take it once', patience, async () => {
    await using world = await createWorld();
    await fill(world, 1100);
    const organizationId = world.organizationId();
    const id = (await takeScheduledSnapshot(world.app, system, organizationId, '2026-01-01'))!;
    const stop = new AbortController();
    const capture = (report: () => Promise<void>, signal: AbortSignal) => captureSnapshot(world.app, system, organizationId, id, report, signal);
    await expect(capture(async () => stop.abort(new Error('Stopped.')), stop.signal)).rejects.toThrow('Stopped.');
    expect([await count(world, 'snapshot_chunk'), await count(world, 'snapshot_part')]).toEqual([0, 0]);
    const { signal } = new AbortController();
    await Promise.all([capture(() => Promise.resolve(), signal), capture(() => Promise.resolve(), signal)]);
    const { rows } = await world.owner.query(`select state, contact_count as contacts, chunk_count as chunks from organization_snapshot`);
    expect(rows).toEqual([{ state: 'COMPLETE', contacts: 1100, chunks: await count(world, 'snapshot_part') }]);
    const { rows: told } = await world.owner.query(`select count(*)::int as times from action_log where action = 'snapshot.taken'`);
    expect(told).toEqual([{ times: 1 }]);
  });

  it('for good has failed, keeps no key, and the next can be taken', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const admin = await world.as('Admin');
    const { takeSnapshot: ordered } = await admin.request(TakeSnapshotDocument, { input: {} });
    const input = { organizationId: world.organizationId(), jobId: newId(), subjectId: uuidOf(ordered.snapshot!.id), actor: system };
    await takeSnapshotJob.fail(world.app, input, { code: 'JOB_FAILED', message: 'It failed.' });
    expect(await read(world, ordered.snapshot!.id)).toMatchObject({
      state: 'FAILED',
      contactCount: 0,
      failure: { code: 'JOB_FAILED' },
      job: { state: 'FAILED', failure: { code: 'JOB_FAILED' } },
    });
    const { rows } = await world.owner.query(`select wrapped_key as key from snapshot`);
    expect(rows).toEqual([{ key: null }]);
    expect(await read(world, await takeSnapshot(world))).toMatchObject({ state: 'COMPLETE', contactCount: 3 });
    const compare = `{ compareSnapshot(input: { snapshotId: "${ordered.snapshot!.id}" }) { nodes { kind } } }`;
    expect((await post(world, await world.token('Admin'), compare)).errors).toMatchObject([{ code: 'SNAPSHOT_NOT_COMPLETE' }]);
  });
});
