// Puts contact graphs back: a chunk at a time, each in one transaction that commits only when the digest of every graph
// that came back equals the digest that was taken when it was removed.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { quoted, sql } from '../sql.ts';
import { followIndexes, graphOf, snapshotKey } from './capture.ts';
import { type Chunk, type ChunkName, contactIndex, DamagedChunk, digestGraphs, openChunk, type Part } from './chunk.ts';
import { copyIn, copyOut, eachRow, textAt, uuidAt } from './copy.ts';
import { columnList, type GraphTable, rowOrder } from './graph.ts';

export type ClashKind = 'SAME_ID' | 'SAME_EMAIL' | 'SAME_MEMBER_NUMBER';

/** Something live stands where a recovered contact wants to be. */
export interface Clash {
  contactId: string;
  kind: ClashKind;
  liveContactId: string;
}

/** Reads and opens a chunk. @throws DamagedChunk when it is missing or is not what was stored */
export async function readChunk(tx: Transaction, app: App, name: ChunkName): Promise<Chunk> {
  const manifest = await tx.row<{ digest: Buffer; contacts: number }>(sql`
    select digest, contact_count as contacts from snapshot_chunk
    where organization_id = ${tx.organizationId} and snapshot_id = ${name.snapshotId} and number = ${name.number}`);
  const body = await app.store.get(tx, name.snapshotId, name.number);
  if (!manifest || !body) throw new DamagedChunk(name, 'it is missing');
  if (!createHash('sha256').update(body).digest().equals(manifest.digest)) throw new DamagedChunk(name, 'its bytes do not match its manifest');
  const chunk = await openChunk(await snapshotKey(tx, app, name.snapshotId), name, body);
  if (chunk.digests.size !== manifest.contacts) throw new DamagedChunk(name, 'it does not hold the contacts that its manifest counts');
  return chunk;
}

interface Staged {
  table: GraphTable;
  part: Part;
  /** The quoted name of the temporary table that holds the part. */
  stage: string;
}

/** A condition that leaves out the contacts that clash. */
const without = (column: string, clashes: readonly Clash[]) =>
  clashes.length === 0 ? 'true' : `${column} <> all ('{${clashes.map((clash) => clash.contactId).join(',')}}'::uuid[])`;

/**
 * Restores a chunk within `tx`. Contacts that clash with live ones are left out, with all they own.
 * @returns how many contacts came back, each proven by its digest, and which clash
 * @throws Error when a graph came back different; nothing may be committed then
 */
export async function restoreChunk(tx: Transaction, app: App, chunk: Chunk): Promise<{ restored: number; clashes: Clash[] }> {
  await followIndexes(tx);
  await recreateReferences(tx, chunk);
  const staged: Staged[] = [];
  for (const table of graphOf(app).tables) {
    const part = chunk.parts.find((one) => one.table === table.name);
    if (part && part.count > 0) staged.push({ table, part, stage: await stagePart(tx, part) });
  }
  const [contacts, ...owned] = staged;
  if (!contacts) return { restored: 0, clashes: [] };
  const clashes = await insertContacts(tx, contacts.part, contacts.stage);
  const spare = without('contact_id', clashes);
  let asCaptured = true;
  for (const { table, part, stage } of owned) {
    if (await emptyLostReferences(tx, table, stage)) asCaptured = false;
    const list = columnList(part.columns);
    await plain(tx, `insert into ${quoted(table.name)} (${list}) select ${list} from ${stage} where ${spare}`);
  }
  const ledger = owned.find(({ table }) => table.name === 'ledger_entry');
  if (ledger) await rebuildBalances(tx, ledger.stage, spare);
  const expected = asCaptured ? chunk.digests : await digestsOf(tx, staged, ({ stage }) => stage, clashes);
  await prove(tx, expected, staged, clashes);
  return { restored: contacts.part.count - clashes.length, clashes };
}

/** What clashes now, without changing anything. */
export async function findClashes(tx: Transaction, chunk: Chunk): Promise<Clash[]> {
  const contacts = chunk.parts.find((part) => part.table === 'contact');
  return contacts ? clashesOf(tx, contacts, () => true) : [];
}

/** Of the contacts in the part that `asked` names, those that something live stands in the way of. */
async function clashesOf(tx: Transaction, contacts: Part, asked: (id: string) => boolean): Promise<Clash[]> {
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
  return tx.rows<Clash>(sql`
    select w.id as "contactId", clash.kind, clash.live as "liveContactId"
    from unnest(${ids}::uuid[], ${emails}::text[], ${members}::text[]) w (id, email, member)
    cross join lateral (
      select c.id as live, 'SAME_ID' as kind, 1 as rank from contact c where c.organization_id = ${tx.organizationId} and c.id = w.id
      union all
      select c.id, 'SAME_EMAIL', 2 from contact c where c.organization_id = ${tx.organizationId} and c.email_normalized = w.email
      union all
      select c.id, 'SAME_MEMBER_NUMBER', 3 from contact c where c.organization_id = ${tx.organizationId} and c.member_number = w.member
      order by rank limit 1
    ) clash`);
}

