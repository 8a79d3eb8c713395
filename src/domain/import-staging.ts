// Rows of a file as they are written in a dry run: each is held against the live contacts, those that were deleted lately, and
// the rows before it.
import { finished } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import type { Transaction } from '../database.ts';
import type { TakenKey } from '../entities/import.ts';
import type { SeenKeys } from '../imports/seen-keys.ts';
import { stageColumns } from '../imports/staging.ts';
import { deferFlush } from '../snapshots/capture.ts';
import { raw, sql } from '../sql.ts';
import type { App } from './app.ts';
import { writtenList } from './contact-columns.ts';
import type { DeletedKeys } from './deleted-keys.ts';
import { type Batch, inBatch, joinByHash } from './import-batches.ts';
import { holdImport } from './import-rows.ts';
import { judgeMatches } from './import-updates.ts';

export interface Check {
  app: App;
  organizationId: string;
  importId: string;
  /** Tells the run that is at it from one that was given up for dead. */
  runId: string;
  signal: AbortSignal;
}

/** Holds the import while its rows are written. @returns whether this run is still the one */
export const isMine = async (tx: Transaction, { importId, runId }: Check): Promise<boolean> => (await holdImport(tx, importId, 'CHECKING'))?.runId === runId;

/** What rows are held against that is in no table: deleted contacts, and which row was the first to match a live one. */
export interface HeldAgainst {
  deleted: DeletedKeys;
  matched: SeenKeys;
}

const stageTable = 'staged_rows';
const columnNames = stageColumns.map(([name]) => name).join(', ');
const columnTypes = raw(stageColumns.map((column) => column.join(' ')).join(', '));
/** Of a draft, in the temporary table and in that of drafts. */
const ofDraft = sql`row_number, contact_id, ${writtenList}, owned`;

/** Writes lines of the reader as rows of the import, each with what it matches. @returns whether this run is still the one */
export async function writeRows(check: Check, lines: readonly Buffer[], { deleted, matched: matchedBefore }: HeldAgainst): Promise<boolean> {
  const { app, organizationId, importId } = check;
  return app.database.transact(organizationId, async (tx) => {
    await deferFlush(tx);
    if (!(await isMine(tx, check))) return false;
    await tx.run(sql`create temporary table if not exists ${raw(stageTable)} (${columnTypes}) on commit delete rows`);
    await tx.inTurn(async () => {
      const stream = tx.client.query(copyFrom(`copy ${stageTable} (${columnNames}) from stdin`));
      for (const some of lines) stream.write(some);
      stream.end();
      await finished(stream);
    });
    // Its statistics say nothing; every look goes by an index.
    tx.planAnew();
    await tx.run(sql`select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true)`);
    const written = await tx.rows<{ first: number; last: number; matched: number; repeated: number }>(sql`
      with written as (
        insert into import_row (organization_id, import_id, row_number, kind, matched_by, taken, repeats, contact_id, owned_count, cells, problems)
        select ${organizationId}, ${importId}, s.row_number, case when s.kind = 'NEW' and m.id is not null then 'MATCH' else s.kind end,
          coalesce(s.matched_by, m.by), s.taken, s.repeats, case when s.kind = 'NEW' then coalesce(m.id, s.contact_id) end, s.owned_count, s.cells, s.problems
        from ${raw(stageTable)} s left join lateral (${liveMatch(organizationId)}) m on s.kind = 'NEW'
        returning row_number, kind
      ), drafts as (
        insert into import_draft (organization_id, import_id, ${ofDraft})
        select ${organizationId}, ${importId}, ${ofDraft} from ${raw(stageTable)} where kind <> 'REFUSED'
      )
      select min(row_number) as first, max(row_number) as last, count(*) filter (where kind = 'MATCH')::int as matched,
        count(*) filter (where kind = 'REPEATED')::int as repeated from written`);
    const { first, last, matched, repeated } = written[0]!;
    const batch = { from: first, to: last + 1 };
    await joinByHash(tx);
    if (matched > 0) await joinRepeats(tx, importId, batch, matchedBefore);
    if (matched + repeated > 0) await findTakenKeys(tx, importId, batch);
    if (matched > 0) await judgeMatches(tx, importId, batch);
    if (deleted.size > 0) await matchDeleted(tx, importId, batch, deleted);
    return true;
  });
}

const nameless = sql`(s.first_name is null and s.last_name is null)`;

