// Seals the action log in the background. Writers never wait for it: an entry commits with its place in a queue, and
// whoever seals takes the queue's next entries, which are all committed, in one transaction with their seal. An entry that is
// taken away before it is sealed leaves its place in the queue, which tells of it.
import { createPublicKey } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { publish } from '../pubsub.ts';
import { sql } from '../sql.ts';
import { leafOfEntry } from './entry.ts';
import { rootOf } from './merkle.ts';
import { readEntries } from './reading.ts';
import { hashOf, makeSeal, noSeal, readSeal } from './seal.ts';

/** Entries under one seal at most. */
const mostAtOnce = 4096;

/** Nothing can be sealed, because the seal that it would continue is not the one that was signed. */
export class BrokenLog extends Error {
  constructor(organizationId: string, number: number) {
    super(`Seal ${number} of the action log of organization ${organizationId} is not the one that was signed. Nothing more of it is sealed: verify the log.`);
  }
}

/**
 * Seals all entries of an organization that wait, batch by batch, each with its seal in one transaction. Several may try at once: one does it.
 * @returns how many were sealed
 * @throws BrokenLog
 */
export async function sealEntries(app: App, organizationId: string): Promise<number> {
  let sealed = 0;
  for (let more = true; more;) {
    const count = await app.database.transact(organizationId, (tx) => sealNext(tx, app));
    sealed += count;
    more = count === mostAtOnce;
  }
  return sealed;
}

async function sealNext(tx: Transaction, app: App): Promise<number> {
  const { organizationId } = tx;
  const { mine } = (await tx.row<{ mine: boolean }>(sql`select pg_try_advisory_xact_lock(hashtextextended('seal ' || ${organizationId}, 0)) as mine`))!;
  if (!mine) return 0;
  const waiting = await tx.rows<{ id: string }>(sql`
    delete from action_unsealed u using (
      select w.action_id from action_unsealed w join action_log a on a.organization_id = w.organization_id and a.id = w.action_id
      where w.organization_id = ${organizationId} order by w.action_id limit ${mostAtOnce}) next
    where u.organization_id = ${organizationId} and u.action_id = next.action_id returning u.action_id as id`);
  if (waiting.length === 0) return 0;
  const entries = await readEntries(
    tx,
    waiting.map(({ id }) => id),
  );
  entries.sort((one, other) => (one.id < other.id ? -1 : 1));
  const last = await lastSeal(tx, app);
  const { now } = (await tx.row<{ now: Date }>(sql`select date_trunc('milliseconds', clock_timestamp()) as now`))!;
  const leaves = Buffer.concat(entries.map((entry) => leafOfEntry(organizationId, entry)));
  const facts = { organizationId, number: last.number + 1, previous: last.hash, count: entries.length, total: last.total + entries.length };
  const { text, signature } = makeSeal(app.keys, { ...facts, root: rootOf(leaves).toString('hex'), sealedAt: now.toISOString() });
  await tx.run(sql`
    insert into action_seal (organization_id, number, seal, signature, action_ids, leaves)
    values (${organizationId}, ${facts.number}, ${text}, ${signature}, ${entries.map(({ id }) => id)}::uuid[], ${leaves})`);
  await publish(tx, 'log', organizationId);
  return entries.length;
}

/** Where the organization's log has got to. @throws BrokenLog */
async function lastSeal(tx: Transaction, app: App): Promise<typeof noSeal> {
  const row = await tx.row<{ number: number; seal: string; signature: Buffer }>(sql`
    select number, seal, signature from action_seal where organization_id = ${tx.organizationId} order by number desc limit 1`);
  if (!row) return noSeal;
  const seal = readSeal(createPublicKey(app.keys.log), row.seal, row.signature);
  if (seal?.number !== row.number || seal.organizationId !== tx.organizationId) throw new BrokenLog(tx.organizationId, row.number);
  return { number: seal.number, total: seal.total, hash: hashOf(row.seal) };
}

/** The organizations that have entries which wait. */
export async function listUnsealed(app: App): Promise<string[]> {
  const { rows } = await app.database.platform((client) => client.query<{ id: string }>('select distinct organization_id as id from action_unsealed'));
  return rows.map(({ id }) => id);
}
