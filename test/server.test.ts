// What is around the schema: limits, masked errors, GraphiQL, sockets, and connections that are given back whatever happens.
import { once } from 'node:events';
import { buildSchema, parse, type GraphQLFieldResolver, type GraphQLSchema } from 'graphql';
import { afterEach, expect, test, vi } from 'vitest';
import { WebSocket } from 'ws';
import { createWorld, type World } from './harness.ts';
import { tokenOf } from './tokens.ts';
import type { Context } from '../src/context.ts';
import { guard } from '../src/permissions/guard.ts';
import { may } from '../src/permissions/rules.ts';
import { allow } from '../src/permissions/shield.ts';
import { sql } from '../src/sql.ts';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

interface Answer {
  status: number;
  data?: Record<string, unknown> | null;
  codes: (string | undefined)[];
  message: string | undefined;
  headers: Headers;
}

async function post(
  world: World,
  query: string,
  {
    token,
    body = JSON.stringify({ query }),
    headers = {},
    signal = null,
  }: { token?: string; body?: string; headers?: Record<string, string>; signal?: AbortSignal | null } = {},
): Promise<Answer> {
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(world.url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authorization, ...headers },
    body,
    signal,
  });
  const { data, errors = [] } = (await response.json()) as {
    data?: Record<string, unknown>;
    errors?: { message: string; extensions: { code: string } }[];
  };
  return {
    status: response.status,
    data,
    codes: errors.map((error) => error.extensions.code),
    message: errors[0]?.message,
    headers: response.headers,
  };
}

/** A schema for these tests, with resolvers by field of Query and a source of ticks. */
function schemaOf(resolvers: Record<string, GraphQLFieldResolver<unknown, Context>> = {}, ticks?: () => AsyncIterable<unknown>): GraphQLSchema {
  const schema = buildSchema(`
    type Contact { name: String friend: Contact friends(first: Int): FriendConnection notes(first: Int = 50): FriendConnection tags: [Tag!] }
    type Tag { name: String }
    type FriendConnection { nodes: [Contact!]! }
    type Query { contact: Contact contacts(first: Int = 50): FriendConnection slow: Int broken: Int neighbours: Neighbours }
    type Neighbours { fails: Int! reads: Int }
    type Mutation { change: Int }
    type Subscription { ticks(of: Int): Int }
  `);
  const fields = (name: string) => (schema.getType(name) as NonNullable<ReturnType<GraphQLSchema['getQueryType']>>).getFields();
  for (const [path, resolve] of Object.entries(resolvers)) {
    const [type, field] = path.split('.') as [string, string];
    fields(type)[field]!.resolve = resolve;
  }
  fields('Subscription')['ticks']!.resolve = (tick) => tick as number;
  fields('Subscription')['ticks']!.subscribe = ticks ?? silence;
  return guard(schema, {
    Query: { contact: allow, contacts: allow, slow: may('contacts:read'), broken: allow, neighbours: may('contacts:read') },
    Mutation: { change: allow },
    Subscription: { ticks: may('contacts:read') },
  });
}

/** Yields nothing until it is closed. */
const silence = () => driven().source;

/** A promise and the function that fulfils it. */
const gate = () => Promise.withResolvers<void>();

interface Message {
  id?: string;
  type: string;
  payload?: { data?: unknown; errors?: unknown } | { message: string; extensions: Record<string, unknown> }[];
}

/** A WebSocket, signed in, that tells messages one by one. */
async function openSocket(world: World, token: string) {
  const socket = new WebSocket(world.url.replace('http', 'ws'), 'graphql-transport-ws');
  const messages: Message[] = [];
  let wake = () => {};
  socket.on('message', (data) => {
    messages.push(JSON.parse(String(data)) as Message);
    wake();
  });
  await once(socket, 'open');
  const send = (message: object) => socket.send(JSON.stringify(message));
  const receive = async (): Promise<Message> => {
    while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return messages.shift()!;
  };
  send({ type: 'connection_init', payload: { accessToken: token } });
  expect((await receive()).type).toBe('connection_ack');
  return {
    socket,
    receive,
    send,
    subscribe: (id: string, query: string, variables?: object) => send({ id, type: 'subscribe', payload: { query, variables } }),
    [Symbol.asyncDispose]: async () => {
      if (socket.readyState === WebSocket.CLOSED) return;
      const closed = once(socket, 'close');
      socket.close();
      await closed;
    },
  };
}

