// Every path of the contract to what takes a permission of its own: through lists, records inside of records, payloads, `node`,
// fragments and aliases. From each root field everything is asked for at once, as deep as the contract goes, and what is left out
// must be exactly what this table says, whichever way it was come to.
import {
  getNamedType,
  isCompositeType,
  isInterfaceType,
  isObjectType,
  type GraphQLInterfaceType,
  type GraphQLNamedType,
  type GraphQLObjectType,
} from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInRoles, type Permission, staffPermissions } from '../src/permissions/catalogue.ts';
import { firstEvent, post } from './asking.ts';
import { decodeAnyId, type Kinds } from '../src/schema/common.ts';
import { hire } from './custom-roles.ts';
import { everyField, isForOperators, takes, type Variables, variablesFor } from './every-field.ts';
import { createFullWorld, type Scene, settings } from './full-world.ts';
import { createWorld, type World } from './harness.ts';
import type { RoleName } from './people.ts';
import type { Template } from './setup.ts';
import { argumentsOf, documentOf, type Field, partsOf, placesOf, replaced, rootFields, schema, valueAt } from './walk.ts';

/** What it takes to see records of a type, or one field of a type, wherever an answer comes to it. */
const guarded = `
  contacts:read        Contact RecoveredContact
  contacts:import      Upload Import ImportTemplate
  payments:read        Payment LedgerEntry Contact.payments Contact.ledgerEntries Contact.balances Contact.balance
  payments:read        ContactDeletionPreview.balances Deletion.balances RecoveryPlan.balances ComparedContactConnection.totals
  contacts:export      ContactExport
  deletions:read       Deletion Erasure Import.recoverable
  recovery:read        RecoveryRequest RecoveryPlan RecoveryOffer Conflict Invoice Undo
  snapshots:read       Snapshot RestoreDrill ComparedContact
  jobs:read            Job
  log:read             ActionLogEntry LogVerification
  staff:read           Role StaffMember Invitation
  keys:manage          ApiKey
  identity:manage      IdentityProvider
  integrations:manage  WebhookEndpoint WebhookDelivery
`;

/** Types that are part of what they hang on: whoever sees that sees them. Connections, edges and payloads are by their names. */
const parts = `
  Activity AddedActions CappedCount ComparisonTotals ContactDeletionPreview ContactErasurePreview ContactPoint CreateContactsResult CustomField CustomFieldDefinition
  DeadlineWarning DeletedContact ErasedContact ErasureCertificate Failure FieldChange FieldGroupDescription LogFault LogHead LogPruning Membership MembershipPlan Money Note Organization PageInfo
  FileReading ImportColumn ImportCounts ImportProblem ImportQuestion ImportRecoverable ImportRow ImportValue PermissionDescription RecreatedRecord RowCount Session StoreErasure Tag UndoException UserError Viewer
`;

/** Where whoever did something sees what they have made, without the permission that others take. Nothing in it is given beyond this. */
const ownDeeds = `
  createContact.contact addPayment.payment addCharge.ledgerEntry deleteContacts.deletion deleteContacts.deletion.job deleteContacts.deletion.erasure
  eraseContacts.erasure eraseContacts.erasure.job takeSnapshot.snapshot takeSnapshot.snapshot.job exportContacts.contactExport.job startImport.import.job undoImport.import.undoDeletion.job requestRecovery.recoveryRequest.job
  undoRecovery.recoveryRequest.undo.deletion.job undoRecovery.recoveryRequest.undo.deletion.erasure
`;

/** What contacts can be found by that takes a permission to see, by the type of the argument. */
const askedFor: Record<string, { guard: Permission; value: unknown }> = {
  BalanceState: { guard: 'payments:read', value: 'OWING' },
};

const words = (text: string) => text.trim().split(/\s+/);
const guards = new Map(
  guarded
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [permission, ...names] = words(line);
      return names.map((name) => [name, permission as Permission] as const);
    }),
);

const isRoot = (type: GraphQLNamedType) => ['Query', 'Mutation', 'Subscription'].includes(type.name);
const objects = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type) && !type.name.startsWith('__') && !isRoot(type)) as GraphQLObjectType[];

/** Every field that leads from one type to another, or is guarded by itself, as "Contact.notes". */
const edges = objects.flatMap((type) =>
  Object.values(type.getFields())
    .filter((field) => isCompositeType(getNamedType(field.type)) || guards.has(`${type.name}.${field.name}`))
    .map((field) => `${type.name}.${field.name}`),
);

