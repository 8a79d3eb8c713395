// Watching work in the background: how fast it is, how long it takes, never a step backwards, whatever happens to the
// worker or to the watcher's connection.
import { connect, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { createClient } from '../sdk/client.ts';
import {
  type JobPartsFragment,
  JobDocument,
  JobProgressDocument,
  JobsDocument,
  OrganizationJobsDocument,
  RecoveryProgressDocument,
  type RecoveryProgressSubscription,
} from '../sdk/generated.ts';
import { saveProgress, startJob } from '../src/domain/jobs.ts';
import { jobPhases, type JobPhase } from '../src/entities/job.ts';
import { startWorker } from '../src/jobs/worker.ts';
import { encodeId } from '../src/schema/common.ts';
import { deleteThem, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { until } from './processes.ts';

/** Many chunks of few contacts. */
const settings = { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5' };

type Seen = Pick<JobPartsFragment, 'state' | 'phase' | 'done' | 'total'>;

/** How far a job is: state, then phase, then count; compared from left to right. */
const place = ({ state, phase, done }: Seen): number =>
  ['QUEUED', 'RUNNING', 'COMPLETED'].indexOf(state) * 1e9 + (phase === null ? 0 : (jobPhases.indexOf(phase as JobPhase) + 1) * 1e6) + done;

/** No event is behind the one before it. */
function expectForward(seen: readonly Seen[]): void {
  const places = seen.map(place);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
}

/** Puts jobs into an organization as they would be in the middle of their work. */
async function putJobs(world: World, count: number, state: string, organizationId = world.organizationId()): Promise<string[]> {
  const { rows } = await world.owner.query<{ id: string }>(
    `insert into job (organization_id, id, kind, state, subject_id, phase, done, total, started_at, finished_at, phase_started_at, phase_done_before)
     select $1, gen_random_uuid(), 'RECOVER_CONTACTS', $3, gen_random_uuid(), 'MIGRATING', 500, 1000, clock_timestamp() - interval '1 minute',
       case when $3 in ('QUEUED', 'RUNNING') then null else clock_timestamp() end, clock_timestamp() - interval '10 seconds', 100
     from generate_series(1, $2) returning id`,
    [organizationId, count, state],
  );
  return rows.map(({ id }) => id);
}

/** Follows a subscription; `seen` grows with its events. Stopped by the end of its client. */
function collect<Event>(events: AsyncIterable<Event>): { seen: Event[]; ended: Promise<unknown> } {
  const seen: Event[] = [];
  const ended = (async () => {
    for await (const event of events) seen.push(event);
  })();
  ended.catch(() => undefined);
  return { seen, ended };
}

/** Deletes everything, orders the recovery and pays it: a job that waits for a worker. */
async function paidRecovery(world: World): Promise<string> {
  const { deletion } = await deleteThem(world, { filter: {} });
  await runJobs(world);
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  await pay(world, recoveryRequest!.invoice.id);
  return recoveryRequest!.id;
}

describe('a job', () => {
  it('tells its speed in the current phase, and how long that takes yet', async () => {
    await using world = await createWorld();
    const [id] = await putJobs(world, 1, 'RUNNING');
    const { job } = await (await world.as('Staff')).request(JobDocument, { id: encodeId('Job', id!) });
    // 400 of 1,000 contacts in the 10 seconds of this phase; 100 had been done by another worker before.
    expect(job.ratePerSecond).toBeGreaterThan(30);
    expect(job.ratePerSecond).toBeLessThanOrEqual(40);
    expect(job.secondsLeft).toBeCloseTo(500 / job.ratePerSecond!, 6);
  });

  it('tells no speed before there is something to measure, nor after its end', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 200);
    const { deletion } = await deleteThem(world, { filter: {} });
    const admin = await world.as('Super admin');
    const { seen, ended } = collect(admin.subscribe(JobProgressDocument, { id: deletion!.job!.id }));
    await until('the first event', 10, () => seen.length > 0);
    await runJobs(world);
    await ended;
    const jobs = seen.map(({ jobProgress }) => jobProgress);
    expect(jobs[0]).toMatchObject({ state: 'QUEUED', ratePerSecond: null, secondsLeft: null });
    expect(jobs.at(-1)).toMatchObject({ state: 'COMPLETED', done: 200, ratePerSecond: null, secondsLeft: null });
    const measured = jobs.filter(({ ratePerSecond }) => ratePerSecond !== null);
    expect(measured.length).toBeGreaterThan(0);
    for (const { done, total, ratePerSecond, secondsLeft } of measured) expect(secondsLeft).toBeCloseTo((total - done) / ratePerSecond!, 6);
    expectForward(jobs);
  });

  it('never goes back: not to an earlier phase, not to a lower count', async () => {
    await using world = await createWorld();
    const organizationId = world.organizationId();
    const [id] = await putJobs(world, 1, 'RUNNING');
    const admin = await world.as('Staff');
    const told: [JobPhase, number, expected: [JobPhase, number]][] = [
      ['CHECKING', 1000, ['MIGRATING', 500]],
      ['MIGRATING', 400, ['MIGRATING', 500]],
      ['MIGRATING', 600, ['MIGRATING', 600]],
      ['PROVING', 0, ['PROVING', 0]],
      ['RECONCILING', 900, ['PROVING', 0]],
      ['PROVING', 100, ['PROVING', 100]],
    ];
    for (const [phase, done, [expectedPhase, expectedDone]] of told) {
      await world.app.database.transact(organizationId, (tx) => saveProgress(tx, id!, { phase, done, total: 1000 }));
      const { job } = await admin.request(JobDocument, { id: encodeId('Job', id!) });
      expect(job).toMatchObject({ phase: expectedPhase, done: expectedDone });
    }
  });

  it('goes forward for its watchers when another worker takes it over and begins anew', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 400);
    const id = await paidRecovery(world);
    const admin = await world.as('Super admin');
    const { seen, ended } = collect(admin.subscribe(RecoveryProgressDocument, { id }));
    const restored = () => seen.at(-1)?.recoveryProgress.restoredCount ?? 0;
    await until('the first event', 10, () => seen.length > 0);
    let takeovers = 0;
    for (const count of [10, 100]) {
      const worker = await startWorker(world.app, 1);
      await until('some contacts to be back', 30, () => restored() >= count);
      await worker.stop();
      const { rowCount } = await world.owner.query(`select 1 from recovery_request where state = 'RUNNING'`);
      if (rowCount === 1) takeovers++;
    }
    await runJobs(world);
    await ended;
    expect(takeovers).toBeGreaterThan(0);
    const requests = seen.map(({ recoveryProgress }) => recoveryProgress);
    expectForward(requests.flatMap(({ job }) => job ?? []));
    const counts = requests.map(({ restoredCount }) => restoredCount);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(requests.at(-1)).toMatchObject({ state: 'COMPLETED', restoredCount: 400, job: { state: 'COMPLETED', done: 400 } });
  });
});

