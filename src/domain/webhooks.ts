// Webhook endpoints: where an organization's integrations want to be told of events, and the secret that they know us by.
import { randomBytes } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { namesPrivateAddress } from '../outbound.ts';
import { open, seal } from '../snapshots/cipher.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { readText, requireText } from './text.ts';
import { queueEvent } from './webhook-deliveries.ts';
import { transactAs } from './writing.ts';

/** How many endpoints an organization may have. */
export const mostEndpoints = 10;
const longestUrl = 2000;

export interface EndpointRow {
  id: string;
  url: string;
  description: string | null;
  createdAt: Date;
}

const columns = sql`e.id, e.url, e.description, e.created_at as "createdAt"`;

export async function readEndpoints(tx: Transaction, ids: readonly string[]): Promise<EndpointRow[]> {
  return tx.rows<EndpointRow>(sql`select ${columns} from webhook_endpoint e where e.organization_id = ${tx.organizationId} and e.id = any(${ids}::uuid[])`);
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listEndpoints(tx: Transaction, limit: number, before: string | null): Promise<EndpointRow[]> {
  return tx.rows<EndpointRow>(sql`
    select ${columns} from webhook_endpoint e where e.organization_id = ${tx.organizationId} ${before ? sql`and e.id < ${before}` : raw('')}
    order by e.id desc limit ${limit}`);
}

/**
 * Registers an endpoint and makes its secret, of 32 random bytes, which is given here and never again.
 * @throws Refusal TOO_MANY_ENDPOINTS, INVALID_URL, CREDENTIALS_IN_URL, INSECURE_URL, PRIVATE_ADDRESS and those of `requireText`
 */
export async function createWebhookEndpoint(
  app: App,
  viewer: Viewer,
  input: { url: string; description?: string | null | undefined },
): Promise<{ id: string; secret: string }> {
  const url = readUrl(app, input.url);
  const description = readText(input.description, ['input', 'description']);
  const [id, secret] = [newId(), `whsec_${randomBytes(32).toString('base64')}`];
  await transactAs(app, viewer, async (tx) => {
    // One at a time, so that of two that register the last one at once the second is refused.
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`webhook endpoints/${tx.organizationId}`}, 0))`);
    const { count } = (await tx.row<{ count: number }>(sql`select count(*)::int as count from webhook_endpoint where organization_id = ${tx.organizationId}`))!;
    if (count >= mostEndpoints)
      throw new Refusal(
        'TOO_MANY_ENDPOINTS',
        `The organization has ${mostEndpoints} webhook endpoints, which is as many as there may be. None was added. Delete one that is not needed.`,
      );
    const sealed = seal(app.keys.webhooks, sealedAs(tx.organizationId, id), Buffer.from(secret));
    await tx.run(sql`
      insert into webhook_endpoint (organization_id, id, url, description, sealed_secret, master_key_id)
      values (${tx.organizationId}, ${id}, ${url}, ${description}, ${sealed}, ${app.keys.id})`);
    await logAction(tx, viewer, { action: 'webhook.created', target: { kind: 'WebhookEndpoint', id } });
  });
  return { id, secret };
}

/** Removes an endpoint with what was delivered to it; what is still on its way is not sent. @throws NotFound */
export async function deleteWebhookEndpoint(app: App, viewer: Viewer, id: string): Promise<void> {
  await transactAs(app, viewer, async (tx) => {
    const { rowCount } = await tx.run(sql`delete from webhook_endpoint where organization_id = ${tx.organizationId} and id = ${id}`);
    if (rowCount === 0) throw new NotFound('webhook endpoint');
    await logAction(tx, viewer, { action: 'webhook.deleted', target: { kind: 'WebhookEndpoint', id } });
  });
}

/** Sends a `webhook.test` event to an endpoint, once. @returns the delivery's id @throws NotFound */
export async function sendTestEvent(app: App, viewer: Viewer, endpointId: string): Promise<string> {
  return transactAs(app, viewer, async (tx) => {
    const event = { id: newId(), type: 'webhook.test', timestamp: new Date(), data: {} } as const;
    const [deliveryId] = await queueEvent(tx, event, endpointId);
    if (!deliveryId) throw new NotFound('webhook endpoint');
    await logAction(tx, viewer, { action: 'webhook.tested', target: { kind: 'WebhookEndpoint', id: endpointId } });
    return deliveryId;
  });
}

/** The secret of an endpoint out of its stored form. @throws Error when it was sealed under another master key, or changed */
export function openSecret(app: App, organizationId: string, endpointId: string, { sealed, masterKeyId }: { sealed: Buffer; masterKeyId: string }): string {
  if (masterKeyId !== app.keys.id)
    throw new Error(`The secret of webhook endpoint ${endpointId} was sealed under master key ${masterKeyId}; this process has ${app.keys.id}.`);
  return open(app.keys.webhooks, sealedAs(organizationId, endpointId), sealed).toString();
}

const sealedAs = (organizationId: string, endpointId: string) => `reinstate webhook secret|${organizationId}|${endpointId}`;

/** The URL as it will be called. Where its name leads is checked with every delivery, because that changes. */
function readUrl({ config }: App, given: string): string {
  const path = ['input', 'url'];
  const url = URL.parse(requireText(given, path, longestUrl));
  if (!url?.host || !/^https?:$/.test(url.protocol))
    throw new Refusal('INVALID_URL', 'This is not a web address. Nothing was added. Give one like https://example.com/webhooks.', path);
  if (url.username || url.password)
    throw new Refusal(
      'CREDENTIALS_IN_URL',
      'The URL has a user name or a password in it, which would be seen by everyone who manages integrations. Nothing was added. Take it out, and verify the signature of each event instead.',
      path,
    );
  if (config.WEBHOOK_ALLOW_PRIVATE) return url.href;
  if (url.protocol !== 'https:')
    throw new Refusal('INSECURE_URL', 'The URL begins with http, so others could read what is sent. Nothing was added. Give one that begins with https.', path);
  if (namesPrivateAddress(url))
    throw new Refusal(
      'PRIVATE_ADDRESS',
      'The URL leads to an address that is not on the public internet. Nothing was added. Give one that can be reached from everywhere.',
      path,
    );
  return url.href;
}
