// What has changed since a snapshot, as the world sees it.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { ContactDifference } from '../snapshots/comparison.ts';
import { described } from './common.ts';
import { connectionOf } from './pages.ts';

export const ContactDifferenceEnum: Record<ContactDifference, ContactDifference> = { ADDED: 'ADDED', REMOVED: 'REMOVED', CHANGED: 'CHANGED' };
registerEnumType(ContactDifferenceEnum, {
  name: 'ContactDifference',
  description: 'What became of a contact since a snapshot.',
  valuesConfig: described({
    ADDED: 'It is there now and was not then.',
    REMOVED: 'It was there then and is not now.',
    CHANGED: 'It was there then and is there now, and it or something that it owns is different.',
  }),
});

@ObjectType({ simpleResolvers: true, description: 'A field of a row that is not as it was.' })
export class FieldChange {
  @Field(() => String, { description: 'The kind of row: `Contact`, `Note`, `Payment` and so on. New kinds may be added.' })
  entity!: string;

  @Field(() => String, {
    description: 'Which row of its kind: the UUID of the row, or of what it links the contact with. Only good for telling the rows of a contact apart.',
  })
  rowId!: string;

  @Field(() => String, { description: 'The name of the field, as in `lastName`.' })
  field!: string;

  @Field(() => String, { nullable: true, description: 'What it was, as text; null when it was empty or the row was not there.' })
  before!: string | null;

  @Field(() => String, { nullable: true, description: 'What it is now, as text; null when it is empty or the row is gone.' })
  after!: string | null;
}

@ObjectType({ simpleResolvers: true, description: 'A contact that is not as a snapshot has it.' })
export class ComparedContact {
  @Field(() => ID, { description: 'The id of the contact, which may be gone.' })
  contactId!: string;

  @Field(() => ContactDifferenceEnum, { description: 'What became of it.' })
  kind!: ContactDifference;

  @Field(() => [FieldChange], {
    description:
      'What changed, field by field: of a contact that was added or removed its own fields, of another those of everything it owns. At most 200. Payments and ledger entries are left out for those who may not see payments, and so is what your roles hide.',
  })
  changes!: FieldChange[];

  @Field(() => Int, { description: 'How many fields changed in all.' })
  changeCount!: number;
}

export const ComparedContactConnection = connectionOf(ComparedContact, 'contact that is not as it was', 'contacts that are not as they were');

@ObjectType({ simpleResolvers: true, description: 'How many contacts are not as a snapshot has them.' })
export class ComparisonTotals {
  @Field(() => Int, { description: 'How many are there now and were not then.' })
  added!: number;

  @Field(() => Int, { description: 'How many were there then and are not now.' })
  removed!: number;

  @Field(() => Int, { description: 'How many are different.' })
  changed!: number;

  @Field(() => Boolean, { description: 'Whether all contacts were counted. Counting stops after 200,000.' })
  isComplete!: boolean;
}

@InputType({ description: 'What to compare with what is live.' })
export class CompareSnapshotInput {
  @Field(() => ID, { description: 'The snapshot. It must be complete.' })
  snapshotId!: string;
}
