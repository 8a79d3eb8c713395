// Nobody without `contacts:delete` takes a contact or anything that it owns away, whatever they do: every mutation is done by
// someone who may do all else, its job included, and everything that was there is still there.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { type Permission, staffPermissions } from '../src/permissions/catalogue.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactGraph } from '../src/snapshots/graph.ts';
import { quoted } from '../src/sql.ts';
import { post } from './asking.ts';
import { hire } from './custom-roles.ts';
import { everyField, type Given, takes, variablesFor, isForOperators } from './every-field.ts';
import { createFullWorld, type Scene, settings } from './full-world.ts';
import { deleteThem, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { Template } from './setup.ts';
import { documentOf, rootFields } from './walk.ts';

/** What removes contacts, and says so. */
const removing: readonly Permission[] = ['contacts:delete', 'contacts:erase'];
const allElse = staffPermissions.filter((permission) => !removing.includes(permission));

/** Mutations that are refused in this world, with what they say; all others are done. */
const refusedHere: Record<string, string> = {
  'Mutation.createContactExportLink': 'NOT_ORDERED_BY_YOU',
  'Mutation.signIn': 'SIGN_IN_FAILED',
  'Mutation.completeSignIn': 'CHALLENGE_EXPIRED',
  'Mutation.startProviderSignIn': 'PROVIDER_FAILED',
  'Mutation.completeProviderSignIn': 'CHALLENGE_EXPIRED',
  'Mutation.refreshSession': 'REFRESH_FAILED',
  'Mutation.resetPassword': 'RESET_FAILED',
  'Mutation.acceptInvitation': 'INVITATION_OVER',
  'Mutation.proveIdentity': 'PROOF_FAILED',
  'Mutation.changePassword': 'WRONG_PASSWORD',
  'Mutation.beginSecondFactor': 'WRONG_PASSWORD',
  'Mutation.confirmSecondFactor': 'SECOND_FACTOR_OFF',
  'Mutation.removeSecondFactor': 'SECOND_FACTOR_OFF',
  'Mutation.renewRecoveryCodes': 'SECOND_FACTOR_OFF',
  'Mutation.createIdentityProvider': 'CANNOT_GRANT',
  'Mutation.approveRecovery': 'NOT_AWAITING_APPROVAL',
  // Its job has ended.
  'Mutation.cancelRecovery': 'NOT_CANCELLABLE',
};

/** What a mutation may take away of what a contact owns, because that is what it is for. */
const takesAway: Record<string, RegExp> = {
  'Mutation.untagContacts': /^contact_tag /,
};

/** Further ways of asking that could remove something: with conflicts replaced or merged, and with nothing left of a contact. */
function moreWays(mine: Scene): Record<string, Given[]> {
  const order = (policies: Omit<sdk.RecoveryPlanInput, 'selection'>, idempotencyKey: string): Given => ({
    input: { ...whole(mine.Deletion), ...policies, idempotencyKey, planHash: '' },
  });
  const overrides = (policy: sdk.ConflictPolicy) => [{ contactId: mine.deletedContact, policy }];
  const nothing = { firstName: null, lastName: null, email: null, company: null, city: '', memberNumber: null };
  return {
    'Mutation.updateContact': [{ input: { id: mine.Contact, version: 1, ...nothing } }],
    'Mutation.requestRecovery': [
      order({ conflictPolicy: 'REPLACE' }, 'replace-all'),
      order({ overrides: overrides('REPLACE') }, 'replace-one'),
      order({ conflictPolicy: 'SKIP', overrides: overrides('REPLACE') }, 'replace-one-still'),
      order({ conflictPolicy: 'MERGE', overrides: overrides('MERGE') }, 'merge-all'),
    ],
  };
}

let frozen: Template & AsyncDisposable;
let mine: Scene;
let token: string;
let adminToken: string;

beforeAll(async () => {
  const full = await createFullWorld();
  mine = full.mine;
  token = (await hire(full.world, ...allElse)).token;
  adminToken = await full.world.token('Super admin');
  frozen = await full.world.freeze();
});
afterAll(() => frozen[Symbol.asyncDispose]());

/** The key of every row that is a contact or that a contact owns, in both organizations, as "note {…}". */
async function owned(world: World): Promise<Set<string>> {
  const found = new Set<string>();
  for (const { name, contactColumn } of contactGraph(world.app.database.orm).tables) {
    const { rows } = await world.owner.query<{ key: string }>(
      `select (select jsonb_object_agg(attname, to_jsonb(t) -> attname::text) from pg_index join pg_attribute on attrelid = indrelid and attnum = any (indkey)
         where indrelid = $1::regclass and indisprimary) || jsonb_build_object('of', to_jsonb(t) -> $2) as key from ${quoted(name)} t`,
      [quoted(name), contactColumn],
    );
    for (const { key } of rows) found.add(`${name} ${JSON.stringify(key)}`);
  }
  return found;
}

/** Does a mutation, pays what it ordered, and lets its jobs end. @returns its codes; what has gone by then */
async function done(world: World, path: string, who: string, given: Given): Promise<{ codes: string[]; gone: string[] }> {
  const before = await owned(world);
  const variables = await variablesFor(world.client(who), given);
  const input = variables['input'] as { planHash?: string } & sdk.RecoveryPlanInput;
  if (input.planHash === '') {
    const { selection, conflictPolicy, overrides } = input;
    const asked = { input: { selection, conflictPolicy: conflictPolicy ?? null, overrides: overrides ?? null } };
    input.planHash = (await (await world.as('Super admin')).request(sdk.RecoveryPlanDocument, asked)).recoveryPlan.hash;
  }
  const { errors, text } = await post(world, who, documentOf(path), variables);
  const { rows } = await world.owner.query<{ id: string; of: string }>(`select id, organization_id as of from invoice where state = 'OPEN'`);
  if (path === 'Mutation.requestRecovery') for (const { id, of } of rows) await pay(world, encodeId('Invoice', id), of);
  await runJobs(world);
  const after = await owned(world);
  const userErrors = [...text.matchAll(/\{"code":"(\w+)","message"/g)].map(([, code]) => code!);
  return { codes: [...errors.map(({ code }) => code), ...userErrors], gone: [...before].filter((row) => !after.has(row)) };
}

const graphTables = (world: World) => contactGraph(world.app.database.orm).tables.map(({ name }) => name);

describe('someone who may do everything but delete and erase', () => {
  it('does every other mutation, and takes no contact away, nor anything that one owns', async () => {
    await using world = await createWorld({ template: frozen, settings });
    const operator = await world.token('Operator');
    const outcomes: unknown[] = [];
    const expected: unknown[] = [];
    const statements = await world.statements(async () => {
      for (const [path, [given]] of Object.entries(everyField(mine)).filter(([path]) => path.startsWith('Mutation'))) {
        const { codes, gone } = await done(world, path, isForOperators(path) ? operator : token, given);
        const isRemoving = takes.get(path)!.permissions.some((permission) => removing.includes(permission));
        const left = gone.filter((row) => !takesAway[path]?.test(row));
        outcomes.push([path, codes, left]);
        expected.push([path, isRemoving ? ['FORBIDDEN'] : [refusedHere[path] ?? []].flat(), []]);
      }
    });
    expect(outcomes).toEqual(expected);
    expect(outcomes).toHaveLength([...rootFields.keys()].filter((path) => path.startsWith('Mutation')).length);
    // Neither was anything taken away and put back.
    const removal = new RegExp(`(delete from|truncate|merge into)( only)? "?(${graphTables(world).join('|')})\\b`, 'i');
    expect([...new Set(statements.filter((statement) => removal.test(statement)).map((statement) => removal.exec(statement)![3]))]).toEqual(['contact_tag']);
  });

  it('does so in no other way: neither by emptying a contact nor by a recovery that puts others in its place', async () => {
    const codes: Record<string, string[]> = {};
    for (const [path, ways] of Object.entries(moreWays(mine)))
      for (const [place, given] of ways.entries()) {
        await using world = await createWorld({ template: frozen, settings });
        const outcome = await done(world, path, token, given);
        expect([path, given, outcome.gone]).toEqual([path, given, []]);
        codes[`${path} ${place}`] = outcome.codes;
      }
    expect(codes).toEqual({
      'Mutation.updateContact 0': ['NO_NAME_OR_EMAIL'],
      'Mutation.requestRecovery 0': ['FORBIDDEN_POLICY'],
      'Mutation.requestRecovery 1': ['FORBIDDEN_POLICY'],
      'Mutation.requestRecovery 2': ['FORBIDDEN_POLICY'],
      'Mutation.requestRecovery 3': [],
    });
  });

  it('merges what was deleted with who has its email now, and both keep all that they own', async () => {
    await using world = await createWorld({ template: frozen, settings });
    const admin = await world.as('Super admin');
    const email = 'both@riverside.example';
    await admin.request(sdk.UpdateContactDocument, { input: { id: mine.Contact, version: 1, email } });
    const { deletion } = await deleteThem(world, { contactIds: [mine.Contact] });
    const { createContact } = await admin.request(sdk.CreateContactDocument, { input: { email, notes: ['Of now'], tags: ['newsletter'] } });
    expect(createContact.userErrors).toEqual([]);
    const input = { ...whole(deletion!.id), conflictPolicy: 'MERGE', idempotencyKey: 'merge-one', planHash: '' };
    expect(await done(world, 'Mutation.requestRecovery', token, { input })).toEqual({ codes: [], gone: [] });
    const { rows } = await world.owner.query(
      'select k.merged_count as merged from recovery_chunk k join recovery_request r on r.id = k.recovery_request_id where r.idempotency_key = $1',
      ['merge-one'],
    );
    expect(rows).toEqual([{ merged: 1 }]);
  });

  it('is told apart from someone who may delete, by whom rows do go', async () => {
    await using world = await createWorld({ template: frozen, settings });
    for (const path of ['Mutation.undoRecovery', 'Mutation.deleteContacts', 'Mutation.eraseContacts']) {
      const { codes, gone } = await done(world, path, adminToken, everyField(mine)[path]![0]);
      expect([path, codes, gone.some((row) => row.startsWith('contact '))]).toEqual([path, [], path !== 'Mutation.eraseContacts']);
    }
  });
});

describe('the database', () => {
  it('takes nothing of a contact away by itself: no key, trigger or rule goes on from another table', async () => {
    await using world = await createWorld({ template: frozen, settings });
    const rows = async (text: string) => (await world.owner.query<{ of: string }>(text)).rows.map(({ of }) => of);
    const going = await rows(
      `select conrelid::regclass || ' of ' || confrelid::regclass as of from pg_constraint where contype = 'f' and (confdeltype <> 'a' or confupdtype <> 'a') order by 1`,
    );
    expect(going).toEqual([
      'credential of account',
      'refresh_token of session',
      'second_factor of account',
      'session of account',
      'webhook_delivery of webhook_endpoint',
    ]);
    expect(going.filter((key) => graphTables(world).some((table) => key.startsWith(`${table} `)))).toEqual([]);
    expect(
      await rows(
        `select tgrelid::regclass || ' ' || tgfoid::regproc as of from pg_trigger where not tgisinternal and tgrelid::regclass::text !~ '^graphile_worker' order by 1`,
      ),
    ).toEqual(['action_log queue_for_sealing', 'action_log refuse_change', 'action_seal refuse_change']);
    expect(
      await rows(
        `select ev_class::regclass::text as of from pg_rewrite where ev_class::regclass::text = any (select tablename from pg_tables where schemaname = 'public')`,
      ),
    ).toEqual([]);
  });
});
