// How much anyone may ask for: at once, in a minute, in how many attempts and for how long; and what is said to who asks for more.
import { once } from 'node:events';
import { request } from 'node:http';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import { buildSchema, type GraphQLFieldResolver, parse } from 'graphql';
import { afterEach, describe, expect, it, vi } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import type { Context } from '../src/context.ts';
import { Database, type Transaction } from '../src/database.ts';
import { clearRateLimits } from '../src/domain/rate-limits.ts';
import { guard } from '../src/permissions/guard.ts';
import { may } from '../src/permissions/rules.ts';
import { allow } from '../src/permissions/shield.ts';
import { decodeId } from '../src/schema/common.ts';
import { startServer } from '../src/server.ts';
import { sql } from '../src/sql.ts';
import { post, postOverSocket } from './asking.ts';
import { makeKey } from './custom-roles.ts';
import { expectWellSaid, rowsOf } from './full-world.ts';
import { contactId, deleteThem, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { emailOf, password, type RoleName } from './people.ts';
import { tokenOf } from './tokens.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

/** As if so much time had passed. */
const later = (seconds: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + seconds * 1000 });

interface Answer {
  status: number;
  headers: Headers;
  codes: (string | undefined)[];
  message: string | undefined;
  data: Record<string, unknown> | undefined;
  cost: { requested: number | null; limit: number; remaining: number; resetsAt: string } | undefined;
}

interface Sent {
  token?: string | undefined;
  headers?: Record<string, string>;
  variables?: object;
  body?: string | Uint8Array<ArrayBuffer>;
  url?: string;
  /** In place of all of it. */
  request?: RequestInit;
}

/** Sends an operation, or a body that is none, with any headers. */
async function send(
  world: World,
  query: string,
  { token, headers = {}, variables, body = JSON.stringify({ query, variables }), url, request }: Sent = {},
): Promise<Answer> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const usual = { method: 'POST', headers: { 'content-type': 'application/json', ...authorization, ...headers }, body };
  const response = await fetch(url ?? world.url, request ?? usual);
  const {
    data,
    errors = [],
    extensions,
  } = (await response.json()) as {
    data?: Answer['data'];
    errors?: { message: string; extensions: { code: string } }[];
    extensions?: { cost: Answer['cost'] };
  };
  const codes = errors.map((error) => error.extensions.code);
  return { status: response.status, headers: response.headers, codes, message: errors[0]?.message, data, cost: extensions?.cost };
}

const times = (count: number, field: string) => Array.from({ length: count }, (_, index) => `f${index}: ${field}`).join(' ');
const repeated = (count: number, field: string) => Array.from({ length: count }, () => field).join(' ');

