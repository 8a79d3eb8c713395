// Removes what signing in has left behind and nobody can use any more.
import type { Task } from 'graphile-worker';
import type { App } from '../domain/app.ts';

export const sweepSessions =
  ({ database }: App): Task =>
  async () => {
    await database.pool.query('delete from session where expires_at < clock_timestamp()');
    await database.pool.query('delete from verification where expires_at < clock_timestamp()');
  };
