// What is said of a row: why it is refused or skipped, and what it says itself.
import type { RowProblem } from '../imports/problems.ts';
import { groupOfField, groupOfPoint } from '../permissions/field-groups.ts';
import type { Viewer } from './app.ts';
import { contactFieldNames } from './contact-drafts.ts';
import type { ImportRowRecord } from './import-rows.ts';
import { sees } from './visibility.ts';

const keys = { EMAIL: 'email address', PHONE: 'phone number', MEMBER_NUMBER: 'member number', NAME_AND_BIRTH_DATE: 'name and date of birth' } as const;

/** Why a row is refused or skipped; empty otherwise. */
export function reasonsOf({
  outcome,
  kind,
  matchedBy,
  taken,
  repeats,
  contactId,
  problems,
}: Pick<ImportRowRecord, 'outcome' | 'kind' | 'matchedBy' | 'taken' | 'repeats' | 'contactId' | 'problems'>): RowProblem[] {
  if (outcome === 'CREATED' || outcome === 'UPDATED') return [];
  if (problems) return problems;
  const by = keys[matchedBy!];
  if (outcome === 'REFUSED' && (taken || kind === 'MATCH')) {
    const key = taken ?? (matchedBy === 'EMAIL' ? 'EMAIL' : 'MEMBER_NUMBER');
    return [
      { code: `${key}_TAKEN`, message: `Another contact has the same ${keys[key]}, and no two can. Correct the row, or choose another policy for duplicates.` },
    ];
  }
  if (kind === 'REPEATED' && contactId)
    return [
      {
        code: 'REPEATED_ROW',
        message: `Row ${repeats} is of the same contact already, and a contact is imported once. Put both into one row, or correct one.`,
      },
    ];
  if (kind === 'REPEATED')
    return [{ code: 'REPEATED_ROW', message: `Row ${repeats} has the same ${by}, and a contact is imported once. Keep one of the two rows, or correct one.` }];
  if (kind === 'DELETED')
    return [
      {
        code: 'DELETED_CONTACT',
        message: `A contact with the same ${by} was deleted and can still be recovered, with its history. Recover it, or choose to create a new one.`,
      },
    ];
  return [{ code: 'DUPLICATE', message: `A contact with the same ${by} is there already, and nothing about it is to be changed.` }];
}

/** What a row says, without what the viewer does not see of contacts or may not read. */
export function valuesOf(viewer: Pick<Viewer, 'hidden' | 'permissions'>, { draft, cells }: ImportRowRecord): { field: string; value: string }[] {
  // Nobody knows what the cells of a row mean that was not understood.
  if (!draft) return viewer.hidden.size === 0 ? (cells ?? []).map((value) => ({ field: 'cell', value })) : [];
  const shows = (...groups: Parameters<typeof sees>[1][number][]) => sees(viewer, groups);
  const all = <T>(field: string, list: readonly T[] | undefined, isShown: boolean, text: (one: T) => string) =>
    isShown ? (list ?? []).map((one) => ({ field, value: text(one) })) : [];
  return [
    ...contactFieldNames.flatMap((field) => {
      const value = draft[field];
      const group = groupOfField[field];
      return value !== undefined && (!group || shows(group)) ? [{ field, value }] : [];
    }),
    ...all(
      'contactPoint',
      draft.points?.filter(({ kind }) => shows(groupOfPoint(kind))),
      true,
      ({ label, value }) => (label ? `${label}: ${value}` : value),
    ),
    ...all('tag', draft.tags, true, (tag) => tag),
    ...all('note', draft.notes, shows('NOTES'), ({ body }) => body),
    ...all('membership', draft.memberships, true, ({ startsOn, endsOn }) => (endsOn ? `${startsOn} to ${endsOn}` : startsOn)),
    ...all('customField', draft.customFields, shows('CUSTOM_FIELDS'), ({ value }) => value),
    ...all(
      'openingBalance',
      draft.opening,
      shows('PAYMENTS', 'BALANCES') && viewer.permissions.has('payments:read'),
      ({ amountMinor, currency }) => `${amountMinor} ${currency}`,
    ),
  ];
}
