// Contacts read from a spreadsheet: the import, what stands in each of its rows, and mappings that are kept under a name.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';
import { writtenFields } from './contact.ts';

export const importStates = ['CHECKING', 'CHECKED', 'APPLYING', 'STOPPED', 'APPLIED', 'UNDOING', 'UNDONE', 'FAILED', 'DISCARDED'] as const;
export type ImportState = (typeof importStates)[number];

/** What becomes of rows that match a contact which is there already. */
export const duplicatePolicies = ['SKIP', 'FILL_EMPTY', 'OVERWRITE', 'CREATE'] as const;
export type DuplicatePolicy = (typeof duplicatePolicies)[number];

/** What becomes of rows that match a contact which was deleted and can still be recovered. */
export const deletedPolicies = ['SKIP', 'CREATE'] as const;
export type DeletedPolicy = (typeof deletedPolicies)[number];

export const Import = defineEntity({
  name: 'Import',
  tableName: 'import',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    state: p.enum(importStates),
    /** The stored file; null when it is gone. */
    fileId: p.uuid().nullable(),
    fileName: p.text(),
    byteLength: p.bigint('number'),
    /** SHA-256. */
    fileDigest: p.blob(),
    /** How it is to be read, and how it was read: see imports/sheet.ts. */
    readOptions: p.json(),
    facts: p.json().nullable(),
    /** See imports/recognition. */
    mapping: p.json(),
    settings: p.json(),
    /** SHA-256 over how the file is read and what its columns mean. */
    mappingDigest: p.blob().nullable(),
    /** What is still to be asked: see imports/recognition. */
    questions: p.json().nullable(),
    duplicatePolicy: p.enum(duplicatePolicies),
    /** Null until somebody has chosen. */
    deletedPolicy: p.enum(deletedPolicies).nullable(),
    /** Fields that columns are not recognized as, because who began the import may not fill them. */
    barred: p.array().columnType('text[]'),
    rowCount: p.integer().default(0),
    /** How many rows have which outcome: see domain/import-rows.ts. Null while that changes; kept when the rows are gone. */
    counts: p.json().nullable(),
    /** The run of the job that is at it: one that was given up for dead finds that it is not it any more. */
    runId: p.uuid().nullable(),
    jobId: p.uuid().nullable(),
    failureCode: p.text().nullable(),
    failureMessage: p.text().nullable(),
    requestedById: p.uuid(),
    requestedByName: p.text(),
    createdAt: createdNow(),
    checkedAt: instant().nullable(),
    appliedByName: p.text().nullable(),
    appliedAt: instant().nullable(),
    /** When its rows and its file are removed, and with them the undo. */
    expiresAt: instant(),
    undoneByName: p.text().nullable(),
    undoneAt: instant().nullable(),
    undoDeletionId: p.uuid().nullable(),
    /** When its rows and its file went, because its time was over. */
    rowsRemovedAt: instant().nullable(),
  },
  // The same file with the same mapping is applied once, until that is undone.
  uniques: [
    {
      name: 'import_applied_once',
      properties: ['organizationId', 'fileDigest', 'mappingDigest'],
      where: "state in ('APPLYING', 'STOPPED', 'APPLIED', 'UNDOING')",
    },
  ],
});

/** What a row is, whatever the policies say. */
export const rowKinds = ['NEW', 'MATCH', 'DELETED', 'REPEATED', 'REFUSED'] as const;
export type RowKind = (typeof rowKinds)[number];

/** What a row was matched by, in the order of trust. */
export const matchKeys = ['EMAIL', 'PHONE', 'MEMBER_NUMBER', 'NAME_AND_BIRTH_DATE'] as const;
export type MatchKey = (typeof matchKeys)[number];

/** What no two contacts may have. */
export const takenKeys = ['EMAIL', 'MEMBER_NUMBER'] as const;
export type TakenKey = (typeof takenKeys)[number];

/** What became of a row. */
export const rowOutcomes = ['CREATED', 'UPDATED', 'SKIPPED', 'REFUSED'] as const;
export type RowOutcome = (typeof rowOutcomes)[number];

export const rowUndoOutcomes = ['REVERTED', 'KEPT', 'GONE'] as const;
export type RowUndoOutcome = (typeof rowUndoOutcomes)[number];

export const ImportRow = defineEntity({
  name: 'ImportRow',
  tableName: 'import_row',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    importId: p.uuid().primary(),
    /** As the spreadsheet shows it. */
    rowNumber: p.integer().primary(),
    kind: p.enum(rowKinds),
    /** The live contact that it matches, or else the one that it has become; of a new row also while it has a draft, the one that it is to become. */
    contactId: p.uuid().nullable(),
    matchedBy: p.enum(matchKeys).nullable(),
    /** Of a row that is repeated: the earlier one. */
    repeats: p.integer().nullable(),
    /** Of a row that matches a deleted contact: that contact and its deletion. */
    deletedContactId: p.uuid().nullable(),
    deletionId: p.uuid().nullable(),
    /** Of a row that matches or is repeated: which key of it is another's already, so that it can't have it as well. */
    taken: p.enum(takenKeys).nullable(),
    /** Of a match: whether it has something for what is empty there, and whether anything in it differs; null where it can't be written. */
    fills: p.boolean().nullable(),
    differs: p.boolean().nullable(),
    /** The cells of a row that has no draft. */
    cells: p.json().nullable(),
    /** Why it is refused: see imports/problems.ts. */
    problems: p.json().nullable(),
    /** What became of it, where that does not follow from the import's policies: see `outcome` in domain/import-rows.ts. */
    outcome: p.enum(rowOutcomes).nullable(),
    /** How many rows a contact owns that is created of it. */
    ownedCount: p.integer().nullable(),
    /** Of an updated one: the log entry, beside which the prior values lie. */
    actionId: p.uuid().nullable(),
    undoOutcome: p.enum(rowUndoOutcomes).nullable(),
  },
  indexes: [
    { properties: ['organizationId', 'contactId'], where: 'contact_id is not null' },
    { properties: ['organizationId', 'deletedContactId'], where: 'deleted_contact_id is not null' },
  ],
});

/** What a row says that is still to be done, ready to be written: applying takes it away, so that it is done once. */
export const ImportDraft = defineEntity({
  name: 'ImportDraft',
  tableName: 'import_draft',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    importId: p.uuid().primary(),
    rowNumber: p.integer().primary(),
    /** The contact that would be created of it. */
    contactId: p.uuid(),
    ...writtenFields(),
    /** See imports/staging.ts. */
    owned: p.json().nullable(),
  },
});

/** The files that an import gives. */
export const importFiles = ['REPORT', 'REFUSED_ROWS'] as const;
export type ImportFile = (typeof importFiles)[number];

/** A tag that an import made, for the undo. */
export const ImportTag = defineEntity({
  name: 'ImportTag',
  tableName: 'import_tag',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), importId: p.uuid().primary(), tagId: p.uuid().primary() },
});

/** A mapping under a name, by the headers of the columns. */
export const ImportTemplate = defineEntity({
  name: 'ImportTemplate',
  tableName: 'import_template',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    name: p.text(),
    readOptions: p.json(),
    mapping: p.json(),
    settings: p.json(),
    createdByName: p.text(),
    createdAt: createdNow(),
    updatedAt: createdNow(),
  },
  uniques: [{ properties: ['organizationId', 'name'] }],
});
