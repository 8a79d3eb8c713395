// What has changed since a snapshot: every contact that was added, removed or changed, each field of it, and nothing else.
import { describe, expect, it } from 'vitest';
import { v7 as newId } from 'uuid';
import { CompareSnapshotDocument, type CompareSnapshotQuery, ComparisonTotalsDocument } from '../sdk/generated.ts';
import { encodeCursor } from '../src/schema/pages.ts';
import { SnapshotStore } from '../src/snapshots/store.ts';
import { contactId, deleteThem, fill, liveIds, orderRecovery, pay, runJobs, takeSnapshot } from './graphs.ts';
import { createWorld, type World } from './harness.ts';

type Compared = CompareSnapshotQuery['compareSnapshot']['nodes'][number];

async function page(world: World, snapshotId: string, variables: object = {}): Promise<CompareSnapshotQuery['compareSnapshot']> {
  const admin = await world.as('Admin');
  return (await admin.request(CompareSnapshotDocument, { input: { snapshotId }, ...variables })).compareSnapshot;
}

/** All pages, of `first` each. */
async function pages(world: World, snapshotId: string, first = 100): Promise<Compared[][]> {
  const all: Compared[][] = [];
  for (let after: string | null = null, more = true; more;) {
    const { nodes, pageInfo } = await page(world, snapshotId, { first, after });
    all.push(nodes);
    after = pageInfo.endCursor;
    more = pageInfo.hasNextPage;
  }
  return all;
}

/** As "kind entity.field: before -> after", without which row it was. */
const told = ({ kind, changes }: Compared) => changes.map(({ entity, field, before, after }) => `${kind} ${entity}.${field}: ${before} -> ${after}`);

const totals = async (world: World, snapshotId: string) =>
  (await (await world.as('Admin')).request(ComparisonTotalsDocument, { input: { snapshotId } })).compareSnapshot.totals;

/** Counts how often a chunk is fetched. */
function counting(world: World): { world: World; fetched: () => number } {
  const { store } = world.app;
  let gets = 0;
  const watched = Object.assign(new SnapshotStore('POSTGRES', [], 1), { get: (...name: Parameters<typeof store.get>) => (gets++, store.get(...name)) });
  Object.assign(world.app, { store: watched });
  return { world, fetched: () => gets };
}

