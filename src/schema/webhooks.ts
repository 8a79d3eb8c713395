// Webhooks, as the world sees them: endpoints, and what was delivered to them.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { DeliveryState } from '../entities/webhook.ts';
import { DateTime, described, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';

export const DeliveryStateEnum: Record<DeliveryState, DeliveryState> = { PENDING: 'PENDING', DELIVERED: 'DELIVERED', FAILED: 'FAILED' };
registerEnumType(DeliveryStateEnum, {
  name: 'WebhookDeliveryState',
  description: 'Where a delivery stands.',
  valuesConfig: described({
    PENDING: 'It is sent at `nextAttemptAt`, for the first time or again.',
    DELIVERED: 'The endpoint has taken it: it answered with a status of 200 to 299.',
    FAILED: 'It was given up after the last attempt; `failure` says why.',
  }),
});

@ObjectType({ simpleResolvers: true, description: 'One event that is, or was, to be delivered to one webhook endpoint.' })
export class WebhookDelivery {
  @Field(() => ID, { description: 'The id of the delivery.' })
  id!: string;

  @Field(() => String, { description: 'The id of the event: what the endpoint sees as `webhook-id`, the same with every attempt.' })
  eventId!: string;

  @Field(() => String, { description: 'What happened: `contacts.recovered`, `deletion.deadline_near`, or `webhook.test` for a test.' })
  event!: string;

  @Field(() => DeliveryStateEnum, { description: 'Where it stands.' })
  state!: DeliveryState;

  @Field(() => Int, { description: 'How many times it was sent, or tried to be. There are 8 attempts over about 2 days; a test is sent once.' })
  attempts!: number;

  @Field(() => Int, { nullable: true, description: 'The HTTP status that the endpoint answered the last attempt with; null when it did not answer.' })
  lastStatus!: number | null;

  @Field(() => String, { nullable: true, description: 'Why the last attempt failed; null when it did not.' })
  failure!: string | null;

  @Field(() => DateTime, { description: 'When the event was queued: with what it tells of.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When it was last sent, or tried to be.' })
  lastAttemptAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it is sent next; null when it is delivered or given up.' })
  nextAttemptAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was delivered or given up.' })
  finishedAt!: Date | null;
}

export const WebhookDeliveryConnection = connectionOf(WebhookDelivery, 'delivery', 'deliveries');

@ObjectType({
  implements: Node,
  description:
    'A URL that events are sent to, as JSON in a POST, signed as Standard Webhooks has it (https://www.standardwebhooks.com). Each endpoint gets each event at least once; one that it has seen already has the same `webhook-id`.',
})
export class WebhookEndpoint extends Node {
  @Field(() => String, { description: 'Where events are sent.' })
  url!: string;

  @Field(() => String, { nullable: true, description: 'What it is for, in the words of who registered it.' })
  description!: string | null;

  @Field(() => DateTime, { description: 'When it was registered. It is told of what happens from then on.' })
  createdAt!: Date;

  uuid!: string;
}

export const WebhookEndpointConnection = connectionOf(WebhookEndpoint, 'webhook endpoint', 'webhook endpoints');

@InputType({ description: 'Registers a webhook endpoint.' })
export class CreateWebhookEndpointInput {
  @Field(() => String, {
    description: 'Where to send events: an https URL on the public internet, without a user name or password, in at most 2,000 characters.',
  })
  url!: string;

  @Field(() => String, { nullable: true, description: 'What it is for, in at most 255 characters. Don’t name people in it.' })
  description?: string | null;
}

@ObjectType({ description: 'The outcome of `createWebhookEndpoint`.' })
export class CreateWebhookEndpointPayload {
  @Field(() => WebhookEndpoint, { nullable: true, description: 'The endpoint.' })
  webhookEndpoint!: WebhookEndpoint | null;

  @Field(() => String, {
    nullable: true,
    description: 'The secret that its events are signed with, `whsec_…`. It is shown here and never again: keep it where the endpoint can read it.',
  })
  secret!: string | null;

  @Field(() => [UserError], { description: 'Why none was registered; empty when one was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Removes a webhook endpoint.' })
export class DeleteWebhookEndpointInput {
  @Field(() => ID, { description: 'The id of the endpoint.' })
  id!: string;
}

@ObjectType({ description: 'The outcome of `deleteWebhookEndpoint`.' })
export class DeleteWebhookEndpointPayload {
  @Field(() => ID, { nullable: true, description: 'The id that the endpoint had.' })
  deletedId!: string | null;

  @Field(() => [UserError], { description: 'Why it was not removed; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Sends a test event.' })
export class SendTestEventInput {
  @Field(() => ID, { description: 'The id of the endpoint.' })
  endpointId!: string;
}

@ObjectType({ description: 'The outcome of `sendTestEvent`.' })
export class SendTestEventPayload {
  @Field(() => WebhookDelivery, { nullable: true, description: 'The delivery of the event, which is about to be sent: look it up among the deliveries.' })
  delivery!: WebhookDelivery | null;

  @Field(() => [UserError], { description: 'Why none is sent; empty when one is.' })
  userErrors!: UserError[];
}
