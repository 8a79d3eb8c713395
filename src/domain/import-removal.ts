// What becomes of an import's file and rows when they are not needed or not wanted any more.
import type { Transaction } from '../database.ts';
import { publish } from '../pubsub.ts';
import { raw, sql } from '../sql.ts';
import type { App } from './app.ts';
import { removeFile } from './files.ts';
import { draftOf } from './import-batches.ts';
import { type ImportRecord, keepCounts, lockImport } from './import-rows.ts';

/** Removes the file and the rows of an import. What it did and how much stays known; its file can be imported again. */
export async function clearImport(tx: Transaction, { id, fileId }: Pick<ImportRecord, 'id' | 'fileId'>, state: 'DISCARDED' | null): Promise<void> {
  if (state === null) await keepCounts(tx, id);
  if (fileId) await removeFile(tx, fileId);
  await tx.run(sql`delete from import_draft where organization_id = ${tx.organizationId} and import_id = ${id}`);
  await tx.run(sql`delete from import_row where organization_id = ${tx.organizationId} and import_id = ${id}`);
  await tx.run(sql`delete from import_tag where organization_id = ${tx.organizationId} and import_id = ${id}`);
  await tx.run(sql`
    update import set state = coalesce(${state}, state), file_id = null, rows_removed_at = clock_timestamp(), mapping_digest = null where organization_id = ${tx.organizationId} and id = ${id}`);
  await publish(tx, 'import', id);
}

/** Removes what is left of imports whose time is over: dry runs that nobody applied, and the rows that an undo would go by. */
export async function clearExpiredImports(app: App, organizationId: string): Promise<void> {
  const expired = await app.database.transact(organizationId, (tx) =>
    tx.rows<{ id: string }>(sql`
      select id from import where organization_id = ${organizationId} and expires_at <= clock_timestamp() and rows_removed_at is null
        and state not in ('CHECKING', 'APPLYING', 'UNDOING') order by id`),
  );
  for (const { id } of expired)
    await app.database.transact(organizationId, async (tx) => {
      const found = await lockImport(tx, id);
      if (['CHECKED', 'FAILED'].includes(found.state)) await clearImport(tx, found, 'DISCARDED');
      else if (['APPLIED', 'STOPPED', 'UNDONE'].includes(found.state)) await clearImport(tx, found, null);
    });
}

/**
 * Takes what imports keep of contacts that are being erased: the rows that became or match them or repeat such a row, and the
 * file that they stand in, with what is shown of rows that nobody knows to be about whom.
 */
export async function eraseFromImports(tx: Transaction, contactIds: readonly string[]): Promise<void> {
  const org = tx.organizationId;
  // Whoever applies or checks one of these imports has a share of it until the commit.
  await tx.run(sql`
    select 1 from import where organization_id = ${org} and id in (
      select import_id from import_row where organization_id = ${org} and contact_id = any(${contactIds}::uuid[])
      union select import_id from import_row where organization_id = ${org} and deleted_contact_id = any(${contactIds}::uuid[])) order by id for update`);
  const removed = (column: 'contact_id' | 'deleted_contact_id') =>
    tx.rows<{ importId: string; rowNumber: number }>(sql`
      delete from import_row where organization_id = ${org} and ${raw(column)} = any(${contactIds}::uuid[]) returning import_id as "importId", row_number as "rowNumber"`);
  const named = [...(await removed('contact_id')), ...(await removed('deleted_contact_id'))];
  if (named.length === 0) return;
  const ids = [...new Set(named.map(({ importId }) => importId))];
  // Of rows that are done no more than their numbers is kept.
  for (let last = named; last.length > 0;) {
    const gone = sql`unnest(${last.map(({ importId }) => importId)}::uuid[], ${last.map(({ rowNumber }) => rowNumber)}::int[]) gone (id, number)`;
    await tx.run(sql`delete from import_draft d using ${gone} where d.organization_id = ${org} and d.import_id = gone.id and d.row_number = gone.number`);
    last = await tx.rows(sql`
      delete from import_row r using ${gone}
      where r.organization_id = ${org} and r.import_id = gone.id and r.repeats = gone.number and exists ${draftOf} returning r.import_id as "importId", r.row_number as "rowNumber"`);
  }
  await tx.run(sql`update import set counts = null where organization_id = ${org} and id = any(${ids}::uuid[]) and state in ('CHECKED', 'STOPPED')`);
  const files = await tx.rows<{ fileId: string }>(sql`
    update import i set file_id = null from import before
    where i.organization_id = ${org} and i.id = any(${ids}::uuid[])
      and before.organization_id = i.organization_id and before.id = i.id and before.file_id is not null returning before.file_id as "fileId"`);
  for (const { fileId } of files) await removeFile(tx, fileId);
  await tx.run(sql`
    update import_row set cells = null where organization_id = ${org} and import_id = any(${ids}::uuid[]) and cells is not null`);
}
