// Who people are: sessions and refresh tokens, second factors, passwords, invitations, proofs.
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';
import { expect, test } from 'vitest';
import type { Client, ReinstateError } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { encodeId } from '../src/schema/common.ts';
import { hire } from './custom-roles.ts';
import { contactId, deleteThem, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { openMailbox, parse } from './mailbox.ts';
import { emailOf, operatorEmail, password } from './people.ts';

const admin = emailOf('Super admin', 'Riverside Club');
const newPassword = 'a sentence that nobody else knows';

const signIn = async (world: World, email = admin, secret = password) =>
  (await world.client().request(sdk.SignInDocument, { input: { email, password: secret } })).signIn;

const refresh = async (world: World, refreshToken: string) =>
  (await world.client().request(sdk.RefreshSessionDocument, { input: { refreshToken } })).refreshSession;

const codes = (payload: { userErrors: readonly { code: string }[] }) => payload.userErrors.map(({ code }) => code);

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it succeeded',
    (error: ReinstateError) => error.code,
  );

const viewer = (world: World, token: string) => world.client(token).request(sdk.ViewerDocument);

/** What the log says of who signs in, the oldest first. */
async function logOf(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ said: string }>(
    `select concat_ws(' ', actor_name, action, code) as said from action_log order by occurred_at, id`,
  );
  return rows.map(({ said }) => said);
}

/** The code that an authenticator app shows (RFC 6238 with RFC 4226), from the URI that it was given. */
function appCode(uri: string, at = Date.now()): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const secret = new URL(uri).searchParams.get('secret')!.replaceAll('=', '');
  const bits = [...secret].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(at / 30_000)));
  const mac = createHmac('sha1', key).update(counter).digest();
  const number = mac.readUInt32BE(mac.at(-1)! & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, '0');
}

/** Codes that are right, and differ: the ones of this half minute, of the one before and of the next. */
const rightCodes = (uri: string) => [-30_000, 0, 30_000].map((shift) => appCode(uri, Date.now() + shift));
const wrongCode = (uri: string) =>
  ['000000', '000001', '000002', '000003'].find((code) => ![-2, -1, 0, 1, 2].some((step) => appCode(uri, Date.now() + step * 30_000) === code))!;

/** Turns on the second factor of whoever holds the token. */
async function addSecondFactor(world: World, token: string): Promise<{ uri: string; recoveryCodes: string[]; accessToken: string }> {
  const client = world.client(token);
  const { beginSecondFactor } = await client.request(sdk.BeginSecondFactorDocument, { input: { password } });
  const uri = beginSecondFactor.uri!;
  const { confirmSecondFactor } = await client.request(sdk.ConfirmSecondFactorDocument, { input: { code: appCode(uri) } });
  expect(codes(confirmSecondFactor)).toEqual([]);
  return { uri, recoveryCodes: beginSecondFactor.recoveryCodes!, accessToken: confirmSecondFactor.accessToken! };
}

/** As if the last proof of everyone were of long ago. */
const outdateProofs = (world: World) => world.owner.query(`update session set proven_at = now() - interval '1 hour'`);

test('a refresh token gives the next tokens once; used again, it ends the session for everyone who holds a token of it', async () => {
  await using world = await createWorld();
  const first = await signIn(world);
  const second = await refresh(world, first.refreshToken!);
  expect((await viewer(world, second.accessToken!)).viewer.email).toBe(admin);
  expect((await viewer(world, first.accessToken!)).viewer.email).toBe(admin);

  const replayed = await refresh(world, first.refreshToken!);
  expect(replayed).toMatchObject({ accessToken: null, refreshToken: null, userErrors: [{ code: 'REFRESH_FAILED' }] });
  for (const { accessToken } of [first, second]) expect(await codeOf(viewer(world, accessToken!))).toBe('UNAUTHENTICATED');
  expect(codes(await refresh(world, second.refreshToken!))).toEqual(['REFRESH_FAILED']);
  expect(await logOf(world)).toEqual(['Super admin of Riverside Club staff.signed_in', 'Super admin of Riverside Club session.refreshed REFRESH_TOKEN_REUSED']);
});

