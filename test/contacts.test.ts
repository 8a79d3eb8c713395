// Contacts through the API: creating, finding, changing, and what they own.
import { expect, test } from 'vitest';
import type { Client, ReinstateError } from '../sdk/client.ts';
import {
  AddActivityDocument,
  AddChargeDocument,
  AddMembershipDocument,
  AddNoteDocument,
  AddPaymentDocument,
  ContactDocument,
  type ContactInput,
  ContactsDocument,
  ContactsWithHistoryDocument,
  CreateContactDocument,
  CreateContactsDocument,
  CustomFieldDefinitionsDocument,
  MembershipPlansDocument,
  TagContactsDocument,
  TagsDocument,
  UntagContactsDocument,
  UpdateContactDocument,
  WholeContactDocument,
} from '../sdk/generated.ts';
import { decodeId, encodeId } from '../src/schema/common.ts';
import { contactId, fill } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const failure = (promise: Promise<unknown>): Promise<ReinstateError> =>
  promise.then(
    () => Promise.reject(new Error('It succeeded.')),
    (error: ReinstateError) => error,
  );

const nobody = encodeId('Contact', '01890000-0000-7000-8000-000000000000');

async function create(client: Client, input: ContactInput) {
  const { createContact } = await client.request(CreateContactDocument, { input });
  if (!createContact.contact) throw new Error(JSON.stringify(createContact.userErrors));
  return createContact.contact;
}

async function refusals(client: Client, contacts: ContactInput[]): Promise<(string | null)[]> {
  const { createContacts } = await client.request(CreateContactsDocument, { input: { contacts } });
  return createContacts.results.map(({ userErrors }) => userErrors[0]?.code ?? null);
}

/** A membership plan and a custom field of each kind. @returns the plan's id */
async function settle(world: World): Promise<string> {
  const plan = '01890000-0000-7000-8000-000000000001';
  await world.owner.query(
    `insert into membership_plan (organization_id, id, name, price_minor, currency, interval) values ($1, $2, 'Adult', 12000, 'USD', 'YEAR')`,
    [world.organizationId(), plan],
  );
  await world.owner.query(
    `insert into custom_field_definition (organization_id, id, key, label, kind)
     select $1, gen_random_uuid(), lower(kind), kind, kind from unnest(array['TEXT', 'NUMBER', 'DATE', 'BOOLEAN']) kind`,
    [world.organizationId()],
  );
  return encodeId('MembershipPlan', plan);
}

async function logged(world: World): Promise<unknown[]> {
  const { rows } = await world.owner.query(
    `select action, outcome, code, actor_name, target_kind, target_id from action_log where action not like 'staff.%' order by id`,
  );
  return rows;
}

test('a contact is created with all it owns from the start, read back the same, and logged', async () => {
  await using world = await createWorld();
  const planId = await settle(world);
  const staff = await world.as('Staff');
  const created = await create(staff, {
    memberNumber: 'A-1',
    firstName: ' Zoe\u0308 ',
    lastName: 'Ågren',
    email: 'Zoe@Example.ORG',
    company: 'Ågren AB',
    birthDate: '1984-05-09',
    contactPoints: [
      { kind: 'PHONE', label: 'Mobile', value: '+46 1' },
      { kind: 'WEBSITE', value: 'https://zoe.example' },
    ],
    tags: ['board', 'newsletter', 'board'],
    customFields: [{ key: 'number', value: '-1.5' }],
    notes: ['First', 'Second'],
    memberships: [
      { planId, startsOn: '2020-01-01', endsOn: '2020-12-31' },
      { planName: 'Adult', startsOn: '2021-01-01' },
    ],
  });
  expect(created).toMatchObject({
    firstName: 'Zoë',
    name: 'Zoë Ågren',
    email: 'Zoe@Example.ORG',
    birthDate: '1984-05-09',
    version: 1,
    city: null,
  });
  const { contact } = await (await world.as('Super admin')).request(WholeContactDocument, { id: created.id });
  expect(contact).toMatchObject({
    ...created,
    contactPoints: [
      { kind: 'PHONE', label: 'Mobile', value: '+46 1' },
      { kind: 'WEBSITE', label: null, value: 'https://zoe.example' },
    ],
    tags: [{ name: 'board' }, { name: 'newsletter' }],
    customFields: [{ definition: { key: 'number', kind: 'NUMBER' }, value: '-1.5' }],
    notes: { nodes: [{ body: 'Second', authorName: 'Staff of Riverside Club' }, { body: 'First' }] },
    memberships: {
      nodes: [
        { plan: { name: 'Adult' }, state: 'ACTIVE', endsOn: null },
        { state: 'EXPIRED', startsOn: '2020-01-01' },
      ],
    },
    payments: { nodes: [] },
    balances: [],
    balance: { amountMinor: 0, currency: 'USD' },
  });
  expect(await logged(world)).toEqual([
    {
      action: 'contact.created',
      outcome: 'DONE',
      code: null,
      actor_name: 'Staff of Riverside Club',
      target_kind: 'Contact',
      target_id: decodeId('Contact', created.id),
    },
  ]);
});

