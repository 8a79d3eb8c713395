// Identity providers: registering, listing and removing them.
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { createProvider, deleteProvider, listProviders, type ProviderRow, readProviders } from '../domain/identity-providers.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import {
  CreateIdentityProviderInput,
  CreateIdentityProviderPayload,
  DeleteIdentityProviderInput,
  DeleteIdentityProviderPayload,
  IdentityProvider,
} from '../schema/identity-providers.ts';

const shownProvider = (row: ProviderRow): IdentityProvider & { __typename: string } => ({
  ...row,
  __typename: 'IdentityProvider',
  id: encodeId('IdentityProvider', row.id),
});

/** The provider, or null. */
export async function loadProvider(context: Context, id: string): Promise<(IdentityProvider & { __typename: string }) | null> {
  const [row] = await readProviders(await context.reading(), [id]);
  return row ? shownProvider(row) : null;
}

@Resolver()
export class IdentityProviderResolver {
  @Query(() => [IdentityProvider], { description: 'The identity providers of the organization by name, at most 5.' })
  async identityProviders(@Ctx() context: Context): Promise<IdentityProvider[]> {
    return (await listProviders(await context.reading())).map(shownProvider);
  }

  @Mutation(() => CreateIdentityProviderPayload, {
    description:
      'Registers an identity provider, where the staff of the organization can sign in from then on. It can say that it is any of them, so this takes holding every permission, without limits, and a fresh proof of identity.',
  })
  createIdentityProvider(
    @Ctx() context: Context,
    @Arg('input', () => CreateIdentityProviderInput, { description: 'The provider.' }) input: CreateIdentityProviderInput,
  ): Promise<CreateIdentityProviderPayload> {
    return payload<CreateIdentityProviderPayload>(
      async () => {
        const id = await context.write((app, viewer) => createProvider(app, viewer, input));
        return { identityProvider: await loadProvider(context, id) };
      },
      { identityProvider: null },
    );
  }

  @Mutation(() => DeleteIdentityProviderPayload, {
    description: 'Removes an identity provider: nobody comes in by it any more; sessions that it opened go on. Takes a fresh proof of identity.',
  })
  deleteIdentityProvider(
    @Ctx() context: Context,
    @Arg('input', () => DeleteIdentityProviderInput, { description: 'Which one.' }) input: DeleteIdentityProviderInput,
  ): Promise<DeleteIdentityProviderPayload> {
    return payload<DeleteIdentityProviderPayload>(
      async () => {
        const id = decodeId('IdentityProvider', input.id);
        await context.write((app, viewer) => deleteProvider(app, viewer, id));
        return { deletedId: input.id };
      },
      { deletedId: null },
    );
  }
}