test('of a refresh token that two use at the same time, one is a thief: whoever comes second ends the session', async () => {
  await using world = await createWorld();
  const { refreshToken } = await signIn(world);
  const answers = await Promise.all([1, 2, 3, 4].map(() => refresh(world, refreshToken!)));
  expect(answers.filter(({ accessToken }) => accessToken).length).toBe(1);
  expect(await codeOf(viewer(world, answers.find(({ accessToken }) => accessToken)!.accessToken!))).toBe('UNAUTHENTICATED');
  const { rows } = await world.owner.query('select 1 from session');
  expect(rows).toEqual([]);
});

test('a refresh token that is altered, of an ended session, of a suspended member or nonsense is refused in the same words', async () => {
  await using world = await createWorld();
  const { refreshToken, accessToken } = await signIn(world);
  const ended = await signIn(world, emailOf('Admin', 'Riverside Club'));
  await world.owner.query(`update session set expires_at = now() - interval '1 second' where account_id = (select id from account where email = $1)`, [
    emailOf('Admin', 'Riverside Club'),
  ]);
  const suspended = await signIn(world, emailOf('Staff', 'Riverside Club'));
  await world.owner.query('update staff_member set suspended_at = now() where email = $1', [emailOf('Staff', 'Riverside Club')]);
  const altered = `${refreshToken!.slice(0, -2)}${refreshToken!.at(-2) === 'A' ? 'B' : 'A'}${refreshToken!.at(-1)}`;
  const elsewhere = (await signIn(world, emailOf('Super admin', 'Hilltop Society'))).refreshToken!;
  // Its session under the name of another organization.
  const moved = `rir_${Buffer.concat([Buffer.from(refreshToken!.slice(4), 'base64url').subarray(0, 16), Buffer.from(elsewhere.slice(4), 'base64url').subarray(16)]).toString('base64url')}`;
  for (const bad of [altered, moved, ended.refreshToken!, suspended.refreshToken!, '', 'rir_', accessToken!, 'x'.repeat(10_000)])
    expect(await refresh(world, bad)).toMatchObject({ accessToken: null, userErrors: [{ code: 'REFRESH_FAILED' }] });
  expect(codes(await refresh(world, refreshToken!))).toEqual([]);
  expect(codes(await refresh(world, elsewhere))).toEqual([]);
});

test('sessions are listed, and ended one by one; nobody sees or ends those of others', async () => {
  await using world = await createWorld();
  const [here, there] = [await signIn(world), await signIn(world)];
  const mine = world.client(here.accessToken!);
  const { sessions } = await mine.request(sdk.SessionsDocument);
  expect(sessions.map(({ current, address }) => [current, address]).toSorted()).toEqual([
    [false, '127.0.0.1'],
    [true, '127.0.0.1'],
  ]);
  const other = sessions.find(({ current }) => !current)!;
  expect(new Date(other.expiresAt).getTime() - Date.now()).toBeGreaterThan(29 * 86_400_000);

  const stranger = await world.as('Admin');
  expect((await stranger.request(sdk.SessionsDocument)).sessions.length).toBe(1);
  expect(await codeOf(stranger.request(sdk.EndSessionsDocument, { input: { ids: [other.id] } }))).toBe('NOT_FOUND');
  expect((await viewer(world, there.accessToken!)).viewer.email).toBe(admin);

  // Both or none.
  expect(await codeOf(mine.request(sdk.EndSessionsDocument, { input: { ids: [other.id, encodeId('Session', crypto.randomUUID())] } }))).toBe('NOT_FOUND');
  const { endSessions } = await mine.request(sdk.EndSessionsDocument, { input: { ids: [other.id, other.id] } });
  expect(endSessions).toEqual({ endedCount: 1, userErrors: [] });
  expect(await codeOf(viewer(world, there.accessToken!))).toBe('UNAUTHENTICATED');
  expect(codes(await refresh(world, there.refreshToken!))).toEqual(['REFRESH_FAILED']);
  expect((await mine.request(sdk.ViewerDocument)).viewer.email).toBe(admin);

  // Signing out.
  const current = (await mine.request(sdk.SessionsDocument)).sessions[0]!;
  await mine.request(sdk.EndSessionsDocument, { input: { ids: [current.id] } });
  expect(await codeOf(mine.request(sdk.ViewerDocument))).toBe('UNAUTHENTICATED');
});

