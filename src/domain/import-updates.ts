// What an import changes on contacts that were there: fields, and rows that they own. Everything is kept with the contact,
// field by field with what was before, which is what an undo goes by.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import type { DuplicatePolicy, RowOutcome } from '../entities/import.ts';
import type { RowProblem } from '../imports/problems.ts';
import type { StagedDraft } from '../imports/staging.ts';
import { sql } from '../sql.ts';
import { logActions } from './action-log.ts';
import type { Actor } from './app.ts';
import { writtenFrom, writtenShape } from './contact-columns.ts';
import { contactFieldNames } from './contact-drafts.ts';
import { addOwned, recordset } from './contact-writing.ts';
import { derive } from './derived-fields.ts';
import { type Applying, type Batch, inBatch, isPending, lockContacts, openingDescription, stagedDraft } from './import-batches.ts';
import { another, type Fields, findTaken, gone, isStill, type Live, type Match, readLive } from './import-matches.ts';
import { outcome } from './import-rows.ts';

/**
 * One change: of a field, whose key is its name, or of something owned, whose key is its kind, a colon and its id. What was
 * not there before is null.
 */
export type Changes = Record<string, { before: string | null; after: string | null }>;

/** What a row changes. */
interface Change {
  match: Match;
  live: Live;
  changes: Changes;
  fields: Partial<Fields>;
  owned: Parameters<typeof addOwned>[2][number];
  replacedFields: { definitionId: string; value: string }[];
  opening: NonNullable<StagedDraft['opening']>;
}

/** Changes the contacts that rows of the batch match and are to change; each gets a log entry. */
export async function updateMatches(tx: Transaction, work: Applying, batch: Batch, tagIds: ReadonlyMap<string, string>): Promise<void> {
  const matches = await tx.rows<Match>(sql`
    select r.row_number as "rowNumber", r.contact_id as "contactId", r.matched_by as "matchedBy", ${stagedDraft} as draft, i.duplicate_policy as policy
    from import i, import_row r, import_draft d where ${isPending(tx, work, batch)} and ${outcome} = 'UPDATED' order by r.row_number for update of d`);
  if (matches.length === 0) return;
  const ids = [...new Set(matches.map(({ contactId }) => contactId))];
  // Locked first and read then: what was committed while this waited is seen.
  await lockContacts(tx, ids);
  const live = await readLive(tx, ids);
  const blocked = await findTaken(tx, matches);
  const done: { rowNumber: number; outcome: RowOutcome; problems: RowProblem[] | null; actionId: string | null }[] = [];
  const changed: Change[] = [];
  for (const match of matches) {
    const contact = live.get(match.contactId);
    const problem = !contact ? gone : isStill(match, contact) ? blocked(match, contact) : another;
    const change = contact && !problem ? changeOf(match, contact, tagIds) : undefined;
    if (change) changed.push(change);
    else done.push({ rowNumber: match.rowNumber, outcome: problem ? 'REFUSED' : 'SKIPPED', problems: problem ? [problem] : null, actionId: null });
  }
  const actionIds = await write(tx, work, changed);
  changed.forEach(({ match }, index) => done.push({ rowNumber: match.rowNumber, outcome: 'UPDATED', problems: null, actionId: actionIds[index]! }));
  await tx.run(sql`
    update import_row r set outcome = given.outcome, problems = given.problems, action_id = given."actionId"
    from ${recordset(done, sql`"rowNumber" int, outcome text, problems jsonb, "actionId" uuid`)}
    where ${inBatch(tx, work, batch)} and r.row_number = given."rowNumber"`);
}

/**
 * Says of rows of the batch that match a contact what they would change there: with what fills what is empty, and with all
 * that they have. By the same code that changes it. @returns how many there are
 */
