// Files that are kept for a while, encrypted, in pieces that a process can hold: those that were uploaded, and those that are
// made to be downloaded. Each has a key of its own, which goes with its row; without it no copy of a piece can be opened.
import { createHash } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { OutsideStoreKind } from '../entities/snapshot.ts';
import { NotFound, Refusal } from '../errors.ts';
import { newKey, open, seal } from '../snapshots/cipher.ts';
import { clock, discardBodies, type Place } from '../snapshots/stores/bodies.ts';
import { sql } from '../sql.ts';
import type { App } from './app.ts';
import { inPieces } from './pieces.ts';

/** How long a file may be written to. What a killed process had begun goes then. */
const hoursOfWriting = 24;

const keyName = (organizationId: string, id: string) => `reinstate file key|${organizationId}|${id}`;
const pieceName = (organizationId: string, id: string, number: number) => `reinstate file piece 1|${organizationId}|${id}|${number}`;

/** A piece of a stored file is not what was put there. */
export class DamagedFile extends Refusal {
  constructor(id: string, why: string) {
    super(
      'FILE_DAMAGED',
      `File ${id} is damaged: ${why}. What was not yet done was left as it was. Have the file uploaded or made again, and tell the operator.`,
    );
  }
}

/**
 * Writes a file as it comes, holding a piece of it in memory. It is there once this resolves; of one that throws nothing is left.
 * @throws StoreUnavailable; whatever `content` throws
 */
export async function writeFile(
  app: App,
  organizationId: string,
  content: AsyncIterable<Uint8Array>,
  expires: Expiry,
): Promise<{ id: string; byteLength: number; sha256: Buffer }> {
  const { database } = app;
  const id = await database.transact(organizationId, (tx) => beginFile(tx, app));
  try {
    const hash = createHash('sha256');
    let byteLength = 0;
    for await (const piece of inPieces(content)) {
      hash.update(piece);
      await appendPiece(app, organizationId, id, byteLength, piece);
      byteLength += piece.length;
    }
    const sha256 = hash.digest();
    await database.transact(organizationId, (tx) => completeFile(tx, id, { byteLength, sha256 }, expires));
    return { id, byteLength, sha256 };
  } catch (error) {
    // What can't be removed now expires.
    await database.transact(organizationId, (tx) => removeFile(tx, id)).catch(() => undefined);
    throw error;
  }
}

/** Makes room for a file that is written piece by piece, and is not there for readers before it is whole. @returns its id */
export async function beginFile(tx: Transaction, app: App, expiresAt: Date | null = null): Promise<string> {
  const id = newId();
  const { wrapped } = newKey(app.keys.files, keyName(tx.organizationId, id));
  await tx.run(sql`
    insert into stored_file (organization_id, id, master_key_id, wrapped_key, expires_at)
    values (${tx.organizationId}, ${id}, ${app.keys.id}, ${wrapped}, coalesce(${expiresAt}, clock_timestamp() + make_interval(hours => ${hoursOfWriting})))`);
  return id;
}

/**
 * Adds a piece at the end of a file that is not whole yet. Of two that come at once one is added.
 * @param at how many bytes there must be so far
 * @throws Refusal FILE_CHANGED when there are others, or the file is whole or gone; StoreUnavailable
 */
export async function appendPiece(app: App, organizationId: string, id: string, at: number, piece: Buffer): Promise<void> {
  const { database, files } = app;
  const file = await database.transact(
    organizationId,
    (tx) =>
      tx.row<{ wrapped: Buffer; masterKeyId: string; byteLength: number; pieceCount: number; now: number }>(sql`
        select wrapped_key as wrapped, master_key_id as "masterKeyId", byte_length as "byteLength", piece_count as "pieceCount", ${clock} as now
        from stored_file where organization_id = ${organizationId} and id = ${id} and sha256 is null and expires_at > clock_timestamp()`),
    { readOnly: true },
  );
  if (file?.byteLength !== at) throw changed();
  const number = file.pieceCount + 1;
  const body = seal(keyOf(app, organizationId, id, file), pieceName(organizationId, id, number), piece);
  // No transaction waits for the store: a body that no row comes to tell of is swept.
  const location = await files.write(files.kept, { organizationId, id, number, now: file.now }, body);
  const added = await database.transact(organizationId, async (tx) => {
    const { rowCount } = await tx.run(sql`
      update stored_file set byte_length = byte_length + ${piece.length}::int, piece_count = ${number}
      where organization_id = ${organizationId} and id = ${id} and piece_count = ${number - 1} and sha256 is null`);
    if (rowCount === 0) await discardBodies(tx, 'FILES', [{ store: files.kept, location }]);
    else
      await tx.run(sql`
        insert into file_piece (organization_id, file_id, number, byte_length, store, location)
        values (${organizationId}, ${id}, ${number}, ${piece.length}, ${files.kept}, ${location})`);
    return rowCount === 1;
  });
  if (!added) throw changed();
}

export const changed = (left = 'This part was not added') =>
  new Refusal(
    'FILE_CHANGED',
    `Something else was written to the file at the same time, or it is gone. ${left}. Ask how much of it there is, and go on from there.`,
  );

/** Until when a file stays, or for how many hours after it is whole. */
type Expiry = Date | number;

/**
 * Says that a file is whole, and until when it stays.
 * @param whole what was gone through of it: nobody vouches for bytes that were added since
 * @throws Refusal FILE_CHANGED when it has another length, is gone, or was whole already
 */
