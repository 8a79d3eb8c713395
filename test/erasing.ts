// Erasing and purging in tests, and looking for what is left of a person.
import type { EraseContactsMutation } from '../sdk/generated.ts';
import { ContactErasurePreviewDocument, EraseContactsDocument } from '../sdk/generated.ts';
import { quoted } from '../src/sql.ts';
import { contactId, runJobs } from './graphs.ts';
import type { World } from './harness.ts';
import type { OrganizationName } from './people.ts';

/** Previews and erases as Super admin; gives what the mutation gave. */
export async function eraseThem(
  world: World,
  ids: readonly string[],
  organization: OrganizationName = 'Riverside Club',
  reason = 'Asked for it',
): Promise<EraseContactsMutation['eraseContacts']> {
  const admin = await world.as('Super admin', organization);
  const target = { contactIds: ids.map(contactId) };
  const { contactErasurePreview } = await admin.request(ContactErasurePreviewDocument, { input: target });
  const input = { ...target, legalGround: 'CONSENT_WITHDRAWN', reason, confirmation: contactErasurePreview.confirmation } as const;
  return (await admin.request(EraseContactsDocument, { input })).eraseContacts;
}

/** Moves the deadline of every deletion to that long ago, or with a minus ahead. */
export async function deadlinesAgo(world: World, interval: string): Promise<void> {
  await world.owner.query(
    `update deletion set deleted_at = clock_timestamp() - $1::interval - interval '30 days', recoverable_until = clock_timestamp() - $1::interval
     where state = 'COMPLETED'`,
    [interval],
  );
}

/** What happens every minute, and the jobs that come of it, to their end. */
export async function meetDeadlines(world: World): Promise<void> {
  await world.app.database.pool.query(`select graphile_worker.add_job('meet_deadlines')`);
  await runJobs(world);
}

/** Every row of every table of every schema that the database has of its own, as text with its table. */
export async function dump(world: World): Promise<string[]> {
  const { rows: tables } = await world.owner.query<{ schema: string; name: string }>(
    `select schemaname as schema, tablename as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
  );
  const lines: string[] = [];
  for (const { schema, name } of tables) {
    const { rows } = await world.owner.query<{ line: string }>(`select t::text as line from ${quoted(schema)}.${quoted(name)} t`);
    lines.push(...rows.map(({ line }) => `${name} ${line}`));
  }
  return lines;
}

/** Where each contact is: live, in a snapshot that can be opened, or erased. */
export async function places(world: World, ids: readonly string[]): Promise<Record<string, string[]>> {
  const { rows } = await world.owner.query<{ id: string; places: string[] }>(
    `select id, array_remove(array[
        case when exists (select 1 from contact c where c.id = one.id) then 'live' end,
        case when not exists (select 1 from contact c where c.id = one.id) and exists (
          select 1 from snapshot_chunk k join snapshot s on s.id = k.snapshot_id where s.wrapped_key is not null and one.id = any (k.contact_ids)) then 'snapshot' end,
        case when exists (select 1 from erasure_subject x where x.contact_id = one.id) then 'erased' end], null) as places
     from unnest($1::uuid[]) one (id)`,
    [ids],
  );
  return Object.fromEntries(rows.map(({ id, places }) => [id, places]));
}
