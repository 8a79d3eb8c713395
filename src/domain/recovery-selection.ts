// What a recovery is ordered for: a deletion, chosen contacts of it, or all that one person or a span of time deleted.
// Resolved to the chunks that hold it, with the chosen contacts where a chunk is not wanted whole.
import type { Transaction } from '../database.ts';
import type { Selected } from '../entities/recovery.ts';
import { NotFound, Refusal } from '../errors.ts';
import { join, raw, sql } from '../sql.ts';
import { type ChunkOf, chunksOf, locateContacts } from '../snapshots/parts.ts';
import { type DeletionRow, readDeletions } from './deletion-rows.ts';
import { readSnapshots } from './snapshot-rows.ts';

/** One of `deletionId`, `snapshotId` (of the organization), and what was deleted by whom and when; `contactIds` narrows each. */
export interface Selection {
  snapshotId?: string | null | undefined;
  deletionId?: string | null | undefined;
  deletedById?: string | null | undefined;
  deletedFrom?: Date | null | undefined;
  deletedBefore?: Date | null | undefined;
  contactIds?: readonly string[] | null | undefined;
}

/** A chunk to restore from. */
export interface Source {
  snapshotId: string;
  chunkNumber: number;
  /** The chosen contacts; null: all of the chunk. */
  contactIds: string[] | null;
  contactCount: number;
}

export interface Resolved {
  selected: Selected;
  sources: Source[];
  contactCount: number;
  /** The earliest deadline of all that is selected. */
  recoverableUntil: Date;
}

const mostChosen = 10_000;

/**
 * The chunks that hold what is selected, in order.
 * @throws NotFound for a deletion, or a chosen contact of it, that is not there;
 * Refusal BAD_SELECTION, DELETION_RUNNING, CONTACTS_ERASED, RECOVERY_WINDOW_CLOSED, NOTHING_SELECTED
 */
export async function resolveSelection(tx: Transaction, selection: Selection): Promise<Resolved> {
  const { deletionId, snapshotId, contactIds } = selection;
  const bySpan = selection.deletedById != null || selection.deletedFrom != null || selection.deletedBefore != null;
  if ([deletionId != null, snapshotId != null, bySpan].filter(Boolean).length !== 1)
    throw new Refusal('BAD_SELECTION', 'Name either a deletion, or a snapshot, or who deleted or between which instants. Nothing was ordered.', [
      'input',
      'selection',
    ]);
  if (contactIds && (contactIds.length === 0 || contactIds.length > mostChosen))
    throw new Refusal('BAD_SELECTION', `Choose 1 to ${mostChosen.toLocaleString('en')} contacts, or leave them out to select all. Nothing was ordered.`, [
      'input',
      'selection',
      'contactIds',
    ]);
  const resolved =
    deletionId != null
      ? await ofDeletion(tx, deletionId, contactIds)
      : snapshotId != null
        ? await ofSnapshot(tx, snapshotId, contactIds)
        : await ofSpan(tx, selection);
  if (resolved.sources.length === 0)
    throw new Refusal('NOTHING_SELECTED', 'There is nothing to recover in this selection. Nothing was ordered. Look at the list of deletions.', [
      'input',
      'selection',
    ]);
  return resolved;
}

async function ofDeletion(tx: Transaction, deletionId: string, contactIds: Selection['contactIds']): Promise<Resolved> {
  const deletion = await recoverableDeletion(tx, deletionId);
  const of = { selected: { deletionId }, recoverableUntil: deletion.recoverableUntil! };
  // By what was deleted and not by the chunks that are there, so that one that is not is missed.
  const chunks = await tx.rows<ChunkOf>(sql`
    select ${deletion.snapshotId}::uuid as "snapshotId", chunk_number as number, count(*)::int as contacts from deletion_contact
    where organization_id = ${tx.organizationId} and deletion_id = ${deletionId} group by chunk_number order by chunk_number`);
  if (!contactIds) return { ...of, sources: chunks.map((chunk) => sourceOf(chunk, null)), contactCount: deletion.contactCount };
  const chosen = new Set(contactIds);
  const held = await tx.rows<{ contactId: string; number: number }>(sql`
    select contact_id as "contactId", chunk_number as number from deletion_contact
    where organization_id = ${tx.organizationId} and deletion_id = ${deletionId} and contact_id = any(${[...chosen]}::uuid[]) order by contact_id`);
  if (held.length !== chosen.size) throw new NotFound('contact of this deletion');
  const byChunk = Map.groupBy(held, ({ number }) => number);
  const sources = chunks.flatMap((chunk) => {
    const ids = byChunk.get(chunk.number)?.map((row) => row.contactId);
    return ids ? [sourceOf(chunk, ids)] : [];
  });
  return { ...of, sources, contactCount: held.length };
}

