// Restore drills: a sample of the newest snapshot comes back beside the live tables every night, and nothing of it stays.
import { describe, expect, it } from 'vitest';
import { ActionLogDocument, JobDocument, RestoreDrillsDocument, type RestoreDrillsQuery } from '../sdk/generated.ts';
import type { Actor, App } from '../src/domain/app.ts';
import { drillRestore, giveUpDrill } from '../src/domain/drilling.ts';
import { orderDrill, secondOf } from '../src/domain/drills.ts';
import { decodeId, encodeId } from '../src/schema/common.ts';
import { SnapshotStore } from '../src/snapshots/store.ts';
import { post } from './asking.ts';
import { contactId, deleteThem, everything, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

type Drill = RestoreDrillsQuery['restoreDrills']['nodes'][number];

const system: Actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: 'test', address: null, agent: null };

/** What the clock does at the beginning of a night; nobody waits for the moment that an organization has. */
async function night(world: World): Promise<void> {
  await world.owner.query(`select graphile_worker.add_job('order_drills')`);
  await runJobs(world);
  await world.owner.query(`update graphile_worker._private_jobs set run_at = now()`);
  await runJobs(world);
}

async function drills(world: World, organization: 'Riverside Club' | 'Hilltop Society' = 'Riverside Club'): Promise<Drill[]> {
  return (await (await world.as('Admin', organization)).request(RestoreDrillsDocument, {})).restoreDrills.nodes;
}

async function logged(world: World): Promise<object[]> {
  const { actionLog } = await (await world.as('Admin')).request(ActionLogDocument, {});
  return actionLog.nodes.filter(({ action }) => action.startsWith('drill.'));
}

/** Deletes some contacts. @returns the id of the deletion's snapshot */
async function deleteSome(world: World, count: number): Promise<string> {
  const ids = (await liveIds(world)).slice(0, count);
  const { deletion } = await deleteThem(world, { contactIds: ids.map(contactId) });
  await runJobs(world);
  const { rows } = await world.owner.query<{ id: string }>('select snapshot_id as id from deletion where id = $1', [decodeId('Deletion', deletion!.id)]);
  return rows[0]!.id;
}

/** The temporary tables of all sessions. */
async function temporaryTables(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ name: string }>(`select relname as name from pg_class where relpersistence = 't' and relkind = 'r'`);
  return rows.map(({ name }) => name);
}

