// Importing, as the world sees it: a file's dry run, applying it and taking it back.
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
} from '../entities/import.ts';
import type { DateOrder } from '../imports/recognition/mapping.ts';
import type { Encoding } from '../imports/sheet.ts';
import { DateTime, described, enumOf, Node, UserError } from './common.ts';
import {
  DateOrderEnum,
  DecimalMarkEnum,
  type decimalMarks,
  EncodingEnum,
  FileReading,
  ImportColumn,
  ImportColumnInput,
  ImportQuestion,
  SeparatorEnum,
  type separatorNames,
} from './import-columns.ts';
import { Failure } from './jobs.ts';
import { connectionOf } from './pages.ts';

const ImportStateEnum = enumOf<ImportState>(importStates);
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

const DuplicatePolicyEnum = enumOf<DuplicatePolicy>(duplicatePolicies);
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

const DeletedPolicyEnum = enumOf<DeletedPolicy>(deletedPolicies);
registerEnumType(DeletedPolicyEnum, {
  name: 'DeletedPolicy',
  description: 'What becomes of rows that match a contact which was deleted and can still be recovered.',
  valuesConfig: described({
    SKIP: 'They are skipped, and the contact can be recovered with all that it had.',
    CREATE: 'A new contact is created, without notes, history, memberships and payments of the deleted one.',
  }),
});

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

const ImportFileEnum = enumOf<ImportFile>(importFiles);
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
