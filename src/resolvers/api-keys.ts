// API keys: making, listing and revoking them.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { type ApiKeyRow, createApiKey, listApiKeys, readApiKeys, revokeApiKey } from '../domain/api-keys.ts';
import { NotFound } from '../errors.ts';
import { ApiKey, ApiKeyConnection, CreateApiKeyInput, CreateApiKeyPayload, RevokeApiKeyInput, RevokeApiKeyPayload } from '../schema/api-keys.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { Tag } from '../schema/references.ts';
import { describedGroups } from '../schema/sessions.ts';
import { grantsOf, scopeTags } from './staff.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';

const shownKey = (row: ApiKeyRow): ApiKey & { __typename: string } => ({
  ...row,
  __typename: 'ApiKey',
  id: encodeId('ApiKey', row.id),
  scope: row.tagScope,
  hiddenFields: describedGroups(row.hiddenFields),
});

/** The key, or null. */
export async function loadApiKey(context: Context, id: string): Promise<(ApiKey & { __typename: string }) | null> {
  const [row] = await readApiKeys(await context.reading(), [id]);
  return row ? shownKey(row) : null;
}

@Resolver(() => ApiKey)
export class ApiKeyResolver {
  @Query(() => ApiKey, { description: 'An API key, by its id.' })
  async apiKey(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the key.' }) id: string): Promise<ApiKey> {
    const key = await loadApiKey(context, decodeId('ApiKey', id));
    if (!key) throw new NotFound('API key');
    return key;
  }

  @Query(() => ApiKeyConnection, { description: 'The API keys of the organization, the newest first, revoked ones included.' })
  async apiKeys(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<ApiKey>> {
    const before = after ? decodeCursor(after, 'api keys', 1)[0]! : null;
    const rows = await listApiKeys(await context.reading(), checkFirst(first) + 1, before);
    return pageOf(rows, first, (row) => ['api keys', row.id], shownKey);
  }

  @FieldResolver(() => [Tag], {
    nullable: true,
    description: 'The tags whose contacts it is limited to, by name; null: it has no limit. A tag that is gone is left out, and widens nothing.',
  })
  tagScope(@Ctx() context: Context, @Root() { scope }: ApiKey): Promise<Tag[] | null> {
    return scopeTags(context, scope);
  }

  @Mutation(() => CreateApiKeyPayload, { description: 'Makes an API key for an integration.' })
  createApiKey(
    @Ctx() context: Context,
    @Arg('input', () => CreateApiKeyInput, { description: 'The key.' }) input: CreateApiKeyInput,
  ): Promise<CreateApiKeyPayload> {
    return payload<CreateApiKeyPayload>(
      async () => {
        const { name, permissions, addresses, expiresAt } = input;
        const { id, key } = await context.write((app, viewer) =>
          createApiKey(app, viewer, { ...grantsOf(input), name, permissions, addresses: addresses ?? [], expiresAt: expiresAt ?? null }),
        );
        return { apiKey: await loadApiKey(context, id), key };
      },
      { apiKey: null, key: null },
    );
  }

  @Mutation(() => RevokeApiKeyPayload, { description: 'Revokes an API key: from its next request and event on it is none.' })
  revokeApiKey(
    @Ctx() context: Context,
    @Arg('input', () => RevokeApiKeyInput, { description: 'Which key.' }) input: RevokeApiKeyInput,
  ): Promise<RevokeApiKeyPayload> {
    return payload<RevokeApiKeyPayload>(
      async () => {
        const id = decodeId('ApiKey', input.id);
        await context.write((app, viewer) => revokeApiKey(app, viewer, id));
        return { apiKey: await loadApiKey(context, id) };
      },
      { apiKey: null },
    );
  }
}
