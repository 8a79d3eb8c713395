// What is sent to the target of an upload, in one go or in parts: it is added to the file, and once that is whole it is looked
// at and kept, or refused for good.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { FileKind } from '../entities/upload.ts';
import { NotFound, Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { kindOf, lookedAt } from './file-kinds.ts';
import { appendPiece, beginFile, changed, completeFile, readFile, removeFile } from './files.ts';
import { inPieces } from './pieces.ts';
import { mostBytes, readUploads, type Target, tooLarge, type UploadRow } from './uploads.ts';
import { isClean } from './virus-scan.ts';
import { organizationOf } from './writing.ts';

/** Parts are multiples of it, but for the last, and of what breaks off multiples are kept. */
export const partBytes = 256 * 1024;

/** What comes in one request. */
export interface Part {
  /** Where it begins; null for a file in one go, which begins anew. */
  start: number | null;
  /** How long it says that it is; null where it does not. */
  length: number | null;
  /** Of the whole, where it is said. */
  total: number | null;
}

/**
 * Takes a part of a file. What came before it broke off stays, in multiples of `partBytes`. When the file is whole, it is looked at.
 * @throws Refusal UPLOAD_OVER, LENGTH_DIFFERS, RANGE_NOT_NEXT, FILE_TOO_LARGE, EMPTY_FILE, UNSUPPORTED_FILE, INFECTED_FILE,
 * SCANNER_UNAVAILABLE, FILE_CHANGED; StoreUnavailable; NotFound; whatever `content` throws
 */
export async function receivePart(
  app: App,
  viewer: Viewer,
  { id, announced }: Pick<Target, 'id' | 'announced'>,
  part: Part,
  content: AsyncIterable<Buffer>,
): Promise<UploadRow> {
  const { id: organizationId } = organizationOf(viewer);
  const { start, length } = part;
  const { fileId, received, total } = await app.database.transact(organizationId, (tx) =>
    start === null ? beginUpload(tx, app, id, announced, length) : openUpload(tx, app, id, { ...part, start }),
  );
  // What is here already is passed over, as after an answer that got lost.
  const coming = skip(exactly(content, length ?? (start === null ? total : null)), received - (start ?? 0));
  let at = received;
  for await (const piece of inPieces(coming, partBytes)) {
    if (at + piece.length > mostBytes(app)) return refuse(app, viewer, id, tooLarge(app));
    if (at === 0) await look(app, viewer, id, piece);
    await appendPiece(app, organizationId, fileId, at, piece);
    at += piece.length;
  }
  if (at === 0) throw new Refusal('EMPTY_FILE', 'Nothing came. Nothing was kept. Send the file as the body.');
  const whole = start === null ? at : total;
  // So that whoever asks how it stands need not say it, when it can't be looked at now.
  if (start === null && total === null)
    await app.database.transact(organizationId, (tx) =>
      tx.run(sql`update upload set byte_length = ${at} where organization_id = ${organizationId} and id = ${id} and state = 'WAITING' and file_id = ${fileId}`),
    );
  if (at === whole) return completeUpload(app, viewer, id, fileId);
  return uploadOf(app, organizationId, id);
}

/**
 * How an upload stands. One that is whole but was not looked at yet is looked at now.
 * @param enter asked before it is looked at, and disposed of afterwards
 * @throws like `receivePart`, and whatever `enter` throws
 */
export async function askStanding(app: App, viewer: Viewer, id: string, total: number | null, enter: () => Disposable): Promise<UploadRow> {
  const { id: organizationId } = organizationOf(viewer);
  const upload = await uploadOf(app, organizationId, id);
  if (upload.state !== 'WAITING') return upload;
  const known = lengthOf(upload, total);
  const { receivedBytes, fileId } = upload;
  if (!fileId || receivedBytes === 0 || receivedBytes !== known) return upload;
  using _place = enter();
  return await completeUpload(app, viewer, id, fileId);
}

/** The file that something is added to, how much of it is here, and how long it is, as far as that is known. */
interface Opened {
  fileId: string;
  received: number;
  total: number | null;
}

/** Begins a file anew, which comes in one go: nothing that was sent or said before counts, but for what was announced. */
async function beginUpload(tx: Transaction, app: App, id: string, announced: number | null, length: number | null): Promise<Opened> {
  const upload = await waitingUpload(tx, id);
  checkTotal(announced, length);
  if (length !== null && length > mostBytes(app)) throw tooLarge(app);
  return beginAnew(tx, app, upload, announced);
}

/** Finds the file that parts are added to, or begins one. */
async function openUpload(tx: Transaction, app: App, id: string, { start, length, total }: Part & { start: number }): Promise<Opened> {
  const upload = await waitingUpload(tx, id);
  const known = lengthOf(upload, total);
  if (total !== null && total > mostBytes(app)) throw tooLarge(app);
  const { fileId, receivedBytes: received } = upload;
  if (start > received)
    throw new Refusal('RANGE_NOT_NEXT', `Of the file ${received} bytes are here, and this part begins at byte ${start}. It was not added. Go on from there.`);
  if (known !== null && length !== null && start + length > known)
    throw differs(`The file was said to have ${known} bytes, and this part ends after ${start + length}`);
  if (!fileId) return beginAnew(tx, app, upload, known);
  if (known !== upload.byteLength) await tx.run(sql`update upload set byte_length = ${known} where organization_id = ${tx.organizationId} and id = ${id}`);
  return { fileId, received, total: known };
}

/** One that still waits for its file, locked. @throws NotFound; Refusal UPLOAD_OVER */
async function waitingUpload(tx: Transaction, id: string): Promise<UploadRow> {
  await tx.run(sql`select 1 from upload where organization_id = ${tx.organizationId} and id = ${id} for update`);
  const [upload] = await readUploads(tx, [id]);
  if (!upload) throw new NotFound('upload');
  if (upload.state !== 'WAITING') throw over(upload);
  return upload;
}

async function beginAnew(tx: Transaction, app: App, { id, fileId: former, expiresAt }: UploadRow, total: number | null): Promise<Opened> {
  if (former) await removeFile(tx, former);
  const fileId = await beginFile(tx, app, expiresAt);
  await tx.run(sql`update upload set file_id = ${fileId}, byte_length = ${total} where organization_id = ${tx.organizationId} and id = ${id}`);
  return { fileId, received: 0, total };
}

/** How long the whole is, by what was said before or is said now. @throws Refusal LENGTH_DIFFERS */
function lengthOf({ byteLength, receivedBytes }: UploadRow, total: number | null): number | null {
  checkTotal(byteLength, total);
  if (total !== null && total < receivedBytes) throw differs(`Of the file ${receivedBytes} bytes are here, and now it is said to have ${total}`);
  return byteLength ?? total;
}

function checkTotal(before: number | null, now: number | null): void {
  if (before !== null && now !== null && before !== now) throw differs(`The file was said to have ${before} bytes, and now ${now}`);
}

const differs = (what: string) => new Refusal('LENGTH_DIFFERS', `${what}. What came before stays. Send the same file, or make a new upload.`);

const over = ({ state, failureMessage }: UploadRow) =>
  new Refusal(
    'UPLOAD_OVER',
    state === 'COMPLETE'
      ? 'The file is here already, and a target is for one file. Nothing was changed. Make a new upload for another.'
      : `The upload is over: ${failureMessage ?? 'its time has run out.'} Nothing was changed. Make a new upload.`,
  );

/** The content, which must be that long. @throws Refusal LENGTH_DIFFERS with the first byte too many, or at the end */
async function* exactly(content: AsyncIterable<Buffer>, length: number | null): AsyncGenerator<Buffer> {
  let left = length ?? Infinity;
  for await (const chunk of content) {
    left -= chunk.length;
    if (left < 0) throw differs('More bytes came than were announced');
    yield chunk;
  }
  if (length !== null && left > 0) throw differs(`${left} bytes fewer came than were announced`);
}

async function* skip(content: AsyncIterable<Buffer>, bytes: number): AsyncGenerator<Buffer> {
  let left = bytes;
  for await (const chunk of content) {
    const skipped = Math.min(left, chunk.length);
    left -= skipped;
    if (skipped < chunk.length) yield chunk.subarray(skipped);
  }
}

async function uploadOf(app: App, organizationId: string, id: string): Promise<UploadRow> {
  const [upload] = await app.database.transact(organizationId, (tx) => readUploads(tx, [id]), { readOnly: true });
  if (!upload) throw new NotFound('upload');
  return upload;
}

/** What the file is by its beginning; one that nobody reads contacts from is refused at once. */
async function look(app: App, actor: Viewer, id: string, start: Buffer): Promise<FileKind> {
  try {
    return kindOf(start);
  } catch (error) {
    if (error instanceof Refusal) return refuse(app, actor, id, error);
    throw error;
  }
}

/** Goes through the whole file once, has it looked at, and keeps it. Of two at once one does it, and both are told so. */
async function completeUpload(app: App, viewer: Viewer, id: string, fileId: string): Promise<UploadRow> {
  const { id: organizationId } = organizationOf(viewer);
  const hash = createHash('sha256');
  let start: Buffer | undefined;
  let length = 0;
  const pieces = async function* () {
    for await (const piece of readFile(app, organizationId, fileId, { unfinished: true })) {
      hash.update(piece);
      length += piece.length;
      start ??= Buffer.from(piece.subarray(0, lookedAt));
      yield piece;
    }
  };
  if (!(await isClean(app.config, pieces())))
    return refuse(
      app,
      viewer,
      id,
      new Refusal('INFECTED_FILE', 'The virus scanner found something in the file. It was not kept. Clean it, and upload it anew.'),
    );
  const kind = await look(app, viewer, id, start!);
  await app.database.transact(organizationId, async (tx) => {
    const completed = await tx.row<{ expiresAt: Date }>(sql`
      update upload u set state = 'COMPLETE', kind = ${kind}, byte_length = f.byte_length from stored_file f
      where u.organization_id = ${organizationId} and u.id = ${id} and u.state = 'WAITING' and u.file_id = ${fileId}
        and f.organization_id = u.organization_id and f.id = u.file_id and f.byte_length = ${length} returning u.expires_at as "expiresAt"`);
    if (!completed) return;
    await completeFile(tx, fileId, { byteLength: length, sha256: hash.digest() }, completed.expiresAt);
    await logAction(tx, viewer, { action: 'upload.completed', target: { kind: 'Upload', id } });
  });
  const upload = await uploadOf(app, organizationId, id);
  if (upload.state === 'WAITING') throw changed('It was not completed');
  if (upload.state !== 'COMPLETE') throw over(upload);
  return upload;
}

/** Ends an upload for good, removes what came, and logs it. @throws Refusal the one that is given */
async function refuse(app: App, viewer: Viewer, id: string, refusal: Refusal): Promise<never> {
  await app.database.transact(organizationOf(viewer).id, async (tx) => {
    const refused = await tx.row<{ fileId: string | null }>(sql`
      update upload u set state = 'REFUSED', failure_code = ${refusal.code}, failure_message = ${refusal.message}, file_id = null
      from (select file_id from upload where organization_id = ${tx.organizationId} and id = ${id} for update) was
      where u.organization_id = ${tx.organizationId} and u.id = ${id} and u.state = 'WAITING' returning was.file_id as "fileId"`);
    if (!refused) return;
    if (refused.fileId) await removeFile(tx, refused.fileId);
    await logAction(tx, viewer, { action: 'upload.refused', refusedWith: refusal.code, target: { kind: 'Upload', id } });
  });
  throw refusal;
}
