// What every job shares: its input is parsed, its progress is saved and then published, its failures are tried again.
import { setTimeout as wait } from 'node:timers/promises';
import type { Task } from 'graphile-worker';
import { z } from 'zod';
import type { Actor, App } from '../domain/app.ts';
import { type JobKind, oneAtATime, type Progress, type Report, saveProgress, startJob } from '../domain/jobs.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import { Refusal } from '../errors.ts';
import { publish, type Topic } from '../pubsub.ts';

const payload = z.object({
  organizationId: z.uuid(),
  jobId: z.uuid(),
  /** What the job is for: the deletion, the recovery request, the restore drill, the erasure, the snapshot, the import or the export. */
  subjectId: z.uuid(),
  actor: z.object({
    id: z.uuid().nullable(),
    name: z.string(),
    kind: z.enum(['STAFF', 'OPERATOR', 'SYSTEM', 'API_KEY']),
    requestId: z.string(),
    address: z.string().nullable(),
    agent: z.string().nullable(),
  }),
});

export type JobInput = z.output<typeof payload>;

export interface JobDefinition {
  kind: JobKind;
  /** Where watchers of what the job is for hear of its progress, beside those of the job itself. */
  topic?: Topic;
  /** Does the work. It may be interrupted anywhere and is then run again from the start: each step must be safe to repeat. */
  run(app: App, input: JobInput & { actor: Actor }, report: Report, signal: AbortSignal): Promise<void>;
  /** Ends what the job is for, after it could not be done. */
  fail(app: App, input: JobInput & { actor: Actor }, failure: { code: string; message: string }): Promise<void>;
}

/** Watchers see at most this many changes a second. */
const changesPerSecond = 10;
/** Of which none is spent on waiting for a database that is away. */
const tries = 7;

/** The runner's task for a job. `signal` is the process's own: when it fires, the job stops at its next step and stays queued. */
export function taskOf(app: App, job: JobDefinition, signal: AbortSignal): Task {
  return async (raw, helpers) => {
    const input = payload.parse(raw);
    for (let attempt = 1; ; attempt++) {
      try {
        const mayRun = await app.database.transact(input.organizationId, (tx) => startJob(tx, input.jobId));
        return mayRun ? await job.run(app, input, reporter(app, job, input), signal) : undefined;
      } catch (error) {
        if (signal.aborted) {
          // Queued anew, because the runner's own retry would make it wait the longer the more often this happens.
          const queueName = oneAtATime[job.kind];
          await helpers.addJob(job.kind, input, { maxAttempts: 10_000, ...(queueName ? { queueName } : {}) });
          return;
        }
        console.error(
          JSON.stringify({
            at: 'job',
            kind: job.kind,
            jobId: input.jobId,
            attempt,
            message: (error as Error).message,
            stack: (error as Error).stack,
          }),
        );
        await databaseToAnswer(app, signal);
        if (attempt < tries) await wait(250 * 2 ** attempt, undefined, { signal }).catch(() => undefined);
        else return job.fail(app, input, failureOf(error, input));
      }
    }
  };
}

/** What watchers are told: a refusal in its own words, anything else by the job that the log has it under. */
function failureOf(error: unknown, { jobId }: JobInput): { code: string; message: string } {
  if (error instanceof Refusal) return { code: error.code, message: error.message };
  return { code: 'JOB_FAILED', message: `The work failed ${tries} times and was given up; job ${jobId} tells the operator why.` };
}

async function databaseToAnswer(app: App, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const answers = await app.database.pool.query('select 1').then(
      () => true,
      () => false,
    );
    if (answers) return;
    await wait(1000, undefined, { signal }).catch(() => undefined);
  }
}

/** The task, ending only when the database answers: an end that the runner can't write down takes the whole process with it. */
export const patient =
  (app: App, signal: AbortSignal, task: Task): Task =>
  async (...given) => {
    try {
      await task(...given);
    } finally {
      await databaseToAnswer(app, signal);
    }
  };

/** Does something in every organization. What fails in one keeps it from no other, and is told at the end. */
export async function inEachOrganization(app: App, failed: string, work: (organizationId: string) => Promise<unknown>): Promise<void> {
  const failures: Error[] = [];
  for (const organizationId of await listOrganizationIds(app)) await work(organizationId).catch((error: Error) => failures.push(error));
  if (failures.length > 0) throw new Error(`${failed} in ${failures.length} organizations: ${failures.map(({ message }) => message).join(' | ')}`);
}

/** Saves and publishes progress, at most ten times a second, each phase's first and last always. */
function reporter(app: App, job: JobDefinition, input: JobInput): Report {
  let saved: Progress | undefined;
  let savedAt = 0;
  let saving: Promise<void> = Promise.resolve();
  const save = async (progress: Progress): Promise<void> => {
    saved = progress;
    savedAt = performance.now();
    await app.database.transact(input.organizationId, async (tx) => {
      await saveProgress(tx, input.jobId, progress);
      if (job.topic) await publish(tx, job.topic, input.subjectId);
    });
  };
  return (progress) => {
    const edge = progress.phase !== saved?.phase || progress.done === progress.total;
    if (!edge && performance.now() - savedAt < 1000 / changesPerSecond) return Promise.resolve();
    saving = saving.then(() => save(progress));
    return saving;
  };
}
