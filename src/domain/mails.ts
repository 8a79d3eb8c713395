// The emails that we send, and how they are queued: with the transaction that makes them true, and sealed, because they carry
// addresses and links that let someone in.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { Mail } from '../mail.ts';
import { open, seal } from '../snapshots/cipher.ts';
import { sql } from '../sql.ts';
import type { App } from './app.ts';

/** The background job that sends one. */
export const sendMailTask = 'send_mail';

/** Queues an email; it is sent once the transaction has committed. */
export async function queueMail(tx: Transaction, { keys }: App, mail: Mail): Promise<void> {
  const id = newId();
  const payload = JSON.stringify({ id, sealed: seal(keys.mail, sealedAs(id), Buffer.from(JSON.stringify(mail))).toString('base64') });
  await tx.run(sql`select graphile_worker.add_job(${sendMailTask}, ${payload}::json)`);
}

/** The email in a job's payload. @throws Error when it was sealed under another master key, or changed */
export const openMail = ({ keys }: App, { id, sealed }: { id: string; sealed: string }): Mail =>
  JSON.parse(open(keys.mail, sealedAs(id), Buffer.from(sealed, 'base64')).toString()) as Mail;

const sealedAs = (id: string) => `reinstate mail|${id}`;

/** A name as a line of an email shows it: nothing invisible in it, nothing that turns the text around, not a second line. */
export const plain = (name: string): string =>
  name
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
    .slice(0, 100);

const link = ({ config }: App, page: string, token: string): string => {
  const url = new URL(config.FRONTEND_URL);
  url.pathname = `${url.pathname.replace(/\/$/, '')}/${page}`;
  // Behind the #, which browsers keep to themselves: no server on the way logs it.
  url.hash = `token=${token}`;
  return url.href;
};

export const invitationMail = (app: App, to: string, { organization, by, token }: { organization: string; by: string; token: string }): Mail => ({
  to,
  subject: `You are invited to ${plain(organization)}`,
  text: `${plain(by)} invites you to join the staff of ${plain(organization)}.

Choose your password here, within ${app.config.INVITATION_DAYS} days:
${link(app, 'invitation', token)}

If you don't know what this is about, do nothing: nobody comes in without this link.
`,
});

export const resetMail = (app: App, to: string, token: string): Mail => ({
  to,
  subject: 'Choose a new password',
  text: `Someone asked for a new password for this address. If it was you, choose it here, within ${app.config.PASSWORD_RESET_MINUTES} minutes:
${link(app, 'password-reset', token)}

If it was not you, do nothing: your password stays as it is.
`,
});

/** Tells of a change of how someone signs in, so that nobody makes it behind their back. */
export const changeMail = (to: string, what: string): Mail => ({
  to,
  subject: 'How you sign in has changed',
  text: `${what}

If it was not you, ask for a new password at once, and tell an administrator of your organization.
`,
});
