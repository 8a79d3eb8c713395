// Applying an import, batch by batch: contacts, what they own, the log entries and what became of each row commit together.
import type { Transaction } from '../database.ts';
import type { RowProblem } from '../imports/problems.ts';
import { publish } from '../pubsub.ts';
import { deferFlush } from '../snapshots/capture.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { type Sql, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { type Applying, type Batch, draftOf, inBatch, joinByHash, joinByIndex, takeStatistics } from './import-batches.ts';
import { holdImport, keepCounts, outcome, updatesContacts } from './import-rows.ts';
import { liveMatch } from './import-staging.ts';
import { createContacts, findLists, makeTags } from './import-creations.ts';
import { updateMatches } from './import-updates.ts';
import { endJob, type Report } from './jobs.ts';

/** Rows of one transaction, for each contact that a chunk may have. */
const rowsPerContact = 2;
/** Rows of the first transaction, after which the tables are no longer empty. */
const firstRows = 100;
/** Batches at the same time. */
const lanes = 2;

/**
 * Carries an import out: every row that has a draft. Safe to run again after a crash, and by two workers at once: a row is
 * done, and its draft removed, in one transaction.
 */
export async function applyImportRows(app: App, actor: Actor, organizationId: string, importId: string, report: Report, signal: AbortSignal): Promise<void> {
  const work: Applying = { app, actor, organizationId, importId };
  const plan = await app.database.transact(organizationId, async (tx) => {
    const row = await tx.row<{ state: string; jobId: string; rowCount: number; left: number; first: number | null; last: number; overtaken: boolean }>(sql`
      select i.state, i.job_id as "jobId", i.row_count as "rowCount", d.left, d.first, d.last,
        i.duplicate_policy is distinct from 'CREATE' and (i.deleted_policy = 'CREATE'
          or exists (select 1 from contact c where c.organization_id = i.organization_id and greatest(c.created_at, c.updated_at) > i.created_at)
          or exists (select 1 from contact_point p where p.organization_id = i.organization_id and p.created_at > i.created_at)) as overtaken
      from import i, lateral (
        select count(*)::int as left, min(row_number) as first, max(row_number) as last from import_draft d
        where d.organization_id = i.organization_id and d.import_id = i.id) d
      where i.organization_id = ${organizationId} and i.id = ${importId}`);
    return row!;
  });
  if (plan.state !== 'APPLYING') return;
  await takeStatistics(app, organizationId, true);
  const total = plan.rowCount;
  let done = total - plan.left;
  await report({ phase: 'APPLYING', done, total });
  const batchRows = rowsPerContact * app.config.CHUNK_CONTACTS;
  const first: Batch = { from: plan.first ?? 0, to: (plan.first ?? 0) + firstRows };
  const others: Batch[] = [];
  if (plan.first !== null) for (let from = first.to; from <= plan.last; from += batchRows) others.push({ from, to: from + batchRows });
  const eachBatch = (batches: readonly Batch[], apply: (tx: Transaction, batch: Batch) => Promise<number>) =>
    eachInLanes(lanes, batches, async (batch) => {
      signal.throwIfAborted();
      done += await app.database.transact(organizationId, (tx) => apply(tx, batch));
      await report({ phase: 'APPLYING', done, total });
    });
  // Before the first is created: of a table that is being filled the planner knows too little to look each row up.
  if (plan.overtaken) await eachBatch([first, ...others], (tx, batch) => refuseLate(tx, work, batch));
  await eachBatch([first], (tx, batch) => applyBatch(tx, work, batch));
  // Of a table that was empty the planner thinks that it is, however much is there by now. One batch more does not show it.
  if (others.length > 1) await takeStatistics(app, organizationId, true);
  await eachBatch(others, (tx, batch) => applyBatch(tx, work, batch));
  await app.database.transact(organizationId, async (tx) => {
    const ended = await tx.run(sql`
      update import set state = 'APPLIED' where organization_id = ${organizationId} and id = ${importId} and state = 'APPLYING'`);
    if (ended.rowCount === 0) return;
    const { createdCount, updatedCount } = await keepCounts(tx, importId);
    await logAction(tx, actor, { action: 'import.applied', target: { kind: 'Import', id: importId }, targetCount: createdCount + updatedCount });
    await endJob(tx, plan.jobId, 'COMPLETED');
    await publish(tx, 'import', importId);
  });
}

