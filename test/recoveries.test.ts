// Recovering: everything comes back as it was, once, for those who may and who have paid; what conflicts is named.
import { describe, expect, it } from 'vitest';
import {
  ActionLogDocument,
  ApproveRecoveryDocument,
  CancelRecoveryDocument,
  ConfirmPaymentDocument,
  RecoveryPlanDocument,
  RecoveryProgressDocument,
  type RecoveryProgressSubscription,
  RecoveryRequestDocument,
} from '../sdk/generated.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactId, deleteThem, everything, fill, liveIds, order, orderRecovery, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const unknownDeletion = encodeId('Deletion', '01900000-0000-7000-8000-000000000000');

/** Moves the deadline of every deletion into the past. */
const closeWindow = (world: World) =>
  world.owner.query(`update deletion set recoverable_until = clock_timestamp() - interval '1 second';
    update recovery_request set recoverable_until = clock_timestamp() - interval '1 second'`);

/** Deletes all contacts and orders their recovery. */
async function ordered(world: World): Promise<{ deletionId: string; requestId: string; invoiceId: string }> {
  const { deletion } = await deleteThem(world, { filter: {} });
  await runJobs(world);
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  return { deletionId: deletion!.id, requestId: recoveryRequest!.id, invoiceId: recoveryRequest!.invoice.id };
}

const refusalOf = (asking: Promise<unknown>): Promise<{ code: string }> =>
  asking.then(
    () => ({ code: 'NONE' }),
    (error: { code: string }) => error,
  );

