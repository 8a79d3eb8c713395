// Restore drills: ordering them, night by night, and reading how they went.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { DrillOutcome } from '../entities/drill.ts';
import { raw, sql } from '../sql.ts';
import type { Actor, App } from './app.ts';
import { drillable } from './drilling.ts';
import { queueJob } from './jobs.ts';
import { minuteOf } from './nights.ts';

/** Seconds from the beginning of the night to an organization's drill: always the same, so that they don't all begin at once. */
export const secondOf = (organizationId: string): number => minuteOf(organizationId) * 60;

/**
 * Orders the organization's drill for `delaySeconds` from now, unless it has no snapshot or one is ordered already.
 * @returns the id that the result will have, or null
 */
export async function orderDrill(app: App, actor: Actor, organizationId: string, delaySeconds: number): Promise<string | null> {
  return app.database.transact(organizationId, async (tx) => {
    // One at a time, so that of two that order at once the second sees the first's.
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`drills/${organizationId}`}, 0))`);
    const due = await tx.row(sql`
      select 1 where exists (select 1 from snapshot s where s.organization_id = ${organizationId} and ${drillable})
        and not exists (select 1 from job j where j.organization_id = ${organizationId} and j.kind = 'RESTORE_DRILL' and j.state in ('QUEUED', 'RUNNING'))`);
    if (!due) return null;
    const drillId = newId();
    await queueJob(tx, { kind: 'RESTORE_DRILL', subjectId: drillId, total: 0, actor, delaySeconds });
    return drillId;
  });
}

export interface RestoreDrillRow {
  id: string;
  snapshotId: string;
  outcome: DrillOutcome;
  failure: string | null;
  contactCount: number;
  rowCount: number;
  byteCount: number;
  openingSeconds: number;
  writingSeconds: number;
  provingSeconds: number;
  startedAt: Date;
  finishedAt: Date;
}

const columns = sql`
  r.id, r.snapshot_id as "snapshotId", r.outcome, r.failure, r.contact_count as "contactCount", r.row_count as "rowCount",
  r.byte_count as "byteCount", r.opening_seconds as "openingSeconds", r.writing_seconds as "writingSeconds",
  r.proving_seconds as "provingSeconds", r.started_at as "startedAt", r.finished_at as "finishedAt"`;

export async function readDrills(tx: Transaction, ids: readonly string[]): Promise<RestoreDrillRow[]> {
  return tx.rows<RestoreDrillRow>(sql`select ${columns} from restore_drill r where r.organization_id = ${tx.organizationId} and r.id = any(${ids}::uuid[])`);
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listDrills(tx: Transaction, limit: number, before: string | null): Promise<RestoreDrillRow[]> {
  return tx.rows<RestoreDrillRow>(sql`
    select ${columns} from restore_drill r where r.organization_id = ${tx.organizationId} ${before ? sql`and r.id < ${before}` : raw('')}
    order by r.id desc limit ${limit}`);
}
