// Puts a policy around a schema: shield's answer before each guarded field, before each subscription and before each
// event that it passes on. Fields without a rule are left as they are, because shield's wrapping costs a quarter of the speed.
import { defaultFieldResolver, GraphQLError, type GraphQLField, type GraphQLFieldResolver, type GraphQLObjectType, type GraphQLSchema } from 'graphql';
import type { Context } from '../context.ts';
import { Forbidden, StartupError } from '../errors.ts';
import { permissions } from './catalogue.ts';
import { noting } from './refusals.ts';
import { allow, deny, shield, type Rule } from './shield.ts';

/** Type name, field name, rule. */
export type Policy = Record<string, Record<string, Rule>>;

type Resolver = GraphQLFieldResolver<unknown, Context>;
/** What shield makes of a rule: answers with what `resolve` gives, or with the error of the refusal. */
type Check = (resolve: Resolver, ...call: Parameters<Resolver>) => Promise<unknown>;

/** Guards the schema in place. */
export function guard(schema: GraphQLSchema, policy: Policy): GraphQLSchema {
  const options = { allowExternalErrors: true, fallbackRule: deny, fallbackError: unnamed };
  const checks = shield(policy, options).generate(schema) as Record<string, Record<string, Check | { resolve: Check }>>;
  const roots = rootTypes(schema);
  for (const [typeName, fields] of Object.entries(checks)) {
    const type = schema.getType(typeName) as GraphQLObjectType<unknown, Context>;
    for (const [name, field] of Object.entries(type.getFields())) {
      const rule = policy[typeName]?.[name];
      const made = fields[name]!;
      const check = 'resolve' in made ? made.resolve : made;
      if (type === schema.getSubscriptionType()) guardEvents(field, check);
      else if (rule || roots.includes(type)) guardField(field, check);
      if (roots.includes(type) && type !== schema.getSubscriptionType() && rule !== allow) field.resolve = noting(name, field.resolve!);
    }
  }
  return schema;
}

const needsWebSocket = () =>
  new GraphQLError('A subscription needs a WebSocket at the same address (graphql-transport-ws). Nothing was read.', {
    extensions: { code: 'SUBSCRIPTION_NEEDS_WEBSOCKET' },
  });

const unnamed = () => new Forbidden('FORBIDDEN', 'This is open to nobody. Nothing was changed.');

function rootTypes(schema: GraphQLSchema): GraphQLObjectType[] {
  return [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()].filter((type) => type != null);
}

function guardField(field: GraphQLField<unknown, Context>, check: Check): void {
  const resolve = field.resolve ?? defaultFieldResolver;
  field.resolve = (parent, args, context, info) => check(resolve, parent, args, context, info);
}

function guardEvents(field: GraphQLField<unknown, Context>, check: Check): void {
  const subscribe = field.subscribe!;
  const ask: Resolver = async (parent, args, context, info) => {
    // What was read for the last event says nothing about this one.
    await context.finish();
    return check(() => true, parent, args, context, info);
  };
  const asking = noting(field.name, ask);
  field.subscribe = async (parent, args, context, info) => {
    const refusal = await asking(parent, args, context, info);
    await context.finish();
    if (refusal instanceof Error) throw refusal;
    const events = (await subscribe(parent, args, context, info)) as AsyncIterable<unknown>;
    return new GuardedEvents(events, () => asking(parent, args, context, info));
  };
  // Sent over HTTP, a subscription is executed like a query: its field resolves without an event, and past the guard.
  const resolve = field.resolve ?? defaultFieldResolver;
  field.resolve = (event, args, context, info) => (event === undefined ? needsWebSocket() : resolve(event, args, context, info));
}

/** Passes events on as long as the rule says yes; its no ends them. Not a generator, whose `return` would wait for the next event. */
class GuardedEvents implements AsyncIterableIterator<unknown> {
  readonly #events: AsyncIterator<unknown>;

  constructor(
    events: AsyncIterable<unknown>,
    readonly ask: () => Promise<unknown> | unknown,
  ) {
    this.#events = events[Symbol.asyncIterator]();
  }

  async next(): Promise<IteratorResult<unknown>> {
    const event = await this.#events.next();
    if (event.done) return event;
    const refusal = await this.ask();
    if (!(refusal instanceof Error)) return event;
    await this.return();
    throw refusal;
  }

  async return(): Promise<IteratorResult<unknown>> {
    await this.#events.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<unknown>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * Proves that the policy and the schema name the same root fields, that no rule hangs on a field that isn't there, and
 * that every permission of the catalogue is asked for somewhere.
 * @throws StartupError naming what is missing
 */
export function assertComplete(schema: GraphQLSchema, policy: Policy): void {
  const unguarded = rootTypes(schema).flatMap((type) =>
    Object.keys(type.getFields())
      .filter((name) => !policy[type.name]?.[name])
      .map((name) => `${type.name}.${name}`),
  );
  if (unguarded.length > 0) throw new StartupError(`These root fields have no rule in src/permissions/index.ts: ${unguarded.join(', ')}.`);
  const absent = Object.entries(policy).flatMap(([type, fields]) =>
    Object.keys(fields)
      .filter((name) => !fieldsOf(schema, type)[name])
      .map((name) => `${type}.${name}`),
  );
  if (absent.length > 0) throw new StartupError(`src/permissions/index.ts has rules for fields that the schema lacks: ${absent.join(', ')}.`);
  const asked = new Set(Object.values(policy).flatMap((fields) => Object.values(fields).flatMap(namesOf)));
  const unused = permissions.filter((permission) => !asked.has(permission));
  if (unused.length > 0) throw new StartupError(`No rule asks for these permissions of the catalogue: ${unused.join(', ')}.`);
}

function fieldsOf(schema: GraphQLSchema, type: string): Record<string, unknown> {
  const found = schema.getType(type);
  return found && 'getFields' in found ? found.getFields() : {};
}

/** The last words of the names of a rule and of the rules in it; of a rule that asks for a permission it is the permission. */
function namesOf(rule: Rule): string[] {
  return 'getRules' in rule ? rule.getRules().flatMap(namesOf) : [rule.name.split(' ').at(-1)!];
}
