// Importing, from the file to what it becomes and back again: through the API, with the jobs and the readers' process as they are.
import { Buffer } from 'node:buffer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { dump } from './erasing.ts';
import { deleteThem, expectBalancesToBeSums, fill, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld } from './harness.ts';
import { codeOf, count, csv, expectLogIntact, importerAs, logged, make, phoneOf, shortCounts, state } from './importing.ts';
import type { Template } from './setup.ts';
import { filesOf } from './stores.ts';

const header = 'First name,Last name,Email,Other email,Phone,Member number,Birth date';

/** Contacts that rows match in one way each, and those that tell which way comes first. */
const live: sdk.ContactInput[] = [
  { firstName: 'Eve', lastName: 'Email', email: 'eve@club.example', city: 'Ghent' },
  { firstName: 'Fay', lastName: 'Further', email: 'fay@club.example', contactPoints: [{ kind: 'EMAIL', value: 'fay.work@club.example' }] },
  { firstName: 'Pia', lastName: 'Phone', contactPoints: phoneOf('+44 20 7946 0958') },
  { firstName: 'Mia', lastName: 'Member', memberNumber: 'M-7' },
  { firstName: 'Ned', lastName: 'Named', birthDate: '1906-12-09' },
  { firstName: 'A1', lastName: 'First', email: 'a1@club.example' },
  { firstName: 'A2', lastName: 'Second', contactPoints: phoneOf('+1 415 555 0102') },
  { firstName: 'B2', lastName: 'Third', memberNumber: 'B-2' },
  { firstName: 'B1', lastName: 'Fourth', contactPoints: phoneOf('+1 415 555 0103'), birthDate: '1970-01-02' },
  { firstName: 'C1', lastName: 'Fifth', memberNumber: 'C-1' },
  { firstName: 'C2', lastName: 'Sixth', birthDate: '1980-03-04' },
];

const rowsOfEachKind = csv(
  header,
  'New,Person,new@club.example,,,,', // 2
  'Else,Somebody,EVE@club.example,,,,', // 3
  'Else,Somebody,fay.work@club.example,,,,', // 4
  'Pia,Phone,,,020 7946 0958,,', // 5
  'Pete,Phone,,,+442079460958,,', // 6: who shares a phone
  'Else,Somebody,,,,M-7,', // 7
  'Ned,Named,,,,,1906-12-09', // 8
  'A2,Second,a1@club.example,,+1 415 555 0102,,', // 9: email before phone
  'B1,Fourth,,,+1 (415) 555-0103,B-2,', // 10: phone before number
  'C2,Sixth,,,,C-1,1980-03-04', // 11: number before name
  'Again,Person,New@Club.example,,,,', // 12: row 2 by email
  'Again,Person,other@club.example,new@club.example,,,', // 13: row 2 by a further email
  'Pete,Phone,,,020 7946 0958,,', // 14: row 6 by phone
  'Paula,Phone,,,020 7946 0958,,', // 15: who shares it too
  'Num,One,num@club.example,,,N-1,', // 16
  'Num,Two,,,,N-1,', // 17: row 16 by number
  'Dan,Dated,dan@club.example,,,,1990-12-31', // 18
  'Dan,Dated,,,,,1990-12-31', // 19: row 18 by name
  'Bad,Email,nope,,,,', // 20
  'Bad,Date,bad@club.example,,,,1990-02-31', // 21
  ',,,,+1 415 555 0199,,', // 22: nobody
);

