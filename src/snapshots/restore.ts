// Puts contact graphs back: a chunk at a time, each in one transaction that commits only when the digest of every graph
// that came back equals the digest that was taken when it was removed. Where something live stands in the way, the
// conflict's policy decides, and nothing live is changed before it has been safeguarded.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import type { derive } from '../domain/derived-fields.ts';
import type { ConflictPolicy } from '../entities/recovery.ts';
import { quoted, raw, sql } from '../sql.ts';
import { followIndexes, graphOf, removeGraphs, snapshotKey, uuidArray } from './capture.ts';
import { type Chunk, type ChunkName, contactIndexOf, DamagedChunk, type Deeds, digestGraphs, openChunk, type Part } from './chunk.ts';
import { LostKey } from './cipher.ts';
import { type Conflict, conflictsOf, feasible, type SettledConflict } from './conflicts.ts';
import { eachRow, uuidAt } from './copy.ts';
import { withoutErased } from './erasure-ledger.ts';
import { schemaVersion } from './graph.ts';
import { liftChunk } from './ladder.ts';
import { fillFields, mergeRows, sumBalances, writeDerived } from './merge.ts';
import { bringReferences, emptyLost, followRenamed } from './references.ts';
import { insertStaged, plain, restoreStaged, stageChunk, stagedDigests, type Staged } from './stage.ts';

/**
 * Reads and opens a chunk, lifts it to today's schema and leaves out who was erased meanwhile: the one way from what is stored
 * to graphs.
 * @throws DamagedChunk when it is missing or is not what was stored; Refusal SNAPSHOT_TOO_NEW
 */
export async function readChunk(tx: Transaction, app: App, name: ChunkName): Promise<Chunk> {
  return withoutErased(tx, app, liftChunk(await readStoredChunk(tx, app, name), graphOf(app), name));
}

/** Reads and opens a chunk as it lies in the store: with the columns that it was written with. @throws DamagedChunk like `readChunk` */
export async function readStoredChunk(tx: Transaction, app: App, name: ChunkName): Promise<Chunk> {
  for (let seen: Buffer | undefined; ;) {
    const manifest = await tx.row<{ digest: Buffer; contacts: number; ids: string }>(sql`
      select digest, contact_count as contacts, array_to_string(contact_ids, ',') as ids from snapshot_chunk
      where organization_id = ${tx.organizationId} and snapshot_id = ${name.snapshotId} and number = ${name.number}`);
    const body = await app.store.get(tx, name.snapshotId, name.number);
    // An erasure has taken all of it.
    if (manifest?.contacts === 0 && manifest.ids === '' && !body) return { schemaVersion, digests: new Map(), parts: [], references: [] };
    if (manifest && body && createHash('sha256').update(body).digest().equals(manifest.digest)) {
      const chunk = await openChunk(await keyFor(tx, app, name), name, body);
      if (chunk.digests.size !== manifest.contacts || [...chunk.digests.keys()].join(',') !== manifest.ids)
        throw new DamagedChunk(name, 'it does not hold the contacts that its manifest lists');
      return chunk;
    }
    // An erasure may have put another body in place between the two looks; then its manifest has followed by now.
    if (!manifest || seen?.equals(manifest.digest)) throw new DamagedChunk(name, manifest && body ? 'its bytes do not match its manifest' : 'it is missing');
    seen = manifest.digest;
  }
}

/** The key of the chunk's snapshot. @throws DamagedChunk when it can't be had */
async function keyFor(tx: Transaction, app: App, name: ChunkName): Promise<Buffer> {
  try {
    return await snapshotKey(tx, app, name.snapshotId);
  } catch (error) {
    throw error instanceof LostKey ? new DamagedChunk(name, `it can't be opened, because ${error.message}`) : error;
  }
}

/** How conflicts are settled while a chunk is restored. */
export interface Settling {
  decide(conflict: Conflict): ConflictPolicy;
  /** Called with the live contacts that are about to be changed or removed, locked. */
  safeguard(liveContactIds: string[]): Promise<void>;
}

/** Leaves everything that is live as it is. */
export const skipAll: Settling = { decide: () => 'SKIP', safeguard: () => Promise.resolve() };

export interface Restoration {
  /** The digest of each graph that came back, as it is now, by contact. */
  digests: Map<string, Buffer>;
  conflicts: SettledConflict[];
  deeds: Deeds;
  /** Rows that merges added to live contacts, table by table. */
  added: Part[];
}

