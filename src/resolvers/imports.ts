// Importing: looking imports up, what is done with them, and their files.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root, Subscription } from 'type-graphql';
import type { Context } from '../context.ts';
import { orderImportFile } from '../domain/import-files.ts';
import { type ImportRecord, listImports, readImports } from '../domain/import-rows.ts';
import { applyImport, changeImport, discardImport, startImport } from '../domain/imports.ts';
import { undoImport } from '../domain/undoing-imports.ts';
import { NotFound } from '../errors.ts';
import { watch } from '../pubsub.ts';
import { decodeId, decodeOptionalId, encodeId, payload } from '../schema/common.ts';
import { Deletion } from '../schema/deletions.ts';
import { FileLinkPayload } from '../schema/exports.ts';
import { ChangeImportInput, CreateImportFileLinkInput, Import, ImportConnection, ImportInput, ImportPayload, StartImportInput } from '../schema/imports.ts';
import { Job } from '../schema/jobs.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { loadDeletion } from './deletions.ts';
import { noLink } from './exports.ts';
import { choicesOf, columnOf, shownColumn, shownReading } from './import-columns.ts';
import { loadJob } from './jobs.ts';

const shownImport = (row: ImportRecord): Import & { __typename: string } => ({
  ...row,
  __typename: 'Import',
  id: encodeId('Import', row.id),
  uuid: row.id,
  jobUuid: row.jobId,
  undoDeletionUuid: row.undoDeletionId,
  reading: shownReading(row.facts),
  columns: row.mapping.map(shownColumn),
  questions: row.questions ?? [],
  country: row.settings.country,
  currency: row.settings.currency,
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
});

/** The import, or null. */
export async function loadImport(context: Context, id: string): Promise<(Import & { __typename: string }) | null> {
  const [row] = await readImports(await context.reading(), [id]);
  return row ? shownImport(row) : null;
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
    description:
      'Applies an import whose dry run is done: a job creates and changes contacts. Rows that a contact has come in the way of since, or whose contact does not match them any more, are refused with their reason. The same file with the same columns is applied once.',
  })
  applyImport(@Ctx() context: Context, @Arg('input', () => ImportInput, { description: 'Which import.' }) { id }: ImportInput): Promise<ImportPayload> {
    return changed(context, (app, viewer) => applyImport(app, viewer, decodeId('Import', id)));
  }

  @Mutation(() => ImportPayload, {
    description:
      'Takes an import back, for 30 days: contacts that it created are deleted, through a deletion, so that they too can be recovered; what it changed is put back; what was edited since is kept. Where it changed contacts, this takes what changing them took. A job does it.',
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

  @FieldResolver(() => Job, { nullable: true, description: 'The job of its last stage, with its progress, for those who may watch jobs or began the import.' })
  async job(@Ctx() context: Context, @Root() { jobUuid }: Import): Promise<Job | null> {
    return jobUuid ? loadJob(context, jobUuid) : null;
  }

  @FieldResolver(() => Deletion, { nullable: true, description: 'The deletion that an undo removed contacts through, for those who may see deletions.' })
  async undoDeletion(@Ctx() context: Context, @Root() { undoDeletionUuid }: Import): Promise<Deletion | null> {
    return undoDeletionUuid ? loadDeletion(context, undoDeletionUuid) : null;
  }

  @Subscription(() => Import, {
    description:
      'An import as it is now, then each change, at most ten a second and fewer where showing what is asked for takes long, until nothing is under way with it; then the stream completes.',
    subscribe: ({ args, context }: { args: { id?: string }; context: Context }) => watchImport(context, args.id!),
  })
  importProgress(@Root() row: ImportRecord, @Arg('id', () => ID, { description: 'The id of the import.' }) _id: string): Import {
    return shownImport(row);
  }
}

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
