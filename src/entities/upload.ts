// Files on their way in: what was announced, and what became of it. The bytes are a stored file.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, tenantKey } from './columns.ts';

export const uploadStates = ['WAITING', 'COMPLETE', 'REFUSED', 'EXPIRED'] as const;
export type UploadState = (typeof uploadStates)[number];

/** What a file is by its first bytes, whatever it is called. */
export const fileKinds = ['ZIP', 'VCARD', 'TEXT'] as const;
export type FileKind = (typeof fileKinds)[number];

export const Upload = defineEntity({
  name: 'Upload',
  tableName: 'upload',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    /** As it was given, for showing only. */
    fileName: p.text(),
    /** Of the whole, once that was said. */
    byteLength: p.integer().nullable(),
    state: p.enum(uploadStates),
    /** The stored file; null before the first byte, and when there is nothing any more. */
    fileId: p.uuid().nullable(),
    kind: p.enum(fileKinds).nullable(),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    createdById: p.uuid(),
    createdByName: p.text(),
    createdAt: createdNow(),
    expiresAt: instant(),
  },
  indexes: [{ properties: ['organizationId', 'expiresAt'] }],
});
