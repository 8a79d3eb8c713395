// All that is kept about one contact, as one file for themselves (GDPR, Articles 15 and 20). What a contact owns comes out of
// the graph, so that a new kind of it is in the file without an edit here. docs/contact.schema.json describes it.
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { globalId } from '../global-id.ts';
import { allFieldGroups } from '../permissions/field-groups.ts';
import { graphOf } from '../snapshots/capture.ts';
import { type GraphTable, schemaVersion } from '../snapshots/graph.ts';
import { join, name, raw, type Sql, sql } from '../sql.ts';
import { eachAction, globalIdsOf } from './action-log-rows.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { type FileKind, type Link, signDownload } from './downloads.ts';
import { mustSee } from './visibility.ts';
import { transactAs, viewAs } from './writing.ts';

/** Raised when what is in the file changes so that its readers must. */
const version = 1;

/**
 * Gives a link to the file of a contact, and logs that.
 * @throws NotFound; Refusal HIDDEN_FIELD, CONTACT_DELETED
 */
export async function exportContact(app: App, viewer: Viewer, contactId: string): Promise<Link> {
  await transactAs(app, viewer, async (tx) => {
    await checkWhole(tx, viewer, contactId);
    await logAction(tx, viewer, { action: 'contact.exported', target: { kind: 'Contact', id: contactId } });
  });
  return signDownload(app, viewer, { kind: 'CONTACT', contactId });
}

/** A part of what is kept about somebody would pass for all of it. @throws NotFound; Refusal HIDDEN_FIELD, CONTACT_DELETED */
async function checkWhole(tx: Transaction, viewer: Viewer, contactId: string): Promise<void> {
  mustSee(viewer, allFieldGroups, ['input', 'contactId']);
  if (await tx.row(sql`select 1 from contact where organization_id = ${tx.organizationId} and id = ${contactId}`)) return;
  const deletion = await tx.row(sql`
    select 1 from deletion_contact d join deletion o on o.organization_id = d.organization_id and o.id = d.deletion_id
    where d.organization_id = ${tx.organizationId} and d.contact_id = ${contactId} and o.state in ('RUNNING', 'COMPLETED')`);
  if (!deletion) throw new NotFound('contact');
  throw new Refusal(
    'CONTACT_DELETED',
    'This contact was deleted and is kept encrypted until it can’t be recovered any more. Nothing was exported. Recover it and export it then, or erase it.',
    ['input', 'contactId'],
  );
}

export const contactFile: FileKind<'CONTACT'> = {
  permissions: ['contacts:export', 'contacts:read', 'payments:read'],
  attempt: 'exportContact',
  async open(tx, app, viewer, { contactId }) {
    await checkWhole(tx, viewer, contactId);
    return {
      type: 'application/json; charset=utf-8',
      name: 'contact.json',
      fetched: { action: 'export.fetched', target: { kind: 'Contact', id: contactId } },
      content: written(app, viewer, contactId),
    };
  },
};

async function* written(app: App, viewer: Viewer, contactId: string): AsyncGenerator<string> {
  const tx = await viewAs(app, viewer);
  try {
    const { now } = (await tx.row<{ now: Date }>(sql`select now() as now`))!;
    const { id, name } = viewer.organization!;
    const head = {
      format: 'reinstate-contact',
      version,
      schemaVersion,
      exportedAt: now,
      exportedBy: viewer.name,
      organization: { id: globalId('Organization', id), name },
    };
    yield `${JSON.stringify({ ...head, contactId: globalId('Contact', contactId) }).slice(0, -1)},"records":{`;
    let first = true;
    for (const { kind, pages } of kindsOf(tx, app, contactId)) {
      yield `${first ? '' : ','}${JSON.stringify(kind)}:[`;
      yield* list(pages);
      yield ']';
      first = false;
    }
    yield '},"log":[';
    yield* list(entriesOf(tx, contactId));
    yield `],"copies":${JSON.stringify({ snapshots: await snapshotsWith(tx, contactId), files: await filesAround(tx, contactId) })}}\n`;
  } finally {
    await app.database.end(tx, 'COMMIT');
  }
}

/** The items of a JSON list. */
async function* list(pages: AsyncIterable<readonly object[]>): AsyncGenerator<string> {
  let first = true;
  for await (const page of pages) {
    yield page.map((item) => `${first ? ((first = false), '') : ','}${JSON.stringify(item)}`).join('');
  }
}

/** Each kind of record that the contact owns, itself the first, and what is computed from them. */
function* kindsOf(tx: Transaction, app: App, contactId: string): Generator<{ kind: string; pages: AsyncIterable<readonly object[]> }> {
  const { tables, rebuilt, referenced } = graphOf(app);
  const [root, others] = [tables.filter(({ name }) => name === 'contact'), tables.filter(({ name }) => name !== 'contact')];
  for (const table of [...root, ...others]) yield { kind: table.kind, pages: recordsOf(tx, table, referenced, contactId) };
  for (const table of rebuilt) {
    const query = sql`select to_jsonb(t) - 'organization_id' - 'contact_id' as record from ${name(table)} t where t.organization_id = ${tx.organizationId} and t.contact_id = ${contactId}`;
    yield { kind: camel(`_${table}`), pages: records(tx, query) };
  }
}

