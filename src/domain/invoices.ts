// Reading invoices: for the organization that pays and for the operators who confirm payments.
import type { Transaction } from '../database.ts';
import { raw, sql } from '../sql.ts';

export interface InvoiceRow {
  id: string;
  number: string;
  recoveryRequestId: string;
  state: 'OPEN' | 'PAID' | 'REFUNDED' | 'VOID';
  amountMinor: number;
  currency: string;
  providerReference: string | null;
  issuedAt: Date;
  paidAt: Date | null;
  refundedAt: Date | null;
}

const columns = sql`
  i.id, i.number, i.recovery_request_id as "recoveryRequestId", i.state, i.amount_minor as "amountMinor", i.currency,
  i.provider_reference as "providerReference", i.issued_at as "issuedAt", i.paid_at as "paidAt", i.refunded_at as "refundedAt"`;

/** The invoice with that id, or undefined. */
export async function readInvoice(tx: Transaction, id: string): Promise<InvoiceRow | undefined> {
  return tx.row<InvoiceRow>(sql`select ${columns} from invoice i where i.organization_id = ${tx.organizationId} and i.id = ${id}`);
}

/** The invoice of each recovery request. */
export async function readInvoices(tx: Transaction, recoveryRequestIds: readonly string[]): Promise<InvoiceRow[]> {
  return tx.rows<InvoiceRow>(sql`
    select ${columns} from invoice i where i.organization_id = ${tx.organizationId} and i.recovery_request_id = any(${recoveryRequestIds}::uuid[])`);
}

/** Invoices that wait for their payment, the newest first; `before` is the id that the last page ended with. */
export async function listOpenInvoices(tx: Transaction, limit: number, before: string | null): Promise<InvoiceRow[]> {
  return tx.rows<InvoiceRow>(sql`
    select ${columns} from invoice i where i.organization_id = ${tx.organizationId} and i.state = 'OPEN' ${before ? sql`and i.id < ${before}` : raw('')}
    order by i.id desc limit ${limit}`);
}
