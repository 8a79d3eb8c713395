// What is left when a worker is killed amid a recovery with conflicts, and amid its undo: by `kill -9`, at random moments.
// Whatever the moment, the work ends by itself, and it ends where an undisturbed one ends.
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { arrangeClashes, settled } from './clashes.ts';
import { expectBalancesToBeSums } from './graphs.ts';
import { createWorld } from './harness.ts';
import { moments, randomFrom, seed } from './moments.ts';
import { until } from './processes.ts';
import { startWorkers } from './workers.ts';

const settings = { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5', WORKER_SILENCE_SECONDS: '1' };
const count = Number(process.env['CRASH_MOMENTS'] ?? 4);
/** What is promised: by then the work of a killed process has been taken over and is done. */
const promised = 30;

it(
  `a worker that is killed at any of ${count} moments of a recovery with conflicts, and of its undo, is replaced, and both end as undisturbed ones do`,
  { timeout: 120_000 + count * 2 * promised * 1000 },
  async ({ annotate }) => {
    await using world = await createWorld({ settings });
    const { before, after, stateOf, recover, undo } = await arrangeClashes(world);
    await using workers = await startWorkers(world, 2, settings);
    const ends = { recovery: ['COMPLETED', after], undo: ['UNDONE', before] } as const;
    const taken = { recovery: 0, undo: 0 };
    const slowest = { recovery: 0, undo: 0 };
    const hits = { recovery: 0, undo: 0 };
    /** Nothing happens in the first rounds: they show how long it takes, the second one with everything warm. */
    const rounds = [undefined, undefined, ...moments(count, randomFrom(seed))];
    for (const [round, moment] of rounds.entries()) {
      let id = '';
      for (const what of ['recovery', 'undo'] as const) {
        if (what === 'recovery') id = await recover(`round-${round}-of-kills`);
        else await undo(id);
        let since = performance.now();
        if (moment !== undefined) {
          await wait(moment * taken[what]);
          const { wasAtWork } = await workers.end('SIGKILL');
          since = performance.now();
          workers.start();
          if (wasAtWork) hits[what]++;
          const { state, job } = await stateOf(id);
          await annotate(
            `seed ${seed}: killed ${wasAtWork ? '' : 'an idle one after '}the ${what} after ${(moment * taken[what]).toFixed()} of ${taken[what].toFixed()} ms, ${state} ${job?.phase ?? ''} ${job?.done ?? ''}`,
          );
        }
        await until(`the ${what} to end`, promised, async () => (await stateOf(id)).state === ends[what][0]);
        const lasted = performance.now() - since;
        if (moment === undefined) taken[what] = lasted;
        else slowest[what] = Math.max(slowest[what], lasted);
        expect(await settled(world)).toEqual(ends[what][1]);
        await expectBalancesToBeSums(world);
        await workers.ready();
      }
    }
    await annotate(`seed ${seed}: ${hits.recovery} recoveries and ${hits.undo} undos were hit; the slowest ended ${JSON.stringify(slowest)} ms after the kill`);
  },
);
