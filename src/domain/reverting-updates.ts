// Taking back what an import changed on contacts that were there: for each field, what was before is put back, and what was
// added is removed, where it is still as the import left it.
import type { Transaction } from '../database.ts';
import type { RowUndoOutcome } from '../entities/import.ts';
import { raw, type Sql, sql } from '../sql.ts';
import type { Actor } from './app.ts';
import { ownFields } from './contact-columns.ts';
import { type ContactFieldName, contactFieldNames } from './contact-drafts.ts';
import { normalizeEmail } from './email.ts';
import { type Changes, logChanges, type OwnedKind, writeFields } from './import-updates.ts';

/** A row that changed a contact: no other row of its import did. */
export interface UpdatedRow {
  rowNumber: number;
  contactId: string;
  /** The log entry of the change. */
  actionId: string;
}

/** Puts back what was before, for each field that is still as the import left it, and logs it. @returns what became of each row, by its number */
export async function revertUpdated(tx: Transaction, actor: Actor, rows: readonly UpdatedRow[]): Promise<Map<number, RowUndoOutcome>> {
  const outcomes = new Map<number, RowUndoOutcome>();
  if (rows.length === 0) return outcomes;
  const ids = rows.map(({ contactId }) => contactId);
  const contacts = await tx.rows<Contact>(sql`
    select c.id, ${ownFields('c')}
    from contact c where c.organization_id = ${tx.organizationId} and c.id = any(${ids}::uuid[]) order by c.id for update`);
  const details = await tx.rows<{ actionId: string; changes: Changes }>(sql`
    select d.action_id as "actionId", d.changes from action_detail d
    where d.organization_id = ${tx.organizationId} and d.contact_id = any(${ids}::uuid[]) and d.action_id = any(${rows.map(({ actionId }) => actionId)}::uuid[])`);
  const live = new Map(contacts.map((contact) => [contact.id, contact]));
  const changesOf = new Map(details.map(({ actionId, changes }) => [actionId, changes]));
  const holders = await holdersOf(tx, [...changesOf.values()]);
  const reverted: { contactId: string; changes: Changes }[] = [];
  const changed = new Set<Contact>();
  const owned: Owned[] = [];
  // The last first: it may have what an earlier one has given up.
  for (const { rowNumber, contactId, actionId } of rows.toReversed()) {
    const contact = live.get(contactId);
    const changes = changesOf.get(actionId);
    if (!contact || !changes) {
      outcomes.set(rowNumber, 'GONE');
      continue;
    }
    outcomes.set(rowNumber, 'REVERTED');
    const back: Changes = {};
    for (const [key, { before, after }] of Object.entries(changes)) {
      const field = contactFieldNames.find((one) => one === key);
      if (!field) owned.push({ rowNumber, contactId, key, before, after, back });
      else if (contact[field] === after && holders.take(contactId, field, after, before)) {
        contact[field] = before;
        back[key] = { before: after, after: before };
        changed.add(contact);
      } else outcomes.set(rowNumber, 'KEPT');
    }
    reverted.push({ contactId, changes: back });
  }
  for (const { rowNumber } of await takeBackOwned(tx, owned)) outcomes.set(rowNumber, 'KEPT');
  await writeFields(tx, [...changed]);
  const told = reverted.filter(({ changes }) => Object.keys(changes).length > 0);
  if (told.length > 0) await logChanges(tx, actor, told);
  return outcomes;
}

type Contact = { id: string } & { [name in ContactFieldName]: string | null };

/** Who has the email addresses and member numbers that contacts had before. */
async function holdersOf(tx: Transaction, all: readonly Changes[]) {
  const prior = (field: ContactFieldName) => all.flatMap((changes) => changes[field]?.before ?? []);
  const owners = await tx.rows<{ id: string; email: string | null; member: string | null }>(sql`
    select id, email_normalized as email, member_number as member from contact c where c.organization_id = ${tx.organizationId}
      and (c.email_normalized = any(${prior('email').map(normalizeEmail)}::text[]) or c.member_number = any(${prior('memberNumber')}::text[]))`);
  const byValue = { email: new Map(owners.map(({ id, email }) => [email, id])), memberNumber: new Map(owners.map(({ id, member }) => [member, id])) };
  return {
    /** Gives a value back to the contact for the one that it has now. @returns false when another has it: then nothing is given */
    take(contactId: string, field: ContactFieldName, from: string | null, to: string | null): boolean {
      if (field !== 'email' && field !== 'memberNumber') return true;
      const comparable = (value: string | null) => (field === 'email' && value !== null ? normalizeEmail(value) : value);
      const holder = to === null ? undefined : byValue[field].get(comparable(to));
      if (holder !== undefined && holder !== contactId) return false;
      byValue[field].delete(comparable(from));
      if (to !== null) byValue[field].set(comparable(to), contactId);
      return true;
    },
  };
}

