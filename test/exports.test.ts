// Taking contacts out as files: what is in them, who gets them, and what becomes of them.
import { readFileSync } from 'node:fs';
import { parse } from 'csv-parse/sync';
import { describe, expect, test } from 'vitest';
import type { Client } from '../sdk/client.ts';
import * as sdk from '../sdk/generated.ts';
import { purgeDeletion } from '../src/domain/deadlines.ts';
import { eachContact } from '../src/domain/exported-contacts.ts';
import { writeExport } from '../src/domain/writing-exports.ts';
import { decodeId } from '../src/schema/common.ts';
import { undefuse } from '../src/exports/formulas.ts';
import { hire, hireWith, makeKey } from './custom-roles.ts';
import { deadlinesAgo, eraseThem, meetDeadlines } from './erasing.ts';
import { contactId, deleteThem, fill, liveIds, registerEndpoint, runJobs, takeSnapshot } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

async function order(client: Client, input: Partial<sdk.ExportContactsInput> = {}) {
  const { exportContacts } = await client.request(sdk.ExportContactsDocument, { input: { format: 'CSV', ...input } });
  return exportContacts;
}

/** Orders an export and writes it; gives it as it is then. */
async function exported(world: World, client: Client, input: Partial<sdk.ExportContactsInput> = {}) {
  const { contactExport, userErrors } = await order(client, input);
  expect(userErrors).toEqual([]);
  await runJobs(world);
  return (await client.request(sdk.ContactExportDocument, { id: contactExport!.id })).contactExport;
}

/** One is written at a time, and who runs jobs once may find the next one still waiting for the one before. */
async function runAll(world: World): Promise<void> {
  const waiting = () => world.owner.query(`select 1 from contact_export where state = 'QUEUED'`);
  do await runJobs(world);
  while ((await waiting()).rows.length > 0);
}

async function link(client: Client, id: string) {
  return (await client.request(sdk.CreateContactExportLinkDocument, { input: { id } })).createContactExportLink;
}

async function fetchFile(world: World, client: Client, id: string): Promise<Response> {
  const { path, userErrors } = await link(client, id);
  expect(userErrors).toEqual([]);
  return fetch(new URL(path!, world.url));
}

const codeOf = async (response: Response) => [
  response.status,
  ((await response.json()) as { errors: { extensions: { code: string } }[] }).errors[0]!.extensions.code,
];

/** Rows by their headers. */
const table = (text: string): Record<string, string>[] =>
  (parse(text, { bom: true, columns: true }) as Record<string, string>[]).map((row) =>
    Object.fromEntries(Object.entries(row).map(([name, value]) => [name, undefuse(value)])),
  );

async function csvOf(world: World, client: Client, input: Partial<sdk.ExportContactsInput> = {}) {
  const { id } = await exported(world, client, input);
  return table(await (await fetchFile(world, client, id)).text());
}

async function logged(world: World, action: string) {
  const { rows } = await world.owner.query<{ who: string; kind: string; count: number; code: string | null }>(
    `select actor_name as who, target_kind as kind, target_count as count, code from action_log where action = $1 order by occurred_at`,
    [action],
  );
  return rows;
}

const storedFiles = async (world: World) => (await world.owner.query<{ id: string }>('select id from stored_file')).rows.map(({ id }) => id);

