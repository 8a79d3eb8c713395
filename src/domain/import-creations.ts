// What an import creates: contacts with all that they own, and the tags that rows name.
import type { Transaction } from '../database.ts';
import type { StagedOwned } from '../imports/staging.ts';
import { uniqueViolation } from '../snapshots/restore.ts';
import { makeStages } from '../snapshots/stage.ts';
import { join, name, raw, type Sql, sql } from '../sql.ts';
import { logEach } from './action-log.ts';
import { authorOf } from './app.ts';
import { writtenList } from './contact-columns.ts';
import { type Applying, type Batch, inBatch, isPending, joinByIndex, openingDescription, takenProblem } from './import-batches.ts';
import { outcome } from './import-rows.ts';
import { ensureTags } from './references.ts';

const listNames = ['points', 'notes', 'memberships', 'customFields', 'tags', 'opening'] as const satisfies (keyof StagedOwned)[];

/** The lists that drafts of the batch have. */
export async function findLists(tx: Transaction, work: Applying, batch: Batch): Promise<(keyof StagedOwned)[]> {
  const lists = listNames.map((list) => raw(`bool_or(d.owned ? '${list}') as "${list}"`));
  const found = await tx.row<Record<keyof StagedOwned, boolean | null>>(
    sql`select ${join(lists, ', ')} from import_draft d where ${inBatch(tx, work, batch, 'd')}`,
  );
  return listNames.filter((list) => found![list]);
}

/** Makes the tags that the batch names and that are missing, and remembers which those are. @returns ids by name */
export async function makeTags(tx: Transaction, work: Applying, batch: Batch): Promise<ReadonlyMap<string, string>> {
  const named = await tx.rows<{ name: string; there: boolean }>(sql`
    select name, exists (select 1 from tag t where t.organization_id = ${tx.organizationId} and t.name = named.name) as there from (
      select distinct jsonb_array_elements_text(d.owned -> 'tags') as name from import i, import_row r, import_draft d
      where ${isPending(tx, work, batch)} and ${outcome} in ('CREATED', 'UPDATED')) named`);
  if (named.length === 0) return new Map();
  const ids = await ensureTags(
    tx,
    named.map(({ name: tag }) => tag),
  );
  const made = named.filter(({ there }) => !there).map(({ name: tag }) => ids.get(tag)!);
  if (made.length > 0)
    await tx.run(sql`
      insert into import_tag (organization_id, import_id, tag_id) select ${tx.organizationId}, ${work.importId}, id from unnest(${made}::uuid[]) id on conflict do nothing`);
  return ids;
}

/** Rows of a table that contacts own, made of a list of their drafts, m: the columns, as in `id uuid`, and what goes into them. */
interface Owned {
  table: string;
  columns: string[];
  values: Sql;
}

/** What the entries of a list of a draft, m, are as a table, e. */
const entries = (list: keyof StagedOwned, shape: string): Sql =>
  raw(`made m, jsonb_to_recordset(m.owned -> '${list}') as e(${shape}) where m.owned ? '${list}'`);

const ownedOf = ({ actor }: Applying, tagIds: ReadonlyMap<string, string>): Record<keyof StagedOwned, Owned[]> => ({
  points: [
    {
      table: 'contact_point',
      columns: ['id uuid', 'kind text', 'label text', 'value text', 'normalized text'],
      values: sql`e.id, e.kind, e.label, e.value, e.normalized from ${entries('points', 'id uuid, kind text, label text, value text, normalized text')}`,
    },
  ],
  notes: [
    {
      table: 'note',
      columns: ['id uuid', 'author_id uuid', 'author_name text', 'body text'],
      values: sql`e.id, ${authorOf(actor)}::uuid, ${actor.name}, e.body from ${entries('notes', 'id uuid, body text')}`,
    },
  ],
  memberships: [
    {
      table: 'membership',
      columns: ['id uuid', 'plan_id uuid', 'state text', 'starts_on date', 'ends_on date'],
      values: sql`e.id, e."planId", case when e."endsOn" < current_date then 'EXPIRED' else 'ACTIVE' end, e."startsOn", e."endsOn"
        from ${entries('memberships', 'id uuid, "planId" uuid, "startsOn" date, "endsOn" date')}`,
    },
  ],
  customFields: [
    {
      table: 'custom_field_value',
      columns: ['definition_id uuid', 'value text'],
      values: sql`e."definitionId", e.value from ${entries('customFields', '"definitionId" uuid, value text')}`,
    },
  ],
  tags: [
    {
      table: 'contact_tag',
      columns: ['tag_id uuid'],
      values: sql`t.id from made m, jsonb_array_elements_text(m.owned -> 'tags') given
        join unnest(${[...tagIds.keys()]}::text[], ${[...tagIds.values()]}::uuid[]) t (name, id) on t.name = given where m.owned ? 'tags'`,
    },
  ],
  opening: [
    {
      table: 'ledger_entry',
      columns: ['id uuid', 'payment_id uuid', 'kind text', 'amount_minor bigint', 'currency char(3)', 'description text', 'occurred_at timestamptz'],
      values: sql`e.id, null::uuid, 'OPENING', e."amountMinor", e.currency, ${openingDescription}, now() from ${entries('opening', 'id uuid, "amountMinor" bigint, currency text')}`,
    },
    {
      table: 'balance',
      columns: ['currency char(3)', 'amount_minor bigint'],
      values: sql`e.currency, sum(e."amountMinor") from ${entries('opening', '"amountMinor" bigint, currency text')} group by m.id, e.currency`,
    },
  ],
});

