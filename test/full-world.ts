// Two organizations with everything in them, what they hold, and what may be told of it: for tests of what bad input gets.
import type { DocumentNode } from 'graphql';
import { expect } from 'vitest';
import type { ReinstateError } from '../sdk/client.ts';
import { v7 as newId } from 'uuid';
import { decodeId, encodeId, kinds, type Kinds } from '../src/schema/common.ts';
import { type Answer, post } from './asking.ts';
import { makeKey, welcome } from './custom-roles.ts';
import { eraseThem } from './erasing.ts';
import { contactId, deleteThem, exportAll, fill, liveIds, order as orderAs, pay, registerEndpoint, runJobs, takeSnapshot, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { SaveImportTemplateDocument } from '../sdk/generated.ts';
import { csv, Importer, upload } from './importing.ts';
import { announce, put } from './uploading.ts';
import type { OrganizationName, RoleName } from './people.ts';

/** The id of nothing. */
export const unknownId = (kind: Kinds) => encodeId(kind, '01890000-0000-7000-8000-000000000000');

/** A record of each kind that an id can name. */
export type Scene = Record<Kinds, string> & {
  /** A contact of the deletion, which no recovery was ordered of. */
  deletedContact: string;
  /** A recovery that is completed and was not undone. */
  completedRecovery: string;
  /** A role other than `Role`. */
  otherRole: string;
  /** An upload that is whole and was not imported. `Upload` is one that nothing came of. */
  completeUpload: string;
  /** `Import` is one whose dry run is done. This one was applied. */
  appliedImport: string;
  /** Another one whose dry run is done. */
  unwantedImport: string;
};

/** The table that has the records of a kind, where it is not named like the kind. */
const tables: Partial<Record<Kinds, string>> = {
  ActionLogEntry: 'action_log',
  Session: '(select s.id, a.organization_id from session s join account a on a.id = s.account_id)',
  Snapshot: 'organization_snapshot',
};
const tableOf = (kind: Kinds) => tables[kind] ?? kind.replaceAll(/(?<!^)[A-Z]/g, '_$&').toLowerCase();

/** Of each kind the newest record of the organization; of what contacts own, one of this contact's. */
async function recordsOf(world: World, organizationId: string, contact: string): Promise<Record<Kinds, string>> {
  const found: Partial<Record<Kinds, string>> = { Organization: organizationId, Contact: contact };
  for (const kind of kinds.filter((kind) => !found[kind])) {
    const own = `(to_jsonb(t) ->> 'contact_id' = '${contact}') desc nulls last`;
    const { rows } = await world.owner.query<{ id: string }>(`select id from ${tableOf(kind)} t where organization_id = $1 order by ${own}, id desc limit 1`, [
      organizationId,
    ]);
    expect([kind, rows.length]).toEqual([kind, 1]);
    found[kind] = rows[0]!.id;
  }
  return Object.fromEntries(kinds.map((kind) => [kind, encodeId(kind, found[kind]!)])) as Record<Kinds, string>;
}

/** An organization with everything in it: contacts with a history, deletions, a recovery with a conflict, an open invoice, a job. */
async function setScene(world: World, organization: OrganizationName, prepare: Prepare): Promise<Scene> {
  const organizationId = world.organizationId(organization);
  await fill(world, 10, organization);
  await prepare(world, organizationId);
  const ids = await liveIds(world, organization);
  await world.owner.query(
    `with tagged as (insert into contact_tag (organization_id, contact_id, tag_id) select organization_id, $2, id from tag where organization_id = $1 on conflict do nothing)
     insert into custom_field_value (organization_id, contact_id, definition_id, value) select organization_id, $2, id, 'L' from custom_field_definition where organization_id = $1
     on conflict do nothing`,
    [organizationId, ids[6]],
  );
  const { rows: contacts } = await world.owner.query<{ id: string; email: string }>('select id, email from contact where organization_id = $1', [
    organizationId,
  ]);
  const emails = [ids[6], ids[3]].map((id) => contacts.find((contact) => contact.id === id)!.email) as [string, string];
  const admin = await world.as('Super admin', organization);
  const order = async (contactIds: string[]) => {
    const { deletion } = await deleteThem(world, { contactIds: contactIds.map(contactId) }, organization);
    await runJobs(world);
    return (await orderAs(admin, whole(deletion!.id), contactIds[0]!)).recoveryRequest!;
  };
  const first = await order(ids.slice(0, 3));
  await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'back', 'back')`, [organizationId, ids[0]]);
  await pay(world, first.invoice.id, organizationId);
  await runJobs(world);
  const completed = await order([ids[9]!]);
  await pay(world, completed.invoice.id, organizationId);
  await runJobs(world);
  await order(ids.slice(3, 5));
  await deleteThem(world, { contactIds: [contactId(ids[5]!)] }, organization);
  await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text) values ($1, $2, 'back', 'back')`, [organizationId, ids[5]]);
  // The first recovery as it is once it has been undone but for one contact.
  await world.owner.query(
    `with undone as (update recovery_request set state = 'UNDONE', undo_job_id = gen_random_uuid(), undone_at = now() where organization_id = $1 and id = $3 returning id)
     insert into recovery_undo_exception (organization_id, recovery_request_id, contact_id, outcome, reason) select $1, id, $2, 'KEPT', 'It was edited since.' from undone`,
    [organizationId, ids[1], decodeId('RecoveryRequest', first.id)],
  );
  await eraseThem(world, [ids[8]!], organization);
  await takeSnapshot(world, organization);
  await exportAll(world, organization);
  await world.owner.query(`update contact set city = 'Elsewhere' where id = $1`, [ids[6]]);
  await world.owner.query(
    `insert into restore_drill (organization_id, id, snapshot_id, outcome, contact_count, row_count, byte_count, opening_seconds, writing_seconds, proving_seconds, started_at)
     select organization_id, gen_random_uuid(), id, 'PASSED', 1, 1, 1, 0, 0, 0, now() from organization_snapshot where organization_id = $1`,
    [organizationId],
  );
  await registerEndpoint(world, organization);
  await makeKey(world, 'contacts:read', organization);
  await welcome(world, organization);
  const imported = await setImports(world, organization, emails);
  // Refused for what is in it.
  await put(world, (await announce(await world.as('Staff', organization))).path, '%PDF-1.7');
  // One that nobody needs.
  await world.owner.query(
    `insert into session (id, account_id, token, expires_at) select $2, id, $3, now() + interval '1 day' from account where organization_id = $1 and email like 'super%'`,
    [organizationId, newId(), `spare ${organizationId}`],
  );
  const [roleId, memberId] = [newId(), newId()];
  await world.owner.query(
    `with reader as (insert into role (organization_id, id, name, description, permissions) values ($1, $2, 'Reader', 'Reads.', '{contacts:read}') returning id),
       spare as (insert into staff_member (organization_id, id, name, email) values ($1, $3, 'Spare', 'spare@club.example') returning id)
     insert into staff_member_role (organization_id, staff_member_id, role_id) select $1, spare.id, reader.id from spare, reader`,
    [organizationId, roleId, memberId],
  );
  await world.owner.query(
    `insert into webhook_delivery (organization_id, id, endpoint_id, event_id, event, body, state, attempts, finished_at)
     select organization_id, gen_random_uuid(), id, gen_random_uuid(), 'webhook.test', '{}', 'DELIVERED', 1, now() from webhook_endpoint where organization_id = $1`,
    [organizationId],
  );
  const { rows } = await world.owner.query<{ id: string }>(`select id from role where organization_id = $1 and name = 'Viewer'`, [organizationId]);
  return {
    ...(await recordsOf(world, organizationId, ids[6]!)),
    deletedContact: contactId(ids[5]!),
    completedRecovery: completed.id,
    otherRole: encodeId('Role', rows[0]!.id),
    ...imported,
  };
}

