// Deleting: what the preview says, what the deletion takes, and every confirmation that it does not take.
import { describe, expect, it } from 'vitest';
import {
  ActionLogDocument,
  ContactDeletionPreviewDocument,
  DeleteContactsDocument,
  DeletedContactsDocument,
  DeletionDocument,
  DeletionsDocument,
  JobProgressDocument,
  type JobPartsFragment,
} from '../sdk/generated.ts';
import { signConfirmation } from '../src/domain/confirmations.ts';
import { contactId, deleteThem, everything, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld } from './harness.ts';

const reason = 'Left the club';
const unknownId = contactId('01900000-0000-7000-8000-000000000000');

describe('the preview', () => {
  it('says exactly what will go, and changes nothing', async () => {
    await using world = await createWorld();
    await fill(world, 30);
    const before = await everything(world);
    const admin = await world.as('Super admin');
    const { contactDeletionPreview: preview } = await admin.request(ContactDeletionPreviewDocument, { input: { filter: {} } });
    const counts = Object.fromEntries(preview.rows.map((row) => [row.kind, row.count]));
    expect(counts).toEqual({
      Contact: 30,
      ContactPoint: 60,
      Note: 90,
      Activity: 120,
      Membership: 30,
      Payment: 90,
      LedgerEntry: 120,
      ContactTag: 10,
      CustomFieldValue: 10,
      ActionDetail: 10,
    });
    const { rows } = await world.owner.query<{ sum: number }>('select sum(amount_minor)::int as sum from ledger_entry');
    expect(preview.balances).toEqual([{ amountMinor: rows[0]!.sum, currency: 'USD' }]);
    const days = (new Date(preview.recoverableUntil).getTime() - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(29.99);
    expect(days).toBeLessThan(30.01);
    expect(await everything(world)).toEqual(before);
  });

  it('gives no confirmation for nothing', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: { filter: {} } });
    expect(contactDeletionPreview).toMatchObject({ contactCount: 0, confirmation: null });
  });

  it('answers alike for an unknown contact and for one of another organization', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    await fill(world, 1, 'Hilltop Society');
    const [theirs] = await liveIds(world, 'Hilltop Society');
    const admin = await world.as('Super admin');
    const answers = [unknownId, contactId(theirs!)].map((id) =>
      admin
        .request(ContactDeletionPreviewDocument, { input: { contactIds: [id] } })
        .catch((error: { code: string; message: string }) => [error.code, error.message]),
    );
    const [unknown, foreign] = await Promise.all(answers);
    expect(unknown).toEqual(['NOT_FOUND', 'There is no such contact. Nothing was changed. Check the id; it may have been deleted.']);
    expect(foreign).toEqual(unknown);
  });
});

describe('a small deletion', () => {
  it('is done when it answers: everything is gone, is counted, and is logged', async () => {
    await using world = await createWorld();
    await fill(world, 5);
    const ids = await liveIds(world);
    const { deletion, userErrors } = await deleteThem(world, { contactIds: ids.slice(0, 3).map(contactId) });
    expect(userErrors).toEqual([]);
    expect(deletion).toMatchObject({ state: 'COMPLETED', contactCount: 3, job: null, isRecoverable: true, reason });
    expect(await liveIds(world)).toEqual(ids.slice(3));
    const left = await everything(world);
    expect(left['note']).toHaveLength(6);
    expect(left['balance']).toHaveLength(2);
    const admin = await world.as('Super admin');
    const { deletion: taken } = await admin.request(DeletedContactsDocument, { id: deletion!.id });
    expect(taken.contacts.nodes.map((node) => node.id)).toEqual(ids.slice(0, 3).map(contactId));
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { targetId: contactId(ids[0]!) } });
    expect(actionLog.nodes[0]).toMatchObject({
      action: 'contacts.deleted',
      outcome: 'DONE',
      actorKind: 'STAFF',
      targetId: deletion!.id,
      targetCount: 3,
      reason,
      address: '127.0.0.1',
    });
    expect(actionLog.nodes[0]!.occurredAt).toMatch(/T\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('starts the 30 days at its commit, by the database clock', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    await deleteThem(world, { filter: {} });
    const { rows } = await world.owner.query<{ days: string; late: boolean }>(
      `select extract(epoch from recoverable_until - deleted_at) / 86400 as days, deleted_at > clock_timestamp() as late from deletion`,
    );
    expect(Number(rows[0]!.days)).toBeCloseTo(30, 4);
    expect(rows[0]!.late).toBe(false);
  });
});

describe('a large deletion', () => {
  it('runs as a job that is watched from its first row to its end', async () => {
    await using world = await createWorld();
    await fill(world, 2500);
    const { deletion } = await deleteThem(world, { filter: {} });
    expect(deletion).toMatchObject({ state: 'RUNNING', contactCount: 2500, deletedAt: null, job: { state: 'QUEUED', total: 2500 } });
    const admin = await world.as('Super admin');
    const seen: JobPartsFragment[] = [];
    const watching = (async () => {
      for await (const { jobProgress } of admin.subscribe(JobProgressDocument, { id: deletion!.job!.id })) seen.push(jobProgress);
    })();
    await runJobs(world);
    await watching;
    expect(seen.at(-1)).toMatchObject({ state: 'COMPLETED', done: 2500, total: 2500 });
    const done = seen.map((job) => job.done);
    expect(done).toEqual(done.toSorted((a, b) => a - b));
    expect(await liveIds(world)).toEqual([]);
    const { deletion: ended } = await admin.request(DeletionDocument, { id: deletion!.id });
    expect(ended).toMatchObject({ state: 'COMPLETED', contactCount: 2500, isRecoverable: true });
    expect(ended.rows).toContainEqual({ kind: 'Payment', count: 7500 });
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { action: 'contacts.deleted' } });
    expect(actionLog.nodes.map((entry) => entry.targetCount).toSorted((a, b) => a - b)).toEqual([500, 1000, 1000]);
  });

  it('is done once when two workers get the same job', async () => {
    await using world = await createWorld();
    await fill(world, 1500);
    await deleteThem(world, { filter: {} });
    await world.owner.query(
      `insert into graphile_worker._private_jobs (task_id, payload, max_attempts) select task_id, payload, 10 from graphile_worker._private_jobs`,
    );
    await Promise.all([runJobs(world), runJobs(world)]);
    const { rows } = await world.owner.query<{ contacts: number; entries: number }>(
      `select (select sum(contact_count)::int from snapshot_chunk) as contacts, (select count(*)::int from action_log where action = 'contacts.deleted') as entries`,
    );
    expect(rows[0]).toEqual({ contacts: 1500, entries: 2 });
  });
});

