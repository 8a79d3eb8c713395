// Lists that hang on contacts. Whoever asks for one gets it read for all contacts of the operation in one statement.
import type { GraphQLResolveInfo } from 'graphql';
import type { Context } from '../context.ts';
import type { Transaction } from '../database.ts';
import type { ChildPage } from '../domain/children.ts';
import { checkFirst, decodeCursor, type PageArgs, pageOf, type Page } from '../schema/pages.ts';
import type { Contact } from '../schema/contacts.ts';
import { selectedFields } from './selection.ts';

/** What a list is called among the loaders, how it is read, and what a client sees of a row. */
export interface ChildList<Row, Shown> {
  name: string;
  /** The row's fields that a client's field is made of, where they are called differently. */
  madeOf?: { readonly [field: string]: readonly (keyof Row & string)[] };
  read(tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<Row[][]>;
  show(row: Row): Shown;
}

/** A page of a contact's children, the newest first. @throws InvalidInput BAD_PAGE_SIZE or BAD_CURSOR */
export async function childPage<Row extends { id: string }, Shown>(
  context: Context,
  { uuid }: Contact,
  { first, after }: PageArgs,
  info: GraphQLResolveInfo,
  list: ChildList<Row, Shown>,
): Promise<Page<Shown>> {
  const limit = checkFirst(first) + 1;
  const before = after ? decodeCursor(after, list.name, 1)[0]! : null;
  const { fields, key } = neededFields(info, list.madeOf ?? {});
  const loader = context.loader<string, Row[]>(`${list.name} ${limit} ${before} ${key}`, (tx, ids) => list.read(tx, ids, { limit, before, fields }));
  return pageOf(await loader.load(uuid), first, (row) => [list.name, row.id], list.show);
}

const known = new WeakMap<ReadonlySet<string>, { fields: ReadonlySet<string>; key: string }>();

/** The fields of a row that are needed for what is asked for, and a key that is the same for the same fields. */
function neededFields(info: GraphQLResolveInfo, madeOf: { readonly [field: string]: readonly string[] }): { fields: ReadonlySet<string>; key: string } {
  const selected = selectedFields(info);
  let needed = known.get(selected);
  if (!needed) {
    const fields = new Set([...selected].flatMap((field) => madeOf[field] ?? [field]));
    known.set(selected, (needed = { fields, key: [...fields].sort().join() }));
  }
  return needed;
}
