// The dry run of an import: the whole file is read by a process of its own, each row becomes a draft or a reason, and is held
// against the live contacts and those that were deleted lately.
import { createHash, randomUUID } from 'node:crypto';
import { finished } from 'node:stream/promises';
import { from as copyFrom } from 'pg-copy-streams';
import { canonical } from '../canonical.ts';
import type { Transaction } from '../database.ts';
import type { TakenKey } from '../entities/import.ts';
import { Refusal } from '../errors.ts';
import { type ReadBatch, readInChild, rowsOf } from '../imports/readers/reader.ts';
import { type ColumnMapping, type Known, type ValueSettings } from '../imports/recognition/mapping.ts';
import { Evidence, type Question } from '../imports/recognition/evidence.ts';
import { recognize } from '../imports/recognition/recognize.ts';
import { SeenKeys } from '../imports/seen-keys.ts';
import type { ReadOptions, SheetFacts } from '../imports/sheet.ts';
import { stageColumns, type StagedField, stagedFields, type StagingResult, type StagingTask } from '../imports/staging.ts';
import { publish } from '../pubsub.ts';
import { deferFlush } from '../snapshots/capture.ts';
import { join, raw, sql } from '../sql.ts';
import type { App } from './app.ts';
import { type DeletedKeys, readDeletedKeys } from './deleted-keys.ts';
import { withLocalCopy } from './files.ts';
import { type Batch, joinByHash, planAnew, takeStatistics } from './import-batches.ts';
import { keepCounts } from './import-rows.ts';
import { judgeMatches } from './import-updates.ts';
import { endJob, type Report } from './jobs.ts';

/** Rows that the columns are recognized by. */
const sampleRows = 500;
/** Rows of one transaction; fewer in the first ones, so that there is something to see at once. */
const batchSizes = { first: 500, others: 4_000 };

interface Check {
  app: App;
  organizationId: string;
  importId: string;
  /** Tells the run that is at it from one that was given up for dead. */
  runId: string;
  signal: AbortSignal;
}

interface Order {
  jobId: string;
  fileId: string;
  options: ReadOptions;
  /** Empty: the columns are to be recognized. */
  mapping: ColumnMapping[];
  settings: ValueSettings;
  barred: string[];
  known: Known;
  customFields: { id: string; key: string }[];
  plans: { id: string; name: string }[];
}

/** Carries a dry run out. Run again, it begins anew. @throws Refusal when the file as a whole can't be read */
export async function checkImport(app: App, organizationId: string, importId: string, report: Report, signal: AbortSignal): Promise<void> {
  const check: Check = { app, organizationId, importId, runId: randomUUID(), signal };
  const order = await begin(check);
  if (!order) return;
  await report({ phase: 'READING', done: 0, total: 0 });
  await takeStatistics(app, organizationId, false);
  const deleted = await readDeletedKeys(app, organizationId, signal);
  await withLocalCopy(app, organizationId, order.fileId, async (path) => {
    const { facts, ...sampled } = await sample(order, path, signal);
    let { mapping } = sampled;
    if (!mapping.some(({ target }) => target)) {
      await keepColumns(check, facts, mapping);
      throw noKnownColumn();
    }
    // The numbers of a workbook are numbers, whatever they look like to people.
    const settings = { ...order.settings, decimal: order.settings.decimal ?? (facts.format === 'XLSX' ? '.' : null) } as const;
    for (;;) {
      if (!(await clear(check))) return;
      const result = await stage(check, { ...order, settings, mapping }, path, { deleted, matched: new SeenKeys() }, report);
      if (!result) return;
      const settled = JSON.stringify(result.mapping) === JSON.stringify(mapping);
      mapping = result.mapping;
      if (settled) return finish(check, order, { facts, mapping, questions: result.questions });
      // Rows further down have told how dates or numbers of all rows are to be read.
    }
  });
}