describe('a recovery that is watched', () => {
  it('tells the conflicts so far', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 200);
    const [first, ...ids] = await liveIds(world);
    const id = await paidRecovery(world);
    for (const live of [first, ids[50], ids[150]])
      await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'back', 'back')`, [
        world.organizationId(),
        live,
      ]);
    const admin = await world.as('Super admin');
    const { seen, ended } = collect(admin.subscribe(RecoveryProgressDocument, { id }));
    await until('the first event', 10, () => seen.length > 0);
    await runJobs(world);
    await ended;
    const counts = seen.map(({ recoveryProgress }) => recoveryProgress.conflictCount);
    expect(counts).toEqual(counts.toSorted((a, b) => a - b));
    expect(counts[0]).toBe(0);
    expect(counts.at(-1)).toBe(3);
    const midway = seen.find(({ recoveryProgress }) => recoveryProgress.state === 'RUNNING' && recoveryProgress.conflictCount > 0);
    expect(midway?.recoveryProgress.conflictCount).toBeGreaterThan(0);
  });
});

/** Passes bytes on to a port until it is told to cut every connection, with no word of farewell. */
async function startWire(target: number) {
  const sockets = new Set<Socket>();
  let opened = 0;
  const server = createServer((near) => {
    opened++;
    const far = connect(target, '127.0.0.1');
    for (const socket of [near, far]) sockets.add(socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket)));
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => sockets.forEach((socket) => socket.resetAndDestroy());
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    get opened() {
      return opened;
    },
    async [Symbol.asyncDispose]() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a watcher whose connection is cut', () => {
  it('comes back to the current state, sees no step backwards, and sees the end', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 400);
    const id = await paidRecovery(world);
    await using wire = await startWire(Number(new URL(world.url).port));
    const url = `http://127.0.0.1:${wire.port}/graphql`;
    const client = createClient({ url, accessToken: await world.token('Super admin'), reconnects: 10 });
    const { seen, ended } = collect(client.subscribe(RecoveryProgressDocument, { id }));
    await until('the first event', 10, () => seen.length > 0);
    const working = runJobs(world);
    const now = () => seen.at(-1)!.recoveryProgress;
    for (const count of [50, 150, 250]) {
      await until('the recovery to go on', 30, () => now().restoredCount >= count);
      const before = { restored: now().restoredCount, events: seen.length };
      wire.cut();
      await until('an event of the new connection', 30, () => seen.length > before.events || now().state === 'COMPLETED');
      expect((seen[before.events] ?? seen.at(-1)!).recoveryProgress.restoredCount).toBeGreaterThanOrEqual(before.restored);
    }
    await working;
    await ended;
    await client.close();
    expect(wire.opened).toBeGreaterThan(1);
    const requests: RecoveryProgressSubscription['recoveryProgress'][] = seen.map(({ recoveryProgress }) => recoveryProgress);
    expectForward(requests.flatMap(({ job }) => job ?? []));
    expect(requests.at(-1)).toMatchObject({ state: 'COMPLETED', restoredCount: 400, job: { state: 'COMPLETED' } });
  });

  it('and does not ask for more is told that it was lost', async () => {
    await using world = await createWorld();
    const [id] = await putJobs(world, 1, 'RUNNING');
    await using wire = await startWire(Number(new URL(world.url).port));
    const client = createClient({ url: `http://127.0.0.1:${wire.port}/graphql`, accessToken: await world.token('Staff') });
    const events = client.subscribe(JobProgressDocument, { id: encodeId('Job', id!) });
    await events.next();
    wire.cut();
    await expect(events.next()).rejects.toMatchObject({ code: 'NETWORK' });
    await client.close();
  });
});