const codesOf = ({ payload }: Message) => (Array.isArray(payload) ? payload.map(({ extensions }) => extensions['code']) : undefined);

test('GraphiQL comes from the server itself and is forbidden to load anything from elsewhere', async () => {
  await using world = await createWorld();
  const response = await fetch(world.url, { headers: { accept: 'text/html' } });
  const page = await response.text();
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const policy = response.headers.get('content-security-policy')!;
  expect(policy).toContain("default-src 'none'");
  expect(policy.match(/https?:|\*/g)).toBeNull();
  const markup = page.slice(0, page.indexOf('<script>')) + page.slice(page.lastIndexOf('</script>'));
  expect(markup.match(/(?:src|href)="(?!data:)|@import|url\((?!["']?(?:data:|#))/g)).toBeNull();
  expect(page).toContain('YogaGraphiQL.renderYogaGraphiQL(');
  expect(page.slice(-2000)).toContain('connectionParams()');
});

test('GraphiQL and introspection can be turned off, and are off in production', async () => {
  for (const settings of [{ INTROSPECTION: 'false' }, { NODE_ENV: 'production' }] as Record<string, string>[]) {
    await using world = await createWorld({ settings });
    expect((await fetch(world.url, { headers: { accept: 'text/html' } })).headers.get('content-type')).not.toContain('html');
    expect((await post(world, '{ __schema { types { name } } }')).codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
    expect((await post(world, '{ viewr { name } }')).message).not.toContain('Did you mean');
  }
  await using open = await createWorld({ settings: { NODE_ENV: 'production', INTROSPECTION: 'true' } });
  expect((await post(open, '{ __schema { queryType { name } } }')).data).toEqual({ __schema: { queryType: { name: 'Query' } } });
});

test('the introspection that GraphiQL sends is within the limits', async () => {
  await using world = await createWorld();
  const { getIntrospectionQuery } = await import('graphql');
  expect((await post(world, getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true, specifiedByUrl: true }))).codes).toEqual([]);
});

test('a query that is too deep is refused, through fragments too', async () => {
  await using world = await createWorld({ schema: schemaOf({ 'Query.contact': () => null }) });
  const deep = (levels: number) => `{ contact { ${'friend { '.repeat(levels - 2)} name ${'} '.repeat(levels - 2)} } }`;
  expect((await post(world, deep(13))).codes).toEqual([]);
  const refused = await post(world, deep(14));
  expect([refused.status, refused.codes]).toEqual([400, ['QUERY_TOO_DEEP']]);
  expect(refused.message).toContain('13 are allowed');
  const fragments = Array.from({ length: 7 }, (_, n) => `fragment F${n} on Contact { friend { friend { ...F${n + 1} } } }`).join(' ');
  expect((await post(world, `{ contact { ...F0 } } ${fragments} fragment F7 on Contact { name }`)).codes).toEqual(['QUERY_TOO_DEEP']);
});

test('a query that could give too much is refused, and an ordinary page is far from it', async () => {
  await using world = await createWorld({ schema: schemaOf({ 'Query.contacts': () => null, 'Query.contact': () => null }) });
  const page = (first: number, inner: string) => `{ contacts(first: ${first}) { nodes { name ${inner} } } }`;
  expect(
    (await post(world, page(50, 'a: notes(first: 3) { nodes { name } } friend { name } b: notes(first: 3) { nodes { name } } tags { name }'))).codes,
  ).toEqual([]);
  expect(
    (await post(world, page(100, 'a: notes(first: 10) { nodes { name } } b: notes(first: 10) { nodes { name } } c: notes { nodes { name } }'))).codes,
  ).toEqual([]);
  const refused = await post(world, page(100, 'friends(first: 100) { nodes { friends(first: 100) { nodes { name } } } }'));
  expect([refused.status, refused.codes]).toEqual([400, ['QUERY_TOO_COSTLY']]);
  const variables = { first: 100 };
  const query = 'query ($first: Int!) { contacts(first: $first) { nodes { friends(first: $first) { nodes { friends(first: $first) { nodes { name } } } } } } }';
  expect((await post(world, '', { body: JSON.stringify({ query, variables }) })).codes).toEqual(['QUERY_TOO_COSTLY']);
});

test('queries that are made to keep the server busy are refused at once', async () => {
  await using world = await createWorld({ schema: schemaOf({ 'Query.contact': () => null }) });
  const doubling = Array.from(
    { length: 10 },
    (_, n) => `fragment F${n} on Contact { ${Array.from({ length: 10 }, (_, a) => `a${a}: friend { ...F${n + 1} }`).join(' ')} }`,
  ).join(' ');
  const started = performance.now();
  expect((await post(world, `{ contact { ...F0 } } ${doubling} fragment F10 on Contact { name }`)).codes).toEqual(['TOO_MANY_ALIASES']);
  expect((await post(world, `{ contact { ...F0 } } ${doubling.replaceAll(/a\d: /g, '')} fragment F10 on Contact { name }`)).codes).toEqual(['TOO_MANY_FIELDS']);
  expect((await post(world, `{ contact { ${'name '.repeat(5000)} } }`)).codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  expect((await post(world, `{ contact { ${'name '.repeat(100_000)} } }`)).codes).toEqual(['GRAPHQL_PARSE_FAILED']);
  expect(performance.now() - started).toBeLessThan(10_000);
});

test('requests that a foreign page could send without asking are refused', async () => {
  await using world = await createWorld();
  const simple = await post(world, '{ viewer { name } }', { headers: { 'content-type': 'text/plain' } });
  expect([simple.status, simple.codes]).toEqual([400, ['BAD_REQUEST']]);
  const get = await fetch(`${world.url}?query={__typename}`, { headers: { accept: 'application/json' } });
  expect(get.status).toBe(400);
});

test('requests that are no GraphQL get a stable code: too large, not JSON, no query, an unknown path', async () => {
  await using world = await createWorld();
  const large = await post(world, '', { body: JSON.stringify({ query: 'x'.repeat(1_100_000) }) });
  expect([large.status, large.codes]).toEqual([413, ['BODY_TOO_LARGE']]);
  expect((await post(world, '', { body: '{"query": ' })).codes).toEqual(['BAD_REQUEST']);
  expect((await post(world, '', { body: '{}' })).codes).toEqual(['BAD_REQUEST']);
  expect((await post(world, '', { body: '[{"query":"{__typename}"}]' })).codes).toEqual(['BAD_REQUEST']);
  expect((await post(world, '{ viewer {')).codes).toEqual(['GRAPHQL_PARSE_FAILED']);
  expect((await post(world, '{ nothing }')).codes).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  expect((await post(world, 'query A { __typename } query B { __typename }')).codes).toEqual(['OPERATION_RESOLUTION_FAILURE']);
  const misfit = await post(world, '', {
    body: JSON.stringify({ query: 'query ($first: Int!) { organizations(first: $first) { nodes { id } } }', variables: { first: 'many' } }),
  });
  expect([misfit.status, misfit.codes]).toEqual([400, ['BAD_USER_INPUT']]);
  const elsewhere = await fetch(world.url.replace('/graphql', '/nowhere'));
  expect([elsewhere.status, ((await elsewhere.json()) as { errors: { extensions: { code: string } }[] }).errors[0]?.extensions.code]).toEqual([
    404,
    'NOT_FOUND',
  ]);
});

test('each request has an id of its own, which its errors name', async () => {
  await using world = await createWorld();
  const answers = await Promise.all([1, 2].map(() => post(world, '{ nothing }')));
  const ids = answers.map(({ headers }) => headers.get('x-request-id'));
  expect(new Set(ids).size).toBe(2);
  expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7/);
});

test('what goes wrong inside is told as a number to ask for, and logged without what the caller sent', async () => {
  const broken = () => {
    throw new TypeError('the secret plan');
  };
  await using world = await createWorld({ schema: schemaOf({ 'Query.broken': broken }) });
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  const answer = await post(world, '{ broken }');
  const id = answer.headers.get('x-request-id')!;
  expect(answer.codes).toEqual(['INTERNAL_SERVER_ERROR']);
  expect(answer.message).toContain(id);
  expect(JSON.stringify(answer)).not.toMatch(/secret|TypeError|server\.test/);
  expect(log).toHaveBeenCalledTimes(1);
  const line = JSON.parse(String(log.mock.calls[0]![0])) as Record<string, unknown>;
  expect(line).toMatchObject({ at: 'api', requestId: id, name: 'TypeError', message: 'the secret plan' });
  expect(JSON.stringify(line['where'])).toContain('server.test.ts');
});

test('what the database says of data is not logged', async () => {
  const leaky = async (_: unknown, _args: unknown, context: Context) => (await context.reading()).rows(sql`select ${'ada@example.com'}::text::integer`);
  await using world = await createWorld({ schema: schemaOf({ 'Query.slow': leaky }) });
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  expect((await post(world, '{ slow }', { token: await tokenOf(world) })).codes).toEqual(['INTERNAL_SERVER_ERROR']);
  expect(log).toHaveBeenCalledTimes(1);
  expect(String(log.mock.calls[0]![0])).toContain('22P02');
  expect(String(log.mock.calls[0]![0])).not.toContain('ada@');
});

test('a client that goes away leaves no connection behind', async () => {
  const started = gate();
  const finish = gate();
  const ended = gate();
  const slow = async (_: unknown, _args: unknown, context: Context) => {
    await context.reading();
    started.resolve();
    await finish.promise;
    // Goes on to read, as a resolver does that knows nothing of its client.
    const rows = await (await context.reading()).rows(sql`select 1 as one`);
    ended.resolve();
    return rows.length;
  };
  await using world = await createWorld({ schema: schemaOf({ 'Query.slow': slow }) });
  const token = await tokenOf(world);
  const leaving = new AbortController();
  const request = post(world, '{ slow }', { token, signal: leaving.signal });
  await started.promise;
  expect(world.connectionsOut).toBe(1);
  leaving.abort();
  await expect(request).rejects.toThrow('aborted');
  finish.resolve();
  await ended.promise;
  await expect.poll(() => world.connectionsOut).toBe(0);
});

test('a field that runs on after its neighbour has failed gets no connection and leaves none behind', async () => {
  const answered = gate();
  const tried = gate();
  const outcomes: string[] = [];
  const reads = async (_: unknown, _args: unknown, context: Context) => {
    const early = await context.reading();
    await answered.promise;
    for (const late of [() => early.rows(sql`select 1 as one`), () => context.reading()])
      await late().then(
        () => outcomes.push('read'),
        (error: Error) => outcomes.push(error.message),
      );
    tried.resolve();
  };
  const fails = async (_: unknown, _args: unknown, context: Context) => {
    await context.reading();
    throw new Error('fails');
  };
  await using world = await createWorld({
    schema: schemaOf({ 'Query.neighbours': () => ({}), 'Neighbours.fails': fails, 'Neighbours.reads': reads }),
  });
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const answer = await post(world, '{ neighbours { fails reads } }', { token: await tokenOf(world) });
  expect(answer.data).toEqual({ neighbours: null });
  expect(world.connectionsOut).toBe(0);
  answered.resolve();
  await tried.promise;
  expect(outcomes).toEqual(['The transaction has ended.', 'The operation is over.']);
  expect(world.connectionsOut).toBe(0);
});

test('health tells whether the database answers', async () => {
  await using world = await createWorld();
  const health = async () => {
    const response = await fetch(world.url.replace('/graphql', '/health'));
    return [response.status, await response.json()];
  };
  expect(await health()).toEqual([200, { status: 'ok' }]);
  await world.app.database.pool.end();
  expect(await health()).toEqual([503, { status: 'the database does not answer' }]);
});

test('the socket takes subscriptions only, and answers what it refuses without closing', async () => {
  await using world = await createWorld({ schema: schemaOf() });
  await using client = await openSocket(world, await tokenOf(world));
  const refused = async (id: string, query: string, variables?: object) => {
    client.subscribe(id, query, variables);
    const answer = await client.receive();
    expect([answer.id, answer.type]).toEqual([id, 'error']);
    return codesOf(answer);
  };
  expect(await refused('1', '{ contact { name } }')).toEqual(['SUBSCRIPTIONS_ONLY']);
  expect(await refused('2', 'mutation { change }')).toEqual(['SUBSCRIPTIONS_ONLY']);
  expect(await refused('3', 'subscription { ticks')).toEqual(['GRAPHQL_PARSE_FAILED']);
  expect(await refused('4', 'subscription { nothing }')).toEqual(['GRAPHQL_VALIDATION_FAILED']);
  expect(await refused('5', 'subscription A { ticks } subscription B { ticks }')).toEqual(['OPERATION_RESOLUTION_FAILURE']);
  expect(await refused('6', `subscription { ${'ticks '.repeat(7000)} }`)).toEqual(['GRAPHQL_PARSE_FAILED']);
  expect(await refused('7', 'subscription ($of: Int) { ticks(of: $of) }', { of: 'x' })).toEqual(['BAD_USER_INPUT']);
  for (let n = 0; n < 20; n++) client.subscribe(`open ${n}`, 'subscription { ticks }');
  expect(await refused('8', 'subscription { ticks }')).toEqual(['TOO_MANY_SUBSCRIPTIONS']);
});

test('a message larger than 64 KB closes the socket', async () => {
  await using world = await createWorld({ schema: schemaOf() });
  await using client = await openSocket(world, await tokenOf(world));
  // graphql-ws tells of it.
  vi.spyOn(console, 'error').mockImplementation(() => {});
  const closed = once(client.socket, 'close');
  client.subscribe('1', `subscription { ${' '.repeat(65_000)} ticks }`);
  client.subscribe('2', `subscription { ${' '.repeat(66_000)} ticks }`);
  expect((await closed)[0]).toBe(1009);
});

/** A source that the test drives. */
function driven() {
  const waiting: ((result: IteratorResult<number>) => void)[] = [];
  const closed = gate();
  const source: AsyncIterableIterator<number> = {
    next: () => new Promise((resolve) => waiting.push(resolve)),
    async return() {
      closed.resolve();
      for (const end of waiting.splice(0)) end({ done: true, value: undefined });
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => source,
  };
  const emit = async (value: number) => {
    await expect.poll(() => waiting.length).toBeGreaterThan(0);
    waiting.shift()!({ done: false, value });
  };
  return { source, emit, closed: closed.promise };
}

test('a role that is revoked, a suspension and a token that runs out end the subscription at the next event', async () => {
  const ends: [string, (world: World) => Promise<unknown>, string][] = [
    ['revoked', (world) => world.owner.query(`update role set permissions = '{}'`), 'FORBIDDEN'],
    ['suspended', (world) => world.owner.query('update staff_member set suspended_at = now()'), 'UNAUTHENTICATED'],
    ['expired', async () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 61_000 }), 'UNAUTHENTICATED'],
  ];
  for (const [, end, code] of ends) {
    const { source, emit, closed } = driven();
    await using world = await createWorld({ schema: schemaOf({}, () => source) });
    await using client = await openSocket(world, await tokenOf(world, '60s'));
    client.subscribe('1', 'subscription { ticks }');
    await emit(1);
    expect(await client.receive()).toEqual({ id: '1', type: 'next', payload: { data: { ticks: 1 } } });
    expect(world.connectionsOut).toBe(0);
    await end(world);
    await emit(2);
    const last = await client.receive();
    expect([last.type, codesOf(last)]).toEqual(['error', [code]]);
    await closed;
    expect(world.connectionsOut).toBe(0);
    vi.useRealTimers();
  }
});

