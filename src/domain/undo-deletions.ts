// The deletion that an undo removes contacts through, so that they too can come back for as long as any deletion.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { startSnapshot } from '../snapshots/capture.ts';
import { sql } from '../sql.ts';
import type { Actor, App } from './app.ts';
import { completeDeletion } from './deleting.ts';

export interface UndoDeletion {
  id: string;
  snapshotId: string;
}

/** Begins the deletion that the job of an undo fills. @returns its id */
export async function startUndoDeletion(tx: Transaction, app: App, actor: Actor & { id: string }, reason: string, jobId: string): Promise<string> {
  const [id, snapshotId] = [newId(), newId()];
  await startSnapshot(tx, app, snapshotId, 'DELETION');
  await tx.run(sql`
    insert into deletion (organization_id, id, state, reason, requested_by_id, requested_by_name, confirmation_id, snapshot_id, job_id, contact_count)
    values (${tx.organizationId}, ${id}, 'RUNNING', ${reason}, ${actor.id}, ${actor.name}, ${jobId}, ${snapshotId}, ${jobId}, 0)`);
  return id;
}

export const readUndoDeletion = (tx: Transaction, id: string | null): Promise<UndoDeletion | undefined> =>
  tx.row<UndoDeletion>(sql`select id, snapshot_id as "snapshotId" from deletion where organization_id = ${tx.organizationId} and id = ${id}`);

/** Completes the deletion of an undo; one that removed nothing was none, and goes. @returns whether it is there */
export async function closeUndoDeletion(tx: Transaction, app: App, { id, snapshotId }: UndoDeletion): Promise<boolean> {
  const used = await tx.row(sql`select 1 from snapshot_chunk where organization_id = ${tx.organizationId} and snapshot_id = ${snapshotId} limit 1`);
  if (used) {
    await completeDeletion(tx, app, id);
    return true;
  }
  await tx.run(sql`delete from deletion where organization_id = ${tx.organizationId} and id = ${id}`);
  await tx.run(sql`delete from snapshot where organization_id = ${tx.organizationId} and id = ${snapshotId}`);
  return false;
}