test('what cannot be kept is refused with a stable code and the path to it', async () => {
  await using world = await createWorld();
  const planId = await settle(world);
  const staff = await world.as('Staff');
  const named = { firstName: 'Ann' };
  const refused: [ContactInput, code: string, path: string][] = [
    [{}, 'NO_NAME_OR_EMAIL', 'input'],
    [{ firstName: ' \n ', jobTitle: 'Rower' }, 'NO_NAME_OR_EMAIL', 'input'],
    [{ firstName: 'A\0' }, 'NUL_CHARACTER', 'input.firstName'],
    [{ firstName: 'A\ud800' }, 'BROKEN_CHARACTER', 'input.firstName'],
    [{ lastName: 'x'.repeat(256) }, 'VALUE_TOO_LONG', 'input.lastName'],
    [{ email: 'ann@localhost' }, 'INVALID_EMAIL', 'input.email'],
    [{ ...named, birthDate: '0000-01-01' }, 'INVALID_DATE', 'input.birthDate'],
    [{ ...named, notes: ['ok', ''] }, 'VALUE_MISSING', 'input.notes.1'],
    [{ ...named, notes: ['x'.repeat(20_001)] }, 'VALUE_TOO_LONG', 'input.notes.0'],
    [{ ...named, notes: Array.from({ length: 51 }, () => 'x') }, 'TOO_MANY_VALUES', 'input.notes'],
    [{ ...named, tags: ['x'.repeat(101)] }, 'VALUE_TOO_LONG', 'input.tags.0'],
    [{ ...named, contactPoints: [{ kind: 'PHONE', value: ' ' }] }, 'VALUE_MISSING', 'input.contactPoints.0.value'],
    [{ ...named, memberships: [{ planName: 'Nobody’s', startsOn: '2024-01-01' }] }, 'UNKNOWN_PLAN', 'input.memberships.0.planName'],
    [
      { ...named, memberships: [{ planId: encodeId('MembershipPlan', world.organizationId()), startsOn: '2024-01-01' }] },
      'UNKNOWN_PLAN',
      'input.memberships.0.planId',
    ],
    [{ ...named, memberships: [{ planId, startsOn: '2024-01-02', endsOn: '2024-01-01' }] }, 'MEMBERSHIP_ENDS_BEFORE_START', 'input.memberships.0.endsOn'],
    [{ ...named, customFields: [{ key: 'shoe size', value: '38' }] }, 'UNKNOWN_CUSTOM_FIELD', 'input.customFields.0.key'],
    [{ ...named, customFields: [{ key: 'number', value: 'many' }] }, 'INVALID_CUSTOM_FIELD', 'input.customFields.0.value'],
    [
      {
        ...named,
        customFields: [
          { key: 'text', value: 'a' },
          { key: 'text', value: 'b' },
        ],
      },
      'DUPLICATE_CUSTOM_FIELD',
      'input.customFields',
    ],
  ];
  for (const [input, code, path] of refused) {
    const { createContact } = await staff.request(CreateContactDocument, { input });
    expect(createContact).toMatchObject({ contact: null, userErrors: [{ code, path: path.split('.') }] });
  }
  const { rows } = await world.owner.query('select (select count(*) from contact)::int as contacts, (select count(*) from tag)::int as tags');
  expect(rows).toEqual([{ contacts: 0, tags: 0 }]);
});