test('an open subscription of a session that was ended ends with its next event', async () => {
  await using world = await createWorld({ settings: { DELETE_AT_ONCE: '1', CHUNK_CONTACTS: '2' } });
  await fill(world, 6);
  const { accessToken } = await signIn(world);
  const events = world.client(accessToken!).subscribe(sdk.OrganizationJobsDocument);
  await events.next();
  await world.owner.query('delete from session where account_id = (select id from account where email = $1)', [admin]);
  const next = codeOf(events.next());
  await deleteThem(world, { contactIds: (await liveIds(world)).map(contactId) });
  expect(await next).toBe('UNAUTHENTICATED');
});

test('operators have sessions and second factors too, and staff never become operators by them', async () => {
  await using world = await createWorld();
  const operator = await signIn(world, operatorEmail);
  const next = await refresh(world, operator.refreshToken!);
  expect((await viewer(world, next.accessToken!)).viewer).toMatchObject({ kind: 'OPERATOR', email: operatorEmail });
  const { uri, accessToken } = await addSecondFactor(world, next.accessToken!);
  expect((await viewer(world, accessToken)).viewer.kind).toBe('OPERATOR');
  const { challenge } = await signIn(world, operatorEmail);
  const { completeSignIn } = await world.client().request(sdk.CompleteSignInDocument, { input: { challenge: challenge!, code: rightCodes(uri)[2]! } });
  expect((await viewer(world, completeSignIn.accessToken!)).viewer.kind).toBe('OPERATOR');
  const { rows } = await world.owner.query('select 1 from action_log');
  expect(rows).toEqual([]);
});

test('with a second factor the password alone lets nobody in; a code works once, a recovery code too', async () => {
  await using mailbox = await openMailbox();
  await using world = await createWorld({ settings: mailbox.settings });
  const before = await signIn(world);
  const { uri, recoveryCodes, accessToken } = await addSecondFactor(world, (await signIn(world)).accessToken!);
  expect(uri).toMatch(/^otpauth:\/\/totp\/Reinstate/);
  expect(recoveryCodes.length).toBeGreaterThanOrEqual(8);
  // What was signed in without it is over.
  expect(await codeOf(viewer(world, before.accessToken!))).toBe('UNAUTHENTICATED');
  expect((await viewer(world, accessToken)).viewer.email).toBe(admin);
  await runJobs(world);
  expect((await mailbox.read()).map(({ to, text }) => [to, text.split('\n')[0]])).toEqual([
    [admin, 'A second factor was added to your account: signing in asks for a code from now on.'],
  ]);

  const complete = async (challenge: string, code: string) =>
    (await world.client().request(sdk.CompleteSignInDocument, { input: { challenge, code } })).completeSignIn;
  const waiting = async () => {
    const { accessToken: none, refreshToken, challenge, userErrors } = await signIn(world);
    expect([none, refreshToken, userErrors]).toEqual([null, null, []]);
    return challenge!;
  };
  const one = await waiting();
  expect(await codeOf(viewer(world, one))).toBe('UNAUTHENTICATED');
  expect(codes(await complete(one, wrongCode(uri)))).toEqual(['CODE_WRONG']);
  expect(codes(await complete(one, '__proto__'))).toEqual(['CODE_WRONG']);
  const [, , right] = rightCodes(uri);
  const done = await complete(one, right!);
  expect((await viewer(world, done.accessToken!)).viewer.email).toBe(admin);
  // Neither the challenge nor the code works a second time.
  expect(codes(await complete(one, recoveryCodes[0]!))).toEqual(['CHALLENGE_EXPIRED']);
  expect(codes(await complete(await waiting(), right!))).toEqual(['CODE_WRONG']);
  expect(codes(await complete(await waiting(), recoveryCodes[0]!))).toEqual([]);
  expect(codes(await complete(await waiting(), recoveryCodes[0]!))).toEqual(['CODE_WRONG']);
  for (const bad of ['', 'nonsense', `${one}x`, done.accessToken!, `${await waiting()}`.replace(/\.[^.]+$/, '.AAAA')])
    expect(codes(await complete(bad, recoveryCodes[1]!))).toEqual(['CHALLENGE_EXPIRED']);
  expect((await logOf(world)).filter((line) => line.endsWith('CODE_WRONG')).length).toBe(4);

  // The secret and the codes are nowhere in the clear.
  const { rows } = await world.owner.query<{ row: string }>('select f::text as row from second_factor f');
  const secret = new URL(uri).searchParams.get('secret')!;
  for (const text of [secret, ...recoveryCodes]) expect(rows[0]!.row).not.toContain(text);

  // New recovery codes put the old ones out of use; without the factor the password is enough again.
  const client = world.client(done.accessToken!);
  const { renewRecoveryCodes } = await client.request(sdk.RenewRecoveryCodesDocument, { input: { password } });
  expect(codes(await complete(await waiting(), recoveryCodes[2]!))).toEqual(['CODE_WRONG']);
  expect(codes(await complete(await waiting(), renewRecoveryCodes.recoveryCodes![0]!))).toEqual([]);
  expect(codes((await client.request(sdk.RemoveSecondFactorDocument, { input: { password: 'wrong' } })).removeSecondFactor)).toEqual(['WRONG_PASSWORD']);
  expect(codes((await client.request(sdk.RemoveSecondFactorDocument, { input: { password } })).removeSecondFactor)).toEqual([]);
  expect((await signIn(world)).challenge).toBe(null);
});

