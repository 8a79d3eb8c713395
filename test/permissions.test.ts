// The machinery of permissions, on a schema of a few fields: what is named, what is not, and what a subscription may see.
import { buildSchema, type GraphQLSchema, parse, subscribe, type ExecutionResult } from 'graphql';
import { expect, test, vi } from 'vitest';
import { createWorld, type World } from './harness.ts';
import { readAccessToken } from '../src/domain/sessions.ts';
import { Forbidden } from '../src/errors.ts';
import { Operation } from '../src/operation.ts';
import { assertComplete, guard, type Policy } from '../src/permissions/guard.ts';
import { policy } from '../src/permissions/index.ts';
import { may, onPlan, operator, signedIn, withinWindow } from '../src/permissions/rules.ts';
import { allow, chain } from '../src/permissions/shield.ts';
import { veil } from '../src/permissions/veil.ts';
import { encodeId } from '../src/schema/common.ts';

const rules: Policy = {
  Query: { open: allow, member: signedIn, contacts: may('contacts:read'), log: may('log:read'), all: operator('platform:organizations') },
  Mutation: {
    deleteContacts: may('contacts:delete'),
    requestRecovery: chain(may('recovery:request'), onPlan('PREMIUM'), withinWindow),
  },
  Subscription: { ticks: may('contacts:read') },
  Contact: { payments: may('payments:read') },
};

/** A source of events that the test drives, and that says whether it was closed. */
function ticker() {
  const waiting: ((result: IteratorResult<number>) => void)[] = [];
  const ticks = {
    closed: false,
    opened: false,
    emit: (tick: number) => waiting.shift()!({ done: false, value: tick }),
    next: () => new Promise<IteratorResult<number>>((resolve) => waiting.push(resolve)),
    async return(): Promise<IteratorResult<number>> {
      ticks.closed = true;
      for (const end of waiting.splice(0)) end({ done: true, value: undefined });
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]: () => ticks,
  };
  return ticks;
}

function tinySchema(ticks = ticker()): GraphQLSchema {
  const schema = buildSchema(`
    type Contact { name: String payments: Int }
    type Payload { userErrors: [UserError!]! }
    type UserError { code: String! }
    input Selection { deletionId: ID }
    input RecoveryInput { selection: Selection! }
    input DeletionInput { contactIds: [ID!]! }
    type Query { open: Int member: Int contacts: Contact log: Int all: Int unnamed: Int }
    type Mutation { deleteContacts(input: DeletionInput): Payload requestRecovery(input: RecoveryInput!): Int }
    type Subscription { ticks: Int }
  `);
  const fields = (type: string) => (schema.getType(type) as ReturnType<GraphQLSchema['getQueryType']>)!.getFields();
  for (const field of Object.values(fields('Query'))) field.resolve = () => 1;
  fields('Query')['contacts']!.resolve = () => ({ name: 'Ada', payments: 3 });
  fields('Mutation')['requestRecovery']!.resolve = () => 1;
  fields('Mutation')['deleteContacts']!.resolve = () => ({ userErrors: [{ code: 'CONFIRMATION_EXPIRED' }] });
  fields('Subscription')['ticks']!.resolve = (tick) => tick as number;
  fields('Subscription')['ticks']!.subscribe = () => {
    ticks.opened = true;
    return ticks;
  };
  return guard(schema, rules);
}

async function operationOf(world: World, ...who: Parameters<World['token']>): Promise<Operation> {
  const claims = await readAccessToken(world.app, await world.token(...who));
  return new Operation(world.app, world.pubsub, { id: crypto.randomUUID(), address: null, agent: null }, claims);
}

const signedOut = (world: World) => new Operation(world.app, world.pubsub, { id: crypto.randomUUID(), address: null, agent: null }, null);

async function codes(operation: Operation, query: string, variableValues = {}): Promise<unknown[]> {
  const { errors = [] } = await operation.execute({ schema: tinySchema(), document: parse(query), variableValues });
  return errors.map((error) => error.extensions?.['code']);
}

/** Role, permissions gone: the way an administrator would do it. */
const revoke = (world: World, role: string) => world.owner.query(`update role set permissions = '{}' where name = $1`, [role]);

test('a field asks for its permission, and a field that is not named is open to nobody', async () => {
  await using world = await createWorld();
  expect(await codes(signedOut(world), '{ open }')).toEqual([]);
  expect(await codes(signedOut(world), '{ member }')).toEqual(['UNAUTHENTICATED']);
  expect(await codes(await operationOf(world, 'Viewer'), '{ member contacts { name } }')).toEqual([]);
  expect(await codes(await operationOf(world, 'Viewer'), '{ log }')).toEqual(['FORBIDDEN']);
  expect(await codes(await operationOf(world, 'Super admin'), '{ log }')).toEqual([]);
  expect(await codes(await operationOf(world, 'Super admin'), '{ unnamed }')).toEqual(['FORBIDDEN']);
  expect(await codes(await operationOf(world, 'Super admin'), '{ all }')).toEqual(['FORBIDDEN']);
  expect(await codes(await operationOf(world, 'Operator'), '{ all }')).toEqual([]);
  expect(await codes(await operationOf(world, 'Operator'), '{ contacts { name } }')).toEqual(['FORBIDDEN']);
});