/** Runs a statement whose text is made of column lists and ids that the engine wrote itself. */
const plain = (tx: Transaction, text: string) =>
  tx.inTurn(() => {
    tx.database.trace?.push(text);
    return tx.client.query<{ id: string }>(text);
  });

/** Copies a part into a temporary table that is empty again after the transaction: COPY can't write where row-level security holds. */
async function stagePart(tx: Transaction, part: Part): Promise<string> {
  const shape = part.columns.map((column) => `${quoted(column.name)} ${column.type}`).join(', ');
  const stage = quoted(`stage_${part.table}_${createHash('sha256').update(shape).digest('hex').slice(0, 8)}`);
  await plain(tx, `create temporary table if not exists ${stage} (${shape}) on commit delete rows`);
  await copyIn(tx, stage, columnList(part.columns), part.rows);
  return stage;
}

/** Inserts the contacts that nothing stands in the way of; gives the clashes of the others. */
async function insertContacts(tx: Transaction, part: Part, stage: string): Promise<Clash[]> {
  const list = columnList(part.columns);
  const inserted = await plain(tx, `insert into contact (${list}) select ${list} from ${stage} on conflict do nothing returning id`);
  if (inserted.rowCount === part.count) return [];
  const back = new Set(inserted.rows.map((row) => row.id));
  const clashes = await clashesOf(tx, part, (id) => !back.has(id));
  if (back.size + clashes.length !== part.count) throw new Error('A contact that stood in the way went away meanwhile; the chunk is tried again.');
  return clashes;
}

/** Brings back what the graphs refer to by mandatory keys and the organization no longer has. */
async function recreateReferences(tx: Transaction, chunk: Chunk): Promise<void> {
  for (const part of chunk.references) {
    const ids: string[] = [];
    const idAt = part.columns.findIndex((column) => column.name === 'id');
    eachRow(part.rows, (_start, _end, starts) => ids.push(uuidAt(part.rows, starts[idAt]!)));
    const there = await plain(
      tx,
      `select id from ${quoted(part.table)} where organization_id = '${tx.organizationId}' and id in (${ids.map((id) => `'${id}'`).join(',')})`,
    );
    if (there.rowCount === ids.length) continue;
    const list = columnList(part.columns);
    const stage = await stagePart(tx, part);
    await plain(tx, `insert into ${quoted(part.table)} (${list}) select ${list} from ${stage} on conflict (organization_id, id) do nothing`);
  }
}

/** Empties optional keys whose target is gone: an author who left stays by name. */
async function emptyLostReferences(tx: Transaction, table: GraphTable, stage: string): Promise<boolean> {
  let emptied = false;
  for (const { column, target } of table.references.filter((reference) => !reference.mandatory)) {
    const lost = await plain(
      tx,
      `
      update ${stage} set ${quoted(column)} = null where ${quoted(column)} in (
        select s.id from (select distinct ${quoted(column)} as id from ${stage}) s
        where s.id is not null and not exists (select 1 from ${quoted(target)} r where r.organization_id = '${tx.organizationId}' and r.id = s.id))`,
    );
    emptied ||= lost.rowCount !== 0;
  }
  return emptied;
}

/** Balances are the sums of the ledger, so they come back with it. */
async function rebuildBalances(tx: Transaction, ledger: string, spare: string): Promise<void> {
  await plain(
    tx,
    `
    insert into balance (organization_id, contact_id, currency, amount_minor)
    select organization_id, contact_id, currency, sum(amount_minor) from ${ledger} where ${spare} group by 1, 2, 3 order by 2, 3`,
  );
}

/** The digests of the graphs of the staged contacts, read from the tables that `from` names. */
async function digestsOf(tx: Transaction, staged: Staged[], from: (one: Staged) => string, clashes: Clash[]): Promise<Map<string, Buffer>> {
  const parts = [];
  for (const one of staged) {
    const { table, part } = one;
    const rows = await copyOut(
      tx,
      `
      select ${columnList(part.columns)} from ${from(one)}
      where organization_id = '${tx.organizationId}'
        and ${quoted(table.contactColumn)} = any (array(select id from ${staged[0]!.stage} where ${without('id', clashes)}))
      order by ${rowOrder(table)}`,
    );
    parts.push({ table: table.name, rows, contactIndex: contactIndex({ ...table, columns: part.columns }) });
  }
  return digestGraphs(parts);
}

/** Compares what came back with what was expected, contact by contact. */
async function prove(tx: Transaction, expected: Map<string, Buffer>, staged: Staged[], clashes: Clash[]): Promise<void> {
  const live = await digestsOf(tx, staged, ({ table }) => quoted(table.name), clashes);
  const left = new Set(clashes.map((clash) => clash.contactId));
  for (const [contact, digest] of expected) {
    if (left.has(contact)) continue;
    if (!live.get(contact)?.equals(digest)) throw new Error(`Contact ${contact} came back different from what was deleted. Its chunk was not restored.`);
  }
}
