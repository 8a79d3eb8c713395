// Something live stands where a recovered contact wants to be: each policy does what it says, nothing is doubled, nothing
// is lost, no cent is off, and one conflict never stops the others.
import { describe, expect, it } from 'vitest';
import {
  ActionLogDocument,
  type ConflictPolicy,
  RecoveryPlanDocument,
  type RecoveryPlanQuery,
  RecoveryRequestDocument,
  type RecoveryRequestQuery,
} from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { hire } from './custom-roles.ts';
import { contactId, deleteThem, everything, expectBalancesToBeSums, fill, liveIds, order, orderRecovery, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

interface Gone {
  id: string;
  email: string;
  number: string;
}

/** Contacts that were deleted, those with an email first. */
async function deleted(world: World, count: number): Promise<{ deletionId: string; gone: Gone[]; before: Record<string, string[]> }> {
  await fill(world, count);
  const { rows } = await world.owner.query<Gone>(
    `select id, email_normalized as email, member_number as number from contact order by email_normalized is null or member_number is null, id`,
  );
  const before = await everything(world);
  const { deletion } = await deleteThem(world, { filter: {} });
  await runJobs(world);
  return { deletionId: deletion!.id, gone: rows, before };
}

interface Live {
  id?: string;
  email?: string | null;
  number?: string | null;
  lastName?: string;
}

/** Someone live. */
async function settle(world: World, { id, email = null, number = null, lastName = 'Live' }: Live): Promise<string> {
  const { rows } = await world.owner.query<{ id: string }>(
    `insert into contact (organization_id, id, email, email_normalized, member_number, last_name, sort_name, search_text)
     values ($1, coalesce($2, gen_random_uuid()), $3, $3, $4, $5, lower($5), lower($5)) returning id`,
    [world.organizationId(), id ?? null, email, number, lastName],
  );
  return rows[0]!.id;
}

/** Orders, pays and runs a recovery of the deletion. */
async function recover(
  world: World,
  deletionId: string,
  policies: { conflictPolicy?: ConflictPolicy; overrides?: { contactId: string; policy: ConflictPolicy }[] } = {},
): Promise<RecoveryRequestQuery['recoveryRequest']> {
  const { recoveryRequest } = await orderRecovery(world, deletionId, undefined, policies);
  await pay(world, recoveryRequest!.invoice.id);
  await runJobs(world);
  return (await (await world.as('Super admin')).request(RecoveryRequestDocument, { id: recoveryRequest!.id })).recoveryRequest;
}

const rowsOf = async <Row extends object>(world: World, table: string, contact: string): Promise<Row[]> =>
  (await world.owner.query<Row>(`select * from ${table} where contact_id = $1 order by 2`, [contact])).rows;
const contactOf = async (world: World, id: string) => (await world.owner.query(`select * from contact where id = $1`, [id])).rows[0] as Record<string, unknown>;

describe('without a policy', () => {
  it('an email is merged, a member number left out, a live id skipped, and all others come back', async () => {
    await using world = await createWorld();
    const { deletionId, gone, before } = await deleted(world, 8);
    const [byEmail, byNumber, byId] = gone as [Gone, Gone, Gone];
    const live = [await settle(world, { email: byEmail.email }), await settle(world, { number: byNumber.number }), await settle(world, { id: byId.id })];
    const conflicts = [
      { contactId: contactId(byEmail.id), kind: 'SAME_EMAIL', policy: 'MERGE', liveContactId: contactId(live[0]!) },
      { contactId: contactId(byNumber.id), kind: 'SAME_MEMBER_NUMBER', policy: 'RESTORE_WITHOUT_EMAIL', liveContactId: contactId(live[1]!) },
      { contactId: contactId(byId.id), kind: 'SAME_ID', policy: 'SKIP', liveContactId: contactId(byId.id) },
    ].toSorted((a, b) => (decodeId('Contact', a.contactId) < decodeId('Contact', b.contactId) ? -1 : 1));
    const admin = await world.as('Super admin');
    const { recoveryPlan } = await admin.request(RecoveryPlanDocument, { input: whole(deletionId) });
    expect(recoveryPlan.conflictCount).toBe(3);
    expect(recoveryPlan.conflicts.nodes).toMatchObject(conflicts);
    const request = await recover(world, deletionId);
    expect(request).toMatchObject({
      state: 'COMPLETED',
      restoredCount: 6,
      mergedCount: 1,
      skippedCount: 1,
      replacedCount: 0,
      conflictCount: 3,
      provenCount: 7,
    });
    expect(request.conflicts.nodes).toEqual(conflicts);
    expect(await contactOf(world, byNumber.id)).toMatchObject({ member_number: null, email_normalized: byNumber.email });
    expect(await contactOf(world, byEmail.id)).toBeUndefined();
    expect(await rowsOf(world, 'note', live[0]!)).toHaveLength(3);
    expect(await rowsOf(world, 'note', byId.id)).toHaveLength(0);
    const after = await everything(world);
    const others = (rows: string[]) => rows.filter((row) => ![byEmail, byNumber, byId].some(({ id }) => row.includes(id)));
    for (const table of Object.keys(before)) expect(after[table]).toEqual(expect.arrayContaining(others(before[table]!)));
    await expectBalancesToBeSums(world);
  });

  it('the plan shows both sides to those who may see contacts', async () => {
    await using world = await createWorld();
    const { deletionId, gone } = await deleted(world, 3);
    await settle(world, { email: gone[0]!.email, lastName: 'Newcomer' });
    const admin = await world.as('Super admin');
    const input = { input: whole(deletionId) };
    const [conflict] = (await admin.request(RecoveryPlanDocument, input)).recoveryPlan.conflicts.nodes;
    expect(conflict).toMatchObject({ recovered: { id: contactId(gone[0]!.id), email: gone[0]!.email }, live: { lastName: 'Newcomer' } });
    const blind = await hire(world, 'recovery:read');
    await expect(blind.client.request(RecoveryPlanDocument, input)).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  it('conflicts are paged in order of contact', async () => {
    await using world = await createWorld();
    const { deletionId, gone } = await deleted(world, 30);
    for (const { email } of gone.slice(0, 7)) await settle(world, { email });
    const admin = await world.as('Super admin');
    const seen: string[] = [];
    for (let after: string | null = null; ;) {
      const { conflicts }: RecoveryPlanQuery['recoveryPlan'] = (await admin.request(RecoveryPlanDocument, { input: whole(deletionId), first: 3, after }))
        .recoveryPlan;
      seen.push(...conflicts.nodes.map((node) => decodeId('Contact', node.contactId)));
      after = conflicts.pageInfo.endCursor;
      if (!conflicts.pageInfo.hasNextPage) break;
    }
    expect(seen).toEqual(
      gone
        .slice(0, 7)
        .map(({ id }) => id)
        .toSorted(),
    );
  });
});

describe('MERGE', () => {
  it('moves the history onto the live contact without doubling what is the same, and the balance adds up', async () => {
    await using world = await createWorld();
    const { deletionId, gone } = await deleted(world, 4);
    const [one] = gone as [Gone];
    const live = await settle(world, { email: one.email, lastName: 'Keeps this' });
    const organizationId = world.organizationId();
    const insertPayment = `insert into payment (organization_id, id, contact_id, amount_minor, currency, method, paid_at) values ($1, gen_random_uuid(), $2, 700, 'USD', 'CASH', '2026-01-02T00:00:00Z')`;
    await world.owner.query(insertPayment, [organizationId, live]);
    await world.owner.query(
      `insert into ledger_entry (organization_id, id, contact_id, payment_id, kind, amount_minor, currency, description, occurred_at)
       select $1, gen_random_uuid(), $2, id, 'PAYMENT', 700, 'USD', 'Cash', '2026-01-02T00:00:00Z' from payment where contact_id = $2`,
      [organizationId, live],
    );
    await world.owner.query(`insert into balance (organization_id, contact_id, currency, amount_minor) values ($1, $2, 'USD', 700)`, [organizationId, live]);
    const request = await recover(world, deletionId);
    expect(request).toMatchObject({ state: 'COMPLETED', mergedCount: 1, restoredCount: 3 });
    expect(await contactOf(world, live)).toMatchObject({ last_name: 'Keeps this', member_number: one.number, email_normalized: one.email, version: 2 });
    expect((await contactOf(world, live))['first_name']).toEqual(expect.any(String));
    const found = await world.owner.query('select 1 from contact where search_text like $1 and id = $2', [`%${one.number.toLowerCase()}%`, live]);
    expect(found.rowCount).toBe(1);
    expect(await rowsOf(world, 'note', live)).toHaveLength(3);
    expect(await rowsOf(world, 'payment', live)).toHaveLength(4);
    expect(await rowsOf(world, 'ledger_entry', live)).toHaveLength(5);
    await expectBalancesToBeSums(world);
    const { actionLog } = await (await world.as('Super admin')).request(ActionLogDocument, { filter: { targetId: contactId(live) } });
    expect(actionLog.nodes.map(({ action }) => action)).toEqual(['contact.merged']);
  });

  it('takes what is equal but for its id once, and pairs the n-th of equal rows with the n-th', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const organizationId = world.organizationId();
    const { rows } = await world.owner.query<Gone>('select id, email_normalized as email from contact where email is not null limit 1');
    const one = rows[0]!;
    const note = (contact: string, body: string) =>
      world.owner.query(`insert into note (organization_id, id, contact_id, author_name, body) values ($1, gen_random_uuid(), $2, 'Ada', $3)`, [
        organizationId,
        contact,
        body,
      ]);
    for (const body of ['twice', 'twice', 'once', 'only then']) await note(one.id, body);
    const { deletion } = await deleteThem(world, { contactIds: [contactId(one.id)] });
    const live = await settle(world, { email: one.email });
    for (const body of ['twice', 'once', 'once', 'only now']) await note(live, body);
    await recover(world, deletion!.id);
    const { rows: notes } = await world.owner.query<{ body: string; n: number }>(
      `select body, count(*)::int as n from note where contact_id = $1 and author_name = 'Ada' group by body order by body`,
      [live],
    );
    expect(notes).toEqual([
      { body: 'once', n: 2 },
      { body: 'only now', n: 1 },
      { body: 'only then', n: 1 },
      { body: 'twice', n: 2 },
    ]);
    await expectBalancesToBeSums(world);
  });

  it('of a payment that was written down again takes its ledger entry along to the live payment', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    await world.owner.query(`update contact set email = 'one@example.org', email_normalized = 'one@example.org'`);
    const [one] = (await liveIds(world)) as [string];
    const copyOnto = async (live: string, tables: string[]) => {
      // Each row under a new id, pointing to the new ids of what it pointed to.
      for (const table of tables) {
        const { rows: columns } = await world.owner.query<{ name: string }>(
          `select column_name as name from information_schema.columns where table_name = $1 and column_name not in ('id', 'contact_id')`,
          [table],
        );
        const shifted = columns.map(({ name }) => (['payment_id', 'membership_id'].includes(name) ? `md5(${name}::text)::uuid` : `"${name}"`));
        await world.owner.query(
          `insert into ${table} (id, contact_id, ${columns.map(({ name }) => `"${name}"`).join(', ')}) select md5(id::text)::uuid, $1, ${shifted.join(', ')} from saved_${table}`,
          [live],
        );
      }
    };
    const tables = ['membership', 'payment', 'ledger_entry'];
    for (const table of tables) await world.owner.query(`create table saved_${table} as select * from ${table}`);
    const before = await everything(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    const live = await settle(world, { email: 'one@example.org' });
    await copyOnto(live, tables);
    await world.owner.query(
      `insert into balance (organization_id, contact_id, currency, amount_minor) select organization_id, contact_id, currency, sum(amount_minor) from ledger_entry group by 1, 2, 3`,
    );
    const request = await recover(world, deletion!.id);
    expect(request).toMatchObject({ mergedCount: 1 });
    const after = await everything(world);
    for (const table of tables) expect(after[table]).toHaveLength(before[table]!.length);
    const { rows } = await world.owner.query(
      'select 1 from ledger_entry l left join payment p on p.id = l.payment_id where l.payment_id is not null and p.id is null',
    );
    expect(rows).toEqual([]);
    expect(after['note']).toHaveLength(before['note']!.length);
    expect(one).not.toBe(live);
    await expectBalancesToBeSums(world);
  });

  it('of a contact that is live itself adds what it has lost, and keeps what it has', async () => {
    await using world = await createWorld();
    const { deletionId, gone, before } = await deleted(world, 2);
    await recover(world, deletionId);
    expect(await everything(world)).toEqual(before);
    const [one] = gone as [Gone];
    const again = await deleteThem(world, { contactIds: [contactId(one.id)] });
    await settle(world, { id: one.id, email: one.email, lastName: 'Came by another way' });
    const request = await recover(world, again.deletion!.id, { conflictPolicy: 'MERGE' });
    expect(request).toMatchObject({ mergedCount: 1, restoredCount: 0 });
    const after = await everything(world);
    for (const table of ['note', 'activity', 'membership', 'payment', 'ledger_entry', 'contact_tag']) expect(after[table]).toEqual(before[table]);
    expect(await contactOf(world, one.id)).toMatchObject({ last_name: 'Came by another way' });
    await expectBalancesToBeSums(world);
  });
});

describe('RESTORE_WITHOUT_EMAIL', () => {
  it('brings the contact back beside the live one, whole but for what is taken, and findable as it is now', async () => {
    await using world = await createWorld();
    const { deletionId, gone, before } = await deleted(world, 3);
    const [one] = gone as [Gone];
    const live = await settle(world, { email: one.email });
    const request = await recover(world, deletionId, { conflictPolicy: 'RESTORE_WITHOUT_EMAIL' });
    expect(request).toMatchObject({ restoredCount: 3, skippedCount: 0, conflictCount: 1, conflictPolicy: 'RESTORE_WITHOUT_EMAIL' });
    expect(await contactOf(world, one.id)).toMatchObject({ email: null, email_normalized: null, member_number: one.number });
    expect((await contactOf(world, one.id))['search_text']).not.toContain(one.email);
    expect(await contactOf(world, live)).toMatchObject({ email_normalized: one.email, version: 1 });
    const after = await everything(world);
    for (const table of Object.keys(before).filter((name) => name !== 'contact')) expect(after[table]).toEqual(before[table]);
  });
});

describe('REPLACE', () => {
  it('puts the contact in the place of the live one, which is kept in a safety snapshot', async () => {
    await using world = await createWorld();
    const { deletionId, gone, before } = await deleted(world, 3);
    const [one] = gone as [Gone];
    const live = await settle(world, { email: one.email });
    await world.owner.query(`insert into note (organization_id, id, contact_id, author_name, body) values ($1, gen_random_uuid(), $2, 'Ada', 'Goes')`, [
      world.organizationId(),
      live,
    ]);
    const request = await recover(world, deletionId, { overrides: [{ contactId: contactId(one.id), policy: 'REPLACE' }] });
    expect(request).toMatchObject({ restoredCount: 3, replacedCount: 1, skippedCount: 0 });
    expect(await everything(world)).toEqual(before);
    const { rows } = await world.owner.query<{ ids: string[] }>(
      `select k.contact_ids as ids from snapshot s join snapshot_chunk k on k.snapshot_id = s.id where s.kind = 'SAFETY' order by k.number limit 1`,
    );
    expect(rows[0]!.ids).toEqual([live]);
    const { actionLog } = await (await world.as('Super admin')).request(ActionLogDocument, { filter: { targetId: contactId(live) } });
    expect(actionLog.nodes.map(({ action }) => action)).toEqual(['contact.replaced']);
  });

  it('of a contact that is live itself puts everything back to how it was deleted', async () => {
    await using world = await createWorld();
    const { deletionId, gone, before } = await deleted(world, 2);
    await settle(world, { id: gone[0]!.id, lastName: 'Someone else entirely' });
    const request = await recover(world, deletionId, { conflictPolicy: 'REPLACE' });
    expect(request).toMatchObject({ restoredCount: 2, replacedCount: 1 });
    expect(await everything(world)).toEqual(before);
  });

  it('takes the permission to delete', async () => {
    await using world = await createWorld();
    const { deletionId } = await deleted(world, 1);
    const buyer = await hire(world, 'recovery:read', 'payments:read', 'recovery:request');
    const { userErrors } = await order(buyer.client, { ...whole(deletionId), conflictPolicy: 'REPLACE' }, 'replace-key');
    expect(userErrors.map(({ code }) => code)).toEqual(['FORBIDDEN_POLICY']);
  });
});

describe('what contacts refer to', () => {
  it('and was made anew under the same name is used, not doubled', async () => {
    await using world = await createWorld();
    const { deletionId, before } = await deleted(world, 9);
    const organizationId = world.organizationId();
    await world.owner.query('delete from tag; delete from custom_field_definition');
    await world.owner.query(`insert into tag (organization_id, id, name) values ($1, gen_random_uuid(), 'newsletter')`, [organizationId]);
    await world.owner.query(
      `insert into custom_field_definition (organization_id, id, key, label, kind) values ($1, gen_random_uuid(), 'shirt', 'Shirt', 'TEXT')`,
      [organizationId],
    );
    const admin = await world.as('Super admin');
    const { recoveryPlan } = await admin.request(RecoveryPlanDocument, { input: whole(deletionId) });
    expect(recoveryPlan.recreated.toSorted((a, b) => a.kind.localeCompare(b.kind))).toEqual([
      { kind: 'CustomFieldDefinition', name: 'shirt' },
      { kind: 'Tag', name: 'newsletter' },
    ]);
    expect(await recover(world, deletionId)).toMatchObject({ state: 'COMPLETED', restoredCount: 9 });
    const { rows } = await world.owner.query(`select t.name, count(*)::int as n from tag t join contact_tag l on l.tag_id = t.id group by t.name`);
    expect(rows).toEqual([{ name: 'newsletter', n: 3 }]);
    const after = await everything(world);
    for (const table of ['contact', 'note', 'payment', 'ledger_entry', 'balance']) expect(after[table]).toEqual(before[table]);
    expect(after['custom_field_value']).toHaveLength(3);
  });
});
