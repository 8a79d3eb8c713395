// What of a contact a role may hide from its holders: groups of fields, in human words, and which fields and rows each holds.

export const fieldGroups = {
  EMAIL_AND_PHONE: ['Email and phone', 'The email, and all further ways to reach a contact but addresses.'],
  ADDRESS: ['Address', 'Street, city, postal code and country, and further addresses.'],
  BIRTH_DATE: ['Date of birth', 'The date of birth.'],
  NOTES: ['Notes and activities', 'What was written down about a contact: notes and activities.'],
  CUSTOM_FIELDS: ['Custom fields', 'What a contact has in the fields that the organization added.'],
  PAYMENTS: ['Payments', 'Payments, and the ledger, which they are entered in.'],
  BALANCES: ['Balances', 'Balances, and the ledger, which they are the sums of.'],
} as const satisfies Record<string, readonly [title: string, description: string]>;

export type FieldGroup = keyof typeof fieldGroups;

export const allFieldGroups = Object.keys(fieldGroups) as FieldGroup[];

/** The groups of a contact’s own fields; a field that is not here is seen by everyone who sees contacts. */
export const groupOfField: Readonly<Record<string, FieldGroup>> = {
  email: 'EMAIL_AND_PHONE',
  street: 'ADDRESS',
  city: 'ADDRESS',
  postalCode: 'ADDRESS',
  country: 'ADDRESS',
  birthDate: 'BIRTH_DATE',
};

const kinds: Readonly<Record<string, readonly FieldGroup[]>> = {
  Contact: [],
  ContactPoint: ['EMAIL_AND_PHONE', 'ADDRESS'],
  Note: ['NOTES'],
  Activity: ['NOTES'],
  Membership: [],
  Payment: ['PAYMENTS'],
  LedgerEntry: ['PAYMENTS', 'BALANCES'],
  ContactTag: [],
  CustomFieldValue: ['CUSTOM_FIELDS'],
  // What was before something was changed; by an import that can be anything.
  ActionDetail: allFieldGroups,
};

/** The groups that one must see to see rows of this kind, or how many there are. A kind that nobody put in a group is in all. */
export const groupsOfRow = (kind: string): readonly FieldGroup[] => (Object.hasOwn(kinds, kind) ? kinds[kind]! : allFieldGroups);

/** The group of a contact point of this kind. */
export const groupOfPoint = (kind: string): FieldGroup => (kind === 'ADDRESS' ? 'ADDRESS' : 'EMAIL_AND_PHONE');