describe('what is in a file', () => {
  test('everything comes back from a CSV as it was, formulas defused, with its log entries', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const input = {
      firstName: '=HYPERLINK("http://x.example")',
      lastName: 'Ünal\nSecond line',
      email: 'zoe@club.example',
      memberNumber: '007',
      company: '+A1',
      street: 'Main; "Street", 1',
      birthDate: '1990-12-31',
      tags: ['b', 'a'],
      notes: ['First', 'Second'],
      contactPoints: [
        { kind: 'PHONE', label: 'Mobile', value: '+49 170 1' },
        ...[1, 2, 3, 4, 5].map((number) => ({ kind: 'PHONE', value: `00${number}` }) as const),
        { kind: 'ADDRESS', label: 'Summer', value: 'Far\nAway' },
      ],
    } as const;
    const { createContact } = await admin.request(sdk.CreateContactDocument, {
      input: { ...input, contactPoints: [...input.contactPoints], tags: [...input.tags], notes: [...input.notes] },
    });
    expect(createContact.userErrors).toEqual([]);
    const id = createContact.contact!.id;
    await admin.request(sdk.AddChargeDocument, { input: { contactId: id, amountMinor: 1234, currency: 'EUR', description: 'Fee' } });
    await admin.request(sdk.AddChargeDocument, { input: { contactId: id, amountMinor: 500, currency: 'JPY', description: 'Fee' } });

    const done = await exported(world, admin);
    expect(done).toMatchObject({
      state: 'COMPLETED',
      contactCount: 1,
      failure: null,
      job: { state: 'COMPLETED', kind: 'EXPORT_CONTACTS', phase: 'EXPORTING', done: 1, total: 1 },
    });
    const response = await fetchFile(world, admin, done.id);
    expect(response.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    expect(response.headers.get('content-disposition')).toMatch(/^attachment; filename="contacts-\d{4}-\d\d-\d\d\.csv"$/);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.length).toBe(done.byteLength);
    expect(bytes.toString()).toContain(`"'=HYPERLINK(`);
    expect(table(bytes.toString())).toEqual([
      {
        'Contact ID': id,
        'Member Number': '007',
        'First Name': input.firstName,
        'Last Name': input.lastName,
        Email: input.email,
        Company: '+A1',
        'Job Title': '',
        Street: input.street,
        City: '',
        'Postal Code': '',
        Country: '',
        'Birth Date': '1990-12-31',
        'Phone 1 - Label': 'Mobile',
        'Phone 1 - Value': '+49 170 1',
        'Phone 2 - Label': '',
        'Phone 2 - Value': '001',
        'Phone 3 - Label': '',
        'Phone 3 - Value': '002',
        'Phone 4 - Label': '',
        'Phone 4 - Value': '003',
        'Phone 5 - Label': '',
        'Phone 5 - Value': '004',
        'Phone 6 - Label': '',
        'Phone 6 - Value': '005',
        'Address 1 - Label': 'Summer',
        'Address 1 - Formatted': 'Far\nAway',
        Tags: 'a; b',
        'Membership Plan': '',
        'Membership Start': '',
        'Membership Expiry': '',
        'Membership State': '',
        'Further Memberships': '',
        'Balance EUR': '-12.34',
        'Balance JPY': '-500',
        Notes: 'First\n\nSecond',
        'Created At (UTC)': expect.stringMatching(/^\d{4}-.*Z$/),
        'Updated At (UTC)': expect.stringMatching(/^\d{4}-.*Z$/),
      },
    ]);
    expect(await logged(world, 'contacts.exported')).toMatchObject([{ kind: 'ContactExport', count: 1 }]);
    expect(await logged(world, 'export.fetched')).toMatchObject([{ kind: 'ContactExport', count: 1 }]);
  });

  test('memberships, custom fields and the filter; fields that are chosen, in the order of the columns', async () => {
    await using world = await createWorld();
    await fill(world, 12);
    const admin = await world.as('Super admin');
    const [first] = await liveIds(world);
    const filter = { ids: [contactId(first!)] };
    const [row] = await csvOf(world, admin, { filter, fields: ['MEMBERSHIPS', 'LAST_NAME', 'CUSTOM_FIELDS'] });
    const { rows: memberships } = await world.owner.query<{ name: string; starts: string; state: string }>(
      `select p.name, m.starts_on::text as starts, m.state from membership m join membership_plan p on p.id = m.plan_id where m.contact_id = $1
       order by m.state <> 'ACTIVE', m.starts_on desc`,
      [first],
    );
    expect(Object.keys(row!)).toEqual([
      'Last Name',
      'Membership Plan',
      'Membership Start',
      'Membership Expiry',
      'Membership State',
      'Further Memberships',
      'Shirt size',
    ]);
    expect(row).toMatchObject({
      'Membership Plan': memberships[0]!.name,
      'Membership Start': memberships[0]!.starts,
      'Membership State': memberships[0]!.state,
    });
    const tagged = await csvOf(world, admin, { filter: { tags: ['newsletter'] } });
    expect(tagged.map((one) => [one['Tags'], one['Shirt size']])).toEqual(Array.from({ length: 4 }, () => ['newsletter', 'M']));
  });

  test('more numbers than there are columns for share the last one', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const phones = (label: string, labels: string[]) =>
      admin.request(sdk.CreateContactDocument, {
        input: {
          lastName: label,
          contactPoints: Array.from({ length: 22 }, (_, index) => ({ kind: 'PHONE' as const, value: `0${index}`, label: labels[index % labels.length]! })),
        },
      });
    await phones('Same', ['Work']);
    await phones('Other', ['Work', 'Home']);
    const rows = await csvOf(world, admin, { fields: ['CONTACT_POINTS'] });
    expect(rows.map((row) => [row['Phone 19 - Value'], row['Phone 20 - Label'], row['Phone 20 - Value']])).toEqual([
      ['018', 'Work', '019 ::: 020 ::: 021'],
      ['018', 'Home ::: Work ::: Home', '019 ::: 020 ::: 021'],
    ]);
    expect(Object.keys(rows[0]!)).toHaveLength(40);
  });

  test('vCards and a workbook hold every contact', async () => {
    await using world = await createWorld();
    await fill(world, 30);
    const admin = await world.as('Super admin');
    for (const [format, version] of [
      ['VCARD_3', '3.0'],
      ['VCARD_4', '4.0'],
    ] as const) {
      const { id, contactCount } = await exported(world, admin, { format });
      const response = await fetchFile(world, admin, id);
      const text = await response.text();
      expect([contactCount, response.headers.get('content-type')]).toEqual([30, 'text/vcard; charset=utf-8']);
      expect(text.match(/^BEGIN:VCARD\r\nVERSION:.*\r\nUID:urn:uuid:/gm)).toHaveLength(30);
      expect(text.match(new RegExp(`^VERSION:${version}\r$`, 'gm'))).toHaveLength(30);
    }
    const { id } = await exported(world, admin, { format: 'XLSX' });
    const response = await fetchFile(world, admin, id);
    expect(response.headers.get('content-disposition')).toMatch(/\.xlsx"$/);
    const bytes = Buffer.from(await response.arrayBuffer());
    expect(bytes.subarray(30, 41).toString()).toBe('_rels/.rels');
  });

  test('a card is called by what was chosen, and by nothing else', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const { createContact } = await admin.request(sdk.CreateContactDocument, { input: { email: 'hidden@club.example', memberNumber: '007, b' } });
    expect(createContact.userErrors).toEqual([]);
    const cardOf = async (format: sdk.ContactExportFormat, ...fields: sdk.ContactExportField[]) => {
      const { id } = await exported(world, admin, { format, fields });
      return (await (await fetchFile(world, admin, id)).text()).split('\r\n').filter((line) => !/^(?:UID|VERSION)/.test(line));
    };
    const card = (...lines: string[]) => ['BEGIN:VCARD', ...lines, 'END:VCARD', ''];
    for (const format of ['VCARD_3', 'VCARD_4'] as const) {
      expect(await cardOf(format, 'MEMBER_NUMBER')).toEqual(card('FN:007\\, b', 'N:;;;;'));
      expect(await cardOf(format, 'COMPANY', 'NOTES')).toEqual(card('FN:—', 'N:;;;;'));
    }
    expect(await cardOf('VCARD_3', 'FIRST_NAME', 'EMAIL', 'MEMBER_NUMBER')).toEqual(card('FN:hidden@club.example', 'N:;;;;', 'EMAIL:hidden@club.example'));
    await admin.request(sdk.UpdateContactDocument, {
      input: { id: createContact.contact!.id, version: createContact.contact!.version, firstName: 'Ann', lastName: 'Bell', company: 'Acme' },
    });
    expect(await cardOf('VCARD_3', 'COMPANY', 'MEMBER_NUMBER')).toEqual(card('FN:Acme', 'N:;;;;', 'ORG:Acme'));
    expect(await cardOf('VCARD_3', 'LAST_NAME', 'COMPANY')).toEqual(card('FN:Bell', 'N:Bell;;;;', 'ORG:Acme'));
    expect(await cardOf('VCARD_3', 'FIRST_NAME', 'LAST_NAME')).toEqual(card('FN:Ann Bell', 'N:Bell;Ann;;;'));
  });

  test('a thousand and more contacts, each once, with a constant number of statements for a page', async () => {
    await using world = await createWorld();
    await fill(world, 2500);
    const admin = await world.as('Super admin');
    let rows: Record<string, string>[] = [];
    const statements = await world.statements(async () => (rows = await csvOf(world, admin)));
    expect(rows.map((row) => decodeId('Contact', row['Contact ID']!))).toEqual(await liveIds(world));
    // Ten pages of 250 and one that is empty, with the sizes of notes, and what comes before them.
    expect(
      statements.filter((text) => /from (contact_point|note|membership m|contact_tag l|balance|custom_field_value v)\b/.test(text)).length,
    ).toBeLessThanOrEqual(11 * 7 + 2);
  });
});

