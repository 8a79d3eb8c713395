// Roles hide groups of a contact's fields: hidden fields are null with a reason, and no way to find by them, count them or change them.
import { createClient } from 'graphql-ws';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { staffPermissions } from '../src/permissions/catalogue.ts';
import { allFieldGroups, type FieldGroup } from '../src/permissions/field-groups.ts';
import { encodeId } from '../src/schema/common.ts';
import { type Answer, post } from './asking.ts';
import { type Hired, hire, hireWith } from './custom-roles.ts';
import { contactId, deleteThem, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

const codes = ({ userErrors }: { userErrors: { code: string }[] }) => userErrors.map(({ code }) => code);

/** Someone who may do everything with contacts, but sees nothing of these groups. */
const hiding = (world: World, ...hiddenFields: FieldGroup[]): Promise<Hired> => hireWith(world, { permissions: staffPermissions, hiddenFields });

const everyField = `email street city postalCode country birthDate notes { nodes { body } } activities { nodes { subject } } customFields { value }
  payments { nodes { id } } ledgerEntries { nodes { id } } balances { amountMinor } balance { amountMinor }`;

/** The names of the fields of the first contact that are null though others see something. */
const missing = ({ data }: Answer): string[] =>
  Object.entries((data as { contacts: { nodes: object[] } }).contacts.nodes[0]!)
    .filter(([, value]) => value === null)
    .map(([name]) => name);

/** One contact with something in every field. */
async function full(world: World): Promise<string> {
  await fill(world, 3);
  const id = (await liveIds(world))[2]!;
  await world.owner.query(`delete from contact_point`);
  await world.owner.query(
    `update contact set first_name = 'Ada', last_name = 'Okoro', email = 'ada@okoro.example', email_normalized = 'ada@okoro.example', street = 'Dock 1', city = 'Ghent',
      postal_code = '9000', country = 'Belgium', birth_date = '1984-05-09', sort_name = 'aaa', search_text = 'ada okoro ada@okoro.example' where id = $1`,
    [id],
  );
  await world.owner.query(
    `insert into contact_point (organization_id, id, contact_id, kind, value, normalized)
     select $1, gen_random_uuid(), $2, kind, kind || ' of Ada', kind from unnest(array['PHONE', 'ADDRESS']) kind`,
    [world.organizationId(), id],
  );
  return id;
}

describe('a hidden group', () => {
  it('takes away its own fields and nothing else, and the answer says which and why, without an error', async () => {
    await using world = await createWorld();
    await full(world);
    const ask = (token: string) => post(world, token, `{ contacts(first: 1) { nodes { ${everyField} contactPoints { kind } } } }`);
    expect(missing(await ask(await world.token('Super admin')))).toEqual([]);
    const table: Record<FieldGroup, string[]> = {
      EMAIL_AND_PHONE: ['email'],
      ADDRESS: ['street', 'city', 'postalCode', 'country'],
      BIRTH_DATE: ['birthDate'],
      NOTES: ['notes', 'activities'],
      CUSTOM_FIELDS: ['customFields'],
      PAYMENTS: ['payments', 'ledgerEntries'],
      BALANCES: ['ledgerEntries', 'balances', 'balance'],
    };
    for (const group of allFieldGroups) {
      const { token } = await hiding(world, group);
      const answer = await ask(token);
      expect([group, answer.errors, missing(answer)]).toEqual([group, [], table[group]]);
      const partly = group === 'EMAIL_AND_PHONE' || group === 'ADDRESS' ? ['contactPoints'] : [];
      expect(answer.hidden.map(({ path }) => path.join('.')).toSorted()).toEqual(
        [...table[group], ...partly].map((name) => `contacts.nodes.${name}`).toSorted(),
      );
      for (const part of answer.hidden) expect([part.group, part.reason]).toEqual([group, expect.stringMatching(/^Your roles hide it \(.+\)\. Ask an admin/)]);
    }
    const points = async (...groups: FieldGroup[]) => {
      const { data } = await post(world, (await hiding(world, ...groups)).token, '{ contacts(first: 1) { nodes { contactPoints { value } } } }');
      return (data as { contacts: { nodes: unknown[] } }).contacts.nodes[0];
    };
    expect(await points('ADDRESS')).toEqual({ contactPoints: [{ value: 'PHONE of Ada' }] });
    expect(await points('EMAIL_AND_PHONE')).toEqual({ contactPoints: [{ value: 'ADDRESS of Ada' }] });
    expect(await points('ADDRESS', 'EMAIL_AND_PHONE')).toEqual({ contactPoints: null });
  });

  it('is named once for a place in the answer, however many rows there are, and at most 100 times', async () => {
    await using world = await createWorld();
    await fill(world, 20);
    const { token } = await hiding(world, 'EMAIL_AND_PHONE');
    const { hidden } = await post(world, token, '{ contacts(first: 20) { nodes { email other: email } edges { node { ... on Contact { email } } } } }');
    expect(hidden.map(({ path }) => path.join('.'))).toEqual(['contacts.nodes.email', 'contacts.nodes.other', 'contacts.edges.node.email']);
    // As many aliases as there may be, and in three places each.
    const aliases = Array.from(
      { length: 48 },
      (_, index) => `a${index}: contacts(first: 1) { nodes { email contactPoints { value } } edges { node { email } } }`,
    ).join(' ');
    expect((await post(world, token, `{ ${aliases} }`)).hidden).toHaveLength(100);
    expect((await post(world, token, '{ contacts(first: 1) { nodes { firstName } } }')).text).not.toContain('extensions');
  });

  it('is seen when one role shows it; roles that are not about contacts or payments do not say', async () => {
    await using world = await createWorld();
    await full(world);
    const contacts = ['contacts:read', 'payments:read'] as const;
    const seen = async (...given: Parameters<typeof hireWith>[1][]) =>
      missing(await post(world, (await hireWith(world, ...given)).token, `{ contacts(first: 1) { nodes { email birthDate city } } }`));
    expect(await seen({ permissions: contacts, hiddenFields: ['EMAIL_AND_PHONE', 'ADDRESS'] })).toEqual(['email', 'city']);
    expect(await seen({ permissions: contacts, hiddenFields: ['EMAIL_AND_PHONE'] }, { permissions: ['payments:read'], hiddenFields: ['BIRTH_DATE'] })).toEqual(
      [],
    );
    expect(
      await seen(
        { permissions: contacts, hiddenFields: ['EMAIL_AND_PHONE', 'BIRTH_DATE'] },
        { permissions: ['contacts:read'], hiddenFields: ['BIRTH_DATE', 'ADDRESS'] },
      ),
    ).toEqual(['birthDate']);
    expect(await seen({ permissions: contacts, hiddenFields: ['EMAIL_AND_PHONE'] }, { permissions: ['log:read', 'staff:read'] })).toEqual(['email']);
  });

  it('can not be filtered, sorted, searched or counted by, and no cursor or name gives it away', async () => {
    await using world = await createWorld();
    const id = await full(world);
    await world.owner.query(
      `update contact set first_name = null, last_name = null, company = null, email = 'zz' || email, email_normalized = 'zz' || email_normalized, sort_name = 'zz' || email_normalized,
        member_number = null, search_text = 'zz' || email where id <> $1`,
      [id],
    );
    const blind = await hiding(world, 'EMAIL_AND_PHONE', 'ADDRESS', 'BALANCES');
    const one = await hire(world, 'contacts:delete', 'contacts:read');
    for (const filter of ['email: "ada@okoro.example"', 'hasEmail: true', 'country: "Belgium"', 'balance: OWING']) {
      for (const query of [
        `contacts(filter: { ${filter} }) { totalCount { count } }`,
        `contactDeletionPreview(input: { filter: { ${filter} } }) { contactCount }`,
      ]) {
        const { errors, data } = await post(world, blind.token, `{ ${query} }`);
        expect([query, errors, data]).toEqual([query, [expect.objectContaining({ code: 'HIDDEN_FIELD' })], null]);
      }
      const mutation = `mutation { deleteContacts(input: { filter: { ${filter} }, confirmation: "x", reason: "x" }) { userErrors { code } } }`;
      expect((await post(world, blind.token, mutation)).errors).toMatchObject([{ code: 'HIDDEN_FIELD' }]);
    }
    // Nor by whoever lacks the permission to see balances, whichever way.
    const preview = '{ contactDeletionPreview(input: { filter: { balance: OWING } }) { contactCount } }';
    expect((await post(world, one.token, preview)).errors).toMatchObject([{ code: 'FORBIDDEN' }]);
    expect((await post(world, blind.token, '{ contacts(orderBy: { field: EMAIL }) { nodes { id } } }')).errors).toMatchObject([{ code: 'HIDDEN_FIELD' }]);
    const found = async (token: string, search: string) => {
      const { data } = await post(world, token, `{ contacts(search: "${search}") { totalCount { count } nodes { id } } }`);
      return (data as { contacts: { totalCount: { count: number }; nodes: unknown[] } }).contacts;
    };
    expect(await found(await world.token('Viewer'), 'ada@okoro')).toEqual({ totalCount: { count: 1 }, nodes: [{ id: contactId(id) }] });
    expect(await found(blind.token, 'ada@okoro')).toEqual({ totalCount: { count: 0 }, nodes: [] });
    expect(await found(blind.token, 'ADA okoro')).toEqual({ totalCount: { count: 1 }, nodes: [{ id: contactId(id) }] });
    for (const direction of ['ASC', 'DESC']) {
      const places: string[] = [];
      const ids: string[] = [];
      let after = '';
      for (let page = 0; page < 3; page++) {
        const answer = await post(
          world,
          blind.token,
          `{ contacts(first: 1, orderBy: { field: NAME, direction: ${direction} } ${after}) { nodes { id name } pageInfo { endCursor } } }`,
        );
        const { nodes, pageInfo } = (answer.data as { contacts: { nodes: { id: string; name: string }[]; pageInfo: { endCursor: string } } }).contacts;
        ids.push(nodes[0]!.id);
        places.push(nodes[0]!.name, Buffer.from(pageInfo.endCursor, 'base64url').toString());
        after = `, after: "${pageInfo.endCursor}"`;
      }
      expect(places.join(' ')).not.toMatch(/@|zz/);
      // Who has no name comes last, by age.
      const nameless = (await liveIds(world)).filter((other) => other !== id).map(contactId);
      expect(ids).toEqual([contactId(id), ...(direction === 'ASC' ? nameless : nameless.toReversed())]);
      expect(places).toContain('—');
    }
    const { rows } = await world.owner.query(`select distinct action, code from action_log where code = 'HIDDEN_FIELD' order by action`);
    expect(rows).toEqual(['contactDeletionPreview', 'contacts', 'deleteContacts'].map((action) => ({ action, code: 'HIDDEN_FIELD' })));
  });

  it('can not be written, added to or emptied, one by one or by the batch; the rest can', async () => {
    await using world = await createWorld();
    const id = contactId(await full(world));
    const before = await world.owner.query('select * from contact order by id');
    const { client } = await hiding(world, ...allFieldGroups);
    const { version } = (await client.request(sdk.ContactDocument, { id })).contact;
    for (const change of [{ email: 'new@okoro.example' }, { email: null }, { city: 'Porto' }, { birthDate: null }])
      expect(codes((await client.request(sdk.UpdateContactDocument, { input: { id, version, ...change } })).updateContact)).toEqual(['HIDDEN_FIELD']);
    // Whether there is an email is not told by what may be emptied.
    const nameless = { firstName: null, lastName: null, company: null };
    expect(codes((await client.request(sdk.UpdateContactDocument, { input: { id, version, ...nameless } })).updateContact)).toEqual(['NO_NAME_OR_EMAIL']);
    const drafts = [
      { firstName: 'A', email: 'a@okoro.example' },
      { firstName: 'B', contactPoints: [{ kind: 'PHONE' as const, value: '1' }] },
      { firstName: 'C', contactPoints: [{ kind: 'ADDRESS' as const, value: '1' }] },
      { firstName: 'D', notes: ['x'] },
      { firstName: 'E', customFields: [{ key: 'shirt', value: 'L' }] },
      { firstName: 'F', birthDate: '1984-05-09' },
      { firstName: 'G' },
    ];
    for (const input of drafts.slice(0, -1))
      expect(codes((await client.request(sdk.CreateContactDocument, { input })).createContact)).toEqual(['HIDDEN_FIELD']);
    const { createContacts } = await client.request(sdk.CreateContactsDocument, { input: { contacts: drafts } });
    expect(createContacts.results.flatMap(codes)).toEqual(drafts.slice(1).map(() => 'HIDDEN_FIELD'));
    expect(createContacts.createdCount).toBe(1);
    expect(codes((await client.request(sdk.AddNoteDocument, { input: { contactId: id, body: 'x' } })).addNote)).toEqual(['HIDDEN_FIELD']);
    expect(codes((await client.request(sdk.AddActivityDocument, { input: { contactId: id, kind: 'CALL', subject: 'x' } })).addActivity)).toEqual([
      'HIDDEN_FIELD',
    ]);
    expect(codes((await client.request(sdk.AddPaymentDocument, { input: { contactId: id, amountMinor: 1, method: 'CASH' } })).addPayment)).toEqual([
      'HIDDEN_FIELD',
    ]);
    expect(codes((await client.request(sdk.AddChargeDocument, { input: { contactId: id, amountMinor: 1, description: 'x' } })).addCharge)).toEqual([
      'HIDDEN_FIELD',
    ]);
    expect((await world.owner.query(`select * from contact where first_name is distinct from 'G' order by id`)).rows).toEqual(before.rows);
    expect(codes((await client.request(sdk.UpdateContactDocument, { input: { id, version, jobTitle: 'Clerk' } })).updateContact)).toEqual([]);
    const { rows } = await world.owner.query<{ email: string }>(`select email from contact where job_title = 'Clerk'`);
    expect(rows).toEqual([{ email: 'ada@okoro.example' }]);
  });

  it('is not merged or replaced blindly by a recovery, and no plan counts it', async () => {
    await using world = await createWorld();
    const id = await full(world);
    const { deletion } = await deleteThem(world, { contactIds: [contactId(id)] });
    const admin = await world.as('Super admin');
    await admin.request(sdk.CreateContactDocument, { input: { firstName: 'Other', email: 'ada@okoro.example' } });
    const { client } = await hiding(world, 'PAYMENTS', 'NOTES');
    const input = { selection: { deletionId: deletion!.id } };
    const seen = (await admin.request(sdk.RecoveryPlanDocument, { input })).recoveryPlan;
    const { recoveryPlan } = await client.request(sdk.RecoveryPlanDocument, { input });
    expect(seen.conflicts.nodes.map(({ policy }) => policy)).toEqual(['MERGE']);
    expect(recoveryPlan.conflicts.nodes.map(({ policy }) => policy)).toEqual(['SKIP']);
    const kinds = (plan: typeof seen) => plan.rows.map(({ kind }) => kind);
    expect(
      kinds(seen)
        .filter((kind) => !kinds(recoveryPlan).includes(kind))
        .toSorted(),
    ).toEqual(['ActionDetail', 'Activity', 'LedgerEntry', 'Note', 'Payment']);
    const total = (hash: string) => (JSON.parse(Buffer.from(hash, 'base64url').toString()) as number[])[1];
    expect(total(recoveryPlan.hash)).toBe(recoveryPlan.rows.reduce((sum, { count }) => sum + count, 0));
    const order = (policy: 'MERGE' | 'REPLACE' | null, overrides: sdk.ConflictOverrideInput[] = []) =>
      client.request(sdk.RequestRecoveryDocument, {
        input: { ...input, conflictPolicy: policy, overrides, planHash: recoveryPlan.hash, idempotencyKey: `blind-${policy}-${overrides.length}` },
      });
    expect(codes((await order('MERGE')).requestRecovery)).toEqual(['FORBIDDEN_POLICY']);
    expect(codes((await order('REPLACE')).requestRecovery)).toEqual(['FORBIDDEN_POLICY']);
    expect(codes((await order(null, [{ contactId: contactId(id), policy: 'MERGE' }])).requestRecovery)).toEqual(['FORBIDDEN_POLICY']);
    const { requestRecovery } = await order(null);
    expect(requestRecovery.recoveryRequest).toMatchObject({ conflictPolicy: 'SKIP', state: 'AWAITING_PAYMENT' });
    await (
      await world.as('Operator')
    ).request(sdk.ConfirmPaymentDocument, {
      input: { organizationId: encodeId('Organization', world.organizationId()), invoiceId: requestRecovery.recoveryRequest!.invoice.id, reference: 'x' },
    });
    await runJobs(world);
    expect((await client.request(sdk.RecoveryRequestDocument, { id: requestRecovery.recoveryRequest!.id })).recoveryRequest).toMatchObject({ mergedCount: 0 });
  });
});

describe('what hides', () => {
  it('is part of a role: shown in human words, copied, changed, in the log, and in force from the next request on', async () => {
    await using world = await createWorld();
    await full(world);
    const admin = await world.as('Super admin');
    const { createRole } = await admin.request(sdk.CreateRoleDocument, {
      input: { name: 'Desk', description: 'Front desk.', permissions: ['contacts:read'], hiddenFields: ['NOTES', 'EMAIL_AND_PHONE'] },
    });
    const { id, hiddenFields } = createRole.role!;
    expect(hiddenFields).toMatchObject([
      { group: 'EMAIL_AND_PHONE', title: 'Email and phone', description: expect.stringContaining('further ways') as string },
      { group: 'NOTES' },
    ]);
    const { copyRole } = await admin.request(sdk.CopyRoleDocument, { input: { id, name: 'Desk 2' } });
    expect(copyRole.role!.hiddenFields.map(({ group }) => group)).toEqual(['EMAIL_AND_PHONE', 'NOTES']);
    const viewer = await world.as('Viewer');
    const { rows } = await world.owner.query<{ id: string }>(`select id from staff_member where name = 'Viewer of Riverside Club'`);
    await admin.request(sdk.AssignRolesDocument, { input: { staffMemberId: encodeId('StaffMember', rows[0]!.id), roleIds: [id] } });
    const emails = async () => (await viewer.request(sdk.ContactsDocument, {})).contacts.nodes.some(({ email }) => email !== null);
    expect(await emails()).toBe(false);
    expect((await viewer.request(sdk.ViewerDocument)).viewer).toMatchObject({ hiddenFields: ['EMAIL_AND_PHONE', 'NOTES'], tagScope: null });
    const { updateRole } = await admin.request(sdk.UpdateRoleDocument, { input: { id, hiddenFields: ['NOTES'] } });
    expect(updateRole.role).toMatchObject({ name: 'Desk', hiddenFields: [{ group: 'NOTES' }], permissions: [{ permission: 'contacts:read' }] });
    expect(await emails()).toBe(true);
    const log = await world.owner.query(`select action from action_log where action like 'role.%' order by id`);
    expect(log.rows.map(({ action }: { action?: string }) => action)).toEqual(['role.created', 'role.copied', 'role.updated']);
  });

  it('is never lifted by whoever does not see it: not for others, not for themselves, not through a key', async () => {
    await using world = await createWorld();
    const blind = await hiding(world, 'EMAIL_AND_PHONE', 'BALANCES');
    const { client } = blind;
    const create = async (name: string, hiddenFields?: FieldGroup[]) =>
      (
        await client.request(sdk.CreateRoleDocument, {
          input: { name, description: 'x', permissions: ['contacts:read'], ...(hiddenFields ? { hiddenFields } : {}) },
        })
      ).createRole;
    expect(codes(await create('All', []))).toEqual(['CANNOT_GRANT']);
    expect(codes(await create('Most', ['BALANCES']))).toEqual(['CANNOT_GRANT']);
    expect((await create('Same')).role!.hiddenFields.map(({ group }) => group)).toEqual(['EMAIL_AND_PHONE', 'BALANCES']);
    const less = await create('Less', ['BALANCES', 'EMAIL_AND_PHONE', 'NOTES']);
    expect(codes(less)).toEqual([]);
    const roles = new Map((await client.request(sdk.RolesDocument)).roles.map((role) => [role.name, role.id]));
    expect(codes((await client.request(sdk.CopyRoleDocument, { input: { id: roles.get('Viewer')!, name: 'Copy' } })).copyRole)).toEqual(['CANNOT_GRANT']);
    expect(codes((await client.request(sdk.UpdateRoleDocument, { input: { id: less.role!.id, hiddenFields: [] } })).updateRole)).toEqual(['CANNOT_GRANT']);
    const self = encodeId('StaffMember', blind.id);
    expect(codes((await client.request(sdk.AssignRolesDocument, { input: { staffMemberId: self, roleIds: [roles.get('Viewer')!] } })).assignRoles)).toEqual([
      'CANNOT_GRANT',
    ]);
    const { rows } = await world.owner.query<{ id: string }>(`select id from staff_member where name = 'Viewer of Riverside Club'`);
    const viewer = encodeId('StaffMember', rows[0]!.id);
    expect(codes((await client.request(sdk.SuspendStaffMemberDocument, { input: { staffMemberId: viewer } })).suspendStaffMember)).toEqual(['CANNOT_GRANT']);
    const key = async (hiddenFields?: FieldGroup[]) =>
      (await client.request(sdk.CreateApiKeyDocument, { input: { name: 'Key', permissions: ['contacts:read'], ...(hiddenFields ? { hiddenFields } : {}) } }))
        .createApiKey;
    expect(codes(await key([]))).toEqual(['CANNOT_GRANT']);
    const { key: secret, apiKey } = await key(['EMAIL_AND_PHONE', 'BALANCES', 'ADDRESS']);
    expect(apiKey!.hiddenFields.map(({ group }) => group)).toEqual(['EMAIL_AND_PHONE', 'ADDRESS', 'BALANCES']);
    await full(world);
    expect(missing(await post(world, secret!, '{ contacts(first: 1) { nodes { email city birthDate } } }'))).toEqual(['email', 'city']);
    expect((await key()).apiKey!.hiddenFields.map(({ group }) => group)).toEqual(['EMAIL_AND_PHONE', 'BALANCES']);
  });

  it('takes effect on an open subscription with its next event', async () => {
    await using world = await createWorld();
    const id = await full(world);
    const { deletion } = await deleteThem(world, { contactIds: [contactId(id)] });
    await (await world.as('Super admin')).request(sdk.CreateContactDocument, { input: { firstName: 'Other', email: 'ada@okoro.example' } });
    const blind = await hireWith(world, { permissions: staffPermissions });
    const input = { selection: { deletionId: deletion!.id }, conflictPolicy: 'SKIP' as const };
    const { recoveryPlan } = await blind.client.request(sdk.RecoveryPlanDocument, { input });
    const { requestRecovery } = await blind.client.request(sdk.RequestRecoveryDocument, {
      input: { ...input, planHash: recoveryPlan.hash, idempotencyKey: 'live-key' },
    });
    const request = requestRecovery.recoveryRequest!;
    const socket = createClient({ url: world.url.replace('http', 'ws'), connectionParams: { accessToken: blind.token }, retryAttempts: 0 });
    const events = socket.iterate({
      query: 'subscription ($id: ID!) { recoveryProgress(id: $id) { state deletion { balances { amountMinor } } } }',
      variables: { id: request.id },
    });
    expect((await events.next()).value).toEqual({ data: { recoveryProgress: { state: 'AWAITING_PAYMENT', deletion: { balances: [expect.anything()] } } } });
    await world.owner.query(`update role set hidden_fields = '{BALANCES}' where id = $1`, [blind.roleIds[0]]);
    await blind.client.request(sdk.CancelRecoveryDocument, { input: { id: request.id } });
    expect((await events.next()).value).toEqual({
      data: { recoveryProgress: { state: 'CANCELLED', deletion: { balances: null } } },
      extensions: { hidden: [{ path: ['recoveryProgress', 'deletion', 'balances'], group: 'BALANCES', reason: expect.stringContaining('hide') as string }] },
    });
    await socket.dispose();
  });
});