describe('the jobs of an organization', () => {
  it('are watched as one list, from their queueing to their end', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 60);
    await putJobs(world, 1, 'RUNNING', world.organizationId('Hilltop Society'));
    const staff = await world.as('Staff');
    const { seen } = collect(staff.subscribe(OrganizationJobsDocument));
    const lists = () => seen.map(({ organizationJobs }) => organizationJobs);
    await until('the first list', 10, () => seen.length > 0);
    expect(lists()).toEqual([[]]);
    const { deletion } = await deleteThem(world, { filter: {} });
    await until('the job to be queued', 10, () => lists().at(-1)?.[0]?.state === 'QUEUED');
    await runJobs(world);
    await until('the job to be done', 10, () => lists().at(-1)?.[0]?.state === 'COMPLETED');
    const jobs = lists().flat();
    expect(new Set(jobs.map(({ id }) => id))).toEqual(new Set([deletion!.job!.id]));
    expectForward(jobs);
    expect(jobs.at(-1)).toMatchObject({ kind: 'DELETE_CONTACTS', subjectId: deletion!.id, done: 60, total: 60 });
  });

  it('are those at work and those that ended in the last ten minutes, 50 at most', async () => {
    await using world = await createWorld();
    const old = await putJobs(world, 3, 'COMPLETED');
    await world.owner.query(`update job set finished_at = clock_timestamp() - interval '11 minutes'`);
    const recent = [...(await putJobs(world, 2, 'FAILED')), ...(await putJobs(world, 2, 'QUEUED')), ...(await putJobs(world, 40, 'RUNNING'))];
    const staff = await world.as('Staff');
    const first = async () => (await staff.subscribe(OrganizationJobsDocument).next()).value!.organizationJobs;
    const list = await first();
    expect(list.map(({ id }) => id)).toEqual(
      recent
        .toSorted()
        .toReversed()
        .map((id) => encodeId('Job', id)),
    );
    expect(list.some(({ id }) => old.map((one) => encodeId('Job', one)).includes(id))).toBe(false);
    await putJobs(world, 20, 'RUNNING');
    expect(await first()).toHaveLength(50);
  });

  it('change ten times a second at most, and the last change is always seen', async () => {
    await using world = await createWorld();
    const organizationId = world.organizationId();
    const [id] = await putJobs(world, 1, 'RUNNING');
    const staff = await world.as('Staff');
    const { seen } = collect(staff.subscribe(OrganizationJobsDocument));
    await until('the first list', 10, () => seen.length > 0);
    const began = performance.now();
    for (let done = 501; done <= 800; done++)
      await world.app.database.transact(organizationId, (tx) => saveProgress(tx, id!, { phase: 'MIGRATING', done, total: 1000 }));
    await until('the last change', 10, () => seen.at(-1)!.organizationJobs[0]!.done === 800);
    const seconds = (performance.now() - began) / 1000;
    expect(seen.length).toBeLessThanOrEqual(2 + Math.ceil(seconds * 10));
  });

  it('are no longer told to whoever has lost the permission', async () => {
    await using world = await createWorld();
    const [id] = await putJobs(world, 1, 'RUNNING');
    const events = (await world.as('Staff')).subscribe(OrganizationJobsDocument);
    expect((await events.next()).value!.organizationJobs).toHaveLength(1);
    await world.owner.query(`update role set permissions = array_remove(permissions, 'jobs:read') where name = 'Staff'`);
    const next = events.next();
    await world.app.database.transact(world.organizationId(), (tx) => startJob(tx, id!));
    await expect(next).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('are listed in pages, the newest first, in one state where it is asked for', async () => {
    await using world = await createWorld();
    await putJobs(world, 4, 'RUNNING', world.organizationId('Hilltop Society'));
    const [running, failed] = [await putJobs(world, 3, 'RUNNING'), await putJobs(world, 4, 'FAILED')];
    const staff = await world.as('Staff');
    const listed = async (state?: 'FAILED' | 'QUEUED') => {
      const ids: string[] = [];
      for (let after: string | null = null, more = true; more;) {
        const { jobs } = await staff.request(JobsDocument, { first: 3, after, state: state ?? null });
        ids.push(...jobs.nodes.map((job) => job.id));
        ({ endCursor: after, hasNextPage: more } = jobs.pageInfo as { endCursor: string | null; hasNextPage: boolean });
      }
      return ids;
    };
    const shown = (ids: string[]) =>
      ids
        .toSorted()
        .toReversed()
        .map((id) => encodeId('Job', id));
    expect(await listed()).toEqual(shown([...running, ...failed]));
    expect(await listed('FAILED')).toEqual(shown(failed));
    expect(await listed('QUEUED')).toEqual([]);
  });
});
