// What becomes of an import: who may do what with it, once and not twice, until when, and how it is taken back.
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { post } from './asking.ts';
import { hire, hireWith, makeKey } from './custom-roles.ts';
import { dump, eraseThem, meetDeadlines } from './erasing.ts';
import { deleteThem, expectBalancesToBeSums, fill, orderRecovery, pay, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { codeOf, count, csv, expectLogIntact, Importer, importerAs, make, shortCounts, upload } from './importing.ts';
import { filesOf } from './stores.ts';

const contactOf = async ({ client }: Importer, id: string) => (await client.request(sdk.ContactDocument, { id })).contact;
const few = csv('First name,Email,City', 'Ada,ada@club.example,Ghent', 'Bo,bo@club.example,Porto');

/** Moves the time until which an import is kept to the past. */
const expire = ({ owner }: World, id: string) =>
  owner.query(`update import set expires_at = clock_timestamp() - interval '1 second' where id = $1`, [decodeId('Import', id)]);

/** What is kept of a file and its rows. */
const kept = async (world: World, id: string) => ({
  rows: await count(world, 'import_row', `import_id = '${decodeId('Import', id)}'`),
  files: await count(world, 'stored_file'),
  onDisk: (await filesOf(`${world.app.config.DATA_DIRECTORY}/files`)).length,
});

describe('the same file', () => {
  it('is applied once with the same columns, by whoever is first, until that is undone', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const [first, second, third] = [await admin.begin(few), await admin.begin(few), await admin.begin(few)];
    await runJobs(world);
    await admin.change(third.id, { columns: [{ index: 2, field: null }] });
    const codes = await Promise.all([
      codeOf(admin.order(first.id)),
      codeOf(admin.order(second.id)),
      codeOf(admin.order(first.id)),
      codeOf(admin.order(second.id)),
    ]);
    const applied = codes[0] === 'APPLYING' || codes[2] === 'APPLYING' ? first : second;
    const other = applied === first ? second : first;
    expect(codes.toSorted()).toEqual(['ALREADY_APPLIED', 'APPLYING', 'SAME_FILE_APPLIED', 'SAME_FILE_APPLIED']);
    await runJobs(world);
    expect(await count(world, 'contact')).toBe(2);
    expect(await codeOf(admin.order(other.id))).toBe('SAME_FILE_APPLIED');
    expect(await codeOf(admin.order(applied.id))).toBe('ALREADY_APPLIED');
    // Read with other columns it is another import, which finds both there.
    await admin.change(third.id, { duplicatePolicy: 'OVERWRITE' });
    expect(await admin.outcomes(third.id)).toEqual(['2 CREATED', '3 CREATED']);
    expect(shortCounts(await admin.apply(third.id))).toBe('0 0 0 2');
    expect(await admin.outcomes(third.id)).toEqual(['2 REFUSED EMAIL_TAKEN', '3 REFUSED EMAIL_TAKEN']);
    await admin.undo(applied.id);
    expect(await count(world, 'contact')).toBe(0);
    expect(await codeOf(admin.orderUndo(applied.id))).toBe('NOT_UNDOABLE');
    expect(await codeOf(admin.order(applied.id))).toBe('NOT_CHECKED');
    expect(shortCounts(await admin.apply(other.id))).toBe('2 0 0 0');
    expect(await count(world, 'contact')).toBe(2);
  });

  it('is imported out of an upload once, and only when that is complete', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const start = async (uploadId: string) => (await admin.client.request(sdk.StartImportDocument, { input: { uploadId } })).startImport.userErrors[0]?.code;
    const whole = await upload(world, admin.client, few);
    const { createUpload } = await admin.client.request(sdk.CreateUploadDocument, { input: { fileName: 'x.csv' } });
    expect(await start(createUpload.upload!.id)).toBe('UPLOAD_NOT_COMPLETE');
    const both = await Promise.all([start(whole), start(whole)]);
    expect(both.toSorted()).toEqual(['UPLOAD_USED', undefined]);
    expect(await count(world, 'import')).toBe(1);
    await runJobs(world);
  });
});

