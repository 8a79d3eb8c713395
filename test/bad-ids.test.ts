// Ids that are malformed, unknown, of another kind or another organization’s, everywhere that the contract takes one. The places come
// out of the schema, and what else is asked there out of every-field.ts.
import type { DocumentNode } from 'graphql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeAnyId, kinds, type Kinds } from '../src/schema/common.ts';
import { everyField, isForOperators, takes, variablesFor, type Variables } from './every-field.ts';
import { ask, createFullWorld, expectNothingLeaked, expectWellSaid, rowsOf, type Scene, secretsOf, type Told, unknownId } from './full-world.ts';
import type { World } from './harness.ts';
import type { RoleName } from './people.ts';
import { documentOf, partsOf, placesOf, replaced, valueAt } from './walk.ts';

/** The places that take ids of more than the kind that every-field.ts gives there. */
const moreKinds: Record<string, readonly Kinds[]> = {
  'Query.node.id': kinds,
  'Query.actionLog.filter.actorId': ['ApiKey'],
  'Query.actionLog.filter.targetId': kinds,
  'Subscription.actionLogAdded.filter.actorId': ['ApiKey'],
  'Subscription.actionLogAdded.filter.targetId': kinds,
  'Mutation.exportActionLog.input.filter.actorId': ['ApiKey'],
  'Mutation.exportActionLog.input.filter.targetId': kinds,
};

/** The places where operators name any organization: to them one is unknown only when it does not exist. */
const acrossOrganizations = ['Query.openInvoices.organizationId'];

/** The places where an id beside one of our own leaves something to do, which is then done: there each is tried alone. */
const doneBeside = ['Mutation.exportContacts.input.filter.ids'];

/** What an answer has that is another each time, whatever was asked. */
const fresh = /"(confirmation|confirmationExpiresAt|recoverableUntil|path|expiresAt|hash|secret|elapsedSeconds|updatedAt)":("[^"]*"|[\d.]+)/g;

/** One way of asking at a place of the contract that takes an id: all but that id is in order. */
interface Place {
  name: string;
  kinds: readonly Kinds[];
  role: RoleName;
  ask(id: string): [document: DocumentNode, variables: object];
}

async function places(world: World, mine: Scene): Promise<Place[]> {
  const given = everyField(mine);
  const found: Place[] = [];
  for (const name of placesOf('ID')) {
    const { field, way } = partsOf(name);
    const role = takes.has(field) && isForOperators(field) ? 'Operator' : 'Super admin';
    const client = await world.as(role);
    for (const one of given[field] ?? []) {
      const variables = await variablesFor(client, one);
      const id = valueAt(variables, way);
      if (typeof id !== 'string') continue;
      const taken = [decodeAnyId(id)[0], ...(moreKinds[name] ?? [])];
      const inList = Array.isArray(way.reduce<unknown>((value, key) => (Array.isArray(value) ? value : (value as Variables)[key]), variables));
      for (const alone of inList && !doneBeside.includes(name) ? [false, true] : [true])
        found.push({ name, kinds: [...new Set(taken)], role, ask: (id) => [documentOf(field), replaced(variables, way, id, alone) as Variables] });
    }
  }
  return found;
}