test('an email and a member number belong to one contact, whatever the spelling and however many ask at once', async () => {
  await using world = await createWorld();
  const staff = await world.as('Staff');
  const attempts = await Promise.all(Array.from({ length: 20 }, (_, index) => refusals(staff, [{ email: index % 2 ? 'ANN@EXAMPLE.ORG' : 'ann@example.org' }])));
  expect(attempts.flat().filter((code) => code === null)).toHaveLength(1);
  expect(attempts.flat().filter((code) => code === 'EMAIL_TAKEN')).toHaveLength(19);
  const { createContact } = await staff.request(CreateContactDocument, { input: { email: 'Ann@example.org' } });
  expect(createContact.userErrors).toMatchObject([{ code: 'EMAIL_TAKEN', path: ['input', 'email'] }]);
  const bob = await create(staff, { firstName: 'Bob', memberNumber: '7' });
  const { updateContact } = await staff.request(UpdateContactDocument, { input: { id: bob.id, version: 1, email: 'ANN@example.org' } });
  expect(updateContact).toMatchObject({ contact: null, userErrors: [{ code: 'EMAIL_TAKEN', path: ['input', 'email'] }] });
  const taken = await staff.request(CreateContactDocument, { input: { firstName: 'Bo', memberNumber: '7' } });
  expect(taken.createContact.userErrors).toMatchObject([{ code: 'MEMBER_NUMBER_TAKEN', path: ['input', 'memberNumber'] }]);
  const hilltop = await world.as('Admin', 'Hilltop Society');
  expect(await refusals(hilltop, [{ email: 'ann@example.org', memberNumber: '7' }])).toEqual([null]);
});

test('one bad row of a batch does not stop the others, and batches that cross each other both finish', async () => {
  await using world = await createWorld();
  const staff = await world.as('Staff');
  const { createContacts } = await staff.request(CreateContactsDocument, {
    input: {
      contacts: [
        { firstName: 'Ann', tags: ['a'] },
        { firstName: 'Bob', email: 'no' },
        { firstName: 'Cid', email: 'cid@example.org', tags: ['b'] },
        { firstName: 'Dan', email: 'CID@example.org' },
      ],
    },
  });
  expect(createContacts).toMatchObject({
    createdCount: 2,
    userErrors: [],
    results: [
      { index: 0, userErrors: [] },
      { index: 1, contactId: null, userErrors: [{ code: 'INVALID_EMAIL', path: ['input', 'contacts', '1', 'email'] }] },
      { index: 2, userErrors: [] },
      { index: 3, contactId: null, userErrors: [{ code: 'EMAIL_TAKEN', path: ['input', 'contacts', '3', 'email'] }] },
    ],
  });
  expect(await logged(world)).toHaveLength(2);
  const many = Array.from({ length: 200 }, (_, index) => ({ email: `m${index}@example.org`, tags: [`tag ${index % 20}`] }));
  const both = await Promise.all([refusals(staff, many), refusals(staff, many.toReversed()), refusals(staff, many), refusals(staff, many.toReversed())]);
  expect(both.flat().filter((code) => code === null)).toHaveLength(200);
  expect(new Set(both.flat())).toEqual(new Set([null, 'EMAIL_TAKEN']));
  const tooMany = await staff.request(CreateContactsDocument, {
    input: { contacts: Array.from({ length: 501 }, () => ({ firstName: 'x' })) },
  });
  expect(tooMany.createContacts).toMatchObject({ createdCount: 0, results: [], userErrors: [{ code: 'TOO_MANY_VALUES' }] });
});