export async function judgeMatches(tx: Transaction, importId: string, batch: Batch): Promise<number> {
  const matches = await tx.rows<Omit<Match, 'policy'>>(sql`
    select r.row_number as "rowNumber", r.contact_id as "contactId", r.matched_by as "matchedBy", ${stagedDraft} as draft from import_row r, import_draft d
    where ${inBatch(tx, { importId }, batch)} and ${inBatch(tx, { importId }, batch, 'd')} and d.row_number = r.row_number and r.kind = 'MATCH'`);
  if (matches.length === 0) return 0;
  const live = await readLive(tx, [...new Set(matches.map(({ contactId }) => contactId))]);
  const names = [...new Set(matches.flatMap(({ draft }) => draft.tags ?? []))];
  const tags = await tx.rows<{ id: string; name: string }>(
    sql`select id, name from tag where organization_id = ${tx.organizationId} and name = any(${names}::text[])`,
  );
  const tagIds = new Map([...names.map((name) => [name, name] as const), ...tags.map(({ id, name }) => [name, id] as const)]);
  const blocked = await findTaken(tx, matches);
  const judged = matches.map((match) => {
    const contact = live.get(match.contactId);
    /** Null: it would be refused. */
    const changes = (policy: DuplicatePolicy): boolean | null => {
      const given = { ...match, policy };
      return !contact || blocked(given, contact) ? null : changeOf(given, contact, tagIds) !== undefined;
    };
    return { rowNumber: match.rowNumber, fills: changes('FILL_EMPTY'), differs: changes('OVERWRITE') };
  });
  await tx.run(sql`
    update import_row r set fills = given.fills, differs = given.differs from ${recordset(judged, sql`"rowNumber" int, fills boolean, differs boolean`)}
    where ${inBatch(tx, { importId }, batch)} and r.row_number = given."rowNumber"`);
  return matches.length;
}

/** What a row changes on its contact; undefined when that is nothing. */
function changeOf(match: Match, live: Live, tagIds: ReadonlyMap<string, string>): Change | undefined {
  const { draft, policy } = match;
  const changes: Changes = {};
  const overwrites = policy === 'OVERWRITE';
  const fields: Partial<Fields> = {};
  for (const name of contactFieldNames) {
    const value = draft[name];
    if (value === undefined || value === live[name] || (live[name] !== null && !overwrites)) continue;
    changes[name] = { before: live[name], after: value };
    fields[name] = value;
  }
  const add = (kind: OwnedKind, id: string, after: string, before: string | null = null) => (changes[`${kind}:${id}`] = { before, after });
  const points = missing(live.points, draft.points, ({ kind, normalized }) => `${kind}|${normalized}`);
  for (const { id, value } of points) add('contactPoint', id, value);
  const tags = missing(live.tags, draft.tags, (name) => tagIds.get(name)!);
  for (const name of tags) add('tag', tagIds.get(name)!, name);
  const notes = missing(live.notes, draft.notes, ({ body }) => body);
  for (const { id, body } of notes) add('note', id, body);
  const memberships = missing(live.memberships, draft.memberships, ({ planId, startsOn }) => `${planId}|${startsOn}`);
  for (const { id, startsOn } of memberships) add('membership', id, startsOn);
  // A row may have several amounts of one currency.
  const opening = (draft.opening ?? []).filter(({ currency }) => !live.opened.includes(currency));
  for (const { id, amountMinor, currency } of opening) add('ledgerEntry', id, `${amountMinor} ${currency}`);
  const customFields: { definitionId: string; value: string }[] = [];
  const replacedFields: typeof customFields = [];
  for (const field of draft.customFields ?? []) {
    const before = live.customFields[field.definitionId] ?? null;
    if (before === field.value || (before !== null && !overwrites)) continue;
    add('customField', field.definitionId, field.value, before);
    (before === null ? customFields : replacedFields).push(field);
  }
  if (Object.keys(changes).length === 0) return undefined;
  const owned = { id: live.id, contactPoints: points, tags, notes, memberships, customFields };
  return { match, live, changes, fields, owned, replacedFields, opening };
}

