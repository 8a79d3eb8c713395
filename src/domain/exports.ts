// Taking contacts out as a file: ordering it, and the link to it while it is kept. It holds what whoever ordered it sees, which
// is asked when it is ordered, when it is written and when it is fetched.
import { v7 as newId } from 'uuid';
import type { ExportFormat } from '../entities/contact-export.ts';
import { NotFound, Refusal } from '../errors.ts';
import { csvType } from '../exports/csv.ts';
import { vCardType } from '../exports/vcard.ts';
import { xlsxType } from '../exports/xlsx.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { type ContactFilter, matching } from './contact-filters.ts';
import { type FileKind, type Link, signDownload } from './downloads.ts';
import { type ExportField, exportFields, hiddenIn } from './export-fields.ts';
import { type ExportRow, readExports } from './export-rows.ts';
import { readFile } from './files.ts';
import { queueJob } from './jobs.ts';
import { mustSee, unseen } from './visibility.ts';
import { organizationOf, transactAs } from './writing.ts';

/** How many exports of an organization may be waiting or written at a time. */
const mostWaiting = 10;

export interface ExportInput {
  filter: ContactFilter;
  format: ExportFormat;
  /** All that the viewer sees, when left out. */
  fields?: readonly ExportField[] | null | undefined;
}

/**
 * Orders an export, which a job writes.
 * @returns the export's id
 * @throws Refusal HIDDEN_FIELD, FORBIDDEN for balances, NO_FIELDS, NOTHING_FOUND, TOO_MANY_EXPORTS; InvalidInput for the filter
 */
export async function exportContacts(app: App, viewer: Viewer, { filter, format, fields: asked }: ExportInput): Promise<string> {
  const found = matching(organizationOf(viewer).id, viewer, filter);
  const fields = asked ? exportFields.filter((field) => asked.includes(field)) : exportFields.filter((field) => !hiddenIn(viewer, field));
  const path = ['input', 'fields'];
  if (fields.length === 0)
    throw new Refusal('NO_FIELDS', 'No field is named, so the file would be empty. Nothing was ordered. Name some, or leave it out.', path);
  if (fields.includes('BALANCES') && !viewer.permissions.has('payments:read'))
    throw new Refusal(
      'FORBIDDEN',
      'Balances take the permission payments:read (See payments), which you do not hold. Nothing was ordered. Leave them out.',
      path,
    );
  for (const field of fields) {
    const hidden = hiddenIn(viewer, field);
    if (hidden) mustSee(viewer, [hidden], path);
  }
  const id = newId();
  await transactAs(app, viewer, async (tx) => {
    const { waiting } = (await tx.row<{ waiting: number }>(sql`
      select count(*)::int as waiting from contact_export where organization_id = ${tx.organizationId} and state in ('QUEUED', 'RUNNING')`))!;
    if (waiting >= mostWaiting)
      throw new Refusal('TOO_MANY_EXPORTS', `${waiting} exports are waiting or being written already. Nothing was ordered. Wait until one of them is done.`);
    if (!(await tx.row(sql`select 1 from contact c where ${found} limit 1`)))
      throw new Refusal('NOTHING_FOUND', 'The filter finds no contact. Nothing was ordered. Correct it, or leave it out for all contacts.', [
        'input',
        'filter',
      ]);
    const jobId = await queueJob(tx, { kind: 'EXPORT_CONTACTS', subjectId: id, total: 0, actor: viewer });
    await tx.run(sql`
      insert into contact_export (organization_id, id, state, format, fields, filter, requested_by_kind, requested_by_id, requested_by_name, job_id, shown_groups)
      values (${tx.organizationId}, ${id}, 'QUEUED', ${format}, ${fields}::text[], ${JSON.stringify(filter)}, ${viewer.kind}, ${viewer.id}, ${viewer.name}, ${jobId}, '{}')`);
    await logAction(tx, viewer, { action: 'export.ordered', target: { kind: 'ContactExport', id } });
  });
  return id;
}

/**
 * Gives a link to the file of an export, for whoever ordered it.
 * @throws NotFound; Refusal NOT_ORDERED_BY_YOU, EXPORT_NOT_READY, EXPORT_FAILED, EXPORT_GONE, HIDDEN_FIELD, OUT_OF_SCOPE
 */
export async function linkExport(app: App, viewer: Viewer, id: string): Promise<Link> {
  await transactAs(app, viewer, async (tx) => {
    const [row] = await readExports(tx, [id]);
    if (!row) throw new NotFound('export');
    checkFetchable(viewer, row);
  });
  return signDownload(app, viewer, { kind: 'CONTACT_EXPORT', exportId: id });
}

/** @throws Refusal like `linkExport` */
function checkFetchable(viewer: Viewer, { state, requestedById, shownGroups, fields, tagScope }: ExportRow): void {
  const refuse = (code: string, message: string): never => {
    throw new Refusal(code, message, ['input', 'id']);
  };
  if (requestedById !== viewer.id)
    refuse('NOT_ORDERED_BY_YOU', 'Someone else ordered this export, and its file is for them alone. Nothing was read. Order one of your own.');
  if (state === 'QUEUED' || state === 'RUNNING') refuse('EXPORT_NOT_READY', 'The file is not written yet. Nothing was read. Watch the job of the export.');
  if (state === 'FAILED') refuse('EXPORT_FAILED', 'The export failed, so there is no file. Nothing was read. Its `failure` says why; order it again.');
  if (state !== 'COMPLETED') refuse('EXPORT_GONE', 'The file is not kept any more. Nothing was read. Order the export again.');
  const hidden: FieldGroup | undefined = shownGroups.find((group) => viewer.hidden.has(group));
  if (hidden) refuse('HIDDEN_FIELD', unseen(hidden));
  if (shownGroups.includes('BALANCES') && !viewer.permissions.has('payments:read'))
    refuse(
      'FORBIDDEN',
      `The file has ${fields.includes('BALANCES') ? 'balances' : 'contacts found by their balance'}, which take the permission payments:read (See payments). Nothing was read. Order it again without them.`,
    );
  const { scope } = viewer;
  if (scope && !tagScope?.every((tag) => scope.tags.includes(tag)))
    refuse('OUT_OF_SCOPE', 'Your roles are limited to contacts with certain tags now, and the file has others. Nothing was read. Order it again.');
}

const types = {
  CSV: [csvType, 'csv'],
  XLSX: [xlsxType, 'xlsx'],
  VCARD_3: [vCardType, 'vcf'],
  VCARD_4: [vCardType, 'vcf'],
} as const satisfies Record<ExportFormat, readonly [string, string]>;

export const contactExportFile: FileKind<'CONTACT_EXPORT'> = {
  permissions: ['contacts:export', 'contacts:read'],
  attempt: 'createContactExportLink',
  async open(tx, app, viewer, { exportId: id }) {
    const [row] = await readExports(tx, [id]);
    if (!row) throw new NotFound('export');
    checkFetchable(viewer, row);
    const { format, fileId, byteLength, contactCount } = row;
    const [type, ending] = types[format];
    return {
      type,
      name: `contacts-${row.takenAt!.toISOString().slice(0, 10)}.${ending}`,
      byteLength,
      fetched: { action: 'export.fetched', target: { kind: 'ContactExport', id }, targetCount: contactCount },
      content: readFile(app, tx.organizationId, fileId!),
    };
  },
};