test('the fifth wrong code ends a challenge, and the tenth in a row locks the codes of the account', async () => {
  await using world = await createWorld();
  const { uri, recoveryCodes } = await addSecondFactor(world, (await signIn(world)).accessToken!);
  const complete = async (challenge: string, code: string) =>
    codes((await world.client().request(sdk.CompleteSignInDocument, { input: { challenge, code } })).completeSignIn);
  for (const round of [1, 2]) {
    const { challenge } = await signIn(world);
    for (let attempt = 1; attempt <= 5; attempt++)
      expect([round, attempt, await complete(challenge!, wrongCode(uri))]).toEqual([round, attempt, ['CODE_WRONG']]);
    expect(await complete(challenge!, rightCodes(uri)[2]!)).not.toEqual([]);
  }
  const { challenge } = await signIn(world);
  expect(await complete(challenge!, rightCodes(uri)[2]!)).toEqual(['CODE_WRONG']);
  expect(await complete(challenge!, recoveryCodes[0]!)).toEqual(['CODE_WRONG']);
  await world.owner.query(`update second_factor set locked_until = now() - interval '1 second'`);
  const { challenge: later } = await signIn(world);
  expect(await complete(later!, rightCodes(uri)[2]!)).toEqual([]);
});

test('a second factor that was not confirmed asks for nothing, and setting one up takes the password', async () => {
  await using world = await createWorld();
  const client = world.client((await signIn(world)).accessToken!);
  const begin = async (secret: string) => (await client.request(sdk.BeginSecondFactorDocument, { input: { password: secret } })).beginSecondFactor;
  const confirm = async (code: string) => codes((await client.request(sdk.ConfirmSecondFactorDocument, { input: { code } })).confirmSecondFactor);
  expect(await confirm('123456')).toEqual(['SECOND_FACTOR_OFF']);
  expect(codes(await begin('wrong'))).toEqual(['WRONG_PASSWORD']);
  const { uri } = await begin(password);
  expect((await signIn(world)).challenge).toBe(null);
  expect(await confirm(wrongCode(uri!))).toEqual(['CODE_WRONG']);
  const again = await begin(password);
  expect(await confirm(appCode(again.uri!))).toEqual([]);
  expect(
    codes(
      (await world.client((await completed(world, again.uri!)).accessToken!).request(sdk.BeginSecondFactorDocument, { input: { password } })).beginSecondFactor,
    ),
  ).toEqual(['SECOND_FACTOR_ON']);
});

/** Signs in with the second factor. */
async function completed(world: World, uri: string) {
  const { challenge } = await signIn(world);
  return (await world.client().request(sdk.CompleteSignInDocument, { input: { challenge: challenge!, code: rightCodes(uri)[2]! } })).completeSignIn;
}