describe('an import that nobody applies', () => {
  it('is called off with its file and all of its rows, at any time before, or a week later', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const canaries = csv('First name,Email,Birthday', 'Alderwren,alderwren@canary.example,not a date', 'Bitterquail,bitterquail@canary.example,1990-01-01');
    const [early, late, old] = [
      await admin.begin(canaries, {}, 'one.csv'),
      await admin.begin(canaries, {}, 'two.csv'),
      await admin.begin(canaries, {}, 'three.csv'),
    ];
    expect(await admin.discard(early.id)).toMatchObject({ state: 'DISCARDED', columns: [] });
    await runJobs(world);
    expect(await kept(world, early.id)).toMatchObject({ rows: 0, files: 2 });
    expect((await dump(world)).join('\n').toLowerCase()).toContain('alderwren@canary');
    expect(await admin.discard(late.id)).toMatchObject({ state: 'DISCARDED' });
    expect(await codeOf(admin.discard(late.id))).toBe('NOT_CHANGEABLE');
    expect(await codeOf(admin.order(late.id))).toBe('NOT_CHECKED');
    expect(await codeOf(admin.change(late.id, { duplicatePolicy: 'CREATE' }))).toBe('NOT_CHANGEABLE');
    await meetDeadlines(world);
    expect((await admin.read(old.id)).state).toBe('CHECKED');
    await expire(world, old.id);
    await meetDeadlines(world);
    expect(await admin.read(old.id)).toMatchObject({ state: 'DISCARDED' });
    expect(await kept(world, old.id)).toEqual({ rows: 0, files: 0, onDisk: 0 });
    const left = (await dump(world)).join('\n').toLowerCase();
    for (const canary of ['alderwren', 'bitterquail']) for (const form of [canary, Buffer.from(canary).toString('hex')]) expect(left).not.toContain(form);
  });
});

describe('an import that was applied', () => {
  it('can be undone for thirty days; then its rows and its file go, and what it did stays known', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id } = await admin.check(few);
    const applied = await admin.apply(id);
    const days = (Date.parse(applied.expiresAt) - Date.parse(applied.appliedAt!)) / 86_400_000;
    expect([Math.round(days), applied.isUndoable]).toEqual([30, true]);
    expect(await codeOf(admin.discard(id))).toBe('NOT_CHANGEABLE');
    expect(await codeOf(admin.change(id, { duplicatePolicy: 'CREATE' }))).toBe('NOT_CHANGEABLE');
    await expire(world, id);
    expect(await codeOf(admin.orderUndo(id))).toBe('UNDO_WINDOW_CLOSED');
    await meetDeadlines(world);
    expect(await admin.read(id)).toMatchObject({ state: 'APPLIED', isUndoable: false, counts: { createdCount: 2 } });
    expect(await admin.rows(id)).toEqual([]);
    expect(await kept(world, id)).toEqual({ rows: 0, files: 0, onDisk: 0 });
    expect(await count(world, 'contact')).toBe(2);
  });

  it('and was stopped goes on where it was, is taken back, or is over when its time is', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world);
    const { id } = await admin.check(few);
    await admin.apply(id);
    // As it is when the job was given up after the first row.
    const stop = () =>
      world.owner.query(
        `with drafts as (
          insert into import_draft (organization_id, import_id, row_number, contact_id, sort_name, search_text)
          select organization_id, import_id, row_number, contact_id, '', '' from import_row where import_id = $1 and row_number = 3
        ) update import set state = 'STOPPED', counts = null where id = $1`,
        [decodeId('Import', id)],
      );
    await stop();
    await expire(world, id);
    expect(await codeOf(admin.order(id))).toBe('NOT_CHECKED');
    await world.owner.query(`update import set expires_at = clock_timestamp() + interval '1 day'`);
    expect(await admin.undo(id)).toMatchObject({ state: 'UNDONE', counts: { revertedCount: 1 } });
    await world.owner.query(`update import set state = 'STOPPED'`);
    expect(await codeOf(admin.order(id))).toBe('NOT_CHECKED');
  });
});