test('a batch takes the same number of statements, however large it is', async () => {
  await using world = await createWorld();
  await settle(world);
  const staff = await world.as('Staff');
  const batch = (count: number, from: number): ContactInput[] =>
    Array.from({ length: count }, (_, index) => ({
      email: `n${from + index}@example.org`,
      tags: ['a', `t${index % 7}`],
      notes: ['note'],
      customFields: [{ key: 'text', value: 'x' }],
      contactPoints: [{ kind: 'PHONE', value: '1' }],
      memberships: [{ planName: 'Adult', startsOn: '2024-01-01' }],
    }));
  const small = await world.statements(() => refusals(staff, batch(2, 0)));
  const large = await world.statements(() => refusals(staff, batch(500, 10)));
  expect(large.toSorted()).toEqual(small.toSorted());
});

test('a change needs the version that was read, keeps what was before with the contact, and is logged', async () => {
  await using world = await createWorld();
  const staff = await world.as('Staff');
  const { id } = await create(staff, { firstName: 'Ann', lastName: 'Lee', email: 'ann@example.org', city: 'Ghent' });
  const update = async (input: Record<string, unknown> & { version: number }) =>
    (await staff.request(UpdateContactDocument, { input: { id, ...input } })).updateContact;
  expect((await update({ version: 1, lastName: 'Lee', city: null, email: 'ann.lee@example.org' })).contact).toMatchObject({
    version: 2,
    city: null,
    lastName: 'Lee',
    email: 'ann.lee@example.org',
  });
  expect(await update({ version: 1, city: 'Porto' })).toMatchObject({
    contact: null,
    userErrors: [{ code: 'VERSION_CONFLICT', path: ['input', 'version'] }],
  });
  expect((await update({ version: 2, lastName: 'Lee' })).contact).toMatchObject({ version: 2 });
  expect(await update({ version: 2, firstName: '', lastName: null, email: null })).toMatchObject({
    userErrors: [{ code: 'NO_NAME_OR_EMAIL' }],
  });
  const racing = await Promise.all(Array.from({ length: 8 }, (_, index) => update({ version: 2, jobTitle: `Job ${index}` })));
  expect(racing.filter(({ contact }) => contact?.version === 3)).toHaveLength(1);
  expect(racing.filter(({ userErrors }) => userErrors[0]?.code === 'VERSION_CONFLICT')).toHaveLength(7);
  const { rows } = await world.owner.query(
    `select d.changes from action_detail d join action_log l on l.id = d.action_id where l.action = 'contact.updated' and d.contact_id = $1 order by d.id`,
    [decodeId('Contact', id)],
  );
  expect(rows[0].changes).toEqual({
    email: { before: 'ann@example.org', after: 'ann.lee@example.org' },
    city: { before: 'Ghent', after: null },
  });
  expect(rows).toHaveLength(2);
  const found = await staff.request(ContactsDocument, { search: 'ANN.LEE@example' });
  expect(found.contacts.nodes.map((contact) => contact.id)).toEqual([id]);
});

test('an unknown id and another organization’s read exactly alike, on every field that takes one', async () => {
  await using world = await createWorld();
  const staff = await world.as('Staff');
  const theirs = (await create(await world.as('Admin', 'Hilltop Society'), { firstName: 'Eve' })).id;
  const asks = (id: string) => [
    staff.request(ContactDocument, { id }),
    staff.request(UpdateContactDocument, { input: { id, version: 1, city: 'x' } }),
    staff.request(AddNoteDocument, { input: { contactId: id, body: 'x' } }),
    staff.request(AddActivityDocument, { input: { contactId: id, kind: 'CALL', subject: 'x' } }),
    staff.request(AddPaymentDocument, { input: { contactId: id, amountMinor: 1, method: 'CASH' } }),
    staff.request(AddChargeDocument, { input: { contactId: id, amountMinor: 1, description: 'x' } }),
    staff.request(TagContactsDocument, { input: { contactIds: [id], tags: ['x'] } }),
    staff.request(UntagContactsDocument, { input: { contactIds: [id], tags: ['x'] } }),
  ];
  const [unknown, foreign] = await Promise.all([nobody, theirs].map((id) => Promise.all(asks(id).map(failure))));
  expect(foreign!.map(({ code, message }) => [code, message])).toEqual(unknown!.map(({ code, message }) => [code, message]));
  expect(new Set(foreign!.map(({ code }) => code))).toEqual(new Set(['NOT_FOUND']));
  expect((await staff.request(ContactsDocument, { filter: { ids: [theirs, nobody] }, withTotal: true })).contacts).toMatchObject({
    nodes: [],
    totalCount: { count: 0, isCapped: false },
  });
  for (const id of ['', 'x', encodeId('Note', decodeId('Contact', nobody))])
    expect((await failure(staff.request(ContactDocument, { id }))).code).toBe('MALFORMED_ID');
  expect(await logged(world)).toHaveLength(1);
});