test('a sensitive field of an object asks for its own permission and leaves the rest readable', async () => {
  await using world = await createWorld();
  const viewer = await operationOf(world, 'Viewer');
  const result = await viewer.execute({ schema: tinySchema(), document: parse('{ contacts { name payments } }') });
  expect(result.data).toEqual({ contacts: { name: 'Ada', payments: null } });
  expect(result.errors?.map((error) => error.extensions?.['code'])).toEqual(['FORBIDDEN']);
  expect(await codes(await operationOf(world, 'Staff'), '{ contacts { payments } }')).toEqual([]);
});

test('a staff permission in a role of an operator, or the reverse, opens nothing', async () => {
  await using world = await createWorld();
  await world.owner.query(`update role set permissions = array['platform:organizations'] where name = 'Viewer'`);
  expect(await codes(await operationOf(world, 'Viewer'), '{ all }')).toEqual(['FORBIDDEN']);
});

test('a recovery takes the permission, then the plan, then the time', async () => {
  await using world = await createWorld();
  const query = 'mutation ($id: ID!) { requestRecovery(input: { selection: { deletionId: $id } }) }';
  const deletion = async (organizationId: string, until: string) => {
    const id = crypto.randomUUID();
    await world.owner.query(
      `insert into deletion (organization_id, id, state, reason, requested_by_id, requested_by_name, confirmation_id, snapshot_id, contact_count, deleted_at, recoverable_until)
       values ($1, $2, 'COMPLETED', 'test', $2, 'test', $2, $2, 1, now(), clock_timestamp() + $3::interval)`,
      [organizationId, id, until],
    );
    return { id: encodeId('Deletion', id) };
  };
  const open = await deletion(world.organizationId(), '1 minute');
  const closed = await deletion(world.organizationId(), '-1 millisecond');
  const unknown = { id: encodeId('Deletion', crypto.randomUUID()) };
  const superAdmin = () => operationOf(world, 'Super admin');
  expect(await codes(await operationOf(world, 'Admin'), query, closed)).toEqual(['FORBIDDEN']);
  expect(await codes(await operationOf(world, 'Super admin', 'Hilltop Society'), query, closed)).toEqual(['PLAN_REQUIRED']);
  expect(await codes(await superAdmin(), query, closed)).toEqual(['RECOVERY_WINDOW_CLOSED']);
  expect(await codes(await superAdmin(), query, { id: 'nonsense' })).toEqual(['MALFORMED_ID']);
  expect(await codes(await superAdmin(), query, unknown)).toEqual([]);
  expect(await codes(await superAdmin(), query, open)).toEqual([]);
});

test('refused attempts are in the action log with their code and target, once for each operation', async () => {
  await using world = await createWorld();
  const id = crypto.randomUUID();
  const target = encodeId('Contact', id);
  const query =
    'mutation ($ids: [ID!]!) { a: deleteContacts(input: { contactIds: $ids }) { userErrors { code } } b: deleteContacts(input: { contactIds: $ids }) { userErrors { code } } }';
  await codes(await operationOf(world, 'Viewer'), query, { ids: [target] });
  await codes(await operationOf(world, 'Admin'), query, { ids: [target] });
  await codes(await operationOf(world, 'Viewer'), '{ log }');
  await codes(await operationOf(world, 'Viewer'), '{ contacts { payments } }');
  await codes(await operationOf(world, 'Operator'), '{ log }');
  const { rows } = await world.owner.query(
    `select actor_name, action, outcome, code, target_kind, target_id from action_log where action <> 'staff.signed_in' order by id`,
  );
  expect(rows).toEqual([
    {
      actor_name: 'Viewer of Riverside Club',
      action: 'deleteContacts',
      outcome: 'REFUSED',
      code: 'FORBIDDEN',
      target_kind: 'Contact',
      target_id: id,
    },
    {
      actor_name: 'Admin of Riverside Club',
      action: 'deleteContacts',
      outcome: 'REFUSED',
      code: 'CONFIRMATION_EXPIRED',
      target_kind: 'Contact',
      target_id: id,
    },
    { actor_name: 'Viewer of Riverside Club', action: 'log', outcome: 'REFUSED', code: 'FORBIDDEN', target_kind: null, target_id: null },
  ]);
});

