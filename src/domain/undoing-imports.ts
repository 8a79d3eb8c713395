// Taking an import back: contacts that it created are deleted, through a deletion of its own; on contacts that it changed what
// was before is put back, field by field. All of it only where nobody has touched it since.
import type { Transaction } from '../database.ts';
import type { RowUndoOutcome } from '../entities/import.ts';
import { NotFound, Refusal } from '../errors.ts';
import { publish } from '../pubsub.ts';
import { deferFlush, followIndexes, graphOf } from '../snapshots/capture.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { join, name, raw, type Sql, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App, Viewer } from './app.ts';
import { type ContactFieldName, contactFieldNames } from './contact-drafts.ts';
import { removeAndLog } from './deleting.ts';
import { normalizeEmail } from './email.ts';
import { type Batch, planAnew, takeStatistics } from './import-batches.ts';
import { keepCounts, readImports } from './import-rows.ts';
import { type Changes, logChanges, writeFields } from './import-updates.ts';
import { endJob, queueJob, type Report } from './jobs.ts';
import { closeUndoDeletion, readUndoDeletion, startUndoDeletion, type UndoDeletion } from './undo-deletions.ts';
import { transactAs } from './writing.ts';

/** Batches at the same time. */
const lanes = 2;

/**
 * Orders the undo of an import and queues its job.
 * @returns the import's id
 * @throws NotFound; Refusal NOT_UNDOABLE, UNDO_WINDOW_CLOSED
 */
export async function undoImport(app: App, viewer: Viewer, id: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    await tx.run(sql`select 1 from import where organization_id = ${tx.organizationId} and id = ${id} for update`);
    const [found] = await readImports(tx, [id]);
    if (!found) throw new NotFound('import');
    const path = ['input', 'id'];
    if (found.state !== 'APPLIED' && found.state !== 'STOPPED')
      throw new Refusal(
        'NOT_UNDOABLE',
        `Only an import that was applied can be undone; this one is ${found.state}. Nothing was changed. Look at its state.`,
        path,
      );
    if (!found.isUndoable)
      throw new Refusal(
        'UNDO_WINDOW_CLOSED',
        `This import could be undone until ${found.expiresAt.toISOString()}. Nothing was changed. Delete the contacts instead.`,
        path,
      );
    const { total } = (await tx.row<{ total: number }>(sql`select count(*)::int as total from import_row r where ${undone(tx, id)}`))!;
    const jobId = await queueJob(tx, { kind: 'UNDO_IMPORT', subjectId: id, total, actor: viewer });
    const deletionId = await startUndoDeletion(tx, app, viewer, `Undo of the import of ${found.createdAt.toISOString()}`, jobId);
    await tx.run(sql`
      update import set state = 'UNDOING', counts = null, job_id = ${jobId}, undo_deletion_id = ${deletionId}, undone_by_name = ${viewer.name},
        failure_code = null, failure_message = null
      where organization_id = ${tx.organizationId} and id = ${id}`);
    await logAction(tx, viewer, { action: 'import.undo_requested', target: { kind: 'Import', id }, targetCount: total });
    await publish(tx, 'import', id);
    return id;
  });
}

/** The condition on rows, r, that changed something and are not taken back. */
const undone = (tx: Transaction, importId: string): Sql => sql`
  r.organization_id = ${tx.organizationId} and r.import_id = ${importId} and r.outcome in ('CREATED', 'UPDATED') and r.undo_outcome is null`;

interface Undo {
  app: App;
  actor: Actor;
  importId: string;
  deletion: UndoDeletion;
}