describe('an undo', () => {
  it('keeps every created contact that somebody has touched since, in whatever way, and names those that are gone', async () => {
    await using world = await createWorld();
    await world.owner.query(`update organization set plan = 'PREMIUM'`);
    await fill(world, 1);
    const admin = await importerAs(world, 'Super admin');
    const { client } = admin;
    const ways = ['nothing', 'update', 'note', 'activity', 'membership', 'payment', 'charge', 'tag', 'untag', 'swap', 'deleted', 'recovered', 'erased', 'more'];
    const { id } = await admin.check(csv('First name,Email,Tags,Notes', ...ways.map((way) => `${way},${way}@club.example,given,Hello`)));
    await admin.apply(id);
    const ids = Object.fromEntries((await admin.rows(id)).map(({ contactId }, index) => [ways[index]!, contactId!]));
    const at = (way: string) => ({ contactId: ids[way]! });
    const planId = (await client.request(sdk.MembershipPlansDocument, {})).membershipPlans.nodes[0]!.id;
    await client.request(sdk.UpdateContactDocument, { input: { id: ids['update']!, version: 1, city: 'Porto' } });
    await client.request(sdk.AddNoteDocument, { input: { ...at('note'), body: 'Called' } });
    await client.request(sdk.AddActivityDocument, { input: { ...at('activity'), kind: 'CALL', subject: 'Called' } });
    await client.request(sdk.AddMembershipDocument, { input: { ...at('membership'), planId, startsOn: '2026-01-01' } });
    await client.request(sdk.AddPaymentDocument, { input: { ...at('payment'), amountMinor: 100, method: 'CASH' } });
    await client.request(sdk.AddChargeDocument, { input: { ...at('charge'), amountMinor: 100, description: 'Fee' } });
    const tag = (way: string, tags: string[]) => client.request(sdk.TagContactsDocument, { input: { contactIds: [ids[way]!], tags } });
    const untag = (way: string, tags: string[]) => client.request(sdk.UntagContactsDocument, { input: { contactIds: [ids[way]!], tags } });
    await tag('tag', ['vip']);
    await untag('untag', ['given']);
    await untag('swap', ['given']);
    await tag('swap', ['vip']);
    const { deletion } = await deleteThem(world, { contactIds: [ids['deleted']!] });
    expect(deletion).not.toBeNull();
    const back = await deleteThem(world, { contactIds: [ids['recovered']!] });
    await runJobs(world);
    const { recoveryRequest } = await orderRecovery(world, back.deletion!.id);
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    await eraseThem(world, [decodeId('Contact', ids['erased']!)]);
    await runJobs(world);
    expect(await count(world, 'contact', `first_name = 'recovered'`)).toBe(1);

    const undone = await admin.undo(id);
    const outcomes = Object.fromEntries((await admin.rows(id)).map(({ contactId, undoOutcome }) => [ways.find((way) => ids[way] === contactId)!, undoOutcome]));
    expect(outcomes).toEqual({
      nothing: 'REVERTED',
      update: 'KEPT',
      note: 'KEPT',
      activity: 'KEPT',
      membership: 'KEPT',
      payment: 'KEPT',
      charge: 'KEPT',
      tag: 'KEPT',
      untag: 'KEPT',
      swap: 'KEPT',
      deleted: 'GONE',
      recovered: 'KEPT',
      more: 'REVERTED',
    });
    expect([undone.state, undone.counts]).toMatchObject(['UNDONE', { revertedCount: 2, keptCount: 10, goneCount: 1 }]);
    const only = async (undoOutcome: sdk.ImportUndoOutcome) => (await client.request(sdk.ImportRowsDocument, { id, undoOutcome })).import.rows.nodes.length;
    expect([await only('REVERTED'), await only('KEPT'), await only('GONE')]).toEqual([2, 10, 1]);
    const { rows } = await world.owner.query<{ name: string }>(`select first_name as name from contact where email like '%@club.example'`);
    expect(rows.map(({ name }) => name).toSorted()).toEqual(ways.filter((way) => outcomes[way] === 'KEPT').toSorted());
    // The tag that the import made is still on some of them.
    expect(await count(world, 'tag', `name = 'given'`)).toBe(1);
    await expectBalancesToBeSums(world);
    await expectLogIntact(world);
  });

  it('puts back what was before, field by field, and keeps what was edited since and what another has by now', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const admin = await importerAs(world, 'Super admin');
    const { client } = admin;
    const names = ['Plain', 'Edited', 'Robbed', 'Gone', 'Untagged', 'Paying'];
    const ids = await make(
      client,
      ...names.map((firstName, index) => ({
        firstName,
        memberNumber: `N-${index}`,
        email: `${firstName.toLowerCase()}@old.example`,
        city: 'Ghent',
        company: 'Acme',
      })),
    );
    const file = csv(
      'Member number,Email,City,Company,Tags,Opening balance,Shirt size,Phone',
      ...names.map((name, index) => `N-${index},${name.toLowerCase()}@new.example,Porto,Globex,given,12.50,L,+1 415 555 01${index}0`),
    );
    const { id } = await admin.check(file, { duplicatePolicy: 'OVERWRITE' });
    expect(shortCounts(await admin.apply(id))).toBe('0 6 0 0');
    expect(await contactOf(admin, ids['Plain']!)).toMatchObject({ email: 'plain@new.example', city: 'Porto', company: 'Globex', version: 2 });
    await client.request(sdk.UpdateContactDocument, { input: { id: ids['Edited']!, version: 2, city: 'Rome' } });
    await make(client, { firstName: 'Thief', email: 'ROBBED@old.example' });
    await deleteThem(world, { contactIds: [ids['Gone']!] });
    await client.request(sdk.UntagContactsDocument, { input: { contactIds: [ids['Untagged']!], tags: ['given'] } });
    await client.request(sdk.AddPaymentDocument, { input: { contactId: ids['Paying']!, amountMinor: 300, method: 'CASH' } });
    const undone = await admin.undo(id);
    expect(undone.counts).toMatchObject({ revertedCount: 2, keptCount: 3, goneCount: 1 });
    const told = async (name: string) => {
      const { email, city, company } = await contactOf(admin, ids[name]!);
      return [email, city, company].join(' ');
    };
    expect(await Promise.all(['Plain', 'Edited', 'Robbed', 'Untagged', 'Paying'].map(told))).toEqual([
      'plain@old.example Ghent Acme',
      'edited@old.example Rome Acme',
      'robbed@new.example Ghent Acme',
      'untagged@old.example Ghent Acme',
      'paying@old.example Ghent Acme',
    ]);
    await expectBalancesToBeSums(world);
    const { rows } = await world.owner.query(`select amount_minor::int as amount from balance where contact_id = $1`, [decodeId('Contact', ids['Paying']!)]);
    expect(rows).toEqual([{ amount: 300 }]);
    // The thirty days of the undo itself: what it did is in the log, and no deletion was needed for it.
    const { undoDeletion } = (await client.request(sdk.ImportJobDocument, { id })).import;
    expect(undoDeletion).toBeNull();
    expect(await count(world, 'deletion')).toBe(1);
    await expectLogIntact(world);
  });
});

