// API keys, as the world sees them.
import { Field, ID, InputType, ObjectType } from 'type-graphql';
import { DateTime, Node, UserError } from './common.ts';
import type { FieldGroup } from '../permissions/field-groups.ts';
import { connectionOf } from './pages.ts';
import { FieldGroupDescription, FieldGroupEnum } from './sessions.ts';
import { hiddenGiven, scopeGiven } from './staff.ts';

@ObjectType({
  implements: Node,
  description: 'What an integration comes in with, in place of a person: sent like an access token, as `Authorization: Bearer rik_…`.',
})
export class ApiKey extends Node {
  @Field(() => String, { description: 'What it is called, in the action log too.' })
  name!: string;

  @Field(() => [String], { description: 'What it may do, as `noun:verb`: never more than whoever made it held then.' })
  permissions!: string[];

  @Field(() => [FieldGroupDescription], { description: 'What of contacts it does not see, in human words: at least what whoever made it did not see then.' })
  hiddenFields!: FieldGroupDescription[];

  @Field(() => [String], { description: 'The networks that it may be used from, as in `192.0.2.0/24`; empty: from anywhere.' })
  addresses!: string[];

  @Field(() => String, { description: 'The name of whoever made it, at that time.' })
  createdByName!: string;

  @Field(() => DateTime, { description: 'When it was made.' })
  createdAt!: Date;

  @Field(() => DateTime, { nullable: true, description: 'From when on it is none any more; null: never.' })
  expiresAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was last used, to the minute; null when it never was.' })
  lastUsedAt!: Date | null;

  @Field(() => DateTime, { nullable: true, description: 'When it was revoked; null when it was not.' })
  revokedAt!: Date | null;

  scope!: readonly string[] | null;
}

export const ApiKeyConnection = connectionOf(ApiKey, 'API key', 'API keys');

@InputType({ description: 'Makes an API key.' })
export class CreateApiKeyInput {
  @Field(() => String, { description: 'What it is called, in at most 60 characters: the integration, and not a person.' })
  name!: string;

  @Field(() => [String], { description: 'What it may do, as `noun:verb`. Only what you hold yourself, and nothing that says who may do what.' })
  permissions!: string[];

  @Field(() => [FieldGroupEnum], { nullable: true, description: hiddenGiven })
  hiddenFields?: FieldGroup[] | null;

  @Field(() => [ID], { nullable: true, description: scopeGiven })
  scopeTagIds?: string[] | null;

  @Field(() => [String], {
    nullable: true,
    description: 'The networks that it may be used from, at most 20, as in `192.0.2.0/24` or `2001:db8::1`; from anywhere without it.',
  })
  addresses?: string[] | null;

  @Field(() => DateTime, { nullable: true, description: 'From when on it is none any more; never without it.' })
  expiresAt?: Date | null;
}

@ObjectType({ description: 'The outcome of `createApiKey`.' })
export class CreateApiKeyPayload {
  @Field(() => ApiKey, { nullable: true, description: 'What is known of the key; null when it was refused.' })
  apiKey!: ApiKey | null;

  @Field(() => String, { nullable: true, description: 'The key itself, `rik_…`. It is shown here and never again.' })
  key!: string | null;

  @Field(() => [UserError], { description: 'Why none was made; empty when one was.' })
  userErrors!: UserError[];
}

@InputType({ description: 'Revokes an API key.' })
export class RevokeApiKeyInput {
  @Field(() => ID, { description: 'The id of the key.' })
  id!: string;
}

@ObjectType({ description: 'The outcome of `revokeApiKey`.' })
export class RevokeApiKeyPayload {
  @Field(() => ApiKey, { nullable: true, description: 'The key as it is now; null when it was refused.' })
  apiKey!: ApiKey | null;

  @Field(() => [UserError], { description: 'Why it was not revoked; empty when it was.' })
  userErrors!: UserError[];
}