/**
 * Restores a chunk within `tx`. One conflict never stops the other contacts.
 * @throws Error when a graph came back different; nothing may be committed then
 */
export async function restoreChunk(tx: Transaction, app: App, chunk: Chunk, settling: Settling): Promise<Restoration> {
  await followIndexes(tx);
  const { recreated, renamed } = await bringReferences(tx, app, chunk);
  const staged = await stageChunk(tx, app, chunk);
  const [contacts, ...owned] = staged;
  if (!contacts) return { digests: new Map(), conflicts: [], deeds: { merged: [], replaced: [], recreated }, added: [] };
  // In a fixed order, because each may change rows: none may be passed over for another's sake.
  const changes = [await followRenamed(tx, owned, renamed), await emptyLost(tx, owned)];
  const inserted = await insertStaged(tx, contacts, 'true', 'on conflict do nothing');
  const settled = inserted.count < contacts.part.count ? await settle(tx, app, staged, inserted.rows, settling) : noConflicts;
  const { merged, conflicts } = settled;
  const lives = [...merged.values()];
  const back = { ...contacts.part, rows: Buffer.concat([inserted.rows, settled.rows]) };
  let expected = chunk.digests;
  const expect = async (ids = contactIdsOf(contacts, back.rows)) => (expected = new Map([...expected, ...(await stagedDigests(tx, staged, uuidArray(ids)))]));
  if (changes.includes(true)) await expect();
  else if (settled.changed.length > 0) await expect(settled.changed);
  const elsewhere = uuidArray([...merged.keys(), ...lives]);
  const rows = await insertOwned(tx, owned, elsewhere, expect);
  const digests = digestGraphs([back, ...owned.map(({ part }, index) => ({ ...part, rows: rows[index]! }))]);
  for (const [contact, digest] of digests)
    if (!expected.get(contact)?.equals(digest)) throw new Error(`Contact ${contact} came back different from what was deleted. Its chunk was not restored.`);
  const added = merged.size > 0 ? await mergeRows(tx, owned, merged) : [];
  const ledger = owned.find(({ table }) => table.name === 'ledger_entry');
  if (ledger) await rebuildBalances(tx, ledger.stage, elsewhere);
  if (merged.size > 0) await sumBalances(tx, lives);
  return { digests, conflicts, added, deeds: { merged: settled.deeds, replaced: settled.replaced, recreated } };
}

function contactIdsOf(contacts: Staged, rows: Buffer): string[] {
  const ids: string[] = [];
  const at = contactIndexOf(contacts.part);
  eachRow(rows, (_start, _end, starts) => ids.push(uuidAt(rows, starts[at]!)));
  return ids;
}

export const uniqueViolation = '23505';

/**
 * Inserts what the contacts own, but for those `leftOut`. A row whose id is live already, because a merge once moved it to another contact, stays
 * where it is; `expect` is told that the graphs will come back without it.
 */
async function insertOwned(tx: Transaction, owned: readonly Staged[], leftOut: string, expect: () => Promise<unknown>): Promise<Buffer[]> {
  const insertAll = async () => {
    const rows: Buffer[] = [];
    for (const one of owned) rows.push(await restoreStaged(tx, one, leftOut));
    return rows;
  };
  await plain(tx, 'savepoint owned');
  try {
    return await insertAll();
  } catch (error) {
    if ((error as { code?: string }).code !== uniqueViolation) throw error;
    await plain(tx, 'rollback to savepoint owned');
  }
  for (const { table, stage } of owned) {
    const same = table.key.map((column) => `t.${quoted(column)} = s.${quoted(column)}`).join(' and ');
    await plain(
      tx,
      `delete from ${stage} s using ${quoted(table.name)} t where t.organization_id = s.organization_id and ${same} and s.contact_id <> all (${leftOut})`,
    );
  }
  await expect();
  return insertAll();
}

interface Settled {
  conflicts: SettledConflict[];
  /** The contacts that were inserted after all. */
  rows: Buffer;
  /** The staged contacts that were changed. */
  changed: string[];
  /** From the contact in the snapshot to the live one that its history goes onto. */
  merged: Map<string, string>;
  deeds: Deeds['merged'];
  replaced: Deeds['replaced'];
}

const noConflicts: Settled = { conflicts: [], rows: Buffer.alloc(0), changed: [], merged: new Map(), deeds: [], replaced: [] };

