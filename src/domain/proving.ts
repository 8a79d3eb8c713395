// The last steps of a recovery: balances held against their ledgers, and every contact accounted for.
import { followIndexes } from '../snapshots/capture.ts';
import { raw, sql } from '../sql.ts';
import { type ChunkState, eachChunk, type Run } from './recovery-runs.ts';

/**
 * The contacts of a chunk that came back under their own ids with this request. Each asks for its own conflict, which no plan
 * can make a walk over all conflicts of the request.
 */
const restoredOf = ({ organizationId, request }: Run, { contactIds, snapshotId, chunkNumber }: ChunkState) => sql`
  select id as contact_id from unnest(coalesce(${contactIds}::uuid[], (
    select k.contact_ids from snapshot_chunk k
    where k.organization_id = ${organizationId} and k.snapshot_id = ${snapshotId} and k.number = ${chunkNumber}))) id
  where coalesce((select x.policy not in ('SKIP', 'MERGE') from recovery_conflict x
    where x.organization_id = ${organizationId} and x.recovery_request_id = ${request.id} and x.contact_id = id), true)`;

/** Whether the contact was erased meanwhile, which is no fault. */
const erased = ({ organizationId }: Run, contactId: string) => sql`
  select 1 from erasure_subject e where e.organization_id = ${organizationId} and e.contact_id = ${raw(contactId)}`;

/** Holds every balance against its ledger in one view of both, and mends it where they differ. */
export async function reconcile(run: Run): Promise<void> {
  const { app, organizationId } = run;
  const sums = (chunk: ChunkState) => sql`
    select l.contact_id, l.currency, sum(l.amount_minor)::bigint as amount from ledger_entry l
    where l.organization_id = ${organizationId} and l.contact_id = any (array(${restoredOf(run, chunk)})) group by l.contact_id, l.currency`;
  await eachChunk(
    run,
    run.chunks,
    'RECONCILING',
    () => false,
    (chunk) =>
      app.database.transact(organizationId, async (tx) => {
        await followIndexes(tx);
        const off = await tx.rows<{ contactId: string }>(sql`
        select s.contact_id as "contactId" from (${sums(chunk)}) s
        left join balance b on b.organization_id = ${organizationId} and b.contact_id = s.contact_id and b.currency = s.currency
        where b.amount_minor is distinct from s.amount`);
        if (off.length === 0) return;
        // With the contacts locked no payment can come in between, so the second look is the one that counts.
        await tx.run(sql`
        select 1 from contact where organization_id = ${organizationId} and id = any(${off.map((row) => row.contactId)}::uuid[]) order by id for update`);
        await tx.run(sql`
        insert into balance (organization_id, contact_id, currency, amount_minor)
        select ${organizationId}, s.contact_id, s.currency, s.amount from (${sums(chunk)}) s
        on conflict (organization_id, contact_id, currency) do update set amount_minor = excluded.amount_minor, updated_at = clock_timestamp()
        where balance.amount_minor <> excluded.amount_minor`);
      }),
  );
}

/**
 * Accounts for every contact of the snapshot: it came back and was proven by its digest when its chunk was restored, or
 * it conflicted, or it was erased; and what came back is still there, unless someone has deleted it again.
 * @returns how many came back
 */
export async function account(run: Run): Promise<number> {
  const { app, organizationId, request } = run;
  let proven = 0;
  await eachChunk(
    run,
    run.chunks,
    'PROVING',
    () => false,
    (chunk) =>
      app.database.transact(
        organizationId,
        async (tx) => {
          await followIndexes(tx);
          const found = (await tx.row<{ restored: number; merged: number; skipped: number; erased: number; missing: number }>(sql`
            select k.restored_count as restored, k.merged_count as merged, k.skipped_count as skipped, k.erased_count as erased,
              (select count(*)::int from (${restoredOf(run, chunk)}) r
                where not exists (select 1 from contact c where c.organization_id = ${organizationId} and c.id = r.contact_id)
                  and not exists (${erased(run, 'r.contact_id')})
                  and not exists (
                    select 1 from deletion_contact d
                    join deletion o on o.organization_id = d.organization_id and o.id = d.deletion_id
                    join snapshot_chunk later on later.organization_id = o.organization_id and later.snapshot_id = o.snapshot_id and later.number = d.chunk_number
                    where d.organization_id = ${organizationId} and d.contact_id = r.contact_id and later.created_at > k.restored_at)) as missing
            from recovery_chunk k where k.organization_id = ${organizationId} and k.recovery_request_id = ${request.id} and k.number = ${chunk.number}`))!;
          const { restored, merged, skipped, erased: lost, missing } = found;
          if (missing > 0 || restored + merged + skipped + lost !== chunk.contactCount)
            throw new Error(
              `Chunk ${chunk.number} holds ${chunk.contactCount} contacts: ${restored} came back, ${merged} were merged, ${skipped} skipped, ${lost} erased, ${missing} are missing.`,
            );
          proven += restored + merged;
        },
        { readOnly: true },
      ),
  );
  return proven;
}
