// Keys that integrations come in with, in place of a person.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

export const ApiKey = defineEntity({
  name: 'ApiKey',
  tableName: 'api_key',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    name: p.text(),
    permissions: p.array().columnType('text[]'),
    /** As of a role. */
    hiddenFields: p.array().columnType('text[]').defaultRaw(`'{}'`),
    tagScope: p.array().columnType('uuid[]').nullable(),
    /** Networks that it may be used from, as CIDR; empty: from anywhere. */
    addresses: p.array().columnType('text[]'),
    /** SHA-256 of the secret, which has 256 random bits: nothing slower is needed. */
    secretDigest: p.blob(),
    createdById: p.uuid(),
    createdByName: p.text(),
    createdAt: createdNow(),
    expiresAt: instant().nullable(),
    lastUsedAt: instant().nullable(),
    revokedAt: instant().nullable(),
    /** When it was last logged that it was refused, by why. */
    refusedAt: p.json().$type<Record<string, string>>().default('{}'),
  },
});
