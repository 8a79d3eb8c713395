// Templates of imports: looking them up, saving and deleting them.
import { Arg, Args, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { deleteTemplate, type ImportTemplateRow, listTemplates, readTemplates, saveTemplate } from '../domain/import-templates.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import {
  DeleteImportTemplateInput,
  DeleteImportTemplatePayload,
  ImportTemplate,
  ImportTemplateConnection,
  SaveImportTemplateInput,
  SaveImportTemplatePayload,
} from '../schema/import-templates.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { shownColumn } from './import-columns.ts';

const shownTemplate = (row: ImportTemplateRow): ImportTemplate & { __typename: string } => ({
  ...row,
  __typename: 'ImportTemplate',
  id: encodeId('ImportTemplate', row.id),
  columns: row.mapping.map(shownColumn),
});

/** The template, or null. */
export async function loadTemplate(context: Context, id: string): Promise<(ImportTemplate & { __typename: string }) | null> {
  const [row] = await readTemplates(await context.reading(), [id]);
  return row ? shownTemplate(row) : null;
}

@Resolver(() => ImportTemplate)
export class ImportTemplateResolver {
  @Query(() => ImportTemplateConnection, { description: 'The templates of imports, by name.' })
  async importTemplates(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<ImportTemplate>> {
    const rows = await listTemplates(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'import templates', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['import templates', row.id], shownTemplate);
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
}
