// Two organizations with everything in them, what they hold, and what may be told of it: for tests of what bad input gets.
import type { DocumentNode } from 'graphql';
import { expect } from 'vitest';
import type { ReinstateError } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { encodeId, type Kinds } from '../src/schema/common.ts';
import { type Answer, post } from './asking.ts';
import { makeKey } from './custom-roles.ts';
import { eraseThem } from './erasing.ts';
import { contactId, deleteThem, everything, fill, liveIds, order as orderAs, registerEndpoint, runJobs, takeSnapshot, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { OrganizationName, RoleName } from './people.ts';

/** The id of nothing. */
export const unknownId = (kind: Kinds) => encodeId(kind, '01890000-0000-7000-8000-000000000000');

/** A record of each kind that an id can name, and a valid confirmation of one contact. */
export type Scene = Record<Kinds & string, string>;

/** An organization with everything in it: contacts with a history, deletions, a recovery with a conflict, an open invoice, a job. */
async function setScene(world: World, organization: OrganizationName, prepare: Prepare): Promise<Scene> {
  const organizationId = world.organizationId(organization);
  await fill(world, 9, organization);
  await prepare(world, organizationId);
  const ids = await liveIds(world, organization);
  const admin = await world.as('Super admin', organization);
  const order = async (contactIds: string[]) => {
    const { deletion } = await deleteThem(world, { contactIds: contactIds.map(contactId) }, organization);
    await runJobs(world);
    return (await orderAs(admin, whole(deletion!.id), contactIds[0]!)).recoveryRequest!;
  };
  const first = await order(ids.slice(0, 3));
  await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'back', 'back')`, [organizationId, ids[0]]);
  const operator = await world.as('Operator');
  await operator.request(sdk.ConfirmPaymentDocument, {
    input: { organizationId: encodeId('Organization', organizationId), invoiceId: first.invoice.id, reference: 'transfer' },
  });
  await runJobs(world);
  await order(ids.slice(3, 5));
  await deleteThem(world, { contactIds: [contactId(ids[5]!)] }, organization);
  await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'back', 'back')`, [organizationId, ids[5]]);
  // The first recovery as it is once it has been undone but for one contact.
  await world.owner.query(
    `with undone as (update recovery_request set state = 'UNDONE', undo_job_id = gen_random_uuid(), undone_at = now() where organization_id = $1 and state = 'COMPLETED' returning id)
     insert into recovery_undo_exception (organization_id, recovery_request_id, contact_id, outcome, reason) select $1, id, $2, 'KEPT', 'It was edited since.' from undone`,
    [organizationId, ids[1]],
  );
  await eraseThem(world, [ids[8]!], organization);
  await takeSnapshot(world, organization);
  await world.owner.query(`update contact set city = 'Elsewhere' where id = $1`, [ids[6]]);
  await world.owner.query(
    `insert into restore_drill (organization_id, id, snapshot_id, outcome, contact_count, row_count, byte_count, opening_seconds, writing_seconds, proving_seconds, started_at)
     select organization_id, gen_random_uuid(), id, 'PASSED', 1, 1, 1, 0, 0, 0, now() from organization_snapshot where organization_id = $1`,
    [organizationId],
  );
  await registerEndpoint(world, organization);
  await makeKey(world, 'contacts:read', organization);
  await world.owner.query(
    `insert into role (organization_id, id, name, description, permissions) values ($1, gen_random_uuid(), 'Reader', 'Reads.', '{contacts:read}')`,
    [organizationId],
  );
  await world.owner.query(
    `insert into webhook_delivery (organization_id, id, endpoint_id, event_id, event, body, state, attempts, finished_at)
     select organization_id, gen_random_uuid(), id, gen_random_uuid(), 'webhook.test', '{}', 'DELIVERED', 1, now() from webhook_endpoint where organization_id = $1`,
    [organizationId],
  );
  const { rows } = await world.owner.query<Scene>(
    `select (select id from contact where organization_id = $1 and id = $2) as "Contact", (select id from membership where organization_id = $1 and contact_id = $2 limit 1) as "Membership",
      (select id from tag where organization_id = $1 limit 1) as "Tag", (select id from membership_plan where organization_id = $1 limit 1) as "MembershipPlan", (select id from staff_member where organization_id = $1 limit 1) as "StaffMember",
      (select id from role where organization_id = $1 and not built_in) as "Role", (select id from api_key where organization_id = $1) as "ApiKey",
      (select id from deletion where organization_id = $1 order by id desc limit 1) as "Deletion", (select id from recovery_request where organization_id = $1 order by id desc limit 1) as "RecoveryRequest",
      (select id from invoice where organization_id = $1 order by id desc limit 1) as "Invoice", (select id from job where organization_id = $1 order by id desc limit 1) as "Job",
      (select id from erasure where organization_id = $1) as "Erasure",
      (select id from organization_snapshot where organization_id = $1) as "Snapshot", (select id from webhook_endpoint where organization_id = $1) as "WebhookEndpoint", $1::uuid as "Organization"`,
    [organizationId, ids[6]],
  );
  return Object.fromEntries(Object.entries(rows[0]!).map(([kind, id]) => [kind, encodeId(kind as Kinds, id)])) as Scene;
}

