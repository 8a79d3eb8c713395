// Imports and the rows of their files, as they are read.
import type { Transaction } from '../database.ts';
import type { DeletedPolicy, DuplicatePolicy, ImportState, MatchKey, RowKind, RowOutcome, RowUndoOutcome, TakenKey } from '../entities/import.ts';
import { NotFound } from '../errors.ts';
import type { RowProblem } from '../imports/problems.ts';
import type { Question } from '../imports/recognition/evidence.ts';
import type { ColumnMapping, ValueSettings } from '../imports/recognition/mapping.ts';
import type { ReadOptions, SheetFacts } from '../imports/sheet.ts';
import type { StagedDraft } from '../imports/staging.ts';
import { raw, type Sql, sql } from '../sql.ts';
import { draftOf, stagedDraft } from './import-batches.ts';

export interface ImportRecord {
  id: string;
  state: ImportState;
  fileId: string | null;
  fileName: string;
  byteLength: number;
  readOptions: ReadOptions;
  facts: SheetFacts | null;
  /** Empty until it is read. */
  mapping: ColumnMapping[];
  settings: ValueSettings;
  questions: Question[] | null;
  duplicatePolicy: DuplicatePolicy;
  deletedPolicy: DeletedPolicy | null;
  /** Rows of the file that are not blank; 0 until the dry run is done. */
  rowCount: number;
  jobId: string | null;
  /** When the job last told how far it is. */
  progressedAt: Date | null;
  failureCode: string | null;
  failureMessage: string | null;
  requestedById: string;
  requestedByName: string;
  createdAt: Date;
  checkedAt: Date | null;
  appliedByName: string | null;
  appliedAt: Date | null;
  expiresAt: Date;
  undoneByName: string | null;
  undoneAt: Date | null;
  undoDeletionId: string | null;
  /** Whether it could be taken back now, as far as its state and its time go. */
  isUndoable: boolean;
  /** Whether its rows and its file are gone. */
  rowsRemoved: boolean;
}

const columns = sql`
  i.id, i.state, i.file_id as "fileId", i.file_name as "fileName", i.byte_length as "byteLength", i.read_options as "readOptions", i.facts, i.mapping, i.settings, i.questions,
  i.duplicate_policy as "duplicatePolicy", i.deleted_policy as "deletedPolicy", i.row_count as "rowCount", i.job_id as "jobId",
  (select j.updated_at from job j where j.organization_id = i.organization_id and j.id = i.job_id) as "progressedAt",
  i.failure_code as "failureCode", i.failure_message as "failureMessage", i.requested_by_id as "requestedById", i.requested_by_name as "requestedByName",
  i.created_at as "createdAt", i.checked_at as "checkedAt", i.applied_by_name as "appliedByName", i.applied_at as "appliedAt", i.expires_at as "expiresAt",
  i.undone_by_name as "undoneByName", i.undone_at as "undoneAt", i.undo_deletion_id as "undoDeletionId",
  i.state in ('APPLIED', 'STOPPED') and i.expires_at > clock_timestamp() as "isUndoable", i.rows_removed_at is not null as "rowsRemoved"`;

export const readImports = (tx: Transaction, ids: readonly string[]): Promise<ImportRecord[]> =>
  tx.rows<ImportRecord>(sql`select ${columns} from import i where i.organization_id = ${tx.organizationId} and i.id = any(${ids}::uuid[])`);

/** The newest first; `before` is the id that the last page ended with. */
export const listImports = (tx: Transaction, limit: number, before: string | null): Promise<ImportRecord[]> =>
  tx.rows<ImportRecord>(sql`
    select ${columns} from import i where i.organization_id = ${tx.organizationId} ${before ? sql`and i.id < ${before}` : raw('')} order by i.id desc limit ${limit}`);

/** The import, locked. @throws NotFound */
export async function lockImport(tx: Transaction, id: string): Promise<ImportRecord> {
  await tx.run(sql`select 1 from import where organization_id = ${tx.organizationId} and id = ${id} for update`);
  const [found] = await readImports(tx, [id]);
  if (!found) throw new NotFound('import');
  return found;
}

/** Keeps an import in its state until the commit: whoever would change that waits, and finds what was done. @returns undefined when it is in another */
export const holdImport = (tx: Transaction, id: string, state: ImportState): Promise<{ runId: string | null; duplicatePolicy: DuplicatePolicy } | undefined> =>
  tx.row(sql`
    select run_id as "runId", duplicate_policy as "duplicatePolicy" from import
    where organization_id = ${tx.organizationId} and id = ${id} and state = ${state} for share`);

/** Whether contacts that rows match are changed. */
export const updatesContacts = (policy: DuplicatePolicy | null | undefined): boolean => policy === 'FILL_EMPTY' || policy === 'OVERWRITE';

/** Whether a repeated key leaves room for a second contact: two may have the same phone or name, and never the same email or member number. */
const twofold = sql`(r.matched_by in ('PHONE', 'NAME_AND_BIRTH_DATE') and r.taken is null)`;
const judged = (changes: string) => raw(`case ${changes} when true then 'UPDATED' when false then 'SKIPPED' else 'REFUSED' end`);

/**
 * What becomes of a row, r, of an import, i: what its policies say, before it is applied and after, but for what applying has
 * found otherwise. In SQL and nowhere else, so that a dry run promises what applying does.
 */
