// Invitations: making, listing, taking back and accepting them.
import { Arg, Args, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { acceptInvitation, type InvitationRow, inviteStaffMember, listInvitations, readInvitations, revokeInvitation } from '../domain/invitations.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import {
  AcceptInvitationInput,
  AcceptInvitationPayload,
  Invitation,
  InvitationConnection,
  InviteStaffMemberInput,
  InviteStaffMemberPayload,
  RevokeInvitationInput,
  RevokeInvitationPayload,
} from '../schema/invitations.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { noTokens } from './sessions.ts';

const shownInvitation = (row: InvitationRow): Invitation & { __typename: string } => ({
  ...row,
  __typename: 'Invitation',
  id: encodeId('Invitation', row.id),
  roleIds: row.roleIds.map((id) => encodeId('Role', id)),
});

/** The invitation, or null. */
export async function loadInvitation(context: Context, id: string): Promise<(Invitation & { __typename: string }) | null> {
  const [row] = await readInvitations(await context.reading(), [id]);
  return row ? shownInvitation(row) : null;
}

@Resolver()
export class InvitationResolver {
  @Query(() => Invitation, { description: 'An invitation, by its id.' })
  async invitation(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the invitation.' }) id: string): Promise<Invitation> {
    const invitation = await loadInvitation(context, decodeId('Invitation', id));
    if (!invitation) throw new NotFound('invitation');
    return invitation;
  }

  @Query(() => InvitationConnection, { description: 'All invitations, the newest first, also those that are over.' })
  async invitations(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<Invitation>> {
    const before = after ? decodeCursor(after, 'invitations', 1)[0]! : null;
    const rows = await listInvitations(await context.reading(), checkFirst(first) + 1, before);
    return pageOf(rows, first, (row) => ['invitations', row.id], shownInvitation);
  }

  @Mutation(() => InviteStaffMemberPayload, {
    complexity: 1000,
    description: 'Invites someone to the staff by an email with a link; takes a fresh proof of identity, and holding what the roles hold.',
  })
  inviteStaffMember(
    @Ctx() context: Context,
    @Arg('input', () => InviteStaffMemberInput, { description: 'Whom, and as what.' }) { email, name, roleIds }: InviteStaffMemberInput,
  ): Promise<InviteStaffMemberPayload> {
    return payload<InviteStaffMemberPayload>(
      async () => {
        const roles = roleIds.map((id) => decodeId('Role', id));
        const id = await context.write((app, viewer) => inviteStaffMember(app, viewer, { email, name, roleIds: roles }));
        return { invitation: await loadInvitation(context, id) };
      },
      { invitation: null },
    );
  }

  @Mutation(() => RevokeInvitationPayload, { description: 'Takes an invitation back: its link is worth nothing.' })
  revokeInvitation(
    @Ctx() context: Context,
    @Arg('input', () => RevokeInvitationInput, { description: 'Which one.' }) input: RevokeInvitationInput,
  ): Promise<RevokeInvitationPayload> {
    return payload<RevokeInvitationPayload>(
      async () => {
        const id = decodeId('Invitation', input.id);
        await context.write((app, viewer) => revokeInvitation(app, viewer, id));
        return { invitation: await loadInvitation(context, id) };
      },
      { invitation: null },
    );
  }

  @Mutation(() => AcceptInvitationPayload, { complexity: 1000, description: 'Joins the staff of an organization, by the link of an invitation.' })
  acceptInvitation(
    @Ctx() { app, request }: Context,
    @Arg('input', () => AcceptInvitationInput, { description: 'The token, and who you are.' }) input: AcceptInvitationInput,
  ): Promise<AcceptInvitationPayload> {
    return payload<AcceptInvitationPayload>(() => acceptInvitation(app, request, input), noTokens);
  }
}
