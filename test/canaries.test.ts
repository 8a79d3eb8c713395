// After an erasure nothing tells of the person: not the database, whatever table, nor the store, what was logged, or what
// was told over the wire to other processes.
import { Buffer } from 'node:buffer';
import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { AddChargeDocument, AddNoteDocument, CreateContactDocument, DeletionDocument, ErasureDocument, UpdateContactDocument } from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import type { Chunk } from '../src/snapshots/chunk.ts';
import { readStoredChunk } from '../src/snapshots/restore.ts';
import { deadlinesAgo, dump, eraseThem, meetDeadlines } from './erasing.ts';
import { deleteThem, fill, orderRecovery, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

/** What is known of a person, each word of it unlike anything else. */
const person = (name: string) => ({
  firstName: `${name}first`,
  lastName: `${name}last`,
  email: `${name}mail@canary.example`,
  phone: `+32 ${name}phone`,
  city: `${name}city`,
  earlierCity: `${name}before`,
  note: `${name}note said something`,
  charge: `${name}charge for something`,
});
type Person = ReturnType<typeof person>;

/** Makes the person through the API. @returns the contact's id */
async function make(world: World, { firstName, lastName, email, phone, city, earlierCity, note, charge }: Person): Promise<string> {
  const staff = await world.as('Staff');
  const input = { firstName, lastName, email, city: earlierCity, contactPoints: [{ kind: 'PHONE', value: phone }] } as const;
  const { createContact } = await staff.request(CreateContactDocument, { input: { ...input, contactPoints: [...input.contactPoints] } });
  const { id, version } = createContact.contact!;
  await staff.request(UpdateContactDocument, { input: { id, version, city } });
  await staff.request(AddNoteDocument, { input: { contactId: id, body: note } });
  await staff.request(AddChargeDocument, { input: { contactId: id, amountMinor: 100, description: charge } });
  return id;
}

/** Which of what is known of the person is found in the texts. */
const found = (texts: readonly string[], someone: Person): string[] => {
  const all = texts.join('\n').toLowerCase();
  // Bytes are shown in hex.
  return Object.values(someone).filter((known) => [known, Buffer.from(known).toString('hex')].some((form) => all.includes(form.toLowerCase())));
};

const textsOf = (chunk: Chunk): string[] => [...chunk.parts, ...chunk.references].map(({ rows }) => rows.toString('latin1'));

/** Everything that is printed and everything that is told to other processes, from now on. */
async function listen(world: World): Promise<{ texts: string[] } & AsyncDisposable> {
  const texts: string[] = [];
  const spies = (['stdout', 'stderr'] as const).map((stream) =>
    vi.spyOn(process[stream], 'write').mockImplementation((chunk) => {
      texts.push(String(chunk));
      return true;
    }),
  );
  const logs = (['log', 'info', 'warn', 'error'] as const).map((method) =>
    vi.spyOn(console, method).mockImplementation((...said) => void texts.push(said.map(String).join(' '))),
  );
  const client = new pg.Client({ connectionString: world.app.database.url });
  client.on('notification', ({ channel, payload }) => texts.push(`${channel} ${payload}`));
  await client.connect();
  for (const channel of ['reinstate', 'jobs:insert', 'worker:migrate']) await client.query(`listen "${channel}"`);
  return {
    texts,
    async [Symbol.asyncDispose]() {
      for (const spy of [...spies, ...logs]) spy.mockRestore();
      await client.end();
    },
  };
}

describe('after an erasure', () => {
  it('of a live contact, of a deleted one and of one whose time ran out, nothing of them is found anywhere', async () => {
    await using world = await createWorld();
    await using heard = await listen(world);
    await fill(world, 3);
    const people = { live: person('alderwren'), deleted: person('bitterquail'), purged: person('cindertrout'), other: person('dunlinvesper') };
    const ids = {} as Record<keyof typeof people, string>;
    for (const [who, someone] of Object.entries(people)) ids[who as keyof typeof people] = await make(world, someone);
    const all = await dump(world);
    for (const someone of Object.values(people)) expect(found(all, someone)).toEqual(Object.values(someone));

    // Reasons name them as well, though nobody should.
    const deleteFor = (contactIds: string[], reason: string) => deleteThem(world, { contactIds }, 'Riverside Club', reason);
    const { deletion } = await deleteFor([ids.deleted, ids.other], `${people.deleted.firstName} and ${people.other.firstName} wrote a letter`);
    const { deletion: old } = await deleteFor([ids.purged], `From ${people.purged.email}`);
    await orderRecovery(world, deletion!.id);
    const organizationId = world.organizationId();
    const { rows } = await world.owner.query<{ snapshotId: string }>(`select snapshot_id as "snapshotId" from deletion where id = $1`, [
      decodeId('Deletion', deletion!.id),
    ]);
    const opened = () =>
      world.app.database.transact(organizationId, (tx) => readStoredChunk(tx, world.app, { organizationId, snapshotId: rows[0]!.snapshotId, number: 1 }));
    const sealed = textsOf(await opened());
    expect(found(sealed, people.deleted)).toEqual(Object.values(people.deleted));

    const { erasure } = await eraseThem(
      world,
      [ids.live, ids.deleted].map((id) => decodeId('Contact', id)),
      'Riverside Club',
      `${people.live.lastName} called`,
    );
    const reasons = async () => (await dump(world)).filter((row) => row.startsWith('action_reason ')).join('\n');
    expect(found([await reasons()], people.live)).toEqual([people.live.lastName]);
    expect(found([await reasons()], people.deleted)).toEqual([people.deleted.firstName]);
    await runJobs(world);
    await world.owner.query(`update deletion set recoverable_until = clock_timestamp() where id = $1`, [decodeId('Deletion', old!.id)]);
    await meetDeadlines(world);

    const admin = await world.as('Super admin');
    expect((await admin.request(ErasureDocument, { id: erasure!.id })).erasure.state).toBe('COMPLETED');
    expect((await admin.request(DeletionDocument, { id: old!.id })).deletion.state).toBe('ERASED');
    const texts = [...(await dump(world)), ...heard.texts];
    for (const someone of [people.live, people.deleted, people.purged]) expect(found(texts, someone)).toEqual([]);
    // With the key that is still there, the chunk gives the other contact and no one else.
    const left = textsOf(await opened());
    expect(found(left, people.deleted)).toEqual([]);
    expect(found(left, people.other)).toEqual(Object.values(people.other));
    expect(heard.texts.some((text) => text.startsWith('reinstate job:'))).toBe(true);
    await deadlinesAgo(world, '1 second');
    await meetDeadlines(world);
    for (const someone of Object.values(people)) expect(found([...(await dump(world)), ...heard.texts], someone)).toEqual([]);
  });
});