export const outcome = sql`
  coalesce(r.outcome, case r.kind
    when 'NEW' then 'CREATED'
    when 'REFUSED' then 'REFUSED'
    when 'DELETED' then case when i.deleted_policy = 'CREATE' then 'CREATED' else 'SKIPPED' end
    when 'MATCH' then case i.duplicate_policy
      when 'FILL_EMPTY' then ${judged('r.fills')}
      when 'OVERWRITE' then ${judged('r.differs')}
      when 'CREATE' then case when ${twofold} then 'CREATED' else 'REFUSED' end
      else 'SKIPPED' end
    else case when i.duplicate_policy = 'CREATE' and (r.deletion_id is null or i.deleted_policy = 'CREATE') then case when ${twofold} then 'CREATED' else 'REFUSED' end else 'SKIPPED' end
  end)`;

export interface ImportRowRecord {
  rowNumber: number;
  kind: RowKind;
  outcome: RowOutcome;
  contactId: string | null;
  matchedBy: MatchKey | null;
  taken: TakenKey | null;
  repeats: number | null;
  deletedContactId: string | null;
  deletionId: string | null;
  problems: RowProblem[] | null;
  /** Null once the row is done, and where nobody knows what it says. */
  draft: StagedDraft | null;
  cells: string[] | null;
  undoOutcome: RowUndoOutcome | null;
}

const rowColumns = sql`
  r.row_number as "rowNumber", r.kind, ${outcome} as outcome, case when r.kind <> 'NEW' or d.row_number is null then r.contact_id end as "contactId",
  r.matched_by as "matchedBy", r.taken, r.repeats, r.deleted_contact_id as "deletedContactId", r.deletion_id as "deletionId", r.problems,
  case when d.row_number is not null then ${stagedDraft} end as draft, r.cells, r.undo_outcome as "undoOutcome"`;

const ofImport = (tx: Transaction, importId: string, others = raw('')): Sql => sql`
  import i join import_row r on r.organization_id = i.organization_id and r.import_id = i.id ${others}
  where i.organization_id = ${tx.organizationId} and i.id = ${importId}`;

export interface RowFilter {
  outcome?: RowOutcome | null | undefined;
  undoOutcome?: RowUndoOutcome | null | undefined;
}

/** In the order of the file, after the row of that number. */
export const listImportRows = (tx: Transaction, importId: string, limit: number, after: number, filter: RowFilter): Promise<ImportRowRecord[]> =>
  tx.rows<ImportRowRecord>(sql`
    select ${rowColumns} from ${ofImport(tx, importId, sql`left join lateral ${draftOf} d on true`)} and r.row_number > ${after}
      ${filter.outcome ? sql`and ${outcome} = ${filter.outcome}` : raw('')} ${filter.undoOutcome ? sql`and r.undo_outcome = ${filter.undoOutcome}` : raw('')}
    order by r.row_number limit ${limit}`);

export interface ImportCounts {
  createdCount: number;
  updatedCount: number;
  skippedCount: number;
  refusedCount: number;
  /** Of those that are skipped or created: rows that match a contact which can still be recovered. */
  deletedCount: number;
  revertedCount: number;
  keptCount: number;
  goneCount: number;
}

/** How many rows have which outcome: as it was kept, or else counted. */
export async function importCounts(tx: Transaction, importId: string): Promise<ImportCounts> {
  const kept = await tx.row<{ counts: ImportCounts | null }>(sql`select counts from import where organization_id = ${tx.organizationId} and id = ${importId}`);
  return kept?.counts ?? countImportRows(tx, importId);
}

/** Counts the rows and keeps that, when none of them will change for a while. */
export async function keepCounts(tx: Transaction, importId: string): Promise<ImportCounts> {
  const counts = await countImportRows(tx, importId);
  await tx.run(sql`update import set counts = ${JSON.stringify(counts)} where organization_id = ${tx.organizationId} and id = ${importId}`);
  return counts;
}

async function countImportRows(tx: Transaction, importId: string): Promise<ImportCounts> {
  const counts = await tx.row<ImportCounts>(sql`
    select count(*) filter (where o = 'CREATED')::int as "createdCount", count(*) filter (where o = 'UPDATED')::int as "updatedCount",
      count(*) filter (where o = 'SKIPPED')::int as "skippedCount", count(*) filter (where o = 'REFUSED')::int as "refusedCount",
      count(*) filter (where deletion_id is not null)::int as "deletedCount",
      count(*) filter (where undo_outcome = 'REVERTED')::int as "revertedCount", count(*) filter (where undo_outcome = 'KEPT')::int as "keptCount",
      count(*) filter (where undo_outcome = 'GONE')::int as "goneCount"
    from (select ${outcome} as o, r.deletion_id, r.undo_outcome from ${ofImport(tx, importId)} offset 0) counted`);
  return counts!;
}

/** The most deletions, and of each the most contacts, that are named: a recovery takes no more. */
const named = { deletions: 20, contacts: 10_000 };

/** The deletions that rows match contacts of, and that can still be recovered; those with the most first. */
export const recoverableMatches = (tx: Transaction, importId: string) =>
  tx.rows<{ deletionId: string; contactCount: number; contactIds: string[]; recoverableUntil: Date }>(sql`
    select d.id as "deletionId", count(distinct r.deleted_contact_id)::int as "contactCount", d.recoverable_until as "recoverableUntil",
      (array_agg(distinct r.deleted_contact_id))[1:${raw(String(named.contacts))}] as "contactIds"
    from import_row r join deletion d on d.organization_id = r.organization_id and d.id = r.deletion_id
    where r.organization_id = ${tx.organizationId} and r.import_id = ${importId}
      and d.state = 'COMPLETED' and d.recoverable_until > clock_timestamp()
      and exists (select 1 from deletion_contact t where t.organization_id = r.organization_id and t.deletion_id = d.id and t.contact_id = r.deleted_contact_id)
    group by d.id, d.recoverable_until order by "contactCount" desc, d.id limit ${named.deletions}`);