/** Takes the check over from whoever was at it. @returns undefined when there is nothing to do */
async function begin({ app, organizationId, importId, runId }: Check): Promise<Order | undefined> {
  return app.database.transact(organizationId, async (tx) => {
    const found = await tx.row<Omit<Order, 'known' | 'customFields' | 'plans'>>(sql`
      update import set run_id = ${runId}, counts = null, row_count = 0 where organization_id = ${organizationId} and id = ${importId} and state = 'CHECKING'
      returning job_id as "jobId", file_id as "fileId", read_options as options, mapping, settings, barred`);
    if (!found) return undefined;
    const customFields = await tx.rows<Order['customFields'][number] & Known['customFields'][number]>(sql`
      select id, key, label, kind from custom_field_definition where organization_id = ${organizationId} order by key`);
    const plans = await tx.rows<Order['plans'][number]>(sql`select id, name from membership_plan where organization_id = ${organizationId} order by name`);
    return { ...found, customFields, plans, known: { customFields, plans: plans.map(({ name }) => name) } };
  });
}

/** Reads the first rows, and from them what the columns are for, where nobody has said so. */
async function sample(
  { options, mapping, settings, known, barred }: Order,
  path: string,
  signal: AbortSignal,
): Promise<{ facts: SheetFacts; mapping: ColumnMapping[] }> {
  await using reading = await readInChild({ path, options, mode: 'rows', firstRows: sampleRows }, undefined, signal);
  const rows = [];
  for await (const batch of reading.batches) rows.push(...rowsOf(batch));
  const { facts } = reading;
  const cells = rows.filter(({ problem }) => !problem).map((row) => row.cells);
  const recognized = recognize(facts.header, cells, known).map((column) =>
    column.target && barred.includes(column.target.field) ? { ...column, target: null, confidence: 0 } : column,
  );
  // Of a template: its columns may stand elsewhere in this file.
  const given = recognized.map((column) => {
    const same = mapping.filter(({ header }) => header === column.header);
    return { ...(same.find(({ index }) => index === column.index) ?? same[0] ?? column), index: column.index };
  });
  const evidence = new Evidence(given, settings, known);
  for (const row of rows) evidence.observe(row);
  return { facts, mapping: evidence.settled() };
}

const noKnownColumn = () =>
  new Refusal(
    'NO_KNOWN_COLUMN',
    'No column of the file is known by its name or its values. Nothing was imported. Say what the columns are for, or name them, for example First Name, Last Name, Email.',
  );

/** So that somebody can say what they are for. */
async function keepColumns({ app, organizationId, importId, runId }: Check, facts: SheetFacts, mapping: readonly ColumnMapping[]): Promise<void> {
  await app.database.transact(organizationId, (tx) =>
    tx.run(sql`
      update import set facts = ${JSON.stringify(facts)}, mapping = ${JSON.stringify(mapping)}
      where organization_id = ${organizationId} and id = ${importId} and state = 'CHECKING' and run_id = ${runId}`),
  );
}

/** Removes what an earlier run has left. @returns whether this run is still the one */
async function clear({ app, organizationId, importId, runId }: Check): Promise<boolean> {
  for (;;) {
    const removed = await app.database.transact(organizationId, async (tx) => {
      await deferFlush(tx);
      if (!(await isMine(tx, importId, runId))) return undefined;
      const { rowCount } = await tx.run(sql`
        delete from import_row where organization_id = ${organizationId} and import_id = ${importId} and row_number in (
          select row_number from import_row where organization_id = ${organizationId} and import_id = ${importId} order by row_number limit 20000)`);
      return rowCount!;
    });
    if (removed === undefined) return false;
    if (removed === 0) return true;
  }
}

/** Holds the import while its rows are written. */
const isMine = async (tx: Transaction, importId: string, runId: string): Promise<boolean> =>
  Boolean(
    await tx.row(sql`
      select 1 from import where organization_id = ${tx.organizationId} and id = ${importId} and state = 'CHECKING' and run_id = ${runId} for share`),
  );