/**
 * Creates the contacts of the batch with all that they own, and logs each. A row whose email or member number somebody has taken
 * since the dry run is refused. @returns how many were created, and how many refused
 */
export async function createContacts(
  tx: Transaction,
  work: Applying,
  batch: Batch,
  lists: readonly (keyof StagedOwned)[],
  tagIds: ReadonlyMap<string, string>,
): Promise<{ created: number; refused: number }> {
  const org = tx.organizationId;
  const owned = lists.flatMap((list) => ownedOf(work, tagIds)[list]);
  await makeStages(
    tx,
    owned.map(({ table, columns }) => ({ name: stageOf(table), shape: ['organization_id uuid', 'contact_id uuid', ...columns].join(', ') })),
  );
  const staged = owned.map(({ table, values }) => sql`, ${name(table)} as (insert into ${name(stageOf(table))} select ${org}, m.id, ${values})`);
  const create = (onConflict: string) =>
    tx.rows<{ id: string | null } & RefusedRow>(sql`
    with i as materialized (
      select * from import where organization_id = ${org} and id = ${work.importId}
    ), mine as (
      delete from import_draft d using i, import_row r where ${isPending(tx, work, batch)} and ${outcome} = 'CREATED' returning d.*, r.kind
    ), new as (
      insert into contact (organization_id, id, ${writtenList}) select ${org}, contact_id, ${writtenList} from mine ${raw(onConflict)} returning id
    ), made as materialized (
      select new.id, m.row_number, m.kind, m.owned from mine m join new on new.id = m.contact_id
    )${join(staged, '')}, known as (
      -- A new row has had the id of its contact from the start.
      update import_row r set contact_id = m.id from made m where ${inBatch(tx, work, batch)} and r.row_number = m.row_number and m.kind <> 'NEW'
    )
    select new.id, m.row_number as "rowNumber", case when new.id is null then m.email_normalized end as email
    from mine m left join new on new.id = m.contact_id`);
  // Most often nothing is in the way, and looking for it before each row takes a quarter of what inserting takes.
  await tx.run(sql`savepoint created`);
  const rows = await create('').catch(async (error: { code?: string }) => {
    if (error.code !== uniqueViolation) throw error;
    await tx.run(sql`rollback to savepoint created`);
    return create('on conflict do nothing');
  });
  if (owned.length > 0) await addOwned(tx, owned);
  const created = rows.flatMap(({ id }) => id ?? []);
  const refused = rows.filter(({ id }) => id === null);
  await logEach(tx, work.actor, { action: 'contact.imported', kind: 'Contact' }, created);
  if (refused.length > 0) await refuse(tx, work, batch, refused);
  return { created: created.length, refused: refused.length };
}

/** The temporary table of rows that are to go into a table. */
const stageOf = (table: string): string => `imported_${table}`;

/** Moves staged rows into their tables, where the keys of all are checked at once. */
async function addOwned(tx: Transaction, owned: readonly Owned[]): Promise<void> {
  await joinByIndex(tx);
  const added = owned.map(({ table }) => sql`(select count(*) from restore_rows(null::${name(table)}, ${stageOf(table)}::regclass, '{}'))`);
  await tx.run(sql`select ${join(added, ', ')}`);
}

interface RefusedRow {
  rowNumber: number;
  email: string | null;
}

/** Refuses rows that something has come in the way of since the dry run, and says what. */
async function refuse(tx: Transaction, work: Applying, batch: Batch, refused: readonly RefusedRow[]): Promise<void> {
  await tx.run(sql`
    update import_row r set outcome = 'REFUSED', contact_id = null, problems = jsonb_build_array(case
      when exists (select 1 from contact c where c.organization_id = r.organization_id and c.email_normalized = given.email) then ${JSON.stringify(takenProblem('EMAIL_TAKEN', 'email address'))}::jsonb
      else ${JSON.stringify(takenProblem('MEMBER_NUMBER_TAKEN', 'member number'))}::jsonb end)
    from unnest(${refused.map(({ rowNumber }) => rowNumber)}::int[], ${refused.map(({ email }) => email)}::text[]) given (number, email)
    where ${inBatch(tx, work, batch)} and r.row_number = given.number`);
}