describe('an operation', () => {
  it('has 1,000 fields at most, 50 aliases, and 20 fields of a mutation, over HTTP and WebSocket alike', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const token = await world.token('Super admin');
    const before = await rowsOf(world);
    const note = `addNote(input: { contactId: "${contactId((await liveIds(world))[0]!)}", body: "x" }) { note { id } }`;
    const allowed = [`{ viewer { ${repeated(500, 'name')} ${repeated(499, 'email')} } }`, `{ ${times(50, 'viewer { name }')} }`];
    for (const query of allowed) expect((await send(world, query, { token })).codes).toEqual([]);
    const refused: [code: string, query: string][] = [
      ['TOO_MANY_FIELDS', `{ viewer { ${repeated(500, 'name')} ${repeated(500, 'email')} } }`],
      [
        'TOO_MANY_FIELDS',
        `{ viewer { ${repeated(11, '...Half')} } } fragment Half on Viewer { ...Quarter ...Quarter } fragment Quarter on Viewer { ${repeated(50, 'name')} }`,
      ],
      ['TOO_MANY_ALIASES', `{ ${times(51, 'viewer { name }')} }`],
      ['TOO_MANY_ALIASES', `{ viewer { ...Names } again: viewer { ...Names } } fragment Names on Viewer { ${times(25, 'name')} }`],
      ['TOO_MANY_FIELDS', `mutation { ${times(21, note)} }`],
      ['TOO_MANY_FIELDS', `mutation { ... on Mutation { ...Notes } } fragment Notes on Mutation { ${times(21, note)} }`],
    ];
    for (const [code, query] of refused) {
      const statements = await world.statements(async () => {
        const { status, errors } = await post(world, token, query);
        expect([query, status, errors.map((error) => error.code)]).toEqual([query, 400, [code]]);
        expectWellSaid(errors[0]!);
      });
      expect(statements).toEqual([]);
    }
    const socket = (fields: string) => postOverSocket(world, token, `subscription { organizationJobs { ${fields} } }`);
    expect(await socket(repeated(500, 'state') + repeated(500, ' id'))).toEqual(['TOO_MANY_FIELDS']);
    expect(await socket(times(51, 'state'))).toEqual(['TOO_MANY_ALIASES']);
    expect(await rowsOf(world)).toEqual(before);
  });

  it('with 101 aliases of signIn, with fragments in a cycle, or with 10,000 tokens, is refused before anything is looked at', async () => {
    await using world = await createWorld();
    const guess = `signIn(input: { email: "${emailOf('Admin', 'Riverside Club')}", password: "guess" }) { accessToken }`;
    expect(await send(world, `mutation { ${times(101, guess)} }`)).toMatchObject({ status: 400, codes: ['TOO_MANY_ALIASES'] });
    const token = await world.token('Viewer');
    const cycle = '...A } } fragment A on Job { state ...B } fragment B on Job { state ...A }';
    const long = repeated(10_000, 'state');
    for (const [fields, code] of [
      [cycle, 'GRAPHQL_VALIDATION_FAILED'],
      [`${long} } }`, 'GRAPHQL_PARSE_FAILED'],
    ] as const) {
      expect(await send(world, `{ job(id: "") { ${fields}`, { token })).toMatchObject({ status: 400, codes: [code] });
      expect(await postOverSocket(world, token, `subscription { organizationJobs { ${fields}`)).toEqual([code]);
    }
    const { rows } = await world.owner.query('select action, code from action_log');
    expect(rows).toEqual([{ action: 'staff.signed_in', code: null }]);
  });

  it('is told what the schema has by no suggestion, where the schema is closed, over HTTP and WebSocket alike', async () => {
    const misspelled = [
      '{ viewr { name } }',
      '{ contacts(orderBy: { field: NAM, direction: ASC }) { nodes { id } } }',
      '{ contacts(frist: 1) { nodes { id } } }',
    ];
    const given = 'query ($by: ContactOrder) { contacts(orderBy: $by) { nodes { id } } }';
    const variables = { by: { field: 'NAM', direction: 'ASC' } };
    for (const [settings, suggests] of [
      [{ NODE_ENV: 'production' }, false],
      [{}, true],
    ] as const) {
      await using world = await createWorld({ settings });
      const token = await world.token('Viewer');
      for (const query of misspelled) expect((await send(world, query, { token })).message!.includes('Did you mean')).toBe(suggests);
      expect((await send(world, given, { token, variables })).message!.includes('Did you mean')).toBe(suggests);
      const events = world.client(token).subscribe(parse('subscription { organizationJob { id } }'), {});
      await expect(events.next()).rejects.toThrow(suggests ? /Did you mean/ : /"organizationJob" on type "Subscription"\.$/);
    }
  });
});