test('payments and charges move the balance, all or nothing, and every one of many at once counts', async () => {
  await using world = await createWorld();
  const [planId, staff] = [await settle(world), await world.as('Staff')];
  const [ann, bob] = [await create(staff, { firstName: 'Ann' }), await create(staff, { firstName: 'Bob', memberships: [{ planId, startsOn: '2024-01-01' }] })];
  await Promise.all([
    ...Array.from({ length: 10 }, () =>
      staff.request(AddPaymentDocument, { input: { contactId: ann.id, amountMinor: 1001, method: 'CARD', reference: 'R1' } }),
    ),
    ...Array.from({ length: 10 }, () => staff.request(AddChargeDocument, { input: { contactId: ann.id, amountMinor: 1100, description: 'Fee' } })),
    staff.request(AddPaymentDocument, {
      input: { contactId: ann.id, amountMinor: 500, currency: 'EUR', method: 'CASH', paidAt: '2024-02-03T04:05:06.789Z' },
    }),
  ]);
  const { contact } = await staff.request(WholeContactDocument, { id: ann.id });
  expect(contact.balances).toEqual([
    { amountMinor: 500, currency: 'EUR' },
    { amountMinor: -990, currency: 'USD' },
  ]);
  expect(contact.balance).toEqual({ amountMinor: -990, currency: 'USD' });
  expect(contact.ledgerEntries!.nodes).toHaveLength(21);
  expect(contact.payments!.nodes.find(({ amount }) => amount.currency === 'EUR')).toMatchObject({
    paidAt: '2024-02-03T04:05:06.789Z',
    method: 'CASH',
    reference: null,
  });
  const pay = async (input: { amountMinor: number; currency?: string }) =>
    (await staff.request(AddPaymentDocument, { input: { contactId: ann.id, method: 'OTHER', ...input } })).addPayment.userErrors[0]?.code;
  expect(await pay({ amountMinor: 0 })).toBe('INVALID_AMOUNT');
  expect(await pay({ amountMinor: -5 })).toBe('INVALID_AMOUNT');
  expect(await pay({ amountMinor: 1_000_000_000_001 })).toBe('INVALID_AMOUNT');
  expect(await pay({ amountMinor: 5, currency: 'usd' })).toBe('INVALID_CURRENCY');
  await world.owner.query(`insert into balance (organization_id, contact_id, currency, amount_minor) values ($1, $2, 'JPY', 9007199254740991)`, [
    world.organizationId(),
    decodeId('Contact', ann.id),
  ]);
  expect(await pay({ amountMinor: 1, currency: 'JPY' })).toBe('BALANCE_OUT_OF_RANGE');
  const membershipId = (await staff.request(WholeContactDocument, { id: bob.id })).contact.memberships.nodes[0]!.id;
  expect((await failure(staff.request(AddPaymentDocument, { input: { contactId: ann.id, amountMinor: 1, method: 'CARD', membershipId } }))).code).toBe(
    'NOT_FOUND',
  );
  const filtered = async (balance: 'OWING' | 'SETTLED' | 'IN_CREDIT') =>
    (await staff.request(ContactsDocument, { filter: { balance } })).contacts.nodes.map(({ name }) => name);
  expect([await filtered('OWING'), await filtered('SETTLED'), await filtered('IN_CREDIT')]).toEqual([['Ann'], ['Bob'], ['Ann']]);
});

