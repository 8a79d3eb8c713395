// The dry run of an import: the whole file is read by a process of its own, each row becomes a draft or a reason, and is held
// against the live contacts and those that were deleted lately.
import { createHash, randomUUID } from 'node:crypto';
import { canonical } from '../canonical.ts';
import { Refusal } from '../errors.ts';
import { type ReadBatch, type Reader, rowsOf, startReader } from '../imports/readers/reader.ts';
import { type ColumnMapping, type Known, type ValueSettings } from '../imports/recognition/mapping.ts';
import { Evidence, type Question } from '../imports/recognition/evidence.ts';
import { recognize } from '../imports/recognition/recognize.ts';
import { SeenKeys } from '../imports/seen-keys.ts';
import type { ReadOptions, SheetFacts } from '../imports/sheet.ts';
import type { StagingResult, StagingTask } from '../imports/staging.ts';
import { publish } from '../pubsub.ts';
import { deferFlush } from '../snapshots/capture.ts';
import { sql } from '../sql.ts';
import type { App } from './app.ts';
import { readDeletedKeys } from './deleted-keys.ts';
import { withLocalCopy } from './local-copies.ts';
import { takeStatistics } from './import-batches.ts';
import { keepCounts } from './import-rows.ts';
import { type Check, type HeldAgainst, isMine, writeRows } from './import-staging.ts';
import { endJob, type Report } from './jobs.ts';

/** Rows that the columns are recognized by. */
const sampleRows = 500;
/** Rows of one transaction; fewer in the first ones, so that there is something to see at once. */
const batchSizes = { first: 500, others: 4_000 };

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
  // It starts while the rest is made ready.
  await using first = startReader(undefined, signal);
  await report({ phase: 'READING', done: 0, total: 0 });
  await takeStatistics(app, organizationId, false);
  const deleted = await readDeletedKeys(app, organizationId, signal);
  await withLocalCopy(app, organizationId, order.fileId, async (path) => {
    const { facts, ...sampled } = await sample(order, first, path);
    let { mapping } = sampled;
    if (!mapping.some(({ target }) => target)) {
      await keepColumns(check, facts, mapping);
      throw noKnownColumn();
    }
    // The numbers of a workbook are numbers, whatever they look like to people.
    const settings = { ...order.settings, decimal: order.settings.decimal ?? (facts.format === 'XLSX' ? '.' : null) } as const;
    for (let pass = 1; ; pass++) {
      if (!(await clear(check))) return;
      // What a whole file leaves in a process must not count against the next pass.
      await using reader = pass === 1 ? first : startReader(undefined, signal);
      const result = await stage(check, { ...order, settings, mapping }, reader, path, { deleted, matched: new SeenKeys() }, report);
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
  reader: Reader,
  path: string,
): Promise<{ facts: SheetFacts; mapping: ColumnMapping[] }> {
  const reading = await reader.read({ path, options, mode: 'rows', firstRows: sampleRows });
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
async function clear(check: Check): Promise<boolean> {
  const { app, organizationId, importId } = check;
  for (;;) {
    const removed = await app.database.transact(organizationId, async (tx) => {
      await deferFlush(tx);
      if (!(await isMine(tx, check))) return undefined;
      const removed = await tx.row<{ rows: number }>(sql`
        with next as materialized (select row_number from import_row where organization_id = ${organizationId} and import_id = ${importId} order by row_number limit 20000),
          drafts as (delete from import_draft where organization_id = ${organizationId} and import_id = ${importId} and row_number in (select row_number from next)),
          rows as (delete from import_row where organization_id = ${organizationId} and import_id = ${importId} and row_number in (select row_number from next) returning 1)
        select count(*)::int as rows from rows`);
      return removed!.rows;
    });
    if (removed === undefined) return false;
    if (removed === 0) return true;
  }
}

/** Reads the whole file into the rows of the import. @returns undefined when another run has taken over, or the import was called off */
async function stage(check: Check, order: Order, reader: Reader, path: string, others: HeldAgainst, report: Report): Promise<StagingResult | undefined> {
  const { mapping, settings, known, options, customFields, plans } = order;
  const task: StagingTask = {
    mapping,
    settings,
    known,
    customFields: customFields.map(({ key, id }) => [key, id]),
    plans: plans.map(({ name, id }) => [name, id]),
  };
  const reading = await reader.read({ path, options, mode: 'stage', task });
  let done = 0;
  let waiting: ReadBatch[] = [];
  let rows = 0;
  // The next rows are read while these are written.
  let writing: Promise<boolean> = Promise.resolve(true);
  const write = async (batches: readonly ReadBatch[], upTo: number): Promise<boolean> => {
    const lines = batches.flatMap((batch) => batch.lines);
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

/** What says that two imports read a file alike. */
const digestOfMapping = (facts: SheetFacts, mapping: readonly ColumnMapping[], settings: ValueSettings): Buffer =>
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
        mapping_digest = ${digestOfMapping(facts, mapping, settings)}, checked_at = clock_timestamp()
      where organization_id = ${organizationId} and id = ${importId} and state = 'CHECKING' and run_id = ${runId}`);
    if (ended.rowCount === 0) return;
    const { createdCount, updatedCount, skippedCount, refusedCount } = await keepCounts(tx, importId);
    await tx.run(sql`
      update import set row_count = ${createdCount + updatedCount + skippedCount + refusedCount} where organization_id = ${organizationId} and id = ${importId}`);
    await endJob(tx, jobId, 'COMPLETED');
    await publish(tx, 'import', importId);
  });
}

/** Closes a dry run that could not be done, unless another was ordered meanwhile. */
export async function failCheck(app: App, organizationId: string, importId: string, jobId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const { rowCount } = await tx.run(sql`
      update import set state = 'FAILED', failure_code = ${failure.code}, failure_message = ${failure.message}
      where organization_id = ${organizationId} and id = ${importId} and job_id = ${jobId} and state = 'CHECKING'`);
    if (rowCount === 0) return;
    await endJob(tx, jobId, 'FAILED', failure);
    await publish(tx, 'import', importId);
  });
}
