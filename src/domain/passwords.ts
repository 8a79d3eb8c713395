// Passwords: forgotten and chosen anew, or changed by who knows the old one. Either ends all other sessions.
import type { Transaction } from '../database.ts';
import { Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import { accountEmail, actorOf, findAccount, holdAccount, logOwn, transactFor } from './accounts.ts';
import type { App, From, Viewer } from './app.ts';
import { asAttempt, beginAttempt, nextBeat } from './attempts.ts';
import { type Answer, ask, headersOf, identity, passwordLength } from './identity.ts';
import { changeMail, queueMail, resetMail } from './mails.ts';
import { openSession, type Tokens } from './signing-in.ts';
import { readTicket, signTicket } from './tickets.ts';

const path = ['input', 'newPassword'];
const told = 'The password of your account was changed.';

/** @throws Refusal PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG for a password that can't be chosen */
export function checkPassword(password: string, at: string[] = path): void {
  const { least, most } = passwordLength;
  if (password.length < least)
    throw new Refusal(
      'PASSWORD_TOO_SHORT',
      `The password is shorter than ${least} characters. Nothing was changed. Choose a longer one; a sentence is fine.`,
      at,
    );
  if (password.length > most)
    throw new Refusal('PASSWORD_TOO_LONG', `The password is longer than ${most} characters. Nothing was changed. Choose a shorter one.`, at);
}

/** Sends a link to choose a new password with, where there is an account; says nothing of whether there is. */
export async function requestPasswordReset(app: App, from: From, email: string): Promise<void> {
  const start = performance.now();
  const attempt = await beginAttempt(app, 'reset', accountEmail(email), from.address);
  const account = await findAccount(app, { email });
  // Who asks too often has got emails enough, and is not told more than others.
  if (account && !attempt.refusal)
    await transactFor(app, account.organizationId, async (tx) => {
      const send = async (_id: string, token: string) =>
        queueMail(
          tx,
          app,
          resetMail(app, account.email, await signTicket(app, 'password-reset', { sub: account.id, token }, app.config.PASSWORD_RESET_MINUTES)),
        );
      const { refused } = await ask(identity(app, tx, send).api.requestPasswordReset({ body: { email: account.email } }));
      await logOwn(tx, actorOf(account, from), 'password.reset_requested', refused);
    });
  await nextBeat(start);
}

/**
 * Chooses a new password with the token out of the email, which works once. All sessions of the account end.
 * @throws Refusal RESET_FAILED, TOO_MANY_ATTEMPTS, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG
 */
export async function resetPassword(app: App, from: From, token: string, newPassword: string): Promise<void> {
  checkPassword(newPassword);
  const ticket = await readTicket(app, 'password-reset', token);
  const account = ticket && (await findAccount(app, { id: ticket.sub! }));
  const attempt = account && (await beginAttempt(app, 'reset', account.id, from.address, ['input', 'token']));
  if (attempt?.refusal) throw attempt.refusal;
  const done =
    account &&
    (await transactFor(app, account.organizationId, async (tx) => {
      await holdAccount(tx, account.id, 'update');
      const answer = await ask(identity(app, tx).api.resetPassword({ body: { token: String(ticket['token']), newPassword } }));
      await logOwn(tx, actorOf(account, from), 'password.reset', answer.refused === undefined ? undefined : 'RESET_FAILED');
      if (answer.refused !== undefined) return false;
      await forgetWaiting(tx, account.id);
      await queueMail(tx, app, changeMail(account.email, told));
      return true;
    }));
  if (!done)
    throw new Refusal('RESET_FAILED', 'This link was used, is too old, or is none of ours. Your password is as it was. Ask for a new link.', [
      'input',
      'token',
    ]);
}

/** Links and second steps that were begun with the password of before are worth nothing. */
const forgetWaiting = (tx: Transaction, accountId: string) => tx.run(sql`delete from verification where value = ${accountId}`);

/**
 * Changes the password, and ends all other sessions.
 * @returns tokens of the session that takes the place of this one
 * @throws Refusal WRONG_PASSWORD, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG
 */
export async function changePassword(app: App, viewer: Viewer, currentPassword: string, newPassword: string): Promise<Tokens> {
  checkPassword(newPassword);
  return asAttempt(app, 'password', viewer, () =>
    transactFor(app, viewer.organization?.id ?? null, async (tx) => {
      const account = (await holdAccount(tx, viewer.accountId, 'update'))!;
      const headers = await headersOf(tx, viewer);
      const answer: Answer<{ token: string | null }> = await ask(
        identity(app, tx).api.changePassword({ body: { currentPassword, newPassword, revokeOtherSessions: true }, headers }),
      );
      if (!answer.value?.token)
        throw new Refusal('WRONG_PASSWORD', 'The current password is not right. Nothing was changed. Check it, or ask for a password reset.', [
          'input',
          'currentPassword',
        ]);
      await forgetWaiting(tx, account.id);
      await queueMail(tx, app, changeMail(account.email, told));
      // The password alone is no proof where there is a second factor: the new session is as proven as the old one.
      await tx.run(sql`update session set proven_at = clock_timestamp() - make_interval(secs => ${viewer.provenAgo}) where token = ${answer.value.token}`);
      return openSession(app, tx, account, { ...viewer, id: viewer.requestId }, answer.value.token, 'password.changed');
    }),
  );
}
