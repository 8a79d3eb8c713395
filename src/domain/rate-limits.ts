// What may be done only so often: points that are spent within a span of time, counted in one table for all processes. It
// holds no emails and no addresses, but keyed hashes of them.
import { createHmac } from 'node:crypto';
import { RateLimiterPostgres, RateLimiterRes } from 'rate-limiter-flexible';
import { subscriberOf } from '../addresses.ts';
import type { App } from './app.ts';

interface Limit {
  /** What the keys of its rows begin with. */
  name: string;
  points: number;
  seconds: number;
  /** Whether who is over is remembered here until the span ends, and costs the database nothing more: what is never taken back. */
  remembered?: boolean;
}

const limiters = new WeakMap<App, Map<string, RateLimiterPostgres>>();

/** The counter of that name; made when it is asked for first. */
export function limiterOf(app: App, { name, points, seconds, remembered = false }: Limit): RateLimiterPostgres {
  const known = limiters.get(app) ?? new Map<string, RateLimiterPostgres>();
  limiters.set(app, known);
  const limiter =
    known.get(name) ??
    new RateLimiterPostgres({
      storeClient: app.database.pool,
      storeType: 'pool',
      tableName: 'rate_limit',
      tableCreated: true,
      // A job does that.
      clearExpiredByTimeout: false,
      keyPrefix: name,
      points,
      duration: seconds,
      inMemoryBlockOnConsumed: remembered ? points + 1 : 0,
    });
  known.set(name, limiter);
  return limiter;
}

export interface Standing {
  /** Whether there were points enough. */
  allowed: boolean;
  remaining: number;
  resetsAt: Date;
}

/** Spends points of a key. @throws when the table can't be reached: nothing is let past uncounted */
export async function spend(limiter: RateLimiterPostgres, key: string, points = 1): Promise<Standing> {
  const [allowed, { remainingPoints: remaining, msBeforeNext }] = await limiter.consume(key, points).then(
    (result) => [true, result] as const,
    (result: unknown) => {
      if (result instanceof RateLimiterRes) return [false, result] as const;
      throw result;
    },
  );
  return { allowed, remaining, resetsAt: new Date(Date.now() + msBeforeNext) };
}

/** What this process has taken of a key and not spent yet. */
interface Held {
  left: number;
  /** What there was left for all others then. */
  remaining: number;
  resetsAt: Date;
}

const holdings = new WeakMap<RateLimiterPostgres, Map<string, Held>>();
const mostHeld = 10_000;
/** How many points are taken in advance; of a small limit a hundredth. */
const inAdvance = 2000;

/**
 * The same for keys that are spent of all the time, where a statement for each would cost more than much of what is counted:
 * points are taken in advance, so that most spending is a matter of this process. All processes together never spend more
 * than there is; one may be refused what another holds.
 */
export async function spendOfAdvance(limiter: RateLimiterPostgres, key: string, points: number): Promise<Standing> {
  const held = holdings.get(limiter) ?? new Map<string, Held>();
  holdings.set(limiter, held);
  const current = () => {
    const own = held.get(key);
    return own && own.resetsAt.getTime() > Date.now() ? own : undefined;
  };
  const own = current();
  if (own && own.left >= points) {
    own.left -= points;
    return { allowed: true, remaining: own.remaining + own.left, resetsAt: own.resetsAt };
  }
  const share = Math.min(inAdvance, Math.floor(limiter.points / 100));
  const more = points + share <= (own?.remaining ?? limiter.points) ? share : 0;
  const { allowed, remaining, resetsAt } = await spend(limiter, key, points + more);
  // Others may have spent meanwhile, and taken as well.
  const left = allowed ? (current()?.left ?? 0) + more : 0;
  if (held.size >= mostHeld) held.clear();
  held.set(key, { left, remaining, resetsAt });
  return { allowed, remaining: remaining + left, resetsAt };
}

/** In whole seconds, and at least one. */
export const secondsUntil = (instant: Date): number => Math.max(1, Math.ceil((instant.getTime() - Date.now()) / 1000));

/** What stands for a text that is not to be kept. */
export const hidden = ({ keys }: App, text: string): string => createHmac('sha256', keys.limits).update(text).digest('base64url');

/** The key of whoever sends from there. */
export const addressKey = (app: App, address: string | null): string => hidden(app, `address ${address === null ? '' : subscriberOf(address)}`);

/** Removes what has run out. */
export async function clearRateLimits({ database }: App): Promise<void> {
  await database.pool.query('delete from rate_limit where expire < $1', [Date.now()]);
}