/** Carries an undo out. Safe to run again after a crash, and by two workers at once. */
export async function revertImport(app: App, actor: Actor, organizationId: string, importId: string, report: Report, signal: AbortSignal): Promise<void> {
  const { found, deletion, left } = await app.database.transact(organizationId, async (tx) => {
    const [found] = await readImports(tx, [importId]);
    const left = await tx.row<{ count: number; first: number | null; last: number; done: number }>(sql`
      select count(*)::int as count, min(r.row_number) as first, max(r.row_number) as last, (
        select count(*)::int from import_row d where d.organization_id = ${organizationId} and d.import_id = ${importId} and d.undo_outcome is not null) as done
      from import_row r where ${undone(tx, importId)}`);
    return { found: found!, deletion: await readUndoDeletion(tx, found!.undoDeletionId), left: left! };
  });
  if (found.state !== 'UNDOING' || !deletion) return;
  await takeStatistics(app, organizationId, true);
  const undo: Undo = { app, actor, importId, deletion };
  const total = left.count + left.done;
  let { done } = left;
  await report({ phase: 'UNDOING', done, total });
  const batches: Batch[] = [];
  const size = app.config.CHUNK_CONTACTS;
  // A batch is always the same rows, because its number is that of the chunk that its contacts go into.
  if (left.first !== null) for (let from = left.first - (left.first % size); from <= left.last; from += size) batches.push({ from, to: from + size });
  await eachInLanes(lanes, batches, async (batch) => {
    signal.throwIfAborted();
    done += await app.database.transact(organizationId, (tx) => revertBatch(tx, undo, batch));
    await report({ phase: 'UNDOING', done, total });
  });
  await app.database.transact(organizationId, async (tx) => {
    const ended = await tx.run(sql`
      update import set state = 'UNDONE', undone_at = clock_timestamp() where organization_id = ${organizationId} and id = ${importId} and state = 'UNDOING'`);
    if (ended.rowCount === 0) return;
    await dropTags(tx, importId);
    await closeDeletion(tx, app, importId, deletion);
    const { revertedCount } = await keepCounts(tx, importId);
    await logAction(tx, actor, { action: 'import.undone', target: { kind: 'Import', id: importId }, targetCount: revertedCount });
    await endJob(tx, found.jobId!, 'COMPLETED');
    await publish(tx, 'import', importId);
  });
}

async function closeDeletion(tx: Transaction, app: App, importId: string, deletion: UndoDeletion): Promise<void> {
  if (!(await closeUndoDeletion(tx, app, deletion)))
    await tx.run(sql`update import set undo_deletion_id = null where organization_id = ${tx.organizationId} and id = ${importId}`);
}

/** Tags that the import made and that nobody has any more. */
async function dropTags(tx: Transaction, importId: string): Promise<void> {
  await tx.run(sql`
    delete from tag t using import_tag m where m.organization_id = ${tx.organizationId} and m.import_id = ${importId} and t.organization_id = m.organization_id
      and t.id = m.tag_id and not exists (select 1 from contact_tag l where l.organization_id = t.organization_id and l.tag_id = t.id)`);
}

/** Closes an undo that could not be finished: what it took back stays taken back, and it can be ordered again. */
export async function stopUndoingImport(app: App, organizationId: string, importId: string, failure: { code: string; message: string }): Promise<void> {
  await app.database.transact(organizationId, async (tx) => {
    const [found] = await readImports(tx, [importId]);
    if (found?.state !== 'UNDOING') return;
    const deletion = await readUndoDeletion(tx, found.undoDeletionId);
    if (deletion) await closeDeletion(tx, app, importId, deletion);
    await tx.run(sql`
      update import set state = 'STOPPED', failure_code = ${failure.code}, failure_message = ${failure.message} where organization_id = ${organizationId} and id = ${importId}`);
    await keepCounts(tx, importId);
    await endJob(tx, found.jobId!, 'FAILED', failure);
    await publish(tx, 'import', importId);
  });
}