/** Decides every conflict and makes room for the contacts that come back; what is skipped leaves the stage with all it owns. */
async function settle(tx: Transaction, app: App, staged: Staged[], inserted: Buffer, { decide, safeguard }: Settling): Promise<Settled> {
  const contacts = staged[0]!;
  const back = new Set(contactIdsOf(contacts, inserted));
  const found = await conflictsOf(tx, contacts.part, (id) => !back.has(id));
  if (back.size + found.length !== contacts.part.count) throw new Error('A contact that stood in the way went away meanwhile; the chunk is tried again.');
  const conflicts = found.map((conflict): SettledConflict => ({ ...conflict, policy: feasible(conflict.kind, decide(conflict)) }));
  const of = (...policies: ConflictPolicy[]) => conflicts.filter(({ policy }) => policies.includes(policy));
  const changing = [...new Set(of('MERGE', 'REPLACE').map(({ liveContactId }) => liveContactId))];
  if (changing.length > 0) {
    await lockLive(tx, changing);
    await safeguard(changing);
  }
  // Of several that would replace or merge onto one live contact, all see it as it was; it is removed once.
  const taken = new Set(of('REPLACE').map(({ liveContactId }) => liveContactId));
  for (const conflict of of('MERGE')) if (taken.has(conflict.liveContactId)) conflict.policy = 'SKIP';
  if (taken.size > 0) await removeGraphs(tx, app, [...taken]);
  const returning = of('REPLACE', 'RESTORE_WITHOUT_EMAIL').map(({ contactId }) => contactId);
  const changed = await leaveOutTaken(tx, contacts.stage, returning);
  const { rows } =
    returning.length > 0 ? await insertStaged(tx, contacts, `id = any (${uuidArray(returning)})`, 'on conflict do nothing') : { rows: Buffer.alloc(0) };
  const returned = new Set(contactIdsOf(contacts, rows));
  for (const conflict of of('REPLACE', 'RESTORE_WITHOUT_EMAIL')) if (!returned.has(conflict.contactId)) conflict.policy = 'SKIP';
  const merged = new Map(of('MERGE').map(({ contactId, liveContactId }) => [contactId, liveContactId]));
  const deeds = merged.size > 0 ? await fillFields(tx, contacts, merged) : [];
  const gone = uuidArray(of('SKIP').map(({ contactId }) => contactId));
  if (of('SKIP').length > 0)
    for (const { table, stage } of staged) await plain(tx, `delete from ${stage} where ${quoted(table.contactColumn)} = any (${gone})`);
  return { conflicts, rows, changed, merged, deeds, replaced: of('REPLACE').map(({ contactId, liveContactId }) => ({ contactId, liveContactId })) };
}

async function lockLive(tx: Transaction, ids: readonly string[]): Promise<void> {
  const locked = await tx.run(sql`select 1 from contact where organization_id = ${tx.organizationId} and id = any(${ids}::uuid[]) order by id for update`);
  if (locked.rowCount !== ids.length) throw new Error('A contact that stood in the way went away meanwhile; the chunk is tried again.');
}

/** Takes from staged contacts the email and the member number that a live contact has. @returns who had one */
async function leaveOutTaken(tx: Transaction, stage: string, ids: readonly string[]): Promise<string[]> {
  if (ids.length === 0) return [];
  const taken = (column: string) => `exists (select 1 from contact c where c.organization_id = s.organization_id and c.${column} = s.${column})`;
  const { rows } = await plain<NamedRow>(
    tx,
    `update ${stage} s set email = case when ${taken('email_normalized')} then null else email end,
       email_normalized = case when ${taken('email_normalized')} then null else email_normalized end,
       member_number = case when ${taken('member_number')} then null else member_number end
     where s.id = any (${uuidArray(ids)}) and (${taken('email_normalized')} or ${taken('member_number')})
     returning id, first_name as "firstName", last_name as "lastName", email, company, member_number as "memberNumber"`,
  );
  await writeDerived(tx, raw(stage), rows);
  return rows.map(({ id }) => id);
}

type NamedRow = { id: string } & Parameters<typeof derive>[0];

/** Balances are the sums of the ledger, so they come back with it. */
async function rebuildBalances(tx: Transaction, ledger: string, leftOut: string): Promise<void> {
  await plain(
    tx,
    `insert into balance (organization_id, contact_id, currency, amount_minor)
     select organization_id, contact_id, currency, sum(amount_minor) from ${ledger} where contact_id <> all (${leftOut}) group by 1, 2, 3 order by 2, 3`,
  );
}
