// What of contacts can be written to a file, and who may see which of it.
import { type FieldGroup, groupOfField } from '../permissions/field-groups.ts';
import type { Holder } from './holders.ts';

/** A contact's own fields: by the name of the column, and the header, which is one that importing knows. */
export const ownFields = {
  MEMBER_NUMBER: ['memberNumber', 'Member Number'],
  FIRST_NAME: ['firstName', 'First Name'],
  LAST_NAME: ['lastName', 'Last Name'],
  EMAIL: ['email', 'Email'],
  COMPANY: ['company', 'Company'],
  JOB_TITLE: ['jobTitle', 'Job Title'],
  STREET: ['street', 'Street'],
  CITY: ['city', 'City'],
  POSTAL_CODE: ['postalCode', 'Postal Code'],
  COUNTRY: ['country', 'Country'],
  BIRTH_DATE: ['birthDate', 'Birth Date'],
} as const;

/** In the order of the columns. */
export const exportFields = [
  'ID',
  ...(Object.keys(ownFields) as (keyof typeof ownFields)[]),
  'CONTACT_POINTS',
  'TAGS',
  'MEMBERSHIPS',
  'BALANCES',
  'CUSTOM_FIELDS',
  'NOTES',
  'CREATED_AT',
  'UPDATED_AT',
] as const;
export type ExportField = (typeof exportFields)[number];

export const isOwn = (field: ExportField): field is keyof typeof ownFields => Object.hasOwn(ownFields, field);

/** What one must see for a field to be written; of these one is enough. */
const groupsOf = (field: ExportField): readonly FieldGroup[] => {
  if (field === 'CONTACT_POINTS') return ['EMAIL_AND_PHONE', 'ADDRESS'];
  if (field === 'BALANCES' || field === 'CUSTOM_FIELDS' || field === 'NOTES') return [field];
  const group = isOwn(field) ? groupOfField[ownFields[field][0]] : undefined;
  return group ? [group] : [];
};

/** The group that keeps somebody from a field; PAYMENTS for who may not see payments at all; undefined when they see it. */
export function hiddenIn({ hidden, permissions }: Holder, field: ExportField): FieldGroup | undefined {
  const groups = groupsOf(field);
  if (field === 'BALANCES' && !permissions.has('payments:read')) return 'PAYMENTS';
  return groups.length > 0 && groups.every((group) => hidden.has(group)) ? groups[0] : undefined;
}

/** The groups that a file with these fields shows, when it is made for somebody. */
export const shownGroups = ({ hidden }: Holder, fields: readonly ExportField[]): FieldGroup[] => [
  ...new Set(fields.flatMap(groupsOf).filter((group) => !hidden.has(group))),
];
