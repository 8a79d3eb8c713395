// Ordering an erasure (GDPR, Article 17): the preview, and what is done within the request. From its commit on nothing
// brings the contacts back; stored copies of them are destroyed by the job that it queues.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { ErasureKind, LegalGround } from '../entities/erasure.ts';
import { NotFound, Refusal } from '../errors.ts';
import { removeGraphs, type RowCounts } from '../snapshots/capture.ts';
import { enterErased, erasedAmong, lockErasureLedger } from '../snapshots/erasure-ledger.ts';
import { graphOf } from '../snapshots/capture.ts';
import { name, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App, Viewer } from './app.ts';
import { subjectDigest } from './certificates.ts';
import { readConfirmation, signConfirmation } from './confirmations.ts';
import type { RowCount } from './deletion-rows.ts';
import { eraseFromImports } from './import-removal.ts';
import { removeExports } from './export-rows.ts';
import { queueJob } from './jobs.ts';
import { seesRows } from './visibility.ts';
import { write } from './writing.ts';

/** The most contacts of one erasure. */
const mostAtOnce = 1000;

export interface ErasurePreview {
  contactCount: number;
  liveCount: number;
  rows: RowCount[];
  confirmation: string;
  confirmationExpiresAt: Date;
}

/** The ids, each once and sorted. @throws Refusal BAD_TARGET */
function targetOf(contactIds: readonly string[]): string[] {
  const ids = [...new Set(contactIds)].sort();
  if (ids.length < 1 || ids.length > mostAtOnce)
    throw new Refusal('BAD_TARGET', `Name 1 to ${mostAtOnce} contacts. Nothing was erased. Erase more of them in several steps.`, ['input', 'contactIds']);
  return ids;
}

/**
 * Which of the contacts are live; the others are in the snapshot of a deletion or of the organization.
 * @throws NotFound when one of them is nowhere, was erased, or is another organization's
 */
async function locate(tx: Transaction, app: App, ids: readonly string[]): Promise<Set<string>> {
  const found = async (from: ReturnType<typeof sql>) => (await tx.rows<{ id: string }>(from)).map((row) => row.id);
  const live = new Set(await found(sql`select id from contact where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[])`));
  const gone = ids.filter((id) => !live.has(id));
  if (gone.length === 0) return live;
  const erased = await erasedAmong(tx, app, gone);
  const deleted = await found(sql`
    select distinct d.contact_id as id from deletion_contact d join deletion o on o.organization_id = d.organization_id and o.id = d.deletion_id
    where d.organization_id = ${tx.organizationId} and d.contact_id = any(${gone}::uuid[]) and o.state <> 'ERASED'`);
  // Whom no deletion has may still be in a snapshot of the organization: found by looking through all manifests.
  const rest = gone.filter((id) => !deleted.includes(id));
  const kept =
    rest.length === 0
      ? []
      : await found(sql`
    select distinct id from snapshot_chunk k cross join unnest(k.contact_ids) id
    where k.organization_id = ${tx.organizationId} and k.contact_ids && ${rest}::uuid[] and id = any(${rest}::uuid[])`);
  if (erased.size > 0 || kept.length < rest.length) throw new NotFound('contact');
  return live;
}

/**
 * Says what erasing the contacts would destroy, and gives the confirmation that the erasure takes. Changes nothing.
 * @throws NotFound; Refusal BAD_TARGET
 */
export async function previewErasure(tx: Transaction, app: App, viewer: Viewer, contactIds: readonly string[]): Promise<ErasurePreview> {
  const ids = targetOf(contactIds);
  const live = await locate(tx, app, ids);
  const rows: RowCount[] = [];
  for (const table of graphOf(app).tables.filter(({ kind }) => seesRows(viewer, kind))) {
    const counted = await tx.row<{ count: number }>(sql`
      select count(*)::int as count from ${name(table.name)} where organization_id = ${tx.organizationId} and ${name(table.contactColumn)} = any(${ids}::uuid[])`);
    rows.push({ kind: table.kind, count: counted!.count });
  }
  const { now } = (await tx.row<{ now: Date }>(sql`select clock_timestamp() as now`))!;
  const { confirmation, expiresAt } = await signConfirmation(app, viewer, { digest: subjectDigest(ids), count: ids.length }, now, 'erasure');
  return { contactCount: ids.length, liveCount: live.size, rows, confirmation, confirmationExpiresAt: expiresAt };
}

