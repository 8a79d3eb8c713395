// Webhook endpoints: registering and removing them, testing them, and what was delivered to them.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { type DeliveryRow, listDeliveries, readDelivery } from '../domain/webhook-deliveries.ts';
import { createWebhookEndpoint, deleteWebhookEndpoint, type EndpointRow, listEndpoints, readEndpoints, sendTestEvent } from '../domain/webhooks.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import {
  CreateWebhookEndpointInput,
  CreateWebhookEndpointPayload,
  DeleteWebhookEndpointInput,
  DeleteWebhookEndpointPayload,
  SendTestEventInput,
  SendTestEventPayload,
  type WebhookDelivery,
  WebhookDeliveryConnection,
  WebhookEndpoint,
  WebhookEndpointConnection,
} from '../schema/webhooks.ts';

const shownEndpoint = (row: EndpointRow): WebhookEndpoint & { __typename: string } => ({
  ...row,
  __typename: 'WebhookEndpoint',
  id: encodeId('WebhookEndpoint', row.id),
  uuid: row.id,
});

const shownDelivery = (row: DeliveryRow): WebhookDelivery => ({ ...row, id: encodeId('WebhookDelivery', row.id) });

/** The endpoint, or null. */
export async function loadEndpoint(context: Context, id: string): Promise<(WebhookEndpoint & { __typename: string }) | null> {
  const [row] = await readEndpoints(await context.reading(), [id]);
  return row ? shownEndpoint(row) : null;
}

@Resolver(() => WebhookEndpoint)
export class WebhookResolver {
  @Query(() => WebhookEndpoint, { description: 'A webhook endpoint, by its id.' })
  async webhookEndpoint(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the endpoint.' }) id: string): Promise<WebhookEndpoint> {
    const endpoint = await loadEndpoint(context, decodeId('WebhookEndpoint', id));
    if (!endpoint) throw new NotFound('webhook endpoint');
    return endpoint;
  }

  @Query(() => WebhookEndpointConnection, { description: 'The webhook endpoints of the organization, of which it may have 10, the newest first.' })
  async webhookEndpoints(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<WebhookEndpoint>> {
    const before = after ? decodeCursor(after, 'webhook endpoints', 1)[0]! : null;
    const rows = await listEndpoints(await context.reading(), checkFirst(first) + 1, before);
    return pageOf(rows, first, (row) => ['webhook endpoints', row.id], shownEndpoint);
  }

  @Mutation(() => CreateWebhookEndpointPayload, {
    description: 'Registers a URL that events of the organization are sent to from now on, and makes the secret that they are signed with.',
  })
  createWebhookEndpoint(
    @Ctx() context: Context,
    @Arg('input', () => CreateWebhookEndpointInput, { description: 'Where to send events.' }) input: CreateWebhookEndpointInput,
  ): Promise<CreateWebhookEndpointPayload> {
    return payload<CreateWebhookEndpointPayload>(
      async () => {
        const { id, secret } = await context.write((app, viewer) => createWebhookEndpoint(app, viewer, input));
        return { webhookEndpoint: await loadEndpoint(context, id), secret };
      },
      { webhookEndpoint: null, secret: null },
    );
  }

  @Mutation(() => DeleteWebhookEndpointPayload, {
    description: 'Removes a webhook endpoint, its secret and the list of its deliveries. Nothing more is sent to it.',
  })
  deleteWebhookEndpoint(
    @Ctx() context: Context,
    @Arg('input', () => DeleteWebhookEndpointInput, { description: 'Which endpoint.' }) { id }: DeleteWebhookEndpointInput,
  ): Promise<DeleteWebhookEndpointPayload> {
    return payload<DeleteWebhookEndpointPayload>(
      async () => {
        await context.write((app, viewer) => deleteWebhookEndpoint(app, viewer, decodeId('WebhookEndpoint', id)));
        return { deletedId: id };
      },
      { deletedId: null },
    );
  }

  @Mutation(() => SendTestEventPayload, { description: 'Sends an event of the type `webhook.test` to one endpoint, once, to try it out.' })
  sendTestEvent(
    @Ctx() context: Context,
    @Arg('input', () => SendTestEventInput, { description: 'Which endpoint.' }) { endpointId }: SendTestEventInput,
  ): Promise<SendTestEventPayload> {
    return payload<SendTestEventPayload>(
      async () => {
        const id = await context.write((app, viewer) => sendTestEvent(app, viewer, decodeId('WebhookEndpoint', endpointId)));
        const row = await readDelivery(await context.reading(), id);
        return { delivery: row ? shownDelivery(row) : null };
      },
      { delivery: null },
    );
  }

  @FieldResolver(() => WebhookDeliveryConnection, { description: 'What was or is to be delivered to it, the newest first.' })
  async deliveries(
    @Ctx() context: Context,
    @Root() { uuid }: WebhookEndpoint,
    @Args(() => PageArgs) { first, after }: PageArgs,
  ): Promise<Page<WebhookDelivery>> {
    const before = after ? decodeCursor(after, 'deliveries', 1)[0]! : null;
    const rows = await listDeliveries(await context.reading(), uuid, checkFirst(first) + 1, before);
    return pageOf(rows, first, (row) => ['deliveries', row.id], shownDelivery);
  }
}
