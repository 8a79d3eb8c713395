// Reads the action log: by filter, by record, and as it grows. What is written is in action-log.ts.
import type { Transaction } from '../database.ts';
import { InvalidInput } from '../errors.ts';
import { globalId } from '../global-id.ts';
import type { Entry } from '../log/entry.ts';
import { join, raw, type Sql, sql } from '../sql.ts';
import type { Actor } from './app.ts';

export interface ActionLogRow extends Omit<Entry, 'occurredAt' | 'reasonDigest' | 'detailDigest'> {
  occurredAt: Date;
  actorKind: Actor['kind'];
  outcome: 'DONE' | 'REFUSED';
  reason: string | null;
  /** The instant as text, for a cursor. */
  cursor: string;
}

/** The kinds of actor that have a global id, with the kind of that. */
const actorIdKinds = { STAFF: 'StaffMember', API_KEY: 'ApiKey' } as const;

/** The global ids of an entry, of who did it, and of what it was done to. */
export function globalIdsOf({ id, actorKind, actorId, targetKind, targetId }: ActionLogRow): { id: string; actorId: string | null; targetId: string | null } {
  const kind = actorKind in actorIdKinds ? actorIdKinds[actorKind as keyof typeof actorIdKinds] : null;
  return {
    id: globalId('ActionLogEntry', id),
    actorId: actorId && kind && globalId(kind, actorId),
    targetId: targetId && targetKind && globalId(targetKind, targetId),
  };
}

export interface ActionLogFilter {
  actorId?: string | undefined;
  action?: string | undefined;
  outcome?: 'DONE' | 'REFUSED' | undefined;
  targetId?: string | undefined;
  requestId?: string | undefined;
  from?: Date | undefined;
  before?: Date | undefined;
}

const columns = sql`
  a.id, a.occurred_at as "occurredAt", a.actor_kind as "actorKind", a.actor_id as "actorId", a.actor_name as "actorName", a.action,
  a.outcome, a.code, a.target_kind as "targetKind", a.target_id as "targetId", a.target_count as "targetCount",
  a.deletion_id as "deletionId", a.chunk_number as "chunkNumber", a.request_id as "requestId", a.address, a.agent,
  (select r.reason from action_reason r where r.organization_id = a.organization_id and r.action_id = a.id) as reason,
  to_char(a.occurred_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as cursor`;

export async function readActions(tx: Transaction, ids: readonly string[]): Promise<ActionLogRow[]> {
  return tx.rows<ActionLogRow>(sql`select ${columns} from action_log a where a.organization_id = ${tx.organizationId} and a.id = any(${ids}::uuid[])`);
}

/** What a row must be like. */
function conditionsOf(tx: Transaction, filter: ActionLogFilter): Sql[] {
  return [
    sql`a.organization_id = ${tx.organizationId}`,
    ...(filter.actorId !== undefined ? [sql`a.actor_id = ${filter.actorId}`] : []),
    ...(filter.action !== undefined ? [sql`a.action = ${filter.action}`] : []),
    ...(filter.outcome !== undefined ? [sql`a.outcome = ${filter.outcome}`] : []),
    ...(filter.requestId !== undefined ? [sql`a.request_id = ${filter.requestId}`] : []),
    ...(filter.from !== undefined ? [sql`a.occurred_at >= ${filter.from}`] : []),
    ...(filter.before !== undefined ? [sql`a.occurred_at < ${filter.before}`] : []),
    ...(filter.targetId !== undefined ? [sql`a.id in (${aboutTarget(tx, filter.targetId)})`] : []),
  ];
}

/**
 * The ids of the entries about a record. For a contact these are, too, the batches that it was part of, and its erasure: which
 * deletions took a contact and which erasure was its end is known by its id for as long as the log is, whatever became of it.
 */
const aboutTarget = (tx: Transaction, id: string): Sql => sql`
  select t.id from action_log t where t.organization_id = ${tx.organizationId} and t.target_id = ${id}
  union all select b.id from deletion_contact d
    join action_log b on b.organization_id = d.organization_id and b.deletion_id = d.deletion_id and b.chunk_number = d.chunk_number
    where d.organization_id = ${tx.organizationId} and d.contact_id = ${id}
      and not ${leftOut(tx, sql`b.target_id`, sql`b.deletion_id`, sql`b.chunk_number`, sql`d.contact_id`)}
  union all select e.id from erasure_subject s
    join erasure r on r.organization_id = s.organization_id and r.id = s.erasure_id
    join action_log e on e.organization_id = s.organization_id and e.target_id in (r.id, r.deletion_id)
      and e.action in ('contacts.erased', 'erasure.completed', 'deletion.erasing', 'deletion.erased')
    where s.organization_id = ${tx.organizationId} and s.contact_id = ${id}`;

/** Entries that fit the filter, the newest first. `after` is the instant and the id of the last entry of the page before. */
export async function listActions(
  tx: Transaction,
  filter: ActionLogFilter,
  limit: number,
  after: { instant: string; id: string } | null,
): Promise<ActionLogRow[]> {
  const conditions = [
    ...conditionsOf(tx, filter),
    ...(after ? [sql`a.occurred_at <= ${after.instant}::timestamptz and (a.occurred_at < ${after.instant}::timestamptz or a.id < ${after.id})`] : []),
  ];
  return tx.rows<ActionLogRow>(sql`
    select ${columns} from action_log a where ${join(conditions, ' and ')} order by a.occurred_at desc, a.id desc limit ${limit}`);
}