describe('rows that match a contact which was deleted lately', () => {
  it('are not imported before somebody has seen what a recovery would bring back instead, and its price', async () => {
    await using world = await createWorld();
    await world.owner.query(`update organization set plan = 'PREMIUM'`);
    await fill(world, 3);
    const admin = await importerAs(world, 'Super admin');
    const ids = await make(
      admin.client,
      { firstName: 'Del', lastName: 'Eted', email: 'del@club.example', notes: ['Since 1998'] },
      { firstName: 'Pho', lastName: 'Ned', contactPoints: [{ kind: 'PHONE', value: '+14155550144' }] },
      { firstName: 'Num', lastName: 'Bered', memberNumber: 'D-1' },
      { firstName: 'Bir', lastName: 'Thday', birthDate: '1955-05-05' },
    );
    const { deletion } = await deleteThem(world, { contactIds: Object.values(ids) });
    const { id } = await admin.check(
      csv(
        'First name,Last name,Email,Phone,Member number,Birthday',
        'Del,Eted,Del@club.example,,,',
        'Pho,Ned,,+1 (415) 555-0144,,',
        'Pho,Other,,+1 (415) 555-0144,,',
        'Num,Else,,,D-1,',
        'Bir,Thday,,,,1955-05-05',
        'New,One,new@club.example,,,',
      ),
    );
    expect(await admin.outcomes(id)).toEqual([
      '2 SKIPPED DELETED_CONTACT by EMAIL',
      '3 SKIPPED DELETED_CONTACT by PHONE',
      '4 CREATED',
      '5 SKIPPED DELETED_CONTACT by MEMBER_NUMBER',
      '6 SKIPPED DELETED_CONTACT by NAME_AND_BIRTH_DATE',
      '7 CREATED',
    ]);
    expect((await admin.read(id)).counts).toMatchObject({ createdCount: 2, skippedCount: 4, deletedCount: 4 });
    expect((await admin.rows(id))[0]).toMatchObject({ deletionId: deletion!.id, deletedContactId: ids['Del'], contactId: null });
    expect(await codeOf(admin.order(id))).toBe('DELETED_POLICY_NEEDED');
    const { recoverable } = (await admin.client.request(sdk.ImportRecoverableDocument, { id })).import;
    expect(recoverable).toMatchObject([{ deletionId: deletion!.id, contactCount: 4, plan: { contactCount: 4, fee: { currency: 'USD' } } }]);
    expect(recoverable![0]!.plan!.rows).toContainEqual({ kind: 'Note', count: 1 });
    expect(recoverable![0]!.contactIds.toSorted()).toEqual(Object.values(ids).toSorted());
    // Of those who may import but see neither deletions nor recoveries, the rest is seen.
    const query = `{ import(id: "${id}") { state recoverable { deletionId plan { hash } } } }`;
    const unseen = await post(world, await world.token('Staff'), query);
    expect([unseen.data, unseen.errors]).toMatchObject([
      { import: { state: 'CHECKED', recoverable: null } },
      [{ code: 'FORBIDDEN', path: 'import.recoverable' }],
    ]);
    const half = await hire(world, 'contacts:import', 'deletions:read');
    expect((await post(world, half.token, query)).errors).toMatchObject([{ code: 'FORBIDDEN', path: 'import.recoverable.0.plan' }]);

    const skipping = await admin.change(id, { deletedPolicy: 'SKIP' });
    expect(shortCounts(skipping)).toBe('2 0 4 0');
    const creating = await admin.change(id, { deletedPolicy: 'CREATE' });
    expect(shortCounts(creating)).toBe('6 0 0 0');
    const before = await count(world, 'contact');
    // One of them comes back before it is applied: its email is taken then, and nothing else.
    const selection = { deletionId: deletion!.id, contactIds: [ids['Del']!] };
    const { recoveryPlan } = await admin.client.request(sdk.RecoveryPlanDocument, { input: { selection } });
    const ordered = await admin.client.request(sdk.RequestRecoveryDocument, {
      input: { selection, planHash: recoveryPlan.hash, idempotencyKey: 'one-of-them' },
    });
    await pay(world, ordered.requestRecovery.recoveryRequest!.invoice.id);
    await runJobs(world);
    expect(shortCounts(await admin.apply(id))).toBe('5 0 0 1');
    expect((await admin.outcomes(id))[0]).toBe('2 REFUSED CONTACT_RECOVERED by EMAIL');
    expect(await count(world, 'contact')).toBe(before + 6);

    // Recovered and known by another email since, it is no deleted contact any more.
    const version = (await contactOf(admin, ids['Del']!)).version;
    await admin.client.request(sdk.UpdateContactDocument, { input: { id: ids['Del']!, version, email: 'other@club.example' } });
    const again = await admin.check(csv('First name,Email', 'Del,del@club.example'));
    expect(await admin.outcomes(again.id)).toEqual(['2 CREATED']);
  });
});