/** One batch. @returns how many rows it did */
async function applyBatch(tx: Transaction, work: Applying, batch: Batch): Promise<number> {
  await deferFlush(tx);
  const held = await holdImport(tx, work.importId, 'APPLYING');
  if (!held) return 0;
  await joinByHash(tx);
  const lists = await findLists(tx, work, batch);
  const tagIds = lists.includes('tags') ? await makeTags(tx, work, batch) : new Map<string, string>();
  const { created, refused } = await createContacts(tx, work, batch, lists, tagIds);
  if (updatesContacts(held.duplicatePolicy)) {
    await joinByHash(tx);
    await updateMatches(tx, work, batch, tagIds);
  }
  const { rowCount } = await tx.run(sql`delete from import_draft d where ${inBatch(tx, work, batch, 'd')}`);
  return created + refused + rowCount!;
}

/**
 * Refuses rows of a batch that would create somebody who is there by now: who was recovered since the dry run, or matches as a
 * row did then. Those that this import has created are none of these. @returns how many
 */
async function refuseLate(tx: Transaction, work: Applying, batch: Batch): Promise<number> {
  await deferFlush(tx);
  if (!(await holdImport(tx, work.importId, 'APPLYING'))) return 0;
  await joinByIndex(tx);
  const refuse = async (problem: RowProblem, those: Sql): Promise<number> => {
    const { rowCount } = await tx.run(sql`
      with late as (
        select r.row_number from import i, import_row r, lateral ${draftOf} d
        where i.organization_id = ${tx.organizationId} and i.id = ${work.importId} and ${inBatch(tx, work, batch)} and ${outcome} = 'CREATED' and ${those}
      ), taken as (
        -- Whoever has the draft has the row.
        delete from import_draft d where ${inBatch(tx, work, batch, 'd')} and d.row_number = any (array(select row_number from late)) returning d.row_number
      )
      update import_row r set outcome = 'REFUSED', contact_id = null, problems = ${JSON.stringify([problem])}
      where ${inBatch(tx, work, batch)} and r.row_number = any (array(select row_number from taken))`);
    return rowCount!;
  };
  const recovered = await refuse(
    { code: 'CONTACT_RECOVERED', message: 'The contact that the row matches was recovered since the dry run. The row was not imported. Import it again.' },
    sql`r.kind = 'DELETED' and exists (select 1 from contact c where c.organization_id = r.organization_id and c.id = r.deleted_contact_id)`,
  );
  const points = (kind: 'EMAIL' | 'PHONE') =>
    sql`array(select p ->> 'normalized' from jsonb_array_elements(d.owned -> 'points') p where p ->> 'kind' = ${kind})`;
  const staged = sql`(select d.*, ${points('EMAIL')} || d.email_normalized as emails, ${points('PHONE')} as phones) s`;
  const matched = await refuse(
    { code: 'MATCHED_SINCE', message: 'A contact that the row matches has come since the dry run. The row was not imported. Import it again.' },
    sql`r.kind in ('NEW', 'DELETED') and exists (
      -- That an email address or a member number is taken is found when it is given.
      select 1 from ${staged}, lateral (${liveMatch(tx.organizationId)}) m where not m."isUnique" and not exists (
        select 1 from import_row o where o.organization_id = ${tx.organizationId} and o.contact_id = m.id and o.import_id = ${work.importId}))`,
  );
  return recovered + matched;
}
