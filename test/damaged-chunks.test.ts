// Chunks that are not what was sealed, byte by byte: in the sealed form, as a store could damage it, and in the plain form
// within, as only someone with the key or a fault of ours could.
import { setImmediate as turn } from 'node:timers/promises';
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecoveryRequestDocument } from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { snapshotKey } from '../src/snapshots/capture.ts';
import { type Chunk, type ChunkName, DamagedChunk, openChunk, type Part, sealChunk } from '../src/snapshots/chunk.ts';
import { open, seal } from '../src/snapshots/cipher.ts';
import { readChunk } from '../src/snapshots/restore.ts';
import { deleteThem, everything, fill, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

let world: World;
let before: Record<string, string[]>;
/** The deletion of everyone, and its first chunk as it is stored. */
let deletionId: string;
let name: ChunkName;
let key: Buffer;
let body: Buffer;

async function deleteAll(): Promise<void> {
  const { deletion } = await deleteThem(world, { filter: {} });
  await runJobs(world);
  deletionId = deletion!.id;
  const organizationId = world.organizationId();
  const { rows } = await world.owner.query<{ snapshotId: string; body: Buffer }>(
    `select b.snapshot_id as "snapshotId", b.body from deletion d join snapshot_chunk_body b on b.snapshot_id = d.snapshot_id
     where d.id = $1 and b.number = 1`,
    [decodeId('Deletion', deletionId)],
  );
  const { snapshotId } = rows[0]!;
  body = rows[0]!.body;
  name = { organizationId, snapshotId, number: 1 };
  key = await world.app.database.transact(organizationId, (tx) => snapshotKey(tx, world.app, snapshotId));
}

beforeAll(async () => {
  world = await createWorld({ settings: { CHUNK_CONTACTS: '2', DELETE_AT_ONCE: '2' } });
  await fill(world, 5);
  before = await everything(world);
  await deleteAll();
});

afterAll(() => world[Symbol.asyncDispose]());

const sealedFor = ({ organizationId, snapshotId, number }: ChunkName) => `reinstate chunk 1|${organizationId}|${snapshotId}|${number}`;

/** The chunk, or undefined when it is refused by its name; anything else is thrown. */
const openOr = (sealed: Buffer): Promise<Chunk | undefined> =>
  openChunk(key, name, sealed).catch((error: Error) => {
    if (error instanceof DamagedChunk && error.message.startsWith(`Chunk 1 of snapshot ${name.snapshotId} is damaged: `)) return undefined;
    throw error;
  });

/** Packs a plain form as `sealChunk` does. */
const pack = (plain: Buffer): Buffer => seal(key, sealedFor(name), zstdCompressSync(plain, { params: { [constants.ZSTD_c_compressionLevel]: 1 } }));

const flippedAt = (bytes: Buffer, at: number): Buffer => {
  const flipped = Buffer.from(bytes);
  flipped[at]! ^= 1 << (at % 8);
  return flipped;
};

describe('a chunk with one bit flipped', () => {
  it('anywhere in its sealed form is refused by its name', async () => {
    expect(await openOr(body)).toBeDefined();
    for (let at = 0; at < body.length; at++) expect(await openOr(flippedAt(body, at)), `byte ${at}`).toBeUndefined();
  });

  it('anywhere in its plain form and then sealed with the right key is refused by its name, or is the same chunk', async () => {
    const chunk = await openOr(body);
    const plain = zstdDecompressSync(open(key, sealedFor(name), body));
    const accepted: number[] = [];
    for (let at = 0; at < plain.length; at++) {
      // Whatever else goes on in this process has its turn too.
      if (at % 100 === 0) await turn();
      const opened = await openOr(pack(flippedAt(plain, at)));
      if (!opened) continue;
      expect(opened, `byte ${at}`).toEqual(chunk);
      accepted.push(at);
    }
    // Without its name the proof is none, and all that it would prove is unharmed.
    const proof = plain.indexOf('"proof"');
    expect(accepted.every((at) => at > proof && at < proof + '"proof"'.length)).toBe(true);
  });

  it('that is cut off anywhere, or no chunk at all, is refused by its name', async () => {
    const plain = zstdDecompressSync(open(key, sealedFor(name), body));
    for (let length = 0; length < 40; length++) expect(await openOr(body.subarray(0, length))).toBeUndefined();
    for (let length = 0; length < plain.length; length += 97) expect(await openOr(pack(plain.subarray(0, length)))).toBeUndefined();
    for (const none of ['', 'null', '{}', '{"contacts": 1e9, "parts": [], "references": []}', '[]']) {
      const head = Buffer.concat([Buffer.alloc(3), Buffer.from([none.length]), Buffer.from(none)]);
      expect(await openOr(pack(head))).toBeUndefined();
      expect(await openOr(seal(key, sealedFor(name), Buffer.from(none)))).toBeUndefined();
    }
  });
});

const changed = (parts: Part[], table: string, how: (part: Part) => Part) => parts.map((part) => (part.table === table ? how(part) : part));
const change = (table: string, how: (part: Part) => Part) => (chunk: Chunk) => ({ ...chunk, parts: changed(chunk.parts, table, how) });
const swapped = ({ columns, ...part }: Part, one: string, other: string): Part => ({
  ...part,
  columns: columns.map((column) => ({ ...column, name: column.name === one ? other : column.name === other ? one : column.name })),
});
const none = Buffer.alloc(0);
const strange = '01900000-0000-7000-8000-000000000000';

/** What a fault of ours could seal, each in a chunk that is whole in itself. */
const faults: Record<string, (chunk: Chunk) => Chunk> = {
  'the digest of another graph': ({ digests, ...chunk }) => ({
    ...chunk,
    digests: new Map([...digests].map(([id, digest], at) => [id, at ? digest : flippedAt(digest, 0)])),
  }),
  'the id of another contact': ({ digests, ...chunk }) => ({ ...chunk, digests: new Map([...digests].map(([id, digest], at) => [at ? id : strange, digest])) }),
  'a contact less': ({ digests, ...chunk }) => ({ ...chunk, digests: new Map([...digests].slice(1)) }),
  'another amount': change('ledger_entry', (part) => ({ ...part, rows: flippedAt(part.rows, part.rows.length - 1) })),
  'no rows of a table': change('note', (part) => ({ ...part, rows: none, count: 0 })),
  'rows that are none': change('note', (part) => ({ ...part, rows: part.rows.subarray(1) })),
  'rows without their count': change('note', (part) => ({ ...part, count: 0 })),
  'a table that there is not': change('note', (part) => ({ ...part, table: 'remark' })),
  'a table less': (chunk) => ({ ...chunk, parts: chunk.parts.filter(({ table }) => table !== 'note') }),
  'columns in another order': change('contact', (part) => swapped(part, 'first_name', 'last_name')),
  'a type that is none': change('note', ({ columns, ...part }) => ({
    ...part,
    columns: columns.map(({ name }) => ({ name, type: 'text); drop table contact' })),
  })),
  'references without their count': ({ references, ...chunk }) => ({ ...chunk, references: references.map((part) => ({ ...part, count: 9 })) }),
  'references that are none': ({ references, ...chunk }) => ({ ...chunk, references: references.map((part) => ({ ...part, rows: part.rows.subarray(1) })) }),
  'an older schema': (chunk) => ({ ...chunk, schemaVersion: 1 }),
  'no schema': (chunk) => ({ ...chunk, schemaVersion: 0 }),
};

describe('a chunk that was sealed with', () => {
  it.each(Object.entries(faults))('%s is refused before anything is restored', async (_what, fault) => {
    const admin = await world.as('Super admin');
    const recover = async (idempotencyKey: string, put?: Buffer, asListed = false) => {
      const { recoveryRequest } = await orderRecovery(world, deletionId, `${idempotencyKey}-of-${name.snapshotId}`);
      await pay(world, recoveryRequest!.invoice.id);
      if (put) await world.owner.query('update snapshot_chunk_body set body = $1 where snapshot_id = $2 and number = 1', [put, name.snapshotId]);
      if (put && asListed)
        await world.owner.query('update snapshot_chunk set digest = sha256($1) where snapshot_id = $2 and number = 1', [put, name.snapshotId]);
      await runJobs(world);
      return (await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id })).recoveryRequest;
    };
    const { body: faulty } = await sealChunk(key, name, fault(await openChunk(key, name, body)));
    for (const asListed of [false, true]) {
      const ended = await recover(`listed-${String(asListed)}`, faulty, asListed);
      expect(ended).toMatchObject({ state: 'FAILED', restoredCount: 0, failure: { code: 'SNAPSHOT_DAMAGED' }, invoice: { state: 'REFUNDED' } });
      expect(ended.failure!.message).toContain(`Chunk 1 of snapshot ${name.snapshotId} is damaged: `);
      expect(Object.values(await everything(world)).flat()).toEqual([]);
      await world.owner.query('update snapshot_chunk_body set body = $1 where snapshot_id = $2 and number = 1', [body, name.snapshotId]);
      await world.owner.query('update snapshot_chunk set digest = sha256($1) where snapshot_id = $2 and number = 1', [body, name.snapshotId]);
    }
    expect(await recover('and-at-last')).toMatchObject({ state: 'COMPLETED', restoredCount: 5 });
    expect(await everything(world)).toEqual(before);
    await deleteAll();
  });

  it('nothing wrong, but not the last that was sealed in this place, is refused', async () => {
    const { body: again } = await sealChunk(key, name, await openChunk(key, name, body));
    await world.owner.query('update snapshot_chunk_body set body = $1 where snapshot_id = $2 and number = 1', [again, name.snapshotId]);

    const opening = world.app.database.transact(name.organizationId, (tx) => readChunk(tx, world.app, name));
    await expect(opening).rejects.toThrow('its bytes do not match its manifest');
  });
});