test('notes, activities and memberships are added in the name of who adds them, and logged', async () => {
  await using world = await createWorld();
  const [planId, staff] = [await settle(world), await world.as('Staff')];
  const { id: contactId } = await create(staff, { firstName: 'Ann' });
  const { addNote } = await staff.request(AddNoteDocument, { input: { contactId, body: '  Hello  ' } });
  expect(addNote.note).toMatchObject({ body: 'Hello', authorName: 'Staff of Riverside Club' });
  const { addActivity } = await staff.request(AddActivityDocument, {
    input: { contactId, kind: 'CALL', subject: 'Renewal', occurredAt: '2024-01-01T00:00:00Z' },
  });
  expect(addActivity.activity).toMatchObject({ kind: 'CALL', occurredAt: '2024-01-01T00:00:00.000Z' });
  const { addMembership } = await staff.request(AddMembershipDocument, {
    input: { contactId, planId, startsOn: '2024-01-01', endsOn: '2024-12-31' },
  });
  expect(addMembership.membership).toMatchObject({ plan: { id: planId, name: 'Adult' }, state: 'EXPIRED' });
  const refused = await staff.request(AddNoteDocument, { input: { contactId, body: 'x\0' } });
  expect(refused.addNote).toMatchObject({ note: null, userErrors: [{ code: 'NUL_CHARACTER', path: ['input', 'body'] }] });
  expect((await logged(world)).map((entry) => (entry as { action: string }).action)).toEqual([
    'contact.created',
    'note.added',
    'activity.added',
    'membership.added',
    'addNote',
  ]);
});

test('tags are put on and taken off, made when missing, and only what changed is logged', async () => {
  await using world = await createWorld();
  const staff = await world.as('Staff');
  const [ann, bob] = [await create(staff, { firstName: 'Ann', tags: ['old'] }), await create(staff, { firstName: 'Bob' })];
  const contactIds = [bob.id, ann.id];
  const { tagContacts } = await staff.request(TagContactsDocument, { input: { contactIds, tags: ['old', ' new '] } });
  expect(tagContacts.contacts).toMatchObject([
    { id: bob.id, tags: [{ name: 'new' }, { name: 'old' }] },
    { id: ann.id, tags: [{ name: 'new' }, { name: 'old' }] },
  ]);
  await staff.request(TagContactsDocument, { input: { contactIds, tags: ['old'] } });
  const { untagContacts } = await staff.request(UntagContactsDocument, { input: { contactIds: [ann.id], tags: ['new', 'unheard of'] } });
  expect(untagContacts.contacts).toMatchObject([{ id: ann.id, tags: [{ name: 'old' }] }]);
  expect((await staff.request(ContactsDocument, { filter: { tags: ['new'] } })).contacts.nodes.map(({ name }) => name)).toEqual(['Bob']);
  expect((await staff.request(TagsDocument, {})).tags.nodes.map(({ name }) => name)).toEqual(['new', 'old']);
  const first = (await staff.request(TagsDocument, { first: 1 })).tags;
  expect((await staff.request(TagsDocument, { first: 1, after: first.pageInfo.endCursor })).tags.nodes.map(({ name }) => name)).toEqual(['old']);
  expect((await logged(world)).map((entry) => (entry as { action: string }).action)).toEqual([
    'contact.created',
    'contact.created',
    'contact.tagged',
    'contact.tagged',
    'contact.untagged',
  ]);
});

test('plans and custom fields are listed by name', async () => {
  await using world = await createWorld();
  await settle(world);
  const viewer = await world.as('Viewer');
  expect((await viewer.request(MembershipPlansDocument, {})).membershipPlans.nodes).toMatchObject([
    { name: 'Adult', price: { amountMinor: 12000, currency: 'USD' }, interval: 'YEAR' },
  ]);
  expect((await viewer.request(CustomFieldDefinitionsDocument, {})).customFieldDefinitions.nodes.map(({ key }) => key)).toEqual([
    'boolean',
    'date',
    'number',
    'text',
  ]);
  expect((await (await world.as('Viewer', 'Hilltop Society')).request(MembershipPlansDocument, {})).membershipPlans.nodes).toEqual([]);
});

