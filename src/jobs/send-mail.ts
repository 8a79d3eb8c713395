// Sends an email that a transaction has queued. What the mail server does not take is tried again by the runner, for three days.
import type { Task } from 'graphile-worker';
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { openMail } from '../domain/mails.ts';
import { sendMail } from '../mail.ts';

const payload = z.object({ id: z.uuid(), sealed: z.base64() });

/** What the runner keeps and prints of a failure: the mail server's own words may quote the address. */
const told = ({ code, responseCode, name }: Error & { code?: string; responseCode?: number }) =>
  `The email was not taken (${[code, responseCode].filter(Boolean).join(' ') || name}).`;

export const sendQueuedMail =
  (app: App): Task =>
  async (raw) => {
    const failure = await sendMail(app.config, openMail(app, payload.parse(raw))).then(() => undefined, told);
    if (failure) throw new Error(failure);
  };