/** An organization's imports: one that was applied, one that was called off, two dry runs with rows of each kind, and a template. */
async function setImports(
  world: World,
  organization: OrganizationName,
  [live, deleted]: [string, string],
): Promise<Pick<Scene, 'completeUpload' | 'appliedImport' | 'unwantedImport'>> {
  const admin = new Importer(world, await world.as('Super admin', organization));
  const header = 'First name,Last name,Email,Street,City,Birth date,Notes,Tags,Shirt size';
  const row = (name: string, email: string) => `${name},Zqimported,${email},zqstreet,zqcity,1901-02-03,zqnote,${name} tag,zqcustom`;
  const applied = await admin.check(csv(header, row('Applied', 'zqmail-applied@zq.example')));
  await admin.apply(applied.id);
  const lines = [row('New', 'zqmail-new@zq.example'), row('Live', live), row('Gone', deleted), row('Broken', 'zqmail'), row('Again', 'zqmail-new@zq.example')];
  const [offhand, unwanted, kept] = [0, 1, 2].map((one) => csv(header, ...lines, row(`Extra ${one}`, `zqmail-${one}@zq.example`))) as [string, string, string];
  await admin.discard((await admin.begin(offhand)).id);
  const [first, last] = [await admin.begin(unwanted), await admin.begin(kept)];
  await runJobs(world);
  const saved = await admin.client.request(SaveImportTemplateDocument, { input: { importId: last.id, name: 'Members' } });
  expect(saved.saveImportTemplate.userErrors).toEqual([]);
  return { appliedImport: applied.id, unwantedImport: first.id, completeUpload: await upload(world, admin.client, csv(header, ...lines)) };
}

