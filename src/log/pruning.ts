// Prunes the action log: whole seals with their entries, from its beginning, once all of the entries are older than they are
// kept. A signed statement stands for what went, so what is left still verifies from there on.
import { createPublicKey } from 'node:crypto';
import type { Transaction } from '../database.ts';
import { logAction } from '../domain/action-log.ts';
import type { Actor, App } from '../domain/app.ts';
import { sql } from '../sql.ts';
import { Chain } from './chain.ts';
import { newestCheckpoint } from './checkpoints.ts';
import type { FullEntry } from './entry.ts';
import { pruningLock, readPruned, readSealed } from './reading.ts';
import { type Head, makePruning } from './seal.ts';

/** About how many entries go in one transaction at most. */
const mostAtOnce = 50_000;

/** Nothing is pruned, because what is left could not be proven then, or what would go is not what was sealed. */
export class NotPruned extends Error {
  constructor(organizationId: string, why: string) {
    super(`The action log of organization ${organizationId} is not pruned: ${why} Nothing was removed.`);
  }
}

/**
 * Prunes the log of an organization, part by part, each with its statement and its log entry in one transaction.
 * @returns how many entries went
 * @throws NotPruned; StoreUnavailable when the checkpoints can't be read
 */
export async function pruneLog(app: App, actor: Actor, organizationId: string): Promise<number> {
  let pruned = 0;
  for (let more = app.config.LOG_RETENTION_DAYS > 0; more;) {
    const count = await app.database.transact(organizationId, (tx) => pruneNext(tx, app, actor));
    pruned += count;
    more = count > 0;
  }
  return pruned;
}

async function pruneNext(tx: Transaction, app: App, actor: Actor): Promise<number> {
  const { organizationId } = tx;
  // Whoever walks the log is let finish; it is tried again within the hour.
  if (!(await tx.row<{ mine: boolean }>(sql`select pg_try_advisory_xact_lock(${pruningLock(tx)}) as mine`))!.mine) return 0;
  const { now, oldest, newestSeal } = await readLimits(tx, app);
  const chain = new Chain(organizationId, createPublicKey(app.keys.log), [], await readPruned(tx));
  const already = chain.pruned?.total ?? 0;
  let [checkpoint, until]: [Head | undefined, string] = [undefined, chain.pruned?.until ?? ''];
  let last: (Head & { total: number }) | undefined;
  // Of all that the walk has seen.
  let newest = '';
  const look = (page: FullEntry[]) => page.forEach(({ occurredAt }) => (newest = occurredAt > newest ? occurredAt : newest));
  for await (const batch of readSealed(tx, look)) {
    if (newest >= oldest) break;
    checkpoint ??= await readCheckpoint(tx, app);
    // What was bent must not go with what shows it.
    if (!chain.take(batch)) throw new NotPruned(organizationId, chain.fault!.message);
    const head = chain.head!;
    if (head.number > checkpoint.number || head.number >= newestSeal) break;
    last = head;
    until = newest > until ? newest : until;
    if (head.total - already >= mostAtOnce) break;
  }
  if (!last || !checkpoint) {
    if (chain.fault) throw new NotPruned(organizationId, chain.fault.message);
    return 0;
  }
  await checkWay(tx, last, checkpoint);
  const { text, signature } = makePruning(app.keys, { organizationId, number: last.number, hash: last.hash, total: last.total, until, prunedAt: now });
  await tx.run(sql`select prune_action_log(${text}, ${signature})`);
  const count = last.total - already;
  await logAction(tx, actor, {
    action: 'log.pruned',
    targetCount: count,
    reason: `Entries ${already + 1} to ${last.total}, the newest of ${until}, are older than ${app.config.LOG_RETENTION_DAYS} days.`,
  });
  return count;
}

/**
 * How old an entry must be at least: older than it is kept, and than whatever is still open, a deletion that can be recovered
 * above all, so that what it tells of such things is there as long as they are. And the newest seal, which stays.
 */
async function readLimits(tx: Transaction, app: App): Promise<{ now: string; oldest: string; newestSeal: number }> {
  const { organizationId } = tx;
  const row = (await tx.row<{ now: Date; oldest: Date; newestSeal: number }>(sql`
    select date_trunc('milliseconds', clock_timestamp()) as now, (select coalesce(max(number), 0) from action_seal where organization_id = ${organizationId}) as "newestSeal",
      date_trunc('milliseconds', least(now() - make_interval(days => ${app.config.LOG_RETENTION_DAYS}),
        (select min(requested_at) from deletion where organization_id = ${organizationId} and state <> 'ERASED'),
        (select min(requested_at) from erasure where organization_id = ${organizationId} and state <> 'COMPLETED'),
        (select min(requested_at) from recovery_request where organization_id = ${organizationId} and state in ('AWAITING_PAYMENT', 'AWAITING_APPROVAL', 'QUEUED', 'RUNNING')),
        (select min(issued_at) from invoice where organization_id = ${organizationId} and state = 'OPEN'))) as oldest`))!;
  return { now: row.now.toISOString(), oldest: row.oldest.toISOString(), newestSeal: row.newestSeal };
}

/** The newest checkpoint, read back from outside of the database and verified. @throws NotPruned when there is none, or it isn't good */
async function readCheckpoint(tx: Transaction, app: App): Promise<Head> {
  const checkpoint = await newestCheckpoint(tx, app).catch((error: Error) => {
    throw new NotPruned(tx.organizationId, error.message);
  });
  if (!checkpoint) throw new NotPruned(tx.organizationId, 'there is no checkpoint of it outside of the database.');
  return checkpoint;
}

/** Each seal names the one before it, so the hash of the checkpoint vouches for all that lead to it. @throws NotPruned */
async function checkWay(tx: Transaction, from: Head, checkpoint: Head): Promise<void> {
  const way = (await tx.row<{ count: number; linked: boolean; hash: string | null }>(sql`
    select count(*)::int as count, coalesce(bool_and(before is null or previous = before), true) as linked, max(hash) filter (where number = ${checkpoint.number}) as hash
    from (select number, hash, previous, lag(hash) over (order by number) as before
      from (select number, encode(sha256(convert_to(seal, 'UTF8')), 'hex') as hash, seal::jsonb->>'previous' as previous from action_seal
        where organization_id = ${tx.organizationId} and number between ${from.number} and ${checkpoint.number}) s) w`))!;
  if (way.count !== checkpoint.number - from.number + 1 || !way.linked || way.hash !== checkpoint.hash)
    throw new NotPruned(tx.organizationId, `its seals ${from.number} to ${checkpoint.number} do not lead to the checkpoint outside of the database.`);
}
