// Sends an event to a webhook endpoint, signed as Standard Webhooks has it, and writes down what came of it.
import type { Task } from 'graphile-worker';
import { Webhook } from 'standardwebhooks';
import { z } from 'zod';
import type { App } from '../domain/app.ts';
import { type DueDelivery, type Outcome, readDue, recordAttempt } from '../domain/webhook-deliveries.ts';
import { openSecret } from '../domain/webhooks.ts';
import { NotPublic, send, TooLate } from '../outbound.ts';
import { softwareVersion } from '../version.ts';

const payload = z.object({ organizationId: z.uuid(), deliveryId: z.uuid() });

/** No transaction is open while the endpoint is waited for. After a crash amid that, the runner has the same event sent anew. */
export const sendWebhook =
  (app: App): Task =>
  async (raw) => {
    const { organizationId, deliveryId } = payload.parse(raw);
    const due = await app.database.transact(organizationId, (tx) => readDue(tx, deliveryId), { readOnly: true });
    if (!due) return;
    const secret = openSecret(app, organizationId, due.endpointId, due);
    const outcome = await deliver(app, due, secret);
    await app.database.transact(organizationId, (tx) => recordAttempt(tx, due, outcome));
  };

async function deliver({ config }: App, { url, eventId, body }: DueDelivery, secret: string): Promise<Outcome> {
  const now = new Date();
  const headers = {
    'content-type': 'application/json',
    'user-agent': softwareVersion.replace(' ', '/'),
    'webhook-id': eventId,
    'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
    'webhook-signature': new Webhook(secret).sign(eventId, now, body),
  };
  try {
    const { WEBHOOK_ALLOW_PRIVATE: allowPrivate, WEBHOOK_TIMEOUT_SECONDS: seconds } = config;
    const { status } = await send(new URL(url), { method: 'POST', headers, body, allowPrivate, seconds });
    return { status, failure: failureOfStatus(status) };
  } catch (error) {
    return { status: null, failure: failureOf(error) };
  }
}

function failureOfStatus(status: number): string | null {
  if (status >= 200 && status < 300) return null;
  if (status >= 300 && status < 400) return `It answered with the redirect ${status}, which is not followed. Register the URL that it leads to.`;
  return `It answered with the status ${status}; only 200 to 299 says that an event was taken.`;
}

function failureOf(error: unknown): string {
  if (error instanceof NotPublic) return 'It does not lead to a public address over HTTPS, so nothing was sent. Register a URL that does.';
  if (error instanceof TooLate) return `${error.message} Make it answer first and do its work then.`;
  return `It could not be reached (${(error as { code?: string }).code ?? 'no answer'}).`;
}
