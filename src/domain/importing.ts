// Applying an import, batch by batch: contacts, what they own, the log entries and what became of each row commit together.
import type { Transaction } from '../database.ts';
import type { RowProblem } from '../imports/problems.ts';
import type { StagedField, StagedOwned } from '../imports/staging.ts';
import { publish } from '../pubsub.ts';
import { deferFlush, followIndexes } from '../snapshots/capture.ts';
import { eachInLanes } from '../snapshots/lanes.ts';
import { raw, type Sql, sql } from '../sql.ts';
import { logAction, logEach } from './action-log.ts';
import { type Actor, type App, authorOf } from './app.ts';
import { type Applying, type Batch, joinByHash, ofBatch, openingDescription, takenProblem, takeStatistics } from './import-batches.ts';
import { holdImport, keepCounts, outcome, updatesContacts } from './import-rows.ts';
import { liveMatch, rowField } from './import-staging.ts';
import { updateMatches } from './import-updates.ts';
import { endJob, type Report } from './jobs.ts';
import { ensureTags } from './references.ts';

/** Rows of one transaction, for each contact that a chunk may have. */
const rowsPerContact = 2;
/** Batches at the same time. */
const lanes = 2;

/**
 * Carries an import out: every row that is not done. Safe to run again after a crash, and by two workers at once: a row is
 * locked, done and marked in one transaction.
 */
export async function applyImportRows(app: App, actor: Actor, organizationId: string, importId: string, report: Report, signal: AbortSignal): Promise<void> {
  const work: Applying = { app, actor, organizationId, importId };
  const plan = await app.database.transact(organizationId, async (tx) => {
    const row = await tx.row<{ state: string; jobId: string; rowCount: number; left: number; first: number | null; last: number; overtaken: boolean }>(sql`
      select i.state, i.job_id as "jobId", i.row_count as "rowCount", r.left, r.first, r.last,
        i.duplicate_policy is distinct from 'CREATE' and (i.deleted_policy = 'CREATE'
          or exists (select 1 from contact c where c.organization_id = i.organization_id and greatest(c.created_at, c.updated_at) > i.created_at)
          or exists (select 1 from contact_point p where p.organization_id = i.organization_id and p.created_at > i.created_at)) as overtaken
      from import i, lateral (
        select count(*)::int as left, min(row_number) as first, max(row_number) as last from import_row r
        where r.organization_id = i.organization_id and r.import_id = i.id and r.outcome is null) r
      where i.organization_id = ${organizationId} and i.id = ${importId}`);
    return row!;
  });
  if (plan.state !== 'APPLYING') return;
  await takeStatistics(app, organizationId, true);
  const total = plan.rowCount;
  let done = total - plan.left;
  await report({ phase: 'APPLYING', done, total });
  const batches: Batch[] = [];
  const batchRows = rowsPerContact * app.config.CHUNK_CONTACTS;
  if (plan.first !== null) for (let from = plan.first; from <= plan.last; from += batchRows) batches.push({ from, to: from + batchRows });
  const eachBatch = (apply: (tx: Transaction, batch: Batch) => Promise<number>) =>
    eachInLanes(lanes, batches, async (batch) => {
      signal.throwIfAborted();
      done += await app.database.transact(organizationId, (tx) => apply(tx, batch));
      await report({ phase: 'APPLYING', done, total });
    });
  // Before the first is created: of a table that is being filled the planner knows too little to look each row up.
  if (plan.overtaken) await eachBatch((tx, batch) => refuseLate(tx, work, batch));
  await eachBatch((tx, batch) => applyBatch(tx, work, batch));
  await app.database.transact(organizationId, async (tx) => {
    const ended = await tx.run(sql`
      update import set state = 'APPLIED' where organization_id = ${organizationId} and id = ${importId} and state = 'APPLYING'`);
    if (ended.rowCount === 0) return;
    const { createdCount, updatedCount } = await keepCounts(tx, importId);
    await logAction(tx, actor, { action: 'import.applied', target: { kind: 'Import', id: importId }, targetCount: createdCount + updatedCount });
    await endJob(tx, plan.jobId, 'COMPLETED');
    await publish(tx, 'import', importId);
  });
}

/** One batch. @returns how many rows it did */
async function applyBatch(tx: Transaction, work: Applying, batch: Batch): Promise<number> {
  await deferFlush(tx);
  const held = await holdImport(tx, work.importId, 'APPLYING');
  if (!held) return 0;
  await joinByHash(tx);
  const tagIds = await makeTags(tx, work.importId, batch);
  const { created, refused } = await createContacts(tx, work, batch, tagIds);
  await logEach(tx, work.actor, { action: 'contact.imported', kind: 'Contact' }, created);
  if (refused > 0) await explainRefusals(tx, work, batch);
  const updated = updatesContacts(held.duplicatePolicy) ? await updateMatches(tx, work, batch, tagIds) : 0;
  const { rowCount } = await tx.run(sql`
    update import_row r set outcome = ${outcome}, draft = null, owned = null
    from import i where ${ofBatch(tx, work, batch)} and ${outcome} in ('SKIPPED', 'REFUSED')`);
  return created.length + updated + refused + rowCount!;
}

