// Attempts to prove who one is: counted before the proof is looked at, so that a thousand at once are a thousand, and given
// back when it was right. Whoever has tried too often is not looked at, whether there is such an account or not.
import { setTimeout as delay } from 'node:timers/promises';
import { Refusal } from '../errors.ts';
import type { App, Viewer } from './app.ts';
import { addressKey, hidden, limiterOf, secondsUntil, spend } from './rate-limits.ts';

/** What is tried. Each kind has a count of its own at an account; an address has one for all. */
export type Proof = 'password' | 'code' | 'reset';

/** Answers that must not tell whether there is an account leave at the next multiple of so many milliseconds. */
const beat = 250;

/** Waits for the beat: the milliseconds that a known account costs more, for its log entry, are not to be measured. */
export async function nextBeat(start: number): Promise<void> {
  const spent = performance.now() - start;
  await delay(Math.ceil(spent / beat) * beat - spent);
}

export interface Attempt {
  /** There were too many: look at nothing, log it where the account is known, and throw this on the beat. */
  readonly refusal: Refusal | undefined;
  /** Whether a refusal is to be logged: one a minute, so that whoever goes on trying does not fill the log. */
  readonly tell: boolean;
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
  const told = limiterOf(app, { name: 'told', points: 1, seconds: 60 });
  return {
    tell: allowed || (await spend(told, accountKey)).allowed,
    refusal: allowed ? undefined : tooMany(resetsAt, path),
    async succeeded() {
      await ofAccount.delete(accountKey);
      await ofAddress.reward(from);
    },
  };
}

/** Does `work`, by which a viewer proves who they are, as an attempt; one that throws has failed. @throws Refusal TOO_MANY_ATTEMPTS */
export async function asAttempt<T>(app: App, proof: Proof, viewer: Viewer, work: () => Promise<T>): Promise<T> {
  const attempt = await beginAttempt(app, proof, proof === 'password' ? viewer.email! : viewer.accountId, viewer.address);
  if (attempt.refusal) throw attempt.refusal;
  const done = await work();
  await attempt.succeeded();
  return done;
}

function tooMany(until: Date, path: string[]): Refusal {
  const minutes = Math.ceil(secondsUntil(until) / 60);
  return new Refusal(
    'TOO_MANY_ATTEMPTS',
    `There were too many attempts. This one was not looked at, and nothing was changed. Try again in ${minutes === 1 ? 'a minute' : `${minutes} minutes`}.`,
    path,
  );
}
