// What happens when two want the same contacts at the same time: each contact is taken once, and comes back from where it is.
import { describe, expect, it } from 'vitest';
import {
  ContactDeletionPreviewDocument,
  DeleteContactsDocument,
  DeletedContactsDocument,
  DeletionDocument,
  RecoveryRequestDocument,
} from '../sdk/generated.ts';
import { contactId, deleteThem, everything, fill, liveIds, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld } from './harness.ts';

const settings = { CHUNK_CONTACTS: '10', DELETE_AT_ONCE: '10' };

describe('two deletions of the same contacts', () => {
  it('each take what the other has not, say so, and give it back', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 60);
    const [before, all] = [await everything(world), await liveIds(world)];
    const admin = await world.as('Super admin');
    const sets = [all.slice(0, 40), all.slice(15, 60)];
    const ids: string[] = [];
    for (const set of sets) ids.push((await deleteThem(world, { contactIds: set.map(contactId) })).deletion!.id);
    await Promise.all([runJobs(world), runJobs(world)]);
    expect(await liveIds(world)).toEqual([]);
    const taken: string[] = [];
    for (const id of ids) {
      const { deletion } = await admin.request(DeletionDocument, { id });
      const { deletion: listed } = await admin.request(DeletedContactsDocument, { id, first: 100 });
      expect(listed.contacts.nodes).toHaveLength(deletion.contactCount);
      taken.push(...listed.contacts.nodes.map((node) => node.id));
    }
    expect(taken.toSorted()).toEqual(all.map(contactId).toSorted());
    for (const id of ids.toReversed()) {
      const { recoveryRequest } = await orderRecovery(world, id);
      await pay(world, recoveryRequest!.invoice.id);
      await runJobs(world);
      const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
      expect(ended).toMatchObject({ state: 'COMPLETED', restoredCount: ended.contactCount, conflictCount: 0 });
    }
    expect(await everything(world)).toEqual(before);
  });

  it('within their requests: one does it, and of the others nothing is left', async () => {
    await using world = await createWorld();
    await fill(world, 60);
    const admin = await world.as('Super admin');
    const target = { filter: {} };
    const inputs = await Promise.all(
      Array.from({ length: 8 }, async () => {
        const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: target });
        return { ...target, confirmation: contactDeletionPreview.confirmation!, reason: 'At once' };
      }),
    );
    const outcomes = await Promise.all(inputs.map((input) => admin.request(DeleteContactsDocument, { input })));
    const told = outcomes.map(({ deleteContacts }) => deleteContacts.userErrors[0]?.code ?? deleteContacts.deletion!.contactCount);
    expect(told.toSorted()).toEqual([60, ...Array.from({ length: 7 }, () => 'CONFIRMATION_MISMATCH')]);
    const { rows } = await world.owner.query(`
      select (select count(*)::int from deletion) as deletions, (select count(*)::int from snapshot) as snapshots, (select count(*)::int from deletion_contact) as contacts,
        (select count(*)::int from action_log where action = 'contacts.deleted' and outcome = 'DONE') as entries`);
    expect(rows).toEqual([{ deletions: 1, snapshots: 1, contacts: 60, entries: 1 }]);
  });
});

describe('a contact that is deleted again while its recovery is under way', () => {
  it('does not keep the recovery from completing', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 200);
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    const working = runJobs(world);
    let first: string | undefined;
    while (!first) [first] = await liveIds(world);
    const again = await deleteThem(world, { contactIds: [contactId(first)] });
    expect(again.deletion).toMatchObject({ contactCount: 1 });
    await working;
    const admin = await world.as('Super admin');
    const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
    expect(ended).toMatchObject({ state: 'COMPLETED', restoredCount: 200, provenCount: 200 });
    expect(await liveIds(world)).toHaveLength(199);
  });
});
