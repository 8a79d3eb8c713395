// The contract: what the schema promises to whoever reads nothing but the schema.
import { readFileSync, readdirSync } from 'node:fs';
import {
  buildSchema,
  getNamedType,
  type GraphQLObjectType,
  isEnumType,
  isInputObjectType,
  isInterfaceType,
  isIntrospectionType,
  isNonNullType,
  isObjectType,
  isSpecifiedScalarType,
  lexicographicSortSchema,
  parse,
  printSchema,
  validate,
  type GraphQLField,
  type GraphQLNamedType,
} from 'graphql';
import { describe, expect, it } from 'vitest';
import { buildApi } from '../src/api.ts';
import type { Permission } from '../src/permissions/catalogue.ts';
import { decodeAnyId, encodeId } from '../src/schema/common.ts';
import { post } from './asking.ts';
import { hire, makeKey, welcome } from './custom-roles.ts';
import { eraseThem } from './erasing.ts';
import { contactId, deleteThem, exportAll, fill, liveIds, order, registerEndpoint, runJobs, takeSnapshot, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { OrganizationName } from './people.ts';
import { csv, Importer } from './importing.ts';
import { announce } from './uploading.ts';
import { SaveImportTemplateDocument } from '../sdk/generated.ts';

const at = (path: string) => new URL(`../${path}`, import.meta.url);
const onDisk = readFileSync(at('schema.graphql'), 'utf8');
const schema = buildSchema(onDisk);
const types = Object.values(schema.getTypeMap()).filter((type) => !isIntrospectionType(type) && !isSpecifiedScalarType(type));
const roots = [schema.getQueryType(), schema.getMutationType(), schema.getSubscriptionType()] as GraphQLObjectType[];

type Described = { description?: string | null };

/** All that the schema names, as "Type.field(argument)". */
function* named(): Generator<[name: string, thing: Described]> {
  for (const type of types) {
    yield [type.name, type];
    for (const [path, member] of membersOf(type)) yield [`${type.name}.${path}`, member];
  }
}

function* membersOf(type: GraphQLNamedType): Generator<[path: string, member: Described]> {
  if (isEnumType(type)) for (const value of type.getValues()) yield [value.name, value];
  if (isInputObjectType(type)) yield* Object.entries(type.getFields());
  if (!isObjectType(type) && !isInterfaceType(type)) return;
  for (const field of Object.values(type.getFields())) {
    yield [field.name, field];
    for (const argument of field.args) yield [`${field.name}(${argument.name})`, argument];
  }
}

const objects = types.filter(isObjectType);
const fields = objects.flatMap((type) => Object.values(type.getFields()).map((field) => [`${type.name}.${field.name}`, field] as const));
const typeOf = (field: GraphQLField<unknown, unknown>) => String(field.type);

describe('the schema', () => {
  it('on disk is the one that is served', () => {
    expect(`${printSchema(lexicographicSortSchema(buildApi()))}\n`).toBe(onDisk);
  });

  it('describes every type, field, argument and value in sentences', () => {
    const mute = [...named()]
      .filter(([, { description }]) => !/^[A-Z0-9`“][\s\S]*[.!?]$/.test(description ?? ''))
      .map(([name, { description }]) => `${name}: ${description}`);
    expect(mute).toEqual([]);
  });

  it('has no query that could be deeper than what is allowed', () => {
    const depth = (type: GraphQLNamedType, seen: readonly string[]): number => {
      if (!isObjectType(type) && !isInterfaceType(type)) return 0;
      expect(seen).not.toContain(type.name);
      const possible = isInterfaceType(type) ? [...schema.getPossibleTypes(type)] : [type];
      return Math.max(...possible.flatMap((one) => Object.values(one.getFields()).map((field) => 1 + depth(getNamedType(field.type), [...seen, type.name]))));
    };
    for (const root of roots) expect(depth(root, [])).toBeLessThanOrEqual(13);
  });
});

describe('lists', () => {
  it('that are connections take `first`, 50 by default, and `after`', () => {
    const connections = fields.filter(([, field]) => getNamedType(field.type).name.endsWith('Connection'));
    expect(connections.length).toBeGreaterThan(15);
    for (const [name, { args }] of connections) {
      const taken = Object.fromEntries(args.map((arg) => [arg.name, [String(arg.type), arg.defaultValue]]));
      expect([name, taken['first'], taken['after']]).toEqual([name, ['Int!', 50], ['String', undefined]]);
    }
  });

  it('of records are connections, with edges, nodes and pageInfo', () => {
    for (const type of objects.filter(({ name }) => name.endsWith('Connection'))) {
      const node = type.name.replace('Connection', '');
      const shape = Object.fromEntries(Object.values(type.getFields()).map((field) => [field.name, typeOf(field)]));
      expect(shape).toMatchObject({ edges: `[${node}Edge!]!`, nodes: `[${node}!]!`, pageInfo: 'PageInfo!' });
    }
    const plain = fields.filter(
      ([name, field]) => typeOf(field).startsWith('[') && isObjectType(getNamedType(field.type)) && !/Connection\.|\.userErrors$/.test(name),
    );
    // Short by their nature, or bounded as their description says.
    expect(plain.map(([name]) => name).toSorted()).toEqual([
      'AddedActions.entries',
      'ApiKey.hiddenFields',
      'ApiKey.tagScope',
      'ComparedContact.changes',
      'Contact.balances',
      'Contact.contactPoints',
      'Contact.customFields',
      'Contact.tags',
      'ContactDeletionPreview.balances',
      'ContactDeletionPreview.rows',
      'ContactErasurePreview.rows',
      'CreateContactsPayload.results',
      'Deletion.balances',
      'Deletion.rows',
      'Deletion.warnings',
      'Erasure.rows',
      'Erasure.stores',
      'Import.columns',
      'Import.questions',
      'Import.recoverable',
      'ImportRow.reasons',
      'ImportRow.values',
      'ImportTemplate.columns',
      'Query.fieldGroupCatalogue',
      'Query.identityProviders',
      'Query.permissionCatalogue',
      'Query.roles',
      'Query.sessions',
      'RecoveryOffer.rows',
      'RecoveryPlan.balances',
      'RecoveryPlan.recreated',
      'RecoveryPlan.rows',
      'Role.hiddenFields',
      'Role.permissions',
      'Role.tagScope',
      'Snapshot.rows',
      'StaffMember.roles',
      'Subscription.organizationJobs',
      'TagContactsPayload.contacts',
    ]);
  });
});

describe('every mutation', () => {
  it('takes one `input` and gives a payload that can say why it did nothing', () => {
    for (const field of Object.values(schema.getMutationType()!.getFields())) {
      expect([field.name, field.args.map(({ name }) => name)]).toEqual([field.name, ['input']]);
      const [input] = field.args;
      expect(isNonNullType(input!.type) && isInputObjectType(input!.type.ofType)).toBe(true);
      const payload = getNamedType(field.type) as GraphQLObjectType;
      expect([field.name, String(field.type), String(payload.getFields()['userErrors']?.type)]).toEqual([field.name, `${payload.name}!`, '[UserError!]!']);
      const others = Object.values(payload.getFields()).filter(({ name }) => name !== 'userErrors' && name !== 'createdCount' && name !== 'results');
      expect(others.filter(({ type }) => isNonNullType(type)).map(({ name }) => `${payload.name}.${name}`)).toEqual([]);
    }
  });
});

describe('the documents of the SDK', () => {
  it('fit the schema, and use every root field but `node`', () => {
    const files = readdirSync(at('sdk/operations')).filter((name) => name.endsWith('.graphql'));
    const document = parse(files.map((name) => readFileSync(at(`sdk/operations/${name}`), 'utf8')).join('\n'));
    expect(validate(schema, document).map(({ message }) => message)).toEqual([]);
    const used = new Set(
      document.definitions.flatMap((definition) =>
        definition.kind === 'OperationDefinition' ? definition.selectionSet.selections.map((field) => 'name' in field && field.name.value) : [],
      ),
    );
    const all = roots.flatMap((root) => Object.keys(root.getFields()));
    expect(all.filter((name) => !used.has(name))).toEqual(['node']);
  });
});

/** The permission that reading a record of the kind takes; null where it takes none. */
const permissionOf: Record<string, Permission | null> = {
  ActionLogEntry: 'log:read',
  ApiKey: 'keys:manage',
  Contact: 'contacts:read',
  ContactExport: 'contacts:export',
  Deletion: 'deletions:read',
  Erasure: 'deletions:read',
  IdentityProvider: 'identity:manage',
  Import: 'contacts:import',
  ImportTemplate: 'contacts:import',
  Invitation: 'staff:read',
  Invoice: 'recovery:read',
  Job: 'jobs:read',
  Organization: null,
  RecoveryRequest: 'recovery:read',
  RestoreDrill: 'snapshots:read',
  Role: 'staff:read',
  Snapshot: 'snapshots:read',
  StaffMember: 'staff:read',
  Upload: 'contacts:import',
  WebhookEndpoint: 'integrations:manage',
};

/** Makes a record of each kind in an organization. @returns their global ids */
async function recordsOf(world: World, organization: OrganizationName): Promise<Record<string, string>> {
  await fill(world, 4, organization);
  const contactIds = (await liveIds(world, organization)).slice(0, 2).map(contactId);
  const { deletion } = await deleteThem(world, { contactIds }, organization);
  await runJobs(world);
  await eraseThem(world, (await liveIds(world, organization)).slice(0, 1), organization);
  await order(await world.as('Super admin', organization), whole(deletion!.id), 'contract');
  await takeSnapshot(world, organization);
  await exportAll(world, organization);
  await registerEndpoint(world, organization);
  await makeKey(world, 'contacts:read', organization);
  await welcome(world, organization);
  const importer = new Importer(world, await world.as('Super admin', organization));
  const { id: importId } = await importer.check(csv('Email', 'new@canary.example'));
  await importer.client.request(SaveImportTemplateDocument, { input: { importId, name: 'Members' } });
  await world.owner.query('delete from upload where organization_id = $1', [world.organizationId(organization)]);
  await announce(await world.as('Staff', organization));
  await world.owner.query(
    `insert into restore_drill (organization_id, id, snapshot_id, outcome, contact_count, row_count, byte_count, opening_seconds, writing_seconds, proving_seconds, started_at)
     select organization_id, gen_random_uuid(), id, 'PASSED', 1, 1, 1, 0, 0, 0, now() from snapshot where organization_id = $1 and kind = 'MANUAL'`,
    [world.organizationId(organization)],
  );
  const { rows } = await world.owner.query<Record<string, string>>(
    `select (select id from action_log where organization_id = $1 limit 1) as "ActionLogEntry", (select id from contact where organization_id = $1 limit 1) as "Contact", (select id from api_key where organization_id = $1) as "ApiKey",
      (select id from contact_export where organization_id = $1) as "ContactExport",
      (select id from deletion where organization_id = $1) as "Deletion", (select id from invoice where organization_id = $1) as "Invoice",
      (select id from job where organization_id = $1 limit 1) as "Job", (select id from erasure where organization_id = $1) as "Erasure", $1::uuid as "Organization",
      (select id from recovery_request where organization_id = $1) as "RecoveryRequest",
      (select id from restore_drill where organization_id = $1) as "RestoreDrill", (select id from organization_snapshot where organization_id = $1) as "Snapshot",
      (select id from role where organization_id = $1 limit 1) as "Role", (select id from staff_member where organization_id = $1 limit 1) as "StaffMember",
      (select id from webhook_endpoint where organization_id = $1) as "WebhookEndpoint", (select id from invitation where organization_id = $1) as "Invitation",
      (select id from identity_provider where organization_id = $1) as "IdentityProvider", (select id from import where organization_id = $1) as "Import",
      (select id from import_template where organization_id = $1) as "ImportTemplate", (select id from upload where organization_id = $1) as "Upload"`,
    [world.organizationId(organization)],
  );
  return Object.fromEntries(Object.entries(rows[0]!).map(([kind, id]) => [kind, encodeId(kind as 'Contact', id)]));
}

describe('node', () => {
  const query = 'query ($id: ID!) { node(id: $id) { __typename id } }';

  it('finds every kind that implements Node under the permission of its kind, and nobody else’s', async () => {
    await using world = await createWorld({ settings: { DELETE_AT_ONCE: '1' } });
    await world.owner.query(`update organization set plan = 'PREMIUM'`);
    const [mine, theirs] = [await recordsOf(world, 'Riverside Club'), await recordsOf(world, 'Hilltop Society')];
    expect(Object.keys(mine).toSorted()).toEqual(
      schema
        .getPossibleTypes(schema.getType('Node') as never)
        .map(({ name }) => name)
        .toSorted(),
    );
    expect(Object.keys(permissionOf)).toEqual(Object.keys(mine).toSorted());
    const [everyone, nobody] = [await world.token('Super admin'), await hire(world)];
    for (const [kind, permission] of Object.entries(permissionOf)) {
      const token = permission ? (await hire(world, permission)).token : nobody.token;
      expect((await post(world, token, query, { id: mine[kind] })).data).toEqual({ node: { __typename: kind, id: mine[kind] } });
      expect(await codesOf(world, nobody.token, mine[kind])).toEqual(permission ? ['FORBIDDEN'] : []);
      const unknown = await post(world, everyone, query, { id: encodeId(kind as 'Contact', '01890000-0000-7000-8000-000000000000') });
      const foreign = await post(world, everyone, query, { id: theirs[kind] });
      expect(unknown.errors).toMatchObject([{ code: 'NOT_FOUND' }]);
      expect([foreign.errors, foreign.data]).toEqual([unknown.errors, unknown.data]);
    }
  });

  it('finds no kind that does not implement it, and takes nothing for a kind that is none', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const token = await world.token('Super admin');
    const { rows } = await world.owner.query<{ id: string }>('select id from note limit 1');
    expect(await codesOf(world, token, encodeId('Note', rows[0]!.id))).toEqual(['NOT_FOUND']);
    for (const kind of ['constructor', '__proto__', 'toString', 'contact', 'Nothing', ''])
      expect(await codesOf(world, token, encodeId(kind as 'Contact', rows[0]!.id))).toEqual(['MALFORMED_ID']);
  });

  it('gives ids that say what they are', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const [id] = await liveIds(world);
    expect(decodeAnyId(contactId(id!))).toEqual(['Contact', id]);
  });

  const codesOf = async (world: World, token: string, id: string | undefined) => (await post(world, token, query, { id })).errors.map(({ code }) => code);
});