/** An organization's snapshot; of chosen contacts only the chunks that hold them are ever opened. */
async function ofSnapshot(tx: Transaction, snapshotId: string, contactIds: Selection['contactIds']): Promise<Resolved> {
  const [snapshot] = await readSnapshots(tx, [snapshotId]);
  if (!snapshot) throw new NotFound('snapshot');
  if (snapshot.state !== 'COMPLETE')
    throw new Refusal('SNAPSHOT_NOT_COMPLETE', 'The snapshot is not complete. No recovery was ordered. Wait until it is, or choose another.', [
      'input',
      'selection',
      'snapshotId',
    ]);
  const { now } = (await tx.row<{ now: Date }>(sql`select clock_timestamp() as now`))!;
  if (snapshot.expiresAt <= now)
    throw new Refusal(
      'RECOVERY_WINDOW_CLOSED',
      'The time in which this snapshot could be recovered from is over. No recovery was ordered, nothing was billed.',
      ['input', 'selection', 'snapshotId'],
    );
  const of = { selected: { snapshotId }, recoverableUntil: snapshot.expiresAt };
  if (!contactIds) {
    const sources = (await chunksOf(tx, snapshotId)).map((chunk) => sourceOf(chunk, null));
    return { ...of, sources, contactCount: sources.reduce((sum, one) => sum + one.contactCount, 0) };
  }
  const chosen = new Set(contactIds);
  const found = await locateContacts(tx, snapshotId, [...chosen]);
  const sources = found.map((one) => sourceOf({ ...one, contacts: -1 }, one.contactIds));
  const contactCount = sources.reduce((sum, one) => sum + one.contactCount, 0);
  if (contactCount !== chosen.size) throw new NotFound('contact of this snapshot');
  return { ...of, sources, contactCount };
}

/** What is still gone of all that was deleted by the person, or in the span: a contact from the last deletion that took it. */
async function ofSpan(tx: Transaction, { deletedById, deletedFrom, deletedBefore, contactIds }: Selection): Promise<Resolved> {
  const conditions = [
    sql`d.organization_id = ${tx.organizationId} and d.state = 'COMPLETED' and d.recoverable_until > clock_timestamp()`,
    ...(deletedById != null ? [sql`d.requested_by_id = ${deletedById}`] : []),
    ...(deletedFrom != null ? [sql`d.deleted_at >= ${deletedFrom}`] : []),
    ...(deletedBefore != null ? [sql`d.deleted_at < ${deletedBefore}`] : []),
  ];
  const rows = await tx.rows<{ snapshotId: string; number: number; contactIds: string[]; held: number | null; until: Date }>(sql`
    with last as (
      select distinct on (c.contact_id) c.contact_id, c.chunk_number, d.snapshot_id, d.recoverable_until
      from deletion d join deletion_contact c on c.organization_id = d.organization_id and c.deletion_id = d.id
      where ${join(conditions, ' and ')} ${contactIds ? sql`and c.contact_id = any(${contactIds}::uuid[])` : raw('')}
        and not exists (select 1 from contact live where live.organization_id = c.organization_id and live.id = c.contact_id)
      order by c.contact_id, d.deleted_at desc)
    select l.snapshot_id as "snapshotId", l.chunk_number as number, array_agg(l.contact_id order by l.contact_id) as "contactIds", k.contact_count as held,
      min(l.recoverable_until) as until
    from last l left join snapshot_chunk k on k.organization_id = ${tx.organizationId} and k.snapshot_id = l.snapshot_id and k.number = l.chunk_number
    group by l.snapshot_id, l.chunk_number, k.contact_count order by l.snapshot_id, l.chunk_number`);
  const selected: Selected = {
    ...(deletedById != null ? { deletedById } : {}),
    ...(deletedFrom != null ? { deletedFrom: deletedFrom.toISOString() } : {}),
    ...(deletedBefore != null ? { deletedBefore: deletedBefore.toISOString() } : {}),
  };
  return {
    selected,
    recoverableUntil: new Date(Math.min(...rows.map(({ until }) => until.getTime()))),
    contactCount: rows.reduce((sum, row) => sum + row.contactIds.length, 0),
    sources: rows.map(({ snapshotId, number, contactIds, held }) => ({
      snapshotId,
      chunkNumber: number,
      contactIds: contactIds.length === held ? null : contactIds,
      contactCount: contactIds.length,
    })),
  };
}