describe('who sees what', () => {
  test('hidden fields are not in the file, and asking for one by its name is refused', async () => {
    await using world = await createWorld();
    await fill(world, 9);
    const hidden = ['EMAIL_AND_PHONE', 'BIRTH_DATE', 'NOTES', 'BALANCES'] as const;
    const { client } = await hireWith(world, { permissions: ['contacts:read', 'contacts:export', 'payments:read'], hiddenFields: hidden });
    const rows = await csvOf(world, client);
    expect(rows).toHaveLength(9);
    const headers = Object.keys(rows[0]!);
    expect(headers.filter((header) => /mail|phone|website|birth|notes|balance/i.test(header))).toEqual([]);
    expect(headers).toContain('City');
    expect(JSON.stringify(rows)).not.toContain('@');
    expect((await order(client, { fields: ['EMAIL'] })).userErrors).toMatchObject([{ code: 'HIDDEN_FIELD', path: ['input', 'fields'] }]);
    await expect(order(client, { filter: { hasEmail: true } })).rejects.toMatchObject({ code: 'HIDDEN_FIELD' });
    const cards = await exported(world, client, { format: 'VCARD_3' });
    expect(await (await fetchFile(world, client, cards.id)).text()).not.toMatch(/EMAIL|TEL|BDAY|NOTE|@/);
  });

  test('balances take the permission to see payments', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { client } = await hire(world, 'contacts:read', 'contacts:export');
    expect(Object.keys((await csvOf(world, client))[0]!).filter((header) => header.startsWith('Balance'))).toEqual([]);
    expect((await order(client, { fields: ['BALANCES'] })).userErrors).toMatchObject([{ code: 'FORBIDDEN' }]);
    await expect(order(client, { filter: { balance: 'OWING' } })).rejects.toMatchObject({ code: 'FORBIDDEN' });
  });

  test('whoever works with some contacts only takes out those, and sees their own exports only', async () => {
    await using world = await createWorld();
    await fill(world, 9);
    const admin = await world.as('Super admin');
    const { rows } = await world.owner.query<{ id: string }>(`select id from tag where organization_id = $1 and name = 'newsletter'`, [world.organizationId()]);
    const { client } = await hireWith(world, { permissions: ['contacts:read', 'contacts:export'], tagScope: [rows[0]!.id] });
    const theirs = await exported(world, admin);
    expect(await csvOf(world, client)).toHaveLength(3);
    const { contactExports } = await client.request(sdk.ContactExportsDocument, {});
    expect(contactExports.nodes).toHaveLength(1);
    await expect(client.request(sdk.ContactExportDocument, { id: theirs.id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await admin.request(sdk.ContactExportsDocument, {})).contactExports.nodes).toHaveLength(2);
  });

  test('nobody but who ordered it gets the file; another organization gets nothing at all', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    await fill(world, 2, 'Hilltop Society');
    const [superAdmin, admin, hilltop] = [await world.as('Super admin'), await world.as('Admin'), await world.as('Super admin', 'Hilltop Society')];
    const { id, contactCount } = await exported(world, superAdmin);
    expect(contactCount).toBe(3);
    expect((await link(admin, id)).userErrors).toMatchObject([{ code: 'NOT_ORDERED_BY_YOU' }]);
    expect((await admin.request(sdk.ContactExportDocument, { id })).contactExport.requestedByName).toBe((await logged(world, 'export.ordered'))[0]!.who);
    await expect(link(hilltop, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(hilltop.request(sdk.ContactExportDocument, { id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(order(await world.as('Staff'))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(await logged(world, 'createContactExportLink')).toMatchObject([{ code: 'NOT_ORDERED_BY_YOU' }]);
    expect(await logged(world, 'exportContacts')).toMatchObject([{ code: 'FORBIDDEN' }]);
  });

  test('an API key takes out what it holds, and nothing once it is revoked', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { id: keyId, key } = await makeKey(world, ['contacts:read', 'contacts:export']);
    const client = world.client(key);
    const { id } = await exported(world, client);
    const { path } = await link(client, id);
    expect(table(await (await fetch(new URL(path!, world.url))).text())).toHaveLength(3);
    const late = (await order(client)).contactExport!;
    await (await world.as('Super admin')).request(sdk.RevokeApiKeyDocument, { input: { id: keyId } });
    expect(await codeOf(await fetch(new URL(path!, world.url)))).toEqual([403, 'FORBIDDEN']);
    await runJobs(world);
    const { contactExport } = await (await world.as('Super admin')).request(sdk.ContactExportDocument, { id: late.id });
    expect(contactExport).toMatchObject({ state: 'FAILED', failure: { code: 'FORBIDDEN' }, job: { state: 'FAILED', failure: { code: 'FORBIDDEN' } } });
  });

  test('a permission that is lost between ordering, writing and fetching leaves nothing to get', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { client, roleIds } = await hireWith(world, { permissions: ['contacts:read', 'contacts:export'] });
    const set = (permissions: string, hidden = '{}', tags: string | null = null) =>
      world.owner.query('update role set permissions = $2, hidden_fields = $3, tag_scope = $4 where id = $1', [roleIds[0], permissions, hidden, tags]);
    const all = '{contacts:read,contacts:export}';
    const { id } = await exported(world, client);
    const { path } = await link(client, id);
    const get = async () => codeOf(await fetch(new URL(path!, world.url)));
    await set('{contacts:read}');
    expect(await get()).toEqual([403, 'FORBIDDEN']);
    await expect(link(client, id)).rejects.toMatchObject({ code: 'FORBIDDEN' });
    await set(all, '{NOTES}');
    expect(await get()).toEqual([403, 'HIDDEN_FIELD']);
    expect((await link(client, id)).userErrors).toMatchObject([{ code: 'HIDDEN_FIELD' }]);
    const { rows } = await world.owner.query<{ id: string }>(`select id from tag where organization_id = $1`, [world.organizationId()]);
    await set(all, '{}', `{${rows[0]!.id}}`);
    expect(await get()).toEqual([403, 'OUT_OF_SCOPE']);
    await set(all);
    expect((await fetch(new URL(path!, world.url))).status).toBe(200);
    expect((await logged(world, 'createContactExportLink')).map(({ code }) => code)).toEqual([
      'FORBIDDEN',
      'FORBIDDEN',
      'HIDDEN_FIELD',
      'HIDDEN_FIELD',
      'OUT_OF_SCOPE',
    ]);

    // Between ordering and writing.
    const lost = (await order(client)).contactExport!;
    const { rows: somewhere } = await world.owner.query<{ country: string }>('select country from contact where country is not null limit 1');
    const filtered = (await order(client, { filter: { country: somewhere[0]!.country } })).contactExport!;
    const narrowed = (await order(client, { fields: ['LAST_NAME', 'NOTES'] })).contactExport!;
    await set(all, '{NOTES,ADDRESS}');
    await runAll(world);
    const read = async (one: { id: string }) => (await client.request(sdk.ContactExportDocument, { id: one.id })).contactExport;
    expect(await read(filtered)).toMatchObject({ state: 'FAILED', failure: { code: 'HIDDEN_FIELD' } });
    expect(await read(narrowed)).toMatchObject({ state: 'COMPLETED', fields: ['LAST_NAME'] });
    expect((await read(lost)).fields).not.toContain('NOTES');
    const last = (await order(client)).contactExport!;
    await set('{contacts:read}');
    await runJobs(world);
    await set(all);
    expect(await read(last)).toMatchObject({ state: 'FAILED', failure: { code: 'FORBIDDEN' } });
    const { rows: kept } = await world.owner.query(`select 1 from contact_export where filter is not null`);
    expect(kept).toEqual([]);
  });
});

describe('what becomes of it', () => {
  test('the link and the file expire, and nothing is left of the file', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const admin = await world.as('Super admin');
    const { id, expiresAt } = await exported(world, admin);
    expect(new Date(expiresAt!).getTime() - Date.now()).toBeGreaterThan(23 * 3_600_000);
    const { path } = await link(admin, id);
    await world.owner.query(`update contact_export set expires_at = now(); update stored_file set expires_at = now()`);
    expect(await codeOf(await fetch(new URL(path!, world.url)))).toEqual([410, 'EXPORT_GONE']);
    expect((await link(admin, id)).userErrors).toMatchObject([{ code: 'EXPORT_GONE' }]);
    expect((await admin.request(sdk.ContactExportDocument, { id })).contactExport.state).toBe('EXPIRED');
    await meetDeadlines(world);
    expect(await storedFiles(world)).toEqual([]);
    expect(await codeOf(await fetch(new URL(`${path!.slice(0, -3)}abc`, world.url)))).toEqual([404, 'NOT_FOUND']);
  });

  test('there is no link before the file is there, and no more than ten exports wait', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const admin = await world.as('Super admin');
    expect((await order(admin, { filter: { tags: ['nobody has it'] } })).userErrors).toMatchObject([{ code: 'NOTHING_FOUND' }]);
    const { contactExport } = await order(admin);
    expect((await link(admin, contactExport!.id)).userErrors).toMatchObject([{ code: 'EXPORT_NOT_READY' }]);
    for (let ordered = 1; ordered < 10; ordered++) await order(admin);
    expect((await order(admin)).userErrors).toMatchObject([{ code: 'TOO_MANY_EXPORTS' }]);
    expect((await order(admin, { fields: [] })).userErrors).toMatchObject([{ code: 'NO_FIELDS' }]);
    await runAll(world);
    expect(await storedFiles(world)).toHaveLength(10);

    // Everybody can be deleted before it is written.
    const { contactExport: late } = await order(admin, { format: 'VCARD_4' });
    await deleteThem(world, { filter: {} });
    await runAll(world);
    expect((await admin.request(sdk.ContactExportDocument, { id: late!.id })).contactExport).toMatchObject({
      state: 'COMPLETED',
      contactCount: 0,
      byteLength: 0,
    });
    expect(await (await fetchFile(world, admin, late!.id)).text()).toBe('');
  });

  test('contacts that are deleted and changed while it is written are in it as they were at one instant', async () => {
    await using world = await createWorld({ settings: { DELETE_AT_ONCE: '1000' } });
    await fill(world, 2500);
    const admin = await world.as('Super admin');
    const ids = await liveIds(world);
    const { contactExport } = await order(admin, { fields: ['ID', 'CITY'] });
    await pausedAtPage(world, 2, async () => {
      await world.owner.query(`update contact set city = 'Changed' where organization_id = $1`, [world.organizationId()]);
      await deleteThem(world, { contactIds: ids.slice(-5).map(contactId) });
    });
    const rows = table(await (await fetchFile(world, admin, contactExport!.id)).text());
    expect(rows).toHaveLength(2500);
    expect(rows.filter((row) => row['City'] === 'Changed')).toEqual([]);
  });

  test('an erasure removes every file that may hold who is erased, and what is being written begins again', async () => {
    await using world = await createWorld();
    await fill(world, 2500);
    const admin = await world.as('Super admin');
    const ids = await liveIds(world);
    const before = await exported(world, admin);
    const { path } = await link(admin, before.id);
    const { contactExport: running } = await order(admin, { fields: ['ID'] });
    let erased = 0;
    await pausedAtPage(world, 2, async () => {
      if (erased++ === 0) await eraseThem(world, [ids[0]!]);
    });
    expect(await codeOf(await fetch(new URL(path!, world.url)))).toEqual([410, 'EXPORT_GONE']);
    expect((await admin.request(sdk.ContactExportDocument, { id: before.id })).contactExport).toMatchObject({
      state: 'REMOVED',
      failure: { code: 'CONTACT_ERASED' },
    });
    const rows = table(await (await fetchFile(world, admin, running!.id)).text());
    expect(rows).toHaveLength(2499);
    expect(rows.some((row) => row['Contact ID'] === contactId(ids[0]!))).toBe(false);
    expect(await storedFiles(world)).toHaveLength(1);
    expect(await logged(world, 'export.removed')).toHaveLength(1);
    expect(await logged(world, 'contacts.exported')).toMatchObject([{ count: 2500 }, { count: 2499 }]);
  });

  test('a purge removes the files from before its deletion, and leaves the others', async () => {
    await using world = await createWorld();
    await fill(world, 5);
    const admin = await world.as('Super admin');
    const ids = await liveIds(world);
    const before = await exported(world, admin);
    await deleteThem(world, { contactIds: [contactId(ids[0]!)] });
    const after = await exported(world, admin);
    await world.owner.query(`update contact_export set taken_at = clock_timestamp() - interval '32 days' where id = $1`, [
      decodeId('ContactExport', before.id),
    ]);
    await deadlinesAgo(world, '1 hour');
    await meetDeadlines(world);
    const states = (await admin.request(sdk.ContactExportsDocument, {})).contactExports.nodes.map(({ id, state }) => [id, state]);
    expect(states).toEqual([
      [after.id, 'COMPLETED'],
      [before.id, 'REMOVED'],
    ]);
  });

  test('a worker that is stopped in the middle leaves it to another, and two at once make one file', async () => {
    await using world = await createWorld();
    await fill(world, 2500);
    const admin = await world.as('Super admin');
    const { contactExport } = await order(admin);
    const stopping = new AbortController();
    await pausedAtPage(world, 2, async () => stopping.abort(new Error('The worker is being stopped.')), stopping.signal);
    expect((await admin.request(sdk.ContactExportDocument, { id: contactExport!.id })).contactExport).toMatchObject({
      state: 'RUNNING',
      job: { state: 'RUNNING' },
    });
    expect(await storedFiles(world)).toEqual([]);
    // The one that takes over is overtaken by a third while it writes.
    let inner = false;
    await pausedAtPage(world, 2, async () => {
      if (inner) return;
      inner = true;
      const actor = await actorOf(admin);
      await writeExport(world.app, actor, world.organizationId(), decodeId('ContactExport', contactExport!.id), async () => {}, new AbortController().signal);
    });
    expect(await storedFiles(world)).toHaveLength(1);
    expect(await logged(world, 'contacts.exported')).toHaveLength(1);
    expect(table(await (await fetchFile(world, admin, contactExport!.id)).text())).toHaveLength(2500);
  });

  test('a worker that has lost it to another does not end it with what it has read, from which somebody was erased since', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const admin = await world.as('Super admin');
    const [gone, ...left] = await liveIds(world);
    const { contactExport } = await order(admin, { fields: ['ID'] });
    const actor = await actorOf(admin);
    const write = (report: () => Promise<void>) =>
      writeExport(world.app, actor, world.organizationId(), decodeId('ContactExport', contactExport!.id), report, new AbortController().signal);
    const read = async () => (await admin.request(sdk.ContactExportDocument, { id: contactExport!.id })).contactExport;
    let goOn!: () => void;
    const mayGoOn = new Promise<void>((resolve) => (goOn = resolve));
    let second: Promise<void> | undefined;
    // The first has its view when it reports for the first time.
    await write(async () => {
      if (second) return;
      await eraseThem(world, [gone!]);
      await new Promise<void>((hasView, fails) => {
        second = write(async () => {
          hasView();
          await mayGoOn;
        });
        second.catch(fails);
      });
    });
    const overtaken = [await read(), await link(admin, contactExport!.id)];
    goOn();
    await second;
    expect(overtaken).toMatchObject([{ state: 'RUNNING', takenAt: null }, { userErrors: [{ code: 'EXPORT_NOT_READY' }] }]);
    expect(await read()).toMatchObject({ state: 'COMPLETED', contactCount: 2 });
    const rows = table(await (await fetchFile(world, admin, contactExport!.id)).text());
    expect(rows.map((row) => row['Contact ID'])).toEqual(left.map(contactId));
    expect(await storedFiles(world)).toHaveLength(1);
    expect(await logged(world, 'contacts.exported')).toMatchObject([{ count: 2 }]);
  });

  test('what is being written begins again when somebody is purged who was deleted after it began, and goes on otherwise', async () => {
    await using world = await createWorld();
    await fill(world, 300);
    const admin = await world.as('Super admin');
    const [early, late, ...left] = await liveIds(world);
    const purge = async (id: string) => {
      await world.owner.query('update deletion set recoverable_until = clock_timestamp() where id = $1', [decodeId('Deletion', id)]);
      expect(await purgeDeletion(world.app, await actorOf(admin), world.organizationId(), decodeId('Deletion', id))).toBe(true);
    };
    const del = async (id: string) => (await deleteThem(world, { contactIds: [contactId(id)] })).deletion!.id;
    const before = await del(early!);
    const { contactExport } = await order(admin, { fields: ['ID'] });
    let passes = 0;
    await pausedAtPage(world, 2, async () => {
      passes++;
      if (passes === 1) await purge(await del(late!));
      else await purge(before);
    });
    expect(passes).toBe(2);
    const rows = table(await (await fetchFile(world, admin, contactExport!.id)).text());
    expect(rows.map((row) => row['Contact ID'])).toEqual(left.map(contactId));
    expect(await storedFiles(world)).toHaveLength(1);
  });

  test('which instant a file shows is told when the file is there, and not before', async () => {
    await using world = await createWorld();
    await fill(world, 300);
    const { client, roleIds } = await hireWith(world, { permissions: ['contacts:read', 'contacts:export'] });
    const toldOf = async (one: { id: string }) => {
      const { state, takenAt } = (await client.request(sdk.ContactExportDocument, { id: one.id })).contactExport;
      const { contactExports } = await client.request(sdk.ContactExportsDocument, {});
      expect(contactExports.nodes.find(({ id }) => id === one.id)).toMatchObject({ state, takenAt });
      return [state, takenAt];
    };
    const done = (await order(client)).contactExport!;
    expect(await toldOf(done)).toEqual(['QUEUED', null]);
    await pausedAtPage(world, 2, async () => expect(await toldOf(done)).toEqual(['RUNNING', null]));
    const [state, takenAt] = await toldOf(done);
    expect([state, takenAt]).toEqual(['COMPLETED', expect.any(String)]);
    const refused = (await order(client)).contactExport!;
    const set = (permissions: string) => world.owner.query('update role set permissions = $2 where id = $1', [roleIds[0], permissions]);
    await set('{contacts:read}');
    await runJobs(world);
    await set('{contacts:read,contacts:export}');
    expect(await toldOf(refused)).toEqual(['FAILED', null]);
    // A file that is not there any more has shown an instant.
    await eraseThem(world, [(await liveIds(world))[0]!]);
    expect(await toldOf(done)).toEqual(['REMOVED', takenAt]);
  });
});

