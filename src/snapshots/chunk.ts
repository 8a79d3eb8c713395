// A chunk: the complete graphs of a run of contacts. Plain form, before compression and encryption:
//   u32 length of head | head (JSON, with a proof of the rest) | for each contact 16 bytes id, 32 bytes SHA-256 of its graph | rows of each part
// The rows are PostgreSQL's binary COPY rows, so that they go back in without being decoded.
import { createHash, hash } from 'node:crypto';
import { open, seal } from './cipher.ts';
import { compress, decompress } from './compression.ts';
import { eachOwner, eachRow, textAt, uuidAt } from './copy.ts';
import type { Column } from './graph.ts';

/** The rows of one table, with the columns that they were read with. */
export interface Part {
  table: string;
  columns: Column[];
  count: number;
  rows: Buffer;
}

export interface Chunk {
  schemaVersion: number;
  /** The SHA-256 of each contact's graph, by contact id. */
  digests: Map<string, Buffer>;
  /** The contacts' own tables, parents first. */
  parts: Part[];
  /** Rows that the graphs refer to but do not own. */
  references: Part[];
  /** What a recovery did beyond putting graphs back: in the chunks that an undo goes by. */
  deeds?: Deeds;
}

/** What a recovery did where something live stood in the way, and what it recreated. */
export interface Deeds {
  /** A contact whose history went onto a live one; `filled` are the columns of the live one that were empty, and what they got. */
  merged: { contactId: string; liveContactId: string; filled: Record<string, string> }[];
  /** A contact that took the place of a live one. */
  replaced: { contactId: string; liveContactId: string }[];
  /** Ids of rows by table. */
  recreated: Record<string, string[]>;
}

/** Which chunk of which snapshot: bound into its encryption. */
export interface ChunkName {
  organizationId: string;
  snapshotId: string;
  number: number;
}

/** A chunk that can't be trusted: truncated, flipped, reordered, or not there. Its message names it. */
export class DamagedChunk extends Error {
  constructor(
    readonly chunk: ChunkName,
    why: string,
  ) {
    super(`Chunk ${chunk.number} of snapshot ${chunk.snapshotId} is damaged: ${why}.`);
  }
}

const nameOf = ({ organizationId, snapshotId, number }: ChunkName) => `reinstate chunk 1|${organizationId}|${snapshotId}|${number}`;

/**
 * The digest of each contact's graph: SHA-256 over its rows, table by table in the order of `parts`, each table's run headed
 * by its name. What contacts own is in order of contact, as it is read everywhere, so one walk beside the contacts finds the
 * owners; nothing is made for a row, so what is digested leaves no garbage behind.
 * @throws RangeError when a row belongs to no contact of the chunk, or is out of order
 */
export function digestGraphs(parts: readonly Omit<Part, 'count'>[]): Map<string, Buffer> {
  const [contacts, ...owned] = parts;
  if (!contacts) return new Map();
  const idAt = contactIndexOf(contacts);
  const heads: { id: number; start: number; end: number }[] = [];
  eachRow(contacts.rows, (start, end, starts) => heads.push({ id: starts[idAt]!, start, end }));
  heads.sort((one, other) => contacts.rows.compare(contacts.rows, other.id, other.id + 16, one.id, one.id + 16));
  const ids = heads.map(({ id }) => id);
  const runs = owned.map((part) => runsOf(part, contacts.rows, ids));
  const names = parts.map(({ table }) => Buffer.from(`${table}\n`));
  const digests = new Map<string, Buffer>();
  let graph = Buffer.allocUnsafe(16 * 1024);
  let length = 0;
  const take = (name: Buffer, rows: Buffer, from: number, to: number) => {
    const next = length + name.length + to - from;
    if (next > graph.length) graph = Buffer.concat([graph.subarray(0, length)], next * 2);
    rows.copy(graph, length + name.copy(graph, length), from, to);
    length = next;
  };
  for (const [index, { id, start, end }] of heads.entries()) {
    length = 0;
    take(names[0]!, contacts.rows, start, end);
    for (const [place, run] of runs.entries()) if (run[index + 1]! > run[index]!) take(names[place + 1]!, owned[place]!.rows, run[index]!, run[index + 1]!);
    digests.set(uuidAt(contacts.rows, id), hash('sha256', graph.subarray(0, length), 'buffer'));
  }
  return digests;
}

