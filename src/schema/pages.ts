// Pages of lists: cursors, their arguments, and the Relay connection of a type.
import 'reflect-metadata';
import { ArgsType, type ClassType, Field, Int, ObjectType } from 'type-graphql';
import { InvalidInput } from '../errors.ts';
import { uuid } from '../global-id.ts';

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
