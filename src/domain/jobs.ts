// The rows of background jobs. Queueing one commits with what it is for; the row is what watchers read.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { type jobKinds, type JobPhase, jobPhases, type jobStates } from '../entities/job.ts';
import { publish } from '../pubsub.ts';
import { raw, type Sql, sql } from '../sql.ts';
import type { Actor } from './app.ts';

export type JobKind = (typeof jobKinds)[number];
export type JobState = (typeof jobStates)[number];

/** How far a job is: what the functions that do the work tell. */
export interface Progress {
  phase: JobPhase;
  done: number;
  total: number;
}

/** Takes news of progress; may be called often. */
export type Report = (progress: Progress) => Promise<void>;

export interface JobRow extends Record<string, unknown> {
  id: string;
  kind: JobKind;
  state: JobState;
  subjectId: string;
  phase: JobPhase | null;
  done: number;
  total: number;
  failureCode: string | null;
  failureMessage: string | null;
  createdAt: Date;
  startedAt: Date | null;
  updatedAt: Date;
  finishedAt: Date | null;
  /** Seconds since it started, until it finished or until now. */
  elapsedSeconds: number;
  /** Contacts a second in the current phase, so far; null until something is done, and when it is not running. */
  ratePerSecond: number | null;
  /** Until the current phase is done, at that rate. */
  secondsLeft: number | null;
}

/** How long after its end a job is still shown among those that are running. */
const recentMinutes = 10;
/** How many jobs are shown there at most. */
const mostRecent = 50;

const columns = sql`
  j.id, j.kind, j.state, j.subject_id as "subjectId", j.phase, j.done, j.total, j.failure_code as "failureCode",
  j.failure_message as "failureMessage", j.created_at as "createdAt", j.started_at as "startedAt", j.updated_at as "updatedAt",
  j.finished_at as "finishedAt",
  coalesce(extract(epoch from coalesce(j.finished_at, clock_timestamp()) - j.started_at), 0)::float8 as "elapsedSeconds",
  speed.rate as "ratePerSecond", (j.total - j.done) / speed.rate as "secondsLeft"`;

const rows = sql`
  job j left join lateral (
    select (j.done - j.phase_done_before) / extract(epoch from clock_timestamp() - j.phase_started_at)::float8 as rate
    where j.state = 'RUNNING' and j.done > j.phase_done_before and clock_timestamp() > j.phase_started_at
  ) speed on true`;

export async function readJobs(tx: Transaction, ids: readonly string[]): Promise<JobRow[]> {
  return tx.rows<JobRow>(sql`select ${columns} from ${rows} where j.organization_id = ${tx.organizationId} and j.id = any(${ids}::uuid[])`);
}

/** The newest first; in one state where it is given; `before` is the id that the last page ended with. */
export async function listJobs(tx: Transaction, limit: number, before: string | null, state: JobState | null): Promise<JobRow[]> {
  return tx.rows<JobRow>(sql`
    select ${columns} from ${rows}
    where j.organization_id = ${tx.organizationId} ${before ? sql`and j.id < ${before}` : raw('')} ${state ? sql`and j.state = ${state}` : raw('')}
    order by j.id desc limit ${limit}`);
}

/** The jobs that have not ended, and those that ended in the last ten minutes: the newest 50 of them, the newest first. */
export async function listRecentJobs(tx: Transaction): Promise<JobRow[]> {
  return tx.rows<JobRow>(sql`
    select ${columns} from ${rows}
    where j.organization_id = ${tx.organizationId}
      and (j.finished_at is null or j.finished_at > clock_timestamp() - make_interval(mins => ${recentMinutes}))
    order by j.id desc limit ${mostRecent}`);
}

/** Tells those who watch the job, and those who watch all jobs of its organization. */
async function announce(tx: Transaction, jobId: string): Promise<void> {
  await publish(tx, 'job', jobId);
  await publish(tx, 'jobs', tx.organizationId);
}

