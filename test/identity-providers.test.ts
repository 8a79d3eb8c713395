// Signing in at an identity provider: a real one in a process of its own, and others that lie, hang or are not there.
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT, UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import type { ReinstateError } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { encodeId } from '../src/schema/common.ts';
import { runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { openMailbox } from './mailbox.ts';
import { browse, client, redirectUrl, startOidc } from './oidc-server.ts';
import { emailOf, type OrganizationName } from './people.ts';

const admin = emailOf('Admin', 'Riverside Club');
const settings = { IDENTITY_ALLOW_PRIVATE: 'true', IDENTITY_TIMEOUT_SECONDS: '1' };

const codes = (payload: { userErrors: readonly { code: string }[] }) => payload.userErrors.map(({ code }) => code);

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it succeeded',
    (error: ReinstateError) => error.code,
  );

/** Registers the provider as Super admin. @returns its id */
async function register(world: World, issuer: string, organization: OrganizationName = 'Riverside Club'): Promise<string> {
  const superAdmin = await world.as('Super admin', organization);
  const { createIdentityProvider } = await superAdmin.request(sdk.CreateIdentityProviderDocument, { input: { name: 'Login', issuer, redirectUrl, ...client } });
  expect(createIdentityProvider.userErrors).toEqual([]);
  return createIdentityProvider.identityProvider!.id;
}

const begin = async (
  world: World,
  providerId: string,
  fresh = false,
  organization: OrganizationName = 'Riverside Club',
  invitationToken: string | null = null,
) =>
  (
    await world.client().request(sdk.StartProviderSignInDocument, {
      input: { organizationId: encodeId('Organization', world.organizationId(organization)), providerId, fresh, invitationToken },
    })
  ).startProviderSignIn;

const complete = async (world: World, challenge: string, callbackUrl: string) =>
  (await world.client().request(sdk.CompleteProviderSignInDocument, { input: { challenge, callbackUrl } })).completeProviderSignIn;

/** From the first click to the tokens, under the name at the provider. */
async function signIn(world: World, providerId: string, name: string, fresh = false, organization: OrganizationName = 'Riverside Club') {
  const { url, challenge } = await begin(world, providerId, fresh, organization);
  return complete(world, challenge!, await browse(url!, name));
}

