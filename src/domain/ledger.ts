// Money: payments, the ledger that they and charges are entered in, and the balance, which is the sum of the ledger.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { groupsOfRow } from '../permissions/field-groups.ts';
import { raw, sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { byContact, type ChildPage, childrenOf, type Columns, columnsOf } from './children.ts';
import { readAmount, readCurrency, readInstant, readText, requireText } from './text.ts';
import { mustSee } from './visibility.ts';
import { holdContacts, organizationOf, write } from './writing.ts';

export interface PaymentRow {
  id: string;
  membershipId: string | null;
  amountMinor: number;
  currency: string;
  method: 'CARD' | 'BANK_TRANSFER' | 'CASH' | 'DIRECT_DEBIT' | 'OTHER';
  reference: string | null;
  paidAt: Date;
  createdAt: Date;
}

export interface LedgerEntryRow {
  id: string;
  paymentId: string | null;
  kind: 'CHARGE' | 'PAYMENT' | 'REFUND' | 'ADJUSTMENT' | 'OPENING';
  /** Signed: negative is owed. */
  amountMinor: number;
  currency: string;
  description: string;
  occurredAt: Date;
  createdAt: Date;
}

export interface BalanceRow {
  amountMinor: number;
  currency: string;
}

const paymentColumns: Columns<PaymentRow> = {
  id: sql`t.id`,
  membershipId: sql`t.membership_id`,
  amountMinor: sql`t.amount_minor`,
  currency: sql`t.currency`,
  method: sql`t.method`,
  reference: sql`t.reference`,
  paidAt: sql`t.paid_at`,
  createdAt: sql`t.created_at`,
};
const ledgerColumns: Columns<LedgerEntryRow> = {
  id: sql`t.id`,
  paymentId: sql`t.payment_id`,
  kind: sql`t.kind`,
  amountMinor: sql`t.amount_minor`,
  currency: sql`t.currency`,
  description: sql`t.description`,
  occurredAt: sql`t.occurred_at`,
  createdAt: sql`t.created_at`,
};

/** The payments of each contact, the one that was recorded last first. */
export const paymentsOf = (tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<PaymentRow[][]> =>
  childrenOf(tx, raw('payment t'), paymentColumns, contactIds, page);

/** The ledger of each contact, the one that was entered last first. */
export const ledgerEntriesOf = (tx: Transaction, contactIds: readonly string[], page: ChildPage): Promise<LedgerEntryRow[][]> =>
  childrenOf(tx, raw('ledger_entry t'), ledgerColumns, contactIds, page);

/** The balances of each contact, by currency; a currency that was never used is not there. */
export async function balancesOf(tx: Transaction, contactIds: readonly string[]): Promise<BalanceRow[][]> {
  const rows = await tx.rows<BalanceRow & { contactId: string }>(sql`
    select contact_id as "contactId", amount_minor as "amountMinor", currency from balance
    where organization_id = ${tx.organizationId} and contact_id = any(${contactIds}::uuid[]) order by currency`);
  return byContact(rows, contactIds);
}

export interface PaymentInput {
  contactId: string;
  /** Above zero. */
  amountMinor: number;
  /** The organization's, when absent. */
  currency?: string | null;
  method: PaymentRow['method'];
  /** A membership of the contact. */
  membershipId?: string | null;
  reference?: string | null;
  /** Now, when absent. */
  paidAt?: Date | null;
}

/**
 * Records a payment: the payment, its ledger entry, the balance and the log entry commit together. Locks the balance
 * until then, so that two payments at once both count.
 * @throws NotFound for the contact, or for a membership that is not the contact's; Refusal of text.ts, HIDDEN_FIELD, BALANCE_OUT_OF_RANGE
 */
export async function addPayment(app: App, viewer: Viewer, input: PaymentInput): Promise<PaymentRow> {
  mustSee(viewer, groupsOfRow('Payment'), ['input', 'amountMinor']);
  const amountMinor = readAmount(input.amountMinor, ['input', 'amountMinor']);
  const currency = readCurrency(input.currency ?? organizationOf(viewer).currency, ['input', 'currency']);
  const reference = readText(input.reference, ['input', 'reference']);
  const paidAt = readInstant(input.paidAt, ['input', 'paidAt']);
  return write(app, viewer, async (tx) => {
    const { contactId, membershipId = null, method } = input;
    await holdContacts(tx, [contactId]);
    if (membershipId) await checkMembership(tx, contactId, membershipId);
    const payment = (await tx.row<PaymentRow>(sql`
      insert into payment as t (organization_id, id, contact_id, membership_id, amount_minor, currency, method, reference, paid_at)
      values (${tx.organizationId}, ${newId()}, ${contactId}, ${membershipId}, ${amountMinor}, ${currency}, ${method}, ${reference}, coalesce(${paidAt}, now()))
      returning ${columnsOf(paymentColumns)}`))!;
    const description = reference ? `Payment ${reference}` : 'Payment';
    await enter(tx, { contactId, paymentId: payment.id, kind: 'PAYMENT', amountMinor, currency, description, occurredAt: payment.paidAt });
    await logAction(tx, viewer, { action: 'payment.added', target: { kind: 'Contact', id: contactId } });
    return payment;
  });
}

export interface ChargeInput {
  contactId: string;
  /** Above zero. */
  amountMinor: number;
  /** The organization's, when absent. */
  currency?: string | null;
  description: string;
  /** Now, when absent. */
  occurredAt?: Date | null;
}

/**
 * Charges a contact: the ledger entry, which is negative, the balance and the log entry commit together. Locks the balance
 * until then.
 * @throws NotFound; Refusal of text.ts, HIDDEN_FIELD, BALANCE_OUT_OF_RANGE
 */
export async function addCharge(app: App, viewer: Viewer, input: ChargeInput): Promise<LedgerEntryRow> {
  const { contactId } = input;
  mustSee(viewer, groupsOfRow('LedgerEntry'), ['input', 'amountMinor']);
  const amountMinor = -readAmount(input.amountMinor, ['input', 'amountMinor']);
  const currency = readCurrency(input.currency ?? organizationOf(viewer).currency, ['input', 'currency']);
  const description = requireText(input.description, ['input', 'description']);
  const occurredAt = readInstant(input.occurredAt, ['input', 'occurredAt']);
  return write(app, viewer, async (tx) => {
    await holdContacts(tx, [contactId]);
    const entry = await enter(tx, { contactId, paymentId: null, kind: 'CHARGE', amountMinor, currency, description, occurredAt });
    await logAction(tx, viewer, { action: 'charge.added', target: { kind: 'Contact', id: contactId } });
    return entry;
  });
}

/** @throws NotFound when the membership is not the contact's */
async function checkMembership(tx: Transaction, contactId: string, membershipId: string): Promise<void> {
  const found = await tx.run(sql`
    select 1 from membership where organization_id = ${tx.organizationId} and id = ${membershipId} and contact_id = ${contactId}`);
  if (found.rowCount === 0) throw new NotFound('membership of this contact');
}

/** Enters an amount in the ledger and in the balance; the balance stays locked. */
async function enter(
  tx: Transaction,
  entry: Omit<LedgerEntryRow, 'id' | 'createdAt' | 'occurredAt'> & { contactId: string; occurredAt: Date | null },
): Promise<LedgerEntryRow> {
  const { contactId, paymentId, kind, amountMinor, currency, description, occurredAt } = entry;
  const balance = (await tx.row<{ isExact: boolean }>(sql`
    insert into balance (organization_id, contact_id, currency, amount_minor) values (${tx.organizationId}, ${contactId}, ${currency}, ${amountMinor})
    on conflict (organization_id, contact_id, currency) do update set amount_minor = balance.amount_minor + excluded.amount_minor, updated_at = now()
    returning abs(amount_minor) <= ${Number.MAX_SAFE_INTEGER}::bigint as "isExact"`))!;
  if (!balance.isExact)
    throw new Refusal('BALANCE_OUT_OF_RANGE', 'The balance would grow beyond what can be kept exactly. Nothing was changed.', ['input', 'amountMinor']);
  return (await tx.row<LedgerEntryRow>(sql`
    insert into ledger_entry as t (organization_id, id, contact_id, payment_id, kind, amount_minor, currency, description, occurred_at)
    values (${tx.organizationId}, ${newId()}, ${contactId}, ${paymentId}, ${kind}, ${amountMinor}, ${currency}, ${description}, coalesce(${occurredAt}, now()))
    returning ${columnsOf(ledgerColumns)}`))!;
}
