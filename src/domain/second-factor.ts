// The second factor: codes of an authenticator app (RFC 6238), and recovery codes for the day that it is lost. And proving anew
// who one is, for what a stolen token must not be enough for.
import type { Transaction } from '../database.ts';
import { Forbidden, Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import { holdAccount, logOwn, transactFor } from './accounts.ts';
import type { App, Viewer } from './app.ts';
import { asAttempt, type Proof as Kind } from './attempts.ts';
import { ask, headersOf, identity, sessionTokenIn } from './identity.ts';
import { changeMail, queueMail } from './mails.ts';
import { endOtherSessions } from './sessions.ts';
import { checkCode, isAppCode, openSession, type Tokens } from './signing-in.ts';

/** Runs `work`, which checks a password or a code, in the viewer's own account; as an attempt, see attempts.ts. */
const inOwnAccount = <T>(app: App, viewer: Viewer, proof: Kind, work: (tx: Transaction, headers: Headers) => Promise<T>): Promise<T> =>
  asAttempt(app, proof, viewer, () =>
    transactFor(app, viewer.organization?.id ?? null, async (tx) => {
      await holdAccount(tx, viewer.accountId, 'update');
      return work(tx, await headersOf(tx, viewer));
    }),
  );

const wrongPassword = () => new Refusal('WRONG_PASSWORD', 'The password is not right. Nothing was changed. Check it and try again.', ['input', 'password']);

/**
 * Makes a second factor, which counts once a first code has confirmed it. One that was made before and not confirmed is replaced.
 * @returns the `otpauth:` URI to show as a QR code, and the recovery codes, given here and never again
 * @throws Refusal WRONG_PASSWORD, SECOND_FACTOR_ON
 */
export async function beginSecondFactor(app: App, viewer: Viewer, password: string): Promise<{ uri: string; recoveryCodes: string[] }> {
  return inOwnAccount(app, viewer, 'password', async (tx, headers) => {
    const { value, refused } = await ask(identity(app, tx).api.enableTwoFactor({ body: { password, method: 'totp' }, headers }));
    if (refused === 'TOTP_ALREADY_ENABLED')
      throw new Refusal('SECOND_FACTOR_ON', 'The account has a second factor. Nothing was changed. Remove it first to set up another app.');
    if (value?.method !== 'totp') throw wrongPassword();
    return { uri: value.totpURI, recoveryCodes: value.backupCodes };
  });
}

/**
 * Confirms the second factor with a code of the app; from then on signing in asks for one, and all other sessions end.
 * @returns tokens of the session that takes the place of this one
 * @throws Refusal CODE_WRONG, SECOND_FACTOR_OFF
 */
export async function confirmSecondFactor(app: App, viewer: Viewer, code: string): Promise<Tokens> {
  return inOwnAccount(app, viewer, 'code', async (tx, headers) => {
    const { on, made } = await factorOf(tx, viewer);
    if (on) throw new Refusal('SECOND_FACTOR_ON', 'The second factor is confirmed already. Nothing was changed.');
    if (!made) throw new Refusal('SECOND_FACTOR_OFF', 'No second factor waits to be confirmed. Nothing was changed. Begin with beginSecondFactor.');
    // A recovery code proves nothing of the app.
    const answer = isAppCode(code) ? await checkCode(app, tx, viewer.accountId, code, headers) : undefined;
    if (!answer?.value)
      throw new Refusal(
        'CODE_WRONG',
        'The code is not right. The second factor is not on. Check the clock of your device, and give the code that it shows now.',
        ['input', 'code'],
      );
    return renew(
      app,
      tx,
      viewer,
      answer.value.headers,
      'second_factor.added',
      'A second factor was added to your account: signing in asks for a code from now on.',
    );
  });
}

/** Removes the second factor, and ends all other sessions. @returns tokens, as above @throws Refusal WRONG_PASSWORD, SECOND_FACTOR_OFF */
export async function removeSecondFactor(app: App, viewer: Viewer, password: string): Promise<Tokens> {
  return inOwnAccount(app, viewer, 'password', async (tx, headers) => {
    await mustBeOn(tx, viewer);
    const answer = await ask(identity(app, tx).api.disableTwoFactor({ body: { password }, headers, returnHeaders: true }));
    if (!answer.value) throw wrongPassword();
    return renew(
      app,
      tx,
      viewer,
      answer.value.headers,
      'second_factor.removed',
      'The second factor was removed from your account: the password alone lets in.',
    );
  });
}

/** Makes new recovery codes; the ones before are worth nothing. @throws Refusal WRONG_PASSWORD, SECOND_FACTOR_OFF */
export async function renewRecoveryCodes(app: App, viewer: Viewer, password: string): Promise<string[]> {
  return inOwnAccount(app, viewer, 'password', async (tx, headers) => {
    await mustBeOn(tx, viewer);
    const answer = await ask(identity(app, tx).api.generateBackupCodes({ body: { password }, headers }));
    if (!answer.value) throw wrongPassword();
    await logOwn(tx, viewer, 'second_factor.codes_renewed');
    return answer.value.backupCodes;
  });
}

/** The library has put a session in place of the viewer's: the others end, the change is logged and told by email. */
async function renew(app: App, tx: Transaction, viewer: Viewer, headers: Headers, action: string, told: string): Promise<Tokens> {
  const account = (await holdAccount(tx, viewer.accountId, 'update'))!;
  const tokens = await openSession(app, tx, account, { ...viewer, id: viewer.requestId }, sessionTokenIn(headers)!, action);
  const { id } = (await tx.row<{ id: string }>(sql`select id from session where token = ${sessionTokenIn(headers)!}`))!;
  await endOtherSessions(tx, account.id, id);
  await queueMail(tx, app, changeMail(account.email, told));
  return tokens;
}

async function factorOf(tx: Transaction, { accountId }: Viewer): Promise<{ made: boolean; on: boolean }> {
  const factor = await tx.row<{ on: boolean }>(sql`
    select a.two_factor_enabled and f.verified as on from second_factor f join account a on a.id = f.account_id where f.account_id = ${accountId} for update of f`);
  return { made: factor !== undefined, on: factor?.on ?? false };
}

async function mustBeOn(tx: Transaction, viewer: Viewer): Promise<void> {
  if (!(await factorOf(tx, viewer)).on) throw new Refusal('SECOND_FACTOR_OFF', 'The account has no second factor. Nothing was changed.');
}

export interface Proof {
  password?: string | null | undefined;
  code?: string | null | undefined;
}

/**
 * Proves anew who the viewer is: by a code where the account has a second factor, else by the password.
 * @throws Refusal PROOF_FAILED, TOO_MANY_ATTEMPTS
 */
export async function proveIdentity(app: App, viewer: Viewer, { password, code }: Proof): Promise<Date> {
  return asAttempt(app, 'code', viewer, async () => {
    const until = await transactFor(app, viewer.organization?.id ?? null, (tx) => prove(app, tx, viewer, password ?? '', code ?? ''));
    if (until) return until;
    throw new Refusal(
      'PROOF_FAILED',
      'That does not prove who you are. Nothing was changed. Give a code of your authenticator app where you have one, else your password; who signs in at an identity provider does so again with `fresh`.',
      ['input'],
    );
  });
}

async function prove(app: App, tx: Transaction, viewer: Viewer, password: string, code: string): Promise<Date | undefined> {
  await holdAccount(tx, viewer.accountId, 'share');
  const headers = await headersOf(tx, viewer);
  const { on } = await factorOf(tx, viewer);
  const answer = on
    ? await checkCode(app, tx, viewer.accountId, code, headers)
    : await ask(identity(app, tx).api.verifyPassword({ body: { password }, headers }));
  if (!answer.value) return undefined;
  const proven = await tx.row<{ until: Date }>(sql`
    update session set proven_at = clock_timestamp() where id = ${viewer.sessionId}
    returning proven_at + make_interval(mins => ${app.config.PROOF_MINUTES}) as until`);
  if (!proven) return undefined;
  await logOwn(tx, viewer, 'identity.proven');
  return proven.until;
}

/** Whether they proved who they are lately. A key was made by someone who had. */
export const isProven = ({ config }: App, { kind, provenAgo }: Viewer): boolean =>
  kind === 'API_KEY' || (provenAgo !== null && provenAgo <= config.PROOF_MINUTES * 60);

/** What someone gets who has not. */
export const proofRequired = ({ config }: App): Forbidden =>
  new Forbidden(
    'PROOF_REQUIRED',
    `This takes a proof of who you are that is not older than ${config.PROOF_MINUTES} minutes. Nothing was changed. Give one with proveIdentity and ask again.`,
  );