/** What rows are held against that is in no table: deleted contacts, and which row was the first to match a live one. */
interface Others {
  deleted: DeletedKeys;
  matched: SeenKeys;
}

/** Reads the whole file into the rows of the import. @returns undefined when another run has taken over, or the import was called off */
async function stage(check: Check, order: Order, path: string, others: Others, report: Report): Promise<StagingResult | undefined> {
  const { mapping, settings, known, options, customFields, plans } = order;
  const task: StagingTask = {
    mapping,
    settings,
    known,
    customFields: customFields.map(({ key, id }) => [key, id]),
    plans: plans.map(({ name, id }) => [name, id]),
  };
  await using reading = await readInChild({ path, options, mode: 'stage', task }, undefined, check.signal);
  let done = 0;
  let waiting: ReadBatch[] = [];
  let rows = 0;
  // The next rows are read while these are written.
  let writing: Promise<boolean> = Promise.resolve(true);
  const write = async (batches: readonly ReadBatch[], upTo: number): Promise<boolean> => {
    const lines = batches.map((batch) => batch.lines);
    if (!(await writeRows(check, lines, others))) return false;
    // How many rows a file has is known when it has been read.
    const read = batches.at(-1)!.bytesRead / reading.totalBytes;
    await report({ phase: 'READING', done: upTo, total: Math.max(upTo, Math.round(upTo / Math.max(read, 0.001))) });
    return true;
  };
  for await (const batch of reading.batches) {
    waiting.push(batch);
    rows += batch.rows;
    if (rows < (done === 0 ? batchSizes.first : batchSizes.others)) continue;
    if (!(await writing)) return undefined;
    writing = write(waiting, (done += rows));
    // Awaited before the next; until then its failure must not count as nobody's.
    writing.catch(() => undefined);
    waiting = [];
    rows = 0;
  }
  if (!(await writing) || (rows > 0 && !(await write(waiting, done + rows)))) return undefined;
  return reading.result as StagingResult;
}

const stageTable = 'staged_rows';
const names = raw(stageColumns.map(([name]) => name).join(', '));
const shape = join(
  stageColumns.map(([name, type]) => raw(`${name} ${type}`)),
  ', ',
);

