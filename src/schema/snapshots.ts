// Snapshots of a whole organization, as the world sees them.
import { ArgsType, Field, Float, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { OrganizationSnapshotKind, SnapshotState } from '../entities/organization-snapshot.ts';
import { DateTime, described, Node, UserError } from './common.ts';
import { connectionOf, PageArgs } from './pages.ts';
import { RowCount } from './deletions.ts';
import { Failure } from './jobs.ts';

export const SnapshotKindEnum: Record<OrganizationSnapshotKind, OrganizationSnapshotKind> = { SCHEDULED: 'SCHEDULED', MANUAL: 'MANUAL' };
registerEnumType(SnapshotKindEnum, {
  name: 'SnapshotKind',
  description: 'Why a snapshot was taken.',
  valuesConfig: described({
    SCHEDULED: 'It is the one of its night. Organizations on the STANDARD or PREMIUM plan have one every night.',
    MANUAL: 'Someone took it with `takeSnapshot`.',
  }),
});

export const SnapshotStateEnum: Record<SnapshotState, SnapshotState> = { TAKING: 'TAKING', COMPLETE: 'COMPLETE', FAILED: 'FAILED' };
registerEnumType(SnapshotStateEnum, {
  name: 'SnapshotState',
  description: 'Where a snapshot stands.',
  valuesConfig: described({
    TAKING: 'Its job waits or is at work. Nothing of it is there yet.',
    COMPLETE: 'All of it is there.',
    FAILED: 'It could not be taken, and nothing of it is there; `failure` says why.',
  }),
});

@ObjectType({
  implements: Node,
  description: 'A complete, encrypted copy of all contacts of the organization as they were at one instant, with all they own.',
})
export class Snapshot extends Node {
  @Field(() => SnapshotKindEnum, { description: 'Why it was taken.' })
  kind!: OrganizationSnapshotKind;

  @Field(() => SnapshotStateEnum, { description: 'Where it stands.' })
  state!: SnapshotState;

  @Field(() => String, { nullable: true, description: 'What it is for, in the words of who took it.' })
  label!: string | null;

  @Field(() => String, { description: 'The name of who took it; of a scheduled one, that of the system.' })
  requestedByName!: string;

  @Field(() => DateTime, { description: 'When it was ordered.' })
  requestedAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'The instant that it shows; null until it is complete.' })
  takenAt!: Date | null;

  @Field(() => DateTime, { description: 'When it is erased.' })
  expiresAt!: Date;

  @Field(() => Int, { description: 'How many contacts it holds; 0 until it is complete. Counted when it was taken, like the other figures.' })
  contactCount!: number;

  @Field(() => [RowCount], { description: 'How many rows of each kind it holds, the contacts included; without kinds that your roles hide.' })
  rows!: RowCount[];

  @Field(() => Float, { description: 'The bytes that it takes in the snapshot store, with what it shares with earlier snapshots.' })
  storedBytes!: number;

  @Field(() => Float, { description: 'The bytes that it added: those of chunks that no earlier snapshot had the same.' })
  newBytes!: number;

  @Field(() => Int, { description: 'Of how many chunks it is made: the graphs of about 50 contacts each.' })
  chunkCount!: number;

  @Field(() => Int, { description: 'How many of these it added.' })
  newChunkCount!: number;

  @Field(() => Failure, { nullable: true, description: 'Why it failed, when it did.' })
  failure!: Failure | null;

  requestedById!: string | null;
  jobId!: string | null;
}

export const SnapshotConnection = connectionOf(Snapshot, 'snapshot', 'snapshots');

@ArgsType()
export class SnapshotsArgs extends PageArgs {
  @Field(() => SnapshotKindEnum, { nullable: true, description: 'Of this kind only.' })
  kind?: OrganizationSnapshotKind | null;
}

@InputType({ description: 'Takes a snapshot of the whole organization.' })
export class TakeSnapshotInput {
  @Field(() => String, { nullable: true, description: 'What it is for, in at most 100 characters. Don’t name people in it.' })
  label?: string | null;
}

@ObjectType({ description: 'The outcome of `takeSnapshot`.' })
export class TakeSnapshotPayload {
  @Field(() => Snapshot, { nullable: true, description: 'The snapshot that is being taken: watch its job.' })
  snapshot!: Snapshot | null;

  @Field(() => [UserError], { description: 'Why none is taken; empty when one is.' })
  userErrors!: UserError[];
}