/** What a step takes: of the field itself, or of the records that it leads to. */
const guardOf = (type: string, field: string, target: string): Permission | undefined => guards.get(`${type}.${field}`) ?? guards.get(target);

/** The names of these types and of all that are in them. */
function typesOf(types: readonly GraphQLNamedType[], found = new Set<string>()): Set<string> {
  for (const type of types.filter((one) => isObjectType(one) && !found.has(one.name)) as GraphQLObjectType[])
    typesOf(
      Object.values(type.getFields()).map((field) => getNamedType(field.type)),
      found.add(type.name),
    );
  return found;
}

const pageOf = (field: Field) => (field.args.some(({ name }) => name === 'first') ? '(first: 1)' : '');

/** Everything there is below a type, down to the leaves; behind an edge one level, because what is further on is behind `nodes` too. */
function everything(type: GraphQLNamedType, isShallow = false): string {
  if (!isObjectType(type)) return '';
  const fields = Object.values(type.getFields()).map((field) => {
    const inner = getNamedType(field.type);
    return `${field.name}${pageOf(field)} ${isShallow && isCompositeType(inner) ? '{ __typename }' : everything(inner, type.name.endsWith('Edge'))}`;
  });
  return `{ __typename ${fields.join(' ')} }`;
}

/** The same in other words: each type by fragments with and without names, with the interface around it, under aliases and conditions. */
function disguised(type: GraphQLNamedType, fragments: Map<string, string>, isShallow = false): string {
  if (!isObjectType(type)) return '';
  const name = `${isShallow ? 'Some' : 'All'}${type.name}`;
  if (!fragments.has(name)) {
    fragments.set(name, '');
    const fields = Object.values(type.getFields()).map((field, place) => {
      const inner = getNamedType(field.type);
      // No more aliases than an operation may have: of what is guarded.
      const name = guardOf(type.name, field.name, inner.name) ? `as_${field.name}: ${field.name}` : field.name;
      if (!isCompositeType(inner)) return name;
      const below = isShallow ? '{ ... { __typename } }' : disguised(inner, fragments, type.name.endsWith('Edge'));
      const asked = `${name}${pageOf(field)} @skip(if: false) ${below}`;
      return place % 2 ? `... @include(if: true) { ${asked} }` : `... on ${type.name} { ${asked} }`;
    });
    const interfaces = type.getInterfaces().map((one) => `... on ${one.name} { ... on ${type.name} { as_typename: __typename } }`);
    fragments.set(name, `fragment ${name} on ${type.name} { __typename ${[...interfaces, ...fields].join(' ')} }`);
  }
  return `{ ... @include(if: true) { ...${name} @include(if: true) } }`;
}

interface Step {
  /** The names on the way, without places in lists. */
  path: string;
  /** The edge, as "Contact.notes". */
  edge: string;
  guard: Permission | undefined;
}

/** Every step of an answer behind its root field, as far as it has something there, in the order of the paths. */
function stepsOf(value: unknown, path: string): Step[] {
  if (Array.isArray(value)) return value.flatMap((one) => stepsOf(one, path));
  if (value === null || typeof value !== 'object') return [];
  const record = value as Record<string, unknown>;
  const type = schema.getType(record['__typename'] as string) as GraphQLObjectType;
  return Object.entries(record).flatMap(([key, inner]) => {
    const field = type.getFields()[key.replace(/^as_/, '')];
    if (!field || !edges.includes(`${type.name}.${field.name}`)) return [];
    const step = { path: `${path}.${field.name}`, edge: `${type.name}.${field.name}`, guard: guardOf(type.name, field.name, getNamedType(field.type).name) };
    return [step, ...stepsOf(inner, step.path)];
  });
}

const unique = <T>(values: readonly T[]) => [...new Set(values)];

interface Answer {
  value: unknown;
  /** The paths that were left out as FORBIDDEN, without aliases and places in lists. */
  leftOut: string[];
  /** What else went wrong. */
  others: string[];
}