/** All entries that fit the filter, the oldest first, as one instant shows them, in pages of a thousand; for one walk at a time in a transaction. */
export async function* eachAction(tx: Transaction, filter: ActionLogFilter): AsyncGenerator<ActionLogRow[]> {
  await tx.run(sql`
    declare entries no scroll cursor for
    select ${columns} from action_log a where ${join(conditionsOf(tx, filter), ' and ')} order by a.occurred_at, a.id`);
  for (let rows = await tx.rows<ActionLogRow>(sql`fetch 1000 from entries`); rows.length > 0; rows = await tx.rows<ActionLogRow>(sql`fetch 1000 from entries`))
    yield rows;
}

/** The next entry in the order of the log, which is that of its seals: the seal, and how many entries of it come before. */
export interface LogPlace {
  seal: number;
  index: number;
}

/** Behind the newest seal. */
export async function endOfLog(tx: Transaction): Promise<LogPlace> {
  const { seal } = (await tx.row<{ seal: number }>(sql`
    select coalesce(max(number), 0) + 1 as seal from action_seal where organization_id = ${tx.organizationId}`))!;
  return { seal, index: 0 };
}

const lookedAtAtOnce = 500;
const lookedAtInAll = 5000;

/**
 * Sealed entries that fit the filter, in the order of the log from `place` on, up to `limit` of them: each is under one seal, so each
 * comes once. @returns them, where to go on, and whether there is more to look at
 * @throws InvalidInput LOG_PRUNED when entries that would have come were pruned; BAD_CURSOR when the log does not reach there
 */
export async function followActions(
  tx: Transaction,
  filter: ActionLogFilter,
  place: LogPlace,
  limit: number,
): Promise<{ rows: ActionLogRow[]; place: LogPlace; more: boolean }> {
  const rows: ActionLogRow[] = [];
  let { seal, index } = place;
  for (let looked = 0; looked < lookedAtInAll;) {
    const next = await tx.row<{ number: number; count: number; ids: string[] }>(sql`
      select number, cardinality(action_ids) as count, action_ids[${index + 1}::int : ${index + lookedAtAtOnce}::int] as ids
      from action_seal where organization_id = ${tx.organizationId} and number >= ${seal} order by number limit 1`);
    if (!next) {
      if (seal > (await endOfLog(tx)).seal)
        throw new InvalidInput(
          'BAD_CURSOR',
          'The action log does not reach as far as this cursor. Verify it with `verifyActionLog`, and start again without `after`.',
        );
      return { rows, place: { seal, index }, more: false };
    }
    if (next.number > seal)
      throw new InvalidInput(
        'LOG_PRUNED',
        'Entries that follow this cursor were pruned. They can’t be given any more. Start again without `after`; an exported proof may hold them.',
      );
    const fit = new Map(
      (
        await tx.rows<ActionLogRow>(sql`
        select ${columns} from action_log a where ${join(conditionsOf(tx, filter), ' and ')} and a.id = any(${next.ids}::uuid[])`)
      ).map((row) => [row.id, row]),
    );
    for (const id of next.ids) {
      if (rows.length === limit) return { rows, place: { seal, index }, more: true };
      index++;
      const row = fit.get(id);
      if (row) rows.push(row);
    }
    if (index >= next.count) [seal, index] = [seal + 1, 0];
    looked += next.ids.length;
  }
  return { rows, place: { seal, index }, more: true };
}

/** Whether a recovery (`request`) left the contact of a deletion's chunk where it was: not chosen, or skipped. False for what is no recovery. */
const leftOut = (tx: Transaction, request: Sql, deletion: Sql, chunk: Sql, contact: Sql): Sql => sql`
  exists (select 1 from recovery_chunk k join deletion o on o.organization_id = k.organization_id and o.snapshot_id = k.snapshot_id
    where k.organization_id = ${tx.organizationId} and k.recovery_request_id = ${request} and o.id = ${deletion} and k.chunk_number = ${chunk}
      and (${contact} <> all (k.contact_ids) or exists (select 1 from recovery_conflict x where x.organization_id = k.organization_id
        and x.recovery_request_id = k.recovery_request_id and x.contact_id = ${contact} and x.policy = 'SKIP')))`;

/** Which entry, as far as it names a batch. */
export interface Batch {
  deletionId: string;
  /** Null: all chunks of the deletion. */
  chunkNumber: number | null;
  /** The recovery or the deletion that the entry is about. */
  subjectId: string | null;
}

/** The contacts of a batch, by id, behind `after`. */
export async function listBatchContacts(
  tx: Transaction,
  { deletionId, chunkNumber, subjectId }: Batch,
  limit: number,
  after: string | null,
): Promise<{ id: string }[]> {
  return tx.rows<{ id: string }>(sql`
    select d.contact_id as id from deletion_contact d
    where d.organization_id = ${tx.organizationId} and d.deletion_id = ${deletionId}
      ${chunkNumber === null ? raw('') : sql`and d.chunk_number = ${chunkNumber}`} ${after ? sql`and d.contact_id > ${after}` : raw('')}
      and not ${leftOut(tx, sql`${subjectId}::uuid`, sql`d.deletion_id`, sql`d.chunk_number`, sql`d.contact_id`)}
    order by d.contact_id limit ${limit}`);
}
