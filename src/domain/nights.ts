// When an organization's nightly work is due: each has a minute of its own, so that they don't all begin at once.
import { createHash } from 'node:crypto';
import type { Plan } from '../entities/organization.ts';
import type { App } from './app.ts';

/** Over how many minutes of the night the organizations are spread. */
const spread = 240;

/** The plans that nightly snapshots are part of. */
const withNights: readonly Plan[] = ['STANDARD', 'PREMIUM'];

/** Minutes from the beginning of the night: always the same for an organization. */
export const minuteOf = (organizationId: string): number => createHash('sha256').update(organizationId).digest().readUInt32BE(0) % spread;

/**
 * The night whose snapshot is due, by the date (UTC) that it begins on: the last one that began at `hour` and has reached
 * the organization's minute. One that was missed stays due until the next begins.
 */
export function nightDue(organizationId: string, now: Date, hour: number): string {
  const begins = new Date(now.getTime() - minuteOf(organizationId) * 60_000 - hour * 3_600_000);
  return begins.toISOString().slice(0, 10);
}

/** The organizations that are on a plan with nightly snapshots, each with the night that is due by the database clock. */
export async function listNights(app: App): Promise<{ organizationId: string; night: string }[]> {
  const { rows } = await app.database.platform((client) =>
    client.query<{ id: string; now: Date }>('select id, clock_timestamp() as now from organization where plan = any($1) order by id', [withNights]),
  );
  return rows.map(({ id, now }) => ({ organizationId: id, night: nightDue(id, now, app.config.SNAPSHOT_HOUR) }));
}