describe('a recovery', () => {
  it('brings back every row of every table, to the byte, and every balance, to the cent', async () => {
    await using world = await createWorld();
    await fill(world, 2300);
    const before = await everything(world);
    const { requestId, invoiceId } = await ordered(world);
    expect((await everything(world))['ledger_entry']).toEqual([]);
    await pay(world, invoiceId);
    const admin = await world.as('Super admin');
    const seen: RecoveryProgressSubscription['recoveryProgress'][] = [];
    const watching = (async () => {
      for await (const { recoveryProgress } of admin.subscribe(RecoveryProgressDocument, { id: requestId })) seen.push(recoveryProgress);
    })();
    await runJobs(world);
    await watching;
    expect(await everything(world)).toEqual(before);
    expect(seen.at(-1)).toMatchObject({
      state: 'COMPLETED',
      restoredCount: 2300,
      conflictCount: 0,
      provenCount: 2300,
      job: { state: 'COMPLETED' },
    });
    const restored = seen.map((request) => request.restoredCount);
    expect(restored).toEqual(restored.toSorted((a, b) => a - b));
    const { recoveryRequest } = await admin.request(RecoveryRequestDocument, { id: requestId });
    expect(recoveryRequest.invoice).toMatchObject({
      state: 'PAID',
      amount: { amountMinor: 50_000, currency: 'USD' },
      paymentReference: 'transfer 4711',
    });
  });

  it('is logged at every step, and each contact leads to it', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [first] = await liveIds(world);
    const { invoiceId } = await ordered(world);
    await pay(world, invoiceId);
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { actionLog } = await admin.request(ActionLogDocument, { filter: {}, first: 100 });
    const told = actionLog.nodes.map((entry) => entry.action).filter((action) => !action.startsWith('staff.'));
    expect(told.toReversed()).toEqual([
      'contacts.deleted',
      'recovery.requested',
      'recovery.paid',
      'recovery.queued',
      'recovery.started',
      'contacts.recovered',
      'recovery.completed',
    ]);
    const { actionLog: ofContact } = await admin.request(ActionLogDocument, { filter: { targetId: contactId(first!) } });
    expect(ofContact.nodes.map((entry) => entry.action)).toEqual(['contacts.recovered', 'contacts.deleted']);
  });

  it('recreates a plan and a tag that are gone, and keeps the name of an author who left', async () => {
    await using world = await createWorld();
    await fill(world, 9);
    const { rows: staff } = await world.owner.query<{ id: string }>(
      `insert into staff_member (organization_id, id, name, email) values ($1, gen_random_uuid(), 'Ada Leaver', 'ada@riverside.example') returning id`,
      [world.organizationId()],
    );
    await world.owner.query(`update note set author_id = $1, author_name = 'Ada Leaver'`, [staff[0]!.id]);
    const before = await everything(world);
    const { invoiceId } = await ordered(world);
    await world.owner.query('delete from tag; delete from custom_field_definition; delete from membership_plan');
    await world.owner.query('delete from staff_member where id = $1', [staff[0]!.id]);
    await pay(world, invoiceId);
    await runJobs(world);
    const after = await everything(world);
    expect({ ...after, note: [] }).toEqual({ ...before, note: [] });
    expect(after['note']).toEqual(before['note']!.map((note) => note.replace(`"author_id": "${staff[0]!.id}"`, '"author_id": null')).toSorted());
  });

  it('that recovers nothing refunds itself', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { rows } = await world.owner.query<{ id: string }>('select id from contact');
    const { requestId, invoiceId } = await ordered(world);
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'x', 'x')`, [
      world.organizationId(),
      rows[0]!.id,
    ]);
    await pay(world, invoiceId);
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { recoveryRequest } = await admin.request(RecoveryRequestDocument, { id: requestId });
    expect(recoveryRequest).toMatchObject({ state: 'FAILED', failure: { code: 'NOTHING_RECOVERED' }, invoice: { state: 'REFUNDED' } });
  });

  it('is done once when two workers get the same job', async () => {
    await using world = await createWorld();
    await fill(world, 2100);
    const before = await everything(world);
    const { requestId, invoiceId } = await ordered(world);
    await pay(world, invoiceId);
    await world.owner.query(
      `insert into graphile_worker._private_jobs (task_id, payload, max_attempts) select task_id, payload, 10 from graphile_worker._private_jobs`,
    );
    await Promise.all([runJobs(world), runJobs(world)]);
    expect(await everything(world)).toEqual(before);
    const admin = await world.as('Super admin');
    const { recoveryRequest } = await admin.request(RecoveryRequestDocument, { id: requestId });
    expect(recoveryRequest).toMatchObject({ state: 'COMPLETED', restoredCount: 2100, conflictCount: 0 });
  });
});

describe('the plan', () => {
  it('tells counts, balances, fee and deadline, and changes nothing', async () => {
    await using world = await createWorld();
    await fill(world, 4);
    const { deletion } = await deleteThem(world, { filter: {} });
    const before = await everything(world);
    const admin = await world.as('Super admin');
    const { recoveryPlan } = await admin.request(RecoveryPlanDocument, { input: whole(deletion!.id) });
    expect(recoveryPlan).toMatchObject({
      contactCount: 4,
      conflictCount: 0,
      fee: { amountMinor: 50_000, currency: 'USD' },
      recoverableUntil: deletion!.recoverableUntil,
    });
    expect(recoveryPlan.rows).toContainEqual({ kind: 'Note', count: 12 });
    expect(recoveryPlan.estimatedSeconds).toBeGreaterThan(0);
    expect(await everything(world)).toEqual(before);
  });
});

describe('an order', () => {
  it('with the same key is the same order, and is billed once', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletion } = await deleteThem(world, { filter: {} });
    const orders = await Promise.all(Array.from({ length: 5 }, () => orderRecovery(world, deletion!.id)));
    expect(new Set(orders.map((order) => order.recoveryRequest!.id)).size).toBe(1);
    const { rows } = await world.owner.query('select 1 from invoice');
    expect(rows).toHaveLength(1);
  });

  it('for a deletion that has one is refused', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletionId, invoiceId } = await ordered(world);
    expect((await orderRecovery(world, deletionId, 'another-key')).userErrors[0]!.code).toBe('ALREADY_REQUESTED');
    await pay(world, invoiceId);
    await runJobs(world);
    expect((await orderRecovery(world, deletionId, 'a-third-key')).userErrors[0]!.code).toBe('ALREADY_REQUESTED');
  });

  it('with a used key for another deletion is refused', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const [one, two] = (await liveIds(world)).map(contactId);
    const first = await deleteThem(world, { contactIds: [one!] });
    const second = await deleteThem(world, { contactIds: [two!] });
    await orderRecovery(world, first.deletion!.id, 'the-same-key');
    expect((await orderRecovery(world, second.deletion!.id, 'the-same-key')).userErrors[0]!.code).toBe('IDEMPOTENCY_KEY_REUSED');
  });

  it('on the FREE plan is refused', async () => {
    await using world = await createWorld();
    await fill(world, 1, 'Hilltop Society');
    const { deletion } = await deleteThem(world, { filter: {} }, 'Hilltop Society');
    const admin = await world.as('Super admin', 'Hilltop Society');
    expect((await refusalOf(order(admin, whole(deletion!.id), 'some-key'))).code).toBe('PLAN_REQUIRED');
    expect((await world.owner.query('select 1 from recovery_request')).rows).toEqual([]);
  });

  it('past the window is refused', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletion } = await deleteThem(world, { filter: {} });
    await closeWindow(world);
    expect((await refusalOf(orderRecovery(world, deletion!.id))).code).toBe('RECOVERY_WINDOW_CLOSED');
  });

  it('for an unknown deletion and for one of another organization gets the same answer', async () => {
    await using world = await createWorld();
    await fill(world, 1, 'Hilltop Society');
    const { deletion } = await deleteThem(world, { filter: {} }, 'Hilltop Society');
    const [unknown, foreign] = [await refusalOf(orderRecovery(world, unknownDeletion)), await refusalOf(orderRecovery(world, deletion!.id))];
    expect(unknown.code).toBe('NOT_FOUND');
    expect({ ...foreign, requestId: '', errors: [] }).toEqual({ ...unknown, requestId: '', errors: [] });
  });

  it('can be cancelled before it begins, and is refunded', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { deletionId, requestId, invoiceId } = await ordered(world);
    await pay(world, invoiceId);
    const admin = await world.as('Super admin');
    const { cancelRecovery } = await admin.request(CancelRecoveryDocument, { input: { id: requestId } });
    expect(cancelRecovery.recoveryRequest).toMatchObject({ state: 'CANCELLED', invoice: { state: 'REFUNDED' } });
    await runJobs(world);
    expect(await liveIds(world)).toEqual([]);
    const again = await admin.request(CancelRecoveryDocument, { input: { id: requestId } });
    expect(again.cancelRecovery.userErrors[0]!.code).toBe('NOT_CANCELLABLE');
    expect((await orderRecovery(world, deletionId, 'a-new-key')).recoveryRequest).toMatchObject({ state: 'AWAITING_PAYMENT' });
  });
});

describe('a payment', () => {
  it('is what a recovery waits for', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { requestId } = await ordered(world);
    await runJobs(world);
    expect(await liveIds(world)).toEqual([]);
    const admin = await world.as('Super admin');
    const { recoveryRequest } = await admin.request(RecoveryRequestDocument, { id: requestId });
    expect(recoveryRequest).toMatchObject({ state: 'AWAITING_PAYMENT', job: null, invoice: { state: 'OPEN' } });
    expect(recoveryRequest.invoice.instructions).toContain('500.00 USD');
  });

  it('counts once', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { invoiceId } = await ordered(world);
    await pay(world, invoiceId);
    await expect(pay(world, invoiceId)).rejects.toThrow(/The invoice is PAID/);
    expect((await world.owner.query('select 1 from job')).rows).toHaveLength(1);
  });

  it('after the deadline is not taken, and the request has expired', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const { requestId, invoiceId } = await ordered(world);
    await closeWindow(world);
    await expect(pay(world, invoiceId)).rejects.toThrow(/The payment was not taken/);
    const admin = await world.as('Super admin');
    const { recoveryRequest } = await admin.request(RecoveryRequestDocument, { id: requestId });
    expect(recoveryRequest).toMatchObject({ state: 'EXPIRED', invoice: { state: 'VOID' } });
  });

  it('of an unknown invoice is not found', async () => {
    await using world = await createWorld();
    const operator = await world.as('Operator');
    const input = {
      organizationId: encodeId('Organization', world.organizationId()),
      invoiceId: encodeId('Invoice', '01900000-0000-7000-8000-000000000000'),
      reference: 'x',
    };
    expect((await refusalOf(operator.request(ConfirmPaymentDocument, { input }))).code).toBe('NOT_FOUND');
  });

  it('waits for an operator where the policy asks for one', async () => {
    await using world = await createWorld({ settings: { RECOVERY_APPROVAL: 'true' } });
    await fill(world, 1);
    const { requestId, invoiceId } = await ordered(world);
    await pay(world, invoiceId);
    const admin = await world.as('Super admin');
    expect((await admin.request(RecoveryRequestDocument, { id: requestId })).recoveryRequest.state).toBe('AWAITING_APPROVAL');
    const operator = await world.as('Operator');
    const input = { organizationId: encodeId('Organization', world.organizationId()), id: requestId };
    expect((await operator.request(ApproveRecoveryDocument, { input })).approveRecovery.userErrors).toEqual([]);
    expect((await operator.request(ApproveRecoveryDocument, { input })).approveRecovery.userErrors[0]!.code).toBe('NOT_AWAITING_APPROVAL');
    await runJobs(world);
    expect(await liveIds(world)).toHaveLength(1);
  });
});
