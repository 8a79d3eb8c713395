// Verifying the action log, as the world sees it.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { type Fault, faultKinds } from '../log/chain.ts';
import { DateTime, described } from './common.ts';

export const LogFaultKind = Object.fromEntries(faultKinds.map((kind) => [kind, kind])) as { [Kind in Fault['kind']]: Kind };
registerEnumType(LogFaultKind, {
  name: 'LogFaultKind',
  description: 'What was done to the action log.',
  valuesConfig: described({
    EDITED: 'An entry, or what lies beside it, is not what was sealed.',
    REMOVED: 'An entry or a seal is missing.',
    INSERTED: 'There is an entry that was never sealed and does not wait for a seal.',
    REORDERED: 'Entries or seals are not in the order that they were sealed in.',
    CUT_OFF: 'The log ends before a checkpoint that was kept outside of it.',
    BAD_SEAL: 'A seal, or the statement that the log was pruned, was not signed with the key of the log, or a seal does not continue the one before it.',
  }),
});

@InputType({ description: 'How far the log had got when you verified it before. Keep `head` of each verification, and give it with the next one.' })
export class LogHeadInput {
  @Field(() => Int, { description: 'The number of the seal.' })
  number!: number;

  @Field(() => String, { description: 'The SHA-256 of the seal, in hex.' })
  hash!: string;
}

@ObjectType({ description: 'How far a log has got. Whoever keeps it can tell later whether the log was cut off or written anew.' })
export class LogHead {
  @Field(() => Int, { description: 'The number of the newest seal.' })
  number!: number;

  @Field(() => String, { description: 'The SHA-256 of the seal, in hex.' })
  hash!: string;

  @Field(() => Int, { description: 'How many entries are under this seal and all before it, pruned ones included.' })
  entryCount!: number;

  @Field(() => DateTime, { description: 'When it was sealed, by the database clock.' })
  sealedAt!: Date;
}

@ObjectType({ description: 'That the beginning of a log was pruned, because it was older than entries are kept. A signed statement stands for it.' })
export class LogPruning {
  @Field(() => Int, { description: 'The last seal that went; the log begins with the next one.' })
  sealNumber!: number;

  @Field(() => String, { description: 'The SHA-256 of that seal, in hex.' })
  hash!: string;

  @Field(() => Int, { description: 'How many entries went, in all.' })
  entryCount!: number;

  @Field(() => DateTime, { description: 'When the newest of them was written: from then on the log is complete.' })
  until!: Date;

  @Field(() => DateTime, { description: 'When the log was last pruned, by the database clock.' })
  prunedAt!: Date;
}

@ObjectType({ description: 'The first thing in a log that is not as it was sealed. What comes after it was not looked at.' })
export class LogFault {
  @Field(() => LogFaultKind, { description: 'What was done.' })
  kind!: keyof typeof LogFaultKind;

  @Field(() => Int, { description: 'The seal that it was found at.' })
  sealNumber!: number;

  @Field(() => Int, { nullable: true, description: 'The place of the entry in the log, from 1; null when it can not be told.' })
  position!: number | null;

  @Field(() => ID, { nullable: true, description: 'The entry; null when it is not one entry.' })
  entryId!: string | null;

  @Field(() => String, { description: 'The same in words.' })
  message!: string;
}

@ObjectType({ description: 'Whether the action log of the organization is as it was written: every entry is there, unchanged, in its order.' })
export class LogVerification {
  @Field(() => Boolean, { description: 'Whether everything is as it was sealed.' })
  intact!: boolean;

  @Field(() => LogFault, { nullable: true, description: 'The first thing that is wrong; null when nothing is.' })
  fault!: LogFault | null;

  @Field(() => LogHead, { nullable: true, description: 'The last seal up to which all is well. Null before there is one.' })
  head!: LogHead | null;

  @Field(() => LogPruning, {
    nullable: true,
    description:
      'Where the log was pruned: it is verified and complete from there on. Null when nothing was pruned: then it is complete from its first entry on.',
  })
  pruned!: LogPruning | null;

  @Field(() => Int, { description: 'Entries that were written in the last moments and wait for their seal.' })
  waitingCount!: number;

  @Field(() => Int, { description: 'Entries whose reason or details were erased with a person. They verify all the same.' })
  erasedCount!: number;

  @Field(() => Int, {
    nullable: true,
    description: 'The seal of the newest checkpoint outside of the database, which the log goes through; null where none is kept.',
  })
  checkpointNumber!: number | null;

  @Field(() => String, { description: 'The key that verifies the seals, in PEM (Ed25519). Compare it with the one that you were given before.' })
  publicKey!: string;
}
