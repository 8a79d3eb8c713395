// Where an organization wants to be told of events, and what it was told. Bodies hold ids and counts and name nobody.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey, tenantKey } from './columns.ts';

export const deliveryStates = ['PENDING', 'DELIVERED', 'FAILED'] as const;
export type DeliveryState = (typeof deliveryStates)[number];

export const WebhookEndpoint = defineEntity({
  name: 'WebhookEndpoint',
  tableName: 'webhook_endpoint',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    url: p.text(),
    description: p.text().nullable(),
    /** The secret that signs, encrypted under a key that the master key gives; nobody reads it again. */
    sealedSecret: p.blob(),
    masterKeyId: p.text(),
    createdAt: createdNow(),
  },
});

/** One event on its way to one endpoint, or at its end. */
export const WebhookDelivery = defineEntity({
  name: 'WebhookDelivery',
  tableName: 'webhook_delivery',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    endpoint: () => p.manyToOne(WebhookEndpoint).ref().joinColumns('organization_id', 'endpoint_id').updateRule('no action').deleteRule('cascade'),
    /** The same for every endpoint and every attempt. That of `contacts.recovered` is the recovery request's own. */
    eventId: p.uuid(),
    event: p.text(),
    /** What is signed and sent, to the byte. */
    body: p.text(),
    state: p.enum(deliveryStates),
    attempts: p.integer().default(0),
    /** The HTTP status of the last answer; null when there was none. */
    lastStatus: p.integer().nullable(),
    failure: p.text().nullable(),
    createdAt: createdNow(),
    lastAttemptAt: instant().nullable(),
    nextAttemptAt: instant().nullable(),
    finishedAt: instant().nullable(),
  },
  // An endpoint is told of an event once, whoever queues it.
  uniques: [{ properties: ['organizationId', 'endpoint', 'eventId'] }],
  checks: [{ name: 'webhook_delivery_is_pending_or_finished', expression: "(state = 'PENDING') = (next_attempt_at is not null and finished_at is null)" }],
});
