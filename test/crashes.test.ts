// What is left when processes are killed: real ones, by `kill -9`, at random moments of their work. Whatever the moment,
// every contact is in exactly one place, and the work ends by itself.
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createClient } from '../sdk/client.ts';
import {
  ContactDeletionPreviewDocument,
  DeleteContactsDocument,
  JobProgressDocument,
  type JobPartsFragment,
  RecoveryProgressDocument,
  type RecoveryProgressSubscription,
  RecoveryRequestDocument,
} from '../sdk/generated.ts';
import { decodeId, encodeId } from '../src/schema/common.ts';
import { expectEachOnce } from './each-once.ts';
import { contactId, deleteThem, everything, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { moments, randomFrom, seed } from './moments.ts';
import { startProcess, until } from './processes.ts';
import { startWorkers } from './workers.ts';

/** Many chunks of few contacts, and dead workers that are noticed soon. */
const settings = { CHUNK_CONTACTS: '10', DELETE_AT_ONCE: '10', WORKER_SILENCE_SECONDS: '1' };
/** What is promised: by then the work of a killed process has been taken over and is done. */
const promised = 30;
const patience = { timeout: 300_000 };

async function row<Row extends object>(world: World, text: string, values: unknown[] = []): Promise<Row> {
  return (await world.owner.query<Row>(text, values)).rows[0]!;
}

/** Each batch that was done is in the action log, once and with its count, and no other is. */
async function expectLogToMatch(world: World): Promise<void> {
  const { rows: done } = await world.owner.query(`
    select 'contacts.deleted' as action, d.id as deletion, k.number, k.contact_count as count
    from snapshot_chunk k join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
    union all
    select 'contacts.recovered', d.id, r.chunk_number, r.restored_count
    from recovery_chunk r join deletion d on d.organization_id = r.organization_id and d.snapshot_id = r.snapshot_id where r.restored_at is not null
    order by 1, 2, 3`);
  const { rows: told } = await world.owner.query(`
    select action, deletion_id as deletion, chunk_number as number, target_count as count from action_log where chunk_number is not null order by 1, 2, 3`);
  expect(told).toEqual(done);
}

/** Waits until no job is queued or locked. */
const idle = (world: World) =>
  until('the queue to be empty', promised, async () => {
    const { jobs } = await row<{ jobs: number }>(
      world,
      `select count(*)::int as jobs from graphile_worker.jobs where task_identifier not in ('meet_deadlines', 'keep_snapshots')`,
    );
    return jobs === 0;
  });

const completed = (world: World, table: 'deletion' | 'recovery_request', id: string) =>
  until(`${table} ${id} to be completed`, promised, async () => {
    const { state } = await row<{ state: string }>(world, `select state from ${table} where id = $1`, [id]);
    if (state === 'FAILED') throw new Error(`${table} ${id} has failed.`);
    return state === 'COMPLETED';
  });

/** From its payment to its end. */
const milliseconds = async (world: World, recoveryRequestId: string) =>
  (
    await row<{ taken: number }>(
      world,
      `select extract(epoch from r.finished_at - i.paid_at)::float8 * 1000 as taken from recovery_request r
     join invoice i on i.organization_id = r.organization_id and i.recovery_request_id = r.id where r.id = $1`,
      [recoveryRequestId],
    )
  ).taken;

/** Deletes all contacts with a job, and orders and pays their recovery. */
async function startRecovery(world: World): Promise<{ id: string; globalId: string }> {
  const { deletion } = await deleteThem(world, { filter: {} });
  await completed(world, 'deletion', decodeId('Deletion', deletion!.id));
  await idle(world);
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  await pay(world, recoveryRequest!.invoice.id);
  return { id: decodeId('RecoveryRequest', recoveryRequest!.id), globalId: recoveryRequest!.id };
}

describe.concurrent('a worker that is killed', () => {
  // In two halves, at the same time.
  for (const half of [0, 1])
    it(
      `at any of 20 moments of a recovery is replaced: the recovery ends by itself, and everything is back once (${half + 1})`,
      patience,
      async ({ annotate }) => {
        await using world = await createWorld({ settings });
        await fill(world, 100);
        const [before, all] = [await everything(world), await liveIds(world)];
        await using workers = await startWorkers(world, 2, settings);
        let undisturbed = 0;
        for (let run = 0; run < 2; run++) {
          const { id } = await startRecovery(world);
          await completed(world, 'recovery_request', id);
          undisturbed = await milliseconds(world, id);
        }
        const admin = await world.as('Super admin');
        let hits = 0;
        for (const moment of moments(20, randomFrom(seed)).filter((_moment, index) => index % 2 === half)) {
          const { id, globalId } = await startRecovery(world);
          await wait(moment * undisturbed);
          const { wasAtWork } = await workers.end('SIGKILL');
          const killed = performance.now();
          if (wasAtWork) hits++;
          workers.start();
          const at = await row<{ state: string; phase: string | null; done: number }>(world, 'select state, phase, done from job order by id desc limit 1');
          await expectEachOnce(world, all);
          await completed(world, 'recovery_request', id);
          await annotate(
            `seed ${seed}: killed ${wasAtWork ? 'the one at work' : 'one that was idle'} after ${(moment * undisturbed).toFixed()} of ${undisturbed.toFixed()} ms, ${at.state} ${at.phase} ${at.done}; completed after ${(performance.now() - killed).toFixed()} ms`,
          );
          await idle(world);
          await expectEachOnce(world, all);
          expect(await everything(world)).toEqual(before);
          const { recoveryRequest } = await admin.request(RecoveryRequestDocument, { id: globalId });
          expect(recoveryRequest).toMatchObject({
            restoredCount: 100,
            conflictCount: 0,
            provenCount: 100,
            failure: null,
            job: { state: 'COMPLETED', done: 100, total: 100 },
            invoice: { state: 'PAID' },
          });
          const { rows: told } = await world.owner.query(
            `select action, count(*)::int as times from action_log where target_id = $1 and chunk_number is null group by action order by action`,
            [id],
          );
          expect(told).toEqual(
            ['recovery.completed', 'recovery.paid', 'recovery.queued', 'recovery.requested', 'recovery.started'].map((action) => ({
              action,
              times: 1,
            })),
          );
          // Measured again and again, because others may use the machine.
          if (!wasAtWork && at.state === 'COMPLETED') undisturbed = await milliseconds(world, id);
          await workers.ready();
        }
        await expectLogToMatch(world);
        expect(hits).toBeGreaterThan(2);
      },
    );

  it('softly gives its job back at once, and another finishes it', patience, async () => {
    // Nobody would find out by silence within the test.
    const slow = { ...settings, WORKER_SILENCE_SECONDS: '3600' };
    await using world = await createWorld({ settings: slow });
    await fill(world, 200);
    const before = await everything(world);
    await using workers = await startWorkers(world, 2, slow);
    const { id } = await startRecovery(world);
    await until(
      'the recovery to have restored something',
      promised,
      async () => (await world.owner.query('select 1 from recovery_chunk where restored_at is not null')).rowCount! > 0,
    );
    expect(await workers.end('SIGTERM')).toEqual({ wasAtWork: true, code: 0 });
    await completed(world, 'recovery_request', id);
    expect(await everything(world)).toEqual(before);
    await expectLogToMatch(world);
    expect((await world.owner.query('select 1 from graphile_worker.jobs where locked_by is not null')).rowCount).toBe(0);
  });

  it('not, but loses all its connections again and again, goes on', patience, async () => {
    await using world = await createWorld({ settings });
    await fill(world, 100);
    const before = await everything(world);
    await using worker = await startProcess(world, 'worker', settings);
    const { id } = await startRecovery(world);
    for (let cut = 1; cut <= 3; cut++) {
      const { done } = await row<{ done: number }>(world, 'select count(*)::int as done from recovery_chunk where restored_at is not null');
      await until('the recovery to go on', promised, async () => {
        const now = await row<{ done: number; state: string }>(
          world,
          'select count(*)::int as done, (select state from recovery_request where id = $1) as state from recovery_chunk where restored_at is not null',
          [id],
        );
        return now.done > done || now.state === 'COMPLETED';
      });
      await world.owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and usename <> current_user and application_name <> 'reinstate listener'`,
      );
    }
    await completed(world, 'recovery_request', id);
    expect(worker.isRunning).toBe(true);
    expect(await everything(world)).toEqual(before);
    await expectLogToMatch(world);
  });
});

/** A request to delete, ready to be sent to the process, and what was confirmed. */
async function prepareDeletion(url: string, accessToken: string, ids: readonly string[], reason: string) {
  const client = createClient({ url, accessToken });
  const target = { contactIds: ids.map(contactId) };
  const { contactDeletionPreview } = await client.request(ContactDeletionPreviewDocument, { input: target });
  const input = { ...target, confirmation: contactDeletionPreview.confirmation!, reason };
  return (to = url) => createClient({ url: to, accessToken }).request(DeleteContactsDocument, { input });
}

/** The rows of `tables` that belong to the contacts, or to none. */
function only(tables: Record<string, string[]>, ids: ReadonlySet<string>): Record<string, string[]> {
  const isTheirs = (table: string, text: string) => {
    const row = JSON.parse(text) as Record<string, string>;
    return ids.has(row[table === 'contact' ? 'id' : 'contact_id']!);
  };
  return Object.fromEntries(Object.entries(tables).map(([table, rows]) => [table, rows.filter((text) => isTheirs(table, text))]));
}

describe.concurrent('a watcher', () => {
  /** What the API's subscription shows of a recovery, from now to its end. */
  async function watch(world: World, url: string, requestId: string, onEvent: () => Promise<unknown> = async () => {}) {
    const client = createClient({ url, accessToken: await world.token('Super admin') });
    const seen: RecoveryProgressSubscription['recoveryProgress'][] = [];
    try {
      for await (const { recoveryProgress } of client.subscribe(RecoveryProgressDocument, { id: requestId })) {
        seen.push(recoveryProgress);
        await onEvent();
      }
    } finally {
      await client.close();
    }
    return seen;
  }

  it('of an API process sees the work of a worker process to its end', patience, async () => {
    await using world = await createWorld({ settings });
    await fill(world, 100);
    await using api = await startProcess(world, 'api', settings);
    const url = await api.url();
    const client = createClient({ url, accessToken: await world.token('Super admin') });
    const { deletion } = await deleteThem(world, { filter: {} });
    const jobs: JobPartsFragment[] = [];
    const deleting = (async () => {
      for await (const { jobProgress } of client.subscribe(JobProgressDocument, { id: deletion!.job!.id })) jobs.push(jobProgress);
    })();
    await until('the first event', promised, () => jobs.length > 0);
    await using worker = await startProcess(world, 'worker', settings);
    await deleting;
    await client.close();
    expect(jobs[0]).toMatchObject({ state: 'QUEUED', done: 0, total: 100 });
    expect(jobs.at(-1)).toMatchObject({ state: 'COMPLETED', done: 100, total: 100 });
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    const watching = watch(world, url, recoveryRequest!.id);
    await pay(world, recoveryRequest!.invoice.id);
    const seen = await watching;
    expect(seen.map((request) => request.job?.phase)).toContain('MIGRATING');
    expect(seen.at(-1)).toMatchObject({ state: 'COMPLETED', restoredCount: 100, provenCount: 100, job: { state: 'COMPLETED', done: 100 } });
    const restored = seen.map((request) => request.restoredCount);
    expect(restored).toEqual(restored.toSorted((a, b) => a - b));
    for (const one of [api, worker]) {
      expect(await one.end('SIGTERM')).toEqual({ code: 0, signal: null });
      expect(one.err).toEqual([]);
    }
  });

  it('sees the end although the listening connection is cut after every event', patience, async () => {
    await using world = await createWorld({ settings });
    await fill(world, 100);
    await using api = await startProcess(world, 'api', settings);
    await using workers = await startWorkers(world, 1, settings);
    const { id, globalId } = await startRecovery(world);
    let cuts = 0;
    const seen = await watch(world, await api.url(), globalId, async () => {
      const { rowCount } = await world.owner.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'reinstate listener'`,
      );
      cuts += rowCount!;
    });
    expect(cuts).toBeGreaterThan(0);
    expect(seen.at(-1)).toMatchObject({ id: globalId, state: 'COMPLETED', restoredCount: 100 });
    await completed(world, 'recovery_request', id);
    expect(api.isRunning).toBe(true);
    await workers.ready();
  });
});

