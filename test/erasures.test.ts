// Erasing contacts for good, live and deleted ones, and the certificate of it.
import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  ActionLogDocument,
  ContactDocument,
  ContactErasurePreviewDocument,
  ContactDeletionPreviewDocument,
  DeleteContactsDocument,
  DeletionDocument,
  EraseContactsDocument,
  ErasureDocument,
  ErasuresDocument,
  RecoveryPlanDocument,
  RecoveryRequestDocument,
} from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { readChunk, readStoredChunk } from '../src/snapshots/restore.ts';
import { eraseThem, places } from './erasing.ts';
import { contactId, deleteThem, everything, fill, liveIds, orderRecovery, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const refusalOf = (asking: Promise<unknown>): Promise<{ code: string; message?: string }> =>
  asking.then(
    () => ({ code: 'NONE' }),
    (error: { code: string; message: string }) => ({ code: error.code, message: error.message }),
  );

/** The rows of the contact, in every table of the graph. */
const rowsOf = async (world: World, id: string) => Object.values(await everything(world)).flatMap((rows) => rows.filter((row) => row.includes(id)));

describe('erasing a live contact', () => {
  it('takes it with all it owns when it answers, keeps the others as they were, and is logged', async () => {
    await using world = await createWorld();
    await fill(world, 4);
    const [first, ...others] = await liveIds(world);
    const before = await everything(world);
    const { erasure, userErrors } = await eraseThem(world, [first!]);
    expect(userErrors).toEqual([]);
    expect(erasure).toMatchObject({ kind: 'ARTICLE_17', legalGround: 'CONSENT_WITHDRAWN', subjectCount: 1, requestedByKind: 'STAFF' });
    expect(erasure!.rows).toContainEqual({ kind: 'Note', count: 3 });
    expect(await rowsOf(world, first!)).toEqual([]);
    expect(await liveIds(world)).toEqual(others);
    const after = await everything(world);
    for (const [table, rows] of Object.entries(before)) expect(after[table]).toEqual(rows.filter((row) => !row.includes(first!)));
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { erasure: ended } = await admin.request(ErasureDocument, { id: erasure!.id });
    expect(ended).toMatchObject({ state: 'COMPLETED', job: { state: 'COMPLETED' }, stores: [], certificate: { isValid: true } });
    expect(ended.subjects.nodes).toEqual([{ id: contactId(first!) }]);
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { targetId: erasure!.id } });
    expect(actionLog.nodes.map(({ action, targetCount }) => [action, targetCount])).toEqual([
      ['erasure.completed', 1],
      ['contacts.erased', 1],
    ]);
    expect(await refusalOf(admin.request(ContactDocument, { id: contactId(first!) }))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('cannot be done with the confirmation of a deletion, nor a deletion with that of an erasure', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const contactIds = (await liveIds(world)).map(contactId);
    const admin = await world.as('Super admin');
    const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: { contactIds } });
    const { contactErasurePreview } = await admin.request(ContactErasurePreviewDocument, { input: { contactIds } });
    const erased = await admin.request(EraseContactsDocument, {
      input: { contactIds, legalGround: 'OBJECTION', reason: 'x', confirmation: contactDeletionPreview.confirmation! },
    });
    const deleted = await admin.request(DeleteContactsDocument, { input: { contactIds, reason: 'x', confirmation: contactErasurePreview.confirmation } });
    expect(erased.eraseContacts.userErrors).toMatchObject([{ code: 'CONFIRMATION_INVALID', path: ['input', 'confirmation'] }]);
    expect(deleted.deleteContacts.userErrors).toMatchObject([{ code: 'CONFIRMATION_INVALID' }]);
    expect(await liveIds(world)).toHaveLength(1);
  });

  it('takes a confirmation of exactly these contacts, of this person, and once', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [one, two] = (await liveIds(world)).map(contactId);
    const [admin, other] = [await world.as('Super admin'), await world.as('Admin')];
    const { contactErasurePreview } = await admin.request(ContactErasurePreviewDocument, { input: { contactIds: [one!] } });
    expect(contactErasurePreview).toMatchObject({ contactCount: 1, liveCount: 1 });
    const input = { legalGround: 'OBJECTION', reason: 'Asked for it', confirmation: contactErasurePreview.confirmation } as const;
    const codeOf = async (client: typeof admin, contactIds: string[]) =>
      (await client.request(EraseContactsDocument, { input: { ...input, contactIds } })).eraseContacts.userErrors[0]?.code;
    expect(await codeOf(admin, [one!, two!])).toBe('CONFIRMATION_MISMATCH');
    expect(await codeOf(other, [one!])).toBe('CONFIRMATION_NOT_YOURS');
    expect(await liveIds(world)).toHaveLength(3);
    const codes = await Promise.all(Array.from({ length: 5 }, () => codeOf(admin, [one!])));
    expect(codes.filter((code) => code === undefined)).toHaveLength(1);
    expect(codes.filter((code) => code === 'CONFIRMATION_USED')).toHaveLength(4);
    expect(await liveIds(world)).toHaveLength(2);
  });

  it('needs 1 to 1,000 contacts and a reason', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    expect(await refusalOf(admin.request(ContactErasurePreviewDocument, { input: { contactIds: [] } }))).toMatchObject({ code: 'BAD_TARGET' });
    const input = { legalGround: 'OBJECTION', reason: ' ', confirmation: 'x' } as const;
    const contactIds = [contactId('01900000-0000-7000-8000-000000000000')];
    expect((await admin.request(EraseContactsDocument, { input: { ...input, contactIds } })).eraseContacts.userErrors).toMatchObject([{ code: 'BAD_REASON' }]);
  });

  it('of another organization reads like one that does not exist, and so does one that was erased', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    await fill(world, 1, 'Hilltop Society');
    const [mine] = await liveIds(world);
    const [theirs] = await liveIds(world, 'Hilltop Society');
    await eraseThem(world, [mine!]);
    const [unknown, foreign, erased] = await Promise.all(
      ['01900000-0000-7000-8000-000000000000', theirs!, mine!].map((id) => refusalOf(eraseThem(world, [id]))),
    );
    expect(unknown).toEqual({ code: 'NOT_FOUND', message: 'There is no such contact. Nothing was changed. Check the id; it may have been deleted.' });
    expect(foreign).toEqual(unknown);
    expect(erased).toEqual(unknown);
    expect(await liveIds(world, 'Hilltop Society')).toEqual([theirs]);
  });
});

