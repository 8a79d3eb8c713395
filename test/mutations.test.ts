// Every mutation, tried by everyone who could come in and by those who may not: what each may do follows from the table in
// every-field.ts and from what they hold, and from nothing else. What the built-in roles may is in matrix.test.ts.
import { decodeJwt, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ReinstateError } from '../sdk/client.ts';
import { SuspendStaffMemberDocument } from '../sdk/generated.ts';
import { type Permission, personalPermissions, platformPermissions, staffPermissions } from '../src/permissions/catalogue.ts';
import { decodeId, encodeId } from '../src/schema/common.ts';
import { hire, makeKey } from './custom-roles.ts';
import { askFor, everyField, isForOperators, takes } from './every-field.ts';
import { createFullWorld, rowsOf } from './full-world.ts';
import type { World } from './harness.ts';
import { testKeys } from './people.ts';
import { rootFields } from './walk.ts';

const mutations = [...rootFields.keys()].filter((path) => path.startsWith('Mutation.'));

interface Actor {
  name: string;
  token: string | undefined;
  /** What they hold; null for whoever is not let in, whatever they hold. */
  holds: readonly Permission[] | null;
  /** Who the action log says it was; null where it can't know, or there is no log. */
  logged: { kind: string; id: string } | null;
  /** Their token is no token, so that nothing is answered at all. */
  broken?: true;
}

/** The same token as it is once its time is over. */
async function expired(token: string): Promise<string> {
  const { iat, ...claims } = decodeJwt(token);
  return new SignJWT({ ...claims, exp: iat! - 1 })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuedAt(iat! - 3600)
    .sign(testKeys.tokens);
}

/** Someone with a role of these permissions. */
async function member(world: World, name: string, holds: readonly Permission[]): Promise<Actor> {
  const { id, token } = await hire(world, ...holds);
  return { name, token, holds, logged: { kind: 'STAFF', id } };
}

async function integration(world: World, name: string, holds: Permission[]): Promise<Actor> {
  const { id, key } = await makeKey(world, holds);
  return { name, token: key, holds, logged: { kind: 'API_KEY', id: decodeId('ApiKey', id) } };
}

/** What mutations take, each once. */
const taken = [...new Map(mutations.map((path) => takes.get(path)?.permissions ?? []).map((permissions) => [permissions.join(' and '), permissions])).values()];
const isPersonal = (permission: Permission) => personalPermissions.includes(permission);

async function actors(world: World): Promise<Actor[]> {
  const found: Actor[] = [
    await member(world, 'a role with nothing', []),
    await integration(world, 'a key with nothing', []),
    { name: 'signed out', token: undefined, holds: null, logged: null },
    { name: 'an expired token', token: await expired(await world.token('Super admin')), holds: null, logged: null, broken: true },
    { name: 'an operator', token: await world.token('Operator'), holds: platformPermissions, logged: null },
  ];
  const suspended = await member(world, 'a suspended member', staffPermissions);
  const input = { staffMemberId: encodeId('StaffMember', suspended.logged!.id) };
  await (await world.as('Super admin')).request(SuspendStaffMemberDocument, { input });
  const revoked = await integration(world, 'a revoked key', []);
  await world.owner.query(`update api_key set revoked_at = now(), permissions = $1 where id = $2`, [staffPermissions, revoked.logged!.id]);
  const late = await integration(world, 'a key that has expired', []);
  await world.owner.query(`update api_key set expires_at = now(), permissions = $1 where id = $2`, [staffPermissions, late.logged!.id]);
  found.push(...[suspended, revoked, late].map((actor) => ({ ...actor, holds: null, logged: null })));
  // Keys never hold what says who may do what, so people are tried with that.
  const make = (name: string, holds: Permission[], personal: boolean) =>
    personal ? member(world, `a role with ${name}`, holds) : integration(world, `a key with ${name}`, holds);
  for (const permissions of taken.filter((some) => some.length > 0 && some.every((one) => staffPermissions.includes(one)))) {
    found.push(await make(permissions.join(' and '), permissions, permissions.some(isPersonal)));
    for (const permission of permissions.filter((one) => !found.some(({ name }) => name.endsWith(`all but ${one}`)))) {
      const rest = staffPermissions.filter((one) => one !== permission && (isPersonal(permission) || !isPersonal(one)));
      found.push(await make(`all but ${permission}`, rest, isPersonal(permission)));
    }
  }
  return found;
}