/** Asks for all that is below a root field; of one that gives an interface, for all of the type that the record is of. */
async function ask(world: World, token: string, root: string, variables: Variables, form: 'plain' | 'disguised' = 'plain'): Promise<Answer> {
  const field = rootFields.get(root)!;
  const fragments = new Map<string, string>();
  const named = getNamedType(field.type);
  const type = isInterfaceType(named) ? schema.getType(decodeAnyId(variables['id'] as string)[0])! : named;
  const below = form === 'plain' ? everything(type) : disguised(type, fragments);
  const selection = isInterfaceType(named) ? `{ __typename ... on ${named.name} { ... on ${type.name} ${below} } }` : below;
  const { declared, given } = argumentsOf(field);
  const kind = root.split('.')[0]!.toLowerCase();
  const query = `${kind} ${declared} { ${field.name}${given} ${selection} } ${[...fragments.values()].join(' ')}`;
  const { errors, data } = root.startsWith('Subscription') ? await firstEvent(world, token, query, variables) : await post(world, token, query, variables);
  const plain = (path: string) =>
    path
      .split('.')
      .filter((name) => !/^\d+$/.test(name))
      .map((name) => name.replace(/^as_/, ''))
      .join('.');
  return {
    value: data?.[field.name],
    leftOut: unique(errors.filter(({ code }) => code === 'FORBIDDEN').map(({ path }) => plain(path))).toSorted(),
    others: errors.filter(({ code }) => code !== 'FORBIDDEN').map(({ path, code, message }) => `${plain(path)} ${code} ${message}`),
  };
}

/** What should be left out of an answer, and the paths that should not: what is behind a closed step is no step any more. */
function expectedOf(steps: readonly Step[], holds: readonly Permission[]): { leftOut: string[]; left: string[] } {
  const isClosed = ({ guard, path }: Step) => guard !== undefined && !holds.includes(guard) && !words(ownDeeds).includes(path);
  const closed = unique(steps.filter(isClosed).map(({ path }) => path));
  const first = closed.filter((path) => !closed.some((other) => path.startsWith(`${other}.`)));
  const left = unique(steps.map(({ path }) => path)).filter((path) => !first.some((other) => path.startsWith(`${other}.`)));
  return { leftOut: first.toSorted(), left: left.toSorted() };
}

interface Person {
  name: string;
  token: string;
  holds: readonly Permission[];
  forms: readonly ('plain' | 'disguised')[];
}

let frozen: Template & AsyncDisposable;
let mine: Scene;
/** The Super admin first, who sees everything. */
const everyone: Person[] = [];
let world: World;

beforeAll(async () => {
  const full = await createFullWorld();
  mine = full.mine;
  const guarding = new Set(guards.values());
  const person = (name: string, holds: readonly Permission[], token: string): Person => {
    // Who lacks nothing that guards anything is answered alike in whatever words.
    const isTold = staffPermissions.some((permission) => guarding.has(permission) && !holds.includes(permission));
    return { name, holds, token, forms: isTold || name === 'Super admin' ? ['plain', 'disguised'] : ['plain'] };
  };
  const hired = async (name: string, holds: Permission[]) => person(name, holds, (await hire(full.world, ...holds)).token);
  for (const { name, permissions } of builtInRoles) everyone.push(person(name, permissions, await full.world.token(name as RoleName)));
  everyone.push(await hired('nothing', []));
  for (const permission of staffPermissions) {
    const rest = staffPermissions.filter((one) => one !== permission);
    everyone.push(await hired(`all but ${permission}`, rest));
  }
  frozen = await full.world.freeze();
  world = await createWorld({ template: frozen, settings });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  await frozen[Symbol.asyncDispose]();
});

const mayAsk = ({ holds }: Person, permissions: readonly Permission[]) => permissions.every((permission) => holds.includes(permission));

/** A page of three, where there are pages. */
const paged = (root: string, variables: Variables): Variables =>
  rootFields.get(root)!.args.some(({ name }) => name === 'first') ? { ...variables, first: 3 } : variables;

/** What is asked of each root field that reads, and what that takes; of `node` for each kind of record. */
function reading(): [root: string, variables: Variables, takes: readonly Permission[]][] {
  const roots = [...rootFields.keys()].filter((root) => !root.startsWith('Mutation') && root !== 'Query.node' && !isForOperators(root));
  const nodes = schema.getPossibleTypes(schema.getType('Node') as GraphQLInterfaceType).map(({ name }) => {
    const guard = guards.get(name);
    return ['Query.node', { id: mine[name as Kinds] }, guard ? [guard] : []] as [string, Variables, Permission[]];
  });
  return [...roots.map((root) => [root, everyField(mine)[root]![0] as Variables, takes.get(root)!.permissions] as [string, Variables, Permission[]]), ...nodes];
}

/** The edges that an answer to someone who may see everything came to, and the paths. */
const reached = new Set<string>();

