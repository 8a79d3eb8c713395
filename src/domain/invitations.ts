// Invitations: how staff come in. Whoever has the link has the mailbox, chooses a password, and holds the roles that were meant
// for them, as far as those are still there.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { sql } from '../sql.ts';
import { type AccountRow, accountEmail, actorOf, hashPassword, isAccountEmail, transactFor } from './accounts.ts';
import { logAction } from './action-log.ts';
import type { App, From, Viewer } from './app.ts';
import { mustHold } from './grants.ts';
import { identity } from './identity.ts';
import { invitationMail, queueMail } from './mails.ts';
import { checkPassword } from './passwords.ts';
import { readRoles } from './roles.ts';
import { openSession, type Tokens } from './signing-in.ts';
import { requireText } from './text.ts';
import { readTicket, signTicket } from './tickets.ts';
import { organizationOf, write } from './writing.ts';

const longestName = 100;
/** How many invitations may wait in an organization, those of a day that are over included. */
const mostWaiting = 1000;

export interface InvitationRow {
  id: string;
  email: string;
  name: string;
  roleIds: string[];
  invitedByName: string;
  createdAt: Date;
  expiresAt: Date;
  acceptedAt: Date | null;
  revokedAt: Date | null;
}

const columns = sql`i.id, i.email, i.name, i.role_ids as "roleIds", i.invited_by_name as "invitedByName", i.created_at as "createdAt", i.expires_at as "expiresAt",
  i.accepted_at as "acceptedAt", i.revoked_at as "revokedAt"`;

export async function readInvitations(tx: Transaction, ids: readonly string[]): Promise<InvitationRow[]> {
  return tx.rows<InvitationRow>(sql`select ${columns} from invitation i where i.organization_id = ${tx.organizationId} and i.id = any(${ids}::uuid[])`);
}

/** The newest first; `before` is the id that the last page ended with. */
export async function listInvitations(tx: Transaction, limit: number, before: string | null): Promise<InvitationRow[]> {
  return tx.rows<InvitationRow>(sql`
    select ${columns} from invitation i where i.organization_id = ${tx.organizationId} ${before ? sql`and i.id < ${before}` : sql``} order by i.id desc limit ${limit}`);
}

/**
 * Invites someone to the staff, by an email with a link. An earlier invitation of the same address is revoked.
 * @returns the invitation's id
 * @throws NotFound for a role; Refusal CANNOT_GRANT, INVALID_EMAIL, ALREADY_STAFF, TOO_MANY_INVITATIONS and those of `requireText`
 */