test('an operation whose refusal can not be logged fails', async () => {
  await using world = await createWorld();
  const viewer = await operationOf(world, 'Viewer');
  await world.owner.query('alter table action_log rename to action_log_gone');
  const log = vi.spyOn(console, 'error').mockImplementation(() => {});
  const result = await viewer.execute({ schema: tinySchema(), document: parse('{ member log }') });
  expect(result.data).toBeUndefined();
  expect(result.errors?.map((error) => error.extensions?.['code'])).toEqual(['INTERNAL_SERVER_ERROR']);
  expect(log).toHaveBeenCalledOnce();
  log.mockRestore();
});

test('refused queries on every connection of the pool at once do not wait for each other', async () => {
  await using world = await createWorld({ settings: { POOL_SIZE: '4' } });
  const operations = await Promise.all(Array.from({ length: 16 }, () => operationOf(world, 'Viewer')));
  const answers = await Promise.all(operations.map((operation) => codes(operation, '{ log }')));
  expect(answers.flat()).toEqual(Array.from({ length: 16 }, () => 'FORBIDDEN'));
});

test('a subscription that is refused never opens its source', async () => {
  await using world = await createWorld();
  await revoke(world, 'Viewer');
  const ticks = ticker();
  const operation = await operationOf(world, 'Viewer');
  const refused = (await subscribe({
    schema: tinySchema(ticks),
    document: parse('subscription { ticks }'),
    contextValue: operation,
  })) as ExecutionResult;
  expect(refused.errors?.[0]?.originalError).toBeInstanceOf(Forbidden);
  expect(ticks.opened).toBe(false);
  await operation.close();
  const { rows } = await world.owner.query(`select action, code from action_log where outcome = 'REFUSED'`);
  expect(rows).toEqual([{ action: 'ticks', code: 'FORBIDDEN' }]);
});

test('a subscription asks again before each event, and ends when the answer has become no', async () => {
  await using world = await createWorld();
  const ticks = ticker();
  const operation = await operationOf(world, 'Viewer');
  const events = (await subscribe({
    schema: tinySchema(ticks),
    document: parse('subscription { ticks }'),
    contextValue: operation,
  })) as AsyncGenerator<ExecutionResult>;
  const first = events.next();
  ticks.emit(1);
  expect((await first).value).toEqual({ data: { ticks: 1 } });
  await revoke(world, 'Viewer');
  const second = events.next();
  ticks.emit(2);
  await expect(second).rejects.toMatchObject({ code: 'FORBIDDEN' });
  expect(ticks.closed).toBe(true);
  await operation.close();
});

test('a subscription does not run as a query', async () => {
  await using world = await createWorld();
  expect(await codes(await operationOf(world, 'Viewer'), 'subscription { ticks }')).toEqual(['SUBSCRIPTION_NEEDS_WEBSOCKET']);
});

test('what is not complete is named before the server starts', () => {
  const schema = tinySchema();
  expect(() => assertComplete(schema, rules)).toThrow('These root fields have no rule in src/permissions/index.ts: Query.unnamed.');
  const named = { ...rules, Query: { ...rules['Query'], unnamed: allow } };
  expect(() => assertComplete(schema, { ...named, Contact: { age: signedIn } })).toThrow('the schema lacks: Contact.age.');
  expect(() => assertComplete(schema, { ...named, Ghost: { age: signedIn } })).toThrow('the schema lacks: Ghost.age.');
  expect(() => assertComplete(schema, named)).toThrow(/No rule asks for these permissions of the catalogue: contacts:create, .*platform:approvals\./);
});

test('what roles hide must be there and be nullable before the server starts', () => {
  const schema = buildSchema('type Query { contact: Contact } type Contact { email: String name: String! }');
  const hiding = (type: string, field: string) => () => veil(schema, { hides: { [type]: { [field]: ['EMAIL_AND_PHONE'] } }, leavesOut: {} });
  expect(hiding('Contact', 'phone')).toThrow('src/permissions/index.ts hides a field that the schema lacks: Contact.phone.');
  expect(hiding('Ghost', 'email')).toThrow('the schema lacks: Ghost.email.');
  expect(hiding('Contact', 'name')).toThrow('Contact.name is hidden from some, so it must be nullable.');
  expect(hiding('Contact', 'email')).not.toThrow();
});

test('every permission of the catalogue is asked for by the real policy', () => {
  const fields = Object.entries(policy).map(
    ([type, names]) =>
      `type ${type} { ${Object.keys(names)
        .map((name) => `${name}: Int`)
        .join(' ')} }`,
  );
  expect(() => assertComplete(buildSchema(fields.join('\n')), policy)).not.toThrow();
});
