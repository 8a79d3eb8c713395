// The rows of an import, as the world sees them: what becomes of each and why, how many of which, and deleted contacts that they match.
import { Field, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import { type MatchKey, matchKeys, type RowOutcome, rowOutcomes, type RowUndoOutcome, rowUndoOutcomes } from '../entities/import.ts';
import { DateTime, described, enumOf, Money } from './common.ts';
import { RowCount } from './deletions.ts';
import { connectionOf } from './pages.ts';

const MatchKeyEnum = enumOf<MatchKey>(matchKeys);
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
class ImportProblem {
  @Field(() => String, { description: 'A stable code.' })
  code!: string;

  @Field(() => String, { nullable: true, description: 'The name of the column at fault; null when it is the whole row.' })
  column!: string | null;

  @Field(() => String, { description: 'What is wrong, and what to do.' })
  message!: string;
}

@ObjectType({ simpleResolvers: true, description: 'What a row says, as it is understood.' })
class ImportValue {
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
