// Files that are kept encrypted, in pieces, outside of the database: what was uploaded, and what was made to be downloaded.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, tenantKey } from './columns.ts';
import { outsideStoreKinds } from './snapshot.ts';

export const StoredFile = defineEntity({
  name: 'StoredFile',
  tableName: 'stored_file',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    masterKeyId: p.text(),
    wrappedKey: p.blob(),
    /** Of all pieces that are there. */
    byteLength: p.bigint('number').default(0),
    pieceCount: p.integer().default(0),
    /** Of the whole content; null until it is whole. */
    sha256: p.blob().nullable(),
    createdAt: createdNow(),
    expiresAt: instant(),
  },
  indexes: [{ properties: ['organizationId', 'expiresAt'] }],
});

/** Where a piece lies, so that it is found after the settings have changed. */
export const FilePiece = defineEntity({
  name: 'FilePiece',
  tableName: 'file_piece',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    fileId: p.uuid().primary(),
    number: p.integer().primary(),
    /** Of what is in it, not of what it is encrypted to. */
    byteLength: p.integer(),
    store: p.enum(outsideStoreKinds),
    /** Its name there. */
    location: p.text(),
  },
  // Whoever removes bodies asks which of them are known.
  indexes: [{ properties: ['organizationId', 'location'] }],
});
