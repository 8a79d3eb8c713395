// Restore drills, as the world sees them.
import { Field, Float, ID, Int, ObjectType, registerEnumType } from 'type-graphql';
import type { DrillOutcome } from '../entities/drill.ts';
import { DateTime, described, Node } from './common.ts';
import { connectionOf } from './pages.ts';

export const RestoreDrillOutcome = { PASSED: 'PASSED', FAILED: 'FAILED' } as const satisfies Record<DrillOutcome, DrillOutcome>;
registerEnumType(RestoreDrillOutcome, {
  name: 'RestoreDrillOutcome',
  description: 'How a restore drill ended.',
  valuesConfig: described({
    PASSED: 'Everything in the sample came back exactly as it was stored.',
    FAILED: 'Something did not; `failure` says what.',
  }),
});

@ObjectType({
  implements: Node,
  description: 'A nightly rehearsal: a sample of the newest snapshot was brought back beside the live contacts, compared with what was stored, and removed.',
})
export class RestoreDrill extends Node {
  @Field(() => ID, { description: 'The id of the snapshot that the sample is from.' })
  snapshotId!: string;

  @Field(() => RestoreDrillOutcome, { description: 'Whether everything came back as it was stored.' })
  outcome!: DrillOutcome;

  @Field(() => String, { nullable: true, description: 'What did not come back and why, by its id; null when it passed.' })
  failure!: string | null;

  @Field(() => Int, { description: 'How many contacts came back, each compared with its digest.' })
  contactCount!: number;

  @Field(() => Int, { nullable: true, description: 'How many rows came back, the contacts included; null when your roles hide any of them.' })
  rowCount!: number | null;

  @Field(() => Float, { description: 'How many bytes these rows have.' })
  byteCount!: number;

  @Field(() => Float, { description: 'Seconds spent on reading, decrypting and verifying chunks.' })
  openingSeconds!: number;

  @Field(() => Float, { description: 'Seconds spent on writing the rows.' })
  writingSeconds!: number;

  @Field(() => Float, { description: 'Seconds spent on reading them back and comparing their digests.' })
  provingSeconds!: number;

  @Field(() => DateTime, { description: 'When it began.' })
  startedAt!: Date;

  @Field(() => DateTime, { description: 'When it ended.' })
  finishedAt!: Date;
}

export const RestoreDrillConnection = connectionOf(RestoreDrill, 'restore drill', 'restore drills');
