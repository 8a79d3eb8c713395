// Erasing amid everything else: other work on the same contacts at the same time, and processes that are killed. Whatever
// happens, each contact ends in exactly one place, and what was erased stays so.
import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ErasureDocument, DeletionDocument, RecoveryRequestDocument } from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { deadlinesAgo, eraseThem, meetDeadlines, places } from './erasing.ts';
import { contactId, deleteThem, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { moments, randomFrom, seed } from './moments.ts';
import { startProcess, until } from './processes.ts';

/** Balances that are not the sum of their ledger. */
const unbalanced = async (world: World) =>
  (
    await world.owner.query(
      `select 1 from balance b full join (select organization_id, contact_id, currency, sum(amount_minor) as amount from ledger_entry group by 1, 2, 3) l
         using (organization_id, contact_id, currency) where b.amount_minor is distinct from l.amount`,
    )
  ).rowCount;

describe('a deletion, a recovery and an erasure of the same contacts', () => {
  it('at once leave each contact in exactly one place: live, in a snapshot, or erased', async ({ annotate }) => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '4', DELETE_AT_ONCE: '4' } });
    const random = randomFrom(seed);
    const admin = await world.as('Super admin');
    await fill(world, 60);
    const all = await liveIds(world);
    const erased = new Set<string>();
    const refusals: string[] = [];
    for (let round = 0; round < 6; round++) {
      const { deletion } = await deleteThem(world, { filter: {} });
      await runJobs(world);
      const { recoveryRequest } = await orderRecovery(world, deletion!.id);
      await pay(world, recoveryRequest!.invoice.id);
      const chosen = all.filter((id) => !erased.has(id)).filter((_id, index) => index % 6 === round);
      const working = Promise.all([runJobs(world), runJobs(world)]);
      await wait(random() * 150);
      const deleting = async () => {
        const some = (await liveIds(world)).filter(() => random() < 0.5).slice(0, 4);
        // Whoever is erased between the preview and the deletion is not there any more: then nothing is deleted.
        if (some.length > 0) await deleteThem(world, { contactIds: some.map(contactId) }).catch((error: { code: string }) => refusals.push(error.code));
      };
      const erasing = async () => {
        const { erasure } = await eraseThem(world, chosen);
        for (const id of chosen) erased.add(id);
        return erasure!.id;
      };
      const [erasureId] = await Promise.all([erasing(), deleting(), working]);
      await runJobs(world);
      const where = await places(world, all);
      await annotate(`seed ${seed}, round ${round}: ${Object.values(where).filter(([place]) => place === 'live').length} live, ${erased.size} erased`);
      expect(Object.entries(where).filter(([, found]) => found.length !== 1)).toEqual([]);
      expect(new Set(all.filter((id) => where[id]![0] === 'erased'))).toEqual(erased);
      expect(await unbalanced(world)).toBe(0);
      const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
      expect(ended).toMatchObject({ state: 'COMPLETED', failure: null });
      const { erasure } = await admin.request(ErasureDocument, { id: erasureId });
      expect(erasure).toMatchObject({ state: 'COMPLETED', subjectCount: chosen.length, certificate: { isValid: true } });
      expect(erasure.subjects.nodes.map(({ id }) => id)).toEqual(chosen.map(contactId));
    }
    expect(refusals.filter((code) => code !== 'NOT_FOUND')).toEqual([]);
    await deadlinesAgo(world, '1 second');
    await meetDeadlines(world);
    const where = await places(world, all);
    const live = await liveIds(world);
    expect(where).toEqual(Object.fromEntries(all.map((id) => [id, [live.includes(id) ? 'live' : 'erased']])));
  });
});

describe('two erasures', () => {
  it('of contacts in the same chunks at once both take theirs, and the rest can be recovered', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '10', DELETE_AT_ONCE: '10' } });
    await fill(world, 40);
    const all = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const sets = [0, 1, 2].map((third) => all.filter((_id, index) => index % 4 === third));
    await Promise.all(sets.map((set) => eraseThem(world, set)));
    await Promise.all([runJobs(world), runJobs(world), runJobs(world)]);
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    expect(await liveIds(world)).toEqual(all.filter((_id, index) => index % 4 === 3));
    const where = await places(world, all);
    expect(Object.values(where).every((found) => found.length === 1)).toBe(true);
    expect(await unbalanced(world)).toBe(0);
  });
});