describe('what operations cost', () => {
  const page = '{ contacts(first: 100) { nodes { notes(first: 60) { nodes { id } } } } }';
  const settings = { COST_PER_MINUTE: '20000' };

  /** What processes have taken of someone's points. */
  async function takenBy(world: World, role: RoleName): Promise<number | undefined> {
    const { rows } = await world.owner.query<{ points: number }>(
      `select points from rate_limit r join account a on r.key = 'cost:' || a.id where a.email = $1`,
      [emailOf(role, 'Riverside Club')],
    );
    return rows[0]?.points;
  }

  it('is in each answer, adds up for an actor, and is refused when it is too much for a minute, by every process', async () => {
    await using world = await createWorld({ settings });
    await fill(world, 2);
    const tokens = { Viewer: await world.token('Viewer'), Staff: await world.token('Staff') };
    // Signing in was counted as the address's.
    const first = await send(world, '{ viewer { name } }', { token: tokens.Viewer });
    expect(first.cost).toMatchObject({ requested: 2, limit: 20_000, remaining: 19_998 });
    const resets = new Date(first.cost!.resetsAt).getTime() - Date.now();
    expect(resets).toBeGreaterThan(50_000);
    expect(resets).toBeLessThanOrEqual(60_000);
    const second = await send(world, page, { token: tokens.Viewer });
    expect(second.cost).toMatchObject({ requested: 6801, remaining: 13_197 });

    // The first process holds 400 in advance, which the second does not know of.
    const database = await Database.open(world.app.database.url, 4);
    const other = await startServer({ app: { ...world.app, database }, pubsub: world.pubsub, host: '127.0.0.1', port: 0 });
    const third = await send(world, page, { token: tokens.Viewer, url: other.url });
    expect(third.cost).toMatchObject({ requested: 6801, remaining: 5996 });
    for (const url of [world.url, other.url, world.url, other.url]) {
      const statements = await world.statements(async () => {
        const over = await send(world, page, { token: tokens.Viewer, url });
        expect([over.status, over.codes, over.data]).toEqual([429, ['RATE_LIMITED'], undefined]);
        expect(over.cost).toMatchObject({ requested: 6801, limit: 20_000, remaining: 0 });
        expectWellSaid({ code: over.codes[0]!, message: over.message! });
        const seconds = Number(over.headers.get('retry-after'));
        expect(seconds).toBeGreaterThan(40);
        expect(seconds).toBeLessThanOrEqual(60);
        expect(over.message).toContain(`in ${seconds} seconds`);
      });
      expect(statements).toEqual([]);
    }
    await other.close();
    await database.close();
    expect(await postOverSocket(world, tokens.Viewer, 'subscription { organizationJobs { id } }')).toEqual(['RATE_LIMITED']);
    expect((await send(world, page, { token: tokens.Staff })).cost).toMatchObject({ remaining: 13_199 });
    later(61);
    expect((await send(world, page, { token: tokens.Viewer })).cost).toMatchObject({ requested: 6801, remaining: 13_199 });
  });

  it('is taken a hundredth of all in advance, and what is not spent within its minute is gone', async () => {
    await using world = await createWorld({ settings });
    const token = await world.token('Viewer');
    const taken = () => takenBy(world, 'Viewer');
    for (let asked = 1; asked <= 101; asked++)
      expect((await send(world, '{ viewer { name } }', { token })).cost).toMatchObject({ remaining: 20_000 - 2 * asked });
    expect(await taken()).toBe(2 + 200);
    expect((await send(world, '{ viewer { name } }', { token })).cost).toMatchObject({ remaining: 20_000 - 204 });
    expect(await taken()).toBe(2 * (2 + 200));
    later(61);
    expect((await send(world, '{ viewer { name } }', { token })).cost).toMatchObject({ remaining: 19_998 });
    expect(await taken()).toBe(2 + 200);
  });

  it('is counted where it is subscribed, and for an operation that is too costly as the least', async () => {
    await using world = await createWorld({ settings });
    const token = await world.token('Admin');
    const client = world.client(token);
    const next = client.subscribe(parse('subscription { organizationJobs { id state } }'), {}).next();
    await expect.poll(() => takenBy(world, 'Admin')).toBe(12 + 200);
    const dear = await send(world, `{ ${times(25, 'contactDeletionPreview(input: { filter: {} }) { contactCount }')} }`, { token });
    expect(dear).toMatchObject({ status: 400, codes: ['QUERY_TOO_COSTLY'], cost: { requested: 25_003, limit: 20_000, remaining: 20_000 - 13 } });
    const endless = await send(
      world,
      '{ contacts(first: 100) { nodes { notes(first: 100) { nodes { body } } activities(first: 100) { nodes { subject } } } } }',
      { token },
    );
    expect(endless).toMatchObject({ codes: ['QUERY_TOO_COSTLY'], cost: { remaining: 20_000 - 14 } });
    await client.close();
    await next.catch(() => undefined);
  });

  it('is an API key’s only when the key is right: what others send under its id is counted as theirs', async () => {
    await using world = await createWorld({ settings });
    const { key } = await makeKey(world, 'contacts:read');
    const ofAddress = async () => 20_000 - (await send(world, '{ __typename }')).cost!.remaining;
    const list = '{ contacts(first: 100) { nodes { id } } }';
    const before = await ofAddress();
    const forged = key.slice(0, -8) + (key.endsWith('AAAAAAAA') ? 'BBBBBBBA' : 'AAAAAAAA');
    for (let tried = 0; tried < 3; tried++) expect((await send(world, list, { token: forged })).codes).toEqual(['UNAUTHENTICATED']);
    expect(await ofAddress()).toBe(before + 3 * 111 + 1);
    expect((await send(world, '{ viewer { name } }', { token: key })).codes).toEqual([]);
    expect((await send(world, '{ viewer { name } }', { token: key })).cost).toMatchObject({ remaining: 19_998 });
    expect((await send(world, list, { token: forged })).codes).toEqual(['UNAUTHENTICATED']);
    expect((await send(world, '{ viewer { name } }', { token: key })).cost).toMatchObject({ remaining: 19_996 });
  });

  it('is counted, or nothing is done: without its table every operation fails', async () => {
    await using world = await createWorld();
    const token = await world.token('Super admin');
    await fill(world, 1);
    const before = await rowsOf(world);
    vi.spyOn(console, 'error').mockImplementation(() => {});
    await world.owner.query('alter table rate_limit rename to elsewhere');
    const note = `mutation { addNote(input: { contactId: "${contactId((await liveIds(world))[0]!)}", body: "x" }) { note { id } } }`;
    for (const query of [
      note,
      '{ viewer { name } }',
      `mutation { signIn(input: { email: "${emailOf('Admin', 'Riverside Club')}", password: "${password}" }) { accessToken } }`,
    ])
      expect(await send(world, query, { token })).toMatchObject({ status: 500, codes: ['INTERNAL_SERVER_ERROR'], data: undefined });
    expect(await postOverSocket(world, token, 'subscription { organizationJobs { id } }')).toEqual(['INTERNAL_SERVER_ERROR']);
    await world.owner.query('alter table elsewhere rename to rate_limit');
    expect(await rowsOf(world)).toEqual(before);
    expect((await send(world, note, { token })).codes).toEqual([]);
  });

  it('is kept without addresses and emails, outside of what is logged to disk, and removed when it has run out', async () => {
    await using world = await createWorld();
    await world.token('Admin');
    await world.client().request(sdk.SignInDocument, { input: { email: emailOf('Viewer', 'Riverside Club'), password: 'guess' } });
    const rows = async () => (await world.owner.query<{ key: string }>('select key from rate_limit order by 1')).rows.map(({ key }) => key);
    expect(await rows()).toEqual([
      expect.stringMatching(/^attempts:[\w-]{43}$/),
      expect.stringMatching(/^cost:[\w-]{43}$/),
      expect.stringMatching(/^password:[\w-]{43}$/),
    ]);
    expect((await world.owner.query(`select relpersistence as kind from pg_class where relname = 'rate_limit'`)).rows).toEqual([{ kind: 'u' }]);
    later(61);
    await clearRateLimits(world.app);
    expect((await rows()).length).toBe(2);
    later(15 * 60 + 1);
    await world.app.database.pool.query(`select graphile_worker.add_job('clear_rate_limits')`);
    await runJobs(world);
    expect(await rows()).toEqual([]);
  });
});