describe('what has changed since a snapshot', () => {
  it('is nothing at first, and no chunk is opened to find that out', async () => {
    await using world = await createWorld();
    await fill(world, 400);
    const snapshot = await takeSnapshot(world);
    const { fetched } = counting(world);
    expect(await page(world, snapshot)).toEqual({ nodes: [], pageInfo: { hasNextPage: false, endCursor: null } });
    expect(await totals(world, snapshot)).toEqual({ added: 0, removed: 0, changed: 0, isComplete: true });
    expect(fetched()).toBe(0);
  });

  it('is exactly what was added, removed and changed, field by field', async () => {
    await using world = await createWorld();
    await fill(world, 120);
    const organizationId = world.organizationId();
    const ids = await liveIds(world);
    const snapshot = await takeSnapshot(world);
    const { owner } = world;
    const [noted, moved, dropped, paid, tagged, gone] = [ids[5]!, ids[20]!, ids[40]!, ids[60]!, ids[2]!, ids[80]!] as const;
    const [note, fresh] = [newId(), newId()];
    await owner.query(
      `insert into note (organization_id, id, contact_id, author_name, body, created_at, updated_at) values ($1, $2, $3, 'Ada', 'Came by', '2026-01-02T03:04:05.678Z', '2026-01-02T03:04:05.678Z')`,
      [organizationId, note, noted],
    );
    const { rows: was } = await owner.query<{ city: string; born: string }>('select city, birth_date::text as born from contact where id = $1', [moved]);
    await owner.query(`update contact set city = 'Bruges', birth_date = '1984-05-09', search_text = 'made of others' where id = $1`, [moved]);
    await owner.query(`delete from activity where id = (select min(id::text)::uuid from activity where contact_id = $1)`, [dropped]);
    const { rows: cents } = await owner.query<{ id: string; amount: string }>(
      `update payment set amount_minor = amount_minor + 5 where id = (select min(id::text)::uuid from payment where contact_id = $1) returning id, amount_minor - 5 as amount`,
      [paid],
    );
    await owner.query(`delete from contact_tag where contact_id = $1`, [tagged]);
    await deleteThem(world, { contactIds: [contactId(gone)] });
    await owner.query(
      `insert into contact (organization_id, id, first_name, sort_name, search_text, created_at, updated_at) values ($1, $2, 'New', 'new', 'new', '2026-02-03T00:00:00Z', '2026-02-03T00:00:00Z')`,
      [organizationId, fresh],
    );

    const { nodes } = await page(world, snapshot);
    expect(nodes.map(({ contactId, kind }) => [contactId, kind])).toEqual(
      [
        [tagged, 'CHANGED'],
        [noted, 'CHANGED'],
        [moved, 'CHANGED'],
        [dropped, 'CHANGED'],
        [paid, 'CHANGED'],
        [gone, 'REMOVED'],
        [fresh, 'ADDED'],
      ].map(([id, kind]) => [contactId(id!), kind]),
    );
    const [untagged, withNote, elsewhere, without, richer, lost, added] = nodes as [Compared, Compared, Compared, Compared, Compared, Compared, Compared];
    expect(withNote.changes.every(({ rowId, before }) => rowId === note && before === null)).toBe(true);
    expect(told(withNote)).toEqual([
      `CHANGED Note.id: null -> ${note}`,
      'CHANGED Note.authorName: null -> Ada',
      'CHANGED Note.body: null -> Came by',
      'CHANGED Note.createdAt: null -> 2026-01-02T03:04:05.678+00:00',
      'CHANGED Note.updatedAt: null -> 2026-01-02T03:04:05.678+00:00',
    ]);
    expect(told(elsewhere)).toEqual([`CHANGED Contact.city: ${was[0]!.city} -> Bruges`, `CHANGED Contact.birthDate: ${was[0]!.born} -> 1984-05-09`]);
    expect(without.changes.map(({ entity, after }) => [entity, after])).toEqual(Array.from({ length: without.changeCount }, () => ['Activity', null]));
    expect(without.changes.map(({ field }) => field)).toEqual(expect.arrayContaining(['id', 'kind', 'subject', 'occurredAt']));
    expect(richer.changes).toEqual([
      { entity: 'Payment', rowId: cents[0]!.id, field: 'amountMinor', before: String(cents[0]!.amount), after: String(Number(cents[0]!.amount) + 5) },
    ]);
    expect(untagged.changes.map(({ entity, field, after }) => [entity, field, after])).toEqual([
      ['ContactTag', 'tagId', null],
      ['ContactTag', 'createdAt', null],
    ]);
    expect(lost.changes.every(({ entity, before, after }) => entity === 'Contact' && before !== null && after === null)).toBe(true);
    expect(lost.changes.map(({ field }) => field)).toEqual(expect.arrayContaining(['firstName', 'memberNumber', 'city']));
    expect(told(added)).toEqual([
      `ADDED Contact.id: null -> ${fresh}`,
      'ADDED Contact.firstName: null -> New',
      'ADDED Contact.version: null -> 1',
      'ADDED Contact.createdAt: null -> 2026-02-03T00:00:00+00:00',
      'ADDED Contact.updatedAt: null -> 2026-02-03T00:00:00+00:00',
    ]);
    expect(nodes.every(({ changes, changeCount }) => changes.length === changeCount)).toBe(true);
    expect(await totals(world, snapshot)).toEqual({ added: 1, removed: 1, changed: 5, isComplete: true });
  });

  it('comes page by page in order, opening only the chunks that differ', async () => {
    await using world = await createWorld();
    await fill(world, 1200);
    const ids = await liveIds(world);
    const snapshot = await takeSnapshot(world);
    const changed = ids.filter((_id, index) => index % 97 === 3);
    await world.owner.query(`update contact set city = 'Elsewhere' where id = any($1)`, [changed]);
    const { fetched } = counting(world);
    expect((await page(world, snapshot, { first: 2 })).nodes.map(({ contactId }) => contactId)).toEqual(changed.slice(0, 2).map(contactId));
    expect(fetched()).toBeLessThanOrEqual(changed.length);
    const all = await pages(world, snapshot, 2);
    expect(all.flat().map(({ contactId }) => contactId)).toEqual(changed.map(contactId));
    expect(all.slice(0, -1).every(({ length }) => length === 2)).toBe(true);
  });

  it('is found in stretches where many have come or gone', async () => {
    await using world = await createWorld();
    const none = await takeSnapshot(world);
    await fill(world, 900);
    const ids = await liveIds(world);
    const all = await takeSnapshot(world);
    const added = (await pages(world, none)).flat();
    expect(added.map(({ contactId }) => contactId)).toEqual(ids.map(contactId));
    expect(new Set(added.map(({ kind }) => kind))).toEqual(new Set(['ADDED']));
    expect(await totals(world, none)).toEqual({ added: 900, removed: 0, changed: 0, isComplete: true });
    await deleteThem(world, { filter: {} });
    await runJobs(world);
    const removed = (await pages(world, all)).flat();
    expect(removed.map(({ contactId, kind }) => [contactId, kind])).toEqual(ids.map((id) => [contactId(id), 'REMOVED']));
  });

  it('is nothing again when what was deleted has been recovered', async () => {
    await using world = await createWorld();
    await fill(world, 60);
    const snapshot = await takeSnapshot(world);
    const { deletion } = await deleteThem(world, { filter: {} });
    const { recoveryRequest } = await orderRecovery(world, deletion!.id);
    expect(await totals(world, snapshot)).toMatchObject({ removed: 60 });
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    expect(await pages(world, snapshot)).toEqual([[]]);
  });

  it('does not go on from the cursor of another comparison', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [one, other] = [await takeSnapshot(world), await takeSnapshot(world)];
    await world.owner.query(`update contact set city = 'Elsewhere'`);
    const { pageInfo } = await page(world, one, { first: 1 });
    expect(pageInfo.hasNextPage).toBe(true);
    const [id] = await liveIds(world);
    for (const after of [pageInfo.endCursor, 'nonsense', encodeCursor(['snapshots', id])])
      await expect(page(world, other, { after })).rejects.toMatchObject({ code: 'BAD_CURSOR' });
    await expect(page(world, one, { first: 101 })).rejects.toMatchObject({ code: 'BAD_PAGE_SIZE' });
  });

  it('says which chunk is damaged, and shows nothing of the rest', async () => {
    await using world = await createWorld();
    await fill(world, 60);
    const snapshot = await takeSnapshot(world);
    await world.owner.query(`update snapshot_chunk_body set body = set_byte(body, 20, get_byte(body, 20) # 1)`);
    await world.owner.query(`update contact set city = 'Elsewhere'`);
    await expect(page(world, snapshot)).rejects.toMatchObject({ code: 'SNAPSHOT_DAMAGED' });
  });
});