test('every order pages through all contacts once, also while contacts are added', async () => {
  await using world = await createWorld();
  const staff = await world.as('Staff');
  const names = ['Zoe', 'ann', 'Ann', 'Öde', 'Bob', 'Bob', 'Bob', 'Cid'];
  await refusals(
    staff,
    names.map((firstName, index) => ({ firstName, ...(index % 3 ? { email: `p${9 - index}@example.org` } : {}) })),
  );
  for (const field of ['NAME', 'EMAIL', 'CREATED_AT'] as const)
    for (const direction of ['ASC', 'DESC'] as const) {
      const [whole, paged] = [await page(staff, 100, { field, direction }), await page(staff, 1, { field, direction })];
      expect(paged).toEqual(whole);
      expect(whole).toHaveLength(names.length);
    }
  const [email, reversed] = [await page(staff, 3, { field: 'EMAIL', direction: 'ASC' }), await page(staff, 3, { field: 'EMAIL', direction: 'DESC' })];
  expect(email.slice(0, 5)).toEqual(reversed.slice(0, 5).toReversed());
  const seen = await page(staff, 2, { field: 'NAME', direction: 'ASC' }, async () => void (await create(staff, { firstName: 'Aaa' })));
  expect(seen).toEqual([...new Set(seen)]);
  expect(seen).toHaveLength(names.length);
});

/** The ids of all contacts, read page by page; `between` runs after each. */
async function page(
  client: Client,
  first: number,
  orderBy: { field: 'NAME' | 'EMAIL' | 'CREATED_AT'; direction: 'ASC' | 'DESC' },
  between = async () => {},
): Promise<string[]> {
  const ids: string[] = [];
  let after: string | null = null;
  do {
    const { contacts }: { contacts: { nodes: { id: string }[]; pageInfo: { hasNextPage: boolean; endCursor: string | null } } } = await client.request(
      ContactsDocument,
      { first, after, orderBy },
    );
    ids.push(...contacts.nodes.map(({ id }) => id));
    after = contacts.pageInfo.hasNextPage ? contacts.pageInfo.endCursor : null;
    await between();
  } while (after);
  return ids;
}

test('a search finds all words anywhere, takes wildcards for what they are, and counts up to 1,000', async () => {
  await using world = await createWorld();
  const viewer = await world.as('Viewer');
  await refusals(await world.as('Staff'), [
    { firstName: 'Ann', lastName: 'Lee', company: '100% Rowing' },
    { firstName: 'Ånn', lastName: 'O_Lee', email: 'x@example.org' },
    { company: 'ﬁne Boats', memberNumber: 'B\\7' },
  ]);
  const found = async (search: string) => (await viewer.request(ContactsDocument, { search })).contacts.nodes.map(({ name }) => name);
  expect(await found('lee')).toEqual(['Ann Lee', 'Ånn O_Lee']);
  expect(await found(' LEE  ann ')).toEqual(['Ann Lee']);
  expect(await found('ÅNN')).toEqual(['Ånn O_Lee']);
  expect(await found('0%')).toEqual(['Ann Lee']);
  expect(await found('o_l')).toEqual(['Ånn O_Lee']);
  expect(await found('b\\7')).toEqual(['ﬁne Boats']);
  expect(await found('fine')).toEqual(['ﬁne Boats']);
  expect(await found('%%')).toEqual([]);
  expect(await found('')).toHaveLength(3);
  expect((await failure(found('a\0'))).code).toBe('BAD_INPUT');
  const email = async (text: string) => (await viewer.request(ContactsDocument, { filter: { email: text } })).contacts.nodes.length;
  expect([await email(' X@EXAMPLE.org'), await email('not an address')]).toEqual([1, 0]);
  await fill(world, 1100);
  const { contacts } = await viewer.request(ContactsDocument, { first: 1, withTotal: true });
  expect(contacts.totalCount).toEqual({ count: 1000, isCapped: true });
});

