// Carrying a restore drill out: a sample of the newest snapshot comes back beside the live tables and is held against its
// digests. Safe to run again after a crash: until its result is saved, a drill leaves nothing.
import type { Transaction } from '../database.ts';
import type { DrillOutcome } from '../entities/drill.ts';
import { Refusal } from '../errors.ts';
import { DamagedChunk } from '../snapshots/chunk.ts';
import { unwrapSnapshotKey } from '../snapshots/cipher.ts';
import { drillChunk, DrillFailure, type DrillFigures } from '../snapshots/drill.ts';
import { chunksIn } from '../snapshots/parts.ts';
import { readChunk } from '../snapshots/restore.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';
import { endJob, type Report } from './jobs.ts';

/** A drill that has been ordered: the row that its result becomes, and its job. */
export interface OrderedDrill {
  organizationId: string;
  drillId: string;
  jobId: string;
}

interface Subject {
  snapshotId: string;
  masterKeyId: string;
  wrappedKey: Buffer;
  startedAt: Date;
  /** Random ones, as many as it takes for the sample; `take` of the contacts of each. */
  chunks: { snapshotId: string; number: number; take: number }[];
}

type Result = DrillFigures & { openingSeconds: number; failure: string | null };

/** Whose snapshots can be drilled: they have a key, have not run out, and hold something. Alias s. */
export const drillable = sql`
  s.wrapped_key is not null and (s.expires_at is null or s.expires_at > clock_timestamp())
  and not exists (select 1 from deletion d where d.organization_id = s.organization_id and d.snapshot_id = s.id and d.recoverable_until <= clock_timestamp())
  and (s.kind in ('DELETION', 'SAFETY') and exists (select 1 from snapshot_chunk k where k.organization_id = s.organization_id and k.snapshot_id = s.id)
    or exists (select 1 from snapshot_part p where p.organization_id = s.organization_id and p.snapshot_id = s.id))`;

/** Does an ordered drill on the organization's newest snapshot and saves how it went. Without a snapshot it ends without a result. */
export async function drillRestore(app: App, actor: Actor, drill: OrderedDrill, report: Report, signal: AbortSignal): Promise<void> {
  for (;;) {
    const subject = await app.database.transact(drill.organizationId, (tx) => pickSubject(tx, app.config.DRILL_CONTACTS), { readOnly: true });
    if (!subject) return app.database.transact(drill.organizationId, (tx) => endJob(tx, drill.jobId, 'COMPLETED'));
    const result = await drillSubject(app, drill.organizationId, subject, report, signal);
    // What can't be opened because it was erased meanwhile has not failed; the next newest is drilled instead.
    if (await saveResult(app, actor, drill, subject, result, 'COMPLETED')) return;
  }
}

/** Ends a drill that could not be carried out. */
export async function giveUpDrill(app: App, actor: Actor, drill: OrderedDrill, failure: { code: string; message: string }): Promise<void> {
  const { organizationId, jobId } = drill;
  const subject = await app.database.transact(organizationId, (tx) => pickSubject(tx, 0), { readOnly: true });
  const saved = subject && (await saveResult(app, actor, drill, subject, { ...nothing(), failure: failure.message }, 'FAILED', failure));
  if (!saved) await app.database.transact(organizationId, (tx) => endJob(tx, jobId, 'FAILED', failure));
}

async function pickSubject(tx: Transaction, sample: number): Promise<Subject | undefined> {
  const snapshot = await tx.row<Omit<Subject, 'chunks'>>(sql`
    select s.id as "snapshotId", s.master_key_id as "masterKeyId", s.wrapped_key as "wrappedKey", clock_timestamp() as "startedAt"
    from snapshot s where s.organization_id = ${tx.organizationId} and ${drillable} order by s.created_at desc, s.id desc limit 1`);
  if (!snapshot) return undefined;
  const chunks = await tx.rows<Subject['chunks'][number]>(sql`
    select "snapshotId", number, least(contacts, ${sample} - before)::int as take from (
      select "snapshotId", number, contacts, sum(contacts) over (order by place) - contacts as before
      from (select c."snapshotId", c.number, c.contacts, row_number() over (order by random()) as place from (${chunksIn(tx, snapshot.snapshotId)}) c) shuffled
    ) summed where before < ${sample}`);
  return { ...snapshot, chunks };
}

