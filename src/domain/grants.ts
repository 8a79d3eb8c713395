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
 * What several roles come to for the one who holds them all. Permissions add up. A group is seen when one role shows it, and
 * all contacts when one role has no limit; where there are roles about contacts or payments, only those say so. Beside a limit,
 * permissions about the organization as a whole are void.
 */
export function addedUp(roles: readonly Grants[]): { permissions: Set<Permission>; hidden: Set<FieldGroup>; tagScope: string[] | null } {
  const about = roles.filter(isAboutContacts);
  const counted = about.length > 0 ? about : roles;
  const hidden = allFieldGroups.filter((group) => counted.every(({ hiddenFields }) => hiddenFields.includes(group)));
  const tagScope = counted.every((role) => role.tagScope) ? [...new Set(counted.flatMap((role) => role.tagScope!))] : null;
  const held = roles.flatMap(({ permissions }) => permissions).filter((permission) => !tagScope || scopedPermissions.includes(permission));
  return { permissions: new Set(held), hidden: new Set(hidden), tagScope };
}

/** The scope of an actor who is limited to contacts with these tags. */
export const scopeFor = (actorId: string, { tagScope }: Pick<Grants, 'tagScope'>): Scope | null => tagScope && { tags: tagScope, actorId };

/** @throws Refusal CANNOT_GRANT naming what the viewer lacks */
export function mustHold(viewer: Viewer, given: readonly Grants[], path: string[]): void {
  const lacking = given.flatMap(({ permissions }) => permissions.filter((permission) => !viewer.permissions.has(permission)));
  if (lacking.length > 0)
    throw cannotGrant(`You do not hold ${named(lacking, (permission) => `${permission} (${catalogue[permission]?.[0] ?? permission})`)}`, path);
  const unseen = given.flatMap(({ hiddenFields }) => [...viewer.hidden].filter((group) => !hiddenFields.includes(group)));
  if (unseen.length > 0) throw cannotGrant(`You do not see ${named(unseen, (group) => `${group} (${fieldGroups[group][0]})`)}`, path);
  const own = viewer.scope?.tags;
  if (own && given.some(({ tagScope }) => !tagScope || !tagScope.every((tag) => own.includes(tag))))
    throw cannotGrant('You work with contacts with certain tags only, and this is for others too', path);
}

const named = <T>(things: readonly T[], name: (thing: T) => string): string => [...new Set(things)].map(name).join(', ');

const cannotGrant = (lack: string, path: string[]) =>
  new Refusal('CANNOT_GRANT', `${lack}, and nobody gives or takes what they do not hold. Nothing was changed. Ask someone who does.`, path);

/**
 * What is to be given, in the order of the catalogues.
 * @param before what holds where nothing is given; else what the viewer has
 * @throws NotFound for a tag; Refusal UNKNOWN_PERMISSION, EMPTY_SCOPE, TOO_MANY_VALUES, NOT_FOR_SCOPE, CANNOT_GRANT
 */
export async function readGrants(tx: Transaction, viewer: Viewer, given: GivenGrants, before?: Grants): Promise<Grants> {
  const path = (name: string) => ['input', name];
  const asked = given.permissions ?? before?.permissions ?? [];
  if (asked.some((permission) => !(staffPermissions as readonly string[]).includes(permission)))
    throw new Refusal(
      'UNKNOWN_PERMISSION',
      'A permission is not one that staff can hold. Nothing was changed. `permissionCatalogue` lists them all.',
      path('permissions'),
    );
  const permissions = staffPermissions.filter((permission) => asked.includes(permission));
  const hidden = given.hiddenFields ?? before?.hiddenFields ?? [...viewer.hidden];
  const hiddenFields = allFieldGroups.filter((group) => hidden.includes(group));
  const tagScope =
    given.tagScope !== undefined ? given.tagScope && (await readScope(tx, given.tagScope)) : (before ?? { tagScope: viewer.scope?.tags }).tagScope;
  const grants: Grants = { permissions, hiddenFields, tagScope: tagScope ? [...tagScope] : null };
  const wide = tagScope ? permissions.filter((permission) => !scopedPermissions.includes(permission)) : [];
  if (wide.length > 0)
    throw new Refusal(
      'NOT_FOR_SCOPE',
      `${named(wide, (permission) => `${permission} (${catalogue[permission][0]})`)} is about the organization as a whole, and this is limited to contacts with certain tags. Nothing was changed. Leave one of the two out.`,
      path('permissions'),
    );
  mustHold(viewer, [{ ...grants, hiddenFields: allFieldGroups, tagScope: [] }], path('permissions'));
  mustHold(viewer, [{ ...grants, tagScope: [] }], path('hiddenFields'));
  mustHold(viewer, [grants], path('scopeTagIds'));
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
