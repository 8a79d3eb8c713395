// Every way that the schema knows to any object, and words and numbers in contacts that nothing else has: for tests that walk all
// ways and look for what should not be told.
import { readFileSync } from 'node:fs';
import { buildSchema, getNamedType, type GraphQLField, type GraphQLObjectType, isInterfaceType, isLeafType, isObjectType } from 'graphql';
import { encodeId } from '../src/schema/common.ts';
import type { Answer } from './asking.ts';
import type { Scene } from './full-world.ts';
import type { World } from './harness.ts';

export const schema = buildSchema(readFileSync(new URL('../schema.graphql', import.meta.url), 'utf8'));

/** What payments and ledger entries come to: no other amount is a multiple of one of these. */
const [paid, entered] = [777_000_001, 888_000_001] as const;

const words = ['mail', 'street', 'city', 'postal', 'country', 'point', 'note', 'activity', 'custom', 'reference', 'charge', 'former'].map(
  (word) => `zq${word}`,
);

/** Gives an organization's contacts what is told by nothing else. The last three have no name but their email. */
export async function mark({ owner }: World, organizationId: string): Promise<void> {
  const all = (statement: string) => owner.query(statement, [organizationId]);
  await all(`update contact c set email = 'zqmail' || n || '@zq.example', email_normalized = 'zqmail' || n || '@zq.example', street = 'zqstreet', city = 'zqcity',
    postal_code = 'zqpostal', country = 'zqcountry', birth_date = '1901-02-03'
    from (select id, row_number() over (order by id) as n from contact where organization_id = $1) o where c.organization_id = $1 and c.id = o.id`);
  await all(`update contact set first_name = null, last_name = null, company = null, sort_name = email_normalized
    where organization_id = $1 and id in (select id from contact where organization_id = $1 order by id desc limit 3)`);
  await all(`insert into contact_point (organization_id, id, contact_id, kind, label, value, normalized)
    select $1, gen_random_uuid(), id, kind, 'zqpoint', 'zqpoint', 'zqpoint' from contact, unnest(array['PHONE', 'ADDRESS']) kind where organization_id = $1`);
  await all(`update contact_point set value = 'zqpoint', label = 'zqpoint', normalized = 'zqpoint' where organization_id = $1`);
  await all(`update note set body = 'zqnote' where organization_id = $1`);
  await all(`update activity set subject = 'zqactivity' where organization_id = $1`);
  await all(`insert into custom_field_value select c.organization_id, c.id, d.id, 'zqcustom' from contact c join custom_field_definition d using (organization_id)
    where organization_id = $1 on conflict do nothing`);
  await all(`update custom_field_value set value = 'zqcustom' where organization_id = $1`);
  await all(`update payment set reference = 'zqreference', amount_minor = ${paid} where organization_id = $1`);
  await all(`update ledger_entry set description = 'zqcharge', amount_minor = ${entered} where organization_id = $1`);
  await all(`update balance b set amount_minor = (select sum(amount_minor) from ledger_entry l where l.organization_id = $1 and l.contact_id = b.contact_id and l.currency = b.currency)
    where organization_id = $1`);
  await all(`insert into action_detail (organization_id, id, contact_id, action_id, changes)
    select $1, gen_random_uuid(), id, gen_random_uuid(), '{"city": {"before": "zqformer", "after": "zqcity"}}' from contact where organization_id = $1`);
}

/** Makes the live contact of each conflict, and what changed since the snapshot, tell something too. */
export async function markLater({ owner }: World, organizationId: string): Promise<void> {
  const changed = [
    `contact set street = 'zqstreet', birth_date = '1901-02-03'`,
    `contact set job_title = 'Clerk', street = 'zqstreet 2', email = 'zqmail@zq.example'`,
  ];
  await owner.query(`update ${changed[0]} where organization_id = $1 and search_text = 'back'`, [organizationId]);
  await owner.query(`update ${changed[1]}, email_normalized = id::text where organization_id = $1 and search_text <> 'back'`, [organizationId]);
  for (const set of [
    `note set body = 'zqnote 2'`,
    `activity set subject = 'zqactivity 2'`,
    `contact_point set value = 'zqpoint 2'`,
    `payment set reference = 'zqreference 2'`,
  ])
    await owner.query(`update ${set} where organization_id = $1`, [organizationId]);
  await owner.query(`update ledger_entry set description = 'zqcharge 2' where organization_id = $1`, [organizationId]);
  await owner.query(`update custom_field_value set value = 'zqcustom 2' where organization_id = $1`, [organizationId]);
  await owner.query(`update action_detail set changes = '{"city": {"before": "zqformer", "after": "zqcity 2"}}' where organization_id = $1`, [organizationId]);
}

const hiddenKinds = ['ContactPoint', 'Note', 'Activity', 'Payment', 'LedgerEntry', 'CustomFieldValue', 'ActionDetail'];

/** What of all that is hidden an answer tells, cursors read as well. */
export function toldIn({ text }: Answer): string[] {
  const cursors = [...text.matchAll(/"([\w-]{20,})"/g)].map(([, cursor]) => Buffer.from(cursor!, 'base64url').toString('latin1'));
  const whole = [text, ...cursors].join('\n').toLowerCase();
  const amounts = [...text.matchAll(/"amountMinor":(-?\d+)|"(-?\d{9,})"/g)].map(([, amount, written]) => Number(amount ?? written));
  return [
    ...words.filter((word) => whole.includes(word)),
    ...(whole.includes('1901-02-03') ? ['birth date'] : []),
    ...[paid, entered].filter((unit) => amounts.some((amount) => amount !== 0 && amount % unit === 0)).map((unit) => `multiples of ${unit}`),
    ...hiddenKinds.filter((kind) => text.includes(`"kind":"${kind}"`) || text.includes(`"entity":"${kind}"`)).map((kind) => `rows of ${kind}`),
  ];
}