describe('attempts to sign in', () => {
  const settings = { ATTEMPTS_PER_ACCOUNT: '10', ATTEMPTS_PER_ADDRESS: '100' };
  const known = emailOf('Admin', 'Riverside Club');
  const attempt = (email: string, secret: string) =>
    `signIn(input: { email: "${email}", password: "${secret}" }) { accessToken userErrors { code message path } }`;

  interface SignedIn {
    accessToken: string | null;
    userErrors: { code: string; message: string }[];
  }

  /** Each in a request of its own. @returns the codes */
  async function signIn(world: World, email: string, secret: string, headers: Record<string, string> = {}): Promise<string> {
    const { data } = await send(world, `mutation { ${attempt(email, secret)} }`, { headers });
    const { accessToken, userErrors } = data!['signIn'] as SignedIn;
    return accessToken ? 'OK' : userErrors[0]!.code;
  }

  const entries = async (world: World) => {
    const { rows } = await world.owner.query<{ code: string; count: number }>(
      `select coalesce(code, 'OK') as code, count(*)::int as count from action_log where action = 'staff.signed_in' group by 1 order by 1`,
    );
    return Object.fromEntries(rows.map(({ code, count }) => [code, count]));
  };

  it('are counted by the field, alike for an account and for none, and the right password is not looked at any more', async () => {
    await using world = await createWorld({ settings });
    const said: unknown[] = [];
    for (const email of [known, 'nobody@riverside.example']) {
      const { data } = await send(world, `mutation { ${times(15, attempt(` ${email.toUpperCase()}`, 'guess'))} }`);
      const answers = Object.values(data as Record<string, SignedIn>).flatMap(({ userErrors }) => userErrors);
      expect(answers.map(({ code }) => code)).toEqual([...Array<string>(10).fill('SIGN_IN_FAILED'), ...Array<string>(5).fill('TOO_MANY_ATTEMPTS')]);
      expectWellSaid(answers[14]!);
      expect(answers[14]!.message).toContain('in 15 minutes');
      said.push(answers);
      const begun = performance.now();
      expect(await signIn(world, email, password)).toBe('TOO_MANY_ATTEMPTS');
      expect(performance.now() - begun).toBeGreaterThan(90);
    }
    expect(said[0]).toEqual(said[1]);
    // Once a minute: whoever goes on does not fill the log.
    expect(await entries(world)).toEqual({ SIGN_IN_FAILED: 10, TOO_MANY_ATTEMPTS: 1 });
    expect(await signIn(world, emailOf('Viewer', 'Riverside Club'), password)).toBe('OK');
    later(15 * 60 + 1);
    expect(await signIn(world, known, password)).toBe('OK');
  });

  it('are counted before they are looked at: of 40 at once no more than 10 are', async () => {
    await using world = await createWorld({ settings });
    const codes = await Promise.all(Array.from({ length: 40 }, () => signIn(world, known, 'guess')));
    expect(codes.filter((code) => code === 'SIGN_IN_FAILED')).toHaveLength(10);
    expect(await entries(world)).toEqual({ SIGN_IN_FAILED: 10, TOO_MANY_ATTEMPTS: 1 });
  });

  it('are forgotten with the right password, and those of an address have one less', async () => {
    await using world = await createWorld({ settings: { ...settings, ATTEMPTS_PER_ADDRESS: '19' } });
    for (let round = 0; round < 2; round++) {
      for (let tried = 0; tried < 9; tried++) expect(await signIn(world, known, 'guess')).toBe('SIGN_IN_FAILED');
      expect(await signIn(world, known, password)).toBe('OK');
    }
    expect(await signIn(world, known, 'guess')).toBe('SIGN_IN_FAILED');
    expect(await signIn(world, known, password)).toBe('TOO_MANY_ATTEMPTS');
  });

  it('are counted for an address over all accounts, and one that is over locks no account', async () => {
    await using world = await createWorld({ settings: { ...settings, ATTEMPTS_PER_ADDRESS: '12', TRUSTED_PROXIES: '127.0.0.0/8, ::1' } });
    const from = (address: string) => ({ 'x-forwarded-for': address });
    const guesses = (address: string, count: number) =>
      Promise.all(Array.from({ length: count }, (_, n) => signIn(world, `nobody${n}@riverside.example`, 'guess', from(address))));
    expect(new Set(await guesses('192.0.2.1', 12))).toEqual(new Set(['SIGN_IN_FAILED']));
    for (let tried = 0; tried < 10; tried++) expect(await signIn(world, known, 'guess', from('192.0.2.1'))).toBe('TOO_MANY_ATTEMPTS');
    expect(await signIn(world, known, password, from('192.0.2.1'))).toBe('TOO_MANY_ATTEMPTS');
    // A proxy adds whom it saw at the end; what stands before that anyone may have written.
    expect(await signIn(world, known, password, from('198.51.100.7, 192.0.2.1'))).toBe('TOO_MANY_ATTEMPTS');
    expect(await signIn(world, known, password, from('192.0.2.1, 198.51.100.7'))).toBe('OK');
    // One subscriber of IPv6 has 64 bits of addresses.
    expect(new Set(await guesses('2001:db8:0:1::1', 12))).toEqual(new Set(['SIGN_IN_FAILED']));
    expect(await signIn(world, known, password, from('2001:0DB8::1:ffff:ffff:ffff:ffff'))).toBe('TOO_MANY_ATTEMPTS');
    expect(await signIn(world, known, password, from('2001:db8:0:2::1'))).toBe('OK');
    const { rows } = await world.owner.query(`select distinct address from action_log where code is null order by 1`);
    expect(rows).toEqual([{ address: '198.51.100.7' }, { address: '2001:db8:0:2::1' }]);
  });

  it('come from where they come from, whatever a header says, unless a proxy is trusted', async () => {
    await using world = await createWorld({ settings: { ...settings, TRUSTED_PROXIES: '192.0.2.0/24' } });
    for (let tried = 0; tried < 10; tried++) await signIn(world, known, 'guess', { 'x-forwarded-for': `198.51.100.${tried}` });
    const { rows } = await world.owner.query(`select distinct address from action_log`);
    expect(rows).toEqual([{ address: '127.0.0.1' }]);
  });
});