describe('an erasure', () => {
  it('takes what imports keep of the person: rows, rows that repeat them, cells of refused rows, and the files', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    const ids = await make(admin.client, { firstName: 'Alderwren', email: 'alderwren@canary.example' }, { firstName: 'Bo', email: 'bo@club.example' });
    const lines = [
      'Alderwren,alderwren@canary.example,,',
      'Alderwrentwo,alderwren@canary.example,+32 9 210 10 10,',
      'Alderwrentwo,,+32 9 210 10 10,',
      'Alderwrenbad,,,not a day for alderwren',
      'Bo,bo@club.example,,',
      'New,new@club.example,,',
    ];
    const file = csv('First name,Email,Phone,Birthday', ...lines);
    const [waiting, applied] = [await admin.check(file), await admin.check(`${file}\n`)];
    await admin.apply(applied.id);
    const purged = csv('First name,Email', 'Cindertrout,cindertrout@canary.example');
    const third = await admin.check(purged);
    await admin.apply(third.id);
    const [row] = await admin.rows(third.id);
    await eraseThem(
      world,
      [ids['Alderwren']!, row!.contactId!].map((one) => decodeId('Contact', one)),
    );
    await runJobs(world);
    expect(await admin.outcomes(waiting.id)).toEqual(['5 REFUSED INVALID_DATE', '6 SKIPPED DUPLICATE by EMAIL', '7 CREATED']);
    expect(shortCounts(await admin.read(waiting.id))).toBe('1 0 1 1');
    expect(await codeOf(admin.change(waiting.id, { country: 'BE' }))).toBe('NOT_CHANGEABLE');
    expect((await admin.change(waiting.id, { deletedPolicy: 'SKIP' })).deletedPolicy).toBe('SKIP');
    const left = (await dump(world)).join('\n').toLowerCase();
    for (const canary of ['alderwren', 'cindertrout']) for (const form of [canary, Buffer.from(canary).toString('hex')]) expect(left).not.toContain(form);
    await meetDeadlines(world);
    expect(await kept(world, third.id)).toMatchObject({ files: 0, onDisk: 0 });
    // Nothing of what was promised of the others has changed.
    const now = await admin.read(waiting.id);
    const done = await codeOf(admin.order(waiting.id));
    await runJobs(world);
    const then = await admin.read(waiting.id);
    expect([done, shortCounts(then)]).toEqual(['APPLYING', shortCounts(now).replace('1 0 1 1', '0 0 1 2')]);
  });
});