/** "yes", or the code that the rules say. */
function expectedFor({ holds, broken, logged }: Actor, path: string): string {
  const { signedIn, person, permissions } = takes.get(path)!;
  if (!signedIn && !broken) return 'yes';
  if (!holds) return 'UNAUTHENTICATED';
  if (person && logged?.kind === 'API_KEY') return 'FORBIDDEN';
  return permissions.every((permission) => holds.includes(permission)) ? 'yes' : 'FORBIDDEN';
}

let full: Awaited<ReturnType<typeof createFullWorld>>;
let everyone: Actor[];
beforeAll(async () => {
  full = await createFullWorld();
  everyone = await actors(full.world);
});
afterAll(() => full[Symbol.asyncDispose]());

/** "yes" for whoever got past the rules: what is refused or not found behind them is another matter. */
const answer = async ({ token }: Actor, path: string): Promise<string> =>
  askFor(full.world.client(token), path, everyField(full.mine)[path]![0]).then(
    () => 'yes',
    ({ code }: ReinstateError) => (code === 'NOT_FOUND' ? 'yes' : code),
  );

/** What the action log has of what someone was refused, as "field code". */
async function refusals(actor: Actor['logged']): Promise<string[]> {
  const { rows } = await full.world.owner.query<{ line: string }>(
    `select distinct action || ' ' || code as line from action_log where outcome = 'REFUSED' and actor_kind = $1 and actor_id = $2 and organization_id = $3`,
    [actor?.kind, actor?.id, full.world.organizationId()],
  );
  return rows
    .map(({ line }) => line)
    .filter((line) => mutations.includes(`Mutation.${line.split(' ')[0]}`))
    .toSorted();
}

describe('a mutation', () => {
  it('is in the tables', () => {
    expect(mutations.filter((path) => !takes.has(path) || !everyField(full.mine)[path])).toEqual([]);
  });

  it('that someone may not do changes nothing, and is in the log with who tried', async () => {
    const before = await rowsOf(full.world);
    for (const actor of everyone) {
      const denied = mutations.filter((path) => expectedFor(actor, path) !== 'yes');
      const answers = await Promise.all(denied.map(async (path) => [path, await answer(actor, path)]));
      expect([actor.name, answers]).toEqual([actor.name, denied.map((path) => [path, expectedFor(actor, path)])]);
      expect([actor.name, await rowsOf(full.world)]).toEqual([actor.name, before]);
      const logged = actor.logged ? denied.map((path) => `${path.split('.')[1]} FORBIDDEN`).toSorted() : [];
      expect([actor.name, await refusals(actor.logged)]).toEqual([actor.name, logged]);
    }
    // Nobody else is blamed, and what was asked by those whom the log can't know is in no log.
    const { rows } = await full.world.owner.query<{ id: string }>(
      `select distinct actor_id as id from action_log where outcome = 'REFUSED' and code in ('FORBIDDEN', 'UNAUTHENTICATED')`,
    );
    const known = new Set(everyone.map(({ logged }) => logged?.id));
    expect(rows.filter(({ id }) => !known.has(id))).toEqual([]);
  });

  it('gets past the rules with what it takes, and only then', async () => {
    for (const path of mutations) {
      const allowed = everyone.filter((actor) => expectedFor(actor, path) === 'yes');
      const answers = [];
      for (const actor of allowed) answers.push([actor.name, await answer(actor, path)]);
      expect([path, answers]).toEqual([path, allowed.map(({ name }) => [name, 'yes'])]);
      const exact = allowed.some(({ holds }) => !isForOperators(path) && holds?.length === takes.get(path)!.permissions.length);
      expect([path, exact || isForOperators(path)]).toEqual([path, true]);
    }
  });
});
