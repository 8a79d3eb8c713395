// Links to files. A link is for one person and one file, and for minutes; what that person may do is asked again when it is used.
import { z } from 'zod';
import type { Transaction } from '../database.ts';
import { logFormats } from '../log/export.ts';
import { importFiles } from '../entities/import.ts';
import type { Permission } from '../permissions/catalogue.ts';
import type { Action } from './action-log.ts';
import type { AccessClaims, App, Viewer } from './app.ts';
import { inMinutes, type Purpose, readLink, signLink } from './links.ts';

const wanted = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('ACTION_LOG'),
    format: z.enum(logFormats),
    filter: z.strictObject({
      actorId: z.uuid().optional(),
      action: z.string().optional(),
      outcome: z.enum(['DONE', 'REFUSED']).optional(),
      targetId: z.uuid().optional(),
      requestId: z.string().optional(),
      from: z.coerce.date().optional(),
      before: z.coerce.date().optional(),
    }),
  }),
  z.strictObject({ kind: z.literal('CONTACT_EXPORT'), exportId: z.uuid() }),
  z.strictObject({ kind: z.literal('CONTACT'), contactId: z.uuid() }),
  z.strictObject({ kind: z.literal('IMPORT'), importId: z.uuid(), file: z.enum(importFiles) }),
]);

/** Which file. */
export type Wanted<Kind extends string = string> = Extract<z.output<typeof wanted>, { kind: Kind }>;
export type WantedKind = z.output<typeof wanted>['kind'];

/** What the files of one kind take, and how one is opened. */
export interface FileKind<Kind extends WantedKind> {
  /** What whoever uses a link must hold then. */
  permissions: readonly Exclude<Permission, `platform:${string}`>[];
  /** The mutation that gives the link, which is what the log calls an attempt that is refused. */
  attempt: string;
  /** For those who hold the permissions. @throws Refusal when they may not have it; NotFound */
  open(tx: Transaction, app: App, viewer: Viewer, file: Wanted<Kind>): Promise<OpenFile>;
}

export interface OpenFile {
  /** Its media type. */
  type: string;
  name: string;
  byteLength?: number;
  /** What the log says of its being fetched, before a byte of it is sent. */
  fetched?: Action;
  /** Opens a transaction of its own, when it needs one. */
  content: AsyncIterable<string | Uint8Array>;
}

/** A link as it was given: who may use it, and for what. */
export interface Download {
  claims: AccessClaims;
  wanted: z.output<typeof wanted>;
}

export interface Link {
  /** On the server. */
  path: string;
  expiresAt: Date;
}

const purposeOf = ({ keys }: App): Purpose => ({ key: keys.downloads, audience: 'reinstate download', type: 'download+jwt' });

/** Signs a link to a file. */
export async function signDownload(app: App, viewer: Viewer, file: Download['wanted']): Promise<Link> {
  const expiresAt = inMinutes(app.config.DOWNLOAD_MINUTES);
  return { path: `/downloads/${await signLink(purposeOf(app), viewer, { file }, expiresAt)}`, expiresAt };
}

/** What a link says; undefined when it isn't ours or has expired. */
export async function readDownload(app: App, token: string): Promise<Download | undefined> {
  const link = await readLink(purposeOf(app), token);
  const read = wanted.safeParse(link?.said['file']);
  return link && read.success ? { claims: link.claims, wanted: read.data } : undefined;
}
