// Invitations to the staff, as the world sees them.
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { DateTime, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { Tokens } from './sessions.ts';

@ObjectType({ implements: Node, description: 'Someone who was asked by email to join the staff.' })
export class Invitation extends Node {
  @Field(() => String, { description: 'The address that the link went to, and that they sign in with.' })
  email!: string;

  @Field(() => String, { description: 'Their name, as whoever invited them wrote it.' })
  name!: string;

  @Field(() => [ID], { description: 'The ids of the roles that they are to hold; ones that were deleted since are left out when they join.' })
  roleIds!: string[];

  @Field(() => String, { description: 'The name of whoever invited them, at that time.' })
  invitedByName!: string;

  @Field(() => DateTime, { description: 'When they were invited.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'Until when the link works.' })
  expiresAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When they joined; null when they have not.' })
  acceptedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was taken back, also by a newer one to the same address; null when it was not.' })
  revokedAt!: Date | null;
}

export const InvitationConnection = connectionOf(Invitation, 'invitation', 'invitations');

@InputType({ description: 'Invites someone to the staff.' })
export class InviteStaffMemberInput {
  @Field(() => String, { description: 'Their address. The link goes there, and whoever has it may join.' })
  email!: string;

  @Field(() => String, { description: 'Their name, in at most 100 characters; they can correct it when they join.' })
  name!: string;

  @Field(() => [ID], { description: 'The ids of the roles that they are to hold: none that lets them do what you may not.' })
  roleIds!: string[];
}

@ObjectType({ description: 'The outcome of `inviteStaffMember`.' })
export class InviteStaffMemberPayload {
  @Field(() => Invitation, { nullable: true, description: 'The invitation; null when it was refused.' })
  invitation!: Invitation | null;

  @Field(() => [UserError], { description: 'Why nobody was invited; empty when the email goes out.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Takes an invitation back.' })
export class RevokeInvitationInput {
  @Field(() => ID, { description: 'The id of the invitation.' })
  id!: string;
}

@ObjectType({ description: 'The outcome of `revokeInvitation`.' })
export class RevokeInvitationPayload {
  @Field(() => Invitation, { nullable: true, description: 'The invitation as it is now; null when it was refused.' })
  invitation!: Invitation | null;

  @Field(() => [UserError], { description: 'Why it was not taken back; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Joins the staff of an organization.' })
export class AcceptInvitationInput {
  @Field(() => String, { description: 'The token in the link of the email. It works once.' })
  token!: string;

  @Field(() => String, { nullable: true, description: 'Your name, in at most 100 characters; the one in the invitation without it.' })
  name?: string | null;

  @Field(() => String, { description: 'The password that you choose, of 12 to 128 characters.' })
  password!: string;
}

@ObjectType({ description: 'The outcome of `acceptInvitation`: who joins is signed in.' })
export class AcceptInvitationPayload extends Tokens {}