/** Where the rows of each contact start in a part, and where the last one's end; `ids` are the places of the contacts' ids. */
function runsOf(part: Omit<Part, 'count'>, contacts: Buffer, ids: readonly number[]): Int32Array {
  const { table, rows } = part;
  const contactAt = contactIndexOf(part);
  const runs = new Int32Array(ids.length + 1).fill(rows.length);
  let next = 0;
  eachOwner(rows, contactAt, (start, at) => {
    while (next < ids.length && rows.compare(contacts, ids[next], ids[next]! + 16, at, at + 16) > 0) runs[next++] = start;
    if (next === ids.length || rows.compare(contacts, ids[next], ids[next]! + 16, at, at + 16) !== 0)
      throw new RangeError(`A row of ${table} belongs to no contact of its chunk.`);
    runs[next++] = start;
  });
  return runs;
}

/** Holds the digests and the counts of a chunk against its rows. @throws DamagedChunk */
export function proveChunk(chunk: Chunk, name: ChunkName): void {
  try {
    const taken = digestGraphs(chunk.parts);
    const asCounted = [...chunk.parts, ...chunk.references].every(({ rows, count }) => eachRow(rows, () => undefined) === count);
    if (asCounted && taken.size === chunk.digests.size && [...taken].every(([contact, digest]) => chunk.digests.get(contact)?.equals(digest))) return;
  } catch {
    // They are not even rows of its contacts.
  }
  throw new DamagedChunk(name, 'its rows are not the ones that its digests were taken of');
}

/** The position of the column that says whose row it is. */
export const contactIndexOf = ({ table, columns }: Pick<Part, 'table' | 'columns'>): number =>
  columns.findIndex(({ name }) => name === (table === 'contact' ? 'id' : 'contact_id'));

/** What the ledgers in the parts add up to in each currency, which is what the balances are. */
export function ledgerSums(parts: readonly Part[]): Record<string, number> {
  const ledger = parts.find((part) => part.table === 'ledger_entry');
  const sums: Record<string, number> = {};
  if (!ledger) return sums;
  const at = (name: string) => ledger.columns.findIndex((column) => column.name === name);
  const [amountAt, currencyAt] = [at('amount_minor'), at('currency')];
  eachRow(ledger.rows, (_start, _end, starts) => {
    const currency = textAt(ledger.rows, starts[currencyAt]!)!;
    sums[currency] = (sums[currency] ?? 0) + Number(ledger.rows.readBigInt64BE(starts[amountAt]!));
  });
  return sums;
}

/** The chunk with the graphs of the contacts that `keep` wants only. What they refer to stays as it is. */
export function pickContacts(chunk: Chunk, keep: (contactId: string) => boolean): Chunk {
  const digests = new Map([...chunk.digests].filter(([id]) => keep(id)));
  if (digests.size === chunk.digests.size) return chunk;
  const kept = new Set([...digests.keys()].map((id) => Buffer.from(id.replaceAll('-', ''), 'hex').toString('latin1')));
  const parts = chunk.parts.map((part): Part => {
    const contactAt = contactIndexOf(part);
    const rows: Buffer[] = [];
    eachRow(part.rows, (start, end, starts) => {
      if (kept.has(part.rows.toString('latin1', starts[contactAt], starts[contactAt]! + 16))) rows.push(part.rows.subarray(start, end));
    });
    return { ...part, count: rows.length, rows: Buffer.concat(rows) };
  });
  const { deeds } = chunk;
  if (!deeds) return { ...chunk, digests, parts };
  const both = ({ contactId, liveContactId }: { contactId: string; liveContactId: string }) => keep(contactId) && keep(liveContactId);
  return { ...chunk, digests, parts, deeds: { ...deeds, merged: deeds.merged.filter(both), replaced: deeds.replaced.filter(both) } };
}

