// What all nouns share in the contract: ids, scalars, pages and user errors.
import 'reflect-metadata';
import { GraphQLScalarType, Kind } from 'graphql';
import { ArgsType, type ClassType, Field, ID, Int, InterfaceType, ObjectType } from 'type-graphql';
import { InvalidInput, Refusal } from '../errors.ts';
import { globalId } from '../global-id.ts';

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The kinds of record that have a global id. */
const kinds = [
  'ActionLogEntry',
  'Activity',
  'Contact',
  'ContactPoint',
  'CustomFieldDefinition',
  'Deletion',
  'Erasure',
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
  'Snapshot',
  'StaffMember',
  'Tag',
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

@ObjectType({ simpleResolvers: true, description: 'Where a page stands in its list.' })
export class PageInfo {
  @Field(() => Boolean, { description: 'Whether more follow after this page.' })
  hasNextPage!: boolean;

  @Field(() => String, { nullable: true, description: 'The cursor of the last row on this page: give it as `after` for the next.' })
  endCursor!: string | null;
}

@ArgsType()
export class PageArgs {
  @Field(() => Int, { defaultValue: 50, description: 'How many rows to give, 1 to 100.' })
  first!: number;

  @Field(() => String, { nullable: true, description: 'Gives the rows after this cursor; it stays right when rows are added.' })
  after?: string | null;
}

/** A page: rows with a cursor each. */
export interface Page<T> {
  nodes: T[];
  edges: { node: T; cursor: string }[];
  pageInfo: PageInfo;
}

/** @throws InvalidInput BAD_PAGE_SIZE outside of 1 to 100 */
export function checkFirst(first: number): number {
  if (first < 1 || first > 100)
    throw new InvalidInput('BAD_PAGE_SIZE', `\`first\` must be 1 to 100, not ${first}. Ask for fewer rows and go on with \`after\`.`);
  return first;
}

/** A cursor for a row: the name of its list, then the values that the list is sorted by, the last of them a unique id. */
export const encodeCursor = (values: readonly unknown[]): string => Buffer.from(JSON.stringify(values)).toString('base64url');

/** The values in a cursor of that list, each a string or null. @throws InvalidInput BAD_CURSOR also for one of another list */
export function decodeCursor(cursor: string, list: string, length: number): (string | null)[] {
  const bad = new InvalidInput('BAD_CURSOR', 'The cursor is broken, or belongs to another list or sort order. Start again without `after`.');
  let values: unknown;
  try {
    values = JSON.parse(Buffer.from(cursor.slice(0, 2000), 'base64url').toString('utf8'));
  } catch {
    throw bad;
  }
  const fits = Array.isArray(values) && values.length === length + 1 && values[0] === list && values.every((value) => value === null || isStorable(value));
  if (!fits || !uuid.test(String((values as unknown[]).at(-1)))) throw bad;
  return (values as (string | null)[]).slice(1);
}

/** PostgreSQL has no character for NUL. */
const isStorable = (value: unknown): boolean => typeof value === 'string' && !value.includes('\0');

/** A page that works out only what is asked of it: few ask for cursors. */
class LazyPage<Row, T> implements Page<T> {
  readonly #page: readonly Row[];

  constructor(
    readonly rows: readonly Row[],
    readonly first: number,
    readonly cursor: (row: Row) => readonly unknown[],
    readonly show: (row: Row) => T,
  ) {
    this.#page = rows.length > first ? rows.slice(0, first) : rows;
  }

  get nodes(): T[] {
    return this.#page.map(this.show);
  }

  get edges(): { node: T; cursor: string }[] {
    return this.#page.map((row) => ({ node: this.show(row), cursor: encodeCursor(this.cursor(row)) }));
  }

  get pageInfo(): PageInfo {
    const last = this.#page.at(-1);
    return { hasNextPage: this.rows.length > this.first, endCursor: last ? encodeCursor(this.cursor(last)) : null };
  }
}

/** Makes a page of up to `first` rows out of `first + 1`. */
export function pageOf<Row>(rows: readonly Row[], first: number, cursor: (row: Row) => readonly unknown[]): Page<Row>;
/** The same, with each row as clients see it. */
export function pageOf<Row, T>(rows: readonly Row[], first: number, cursor: (row: Row) => readonly unknown[], show: (row: Row) => T): Page<T>;
export function pageOf<Row>(
  rows: readonly Row[],
  first: number,
  cursor: (row: Row) => readonly unknown[],
  show: (row: Row) => unknown = (row) => row,
): Page<unknown> {
  return new LazyPage(rows, first, cursor, show);
}

/** The Relay connection type of a node type, named after it. */
export function connectionOf<T extends object>(node: ClassType<T>, noun: string, plural: string) {
  @ObjectType(`${node.name}Edge`, { simpleResolvers: true, description: `${/^[aeiou]/.test(noun) ? 'An' : 'A'} ${noun} in a list.` })
  class Edge {
    @Field(() => node, { description: `The ${noun}.` })
    node!: T;

    @Field(() => String, { description: 'Its place in the list: give it as `after`.' })
    cursor!: string;
  }

  @ObjectType(`${node.name}Connection`, { simpleResolvers: true, description: `A page of ${plural}.` })
  class Connection implements Page<T> {
    @Field(() => [Edge], { description: `The ${plural} with their cursors.` })
    edges!: Edge[];

    @Field(() => [node], { description: `The ${plural} alone.` })
    nodes!: T[];

    @Field(() => PageInfo, { description: 'Where the page stands.' })
    pageInfo!: PageInfo;
  }
  return Connection;
}
