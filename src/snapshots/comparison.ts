// Walks through a snapshot of an organization and what is live beside it, in order of contact, opening only the chunks
// whose contacts are not all as they were.
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { sql } from '../sql.ts';
import { followIndexes, graphOf } from './capture.ts';
import type { Chunk } from './chunk.ts';
import { References } from './referred.ts';
import { readChunk } from './restore.ts';
import { contentOf, readRuns, type Run } from './runs.ts';

/** Chunks that are looked at together: few at first, because a page may be full soon, then twice as many each time. */
const [fewest, most] = [4, 32] as const;
/** And as many live contacts as this for each of them, where more have come. */
const contactsForChunk = 50;

/** What comes before and after every id. */
const [start, end] = ['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff'] as const;

export type ContactDifference = 'ADDED' | 'REMOVED' | 'CHANGED';

/** A contact that is not as it was, with the chunk and the live run that hold the two sides of it. */
export interface Different {
  contactId: string;
  kind: ContactDifference;
  before: Chunk | undefined;
  after: Run;
}

/** What was found up to and with the contact `until`; null at the end. */
export interface Stretch {
  until: string | null;
  contacts: number;
  different: Different[];
}

interface Stored {
  snapshotId: string;
  number: number;
  last: string;
  content: Buffer | null;
  contacts: number;
}

/** Gives what differs, a stretch of contacts at a time, in order of their ids, beginning after `after`. Locks nothing. */
export async function* compare(tx: Transaction, app: App, snapshotId: string, after: string | null): AsyncGenerator<Stretch, void> {
  await followIndexes(tx);
  const references = new References(graphOf(app));
  for (let [from, size] = [after, fewest as number]; ; size = Math.min(size * 2, most)) {
    const chunks = await nextChunks(tx, snapshotId, from, size);
    const last = chunks.length < size ? end : chunks.at(-1)!.last;
    const limit = await reach(tx, from, last, size * contactsForChunk);
    // Whole chunks where one fits: a part of one can only be compared by opening it.
    const until = limit === last ? last : (chunks.findLast((chunk) => chunk.last <= limit)?.last ?? limit);
    const within = chunks.filter((_chunk, index) => index === 0 || chunks[index - 1]!.last < until);
    // What comes after the last chunk belongs to none.
    const lasts = [...within.map(({ last }) => last).filter((last) => last < until), until];
    const runs = await readRuns(tx, app, references, from, lasts);
    const different: Different[] = [];
    for (const [index, run] of runs.entries()) different.push(...(await differences(tx, app, within[index], run, { from, until })));
    const contacts = runs.reduce((sum, run) => sum + run.digests.size, 0);
    yield { until: until === end ? null : until, contacts, different };
    if (until === end) return;
    from = until;
  }
}

async function nextChunks(tx: Transaction, snapshotId: string, after: string | null, size: number): Promise<Stored[]> {
  return tx.rows<Stored>(sql`
    select p.chunk_snapshot_id as "snapshotId", p.chunk_number as number, p.until_contact_id as last, k.content, k.contact_count as contacts
    from snapshot_part p
    join snapshot_chunk k on k.organization_id = p.organization_id and k.snapshot_id = p.chunk_snapshot_id and k.number = p.chunk_number
    where p.organization_id = ${tx.organizationId} and p.snapshot_id = ${snapshotId}
      and p.until_contact_id > ${after ?? start}
    order by p.until_contact_id limit ${size}`);
}

/** How far the next stretch goes: to `last`, or to where there are so many live contacts. */
async function reach(tx: Transaction, after: string | null, last: string, contacts: number): Promise<string> {
  const row = await tx.row<{ id: string }>(sql`
    select id from contact where organization_id = ${tx.organizationId} and id > ${after ?? start} and id <= ${last}
    order by id offset ${contacts - 1} limit 1`);
  return row?.id ?? last;
}

/** Holds a live run against the chunk that covers it. The chunk is opened only when its content is not that of the run. */
async function differences(
  tx: Transaction,
  app: App,
  stored: Stored | undefined,
  run: Run,
  { from, until }: { from: string | null; until: string },
): Promise<Different[]> {
  if (stored?.content?.equals(contentOf(app, tx.organizationId, run)) && stored.contacts === run.digests.size) return [];
  const chunk = stored && (await readChunk(tx, app, { organizationId: tx.organizationId, snapshotId: stored.snapshotId, number: stored.number }));
  const before = new Map([...(chunk?.digests ?? [])].filter(([id]) => id <= until && (from === null || id > from)));
  return [...new Set([...before.keys(), ...run.digests.keys()])].sort().flatMap((contactId) => {
    const [old, now] = [before.get(contactId), run.digests.get(contactId)];
    if (old && now?.equals(old)) return [];
    return [{ contactId, kind: !old ? 'ADDED' : now ? 'CHANGED' : 'REMOVED', before: chunk, after: run } as const];
  });
}