describe('erasing a deleted contact', () => {
  it('takes it out of every stored copy and leaves the others recoverable, to the byte', async () => {
    await using world = await createWorld();
    await fill(world, 6);
    const before = await everything(world);
    const all = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    const [first, second] = all;
    const { erasure } = await eraseThem(world, [first!, second!]);
    const organizationId = world.organizationId();
    const { rows: snapshots } = await world.owner.query<{ id: string }>('select id from snapshot');
    const name = { organizationId, snapshotId: snapshots[0]!.id, number: 1 };
    const open = (how: typeof readChunk) => world.app.database.transact(organizationId, (tx) => how(tx, world.app, name));
    // From the commit on, although the copy is still there.
    expect((await open(readStoredChunk)).digests.size).toBe(6);
    expect([...(await open(readChunk)).digests.keys()]).toEqual(all.slice(2));
    await runJobs(world);
    expect([...(await open(readStoredChunk)).digests.keys()]).toEqual(all.slice(2));
    const admin = await world.as('Super admin');
    const { erasure: ended } = await admin.request(ErasureDocument, { id: erasure!.id });
    expect(ended).toMatchObject({ state: 'COMPLETED', subjectCount: 2, stores: [{ store: 'POSTGRES', removed: 0, rewritten: 1 }], destroyedKeys: [] });
    expect(ended.rows).toEqual(
      expect.arrayContaining([
        { kind: 'Contact', count: 2 },
        { kind: 'Note', count: 6 },
      ]),
    );
    const { deletion: left } = await admin.request(DeletionDocument, { id: deletion!.id });
    expect(left).toMatchObject({ contactCount: 4, reason: null, isRecoverable: true });
    expect(left.rows).toContainEqual({ kind: 'Note', count: 12 });
    for (const [targetId, actions] of [
      [deletion!.id, ['contacts.deleted']],
      [erasure!.id, ['erasure.completed', 'contacts.erased']],
    ] as const) {
      const { actionLog } = await admin.request(ActionLogDocument, { filter: { targetId } });
      expect(actionLog.nodes.map(({ action, reason }) => [action, reason])).toEqual(actions.map((action) => [action, null]));
    }
    const owed = before['balance']!.filter((row) => !row.includes(first!) && !row.includes(second!)).map((row) => JSON.parse(row) as { amount_minor: number });
    expect(left.balances).toEqual([{ currency: 'USD', amountMinor: owed.reduce((sum, row) => sum + row.amount_minor, 0) }]);
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    const { recoveryRequest: recovered } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
    expect(recovered).toMatchObject({ state: 'COMPLETED', restoredCount: 4, conflictCount: 0, provenCount: 4 });
    const after = await everything(world);
    for (const [table, rows] of Object.entries(before)) expect(after[table]).toEqual(rows.filter((row) => !row.includes(first!) && !row.includes(second!)));
  });

  it('before its job has run is not brought back by a recovery, which accounts for it', async () => {
    await using world = await createWorld();
    await fill(world, 5);
    const all = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await eraseThem(world, [all[2]!]);
    // The recovery was queued first.
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { recoveryRequest: recovered } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
    expect(recovered).toMatchObject({ state: 'COMPLETED', restoredCount: 4, provenCount: 4 });
    expect(await liveIds(world)).toEqual(all.filter((id) => id !== all[2]));
    expect((await places(world, all))[all[2]!]).toEqual(['erased']);
  });

  it('of a deletion that is still at work is safe: nothing of it is left', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '1' } });
    await fill(world, 30);
    const all = await liveIds(world);
    await deleteThem(world, { filter: {} });
    const chosen = [all[0]!, all[13]!, all[29]!];
    await Promise.all([runJobs(world), eraseThem(world, chosen)]);
    await runJobs(world);
    const where = await places(world, all);
    expect(where).toEqual(Object.fromEntries(all.map((id) => [id, [chosen.includes(id) ? 'erased' : 'snapshot']])));
  });

  it('and all the others with it destroys the key; nothing can be ordered or planned any more, and what was paid goes back', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const all = await liveIds(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    const { erasure } = await eraseThem(world, all);
    await runJobs(world);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
    expect(ended).toMatchObject({ state: 'FAILED', failure: { code: 'CONTACTS_ERASED' }, invoice: { state: 'REFUNDED' } });
    const { erasure: done } = await admin.request(ErasureDocument, { id: erasure!.id });
    const { rows: snapshots } = await world.owner.query<{ id: string; key: Buffer | null }>('select id, wrapped_key as key from snapshot');
    expect(snapshots).toEqual([{ id: done.destroyedKeys[0], key: null }]);
    expect((await world.owner.query('select 1 from snapshot_chunk_body')).rows).toEqual([]);
    const { deletion: left } = await admin.request(DeletionDocument, { id: deletion!.id });
    expect(left).toMatchObject({ contactCount: 0, isRecoverable: false, state: 'COMPLETED' });
    expect((await refusalOf(admin.request(RecoveryPlanDocument, { input: whole(deletion!.id) }))).code).toBe('CONTACTS_ERASED');
  });
});