const nothing = () => ({ contactCount: 0, rowCount: 0, byteCount: 0, openingSeconds: 0, writingSeconds: 0, provingSeconds: 0 });

/** Throws only what a further try may mend; what says that the snapshot can't be brought back is the result. */
async function drillSubject(app: App, organizationId: string, subject: Subject, report: Report, signal: AbortSignal): Promise<Result> {
  const sum: Result = { ...nothing(), failure: null };
  const total = subject.chunks.reduce((contacts, { take }) => contacts + take, 0);
  try {
    checkKey(app, organizationId, subject);
    for (const { snapshotId, number, take } of subject.chunks) {
      signal.throwIfAborted();
      await report({ phase: 'PROVING', done: sum.contactCount, total });
      await app.database.transact(organizationId, async (tx) => {
        const name = { organizationId, snapshotId, number };
        const began = performance.now();
        const chunk = await readChunk(tx, app, name);
        sum.openingSeconds += (performance.now() - began) / 1000;
        const figures = await drillChunk(tx, app, name, chunk, take);
        for (const figure of Object.keys(figures) as (keyof DrillFigures)[]) sum[figure] += figures[figure];
      });
    }
    await report({ phase: 'PROVING', done: total, total });
    return sum;
  } catch (error) {
    if (error instanceof DamagedChunk || error instanceof DrillFailure || error instanceof Refusal) return { ...sum, failure: error.message };
    if (await isErased(app, organizationId, subject)) return { ...sum, failure: 'It was erased meanwhile.' };
    throw error;
  }
}

/** @throws DrillFailure when the key of the snapshot does not open with this process's master key */
function checkKey({ keys }: App, organizationId: string, { snapshotId, masterKeyId, wrappedKey }: Subject): void {
  try {
    unwrapSnapshotKey(keys.snapshots, organizationId, snapshotId, wrappedKey);
  } catch {
    throw new DrillFailure(
      masterKeyId === keys.id
        ? `The key of snapshot ${snapshotId} is damaged: it does not open with the master key that it was sealed under.`
        : `Snapshot ${snapshotId} was sealed under master key ${masterKeyId}; this process has ${keys.id}.`,
    );
  }
}

const isErased = (app: App, organizationId: string, { snapshotId }: Subject): Promise<boolean> =>
  app.database.transact(
    organizationId,
    async (tx) => !(await tx.row(sql`select 1 from snapshot s where s.organization_id = ${organizationId} and s.id = ${snapshotId} and ${drillable}`)),
    { readOnly: true },
  );

/**
 * Saves the result with its log entry and the end of the job, in one transaction.
 * @returns false, with nothing saved, for the failure on a snapshot that can't be drilled any more
 */
async function saveResult(
  app: App,
  actor: Actor,
  { organizationId, drillId, jobId }: OrderedDrill,
  { snapshotId, startedAt }: Subject,
  { failure, ...figures }: Result,
  state: 'COMPLETED' | 'FAILED',
  jobFailure?: { code: string; message: string },
): Promise<boolean> {
  const outcome: DrillOutcome = failure === null ? 'PASSED' : 'FAILED';
  return app.database.transact(organizationId, async (tx) => {
    const still =
      outcome === 'PASSED'
        ? raw('true')
        : sql`exists (select 1 from snapshot s where s.organization_id = ${organizationId} and s.id = ${snapshotId} and ${drillable})`;
    const saved = await tx.run(sql`
      insert into restore_drill (organization_id, id, snapshot_id, outcome, failure, contact_count, row_count, byte_count,
        opening_seconds, writing_seconds, proving_seconds, started_at)
      select ${organizationId}, ${drillId}, ${snapshotId}, ${outcome}, ${failure}, ${figures.contactCount}::int, ${figures.rowCount}::int, ${figures.byteCount}::bigint,
        ${figures.openingSeconds}::float8, ${figures.writingSeconds}::float8, ${figures.provingSeconds}::float8, ${startedAt}::timestamptz
      where ${still} on conflict do nothing`);
    if (saved.rowCount === 0 && outcome === 'FAILED') return false;
    if (saved.rowCount === 1)
      await logAction(tx, actor, {
        action: outcome === 'PASSED' ? 'drill.passed' : 'drill.failed',
        target: { kind: 'RestoreDrill', id: drillId },
        targetCount: figures.contactCount,
        ...(failure === null ? {} : { reason: failure }),
      });
    await endJob(tx, jobId, state, jobFailure);
    return true;
  });
}