export async function inviteStaffMember(app: App, viewer: Viewer, given: { email: string; name: string; roleIds: readonly string[] }): Promise<string> {
  const name = requireText(given.name, ['input', 'name'], longestName);
  const email = accountEmail(given.email);
  if (!isAccountEmail(email)) throw new Refusal('INVALID_EMAIL', 'This is not an email address. Nobody was invited. Correct it.', ['input', 'email']);
  const id = newId();
  await write(app, viewer, async (tx) => {
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`invitations/${tx.organizationId}`}, 0))`);
    const roleIds = [...new Set(given.roleIds)];
    const roles = await readRoles(tx, roleIds);
    if (roles.length < roleIds.length) throw new NotFound('role');
    mustHold(viewer, roles, ['input', 'roleIds']);
    const { staff, waiting } = (await tx.row<{ staff: boolean; waiting: number }>(sql`
      select exists (select 1 from staff_member where organization_id = ${tx.organizationId} and email = ${email}) as staff,
        (select count(*)::int from invitation where organization_id = ${tx.organizationId}
          and (accepted_at is null and revoked_at is null and expires_at > clock_timestamp() or created_at > clock_timestamp() - interval '1 day')) as waiting`))!;
    if (staff)
      throw new Refusal('ALREADY_STAFF', 'This address is a staff member’s. Nobody was invited. Give them other roles with assignRoles.', ['input', 'email']);
    if (waiting >= mostWaiting)
      throw new Refusal(
        'TOO_MANY_INVITATIONS',
        `${mostWaiting} invitations are waiting or are not a day old, which is as many as there may be. Nobody was invited. Revoke some, or wait.`,
      );
    await tx.run(sql`
      update invitation set revoked_at = clock_timestamp()
      where organization_id = ${tx.organizationId} and email = ${email} and accepted_at is null and revoked_at is null`);
    const { INVITATION_DAYS: days } = app.config;
    await tx.run(sql`
      insert into invitation (organization_id, id, email, name, role_ids, invited_by_id, invited_by_name, expires_at)
      values (${tx.organizationId}, ${id}, ${email}, ${name}, ${roleIds}::uuid[], ${viewer.id}, ${viewer.name}, clock_timestamp() + make_interval(days => ${days}))`);
    const token = await signTicket(app, 'invitation', { sub: id, org: tx.organizationId }, days * 1440);
    await queueMail(tx, app, invitationMail(app, email, { organization: organizationOf(viewer).name, by: viewer.name, token }));
    await logAction(tx, viewer, { action: 'staff.invited', target: { kind: 'Invitation', id } });
  });
  return id;
}

/** Takes an invitation back: its link is worth nothing. One that is over stays as it is. @throws NotFound */
export async function revokeInvitation(app: App, viewer: Viewer, id: string): Promise<void> {
  await write(app, viewer, async (tx) => {
    const revoked = await tx.run(sql`
      update invitation set revoked_at = clock_timestamp()
      where organization_id = ${tx.organizationId} and id = ${id} and accepted_at is null and revoked_at is null`);
    if (revoked.rowCount === 0) {
      if ((await readInvitations(tx, [id])).length === 0) throw new NotFound('invitation');
      return;
    }
    await logAction(tx, viewer, { action: 'staff.invitation_revoked', target: { kind: 'Invitation', id } });
  });
}

/**
 * Accepts an invitation: makes the staff member with its account and roles, and signs them in.
 * @throws Refusal INVITATION_OVER, EMAIL_TAKEN, PASSWORD_TOO_SHORT, PASSWORD_TOO_LONG and those of `requireText`
 */
export async function acceptInvitation(app: App, from: From, given: { token: string; name?: string | null | undefined; password: string }): Promise<Tokens> {
  checkPassword(given.password, ['input', 'password']);
  const ticket = await readTicket(app, 'invitation', given.token);
  if (!ticket) throw over();
  return transactFor(app, String(ticket['org']), async (tx) => {
    const invitation = await takeInvitation(tx, ticket.sub!);
    if (!invitation) throw over();
    const name = given.name == null ? invitation.name : requireText(given.name, ['input', 'name'], longestName);
    const account = await join(tx, { ...invitation, name }, from);
    const password = await hashPassword(given.password);
    await tx.run(
      sql`insert into credential (id, account_id, provider_id, subject, password) values (${newId()}, ${account.id}, 'credential', ${account.id}, ${password})`,
    );
    const { internalAdapter } = await identity(app, tx).$context;
    return openSession(app, tx, account, from, (await internalAdapter.createSession(account.id)).token);
  });
}

/** The id of the invitation that a token out of an email is for. @throws Refusal INVITATION_OVER when it is none of the organization's */
export async function invitationOf(app: App, organizationId: string, token: string): Promise<string> {
  const ticket = await readTicket(app, 'invitation', token);
  if (ticket?.['org'] !== organizationId) throw over();
  return ticket.sub!;
}

const over = () =>
  new Refusal(
    'INVITATION_OVER',
    'This invitation was used, taken back, has run out, or is none of ours. Nothing was made. Ask whoever invited you for another.',
    ['input', 'token'],
  );

/** The invitation, if it waits and whoever made it is still on the staff; from now on it is accepted. */
export async function takeInvitation(tx: Transaction, id: string): Promise<InvitationRow | undefined> {
  return tx.row<InvitationRow>(sql`
    update invitation i set accepted_at = clock_timestamp()
    where i.organization_id = ${tx.organizationId} and i.id = ${id} and i.accepted_at is null and i.revoked_at is null and i.expires_at > clock_timestamp()
      and exists (select 1 from staff_member s where s.organization_id = i.organization_id and s.id = i.invited_by_id and s.suspended_at is null)
    returning ${columns}`);
}

/** Makes the staff member and the account that were invited. @throws Refusal EMAIL_TAKEN */
export async function join(tx: Transaction, { id: invitationId, email, name, roleIds }: InvitationRow, from: From): Promise<AccountRow> {
  const account: AccountRow = { id: newId(), name, email, organizationId: tx.organizationId, staffMemberId: newId() };
  const made = await tx.run(sql`
    insert into account (id, name, email, organization_id, staff_member_id)
    values (${account.id}, ${name}, ${email}, ${tx.organizationId}, ${account.staffMemberId}) on conflict (email) do nothing`);
  if (made.rowCount === 0)
    throw new Refusal(
      'EMAIL_TAKEN',
      'This address has an account already, here or in another organization. Nothing was made. Ask to be invited under another address.',
      ['input', 'token'],
    );
  await tx.run(sql`
    insert into staff_member (organization_id, id, name, email) values (${tx.organizationId}, ${account.staffMemberId}, ${name}, ${email})`);
  await tx.run(sql`
    insert into staff_member_role (organization_id, staff_member_id, role_id)
    select organization_id, ${account.staffMemberId}, id from role where organization_id = ${tx.organizationId} and id = any(${roleIds}::uuid[])`);
  await logAction(tx, actorOf(account, from), { action: 'staff.joined', target: { kind: 'Invitation', id: invitationId } });
  return account;
}