/** What is done with an organization's contacts before anything happens with them. */
export type Prepare = (world: World, organizationId: string) => Promise<void>;

/** Two organizations with everything in them. Two contacts are a large deletion, so there are jobs. */
export async function createFullWorld(prepare: Prepare = async () => {}): Promise<{ world: World; mine: Scene; theirs: Scene } & AsyncDisposable> {
  const world = await createWorld({ settings: { DELETE_AT_ONCE: '1' } });
  await world.owner.query(`update organization set plan = 'PREMIUM'`);
  const [mine, theirs] = [await setScene(world, 'Riverside Club', prepare), await setScene(world, 'Hilltop Society', prepare)];
  return { world, mine, theirs, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** Every row of both organizations, but for the action log. */
export async function rowsOf(world: World): Promise<unknown> {
  const kept: Record<string, unknown> = { mine: await everything(world), theirs: await everything(world, 'Hilltop Society') };
  const tables = [
    'deletion',
    'deletion_contact',
    'snapshot',
    'snapshot_chunk',
    'snapshot_part',
    'organization_snapshot',
    'recovery_request',
    'recovery_chunk',
    'erasure',
    'erasure_ledger',
    'invoice',
    'job',
    'tag',
    'membership_plan',
    'role',
    'api_key',
    'account',
    'webhook_endpoint',
    'webhook_delivery',
    'graphile_worker._private_jobs',
  ];
  for (const table of tables) kept[table] = (await world.owner.query(`select to_jsonb(t) as row from ${table} t order by 1`)).rows;
  return kept;
}

/** Names and emails of all contacts, and what only Hilltop Society may know. */
export async function secretsOf(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ secret: string }>(
    `select email as secret from contact where email is not null union select last_name from contact where length(last_name) > 4
     union select company from contact where company is not null union select name from organization where name like 'Hilltop%'`,
  );
  return rows.map(({ secret }) => secret);
}

/** Fails when errors tell what they should not: SQL, code, or data of anyone. */
export function expectNothingLeaked(text: string, secrets: readonly string[]): void {
  expect(text).not.toMatch(/select .* from|insert into|violates|syntax error|invalid input|organization_id|pg_|node_modules|\.ts\b|at \w+ \(|Error:|stack/i);
  expect(secrets.filter((secret) => text.includes(secret))).toEqual([]);
}

/** A stable code, what happened, and what to do. */
export function expectWellSaid({ code, message }: { code: string; message: string }): void {
  expect([code, message]).toEqual([expect.stringMatching(/^[A-Z]+(_[A-Z]+)*$/), expect.stringMatching(/^[A-Z`].{10,}[.] .{5,}[.]$/)]);
  expect(code).not.toBe('INTERNAL_SERVER_ERROR');
}

/** What the answer tells: its errors, its user errors, or what it gave. */
export interface Told {
  refusals: { code: string; message: string }[];
  data: unknown;
  /** All of it, as text. */
  text: string;
}

export async function ask(world: World, role: RoleName, document: DocumentNode, variables: object): Promise<Told> {
  const isSubscription = document.definitions.some((definition) => 'operation' in definition && definition.operation === 'subscription');
  if (!isSubscription) return told(await post(world, await world.token(role), document, variables));
  const first = (await world.as(role)).subscribe(document, variables).next();
  return first.then(
    ({ value }) => ({ refusals: [], data: value as unknown, text: '' }),
    (error: ReinstateError) => ({
      refusals: error.errors.map(({ message, extensions }) => ({ code: extensions!.code!, message })),
      data: undefined,
      text: JSON.stringify(error.errors),
    }),
  );
}

function told({ errors, data, text }: Answer): Told {
  const userErrors = [...text.matchAll(/\{"code":"(\w+)","message":"([^"]+)"/g)].map(([, code, message]) => ({
    code: code!,
    message: message!,
  }));
  return { refusals: [...errors.map(({ code, message }) => ({ code, message })), ...userErrors], data, text };
}