export type OwnedKind = 'contactPoint' | 'tag' | 'note' | 'membership' | 'ledgerEntry' | 'customField';

/** Of what is given, what is not there yet by its key, each once. */
function missing<Given>(there: readonly string[], given: readonly Given[] | undefined, keyOf: (one: Given) => string): Given[] {
  const keys = new Set(there);
  return (given ?? []).filter((one) => {
    const key = keyOf(one);
    return !keys.has(key) && keys.add(key);
  });
}

/** Writes the changes and their log entries. @returns the entries' ids, in the order of the changes */
async function write(tx: Transaction, { actor }: Applying, changed: readonly Change[]): Promise<string[]> {
  if (changed.length === 0) return [];
  await writeFields(
    tx,
    changed.filter(({ fields }) => Object.keys(fields).length > 0).map(({ live, fields }) => ({ ...live, ...fields })),
  );
  await addOwned(
    tx,
    actor,
    changed.map(({ owned }) => owned),
  );
  const replaced = changed.flatMap(({ live, replacedFields }) => replacedFields.map((field) => ({ contactId: live.id, ...field })));
  if (replaced.length > 0)
    await tx.run(sql`
      update custom_field_value v set value = given.value from ${recordset(replaced, sql`"contactId" uuid, "definitionId" uuid, value text`)}
      where v.organization_id = ${tx.organizationId} and v.contact_id = given."contactId" and v.definition_id = given."definitionId"`);
  const opening = changed.flatMap(({ live, opening: given }) => given.map((entry) => ({ contactId: live.id, ...entry })));
  if (opening.length > 0) {
    const shape = sql`id uuid, "contactId" uuid, "amountMinor" bigint, currency text`;
    await tx.run(sql`
      insert into ledger_entry (organization_id, id, contact_id, kind, amount_minor, currency, description, occurred_at)
      select ${tx.organizationId}, id, "contactId", 'OPENING', "amountMinor", currency, ${openingDescription}, now() from ${recordset(opening, shape)}`);
    await tx.run(sql`
      insert into balance as b (organization_id, contact_id, currency, amount_minor)
      select ${tx.organizationId}, "contactId", currency, "amountMinor" from ${recordset(opening, shape)}
      on conflict (organization_id, contact_id, currency) do update set amount_minor = b.amount_minor + excluded.amount_minor, updated_at = now()`);
  }
  return logChanges(
    tx,
    actor,
    changed.map(({ live, changes }) => ({ contactId: live.id, changes })),
  );
}

/** Writes the own fields of contacts as they are given, and what is computed from them. */
export async function writeFields(tx: Transaction, contacts: readonly (Fields & { id: string })[]): Promise<void> {
  if (contacts.length === 0) return;
  const rows = contacts.map((contact) => ({ ...contact, ...derive(contact) }));
  await tx.run(sql`
    update contact c set ${writtenFrom('given')}, version = c.version + 1, updated_at = now()
    from ${recordset(rows, sql`id uuid, ${writtenShape}`)}
    where c.organization_id = ${tx.organizationId} and c.id = given.id`);
}

/** Logs what was changed on contacts, and keeps it with them. @returns the ids of the entries, in order */
export async function logChanges(tx: Transaction, actor: Actor, changed: readonly { contactId: string; changes: Changes }[]): Promise<string[]> {
  const actionIds = await logActions(
    tx,
    actor,
    changed.map(({ contactId, changes }) => ({ action: 'contact.updated', target: { kind: 'Contact', id: contactId }, changes })),
  );
  const details = changed.map((one, index) => ({ id: newId(), actionId: actionIds[index]!, ...one }));
  await tx.run(sql`
    insert into action_detail (organization_id, id, contact_id, action_id, changes)
    select ${tx.organizationId}, id, "contactId", "actionId", changes from ${recordset(details, sql`id uuid, "contactId" uuid, "actionId" uuid, changes jsonb`)}`);
  return actionIds;
}