describe('a certificate', () => {
  const certified = async (world: World) => {
    await fill(world, 2);
    const ids = await liveIds(world);
    const { erasure } = await eraseThem(world, ids);
    await runJobs(world);
    const admin = await world.as('Super admin');
    return { admin, ids, id: erasure!.id, certificate: (await admin.request(ErasureDocument, { id: erasure!.id })).erasure.certificate! };
  };

  it('says what was destroyed, for whom and why, names nobody but who ordered it, and is verified with its public key alone', async () => {
    await using world = await createWorld();
    const { certificate, id, ids } = await certified(world);
    const signature = Buffer.from(certificate.signature, 'base64');
    expect(verify(null, Buffer.from(certificate.document), createPublicKey(certificate.publicKey), signature)).toBe(true);
    expect(JSON.parse(certificate.document)).toMatchObject({
      type: 'reinstate erasure certificate 1',
      erasureId: decodeId('Erasure', id),
      organizationId: world.organizationId(),
      kind: 'ARTICLE_17',
      legalGround: 'CONSENT_WITHDRAWN',
      subjectCount: 2,
      subjectIds: ids,
      rows: { Contact: 2, Note: 6 },
      stores: [],
      keysDestroyed: [],
      deletionId: null,
      actor: { kind: 'STAFF', name: 'Super admin of Riverside Club' },
      software: expect.stringMatching(/^reinstate \d+\.\d+\.\d+$/) as string,
    });
  });

  it('that was changed is not valid, by the API or by anyone', async () => {
    await using world = await createWorld();
    const { admin, certificate, id } = await certified(world);
    const isValid = async () => (await admin.request(ErasureDocument, { id })).erasure.certificate!.isValid;
    expect(await isValid()).toBe(true);
    const changed = certificate.document.replace('CONSENT_WITHDRAWN', 'OBJECTION');
    expect(verify(null, Buffer.from(changed), createPublicKey(certificate.publicKey), Buffer.from(certificate.signature, 'base64'))).toBe(false);
    await world.owner.query('update erasure set certificate = $1', [changed]);
    expect(await isValid()).toBe(false);
    await world.owner.query('update erasure set certificate = $1', [certificate.document]);
    expect(await isValid()).toBe(true);
    await world.owner.query('update erasure set signature = set_byte(signature, 5, get_byte(signature, 5) # 1)');
    expect(await isValid()).toBe(false);
  });

  it('of another erasure is not valid for this one', async () => {
    await using world = await createWorld();
    const { admin, id } = await certified(world);
    await fill(world, 1, 'Hilltop Society');
    await eraseThem(world, await liveIds(world, 'Hilltop Society'), 'Hilltop Society');
    await runJobs(world);
    await world.owner.query(
      `update erasure e set certificate = o.certificate, signature = o.signature from erasure o where e.organization_id = $1 and o.organization_id <> $1`,
      [world.organizationId()],
    );
    expect((await admin.request(ErasureDocument, { id })).erasure.certificate!.isValid).toBe(false);
  });

  it('is listed with the newest first', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const ids = await liveIds(world);
    for (const id of ids) await eraseThem(world, [id]);
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { erasures } = await admin.request(ErasuresDocument, { first: 2 });
    const rest = await admin.request(ErasuresDocument, { first: 2, after: erasures.pageInfo.endCursor });
    const all = [...erasures.nodes, ...rest.erasures.nodes];
    expect(all).toHaveLength(3);
    expect(all.map(({ requestedAt }) => requestedAt)).toEqual(
      all
        .map(({ requestedAt }) => requestedAt)
        .toSorted()
        .toReversed(),
    );
    expect(all.every(({ certificate }) => certificate!.isValid)).toBe(true);
  });
});

describe('the erasure ledger', () => {
  it('holds keyed hashes, and the server can neither change nor remove its entries', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const [id] = await liveIds(world);
    await eraseThem(world, [id!]);
    const { rows } = await world.owner.query<{ keyed_hash: Buffer }>('select * from erasure_ledger');
    expect(rows).toEqual([{ organization_id: world.organizationId(), keyed_hash: expect.any(Buffer) as Buffer, erased_at: expect.any(Date) as Date }]);
    expect(rows[0]!.keyed_hash).toHaveLength(32);
    const attempt = (text: string) => world.app.database.transact(world.organizationId(), (tx) => tx.inTurn(() => tx.client.query(text)));
    await expect(attempt('delete from erasure_ledger')).rejects.toThrow(/permission denied/);
    await expect(attempt('update erasure_ledger set erased_at = now()')).rejects.toThrow(/permission denied/);
    await expect(attempt('delete from erasure_subject')).rejects.toThrow(/permission denied/);
  });
});
