// Exports of contacts, as the world sees them.
import { Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { type ExportField, exportFields } from '../domain/export-fields.ts';
import type { ExportRow } from '../domain/export-rows.ts';
import { type ExportFormat, exportFormats, exportStates } from '../entities/contact-export.ts';
import { DateTime, described, enumOf, Node, UserError } from './common.ts';
import { ContactFilter } from './contacts.ts';
import { Failure } from './jobs.ts';
import { connectionOf } from './pages.ts';

export const ExportFormatEnum = enumOf<ExportFormat>(exportFormats);
registerEnumType(ExportFormatEnum, {
  name: 'ContactExportFormat',
  description: 'What kind of file contacts are written to.',
  valuesConfig: described({
    CSV: 'A table as text in UTF-8 (RFC 4180). What a spreadsheet would take for a formula begins with an apostrophe, which importing takes off again.',
    XLSX: 'An Excel workbook: texts are texts, dates are dates, amounts are numbers, and nothing is a formula.',
    VCARD_3: 'Contacts as vCards 3.0, which phones import: names, ways to reach, birthday, tags and notes, and nothing else.',
    VCARD_4: 'Contacts as vCards 4.0 (RFC 6350), with the same in them.',
  }),
});

export const ExportStateEnum = enumOf<ExportRow['state']>([...exportStates, 'EXPIRED']);
registerEnumType(ExportStateEnum, {
  name: 'ContactExportState',
  description: 'Where an export stands.',
  valuesConfig: described({
    QUEUED: 'Waits for a worker.',
    RUNNING: 'Its file is being written.',
    COMPLETED: 'Its file is there, until `expiresAt`.',
    EXPIRED: 'Its time is over, and its file is not kept any more.',
    REMOVED: 'Its file was removed before its time, because somebody was erased who may have been in it; `failure` says so.',
    FAILED: 'It could not be written, and nothing of it is kept; `failure` says why.',
  }),
});

export const ExportFieldEnum = enumOf<ExportField>(exportFields);
registerEnumType(ExportFieldEnum, {
  name: 'ContactExportField',
  description: 'What of contacts is written to a file.',
  valuesConfig: described({
    ID: 'The id, as this API knows it.',
    MEMBER_NUMBER: 'Member number.',
    FIRST_NAME: 'First name.',
    LAST_NAME: 'Last name.',
    EMAIL: 'Email address.',
    COMPANY: 'Company.',
    JOB_TITLE: 'Job title.',
    STREET: 'Street and number.',
    CITY: 'City.',
    POSTAL_CODE: 'Postal code.',
    COUNTRY: 'Country.',
    BIRTH_DATE: 'Date of birth.',
    CONTACT_POINTS: 'Further ways to reach it, of each kind as many columns as are needed, 20 at most; the last holds what is left.',
    TAGS: 'Tags, with semicolons between them.',
    MEMBERSHIPS: 'The current membership with its plan, start, end and state; others in a column of their own.',
    BALANCES: 'Balances, a column for each currency.',
    CUSTOM_FIELDS: 'Custom fields, a column for each.',
    NOTES: 'Notes, the oldest first.',
    CREATED_AT: 'When it was created, in UTC.',
    UPDATED_AT: 'When its own fields were last changed, in UTC.',
  }),
});

@ObjectType({ implements: Node, description: 'Contacts that were taken out as a file. The record stays when the file is gone.' })
export class ContactExport extends Node {
  @Field(() => ExportStateEnum, { description: 'Where it stands.' })
  state!: ExportRow['state'];

  @Field(() => ExportFormatEnum, { description: 'What kind of file it is.' })
  format!: ExportFormat;

  @Field(() => [ExportFieldEnum], {
    description: 'What was asked for; once it is completed, what is in the file, without what was hidden from whoever ordered it.',
  })
  fields!: ExportField[];

  @Field(() => String, { description: 'The name of who ordered it, and who alone gets the file.' })
  requestedByName!: string;

  @Field(() => DateTime, { description: 'When it was ordered.' })
  requestedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'The instant that the file shows; null until it is completed.' })
  takenAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Until when the file is kept; null until it is completed.' })
  expiresAt!: Date | null;

  @Field(() => Int, { description: 'How many contacts are in it; 0 until it is completed.' })
  contactCount!: number;

  @Field(() => Float, { description: 'How many bytes it has; 0 until it is completed.' })
  byteLength!: number;

  @Field(() => Failure, { nullable: true, description: 'Why it failed or its file was removed, when that is so.' })
  failure!: Failure | null;

  requestedById!: string;
  jobId!: string;
}

export const ContactExportConnection = connectionOf(ContactExport, 'export', 'exports');

@InputType({ description: 'Asks for contacts as a file.' })
export class ExportContactsInput {
  @Field(() => ExportFormatEnum, { description: 'What kind of file.' })
  format!: ExportFormat;

  @Field(() => ContactFilter, { nullable: true, description: 'Which contacts; all, when left out.' })
  filter?: ContactFilter | null;

  @Field(() => [ExportFieldEnum], { nullable: true, description: 'What of them, in whatever order; all that your roles show, when left out.' })
  fields?: ExportField[] | null;
}

@ObjectType({ description: 'The outcome of `exportContacts`.' })
export class ExportContactsPayload {
  @Field(() => ContactExport, { nullable: true, description: 'The export that is ordered: watch its job, then ask for the link to its file.' })
  contactExport!: ContactExport | null;

  @Field(() => [UserError], { description: 'Why none is ordered; empty when one is.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Asks for a link to the file of an export.' })
export class CreateContactExportLinkInput {
  @Field(() => ID, { description: 'The export, which you ordered.' })
  id!: string;
}

@InputType({ description: 'Asks for all that is kept about a contact.' })
export class ExportContactInput {
  @Field(() => ID, { description: 'The contact.' })
  contactId!: string;
}

/** What each payload with a link has. */
@ObjectType()
export abstract class LinkPayload {
  @Field(() => String, { nullable: true, description: 'The path on this server to get it from, with no token but the link itself; null when refused.' })
  path!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Until when the link can be used.' })
  expiresAt!: Date | null;

  @Field(() => [UserError], { description: 'Why it was refused; empty when it was not.' })
  userErrors!: UserError[];
}

@ObjectType({ description: 'A link to a file. It is for whoever asked for it, and what they may do is asked again when it is used.' })
export class FileLinkPayload extends LinkPayload {}
