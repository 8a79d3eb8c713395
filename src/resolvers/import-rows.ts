// What becomes of the rows of an import, how many of which, and the deleted contacts that they match.
import { Arg, Args, Ctx, FieldResolver, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { reasonsOf, valuesOf } from '../domain/import-reasons.ts';
import { importCounts, type ImportRowRecord, listImportRows, recoverableMatches } from '../domain/import-rows.ts';
import { planRecovery } from '../domain/recovery-plans.ts';
import type { RowOutcome, RowUndoOutcome } from '../entities/import.ts';
import { InvalidInput } from '../errors.ts';
import { encodeId } from '../schema/common.ts';
import {
  ImportCounts,
  ImportOutcomeEnum,
  ImportRecoverable,
  type ImportRow,
  ImportRowConnection,
  ImportUndoOutcomeEnum,
  RecoveryOffer,
} from '../schema/import-rows.ts';
import { Import } from '../schema/imports.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';

@Resolver(() => Import)
export class ImportRowResolver {
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
