// What operations cost, and how much of it an actor may spend in a minute.
import { wasLetIn } from './api-keys.ts';
import type { AccessClaims, App, From } from './app.ts';
import { addressKey, limiterOf, spendOfAdvance, type Standing } from './rate-limits.ts';

/** What a client is told of its account. */
export interface Cost {
  /** What the operation costs; null when that is beyond measuring. */
  requested: number | null;
  /** What may be spent in a minute. */
  limit: number;
  remaining: number;
  resetsAt: Date;
}

/**
 * Counts what an operation costs: as its account's or its API key's, and without either as the address's that it came from.
 * An API key is one when it was let in before. Else a stranger who knows its id could spend what it has.
 */
export async function chargeCost(app: App, claims: AccessClaims | null, { address }: From, points: number): Promise<Standing & { limit: number }> {
  const limit = app.config.COST_PER_MINUTE;
  const isSure = claims && (!claims.keyDigest || wasLetIn(claims.keyDigest));
  const standing = await spendOfAdvance(
    limiterOf(app, { name: 'cost', points: limit, seconds: 60, remembered: true }),
    isSure ? claims.accountId : addressKey(app, address),
    points,
  );
  return { ...standing, limit };
}
