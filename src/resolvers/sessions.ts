// Signing in and out, and who is signed in.
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { readTags } from '../domain/references.ts';
import { completeProviderSignIn, startProviderSignIn } from '../domain/provider-sign-in.ts';
import { endSessions, listSessions } from '../domain/sessions.ts';
import { completeSignIn, refreshSession, signIn } from '../domain/signing-in.ts';
import { catalogue, permissions } from '../permissions/catalogue.ts';
import { allFieldGroups } from '../permissions/field-groups.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import {
  CompleteProviderSignInInput,
  CompleteProviderSignInPayload,
  CompleteSignInInput,
  CompleteSignInPayload,
  describedGroups,
  EndSessionsInput,
  EndSessionsPayload,
  FieldGroupDescription,
  PermissionDescription,
  RefreshSessionInput,
  RefreshSessionPayload,
  Session,
  SignInInput,
  SignInPayload,
  StartProviderSignInInput,
  StartProviderSignInPayload,
  Viewer,
  type ViewerKind,
} from '../schema/sessions.ts';
import { shownOrganization } from './organizations.ts';

/** What someone has who is not signed in. */
export const noTokens = { accessToken: null, expiresAt: null, refreshToken: null };

@Resolver()
export class SessionResolver {
  @Mutation(() => SignInPayload, {
    complexity: 1000,
    description:
      'Signs in with email and password. A wrong password and an unknown email get the same answer. After too many wrong ones at an account or from an address (10 and 100 within 15 minutes, where the server is not set otherwise), all are refused with `TOO_MANY_ATTEMPTS` until that time is over, the right one, too.',
  })
  signIn(
    @Ctx() { app, request }: Context,
    @Arg('input', () => SignInInput, { description: 'Who wants to sign in.' }) input: SignInInput,
  ): Promise<SignInPayload> {
    return payload<SignInPayload>(
      async () => {
        const { tokens = noTokens, challenge = null } = await signIn(app, request, input.email, input.password);
        return { ...tokens, challenge };
      },
      { ...noTokens, challenge: null },
    );
  }

  @Mutation(() => CompleteSignInPayload, { complexity: 1000, description: 'Completes a sign-in that waits for a second factor.' })
  completeSignIn(
    @Ctx() { app, request }: Context,
    @Arg('input', () => CompleteSignInInput, { description: 'The challenge, and a code.' }) { challenge, code }: CompleteSignInInput,
  ): Promise<CompleteSignInPayload> {
    return payload<CompleteSignInPayload>(() => completeSignIn(app, request, challenge, code), noTokens);
  }

  @Mutation(() => StartProviderSignInPayload, {
    complexity: 1000,
    description: 'Begins a sign-in at an identity provider of an organization: send the browser to `url`, and keep the challenge.',
  })
  startProviderSignIn(
    @Ctx() { app }: Context,
    @Arg('input', () => StartProviderSignInInput, { description: 'Where.' }) { organizationId, providerId, fresh, invitationToken }: StartProviderSignInInput,
  ): Promise<StartProviderSignInPayload> {
    return payload<StartProviderSignInPayload>(
      () =>
        startProviderSignIn(app, {
          organizationId: decodeId('Organization', organizationId),
          providerId: decodeId('IdentityProvider', providerId),
          fresh: fresh ?? false,
          token: invitationToken ?? undefined,
        }),
      { url: null, challenge: null },
    );
  }

  @Mutation(() => CompleteProviderSignInPayload, {
    complexity: 1000,
    description:
      'Completes a sign-in at an identity provider. Who signs in is the member of staff that the provider has named before, or the one with the address that it has verified, or joins by the link of an invitation to that address.',
  })
  completeProviderSignIn(
    @Ctx() { app, request }: Context,
    @Arg('input', () => CompleteProviderSignInInput, { description: 'The challenge, and where the browser has come back to.' })
    { challenge, callbackUrl }: CompleteProviderSignInInput,
  ): Promise<CompleteProviderSignInPayload> {
    return payload<CompleteProviderSignInPayload>(() => completeProviderSignIn(app, request, challenge, callbackUrl), noTokens);
  }

  @Mutation(() => RefreshSessionPayload, {
    complexity: 100,
    description: 'Gives new tokens for a refresh token, which is used up by that. Using one twice ends the session.',
  })
  refreshSession(
    @Ctx() { app, request }: Context,
    @Arg('input', () => RefreshSessionInput, { description: 'The refresh token.' }) input: RefreshSessionInput,
  ): Promise<RefreshSessionPayload> {
    return payload<RefreshSessionPayload>(() => refreshSession(app, request, input.refreshToken), noTokens);
  }

  @Query(() => [Session], { description: 'Your sessions that have not ended, the one that was refreshed last first; a hundred at most.' })
  async sessions(@Ctx() context: Context): Promise<Session[]> {
    const rows = await context.write(listSessions);
    return rows.map((row) => ({ ...row, id: encodeId('Session', row.id) }));
  }

  @Mutation(() => EndSessionsPayload, { description: 'Ends sessions of yours: no token of theirs is worth anything from the next request and event on.' })
  endSessions(
    @Ctx() context: Context,
    @Arg('input', () => EndSessionsInput, { description: 'Which ones.' }) input: EndSessionsInput,
  ): Promise<EndSessionsPayload> {
    return payload<EndSessionsPayload>(
      async () => {
        const ids = input.ids.map((id) => decodeId('Session', id));
        await context.write((app, viewer) => endSessions(app, viewer, ids));
        return { endedCount: new Set(ids).size };
      },
      { endedCount: null },
    );
  }

  @Query(() => Viewer, { description: 'Who is signed in, with what they may do at this moment.' })
  async viewer(@Ctx() context: Context): Promise<Viewer> {
    const { kind, id, name, email, organization, roles, permissions, hidden, scope } = await context.viewer();
    return {
      name,
      email,
      roles: [...roles],
      permissions: [...permissions].sort(),
      hiddenFields: [...hidden],
      tagScope: scope && (await readTags(await context.reading(), scope.tags)).map((tag) => tag.name),
      kind: kind as keyof typeof ViewerKind,
      id: organization && encodeId(kind === 'STAFF' ? 'StaffMember' : 'ApiKey', id),
      organization: organization && shownOrganization(organization),
    };
  }

  @Query(() => [FieldGroupDescription], { description: 'Every group of a contact’s fields that a role can hide, in human words.' })
  fieldGroupCatalogue(): FieldGroupDescription[] {
    return describedGroups(allFieldGroups);
  }

  @Query(() => [PermissionDescription], { description: 'Every permission there is, in human words.' })
  permissionCatalogue(): PermissionDescription[] {
    return permissions.map((permission) => ({ permission, title: catalogue[permission][0], description: catalogue[permission][1] }));
  }
}