/**
 * Erases live and deleted contacts. When this returns, live ones are gone, no recovery can bring any of them back, and the
 * job that destroys their stored copies is queued. Waits for recoveries and deletions to finish the chunk in hand.
 * @returns the erasure's id
 * @throws NotFound; Refusal BAD_TARGET, BAD_REASON, CONFIRMATION_*
 */
export async function eraseContacts(
  app: App,
  viewer: Viewer,
  input: { contactIds: readonly string[]; ground: LegalGround; reason: string; confirmation: string },
): Promise<string> {
  const ids = targetOf(input.contactIds);
  const reason = input.reason.trim();
  if (reason.length < 1 || reason.length > 500)
    throw new Refusal('BAD_REASON', 'The reason must have 1 to 500 characters. Nothing was erased. Say in a sentence why.', ['input', 'reason']);
  return write(app, viewer, async (tx) => {
    const { now } = (await tx.row<{ now: Date }>(sql`select clock_timestamp() as now`))!;
    const confirmed = await readConfirmation(app, viewer, input.confirmation, now, 'erasure');
    const path = ['input', 'confirmation'];
    if (confirmed.digest !== subjectDigest(ids))
      throw new Refusal('CONFIRMATION_MISMATCH', 'These are not the contacts that were confirmed. Nothing was erased. Ask for a new preview.', path);
    await lockErasureLedger(tx);
    const id = await startErasure(tx, viewer, { kind: 'ARTICLE_17', ground: input.ground, confirmationId: confirmed.id, rows: {}, total: ids.length });
    if (!id)
      throw new Refusal(
        'CONFIRMATION_USED',
        'This confirmation has been used. Nothing more was erased. Ask for a new preview if there is more to erase.',
        path,
      );
    await locate(tx, app, ids);
    await removeExports(tx, viewer);
    const rows = await removeGraphs(tx, app, ids);
    await tx.run(sql`update erasure set row_counts = ${JSON.stringify(rows)} where organization_id = ${tx.organizationId} and id = ${id}`);
    await enterSubjects(tx, app, id, ids);
    await logAction(tx, viewer, { action: 'contacts.erased', target: { kind: 'Erasure', id }, targetCount: ids.length, reason });
    return id;
  });
}

/** Adds an erasure that is under way, with the job that carries it out. @returns its id; undefined when there is one for that confirmation or deletion */
export async function startErasure(
  tx: Transaction,
  actor: Actor,
  erasure: { kind: ErasureKind; ground: LegalGround; confirmationId?: string; deletionId?: string; destroyedKeys?: string[]; rows: RowCounts; total: number },
): Promise<string | undefined> {
  const id = newId();
  const { kind, ground, confirmationId = null, deletionId = null, destroyedKeys = [], rows, total } = erasure;
  const added = await tx.run(sql`
    insert into erasure (organization_id, id, kind, state, ground, requested_by_kind, requested_by_id, requested_by_name, confirmation_id, deletion_id,
      row_counts, stores, destroyed_keys)
    values (${tx.organizationId}, ${id}, ${kind}, 'RUNNING', ${ground}, ${actor.kind}, ${actor.id}, ${actor.name}, ${confirmationId}, ${deletionId},
      ${JSON.stringify(rows)}, '[]', ${destroyedKeys}::uuid[]) on conflict do nothing`);
  if (added.rowCount === 0) return undefined;
  await queueErasure(tx, actor, id, total);
  return id;
}

/** Queues the job that carries an erasure out. */
export async function queueErasure(tx: Transaction, actor: Actor, id: string, total: number): Promise<void> {
  const jobId = await queueJob(tx, { kind: 'ERASE_CONTACTS', subjectId: id, total, actor });
  await tx.run(sql`update erasure set job_id = ${jobId} where organization_id = ${tx.organizationId} and id = ${id}`);
}

/** From this commit on nothing brings these contacts back, and the digests of what was changed on them tell nothing. `tx` holds the ledger's lock. */
export async function enterSubjects(tx: Transaction, app: App, erasureId: string, contactIds: readonly string[]): Promise<void> {
  await enterErased(tx, app, contactIds);
  await eraseFromImports(tx, contactIds);
  await tx.run(sql`delete from action_salt where organization_id = ${tx.organizationId} and contact_id = any(${contactIds}::uuid[])`);
  await tx.run(sql`
    insert into erasure_subject (organization_id, erasure_id, contact_id) select ${tx.organizationId}, ${erasureId}, id from unnest(${contactIds}::uuid[]) id on conflict do nothing`);
  await tx.run(sql`
    update erasure set subject_count = subject_count + ${contactIds.length} where organization_id = ${tx.organizationId} and id = ${erasureId}`);
}
