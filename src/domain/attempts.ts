// Attempts to prove who one is: counted before the proof is looked at, so that a thousand at once are a thousand, and given
// back when it was right. Whoever has tried too often is not looked at, whether there is such an account or not.
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from '../errors.ts';
import type { App } from './app.ts';
import { addressKey, hidden, limiterOf, secondsUntil, spend } from './rate-limits.ts';

/** What is tried. Each kind has a count of its own at an account; an address has one for all. */
export type Proof = 'password' | 'code' | 'reset' | 'refresh';

/** A refusal takes so long, so that it does not tell by its time whether it was logged, that is, whether there is such an account. */
const refusalTakes = 100;

export interface Attempt {
  /** There were too many: look at nothing, log it where the account is known, await `answered`, and throw this. */
  readonly refusal: Refusal | undefined;
  /** When a refusal may be answered. */
  readonly answered: Promise<unknown>;
  /** To be called when the proof was right: the account's attempts are forgotten, and the address has one less. */
  succeeded(): Promise<void>;
}

/**
 * Counts an attempt at an account, and from an address.
 * @param account what names the account: its email in the form of `accountEmail`, or its id; it is kept as a keyed hash only
 * @param path of the argument that a refusal is about
 */
export async function beginAttempt(app: App, proof: Proof, account: string, address: string | null, path: string[] = ['input']): Promise<Attempt> {
  const { ATTEMPTS_PER_ACCOUNT, ATTEMPTS_PER_ADDRESS, ATTEMPT_MINUTES } = app.config;
  const seconds = ATTEMPT_MINUTES * 60;
  const [ofAccount, accountKey] = [limiterOf(app, { name: proof, points: ATTEMPTS_PER_ACCOUNT, seconds }), hidden(app, `account ${account}`)];
  const [ofAddress, from] = [limiterOf(app, { name: 'attempts', points: ATTEMPTS_PER_ADDRESS, seconds }), addressKey(app, address)];
  const place = await spend(ofAddress, from);
  // From an address that is over, nobody locks accounts.
  const { allowed, resetsAt } = place.allowed ? await spend(ofAccount, accountKey) : place;
  return {
    refusal: allowed ? undefined : tooMany(resetsAt, path),
    answered: allowed ? Promise.resolve() : delay(refusalTakes),
    async succeeded() {
      await ofAccount.delete(accountKey);
      await ofAddress.reward(from);
    },
  };
}

function tooMany(until: Date, path: string[]): Refusal {
  const minutes = Math.ceil(secondsUntil(until) / 60);
  return new Refusal(
    'TOO_MANY_ATTEMPTS',
    `There were too many attempts. This one was not looked at, and nothing was changed. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
    path,
  );
}