/**
 * Refuses rows of a batch that would create somebody who is there by now: who was recovered since the dry run, or matches as a
 * row did then. Those that this import has created are none of these. @returns how many
 */
async function refuseLate(tx: Transaction, work: Applying, batch: Batch): Promise<number> {
  await deferFlush(tx);
  if (!(await holdImport(tx, work.importId, 'APPLYING'))) return 0;
  await followIndexes(tx);
  tx.planAnew();
  const refuse = async (problem: RowProblem, those: Sql): Promise<number> => {
    const { rowCount } = await tx.run(sql`
      update import_row r set outcome = 'REFUSED', draft = null, owned = null, problems = ${JSON.stringify([problem])}
      from import i where ${ofBatch(tx, work, batch)} and ${outcome} = 'CREATED' and ${those}`);
    return rowCount!;
  };
  const recovered = await refuse(
    { code: 'CONTACT_RECOVERED', message: 'The contact that the row matches was recovered since the dry run. The row was not imported. Import it again.' },
    sql`r.kind = 'DELETED' and exists (select 1 from contact c where c.organization_id = r.organization_id and c.id = r.deleted_contact_id)`,
  );
  const points = (kind: 'EMAIL' | 'PHONE') =>
    sql`array(select p ->> 'normalized' from jsonb_array_elements(r.owned -> 'points') p where p ->> 'kind' = ${kind})`;
  const staged = sql`(select r.draft, ${points('EMAIL')} || ${rowField('r', 'emailNormalized')} as emails, ${points('PHONE')} as phones) s`;
  const matched = await refuse(
    { code: 'MATCHED_SINCE', message: 'A contact that the row matches has come since the dry run. The row was not imported. Import it again.' },
    sql`r.kind in ('NEW', 'DELETED') and exists (
      -- That an email address or a member number is taken is found when it is given.
      select 1 from ${staged}, lateral (${liveMatch(tx.organizationId)}) m where not m."isUnique" and not exists (
        select 1 from import_row o where o.organization_id = ${tx.organizationId} and o.contact_id = m.id and o.import_id = ${work.importId}))`,
  );
  return recovered + matched;
}

/** Makes the tags that the batch names and that are missing, and remembers which those are. @returns ids by name */
async function makeTags(tx: Transaction, importId: string, batch: Batch): Promise<ReadonlyMap<string, string>> {
  const named = await tx.rows<{ name: string; there: boolean }>(sql`
    select name, exists (select 1 from tag t where t.organization_id = ${tx.organizationId} and t.name = named.name) as there from (
      select distinct jsonb_array_elements_text(r.owned -> 'tags') as name from import i, import_row r
      where ${ofBatch(tx, { importId }, batch)} and ${outcome} in ('CREATED', 'UPDATED')) named`);
  if (named.length === 0) return new Map();
  const ids = await ensureTags(
    tx,
    named.map(({ name }) => name),
  );
  const made = named.filter(({ there }) => !there).map(({ name }) => ids.get(name)!);
  if (made.length > 0)
    await tx.run(sql`
      insert into import_tag (organization_id, import_id, tag_id) select ${tx.organizationId}, ${importId}, id from unnest(${made}::uuid[]) id on conflict do nothing`);
  return ids;
}

/** A field of a row, m. */
const field = (name: StagedField): Sql => rowField('m', name);
/** What a row, m, owns of one kind as a table. */
const entries = (list: keyof StagedOwned, shape: string): Sql => raw(`jsonb_to_recordset(m.owned -> '${list}') as e(${shape})`);

/**
 * Creates the contacts of the batch with all that they own, in one statement. A row whose email or member number somebody
 * has taken since the dry run is refused.
 * @returns the ids of the new contacts, and how many rows were refused
 */
