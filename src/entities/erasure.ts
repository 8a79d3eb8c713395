// What was destroyed for good: the record and its certificate, whom it was about, and the ledger that keeps them from
// ever coming back. None of it names a person.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { actorKinds } from './action-log.ts';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

/** The end of a deletion's 30 days; what a person may demand at any time (GDPR, Article 17). */
export const erasureKinds = ['PURGE', 'ARTICLE_17'] as const;
export type ErasureKind = (typeof erasureKinds)[number];

export const erasureStates = ['RUNNING', 'COMPLETED'] as const;
export type ErasureState = (typeof erasureStates)[number];

/** Why the law asks for it: GDPR, Article 17(1) (a) to (f). */
export const legalGrounds = ['RETENTION_ENDED', 'CONSENT_WITHDRAWN', 'OBJECTION', 'UNLAWFUL_PROCESSING', 'LEGAL_OBLIGATION', 'CHILD'] as const;
export type LegalGround = (typeof legalGrounds)[number];

/** What became of the chunk bodies of one snapshot store. */
export interface StoreCounts {
  store: string;
  removed: number;
  rewritten: number;
}

export const Erasure = defineEntity({
  name: 'Erasure',
  tableName: 'erasure',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    kind: p.enum(erasureKinds),
    state: p.enum(erasureStates),
    ground: p.enum(legalGrounds),
    requestedByKind: p.enum(actorKinds),
    requestedById: p.uuid().nullable(),
    requestedByName: p.text(),
    /** Null for a purge, which nobody confirms. */
    confirmationId: p.uuid().nullable(),
    /** The deletion whose time has run out; null for Article 17. */
    deletionId: p.uuid().nullable(),
    jobId: p.uuid().nullable(),
    subjectCount: p.integer().default(0),
    rowCounts: p.json().$type<Record<string, number>>(),
    stores: p.json().$type<StoreCounts[]>(),
    /** The snapshots whose key was destroyed; a key bears the id of its snapshot. */
    destroyedKeys: p.array().columnType('uuid[]'),
    requestedAt: createdNow(),
    doneAt: instant().nullable(),
    /** The text that was signed, to the byte. */
    certificate: p.text().nullable(),
    signature: p.blob().nullable(),
  },
  uniques: [{ properties: ['organizationId', 'confirmationId'] }, { properties: ['organizationId', 'deletionId'] }],
  checks: [
    {
      name: 'erasure_is_certified_when_completed',
      expression: "(state = 'COMPLETED') = (certificate is not null and signature is not null and done_at is not null)",
    },
  ],
});

/** Whose data an erasure destroyed: opaque ids that lead nowhere. */
export const ErasureSubject = defineEntity({
  name: 'ErasureSubject',
  tableName: 'erasure_subject',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), erasureId: p.uuid().primary(), contactId: p.uuid().primary() },
  indexes: [{ properties: ['organizationId', 'contactId'] }],
});

/** Who was erased, as a keyed hash of the contact's id: consulted on every way back in. */
export const ErasureLedgerEntry = defineEntity({
  name: 'ErasureLedgerEntry',
  tableName: 'erasure_ledger',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), keyedHash: p.blob().primary(), erasedAt: createdNow() },
});