const shown = ({ refusals, text }: Told) => ({ refusals, text: text.replaceAll(fresh, '').replaceAll(/"requestId":"[^"]*"/g, '') });

/** Nothing here changes anything, so one world does for all. */
let full: Awaited<ReturnType<typeof createFullWorld>>;
beforeAll(async () => {
  full = await createFullWorld();
});
afterAll(() => full[Symbol.asyncDispose]());

describe('an id', () => {
  it('is tried everywhere that takes one', async () => {
    const tried = new Set((await places(full.world, full.mine)).map(({ name }) => name));
    expect(placesOf('ID').filter((name) => !tried.has(name))).toEqual([]);
    expect(Object.keys(moreKinds).filter((name) => !tried.has(name))).toEqual([]);
  });

  it('that is malformed, or of a kind that is not meant, is refused as such everywhere, whether there is such a record or not', async () => {
    const { world, mine, theirs } = full;
    const [before, secrets] = [await rowsOf(world), await secretsOf(world)];
    const uuid = '01890000-0000-7000-8000-000000000000';
    const encoded = (text: string) => Buffer.from(text).toString('base64url');
    for (const { name, kinds: taken, role, ask: asking } of await places(world, mine)) {
      const kind = taken[0]!;
      const malformed = {
        'is empty': '',
        'is not base64url': '§$%&/()=',
        'is plain text': 'contact',
        'is a bare UUID': uuid,
        'has an upper-case UUID': encoded(`${kind}:${uuid.toUpperCase().replace('8', 'A')}`),
        'has no UUID': encoded(`${kind}:1`),
        'names nothing': encoded(`:${uuid}`),
        'is of no kind': encoded(`Nothing:${uuid}`),
        'has more behind it': `${encoded(`${kind}:${uuid}`)}AA`,
        'is padded': `${encoded(`${kind}:${uuid}`)}==`,
        'is long': 'Q'.repeat(10_000),
        'is __proto__': '__proto__',
        'names __proto__': encoded(`__proto__:${uuid}`),
        'names constructor': encoded(`constructor:${uuid}`),
        'has a NUL': encoded(`${kind}\0:${uuid}`),
        'has SQL in it': encoded(`${kind}:' or 1=1; drop table contact; --`),
        ...Object.fromEntries<string>(
          kinds
            .filter((other) => !taken.includes(other))
            .flatMap((other): [string, string][] => [
              [`is of a ${other}`, mine[other]],
              [`is of another organization’s ${other}`, theirs[other]],
              [`is of no ${other} there is`, unknownId(other)],
            ])
            // All kinds are refused by one line of code; three of them show it.
            .slice(0, 9),
        ),
      };
      const answers = Object.entries(malformed).map(async ([how, id]) => ({ how, ...(await ask(world, role, ...asking(id))) }));
      for (const { how, refusals, text } of await Promise.all(answers)) {
        expect([name, how, refusals.map(({ code }) => code)]).toEqual([name, how, ['MALFORMED_ID']]);
        expectWellSaid(refusals[0]!);
        expectNothingLeaked(text, secrets);
      }
    }
    expect(await rowsOf(world)).toEqual(before);
  });

  it('of another organization reads exactly like one that does not exist, everywhere', async () => {
    const { world, mine, theirs } = full;
    const [before, secrets] = [await rowsOf(world), await secretsOf(world)];
    const answers: Record<string, string> = {};
    for (const { name, kinds: taken, role, ask: asking } of await places(world, mine)) {
      if (acrossOrganizations.includes(name)) continue;
      for (const kind of taken) {
        const [one, other] = [await ask(world, role, ...asking(unknownId(kind))), await ask(world, role, ...asking(theirs[kind]))];
        expect([name, kind, shown(other)]).toEqual([name, kind, shown(one)]);
        for (const refusal of other.refusals) expectWellSaid(refusal);
        expectNothingLeaked(JSON.stringify(other.refusals), secrets);
        answers[name] = other.refusals[0]?.code ?? 'finds nothing';
      }
      expect([name, await rowsOf(world)]).toEqual([name, before]);
    }
    const exceptions = Object.fromEntries(Object.entries(answers).filter(([, code]) => code !== 'NOT_FOUND'));
    expect(exceptions).toEqual({
      'Mutation.requestRecovery.input.overrides.contactId': 'BAD_PLAN_HASH',
      'Mutation.requestRecovery.input.selection.deletedById': 'NOTHING_SELECTED',
      'Mutation.exportContacts.input.filter.ids': 'NOTHING_FOUND',
      'Mutation.exportContacts.input.filter.membershipPlanId': 'NOTHING_FOUND',
      'Mutation.exportActionLog.input.filter.actorId': 'finds nothing',
      'Mutation.exportActionLog.input.filter.targetId': 'finds nothing',
      'Query.actionLog.filter.actorId': 'finds nothing',
      'Query.actionLog.filter.targetId': 'finds nothing',
      'Query.contactDeletionPreview.input.filter.ids': 'finds nothing',
      'Query.contactDeletionPreview.input.filter.membershipPlanId': 'finds nothing',
      'Query.contacts.filter.ids': 'finds nothing',
      'Query.contacts.filter.membershipPlanId': 'finds nothing',
      'Query.recoveryPlan.input.overrides.contactId': 'finds nothing',
      'Query.recoveryPlan.input.selection.deletedById': 'NOTHING_SELECTED',
      'Query.recoveryRequests.deletionId': 'finds nothing',
      'Subscription.actionLogAdded.filter.actorId': 'finds nothing',
      'Subscription.actionLogAdded.filter.targetId': 'finds nothing',
      'Mutation.addMembership.input.planId': 'UNKNOWN_PLAN',
      'Mutation.createContact.input.memberships.planId': 'UNKNOWN_PLAN',
      'Mutation.createContacts.input.contacts.memberships.planId': 'UNKNOWN_PLAN',
      'Mutation.deleteContacts.input.filter.ids': 'CONFIRMATION_MISMATCH',
      'Mutation.deleteContacts.input.filter.membershipPlanId': 'CONFIRMATION_MISMATCH',
      'Mutation.eraseContacts.input.contactIds': 'CONFIRMATION_MISMATCH',
    });
  });
});
