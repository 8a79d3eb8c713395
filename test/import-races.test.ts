// What happens between a dry run, its applying and its undo: whatever others do meanwhile, nothing is done twice, nothing is
// written to the wrong contact, and nobody does what they may not.
import { describe, expect, it, vi } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import type { Transaction } from '../src/database.ts';
import { eraseFromImports } from '../src/domain/import-removal.ts';
import { checkImportJob } from '../src/jobs/imports.ts';
import type { Permission } from '../src/permissions/catalogue.ts';
import { decodeId } from '../src/schema/common.ts';
import { type Sql, sql } from '../src/sql.ts';
import { hire, hireWith } from './custom-roles.ts';
import { dump, eraseThem, meetDeadlines } from './erasing.ts';
import { deleteThem, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { codeOf, count, csv, Importer, importerAs, make, phoneOf, shortCounts } from './importing.ts';

/** Works while somebody else has done something and not committed it yet; they do when so many wait for them. */
async function behind(world: World, statements: Sql[] | ((tx: Transaction) => Promise<unknown>), work: () => Promise<unknown>, waiting: number): Promise<void> {
  const { database } = world.app;
  const tx = await database.begin(world.organizationId());
  if (typeof statements === 'function') await statements(tx);
  else for (const statement of statements) await tx.run(statement);
  const working = work();
  const locked = `select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
  await vi.waitFor(async () => expect((await world.owner.query(locked)).rowCount).toBe(waiting), 30_000);
  await database.end(tx, 'COMMIT');
  await working;
}

describe('applying', () => {
  it('leaves a row alone that another worker has just done, whoever has come meanwhile', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const { id } = await admin.check(csv('First name,Last name,Phone', 'Pho,Ned,+1 415 555 0144'));
    await admin.order(id);
    await make(admin.client, { firstName: 'Pho', lastName: 'Ned', contactPoints: phoneOf('+14155550144') });
    // What the other worker does with it.
    const done = sql`
      with mine as (delete from import_draft where organization_id = ${world.organizationId()} returning *)
      insert into contact (organization_id, id, first_name, last_name, sort_name, search_text) select organization_id, contact_id, first_name, last_name, sort_name, search_text from mine`;
    await behind(world, [done], () => runJobs(world), 1);
    expect([await admin.outcomes(id), await count(world, 'contact')]).toEqual([['2 CREATED'], 2]);
    const { rows } = await world.owner.query('select 1 from import_row r join contact c on c.id = r.contact_id');
    expect(rows).toHaveLength(1);
  });

  it('and the erasure of somebody whom its rows are about wait for each other', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const ids = await make(admin.client, { firstName: 'Pho', lastName: 'Ned', contactPoints: phoneOf('+14155550144') });
    await deleteThem(world, { contactIds: Object.values(ids) });
    const { id } = await admin.check(csv('First name,Last name,Phone', 'Pho,Ned,+1 415 555 0144', 'Pho,Ned,+1 415 555 0144', 'New,One,'), {
      deletedPolicy: 'CREATE',
    });
    await admin.order(id);
    await behind(
      world,
      (tx) => eraseFromImports(tx, [decodeId('Contact', ids['Pho']!)]),
      () => runJobs(world),
      1,
    );
    expect([await admin.outcomes(id), await count(world, 'contact'), await count(world, 'import_draft')]).toEqual([['4 CREATED'], 1, 0]);
  });

  it('gives a contact once what two imports have for it at the same time', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const ids = await make(admin.client, { firstName: 'Eve', memberNumber: 'M-1' });
    const eve = decodeId('Contact', ids['Eve']!);
    const lines = ['First name,Member number,Opening balance,Notes', 'Eve,M-1,5.00,hello'];
    const [one, other] = [
      await admin.check(csv(...lines), { duplicatePolicy: 'FILL_EMPTY' }),
      await admin.check(csv(...lines, ''), { duplicatePolicy: 'FILL_EMPTY' }),
    ];
    await admin.order(one.id);
    await admin.order(other.id);
    const held = sql`select 1 from contact where organization_id = ${world.organizationId()} and id = ${eve} for update`;
    await behind(world, [held], () => Promise.all([runJobs(world), runJobs(world)]), 2);
    await runJobs(world);
    expect([shortCounts(await admin.read(one.id)), shortCounts(await admin.read(other.id))].toSorted()).toEqual(['0 0 1 0', '0 1 0 0']);
    expect(await count(world, 'ledger_entry', `kind = 'OPENING'`)).toBe(1);
    expect(await count(world, 'note')).toBe(1);
    expect((await world.owner.query('select amount_minor::int as amount from balance')).rows).toEqual([{ amount: 500 }]);
  });

  it('creates nobody again who was recovered since the dry run', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const ids = await make(
      admin.client,
      { firstName: 'Pho', lastName: 'Ned', contactPoints: phoneOf('+14155550144') },
      { firstName: 'Bir', lastName: 'Thday', birthDate: '1955-05-05' },
    );
    const { deletion } = await deleteThem(world, { contactIds: Object.values(ids) });
    await runJobs(world);
    const lines = ['First name,Last name,Phone,Birthday', 'Pho,Ned,+1 415 555 0144,', 'Bir,Thday,,1955-05-05', 'New,One,,'];
    const { id } = await admin.check(csv(...lines), { deletedPolicy: 'CREATE' });
    expect(await admin.outcomes(id)).toEqual(['2 CREATED by PHONE', '3 CREATED by NAME_AND_BIRTH_DATE', '4 CREATED']);
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    expect(shortCounts(await admin.apply(id))).toBe('1 0 0 2');
    expect(await admin.outcomes(id)).toEqual(['2 REFUSED CONTACT_RECOVERED by PHONE', '3 REFUSED CONTACT_RECOVERED by NAME_AND_BIRTH_DATE', '4 CREATED']);
    expect(await count(world, 'contact')).toBe(3);
  });

  it('creates nobody again whom another import has created since the dry run, by whatever they are known', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const lines = [
      'First name,Last name,Email,Email 2,Phone,Birthday',
      'Zoe,Zed,,,+1 415 555 0199,',
      'Bir,Thday,,,,1955-05-05',
      'Two,Mails,one@club.example,two@club.example,,',
      ',,,,+1 415 555 0177,',
    ];
    const first = await admin.check(csv(...lines));
    const corrected = await admin.check(csv(...lines.slice(0, -1), 'Yan,Yps,,,+1 415 555 0198,'));
    await admin.apply(corrected.id);
    // As if somebody had taken the other address for theirs.
    await world.owner.query(`update contact set email = null, email_normalized = null where first_name = 'Two'`);
    await admin.apply(first.id);
    expect(await admin.outcomes(first.id)).toEqual([
      '2 REFUSED MATCHED_SINCE',
      '3 REFUSED MATCHED_SINCE',
      '4 REFUSED MATCHED_SINCE',
      '5 REFUSED NO_NAME_OR_EMAIL',
    ]);
    expect(await count(world, 'contact')).toBe(4);
    // Whoever wants them twice gets them twice.
    const again = await admin.check(csv(...lines.slice(0, 2), 'Y,Z,,,,'), { duplicatePolicy: 'CREATE' });
    expect(shortCounts(await admin.apply(again.id))).toBe('2 0 0 0');
  });

  it('writes nothing to a contact that is not any more what the row was matched by', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const ids = await make(
      admin.client,
      { firstName: 'Xav', email: 'info@club.example' },
      { firstName: 'Mem', memberNumber: 'M-1' },
      { firstName: 'Pho', lastName: 'Ned', contactPoints: phoneOf('+14155550144') },
      { firstName: 'Bir', lastName: 'Thday', birthDate: '1955-05-05' },
      { firstName: 'Sam', email: 'sam@club.example' },
    );
    const lines = [
      'First name,Last name,Email,Member number,Phone,Birthday,City',
      'Yara,,info@club.example,,,,Rome',
      'Mem,,,M-1,,,Rome',
      'Pho,Ned,,,(415) 555-0144,,Rome',
      'Bir,Thday,,,,1955-05-05,Rome',
      'Sam,,SAM@club.example,,,,Rome',
    ];
    const { id } = await admin.check(csv(...lines), { duplicatePolicy: 'FILL_EMPTY', country: 'US' });
    expect(shortCounts(await admin.read(id))).toBe('0 5 0 0');
    const change = (name: string, fields: object) => admin.client.request(sdk.UpdateContactDocument, { input: { id: ids[name]!, version: 1, ...fields } });
    await change('Xav', { email: 'xav@club.example' });
    await change('Mem', { memberNumber: 'M-2' });
    await change('Bir', { birthDate: '1956-05-05' });
    await admin.apply(id);
    expect(await admin.outcomes(id)).toEqual([
      '2 REFUSED CONTACT_CHANGED by EMAIL',
      '3 REFUSED CONTACT_CHANGED by MEMBER_NUMBER',
      '4 UPDATED by PHONE',
      '5 REFUSED CONTACT_CHANGED by NAME_AND_BIRTH_DATE',
      '6 UPDATED by EMAIL',
    ]);
    const { rows } = await world.owner.query(`select first_name as name from contact where city = 'Rome' order by 1`);
    expect(rows).toEqual([{ name: 'Pho' }, { name: 'Sam' }]);
  });

  it('leaves a deleted contact deleted in every row of it, when that is what was chosen', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const ids = await make(admin.client, { firstName: 'Pho', lastName: 'Ned', contactPoints: phoneOf('+14155550144') });
    await deleteThem(world, { contactIds: Object.values(ids) });
    await runJobs(world);
    const lines = ['First name,Last name,Phone', 'Pho,Ned,+1 415 555 0144', 'Pho,Ned,+1 415 555 0144', 'New,Other,'];
    const { id, counts } = await admin.check(csv(...lines), { deletedPolicy: 'SKIP', duplicatePolicy: 'CREATE' });
    expect(counts.deletedCount).toBe(2);
    expect(await admin.outcomes(id)).toEqual(['2 SKIPPED DELETED_CONTACT by PHONE', '3 SKIPPED REPEATED_ROW by PHONE', '4 CREATED']);
    expect(shortCounts(await admin.apply(id))).toBe('1 0 2 0');
  });
});

describe('an undo', () => {
  it('keeps a created contact that somebody is just adding something to', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id } = await admin.check(csv('First name,Email', 'Ada,ada@club.example'));
    await admin.apply(id);
    const contact = decodeId('Contact', (await admin.rows(id))[0]!.contactId!);
    await admin.orderUndo(id);
    const org = world.organizationId();
    const adding = [
      sql`select 1 from contact where organization_id = ${org} and id = ${contact} for key share`,
      sql`insert into note (organization_id, id, contact_id, author_name, body) values (${org}, gen_random_uuid(), ${contact}, 'Staff', 'Called them')`,
    ];
    await behind(world, adding, () => runJobs(world), 1);
    expect((await admin.read(id)).counts).toMatchObject({ keptCount: 1, revertedCount: 0 });
    expect([await count(world, 'contact'), await count(world, 'note')]).toEqual([1, 1]);
  });

  it('takes what changing those contacts took', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    await make(admin.client, { firstName: 'Eve', memberNumber: 'M-1', city: 'Ghent', email: 'old@club.example' });
    const lines = ['First name,Member number,Email,City', 'Eve,M-1,new@club.example,Porto', 'New,M-2,n@club.example,Porto'];
    const { id } = await admin.check(csv(...lines), { duplicatePolicy: 'OVERWRITE' });
    await admin.apply(id);
    const permissions: Permission[] = ['contacts:import', 'contacts:delete', 'contacts:read'];
    const undoer = async (role: Parameters<typeof hireWith>[1]) => new Importer(world, (await hireWith(world, role)).client);
    expect(await codeOf((await undoer({ permissions })).orderUndo(id))).toBe('FORBIDDEN');
    const blind = await undoer({ permissions: [...permissions, 'contacts:update'], hiddenFields: ['ADDRESS'] });
    expect(await codeOf(blind.orderUndo(id))).toBe('HIDDEN_FIELD');
    expect((await world.owner.query(`select email, city from contact where member_number = 'M-1'`)).rows).toEqual([
      { email: 'new@club.example', city: 'Porto' },
    ]);
    expect(await codeOf((await undoer({ permissions: [...permissions, 'contacts:update'] })).orderUndo(id))).toBe('UNDOING');
  });
});

describe('a dry run', () => {
  it('that is overtaken by another says nothing of that one', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id } = await admin.begin(csv('zzz', ...Array.from({ length: 20 }, (_, index) => String(index)), 'First name', 'Ada'));
    const uuid = decodeId('Import', id);
    const { rows } = await world.owner.query<{ job: string }>('select job_id as job from import where id = $1', [uuid]);
    let told = false;
    await checkImportJob.run(
      world.app,
      {
        organizationId: world.organizationId(),
        jobId: rows[0]!.job,
        subjectId: uuid,
        actor: { id: null, name: 'x', kind: 'SYSTEM', requestId: 'x', address: null, agent: null },
      },
      async () => {
        if (told) return;
        told = true;
        await admin.client.request(sdk.ChangeImportDocument, { input: { id, headerRow: 22 } });
      },
      new AbortController().signal,
    );
    expect(await admin.read(id)).toMatchObject({ state: 'CHECKING', failure: null });
    await runJobs(world);
    expect(await admin.read(id)).toMatchObject({ state: 'CHECKED', rowCount: 1 });
  });

  it('shows amounts to those who may read payments, and imports no notes for those who see none', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const money = await admin.check(csv('First name,Member number,Opening balance', 'Eve,M-1,-123.45'));
    const fields = async (importer: Importer) => (await importer.rows(money.id))[0]!.values.map(({ field }) => field);
    expect(await fields(admin)).toEqual(['memberNumber', 'firstName', 'openingBalance']);
    expect(await fields(new Importer(world, (await hire(world, 'contacts:import')).client))).toEqual(['memberNumber', 'firstName']);
    const blind = new Importer(
      world,
      (await hireWith(world, { permissions: ['contacts:read', 'contacts:create', 'contacts:import'], hiddenFields: ['NOTES'] })).client,
    );
    const second = await blind.check(csv('First name,Last name,Company,Company 2', 'Nob,Ody,Acme,Globex'));
    expect(await codeOf(blind.order(second.id))).toBe('HIDDEN_FIELD');
    const third = await blind.check(csv('First name,Last name,Company,Company 2', 'Nob,Ody,Acme,'));
    expect(shortCounts(await blind.apply(third.id))).toBe('1 0 0 0');
    expect(await count(world, 'note')).toBe(0);
  });
});

describe('afterwards', () => {
  it('an erasure takes the rows of the person out of an import that was stopped before them', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const ids = await make(admin.client, { firstName: 'Alderwren', email: 'alderwren@canary.example' });
    const lines = ['Alderwren,alderwren@canary.example,', 'Alderwrentwo,alderwren@canary.example,+32 9 210 10 11', 'Bo,bo@club.example,'];
    const { id } = await admin.check(csv('First name,Email,Phone', ...lines));
    await admin.order(id);
    await world.owner.query(`update import set state = 'STOPPED', counts = null`);
    await world.owner.query(`update job set state = 'FAILED' where kind = 'APPLY_IMPORT'`);
    await eraseThem(world, [decodeId('Contact', ids['Alderwren']!)]);
    await runJobs(world);
    expect(await admin.outcomes(id)).toEqual(['4 CREATED']);
    expect((await dump(world)).join('\n').toLowerCase()).not.toContain('alderwren');
  });

  it('a file can be imported again when the time to undo its import is over', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const few = csv('First name,Email', 'Ada,ada@club.example');
    const first = await admin.check(few);
    await admin.apply(first.id);
    await world.owner.query(`update import set expires_at = clock_timestamp() - interval '1 second'`);
    await meetDeadlines(world);
    await eraseThem(
      world,
      (await world.owner.query<{ id: string }>('select id from contact')).rows.map(({ id }) => id),
    );
    await runJobs(world);
    const second = await admin.check(few);
    expect(shortCounts(await admin.apply(second.id))).toBe('1 0 0 0');
  });

  it('there is no file of an import that could not be read', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    for (const content of ['zzz\n1\n', Buffer.from('PK\x03\x04 not a workbook')]) {
      const { id, state } = await admin.check(content);
      expect(state).toBe('FAILED');
      for (const file of ['REFUSED_ROWS', 'REPORT'] as const) {
        const { createImportFileLink } = await admin.client.request(sdk.CreateImportFileLinkDocument, { input: { id, file } });
        expect(createImportFileLink).toMatchObject({ path: null, userErrors: [{ code: 'NOT_CHECKED' }] });
      }
    }
  });
});