/** All that an answer can tell of it. */
export const tellable = [...words, 'birth date', `multiples of ${paid}`, `multiples of ${entered}`, ...hiddenKinds.map((kind) => `rows of ${kind}`)];

type Step = { type: GraphQLObjectType; field: GraphQLField<unknown, unknown>; to: GraphQLObjectType };

/** Every way from a root field to an object, in which no type comes twice. */
export function* ways(root: GraphQLObjectType): Generator<Step[]> {
  function* onward(type: GraphQLObjectType, before: Step[]): Generator<Step[]> {
    for (const field of Object.values(type.getFields())) {
      const named = getNamedType(field.type);
      const reached = isInterfaceType(named) ? schema.getPossibleTypes(named) : isObjectType(named) ? [named] : [];
      for (const to of reached) {
        if (before.some((step) => step.to === to)) continue;
        const way = [...before, { type, field, to }];
        yield way;
        yield* onward(to, way);
      }
    }
  }
  yield* onward(root, []);
}

type Arguments = Record<string, string>;

/** What the root fields are asked about that don't do without. */
const argumentsFor = (mine: Scene): Arguments => ({
  apiKey: `id: "${mine.ApiKey}"`,
  compareSnapshot: `input: { snapshotId: "${mine.Snapshot}" }`,
  contact: `id: "${mine.Contact}"`,
  contactDeletionPreview: 'input: { filter: {} }',
  contactExport: `id: "${mine.ContactExport}"`,
  contactErasurePreview: `input: { contactIds: ["${mine.Contact}"] }`,
  deletion: `id: "${mine.Deletion}"`,
  erasure: `id: "${mine.Erasure}"`,
  job: `id: "${mine.Job}"`,
  recoveryPlan: `input: { selection: { deletionId: "${mine.Deletion}" }, conflictPolicy: SKIP }`,
  recoveryRequest: `id: "${mine.RecoveryRequest}"`,
  role: `id: "${mine.Role}"`,
  snapshot: `id: "${mine.Snapshot}"`,
  upload: `id: "${mine.Upload}"`,
  staffMember: `id: "${mine.StaffMember}"`,
  invitation: `id: "${mine.Invitation}"`,
  webhookEndpoint: `id: "${mine.WebhookEndpoint}"`,
  import: `id: "${mine.Import}"`,
});

/** The three ways to write a query: plainly, with a condition on the type at each step, and with a fragment for each step. */
export const forms = ['plain', 'inline', 'named'] as const;

function queryOf(way: readonly Step[], given: Arguments, nodes: Scene, form: (typeof forms)[number]): string {
  const fragments: string[] = [];
  const leaves = (type: GraphQLObjectType) =>
    Object.values(type.getFields())
      .filter((field) => isLeafType(getNamedType(field.type)))
      .map(({ name }) => name)
      .join(' ') || '__typename';
  const within = ([step, ...rest]: readonly Step[]): string => {
    const { type, field, to } = step!;
    const paged = field.args.some(({ name }) => name === 'first') ? ['first: 3'] : [];
    const own =
      type === schema.getQueryType()
        ? field.name === 'node'
          ? [`id: "${nodes[to.name as keyof Scene]}"`]
          : given[field.name]
            ? [given[field.name]!]
            : []
        : [];
    const list = [...own, ...paged].join(', ');
    const selected = rest.length > 0 ? within(rest) : leaves(to);
    const inside = field.name === 'node' || form === 'inline' ? `... on ${to.name} { ${selected} }` : selected;
    const asked = `${field.name}${list ? `(${list})` : ''} { ${inside} }`;
    if (form !== 'named') return form === 'inline' ? `... on ${type.name} { ${asked} }` : asked;
    fragments.push(`fragment F${fragments.length} on ${type.name} { ${asked} }`);
    return `...F${fragments.length - 1}`;
  };
  return [`{ ${within(way)} }`, ...fragments].join('\n');
}

/** A query for every way from `Query` that is not for operators, in a form. */
export async function questions(world: World, mine: Scene): Promise<(form: (typeof forms)[number]) => string[]> {
  const { rows } = await world.owner.query<{ entry: string; drill: string; conflicting: string }>(
    `select (select id from action_log where organization_id = $1 order by id limit 1) as entry, (select id from restore_drill where organization_id = $1) as drill,
      (select id from recovery_request where organization_id = $1 and state = 'UNDONE') as conflicting`,
    [world.organizationId()],
  );
  const nodes = { ...mine, ActionLogEntry: encodeId('ActionLogEntry', rows[0]!.entry), RestoreDrill: encodeId('RestoreDrill', rows[0]!.drill) };
  const given = argumentsFor({ ...mine, RecoveryRequest: encodeId('RecoveryRequest', rows[0]!.conflicting) });
  const isForOperators = (way: readonly Step[]) => way.some(({ field }) => ['organizations', 'openInvoices'].includes(field.name));
  const every = [...ways(schema.getQueryType()!)].filter((way) => !isForOperators(way));
  return (form) => every.map((way) => queryOf(way, given, nodes, form));
}

/** Does something with each, a few at a time. */
export async function eachOf<T>(things: readonly T[], work: (thing: T, index: number) => Promise<void>): Promise<void> {
  for (let from = 0; from < things.length; from += 6) await Promise.all(things.slice(from, from + 6).map((thing, index) => work(thing, from + index)));
}
