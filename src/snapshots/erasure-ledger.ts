// The erasure ledger: who was erased, as keyed hashes that name nobody. Every way back in asks it, and an erasure keeps
// every way back in waiting until it has committed.
import { createHmac } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { sql } from '../sql.ts';
import { type Chunk, pickContacts } from './chunk.ts';

const lockName = (organizationId: string) => `erasure ledger/${organizationId}`;

/** HMAC-SHA-256 (RFC 2104) of a contact's id, bound to its organization. */
function keyedHash({ keys }: App, organizationId: string, contactId: string): Buffer {
  return createHmac('sha256', keys.erasures).update(`${organizationId}/${contactId}`).digest();
}

/** Keeps everyone else from erasing, and from bringing contacts back, until `tx` ends. Taken before rows are locked. */
export async function lockErasureLedger(tx: Transaction): Promise<void> {
  await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${lockName(tx.organizationId)}, 0))`);
}

/** Keeps everyone from erasing until `tx` ends, if it can write at all. */
export async function shareErasureLedger(tx: Transaction): Promise<void> {
  await tx.run(sql`
    select case when current_setting('transaction_read_only') = 'off' then pg_advisory_xact_lock_shared(hashtextextended(${lockName(tx.organizationId)}, 0)) end`);
}

/** Writes contacts down as erased. `tx` holds the ledger's lock. */
export async function enterErased(tx: Transaction, app: App, contactIds: readonly string[]): Promise<void> {
  const hashes = contactIds.map((id) => keyedHash(app, tx.organizationId, id));
  await tx.run(sql`
    insert into erasure_ledger (organization_id, keyed_hash) select ${tx.organizationId}, hash from unnest(${hashes}::bytea[]) hash on conflict do nothing`);
}

/**
 * Which of the contacts were erased. In a transaction that writes, nobody else is erased until it ends, so what it brings
 * back was not erased when it commits; that takes READ COMMITTED, where each statement sees what was committed before it.
 * Costs two short statements as long as the organization has erased nobody.
 */
export async function erasedAmong(tx: Transaction, app: App, contactIds: readonly string[]): Promise<Set<string>> {
  // Not in one statement with what follows, which would still see what was there before it waited for the lock.
  await shareErasureLedger(tx);
  const any = await tx.row(sql`select 1 from erasure_ledger where organization_id = ${tx.organizationId} limit 1`);
  if (!any || contactIds.length === 0) return new Set();
  const byHash = new Map(contactIds.map((id) => [keyedHash(app, tx.organizationId, id).toString('hex'), id]));
  const hashes = [...byHash.keys()].map((hash) => Buffer.from(hash, 'hex'));
  const found = await tx.rows<{ hash: Buffer }>(sql`
    select keyed_hash as hash from erasure_ledger where organization_id = ${tx.organizationId} and keyed_hash = any(${hashes}::bytea[])`);
  return new Set(found.map(({ hash }) => byHash.get(hash.toString('hex'))!));
}

/** The chunk without the graphs of contacts that were erased. */
export async function withoutErased(tx: Transaction, app: App, chunk: Chunk): Promise<Chunk> {
  const erased = await erasedAmong(tx, app, [...chunk.digests.keys()]);
  return erased.size === 0 ? chunk : pickContacts(chunk, (id) => !erased.has(id));
}