test('a forgotten password is chosen anew by a link that works once, and all sessions end; an unknown address gets the same answer and no mail', async () => {
  await using mailbox = await openMailbox();
  await using world = await createWorld({ settings: mailbox.settings });
  const { accessToken, refreshToken } = await signIn(world);
  const ask = async (email: string) => (await world.client().request(sdk.RequestPasswordResetDocument, { input: { email } })).requestPasswordReset;
  expect(await ask(` ${admin.toUpperCase()}`)).toEqual(await ask('nobody@riverside.example'));
  expect(codes(await ask('not an address'))).toEqual([]);
  // The email is sealed while it waits, address and link alike.
  const { rows } = await world.owner.query<{ payload: string }>('select payload::text from graphile_worker._private_jobs');
  expect(rows.length).toBe(1);
  expect(rows[0]!.payload).not.toMatch(/riverside|token=/);
  await runJobs(world);
  const [mail] = await mailbox.read();
  expect([mail!.to, mail!.subject, (await mailbox.read()).length]).toEqual([admin, 'Choose a new password', 1]);
  const token = await mailbox.token();

  const reset = async (given: string, chosen: string) =>
    codes((await world.client().request(sdk.ResetPasswordDocument, { input: { token: given, newPassword: chosen } })).resetPassword);
  expect(await reset(token, 'short')).toEqual(['PASSWORD_TOO_SHORT']);
  expect(await reset(token, 'x'.repeat(129))).toEqual(['PASSWORD_TOO_LONG']);
  for (const bad of ['', `${token}x`, accessToken!]) expect(await reset(bad, newPassword)).toEqual(['RESET_FAILED']);
  const answers = await Promise.all([reset(token, newPassword), reset(token, newPassword)]);
  expect(answers.toSorted()).toEqual([[], ['RESET_FAILED']]);
  expect(await codeOf(viewer(world, accessToken!))).toBe('UNAUTHENTICATED');
  expect(codes(await refresh(world, refreshToken!))).toEqual(['REFRESH_FAILED']);
  expect(codes(await signIn(world))).toEqual(['SIGN_IN_FAILED']);
  expect(codes(await signIn(world, admin, newPassword))).toEqual([]);
  await runJobs(world);
  expect((await mailbox.read()).at(-1)!.subject).toBe('How you sign in has changed');
  const log = await logOf(world);
  for (const entry of ['password.reset_requested', 'password.reset', 'password.reset RESET_FAILED'])
    expect(log).toContain(`Super admin of Riverside Club ${entry}`);
});

test('whoever signs in with a password while it is being changed is out when it is', async () => {
  await using world = await createWorld();
  for (let round = 0; round < 5; round++) {
    const before = round % 2 ? newPassword : password;
    const { accessToken } = await signIn(world, admin, before);
    const change = world
      .client(accessToken!)
      .request(sdk.ChangePasswordDocument, { input: { currentPassword: before, newPassword: round % 2 ? password : newPassword } });
    const others = await Promise.all(Array.from({ length: 8 }, () => signIn(world, admin, before)));
    const kept = (await change).changePassword.accessToken!;
    for (const other of others.filter((one) => one.accessToken)) expect(await codeOf(viewer(world, other.accessToken!))).toBe('UNAUTHENTICATED');
    expect((await viewer(world, kept)).viewer.email).toBe(admin);
    expect((await world.owner.query('select 1 from session where account_id = (select id from account where email = $1)', [admin])).rows.length).toBe(1);
  }
});

test('a pool that is full of refreshes holds up no change of the password', async () => {
  await using world = await createWorld({ settings: { POOL_SIZE: '4' } });
  const { accessToken, refreshToken } = await signIn(world);
  const change = codeOf(world.client(accessToken!).request(sdk.ChangePasswordDocument, { input: { currentPassword: password, newPassword } }));
  await Promise.all(Array.from({ length: 12 }, () => refresh(world, refreshToken!)));
  expect(['it succeeded', 'UNAUTHENTICATED']).toContain(await change);
});

test('a link of which the time is over does nothing', async () => {
  await using mailbox = await openMailbox();
  await using world = await createWorld({ settings: mailbox.settings });
  await world.client().request(sdk.RequestPasswordResetDocument, { input: { email: admin } });
  await runJobs(world);
  await world.owner.query(`update verification set expires_at = now() - interval '1 second'`);
  const { resetPassword } = await world.client().request(sdk.ResetPasswordDocument, { input: { token: await mailbox.token(), newPassword } });
  expect(codes(resetPassword)).toEqual(['RESET_FAILED']);
});

