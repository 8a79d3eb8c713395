// What the engine could not bring back, or would not even see, is refused at the start by its name, and not found out by
// whoever needs a recovery.
import type { EntityMetadata, EntityProperty } from '@mikro-orm/postgresql';
import { StartupError } from '../errors.ts';

export type Meta = EntityMetadata;
export type Key = EntityProperty;

export const root = 'contact';

/** Tables that name contacts and are not theirs: they tell what was done with contacts, and stay when those go. */
const records = new Set([
  'action_salt',
  'deletion_contact',
  'erasure_subject',
  'import_draft',
  'import_row',
  'recovery_chunk',
  'recovery_conflict',
  'recovery_undo_exception',
  'snapshot_chunk',
  'snapshot_part',
]);

/** The properties whose columns are a foreign key. */
export const keysOf = (meta: Meta): Key[] =>
  meta.props.filter((property) => (property.kind === 'm:1' || (property.kind === '1:1' && property.owner)) && property.targetMeta);
export const targetOf = (key: Key): string => key.targetMeta!.tableName;
export const primaryOf = (meta: Meta): string[] => [...new Set(meta.props.filter((property) => property.primary).flatMap((property) => property.fieldNames))];

/** Why an entity can't be part of the graph, or stand beside it; undefined when it can. */
type Check = (meta: Meta, owned: readonly Meta[]) => string | undefined;

const isIn = (metas: readonly Meta[], table: string): boolean => metas.some((meta) => meta.tableName === table);

/** For entities that contacts do not own. */
const beside: Check[] = [
  (meta, owned) => {
    const key = keysOf(meta).find((one) => isIn(owned, targetOf(one)));
    return (
      key &&
      `${meta.className}.${key.name} refers to the contact graph, but ${meta.className} has no mandatory key to Contact, so a deletion could not take it along. Give it one.`
    );
  },
  (meta) => {
    const naming = meta.props.find((property) => property.fieldNames?.some((column) => /(^|_)contact_ids?$/.test(column)));
    return naming && !records.has(meta.tableName)
      ? `${meta.className}.${naming.name} names contacts, but is no key to Contact, so what contacts own there would neither be deleted nor come back. Make it a mandatory key; or, if it only tells what was done with contacts, name ${meta.tableName} among the records in snapshots/graph-checks.ts.`
      : undefined;
  },
];

/** For entities that contacts own, and for the contact. */
const within: Check[] = [
  (meta) => {
    const [first, ...rest] = primaryOf(meta);
    return first === 'organization_id' && rest.length > 0
      ? undefined
      : `${meta.className} is owned by contacts, but its primary key is not the organization and what tells its rows apart. Begin it with organization_id.`;
  },
  (meta) => {
    const [key, second] = keysOf(meta).filter((one) => targetOf(one) === root);
    if (meta.tableName === root)
      return (
        key &&
        `${meta.className}.${key.name} refers from contact to contact, which may come back one without the other. Keep it in a table of its own, as an id without a key.`
      );
    if (second)
      return `${meta.className}.${second.name} is a second key to Contact: a row has one owner, with whom it goes and comes back. Keep one key, and the other contact as an id without one.`;
    return key!.fieldNames.join() === 'organization_id,contact_id'
      ? undefined
      : `${meta.className}.${key!.name} is a key to Contact with the columns ${key!.fieldNames.join(' and ')}. They must be organization_id and contact_id: by these rows are found.`;
  },
  (meta) => {
    const key = keysOf(meta).find((one) => targetOf(one) !== 'organization' && (one.fieldNames.length !== 2 || one.fieldNames[0] !== 'organization_id'));
    return (
      key &&
      `${meta.className}.${key.name} is a key to ${key.targetMeta!.className} with the columns ${key.fieldNames.join(' and ')}. It must have two, led by organization_id, or it could not travel in a snapshot.`
    );
  },
  (meta, owned) => {
    const cycle = cycleFrom(meta, owned, []);
    return (
      cycle &&
      `${cycle.map((one) => one.className).join(', ')} refer to each other in a circle, so none of them could be written first. Take one of the keys away.`
    );
  },
];

/** The entities of a circle of keys that leads through `meta`. A table that refers to itself is written at once, and is none. */
function cycleFrom(meta: Meta, owned: readonly Meta[], path: readonly Meta[]): readonly Meta[] | undefined {
  if (path.includes(meta)) return meta === path[0] ? path : undefined;
  for (const key of keysOf(meta)) {
    const next = owned.find((one) => one !== meta && one.tableName === targetOf(key));
    const cycle = next && cycleFrom(next, owned, [...path, meta]);
    if (cycle) return cycle;
  }
  return undefined;
}

/** For entities that travel as references. */
const referred: Check[] = [
  (meta) =>
    primaryOf(meta).join() === 'organization_id,id'
      ? undefined
      : `${meta.className} is referred to by what contacts own, but its primary key is not organization_id and id, by which references travel. Give it these.`,
  (meta) => {
    const key = keysOf(meta).find((one) => targetOf(one) !== 'organization');
    return (
      key &&
      `${meta.className}.${key.name} refers to ${key.targetMeta!.className}, which does not travel with what contacts own, so ${meta.className} could not be recreated without it. Take the key away, or refer to ${meta.className} by an optional key.`
    );
  },
];

/**
 * Holds every entity against what the engine can do.
 * @throws StartupError naming the first that it could not bring back
 */
export function checkGraph(all: readonly Meta[], owned: readonly Meta[], referenced: readonly Meta[]): void {
  const others = all.filter((meta) => !owned.includes(meta));
  for (const [metas, checks] of [
    [others, beside],
    [owned, within],
    [referenced, referred],
  ] as const)
    for (const meta of metas)
      for (const check of checks) {
        const fault = check(meta, owned);
        if (fault) throw new StartupError(fault);
      }
}
