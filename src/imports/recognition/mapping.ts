// What the columns of a sheet can be for, and what else must be known to read their values.
import type { CustomFieldDefinitionRow } from '../../domain/references.ts';

/** Every field that a column can fill, with its description in the manual. */
export const targetFields = {
  FIRST_NAME: 'The first name.',
  MIDDLE_NAME: 'A middle name; it is added to the first name.',
  LAST_NAME: 'The last name.',
  NAME_SUFFIX: 'What stands after the last name, as in Jr.; it is added to the last name.',
  FULL_NAME: 'The whole name, which is split; where a row also has a first or last name, only what they do not say is kept, as a note.',
  FULL_NAME_LAST_FIRST: 'The same, where the cells have the last name first without a comma.',
  EMAIL: 'The email address; further ones in the cell become contact points.',
  FURTHER_EMAIL: 'A further email address, which becomes a contact point; it is the contact’s own where the row has no other.',
  EMAIL_LABEL: 'What the email addresses of the same number are for, as in Work.',
  PHONE: 'A phone number, or several.',
  PHONE_LABEL: 'What the phone numbers of the same number are for, as in Mobile.',
  STREET: 'The street with its number; several columns of one address are joined.',
  CITY: 'The city.',
  REGION: 'The state, province or region; contacts have none, so the whole address is kept as a contact point too.',
  POSTAL_CODE: 'The postal code.',
  POSTAL_CODE_AND_CITY: 'The postal code and the city in one cell.',
  COUNTRY: 'The country, by its name or its ISO 3166 code.',
  FULL_ADDRESS: 'A whole address in one cell; it becomes a contact point.',
  ADDRESS_LABEL: 'What the address of the same number is for, as in Home.',
  WEBSITE: 'A website, or several.',
  WEBSITE_LABEL: 'What the websites of the same number are for.',
  BIRTH_DATE: 'The date of birth; one without a year is kept as a note.',
  MEMBER_NUMBER: 'The member number.',
  COMPANY: 'The company or organization.',
  JOB_TITLE: 'The job title.',
  TAGS: 'Tags, separated by semicolons, commas, vertical bars or line breaks.',
  NOTE: 'A note; with a label it begins with the label.',
  MEMBERSHIP_PLAN: 'The name of the membership plan.',
  MEMBERSHIP_START: 'The day the membership starts.',
  MEMBERSHIP_END: 'The day the membership ends.',
  OPENING_BALANCE: 'What the contact owes (negative) or has paid ahead.',
  AMOUNT_DUE: 'What the contact owes as a positive amount; it becomes an opening balance.',
  CUSTOM_FIELD: 'A custom field of the organization.',
} as const;
export type TargetField = keyof typeof targetFields;

type PointKind = 'EMAIL' | 'PHONE' | 'ADDRESS' | 'WEBSITE';

/** Whose label a column has. */
export const labelKinds: Partial<Record<TargetField, PointKind>> = {
  EMAIL_LABEL: 'EMAIL',
  PHONE_LABEL: 'PHONE',
  ADDRESS_LABEL: 'ADDRESS',
  WEBSITE_LABEL: 'WEBSITE',
};
/** Which columns a label is for. */
export const pointKinds: Partial<Record<TargetField, PointKind>> = {
  EMAIL: 'EMAIL',
  FURTHER_EMAIL: 'EMAIL',
  PHONE: 'PHONE',
  WEBSITE: 'WEBSITE',
  STREET: 'ADDRESS',
  CITY: 'ADDRESS',
  REGION: 'ADDRESS',
  POSTAL_CODE: 'ADDRESS',
  POSTAL_CODE_AND_CITY: 'ADDRESS',
  COUNTRY: 'ADDRESS',
  FULL_ADDRESS: 'ADDRESS',
};

/** What a column is for. */
export interface ColumnTarget {
  field: TargetField;
  /** Of `CUSTOM_FIELD`: its key. */
  customFieldKey?: string | null;
  /** Of contact points and addresses: what they are for, as in Mobile or Work. Of notes: what they begin with. */
  label?: string | null;
  /** Tells several of the same in one row apart: columns with the same number and label belong together. */
  ordinal?: number | null;
  /** Of amounts: an ISO 4217 code, where the header names one. */
  currency?: string | null;
}

/** In which order a column writes day, month and year. */
export const dateOrders = ['DMY', 'MDY', 'YMD'] as const;
export type DateOrder = (typeof dateOrders)[number];
export type DecimalMark = ',' | '.';

export interface ColumnMapping {
  /** The column, from 0. */
  index: number;
  /** As the file spells it. */
  header: string;
  /** Null: not imported. */
  target: ColumnTarget | null;
  /** From 0 to 1; 1: the header says so, or a person. */
  confidence: number;
  /** What a person said, or what the column’s own values settle. */
  dateOrder?: DateOrder | null;
  /** Dates that are numbers of days, as spreadsheets keep them; or that contradict each other about their order. */
  dateForm?: 'SERIAL' | 'MIXED' | null;
  /** What a person said, or what the column’s own values settle. */
  decimal?: DecimalMark | null;
}

/** What the organization has that columns can be for. */
export interface Known {
  customFields: readonly Pick<CustomFieldDefinitionRow, 'key' | 'label' | 'kind'>[];
  /** The names of its membership plans. */
  plans: readonly string[];
}

export interface ValueSettings {
  /** The organization’s country, an ISO 3166-1 alpha-2 code, for phone numbers that name none. */
  country: string | null;
  /** An ISO 4217 code, for amounts that name none. */
  currency: string;
  /** Where a column’s own values settle nothing. */
  dateOrder: DateOrder | null;
  /** Where a column’s own values settle nothing. */
  decimal: DecimalMark | null;
}

/** True for columns whose cells are dates. */
export const holdsDates = ({ target }: ColumnMapping, known: Known): boolean =>
  target?.field === 'BIRTH_DATE' || target?.field === 'MEMBERSHIP_START' || target?.field === 'MEMBERSHIP_END' || kindOf(target, known) === 'DATE';

/** True for columns whose cells are numbers with a fraction. */
export const holdsNumbers = ({ target }: ColumnMapping, known: Known): boolean =>
  target?.field === 'OPENING_BALANCE' || target?.field === 'AMOUNT_DUE' || kindOf(target, known) === 'NUMBER';

const kindOf = (target: ColumnTarget | null, known: Known) =>
  target?.field === 'CUSTOM_FIELD' ? known.customFields.find(({ key }) => key === target.customFieldKey)?.kind : undefined;

/** The last year that two digits mean in a column: nobody is born later than now, and memberships end in some years. */
export const latestYearOf = ({ target }: ColumnMapping): number => new Date().getFullYear() + (target?.field === 'BIRTH_DATE' ? 0 : 20);
