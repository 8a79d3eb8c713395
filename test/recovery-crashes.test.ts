// What is left when a worker is killed amid a recovery with conflicts, and amid its undo: by `kill -9`, at random moments.
// Whatever the moment, the work ends by itself, and it ends where an undisturbed one ends.
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { RecoveryRequestDocument, UndoRecoveryDocument } from '../sdk/generated.ts';
import { contactId, deleteThem, everything, expectBalancesToBeSums, fill, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { moments, randomFrom, seed } from './moments.ts';
import { startProcess, until } from './processes.ts';

const settings = { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5', WORKER_SILENCE_SECONDS: '1' };
const count = Number(process.env['CRASH_MOMENTS'] ?? 4);
/** What is promised: by then the work of a killed process has been taken over and is done. */
const promised = 30;

/** Everything that is live, but for what each change of a contact leaves behind. */
const settled = async (world: World) => {
  const tables = await everything(world);
  return { ...tables, contact: tables['contact']!.map((row) => row.replace(/"version": \d+/, '').replace(/"updated_at": "[^"]+"/, '')) };
};

/** Contacts with the emails of some that were deleted, and one with the id of one. */
async function standInTheWay(world: World, gone: readonly { id: string; email: string }[]): Promise<void> {
  const insert = `insert into contact (organization_id, id, email, email_normalized, last_name, sort_name, search_text)
    values ($1, coalesce($2::uuid, gen_random_uuid()), $3, $3, 'Live', 'live', 'live ' || coalesce($3, ''))`;
  for (const { email } of gone.slice(1)) await world.owner.query(insert, [world.organizationId(), null, email]);
  await world.owner.query(insert, [world.organizationId(), gone[0]!.id, null]);
}

it(
  'a worker that is killed amid a recovery with conflicts, or amid its undo, is replaced, and both end as undisturbed ones do',
  { timeout: 300_000 },
  async ({ annotate }) => {
    await using world = await createWorld({ settings });
    await fill(world, 60);
    const { rows: gone } = await world.owner.query<{ id: string; email: string }>(
      'select id, email_normalized as email from contact where email is not null order by id limit 12',
    );
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    await standInTheWay(world, gone);
    const between = await settled(world);
    const policies = {
      overrides: [
        { id: gone[0]!.id, policy: 'REPLACE' as const },
        { id: gone[1]!.id, policy: 'REPLACE' as const },
        { id: gone[2]!.id, policy: 'SKIP' as const },
      ].map(({ id, policy }) => ({ contactId: contactId(id), policy })),
    };
    const admin = await world.as('Super admin');
    const stateOf = async (id: string) => (await admin.request(RecoveryRequestDocument, { id })).recoveryRequest;
    const begin = async (key: string): Promise<string> => {
      const { recoveryRequest, userErrors } = await orderRecovery(world, deletion!.id, key, policies);
      expect(userErrors).toEqual([]);
      await pay(world, recoveryRequest!.invoice.id);
      return recoveryRequest!.id;
    };
    const undo = async (id: string) => expect((await admin.request(UndoRecoveryDocument, { input: { id } })).undoRecovery.userErrors).toEqual([]);

    const first = await begin('undisturbed');
    const started = performance.now();
    await runJobs(world);
    const taken = performance.now() - started;
    const after = await settled(world);
    expect(await stateOf(first)).toMatchObject({ state: 'COMPLETED', restoredCount: 50, replacedCount: 2, mergedCount: 9, skippedCount: 1 });
    await undo(first);
    await runJobs(world);
    expect(await settled(world)).toEqual(between);

    for (const [round, moment] of moments(count, randomFrom(seed)).entries()) {
      let id = '';
      for (const [what, end, expected] of [
        ['recovery', 'COMPLETED', after],
        ['undo', 'UNDONE', between],
      ] as const) {
        await using victim = await startProcess(world, 'worker', settings);
        if (what === 'recovery') id = await begin(`round-${round}-of-kills`);
        else await undo(id);
        await wait(moment * taken);
        await victim.end('SIGKILL');
        const { state, job } = await stateOf(id);
        await annotate(`seed ${seed}: killed ${what} ${(moment * taken).toFixed()} ms after it was ordered, ${state} ${job?.phase ?? ''} ${job?.done ?? ''}`);
        await using _heir = await startProcess(world, 'worker', settings);
        await until(`the ${what} to end`, promised, async () => (await stateOf(id)).state === end);
        expect(await settled(world)).toEqual(expected);
        await expectBalancesToBeSums(world);
      }
    }
  },
);
