// What bad input gets: a stable code and a sentence that says what to do. Nothing is changed, nothing is leaked.
import { readFileSync } from 'node:fs';
import { buildSchema, getNamedType, isObjectType, parse, type DocumentNode } from 'graphql';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { encodeId } from '../src/schema/common.ts';
import { post, postOverSocket } from './asking.ts';
import { ask, createFullWorld, expectNothingLeaked, expectWellSaid, rowsOf, type Scene, secretsOf, unknownId } from './full-world.ts';
import { contactId, deleteThem, fill, liveIds, orderRecovery, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { emailOf, type RoleName, testKeys } from './people.ts';

const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

/** Every list that is paged: who may ask for it, and how. */
function lists(mine: Scene): Record<string, [role: RoleName, selection: string]> {
  const page = (more = '') => `(first: $first, after: $after ${more}) { edges { cursor } nodes { __typename } }`;
  const ofContact = (field: string): [RoleName, string] => ['Staff', `contact(id: "${mine.Contact}") { ${field}${page()} }`];
  return {
    'Query.actionLog': ['Admin', `actionLog${page()}`],
    'Query.contacts': ['Viewer', `contacts${page()}`],
    'Query.customFieldDefinitions': ['Viewer', `customFieldDefinitions${page()}`],
    'Query.deletions': ['Admin', `deletions${page()}`],
    'Query.jobs': ['Staff', `jobs${page()}`],
    'Query.erasures': ['Admin', `erasures${page()}`],
    'Query.membershipPlans': ['Viewer', `membershipPlans${page()}`],
    'Query.openInvoices': ['Operator', `openInvoices${page(`organizationId: "${mine.Organization}"`)}`],
    'Query.organizations': ['Operator', `organizations${page()}`],
    'Query.compareSnapshot': [
      'Admin',
      `compareSnapshot(input: { snapshotId: "${mine.Snapshot}" }, first: $first, after: $after) { edges { cursor } nodes { __typename } }`,
    ],
    'Query.restoreDrills': ['Admin', `restoreDrills${page()}`],
    'Query.contactExports': ['Admin', `contactExports${page()}`],
    'Query.apiKeys': ['Admin', `apiKeys${page()}`],
    'Query.imports': ['Staff', `imports${page()}`],
    'Query.importTemplates': ['Staff', `importTemplates${page()}`],
    'Import.rows': ['Staff', `import(id: "${mine.Import}") { rows${page()} }`],
    'Query.invitations': ['Admin', `invitations${page()}`],
    'Query.staffMembers': ['Admin', `staffMembers${page()}`],
    'Query.snapshots': ['Admin', `snapshots${page()}`],
    'Query.recoveryRequests': ['Admin', `recoveryRequests${page()}`],
    'Query.tags': ['Viewer', `tags${page()}`],
    'Query.webhookEndpoints': ['Admin', `webhookEndpoints${page()}`],
    'ActionLogEntry.contacts': ['Admin', `actionLog(filter: { action: "contacts.deleted" }) { nodes { contacts${page()} } }`],
    'Contact.activities': ofContact('activities'),
    'Contact.ledgerEntries': ofContact('ledgerEntries'),
    'Contact.memberships': ofContact('memberships'),
    'Contact.notes': ofContact('notes'),
    'Contact.payments': ofContact('payments'),
    'Deletion.contacts': ['Admin', `deletions { nodes { contacts${page()} } }`],
    'Erasure.subjects': ['Admin', `erasures { nodes { subjects${page()} } }`],
    'RecoveryPlan.conflicts': ['Admin', `recoveryPlan(input: { selection: { deletionId: "${mine.Deletion}" } }) { conflicts${page()} }`],
    'RecoveryRequest.conflicts': ['Admin', `recoveryRequests { nodes { conflicts${page()} } }`],
    'WebhookEndpoint.deliveries': ['Admin', `webhookEndpoints { nodes { deliveries${page()} } }`],
    'Undo.exceptions': ['Admin', `recoveryRequests { nodes { undo { exceptions${page()} } } }`],
  };
}

/** Asks for a page of a list. @returns the codes of what was refused, each once, and all that came */
async function askForPage(world: World, [role, selection]: [RoleName, string], variables: { first?: number; after?: string }) {
  const answer = await post(world, await world.token(role), `query ($first: Int! = 5, $after: String) { ${selection} }`, variables);
  return { ...answer, codes: [...new Set(answer.errors.map(({ code }) => code))] };
}

/** A cursor of each list, as the API gave it. */
async function cursorsOf(world: World, mine: Scene): Promise<Record<string, string>> {
  const cursors: Record<string, string> = {};
  for (const [name, list] of Object.entries(lists(mine))) {
    const { text } = await askForPage(world, list, {});
    expect([name, text]).toEqual([name, expect.stringContaining('"cursor":"')]);
    cursors[name] = /"cursor":"([\w-]+)"/.exec(text)![1]!;
  }
  return cursors;
}

const decoded = (cursor: string) => JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as unknown[];
const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

describe('a list', () => {
  it('is tried wherever there is one', () => {
    const objects = Object.values(schema.getTypeMap()).filter((type) => isObjectType(type));
    const paged = objects.flatMap((type) =>
      Object.values(type.getFields())
        .filter((field) => getNamedType(field.type).name.endsWith('Connection'))
        .map(({ name }) => `${type.name}.${name}`),
    );
    expect(Object.keys(lists({} as Scene)).toSorted()).toEqual(paged.toSorted());
  });

  it('takes `first` from 1 to 100, everywhere', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    for (const [name, list] of Object.entries(lists(mine))) {
      for (const first of [0, 101, -1, -2_147_483_648]) {
        const { codes, errors } = await askForPage(world, list, { first });
        expect([name, first, codes]).toEqual([name, first, ['BAD_PAGE_SIZE']]);
        expectWellSaid(errors[0]!);
        expect(errors[0]!.message).toContain(`not ${first}`);
      }
      for (const first of [1, 100]) expect((await askForPage(world, list, { first })).errors).toEqual([]);
    }
  });

  it('takes no cursor that is broken or belongs to another list, everywhere', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    const [before, secrets, cursors] = [await rowsOf(world), await secretsOf(world), await cursorsOf(world, mine)];
    for (const [name, list] of Object.entries(lists(mine))) {
      const own = decoded(cursors[name]!);
      const broken = {
        ...Object.fromEntries(
          Object.entries(cursors)
            .filter(([other]) => other !== name)
            .map(([other, cursor]) => [`of ${other}`, cursor]),
        ),
        garbage: '§$%&',
        words: 'the last page',
        __proto__: '__proto__',
        'cut off': cursors[name]!.slice(0, -6),
        huge: 'W'.repeat(100_000),
        'empty list': encoded([]),
        null: encoded(null),
        object: encoded({ ...own, length: own.length }),
        'too short': encoded(own.slice(1)),
        'too long': encoded([...own, own.at(-1)]),
        'upper case': encoded([...own.slice(0, -1), String(own.at(-1)).toUpperCase()]),
        'SQL for its id': encoded([...own.slice(0, -1), `${String(own.at(-1))}' or '1' = '1`]),
        SQL: Buffer.from(`' or 1=1; drop table contact; --`).toString('base64url'),
      };
      for (const [how, after] of Object.entries(broken)) {
        const { codes, errors, text } = await askForPage(world, list, { after });
        expect([name, how, codes]).toEqual([name, how, ['BAD_CURSOR']]);
        expectWellSaid(errors[0]!);
        expectNothingLeaked(text, secrets);
      }
    }
    expect(await rowsOf(world)).toEqual(before);
  });

  it('that is sorted by something takes whatever stands there for a place in the list, or for a broken cursor', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    const [before, secrets, cursors] = [await rowsOf(world), await secretsOf(world), await cursorsOf(world, mine)];
    const values = [
      `'; drop table contact; --`,
      null,
      5,
      true,
      ['x'],
      {},
      'a\0b',
      '\ud800',
      '',
      'infinity',
      'now',
      '0000-01-01T00:00:00.000Z',
      '2024-02-31T00:00:00.000Z',
      '999999-01-01T00:00:00.000Z',
    ];
    for (const [name, list] of Object.entries(lists(mine))) {
      const own = decoded(cursors[name]!);
      for (const place of own.keys())
        for (const value of values) {
          const { codes, text } = await askForPage(world, list, { after: encoded(own.with(place, value)) });
          expect([name, place, value, ['', 'BAD_CURSOR']]).toEqual([name, place, value, expect.arrayContaining([codes.join()])]);
          expect(text).not.toContain('drop table');
          expectNothingLeaked(text, secrets);
        }
    }
    const [start, id] = [decoded(cursors['Query.actionLog']!)[0], decoded(cursors['Query.actionLog']!)[2]];
    for (const instant of values)
      expect((await askForPage(world, lists(mine)['Query.actionLog']!, { after: encoded([start, instant, id]) })).codes).toEqual(['BAD_CURSOR']);
    expect(await rowsOf(world)).toEqual(before);
  });

  it('takes no cursor of another sort order', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const viewer = await world.as('Viewer');
    const orders = (['NAME', 'EMAIL', 'CREATED_AT'] as const).flatMap((field) => (['ASC', 'DESC'] as const).map((direction) => ({ field, direction })));
    for (const orderBy of orders) {
      const after = (await viewer.request(sdk.ContactsDocument, { first: 1, orderBy })).contacts.pageInfo.endCursor;
      for (const other of orders.filter((order) => order !== orderBy))
        await expect(viewer.request(sdk.ContactsDocument, { after, orderBy: other })).rejects.toMatchObject({ code: 'BAD_CURSOR' });
    }
  });
});

