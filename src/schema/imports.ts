// Importing, as the world sees it: a file's dry run, what its columns are for, applying and taking back.
import { Field, Float, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import {
  type DeletedPolicy,
  deletedPolicies,
  type DuplicatePolicy,
  duplicatePolicies,
  type ImportFile,
  importFiles,
  type ImportState,
  importStates,
  type MatchKey,
  matchKeys,
  type RowOutcome,
  rowOutcomes,
  type RowUndoOutcome,
  rowUndoOutcomes,
} from '../entities/import.ts';
import { questionKinds } from '../imports/recognition/evidence.ts';
import { type DateOrder, dateOrders, type TargetField, targetFields } from '../imports/recognition/mapping.ts';
import { type Encoding, encodings, type FileFormat, fileFormats } from '../imports/sheet.ts';
import { DateTime, enumOf, Money, Node, UserError } from './common.ts';
import { RowCount } from './deletions.ts';
import { Failure } from './jobs.ts';
import { connectionOf } from './pages.ts';

const described = (values: Record<string, string>) => Object.fromEntries(Object.entries(values).map(([value, description]) => [value, { description }]));

export const ImportStateEnum = enumOf<ImportState>(importStates);
registerEnumType(ImportStateEnum, {
  name: 'ImportState',
  description: 'Where an import stands.',
  valuesConfig: described({
    CHECKING: 'The dry run is under way; its first rows can be looked at already.',
    CHECKED: 'The dry run is done, and nothing was imported yet.',
    APPLYING: 'Contacts are being created and changed.',
    STOPPED: 'Applying or undoing was given up; `failure` says why. What was done stays: go on with `applyImport`, or take it back with `undoImport`.',
    APPLIED: 'Every row is done, or refused with its reason.',
    UNDOING: 'It is being taken back.',
    UNDONE: 'It was taken back.',
    FAILED: 'The file could not be read; `failure` says why. Nothing was imported.',
    DISCARDED: 'It was called off, or nobody applied it in time. Its file and its rows are gone.',
  }),
});

export const DuplicatePolicyEnum = enumOf<DuplicatePolicy>(duplicatePolicies);
registerEnumType(DuplicatePolicyEnum, {
  name: 'DuplicatePolicy',
  description: 'What becomes of rows that match a contact which is there already.',
  valuesConfig: described({
    SKIP: 'They are skipped.',
    FILL_EMPTY: 'What is empty on the contact is filled; what it lacks of phone numbers, tags, notes and the like is added. It takes `contacts:update`.',
    OVERWRITE: 'What the row has replaces what the contact has; what it lacks is added. It takes `contacts:update`.',
    CREATE: 'A second contact is created, where only phone or name and date of birth are the same; email and member number can’t be twice.',
  }),
});

export const DeletedPolicyEnum = enumOf<DeletedPolicy>(deletedPolicies);
registerEnumType(DeletedPolicyEnum, {
  name: 'DeletedPolicy',
  description: 'What becomes of rows that match a contact which was deleted and can still be recovered.',
  valuesConfig: described({
    SKIP: 'They are skipped, and the contact can be recovered with all that it had.',
    CREATE: 'A new contact is created, without notes, history, memberships and payments of the deleted one.',
  }),
});

export const MatchKeyEnum = enumOf<MatchKey>(matchKeys);
registerEnumType(MatchKeyEnum, {
  name: 'MatchKey',
  description: 'What a row is the same contact by, in the order of trust.',
  valuesConfig: described({
    EMAIL: 'An email address.',
    PHONE: 'A phone number, and no other name.',
    MEMBER_NUMBER: 'The member number.',
    NAME_AND_BIRTH_DATE: 'First name, last name and date of birth.',
  }),
});

export const ImportOutcomeEnum = enumOf<RowOutcome>(rowOutcomes);
registerEnumType(ImportOutcomeEnum, {
  name: 'ImportOutcome',
  description: 'What becomes of a row: before it is applied, what would.',
  valuesConfig: described({
    CREATED: 'A contact is created.',
    UPDATED: 'The contact that it matches is changed.',
    SKIPPED: 'Nothing: it is there already, or was meant to be left out.',
    REFUSED: 'Nothing: something in it can’t be used. It is in the file of refused rows with its reason.',
  }),
});

export const ImportUndoOutcomeEnum = enumOf<RowUndoOutcome>(rowUndoOutcomes);
registerEnumType(ImportUndoOutcomeEnum, {
  name: 'ImportUndoOutcome',
  description: 'What an undo did with a row.',
  valuesConfig: described({
    REVERTED: 'The contact that it created was deleted, or all that it changed is as it was before.',
    KEPT: 'Somebody has touched it since: a created contact was kept, of a changed one the part that was edited.',
    GONE: 'The contact was deleted since.',
  }),
});

export const FileFormatEnum = enumOf<FileFormat>(fileFormats);
registerEnumType(FileFormatEnum, {
  name: 'FileFormat',
  description: 'What a file is, by its content.',
  valuesConfig: described({
    CSV: 'Text with separators between the cells.',
    XLSX: 'A workbook of Excel and of others that write its format.',
    VCARD: 'Cards (vCard), as phones and mail programs write them.',
  }),
});

export const EncodingEnum = enumOf<Encoding>(encodings);
registerEnumType(EncodingEnum, {
  name: 'Encoding',
  description: 'How the characters of a text are written.',
  valuesConfig: described({
    UTF_8: 'UTF-8.',
    UTF_16LE: 'UTF-16, little endian: “Unicode text” of Excel.',
    UTF_16BE: 'UTF-16, big endian.',
    WINDOWS_1252: 'Windows-1252, also known as ANSI, which covers ISO 8859-1.',
  }),
});

export const DateOrderEnum = enumOf<DateOrder>(dateOrders);
registerEnumType(DateOrderEnum, {
  name: 'DateOrder',
  description: 'In which order dates are written.',
  valuesConfig: described({ DMY: 'Day, month, year.', MDY: 'Month, day, year.', YMD: 'Year, month, day.' }),
});

const fieldNames = Object.keys(targetFields) as TargetField[];
export const ImportFieldEnum = enumOf<TargetField>(fieldNames);
registerEnumType(ImportFieldEnum, { name: 'ImportField', description: 'What a column can be for.', valuesConfig: described(targetFields) });

const questionNames = Object.keys(questionKinds) as (keyof typeof questionKinds)[];
export const ImportQuestionKindEnum = enumOf<keyof typeof questionKinds>(questionNames);
registerEnumType(ImportQuestionKindEnum, { name: 'ImportQuestionKind', description: 'What is asked.', valuesConfig: described(questionKinds) });

/** Within a header nothing else can be told, so it is a word and not a character. */
export const separatorNames = { COMMA: ',', SEMICOLON: ';', TAB: '\t', BAR: '|' } as const;
export const SeparatorEnum = enumOf<keyof typeof separatorNames>(['COMMA', 'SEMICOLON', 'TAB', 'BAR']);
registerEnumType(SeparatorEnum, {
  name: 'Separator',
  description: 'What stands between the cells of a text.',
  valuesConfig: described({ COMMA: 'A comma.', SEMICOLON: 'A semicolon.', TAB: 'A tab.', BAR: 'A vertical bar.' }),
});

export const decimalMarks = { COMMA: ',', POINT: '.' } as const;
export const DecimalMarkEnum = enumOf<keyof typeof decimalMarks>(['COMMA', 'POINT']);
registerEnumType(DecimalMarkEnum, {
  name: 'DecimalMark',
  description: 'What begins the fraction of a number.',
  valuesConfig: described({ COMMA: 'A comma, as in 1.234,50.', POINT: 'A point, as in 1,234.50.' }),
});

@ObjectType({ simpleResolvers: true, description: 'How a file was read. What does not apply to its format is null.' })
export class FileReading {
  @Field(() => FileFormatEnum, { description: 'What it is, by its content.' })
  format!: FileFormat;

  @Field(() => EncodingEnum, { nullable: true, description: 'Its encoding, detected or as it was asked for.' })
  encoding!: Encoding | null;

  @Field(() => SeparatorEnum, { nullable: true, description: 'Its separator.' })
  separator!: keyof typeof separatorNames | null;

  @Field(() => String, { nullable: true, description: 'Its quotation mark; empty where it has none.' })
  quote!: string | null;

  @Field(() => String, { nullable: true, description: 'The sheet that is read.' })
  sheet!: string | null;

  @Field(() => [String], { description: 'The names of all sheets.' })
  sheets!: string[];

  @Field(() => Int, { description: 'The row with the column names, from 1.' })
  headerRow!: number;
}

@ObjectType({ simpleResolvers: true, description: 'A column of the file, and what it is for.' })
export class ImportColumn {
  @Field(() => Int, { description: 'Its place, from 0.' })
  index!: number;

  @Field(() => String, { description: 'Its name, as the file spells it.' })
  header!: string;

  @Field(() => ImportFieldEnum, { nullable: true, description: 'What it is for; null: it is not imported.' })
  field!: TargetField | null;

  @Field(() => String, { nullable: true, description: 'Of a custom field: its key.' })
  customFieldKey!: string | null;

  @Field(() => String, { nullable: true, description: 'What a contact point is called, as in `Mobile`; what a note begins with.' })
  label!: string | null;

  @Field(() => Int, { nullable: true, description: 'Columns of one address, phone or membership have the same number.' })
  ordinal!: number | null;

  @Field(() => Float, { description: 'How sure that is, from 0 to 1; 1: the name says so, or a person.' })
  confidence!: number;

  @Field(() => DateOrderEnum, { nullable: true, description: 'The order of its dates, where it has any and that is known.' })
  dateOrder!: DateOrder | null;

  @Field(() => DecimalMarkEnum, { nullable: true, description: 'The decimal mark of its numbers, where it has any and that is known.' })
  decimalMark!: keyof typeof decimalMarks | null;
}

@ObjectType({ simpleResolvers: true, description: 'What can be read in two ways, and is not guessed. Answer it with `changeImport`.' })
export class ImportQuestion {
  @Field(() => ImportQuestionKindEnum, { description: 'What is asked.' })
  kind!: keyof typeof questionKinds;

  @Field(() => Int, { description: 'The column that it is about.' })
  column!: number;

  @Field(() => String, { description: 'The name of that column.' })
  header!: string;

  @Field(() => [Int], { description: 'The numbers of the first rows that show it.' })
  rows!: number[];

  @Field(() => [DateOrderEnum], { description: 'Of dates: the orders that are possible.' })
  dateOrders!: DateOrder[];
}

@ObjectType({ simpleResolvers: true, description: 'How many rows have which outcome: what would become of them, or what has.' })
export class ImportCounts {
  @Field(() => Int, { description: 'Contacts are created.' })
  createdCount!: number;

  @Field(() => Int, { description: 'Contacts are changed.' })
  updatedCount!: number;

  @Field(() => Int, { description: 'Nothing is done.' })
  skippedCount!: number;

  @Field(() => Int, { description: 'Something can’t be used.' })
  refusedCount!: number;

  @Field(() => Int, { description: 'Among those that are created or skipped: rows that match a contact which was deleted and can still be recovered.' })
  deletedCount!: number;

  @Field(() => Int, { description: 'Of an undo: rows that are taken back.' })
  revertedCount!: number;

  @Field(() => Int, { description: 'Of an undo: rows that were kept, because somebody has touched the contact since.' })
  keptCount!: number;

  @Field(() => Int, { description: 'Of an undo: rows whose contact was deleted since.' })
  goneCount!: number;
}

@ObjectType({ simpleResolvers: true, description: 'Why a row is refused or skipped.' })
export class ImportProblem {
  @Field(() => String, { description: 'A stable code.' })
  code!: string;

  @Field(() => String, { nullable: true, description: 'The name of the column at fault; null when it is the whole row.' })
  column!: string | null;

  @Field(() => String, { description: 'What is wrong, and what to do.' })
  message!: string;
}

@ObjectType({ simpleResolvers: true, description: 'What a row says, as it is understood.' })
export class ImportValue {
  @Field(() => String, {
    description:
      'The field: one of a contact’s own, or `contactPoint`, `tag`, `note`, `membership`, `customField`, `openingBalance`; `cell` where the row was not understood.',
  })
  field!: string;

  @Field(() => String, { description: 'The value.' })
  value!: string;
}

@ObjectType({ description: 'A row of the file.' })
export class ImportRow {
  @Field(() => Int, { description: 'Its number, as the spreadsheet shows it; of vCards the number of the card, from 2.' })
  rowNumber!: number;

  @Field(() => ImportOutcomeEnum, { description: 'What becomes of it, or has.' })
  outcome!: RowOutcome;

  @Field(() => [ImportProblem], { description: 'Why it is refused or skipped; empty otherwise.' })
  reasons!: ImportProblem[];

  @Field(() => MatchKeyEnum, { nullable: true, description: 'What it is a duplicate by.' })
  matchedBy!: MatchKey | null;

  @Field(() => ID, { nullable: true, description: 'The contact that it matches or has become.' })
  contactId!: string | null;

  @Field(() => Int, { nullable: true, description: 'The earlier row of the file that is the same contact.' })
  repeatsRow!: number | null;

  @Field(() => ID, { nullable: true, description: 'The deletion of the contact that it matches and that can still be recovered.' })
  deletionId!: string | null;

  @Field(() => ID, { nullable: true, description: 'That deleted contact.' })
  deletedContactId!: string | null;

  @Field(() => ImportUndoOutcomeEnum, { nullable: true, description: 'What an undo did with it.' })
  undoOutcome!: RowUndoOutcome | null;

  @Field(() => [ImportValue], { description: 'What it says, without what you don’t see of contacts; gone once it is applied.' })
  values!: ImportValue[];
}

export const ImportRowConnection = connectionOf(ImportRow, 'row of the file', 'rows of the file');

@ObjectType({ simpleResolvers: true, description: 'What a recovery would bring back that an import can’t, and its price. `recoveryPlan` tells all of it.' })
export class RecoveryOffer {
  @Field(() => Int, { description: 'How many contacts it would recover.' })
  contactCount!: number;

  @Field(() => [RowCount], { description: 'How many rows of each kind it would bring back, the contacts included; without kinds that your roles hide.' })
  rows!: RowCount[];

  @Field(() => Money, { description: 'What it costs, once.' })
  fee!: Money;

  @Field(() => String, { description: 'Identifies this plan; to be given to `requestRecovery` with the deletion and the contacts.' })
  hash!: string;
}

@ObjectType({ description: 'A deletion that rows of a file match contacts of. A recovery brings them back with all that an import can’t.' })
export class ImportRecoverable {
  @Field(() => ID, { description: 'The deletion.' })
  deletionId!: string;

  @Field(() => Int, { description: 'How many of its contacts are matched.' })
  contactCount!: number;

  @Field(() => [ID], { description: 'These contacts, at most 10,000: give them to `recoveryPlan` and `requestRecovery`.' })
  contactIds!: string[];

  @Field(() => DateTime, { description: 'Until when they can be recovered.' })
  recoverableUntil!: Date;

  deletionUuid!: string;
  contactUuids!: string[];
}

@ObjectType({ implements: Node, description: 'Contacts read from a file: dry run, apply, undo.' })
export class Import extends Node {
  @Field(() => ImportStateEnum, { description: 'Where it stands.' })
  state!: ImportState;

  @Field(() => String, { description: 'The name of the file, as it was uploaded.' })
  fileName!: string;

  @Field(() => Float, { description: 'Its size in bytes.' })
  byteLength!: number;

  @Field(() => FileReading, { nullable: true, description: 'How it was read; null until it is.' })
  reading!: FileReading | null;

  @Field(() => [ImportColumn], { description: 'Its columns; empty until it is read.' })
  columns!: ImportColumn[];

  @Field(() => [ImportQuestion], { description: 'What must be answered before it can be applied.' })
  questions!: ImportQuestion[];

  @Field(() => String, { nullable: true, description: 'The country of phone numbers that name none, an ISO 3166-1 code.' })
  country!: string | null;

  @Field(() => String, { description: 'The currency of amounts that name none, an ISO 4217 code.' })
  currency!: string;

  @Field(() => DuplicatePolicyEnum, { description: 'What becomes of rows that match a contact which is there already.' })
  duplicatePolicy!: DuplicatePolicy;

  @Field(() => DeletedPolicyEnum, { nullable: true, description: 'What becomes of rows that match a deleted contact; null until it is chosen.' })
  deletedPolicy!: DeletedPolicy | null;

  @Field(() => Int, { description: 'How many rows of the file are not blank; 0 until the dry run is done.' })
  rowCount!: number;

  @Field(() => Failure, { nullable: true, description: 'Why it failed or stopped, when it did.' })
  failure!: Failure | null;

  @Field(() => String, { description: 'The name of who began it.' })
  requestedByName!: string;

  @Field(() => DateTime, { description: 'When it was begun.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'When the dry run was done.' })
  checkedAt!: Date | null;

  @Field(() => String, { nullable: true, description: 'The name of who applied it.' })
  appliedByName!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When that was asked for.' })
  appliedAt!: Date | null;

  @Field(() => DateTime, { description: 'Until when it can be applied, or undone; then its file and its rows are removed.' })
  expiresAt!: Date;

  @Field(() => Boolean, { description: 'Whether it can be undone now.' })
  isUndoable!: boolean;

  @Field(() => String, { nullable: true, description: 'The name of who undid it.' })
  undoneByName!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was undone.' })
  undoneAt!: Date | null;

  uuid!: string;
  jobUuid!: string | null;
  undoDeletionUuid!: string | null;
  /** As the rule for jobs reads it. */
  requestedById!: string;
}

export const ImportConnection = connectionOf(Import, 'import', 'imports');

@ObjectType({ implements: Node, description: 'How a kind of file is read and what its columns are for, kept under a name.' })
export class ImportTemplate extends Node {
  @Field(() => String, { description: 'Its name.' })
  name!: string;

  @Field(() => [ImportColumn], { description: 'Its columns, which are found in a file by their names.' })
  columns!: ImportColumn[];

  @Field(() => String, { description: 'The name of who made it.' })
  createdByName!: string;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { description: 'When it was last saved.' })
  updatedAt!: Date;
}

export const ImportTemplateConnection = connectionOf(ImportTemplate, 'import template', 'import templates');

@InputType({ description: 'What a column is for.' })
export class ImportColumnInput {
  @Field(() => Int, { description: 'Its place, from 0.' })
  index!: number;

  @Field(() => ImportFieldEnum, { nullable: true, description: 'What it is for; null: it is not imported.' })
  field?: TargetField | null;

  @Field(() => String, { nullable: true, description: 'Of a custom field: its key.' })
  customFieldKey?: string | null;

  @Field(() => String, { nullable: true, description: 'What a contact point is called; what a note begins with.' })
  label?: string | null;

  @Field(() => Int, { nullable: true, description: 'Columns of one address, phone or membership have the same number.' })
  ordinal?: number | null;

  @Field(() => DateOrderEnum, { nullable: true, description: 'The order of its dates; left out, what its values tell.' })
  dateOrder?: DateOrder | null;

  @Field(() => DecimalMarkEnum, { nullable: true, description: 'The decimal mark of its numbers; left out, what its values tell.' })
  decimalMark?: keyof typeof decimalMarks | null;
}

@InputType({ description: 'How a file is read. What is left out is detected, or stays.' })
class ImportChoicesInput {
  @Field(() => EncodingEnum, { nullable: true, description: 'The encoding of a text.' })
  encoding?: Encoding | null;

  @Field(() => SeparatorEnum, { nullable: true, description: 'The separator of a text.' })
  separator?: keyof typeof separatorNames | null;

  @Field(() => String, { nullable: true, description: 'The quotation mark of a text: `"` or `\'`, or empty for none.' })
  quote?: string | null;

  @Field(() => String, { nullable: true, description: 'The name of the sheet of a workbook.' })
  sheet?: string | null;

  @Field(() => Int, { nullable: true, description: 'The row with the column names, from 1.' })
  headerRow?: number | null;

  @Field(() => String, { nullable: true, description: 'The country of phone numbers that name none, an ISO 3166-1 code; at first the organization’s.' })
  country?: string | null;

  @Field(() => String, { nullable: true, description: 'The currency of amounts that name none, an ISO 4217 code; at first the organization’s.' })
  currency?: string | null;

  @Field(() => DateOrderEnum, { nullable: true, description: 'The order of dates in columns whose values don’t tell.' })
  dateOrder?: DateOrder | null;

  @Field(() => DecimalMarkEnum, { nullable: true, description: 'The decimal mark in columns whose values don’t tell.' })
  decimalMark?: keyof typeof decimalMarks | null;

  @Field(() => DuplicatePolicyEnum, { nullable: true, description: 'What becomes of rows that match a contact which is there already; `SKIP` at first.' })
  duplicatePolicy?: DuplicatePolicy | null;

  @Field(() => DeletedPolicyEnum, { nullable: true, description: 'What becomes of rows that match a contact which was deleted and can still be recovered.' })
  deletedPolicy?: DeletedPolicy | null;
}

@InputType({ description: 'Begins an import with its dry run.' })
export class StartImportInput extends ImportChoicesInput {
  @Field(() => ID, { description: 'The upload, which is complete. It is used up.' })
  uploadId!: string;

  @Field(() => ID, { nullable: true, description: 'A template to read it by.' })
  templateId?: string | null;
}

@InputType({ description: 'Changes an import that was not applied. What changes how rows are read does the dry run again.' })
export class ChangeImportInput extends ImportChoicesInput {
  @Field(() => ID, { description: 'The import.' })
  id!: string;

  @Field(() => [ImportColumnInput], { nullable: true, description: 'What columns are for; those that are left out stay.' })
  columns?: ImportColumnInput[] | null;
}

@InputType({ description: 'Which import.' })
export class ImportInput {
  @Field(() => ID, { description: 'The import.' })
  id!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of what is done with an import.' })
export class ImportPayload {
  @Field(() => Import, { nullable: true, description: 'The import as it is now; null when nothing was done.' })
  import!: Import | null;

  @Field(() => [UserError], { description: 'Why nothing was done; empty when it was.' })
  userErrors!: UserError[];
}

export const ImportFileEnum = enumOf<ImportFile>(importFiles);
registerEnumType(ImportFileEnum, {
  name: 'ImportFile',
  description: 'A file that an import gives.',
  valuesConfig: described({
    REPORT: 'What becomes of every row, or has, as CSV: numbers, outcomes, reasons and ids, and nothing that the rows say.',
    REFUSED_ROWS: 'The refused rows as they stood in the file, in its format, each with its reason; correct them there and import that file.',
  }),
});

@InputType({ description: 'Which file of which import.' })
export class CreateImportFileLinkInput {
  @Field(() => ID, { description: 'The import.' })
  id!: string;

  @Field(() => ImportFileEnum, { description: 'The file.' })
  file!: ImportFile;
}

@InputType({ description: 'Keeps how an import’s file is read.' })
export class SaveImportTemplateInput {
  @Field(() => ID, { description: 'The import.' })
  importId!: string;

  @Field(() => String, { description: 'The name of the template, 1 to 255 characters; one of that name is replaced.' })
  name!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `saveImportTemplate`.' })
export class SaveImportTemplatePayload {
  @Field(() => ImportTemplate, { nullable: true, description: 'The template; null when nothing was saved.' })
  template!: ImportTemplate | null;

  @Field(() => [UserError], { description: 'Why nothing was saved; empty when it was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Which template.' })
export class DeleteImportTemplateInput {
  @Field(() => ID, { description: 'The template.' })
  id!: string;
}

@ObjectType({ simpleResolvers: true, description: 'The outcome of `deleteImportTemplate`.' })
export class DeleteImportTemplatePayload {
  @Field(() => ID, { nullable: true, description: 'The id of the template that is gone; null when nothing was deleted.' })
  deletedId!: string | null;

  @Field(() => [UserError], { description: 'Why nothing was deleted; empty when it was.' })
  userErrors!: UserError[];
}
