// Lists that hang on contacts. Whoever asks for one gets it read for all contacts of the operation in one statement.
import type { Context } from '../context.ts';
import type { Transaction } from '../database.ts';
import type { ChildPage } from '../domain/children.ts';
import { checkFirst, decodeCursor, type PageArgs, pageOf, type Page } from '../schema/common.ts';
import type { Contact } from '../schema/contacts.ts';

/** What a list is called among the loaders, how it is read, and what a client sees of a row. */
export interface ChildList<Row, Shown> {
  name: string;
  read(tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<Row[][]>;
  show(row: Row): Shown;
}

/** A page of a contact's children, the newest first. @throws InvalidInput BAD_PAGE_SIZE or BAD_CURSOR */
export async function childPage<Row extends { id: string }, Shown>(context: Context, { uuid }: Contact, { first, after }: PageArgs, list: ChildList<Row, Shown>): Promise<Page<Shown>> {
  const limit = checkFirst(first) + 1;
  const before = after ? decodeCursor(after, list.name, 1)[0]! : null;
  const loader = context.loader<string, Row[]>(`${list.name} ${limit} ${before}`, (tx, ids) => list.read(tx, ids, { limit, before }));
  return pageOf(await loader.load(uuid), first, (row) => [list.name, row.id], list.show);
}