describe('an operation that asks too much', () => {
  const times = (count: number, field: string) => Array.from({ length: count }, (_, index) => `f${index}: ${field}`).join(' ');

  it('is refused on HTTP before anything is read', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    const token = await world.token('Super admin');
    const costly = [
      '{ contacts(first: 100) { nodes { notes(first: 100) { nodes { body } } activities(first: 100) { nodes { subject } } } } }',
      `{ ${times(5, `recoveryPlan(input: { selection: { deletionId: "${unknownId('Deletion')}" } }) { contactCount }`)} }`,
      `{ ${times(25, 'contactDeletionPreview(input: { filter: {} }) { contactCount }')} }`,
    ];
    for (const query of costly) {
      const statements = await world.statements(async () => {
        const { status, errors } = await post(world, token, query);
        expect([query, status, errors.map(({ code }) => code)]).toEqual([query, 400, ['QUERY_TOO_COSTLY']]);
        expectWellSaid(errors[0]!);
      });
      expect(statements).toEqual([]);
    }
  });

  it('is refused on both before it is parsed, when its brackets go deeper than a parser can', async () => {
    await using world = await createWorld();
    const token = await world.token('Super admin');
    const nested = (open: string, close: string) => `{ contacts(filter: { ids: ${open.repeat(1900)}${close.repeat(1900)} }) { nodes { id } } }`;
    for (const query of [`${'{a'.repeat(2900)}${'}'.repeat(2900)}`, '{a'.repeat(2900), `{ ${'...{'.repeat(2900)}`, nested('[', ']'), nested('{a:', '}')]) {
      const { status, errors } = await post(world, token, query);
      expect([status, errors.map(({ code }) => code)]).toEqual([400, ['QUERY_TOO_DEEP']]);
      expectWellSaid(errors[0]!);
      const params = new URLSearchParams({ query });
      const get = await fetch(`${world.url}?${params.toString().slice(0, 15_000)}`, { headers: { 'apollo-require-preflight': 'true' } });
      expect([get.status, await get.text()]).toEqual([400, expect.stringContaining('QUERY_TOO_DEEP')]);
      expect(await postOverSocket(world, token, `subscription ${query}`)).toEqual(['QUERY_TOO_DEEP']);
    }
    const braces = '{'.repeat(500);
    expect((await post(world, token, `{ contacts(search: "${braces}") { nodes { id } } }`)).errors).toEqual([]);
  });

  it('signs in no thousand times', async () => {
    await using world = await createWorld();
    const guesses = times(25, `signIn(input: { email: "${emailOf('Admin', 'Riverside Club')}", password: "guess" }) { accessToken }`);
    expect((await post(world, undefined, `mutation { ${guesses} }`)).errors).toMatchObject([{ code: 'TOO_MANY_FIELDS' }]);
    expect((await world.owner.query('select 1 from action_log')).rows).toEqual([]);
  });

  it('is refused on a WebSocket, as a subscription', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    const subscription = parse(
      `subscription { recoveryProgress(id: "${mine.RecoveryRequest}") { ${times(50, 'conflicts(first: 100) { edges { cursor node { kind } } nodes { kind } pageInfo { hasNextPage } }')} } }`,
    );
    await expect((await world.as('Admin')).subscribe(subscription, {}).next()).rejects.toMatchObject({ code: 'QUERY_TOO_COSTLY' });
  });
});

