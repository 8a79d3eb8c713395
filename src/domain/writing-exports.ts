// Writing an export, which its job does: all contacts as they are at one instant, as far as whoever ordered it sees them then.
import type { Transaction } from '../database.ts';
import { type ExportFormat } from '../entities/contact-export.ts';
import { Refusal } from '../errors.ts';
import { writeCsv } from '../exports/csv.ts';
import { vCard } from '../exports/vcard.ts';
import { writeXlsx } from '../exports/xlsx.ts';
import { type FieldGroup } from '../permissions/field-groups.ts';
import { shareErasureLedger } from '../snapshots/erasure-ledger.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { type ContactFilter, groupsOfFilter } from './contact-filters.ts';
import { cardOf, sheetFor } from './contact-sheets.ts';
import { type ExportField, hiddenIn, shownGroups } from './export-fields.ts';
import { countMatching, eachContact, type ExportedContact } from './exported-contacts.ts';
import { type ExportRow, readExports } from './export-rows.ts';
import { removeFile, writeFile } from './files.ts';
import { type Holder, readHolder } from './holders.ts';
import { endJob, type Report } from './jobs.ts';
import { mustSee } from './visibility.ts';

/**
 * Writes an export that was ordered. Safe to run again after a crash, which leaves a part of a file that expires, and by two
 * workers at once, of which the first has lost it and removes what it has written. When somebody is erased meanwhile, it begins
 * again.
 */
export async function writeExport(app: App, actor: Actor, organizationId: string, id: string, report: Report, signal: AbortSignal): Promise<void> {
  for (let done = false; !done;) {
    signal.throwIfAborted();
    const begun = await app.database.transact(organizationId, (tx) => begin(tx, actor, id));
    if (!begun) return;
    try {
      checkMayExport(begun);
    } catch (error) {
      if (error instanceof Refusal) return failExport(app, actor, organizationId, id, error);
      throw error;
    }
    done = await writeOnce(app, actor, organizationId, begun, report, signal);
  }
}

interface Begun {
  row: ExportRow;
  filter: ContactFilter;
  holder: Holder;
  fields: ExportField[];
  /** When it was begun, to the millisecond: which run is at it. */
  begunAt: string;
}

/** Marks it as being read from now on; waits for whoever is just erasing. Undefined when it has ended. */
async function begin(tx: Transaction, actor: Actor, id: string): Promise<Begun | undefined> {
  await shareErasureLedger(tx);
  const begun = await tx.row<{ begunAt: string }>(sql`
    update contact_export set state = 'RUNNING', is_stale = false, taken_at = clock_timestamp()
    where organization_id = ${tx.organizationId} and id = ${id} and state in ('QUEUED', 'RUNNING') returning taken_at::text as "begunAt"`);
  if (!begun) return undefined;
  const [row] = await readExports(tx, [id]);
  const holder = await readHolder(tx, actor);
  return { ...begun, row: row!, holder, filter: readFilter(row!.filter!), fields: row!.fields.filter((field) => !hiddenIn(holder, field)) };
}

function readFilter(json: string): ContactFilter {
  const filter = JSON.parse(json) as ContactFilter;
  const dates = (['createdFrom', 'createdBefore'] as const).filter((name) => filter[name] != null);
  return { ...filter, ...Object.fromEntries(dates.map((name) => [name, new Date(filter[name]!)])) };
}

/** @throws Refusal */
function checkMayExport({ holder, filter, fields }: Begun): void {
  const { permissions } = holder;
  if (!permissions.has('contacts:export') || !permissions.has('contacts:read') || (filter.balance != null && !permissions.has('payments:read')))
    throw new Refusal('FORBIDDEN', 'Whoever ordered the export may not take these contacts out any more. Nothing was written. Ask someone who may.');
  mustSee(holder, groupsOfFilter(filter), ['input', 'filter']);
  if (fields.length === 0)
    throw new Refusal('NO_FIELDS', 'Whoever ordered the export sees none of its fields any more. Nothing was written. Ask someone who does.');
}