/** @returns how many rows it did */
async function revertBatch(tx: Transaction, undo: Undo, batch: Batch): Promise<number> {
  await deferFlush(tx);
  const { importId } = undo;
  const held = await tx.row(sql`select 1 from import where organization_id = ${tx.organizationId} and id = ${importId} and state = 'UNDOING' for share`);
  if (!held) return 0;
  await followIndexes(tx);
  await tx.run(sql`select ${planAnew}`);
  const rows = await tx.rows<Row>(sql`
    select r.row_number as "rowNumber", r.outcome, r.contact_id as "contactId", r.owned_count as "ownedCount", r.action_id as "actionId"
    from import_row r where ${undone(tx, importId)} and r.row_number >= ${batch.from} and r.row_number < ${batch.to} order by r.row_number for update`);
  if (rows.length === 0) return 0;
  const outcomes = new Map<number, RowUndoOutcome>();
  await deleteCreated(
    tx,
    undo,
    Math.floor(batch.from / undo.app.config.CHUNK_CONTACTS) + 1,
    rows.filter((row) => row.outcome === 'CREATED'),
    outcomes,
  );
  await revertUpdated(
    tx,
    undo.actor,
    rows.filter((row) => row.outcome === 'UPDATED'),
    outcomes,
  );
  for (const [outcome, some] of Map.groupBy(outcomes, ([, one]) => one))
    await tx.run(sql`
      update import_row set undo_outcome = ${outcome}
      where organization_id = ${tx.organizationId} and import_id = ${importId} and row_number = any(${some.map(([rowNumber]) => rowNumber)}::int[])`);
  return rows.length;
}

interface Row {
  rowNumber: number;
  outcome: 'CREATED' | 'UPDATED';
  contactId: string;
  ownedCount: number;
  actionId: string;
}

/** Deletes those of the contacts that are as the import made them. */
async function deleteCreated(
  tx: Transaction,
  { app, actor, deletion }: Undo,
  chunkNumber: number,
  rows: readonly Row[],
  outcomes: Map<number, RowUndoOutcome>,
) {
  if (rows.length === 0) return;
  const found = await tx.rows<{ id: string; owned: number | null }>(sql`
    select c.id, ${ownedUntouched(app)} as owned from contact c
    where c.organization_id = ${tx.organizationId} and c.id = any(${rows.map(({ contactId }) => contactId)}::uuid[]) order by c.id for update`);
  const owned = new Map(found.map((contact) => [contact.id, contact.owned]));
  const ids: string[] = [];
  for (const { rowNumber, contactId, ownedCount } of rows) {
    const isUntouched = owned.get(contactId) === ownedCount;
    outcomes.set(rowNumber, !owned.has(contactId) ? 'GONE' : isUntouched ? 'REVERTED' : 'KEPT');
    if (isUntouched) ids.push(contactId);
  }
  if (ids.length === 0) return;
  await tx.run(sql`
    insert into deletion_contact (organization_id, contact_id, deletion_id, chunk_number)
    select ${tx.organizationId}, id, ${deletion.id}, ${chunkNumber} from unnest(${ids}::uuid[]) id`);
  await removeAndLog(tx, app, actor, deletion, chunkNumber);
}

/**
 * How many rows a contact, c, owns that were made in the same instant as it and never changed; null when it owns any other, or
 * its own fields were changed.
 */
function ownedUntouched(app: App): Sql {
  const tables = graphOf(app).tables.filter(({ name: table }) => table !== 'contact');
  const counts = tables.map(({ name: table, columns }) => {
    const stamps = ['created_at', 'updated_at'].filter((stamp) => columns.some((column) => column.name === stamp));
    const untouched = raw(stamps.map((stamp) => `t.${stamp} = c.created_at`).join(' and ') || 'true');
    return sql`(select case when count(*) = count(*) filter (where ${untouched}) then count(*) end from ${name(table)} t
      where t.organization_id = c.organization_id and t.contact_id = c.id)`;
  });
  // Whoever recovered it wants it.
  const wasDeleted = sql`exists (select 1 from deletion_contact d where d.organization_id = c.organization_id and d.contact_id = c.id)`;
  return sql`case when c.version = 1 and c.updated_at = c.created_at and not ${wasDeleted} then ${join(counts, ' + ')} end`;
}