describe('memory', () => {
  /** Contacts with nothing but a name and a note of that many characters. */
  const add = async (world: World, contacts: number, characters: number) => {
    await world.owner.query(
      `with made as (insert into contact (organization_id, id, last_name, sort_name, search_text)
         select $1, gen_random_uuid(), 'Nr. ' || n, 'nr', 'nr' from generate_series(1, $2::int) n returning id)
       insert into note (organization_id, id, contact_id, author_name, body) select $1, gen_random_uuid(), id, 'x', repeat('x', $3::int) from made`,
      [world.organizationId(), contacts, characters],
    );
  };
  const fields: sdk.ContactExportField[] = ['LAST_NAME', 'NOTES'];

  test('20,000 contacts take no more of it than 5,000', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const peakOf = async () => {
      let most = 0;
      const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 10);
      const { contactCount, byteLength } = await exported(world, admin, { fields }).finally(() => clearInterval(watch));
      return { most, contactCount, byteLength };
    };
    await add(world, 5_000, 6_000);
    const few = await peakOf();
    await add(world, 15_000, 6_000);
    const many = await peakOf();
    expect([few.contactCount, many.contactCount]).toEqual([5_000, 20_000]);
    expect(many.byteLength).toBeGreaterThan(120_000_000);
    // What is not let go of would be 90 MB as text, and as much again as bytes.
    expect(many.most - few.most).toBeLessThan(90_000_000);
  }, 180_000);

  test('however long notes are, no more of them are read at a time than fit, and each once', async () => {
    await using world = await createWorld();
    await add(world, 300, 19_000);
    await world.owner.query(`insert into note (organization_id, id, contact_id, author_name, body)
      select n.organization_id, gen_random_uuid(), n.contact_id, 'x', n.body from note n, generate_series(1, 200) where n.contact_id = (select min(contact_id::text)::uuid from note)`);
    const holder = { permissions: new Set<never>(), hidden: new Set<never>(), scope: null };
    const sizes = await world.app.database.transact(world.organizationId(), async (tx) => {
      const sizes: number[][] = [];
      for await (const page of eachContact(tx, holder, {}, new Set(['NOTES'] as const))) sizes.push(page.map(({ notes }) => notes.join('').length));
      return sizes;
    });
    expect(sizes.flat().toSorted((a, b) => a - b)).toEqual([...Array.from({ length: 299 }, () => 19_000), 201 * 19_000]);
    // A contact with more than fits is by itself.
    for (const page of sizes) expect(page.length === 1 || page.reduce((sum, size) => sum + size) <= 2_000_000).toBe(true);
  });
});

