// How staff write: one transaction of their organization, where what the database refuses becomes a refusal.
import type { Transaction } from '../database.ts';
import { NotFound, Refusal, Unauthenticated } from '../errors.ts';
import { sql } from '../sql.ts';
import type { App, Viewer } from './app.ts';

const deadlock = '40P01';
const tries = 3;

/** @throws Unauthenticated for an operator, who is in no organization */
export function organizationOf({ organization }: Viewer): NonNullable<Viewer['organization']> {
  if (!organization) throw new Unauthenticated('This is for staff of an organization. Nothing was changed. Sign in as a member of staff.');
  return organization;
}

/** Runs `work` in a transaction of the viewer's organization that sees the contacts that the viewer works with, and commits it. */
export const transactAs = <T>(app: App, viewer: Viewer, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  app.database.transact(organizationOf(viewer).id, work, { scope: viewer.scope });

/** Begins a read-only transaction that sees all of that as it is at one instant. The caller ends it. */
export const viewAs = (app: App, viewer: Viewer): Promise<Transaction> => app.database.begin(organizationOf(viewer).id, { view: 'new', scope: viewer.scope });

/**
 * Runs `work` in such a transaction; anew, up to three times, when PostgreSQL
 * sacrificed it to end a deadlock.
 * @throws Refusal EMAIL_TAKEN or MEMBER_NUMBER_TAKEN when the database found another contact with it
 */
export async function write<T>(app: App, viewer: Viewer, work: (tx: Transaction) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await transactAs(app, viewer, work);
    } catch (error) {
      const { code, constraint } = error as { code?: string; constraint?: string };
      if (code === deadlock && attempt < tries) continue;
      throw taken(constraint, ['input']) ?? error;
    }
  }
}

/** The refusal for a unique key of contacts that is in use; undefined for any other constraint. */
export function taken(constraint: string | undefined, path: string[]): Refusal | undefined {
  const again = 'Nothing was changed. Open that contact, or give another one.';
  if (constraint === 'contact_organization_id_email_normalized_unique')
    return new Refusal('EMAIL_TAKEN', `Another contact has this email address. ${again}`, [...path, 'email']);
  if (constraint === 'contact_organization_id_member_number_unique')
    return new Refusal('MEMBER_NUMBER_TAKEN', `Another contact has this member number. ${again}`, [...path, 'memberNumber']);
  return undefined;
}

/**
 * Keeps contacts from being deleted until the transaction ends.
 * @throws NotFound when one of them is not there
 */
export async function holdContacts(tx: Transaction, ids: readonly string[]): Promise<void> {
  const held = await tx.run(sql`
    select 1 from contact where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[]) order by id for key share`);
  if (held.rowCount !== new Set(ids).size) throw new NotFound('contact');
}