/** Packs, compresses (zstd, RFC 8878) and encrypts. */
export async function sealChunk(key: Buffer, name: ChunkName, chunk: Chunk): Promise<{ body: Buffer; rawBytes: number }> {
  const shape = ({ table, columns, count, rows }: Part) => ({ table, columns, count, bytes: rows.length });
  const told: Head = {
    schemaVersion: chunk.schemaVersion,
    contacts: chunk.digests.size,
    parts: chunk.parts.map(shape),
    references: chunk.references.map(shape),
    ...(chunk.deeds ? { deeds: chunk.deeds } : {}),
  };
  const digests = [...chunk.digests].flatMap(([id, digest]) => [Buffer.from(id.replaceAll('-', ''), 'hex'), digest]);
  const rest = [...digests, ...chunk.parts.map((part) => part.rows), ...chunk.references.map((part) => part.rows)];
  const head = Buffer.from(JSON.stringify({ ...told, proof: proofOf(told, rest) }));
  const length = Buffer.alloc(4);
  length.writeUInt32BE(head.length);
  const plain = Buffer.concat([length, head, ...rest]);
  return { body: seal(key, nameOf(name), await compress(plain)), rawBytes: plain.length };
}

interface Head {
  schemaVersion: number;
  contacts: number;
  parts: (Omit<Part, 'rows'> & { bytes: number })[];
  references: (Omit<Part, 'rows'> & { bytes: number })[];
  deeds?: Deeds;
}

/** A SHA-256 over all of a plain form: it covers what the digests of the graphs do not, and needs no rows to be told apart. */
function proofOf(head: Head, rest: readonly Buffer[]): string {
  const all = createHash('sha256').update(JSON.stringify(head));
  for (const bytes of rest) all.update(bytes);
  return all.digest('base64url');
}

/** Decrypts, decompresses and unpacks. @throws DamagedChunk unless every bit is the one that was sealed under this name */
export async function openChunk(key: Buffer, name: ChunkName, body: Buffer): Promise<Chunk> {
  let packed: Buffer;
  try {
    packed = open(key, nameOf(name), body);
  } catch {
    throw new DamagedChunk(name, 'its bytes are not the ones that were sealed in this place');
  }
  try {
    return unpack(await decompress(packed));
  } catch {
    throw new DamagedChunk(name, 'its contents are not in the form of a chunk');
  }
}

/** @throws Error of any kind when the bytes are not what was packed */
function unpack(plain: Buffer): Chunk {
  const headEnd = 4 + plain.readUInt32BE(0);
  // Chunks of earlier releases have no proof.
  const { proof, ...head } = JSON.parse(plain.toString('utf8', 4, headEnd)) as Head & { proof?: string };
  if (proof !== undefined && proof !== proofOf(head, [plain.subarray(headEnd)])) throw new Error('It is not what was packed.');
  const length = [...head.parts, ...head.references].reduce((sum, { bytes }) => sum + bytes, headEnd + 48 * head.contacts);
  if (length !== plain.length) throw new RangeError('It is not as long as its head says.');
  let at = headEnd;
  const digests = new Map<string, Buffer>();
  for (let contact = 0; contact < head.contacts; contact++, at += 48) digests.set(uuidAt(plain, at), plain.subarray(at + 16, at + 48));
  const take = ({ bytes, ...part }: Head['parts'][number]): Part => ({ ...part, rows: plain.subarray(at, (at += bytes)) });
  const [parts, references] = [head.parts.map(take), head.references.map(take)];
  return { schemaVersion: head.schemaVersion, digests, parts, references, ...(head.deeds ? { deeds: head.deeds } : {}) };
}
