// Signing in, and what tokens are worth on HTTP and on WebSocket.
import { once } from 'node:events';
import { parse } from 'graphql';
import { decodeJwt, SignJWT, UnsecuredJWT } from 'jose';
import { expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { createWorld, type World } from './harness.ts';
import { emailOf, operatorEmail, password, testKeys } from './people.ts';
import type { ReinstateError } from '../sdk/client.ts';
import { OrganizationsDocument, PermissionCatalogueDocument, SignInDocument, ViewerDocument } from '../sdk/generated.ts';
import { permissions, platformPermissions } from '../src/permissions/catalogue.ts';
import { encodeId } from '../src/schema/common.ts';

const signIn = (world: World, email: string, secret: string) => world.client().request(SignInDocument, { input: { email, password: secret } });

const failure = (promise: Promise<unknown>): Promise<ReinstateError> =>
  promise.then(
    () => Promise.reject(new Error('It succeeded.')),
    (error: ReinstateError) => error,
  );

test('the right password gives a token that says who it is and what they may do', async () => {
  await using world = await createWorld();
  const { signIn: signedIn } = await signIn(world, ` ${emailOf('Staff', 'Riverside Club').toUpperCase()} `, password);
  expect(signedIn.userErrors).toEqual([]);
  expect(new Date(signedIn.expiresAt!).getTime() - Date.now()).toBeGreaterThan(14 * 60_000);
  const { viewer } = await world.client(signedIn.accessToken!).request(ViewerDocument);
  expect(viewer).toMatchObject({
    kind: 'STAFF',
    name: 'Staff of Riverside Club',
    roles: ['Staff'],
    organization: { name: 'Riverside Club', plan: 'PREMIUM', currency: 'USD' },
    permissions: ['contacts:create', 'contacts:import', 'contacts:read', 'contacts:update', 'jobs:read', 'payments:create', 'payments:read'],
  });
});

test('an operator signs in without an organization, and finds all of them', async () => {
  await using world = await createWorld();
  const operator = await world.as('Operator');
  const { viewer } = await operator.request(ViewerDocument);
  expect(viewer).toMatchObject({
    id: null,
    kind: 'OPERATOR',
    email: operatorEmail,
    organization: null,
    roles: [],
    permissions: [...platformPermissions].sort(),
  });
  const { organizations: first } = await operator.request(OrganizationsDocument, { first: 1 });
  expect(first.nodes.map(({ name, plan }) => [name, plan])).toEqual([['Hilltop Society', 'FREE']]);
  expect(first.pageInfo.hasNextPage).toBe(true);
  const { organizations: rest } = await operator.request(OrganizationsDocument, { first: 100, after: first.pageInfo.endCursor });
  expect(rest.nodes.map(({ name }) => name)).toEqual(['Riverside Club']);
  expect(rest.pageInfo.hasNextPage).toBe(false);
});

test('staff find no organizations, and pages are held to their size', async () => {
  await using world = await createWorld();
  expect((await failure((await world.as('Super admin')).request(OrganizationsDocument, { first: 1 }))).code).toBe('FORBIDDEN');
  const operator = await world.as('Operator');
  for (const first of [0, 101, -1]) expect((await failure(operator.request(OrganizationsDocument, { first }))).code).toBe('BAD_PAGE_SIZE');
  expect((await failure(operator.request(OrganizationsDocument, { first: 1, after: 'broken' }))).code).toBe('BAD_CURSOR');
});

test('a wrong password and an unknown email get the same answer, and the attempt on a known one is logged', async () => {
  await using world = await createWorld();
  const email = emailOf('Admin', 'Riverside Club');
  const wrong = await signIn(world, email, 'wrong');
  expect(wrong.signIn).toMatchObject({ accessToken: null, expiresAt: null, userErrors: [{ code: 'SIGN_IN_FAILED' }] });
  expect(await signIn(world, 'nobody@riverside.example', password)).toEqual(wrong);
  expect(await signIn(world, '', '')).toEqual(wrong);
  const { rows } = await world.owner.query('select actor_name, action, outcome, code, address from action_log');
  expect(rows).toEqual([
    { actor_name: 'Admin of Riverside Club', action: 'staff.signed_in', outcome: 'REFUSED', code: 'SIGN_IN_FAILED', address: '127.0.0.1' },
  ]);
});

test('the suspended can not sign in, and the tokens that they have are worth nothing', async () => {
  await using world = await createWorld();
  const client = await world.as('Admin');
  await client.request(ViewerDocument);
  await world.owner.query('update staff_member set suspended_at = now() where email = $1', [emailOf('Admin', 'Riverside Club')]);
  expect((await failure(client.request(ViewerDocument))).code).toBe('UNAUTHENTICATED');
  const { signIn: again } = await signIn(world, emailOf('Admin', 'Riverside Club'), password);
  expect(again.userErrors.map(({ code }) => code)).toEqual(['SIGN_IN_FAILED']);
});

test('permissions are read anew for each request', async () => {
  await using world = await createWorld();
  const client = await world.as('Viewer');
  expect((await client.request(ViewerDocument)).viewer.permissions).toEqual(['contacts:read']);
  await world.owner.query(`update role set permissions = array['contacts:read', 'log:read'] where name = 'Viewer'`);
  expect((await client.request(ViewerDocument)).viewer.permissions).toEqual(['contacts:read', 'log:read']);
});

test('the catalogue explains every permission', async () => {
  await using world = await createWorld();
  const { permissionCatalogue } = await (await world.as('Viewer')).request(PermissionCatalogueDocument);
  expect(permissionCatalogue.map(({ permission }) => permission)).toEqual(permissions);
  expect(permissionCatalogue.every(({ title, description }) => title && description.endsWith('.'))).toBe(true);
});

/** Tokens that look right but for one thing. */
async function badTokens(world: World): Promise<Record<string, string>> {
  const { rows } = await world.owner.query<{ id: string }>('select id from account where email = $1', [emailOf('Super admin', 'Riverside Club')]);
  const sid = (decodeJwt(await world.token('Super admin')) as { sid: string }).sid;
  const claims = { org: world.organizationId(), sub: rows[0]!.id, sid, iss: 'reinstate', aud: 'reinstate' };
  const token = (changes: object = {}) => new SignJWT({ ...claims, ...changes }).setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' }).setIssuedAt();
  const good = await token().setExpirationTime('1h').sign(testKeys.tokens);
  expect((await world.client(good).request(ViewerDocument)).viewer.name).toBe('Super admin of Riverside Club');
  return {
    expired: await token()
      .setExpirationTime(Math.floor(Date.now() / 1000) - 1)
      .sign(testKeys.tokens),
    'without an expiry': await token().sign(testKeys.tokens),
    'without a session': await token({ sid: undefined }).setExpirationTime('1h').sign(testKeys.tokens),
    unsigned: new UnsecuredJWT(claims).setExpirationTime('1h').setIssuedAt().encode(),
    'for another audience': await token({ aud: 'another' }).setExpirationTime('1h').sign(testKeys.tokens),
    'from another issuer': await token({ iss: 'another' }).setExpirationTime('1h').sign(testKeys.tokens),
    'signed with another key': await token().setExpirationTime('1h').sign(testKeys.confirmations),
    'signed with another algorithm': await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS512', typ: 'at+jwt' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(testKeys.tokens),
    'of another type': await new SignJWT(claims).setProtectedHeader({ alg: 'HS256' }).setIssuedAt().setExpirationTime('1h').sign(testKeys.tokens),
    'changed by one letter': `${good.slice(0, -2)}${good.at(-2) === 'A' ? 'B' : 'A'}${good.at(-1)}`,
    'not a token at all': 'nonsense',
  };
}

/** The code that the server closes a WebSocket with after its first message. */
async function closeCode(world: World, params: object | undefined): Promise<number> {
  const socket = new WebSocket(world.url.replace('http', 'ws'), 'graphql-transport-ws');
  await once(socket, 'open');
  socket.send(JSON.stringify({ type: 'connection_init', payload: params }));
  const closed = once(socket, 'close').then(([code]) => code as number);
  const first = await Promise.race([closed, once(socket, 'message').then(() => 1000)]);
  socket.close();
  await closed;
  return first;
}

test('a token that is wrong in any way is refused on HTTP and on WebSocket, and never taken for none', async () => {
  await using world = await createWorld();
  for (const [how, token] of Object.entries(await badTokens(world))) {
    const response = await fetch(world.url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query: 'mutation { signIn(input: { email: "", password: "" }) { accessToken } }' }),
    });
    const { errors } = (await response.json()) as { errors: { extensions: { code: string } }[] };
    expect([how, response.status, errors.map(({ extensions }) => extensions.code)]).toEqual([how, 401, ['UNAUTHENTICATED']]);
    expect([how, await closeCode(world, { accessToken: token })]).toEqual([how, 4401]);
  }
  expect(
    (
      await fetch(world.url, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: 'Basic Og==' },
        body: '{"query":"{viewer{name}}"}',
      })
    ).status,
  ).toBe(401);
});