describe('a request', () => {
  it('is answered with headers that guard whoever reads the answer, whatever it is', async () => {
    await using world = await createWorld({ settings: { TRUSTED_PROXIES: '127.0.0.1' } });
    const at = (path: string) => world.url.replace('/graphql', path);
    const json = { 'content-type': 'application/json' };
    const posted = (body: string, headers: Record<string, string> = json) => fetch(world.url, { method: 'POST', headers, body });
    const answers: [status: number, Response][] = [
      [200, await posted('{"query":"{ __typename }"}')],
      [400, await posted('{"query":"{ nothing }"}')],
      [400, await posted('{')],
      [401, await posted('{"query":"{ __typename }"}', { ...json, authorization: 'Bearer nonsense' })],
      [413, await posted(JSON.stringify({ query: 'x'.repeat(1_100_000) }))],
      [415, await posted('{}', { 'content-type': 'application/json; charset=klingon' })],
      [404, await fetch(at('/nowhere'))],
      [404, await fetch(at('/downloads/nothing'))],
      [200, await fetch(at('/health'))],
    ];
    for (const [status, { status: got, headers }] of answers) {
      expect(got).toBe(status);
      expect(Object.fromEntries(headers)).toMatchObject({
        'cache-control': 'no-store',
        'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'referrer-policy': 'no-referrer',
        'x-content-type-options': 'nosniff',
        'x-frame-options': 'DENY',
      });
      expect(headers.get('strict-transport-security')).toBeNull();
      expect(headers.get('access-control-allow-origin')).toBeNull();
      expect(headers.get('x-powered-by')).toBeNull();
    }
    const page = await fetch(world.url, { headers: { accept: 'text/html' } });
    expect(page.headers.get('content-security-policy')).toMatch(/^default-src 'none'; script-src 'sha256-.*frame-ancestors 'none'$/);
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const secure = { 'x-forwarded-proto': 'https' };
    expect((await fetch(at('/health'), { headers: secure })).headers.get('strict-transport-security')).toBe('max-age=31536000');
    await using direct = await createWorld();
    expect((await fetch(direct.url, { headers: secure })).headers.get('strict-transport-security')).toBeNull();
  });

  it('that a foreign page could send without asking does nothing, whatever it says it is', async () => {
    await using world = await createWorld();
    const query = `mutation { signIn(input: { email: "${emailOf('Admin', 'Riverside Club')}", password: "${password}" }) { accessToken } }`;
    const form = new URLSearchParams({ query });
    const parts = new FormData();
    parts.set('operations', JSON.stringify({ query }));
    const sent: RequestInit[] = [
      { method: 'POST', headers: { 'content-type': 'text/plain' }, body: JSON.stringify({ query }) },
      { method: 'POST', body: form },
      { method: 'POST', body: parts },
      { method: 'POST', headers: { 'content-type': 'text/plain; application/json' }, body: JSON.stringify({ query }) },
      { method: 'POST' },
    ];
    for (const request of sent) {
      const { status, codes, message } = await send(world, '', { request });
      expect([status, codes, message]).toEqual([400, ['BAD_REQUEST'], expect.stringContaining('Cross-Site Request Forgery')]);
    }
    const get = async (headers: Record<string, string>) => (await fetch(`${world.url}?${form.toString()}`, { headers })).status;
    expect([await get({}), await get({ 'apollo-require-preflight': 'true' })]).toEqual([400, 405]);
    expect((await world.owner.query('select 1 from action_log')).rows).toEqual([]);
  });

  it('with a body of 20 MB is refused, also in chunks without a length, and packed', async () => {
    await using world = await createWorld();
    const large = Buffer.alloc(20_000_000, ' ');
    const refused = { status: 413, codes: ['BODY_TOO_LARGE'] };
    expect(await send(world, '', { body: large })).toMatchObject(refused);
    expect(await send(world, '', { body: gzipSync(large), headers: { 'content-encoding': 'gzip' } })).toMatchObject(refused);
    expect(await inChunks(world, large)).toMatchObject({ status: 413, text: expect.stringContaining('"BODY_TOO_LARGE"') as string });
    expect((await send(world, '{ __typename }')).codes).toEqual([]);
  });

  /** Sends a body in chunks, as long as the server takes it. */
  function inChunks(world: World, body: Buffer): Promise<{ status: number | undefined; text: string }> {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number | undefined; text: string }>();
    const sending = request(world.url, { method: 'POST', headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' } }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode, text })).on('error', reject);
    });
    sending.on('error', reject).end(body);
    return promise;
  }

  it('in a charset, or packed in a way, that nobody knows is refused', async () => {
    await using world = await createWorld();
    for (const headers of [
      { 'content-type': 'application/json; charset=klingon' },
      { 'content-type': 'application/json; charset=iso-8859-1' },
      { 'content-type': 'application/json; charset=utf-99' },
      { 'content-encoding': 'middle-out' },
    ] as Record<string, string>[])
      expect([headers, await send(world, '{ __typename }', { headers })]).toMatchObject([headers, { status: 415, codes: ['UNSUPPORTED_MEDIA_TYPE'] }]);
    const packed = await send(world, '', { body: 'no gzip', headers: { 'content-encoding': 'gzip' } });
    expect(packed).toMatchObject({ status: 400, codes: ['BAD_REQUEST'] });
  });

  it('that is sent too slowly is given up, be it the headers or the body that does not come', async () => {
    await using world = await createWorld({ settings: { REQUEST_TIMEOUT_SECONDS: '1' } });
    const host = `POST /graphql HTTP/1.1\r\nhost: localhost\r\n`;
    for (const start of [host, `${host}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"query":`]) {
      const begun = performance.now();
      const socket = connect(world.server.port, '127.0.0.1');
      socket.write(start);
      let text = '';
      socket.setEncoding('utf8').on('data', (part: string) => (text += part));
      await once(socket, 'close');
      expect(text).toMatch(/^HTTP\/1\.1 408 /);
      expect(performance.now() - begun).toBeLessThan(10_000);
    }
    expect((await send(world, '{ __typename }')).codes).toEqual([]);
  });
});