test('a subscription that breaks tells no more than a query that breaks', async () => {
  const source = async function* () {
    yield 1;
    throw new Error('the secret plan');
  };
  await using world = await createWorld({ schema: schemaOf({}, source) });
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  await using client = await openSocket(world, await tokenOf(world));
  client.subscribe('1', 'subscription { ticks }');
  expect((await client.receive()).type).toBe('next');
  const answer = await client.receive();
  expect(codesOf(answer)).toEqual(['INTERNAL_SERVER_ERROR']);
  expect(JSON.stringify(answer)).not.toContain('secret');
  expect(log).toHaveBeenCalledTimes(1);
});

test('a socket that goes away closes its subscriptions, even those that wait', async () => {
  const { source, closed } = driven();
  await using world = await createWorld({ schema: schemaOf({}, () => source) });
  await using client = await openSocket(world, await tokenOf(world));
  client.subscribe('1', 'subscription { ticks }');
  client.send({ type: 'ping' });
  expect((await client.receive()).type).toBe('pong');
  await expect.poll(() => world.connectionsOut).toBe(0);
  client.socket.terminate();
  await closed;
});

test('the client of the SDK subscribes, and tells refusals as its own errors', async () => {
  const { source, emit, closed } = driven();
  await using world = await createWorld({ schema: schemaOf({}, () => source) });
  const document = parse('subscription { ticks }');
  const client = world.client(await tokenOf(world));
  const seen: unknown[] = [];
  const watching = (async () => {
    for await (const event of client.subscribe<{ ticks: number }, Record<string, never>>(document)) {
      seen.push(event.ticks);
      if (event.ticks === 2) break;
    }
  })();
  await emit(1);
  await emit(2);
  await watching;
  await closed;
  expect(seen).toEqual([1, 2]);
  await expect(world.client('nonsense').subscribe(document, {}).next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  await expect(world.client().subscribe(document, {}).next()).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  await expect(client.subscribe(parse('{ contact { name } }'), {}).next()).rejects.toMatchObject({ code: 'SUBSCRIPTIONS_ONLY' });
  await expect(client.request(parse('{ nothing }'), {})).rejects.toMatchObject({
    code: 'GRAPHQL_VALIDATION_FAILED',
    requestId: expect.stringMatching(/-7/) as string,
  });
});

test('closing ends the sockets with 1001, lets a request in progress end, and is done at once', async () => {
  const started = gate();
  const finish = gate();
  const slow = async () => {
    started.resolve();
    await finish.promise;
    return 1;
  };
  await using world = await createWorld({ schema: schemaOf({ 'Query.slow': slow }) });
  const token = await tokenOf(world);
  await using client = await openSocket(world, token);
  client.subscribe('1', 'subscription { ticks }');
  const request = post(world, '{ slow }', { token });
  await started.promise;
  const socketClosed = once(client.socket, 'close');
  const begun = performance.now();
  const closing = world.server.close();
  expect((await socketClosed)[0]).toBe(1001);
  await expect(fetch(world.url.replace('/graphql', '/health'))).rejects.toThrow('fetch failed');
  finish.resolve();
  expect((await request).data).toEqual({ slow: 1 });
  await closing;
  expect(performance.now() - begun).toBeLessThan(6000);
});