/** The live contact that a staged row, s, is, in the order of trust; none when it is new. People share a phone: who bears another name is somebody else. */
export const liveMatch = (organizationId: string) => sql`
  select hit.id, hit.by, hit.rank in (0, 4) as "isUnique" from (
    select c.id, 'EMAIL' as by, case when c.email_normalized = s.email_normalized then 0 else 1 end as rank from contact c where c.organization_id = ${organizationId} and c.email_normalized = any(s.emails)
    union all
    select t.contact_id, 'EMAIL', 2 from contact_point t where t.organization_id = ${organizationId} and t.kind = 'EMAIL' and t.normalized = any(s.emails)
    union all
    select c.id, 'PHONE', 3 from contact_point t join contact c on c.organization_id = t.organization_id and c.id = t.contact_id
    where t.organization_id = ${organizationId} and t.kind = 'PHONE' and t.normalized = any(s.phones)
      and (c.sort_name = s.sort_name or ${nameless} or (c.first_name is null and c.last_name is null))
    union all
    select c.id, 'MEMBER_NUMBER', 4 from contact c where c.organization_id = ${organizationId} and c.member_number = s.member_number
    union all
    select c.id, 'NAME_AND_BIRTH_DATE', 5 from contact c where c.organization_id = ${organizationId} and c.sort_name = s.sort_name and c.birth_date = s.birth_date and not ${nameless}
  ) hit order by hit.rank, hit.id limit 1`;

/** A live contact is changed by one row of a file: those after it repeat that row. */
async function joinRepeats(tx: Transaction, importId: string, batch: Batch, matched: SeenKeys): Promise<void> {
  const rows = await tx.rows<{ rowNumber: number; contactId: string }>(sql`
    select r.row_number as "rowNumber", r.contact_id as "contactId" from import_row r
    where ${inBatch(tx, { importId }, batch)} and r.kind = 'MATCH' order by r.row_number`);
  const repeated = rows
    .map(({ rowNumber, contactId }) => ({ rowNumber, first: matched.first([contactId], rowNumber) }))
    .filter(({ rowNumber, first }) => first !== rowNumber);
  if (repeated.length === 0) return;
  await tx.run(sql`
    update import_row r set kind = 'REPEATED', repeats = given.first
    from unnest(${repeated.map(({ rowNumber }) => rowNumber)}::int[], ${repeated.map(({ first }) => first)}::int[]) given (number, first)
    where ${inBatch(tx, { importId }, batch)} and r.row_number = given.number`);
}

/** Notes of rows that match or are repeated which of their keys a live contact has; another's before that of the one they match. */
async function findTakenKeys(tx: Transaction, importId: string, batch: Batch): Promise<void> {
  const held = (key: TakenKey, column: string) => sql`
    select ${key} as key, c.id from contact c where c.organization_id = ${tx.organizationId} and ${raw(`c.${column} = s.${column}`)}`;
  await tx.run(sql`
    update import_row r set taken = coalesce((
      select one.key from (${held('EMAIL', 'email_normalized')} union all ${held('MEMBER_NUMBER', 'member_number')}) one
      order by one.id is not distinct from r.contact_id, one.key limit 1), r.taken)
    from ${raw(stageTable)} s where ${inBatch(tx, { importId }, batch)} and s.row_number = r.row_number and r.kind in ('MATCH', 'REPEATED')`);
}

/** Finds the staged rows that match no live contact and a deleted one. */
async function matchDeleted(tx: Transaction, importId: string, batch: Batch, deleted: DeletedKeys): Promise<void> {
  const rows = await tx.rows<{
    rowNumber: number;
    emails: string[] | null;
    phones: string[] | null;
    memberNumber: string | null;
    name: string | null;
    birthDate: string | null;
  }>(sql`
    select s.row_number as "rowNumber", s.emails, s.phones, s.member_number as "memberNumber", case when not ${nameless} then s.sort_name end as name,
      s.birth_date as "birthDate"
    from ${raw(stageTable)} s join import_row r on ${inBatch(tx, { importId }, batch)} and r.row_number = s.row_number
    where r.kind = 'NEW' or (r.kind = 'REPEATED' and r.contact_id is null)`);
  const found = rows.flatMap(({ rowNumber, emails, phones, memberNumber, name, birthDate }) => {
    const match = deleted.find({ emails: emails ?? [], phones: phones ?? [], memberNumber, name: name ?? '', birthDate });
    return match ? [{ rowNumber, ...match }] : [];
  });
  if (found.length === 0) return;
  await tx.run(sql`
    update import_row r set kind = case r.kind when 'NEW' then 'DELETED' else r.kind end, matched_by = case r.kind when 'NEW' then given.by else r.matched_by end,
      contact_id = null, deleted_contact_id = given.contact, deletion_id = given.deletion
    from unnest(${found.map(({ rowNumber }) => rowNumber)}::int[], ${found.map(({ by }) => by)}::text[], ${found.map(({ contactId }) => contactId)}::uuid[],
      ${found.map(({ deletionId }) => deletionId)}::uuid[]) given (row_number, by, contact, deletion)
    where ${inBatch(tx, { importId }, batch)} and r.row_number = given.row_number
      -- One that was recovered is live, under whatever it is known by now.
      and not exists (select 1 from contact c where c.organization_id = r.organization_id and c.id = given.contact)`);
}
