// Contacts that were taken out as files: who ordered which, and where the file lies for as long as it is kept.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofScopedActors, tenantKey } from './columns.ts';

export const exportFormats = ['CSV', 'XLSX', 'VCARD_3', 'VCARD_4'] as const;
export type ExportFormat = (typeof exportFormats)[number];
/** REMOVED: before its time, because somebody was erased who may be in it. */
export const exportStates = ['QUEUED', 'RUNNING', 'COMPLETED', 'FAILED', 'REMOVED'] as const;

/** The record outlives the file, and tells nothing of the people in it. */
export const ContactExport = defineEntity({
  name: 'ContactExport',
  tableName: 'contact_export',
  ...ofScopedActors,
  properties: {
    ...tenantKey,
    state: p.enum(exportStates),
    format: p.enum(exportFormats),
    /** What was asked for, and then what is in the file. */
    fields: p.array().columnType('text[]'),
    /** Which contacts, as JSON; it may name somebody, so it goes when the export ends. */
    filter: p.text().nullable(),
    requestedByKind: p.text(),
    requestedById: p.uuid(),
    requestedByName: p.text(),
    jobId: p.uuid(),
    requestedAt: createdNow(),
    /** The instant that the file shows; while it is written, when that was begun. */
    takenAt: instant().nullable(),
    finishedAt: instant().nullable(),
    expiresAt: instant().nullable(),
    contactCount: p.integer().default(0),
    byteLength: p.bigint('number').default(0),
    fileId: p.uuid().nullable(),
    /** The groups of fields that the file shows, or was filtered by; and the tags that its contacts have one of, null for all contacts. */
    shownGroups: p.array().columnType('text[]'),
    tagScope: p.array().columnType('uuid[]').nullable(),
    /** Somebody was erased since it began to read. */
    isStale: p.boolean().default(false),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
  },
  checks: [{ name: 'contact_export_has_its_file_while_completed', expression: "(file_id is null) = (state <> 'COMPLETED')" }],
});