test('changing the password takes the old one and ends all other sessions', async () => {
  await using world = await createWorld();
  const [here, there] = [await signIn(world), await signIn(world)];
  const change = async (currentPassword: string, chosen: string) =>
    (await world.client(here.accessToken!).request(sdk.ChangePasswordDocument, { input: { currentPassword, newPassword: chosen } })).changePassword;
  expect(codes(await change('wrong', newPassword))).toEqual(['WRONG_PASSWORD']);
  expect(codes(await change(password, 'short'))).toEqual(['PASSWORD_TOO_SHORT']);
  expect((await viewer(world, there.accessToken!)).viewer.email).toBe(admin);
  const changed = await change(password, newPassword);
  expect((await viewer(world, changed.accessToken!)).viewer.email).toBe(admin);
  for (const { accessToken } of [here, there]) expect(await codeOf(viewer(world, accessToken!))).toBe('UNAUTHENTICATED');
  expect(codes(await refresh(world, changed.refreshToken!))).toEqual([]);
});

test('whoever is invited joins with the roles that were meant for them, by a link that works once', async () => {
  await using mailbox = await openMailbox();
  await using world = await createWorld({ settings: mailbox.settings });
  const superAdmin = await world.as('Super admin');
  const { roles } = await superAdmin.request(sdk.RolesDocument);
  const roleId = (name: string) => roles.find((role) => role.name === name)!.id;
  const invite = async (client: Client, email: string, roleIds: string[], name = 'Nora\u202e New') =>
    (await client.request(sdk.InviteStaffMemberDocument, { input: { email, name, roleIds } })).inviteStaffMember;
  const accept = async (token: string, name: string | null = null) =>
    (await world.client().request(sdk.AcceptInvitationDocument, { input: { token, name, password: newPassword } })).acceptInvitation;

  const { invitation } = await invite(superAdmin, 'Nora@Example.org', [roleId('Staff'), roleId('Viewer')]);
  expect(invitation).toMatchObject({ email: 'nora@example.org', name: 'Nora\u202e New', acceptedAt: null });
  await runJobs(world);
  const [mail] = await mailbox.read();
  expect([mail!.to, mail!.subject]).toEqual(['nora@example.org', 'You are invited to Riverside Club']);
  const token = await mailbox.token();
  expect(codes((await world.client().request(sdk.AcceptInvitationDocument, { input: { token, password: 'short' } })).acceptInvitation)).toEqual([
    'PASSWORD_TOO_SHORT',
  ]);
  const [one, two] = await Promise.all([accept(token, 'Nora Newton'), accept(token, 'Nora Newton')]);
  expect([codes(one!), codes(two!)].toSorted()).toEqual([[], ['INVITATION_OVER']]);
  const joined = await viewer(world, (one!.accessToken ?? two!.accessToken)!);
  expect(joined.viewer).toMatchObject({
    kind: 'STAFF',
    name: 'Nora Newton',
    email: 'nora@example.org',
    roles: ['Staff', 'Viewer'],
    organization: { name: 'Riverside Club' },
  });
  expect(codes(await signIn(world, 'nora@example.org', newPassword))).toEqual([]);
  expect((await superAdmin.request(sdk.InvitationDocument, { id: invitation!.id })).invitation.acceptedAt).not.toBe(null);

  // Whom is nobody, and whom one may not.
  expect(codes(await invite(superAdmin, 'nora@example.org', []))).toEqual(['ALREADY_STAFF']);
  for (const bad of ['', 'nobody', 'a@b', 'x@y.example\nBcc: all@example.org', 'müller@example.org', 'a@пример.рф'])
    expect(codes(await invite(superAdmin, bad, []))).toEqual(['INVALID_EMAIL']);
  expect(codes(await invite(superAdmin, 'x@example.org', [], ' '))).toEqual(['VALUE_MISSING']);
  const theirs = (await (await world.as('Super admin', 'Hilltop Society')).request(sdk.RolesDocument)).roles[0]!.id;
  expect(await codeOf(invite(superAdmin, 'x@example.org', [theirs]))).toBe('NOT_FOUND');
  const { client: manager } = await hire(world, 'staff:manage', 'roles:manage', 'staff:read');
  expect(codes(await invite(manager, 'x@example.org', [roleId('Super admin')]))).toEqual(['CANNOT_GRANT']);
  const { client: lesser } = await hire(world, 'staff:manage');
  expect(await codeOf(invite(lesser, 'x@example.org', []))).toBe('FORBIDDEN');

  // A newer invitation puts the older out of use; one that is taken back or has run out is worth nothing.
  await invite(superAdmin, 'olga@example.org', []);
  await runJobs(world);
  const older = await mailbox.token();
  const { invitation: newer } = await invite(superAdmin, 'olga@example.org', [roleId('Viewer')]);
  await runJobs(world);
  const newest = await mailbox.token();
  expect(codes(await accept(older))).toEqual(['INVITATION_OVER']);
  await superAdmin.request(sdk.RevokeInvitationDocument, { input: { id: newer!.id } });
  expect(codes(await accept(newest))).toEqual(['INVITATION_OVER']);
  await invite(superAdmin, 'olga@example.org', []);
  await runJobs(world);
  await world.owner.query(`update invitation set expires_at = now() - interval '1 second' where accepted_at is null`);
  expect(codes(await accept(await mailbox.token()))).toEqual(['INVITATION_OVER']);
  for (const bad of ['', `${newest}x`, (await signIn(world)).accessToken!]) expect(codes(await accept(bad))).toEqual(['INVITATION_OVER']);

  // Nobody comes in by an invitation of someone who was suspended since.
  const { token: inviter, id: inviterId } = await hire(world, 'staff:manage', 'roles:manage', 'staff:read');
  await invite(world.client(inviter), 'sleeper@example.org', []);
  await runJobs(world);
  await superAdmin.request(sdk.SuspendStaffMemberDocument, { input: { staffMemberId: encodeId('StaffMember', inviterId) } });
  expect(codes(await accept(await mailbox.token()))).toEqual(['INVITATION_OVER']);

  // Someone of another organization can't be in two: told to whoever has the mailbox, and to nobody else.
  const theirAdmin = emailOf('Admin', 'Hilltop Society');
  expect(codes(await invite(superAdmin, theirAdmin, []))).toEqual([]);
  await runJobs(world);
  expect(codes(await accept(await mailbox.token()))).toEqual(['EMAIL_TAKEN']);
  const { invitations } = await superAdmin.request(sdk.InvitationsDocument, { first: 1 });
  expect([invitations.nodes.length, invitations.pageInfo.hasNextPage]).toEqual([1, true]);
  expect(await codeOf((await world.as('Super admin', 'Hilltop Society')).request(sdk.RevokeInvitationDocument, { input: { id: newer!.id } }))).toBe(
    'NOT_FOUND',
  );
});

