// Emails: through a mail server, or into a folder of .eml files, for a machine of one's own.
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createTransport } from 'nodemailer';
import { v7 as newId } from 'uuid';
import type { Config } from './config.ts';

export interface Mail {
  to: string;
  subject: string;
  /** Plain text: nothing in it can be a disguised link. */
  text: string;
}

const seconds = 20_000;
/** Neither files nor addresses that a text may name are ever read. */
const closed = { disableFileAccess: true, disableUrlAccess: true };

/** Sends one email. @throws when the mail server did not take it, or the folder can't be written */
export async function sendMail({ SMTP_URL, MAIL_FROM, MAIL_DIRECTORY, DATA_DIRECTORY }: Config, mail: Mail): Promise<void> {
  const message = { from: MAIL_FROM, ...mail };
  if (!SMTP_URL) return putIntoFolder(MAIL_DIRECTORY ?? join(DATA_DIRECTORY, 'mail'), message);
  const transport = createTransport({ url: SMTP_URL, ...closed, connectionTimeout: seconds, greetingTimeout: seconds, socketTimeout: seconds });
  try {
    await transport.sendMail(message);
  } finally {
    transport.close();
  }
}

async function putIntoFolder(folder: string, message: Mail & { from: string }): Promise<void> {
  const made = await createTransport({ streamTransport: true, buffer: true, ...closed }).sendMail(message);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = join(folder, `${newId()}.eml`);
  // Whoever watches the folder sees whole files only.
  await writeFile(`${file}.part`, made.message as Buffer, { mode: 0o600 });
  await rename(`${file}.part`, file);
}