describe('a confirmation', () => {
  const refuse = async (
    make: (world: Awaited<ReturnType<typeof createWorld>>, confirmation: string) => Promise<{ confirmation: string; filter?: object }>,
  ): Promise<string> => {
    await using world = await createWorld();
    await fill(world, 2);
    const admin = await world.as('Super admin');
    const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: { filter: {} } });
    const before = await everything(world);
    const given = await make(world, contactDeletionPreview.confirmation!);
    const { deleteContacts } = await admin.request(DeleteContactsDocument, { input: { filter: {}, reason, ...given } });
    expect(deleteContacts.deletion).toBe(null);
    expect(await everything(world)).toEqual(before);
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { outcome: 'REFUSED' } });
    expect(actionLog.nodes.map((entry) => entry.code)).toContain(deleteContacts.userErrors[0]!.code);
    return deleteContacts.userErrors[0]!.code;
  };

  it('that was forged is refused', async () => {
    expect(await refuse(async (_world, confirmation) => ({ confirmation: `${confirmation.slice(0, -4)}AAAA` }))).toBe('CONFIRMATION_INVALID');
    expect(await refuse(async () => ({ confirmation: 'yes' }))).toBe('CONFIRMATION_INVALID');
  });

  it('that has expired is refused', async () => {
    const code = await refuse(async (world) => {
      const viewer = { id: '01900000-0000-7000-8000-000000000000', organization: { id: world.organizationId() } } as Parameters<typeof signConfirmation>[1];
      const { confirmation } = await signConfirmation(world.app, viewer, { digest: '', count: 2 }, new Date(Date.now() - 3_600_000));
      return { confirmation };
    });
    expect(code).toBe('CONFIRMATION_EXPIRED');
  });

  it('of someone else is refused', async () => {
    const code = await refuse(async (world) => {
      const other = await world.as('Admin');
      const { contactDeletionPreview } = await other.request(ContactDeletionPreviewDocument, { input: { filter: {} } });
      return { confirmation: contactDeletionPreview.confirmation! };
    });
    expect(code).toBe('CONFIRMATION_NOT_YOURS');
  });

  it('for other contacts is refused', async () => {
    expect(await refuse(async (_world, confirmation) => ({ confirmation, filter: { hasEmail: false } }))).toBe('CONFIRMATION_MISMATCH');
  });

  it('for contacts that have changed since is refused', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const admin = await world.as('Super admin');
    const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: { filter: {} } });
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, gen_random_uuid(), 'new', 'new')`, [
      world.organizationId(),
    ]);
    const input = { filter: {}, reason, confirmation: contactDeletionPreview.confirmation! };
    const { deleteContacts } = await admin.request(DeleteContactsDocument, { input });
    expect(deleteContacts.userErrors[0]).toMatchObject({ code: 'CONFIRMATION_MISMATCH', path: ['input', 'confirmation'] });
    expect(await liveIds(world)).toHaveLength(3);
  });

  it('works once, also when it is used ten times at once', async () => {
    await using world = await createWorld();
    await fill(world, 4);
    const [first] = await liveIds(world);
    const admin = await world.as('Super admin');
    const target = { contactIds: [contactId(first!)] };
    const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: target });
    const input = { ...target, reason, confirmation: contactDeletionPreview.confirmation! };
    const outcomes = await Promise.all(Array.from({ length: 10 }, () => admin.request(DeleteContactsDocument, { input })));
    const codes = outcomes.map(({ deleteContacts }) => deleteContacts.userErrors[0]?.code ?? 'DONE');
    expect(codes.toSorted()).toEqual([...Array.from({ length: 9 }, () => 'CONFIRMATION_USED'), 'DONE']);
    expect(await liveIds(world)).toHaveLength(3);
  });
});

describe('deletions', () => {
  it('are listed with the newest first and a countdown', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    for (const id of await liveIds(world)) await deleteThem(world, { contactIds: [contactId(id)] });
    const admin = await world.as('Super admin');
    const { deletions } = await admin.request(DeletionsDocument, { first: 2 });
    expect(deletions.nodes).toHaveLength(2);
    const rest = await admin.request(DeletionsDocument, { first: 2, after: deletions.pageInfo.endCursor });
    expect(rest.deletions.nodes).toHaveLength(1);
    expect(deletions.nodes[0]!.requestedAt > rest.deletions.nodes[0]!.requestedAt).toBe(true);
    expect(deletions.nodes.every((deletion) => deletion.isRecoverable && deletion.recoverableUntil)).toBe(true);
  });

  it('need a reason', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const { deleteContacts } = await admin.request(DeleteContactsDocument, { input: { filter: {}, confirmation: 'x', reason: '  ' } });
    expect(deleteContacts.userErrors[0]).toMatchObject({ code: 'BAD_REASON', path: ['input', 'reason'] });
  });
});