/** @returns whether that was its end */
async function writeOnce(app: App, actor: Actor, organizationId: string, begun: Begun, report: Report, signal: AbortSignal): Promise<boolean> {
  const { row, holder, filter, fields } = begun;
  const tx = await app.database.begin(organizationId, { view: 'new', scope: holder.scope });
  let written: { count: number; takenAt: Date };
  let file: Awaited<ReturnType<typeof writeFile>>;
  try {
    const { takenAt, total } = { ...(await tx.row<{ takenAt: Date }>(sql`select now() as "takenAt"`))!, total: await countMatching(tx, holder, filter) };
    written = { count: 0, takenAt };
    const pages = async function* () {
      await report({ phase: 'EXPORTING', done: 0, total });
      for await (const page of ahead(eachContact(tx, holder, filter, new Set(fields)))) {
        signal.throwIfAborted();
        yield page;
        await report({ phase: 'EXPORTING', done: (written.count += page.length), total });
      }
    };
    file = await writeFile(app, organizationId, await writer(tx, row.format, begun, pages()), app.config.EXPORT_HOURS);
  } finally {
    await app.database.end(tx, 'COMMIT');
  }
  const groups = [...new Set([...shownGroups(holder, fields), ...groupsOfFilter(filter)])];
  return app.database.transact(organizationId, (tx) => finish(tx, actor, begun, { ...written, file, groups }));
}

async function writer(
  tx: Transaction,
  format: ExportFormat,
  { holder, filter, fields }: Begun,
  pages: AsyncIterable<readonly ExportedContact[]>,
): Promise<AsyncIterable<Buffer>> {
  const chosen = new Set(fields);
  if (format === 'VCARD_3' || format === 'VCARD_4') {
    const version = format === 'VCARD_3' ? '3.0' : '4.0';
    return each(pages, (page) => Buffer.from(page.map((contact) => vCard(cardOf(contact, chosen), version)).join('')));
  }
  const { columns, cells } = await sheetFor(tx, holder, filter, chosen);
  const rows = each(pages, (page) => page.map(cells));
  if (format === 'XLSX') return writeXlsx(columns, rows, { name: 'Contacts' });
  const header = columns.map((column) => column.header);
  return writeCsv(header, rows);
}

/** The same pages, the next of which is read while one is written. */
async function* ahead<Page>(pages: AsyncGenerator<Page>): AsyncGenerator<Page> {
  const read = () => {
    const next = pages.next();
    // Told when its turn comes, or not at all when nobody waits for it any more.
    next.catch(() => undefined);
    return next;
  };
  let next = read();
  try {
    for (let result = await next; !result.done; result = await next) {
      next = read();
      yield result.value;
    }
  } finally {
    await next.catch(() => undefined);
    await pages.return(undefined);
  }
}

async function* each<From, To>(pages: AsyncIterable<From>, change: (page: From) => To): AsyncGenerator<To> {
  for await (const page of pages) yield change(page);
}

interface Written {
  count: number;
  takenAt: Date;
  file: { id: string; byteLength: number };
  groups: FieldGroup[];
}

/** The file, the record, the log entry and the end of the job commit together, once. @returns false when it must begin again */
async function finish(
  tx: Transaction,
  actor: Actor,
  { row: { id }, fields, holder, begunAt }: Begun,
  { count, takenAt, file, groups }: Written,
): Promise<boolean> {
  const isMine = sql`state = 'RUNNING' and taken_at = ${begunAt}::timestamptz`;
  const ended = await tx.row<{ jobId: string }>(sql`
    update contact_export set state = 'COMPLETED', filter = null, fields = ${fields}::text[], shown_groups = ${groups}::text[], tag_scope = ${holder.scope?.tags ?? null}::uuid[],
      taken_at = ${takenAt}, finished_at = clock_timestamp(), contact_count = ${count}, byte_length = ${file.byteLength}, file_id = ${file.id},
      expires_at = (select f.expires_at from stored_file f where f.organization_id = ${tx.organizationId} and f.id = ${file.id})
    where organization_id = ${tx.organizationId} and id = ${id} and ${isMine} and not is_stale returning job_id as "jobId"`);
  if (!ended) {
    await removeFile(tx, file.id);
    return !(await tx.row(sql`select 1 from contact_export where organization_id = ${tx.organizationId} and id = ${id} and ${isMine}`));
  }
  await logAction(tx, actor, { action: 'contacts.exported', target: { kind: 'ContactExport', id }, targetCount: count });
  await endJob(tx, ended.jobId, 'COMPLETED');
  return true;
}

/** Gives an export up that could not be written. */
export async function failExport(
  app: App,
  actor: Actor,
  organizationId: string,
  id: string,
  { code, message }: { code: string; message: string },
): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const failed = await tx.row<{ jobId: string }>(sql`
      update contact_export set state = 'FAILED', filter = null, finished_at = clock_timestamp(), failure_code = ${code}, failure_message = ${message}
      where organization_id = ${organizationId} and id = ${id} and state in ('QUEUED', 'RUNNING') returning job_id as "jobId"`);
    if (!failed) return;
    await logAction(tx, actor, { action: 'export.failed', target: { kind: 'ContactExport', id } });
    await endJob(tx, failed.jobId, 'FAILED', { code, message });
  });
}