describe('a restore drill', () => {
  it('brings the newest snapshot back, compares every graph, and leaves nothing but its result', async () => {
    await using world = await createWorld();
    await fill(world, 30);
    await fill(world, 2, 'Hilltop Society');
    const snapshotId = await deleteSome(world, 20);
    const before = await everything(world);
    await night(world);
    const [drill, ...more] = await drills(world);
    expect(more).toEqual([]);
    const { rows } = await world.owner.query<{ rows: number; bytes: number }>(
      `select (select sum(value::int)::int from snapshot_chunk, jsonb_each_text(row_counts)) as rows, (select sum(raw_bytes)::int from snapshot_chunk) as bytes`,
    );
    expect(drill).toMatchObject({ outcome: 'PASSED', failure: null, contactCount: 20, rowCount: rows[0]!.rows, snapshotId: encodeId('Snapshot', snapshotId) });
    expect(drill!.byteCount).toBeGreaterThan(rows[0]!.bytes / 2);
    expect(drill!.byteCount).toBeLessThan(rows[0]!.bytes);
    for (const seconds of [drill!.openingSeconds, drill!.writingSeconds, drill!.provingSeconds]) expect(seconds).toBeGreaterThan(0);
    expect(Date.parse(drill!.finishedAt)).toBeGreaterThanOrEqual(Date.parse(drill!.startedAt));
    expect(await logged(world)).toMatchObject([{ action: 'drill.passed', actorKind: 'SYSTEM', targetCount: 20, reason: null }]);
    expect(await everything(world)).toEqual(before);
    expect(await temporaryTables(world)).toEqual([]);
    // Nobody else has a snapshot.
    expect(await drills(world, 'Hilltop Society')).toEqual([]);
  });

  it('takes no more than its sample, out of as many chunks as that takes', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '5', DRILL_CONTACTS: '7' } });
    await fill(world, 20);
    await deleteSome(world, 20);
    await night(world);
    expect(await drills(world)).toMatchObject([{ outcome: 'PASSED', contactCount: 7 }]);
    expect(await temporaryTables(world)).toEqual([]);
  });

  it('is done on the newest snapshot that is neither past its time nor without its key', async () => {
    await using world = await createWorld();
    await fill(world, 9);
    const [oldest, past, destroyed] = [await deleteSome(world, 2), await deleteSome(world, 3), await deleteSome(world, 4)];
    await world.owner.query(`update deletion set recoverable_until = clock_timestamp() where snapshot_id = $1`, [past]);
    await world.owner.query('update snapshot set wrapped_key = null, key_destroyed_at = now() where id = $1', [destroyed]);
    await night(world);
    expect(await drills(world)).toMatchObject([{ outcome: 'PASSED', contactCount: 2, snapshotId: encodeId('Snapshot', oldest) }]);
    await world.owner.query(`update snapshot set expires_at = clock_timestamp() where id = $1`, [oldest]);
    await night(world);
    expect(await drills(world)).toHaveLength(1);
  });

  it('is ordered once a night, at a moment of the organization’s own within four hours, by whoever is first', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await deleteSome(world, 2);
    await world.owner.query(`select graphile_worker.add_job('order_drills'), graphile_worker.add_job('order_drills')`);
    await runJobs(world);
    const { rows } = await world.owner.query<{ wait: number; job: string }>(
      `select extract(epoch from j.run_at - row.created_at)::float8 as wait, row.id as job
       from graphile_worker.jobs j join job row on row.kind = 'RESTORE_DRILL' where j.task_identifier = 'RESTORE_DRILL'`,
    );
    expect(rows).toHaveLength(1);
    expect(secondOf(world.organizationId())).toBeLessThan(4 * 3600);
    expect(rows[0]!.wait).toBeCloseTo(secondOf(world.organizationId()), 0);
    const { job } = await (await world.as('Staff')).request(JobDocument, { id: encodeId('Job', rows[0]!.job) });
    expect(job).toMatchObject({ kind: 'RESTORE_DRILL', state: 'QUEUED' });
    expect(decodeId('RestoreDrill', job.subjectId)).toMatch(/^[0-9a-f-]{36}$/);
    await world.owner.query(`update graphile_worker._private_jobs set run_at = now()`);
    await runJobs(world);
    expect((await drills(world)).map(({ id }) => id)).toEqual([job.subjectId]);
    await night(world);
    expect(await drills(world)).toHaveLength(2);
  });

  it('is found by its id, by those who may see snapshots', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    await deleteSome(world, 1);
    await night(world);
    const [{ id }] = (await drills(world)) as [Drill];
    const node = async (token: string) => post(world, token, `{ node(id: "${id}") { id ... on RestoreDrill { outcome } } }`);
    expect((await node(await world.token('Admin'))).data).toEqual({ node: { id, outcome: 'PASSED' } });
    expect((await node(await world.token('Staff'))).errors.map(({ code }) => code)).toEqual(['FORBIDDEN']);
    expect((await node(await world.token('Admin', 'Hilltop Society'))).errors.map(({ code }) => code)).toEqual(['NOT_FOUND']);
  });
});

