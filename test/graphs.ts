// Contacts with a history for tests, and everything that is known of them, for comparing before with after.
import { runOnce } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import { expect } from 'vitest';
import { makeContacts } from '../demo/contacts.ts';
import { giveHistory } from '../demo/history.ts';
import type { Client } from '../sdk/client.ts';
import type { DeleteContactsMutation, RecoveryPlanInput, RequestRecoveryMutation } from '../sdk/generated.ts';
import {
  ConfirmPaymentDocument,
  ContactDeletionPreviewDocument,
  CreateWebhookEndpointDocument,
  DeleteContactsDocument,
  ExportContactsDocument,
  RecoveryPlanDocument,
  RequestRecoveryDocument,
  TakeSnapshotDocument,
} from '../sdk/generated.ts';
import { taskList } from '../src/jobs/worker.ts';
import { quietWorkerLogger } from '../src/migrate.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { quoted } from '../src/sql.ts';
import type { World } from './harness.ts';
import type { OrganizationName } from './people.ts';

/** Every third contact gets a tag, a custom field and a line of its own history of changes. */
const tagsAndFields = `
  with tagged as (select organization_id, id, row_number() over (order by id) as n from contact where organization_id = $1),
    the_tag as (insert into tag (organization_id, id, name) values ($1, $2, 'newsletter') returning id),
    the_field as (insert into custom_field_definition (organization_id, id, key, label, kind) values ($1, $3, 'shirt', 'Shirt size', 'TEXT') returning id),
    links as (insert into contact_tag (organization_id, contact_id, tag_id) select $1, tagged.id, the_tag.id from tagged, the_tag where n % 3 = 0),
    sizes as (insert into custom_field_value (organization_id, contact_id, definition_id, value) select $1, tagged.id, the_field.id, 'M' from tagged, the_field where n % 3 = 0)
  insert into action_detail (organization_id, id, contact_id, action_id, changes)
    select $1, gen_random_uuid(), id, gen_random_uuid(), '{"city": {"before": "Ghent", "after": "Porto"}}' from tagged where n % 3 = 0`;

/** Gives an organization contacts, each with notes, activities, a membership, payments and a ledger. */
export async function fill(world: World, count: number, organization: OrganizationName = 'Riverside Club'): Promise<void> {
  const id = world.organizationId(organization);
  await world.owner.query(`begin; set local app.organization_id = '${id}'`);
  await makeContacts(world.owner, id, count, 7);
  await giveHistory(world.owner, id, { seed: 7 });
  await world.owner.query(tagsAndFields, [id, newId(), newId()]);
  await world.owner.query('commit');
}

/** The ids of an organization's live contacts, oldest first. */
export async function liveIds(world: World, organization: OrganizationName = 'Riverside Club'): Promise<string[]> {
  const { rows } = await world.owner.query<{ id: string }>('select id from contact where organization_id = $1 order by id', [
    world.organizationId(organization),
  ]);
  return rows.map((row) => row.id);
}

export const contactId = (id: string): string => encodeId('Contact', id);

/** Every row of every table of the graph and every balance, as text, by table. When a balance was last rebuilt is left out. */
export async function everything(world: World, organization: OrganizationName = 'Riverside Club'): Promise<Record<string, string[]>> {
  const graph = contactGraph(world.app.database.orm);
  const tables: Record<string, string[]> = {};
  for (const table of [...graph.tables.map(({ name }) => name), ...graph.rebuilt]) {
    const { rows } = await world.owner.query<{ row: string }>(
      `select (to_jsonb(t)${graph.rebuilt.includes(table) ? " - 'updated_at'" : ''})::text as row from ${quoted(table)} t where organization_id = $1 order by 1`,
      [world.organizationId(organization)],
    );
    tables[table] = rows.map(({ row }) => row);
  }
  return tables;
}

/** Every balance is the sum of its ledger, to the cent, and no ledger is without its balance. */
export async function expectBalancesToBeSums(world: World): Promise<void> {
  const { rows } = await world.owner.query(`
    select contact_id, currency, b.amount_minor as balance, l.amount from balance b
    full join (select organization_id, contact_id, currency, sum(amount_minor) as amount from ledger_entry group by 1, 2, 3) l
      using (organization_id, contact_id, currency)
    where b.amount_minor is distinct from l.amount`);
  expect(rows).toEqual([]);
}