async function createContacts(
  tx: Transaction,
  { actor, importId }: Applying,
  batch: Batch,
  tagIds: ReadonlyMap<string, string>,
): Promise<{ created: string[]; refused: number }> {
  const org = tx.organizationId;
  const rows = await tx.rows<{ id: string | null }>(sql`
    with mine as materialized (
      select r.row_number, r.draft[1]::uuid as id, r.draft, r.owned from import i, import_row r
      where ${ofBatch(tx, { importId }, batch)} and ${outcome} = 'CREATED' order by r.row_number for update of r
    ), made as (
      insert into contact (organization_id, id, member_number, first_name, last_name, email, email_normalized, company, job_title,
        street, city, postal_code, country, birth_date, sort_name, search_text)
      select ${org}, m.id, ${field('memberNumber')}, ${field('firstName')}, ${field('lastName')}, ${field('email')}, ${field('emailNormalized')}, ${field('company')},
        ${field('jobTitle')}, ${field('street')}, ${field('city')}, ${field('postalCode')}, ${field('country')}, ${field('birthDate')}::date, ${field('sortName')}, ${field('searchText')}
      from mine m
      on conflict do nothing returning id
    ), fresh as materialized (
      select m.id, m.owned from mine m join made on made.id = m.id where m.owned is not null
    ), points as (
      insert into contact_point (organization_id, id, contact_id, kind, label, value, normalized)
      select ${org}, e.id, m.id, e.kind, e.label, e.value, e.normalized from fresh m, ${entries('points', 'id uuid, kind text, label text, value text, normalized text')}
    ), notes as (
      insert into note (organization_id, id, contact_id, author_id, author_name, body)
      select ${org}, e.id, m.id, ${authorOf(actor)}::uuid, ${actor.name}, e.body from fresh m, ${entries('notes', 'id uuid, body text')}
    ), memberships as (
      insert into membership (organization_id, id, contact_id, plan_id, state, starts_on, ends_on)
      select ${org}, e.id, m.id, e."planId", case when e."endsOn" < current_date then 'EXPIRED' else 'ACTIVE' end, e."startsOn", e."endsOn"
      from fresh m, ${entries('memberships', 'id uuid, "planId" uuid, "startsOn" date, "endsOn" date')}
    ), fields as (
      insert into custom_field_value (organization_id, contact_id, definition_id, value)
      select ${org}, m.id, e."definitionId", e.value from fresh m, ${entries('customFields', '"definitionId" uuid, value text')}
    ), tags as (
      insert into contact_tag (organization_id, contact_id, tag_id)
      select ${org}, m.id, t.id from fresh m, jsonb_array_elements_text(m.owned -> 'tags') given
        join unnest(${[...tagIds.keys()]}::text[], ${[...tagIds.values()]}::uuid[]) t (name, id) on t.name = given
    ), opened as (
      insert into ledger_entry (organization_id, id, contact_id, kind, amount_minor, currency, description, occurred_at)
      select ${org}, e.id, m.id, 'OPENING', e."amountMinor", e.currency, ${openingDescription}, now()
      from fresh m, ${entries('opening', 'id uuid, "amountMinor" bigint, currency text')}
    ), balances as (
      insert into balance (organization_id, contact_id, currency, amount_minor)
      select ${org}, m.id, e.currency, sum(e."amountMinor") from fresh m, ${entries('opening', '"amountMinor" bigint, currency text')} group by m.id, e.currency
    ), done as (
      update import_row r set outcome = case when made.id is null then 'REFUSED' else 'CREATED' end, contact_id = made.id,
        -- Its reason is found while the draft is there.
        draft = case when made.id is null then m.draft end, owned = null,
        owned_count = case when made.id is null then null else ${ownedCount} end
      from mine m left join made on made.id = m.id
      where r.organization_id = ${org} and r.import_id = ${importId} and r.row_number >= ${batch.from} and r.row_number < ${batch.to} and r.row_number = m.row_number
    )
    select made.id from mine m left join made on made.id = m.id`);
  const created = rows.flatMap(({ id }) => id ?? []);
  return { created, refused: rows.length - created.length };
}

/** How many rows a draft makes beside the contact. Balances are sums and not counted. */
const ownedCount = raw(
  ['points', 'notes', 'memberships', 'customFields', 'tags', 'opening'].map((list) => `coalesce(jsonb_array_length(m.owned -> '${list}'), 0)`).join(' + '),
);

/** Says why rows were refused that something has come in the way of since the dry run. */
async function explainRefusals(tx: Transaction, { importId }: Applying, { from, to }: Batch): Promise<void> {
  await tx.run(sql`
    update import_row r set draft = null, problems = jsonb_build_array(case
      when exists (select 1 from contact c where c.organization_id = r.organization_id and c.email_normalized = ${rowField('r', 'emailNormalized')}) then ${JSON.stringify(takenProblem('EMAIL_TAKEN', 'email address'))}::jsonb
      else ${JSON.stringify(takenProblem('MEMBER_NUMBER_TAKEN', 'member number'))}::jsonb end)
    where r.organization_id = ${tx.organizationId} and r.import_id = ${importId} and r.row_number >= ${from} and r.row_number < ${to}
      and r.outcome = 'REFUSED' and r.draft is not null`);
}
