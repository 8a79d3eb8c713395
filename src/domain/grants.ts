// What a role or an API key gives: permissions, what of contacts it hides, and the tags of the contacts that it is limited to.
// Nobody gives or takes what they do not hold, so nobody can raise themselves or bring down those above them.
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { catalogue, type Permission, scopedPermissions, staffPermissions } from '../permissions/catalogue.ts';
import { allFieldGroups, type FieldGroup, fieldGroups } from '../permissions/field-groups.ts';
import type { Scope } from '../scope.ts';
import type { Viewer } from './app.ts';
import { readTags } from './references.ts';
import { checkLength } from './text.ts';

/** The most tags of one scope. */
const mostTags = 50;

export interface Grants {
  permissions: Permission[];
  hiddenFields: FieldGroup[];
  /** Ids; null: all contacts. */
  tagScope: string[] | null;
}

/** What is asked for; what is left out is as it was, or as whoever asks has it. */
export interface GivenGrants {
  permissions?: readonly string[] | undefined;
  hiddenFields?: readonly FieldGroup[] | undefined;
  tagScope?: readonly string[] | null | undefined;
}

const isAboutContacts = ({ permissions }: Grants) => permissions.some((permission) => /^(contacts|payments):/.test(permission));

/**
 * What several roles come to for the one who holds them all. Permissions add up. Of the roles about contacts or payments, a group
 * is seen when one shows it, and there is no limit when one has none; where there are no such roles, what any of them hides is
 * hidden and what any is limited to is the limit, so that nobody gets past one by giving up what it limits. Beside a limit,
 * permissions about the organization as a whole are void.
 */
export function addedUp(roles: readonly Grants[]): { permissions: Set<Permission>; hidden: Set<FieldGroup>; tagScope: string[] | null } {
  const about = roles.filter(isAboutContacts);
  const holds = (does: (role: Grants) => boolean) => (about.length > 0 ? about.every(does) : roles.some(does));
  const hidden = allFieldGroups.filter((group) => holds(({ hiddenFields }) => hiddenFields.includes(group)));
  const limits = (about.length > 0 ? about : roles).flatMap((role) => role.tagScope ?? []);
  const tagScope = holds((role) => role.tagScope !== null) ? [...new Set(limits)] : null;
  const held = roles.flatMap(({ permissions }) => permissions).filter((permission) => !tagScope || scopedPermissions.includes(permission));
  return { permissions: new Set(held), hidden: new Set(hidden), tagScope };
}

/** The scope of an actor who is limited to contacts with these tags. */
export const scopeFor = (actorId: string, { tagScope }: Pick<Grants, 'tagScope'>): Scope | null => tagScope && { tags: tagScope, actorId };

/** What is given and the viewer lacks: the field of the input that says it, and what to tell. */
function lackOf({ permissions, hidden, scope }: Viewer, given: readonly Grants[]): { field: string; told: string } | undefined {
  const lacking = given.flatMap((one) => one.permissions.filter((permission) => !permissions.has(permission)));
  if (lacking.length > 0) return { field: 'permissions', told: `You do not hold ${named(lacking, titled)}` };
  const unseen = given.flatMap(({ hiddenFields }) => [...hidden].filter((group) => !hiddenFields.includes(group)));
  if (unseen.length > 0) return { field: 'hiddenFields', told: `You do not see ${named(unseen, (group) => `${group} (${fieldGroups[group][0]})`)}` };
  const isWider = scope && given.some(({ tagScope }) => !tagScope || !tagScope.every((tag) => scope.tags.includes(tag)));
  return isWider ? { field: 'scopeTagIds', told: 'You work with contacts with certain tags only, and this is for others too' } : undefined;
}

const named = <T>(things: readonly T[], name: (thing: T) => string): string => [...new Set(things)].map(name).join(', ');
const titled = (permission: Permission): string => `${permission} (${catalogue[permission]?.[0] ?? permission})`;

/**
 * @param path to what names the grants; left out: to the field of the input that gives them
 * @throws Refusal CANNOT_GRANT naming what the viewer lacks
 */
export function mustHold(viewer: Viewer, given: readonly Grants[], path?: string[]): void {
  const lack = lackOf(viewer, given);
  if (lack)
    throw new Refusal(
      'CANNOT_GRANT',
      `${lack.told}, and nobody gives or takes what they do not hold. Nothing was changed. Ask someone who does.`,
      path ?? ['input', lack.field],
    );
}

/**
 * What is to be given, in the order of the catalogues.
 * @param before what holds where nothing is given; else what the viewer has
 * @throws NotFound for a tag; Refusal UNKNOWN_PERMISSION, EMPTY_SCOPE, TOO_MANY_VALUES, NOT_FOR_SCOPE, CANNOT_GRANT
 */
export async function readGrants(tx: Transaction, viewer: Viewer, given: GivenGrants, before?: Grants): Promise<Grants> {
  const path = ['input', 'permissions'];
  const asked = given.permissions ?? before?.permissions ?? [];
  if (asked.some((permission) => !(staffPermissions as readonly string[]).includes(permission)))
    throw new Refusal('UNKNOWN_PERMISSION', 'A permission is not one that staff can hold. Nothing was changed. `permissionCatalogue` lists them all.', path);
  const permissions = staffPermissions.filter((permission) => asked.includes(permission));
  const hidden = given.hiddenFields ?? before?.hiddenFields ?? [...viewer.hidden];
  const hiddenFields = allFieldGroups.filter((group) => hidden.includes(group));
  const own = before ? before.tagScope : (viewer.scope?.tags ?? null);
  const tagScope = given.tagScope === undefined ? own : given.tagScope && (await readScope(tx, given.tagScope));
  const wide = tagScope ? permissions.filter((permission) => !scopedPermissions.includes(permission)) : [];
  if (wide.length > 0)
    throw new Refusal(
      'NOT_FOR_SCOPE',
      `${named(wide, titled)} is about the organization as a whole, and this is limited to contacts with certain tags. Nothing was changed. Leave one of the two out.`,
      path,
    );
  const grants = { permissions, hiddenFields, tagScope: tagScope && [...tagScope] };
  mustHold(viewer, [grants]);
  return grants;
}

/** @throws NotFound; Refusal EMPTY_SCOPE, TOO_MANY_VALUES */
async function readScope(tx: Transaction, given: readonly string[]): Promise<string[]> {
  const path = ['input', 'scopeTagIds'];
  const ids = [...new Set(given)];
  if (ids.length === 0)
    throw new Refusal('EMPTY_SCOPE', 'No tag is named, so nobody could be seen. Nothing was changed. Name a tag, or give null for all contacts.', path);
  checkLength(ids, mostTags, path);
  if ((await readTags(tx, ids)).length < ids.length) throw new NotFound('tag');
  return ids;
}
