// What of contacts a viewer does not see, and so neither finds by, counts, nor changes.
import { Refusal } from '../errors.ts';
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