describe('the time of an operation', () => {
  const schemaOf = (slow: GraphQLFieldResolver<unknown, Context>) => {
    const schema = buildSchema('type Query { slow: Int } type Subscription { ticks: Int }');
    schema.getQueryType()!.getFields()['slow']!.resolve = slow;
    return guard(schema, { Query: { slow: may('contacts:read') }, Subscription: { ticks: allow } });
  };
  const settings = { OPERATION_TIMEOUT_SECONDS: '1' };

  it('is bounded for a statement that takes too long, and for many that do not', async () => {
    const one = async (context: Context) => void (await (await context.reading()).run(sql`select pg_sleep(30)`));
    const many = async (context: Context) => {
      for (let n = 0; n < 100; n++) await (await context.reading()).run(sql`select pg_sleep(0.2)`);
    };
    const written = async ({ app, claims }: Context) =>
      app.database.transact(claims!.organizationId!, async (tx) => {
        await tx.run(sql`update contact set city = 'Elsewhere'`);
        await tx.run(sql`select pg_sleep(30)`);
      });
    for (const slow of [one, many, written]) {
      await using world = await createWorld({ settings, schema: schemaOf((_parent, _args, context) => slow(context)) });
      await fill(world, 2);
      const token = await tokenOf(world);
      const before = await rowsOf(world);
      const begun = performance.now();
      const answer = await send(world, '{ slow }', { token });
      expect(answer.codes).toEqual(['OPERATION_TIMEOUT']);
      expectWellSaid({ code: answer.codes[0]!, message: answer.message! });
      expect(performance.now() - begun).toBeLessThan(8000);
      expect(await rowsOf(world)).toEqual(before);
      expect(world.connectionsOut).toBe(0);
    }
  });

  it('is bounded for operations, and for nothing else', async () => {
    const timeout = async (tx: Transaction) => (await tx.row<{ timeout: string }>(sql`select current_setting('statement_timeout') as timeout`))!.timeout;
    let within: string | undefined;
    const schema = schemaOf(async (_parent, _args, context) => void (within = await timeout(await context.reading())));
    await using world = await createWorld({ settings: { OPERATION_TIMEOUT_SECONDS: '7' }, schema });
    expect((await send(world, '{ slow }', { token: await tokenOf(world) })).codes).toEqual([]);
    expect(within).toBe('7s');
    expect(await world.app.database.transact(world.organizationId(), timeout)).toBe('0');
  });
});