describe('a dry run', () => {
  it('says of each row what would become of it and why, and changes no contact', async () => {
    await using world = await createWorld();
    const staff = await importerAs(world, 'Staff');
    const ids = await make(staff.client, ...live);
    const before = await state(world);
    const checked = await staff.check(rowsOfEachKind, { country: 'GB' });
    expect(checked).toMatchObject({ state: 'CHECKED', rowCount: 21, questions: [], duplicatePolicy: 'SKIP', deletedPolicy: null, isUndoable: false });
    expect(await staff.outcomes(checked.id)).toEqual([
      '2 CREATED',
      '3 SKIPPED DUPLICATE by EMAIL',
      '4 SKIPPED DUPLICATE by EMAIL',
      '5 SKIPPED DUPLICATE by PHONE',
      '6 CREATED',
      '7 SKIPPED DUPLICATE by MEMBER_NUMBER',
      '8 SKIPPED DUPLICATE by NAME_AND_BIRTH_DATE',
      '9 SKIPPED DUPLICATE by EMAIL',
      '10 SKIPPED DUPLICATE by PHONE',
      '11 SKIPPED DUPLICATE by MEMBER_NUMBER',
      '12 SKIPPED REPEATED_ROW by EMAIL',
      '13 SKIPPED REPEATED_ROW by EMAIL',
      '14 SKIPPED REPEATED_ROW by PHONE',
      '15 CREATED',
      '16 CREATED',
      '17 SKIPPED REPEATED_ROW by MEMBER_NUMBER',
      '18 CREATED',
      '19 SKIPPED REPEATED_ROW by NAME_AND_BIRTH_DATE',
      '20 REFUSED INVALID_EMAIL',
      '21 REFUSED INVALID_DATE',
      '22 REFUSED NO_NAME_OR_EMAIL',
    ]);
    expect(shortCounts(checked)).toBe('5 0 13 3');
    const rows = await staff.rows(checked.id);
    const row = (number: number) => rows.find(({ rowNumber }) => rowNumber === number)!;
    expect([3, 4, 5, 7, 8, 9, 10, 11].map((number) => row(number).contactId)).toEqual(
      ['Eve', 'Fay', 'Pia', 'Mia', 'Ned', 'A1', 'B1', 'C1'].map((name) => ids[name]),
    );
    expect([12, 13, 14, 17, 19].map((number) => row(number).repeatsRow)).toEqual([2, 2, 6, 16, 18]);
    expect(row(20).reasons).toEqual([{ code: 'INVALID_EMAIL', column: 'Email', message: expect.not.stringContaining('nope') }]);
    expect(row(20).values).toContainEqual({ field: 'cell', value: 'nope' });
    expect(row(2).values).toEqual([
      { field: 'firstName', value: 'New' },
      { field: 'lastName', value: 'Person' },
      { field: 'email', value: 'new@club.example' },
    ]);
    expect(await state(world)).toEqual(before);
    expect(await filesOf(`${world.app.config.DATA_DIRECTORY}/copies`)).toEqual([]);
    const one = (outcome: sdk.ImportOutcome) => staff.client.request(sdk.ImportRowsDocument, { id: checked.id, outcome, first: 2 });
    const refused = (await one('REFUSED')).import.rows;
    expect(refused.nodes.map(({ rowNumber }) => rowNumber)).toEqual([20, 21]);
    const next = await staff.client.request(sdk.ImportRowsDocument, { id: checked.id, outcome: 'REFUSED', after: refused.pageInfo.endCursor });
    expect(next.import.rows.nodes.map(({ rowNumber }) => rowNumber)).toEqual([22]);
  });

  it('has the statistics of contacts taken that it finds matches by, also of those that came a moment ago', async () => {
    await using world = await createWorld();
    const staff = await importerAs(world, 'Staff');
    const taken = () => count(world, 'pg_stat_user_tables', "relname in ('contact', 'contact_point') and last_analyze is not null");
    expect(await taken()).toBe(0);
    await staff.check(csv('First name,Email', 'Ann,ann@club.example'));
    expect(await taken()).toBe(2);
  });

  it('shows its first rows while it is at the others, and tells of its progress wherever progress is told', async () => {
    await using world = await createWorld();
    const staff = await importerAs(world, 'Staff');
    const lines = Array.from({ length: 5_000 }, (_, index) => `Member,${index},member${index}@club.example`);
    const { id } = await staff.begin(csv('First name,Last name,Email', ...lines));
    const job = (await (await world.as('Super admin')).request(sdk.ImportJobDocument, { id })).import.job!;
    expect(job).toMatchObject({ kind: 'CHECK_IMPORT', state: 'QUEUED' });
    const seen: { state: string; rows: number; total: number }[] = [];
    const heard: string[] = [];
    const listening = [
      (async () => {
        for await (const { importProgress } of staff.client.subscribe(sdk.ImportProgressDocument, { id })) heard.push(`import ${importProgress.state}`);
      })(),
      (async () => {
        for await (const { jobProgress } of staff.client.subscribe(sdk.JobProgressDocument, { id: job.id }))
          heard.push(`job ${jobProgress.state} ${jobProgress.phase} ${jobProgress.done}`);
      })(),
    ];
    const working = runJobs(world);
    for (let at = 'CHECKING'; at === 'CHECKING';) {
      const rows = await staff.rows(id);
      const total = await count(world, 'import_row');
      at = (await staff.read(id)).state;
      if (rows.length > 0) seen.push({ state: at, rows: rows.length, total });
    }
    await working;
    await Promise.all(listening);
    expect(seen.some(({ state: at, rows, total }) => at === 'CHECKING' && rows === 100 && total < 5_000)).toBe(true);
    const ofImport = heard.filter((one) => one.startsWith('import'));
    expect(ofImport.filter((one) => one === 'import CHECKING').length).toBeGreaterThan(1);
    expect(ofImport.at(-1)).toBe('import CHECKED');
    expect(heard).toContain('job COMPLETED READING 5000');
    expect(shortCounts(await staff.read(id))).toBe('5000 0 0 0');
    const jobs = (await staff.client.request(sdk.JobsDocument, {})).jobs.nodes;
    expect(jobs.map(({ kind, state: at }) => `${kind} ${at}`)).toEqual(['CHECK_IMPORT COMPLETED']);
  });

  it('reads a file in another way when it is told to, and asks about dates that could be read in two', async () => {
    await using world = await createWorld();
    const staff = await importerAs(world, 'Staff');
    const german = Buffer.from('Mitglieder 2026;;;\nVorname;Nachname;E-Mail;Geburtsdatum\nJörg;Müßig;jm@club.example;01.02.1990\n', 'latin1');
    const detected = await staff.check(german);
    expect(detected.reading).toMatchObject({ format: 'CSV', encoding: 'WINDOWS_1252', separator: 'SEMICOLON', headerRow: 2 });
    const value = async (id: string, field: string) => (await staff.rows(id)).map(({ values }) => values.find((one) => one.field === field)?.value);
    expect(await value(detected.id, 'lastName')).toEqual(['Müßig']);
    const other = await staff.change(detected.id, { separator: 'COMMA' });
    expect(other).toMatchObject({ reading: { separator: 'COMMA' } });
    expect(other.columns).not.toEqual(detected.columns);
    const back = await staff.change(detected.id, { separator: null, encoding: 'UTF_16LE' });
    expect([back.state, back.failure?.code ?? back.reading?.encoding]).not.toEqual(['CHECKED', 'WINDOWS_1252']);
    const whole = await staff.change(detected.id, { encoding: null, headerRow: 2 });
    expect(whole).toMatchObject({ state: 'CHECKED', reading: { encoding: 'WINDOWS_1252', headerRow: 2 }, failure: null });
    expect(await value(detected.id, 'birthDate')).toEqual(['1990-02-01']);

    const asked = await staff.check(csv('Name,Email,Birthday', 'Ada,ada@club.example,03/04/1990', 'Bo,bo@club.example,05/06/1991'));
    expect(asked.questions).toEqual([{ kind: 'DATE_ORDER', column: 2, header: 'Birthday', rows: [2, 3], dateOrders: ['DMY', 'MDY'] }]);
    expect(await codeOf(staff.order(asked.id))).toBe('OPEN_QUESTIONS');
    const answered = await staff.change(asked.id, { columns: [{ index: 2, field: 'BIRTH_DATE', dateOrder: 'MDY' }] });
    expect(answered).toMatchObject({ questions: [], columns: [{}, {}, { dateOrder: 'MDY', confidence: 1 }] });
    expect(await value(asked.id, 'birthDate')).toEqual(['1990-03-04', '1991-05-06']);
    await staff.change(asked.id, { columns: [{ index: 2, field: 'BIRTH_DATE' }], dateOrder: 'DMY' });
    expect(await value(asked.id, 'birthDate')).toEqual(['1990-04-03', '1991-06-05']);

    // One row that leaves no doubt settles all, wherever it is.
    const settled = await staff.check(csv('Name,Email,Birthday', 'Ada,ada@club.example,03/04/1990', 'Bo,bo@club.example,25/06/1991'));
    expect([settled.questions, await value(settled.id, 'birthDate')]).toEqual([[], ['1990-04-03', '1991-06-25']]);
  });

  it('keeps the second value for a field that has one as a note', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const staff = await importerAs(world, 'Staff');
    const { id } = await staff.check(csv('Email,Size,Fit', 'ada@club.example,L,XL', 'bob@club.example,M,M'));
    const shirt = { field: 'CUSTOM_FIELD', customFieldKey: 'shirt' } as const;
    await staff.change(id, { columns: [1, 2].map((index) => ({ index, ...shirt })) });
    expect(shortCounts(await staff.read(id))).toBe('2 0 0 0');
    const values = (await staff.rows(id)).map((row) => row.values.filter(({ field }) => field === 'customField' || field === 'note').map(({ value }) => value));
    expect(values).toEqual([['Fit: XL', 'L'], ['M']]);
    expect(await staff.apply(id)).toMatchObject({ state: 'APPLIED', counts: { createdCount: 2 } });
  });

  it('takes what columns are for from whoever knows, and refuses what it can’t take', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const staff = await importerAs(world, 'Staff');
    const unknown = await staff.check(csv('Qqq,Www', 'Ada,L'));
    expect(unknown).toMatchObject({ state: 'FAILED', failure: { code: 'NO_KNOWN_COLUMN' }, columns: [{ field: null }, { field: null }] });
    const chosen = await staff.change(unknown.id, {
      columns: [
        { index: 0, field: 'FIRST_NAME' },
        { index: 1, field: 'CUSTOM_FIELD', customFieldKey: 'shirt' },
      ],
    });
    expect(chosen).toMatchObject({ state: 'CHECKED', failure: null, counts: { createdCount: 1 } });
    expect((await staff.rows(unknown.id))[0]!.values).toEqual([
      { field: 'firstName', value: 'Ada' },
      { field: 'customField', value: 'L' },
    ]);
    const bad: [Omit<sdk.ChangeImportInput, 'id'>, string][] = [
      [{ columns: [{ index: 7, field: 'EMAIL' }] }, 'UNKNOWN_COLUMN'],
      [{ columns: [{ index: -1, field: 'EMAIL' }] }, 'UNKNOWN_COLUMN'],
      [{ columns: [{ index: 0, field: 'CUSTOM_FIELD', customFieldKey: 'nothing' }] }, 'UNKNOWN_CUSTOM_FIELD'],
      [{ columns: [{ index: 0, field: 'CUSTOM_FIELD' }] }, 'UNKNOWN_CUSTOM_FIELD'],
      [{ columns: [{ index: 0, field: 'CUSTOM_FIELD', customFieldKey: 'a\0b' }] }, 'NUL_CHARACTER'],
      [{ columns: [{ index: 0, field: 'PHONE', label: 'a\0b' }] }, 'NUL_CHARACTER'],
      [{ columns: [{ index: 0, field: 'PHONE', label: '\ud800' }] }, 'BROKEN_CHARACTER'],
      [{ columns: [{ index: 0, field: 'PHONE', label: 'x'.repeat(256) }] }, 'VALUE_TOO_LONG'],
      [{ columns: Array.from({ length: 501 }, () => ({ index: 0 })) }, 'TOO_MANY_VALUES'],
      [{ sheet: 'a\0b' }, 'NUL_CHARACTER'],
      [{ sheet: 'x'.repeat(256) }, 'VALUE_TOO_LONG'],
      [{ quote: '§' }, 'BAD_SETTING'],
      [{ headerRow: 0 }, 'BAD_SETTING'],
      [{ headerRow: 1001 }, 'BAD_SETTING'],
      [{ country: 'Germany' }, 'BAD_SETTING'],
      [{ currency: 'XXXX' }, 'BAD_SETTING'],
    ];
    const before = await dump(world);
    for (const [choices, code] of bad) expect([choices, await codeOf(staff.change(unknown.id, choices))]).toEqual([choices, code]);
    const untold = (lines: string[]) => lines.filter((line) => !/^(action_|rate_limit)/.test(line));
    expect(untold(await dump(world))).toEqual(untold(before));
  });

  it('keeps what it was told under a name, for files whose columns stand in another order', async () => {
    await using world = await createWorld();
    const staff = await importerAs(world, 'Staff');
    const first = await staff.check(csv('Qqq,Mail,Www', 'Ada,ada@club.example,Ghent'), { country: 'BE' });
    await staff.change(first.id, {
      columns: [
        { index: 0, field: 'FIRST_NAME' },
        { index: 2, field: 'CITY' },
      ],
    });
    const save = async (importId: string, name: string) =>
      (await staff.client.request(sdk.SaveImportTemplateDocument, { input: { importId, name } })).saveImportTemplate;
    const { template } = await save(first.id, ' Club list ');
    expect(template).toMatchObject({ name: 'Club list' });
    // Of the same name: it is replaced.
    expect((await save(first.id, 'Club list')).template!.id).toBe(template!.id);
    expect((await save(first.id, '')).userErrors).toMatchObject([{ code: 'VALUE_MISSING' }]);
    const early = await staff.begin(csv('Email', 'x@club.example'));
    expect((await save(early.id, 'Too early')).userErrors).toMatchObject([{ code: 'NOT_CHECKED' }]);
    const second = await staff.check(csv('Www,Extra,Qqq,Mail', 'Porto,?,Bo,bo@club.example'), { templateId: template!.id });
    expect(second).toMatchObject({ country: 'BE', columns: [{ field: 'CITY' }, { field: null }, { field: 'FIRST_NAME' }, { field: 'EMAIL' }] });
    expect((await staff.rows(second.id))[0]!.values.map(({ field, value }) => `${field} ${value}`).toSorted()).toEqual([
      'city Porto',
      'email bo@club.example',
      'firstName Bo',
    ]);
    const templates = (await staff.client.request(sdk.ImportTemplatesDocument, {})).importTemplates.nodes;
    expect(templates).toMatchObject([{ id: template!.id, name: 'Club list', createdByName: 'Staff of Riverside Club' }]);
    const { deleteImportTemplate } = await staff.client.request(sdk.DeleteImportTemplateDocument, { input: { id: template!.id } });
    expect(deleteImportTemplate).toMatchObject({ deletedId: template!.id, userErrors: [] });
    expect((await staff.client.request(sdk.ImportTemplatesDocument, {})).importTemplates.nodes).toEqual([]);
    expect(await codeOf(staff.begin(csv('Mail', 'c@club.example'), { templateId: template!.id }))).toBe('NOT_FOUND');
  });
});