export async function completeFile(
  tx: Transaction,
  id: string,
  { byteLength, sha256 }: { byteLength: number; sha256: Buffer },
  expires: Expiry,
): Promise<void> {
  const at = typeof expires === 'number' ? sql`clock_timestamp() + make_interval(hours => ${expires})` : sql`${expires}`;
  const { rowCount } = await tx.run(sql`
    update stored_file set sha256 = ${sha256}, expires_at = ${at}
    where organization_id = ${tx.organizationId} and id = ${id} and byte_length = ${byteLength} and sha256 is null and expires_at > clock_timestamp()`);
  if (rowCount === 0) throw changed('It was not completed');
}

interface Piece {
  number: number;
  byteLength: number;
  store: OutsideStoreKind;
  location: string;
}

/**
 * The content of a file, a piece at a time.
 * @param from the first byte; and whether one that is not whole yet is read
 * @throws NotFound when it is gone; DamagedFile before a byte of a piece that is; StoreUnavailable
 */
export async function* readFile(
  app: App,
  organizationId: string,
  id: string,
  { start = 0, unfinished = false }: { start?: number; unfinished?: boolean } = {},
): AsyncGenerator<Buffer> {
  const found = await app.database.transact(
    organizationId,
    async (tx) => {
      const file = await tx.row<{ wrapped: Buffer; masterKeyId: string; byteLength: number }>(sql`
        select wrapped_key as wrapped, master_key_id as "masterKeyId", byte_length as "byteLength" from stored_file
        where organization_id = ${organizationId} and id = ${id} and (sha256 is not null or ${unfinished}::bool) and expires_at > clock_timestamp()`);
      const pieces = await tx.rows<Piece>(sql`
        select number, byte_length as "byteLength", store, location from file_piece
        where organization_id = ${organizationId} and file_id = ${id} order by number`);
      return file && { ...file, pieces };
    },
    // Both are of one instant, whatever is added meanwhile.
    { view: 'new' },
  );
  if (!found) throw new NotFound('file');
  const { pieces, byteLength } = found;
  if (pieces.some(({ number }, index) => number !== index + 1) || pieces.reduce((sum, piece) => sum + piece.byteLength, 0) !== byteLength)
    throw new DamagedFile(id, 'a piece of it is missing');
  const key = keyOf(app, organizationId, id, found);
  let at = 0;
  for (const piece of pieces) {
    const from = Math.max(start - at, 0);
    at += piece.byteLength;
    if (from >= piece.byteLength) continue;
    yield (await readPiece(app, organizationId, id, key, piece)).subarray(from);
  }
}

async function readPiece(app: App, organizationId: string, id: string, key: Buffer, { number, byteLength, store, location }: Piece): Promise<Buffer> {
  const body = await app.files.read(store, location);
  if (!body) {
    await requireFile(app, organizationId, id);
    throw new DamagedFile(id, `piece ${number} is lost`);
  }
  try {
    const content = open(key, pieceName(organizationId, id, number), body);
    if (content.length === byteLength) return content;
  } catch {
    // Told below.
  }
  throw new DamagedFile(id, `the bytes of piece ${number} are not the ones that were sealed in this place`);
}

/** @throws NotFound */
async function requireFile(app: App, organizationId: string, id: string): Promise<void> {
  const there = await app.database.transact(
    organizationId,
    (tx) => tx.row(sql`select 1 from stored_file where organization_id = ${organizationId} and id = ${id} and expires_at > clock_timestamp()`),
    { readOnly: true },
  );
  if (!there) throw new NotFound('file');
}

/** @throws DamagedFile when the key was changed, or wrapped by another master key */
function keyOf({ keys }: App, organizationId: string, id: string, { wrapped, masterKeyId }: { wrapped: Buffer; masterKeyId: string }): Buffer {
  try {
    return open(keys.files, keyName(organizationId, id), wrapped);
  } catch {
    const why = masterKeyId === keys.id ? 'its key was changed' : `it was sealed under master key ${masterKeyId}, and this process has ${keys.id}`;
    throw new DamagedFile(id, why);
  }
}

/** Removes a file for good: its key and rows now, its pieces after the commit. One that is not there is passed over. */
export async function removeFile(tx: Transaction, id: string): Promise<void> {
  await tx.run(sql`delete from stored_file where organization_id = ${tx.organizationId} and id = ${id}`);
  const pieces = await tx.rows<Place>(sql`delete from file_piece where organization_id = ${tx.organizationId} and file_id = ${id} returning store, location`);
  await discardBodies(tx, 'FILES', pieces);
}

/** Keeps a file that is whole for at least so many days from now. @returns whether it is there */
export async function keepFile(tx: Transaction, id: string, days: number): Promise<boolean> {
  const { rowCount } = await tx.run(sql`
    update stored_file set expires_at = greatest(expires_at, clock_timestamp() + make_interval(days => ${days}))
    where organization_id = ${tx.organizationId} and id = ${id} and sha256 is not null and expires_at > clock_timestamp()`);
  return rowCount === 1;
}

/** Files that are removed in one transaction. */
const batch = 20;

/** Removes the files of an organization whose time is over. */
export async function removeExpiredFiles(app: App, organizationId: string): Promise<void> {
  for (let left = true; left;)
    left = await app.database.transact(organizationId, async (tx) => {
      const expired = await tx.rows<{ id: string }>(sql`
        select id from stored_file where organization_id = ${organizationId} and expires_at <= clock_timestamp()
        order by id limit ${batch} for update skip locked`);
      for (const { id } of expired) await removeFile(tx, id);
      return expired.length === batch;
    });
}
