// What is live where a contact of a snapshot wants to be.
import type { Transaction } from '../database.ts';
import type { ConflictKind, ConflictPolicy } from '../entities/recovery.ts';
import { textColumns } from '../domain/contact-columns.ts';
import { sql } from '../sql.ts';
import type { Chunk, Part } from './chunk.ts';
import { eachRow, textAt, uuidAt } from './copy.ts';

/** Something live stands where a recovered contact wants to be. Of several that do, the first by kind. */
export interface Conflict {
  contactId: string;
  kind: ConflictKind;
  liveContactId: string;
}

/** A conflict and what is done about it. */
export interface SettledConflict extends Conflict {
  policy: ConflictPolicy;
}

/** What is done about a conflict when nobody said otherwise. */
export const defaultPolicies: Record<ConflictKind, ConflictPolicy> = {
  SAME_ID: 'SKIP',
  SAME_EMAIL: 'MERGE',
  SAME_MEMBER_NUMBER: 'RESTORE_WITHOUT_EMAIL',
};

/** The policy that can be carried out: a contact whose own id is live can't come back beside it. */
export const feasible = (kind: ConflictKind, policy: ConflictPolicy): ConflictPolicy =>
  kind === 'SAME_ID' && policy === 'RESTORE_WITHOUT_EMAIL' ? 'SKIP' : policy;

/** What conflicts now, in order of contact id. Changes nothing. */
export async function findConflicts(tx: Transaction, chunk: Chunk): Promise<Conflict[]> {
  const contacts = chunk.parts.find((part) => part.table === 'contact');
  return contacts && contacts.count > 0 ? conflictsOf(tx, contacts, () => true) : [];
}

/** Of the contacts in the part that `asked` names, those that something live stands in the way of. */
export async function conflictsOf(tx: Transaction, contacts: Part, asked: (id: string) => boolean): Promise<Conflict[]> {
  const at = (name: string) => contacts.columns.findIndex((column) => column.name === name);
  const [idAt, emailAt, memberAt] = [at('id'), at('email_normalized'), at('member_number')] as const;
  const ids: string[] = [];
  const emails: (string | null)[] = [];
  const members: (string | null)[] = [];
  eachRow(contacts.rows, (_start, _end, starts) => {
    const id = uuidAt(contacts.rows, starts[idAt]!);
    if (!asked(id)) return;
    ids.push(id);
    emails.push(textAt(contacts.rows, starts[emailAt]!));
    members.push(textAt(contacts.rows, starts[memberAt]!));
  });
  return tx.rows<Conflict>(sql`
    select w.id as "contactId", conflict.kind, conflict.live as "liveContactId"
    from unnest(${ids}::uuid[], ${emails}::text[], ${members}::text[]) w (id, email, member)
    cross join lateral (
      select c.id as live, 'SAME_ID' as kind, 1 as rank from contact c where c.organization_id = ${tx.organizationId} and c.id = w.id
      union all
      select c.id, 'SAME_EMAIL', 2 from contact c where c.organization_id = ${tx.organizationId} and c.email_normalized = w.email
      union all
      select c.id, 'SAME_MEMBER_NUMBER', 3 from contact c where c.organization_id = ${tx.organizationId} and c.member_number = w.member
      order by rank limit 1
    ) conflict
    order by w.id`);
}

/** The fields of a contact as a snapshot has them. */
export type RecoveredContact = { [field in keyof typeof textColumns]: string | null } & { id: string; updatedAt: Date };

/** PostgreSQL counts microseconds from here. */
const epoch = Date.UTC(2000, 0, 1);

/** The contacts of a chunk with these ids, by id. */
export function recoveredContacts({ parts }: Chunk, ids: ReadonlySet<string>): Map<string, RecoveredContact> {
  const found = new Map<string, RecoveredContact>();
  const part = parts.find(({ table }) => table === 'contact');
  if (!part) return found;
  const at = (column: string) => part.columns.findIndex(({ name }) => name === column);
  eachRow(part.rows, (_start, _end, starts) => {
    const id = uuidAt(part.rows, starts[at('id')]!);
    if (!ids.has(id)) return;
    const fields = Object.fromEntries(Object.entries(textColumns).map(([field, column]) => [field, textAt(part.rows, starts[at(column)]!)]));
    const updatedAt = new Date(epoch + Number(part.rows.readBigInt64BE(starts[at('updated_at')]!) / 1000n));
    found.set(id, { ...(fields as Record<keyof typeof textColumns, string | null>), id, updatedAt });
  });
  return found;
}
