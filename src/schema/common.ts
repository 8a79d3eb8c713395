// What all nouns share in the contract: ids, scalars and user errors.
import 'reflect-metadata';
import { GraphQLScalarType, Kind } from 'graphql';
import { Field, ID, InterfaceType, ObjectType } from 'type-graphql';
import { InvalidInput, Refusal } from '../errors.ts';
import { globalId, uuid } from '../global-id.ts';

/** The kinds of record that have a global id. */
export const kinds = [
  'ActionLogEntry',
  'Activity',
  'ApiKey',
  'Contact',
  'ContactExport',
  'ContactPoint',
  'CustomFieldDefinition',
  'Deletion',
  'Erasure',
  'IdentityProvider',
  'Import',
  'ImportTemplate',
  'Invitation',
  'Invoice',
  'Job',
  'LedgerEntry',
  'Membership',
  'MembershipPlan',
  'Note',
  'Organization',
  'Payment',
  'RecoveryRequest',
  'RestoreDrill',
  'Role',
  'Session',
  'Snapshot',
  'StaffMember',
  'Tag',
  'Upload',
  'WebhookDelivery',
  'WebhookEndpoint',
] as const;
export type Kinds = (typeof kinds)[number];

const isKind = (kind: string): kind is Kinds => (kinds as readonly string[]).includes(kind);

/** The global id of a record. */
export const encodeId: (kind: Kinds, id: string) => string = globalId;

/**
 * The UUID in a global id.
 * @throws InvalidInput MALFORMED_ID when it is not one of that kind
 */
export function decodeId(kind: Kinds, given: string): string {
  const [found, id] = decodeAnyId(given);
  if (found !== kind) throw new InvalidInput('MALFORMED_ID', `This is not the id of a ${kind}. Nothing was changed. Use ids exactly as the API gave them.`);
  return id;
}

/** The same for an id that may be left out. An empty one is not left out: it is malformed, and must never mean “all”. */
export const decodeOptionalId = (kind: Kinds, given: string | null | undefined): string | null | undefined => (given == null ? given : decodeId(kind, given));

/** The kind and the UUID in a global id. @throws InvalidInput MALFORMED_ID */
export function decodeAnyId(given: string): [kind: Kinds, id: string] {
  const [kind = '', id = ''] = Buffer.from(given.slice(0, 100), 'base64url').toString('utf8').split(':');
  if (!isKind(kind) || !uuid.test(id) || encodeId(kind, id) !== given)
    throw new InvalidInput('MALFORMED_ID', 'An id is malformed. Nothing was changed. Use ids exactly as the API gave them.');
  return [kind, id];
}

/** The values of an enum, by themselves. */
export const enumOf = <T extends string>(values: readonly T[]) => Object.fromEntries(values.map((value) => [value, value])) as Record<T, T>;

/** The values of an enum with their descriptions. */
export const described = (values: Record<string, string>) => Object.fromEntries(Object.entries(values).map(([value, description]) => [value, { description }]));

const badValue = (what: string) => new InvalidInput('BAD_INPUT', `${what} Nothing was changed.`);

function scalar<T>(name: string, description: string, write: (value: unknown) => T, read: (value: unknown) => unknown) {
  return new GraphQLScalarType({
    name,
    description,
    serialize: write,
    parseValue: read,
    parseLiteral: (node) => read(node.kind === Kind.INT ? Number(node.value) : 'value' in node ? node.value : undefined),
  });
}

export const DateTime = scalar(
  'DateTime',
  'An instant in UTC with milliseconds, as in `2026-11-23T09:30:00.000Z` (RFC 3339).',
  (value) => (value as Date).toISOString(),
  (value) => {
    const instant = typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/.test(value) ? new Date(value) : undefined;
    if (!instant || Number.isNaN(instant.getTime())) throw badValue('An instant must look like 2026-11-23T09:30:00.000Z.');
    return instant;
  },
);

export const CalendarDate = scalar(
  'Date',
  'A calendar date without time or zone, as in `1984-05-09` (ISO 8601).',
  (value) => value as string,
  (value) => {
    const date = typeof value === 'string' && /^\d{4}-\d\d-\d\d$/.test(value) ? new Date(`${value}T00:00:00Z`) : undefined;
    if (!date || Number.isNaN(date.getTime()) || date.toISOString().slice(0, 10) !== value)
      throw badValue('A date must be a real one and look like 1984-05-09.');
    return value;
  },
);

export const MinorUnits = scalar(
  'MinorUnits',
  'An amount of money as a whole number of minor units (cents), exact up to 2^53 - 1.',
  (value) => value as number,
  (value) => {
    if (!Number.isSafeInteger(value)) throw badValue('An amount must be a whole number of minor units (cents).');
    return value;
  },
);

@ObjectType({ simpleResolvers: true, description: 'An amount of money.' })
export class Money {
  @Field(() => MinorUnits, { description: 'The amount in minor units (cents). Negative: the contact owes it.' })
  amountMinor!: number;

  @Field(() => String, { description: 'The ISO 4217 code of the currency.' })
  currency!: string;
}

@InterfaceType({
  description: 'A record that `node` can find by its global id.',
  resolveType: (value: { __typename: string }) => value.__typename,
})
export abstract class Node {
  @Field(() => ID, { description: 'The global id: opaque, stable, and kept by a recovery.' })
  id!: string;
}

@ObjectType({ simpleResolvers: true, description: 'An expected refusal. Nothing was changed.' })
export class UserError {
  @Field(() => String, { description: 'A stable code in SCREAMING_SNAKE_CASE, made for programs.' })
  code!: string;

  @Field(() => String, { description: 'What happened, what was left unchanged and what to do, made for people.' })
  message!: string;

  @Field(() => [String], { description: 'The part of the input that it is about; empty when it is about the whole.' })
  path!: string[];
}

/**
 * Turns an expected refusal into `userErrors`; the one place where that happens.
 * `empty` gives the payload's other fields when there is nothing to show.
 */
export async function payload<P extends { userErrors: UserError[] }>(work: () => Promise<Omit<P, 'userErrors'>>, empty: Omit<P, 'userErrors'>): Promise<P> {
  try {
    return { ...(await work()), userErrors: [] as UserError[] } as P;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { ...empty, userErrors: [{ code: error.code, message: error.message, path: error.path }] } as P;
  }
}
