// Signing in and staying signed in: password, second factor, refresh tokens that are good for one use.
import type { Transaction } from '../database.ts';
import { Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import { accountColumns, type AccountRow, accountEmail, actorOf, findAccount, holdAccount, isActive, logOwn, transactFor } from './accounts.ts';
import type { App, From } from './app.ts';
import { beginAttempt, nextBeat } from './attempts.ts';
import { ask, challengeMinutes, cookieHeader, cookieIn, identity } from './identity.ts';
import { makeSecret, readSecret } from './secrets.ts';
import { signAccessToken } from './sessions.ts';
import { readTicket, signTicket } from './tickets.ts';

/** What keeps a session going. */
export interface Tokens {
  accessToken: string;
  expiresAt: Date;
  refreshToken: string;
}

/** What refresh tokens begin with. */
const prefix = 'rir_';

/** Tokens, or what is asked for next. */
export type SignIn = { tokens: Tokens; challenge?: never } | { tokens?: never; challenge: string };

/**
 * Checks email and password.
 * @returns tokens; or, where the account has a second factor, a challenge for `completeSignIn`
 * @throws Refusal SIGN_IN_FAILED, the same for an unknown email and a wrong password; logged where the account is known.
 * TOO_MANY_ATTEMPTS, without looking at the password, after too many failures at the account or from the address
 */
export async function signIn(app: App, from: From, email: string, password: string): Promise<SignIn> {
  const start = performance.now();
  const attempt = await beginAttempt(app, 'password', accountEmail(email), from.address);
  const account = await findAccount(app, { email });
  const signedIn = await transactFor(app, account?.organizationId ?? null, async (tx) => {
    if (!attempt.refusal) return tryPassword(app, tx, from, account, email, password);
    return attempt.tell ? logRefused(tx, account, from, attempt.refusal.code) : undefined;
  });
  if (signedIn) {
    await attempt.succeeded();
    return signedIn;
  }
  await nextBeat(start);
  throw attempt.refusal ?? new Refusal('SIGN_IN_FAILED', 'The email or the password is not right. You are not signed in. Check both and try again.', ['input']);
}

async function logRefused(tx: Transaction, account: AccountRow | undefined, from: From, code: string): Promise<undefined> {
  if (account) await logOwn(tx, actorOf(account, from), 'staff.signed_in', code);
}

async function tryPassword(
  app: App,
  tx: Transaction,
  from: From,
  account: AccountRow | undefined,
  email: string,
  password: string,
): Promise<SignIn | undefined> {
  // The password, the second factor and the sessions stay as they are until this one is there.
  if (account) await holdAccount(tx, account.id, 'share');
  const answer = await ask(identity(app, tx).api.signInEmail({ body: { email: accountEmail(email), password }, returnHeaders: true }));
  const { response, headers } = answer.value ?? {};
  if (!account || !response || !(await isActive(tx, account))) {
    if (response && 'token' in response) await endByToken(tx, response.token!);
    return logRefused(tx, account, from, 'SIGN_IN_FAILED');
  }
  if ('token' in response) return { tokens: await openSession(app, tx, account, from, response.token) };
  const claims = { sub: account.id, waiting: cookieIn(headers!, 'two_factor') };
  return { challenge: await signTicket(app, 'sign-in', claims, challengeMinutes) };
}

/**
 * Ends a sign-in with the second factor: a code of the authenticator app, or a recovery code. A code works once.
 * @throws Refusal CHALLENGE_EXPIRED, CODE_WRONG; the fifth wrong code ends the challenge, the tenth in a row locks the account's codes for 15 minutes
 */
export async function completeSignIn(app: App, from: From, challenge: string, code: string): Promise<Tokens> {
  const ticket = await readTicket(app, 'sign-in', challenge);
  const account = ticket && (await findAccount(app, { id: ticket.sub! }));
  if (!account) throw expired();
  const attempt = await beginAttempt(app, 'code', account.id, from.address, ['input', 'code']);
  const done = await transactFor(app, account.organizationId, async (tx) => {
    if (attempt.refusal) {
      if (attempt.tell) await logRefused(tx, account, from, attempt.refusal.code);
      return attempt.refusal.code;
    }
    await holdAccount(tx, account.id, 'share');
    const headers = cookieHeader('two_factor', String(ticket['waiting']));
    const answer = await checkCode(app, tx, account.id, code, headers);
    if (answer.refused !== undefined || !(await isActive(tx, account))) {
      if (answer.value) await endByToken(tx, answer.value.response.token!);
      await logRefused(tx, account, from, answer.refused === 'INVALID_TWO_FACTOR_COOKIE' ? 'CHALLENGE_EXPIRED' : 'CODE_WRONG');
      return answer.refused ?? 'SUSPENDED';
    }
    return openSession(app, tx, account, from, answer.value.response.token!);
  });
  if (typeof done !== 'string') {
    await attempt.succeeded();
    return done;
  }
  if (attempt.refusal) throw attempt.refusal;
  if (done === 'INVALID_TWO_FACTOR_COOKIE') throw expired();
  throw new Refusal(
    'CODE_WRONG',
    'The code is not right, was used before, or too many were wrong. You are not signed in. Wait for the next code of your app, or use a recovery code.',
    ['input', 'code'],
  );
}

const expired = () =>
  new Refusal('CHALLENGE_EXPIRED', 'This sign-in has waited too long, or is over. You are not signed in. Begin again with email and password.', [
    'input',
    'challenge',
  ]);

/** How long a code of the app may be good, a minute and a half, is how long it is remembered as used. */
const rememberSeconds = 120;

/** Whether it has the form of a code of the app, and not of a recovery code. */
export const isAppCode = (code: string): boolean => /^\d{6}$/.test(code.replaceAll(' ', ''));

/** Checks a code of the app, each once, or a recovery code. `headers` say whose: a challenge's, or a session's. */
export async function checkCode(app: App, tx: Transaction, accountId: string, code: string, headers: Headers) {
  // One at a time, so that two who send the same code don't both come in.
  await tx.run(sql`select 1 from second_factor where account_id = ${accountId} for update`);
  const { api } = identity(app, tx);
  const given = code.replaceAll(' ', '');
  if (!isAppCode(given)) return ask(api.verifyBackupCode({ body: { code: given }, headers, returnHeaders: true }));
  const name = `used code ${accountId} ${given}`;
  const used = await tx.row(sql`select 1 from verification where identifier = ${name} and expires_at > clock_timestamp()`);
  const answer = await ask(api.verifyTOTP({ body: { code: used ? 'used' : given }, headers, returnHeaders: true }));
  if (answer.value)
    await tx.run(sql`
      insert into verification (id, identifier, value, expires_at)
      values (gen_random_uuid(), ${name}, '', clock_timestamp() + make_interval(secs => ${rememberSeconds}))`);
  return answer;
}

const endByToken = (tx: Transaction, token: string) => tx.run(sql`delete from session where token = ${token}`);

/** How many sessions an account may have; the ones that were not used for longest end. */
const mostSessions = 100;

/** Makes tokens for a session that was just opened, notes where from, and logs the sign-in. */
export async function openSession(app: App, tx: Transaction, account: AccountRow, from: From, token: string, action = 'staff.signed_in'): Promise<Tokens> {
  const session = (await tx.row<{ id: string }>(sql`
    update session set ip_address = ${from.address}, user_agent = ${from.agent} where token = ${token} and account_id = ${account.id} returning id`))!;
  await tx.run(sql`
    delete from session where id in (select id from session where account_id = ${account.id} order by last_used_at desc, id desc offset ${mostSessions})`);
  await logOwn(tx, actorOf(account, from), action);
  return nextTokens(app, tx, account, session.id);
}

async function nextTokens(app: App, tx: Transaction, { id, organizationId }: AccountRow, sessionId: string): Promise<Tokens> {
  const { text, digest } = makeSecret(prefix, organizationId ?? tx.organizationId, sessionId);
  await tx.run(sql`insert into refresh_token (digest, session_id) values (${digest}, ${sessionId})`);
  return { ...(await signAccessToken(app, id, organizationId, sessionId)), refreshToken: text };
}

/**
 * Gives new tokens for a refresh token, which is used up by that. One that was used before is in the hands of two: its session
 * ends at once, with all tokens of it.
 * @throws Refusal REFRESH_FAILED, the same for whatever is wrong
 */
export async function refreshSession(app: App, from: From, refreshToken: string): Promise<Tokens> {
  const read = readSecret(prefix, refreshToken);
  const tokens = read && (await transactFor(app, read.organizationId, (tx) => refresh(app, tx, from, read.id, read.digest)));
  if (!tokens) throw new Refusal('REFRESH_FAILED', 'This refresh token is not valid any more. You are signed out. Sign in again.', ['input', 'refreshToken']);
  return tokens;
}

async function refresh(app: App, tx: Transaction, from: From, sessionId: string, digest: Buffer): Promise<Tokens | undefined> {
  // Whoever suspends someone holds the staff member, then ends the sessions: so in this order here too.
  const account = await tx.row<AccountRow>(sql`
    select ${accountColumns} from session x join account a on a.id = x.account_id where x.id = ${sessionId}`);
  if (!account || !(await isActive(tx, account))) return undefined;
  const token = await tx.row<{ used: boolean }>(sql`
    select r.used_at is not null as used from session x join refresh_token r on r.session_id = x.id
    where x.id = ${sessionId} and r.digest = ${digest} and x.expires_at > clock_timestamp() for update of x, r`);
  if (!token) return undefined;
  if (token.used) {
    await tx.run(sql`delete from session where id = ${sessionId}`);
    await logOwn(tx, actorOf(account, from), 'session.refreshed', 'REFRESH_TOKEN_REUSED');
    return undefined;
  }
  await tx.run(sql`update refresh_token set used_at = clock_timestamp() where digest = ${digest}`);
  await tx.run(sql`update session set last_used_at = clock_timestamp(), ip_address = ${from.address}, user_agent = ${from.agent} where id = ${sessionId}`);
  return nextTokens(app, tx, account, sessionId);
}