/** Whoever the client is, as the job of what they ordered acts. */
async function actorOf(client: Client) {
  const { id } = (await client.request(sdk.ViewerDocument)).viewer;
  return { kind: 'STAFF', id: decodeId('StaffMember', id!), name: 'x', requestId: 'x', address: null, agent: null } as const;
}

/** Runs what is queued; before page `number` of each export `work` is done. */
async function pausedAtPage(world: World, number: number, work: () => Promise<unknown>, signal?: AbortSignal): Promise<void> {
  const { database } = world.app;
  const begin = database.begin.bind(database);
  database.begin = async (organizationId, options) => {
    const tx = await begin(organizationId, options);
    if (options?.view !== 'new' || options.opening) return tx;
    const rows = tx.rows.bind(tx);
    let pages = 0;
    tx.rows = async (statement) => {
      if (/from contact c where .* order by c\.id asc/s.test(statement.text) && ++pages === number) await work();
      return rows(statement) as never;
    };
    return tx;
  };
  try {
    await runJobs(world, signal);
  } finally {
    database.begin = begin;
  }
}

interface Described {
  type?: string | string[];
  required?: string[];
  properties?: Record<string, Described>;
  items?: Described;
  enum?: unknown[];
  const?: unknown;
}

/** Where a value is not as it is described: every name that is described must be there, and every one that is there be described. */
function faultsIn(value: unknown, { type, required, properties, items, ...rest }: Described, path = ''): string[] {
  const kind = value === null ? 'null' : Array.isArray(value) ? 'array' : Number.isInteger(value) ? 'integer' : typeof value;
  const allowed = rest.enum ?? ('const' in rest ? [rest.const] : [value]);
  if (!allowed.includes(value) || (type && ![type].flat().includes(kind))) return [`${path} is ${kind} ${String(value)}`];
  const inner = Object.entries((properties ? value : {}) as object);
  const names = inner.map(([name]) => name).toSorted();
  return [
    ...(properties && names.join() !== required!.toSorted().join() ? [`${path} has ${names.join()}`] : []),
    ...inner.flatMap(([name, one]) => faultsIn(one, properties![name] ?? {}, `${path}.${name}`)),
    ...((items ? value : []) as unknown[]).flatMap((one) => faultsIn(one, items!, `${path}[]`)),
  ];
}

