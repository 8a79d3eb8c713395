// What of contacts a viewer does not see, and so neither finds by, counts, nor changes.
import { Forbidden, Refusal } from '../errors.ts';
import { catalogue, type Permission, scopedPermissions } from '../permissions/catalogue.ts';
import { type FieldGroup, fieldGroups, groupsOfRow } from '../permissions/field-groups.ts';
import type { Viewer } from './app.ts';

/** A viewer, as far as it matters here. */
export type Sight = Pick<Viewer, 'hidden'>;

/** Whether the viewer sees all of these groups. */
export const sees = ({ hidden }: Sight, groups: readonly FieldGroup[]): boolean => hidden.size === 0 || groups.every((group) => !hidden.has(group));

/** Whether the viewer sees rows of this kind, and how many there are. */
export const seesRows = (viewer: Sight, kind: string): boolean => viewer.hidden.size === 0 || sees(viewer, groupsOfRow(kind));

/** What is told to someone who asks for what they do not see. */
export const unseen = (group: FieldGroup): string =>
  `Your roles hide ${group} (${fieldGroups[group][0]}), and what is hidden can’t be found by, sorted by or changed. Nothing was changed. Leave it out, or ask for a role that shows it.`;

/** @throws Refusal HIDDEN_FIELD */
export function mustSee({ hidden }: Sight, groups: readonly FieldGroup[], path: string[]): void {
  const group = hidden.size === 0 ? undefined : groups.find((one) => hidden.has(one));
  if (group) throw new Refusal('HIDDEN_FIELD', unseen(group), path);
}

/** What is told to someone who lacks a permission. */
export function lacking(permission: Permission, { scope }: Pick<Viewer, 'scope'>): Forbidden {
  const isVoid = scope !== null && !scopedPermissions.includes(permission) && !permission.startsWith('platform:');
  if (isVoid)
    return new Forbidden(
      'FORBIDDEN',
      `This takes the permission ${permission} (${catalogue[permission][0]}), which is about the organization as a whole, and your roles are limited to contacts with certain tags. Nothing was changed. Ask someone who works with all contacts.`,
    );
  const whom = permission.startsWith('platform:') ? 'It is for operators only.' : 'Ask an administrator of your organization for a role that holds it.';
  return new Forbidden(
    'FORBIDDEN',
    `This takes the permission ${permission} (${catalogue[permission][0]}), which you do not hold. Nothing was changed. ${whom}`,
  );
}

/** For what only a look at the record tells that it takes. @throws Forbidden */
export function mustHold(viewer: Viewer, permission: Permission): void {
  if (!viewer.permissions.has(permission)) throw lacking(permission, viewer);
}