test('staff sign in at the provider of their organization, and nobody of another comes in by it', async () => {
  await using oidc = await startOidc();
  await using mailbox = await openMailbox();
  await using world = await createWorld({ settings: { ...settings, ...mailbox.settings } });
  const providerId = await register(world, oidc.issuer);
  const first = await signIn(world, providerId, admin);
  expect((await world.client(first.accessToken!).request(sdk.ViewerDocument)).viewer).toMatchObject({ email: admin, roles: ['Admin'], kind: 'STAFF' });
  expect((await world.client().request(sdk.RefreshSessionDocument, { input: { refreshToken: first.refreshToken! } })).refreshSession.userErrors).toEqual([]);

  // Known by the subject from now on, also under another address here.
  await world.owner.query(`update account set email = 'renamed@riverside.example' where email = $1`, [admin]);
  expect(codes(await signIn(world, providerId, admin))).toEqual([]);

  // An address that the provider has not verified, one that nobody has here, the address of someone of another organization.
  const strangers = [`unverified+${emailOf('Viewer', 'Riverside Club')}`, 'nobody@riverside.example', emailOf('Super admin', 'Hilltop Society')];
  for (const name of strangers) expect([name, codes(await signIn(world, providerId, name))]).toEqual([name, ['NO_ACCOUNT']]);
  await world.owner.query(`update staff_member set suspended_at = now() where email = $1`, [emailOf('Staff', 'Riverside Club')]);
  expect(codes(await signIn(world, providerId, emailOf('Staff', 'Riverside Club')))).toEqual(['NO_ACCOUNT']);

  // Another organization's provider is found under its own organization only, also when both are the same server.
  const theirs = await register(world, oidc.issuer, 'Hilltop Society');
  expect(await codeOf(begin(world, theirs))).toBe('NOT_FOUND');
  expect(codes(await signIn(world, theirs, 'renamed@riverside.example', false, 'Hilltop Society'))).toEqual(['NO_ACCOUNT']);

  // Who is invited joins by it with the link out of the email, and with that only: an address is in one organization.
  const superAdmin = await world.as('Super admin');
  const { roles } = await superAdmin.request(sdk.RolesDocument);
  const viewerRole = roles.find(({ name }) => name === 'Viewer')!.id;
  const newcomer = 'new@riverside.example';
  await superAdmin.request(sdk.InviteStaffMemberDocument, { input: { email: newcomer, name: 'New', roleIds: [viewerRole] } });
  await runJobs(world);
  const token = await mailbox.token();
  const joinAs = async (name: string, invitationToken: string | null) => {
    const { url, challenge } = await begin(world, providerId, false, 'Riverside Club', invitationToken);
    return complete(world, challenge!, await browse(url!, name));
  };
  expect(codes(await joinAs(newcomer, null))).toEqual(['NO_ACCOUNT']);
  expect(codes(await joinAs(`unverified+${newcomer}`, token))).toEqual(['NO_ACCOUNT']);
  expect(codes(await joinAs('else@riverside.example', token))).toEqual(['NO_ACCOUNT']);
  expect(codes(await begin(world, providerId, false, 'Riverside Club', `${token}x`))).toEqual(['INVITATION_OVER']);
  expect(codes(await begin(world, theirs, false, 'Hilltop Society', token))).toEqual(['INVITATION_OVER']);
  const joined = await joinAs(newcomer, token);
  expect((await world.client(joined.accessToken!).request(sdk.ViewerDocument)).viewer).toMatchObject({ name: 'New', roles: ['Viewer'] });
  const late = { token, password: 'a sentence that nobody knows' };
  expect(codes((await world.client().request(sdk.AcceptInvitationDocument, { input: late })).acceptInvitation)).toEqual(['INVITATION_OVER']);
  expect(codes(await signIn(world, providerId, newcomer))).toEqual([]);

  // Removed, it lets nobody in; the ones who are in stay.
  const { url, challenge } = await begin(world, providerId);
  const back = await browse(url!, admin);
  expect((await superAdmin.request(sdk.DeleteIdentityProviderDocument, { input: { id: providerId } })).deleteIdentityProvider.deletedId).toBe(providerId);
  expect(await codeOf(complete(world, challenge!, back))).toBe('NOT_FOUND');
  expect(await codeOf(begin(world, providerId))).toBe('NOT_FOUND');
  expect((await world.client(joined.accessToken!).request(sdk.ViewerDocument)).viewer.name).toBe('New');
  const { rows } = await world.owner.query(`select 1 from credential where provider_id like 'oidc/%' and provider_id not like '%' || $1`, [theirs]);
  expect(rows).toEqual([]);
});

test('a sign-in at a provider is a proof of identity only where it asked anew', async () => {
  await using oidc = await startOidc();
  await using world = await createWorld({ settings });
  const providerId = await register(world, oidc.issuer);
  const createRole = (token: string) =>
    world.client(token).request(sdk.CreateRoleDocument, { input: { name: `Role ${crypto.randomUUID()}`, description: 'For a test.', permissions: [] } });
  expect(await codeOf(createRole((await signIn(world, providerId, admin)).accessToken!))).toBe('PROOF_REQUIRED');
  const fresh = await signIn(world, providerId, admin, true);
  expect(codes((await createRole(fresh.accessToken!)).createRole)).toEqual([]);
});