describe('values that mean something elsewhere', () => {
  it('are values, or refused as what does not fit, and change nothing', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const token = await world.token('Super admin');
    const before = await rowsOf(world);
    const signIn = 'mutation ($input: SignInInput!) { signIn(input: $input) { accessToken userErrors { code } } }';
    const find = 'query ($filter: ContactFilter) { contacts(filter: $filter) { nodes { id } } }';
    const search = 'query ($search: String) { contacts(search: $search) { nodes { id } } }';
    const proto = (key: string, value: string) => `{"${key}":${value}}`;
    const refused: [query: string, variables: string][] = [
      [signIn, '{"input":{"email":{"$gt":""},"password":{"$gt":""}}}'],
      [signIn, '{"input":{"email":["a"],"password":true}}'],
      [signIn, '{"input":{"email":"a","password":"b","__proto__":{"admin":true}}}'],
      [signIn, '{"input":{"email":"a","password":"b","constructor":{"prototype":{"admin":true}}}}'],
      [signIn, proto('__proto__', '{"input":{"email":"a","password":"b"}}')],
      [find, '{"filter":{"tags":{"$ne":null}}}'],
      [find, '{"filter":{"$where":"1"}}'],
      [find, '{"filter":{"__proto__":{"memberNumber":"1"}}}'],
      [search, '{"search":{"$regex":".*"}}'],
    ];
    for (const [query, variables] of refused) {
      const answer = await send(world, '', { token, body: `{"query":${JSON.stringify(query)},"variables":${variables}}` });
      expect([variables, answer.status, answer.codes]).toEqual([variables, 400, ['BAD_USER_INPUT']]);
    }
    const strange = ['__proto__', 'constructor', 'toString', '{"$gt":""}', "' or '1'='1", '%', '_', '\\'];
    for (const search of strange)
      expect((await send(world, find, { token, variables: { filter: { memberNumber: search } } })).data).toEqual({ contacts: { nodes: [] } });
    for (const key of ['__proto__', 'constructor', 'prototype', 'hasOwnProperty']) {
      const named = `query ($${key}: String) { contacts(filter: { memberNumber: $${key} }) { nodes { id } } }`;
      expect([key, (await send(world, '', { token, body: `{"query":${JSON.stringify(named)},"variables":${proto(key, '"none"')}}` })).codes]).toEqual([
        key,
        [],
      ]);
      const body = `{"query":"{ __typename }","${key}":{"query":"mutation { x }"},"extensions":{"${key}":{"admin":true}},"operationName":null}`;
      expect([key, (await send(world, '', { token, body })).data]).toEqual([key, { __typename: 'Query' }]);
    }
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
    expect(await rowsOf(world)).toEqual(before);
  });

  it('are kept as they are in names that look like others, and spelled out where they would be shown as something else', async () => {
    await using world = await createWorld();
    const client = await world.as('Super admin');
    const spoken = vi.spyOn(console, 'error').mockImplementation(() => {});
    // Cyrillic for Latin; an order turned around; nothing to see between two letters.
    const names = ['Аdа', 'Ada \u202efdp.exe\u202c', 'Ada\u2066 King\u2069', 'A\u200bda', '\u200fאדה'];
    for (const name of names) {
      const { createContact } = await client.request(sdk.CreateContactDocument, { input: { firstName: name, lastName: name } });
      expect(createContact.userErrors).toEqual([]);
      const { rows } = await world.owner.query('select first_name, last_name from contact where id = $1', [decodeId('Contact', createContact.contact!.id)]);
      expect(rows).toEqual([{ first_name: name, last_name: name }]);
      const read = await client.request(sdk.ContactDocument, { id: createContact.contact!.id });
      expect([read.contact.firstName, read.contact.lastName]).toEqual([name, name]);
    }
    const reason = names.join('; ');
    await deleteThem(world, { filter: {} }, 'Riverside Club', reason);
    const exported = async (format: 'CSV' | 'JSON_LINES') => {
      const { exportActionLog } = await client.request(sdk.ExportActionLogDocument, { input: { format, filter: { action: 'contacts.deleted' } } });
      return (await fetch(new URL(exportActionLog.path!, world.url))).text();
    };
    const csv = await exported('CSV');
    expect(csv).toContain(String.raw`Аdа; Ada \u202efdp.exe\u202c; Ada\u2066 King\u2069; `);
    const lines = await exported('JSON_LINES');
    expect(JSON.parse(lines)).toMatchObject({ reason });
    expect(`${csv}${lines}`).not.toMatch(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/);
    expect(spoken).not.toHaveBeenCalled();
  });
});

describe('somebody who tries what they may not', () => {
  it('is in the action log, whatever else is wrong with what they send', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const id = contactId((await liveIds(world))[0]!);
    const viewer = await world.token('Viewer');
    const before = await rowsOf(world);
    const query = `mutation ($reason: String!) { ${times(20, `deleteContacts(input: { contactIds: ["${id}"], confirmation: "__proto__", reason: $reason }) { userErrors { code } }`)} }`;
    const { codes } = await send(world, query, { token: viewer, variables: { reason: '\u202e{"$gt":""}' } });
    expect(new Set(codes)).toEqual(new Set(['FORBIDDEN']));
    const { rows } = await world.owner.query(`select actor_name as who, action, code from action_log where outcome = 'REFUSED'`);
    expect(rows).toEqual([{ who: 'Viewer of Riverside Club', action: 'deleteContacts', code: 'FORBIDDEN' }]);
    expect(await rowsOf(world)).toEqual(before);
  });
});
