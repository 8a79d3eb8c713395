// What is left when the database server itself is stopped without a shutdown, and started again: at random moments of a
// deletion, of a recovery with conflicts and of its undo. The worker outlives it, and the work ends where an undisturbed one ends.
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeId } from '../src/schema/common.ts';
import { arrangeClashes, settled } from './clashes.ts';
import { crashes, DatabaseServer } from './database-server.ts';
import { expectEachOnce } from './each-once.ts';
import { deleteThem, everything, expectBalancesToBeSums, fill, liveIds, orderRecovery, pay } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { moments, randomFrom, seed } from './moments.ts';
import { startProcess, until } from './processes.ts';
import { createTemplate, type Template } from './setup.ts';

const settings = { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5', WORKER_SILENCE_SECONDS: '1' };
const count = Number(process.env['CRASH_MOMENTS'] ?? 2);
/** What is promised: by then the work is done, once the database is back. */
const promised = 30;
const patience = { timeout: 120_000 + count * 120_000 };

describe.runIf(process.platform === 'linux')('a database server that is stopped at once and started again', () => {
  let server: DatabaseServer;
  let template: Template;
  const random = randomFrom(seed);

  beforeAll(async () => {
    server = await DatabaseServer.start();
    template = await createTemplate(server.url);
  });

  afterAll(() => server[Symbol.asyncDispose]());

  /** Takes the database away for up to two seconds; both ways in turn. @returns what was done, and when it was back */
  async function outage(world: World, round: number): Promise<{ how: string; back: number }> {
    const how = crashes[round % 2]!;
    for (const client of [world.owner, world.admin]) client.on('error', () => {});
    await server.crash(how);
    await wait(random() * 2000);
    await server.restart();
    const back = performance.now();
    await world.reconnect();
    return { how, back };
  }

  const completed = (world: World, table: 'deletion' | 'recovery_request', id: string) =>
    until(
      `the ${table} to be completed`,
      promised,
      async () => (await world.owner.query(`select 1 from ${table} where id = $1 and state = 'COMPLETED'`, [id])).rowCount,
    );

  it(`at any of ${count} moments of a deletion leaves it whole, and everything can be recovered`, patience, async ({ annotate }) => {
    await using world = await createWorld({ settings, template });
    await fill(world, 100);
    const [before, all] = [await everything(world), await liveIds(world)];
    await using worker = await startProcess(world, 'worker', settings);
    let taken = 0;
    let slowest = 0;
    for (const [round, moment] of [undefined, ...moments(count, random)].entries()) {
      const began = performance.now();
      const { deletion } = await deleteThem(world, { filter: {} });
      const id = decodeId('Deletion', deletion!.id);
      if (moment !== undefined) {
        await wait(moment * taken);
        const { how, back } = await outage(world, round);
        await expectEachOnce(world, all);
        const left = (await liveIds(world)).length;
        await completed(world, 'deletion', id);
        slowest = Math.max(slowest, performance.now() - back);
        await annotate(
          `seed ${seed}: ${how} after ${(moment * taken).toFixed()} of ${taken.toFixed()} ms with ${left} of 100 left, done ${(performance.now() - back).toFixed()} ms after the start`,
        );
      } else {
        await completed(world, 'deletion', id);
        taken = performance.now() - began;
      }
      await expectEachOnce(world, all);
      expect(await liveIds(world)).toEqual([]);
      const { recoveryRequest } = await orderRecovery(world, deletion!.id);
      await pay(world, recoveryRequest!.invoice.id);
      await completed(world, 'recovery_request', decodeId('RecoveryRequest', recoveryRequest!.id));
      expect(await everything(world)).toEqual(before);
    }
    expect(worker.isRunning).toBe(true);
    await annotate(`seed ${seed}: the slowest deletion was done ${slowest.toFixed()} ms after the server was back`);
  });

  it(`at any of ${count} moments of a recovery with conflicts and of its undo changes nothing of how they end`, patience, async ({ annotate }) => {
    await using world = await createWorld({ settings, template });
    const { before, after, stateOf, recover, undo } = await arrangeClashes(world);
    await using worker = await startProcess(world, 'worker', settings);
    const ends = { recovery: ['COMPLETED', after], undo: ['UNDONE', before] } as const;
    const taken = { recovery: 0, undo: 0 };
    const slowest = { recovery: 0, undo: 0 };
    for (const [round, moment] of [undefined, ...moments(count, random)].entries()) {
      let id = '';
      for (const what of ['recovery', 'undo'] as const) {
        if (what === 'recovery') id = await recover(`round-${round}-of-outages`);
        else await undo(id);
        let since = performance.now();
        if (moment !== undefined) {
          await wait(moment * taken[what]);
          const { how, back } = await outage(world, what === 'undo' ? round + 1 : round);
          since = back;
          const { state, job } = await stateOf(id);
          await annotate(
            `seed ${seed}: ${how} after ${(moment * taken[what]).toFixed()} ms of the ${what}, then ${state} ${job?.phase ?? ''} ${job?.done ?? ''}`,
          );
        }
        await until(`the ${what} to end`, promised, async () => (await stateOf(id)).state === ends[what][0]);
        const lasted = performance.now() - since;
        if (moment === undefined) taken[what] = lasted;
        else slowest[what] = Math.max(slowest[what], lasted);
        expect(await settled(world)).toEqual(ends[what][1]);
        await expectBalancesToBeSums(world);
      }
    }
    expect(worker.isRunning).toBe(true);
    await annotate(`seed ${seed}: the slowest ended ${JSON.stringify(slowest)} ms after the server was back`);
  });
});