test('a return that is forged, repeated, or meant for another sign-in is refused', async () => {
  await using oidc = await startOidc();
  await using world = await createWorld({ settings });
  const providerId = await register(world, oidc.issuer);
  const [one, two] = [await begin(world, providerId), await begin(world, providerId)];
  const back = await browse(one.url!, admin);
  // Of another sign-in: state, nonce and verifier differ.
  expect(codes(await complete(world, two.challenge!, back))).toEqual(['PROVIDER_FAILED']);
  for (const bad of ['', 'nonsense', `${one.challenge}x`, await world.token('Admin')])
    expect(codes(await complete(world, bad, back))).toEqual(['CHALLENGE_EXPIRED']);
  const elsewhere = back.replace(redirectUrl, 'https://thief.example/signed-in');
  const changed = (name: string, value: string) => {
    const url = new URL(back);
    url.searchParams.set(name, value);
    return url.href;
  };
  for (const bad of [
    elsewhere,
    redirectUrl,
    `${redirectUrl}?error=access_denied`,
    'no address',
    changed('code', 'x'),
    changed('state', 'x'),
    changed('iss', 'https://thief.example'),
  ])
    expect([bad, codes(await complete(world, (await begin(world, providerId)).challenge!, bad))]).toEqual([bad, ['PROVIDER_FAILED']]);
  expect(codes(await complete(world, one.challenge!, back))).toEqual([]);
  expect(codes(await complete(world, one.challenge!, back))).toEqual(['PROVIDER_FAILED']);
  const { rows } = await world.owner.query(`select 1 from session s join account a on a.id = s.account_id where a.email = $1`, [admin]);
  // The token above, and the one sign-in that was right.
  expect(rows.length).toBe(2);
});

test('a provider that is not there, hangs or answers garbage lets nobody in, and is told apart by nothing', async () => {
  await using world = await createWorld({ settings });
  const answers: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
    html: (_request, response) => void response.setHeader('content-type', 'text/html').end('<h1>Welcome</h1>'),
    'broken JSON': (_request, response) => void response.setHeader('content-type', 'application/json').end('{"issuer":'),
    'an error': (_request, response) => void response.writeHead(500).end(),
    'another issuer': (_request, response) =>
      void response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ issuer: 'https://other.example', authorization_endpoint: 'https://other.example/a' })),
    'a redirect': (_request, response) => void response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
    'two megabytes': (_request, response) => void response.setHeader('content-type', 'application/json').end(`{"issuer":"${'x'.repeat(2 << 20)}"}`),
    'a null document': (_request, response) => void response.setHeader('content-type', 'application/json').end('null'),
    'a hang': () => {},
    'half an answer': (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' }).write('{');
      response.destroy();
    },
  };
  let answer = answers['html']!;
  const server = createServer((request, response) => answer(request, response)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const providerId = await register(world, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (const [what, how] of Object.entries(answers)) {
      answer = how;
      expect([what, codes(await begin(world, providerId))]).toEqual([what, ['PROVIDER_FAILED']]);
    }
    const closed = once(server, 'close');
    server.closeAllConnections();
    server.close();
    await closed;
    expect(codes(await begin(world, providerId))).toEqual(['PROVIDER_FAILED']);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

/** What an id token may be wrong in, and still look right. */
type Bend = (claims: JWTPayload, sign: (claims: JWTPayload) => Promise<string>) => Promise<string>;

test('an id token that is not signed, signed by another, for another, of another time or of another sign-in lets nobody in', async () => {
  await using world = await createWorld({ settings });
  const { privateKey, publicKey } = await generateKeyPair('RS256');
  const other = await generateKeyPair('RS256');
  const sign = (claims: JWTPayload, key = privateKey) => new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'one' }).sign(key);
  let issuer = '';
  let nonce = '';
  let bend: Bend = (claims) => sign(claims);
  const json = (response: ServerResponse, value: unknown) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(value));
  const server = createServer((request, response) => void handle(request, response)).listen(0, '127.0.0.1');
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    if (request.url?.startsWith('/.well-known/'))
      return json(response, {
        issuer,
        authorization_endpoint: `${issuer}/auth`,
        token_endpoint: `${issuer}/token`,
        jwks_uri: `${issuer}/keys`,
        id_token_signing_alg_values_supported: ['RS256'],
      });
    if (request.url === '/keys') return json(response, { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }] });
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: issuer, aud: client.clientId, sub: 'someone', email: admin, email_verified: true, iat: now, exp: now + 60, nonce };
    return json(response, { access_token: 'x', token_type: 'bearer', expires_in: 60, id_token: await bend(claims, sign) });
  };
  await once(server, 'listening');
  try {
    issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const providerId = await register(world, issuer);
    const attempt = async (): Promise<string[]> => {
      const { url, challenge } = await begin(world, providerId);
      const asked = new URL(url!).searchParams;
      nonce = asked.get('nonce')!;
      return codes(await complete(world, challenge!, `${redirectUrl}?code=x&state=${asked.get('state')}`));
    };
    const bends: Record<string, Bend> = {
      unsigned: (claims) => Promise.resolve(new UnsecuredJWT(claims).encode()),
      'signed by another': (claims) => sign(claims, other.privateKey),
      'for another': (claims) => sign({ ...claims, aud: 'another' }),
      'of another issuer': (claims) => sign({ ...claims, iss: 'https://other.example' }),
      'of another time': (claims) => sign({ ...claims, exp: claims.exp! - 3600, iat: claims.iat! - 3600 }),
      'of another sign-in': (claims) => sign({ ...claims, nonce: 'another' }),
      'without a subject': (claims) => sign({ ...claims, sub: undefined as unknown as string }),
      'no token': () => Promise.resolve('nonsense'),
    };
    for (const [what, how] of Object.entries(bends)) {
      bend = how;
      expect([what, await attempt()]).toEqual([what, ['PROVIDER_FAILED']]);
    }
    // A word in place of the truth value is no verification.
    bend = (claims) => sign({ ...claims, email_verified: 'true' });
    expect(await attempt()).toEqual(['NO_ACCOUNT']);
    bend = (claims) => sign(claims);
    expect(await attempt()).toEqual([]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
});

