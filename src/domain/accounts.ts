// Accounts: who signs in. They are looked up before the organization is known, so they are no tenant's data.
import { hash, verify } from '@node-rs/argon2';
import { z } from 'zod';
import type { Transaction } from '../database.ts';
import { raw, sql } from '../sql.ts';
import { logAction, type Action } from './action-log.ts';
import type { App, Actor, From } from './app.ts';
import { normalizeEmail } from './email.ts';

export interface AccountRow {
  id: string;
  name: string;
  email: string;
  /** Null for an operator, and so is the next. */
  organizationId: string | null;
  staffMemberId: string | null;
}

/** OWASP's second recommendation for argon2id: 19 MiB, two passes, one lane. */
const hashing = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** The argon2id hash to store for a password. */
export const hashPassword = (password: string): Promise<string> => hash(password, hashing);

/** Whether the password is the one that was hashed. */
export const verifyPassword = (passwordHash: string, password: string): Promise<boolean> => verify(passwordHash, password);

/** Emails of accounts are compared in this form. */
export const accountEmail = (email: string): string => email.normalize('NFKC').trim().toLowerCase();

/** The columns of an account `a`. */
export const accountColumns = sql`a.id, a.name, a.email, a.organization_id as "organizationId", a.staff_member_id as "staffMemberId"`;

/** The account of an email, or of an id. */
export async function findAccount({ database }: App, by: { email: string } | { id: string }): Promise<AccountRow | undefined> {
  const condition = 'email' in by ? sql`a.email = ${accountEmail(by.email)}` : sql`a.id = ${by.id}`;
  const { text, values } = sql`select ${accountColumns} from account a where ${condition}`;
  return (await database.pool.query<AccountRow>(text, [...values])).rows[0];
}

/** The account of an id, from now on as it is until the transaction ends: `share` keeps it from changing, `update` is for changing it. */
export async function holdAccount(tx: Transaction, id: string, how: 'share' | 'update'): Promise<AccountRow | undefined> {
  return tx.row<AccountRow>(sql`
    select ${accountColumns} from account a where a.id = ${id} ${how === 'share' ? raw('for share') : raw('for update')}`);
}

/** Whether an account can have this email: one that mail reaches, and that better-auth takes. */
export const isAccountEmail = (email: string): boolean => normalizeEmail(email) !== null && z.email().safeParse(email).success;

/** In place of an organization: row-level security shows nothing of any. */
const nobody = '00000000-0000-0000-0000-000000000000';

/** Runs `work` in a transaction of the organization; for operators and for nobody, in one that sees no organization's rows. */
export const transactFor = <T>({ database }: App, organizationId: string | null, work: (tx: Transaction) => Promise<T>): Promise<T> =>
  database.transact(organizationId ?? nobody, work);

/** Who acts when an account signs in. */
export const actorOf = ({ staffMemberId, id, name }: AccountRow, { id: requestId, address, agent }: From): Actor => ({
  kind: staffMemberId ? 'STAFF' : 'OPERATOR',
  id: staffMemberId ?? id,
  name,
  requestId,
  address,
  agent,
});

/** Logs what concerns an account's own sign-in. The log belongs to an organization, and an operator is in none. */
export async function logOwn(tx: Transaction, actor: Actor, action: string, refusedWith?: string): Promise<void> {
  if (actor.kind !== 'STAFF') return;
  const entry: Action = { action, target: { kind: 'StaffMember', id: actor.id! }, ...(refusedWith ? { refusedWith } : {}) };
  await logAction(tx, actor, entry);
}

/** Whether the account may come in at all: staff who are suspended may not, and nobody suspends them before the transaction has ended. */
export async function isActive(tx: Transaction, { organizationId, staffMemberId }: AccountRow): Promise<boolean> {
  if (!organizationId) return true;
  const staff = await tx.row<{ active: boolean }>(sql`
    select suspended_at is null as active from staff_member where organization_id = ${organizationId} and id = ${staffMemberId} for share`);
  return staff?.active ?? false;
}
