// Deleting, as the world sees it: the preview, the confirmation, and the record that stays.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { DeletionState } from '../entities/deletion.ts';
import { DateTime, described, Money, Node, UserError } from './common.ts';
import { connectionOf } from './pages.ts';
import { ContactFilter } from './contacts.ts';

export const DeletionStateEnum: Record<DeletionState, DeletionState> = {
  RUNNING: 'RUNNING',
  COMPLETED: 'COMPLETED',
  ERASING: 'ERASING',
  ERASED: 'ERASED',
};
registerEnumType(DeletionStateEnum, {
  name: 'DeletionState',
  description: 'Where a deletion stands.',
  valuesConfig: described({
    RUNNING: 'Its job is moving contacts into the snapshot.',
    COMPLETED: 'All is removed, and can be recovered until its deadline.',
    ERASING: 'Its time has run out and its key is destroyed; nothing can be recovered. Its stored copies are being destroyed.',
    ERASED: 'Nothing is left of it but this record, opaque ids and the certificate.',
  }),
});

@ObjectType({ description: 'How many rows of one kind.' })
export class RowCount {
  @Field(() => String, { description: 'The kind of row: `Contact`, `Note`, `Payment` and so on. New kinds may be added.' })
  kind!: string;

  @Field(() => Int, { description: 'How many.' })
  count!: number;
}

@InputType({ description: 'Asks what a deletion would remove. Give either `contactIds` or `filter`.' })
export class ContactDeletionPreviewInput {
  @Field(() => [ID], { nullable: true, description: 'The contacts, at most 10,000.' })
  contactIds?: string[] | null;

  @Field(() => ContactFilter, {
    nullable: true,
    description: 'All contacts that this finds. An empty filter finds all contacts of the organization.',
  })
  filter?: ContactFilter | null;
}

@ObjectType({ description: 'The alert before a deletion: exactly what will go. Show it before asking for a confirmation.' })
export class ContactDeletionPreview {
  @Field(() => Int, { description: 'How many contacts will go.' })
  contactCount!: number;

  @Field(() => [RowCount], { description: 'How many rows of each kind will go with them, the contacts included; without kinds that your roles hide.' })
  rows!: RowCount[];

  @Field(() => [Money], {
    nullable: true,
    description: 'The sum of their balances, for each currency; null without the permission `payments:read`, or when your roles hide them.',
  })
  balances!: Money[] | null;

  @Field(() => DateTime, { description: 'Until when they could be recovered if they were deleted now. After that they are gone.' })
  recoverableUntil!: Date;

  @Field(() => String, {
    nullable: true,
    description:
      'What `deleteContacts` takes: bound to you, to your organization and to exactly these contacts, and used once. Null when there is nothing to delete.',
  })
  confirmation!: string | null;

  @Field(() => DateTime, { nullable: true, description: 'Until when the confirmation is valid.' })
  confirmationExpiresAt!: Date | null;
}

@InputType({ description: 'Deletes what was previewed. Name the contacts exactly as in the preview.' })
export class DeleteContactsInput extends ContactDeletionPreviewInput {
  @Field(() => String, { description: 'The confirmation that the preview gave.' })
  confirmation!: string;

  @Field(() => String, { description: 'Why, in 1 to 500 characters; in the action log until a contact of the deletion is erased, whom it could name.' })
  reason!: string;
}

@ObjectType({ description: 'A contact that a deletion removed.' })
export class DeletedContact {
  @Field(() => ID, { description: 'The id that the contact had, and has again when it is recovered.' })
  id!: string;
}

export const DeletedContactConnection = connectionOf(DeletedContact, 'deleted contact', 'deleted contacts');

@ObjectType({ simpleResolvers: true, description: 'That a deadline is near was told, in the action log and to all who listen.' })
export class DeadlineWarning {
  @Field(() => Int, { description: 'How many days before the deadline: 7, then 1.' })
  daysBefore!: number;

  @Field(() => DateTime, { description: 'When it was told.' })
  warnedAt!: Date;
}

@ObjectType({
  implements: Node,
  description: 'One delete operation: who, when, why, which contacts, and until when they can be recovered.',
})
export class Deletion extends Node {
  @Field(() => DeletionStateEnum, { description: 'Where it stands.' })
  state!: DeletionState;

  @Field(() => String, { nullable: true, description: 'Why, in the words of who ordered it; null once a contact of it was erased, whom it could name.' })
  reason!: string | null;

  @Field(() => String, { description: 'The name of who ordered it.' })
  requestedByName!: string;

  @Field(() => Int, { description: 'How many contacts. Those that were erased one by one no longer count.' })
  contactCount!: number;

  @Field(() => DateTime, { description: 'When it was ordered.' })
  requestedAt!: Date;

  @Field(() => DateTime, {
    nullable: true,
    description: 'When the last contact was removed; null while it runs. The countdown starts here.',
  })
  deletedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Until when it can be recovered; null while it runs.' })
  recoverableUntil!: Date | null;

  @Field(() => Boolean, { description: 'Whether it can be recovered now, by the database clock.' })
  isRecoverable!: boolean;

  @Field(() => DateTime, { nullable: true, description: 'When the last of it was destroyed, after its deadline.' })
  erasedAt!: Date | null;

  requestedById!: string;
  snapshotId!: string;
  jobId!: string | null;
  uuid!: string;
}

export const DeletionConnection = connectionOf(Deletion, 'deletion', 'deletions');

@ObjectType({ description: 'The outcome of `deleteContacts`.' })
export class DeleteContactsPayload {
  @Field(() => Deletion, { nullable: true, description: 'The deletion. Small ones are done; of large ones, watch the job.' })
  deletion!: Deletion | null;

  @Field(() => [UserError], { description: 'Why nothing was deleted; empty when it was.' })
  userErrors!: UserError[];
}
