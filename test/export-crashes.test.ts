// A worker that is killed amid an export, by `kill -9`: another one takes it over, and there is one file in the end.
import { parse } from 'csv-parse/sync';
import { expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { meetDeadlines } from './erasing.ts';
import { createWorld } from './harness.ts';
import { startProcess, until } from './processes.ts';

const settings = { WORKER_SILENCE_SECONDS: '1' };

it('an export whose worker is killed is written by another, and what the first one left goes', { timeout: 240_000 }, async () => {
  await using world = await createWorld({ settings });
  await world.owner.query(
    `with made as (insert into contact (organization_id, id, last_name, sort_name, search_text)
       select $1, gen_random_uuid(), 'Nr. ' || n, 'nr', 'nr' from generate_series(1, 10000) n returning id)
     insert into note (organization_id, id, contact_id, author_name, body) select $1, gen_random_uuid(), id, 'x', repeat('x', 6000) from made`,
    [world.organizationId()],
  );
  const admin = await world.as('Super admin');
  const files = async () => (await world.owner.query<{ whole: boolean }>('select sha256 is not null as whole from stored_file')).rows.map(({ whole }) => whole);
  await using first = await startProcess(world, 'worker', settings);
  const { exportContacts } = await admin.request(sdk.ExportContactsDocument, { input: { format: 'CSV', fields: ['LAST_NAME', 'NOTES'] } });
  const { id } = exportContacts.contactExport!;
  // A piece of it is stored.
  await until('the file to have begun', 60, async () => (await world.owner.query('select 1 from file_piece')).rows.length > 0);
  await first.end('SIGKILL');
  expect((await admin.request(sdk.ContactExportDocument, { id })).contactExport.state).toBe('RUNNING');
  expect(await files()).toEqual([false]);

  await using second = await startProcess(world, 'worker', settings);
  await until('the export to end', 60, async () => (await admin.request(sdk.ContactExportDocument, { id })).contactExport.state === 'COMPLETED');
  await second.end('SIGTERM');
  expect((await files()).toSorted()).toEqual([false, true]);
  const { createContactExportLink } = await admin.request(sdk.CreateContactExportLinkDocument, { input: { id } });
  const text = await (await fetch(new URL(createContactExportLink.path!, world.url))).text();
  const names = (parse(text, { bom: true, columns: true }) as Record<string, string>[]).map((row) => row['Last Name']);
  expect(new Set(names).size).toBe(10_000);
  expect(names).toHaveLength(10_000);

  // The time of what was left is over by itself.
  await world.owner.query('update stored_file set expires_at = now() where sha256 is null');
  await meetDeadlines(world);
  expect(await files()).toEqual([true]);
  const { rows } = await world.owner.query(`select 1 from action_log where action = 'contacts.exported'`);
  expect(rows).toHaveLength(1);
});
