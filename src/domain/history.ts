// What happens with a contact over time: notes, activities and memberships.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { raw, type Sql, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import { type App, authorOf, type Viewer } from './app.ts';
import { type ChildPage, childrenOf, type Columns, columnsOf } from './children.ts';
import { type MembershipDraft, readMembership, readReferences } from './contact-drafts.ts';
import type { MembershipPlanRow } from './references.ts';
import { readInstant, requireText, textLength } from './text.ts';
import { mustSee } from './visibility.ts';
import { holdContacts, write } from './writing.ts';

export interface NoteRow {
  id: string;
  authorName: string;
  body: string;
  createdAt: Date;
  updatedAt: Date;
}

export interface ActivityRow {
  id: string;
  authorName: string;
  kind: 'CALL' | 'EMAIL' | 'MEETING' | 'EVENT' | 'VISIT' | 'OTHER';
  subject: string;
  occurredAt: Date;
  createdAt: Date;
}

export interface MembershipRow {
  id: string;
  planId: string;
  planName: string;
  planPriceMinor: number;
  planCurrency: string;
  planInterval: MembershipPlanRow['interval'];
  state: 'ACTIVE' | 'EXPIRED' | 'CANCELLED';
  /** ISO 8601. */
  startsOn: string;
  endsOn: string | null;
  createdAt: Date;
}

const noteColumns: Columns<NoteRow> = {
  id: sql`t.id`,
  authorName: sql`t.author_name`,
  body: sql`t.body`,
  createdAt: sql`t.created_at`,
  updatedAt: sql`t.updated_at`,
};
const activityColumns: Columns<ActivityRow> = {
  id: sql`t.id`,
  authorName: sql`t.author_name`,
  kind: sql`t.kind`,
  subject: sql`t.subject`,
  occurredAt: sql`t.occurred_at`,
  createdAt: sql`t.created_at`,
};
const membershipColumns: Columns<MembershipRow> = {
  id: sql`t.id`,
  planId: sql`p.id`,
  planName: sql`p.name`,
  planPriceMinor: sql`p.price_minor`,
  planCurrency: sql`p.currency`,
  planInterval: sql`p.interval`,
  state: sql`t.state`,
  startsOn: sql`t.starts_on`,
  endsOn: sql`t.ends_on`,
  createdAt: sql`t.created_at`,
};
const withPlan = raw('t join membership_plan p on p.organization_id = t.organization_id and p.id = t.plan_id');

/** The notes of each contact, the newest first. */
export const notesOf = (tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<NoteRow[][]> =>
  childrenOf(tx, raw('note t'), noteColumns, contactIds, page);

/** The activities of each contact, the one that was recorded last first. */
export const activitiesOf = (tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<ActivityRow[][]> =>
  childrenOf(tx, raw('activity t'), activityColumns, contactIds, page);

/** The memberships of each contact with their plans, the newest first. */
export const membershipsOf = (tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<MembershipRow[][]> =>
  childrenOf(tx, sql`membership ${withPlan}`, membershipColumns, contactIds, page);

/**
 * Adds a note in the viewer's name and logs it.
 * @throws NotFound; Refusal HIDDEN_FIELD and those of text.ts
 */
export async function addNote(app: App, viewer: Viewer, input: { contactId: string; body: string }): Promise<NoteRow> {
  mustSee(viewer, ['NOTES'], ['input', 'body']);
  const body = requireText(input.body, ['input', 'body'], textLength);
  return add(
    app,
    viewer,
    input.contactId,
    'note.added',
    (organizationId) => sql`
    insert into note as t (organization_id, id, contact_id, author_id, author_name, body)
    values (${organizationId}, ${newId()}, ${input.contactId}, ${authorOf(viewer)}, ${viewer.name}, ${body}) returning ${columnsOf(noteColumns)}`,
  );
}

export interface ActivityInput {
  contactId: string;
  kind: ActivityRow['kind'];
  subject: string;
  /** Now, when absent. */
  occurredAt?: Date | null;
}

/**
 * Records an activity in the viewer's name and logs it.
 * @throws NotFound; Refusal HIDDEN_FIELD and those of text.ts
 */
export async function addActivity(app: App, viewer: Viewer, input: ActivityInput): Promise<ActivityRow> {
  mustSee(viewer, ['NOTES'], ['input', 'subject']);
  const subject = requireText(input.subject, ['input', 'subject']);
  const occurredAt = readInstant(input.occurredAt, ['input', 'occurredAt']);
  return add(
    app,
    viewer,
    input.contactId,
    'activity.added',
    (organizationId) => sql`
    insert into activity as t (organization_id, id, contact_id, author_id, author_name, kind, subject, occurred_at)
    values (${organizationId}, ${newId()}, ${input.contactId}, ${authorOf(viewer)}, ${viewer.name}, ${input.kind}, ${subject}, coalesce(${occurredAt}, now()))
    returning ${columnsOf(activityColumns)}`,
  );
}

/**
 * Gives a contact a membership and logs it. One that has ended before today is expired from the start.
 * @throws NotFound; Refusal UNKNOWN_PLAN, INVALID_DATE, MEMBERSHIP_ENDS_BEFORE_START
 */
export async function addMembership(app: App, viewer: Viewer, input: MembershipDraft & { contactId: string }): Promise<MembershipRow> {
  return add(app, viewer, input.contactId, 'membership.added', async (organizationId, tx) => {
    const { planId, startsOn, endsOn } = readMembership(input, await readReferences(tx, [{ memberships: [input] }]), ['input']);
    return sql`
      with added as (
        insert into membership (organization_id, id, contact_id, plan_id, state, starts_on, ends_on)
        values (${organizationId}, ${newId()}, ${input.contactId}, ${planId}, case when ${endsOn}::date < current_date then 'EXPIRED' else 'ACTIVE' end, ${startsOn}, ${endsOn})
        returning *
      )
      select ${columnsOf(membershipColumns)} from added ${withPlan}`;
  });
}

/** Runs the statement that adds a row to a contact, which is kept from being deleted meanwhile; logs it. */
async function add<Row extends object>(
  app: App,
  viewer: Viewer,
  contactId: string,
  action: string,
  statement: (organizationId: string, tx: Transaction) => Sql | Promise<Sql>,
): Promise<Row> {
  return write(app, viewer, async (tx) => {
    await holdContacts(tx, [contactId]);
    const row = await tx.row<Row>(await statement(tx.organizationId, tx));
    await logAction(tx, viewer, { action, target: { kind: 'Contact', id: contactId } });
    return row!;
  });
}
