// What has changed since a snapshot of the organization: which contacts were added, removed or changed, and in which fields.
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { groupOfField } from '../permissions/field-groups.ts';
import { graphOf } from '../snapshots/capture.ts';
import { DamagedChunk } from '../snapshots/chunk.ts';
import { compare, type ContactDifference, type Different, type Stretch } from '../snapshots/comparison.ts';
import { changesBetween, type FieldChange, rowsOf, textsOf } from '../snapshots/difference.ts';
import type { GraphTable } from '../snapshots/graph.ts';
import type { App } from './app.ts';
import { readSnapshots } from './snapshot-rows.ts';
import { sees, seesRows, type Sight } from './visibility.ts';

/** Contacts that one page looks at, and that the totals count, at most. */
const [lookedAt, counted] = [20_000, 200_000] as const;

/** Changes of one contact that are shown. */
const mostChanges = 200;

/** Who asks, and whether they may see payments. */
export type Looker = Sight & { seesMoney: boolean };

/** Tables that take the permission to see payments. */
const money = new Set(['payment', 'ledger_entry']);

/** Columns that are made of others, and those that every row of the contact has. */
const implied = new Set(['organization_id', 'contact_id', 'email_normalized', 'sort_name', 'search_text']);

export interface Change {
  entity: string;
  rowId: string;
  field: string;
  before: string | null;
  after: string | null;
}

export interface ComparedContact {
  contactId: string;
  kind: ContactDifference;
  changes: Change[];
  changeCount: number;
}

export interface ComparisonPage {
  nodes: ComparedContact[];
  /** Where the page ends: the last contact of it, or the last that was looked at. Null when there is nothing more. */
  next: string | null;
}

export interface ComparisonTotals {
  added: number;
  removed: number;
  changed: number;
  isComplete: boolean;
}

/**
 * The next `first` contacts, in order of id, that are not as the snapshot has them; fewer when so many others had to be
 * looked at that the page would take long. Changes that lie only in what the viewer does not see are left out.
 * @throws NotFound; Refusal SNAPSHOT_NOT_COMPLETE, SNAPSHOT_DAMAGED
 */
export async function compareSnapshot(
  tx: Transaction,
  app: App,
  snapshotId: string,
  page: { first: number; after: string | null },
  viewer: Looker,
): Promise<ComparisonPage> {
  const found: Found[] = [];
  let looked = 0;
  for await (const { until, contacts, different } of stretches(tx, app, snapshotId, page.after)) {
    found.push(...changesOf(app, different, viewer));
    if (found.length > page.first) return { nodes: await shown(tx, found.slice(0, page.first)), next: found[page.first - 1]!.contactId };
    if (until === null) break;
    if ((looked += contacts) >= lookedAt) return { nodes: await shown(tx, found), next: until };
  }
  return { nodes: await shown(tx, found), next: null };
}

/** Someone who sees all there is: totals tell of every change, and are only for them. */
const everything: Looker = { seesMoney: true, hidden: new Set() };

/** Counts what is not as the snapshot has it, among the first 200,000 contacts. Reads all of them. @throws as `compareSnapshot` */
export async function totalComparison(tx: Transaction, app: App, snapshotId: string): Promise<ComparisonTotals> {
  const totals = { ADDED: 0, REMOVED: 0, CHANGED: 0 };
  let looked = 0;
  let isComplete = true;
  for await (const { until, contacts, different } of stretches(tx, app, snapshotId, null)) {
    for (const { kind } of changesOf(app, different, everything)) totals[kind]++;
    looked += contacts;
    if (until !== null && looked >= counted) {
      isComplete = false;
      break;
    }
  }
  return { added: totals.ADDED, removed: totals.REMOVED, changed: totals.CHANGED, isComplete };
}

/** What differs, a stretch of contacts at a time. @throws NotFound; Refusal SNAPSHOT_NOT_COMPLETE, SNAPSHOT_DAMAGED */
async function* stretches(tx: Transaction, app: App, snapshotId: string, after: string | null): AsyncGenerator<Stretch, void> {
  await checkComplete(tx, snapshotId);
  try {
    yield* compare(tx, app, snapshotId, after);
  } catch (error) {
    if (!(error instanceof DamagedChunk)) throw error;
    throw new Refusal('SNAPSHOT_DAMAGED', `${error.message} Nothing was compared or changed. Ask the operator to look at the snapshot store.`);
  }
}

async function checkComplete(tx: Transaction, snapshotId: string): Promise<void> {
  const [snapshot] = await readSnapshots(tx, [snapshotId]);
  if (!snapshot) throw new NotFound('snapshot');
  if (snapshot.state !== 'COMPLETE')
    throw new Refusal(
      'SNAPSHOT_NOT_COMPLETE',
      'This snapshot has not been taken to its end, so there is nothing to compare with. Nothing was changed. Watch its job, or take another.',
    );
}

interface Found {
  contactId: string;
  kind: ContactDifference;
  changes: FieldChange[];
}

/** The contacts with something to show. Of one that came or went as a whole, its own fields are told. */
function changesOf(app: App, different: readonly Different[], viewer: Looker): Found[] {
  const graph = graphOf(app);
  const visible = (table: GraphTable, column: string) =>
    !implied.has(column) && (viewer.seesMoney || !money.has(table.name)) && seesColumn(viewer, table, column);
  return [...Map.groupBy(different, ({ after }) => after)].flatMap(([run, own]) => {
    const wanted = new Set(own.map(({ contactId }) => contactId));
    const [before, after] = [rowsOf(graph, own[0]!.before?.parts ?? [], wanted), rowsOf(graph, run.parts, wanted)];
    return own
      .map(({ contactId, kind }): Found => {
        const isShown = kind === 'CHANGED' ? visible : (table: GraphTable, column: string) => table.name === 'contact' && visible(table, column);
        return {
          contactId,
          kind,
          changes: changesBetween(kind === 'ADDED' ? undefined : before.get(contactId), kind === 'REMOVED' ? undefined : after.get(contactId), isShown),
        };
      })
      .filter(({ kind, changes }) => kind !== 'CHANGED' || changes.length > 0);
  });
}

const fieldOf = (column: string): string => column.replaceAll(/_([a-z])/g, (_all, letter: string) => letter.toUpperCase());

function seesColumn(viewer: Sight, { kind, name }: GraphTable, column: string): boolean {
  const group = name === 'contact' ? groupOfField[fieldOf(column)] : undefined;
  return group ? sees(viewer, [group]) : seesRows(viewer, kind);
}

/** The contacts with their values as text. */
async function shown(tx: Transaction, found: readonly Found[]): Promise<ComparedContact[]> {
  const few = found.map((one) => ({ ...one, changes: one.changes.slice(0, mostChanges), changeCount: one.changes.length }));
  const values = few.flatMap(({ changes }) =>
    changes.flatMap(({ type, before, after }) => [before, after].flatMap((value) => (value ? [{ type, value }] : []))),
  );
  const texts = (await textsOf(tx, values)).values();
  const text = (value: Buffer | null) => (value ? texts.next().value! : null);
  return few.map(({ changes, ...one }) => ({
    ...one,
    changes: changes.map(({ table, rowId, column, before, after }) => ({
      entity: table.kind,
      rowId,
      field: fieldOf(column),
      before: text(before),
      after: text(after),
    })),
  }));
}