/** What a key refers to: `plan_id` to a plan. */
const nameOf = (column: string): string => column.replace(/_id$/, '');

/** With what the records refer to by mandatory keys, such as their plan, in place of the key. */
function recordsOf(tx: Transaction, table: GraphTable, referenced: ReadonlyMap<string, GraphTable>, contactId: string): AsyncGenerator<object[]> {
  const references = table.references.filter(({ mandatory, target }) => mandatory && referenced.has(target));
  const left = [...new Set(['organization_id', ...(table.name === 'contact' ? [] : ['contact_id'])])];
  const embedded = references.map(
    ({ column, target }) => sql`|| jsonb_build_object(${nameOf(column)}::text, (
      select to_jsonb(r) - 'organization_id' from ${name(target)} r where r.organization_id = t.organization_id and r.id = t.${name(column)}))`,
  );
  return records(
    tx,
    sql`select to_jsonb(t) - ${[...left, ...references.map(({ column }) => column)]}::text[] ${join(embedded, ' ')} as record from ${name(table.name)} t
      where t.organization_id = ${tx.organizationId} and t.${name(table.contactColumn)} = ${contactId}
      order by ${join(
        table.key.map((column) => name(column)),
        ', ',
      )}`,
    references.map(({ column }) => nameOf(column)),
  );
}

async function* records(tx: Transaction, query: Sql, nested: readonly string[] = []): AsyncGenerator<object[]> {
  for await (const rows of walked<{ record: Record<string, unknown> }>(tx, query)) yield rows.map(({ record }) => named(record, nested));
}

/** The rows of a query, a thousand at a time; one walk at a time in a transaction. */
async function* walked<Row extends object>(tx: Transaction, query: Sql): AsyncGenerator<Row[]> {
  await tx.run(sql`declare records no scroll cursor for ${query}`);
  for (let rows = await tx.rows<Row>(sql`fetch 1000 from records`); rows.length > 0; rows = await tx.rows<Row>(sql`fetch 1000 from records`)) yield rows;
  await tx.run(raw('close records'));
}

const camel = (column: string): string => column.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** With the names that clients know, as far as columns go: what is within a value is as it is. */
const named = (record: Readonly<Record<string, unknown>>, nested: readonly string[]): object =>
  Object.fromEntries(
    Object.entries(record).map(([column, value]) => [camel(column), nested.includes(column) ? named(value as Record<string, unknown>, []) : value]),
  );

/** Who did what with it and when: those of the organization are the ones that its data was disclosed to. */
async function* entriesOf(tx: Transaction, contactId: string): AsyncGenerator<object[]> {
  for await (const rows of eachAction(tx, { targetId: contactId }))
    yield rows.map((row) => {
      const { occurredAt, actorKind, actorName, action, outcome, code, targetKind, targetCount } = row;
      return { occurredAt, actorKind, actorName, action, outcome, code, targetKind, targetId: globalIdsOf(row).targetId, targetCount };
    });
}

/** The encrypted copies in snapshots, with when each is destroyed: that of a deletion, when it can’t be recovered any more. */
const snapshotsWith = (tx: Transaction, contactId: string): Promise<object[]> =>
  tx.rows(sql`
    with held as (
      select k.snapshot_id, k.number from snapshot_chunk k where k.organization_id = ${tx.organizationId} and k.contact_ids @> array[${contactId}::uuid]
    ), holding as (
      select snapshot_id from held
      union select p.snapshot_id from snapshot_part p join held on p.chunk_snapshot_id = held.snapshot_id and p.chunk_number = held.number
      where p.organization_id = ${tx.organizationId}
    )
    select s.kind, s.created_at as "takenAt", coalesce(s.expires_at, d.recoverable_until) as "keptUntil"
    from snapshot s join holding h on h.snapshot_id = s.id left join deletion d on d.organization_id = s.organization_id and d.snapshot_id = s.id
    where s.organization_id = ${tx.organizationId} and s.wrapped_key is not null order by s.created_at, s.id`);

/** Files that are kept for a while and may hold it: exports and uploads since it was created. */
const filesAround = (tx: Transaction, contactId: string): Promise<object[]> =>
  tx.rows(sql`
    select f.created_at as "madeAt", f.expires_at as "keptUntil", e.format as "exportFormat", e.requested_by_name as "exportedBy"
    from stored_file f left join contact_export e on e.organization_id = f.organization_id and e.file_id = f.id
    join contact c on c.organization_id = f.organization_id and c.id = ${contactId} and f.created_at >= c.created_at - make_interval(days => 1)
    where f.organization_id = ${tx.organizationId} and f.expires_at > clock_timestamp() order by f.created_at, f.id`);
