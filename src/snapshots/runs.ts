// The graphs of an organization's contacts in runs, each of which becomes a chunk. A run ends with a contact that its own
// id chooses, so the runs stay where they are when contacts come and go elsewhere, and unchanged ones are found again.
import { createHmac } from 'node:crypto';
import { crc32 } from 'node:zlib';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { quoted } from '../sql.ts';
import { graphOf } from './capture.ts';
import { contactIndexOf, digestGraphs, type Part } from './chunk.ts';
import { copyOut, eachOwner, eachRow, uuidAt } from './copy.ts';
import { columnList, type GraphTable, rowOrder, schemaVersion } from './graph.ts';
import { type References, wantedBy } from './referred.ts';

/** A run has at least `least` contacts, then one in `oneIn` ends it, but at the latest the one that is number `most`. */
const [least, oneIn, most] = [25, 25, 400] as const;

/** How many ids are read at once. */
const idsAtOnce = 20_000;

/** The last contact of a run. The run begins after that of the run before. */
export interface RunEnd {
  last: string;
  contacts: number;
}

/** A run of contacts with all they own, in order of their ids. */
export interface Run {
  /** The SHA-256 of each contact's graph, by contact id. */
  digests: Map<string, Buffer>;
  /** As in a chunk: the contacts' own tables, parents first. */
  parts: Part[];
  references: Part[];
}

/** Where the runs of the organization end, in order. */
export async function findRuns(tx: Transaction): Promise<RunEnd[]> {
  const ends: RunEnd[] = [];
  let [last, contacts, more] = ['', 0, true];
  while (more) {
    const rows = await copyOut(
      tx,
      `select id from contact where organization_id = '${tx.organizationId}' ${last && `and id > '${last}'`} order by id limit ${idsAtOnce}`,
    );
    let at = -1;
    const read = eachRow(rows, (_start, _end, starts) => {
      at = starts[0]!;
      contacts++;
      if (contacts < most && (contacts < least || crc32(rows.subarray(at, at + 16)) % oneIn !== 0)) return;
      ends.push({ last: uuidAt(rows, at), contacts });
      contacts = 0;
    });
    if (at >= 0) last = uuidAt(rows, at);
    more = read === idsAtOnce;
  }
  if (contacts > 0) ends.push({ last, contacts });
  return ends;
}

/**
 * The runs of the contacts after `after` (null: from the first), each up to and with one of `lasts`, which are in order.
 * A statement for each table; `references` keeps what it has read for the same view.
 */
export async function readRuns(tx: Transaction, app: App, references: References, after: string | null, lasts: readonly string[]): Promise<Run[]> {
  const graph = graphOf(app);
  const bounds = lasts.map((last) => Buffer.from(last.replaceAll('-', ''), 'hex'));
  const cut: Part[][] = [];
  for (const table of graph.tables) cut.push(cutAfter(table, await copyOut(tx, rangeOf(tx, table, after, lasts.at(-1)!)), bounds));
  const parts = lasts.map((_last, run) => cut.map((pieces) => pieces[run]!));
  const referred = await references.read(
    tx,
    parts.map((own) => wantedBy(graph, own)),
  );
  return parts.map((own, run) => ({ digests: digestGraphs(own), parts: own, references: referred[run]! }));
}

function rangeOf(tx: Transaction, table: GraphTable, after: string | null, last: string): string {
  const contact = quoted(table.contactColumn);
  const since = after === null ? '' : `and ${contact} > '${after}'`;
  return `select ${columnList(table.columns)} from ${quoted(table.name)}
    where organization_id = '${tx.organizationId}' ${since} and ${contact} <= '${last}' order by ${rowOrder(table)}`;
}

/** The rows of a table, which are in order of contact, in pieces that end with the bounds. */
function cutAfter(table: GraphTable, rows: Buffer, bounds: readonly Buffer[]): Part[] {
  const contactAt = contactIndexOf({ table: table.name, columns: table.columns });
  const pieces: Part[] = [];
  let from = 0;
  const cut = (to: number) => {
    pieces.push({ table: table.name, columns: table.columns, count: 0, rows: rows.subarray(from, to) });
    from = to;
  };
  eachOwner(rows, contactAt, (start, at) => {
    while (bounds[pieces.length]!.compare(rows, at, at + 16) < 0) cut(start);
  });
  while (pieces.length < bounds.length) cut(rows.length);
  return pieces;
}

/**
 * A keyed hash (HMAC-SHA-256) of all that a run holds, its organization and the schema: equal when and only when a chunk
 * of it would hold the same, and telling nothing to whoever lacks the key.
 */
export function contentOf(app: App, organizationId: string, run: Run): Buffer {
  const shape = [...run.parts, ...run.references].map(({ table, columns }) => [table, columns]);
  const hmac = createHmac('sha256', app.keys.contents).update(JSON.stringify([organizationId, schemaVersion, [...run.digests.keys()], shape]));
  for (const digest of run.digests.values()) hmac.update(digest);
  for (const { rows } of run.references) hmac.update(rows);
  return hmac.digest();
}