/** Writes lines of the reader as rows of the import, each with what it matches. @returns whether this run is still the one */
async function writeRows(
  { app, organizationId, importId, runId }: Check,
  lines: readonly string[],
  { deleted, matched: matchedBefore }: Others,
): Promise<boolean> {
  return app.database.transact(organizationId, async (tx) => {
    await deferFlush(tx);
    if (!(await isMine(tx, importId, runId))) return false;
    await tx.run(sql`create temporary table if not exists ${raw(stageTable)} (${shape}, deleted_contact_id uuid, deletion_id uuid) on commit delete rows`);
    await tx.inTurn(async () => {
      const stream = tx.client.query(copyFrom(`copy ${stageTable} (${names.text}) from stdin`));
      for (const some of lines) stream.write(some);
      stream.end();
      await finished(stream);
    });
    // Its statistics say nothing; every look goes by an index.
    await tx.run(sql`select set_config('enable_hashjoin', 'off', true), set_config('enable_mergejoin', 'off', true), ${planAnew}`);
    const written = await tx.rows<{ first: number; last: number; matched: number; repeated: number }>(sql`
      with written as (
        insert into import_row (organization_id, import_id, row_number, kind, matched_by, taken, repeats, contact_id, draft, owned, cells, problems)
        select ${organizationId}, ${importId}, s.row_number, case when s.kind = 'NEW' and m.id is not null then 'MATCH' else s.kind end,
          coalesce(s.matched_by, m.by), s.taken, s.repeats, case when s.kind = 'NEW' then m.id end, s.draft, s.owned, s.cells, s.problems
        from ${raw(stageTable)} s left join lateral (${liveMatch(organizationId)}) m on s.kind = 'NEW'
        returning row_number, kind
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

const stagedField = (row: string, field: StagedField) => raw(`${row}.draft[${stagedFields.indexOf(field) + 1}]`);
/** A field of a staged row, s. */
const staged = (field: StagedField) => stagedField('s', field);
const nameless = sql`(${staged('firstName')} is null and ${staged('lastName')} is null)`;

/** The live contact that a staged row, s, is, in the order of trust; none when it is new. People share a phone: who bears another name is somebody else. */
const liveMatch = (organizationId: string) => sql`
  select hit.id, hit.by from (
    select c.id, 'EMAIL' as by, case when c.email_normalized = ${staged('emailNormalized')} then 0 else 1 end as rank from contact c where c.organization_id = ${organizationId} and c.email_normalized = any(s.emails)
    union all
    select t.contact_id, 'EMAIL', 2 from contact_point t where t.organization_id = ${organizationId} and t.kind = 'EMAIL' and t.normalized = any(s.emails)
    union all
    select c.id, 'PHONE', 3 from contact_point t join contact c on c.organization_id = t.organization_id and c.id = t.contact_id
    where t.organization_id = ${organizationId} and t.kind = 'PHONE' and t.normalized = any(s.phones)
      and (c.sort_name = ${staged('sortName')} or ${nameless} or (c.first_name is null and c.last_name is null))
    union all
    select c.id, 'MEMBER_NUMBER', 4 from contact c where c.organization_id = ${organizationId} and c.member_number = ${staged('memberNumber')}
    union all
    select c.id, 'NAME_AND_BIRTH_DATE', 5 from contact c where c.organization_id = ${organizationId} and c.sort_name = ${staged('sortName')} and c.birth_date = ${staged('birthDate')}::date and not ${nameless}
  ) hit order by hit.rank, hit.id limit 1`;

/** A live contact is changed by one row of a file: those after it repeat that row. */
async function joinRepeats(tx: Transaction, importId: string, { from, to }: Batch, matched: SeenKeys): Promise<void> {
  const org = tx.organizationId;
  const rows = await tx.rows<{ rowNumber: number; contactId: string }>(sql`
    select row_number as "rowNumber", contact_id as "contactId" from import_row
    where organization_id = ${org} and import_id = ${importId} and row_number >= ${from} and row_number < ${to} and kind = 'MATCH' order by row_number`);
  const repeated = rows
    .map(({ rowNumber, contactId }) => ({ rowNumber, first: matched.first(contactId, rowNumber) }))
    .filter(({ rowNumber, first }) => first !== rowNumber);
  if (repeated.length === 0) return;
  await tx.run(sql`
    update import_row r set kind = 'REPEATED', repeats = given.first
    from unnest(${repeated.map(({ rowNumber }) => rowNumber)}::int[], ${repeated.map(({ first }) => first)}::int[]) given (number, first)
    where r.organization_id = ${org} and r.import_id = ${importId} and r.row_number >= ${from} and r.row_number < ${to} and r.row_number = given.number`);
}

/** Notes of rows that match or are repeated which of their keys a live contact has; another's before that of the one they match. */
async function findTakenKeys(tx: Transaction, importId: string, { from, to }: Batch): Promise<void> {
  const org = tx.organizationId;
  const held = (key: TakenKey, column: string, field: StagedField) => sql`
    select ${key} as key, c.id from contact c where c.organization_id = ${org} and ${raw(`c.${column}`)} = ${stagedField('r', field)}`;
  await tx.run(sql`
    update import_row r set taken = coalesce((
      select one.key from (${held('EMAIL', 'email_normalized', 'emailNormalized')} union all ${held('MEMBER_NUMBER', 'member_number', 'memberNumber')}) one
      order by one.id is not distinct from r.contact_id, one.key limit 1), r.taken)
    where r.organization_id = ${org} and r.import_id = ${importId} and r.row_number >= ${from} and r.row_number < ${to} and r.kind in ('MATCH', 'REPEATED')`);
}

/** Finds the staged rows that are new and match a deleted contact. */
async function matchDeleted(tx: Transaction, importId: string, { from, to }: Batch, deleted: DeletedKeys): Promise<void> {
  const rows = await tx.rows<{
    rowNumber: number;
    emails: string[] | null;
    phones: string[] | null;
    memberNumber: string | null;
    name: string | null;
    birthDate: string | null;
  }>(sql`
    select s.row_number as "rowNumber", s.emails, s.phones, ${staged('memberNumber')} as "memberNumber", case when not ${nameless} then ${staged('sortName')} end as name,
      ${staged('birthDate')} as "birthDate"
    from ${raw(stageTable)} s join import_row r on r.organization_id = ${tx.organizationId} and r.import_id = ${importId} and r.row_number >= ${from} and r.row_number < ${to} and r.row_number = s.row_number
    where r.kind = 'NEW'`);
  const found = rows.flatMap(({ rowNumber, emails, phones, memberNumber, name, birthDate }) => {
    const match = deleted.find({ emails: emails ?? [], phones: phones ?? [], memberNumber, name: name ?? '', birthDate });
    return match ? [{ rowNumber, ...match }] : [];
  });
  if (found.length === 0) return;
  await tx.run(sql`
    update import_row r set kind = 'DELETED', matched_by = given.by, deleted_contact_id = given.contact, deletion_id = given.deletion
    from unnest(${found.map(({ rowNumber }) => rowNumber)}::int[], ${found.map(({ by }) => by)}::text[], ${found.map(({ contactId }) => contactId)}::uuid[],
      ${found.map(({ deletionId }) => deletionId)}::uuid[]) given (row_number, by, contact, deletion)
    where r.organization_id = ${tx.organizationId} and r.import_id = ${importId} and r.row_number >= ${from} and r.row_number < ${to}
      and r.row_number = given.row_number
      -- One that was recovered is live, under whatever it is known by now.
      and not exists (select 1 from contact c where c.organization_id = r.organization_id and c.id = given.contact)`);
}

/** What says that two imports read a file alike. */
export const digestOfMapping = (facts: SheetFacts, mapping: readonly ColumnMapping[], settings: ValueSettings): Buffer =>
  createHash('sha256')
    .update(canonical(JSON.parse(JSON.stringify([facts, mapping.map((column) => ({ ...column, confidence: 1 })), settings]))))
    .digest();

async function finish(
  { app, organizationId, importId, runId }: Check,
  { jobId, settings }: Order,
  { facts, mapping, questions }: { facts: SheetFacts; mapping: ColumnMapping[]; questions: Question[] },
): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const ended = await tx.run(sql`
      update import set state = 'CHECKED', facts = ${JSON.stringify(facts)}, mapping = ${JSON.stringify(mapping)}, questions = ${JSON.stringify(questions)},
        mapping_digest = ${digestOfMapping(facts, mapping, settings)}, checked_at = clock_timestamp(),
        row_count = (select count(*)::int from import_row r where r.organization_id = ${organizationId} and r.import_id = ${importId})
      where organization_id = ${organizationId} and id = ${importId} and state = 'CHECKING' and run_id = ${runId}`);
    if (ended.rowCount === 0) return;
    await keepCounts(tx, importId);
    await endJob(tx, jobId, 'COMPLETED');
    await publish(tx, 'import', importId);
  });
}

/** Closes a dry run that could not be done. */
export async function failCheck(app: App, organizationId: string, importId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const failed = await tx.row<{ jobId: string }>(sql`
      update import set state = 'FAILED', failure_code = ${failure.code}, failure_message = ${failure.message}
      where organization_id = ${organizationId} and id = ${importId} and state = 'CHECKING' returning job_id as "jobId"`);
    if (!failed) return;
    await endJob(tx, failed.jobId, 'FAILED', failure);
    await publish(tx, 'import', importId);
  });
}