describe('a subscription', () => {
  it('takes a token that is valid, and a WebSocket', async () => {
    await using full = await createFullWorld();
    const { world, mine } = full;
    const { rows } = await world.owner.query<{ id: string }>('select id from account where email = $1', [emailOf('Admin', 'Riverside Club')]);
    const claims = { org: world.organizationId(), sub: rows[0]!.id, iss: 'reinstate', aud: 'reinstate' };
    const expired = await new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) - 1)
      .sign(testKeys.tokens);
    for (const token of [undefined, '', 'nonsense', expired])
      for (const [document, id] of [
        [sdk.RecoveryProgressDocument, mine.RecoveryRequest],
        [sdk.JobProgressDocument, mine.Job],
      ] as const) {
        await expect(
          world
            .client(token)
            .subscribe(document as typeof sdk.JobProgressDocument, { id })
            .next(),
        ).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
        const { data, errors } = await post(world, token, document, { id });
        expect([data ?? null, errors.map(({ code }) => code)]).toEqual([null, [token === undefined ? 'SUBSCRIPTION_NEEDS_WEBSOCKET' : 'UNAUTHENTICATED']]);
      }
    const { data, errors } = await post(world, await world.token('Admin'), sdk.RecoveryProgressDocument, { id: mine.RecoveryRequest });
    expect([data, errors.map(({ code }) => code)]).toEqual([null, ['SUBSCRIPTION_NEEDS_WEBSOCKET']]);
    expectWellSaid(errors[0]!);
  });

  it('ends when its watcher has lost the permission or was suspended, and tells no more', async () => {
    const ends = {
      FORBIDDEN: `update role set permissions = array_remove(permissions, 'recovery:read') where name = 'Admin'`,
      UNAUTHENTICATED: `update staff_member set suspended_at = now() where name like 'Admin of %'`,
    };
    for (const [code, end] of Object.entries(ends)) {
      await using full = await createFullWorld();
      const { world, mine } = full;
      const events = (await world.as('Admin')).subscribe(sdk.RecoveryProgressDocument, { id: mine.RecoveryRequest });
      expect((await events.next()).value).toMatchObject({ recoveryProgress: { state: 'AWAITING_PAYMENT' } });
      await world.owner.query(end);
      const next = events.next();
      await (await world.as('Super admin')).request(sdk.CancelRecoveryDocument, { input: { id: mine.RecoveryRequest } });
      await expect(next).rejects.toMatchObject({ code });
      expect(await events.next()).toEqual({ done: true, value: undefined });
    }
  });
});