test('the filters find what they say, each alone and all together', async () => {
  await using world = await createWorld();
  await fill(world, 60);
  const viewer = await world.as('Super admin');
  const { rows } = await world.owner.query<{ id: string; country: string; member_number: string; plan_id: string; created_at: Date }>(
    `select c.id, c.country, c.member_number, m.plan_id, c.created_at from contact c join membership m on m.contact_id = c.id order by c.id`,
  );
  const found = async (filter: object) => (await viewer.request(ContactsDocument, { filter, first: 100 })).contacts.nodes.map(({ id }) => id).toSorted();
  const expected = (wanted: (row: (typeof rows)[number]) => boolean) =>
    rows
      .filter(wanted)
      .map(({ id }) => contactId(id))
      .toSorted();
  const one = rows[20]!;
  expect(await found({ country: one.country })).toEqual(expected((row) => row.country === one.country));
  expect(await found({ membershipPlanId: encodeId('MembershipPlan', one.plan_id) })).toEqual(expected((row) => row.plan_id === one.plan_id));
  expect(await found({ createdFrom: one.created_at, createdBefore: rows[30]!.created_at })).toEqual(
    expected((row) => row.created_at >= one.created_at && row.created_at < rows[30]!.created_at),
  );
  expect(await found({ memberNumber: one.member_number, country: one.country, ids: [contactId(one.id), nobody] })).toEqual([contactId(one.id)]);
  expect(await found({ ids: [] })).toEqual([]);
  expect((await found({ hasEmail: true })).length + (await found({ hasEmail: false })).length).toBe(60);
});

test('a page outside of 1 to 100 and a broken or foreign cursor are refused', async () => {
  await using world = await createWorld();
  await fill(world, 3);
  const viewer = await world.as('Super admin');
  for (const first of [0, 101, -1]) {
    expect((await failure(viewer.request(ContactsDocument, { first }))).code).toBe('BAD_PAGE_SIZE');
    expect((await failure(viewer.request(TagsDocument, { first }))).code).toBe('BAD_PAGE_SIZE');
  }
  const byName = (await viewer.request(ContactsDocument, { first: 1 })).contacts.pageInfo.endCursor!;
  const forged = Buffer.from(JSON.stringify(['CREATED_AT ASC', "' or 1=1", '00000000-0000-7000-8000-000000000000'])).toString('base64url');
  for (const after of ['broken', byName.slice(0, -4), byName]) {
    const asked = viewer.request(ContactsDocument, { after, orderBy: { field: 'EMAIL', direction: 'ASC' } });
    expect((await failure(asked)).code).toBe('BAD_CURSOR');
  }
  expect((await viewer.request(ContactsDocument, { after: forged, orderBy: { field: 'CREATED_AT', direction: 'ASC' } })).contacts.nodes).toHaveLength(3);
});

test('a list with everything that contacts own takes the same number of statements for 2 contacts and for 100', async () => {
  await using world = await createWorld();
  await fill(world, 120);
  const admin = await world.as('Super admin');
  const statements = (first: number) =>
    world.statements(async () => {
      const { contacts } = await admin.request(ContactsWithHistoryDocument, { first });
      expect(contacts.nodes).toHaveLength(first);
      for (const contact of contacts.nodes) {
        expect(contact.notes!.nodes).toHaveLength(3);
        expect(contact.activities).toMatchObject({ nodes: { length: 3 }, pageInfo: { hasNextPage: true } });
        expect(contact.payments!.nodes).toHaveLength(3);
        expect(contact.memberships.nodes).toHaveLength(1);
      }
    });
  const [two, hundred] = [await statements(2), await statements(100)];
  expect(hundred.toSorted()).toEqual(two.toSorted());
  // The viewer, the contacts, and one for each of the nine lists.
  expect(hundred).toHaveLength(11);
});

test('whoever may not see payments gets the contact, but not its money', async () => {
  await using world = await createWorld();
  await fill(world, 1);
  const viewer = await world.as('Viewer');
  const { contacts } = await viewer.request(ContactsDocument, {});
  const id = contacts.nodes[0]!.id;
  expect((await viewer.request(WholeContactDocument, { id, withMoney: false })).contact.notes!.nodes).toHaveLength(3);
  expect((await failure(viewer.request(WholeContactDocument, { id }))).code).toBe('FORBIDDEN');
});
