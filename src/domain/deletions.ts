// Deleting: the preview that says exactly what will go, and the deletion that takes its confirmation.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { graphOf, startSnapshot } from '../snapshots/capture.ts';
import { name, raw, type Sql, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { readConfirmation, signConfirmation } from './confirmations.ts';
import { type ContactFilter, matching } from './contact-filters.ts';
import { completeDeletion, removeAndLog } from './deleting.ts';
import type { Amount, RowCount } from './deletion-rows.ts';
import { queueJob } from './jobs.ts';
import { isProven, proofRequired } from './second-factor.ts';
import { sees, seesRows } from './visibility.ts';
import { transactAs } from './writing.ts';

/** Which contacts: these, or all that the filter finds. */
export interface DeletionTarget {
  contactIds?: readonly string[] | null | undefined;
  filter?: ContactFilter | null | undefined;
}

export interface DeletionPreview {
  contactCount: number;
  rows: RowCount[];
  balances: Amount[];
  recoverableUntil: Date;
  confirmation: string | null;
  confirmationExpiresAt: Date | null;
}

/** The condition on contacts, alias c, for a target. @throws Refusal when it names both ways or neither, HIDDEN_FIELD */
function targeted(tx: Transaction, viewer: Viewer, target: DeletionTarget): Sql {
  const { contactIds, filter } = target;
  if (Boolean(contactIds) === Boolean(filter))
    throw new Refusal('BAD_TARGET', 'Name the contacts either by `contactIds` or by `filter`. Nothing was deleted.', ['input']);
  if (filter) return matching(tx.organizationId, viewer, filter);
  if (contactIds!.length > 10_000)
    throw new Refusal('TOO_MANY_IDS', 'At most 10,000 contacts can be named by id. Nothing was deleted. Name them by `filter`.', ['input', 'contactIds']);
  return sql`c.organization_id = ${tx.organizationId} and c.id = any(${contactIds}::uuid[])`;
}

const setOf = (ids: Sql) => sql`encode(sha256(coalesce(string_agg(uuid_send(${ids}), ''::bytea order by ${ids}), ''::bytea)), 'hex')`;

/** @throws NotFound when a contact that is named by id is not there, whoever's it is */
function checkAllFound(target: DeletionTarget, count: number): void {
  if (target.contactIds && new Set(target.contactIds).size !== count) throw new NotFound('contact');
}

/**
 * Says exactly what deleting the target would remove, and gives the confirmation that the deletion takes; none for an
 * empty set. Changes nothing.
 */
export async function previewDeletion(tx: Transaction, app: App, viewer: Viewer, target: DeletionTarget): Promise<DeletionPreview> {
  const condition = targeted(tx, viewer, target);
  const set = (await tx.row<{ count: number; digest: string; now: Date; until: Date }>(sql`
    select count(*)::int as count, ${setOf(raw('c.id'))} as digest, clock_timestamp() as now,
      clock_timestamp() + make_interval(days => ${app.config.RECOVERY_WINDOW_DAYS}) as until
    from contact c where ${condition}`))!;
  checkAllFound(target, set.count);
  const rows: RowCount[] = [];
  for (const table of graphOf(app).tables.filter(({ kind }) => seesRows(viewer, kind))) {
    const counted = await tx.row<{ count: number }>(sql`
      select count(*)::int as count from ${name(table.name)} t
      where t.organization_id = ${tx.organizationId} and t.${name(table.contactColumn)} in (select c.id from contact c where ${condition})`);
    rows.push({ kind: table.kind, count: counted!.count });
  }
  const balances = sees(viewer, ['BALANCES'])
    ? await tx.rows<Amount>(sql`
    select b.currency, sum(b.amount_minor)::bigint as "amountMinor" from balance b
    where b.organization_id = ${tx.organizationId} and b.contact_id in (select c.id from contact c where ${condition}) group by b.currency order by b.currency`)
    : [];
  const signed = set.count > 0 ? await signConfirmation(app, viewer, set, set.now) : null;
  return {
    contactCount: set.count,
    rows,
    balances,
    recoverableUntil: set.until,
    confirmation: signed?.confirmation ?? null,
    confirmationExpiresAt: signed?.expiresAt ?? null,
  };
}

/**
 * Deletes what was confirmed. A small deletion is done when this returns: snapshot, removal and log entry have committed
 * together. A large one has frozen its set and queued its job.
 * @returns the deletion's id
 * @throws Refusal CONFIRMATION_*; NotFound for a contact that is not there
 */
export async function deleteContacts(app: App, viewer: Viewer, input: DeletionTarget & { confirmation: string; reason: string }): Promise<string> {
  const reason = input.reason.trim();
  if (reason.length < 1 || reason.length > 500)
    throw new Refusal('BAD_REASON', 'The reason must have 1 to 500 characters. Nothing was deleted. Say in a sentence why.', ['input', 'reason']);
  return transactAs(app, viewer, async (tx) => {
    const { now } = (await tx.row<{ now: Date }>(sql`select clock_timestamp() as now`))!;
    const confirmed = await readConfirmation(app, viewer, input.confirmation, now);
    await checkProof(tx, app, viewer, confirmed.count);
    const [id, snapshotId] = [newId(), newId()];
    const added = await tx.run(sql`
      insert into deletion (organization_id, id, state, reason, requested_by_id, requested_by_name, confirmation_id, snapshot_id, contact_count)
      values (${tx.organizationId}, ${id}, 'RUNNING', ${reason}, ${viewer.id}, ${viewer.name}, ${confirmed.id}, ${snapshotId}, 0)
      on conflict (organization_id, confirmation_id) do nothing`);
    if (added.rowCount === 0)
      throw new Refusal('CONFIRMATION_USED', 'This confirmation has been used. Nothing more was deleted. Ask for a new preview if there is more to delete.', [
        'input',
        'confirmation',
      ]);
    const count = await freezeSet(tx, app, viewer, { ...input, id, digest: confirmed.digest });
    // The set is within what the viewer works with; what is removed loses its tags on the way.
    await tx.unscope();
    await startSnapshot(tx, app, snapshotId, 'DELETION');
    if (count <= Math.min(app.config.DELETE_AT_ONCE, app.config.CHUNK_CONTACTS)) {
      const removed = await removeAndLog(tx, app, viewer, { id, snapshotId }, 1);
      if (removed !== count) throw mismatch();
      await completeDeletion(tx, app, id);
    } else {
      const jobId = await queueJob(tx, { kind: 'DELETE_CONTACTS', subjectId: id, total: count, actor: viewer });
      await tx.run(sql`update deletion set job_id = ${jobId} where organization_id = ${tx.organizationId} and id = ${id}`);
      await logAction(tx, viewer, { action: 'deletion.started', target: { kind: 'Deletion', id }, targetCount: count, reason });
    }
    return id;
  });
}

/** Many small deletions are a large one: what they have deleted while a proof would be fresh counts. @throws Forbidden PROOF_REQUIRED */
async function checkProof(tx: Transaction, app: App, viewer: Viewer, count: number): Promise<void> {
  if (isProven(app, viewer)) return;
  const { before } = (await tx.row<{ before: number }>(sql`
    select coalesce(sum(contact_count), 0)::int as before from deletion
    where organization_id = ${tx.organizationId} and requested_by_id = ${viewer.id} and requested_at > clock_timestamp() - make_interval(mins => ${app.config.PROOF_MINUTES})`))!;
  if (before + count > app.config.PROOF_DELETE_CONTACTS) throw proofRequired(app);
}

const mismatch = () =>
  new Refusal(
    'CONFIRMATION_MISMATCH',
    'These are not the contacts that were confirmed; some were added, removed or left out since the preview. Nothing was deleted. Ask for a new preview.',
    ['input', 'confirmation'],
  );

/** Writes down which contacts go, chunk by chunk, and holds them against what was confirmed. @returns how many */
async function freezeSet(
  tx: Transaction,
  app: App,
  viewer: Viewer,
  { id: deletionId, digest, ...target }: DeletionTarget & { id: string; digest: string },
): Promise<number> {
  await tx.run(sql`
    insert into deletion_contact (organization_id, contact_id, deletion_id, chunk_number)
    select c.organization_id, c.id, ${deletionId}, (row_number() over (order by c.id) - 1) / ${raw(String(app.config.CHUNK_CONTACTS))} + 1
    from contact c where ${targeted(tx, viewer, target)}`);
  const frozen = (await tx.row<{ count: number; digest: string }>(sql`
    update deletion set contact_count = f.count
    from (select count(*)::int as count, ${setOf(raw('contact_id'))} as digest from deletion_contact
      where organization_id = ${tx.organizationId} and deletion_id = ${deletionId}) f
    where organization_id = ${tx.organizationId} and id = ${deletionId} returning f.count, f.digest`))!;
  checkAllFound(target, frozen.count);
  if (frozen.digest !== digest) throw mismatch();
  return frozen.count;
}
