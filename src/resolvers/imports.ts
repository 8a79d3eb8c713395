// Importing: files, their rows, templates, and what is done with them.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import { type ImportRecord, type ImportRowRecord, importCounts, listImportRows, listImports, readImports, recoverableMatches } from '../domain/import-rows.ts';
import { orderImportFile } from '../domain/import-files.ts';
import { reasonsOf, valuesOf } from '../domain/import-reasons.ts';
import { deleteTemplate, type ImportTemplateRow, listTemplates, readTemplates, saveTemplate } from '../domain/import-templates.ts';
import type { ImportChoices } from '../domain/import-choices.ts';
import { applyImport, changeImport, discardImport, startImport } from '../domain/imports.ts';
import { planRecovery } from '../domain/recovery-plans.ts';
import { undoImport } from '../domain/undoing-imports.ts';
import type { RowOutcome, RowUndoOutcome } from '../entities/import.ts';
import { InvalidInput, NotFound } from '../errors.ts';
import type { ColumnMapping } from '../imports/recognition/mapping.ts';
import { watch } from '../pubsub.ts';
import { decodeId, decodeOptionalId, encodeId, payload } from '../schema/common.ts';
import { Deletion } from '../schema/deletions.ts';
import { FileLinkPayload } from '../schema/exports.ts';
import {
  ChangeImportInput,
  CreateImportFileLinkInput,
  decimalMarks,
  DeleteImportTemplateInput,
  DeleteImportTemplatePayload,
  Import,
  type ImportColumn,
  type ImportColumnInput,
  ImportConnection,
  ImportCounts,
  ImportInput,
  ImportOutcomeEnum,
  ImportPayload,
  ImportRecoverable,
  type ImportRow,
  ImportRowConnection,
  type ImportTemplate,
  ImportTemplateConnection,
  ImportUndoOutcomeEnum,
  RecoveryOffer,
  SaveImportTemplateInput,
  SaveImportTemplatePayload,
  separatorNames,
  StartImportInput,
} from '../schema/imports.ts';
import { Job } from '../schema/jobs.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { loadDeletion } from './deletions.ts';
import { noLink } from './exports.ts';
import { loadJob } from './jobs.ts';

const nameOf = <Names extends Record<string, string>>(names: Names, value: string | null | undefined): keyof Names | null =>
  Object.keys(names).find((name) => names[name] === value) ?? null;

const shownColumn = ({ index, header, target, confidence, dateOrder, decimal }: ColumnMapping): ImportColumn => ({
  index,
  header,
  field: target?.field ?? null,
  customFieldKey: target?.customFieldKey ?? null,
  label: target?.label ?? null,
  ordinal: target?.ordinal ?? null,
  confidence,
  dateOrder: dateOrder ?? null,
  decimalMark: nameOf(decimalMarks, decimal),
});

const shownImport = (row: ImportRecord): Import & { __typename: string } => ({
  ...row,
  __typename: 'Import',
  id: encodeId('Import', row.id),
  uuid: row.id,
  jobUuid: row.jobId,
  undoDeletionUuid: row.undoDeletionId,
  reading: row.facts && { ...row.facts, separator: nameOf(separatorNames, row.facts.separator) },
  columns: row.mapping.map(shownColumn),
  questions: row.questions ?? [],
  country: row.settings.country,
  currency: row.settings.currency,
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
});

const shownTemplate = (row: ImportTemplateRow): ImportTemplate & { __typename: string } => ({
  ...row,
  __typename: 'ImportTemplate',
  id: encodeId('ImportTemplate', row.id),
  columns: row.mapping.map(shownColumn),
});

/** The import, or null. */
export async function loadImport(context: Context, id: string): Promise<(Import & { __typename: string }) | null> {
  const [row] = await readImports(await context.reading(), [id]);
  return row ? shownImport(row) : null;
}