describe('who may do what', () => {
  it('fills no field that roles hide, finds nothing by it, and sees nothing of it', async () => {
    await using world = await createWorld();
    const admin = await importerAs(world, 'Super admin');
    await make(admin.client, { firstName: 'Eve', email: 'eve@club.example', birthDate: '1990-01-01' });
    const permissions = ['contacts:read', 'contacts:create', 'contacts:update', 'contacts:import'] as const;
    const blind = await hireWith(world, { permissions, hiddenFields: ['EMAIL_AND_PHONE', 'BIRTH_DATE', 'NOTES'] });
    const theirs = new Importer(world, blind.client);
    const file = csv('First name,Email,Birthday,Notes,Company', 'Eve,eve@club.example,1990-01-01,Secret,Acme');
    const full = await admin.check(file);
    const saved = await admin.client.request(sdk.SaveImportTemplateDocument, { input: { importId: full.id, name: 'All of it' } });
    for (const choices of [{}, { templateId: saved.saveImportTemplate.template!.id }]) {
      const checked = await theirs.check(file, choices);
      expect(checked.columns.map(({ field }) => field)).toEqual(['FIRST_NAME', null, null, null, 'COMPANY']);
      expect(await theirs.outcomes(checked.id)).toEqual(['2 CREATED']);
      expect(await codeOf(theirs.change(checked.id, { columns: [{ index: 1, field: 'EMAIL' }] }))).toBe('HIDDEN_FIELD');
      await theirs.discard(checked.id);
    }
    // Of what somebody else has begun they see what is not hidden, and can't apply what is.
    expect((await theirs.rows(full.id))[0]!.values).toEqual([
      { field: 'firstName', value: 'Eve' },
      { field: 'company', value: 'Acme' },
    ]);
    await admin.change(full.id, { duplicatePolicy: 'CREATE' });
    expect(await codeOf(theirs.order(full.id))).toBe('HIDDEN_FIELD');
  });

  it('takes the permission that doing the same by hand takes', async () => {
    await using world = await createWorld();
    await fill(world, 1);
    const admin = await importerAs(world, 'Super admin');
    await make(admin.client, { firstName: 'Eve', email: 'eve@club.example' });
    const maker = new Importer(world, (await hire(world, 'contacts:import', 'contacts:create')).client);
    const { id } = await maker.check(csv('First name,Email,City,Opening balance', 'Eve,eve@club.example,Ghent,5.00', 'Bo,bo@club.example,Ghent,5.00'));
    expect((await maker.read(id)).columns.map(({ field }) => field)).toEqual(['FIRST_NAME', 'EMAIL', 'CITY', null]);
    for (const duplicatePolicy of ['FILL_EMPTY', 'OVERWRITE'] as const) {
      expect(await codeOf(maker.change(id, { duplicatePolicy }))).toBe('FORBIDDEN');
      await admin.change(id, { duplicatePolicy });
      expect(await codeOf(maker.order(id))).toBe('FORBIDDEN');
    }
    expect(await codeOf(maker.change(id, { columns: [{ index: 3, field: 'OPENING_BALANCE' }] }))).toBe('FORBIDDEN');
    await admin.change(id, { duplicatePolicy: 'SKIP', columns: [{ index: 3, field: 'OPENING_BALANCE' }] });
    expect(await codeOf(maker.order(id))).toBe('FORBIDDEN');
    const reader = new Importer(world, (await hire(world, 'contacts:import')).client);
    expect(await codeOf(reader.order(id))).toBe('FORBIDDEN');
    await admin.change(id, { columns: [{ index: 3, field: null }] });
    expect(shortCounts(await maker.apply(id))).toBe('1 0 1 0');
    expect(await codeOf(maker.orderUndo(id))).toBe('FORBIDDEN');
    // A role that is limited to tags works with no import at all: it is about all contacts.
    const tagId = (await admin.client.request(sdk.TagsDocument, {})).tags.nodes[0]!.id;
    const scoped = await hireWith(world, { permissions: ['contacts:import', 'contacts:create', 'contacts:read'], tagScope: [decodeId('Tag', tagId)] });
    expect(await codeOf(new Importer(world, scoped.client).read(id))).toBe('FORBIDDEN');
    // An integration imports like anybody else, under its own name. People prove who they are before they take one back; making a key took that.
    const { key } = await makeKey(world, ['contacts:import', 'contacts:create', 'contacts:delete']);
    const integration = new Importer(world, world.client(key));
    const own = await integration.check(csv('Email', 'key@club.example'));
    expect(await integration.apply(own.id)).toMatchObject({ state: 'APPLIED', appliedByName: 'Key for a test' });
    await world.owner.query(`update session set proven_at = now() - interval '1 hour'`);
    expect(await codeOf(admin.orderUndo(own.id))).toBe('PROOF_REQUIRED');
    expect((await integration.undo(own.id)).state).toBe('UNDONE');
    // Nobody else's organization has any of it.
    const stranger = new Importer(world, await world.as('Super admin', 'Hilltop Society'));
    const acts = [
      () => stranger.read(id),
      () => stranger.order(id),
      () => stranger.orderUndo(id),
      () => stranger.discard(id),
      () => stranger.change(id, { country: 'DE' }),
    ];
    for (const act of acts) expect(await codeOf(act())).toBe('NOT_FOUND');
  });
});
