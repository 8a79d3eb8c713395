// The action log, as the world sees it.
import { Field, ID, InputType, Int, ObjectType, registerEnumType } from 'type-graphql';
import { type LogFormat as Format } from '../log/export.ts';
import { DateTime, described, Node } from './common.ts';
import { LinkPayload } from './exports.ts';
import { connectionOf } from './pages.ts';

export const ActorKind = { STAFF: 'STAFF', OPERATOR: 'OPERATOR', SYSTEM: 'SYSTEM', API_KEY: 'API_KEY' } as const;
registerEnumType(ActorKind, {
  name: 'ActorKind',
  description: 'What kind of actor did something.',
  valuesConfig: described({
    STAFF: 'A staff member of the organization.',
    OPERATOR: 'An operator: staff of the company that runs Reinstate.',
    SYSTEM: 'Reinstate itself, by the clock.',
    API_KEY: 'An integration, with an API key of the organization.',
  }),
});

export const ActionOutcome = { DONE: 'DONE', REFUSED: 'REFUSED' } as const;
registerEnumType(ActionOutcome, {
  name: 'ActionOutcome',
  description: 'Whether something was done or refused.',
  valuesConfig: described({
    DONE: 'It was done; the entry was committed with it.',
    REFUSED: 'It was tried and refused; nothing was changed.',
  }),
});

@ObjectType({ implements: Node, description: 'Who did what to which target, and exactly when. Entries are only ever added.' })
export class ActionLogEntry extends Node {
  @Field(() => DateTime, { description: 'When, by the database clock.' })
  occurredAt!: Date;

  @Field(() => ActorKind, { description: 'What kind of actor it was.' })
  actorKind!: keyof typeof ActorKind;

  @Field(() => ID, { nullable: true, description: 'The id of the staff member or the API key; null for others.' })
  actorId!: string | null;

  @Field(() => String, { description: 'The name of the actor at that time.' })
  actorName!: string;

  @Field(() => String, {
    description: 'What: `contacts.deleted`, `recovery.requested` and so on; for a refused attempt, the field that was asked for.',
  })
  action!: string;

  @Field(() => ActionOutcome, { description: 'Whether it was done or refused.' })
  outcome!: keyof typeof ActionOutcome;

  @Field(() => String, { nullable: true, description: 'Why it was refused, as a stable code.' })
  code!: string | null;

  @Field(() => String, { nullable: true, description: 'The kind of the target: `Contact`, `Deletion` and so on.' })
  targetKind!: string | null;

  @Field(() => ID, { nullable: true, description: 'The id of the target. It stays when the target is gone.' })
  targetId!: string | null;

  @Field(() => Int, { description: 'How many records it touched.' })
  targetCount!: number;

  @Field(() => String, {
    nullable: true,
    description: 'Why, in the words of who did it; null when nothing was said, and once a contact that it could name was erased.',
  })
  reason!: string | null;

  @Field(() => String, { description: 'The id of the request, as in the response header `x-request-id`.' })
  requestId!: string;

  @Field(() => String, { nullable: true, description: 'The network address that the request came from.' })
  address!: string | null;

  @Field(() => String, { nullable: true, description: 'The user agent that the request named.' })
  agent!: string | null;

  deletionUuid!: string | null;
  subjectUuid!: string | null;
  chunkNumber!: number | null;
}

export const ActionLogEntryConnection = connectionOf(ActionLogEntry, 'action log entry', 'action log entries');

@ObjectType({ description: 'Entries that were added to the action log, in its order.' })
export class AddedActions {
  @Field(() => [ActionLogEntry], { description: 'The entries, 50 at most. None in the first event when there are none behind the cursor yet.' })
  entries!: ActionLogEntry[];

  @Field(() => String, {
    description: 'Where the log was read up to. Keep it, and give it as `after` to go on from here: then nothing is missed and nothing comes twice.',
  })
  cursor!: string;
}

@InputType({ description: 'Which entries. What is given must all fit.' })
export class ActionLogFilter {
  @Field(() => ID, { nullable: true, description: 'Done by this staff member or API key.' })
  actorId?: string | null;

  @Field(() => String, { nullable: true, description: 'This action.' })
  action?: string | null;

  @Field(() => ActionOutcome, { nullable: true, description: 'With this outcome.' })
  outcome?: keyof typeof ActionOutcome | null;

  @Field(() => ID, {
    nullable: true,
    description:
      'About this record, whether it is still there or not. Of a contact also the batches that it was deleted or recovered with, and its erasure: so this tells who deleted a contact and exactly when, even after it was erased.',
  })
  targetId?: string | null;

  @Field(() => String, { nullable: true, description: 'Of this request.' })
  requestId?: string | null;

  @Field(() => DateTime, { nullable: true, description: 'At this instant or later.' })
  from?: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'Before this instant.' })
  before?: Date | null;
}

export const LogFormat: Record<Format, Format> = { CSV: 'CSV', JSON_LINES: 'JSON_LINES', PROOF: 'PROOF' };
registerEnumType(LogFormat, {
  name: 'LogFormat',
  description: 'How the action log is written to a file.',
  valuesConfig: described({
    CSV: 'One line for each entry, for a spreadsheet (RFC 4180).',
    JSON_LINES: 'One JSON object for each entry and line, for a SIEM.',
    PROOF: 'The whole log with its seals, for `npx reinstate verify-log`, which needs no server. It takes no filter.',
  }),
});

@InputType({ description: 'Asks for the action log as a file.' })
export class ExportActionLogInput {
  @Field(() => LogFormat, { description: 'How it is written.' })
  format!: Format;

  @Field(() => ActionLogFilter, { nullable: true, description: 'Which entries; all without it.' })
  filter?: ActionLogFilter | null;
}

@ObjectType({ description: 'A link to the action log as a file, the oldest entry first.' })
export class ExportActionLogPayload extends LinkPayload {}