describe('a refused attempt', () => {
  it('is in the action log: who, what, with which code, at what', async () => {
    await using full = await createFullWorld();
    const { world, mine, theirs } = full;
    await world.owner.query(`update organization set plan = 'FREE' where name = 'Hilltop Society'`);
    const foreign = await (
      await world.as('Super admin', 'Hilltop Society')
    ).request(sdk.ContactDeletionPreviewDocument, { input: { contactIds: [theirs.Contact] } });
    const confirmation = foreign.contactDeletionPreview.confirmation!;
    const deletion = { input: { contactIds: [mine.Contact], reason: 'Bad input', confirmation } };
    const order = (deletionId: string) => ({ input: { ...whole(deletionId), planHash: 'none', idempotencyKey: 'bad-input' } });
    const recovered = (
      await world.owner.query<{ id: string }>(
        `select selected ->> 'deletionId' as id from recovery_request where organization_id = $1 and state = 'AWAITING_PAYMENT'`,
        [world.organizationId()],
      )
    ).rows[0]!.id;
    const balances = parse('query ($balance: BalanceState) { contacts(filter: { balance: $balance }) { nodes { id } } }');
    const attempts: [role: RoleName, action: string, code: string, target: string | null, document: DocumentNode, variables: object][] = [
      ['Staff', 'deleteContacts', 'FORBIDDEN', mine.Contact, sdk.DeleteContactsDocument, deletion],
      ['Super admin', 'deleteContacts', 'CONFIRMATION_NOT_YOURS', mine.Contact, sdk.DeleteContactsDocument, deletion],
      ['Viewer', 'deletion', 'FORBIDDEN', mine.Deletion, sdk.DeletionDocument, { id: mine.Deletion }],
      ['Viewer', 'deletion', 'FORBIDDEN', theirs.Deletion, sdk.DeletionDocument, { id: theirs.Deletion }],
      ['Viewer', 'node', 'FORBIDDEN', mine.Job, parse('query ($id: ID!) { node(id: $id) { id } }'), { id: mine.Job }],
      ['Viewer', 'contacts', 'FORBIDDEN', null, balances, { balance: 'OWING' }],
      ['Viewer', 'jobProgress', 'FORBIDDEN', mine.Job, sdk.JobProgressDocument, { id: mine.Job }],
      ['Staff', 'updateContact', 'VERSION_CONFLICT', mine.Contact, sdk.UpdateContactDocument, { input: { id: mine.Contact, version: 7 } }],
      ['Admin', 'requestRecovery', 'FORBIDDEN', mine.Deletion, sdk.RequestRecoveryDocument, order(mine.Deletion)],
      [
        'Super admin',
        'requestRecovery',
        'ALREADY_REQUESTED',
        encodeId('Deletion', recovered),
        sdk.RequestRecoveryDocument,
        order(encodeId('Deletion', recovered)),
      ],
    ];
    const before = await rowsOf(world);
    for (const [role, action, code, targetId, document, variables] of attempts) {
      const { refusals } = await ask(world, role, document, variables);
      expect([action, refusals.map((refusal) => refusal.code)]).toEqual([action, [code]]);
      expectWellSaid(refusals[0]!);
      const { actionLog } = await (await world.as('Admin')).request(sdk.ActionLogDocument, { first: 1, filter: { outcome: 'REFUSED' } });
      expect(actionLog.nodes).toMatchObject([{ actorKind: 'STAFF', actorName: `${role} of Riverside Club`, action, code, targetId, address: '127.0.0.1' }]);
    }
    expect(await rowsOf(world)).toEqual(before);
  });

  it('is in the log also when its id was made to keep it out', async () => {
    await using world = await createWorld();
    const token = await world.token('Viewer');
    const uuid = '01890000-0000-7000-8000-000000000000';
    for (const kind of ['Deletion\0', 'Nothing', `${'x'.repeat(60)}`, "'); drop table action_log; --"]) {
      const { errors, requestId } = await post(world, token, sdk.DeletionDocument, {
        id: Buffer.from(`${kind}:${uuid}`).toString('base64url'),
      });
      expect(errors.map(({ code }) => code)).toEqual(['FORBIDDEN']);
      const { rows } = await world.owner.query(`select actor_name, action, code, target_kind, target_id from action_log where request_id = $1`, [requestId]);
      expect(rows).toEqual([{ actor_name: 'Viewer of Riverside Club', action: 'deletion', code: 'FORBIDDEN', target_kind: null, target_id: null }]);
    }
  });
});

