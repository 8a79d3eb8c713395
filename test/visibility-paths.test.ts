// Every way that the schema knows to any field, walked by someone whose role hides all that roles can hide: through nested
// fields, through the interface, inside of fragments. What is hidden is in the database as words and numbers that nothing else
// has, and none of them is in any answer.
import { getNamedType, isObjectType } from 'graphql';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { staffPermissions } from '../src/permissions/catalogue.ts';
import { allFieldGroups, groupOfField, groupsOfRow } from '../src/permissions/field-groups.ts';
import { visibility } from '../src/permissions/index.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { type Answer, post } from './asking.ts';
import { hireWith } from './custom-roles.ts';
import { createFullWorld } from './full-world.ts';
import { eachOf, forms, mark, markLater, questions, schema, tellable, toldIn, ways } from './ways.ts';

describe('what roles hide', () => {
  it('is told by no way that leads anywhere, and all of it is told to others on the same ways', async () => {
    await using full = await createFullWorld(mark);
    const { world, mine } = full;
    await markLater(world, world.organizationId());
    const seeing = await world.token('Super admin');
    const blind = await hireWith(world, { permissions: staffPermissions, hiddenFields: allFieldGroups });
    const asked = await questions(world, mine);
    const [plain, ...others] = forms.map(asked);
    expect(plain!.length).toBeGreaterThan(1000);
    const told = new Set<string>();
    const left = new Set<string>();
    await eachOf(plain!, async (query, index) => {
      const control = await post(world, seeing, query);
      expect([query, control.errors]).toEqual([query, []]);
      for (const one of toldIn(control)) told.add(one);
      const answers: Answer[] = [];
      for (const form of [query, ...others.map((queries) => queries[index]!)]) {
        const answer = await post(world, blind.token, form);
        expect([form, answer.errors, toldIn(answer)]).toEqual([form, [], []]);
        for (const { path } of answer.hidden) left.add(path.at(-1)!);
        answers.push(answer);
      }
      const data = (answer: Answer) => JSON.stringify(answer.data).replaceAll(/"(confirmation|hash|estimatedSeconds|\w+At|\w+Until)":("[^"]*"|\d+)/g, '');
      expect([query, answers.map(data)]).toEqual([query, answers.map(() => data(answers[0]!))]);
    });
    expect([...told].toSorted()).toEqual(tellable.toSorted());
    const guarded = Object.values({ ...visibility.hides, extra: visibility.leavesOut['Contact']!, more: visibility.leavesOut['ComparedContact']! });
    expect([...left].toSorted()).toEqual([...new Set(['rows', ...guarded.flatMap((fields) => Object.keys(fields))])].toSorted());
  }, 300_000);

  it('is told by no mutation, and by no subscription', async () => {
    await using full = await createFullWorld(mark);
    const { world, mine } = full;
    await markLater(world, world.organizationId());
    const blind = await hireWith(world, { permissions: staffPermissions, hiddenFields: allFieldGroups });
    const contact = `name email street city postalCode country birthDate contactPoints { value } customFields { value } notes(first: 2) { nodes { body } }
      activities(first: 2) { nodes { subject } } payments(first: 2) { nodes { reference amount { amountMinor } } } ledgerEntries(first: 2) { nodes { description amount { amountMinor } } }
      balances { amountMinor } balance { amountMinor }`;
    const conflicts = `conflicts(first: 3) { nodes { live { ${contact} } recovered { email street city postalCode country } } }`;
    const plan = `rows { kind count } balances { amountMinor } ${conflicts}`;
    const request = `${conflicts} deletion { rows { kind } balances { amountMinor } }`;
    const answers: string[] = [];
    const run = async (mutation: string) => {
      const answer = await post(world, blind.token, `mutation { ${mutation} }`);
      expect([mutation, answer.errors, toldIn(answer)]).toEqual([mutation, [], []]);
      answers.push(...Object.entries(answer.data!).flatMap(([name, one]) => (/"userErrors":\[\]/.test(JSON.stringify(one)) ? [name] : [])));
      return answer;
    };
    const id = mine.Contact;
    await run(`createContact(input: { firstName: "New" }) { contact { ${contact} } userErrors { code } }`);
    await run(
      `updateContact(input: { id: "${id}", version: ${(await blind.client.request(sdk.ContactDocument, { id })).contact.version}, jobTitle: "Clerk" }) { contact { ${contact} } userErrors { code } }`,
    );
    await run(`tagContacts(input: { contactIds: ["${id}"], tags: ["new"] }) { contacts { ${contact} } userErrors { code } }`);
    await run(`untagContacts(input: { contactIds: ["${id}"], tags: ["new"] }) { contacts { ${contact} } userErrors { code } }`);
    await run(`takeSnapshot(input: {}) { snapshot { rows { kind } } userErrors { code } }`);
    const selection = `selection: { snapshotId: "${mine.Snapshot}" }`;
    await run(
      `requestRecovery(input: { ${selection}, planHash: "bm90aGluZw", idempotencyKey: "hidden-fields" }) { plan { ${plan} } userErrors { code message } }`,
    );
    const { recoveryPlan } = await blind.client.request(sdk.RecoveryPlanDocument, { input: { selection: { snapshotId: mine.Snapshot } } });
    const drifted = Buffer.from(JSON.stringify([1, 1, 1, 1, 1, 'x'])).toString('base64url');
    const order = (hash: string) =>
      `requestRecovery(input: { ${selection}, planHash: "${hash}", idempotencyKey: "hidden-fields" }) { recoveryRequest { id ${request} } plan { ${plan} } userErrors { code message } }`;
    await run(order(drifted));
    await run(order(recoveryPlan.hash));
    const { contactDeletionPreview } = await blind.client.request(sdk.ContactDeletionPreviewDocument, { input: { contactIds: [id] } });
    await run(
      `deleteContacts(input: { contactIds: ["${id}"], confirmation: "${contactDeletionPreview.confirmation}", reason: "Test" }) { deletion { rows { kind count } balances { amountMinor } } userErrors { code } }`,
    );
    const { contactErasurePreview } = await blind.client.request(sdk.ContactErasurePreviewDocument, { input: { contactIds: [id] } });
    await run(
      `eraseContacts(input: { contactIds: ["${id}"], legalGround: OBJECTION, confirmation: "${contactErasurePreview.confirmation}", reason: "Test" }) { erasure { rows { kind } certificate { document } } userErrors { code } }`,
    );
    const { rows } = await world.owner.query<{ id: string }>(
      `select id from recovery_request where organization_id = $1 and state = 'AWAITING_PAYMENT' order by id limit 1`,
      [world.organizationId()],
    );
    const recovery = encodeId('RecoveryRequest', rows[0]!.id);
    const events = blind.client.subscribe(sdk.RecoveryProgressDocument, { id: recovery });
    expect((await events.next()).value).toMatchObject({ recoveryProgress: { state: 'AWAITING_PAYMENT' } });
    await events.return?.(undefined);
    await run(`cancelRecovery(input: { id: "${recovery}" }) { recoveryRequest { ${request} } userErrors { code } }`);
    await run(`undoRecovery(input: { id: "${recovery}" }) { recoveryRequest { ${request} } userErrors { code } }`);
    const imported = `import { rows(first: 9) { nodes { values { value } reasons { message } } } recoverable { plan { rows { kind count } } }
      undoDeletion { rows { kind count } balances { amountMinor } } } userErrors { code message }`;
    await run(`startImport(input: { uploadId: "${mine.completeUpload}", templateId: "${mine.ImportTemplate}" }) { ${imported} }`);
    await run(`changeImport(input: { id: "${mine.Import}", deletedPolicy: CREATE }) { ${imported} }`);
    await run(`discardImport(input: { id: "${mine.unwantedImport}" }) { ${imported} }`);
    await run(`undoImport(input: { id: "${mine.appliedImport}" }) { ${imported} }`);
    // Refused, for what they would show is hidden.
    await run(`applyImport(input: { id: "${mine.Import}" }) { ${imported} }`);
    await run(`addNote(input: { contactId: "${id}", body: "x" }) { note { body } userErrors { code message } }`);
    await run(`addActivity(input: { contactId: "${id}", kind: CALL, subject: "x" }) { activity { subject } userErrors { code message } }`);
    await run(`addPayment(input: { contactId: "${id}", amountMinor: 1, method: CASH }) { payment { reference } userErrors { code message } }`);
    await run(`addCharge(input: { contactId: "${id}", amountMinor: 1, description: "x" }) { ledgerEntry { description } userErrors { code message } }`);
    expect(answers.toSorted()).toEqual(
      [
        'cancelRecovery',
        'changeImport',
        'createContact',
        'deleteContacts',
        'discardImport',
        'eraseContacts',
        'requestRecovery',
        'startImport',
        'tagContacts',
        'takeSnapshot',
        'undoImport',
        'untagContacts',
        'updateContact',
      ].toSorted(),
    );
    // Every payload with something that could be hidden was asked for.
    const asked = ['requestRecovery', 'undoRecovery', 'applyImport', 'addNote', 'addActivity', 'addPayment', 'addCharge', ...answers];
    const types = new Set([
      ...Object.keys(visibility.hides),
      'RowCount',
      'ComparedContact',
      'Note',
      'Activity',
      'Payment',
      'LedgerEntry',
      'ContactPoint',
      'CustomField',
    ]);
    const telling = [...ways(schema.getMutationType()!)].filter((way) => types.has(way.at(-1)!.to.name)).map(([first]) => first!.field.name);
    expect([...new Set(telling)].filter((name) => !asked.includes(name)).toSorted()).toEqual(
      ['approveRecovery', 'confirmPayment'].filter((name) => telling.includes(name)),
    );
  });
});

describe('a group', () => {
  it('covers every field that tells of it, whatever type it is of', () => {
    const telling = new Set(['ContactPoint', 'CustomField', 'NoteConnection', 'ActivityConnection', 'PaymentConnection', 'LedgerEntryConnection']);
    const fields = Object.values(schema.getTypeMap())
      .filter(isObjectType)
      .flatMap((type) => Object.values(type.getFields()).map((field) => [type.name, field] as const))
      .filter(([, { name, type }]) => Object.hasOwn(groupOfField, name) || telling.has(getNamedType(type).name) || /balance/i.test(name))
      .filter(([type, { name }]) => !visibility.hides[type]?.[name] && !visibility.leavesOut[type]?.[name]);
    // Of people who work for the organization, and what phone numbers of a file are read by.
    expect(fields.map(([type, { name }]) => `${type}.${name}`)).toEqual(['Import.country', 'Invitation.email', 'StaffMember.email', 'Viewer.email']);
  });

  it('is known for every kind of row that contacts own, and what nobody put in one is in all', async () => {
    await using full = await createFullWorld();
    const kinds = contactGraph(full.world.app.database.orm).tables.map(({ kind }) => kind);
    // What was before a change can be of any.
    expect(kinds.filter((kind) => groupsOfRow(kind) === allFieldGroups)).toEqual(['ActionDetail']);
    expect(groupsOfRow('Secret')).toBe(allFieldGroups);
    expect(groupsOfRow('constructor')).toBe(allFieldGroups);
  });
});