/** A chunk as a source: of all its contacts, or of these. */
const sourceOf = ({ snapshotId, number, contacts }: ChunkOf, contactIds: string[] | null): Source => ({
  snapshotId,
  chunkNumber: number,
  contactIds: contactIds?.length === contacts ? null : contactIds,
  contactCount: contactIds?.length ?? contacts,
});

/** @throws NotFound; Refusal DELETION_RUNNING, CONTACTS_ERASED, RECOVERY_WINDOW_CLOSED */
async function recoverableDeletion(tx: Transaction, deletionId: string): Promise<DeletionRow> {
  const [deletion] = await readDeletions(tx, [deletionId]);
  if (!deletion) throw new NotFound('deletion');
  const path = ['input', 'selection', 'deletionId'];
  if (deletion.state === 'RUNNING')
    throw new Refusal('DELETION_RUNNING', 'The deletion is still at work. No recovery was ordered. Wait until it has completed.', path);
  if (deletion.state === 'COMPLETED' && deletion.contactCount === 0)
    throw new Refusal('CONTACTS_ERASED', 'All contacts of this deletion have been erased. No recovery was ordered, nothing was billed.', path);
  if (!deletion.isRecoverable)
    throw new Refusal(
      'RECOVERY_WINDOW_CLOSED',
      'The time in which this deletion could be recovered is over. No recovery was ordered, nothing was billed.',
      path,
    );
  return deletion;
}

/**
 * Whether another request is about to restore some of the same contacts from the same chunks, or has restored them. Out of
 * an organization's snapshot they may come back any number of times.
 */
export async function alreadyOrdered(tx: Transaction, sources: readonly Source[]): Promise<boolean> {
  const list = JSON.stringify(sources.map(({ snapshotId, chunkNumber, contactIds }) => ({ snapshot: snapshotId, number: chunkNumber, ids: contactIds })));
  const found = await tx.row(sql`
    select 1 from jsonb_to_recordset(${list}::jsonb) s (snapshot uuid, number int, ids uuid[])
    join recovery_chunk k on k.organization_id = ${tx.organizationId} and k.snapshot_id = s.snapshot and k.chunk_number = s.number
    join recovery_request r on r.organization_id = k.organization_id and r.id = k.recovery_request_id
    join snapshot_chunk c on c.organization_id = k.organization_id and c.snapshot_id = k.snapshot_id and c.number = k.chunk_number
    where (r.state in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING') or r.state = 'COMPLETED' and not r.selected ? 'snapshotId') and exists (
      select 1 from unnest(coalesce(s.ids, k.contact_ids, c.contact_ids)) id
      where (k.contact_ids is null or id = any(k.contact_ids)) and (s.ids is null or id = any(s.ids))
        and not exists (select 1 from recovery_conflict x
          where x.organization_id = k.organization_id and x.recovery_request_id = r.id and x.contact_id = id and x.policy = 'SKIP' and r.state = 'COMPLETED'))
    limit 1`);
  return found !== undefined;
}