/** Runs what is queued, to its end. */
export async function runJobs(world: World, signal = new AbortController().signal): Promise<void> {
  await runOnce({
    pgPool: world.app.database.pool,
    taskList: taskList(world.app, signal),
    logger: quietWorkerLogger,
    noHandleSignals: true,
  });
}

type Target = { contactIds?: string[]; filter?: Record<string, never> };

/** Previews and deletes as Super admin; gives what the mutation gave. */
export async function deleteThem(
  world: World,
  target: Target,
  organization: OrganizationName = 'Riverside Club',
  reason = 'Left the club',
): Promise<DeleteContactsMutation['deleteContacts']> {
  const admin = await world.as('Super admin', organization);
  const { contactDeletionPreview } = await admin.request(ContactDeletionPreviewDocument, { input: target });
  const input = { ...target, confirmation: contactDeletionPreview.confirmation!, reason };
  return (await admin.request(DeleteContactsDocument, { input })).deleteContacts;
}

/** The recovery of a whole deletion. */
/** Deletes all contacts and recovers them. */
export async function deleteAndRecover(world: World): Promise<void> {
  const { deletion } = await deleteThem(world, { filter: {} });
  const ordered = await orderRecovery(world, deletion!.id);
  await pay(world, ordered.recoveryRequest!.invoice.id);
  await runJobs(world);
}

export const whole = (deletionId: string): RecoveryPlanInput => ({ selection: { deletionId } });

/** Plans and orders a recovery as whoever asks; gives what the mutation gave. */
export async function order(client: Client, input: RecoveryPlanInput, idempotencyKey: string): Promise<RequestRecoveryMutation['requestRecovery']> {
  const { recoveryPlan } = await client.request(RecoveryPlanDocument, { input });
  return (await client.request(RequestRecoveryDocument, { input: { ...input, planHash: recoveryPlan.hash, idempotencyKey } })).requestRecovery;
}

/** Plans and orders the recovery of a deletion as Super admin; gives what the mutation gave. */
export async function orderRecovery(
  world: World,
  deletionId: string,
  idempotencyKey = `key of ${deletionId}`.replaceAll(' ', '-'),
  policies: Omit<RecoveryPlanInput, 'selection'> = {},
): Promise<RequestRecoveryMutation['requestRecovery']> {
  return order(await world.as('Super admin'), { ...whole(deletionId), ...policies }, idempotencyKey);
}

/** Pays an invoice as the operator. */
export async function pay(world: World, invoiceId: string, organizationId = world.organizationId()): Promise<void> {
  const operator = await world.as('Operator');
  const input = { organizationId: encodeId('Organization', organizationId), invoiceId, reference: 'transfer 4711' };
  const { confirmPayment } = await operator.request(ConfirmPaymentDocument, { input });
  if (confirmPayment.userErrors.length > 0) throw new Error(confirmPayment.userErrors[0]!.message);
}

/** Takes a snapshot of an organization as Super admin, to its end. @returns its id */
export async function takeSnapshot(world: World, organization: OrganizationName = 'Riverside Club'): Promise<string> {
  const admin = await world.as('Super admin', organization);
  const { takeSnapshot } = await admin.request(TakeSnapshotDocument, { input: {} });
  await runJobs(world);
  return takeSnapshot.snapshot!.id;
}

/** Takes all contacts of an organization out as Super admin, to the end. */
export async function exportAll(world: World, organization: OrganizationName = 'Riverside Club'): Promise<void> {
  const admin = await world.as('Super admin', organization);
  await admin.request(ExportContactsDocument, { input: { format: 'CSV' } });
  await runJobs(world);
}

/** Registers a webhook endpoint of an organization as Super admin. @returns its id */
export async function registerEndpoint(world: World, organization: OrganizationName = 'Riverside Club'): Promise<string> {
  const admin = await world.as('Super admin', organization);
  const { createWebhookEndpoint } = await admin.request(CreateWebhookEndpointDocument, { input: { url: 'https://hooks.example/events' } });
  return createWebhookEndpoint.webhookEndpoint!.id;
}