test('emails go out over a real mail server, and are sent again when it was away', async () => {
  const got: string[] = [];
  const server = new SMTPServer({
    disabledCommands: ['AUTH', 'STARTTLS'],
    onData(stream, _session, done) {
      let text = '';
      stream.on('data', (part: Buffer) => (text += part.toString()));
      stream.on('end', () => {
        got.push(text);
        done();
      });
    },
  });
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  const { port } = listening.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(resolve));
  await using world = await createWorld({ settings: { SMTP_URL: `smtp://127.0.0.1:${port}`, MAIL_FROM: 'Club <club@example.org>' } });
  await world.client().request(sdk.RequestPasswordResetDocument, { input: { email: admin } });
  await runJobs(world);
  expect(got).toEqual([]);
  const { rows } = await world.owner.query<{ error: string }>('select last_error as error from graphile_worker._private_jobs');
  expect(rows[0]!.error).toContain('ESOCKET');
  expect(rows[0]!.error).not.toContain(admin);

  const second = new SMTPServer({ disabledCommands: ['AUTH', 'STARTTLS'], onData: server.options.onData! });
  await once(second.listen(port, '127.0.0.1'), 'listening');
  await world.owner.query('update graphile_worker._private_jobs set run_at = now()');
  await runJobs(world);
  await new Promise<void>((resolve) => second.close(resolve));
  expect(got.map(parse).map(({ to, subject }) => [to, subject])).toEqual([[admin, 'Choose a new password']]);
  expect(got[0]).toContain('From: Club <club@example.org>');
});