/** Puts back what was before, for each field that is still as the import left it. */
async function revertUpdated(tx: Transaction, actor: Actor, rows: readonly Row[], outcomes: Map<number, RowUndoOutcome>): Promise<void> {
  if (rows.length === 0) return;
  const ids = rows.map(({ contactId }) => contactId);
  const contacts = await tx.rows<Contact>(sql`
    select c.id, c.member_number as "memberNumber", c.first_name as "firstName", c.last_name as "lastName", c.email, c.company, c.job_title as "jobTitle",
      c.street, c.city, c.postal_code as "postalCode", c.country, c.birth_date as "birthDate"
    from contact c where c.organization_id = ${tx.organizationId} and c.id = any(${ids}::uuid[]) order by c.id for update`);
  const details = await tx.rows<{ actionId: string; changes: Changes }>(sql`
    select d.action_id as "actionId", d.changes from action_detail d
    where d.organization_id = ${tx.organizationId} and d.contact_id = any(${ids}::uuid[]) and d.action_id = any(${rows.map(({ actionId }) => actionId)}::uuid[])`);
  const live = new Map(contacts.map((contact) => [contact.id, contact]));
  const changesOf = new Map(details.map(({ actionId, changes }) => [actionId, changes]));
  const taken = await priorTaken(tx, [...changesOf.values()], live);
  const reverted: { contactId: string; changes: Changes }[] = [];
  const changed = new Set<Contact>();
  const owned: Owned[] = [];
  const whole = new Map<number, number>();
  // Backwards, because two rows may have changed the same contact one after the other.
  for (const { rowNumber, contactId, actionId } of rows.toReversed()) {
    const contact = live.get(contactId);
    const changes = changesOf.get(actionId);
    if (!contact || !changes) {
      outcomes.set(rowNumber, 'GONE');
      continue;
    }
    let kept = 0;
    const back: Changes = {};
    for (const [key, { before, after }] of Object.entries(changes)) {
      const field = contactFieldNames.find((one) => one === key);
      if (!field) {
        owned.push({ rowNumber, contactId, key, before, after, back });
      } else if (contact[field] === after && !taken(field, before, contactId)) {
        contact[field] = before;
        back[key] = { before: after, after: before };
        changed.add(contact);
      } else kept++;
    }
    whole.set(rowNumber, kept);
    reverted.push({ contactId, changes: back });
  }
  for (const { rowNumber } of await takeBackOwned(tx, owned)) whole.set(rowNumber, whole.get(rowNumber)! + 1);
  for (const [rowNumber, kept] of whole) outcomes.set(rowNumber, kept > 0 ? 'KEPT' : 'REVERTED');
  await writeFields(tx, [...changed]);
  const told = reverted.filter(({ changes }) => Object.keys(changes).length > 0);
  if (told.length > 0) await logChanges(tx, actor, told);
}

type Contact = { id: string } & { [name in ContactFieldName]: string | null };

/** Tells whether what a contact had before is another's by now. */
async function priorTaken(tx: Transaction, all: readonly Changes[], live: ReadonlyMap<string, Contact>) {
  const prior = (field: ContactFieldName) => all.flatMap((changes) => changes[field]?.before ?? []);
  const emails = prior('email').map(normalizeEmail);
  const owners = await tx.rows<{ id: string; email: string | null; member: string | null }>(sql`
    select id, email_normalized as email, member_number as member from contact c where c.organization_id = ${tx.organizationId} and not (c.id = any(${[...live.keys()]}::uuid[]))
      and (c.email_normalized = any(${emails}::text[]) or c.member_number = any(${prior('memberNumber')}::text[]))`);
  return (field: ContactFieldName, before: string | null, contactId: string): boolean =>
    before !== null &&
    ((field === 'email' && (owners.some(({ email }) => email === normalizeEmail(before)) || others(live, contactId, 'email', before))) ||
      (field === 'memberNumber' && (owners.some(({ member }) => member === before) || others(live, contactId, 'memberNumber', before))));
}

const others = (live: ReadonlyMap<string, Contact>, contactId: string, field: 'email' | 'memberNumber', value: string): boolean =>
  [...live.values()].some((contact) => contact.id !== contactId && contact[field] !== null && comparable(field, contact[field]) === comparable(field, value));

const comparable = (field: 'email' | 'memberNumber', value: string) => (field === 'email' ? normalizeEmail(value) : value);

