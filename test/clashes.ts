// A recovery in which every kind of conflict is met, and how it and its undo end when nothing disturbs them.
import { expect } from 'vitest';
import { RecoveryRequestDocument, UndoRecoveryDocument } from '../sdk/generated.ts';
import { contactId, deleteThem, everything, fill, orderRecovery, pay, runJobs } from './graphs.ts';
import type { World } from './harness.ts';

/** Everything that is live, but for what each change of a contact leaves behind. */
export const settled = async (world: World) => {
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

export type Clashes = Awaited<ReturnType<typeof arrangeClashes>>;

/** Deletes 60 contacts, puts twelve in the way of their recovery, recovers and undoes that once. Nobody else may work on jobs. */
export async function arrangeClashes(world: World) {
  await fill(world, 60);
  const { rows: gone } = await world.owner.query<{ id: string; email: string }>(
    'select id, email_normalized as email from contact where email is not null order by id limit 12',
  );
  const { deletion } = await deleteThem(world, { filter: {} });
  await runJobs(world);
  await standInTheWay(world, gone);
  const before = await settled(world);
  const policies = {
    overrides: [
      { id: gone[0]!.id, policy: 'REPLACE' as const },
      { id: gone[1]!.id, policy: 'REPLACE' as const },
      { id: gone[2]!.id, policy: 'SKIP' as const },
    ].map(({ id, policy }) => ({ contactId: contactId(id), policy })),
  };
  const admin = await world.as('Super admin');
  const stateOf = async (id: string) => (await admin.request(RecoveryRequestDocument, { id })).recoveryRequest;
  /** Orders and pays the recovery. */
  const recover = async (key: string): Promise<string> => {
    const { recoveryRequest, userErrors } = await orderRecovery(world, deletion!.id, key, policies);
    expect(userErrors).toEqual([]);
    await pay(world, recoveryRequest!.invoice.id);
    return recoveryRequest!.id;
  };
  const undo = async (id: string) => expect((await admin.request(UndoRecoveryDocument, { input: { id } })).undoRecovery.userErrors).toEqual([]);

  const first = await recover('undisturbed');
  await runJobs(world);
  const after = await settled(world);
  expect(await stateOf(first)).toMatchObject({ state: 'COMPLETED', restoredCount: 50, replacedCount: 2, mergedCount: 9, skippedCount: 1 });
  await undo(first);
  await runJobs(world);
  expect(await settled(world)).toEqual(before);
  return { before, after, stateOf, recover, undo };
}