/**
 * Kinds of which one job runs at a time, over all workers: a snapshot and an export may read everything, and many are ordered
 * at once, while deletions and recoveries must find free workers.
 */
export const oneAtATime: { readonly [kind in JobKind]?: string } = { TAKE_SNAPSHOT: 'snapshots', EXPORT_CONTACTS: 'exports' };

/** Adds a job that a worker picks up as soon as `tx` commits, or later. Its payload names the job and who ordered it. */
export async function queueJob(
  tx: Transaction,
  job: { kind: JobKind; subjectId: string; total: number; actor: Actor; delaySeconds?: number },
): Promise<string> {
  const id = newId();
  const { kind, subjectId, total, actor, delaySeconds = 0 } = job;
  await tx.run(sql`
    insert into job (organization_id, id, kind, state, subject_id, total) values (${tx.organizationId}, ${id}, ${kind}, 'QUEUED', ${subjectId}, ${total})`);
  const { id: actorId, name, kind: actorKind, requestId, address, agent } = actor;
  const payload = {
    organizationId: tx.organizationId,
    jobId: id,
    subjectId,
    actor: { id: actorId, name, kind: actorKind, requestId, address, agent },
  };
  // A killed worker counts as an attempt, so the runner's own limit must never be reached: failures are counted by the kit.
  await tx.run(sql`select graphile_worker.add_job(${kind}, ${JSON.stringify(payload)}::json, queue_name := ${oneAtATime[kind] ?? null},
    run_at := now() + make_interval(secs => ${delaySeconds}), max_attempts := 10000)`);
  await announce(tx, id);
  return id;
}

/** Marks a job as running, if it may run at all. @returns whether it may */
export async function startJob(tx: Transaction, jobId: string): Promise<boolean> {
  const { rowCount } = await tx.run(sql`
    update job set state = 'RUNNING', started_at = coalesce(started_at, clock_timestamp()), updated_at = clock_timestamp()
    where organization_id = ${tx.organizationId} and id = ${jobId} and state in ('QUEUED', 'RUNNING')`);
  await announce(tx, jobId);
  return rowCount === 1;
}

/** Ends a job that has not ended. Part of the transaction that ends what it is for. */
export async function endJob(
  tx: Transaction,
  jobId: string,
  state: 'COMPLETED' | 'FAILED' | 'CANCELLED',
  failure?: { code: string; message: string },
): Promise<void> {
  await tx.run(sql`
    update job set state = ${state}, failure_code = ${failure?.code ?? null}, failure_message = ${failure?.message ?? null},
      done = case when ${state} = 'COMPLETED' then total else done end, updated_at = clock_timestamp(), finished_at = clock_timestamp()
    where organization_id = ${tx.organizationId} and id = ${jobId} and state in ('QUEUED', 'RUNNING')`);
  await announce(tx, jobId);
}

/**
 * Saves how far a running job is and tells its watchers. The row only goes forward: a worker that takes a job over begins
 * with its first phase again, and watchers see nothing of it until it gets past where the other one was.
 */
export async function saveProgress(tx: Transaction, jobId: string, { phase, done, total }: Progress): Promise<void> {
  const rank = (which: Sql) => sql`array_position(${jobPhases}::text[], ${which})`;
  const { rowCount } = await tx.run(sql`
    update job set phase = ${phase}, done = ${done}, total = ${total}, updated_at = clock_timestamp(),
      phase_started_at = case when phase = ${phase} then phase_started_at else clock_timestamp() end,
      phase_done_before = case when phase = ${phase} then phase_done_before else ${done} end
    where organization_id = ${tx.organizationId} and id = ${jobId} and state = 'RUNNING'
      and (phase is null or ${rank(sql`${phase}`)} > ${rank(raw('phase'))} or (phase = ${phase} and done <= ${done}))`);
  if (rowCount === 1) await announce(tx, jobId);
}
