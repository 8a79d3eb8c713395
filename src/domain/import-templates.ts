// Mappings that are kept under a name and used again for the next file of the same kind.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import type { ColumnMapping, ValueSettings } from '../imports/recognition/mapping.ts';
import type { ReadOptions } from '../imports/sheet.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { requireText } from './text.ts';
import { transactAs } from './writing.ts';

export interface ImportTemplateRow {
  id: string;
  name: string;
  readOptions: ReadOptions;
  mapping: ColumnMapping[];
  settings: ValueSettings;
  createdByName: string;
  createdAt: Date;
  updatedAt: Date;
}

/** The most that an organization keeps. */
const mostTemplates = 200;

const columns = sql`
  t.id, t.name, t.read_options as "readOptions", t.mapping, t.settings, t.created_by_name as "createdByName", t.created_at as "createdAt", t.updated_at as "updatedAt"`;

/** By name, after the template with that id. */
export const listTemplates = (tx: Transaction, limit: number, after: string | null): Promise<ImportTemplateRow[]> =>
  tx.rows<ImportTemplateRow>(sql`
    select ${columns} from import_template t where t.organization_id = ${tx.organizationId}
      ${after ? sql`and (t.name, t.id) > (select a.name, a.id from import_template a where a.organization_id = ${tx.organizationId} and a.id = ${after})` : raw('')}
    order by t.name, t.id limit ${limit}`);

export const readTemplates = (tx: Transaction, ids: readonly string[]): Promise<ImportTemplateRow[]> =>
  tx.rows<ImportTemplateRow>(sql`select ${columns} from import_template t where t.organization_id = ${tx.organizationId} and t.id = any(${ids}::uuid[])`);

/** @throws NotFound */
export async function readTemplate(tx: Transaction, id: string): Promise<ImportTemplateRow> {
  const [found] = await readTemplates(tx, [id]);
  if (!found) throw new NotFound('import template');
  return found;
}

/**
 * Keeps the mapping of an import under a name; one of that name is replaced.
 * @returns the template's id
 * @throws NotFound; Refusal NOT_CHECKED, TOO_MANY_TEMPLATES and those of text.ts
 */
export async function saveTemplate(app: App, viewer: Viewer, { importId, name: given }: { importId: string; name: string }): Promise<string> {
  const name = requireText(given, ['input', 'name']);
  return transactAs(app, viewer, async (tx) => {
    const found = await tx.row<{ checked: boolean }>(sql`
      select jsonb_array_length(mapping) > 0 as checked from import where organization_id = ${tx.organizationId} and id = ${importId}`);
    if (!found) throw new NotFound('import');
    if (!found.checked)
      throw new Refusal('NOT_CHECKED', 'The columns of this import are not known yet. Nothing was saved. Wait until its dry run is done.', [
        'input',
        'importId',
      ]);
    const { count } = (await tx.row<{ count: number }>(sql`
      select count(*)::int as count from import_template where organization_id = ${tx.organizationId} and name <> ${name}`))!;
    if (count >= mostTemplates)
      throw new Refusal(
        'TOO_MANY_TEMPLATES',
        `An organization keeps at most ${mostTemplates} templates. Nothing was saved. Delete one that is not used any more.`,
        ['input'],
      );
    const saved = await tx.row<{ id: string }>(sql`
      insert into import_template (organization_id, id, name, read_options, mapping, settings, created_by_name)
      select organization_id, ${newId()}, ${name}, read_options, mapping, settings, ${viewer.name} from import where organization_id = ${tx.organizationId} and id = ${importId}
      on conflict (organization_id, name) do update set read_options = excluded.read_options, mapping = excluded.mapping, settings = excluded.settings, updated_at = now()
      returning id`);
    await logAction(tx, viewer, { action: 'import_template.saved', target: { kind: 'ImportTemplate', id: saved!.id } });
    return saved!.id;
  });
}

/** @throws NotFound */
export async function deleteTemplate(app: App, viewer: Viewer, id: string): Promise<void> {
  await transactAs(app, viewer, async (tx) => {
    const { rowCount } = await tx.run(sql`delete from import_template where organization_id = ${tx.organizationId} and id = ${id}`);
    if (rowCount === 0) throw new NotFound('import template');
    await logAction(tx, viewer, { action: 'import_template.deleted', target: { kind: 'ImportTemplate', id } });
  });
}