test('only addresses of the public internet can be registered, nothing is shown of the secret, and there are five at most', async () => {
  await using world = await createWorld();
  const superAdmin = await world.as('Super admin');
  const create = async (issuer: string, change: Partial<sdk.CreateIdentityProviderInput> = {}) =>
    (await superAdmin.request(sdk.CreateIdentityProviderDocument, { input: { name: 'Login', issuer, redirectUrl, ...client, ...change } }))
      .createIdentityProvider;
  expect(codes(await create('http://login.example'))).toEqual(['INSECURE_URL']);
  for (const address of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '[::1]', '[::ffff:127.0.0.1]'])
    expect([address, codes(await create(`https://${address}`))]).toEqual([address, ['PRIVATE_ADDRESS']]);
  for (const bad of ['nonsense', 'ftp://login.example', 'https://']) expect(codes(await create(bad))).toEqual(['INVALID_URL']);
  expect(codes(await create(''))).toEqual(['VALUE_MISSING']);
  expect(codes(await create('https://user:word@login.example'))).toEqual(['CREDENTIALS_IN_URL']);
  expect(codes(await create('https://login.example', { redirectUrl: 'http://club.example' }))).toEqual(['INSECURE_URL']);
  expect(codes(await create('https://login.example', { clientSecret: '' }))).toEqual(['VALUE_MISSING']);
  // Its name leads to this very machine: seen when it is connected to.
  const { identityProvider } = await create('https://localhost');
  expect(codes(await begin(world, identityProvider!.id))).toEqual(['PROVIDER_FAILED']);
  const { rows } = await world.owner.query<{ row: string }>('select p::text as row from identity_provider p');
  expect(rows[0]!.row).not.toContain(Buffer.from(client.clientSecret).toString('hex'));
  const more = await Promise.all(Array.from({ length: 8 }, () => create('https://login.example')));
  expect(more.filter(({ userErrors }) => userErrors.length === 0).length).toBe(4);
  expect((await superAdmin.request(sdk.IdentityProvidersDocument)).identityProviders.length).toBe(5);
  // It could say that it is a Super admin, so whoever is less than that registers none.
  const { createIdentityProvider } = await (
    await world.as('Admin')
  ).request(sdk.CreateIdentityProviderDocument, {
    input: { name: 'Login', issuer: 'https://login.example', redirectUrl, ...client },
  });
  expect(codes(createIdentityProvider)).toEqual(['CANNOT_GRANT']);
  expect(await codeOf((await world.as('Staff')).request(sdk.IdentityProvidersDocument))).toBe('FORBIDDEN');
  const theirs = (await (await world.as('Super admin', 'Hilltop Society')).request(sdk.IdentityProvidersDocument)).identityProviders;
  expect(theirs).toEqual([]);
});