describe('a text', () => {
  it('with a NUL character is refused in our own words, wherever it stands', async () => {
    await using world = await createWorld();
    const token = await world.token('Super admin');
    const queries: [query: string, variables: object][] = [
      ['query ($text: String) { contacts(filter: { memberNumber: $text }) { nodes { id } } }', {}],
      ['query ($text: String!) { contacts(filter: { tags: [$text] }) { nodes { id } } }', {}],
      ['query ($text: String) { contacts(search: $text) { nodes { id } } }', {}],
      ['query ($text: String) { actionLog(filter: { action: $text }) { nodes { id } } }', {}],
      ['query ($text: String) { contactDeletionPreview(input: { filter: { country: $text } }) { contactCount } }', {}],
      ['mutation ($text: String!) { signIn(input: { email: $text, password: $text }) { accessToken } }', {}],
    ];
    for (const [query, variables] of queries) {
      const { errors, text } = await post(world, token, query, { ...variables, text: 'a\0b' });
      expect([query, errors.map(({ code }) => code)]).toEqual([query, ['BAD_INPUT']]);
      expectWellSaid(errors[0]!);
      expectNothingLeaked(text, ['UTF8', 'encoding']);
    }
  });
});

describe('paying for a recovery and cancelling it', () => {
  it('at the same moment does both, one after the other, or refuses one; never half of either', async () => {
    await using world = await createWorld();
    await fill(world, 6);
    const [admin, operator, organizationId] = [await world.as('Super admin'), await world.as('Operator'), encodeId('Organization', world.organizationId())];
    for (const id of await liveIds(world)) {
      const { deletion } = await deleteThem(world, { contactIds: [contactId(id)] });
      const { recoveryRequest } = await orderRecovery(world, deletion!.id);
      const [{ confirmPayment }, { cancelRecovery }] = await Promise.all([
        operator.request(sdk.ConfirmPaymentDocument, {
          input: { organizationId, invoiceId: recoveryRequest!.invoice.id, reference: 'transfer' },
        }),
        admin.request(sdk.CancelRecoveryDocument, { input: { id: recoveryRequest!.id } }),
      ]);
      expect(cancelRecovery).toMatchObject({ recoveryRequest: { state: 'CANCELLED' }, userErrors: [] });
      expect(['INVOICE_NOT_OPEN', undefined]).toContain(confirmPayment.userErrors[0]?.code);
      expect(cancelRecovery.recoveryRequest!.invoice.state).toBe(confirmPayment.userErrors.length > 0 ? 'VOID' : 'REFUNDED');
    }
    await runJobs(world);
    const { rows } = await world.owner.query(`select count(*)::int as alive from job where state <> 'CANCELLED'`);
    expect([rows, await liveIds(world)]).toEqual([[{ alive: 0 }], []]);
  });
});