test('what a stolen token must not be enough for takes a fresh proof of identity', async () => {
  await using world = await createWorld({ settings: { PROOF_DELETE_CONTACTS: '2' } });
  await fill(world, 6);
  const { accessToken } = await signIn(world);
  const client = world.client(accessToken!);
  const createRole = () =>
    client.request(sdk.CreateRoleDocument, { input: { name: `Role ${crypto.randomUUID()}`, description: 'For a test.', permissions: [] } });
  const ids = (await liveIds(world)).map(contactId);
  const deleteSome = async (count: number) => {
    const input = { contactIds: ids.splice(0, count) };
    const { contactDeletionPreview } = await client.request(sdk.ContactDeletionPreviewDocument, { input });
    return client.request(sdk.DeleteContactsDocument, { input: { ...input, confirmation: contactDeletionPreview.confirmation!, reason: 'Left' } });
  };
  const prove = async (proof: sdk.ProveIdentityInput) => (await client.request(sdk.ProveIdentityDocument, { input: proof })).proveIdentity;

  // Signing in is one.
  expect(codes((await createRole()).createRole)).toEqual([]);
  await outdateProofs(world);
  expect(await codeOf(createRole())).toBe('PROOF_REQUIRED');
  expect(codes((await deleteSome(2)).deleteContacts)).toEqual([]);
  expect(await codeOf(deleteSome(3))).toBe('PROOF_REQUIRED');
  // Nor in small steps.
  expect(await codeOf(deleteSome(1))).toBe('PROOF_REQUIRED');
  expect((await liveIds(world)).length).toBe(4);
  expect(codes(await prove({ password: 'wrong' }))).toEqual(['PROOF_FAILED']);
  expect(codes(await prove({}))).toEqual(['PROOF_FAILED']);
  expect(await codeOf(createRole())).toBe('PROOF_REQUIRED');
  const proven = await prove({ password });
  expect(new Date(proven.provenUntil!).getTime() - Date.now()).toBeGreaterThan(14 * 60_000);
  expect(codes((await createRole()).createRole)).toEqual([]);

  // With a second factor it takes a code, and the password is none. A refreshed session is no more proven than before.
  const { uri, accessToken: next } = await addSecondFactor(world, accessToken!);
  await outdateProofs(world);
  const other = world.client(next);
  const proveWith = async (proof: sdk.ProveIdentityInput, as = other) => codes((await as.request(sdk.ProveIdentityDocument, { input: proof })).proveIdentity);
  expect(await proveWith({ password })).toEqual(['PROOF_FAILED']);
  expect(await proveWith({ password, code: wrongCode(uri) })).toEqual(['PROOF_FAILED']);
  expect(await codeOf(other.request(sdk.RemoveSecondFactorDocument, { input: { password } }))).toBe('PROOF_REQUIRED');
  // Neither does a change of the password prove more than was proven.
  const { changePassword } = await other.request(sdk.ChangePasswordDocument, { input: { currentPassword: password, newPassword } });
  const changed = world.client(changePassword.accessToken!);
  expect(await codeOf(changed.request(sdk.RemoveSecondFactorDocument, { input: { password: newPassword } }))).toBe('PROOF_REQUIRED');
  const [, , code] = rightCodes(uri);
  expect(await proveWith({ code: code! }, changed)).toEqual([]);
  expect(await proveWith({ code: code! }, changed)).toEqual(['PROOF_FAILED']);
  const log = await logOf(world);
  expect(log).toContain('Super admin of Riverside Club createRole PROOF_REQUIRED');
  expect(log).toContain('Super admin of Riverside Club deleteContacts PROOF_REQUIRED');
});

test('an API key is no person: it has no password to change, no sessions, no second factor', async () => {
  await using world = await createWorld();
  const superAdmin = await world.as('Super admin');
  const { createApiKey } = await superAdmin.request(sdk.CreateApiKeyDocument, { input: { name: 'Key', permissions: ['contacts:read'] } });
  const key = world.client(createApiKey.key!);
  expect(await codeOf(key.request(sdk.SessionsDocument))).toBe('FORBIDDEN');
  expect(await codeOf(key.request(sdk.ChangePasswordDocument, { input: { currentPassword: password, newPassword } }))).toBe('FORBIDDEN');
  expect(await codeOf(key.request(sdk.BeginSecondFactorDocument, { input: { password } }))).toBe('FORBIDDEN');
  expect(await codeOf(key.request(sdk.ProveIdentityDocument, { input: { password } }))).toBe('FORBIDDEN');
});
