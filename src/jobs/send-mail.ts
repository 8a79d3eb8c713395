// Sends an email that a transaction has queued. What the mail server does not take is tried again by the runner, for three days.
import type { Task } from 'graphile-worker';
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { openMail } from '../domain/mails.ts';
import { sendMail } from '../mail.ts';

const payload = z.object({ id: z.uuid(), sealed: z.base64() });

export const sendQueuedMail =
  (app: App): Task =>
  async (raw) =>
    sendMail(app.config, openMail(app, payload.parse(raw)));
