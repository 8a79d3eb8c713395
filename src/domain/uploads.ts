// Uploads: a file is announced, and gets a target of its own that it is sent to. What was received are rows, so it can be
// resumed after a restart, and at any process.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { FileKind, UploadState } from '../entities/upload.ts';
import { Refusal } from '../errors.ts';
import { uuid } from '../global-id.ts';
import { sql } from '../sql.ts';
import type { AccessClaims, App, Viewer } from './app.ts';
import { inMinutes, type Purpose, readLink, signLink } from './links.ts';
import { requireText } from './text.ts';
import { transactAs } from './writing.ts';

/** Uploads of an organization that are under way. */
const mostUploads = 50;
/** How long is known what became of one. */
const daysKnown = 30;

export interface UploadRow {
  id: string;
  fileName: string;
  byteLength: number | null;
  /** Of it that are here. */
  receivedBytes: number;
  state: UploadState;
  fileId: string | null;
  /** Of its content; null until it is whole. */
  sha256: Buffer | null;
  kind: FileKind | null;
  failureCode: string | null;
  failureMessage: string | null;
  createdById: string;
  createdByName: string;
  createdAt: Date;
  expiresAt: Date;
}

export const mostBytes = ({ config }: App): number => config.UPLOAD_MAX_MEGABYTES * 1024 * 1024;

export async function readUploads(tx: Transaction, ids: readonly string[]): Promise<UploadRow[]> {
  return tx.rows<UploadRow>(sql`
    select u.id, u.file_name as "fileName", u.byte_length as "byteLength", coalesce(f.byte_length, 0)::int as "receivedBytes", u.state, u.file_id as "fileId", f.sha256, u.kind,
      u.failure_code as "failureCode", u.failure_message as "failureMessage", u.created_by_id as "createdById", u.created_by_name as "createdByName",
      u.created_at as "createdAt", u.expires_at as "expiresAt"
    from upload u left join stored_file f on f.organization_id = u.organization_id and f.id = u.file_id
    where u.organization_id = ${tx.organizationId} and u.id = any(${ids}::uuid[])`);
}

const purposeOf = ({ keys }: App): Purpose => ({ key: keys.uploads, audience: 'reinstate upload', type: 'upload+jwt' });

/**
 * Announces a file. @returns the id of the upload, the path to send it to, and until when that works
 * @throws Refusal EMPTY_FILE, FILE_TOO_LARGE, TOO_MANY_UPLOADS, TOO_MUCH_STORED and those of `requireText`
 */
export async function createUpload(
  app: App,
  viewer: Viewer,
  given: { fileName: string; byteLength: number | null },
): Promise<{ id: string; path: string; expiresAt: Date }> {
  const fileName = requireText(given.fileName, ['input', 'fileName']);
  const { byteLength } = given;
  const path = ['input', 'byteLength'];
  if (byteLength !== null && byteLength < 1) throw new Refusal('EMPTY_FILE', 'The file is empty. Nothing was made. Choose another file.', path);
  if (byteLength !== null && byteLength > mostBytes(app)) throw tooLarge(app, path);
  const id = newId();
  const expiresAt = inMinutes(app.config.UPLOAD_HOURS * 60);
  await transactAs(app, viewer, async (tx) => {
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`uploads/${tx.organizationId}`}, 0))`);
    const { count } = (await tx.row<{ count: number }>(sql`
      select count(*)::int as count from upload where organization_id = ${tx.organizationId} and state = 'WAITING' and expires_at > clock_timestamp()`))!;
    if (count >= mostUploads)
      throw new Refusal(
        'TOO_MANY_UPLOADS',
        `The organization has ${mostUploads} uploads that are not whole, which is as many as there may be. None was made. Finish one, or wait until one expires.`,
      );
    await requireRoom(tx, app, byteLength);
    await tx.run(sql`
      insert into upload (organization_id, id, file_name, byte_length, state, created_by_id, created_by_name, expires_at)
      values (${tx.organizationId}, ${id}, ${fileName}, ${byteLength}, 'WAITING', ${viewer.id}, ${viewer.name}, ${expiresAt})`);
  });
  return { id, path: `/uploads/${await signLink(purposeOf(app), viewer, { upload: id, bytes: byteLength }, expiresAt)}`, expiresAt };
}

/**
 * Counts what was uploaded, for as long as an upload or an import has it, and what may still come.
 * @throws Refusal TOO_MUCH_STORED when the organization would have more than it may
 */
async function requireRoom(tx: Transaction, app: App, byteLength: number | null): Promise<void> {
  const most = app.config.UPLOAD_MAX_TOTAL_MEGABYTES * 1024 * 1024;
  const { kept, coming } = (await tx.row<{ kept: number; coming: number }>(sql`
    select
      (select coalesce(sum(byte_length), 0)::float8 from stored_file
        where organization_id = ${tx.organizationId} and expires_at > clock_timestamp() and id in (
          select file_id from upload where organization_id = ${tx.organizationId} and state = 'COMPLETE'
          union select file_id from import where organization_id = ${tx.organizationId})) as kept,
      (select coalesce(sum(coalesce(byte_length, ${mostBytes(app)}::int)), 0)::float8 from upload
        where organization_id = ${tx.organizationId} and state = 'WAITING' and expires_at > clock_timestamp()) as coming`))!;
  if (kept + coming + (byteLength ?? mostBytes(app)) <= most) return;
  const [here, expected] = [kept, coming].map((bytes) => Math.ceil(bytes / 1024 / 1024));
  throw new Refusal(
    'TOO_MUCH_STORED',
    `The organization’s uploads may take ${app.config.UPLOAD_MAX_TOTAL_MEGABYTES} megabytes. ${here} are here, ${expected} may come with uploads that are not whole, and this file would be too much. None was made. Say how long the file is, discard imports that nobody needs, finish uploads or wait until they expire, or ask the operator for more room.`,
  );
}

/** What a path leads to. */
export interface Target {
  claims: AccessClaims;
  /** Of the upload. */
  id: string;
  /** How long it was said that the file is, when the upload was made. */
  announced: number | null;
}

/** Undefined when it isn't ours or has expired. */
export async function readTarget(app: App, token: string): Promise<Target | undefined> {
  const link = await readLink(purposeOf(app), token);
  const id = String(link?.said['upload']);
  const bytes = link?.said['bytes'];
  return link && uuid.test(id) ? { claims: link.claims, id, announced: typeof bytes === 'number' ? bytes : null } : undefined;
}

export function tooLarge(app: App, path: string[] = []): Refusal {
  return new Refusal(
    'FILE_TOO_LARGE',
    `The file is larger than ${app.config.UPLOAD_MAX_MEGABYTES} megabytes. Nothing was kept. Split it, or leave out columns that are not contacts’.`,
    path,
  );
}

/** Ends uploads whose time is over; their files expire by themselves. What became of one is forgotten a month later. */
export async function expireUploads(app: App, organizationId: string): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    await tx.run(sql`
      update upload set state = 'EXPIRED', file_id = null
      where organization_id = ${organizationId} and state in ('WAITING', 'COMPLETE') and expires_at <= clock_timestamp()`);
    await tx.run(sql`
      delete from upload where organization_id = ${organizationId} and expires_at <= clock_timestamp() - make_interval(days => ${daysKnown})`);
  });
}
