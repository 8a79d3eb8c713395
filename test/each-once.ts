// Where each contact is, looked up in what is live and in what can be opened of the snapshots.
import { expect } from 'vitest';
import { readChunk } from '../src/snapshots/restore.ts';
import type { World } from './harness.ts';

/**
 * Every contact is in exactly one place, live or in a chunk that was not given back, and every balance is the sum of its
 * ledger. True at each instant, also while the work is under way.
 */
export async function expectEachOnce(world: World, all: readonly string[]): Promise<void> {
  const organizationId = world.organizationId();
  const { rows } = await world.owner.query<{ live: string[]; chunks: { snapshotId: string; number: number }[]; off: number }>(
    `select (select coalesce(array_agg(id), '{}') from contact where organization_id = $1) as live,
      (select coalesce(json_agg(json_build_object('snapshotId', k.snapshot_id, 'number', k.number)), '[]')
        from snapshot_chunk k join deletion d on d.organization_id = k.organization_id and d.snapshot_id = k.snapshot_id
        where k.organization_id = $1 and not exists (
          select 1 from recovery_chunk r join recovery_request q on q.organization_id = r.organization_id and q.id = r.recovery_request_id
          where q.organization_id = $1 and r.snapshot_id = k.snapshot_id and r.chunk_number = k.number and r.restored_at is not null)) as chunks,
      (select count(*)::int from balance b
        full join (select organization_id, contact_id, currency, sum(amount_minor) as amount from ledger_entry group by 1, 2, 3) l
          using (organization_id, contact_id, currency)
        where organization_id = $1 and b.amount_minor is distinct from l.amount) as off`,
    [organizationId],
  );
  const seen = rows[0]!;
  const kept = await world.app.database.transact(organizationId, async (tx) => {
    const ids: string[] = [];
    for (const chunk of seen.chunks) ids.push(...(await readChunk(tx, world.app, { organizationId, ...chunk })).digests.keys());
    return ids;
  });
  expect([...seen.live, ...kept].toSorted()).toEqual(all);
  expect(seen.off).toBe(0);
}