/** Rows that the policies differ about, those included that look as if they could be done and can't. */
const contested = csv(
  `${header},City,Notes,Tags,Shirt size,Plan,Member since,Opening balance`,
  'New,Person,new@club.example,,,,,Porto,Came by itself,fresh; vip,L,Gold,2024-01-01,12.50', // 2
  'Eva,Email,eve@club.example,,,,,Porto,Heard of us,vip,M,Gold,2024-01-01,-3.00', // 3: fills and differs
  'Eve,Email,eve@club.example,,+1 415 555 0111,,,Rome,,,,,,', // 4: repeats row 3
  'Pia,Phone,,,+44 20 7946 0958,M-7,,Lyon,,,,,,', // 5: by phone, with the number of another
  'Ned,Named,fay@club.example,,,N-9,1906-12-09,,,,,,,', // 6: Fay, by email
  'Fay,Further,fay.work@club.example,,,,,Bonn,,,,,,', // 7: Fay as well, by her further email
  'Fay,Further,fay@club.example,,,,,,,,,,,', // 8: repeats row 6
  'Ned,Named,,,,,1906-12-09,,,,,,,', // 9: nothing to change
  'Twin,Phone,,,+1 415 555 0120,T-1,,,,,,,,', // 10
  'Twin,Phone,,,+1 415 555 0120,,,,,,,,,', // 11: repeats row 10 by phone
  'Twin,Phone,,,+1 415 555 0120,T-1,,,,,,,,', // 12: and with its number
  'Sam,Same,,,,,1999-09-09,,,,,,,', // 13
  'Sam,Same,eve@club.example,,,,1999-09-09,,,,,,,', // 14: Eve, again
  'Bad,Email,nope,,,,,,,,,,,', // 15
);