/** The template, or null. */
export async function loadTemplate(context: Context, id: string): Promise<(ImportTemplate & { __typename: string }) | null> {
  const [row] = await readTemplates(await context.reading(), [id]);
  return row ? shownTemplate(row) : null;
}

const working = new Set(['CHECKING', 'APPLYING', 'UNDOING']);

@Resolver(() => Import)
export class ImportResolver {
  @Query(() => Import, { description: 'An import, by its id.' })
  async import(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the import.' }) id: string): Promise<Import> {
    const found = await loadImport(context, decodeId('Import', id));
    if (!found) throw new NotFound('import');
    return found;
  }

  @Query(() => ImportConnection, { description: 'Imports, the newest first.' })
  async imports(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<Import>> {
    const rows = await listImports(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'imports', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['imports', row.id], shownImport);
  }

  @Query(() => ImportTemplateConnection, { description: 'The templates of imports, by name.' })
  async importTemplates(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<ImportTemplate>> {
    const rows = await listTemplates(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'import templates', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['import templates', row.id], shownTemplate);
  }

  @Mutation(() => ImportPayload, {
    description:
      'Begins an import with its dry run, which says what would become of each row. It changes no contact. A job does it, and the first rows can be looked at soon.',
  })
  startImport(
    @Ctx() context: Context,
    @Arg('input', () => StartImportInput, { description: 'The upload, and what is known of it.' }) { uploadId, templateId, ...choices }: StartImportInput,
  ): Promise<ImportPayload> {
    return changed(context, (app, viewer) =>
      startImport(app, viewer, { ...choicesOf(choices), uploadId: decodeId('Upload', uploadId), templateId: decodeOptionalId('ImportTemplate', templateId) }),
    );
  }

  @Mutation(() => ImportPayload, { description: 'Changes how the file is read, what its columns are for, or what becomes of duplicates.' })
  changeImport(
    @Ctx() context: Context,
    @Arg('input', () => ChangeImportInput, { description: 'What changes.' }) { id, columns, ...choices }: ChangeImportInput,
  ): Promise<ImportPayload> {
    return changed(context, (app, viewer) => changeImport(app, viewer, { ...choicesOf(choices), id: decodeId('Import', id), columns: columns?.map(columnOf) }));
  }

  @Mutation(() => ImportPayload, {
    description: 'Applies an import whose dry run is done: a job creates and changes contacts. The same file with the same columns is applied once.',
  })
  applyImport(@Ctx() context: Context, @Arg('input', () => ImportInput, { description: 'Which import.' }) { id }: ImportInput): Promise<ImportPayload> {
    return changed(context, (app, viewer) => applyImport(app, viewer, decodeId('Import', id)));
  }

  @Mutation(() => ImportPayload, {
    description:
      'Takes an import back, for 30 days: contacts that it created are deleted, through a deletion, so that they too can be recovered; what it changed is put back; what was edited since is kept. A job does it.',
  })
  undoImport(@Ctx() context: Context, @Arg('input', () => ImportInput, { description: 'Which import.' }) { id }: ImportInput): Promise<ImportPayload> {
    return changed(context, (app, viewer) => undoImport(app, viewer, decodeId('Import', id)));
  }

  @Mutation(() => ImportPayload, { description: 'Calls off an import that was not applied, and removes its file and its rows.' })
  discardImport(@Ctx() context: Context, @Arg('input', () => ImportInput, { description: 'Which import.' }) { id }: ImportInput): Promise<ImportPayload> {
    return changed(context, (app, viewer) => discardImport(app, viewer, decodeId('Import', id)));
  }

  @Mutation(() => FileLinkPayload, { description: 'Gives a link to a file of an import, for whoever asks and for minutes. It is logged.' })
  createImportFileLink(
    @Ctx() context: Context,
    @Arg('input', () => CreateImportFileLinkInput, { description: 'Which file.' }) { id, file }: CreateImportFileLinkInput,
  ): Promise<FileLinkPayload> {
    return payload<FileLinkPayload>(() => context.write((app, viewer) => orderImportFile(app, viewer, { id: decodeId('Import', id), file })), noLink);
  }

  @Mutation(() => SaveImportTemplatePayload, {
    description: 'Keeps how the file of an import is read and what its columns are for under a name, for the next file of that kind.',
  })
  saveImportTemplate(
    @Ctx() context: Context,
    @Arg('input', () => SaveImportTemplateInput, { description: 'Which import, and the name.' }) { importId, name }: SaveImportTemplateInput,
  ): Promise<SaveImportTemplatePayload> {
    return payload<SaveImportTemplatePayload>(
      async () => {
        const id = await context.write((app, viewer) => saveTemplate(app, viewer, { importId: decodeId('Import', importId), name }));
        return { template: await loadTemplate(context, id) };
      },
      { template: null },
    );
  }

  @Mutation(() => DeleteImportTemplatePayload, { description: 'Deletes a template. Imports that were read by it stay as they are.' })
  deleteImportTemplate(
    @Ctx() context: Context,
    @Arg('input', () => DeleteImportTemplateInput, { description: 'Which template.' }) { id }: DeleteImportTemplateInput,
  ): Promise<DeleteImportTemplatePayload> {
    return payload<DeleteImportTemplatePayload>(
      async () => {
        await context.write((app, viewer) => deleteTemplate(app, viewer, decodeId('ImportTemplate', id)));
        return { deletedId: id };
      },
      { deletedId: null },
    );
  }

  @FieldResolver(() => ImportCounts, { description: 'How many rows have which outcome.' })
  async counts(@Ctx() context: Context, @Root() { uuid }: Import): Promise<ImportCounts> {
    return importCounts(await context.reading(), uuid);
  }

  @FieldResolver(() => ImportRowConnection, { description: 'The rows of the file in its order, as far as they have been read; none once they were removed.' })
  async rows(
    @Ctx() context: Context,
    @Root() { uuid }: Import,
    @Args(() => PageArgs) { first, after }: PageArgs,
    @Arg('outcome', () => ImportOutcomeEnum, { nullable: true, description: 'Only those that this becomes of.' }) outcome?: RowOutcome | null,
    @Arg('undoOutcome', () => ImportUndoOutcomeEnum, { nullable: true, description: 'Only those that an undo did this with.' })
    undoOutcome?: RowUndoOutcome | null,
  ): Promise<Page<ImportRow>> {
    const viewer = await context.viewer();
    const rows = await listImportRows(await context.reading(), uuid, checkFirst(first) + 1, after ? rowAfter(after, uuid) : 0, { outcome, undoOutcome });
    return pageOf(
      rows,
      first,
      (row) => ['import rows', String(row.rowNumber), uuid],
      (row) => shownRow(row, (record) => valuesOf(viewer, record)),
    );
  }

  @FieldResolver(() => [ImportRecoverable], {
    nullable: true,
    description:
      'The deletions that rows match contacts of, those with the most first, at most 20: what a recovery would bring back instead. For those who may see deletions.',
  })
  async recoverable(@Ctx() context: Context, @Root() { uuid }: Import): Promise<ImportRecoverable[]> {
    const matches = await recoverableMatches(await context.reading(), uuid);
    return matches.map(({ deletionId, contactIds, ...match }) => ({
      ...match,
      deletionId: encodeId('Deletion', deletionId),
      deletionUuid: deletionId,
      contactIds: contactIds.map((id) => encodeId('Contact', id)),
      contactUuids: contactIds,
    }));
  }

  @FieldResolver(() => Job, { nullable: true, description: 'The job of its last stage, with its progress, for those who may watch jobs or began the import.' })
  async job(@Ctx() context: Context, @Root() { jobUuid }: Import): Promise<Job | null> {
    return jobUuid ? loadJob(context, jobUuid) : null;
  }

  @FieldResolver(() => Deletion, { nullable: true, description: 'The deletion that an undo removed contacts through, for those who may see deletions.' })
  async undoDeletion(@Ctx() context: Context, @Root() { undoDeletionUuid }: Import): Promise<Deletion | null> {
    return undoDeletionUuid ? loadDeletion(context, undoDeletionUuid) : null;
  }

  @Subscription(() => Import, {
    description: 'An import as it is now, then each change, at most ten a second, until nothing is under way with it; then the stream completes.',
    subscribe: ({ args, context }: { args: { id?: string }; context: Context }) => watchImport(context, args.id!),
  })
  importProgress(@Root() row: ImportRecord, @Arg('id', () => ID, { description: 'The id of the import.' }) _id: string): Import {
    return shownImport(row);
  }
}

@Resolver(() => ImportRecoverable)
export class ImportRecoverableResolver {
  @FieldResolver(() => RecoveryOffer, {
    complexity: 500,
    nullable: true,
    description:
      'What a recovery of these contacts would bring back, and its price, for those who may see recoveries; null when it can’t be recovered any more.',
  })
  async plan(@Ctx() context: Context, @Root() { deletionUuid, contactUuids }: ImportRecoverable): Promise<RecoveryOffer | null> {
    return planRecovery(await context.reading(), context.app, await context.viewer(), { deletionId: deletionUuid, contactIds: contactUuids }, {});
  }
}

/** The row number in a cursor of that import. @throws InvalidInput BAD_CURSOR */
function rowAfter(cursor: string, importId: string): number {
  const [row, of] = decodeCursor(cursor, 'import rows', 2);
  if (of !== importId || !/^\d{1,9}$/.test(row ?? ''))
    throw new InvalidInput('BAD_CURSOR', 'The cursor is broken, or belongs to another list. Start again without `after`.');
  return Number(row);
}

const shownRow = (row: ImportRowRecord, values: (row: ImportRowRecord) => ImportRow['values']): ImportRow => ({
  ...row,
  reasons: reasonsOf(row).map(({ code, column, message }) => ({ code, column: column ?? null, message })),
  repeatsRow: row.repeats,
  contactId: row.contactId && encodeId('Contact', row.contactId),
  deletionId: row.deletionId && encodeId('Deletion', row.deletionId),
  deletedContactId: row.deletedContactId && encodeId('Contact', row.deletedContactId),
  values: values(row),
});

function choicesOf({ separator, decimalMark, ...choices }: Omit<StartImportInput, 'uploadId' | 'templateId'>): ImportChoices {
  return {
    ...choices,
    separator: separator && separatorNames[separator],
    decimal: decimalMark && decimalMarks[decimalMark],
  };
}

const columnOf = ({ index, field, customFieldKey, label, ordinal, dateOrder, decimalMark }: ImportColumnInput) => ({
  index,
  target: field ? { field, customFieldKey: customFieldKey ?? null, label: label ?? null, ordinal: ordinal ?? null } : null,
  dateOrder,
  decimal: decimalMark && decimalMarks[decimalMark],
});

const changed = (context: Context, work: Parameters<typeof context.write<string>>[0]): Promise<ImportPayload> =>
  payload<ImportPayload>(async () => ({ import: await loadImport(context, await context.write(work)) }), { import: null });

async function watchImport({ app, claims, pubsub }: Context, globalId: string): Promise<AsyncIterableIterator<ImportRecord>> {
  const id = decodeId('Import', globalId);
  const read = () =>
    app.database.transact(
      claims!.organizationId!,
      async (tx) => {
        const [row] = await readImports(tx, [id]);
        if (!row) throw new NotFound('import');
        return row;
      },
      { readOnly: true },
    );
  // Told at once, before the stream begins.
  await read();
  return watch(pubsub, 'import', id, read, (row) => !working.has(row.state));
}