describe('a restore drill fails, names the chunk and changes nothing', () => {
  const faults: [how: string, failure: (snapshotId: string) => RegExp, damage: string][] = [
    [
      'when a byte of it was flipped',
      (id) => new RegExp(`^Chunk 1 of snapshot ${id} is damaged: its bytes do not match its manifest\\.$`),
      `update snapshot_chunk_body set body = set_byte(body, 100, get_byte(body, 100) # 1)`,
    ],
    ['when it is gone', (id) => new RegExp(`^Chunk 1 of snapshot ${id} is damaged: it is missing\\.$`), 'delete from snapshot_chunk_body'],
    [
      'when its key was damaged',
      (id) => new RegExp(`^The key of snapshot ${id} is damaged: it does not open with the master key that it was sealed under\\.$`),
      `update snapshot set wrapped_key = set_byte(wrapped_key, 40, get_byte(wrapped_key, 40) # 1)`,
    ],
    [
      'when its key was sealed under another master key',
      (id) => new RegExp(`^Snapshot ${id} was sealed under master key other; this process has [0-9a-f]+\\.$`),
      `update snapshot set master_key_id = 'other', wrapped_key = set_byte(wrapped_key, 40, get_byte(wrapped_key, 40) # 1)`,
    ],
    [
      'when today’s tables refuse its rows',
      (id) => new RegExp(`^Chunk 1 of snapshot ${id} holds rows that today's tables refuse: SQLSTATE 23514 \\(drill_note, note_is_short\\)\\.$`),
      `alter table note add constraint note_is_short check (length(body) < 3)`,
    ],
  ];
  for (const [how, failure, damage] of faults)
    it(`${how}`, async () => {
      await using world = await createWorld();
      await fill(world, 4);
      const snapshotId = await deleteSome(world, 4);
      await world.owner.query(damage);
      const before = await everything(world);
      await night(world);
      const [drill] = await drills(world);
      expect(drill).toMatchObject({ outcome: 'FAILED', failure: expect.stringMatching(failure(snapshotId)) as string, contactCount: 0 });
      expect(await logged(world)).toMatchObject([{ action: 'drill.failed', actorKind: 'SYSTEM', reason: drill!.failure }]);
      expect(await everything(world)).toEqual(before);
      expect(await temporaryTables(world)).toEqual([]);
    });

  it('when a graph comes back different from its digest', async () => {
    await using world = await createWorld();
    await fill(world, 4);
    await deleteSome(world, 4);
    // As a fault of the engine would, the scratch table makes something else of what is written: texts with spaces behind.
    await world.owner.query('alter table note alter column body type char(2000)');
    await night(world);
    expect(await drills(world)).toMatchObject([
      { outcome: 'FAILED', failure: expect.stringMatching(/^Chunk 1 of snapshot \S+ brings contact \S+ back different from what was stored\.$/) as string },
    ]);
    expect(await temporaryTables(world)).toEqual([]);
  });
});

describe('a drill that meets an erasure', () => {
  /** Orders a drill. @returns what the job is given */
  async function ordered(world: World): Promise<Parameters<typeof drillRestore>[2]> {
    const organizationId = world.organizationId();
    const drillId = (await orderDrill(world.app, system, organizationId, 0))!;
    const { rows } = await world.owner.query<{ id: string }>('select id from job where subject_id = $1', [drillId]);
    return { organizationId, drillId, jobId: rows[0]!.id };
  }
  /** A store that is read in another way. */
  const storeThat = (get: SnapshotStore['get']): SnapshotStore => Object.assign(new SnapshotStore('POSTGRES', [], 1), { get });
  const drillWith = (app: App, drill: Parameters<typeof drillRestore>[2]) => drillRestore(app, system, drill, async () => {}, new AbortController().signal);

  it('has not failed: the next newest snapshot is drilled instead', async () => {
    await using world = await createWorld();
    await fill(world, 5);
    const [older, newer] = [await deleteSome(world, 2), await deleteSome(world, 3)];
    const drill = await ordered(world);
    const { store } = world.app;
    const erasing = storeThat(async (tx, snapshotId, number) => {
      await world.owner.query('update snapshot set wrapped_key = null, key_destroyed_at = now() where id = $1', [newer]);
      return snapshotId === newer ? undefined : store.get(tx, snapshotId, number);
    });
    await drillWith({ ...world.app, store: erasing }, drill);
    expect(await drills(world)).toMatchObject([{ outcome: 'PASSED', contactCount: 2, snapshotId: encodeId('Snapshot', older) }]);
  });

  it('or a crash after its result was saved, has one result', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    await deleteSome(world, 2);
    const drill = await ordered(world);
    await drillWith(world.app, drill);
    await drillWith(world.app, drill);
    expect([await drills(world), await logged(world)]).toMatchObject([[{ outcome: 'PASSED' }], [{ action: 'drill.passed' }]]);
  });

  it('or a store that stays away, is given up with a failed result', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    await deleteSome(world, 2);
    const drill = await ordered(world);
    const away = { ...world.app, store: storeThat(() => Promise.reject(new Error('The store is away.'))) };
    await expect(drillWith(away, drill)).rejects.toThrow('The store is away.');
    expect(await drills(world)).toEqual([]);
    await giveUpDrill(world.app, system, drill, { code: 'JOB_FAILED', message: 'The work failed 7 times and was given up.' });
    expect(await drills(world)).toMatchObject([{ outcome: 'FAILED', failure: 'The work failed 7 times and was given up.' }]);
    const { job } = await (await world.as('Staff')).request(JobDocument, { id: encodeId('Job', drill.jobId) });
    expect(job).toMatchObject({ state: 'FAILED', failure: { code: 'JOB_FAILED' } });
  });
});
