// Reads the sealed log as it lies in the database, seal by seal, for whoever verifies or exports it.
import type { Transaction } from '../database.ts';
import { type Sql, sql } from '../sql.ts';
import type { SealedBatch } from './chain.ts';
import { type Found, foundOf, type FullEntry } from './entry.ts';
import type { Signed } from './seal.ts';

/** The entries of those ids that are there, in the order of the ids, with what lies beside them. */
export async function readEntries(tx: Transaction, ids: readonly string[]): Promise<FullEntry[]> {
  return tx.rows<FullEntry>(sql`
    select a.id, to_char(a.occurred_at at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') as "occurredAt", a.actor_kind as "actorKind", a.actor_id as "actorId",
      a.actor_name as "actorName", a.action, a.outcome, a.code, a.target_kind as "targetKind", a.target_id as "targetId", a.target_count as "targetCount",
      a.deletion_id as "deletionId", a.chunk_number as "chunkNumber", a.request_id as "requestId", a.address, a.agent,
      encode(a.reason_digest, 'hex') as "reasonDigest", encode(a.detail_digest, 'hex') as "detailDigest",
      case when a.reason_digest is not null then (
        select jsonb_build_object('text', r.reason, 'salt', encode(r.salt, 'base64')) from action_reason r
        where r.organization_id = a.organization_id and r.action_id = a.id) end as reason,
      case when a.detail_digest is not null then (
        select jsonb_build_object('salt', encode(s.salt, 'base64'), 'changes', (
          select d.changes from action_detail d
          where d.organization_id = s.organization_id and d.contact_id = s.contact_id and d.action_id = s.action_id limit 1))
        from action_salt s where s.organization_id = a.organization_id and s.action_id = a.id) end as detail
    from unnest(${ids}::uuid[]) with ordinality asked (id, place)
    join action_log a on a.organization_id = ${tx.organizationId} and a.id = asked.id order by asked.place`);
}

/** Who prunes holds it alone, who walks the log shares it. */
export const pruningLock = (tx: Transaction): Sql => sql`hashtextextended('prune ' || ${tx.organizationId}, 0)`;

/** The statement that the log was pruned, or null. From here until the transaction ends nothing more is pruned. */
export async function readPruned(tx: Transaction): Promise<Signed | null> {
  await tx.run(sql`select pg_advisory_xact_lock_shared(${pruningLock(tx)})`);
  const row = await tx.row<Signed>(sql`select statement as text, signature from action_pruning where organization_id = ${tx.organizationId}`);
  return row ?? null;
}

/** A seal that is there, and the ids of the entries under it. */
export type StoredSeal = Omit<SealedBatch, 'entries'>;

export async function* readSeals(tx: Transaction): AsyncGenerator<StoredSeal> {
  for (let number = 0; ;) {
    const row = await tx.row<StoredSeal & { number: number }>(sql`
      select number, seal, signature, action_ids as ids, leaves from action_seal
      where organization_id = ${tx.organizationId} and number > ${number} order by number limit 1`);
    if (!row) return;
    number = row.number;
    yield { seal: row.seal, signature: row.signature, ids: row.ids, leaves: row.leaves };
  }
}

/** So few that most are garbage before they count as old. */
const pageSize = 512;

/** The entries under a seal that are there, in its order, some at a time. */
export async function* readPages(tx: Transaction, { ids }: StoredSeal): AsyncGenerator<FullEntry[]> {
  for (let at = 0; at < ids.length; at += pageSize) yield await readEntries(tx, ids.slice(at, at + pageSize));
}

/** Each seal with what is found under it. `look` is shown every page of entries on the way. */
export async function* readSealed(tx: Transaction, look: (page: FullEntry[]) => void = () => {}): AsyncGenerator<SealedBatch> {
  for await (const seal of readSeals(tx)) {
    const entries: Found[] = [];
    for await (const page of readPages(tx, seal)) {
      look(page);
      for (const entry of page) entries.push(foundOf(tx.organizationId, entry));
    }
    yield { ...seal, entries };
  }
}

/** At one instant: how many entries there are, how many of them wait for a seal, one that was taken away while it waited, and the newest seal. */
export async function countEntries(tx: Transaction): Promise<{ present: number; waiting: number; lost: string | null; sealNumber: number }> {
  return (await tx.row<{ present: number; waiting: number; lost: string | null; sealNumber: number }>(sql`
    select (select count(*) from action_log where organization_id = ${tx.organizationId}) as present,
      (select coalesce(max(number), 0) from action_seal where organization_id = ${tx.organizationId}) as "sealNumber",
      count(*) filter (where a.id is not null) as waiting, (array_agg(u.action_id order by u.action_id) filter (where a.id is null))[1] as lost
    from action_unsealed u left join action_log a on a.organization_id = u.organization_id and a.id = u.action_id
    where u.organization_id = ${tx.organizationId}`))!;
}

/** The oldest entry that is neither sealed nor queued. */
export async function findStray(tx: Transaction): Promise<string | undefined> {
  const row = await tx.row<{ id: string }>(sql`
    select a.id from action_log a where a.organization_id = ${tx.organizationId}
      and a.id not in (select unnest(action_ids) from action_seal where organization_id = ${tx.organizationId})
      and not exists (select 1 from action_unsealed u where u.organization_id = a.organization_id and u.action_id = a.id)
    order by a.occurred_at, a.id limit 1`);
  return row?.id;
}
