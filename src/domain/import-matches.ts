// Rows and the live contacts that they match: what a contact has, whether it is still the one, and what another has already.
import type { Transaction } from '../database.ts';
import type { DuplicatePolicy, MatchKey } from '../entities/import.ts';
import type { RowProblem } from '../imports/problems.ts';
import type { StagedDraft } from '../imports/staging.ts';
import { raw, sql } from '../sql.ts';
import { ownFields } from './contact-columns.ts';
import type { ContactFieldName } from './contact-drafts.ts';
import { folded } from './derived-fields.ts';
import { normalizeEmail } from './email.ts';
import { takenProblem } from './import-batches.ts';

/** A row that matches a contact. */
export interface Match {
  rowNumber: number;
  contactId: string;
  matchedBy: MatchKey;
  draft: StagedDraft;
  policy: DuplicatePolicy;
}

export type Fields = { [name in ContactFieldName]: string | null };

/** A live contact, as far as it matters to what a row may add. */
export interface Live extends Fields {
  id: string;
  /** `KIND|normalized` */
  points: string[];
  tags: string[];
  notes: string[];
  /** `plan|start` */
  memberships: string[];
  customFields: Record<string, string>;
  /** Currencies that an opening balance is there in. */
  opened: string[];
}

export const gone: RowProblem = {
  code: 'CONTACT_GONE',
  message: 'The contact that the row matches was deleted since the dry run. The row was not imported. Import it again.',
};

export const another: RowProblem = {
  code: 'CONTACT_CHANGED',
  message: 'The contact that the row matches was changed since the dry run, and does not match it any more. The row was not imported. Import it again.',
};

/** Whether a contact is still known by what the row matched it by. */
export function isStill({ matchedBy, draft }: Match, live: Live): boolean {
  const own = (kind: 'EMAIL' | 'PHONE') => (draft.points ?? []).filter((point) => point.kind === kind).map(({ normalized }) => normalized);
  const theirs = (kind: 'EMAIL' | 'PHONE') => live.points.flatMap((point) => (point.startsWith(`${kind}|`) ? [point.slice(kind.length + 1)] : []));
  switch (matchedBy) {
    case 'EMAIL': {
      const emails = new Set([...theirs('EMAIL'), ...(live.email ? [normalizeEmail(live.email)] : [])]);
      return [draft.emailNormalized, ...own('EMAIL')].some((email) => email !== undefined && emails.has(email));
    }
    case 'PHONE':
      return own('PHONE').some((phone) => theirs('PHONE').some((other) => isSameNumber(phone, other)));
    case 'MEMBER_NUMBER':
      return draft.memberNumber === live.memberNumber;
    case 'NAME_AND_BIRTH_DATE':
      return draft.birthDate === live.birthDate && folded([draft.lastName, draft.firstName]) === folded([live.lastName, live.firstName]);
  }
}

/** With or without the codes of the country and the area: so many digits tell a number. */
const tellingDigits = 6;

function isSameNumber(one: string, other: string): boolean {
  const [a, b] = [one, other].map((number) => number.replace(/\D/g, '')) as [string, string];
  return one === other || (Math.min(a.length, b.length) >= tellingDigits && a.slice(-tellingDigits) === b.slice(-tellingDigits));
}

/** Contacts as they are, by their ids. */
export async function readLive(tx: Transaction, ids: readonly string[]): Promise<Map<string, Live>> {
  const org = tx.organizationId;
  const list = (table: string, value: string) =>
    raw(`array(select ${value} from ${table} t where t.organization_id = c.organization_id and t.contact_id = c.id)`);
  const rows = await tx.rows<Live>(sql`
    select c.id, ${ownFields('c')},
      ${list('contact_point', "t.kind || '|' || t.normalized")} as points, ${list('contact_tag', 't.tag_id::text')} as tags, ${list('note', 't.body')} as notes,
      ${list('membership', "t.plan_id || '|' || t.starts_on")} as memberships,
      coalesce((select jsonb_object_agg(v.definition_id, v.value) from custom_field_value v where v.organization_id = c.organization_id and v.contact_id = c.id), '{}') as "customFields",
      array(select t.currency::text from ledger_entry t where t.organization_id = c.organization_id and t.contact_id = c.id and t.kind = 'OPENING') as opened
    from contact c where c.organization_id = ${org} and c.id = any(${ids}::uuid[])`);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Tells of a row whether what it would give its contact is another contact's already. */
export async function findTaken(tx: Transaction, matches: readonly Pick<Match, 'draft'>[]): Promise<(match: Match, live: Live) => RowProblem | undefined> {
  const given = matches.map(({ draft }) => draft);
  const owners = await tx.rows<{ id: string; email: string | null; member: string | null }>(sql`
    select id, email_normalized as email, member_number as member from contact c where c.organization_id = ${tx.organizationId} and (
      c.email_normalized = any(${given.map(({ emailNormalized }) => emailNormalized)}::text[]) or c.member_number = any(${given.map(({ memberNumber }) => memberNumber)}::text[]))`);
  const emails = new Map(owners.map(({ id, email }) => [email, id]));
  const members = new Map(owners.map(({ id, member }) => [member, id]));
  const others = (owner: string | undefined, id: string) => owner !== undefined && owner !== id;
  return ({ draft, policy }, live) => {
    const takes = (name: ContactFieldName) => draft[name] !== undefined && (policy === 'OVERWRITE' || live[name] === null);
    if (takes('email') && others(emails.get(draft.emailNormalized!), live.id)) return takenProblem('EMAIL_TAKEN', 'email address');
    if (takes('memberNumber') && others(members.get(draft.memberNumber!), live.id)) return takenProblem('MEMBER_NUMBER_TAKEN', 'member number');
    return undefined;
  };
}
