// Runs jobs in this process. A worker that is killed leaves its job locked; the others notice within seconds and take it.
import { EventEmitter } from 'node:events';
import { makeWorkerUtils, parseCrontab, run, type TaskList, type WorkerEvents } from 'graphile-worker';
import type { App } from '../domain/app.ts';
import { sendMailTask } from '../domain/mails.ts';
import { clearRateLimits } from '../domain/rate-limits.ts';
import { sendWebhookTask } from '../domain/webhook-deliveries.ts';
import { quietWorkerLogger } from '../migrate.ts';
import { removeBodiesTask } from '../snapshots/stores/bodies.ts';
import { deleteContactsJob } from './delete-contacts.ts';
import { eraseContactsJob } from './erase-contacts.ts';
import { exportContactsJob } from './export-contacts.ts';
import { applyImportJob, checkImportJob, undoImportJob } from './imports.ts';
import { patient, taskOf } from './kit.ts';
import { keepCheckpoints } from './keep-checkpoints.ts';
import { keepSnapshots } from './keep-snapshots.ts';
import { meetDeadlinesTask } from './meet-deadlines.ts';
import { pruneActionLog } from './prune-action-log.ts';
import { recoverContactsJob } from './recover-contacts.ts';
import { removeBodiesOf } from './remove-bodies.ts';
import { orderDrills, restoreDrillJob } from './restore-drill.ts';
import { sealAll } from './seal-action-log.ts';
import { sendQueuedMail } from './send-mail.ts';
import { sendWebhook } from './send-webhook.ts';
import { sweepBodiesOfAll } from './sweep-bodies.ts';
import { sweepSessions } from './sweep-sessions.ts';
import { takeSnapshotJob } from './take-snapshot.ts';
import { undoRecoveryJob } from './undo-recovery.ts';

const jobs = [
  deleteContactsJob,
  recoverContactsJob,
  undoRecoveryJob,
  eraseContactsJob,
  restoreDrillJob,
  takeSnapshotJob,
  checkImportJob,
  applyImportJob,
  undoImportJob,
  exportContactsJob,
];

/** Heartbeats that must be missed before a worker is taken for dead. */
const missedBeats = 4;

/** The runner's tasks, by name. `signal` stops running ones at their next step. */
export const taskList = (app: App, signal: AbortSignal): TaskList => ({
  ...Object.fromEntries(jobs.map((job) => [job.kind, patient(app, signal, taskOf(app, job, signal))])),
  meet_deadlines: patient(app, signal, meetDeadlinesTask(app)),
  keep_checkpoints: patient(app, signal, keepCheckpoints(app)),
  keep_snapshots: patient(app, signal, keepSnapshots(app)),
  prune_action_log: patient(app, signal, pruneActionLog(app)),
  order_drills: patient(app, signal, orderDrills(app)),
  [removeBodiesTask]: patient(app, signal, removeBodiesOf(app)),
  [sendMailTask]: patient(app, signal, sendQueuedMail(app)),
  [sendWebhookTask]: patient(app, signal, sendWebhook(app)),
  clear_rate_limits: patient(app, signal, () => clearRateLimits(app)),
  sweep_bodies: patient(app, signal, sweepBodiesOfAll(app)),
  sweep_sessions: patient(app, signal, sweepSessions(app)),
});

/** What runs by the clock, in UTC. A night whose beginning no worker saw is made up for within half a day. */
const crontab = ({ config }: App) => `
  * * * * * meet_deadlines
  * * * * * keep_snapshots
  * * * * * keep_checkpoints
  */5 * * * * clear_rate_limits
  17 * * * * sweep_bodies
  37 * * * * sweep_sessions
  47 * * * * prune_action_log
  0 ${config.DRILL_HOUR} * * * order_drills ?fill=12h`;

export interface Worker {
  /** Resolves when the worker has ended by itself, which it does only when it is broken. */
  ended: Promise<void>;
  /** Lets running jobs reach their next step, gives the unfinished ones back to the queue, and ends. */
  stop(): Promise<void>;
}

/** Starts to work on queued jobs, `concurrency` at a time. */
export async function startWorker(app: App, concurrency = 4): Promise<Worker> {
  const { pool } = app.database;
  const silenceSeconds = app.config.WORKER_SILENCE_SECONDS;
  const stopping = new AbortController();
  const ids = new Set<string>();
  const events: WorkerEvents = new EventEmitter();
  // The runner locks jobs under the pool's id in some versions and under the worker's in others.
  events.on('pool:create', ({ workerPool }) => ids.add(workerPool.id));
  events.on('worker:create', ({ worker }) => ids.add(worker.workerId));
  const utils = await makeWorkerUtils({ pgPool: pool, logger: quietWorkerLogger });
  const runner = await run({
    pgPool: pool,
    concurrency,
    events,
    noHandleSignals: true,
    pollInterval: 1000,
    logger: quietWorkerLogger,
    taskList: taskList(app, stopping.signal),
    parsedCronItems: parseCrontab(crontab(app)),
  });

  const beat = async (): Promise<void> => {
    await pool.query(
      `insert into worker_heartbeat (worker_id, seen_at) select id, clock_timestamp() from unnest($1::text[]) id
       on conflict (worker_id) do update set seen_at = excluded.seen_at`,
      [[...ids]],
    );
    const { rows } = await pool.query<{ id: string }>(
      `select distinct j.locked_by as id from graphile_worker._private_jobs j
       where j.locked_at < clock_timestamp() - make_interval(secs => $1) and not exists (
         select 1 from worker_heartbeat h where h.worker_id = j.locked_by and h.seen_at > clock_timestamp() - make_interval(secs => $1))`,
      [silenceSeconds],
    );
    if (rows.length > 0) await utils.forceUnlockWorkers(rows.map((row) => row.id));
    await pool.query('delete from worker_heartbeat where seen_at < clock_timestamp() - make_interval(hours => 1)');
  };
  const tryBeat = () => beat().catch((error: Error) => console.error(JSON.stringify({ at: 'heartbeat', message: error.message })));
  await tryBeat();
  const timer = setInterval(tryBeat, (silenceSeconds * 1000) / missedBeats);

  const sealing = sealAll(app, stopping.signal);

  return {
    ended: runner.promise,
    async stop() {
      clearInterval(timer);
      stopping.abort(new Error('The worker is being stopped.'));
      await sealing;
      await runner.stop();
      await utils.release();
      await pool.query('delete from worker_heartbeat where worker_id = any($1)', [[...ids]]);
    },
  };
}
