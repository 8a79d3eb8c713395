// Signing in, and who is signed in.
import { Arg, Ctx, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { readTags } from '../domain/references.ts';
import { signIn } from '../domain/sessions.ts';
import { catalogue, permissions } from '../permissions/catalogue.ts';
import { encodeId, payload } from '../schema/common.ts';
import { allFieldGroups } from '../permissions/field-groups.ts';
import { describedGroups, FieldGroupDescription, PermissionDescription, SignInInput, SignInPayload, Viewer, type ViewerKind } from '../schema/sessions.ts';
import { shownOrganization } from './organizations.ts';

@Resolver()
export class SessionResolver {
  @Mutation(() => SignInPayload, {
    complexity: 1000,
    description: 'Signs in with email and password. A wrong password and an unknown email get the same answer.',
  })
  signIn(
    @Ctx() { app, request }: Context,
    @Arg('input', () => SignInInput, { description: 'Who wants to sign in.' }) input: SignInInput,
  ): Promise<SignInPayload> {
    const from = { requestId: request.id, address: request.address, agent: request.agent };
    return payload<SignInPayload>(() => signIn(app, from, input.email, input.password), { accessToken: null, expiresAt: null });
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