describe('a policy for duplicates', () => {
  let frozen: Template & AsyncDisposable;
  let importId: string;
  beforeAll(async () => {
    const world = await createWorld();
    await world.owner.query(`update organization set plan = 'PREMIUM'`);
    await fill(world, 2);
    await world.owner.query(
      `update membership_plan set name = 'Gold' where id = (select id from membership_plan where organization_id = $1 order by name limit 1)`,
      [world.organizationId()],
    );
    const admin = await importerAs(world);
    await make(admin.client, ...live);
    importId = (await admin.check(contested)).id;
    frozen = await world.freeze();
  });
  afterAll(() => frozen[Symbol.asyncDispose]());

  const promises: Record<sdk.DuplicatePolicy, string> = { SKIP: '3 0 10 1', FILL_EMPTY: '3 2 7 2', OVERWRITE: '3 2 7 2', CREATE: '5 0 0 9' };

  for (const [policy, promised] of Object.entries(promises) as [sdk.DuplicatePolicy, string][])
    it(`of ${policy} does exactly what the dry run says, logs each contact once, and all of it can be taken back`, async () => {
      await using world = await createWorld({ template: frozen });
      const admin = await importerAs(world);
      const before = await state(world);
      const checked = await admin.change(importId, { duplicatePolicy: policy });
      const said = await admin.outcomes(importId);
      expect([shortCounts(checked), said]).toEqual([promised, said]);
      const contacts = await count(world, 'contact');
      const told = await logged(world);
      const applied = await admin.apply(importId);
      expect([applied.state, shortCounts(applied), await admin.outcomes(importId)]).toEqual(['APPLIED', promised, said]);
      const [created, updated] = promised.split(' ').map(Number) as [number, number];
      expect(await count(world, 'contact')).toBe(contacts + created);
      const now = await logged(world);
      expect(now).toEqual({
        ...told,
        'contact.imported': `${created} of ${created}`,
        ...(updated > 0 ? { 'contact.updated': `${updated} of ${updated}` } : {}),
      });
      await expectBalancesToBeSums(world);
      await expectLogIntact(world);
      expect(await codeOf(admin.order(importId))).toBe('ALREADY_APPLIED');

      const undone = await admin.undo(importId);
      expect([undone.state, undone.counts]).toMatchObject(['UNDONE', { revertedCount: created + updated, keptCount: 0, goneCount: 0 }]);
      expect(await state(world)).toEqual(before);
      await expectBalancesToBeSums(world);
      await expectLogIntact(world);
      const { undoDeletion } = (await (await world.as('Super admin')).request(sdk.ImportJobDocument, { id: importId })).import;
      expect(undoDeletion).toMatchObject({ state: 'COMPLETED', contactCount: created });
      // What the undo deleted is deleted like anything else: it can come back.
      const { recoveryRequest } = await orderRecovery(world, undoDeletion!.id);
      await pay(world, recoveryRequest!.invoice.id);
      await runJobs(world);
      expect(await count(world, 'contact')).toBe(contacts + created);
    });

  it('refuses the rows that somebody has come in the way of since the dry run, and does the others', async () => {
    await using world = await createWorld({ template: frozen });
    const admin = await importerAs(world, 'Super admin');
    await admin.change(importId, { duplicatePolicy: 'OVERWRITE' });
    const said = await admin.outcomes(importId);
    expect([said[0], said[1]]).toEqual(['2 CREATED', '3 UPDATED by EMAIL']);
    await make(admin.client, { firstName: 'Quick', email: 'NEW@club.example' }, { firstName: 'Quicker', memberNumber: 'T-1' });
    await deleteThem(world, { contactIds: [(await admin.rows(importId))[1]!.contactId!] });
    const applied = await admin.apply(importId);
    expect([applied.state, shortCounts(applied)]).toEqual(['APPLIED', '1 1 7 5']);
    const done = await admin.outcomes(importId);
    const late = ['2 REFUSED EMAIL_TAKEN', '3 REFUSED CONTACT_GONE by EMAIL', '10 REFUSED MEMBER_NUMBER_TAKEN'];
    expect(done.filter((one) => !said.includes(one))).toEqual(late);
    expect((await admin.undo(importId)).counts).toMatchObject({ revertedCount: 2, keptCount: 0 });
    await expectBalancesToBeSums(world);
  });

  it('gives what was imported to whoever it is about: fields, tags, notes, memberships, custom fields, balances', async () => {
    await using world = await createWorld({ template: frozen });
    const admin = await importerAs(world);
    await admin.change(importId, { duplicatePolicy: 'FILL_EMPTY' });
    await admin.apply(importId);
    const rows = await admin.rows(importId);
    const row = (number: number) => rows.find(({ rowNumber }) => rowNumber === number)!;
    expect(rows.flatMap(({ values }) => values.filter(({ field }) => field !== 'cell'))).toEqual([]);
    const about = async (number: number) => {
      const { rows: found } = await world.owner.query<{ told: Record<string, unknown> }>(
        `select jsonb_build_object('name', concat_ws(' ', first_name, last_name), 'city', city, 'version', version,
           'tags', array(select g.name from contact_tag t join tag g on g.id = t.tag_id where t.contact_id = c.id order by 1),
           'notes', array(select body || ' by ' || author_name from note n where n.contact_id = c.id),
           'fields', array(select value from custom_field_value v where v.contact_id = c.id),
           'memberships', array(select starts_on || ' ' || state from membership m where m.contact_id = c.id),
           'ledger', array(select kind || ' ' || amount_minor || ' ' || description from ledger_entry l where l.contact_id = c.id),
           'balances', array(select amount_minor || ' ' || currency from balance b where b.contact_id = c.id)) as told
         from contact c where id = $1`,
        [decodeId('Contact', row(number).contactId!)],
      );
      return found[0]!.told;
    };
    const owned = { fields: ['L'], memberships: ['2024-01-01 ACTIVE'], ledger: ['OPENING 1250 Opening balance'], balances: ['1250 USD'] };
    expect(await about(2)).toEqual({
      ...owned,
      name: 'New Person',
      city: 'Porto',
      version: 1,
      tags: ['fresh', 'vip'],
      notes: ['Came by itself by Admin of Riverside Club'],
    });
    // What Eve had stays: her name and her city.
    expect(await about(3)).toEqual({
      name: 'Eve Email',
      city: 'Ghent',
      version: 1,
      tags: ['vip'],
      notes: ['Heard of us by Admin of Riverside Club'],
      fields: ['M'],
      memberships: ['2024-01-01 ACTIVE'],
      ledger: ['OPENING -300 Opening balance'],
      balances: ['-300 USD'],
    });
    const { rows: details } = await world.owner.query<{ changes: Record<string, unknown> }>(
      'select d.changes from action_detail d join action_log a on a.id = d.action_id where a.target_id = $1',
      [decodeId('Contact', row(3).contactId!)],
    );
    expect(
      Object.keys(details[0]!.changes)
        .map((key) => key.split(':')[0])
        .toSorted(),
    ).toEqual(['customField', 'ledgerEntry', 'membership', 'note', 'tag']);
    // The log itself has no more than salted digests of that.
    const { rows: entries } = await world.owner.query<{ entry: string }>(`select t::text as entry from action_log t where action = 'contact.updated'`);
    expect(entries.length).toBeGreaterThan(0);
    for (const { entry } of entries) expect(entry).not.toMatch(/Heard of us|Ghent|Porto|vip/);
  });
});