interface Whole {
  format: string;
  contactId: string;
  exportedBy: string;
  records: Record<string, Record<string, unknown>[]>;
  log: { action: string; actorName: string }[];
  copies: { snapshots: { kind: string; keptUntil: string }[]; files: { keptUntil: string; exportFormat: string | null }[] };
}

describe('all that is kept about one contact', () => {
  const ask = async (client: Client, id: string) => (await client.request(sdk.ExportContactDocument, { input: { contactId: id } })).exportContact;

  test('every record of every kind, who did what, and where copies are', async () => {
    await using world = await createWorld();
    await fill(world, 9);
    await registerEndpoint(world);
    const admin = await world.as('Super admin');
    const id = (await liveIds(world))[2]!;
    await admin.request(sdk.AddNoteDocument, { input: { contactId: contactId(id), body: 'Hello' } });
    await takeSnapshot(world);
    await exported(world, admin, { format: 'XLSX' });
    const { path } = await ask(admin, contactId(id));
    const response = await fetch(new URL(path!, world.url));
    expect(response.headers.get('content-type')).toBe('application/json; charset=utf-8');
    const file = (await response.json()) as Whole;
    expect(file).toMatchObject({ format: 'reinstate-contact', version: 1, contactId: contactId(id) });

    // Held against the tables themselves.
    const { rows: tables } = await world.owner.query<{ name: string }>(
      `select table_name as name from information_schema.columns where column_name = 'contact_id' and table_schema = 'public' and is_nullable = 'NO'`,
    );
    const told = new Map(Object.entries(file.records).map(([kind, rows]) => [kind.replaceAll(/(?<!^)[A-Z]/g, '_$&').toLowerCase(), rows.length]));
    // A draft names the contact that it may become.
    const notTheirs = ['action_salt', 'deletion_contact', 'erasure_subject', 'import_draft', 'recovery_conflict', 'recovery_undo_exception'];
    for (const { name } of tables.filter((one) => !notTheirs.includes(one.name))) {
      const { rows } = await world.owner.query(`select 1 from ${name} where contact_id = $1`, [id]);
      expect([name, told.get(name)]).toEqual([name, rows.length]);
      expect([name, rows.length > 0]).toEqual([name, true]);
    }
    expect(file.records['Contact']).toMatchObject([{ id, version: expect.any(Number), sortName: expect.any(String) }]);
    expect(file.records['Membership']![0]).toMatchObject({ plan: { name: expect.any(String), priceMinor: expect.any(Number) } });
    expect(file.records['ContactTag']![0]).toMatchObject({ tag: { name: 'newsletter' } });
    expect(file.records['CustomFieldValue']![0]).toMatchObject({ value: 'M', definition: { key: 'shirt' } });
    expect(file.records['ActionDetail']![0]).toMatchObject({ changes: { city: { before: 'Ghent', after: 'Porto' } } });
    expect(JSON.stringify(file)).not.toContain('organizationId');
    const described = JSON.parse(readFileSync(new URL('../docs/contact.schema.json', import.meta.url), 'utf8')) as Described;
    expect(faultsIn(file, described)).toEqual([]);
    expect(faultsIn({ ...file, more: 1, format: 'other' }, described)).toHaveLength(2);
    expect(file.log.map(({ action }) => action)).toEqual(['note.added', 'contact.exported', 'export.fetched']);
    expect(file.copies.snapshots).toMatchObject([{ kind: 'MANUAL', keptUntil: expect.any(String) }]);
    expect(file.copies.files).toMatchObject([{ exportFormat: 'XLSX' }]);
    expect(await logged(world, 'contact.exported')).toMatchObject([{ kind: 'Contact', count: 1 }]);
  });

  test('it is for those from whom nothing is hidden, within their scope, and for live contacts', async () => {
    await using world = await createWorld();
    await fill(world, 9);
    const ids = await liveIds(world);
    const permissions = ['contacts:read', 'contacts:export', 'payments:read'] as const;
    const { client: blind } = await hireWith(world, { permissions, hiddenFields: ['NOTES'] });
    expect((await ask(blind, contactId(ids[0]!))).userErrors).toMatchObject([{ code: 'HIDDEN_FIELD' }]);
    const { client: poor } = await hireWith(world, { permissions: permissions.slice(0, 2) });
    await expect(ask(poor, contactId(ids[0]!))).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { rows } = await world.owner.query<{ id: string }>(`select id from tag where organization_id = $1`, [world.organizationId()]);
    const { client: scoped, roleIds } = await hireWith(world, { permissions, tagScope: [rows[0]!.id] });
    await expect(ask(scoped, contactId(ids[0]!))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { path } = await ask(scoped, contactId(ids[2]!));
    expect((await fetch(new URL(path!, world.url))).status).toBe(200);
    await world.owner.query(`update role set hidden_fields = '{NOTES}' where id = $1`, [roleIds[0]]);
    expect(await codeOf(await fetch(new URL(path!, world.url)))).toEqual([403, 'HIDDEN_FIELD']);
    const admin = await world.as('Super admin');
    const early = await ask(admin, contactId(ids[0]!));
    await deleteThem(world, { contactIds: [contactId(ids[0]!)] });
    expect((await ask(admin, contactId(ids[0]!))).userErrors).toMatchObject([{ code: 'CONTACT_DELETED' }]);
    expect(await codeOf(await fetch(new URL(early.path!, world.url)))).toEqual([403, 'CONTACT_DELETED']);
    await expect(ask(await world.as('Super admin', 'Hilltop Society'), contactId(ids[2]!))).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