describe('the contract', () => {
  it('has no type that is neither guarded nor part of something here', () => {
    const known = new Set([...guards.keys(), ...words(parts)]);
    expect(objects.map(({ name }) => name).filter((name) => !known.has(name) && !/(Connection|Edge|Payload)$/.test(name))).toEqual([]);
    const names = new Set([
      ...objects.map(({ name }) => name),
      ...objects.flatMap((type) => Object.keys(type.getFields()).map((field) => `${type.name}.${field}`)),
    ]);
    expect([...guards.keys(), ...words(parts)].filter((name) => !names.has(name))).toEqual([]);
  });

  it('has no directive that could give things in a way that is not walked here', () => {
    const names = schema.getDirectives().map(({ name }) => name);
    expect(names.toSorted()).toEqual(['deprecated', 'include', 'oneOf', 'skip', 'specifiedBy']);
  });

  it('leaves out the same of what is read, on every path and in whatever words', { timeout: 180_000 }, async () => {
    for (const [root, given, permissions] of reading()) {
      const variables = paged(root, given);
      const whole = await ask(world, everyone[0]!.token, root, variables);
      const steps = stepsOf(whole.value, root.split('.')[1]!);
      for (const { edge, path } of steps) reached.add(edge).add(path);
      expect([root, given, whole.leftOut, whole.others]).toEqual([root, given, [], []]);
      const tries = everyone.flatMap((person) =>
        person.forms.map(async (form) => ({ person, form, answer: await ask(world, person.token, root, variables, form) })),
      );
      for (const { person, form, answer } of await Promise.all(tries)) {
        const expected = mayAsk(person, permissions) ? expectedOf(steps, person.holds) : { leftOut: [root.split('.')[1]!], left: [] };
        const left = unique(stepsOf(answer.value, root.split('.')[1]!).map(({ path }) => path)).toSorted();
        expect([root, given, person.name, form, { leftOut: answer.leftOut, left }, answer.others]).toEqual([root, given, person.name, form, expected, []]);
      }
    }
  });

  it('leaves out the same of what a mutation shows', { timeout: 180_000 }, async () => {
    const mutations = Object.entries(everyField(mine)).filter(([root]) => root.startsWith('Mutation') && !isForOperators(root));
    for (const person of everyone.filter(({ forms }) => forms.length > 1)) {
      await using own = await createWorld({ template: frozen, settings });
      for (const [root, [given]] of mutations.filter(([root]) => mayAsk(person, takes.get(root)!.permissions))) {
        const answer = await ask(own, person.token, root, await variablesFor(own.client(person.token), given));
        const steps = stepsOf(answer.value, root.split('.')[1]!);
        if (person === everyone[0]) for (const { edge, path } of steps) reached.add(edge).add(path);
        const { leftOut } = expectedOf(steps, person.holds);
        expect([root, person.name, answer.leftOut, answer.others]).toEqual([root, person.name, leftOut, []]);
      }
    }
    expect(words(ownDeeds).filter((path) => !reached.has(path))).toEqual([]);
    const there = typesOf([...rootFields].filter(([root]) => !isForOperators(root)).map(([, field]) => getNamedType(field.type)));
    expect(edges.filter((edge) => there.has(edge.split('.')[0]!) && !reached.has(edge))).toEqual([]);
  });

  it('takes the same for finding by something as for seeing it', async () => {
    const places = Object.keys(askedFor).flatMap((type) => placesOf(type).map((place) => ({ type, ...partsOf(place) })));
    expect(places.length).toBeGreaterThan(2);
    for (const { type, field, way } of places) {
      const { guard, value } = askedFor[type]!;
      const answers = [];
      for (const { name, token } of everyone.filter((person) => mayAsk(person, takes.get(field)!.permissions))) {
        const given = await Promise.all(everyField(mine)[field]!.map((one) => variablesFor(world.client(token), one)));
        // Where the field is asked with the filter that the value belongs in.
        const base = given.find((variables) => valueAt(variables, way.slice(0, -1)) !== undefined);
        const { errors, data } = await post(world, token, documentOf(field, '{ __typename }'), replaced(base, way, value, true) as Variables);
        answers.push([field, name, errors.map(({ code }) => code), data?.[field.split('.')[1]!] === undefined]);
      }
      const expected = everyone
        .filter((person) => mayAsk(person, takes.get(field)!.permissions))
        .map(({ name, holds }) => (holds.includes(guard) ? [field, name, [], false] : [field, name, ['FORBIDDEN'], true]));
      expect(answers).toEqual(expected);
    }
  });
});