test('a token of one organization with the name of another gives neither', async () => {
  await using world = await createWorld();
  const { rows } = await world.owner.query<{ id: string }>('select id from account where email = $1', [emailOf('Viewer', 'Riverside Club')]);
  const { sid } = decodeJwt(await world.token('Viewer')) as { sid: string };
  const token = await new SignJWT({ org: world.organizationId('Hilltop Society'), sub: rows[0]!.id, sid, iss: 'reinstate', aud: 'reinstate' })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuedAt()
    .setExpirationTime('1h')
    .sign(testKeys.tokens);
  expect((await failure(world.client(token).request(ViewerDocument))).code).toBe('UNAUTHENTICATED');
});

test('a WebSocket takes the token in either place, and is closed without one', async () => {
  await using world = await createWorld();
  const token = await world.token('Viewer');
  expect(await closeCode(world, { accessToken: token })).toBe(1000);
  expect(await closeCode(world, { Authorization: `Bearer ${token}` })).toBe(1000);
  expect(await closeCode(world, { accessToken: '' })).toBe(4401);
  expect(await closeCode(world, {})).toBe(4403);
  expect(await closeCode(world, undefined)).toBe(4403);
});

test('without a token nothing but signing in is open', async () => {
  await using world = await createWorld();
  const error = await failure(world.client().request(ViewerDocument));
  expect(error.code).toBe('UNAUTHENTICATED');
  expect(error.message).toContain('Sign in');
  expect(error.requestId).toMatch(/^[0-9a-f-]{36}$/);
});

test('a node is found by its id, and the id of another organization reads like an unknown one', async () => {
  await using world = await createWorld();
  const client = await world.as('Viewer');
  const node = (id: string) => client.request<{ node: { id: string } }, { id: string }>(nodeDocument, { id });
  const mine = encodeId('Organization', world.organizationId());
  expect((await node(mine)).node.id).toBe(mine);
  const theirs = await failure(node(encodeId('Organization', world.organizationId('Hilltop Society'))));
  const unknown = await failure(node(encodeId('Organization', crypto.randomUUID())));
  expect([theirs.code, theirs.message]).toEqual([unknown.code, unknown.message]);
  expect(theirs.code).toBe('NOT_FOUND');
  for (const id of ['', 'nonsense', Buffer.from('Organization:1').toString('base64url'), `${mine}=`, 'x'.repeat(10_000)])
    expect((await failure(node(id))).code).toBe('MALFORMED_ID');
});
const nodeDocument = parse('query ($id: ID!) { node(id: $id) { id } }');

test('a character that the database can not hold is bad input', async () => {
  await using world = await createWorld();
  expect((await failure(signIn(world, 'a\0b', password))).code).toBe('BAD_INPUT');
});