/** Two contacts are a large deletion, so there are jobs. */
export const settings = { DELETE_AT_ONCE: '1' };

/** What is done with an organization's contacts before anything happens with them. */
export type Prepare = (world: World, organizationId: string) => Promise<void>;

/** Two organizations with everything in them. */
export async function createFullWorld(prepare: Prepare = async () => {}): Promise<{ world: World; mine: Scene; theirs: Scene } & AsyncDisposable> {
  const world = await createWorld({ settings });
  await world.owner.query(`update organization set plan = 'PREMIUM'`);
  const [mine, theirs] = [await setScene(world, 'Riverside Club', prepare), await setScene(world, 'Hilltop Society', prepare)];
  // Signing in changes something too, so everyone has.
  for (const organization of ['Riverside Club', 'Hilltop Society'] as const)
    for (const role of ['Super admin', 'Admin', 'Staff', 'Viewer', 'Operator'] as const) await world.token(role, organization);
  return { world, mine, theirs, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** What is told of what was tried, and counts it: it grows while nothing else changes. */
const log = ['rate_limit', 'action_log', 'action_reason', 'action_salt', 'action_unsealed', 'action_seal', 'action_checkpoint'];

/** Everything there is, but for the action log: of each table of the database how many rows of which organization, and a digest of them. */
export async function rowsOf(world: World): Promise<Record<string, string>> {
  const { rows: tables } = await world.owner.query<{ name: string; owned: boolean }>(
    `select oid::regclass::text as name, exists (select 1 from pg_attribute where attrelid = c.oid and attname = 'organization_id') as owned from pg_class c
     where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'graphile_worker') and oid::regclass::text <> all ($1) order by 1`,
    [log],
  );
  const digests = tables.map(({ name, owned }) => {
    const row = "(to_jsonb(t) - 'last_used_at' - 'refused_at')::text";
    return `select '${name} of ' || ${owned ? "coalesce(organization_id::text, 'nobody')" : "'all'"} as of, count(*) || ' ' || md5(string_agg(${row}, '' order by ${row})) as is from ${name} t group by 1`;
  });
  const { rows } = await world.owner.query<{ of: string; is: string }>(digests.join(' union all '));
  return Object.fromEntries(rows.map(({ of, is }) => [of, is]));
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