interface Owned {
  rowNumber: number;
  contactId: string;
  /** The kind, a colon and the id: see `Changes`. */
  key: string;
  before: string | null;
  after: string | null;
  /** Where it is written down that it was taken back. */
  back: Changes;
}

/** For each kind of owned row: removes one that is still as it was given; `given` has contact, id and what it was given as. */
const removals: Readonly<Record<string, (given: Sql, org: string) => Sql>> = {
  contactPoint: (given, org) => sql`
    delete from contact_point t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id and t.value = given.after`,
  tag: (given, org) => sql`delete from contact_tag t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.tag_id = given.id`,
  note: (given, org) => sql`
    delete from note t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id and t.body = given.after`,
  membership: (given, org) => sql`
    delete from membership t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id and t.updated_at = t.created_at
      and not exists (select 1 from payment p where p.organization_id = t.organization_id and p.membership_id = t.id)`,
  ledgerEntry: (given, org) =>
    sql`delete from ledger_entry t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id`,
};

/** Removes what was added, and gives custom fields the values that they had. @returns what is not as it was given any more */
async function takeBackOwned(tx: Transaction, owned: readonly Owned[]): Promise<Owned[]> {
  const org = tx.organizationId;
  const kept: Owned[] = [];
  for (const [kind, some] of Map.groupBy(owned, ({ key }) => key.slice(0, key.indexOf(':')))) {
    const idOf = ({ key }: Owned) => key.slice(kind.length + 1);
    const given = sql`unnest(${some.map(({ contactId }) => contactId)}::uuid[], ${some.map(idOf)}::uuid[], ${some.map(({ after }) => after)}::text[], ${some.map(({ before }) => before)}::text[])
      given (contact, id, after, before)`;
    const place = kind === 'tag' ? raw('t.tag_id') : kind === 'customField' ? raw('t.definition_id') : raw('t.id');
    const returning = sql`returning t.contact_id as contact, ${place} as id`;
    let gone: { contact: string; id: string }[];
    if (kind === 'customField') {
      gone = await tx.rows(sql`
        delete from custom_field_value t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.definition_id = given.id
          and t.value = given.after and given.before is null ${returning}`);
      gone.push(
        ...(await tx.rows<{ contact: string; id: string }>(sql`
        update custom_field_value t set value = given.before from ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.definition_id = given.id
          and t.value = given.after and given.before is not null ${returning}`)),
      );
    } else
      gone = await tx.rows(
        sql`${removals[kind]!(given, org)} ${returning} ${kind === 'ledgerEntry' ? raw(', t.currency, t.amount_minor as amount') : raw('')}`,
      );
    if (kind === 'ledgerEntry') await lessen(tx, gone as unknown as Entry[]);
    const done = new Set(gone.map(({ contact, id }) => `${contact}|${id}`));
    for (const one of some)
      if (done.has(`${one.contactId}|${idOf(one)}`)) one.back[one.key] = { before: one.after, after: one.before };
      else kept.push(one);
  }
  return kept;
}

interface Entry {
  contact: string;
  currency: string;
  amount: number;
}

/** Takes removed ledger entries off the balances; a balance whose last entry went is none. */
async function lessen(tx: Transaction, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  const given = sql`unnest(${entries.map(({ contact }) => contact)}::uuid[], ${entries.map(({ currency }) => currency)}::text[], ${entries.map(({ amount }) => amount)}::bigint[])
    given (contact, currency, amount)`;
  await tx.run(sql`
    update balance b set amount_minor = b.amount_minor - given.amount, updated_at = now()
    from (select contact, currency, sum(amount) as amount from ${given} group by contact, currency) given
    where b.organization_id = ${tx.organizationId} and b.contact_id = given.contact and b.currency = given.currency`);
  await tx.run(sql`
    delete from balance b using ${given} where b.organization_id = ${tx.organizationId} and b.contact_id = given.contact and b.currency = given.currency and not exists (
      select 1 from ledger_entry l where l.organization_id = b.organization_id and l.contact_id = b.contact_id and l.currency = b.currency)`);
}
