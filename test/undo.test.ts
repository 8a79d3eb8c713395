// Taking a recovery back: what it did is undone exactly, what people edited since is kept, and the three buckets say which.
import { describe, expect, it } from 'vitest';
import {
  AddNoteDocument,
  type ConflictPolicy,
  JobProgressDocument,
  type JobPartsFragment,
  RecoveryRequestDocument,
  type RecoveryRequestQuery,
  UndoRecoveryDocument,
  UpdateContactDocument,
} from '../sdk/generated.ts';
import { hire } from './custom-roles.ts';
import { contactId, deleteThem, everything, expectBalancesToBeSums, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

/** Orders, pays and runs the recovery of a deletion. @returns its id */
async function recover(world: World, deletionId: string, conflictPolicy?: ConflictPolicy, key?: string): Promise<string> {
  const { recoveryRequest } = await orderRecovery(world, deletionId, key, conflictPolicy ? { conflictPolicy } : {});
  await pay(world, recoveryRequest!.invoice.id);
  await runJobs(world);
  return recoveryRequest!.id;
}

const requestOf = async (world: World, id: string): Promise<RecoveryRequestQuery['recoveryRequest']> =>
  (await (await world.as('Super admin')).request(RecoveryRequestDocument, { id })).recoveryRequest;

/** Orders the undo and runs it. @returns the codes of what it was refused with, or nothing */
async function undo(world: World, id: string): Promise<string[]> {
  const { undoRecovery } = await (await world.as('Super admin')).request(UndoRecoveryDocument, { input: { id } });
  await runJobs(world);
  return undoRecovery.userErrors.map(({ code }) => code);
}

async function settle(world: World, email: string, lastName = 'Live'): Promise<string> {
  const { rows } = await world.owner.query<{ id: string }>(
    `insert into contact (organization_id, id, email, email_normalized, last_name, sort_name, search_text)
     values ($1, gen_random_uuid(), $2, $2, $3, lower($3), lower($3 || ' ' || $2)) returning id`,
    [world.organizationId(), email, lastName],
  );
  return rows[0]!.id;
}

const withEmail = async (world: World, count: number) =>
  (
    await world.owner.query<{ id: string; email: string }>('select id, email_normalized as email from contact where email is not null order by id limit $1', [
      count,
    ])
  ).rows;

/** Contact rows as they are but for what every change of them leaves behind. */
const settled = (tables: Record<string, string[]>) => ({
  ...tables,
  contact: tables['contact']!.map((row) => row.replace(/"version": \d+/, '').replace(/"updated_at": "[^"]+"/, '')),
});

describe('an undo', () => {
  it('deletes again what came back, through a deletion that can itself be recovered', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '10', DELETE_AT_ONCE: '10' } });
    await fill(world, 35);
    const before = await everything(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const id = await recover(world, deletion!.id);
    const admin = await world.as('Super admin');
    const { undoRecovery } = await admin.request(UndoRecoveryDocument, { input: { id } });
    const { job } = undoRecovery.recoveryRequest!.undo!;
    const seen: JobPartsFragment[] = [];
    const watching = (async () => {
      for await (const { jobProgress } of admin.subscribe(JobProgressDocument, { id: job!.id })) seen.push(jobProgress);
    })();
    await runJobs(world);
    await watching;
    expect(seen.at(-1)).toMatchObject({ state: 'COMPLETED', phase: 'REVERTING', done: 35, total: 35 });
    expect(await liveIds(world)).toEqual([]);
    const request = await requestOf(world, id);
    expect(request).toMatchObject({
      state: 'UNDONE',
      undo: { revertedCount: 35, keptCount: 0, couldNotCount: 0, orderedByName: 'Super admin of Riverside Club' },
    });
    await recover(world, request.undo!.deletion!.id);
    expect(await everything(world)).toEqual(before);
  });

  it('keeps what was edited since and passes over what was deleted since', async () => {
    await using world = await createWorld();
    await fill(world, 6);
    const { deletion } = await deleteThem(world, { filter: {} });
    const id = await recover(world, deletion!.id);
    const [edited, noted, gone, ...rest] = (await liveIds(world)) as [string, string, string, ...string[]];
    const admin = await world.as('Super admin');
    await admin.request(UpdateContactDocument, { input: { id: contactId(edited), version: 1, city: 'Porto' } });
    await admin.request(AddNoteDocument, { input: { contactId: contactId(noted), body: 'Called today' } });
    await deleteThem(world, { contactIds: [contactId(gone)] });
    expect(await undo(world, id)).toEqual([]);
    expect(await liveIds(world)).toEqual([edited, noted].toSorted());
    const { undo: report } = await requestOf(world, id);
    expect(report).toMatchObject({ revertedCount: rest.length, keptCount: 2, couldNotCount: 1 });
    expect(Object.fromEntries(report!.exceptions.nodes.map(({ contactId: contact, outcome }) => [contact, outcome]))).toEqual({
      [contactId(edited)]: 'KEPT',
      [contactId(noted)]: 'KEPT',
      [contactId(gone)]: 'COULD_NOT',
    });
    await expectBalancesToBeSums(world);
  });

  it('takes merged history and filled fields from live contacts, and leaves what is theirs', async () => {
    await using world = await createWorld();
    await fill(world, 4);
    const [one, two] = (await withEmail(world, 2)) as [{ id: string; email: string }, { id: string; email: string }];
    const { deletion } = await deleteThem(world, { filter: {} });
    const [live, other] = [await settle(world, one.email), await settle(world, two.email)];
    await world.owner.query(`insert into note (organization_id, id, contact_id, author_name, body) values ($1, gen_random_uuid(), $2, 'Ada', 'Theirs')`, [
      world.organizationId(),
      live,
    ]);
    const between = await everything(world);
    const id = await recover(world, deletion!.id, 'MERGE');
    expect(await requestOf(world, id)).toMatchObject({ mergedCount: 2, restoredCount: 2 });
    const merged = (await world.owner.query(`select body from note where contact_id = $1`, [live])).rows;
    expect(merged).toHaveLength(4);
    // Two edits after the recovery: a field that the merge had filled, and a row that it had moved.
    await world.owner.query(`update contact set member_number = 'NEW-1' where id = $1`, [other]);
    await world.owner.query(`update note set body = 'Edited' where id = (select id from note where contact_id = $1 order by id limit 1)`, [other]);
    expect(await undo(world, id)).toEqual([]);
    const { undo: report, state } = await requestOf(world, id);
    expect([state, report]).toMatchObject(['UNDONE', { revertedCount: 3, keptCount: 1, couldNotCount: 0 }]);
    const after = await everything(world);
    const without = (tables: Record<string, string[]>) =>
      Object.fromEntries(Object.entries(settled(tables)).map(([name, rows]) => [name, rows.filter((row) => !row.includes(other))]));
    expect(without(after)).toEqual(without(between));
    expect((await world.owner.query('select body from note where contact_id = $1', [other])).rows).toEqual([{ body: 'Edited' }]);
    expect((await world.owner.query('select member_number, first_name, company from contact where id = $1', [other])).rows).toEqual([
      { member_number: 'NEW-1', first_name: null, company: null },
    ]);
    await expectBalancesToBeSums(world);
  });

  it('puts a contact back that was replaced, and what it owned', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [one] = (await withEmail(world, 1)) as [{ id: string; email: string }];
    const { deletion } = await deleteThem(world, { filter: {} });
    const live = await settle(world, one.email);
    await world.owner.query(`insert into note (organization_id, id, contact_id, author_name, body) values ($1, gen_random_uuid(), $2, 'Ada', 'Theirs')`, [
      world.organizationId(),
      live,
    ]);
    await world.owner.query(
      `insert into ledger_entry (organization_id, id, contact_id, kind, amount_minor, currency, description, occurred_at) values ($1, gen_random_uuid(), $2, 'CHARGE', -500, 'USD', 'Fee', now())`,
      [world.organizationId(), live],
    );
    await world.owner.query(`insert into balance (organization_id, contact_id, currency, amount_minor) values ($1, $2, 'USD', -500)`, [
      world.organizationId(),
      live,
    ]);
    const between = await everything(world);
    const id = await recover(world, deletion!.id, 'REPLACE');
    expect(await requestOf(world, id)).toMatchObject({ replacedCount: 1, restoredCount: 3 });
    expect(await undo(world, id)).toEqual([]);
    expect(await requestOf(world, id)).toMatchObject({ state: 'UNDONE', undo: { revertedCount: 3, keptCount: 0, couldNotCount: 0 } });
    expect(await everything(world)).toEqual(between);
  });

  it('takes back a tag that was recreated when nobody uses it, and keeps one that somebody does', async () => {
    await using world = await createWorld();
    await fill(world, 6);
    const { deletion } = await deleteThem(world, { filter: {} });
    await world.owner.query('delete from tag; delete from custom_field_definition');
    const id = await recover(world, deletion!.id);
    const live = await settle(world, 'tagged@example.org');
    await world.owner.query(`insert into contact_tag (organization_id, contact_id, tag_id) select organization_id, $1, id from tag`, [live]);
    expect(await undo(world, id)).toEqual([]);
    expect((await world.owner.query('select name from tag')).rows).toEqual([{ name: 'newsletter' }]);
    expect((await world.owner.query('select key from custom_field_definition')).rows).toEqual([]);
  });

  it('passes over a chunk of which everything was skipped', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '1', DELETE_AT_ONCE: '1' } });
    await fill(world, 3);
    const [one] = (await liveIds(world)) as [string];
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'x', 'x')`, [world.organizationId(), one]);
    const id = await recover(world, deletion!.id);
    expect(await requestOf(world, id)).toMatchObject({ restoredCount: 2, skippedCount: 1 });
    expect(await undo(world, id)).toEqual([]);
    expect(await requestOf(world, id)).toMatchObject({ state: 'UNDONE', undo: { revertedCount: 2, keptCount: 0, couldNotCount: 0 } });
    expect(await liveIds(world)).toEqual([one]);
  });

  it('is done once, is over after its time, and is for completed recoveries only', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const { deletion } = await deleteThem(world, { filter: {} });
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    expect(await undo(world, recoveryRequest!.id)).toEqual(['NOT_UNDOABLE']);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    await world.owner.query(`update snapshot set expires_at = clock_timestamp() - interval '1 second' where kind = 'SAFETY'`);
    expect(await undo(world, recoveryRequest!.id)).toEqual(['UNDO_WINDOW_CLOSED']);
    await world.owner.query(`update snapshot set expires_at = clock_timestamp() + interval '1 day' where kind = 'SAFETY'`);
    const admin = await world.as('Super admin');
    const ask = async () => (await admin.request(UndoRecoveryDocument, { input: { id: recoveryRequest!.id } })).undoRecovery.userErrors.map(({ code }) => code);
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(answers.flat().toSorted()).toEqual(['UNDO_RUNNING', 'UNDO_RUNNING']);
    await Promise.all([runJobs(world), runJobs(world)]);
    expect(await requestOf(world, recoveryRequest!.id)).toMatchObject({ state: 'UNDONE', undo: { revertedCount: 2 } });
    expect(await undo(world, recoveryRequest!.id)).toEqual(['NOT_UNDOABLE']);
    const again = await recover(world, deletion!.id, undefined, 'once-more-please');
    expect(await requestOf(world, again)).toMatchObject({ state: 'COMPLETED', restoredCount: 2 });
  });

  it('takes the permission to delete, too', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletion } = await deleteThem(world, { filter: {} });
    const id = await recover(world, deletion!.id);
    for (const permissions of [['recovery:read', 'recovery:request'], ['contacts:delete']] as const) {
      const { client } = await hire(world, ...permissions);
      await expect(client.request(UndoRecoveryDocument, { input: { id } })).rejects.toMatchObject({ code: 'FORBIDDEN' });
    }
    expect(await liveIds(world)).toHaveLength(1);
  });
});