interface Owned {
  rowNumber: number;
  contactId: string;
  /** The kind, a colon and the id: see `Changes`. */
  key: string;
  before: string | null;
  after: string | null;
  /** Where it is written down that it was taken back. */
  back: Changes;
}

const byId = raw('returning t.contact_id as contact, t.id');

/**
 * For each kind of owned row: takes back one that is still as it was given, and returns whose and which it was. `given` has
 * contact, id, and what it was before and after.
 */
const removals: Readonly<Record<OwnedKind, (given: Sql, org: string) => Sql>> = {
  contactPoint: (given, org) => sql`
    delete from contact_point t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id and t.value = given.after ${byId}`,
  tag: (given, org) => sql`
    delete from contact_tag t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.tag_id = given.id
    returning t.contact_id as contact, t.tag_id as id`,
  note: (given, org) => sql`
    delete from note t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id and t.body = given.after ${byId}`,
  membership: (given, org) => sql`
    delete from membership t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id and t.updated_at = t.created_at
      and not exists (select 1 from payment p where p.organization_id = t.organization_id and p.membership_id = t.id) ${byId}`,
  ledgerEntry: (given, org) => sql`
    delete from ledger_entry t using ${given} where t.organization_id = ${org} and t.contact_id = given.contact and t.id = given.id
    returning t.contact_id as contact, t.id, t.currency, t.amount_minor as amount`,
  customField: (given, org) => sql`
    with given as (select * from ${given}), removed as (
      delete from custom_field_value t using given where t.organization_id = ${org} and t.contact_id = given.contact and t.definition_id = given.id
        and t.value = given.after and given.before is null returning t.contact_id as contact, t.definition_id as id
    ), replaced as (
      update custom_field_value t set value = given.before from given where t.organization_id = ${org} and t.contact_id = given.contact
        and t.definition_id = given.id and t.value = given.after and given.before is not null returning t.contact_id as contact, t.definition_id as id
    )
    select * from removed union all select * from replaced`,
};

/** Removes what was added, and gives custom fields the values that they had. @returns what is not as it was given any more */
async function takeBackOwned(tx: Transaction, owned: readonly Owned[]): Promise<Owned[]> {
  const kept: Owned[] = [];
  for (const [kind, some] of Map.groupBy(owned, ({ key }) => key.slice(0, key.indexOf(':')) as OwnedKind)) {
    const idOf = ({ key }: Owned) => key.slice(kind.length + 1);
    const given = sql`unnest(${some.map(({ contactId }) => contactId)}::uuid[], ${some.map(idOf)}::uuid[], ${some.map(({ after }) => after)}::text[], ${some.map(({ before }) => before)}::text[])
      given (contact, id, after, before)`;
    const gone = await tx.rows<{ contact: string; id: string }>(removals[kind](given, tx.organizationId));
    if (kind === 'ledgerEntry') await lessen(tx, gone as unknown as Entry[]);
    const done = new Set(gone.map(({ contact, id }) => `${contact}|${id}`));
    for (const one of some)
      if (done.has(`${one.contactId}|${idOf(one)}`)) one.back[one.key] = { before: one.after, after: one.before };
      else kept.push(one);
  }
  return kept;
}

interface Entry {
  contact: string;
  currency: string;
  amount: number;
}

/** Takes removed ledger entries off the balances; a balance whose last entry went is none. */
async function lessen(tx: Transaction, entries: readonly Entry[]): Promise<void> {
  if (entries.length === 0) return;
  const given = sql`unnest(${entries.map(({ contact }) => contact)}::uuid[], ${entries.map(({ currency }) => currency)}::text[], ${entries.map(({ amount }) => amount)}::bigint[])
    given (contact, currency, amount)`;
  await tx.run(sql`
    update balance b set amount_minor = b.amount_minor - given.amount, updated_at = now()
    from (select contact, currency, sum(amount) as amount from ${given} group by contact, currency) given
    where b.organization_id = ${tx.organizationId} and b.contact_id = given.contact and b.currency = given.currency`);
  await tx.run(sql`
    delete from balance b using ${given} where b.organization_id = ${tx.organizationId} and b.contact_id = given.contact and b.currency = given.currency and not exists (
      select 1 from ledger_entry l where l.organization_id = b.organization_id and l.contact_id = b.contact_id and l.currency = b.currency)`);
}