describe.concurrent('an API that is killed', () => {
  for (const [size, count] of [
    ['small', 10],
    ['large', 60],
  ] as const)
    it(`at any of 10 moments of a ${size} deletion has deleted it whole, or not at all`, patience, async ({ annotate }) => {
      await using world = await createWorld({ settings });
      await fill(world, count * 12);
      const [before, all] = [await everything(world), await liveIds(world)];
      const token = await world.token('Super admin');
      const sets = Array.from({ length: 12 }, (_, index) => all.slice(index * count, (index + 1) * count));
      const stateOf = async (reason: string) =>
        (await world.owner.query<{ id: string; state: string }>('select id, state from deletion where reason = $1', [reason])).rows[0];
      let api = await startProcess(world, 'all', settings);
      try {
        let undisturbed = 0;
        for (const set of sets.splice(0, 2)) {
          const send = await prepareDeletion(await api.url(), token, set, 'Undisturbed');
          const sent = performance.now();
          const { deleteContacts } = await send();
          await completed(world, 'deletion', decodeId('Deletion', deleteContacts.deletion!.id));
          undisturbed = performance.now() - sent;
        }
        for (const [index, moment] of moments(10, randomFrom(seed + count)).entries()) {
          const [set, reason] = [sets[index]!, `Number ${index}`];
          const send = await prepareDeletion(await api.url(), token, set, reason);
          const answering = send().then(
            ({ deleteContacts }) => deleteContacts.deletion?.id,
            () => undefined,
          );
          await wait(moment * undisturbed);
          await api.end('SIGKILL');
          const answered = await answering;
          await expectEachOnce(world, all);
          api = await startProcess(world, 'all', settings);
          const up = performance.now();
          const there = await stateOf(reason);
          expect([undefined, there?.id]).toContain(answered && decodeId('Deletion', answered));
          if (there) await completed(world, 'deletion', there.id);
          await annotate(
            `seed ${seed}: killed after ${(moment * undisturbed).toFixed()} of ${undisturbed.toFixed()} ms, ${answered ? 'answered' : 'unanswered'}, ${there?.state ?? 'not there'}; completed ${(performance.now() - up).toFixed()} ms after the start`,
          );
          const live = await liveIds(world);
          expect(live.filter((id) => set.includes(id))).toEqual(there ? [] : set);
          await expectEachOnce(world, all);
          expect(await everything(world)).toEqual(only(before, new Set(live)));
          await expectLogToMatch(world);
          // Whoever got no answer asks again with the same confirmation, and it is done once.
          const { deleteContacts } = await send(await api.url());
          expect(deleteContacts.userErrors.map((error) => error.code)).toEqual(there ? ['CONFIRMATION_USED'] : []);
          await completed(world, 'deletion', (await stateOf(reason))!.id);
        }
        await idle(world);
      } finally {
        await api.end('SIGKILL');
      }
      await expectEachOnce(world, all);
      await expectLogToMatch(world);
      expect(await liveIds(world)).toEqual([]);
      const { rows } = await world.owner.query<{ id: string }>('select id from deletion');
      for (const { id } of rows) {
        const { recoveryRequest } = await orderRecovery(world, encodeId('Deletion', id));
        await pay(world, recoveryRequest!.invoice.id);
      }
      await runJobs(world);
      expect(await everything(world)).toEqual(before);
    });
});