describe('a worker that is killed', () => {
  const settings = { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5', WORKER_SILENCE_SECONDS: '1' };
  const count = Number(process.env['CRASH_MOMENTS'] ?? 5);
  const size = 100;
  /** By then the work of a killed process has been taken over and is done. */
  const promised = 30;

  it(
    `at any of ${count} moments of a purge is replaced: the purge ends by itself, and counts everything once`,
    { timeout: 120_000 + count * 30_000 },
    async ({ annotate }) => {
      await using world = await createWorld({ settings });
      await fill(world, size * (count + 2));
      const all = await liveIds(world);
      const admin = await world.as('Super admin');
      /** Deletes the next contacts and lets their time run out. */
      const runOut = async (run: number): Promise<{ id: string; globalId: string; contacts: string[] }> => {
        const contacts = all.slice(run * size, (run + 1) * size);
        const { deletion } = await deleteThem(world, { contactIds: contacts.map(contactId) });
        const id = decodeId('Deletion', deletion!.id);
        await until(
          'the deletion',
          promised,
          async () => (await world.owner.query(`select 1 from deletion where id = $1 and state = 'COMPLETED'`, [id])).rowCount,
        );
        await world.owner.query(`update deletion set recoverable_until = clock_timestamp() where id = $1`, [id]);
        await world.app.database.pool.query(`select graphile_worker.add_job('meet_deadlines')`);
        return { id, globalId: deletion!.id, contacts };
      };
      const erased = (id: string) =>
        until(
          'the purge to be done',
          promised,
          async () => (await world.owner.query(`select 1 from deletion where id = $1 and state = 'ERASED'`, [id])).rowCount,
        );
      let worker = await startProcess(world, 'worker', settings);
      try {
        let undisturbed = 0;
        for (const run of [0, 1]) {
          const { id } = await runOut(run);
          const began = performance.now();
          await erased(id);
          undisturbed = performance.now() - began;
        }
        for (const [index, moment] of moments(count, randomFrom(seed)).entries()) {
          const { id, globalId, contacts } = await runOut(index + 2);
          await wait(moment * undisturbed);
          await worker.end('SIGKILL');
          const left = (await world.owner.query(`select 1 from snapshot_chunk k join deletion d on d.snapshot_id = k.snapshot_id where d.id = $1`, [id]))
            .rowCount;
          worker = await startProcess(world, 'worker', settings);
          const up = performance.now();
          await erased(id);
          await annotate(
            `seed ${seed}: killed after ${(moment * undisturbed).toFixed()} of ${undisturbed.toFixed()} ms, with ${left} of ${size / 5} chunks left; done ${(performance.now() - up).toFixed()} ms after the next was up`,
          );
          expect(await places(world, contacts)).toEqual(Object.fromEntries(contacts.map((contact) => [contact, ['erased']])));
          const { deletion } = await admin.request(DeletionDocument, { id: globalId });
          expect(deletion.erasure).toMatchObject({
            state: 'COMPLETED',
            subjectCount: size,
            stores: [{ removed: size / 5, rewritten: 0 }],
            certificate: { isValid: true },
          });
          expect(deletion.erasure!.rows).toContainEqual({ kind: 'Note', count: size * 3 });
          expect(deletion.erasure!.destroyedKeys).toHaveLength(1);
          const { rows } = await world.owner.query(
            `select action, count(*)::int as times from action_log where target_id = $1 and action like 'deletion.eras%' group by 1 order by 1`,
            [id],
          );
          expect(rows).toEqual([
            { action: 'deletion.erased', times: 1 },
            { action: 'deletion.erasing', times: 1 },
          ]);
        }
      } finally {
        await worker.end('SIGKILL');
      }
      expect((await world.owner.query('select 1 from erasure_ledger')).rowCount).toBe(size * (count + 2));
      expect((await world.owner.query('select 1 from snapshot_chunk_body')).rowCount).toBe(0);
    },
  );
});
