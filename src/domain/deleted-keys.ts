// What contacts are known by that were deleted and can still be recovered: read out of their chunks, and kept nowhere.
import type { Transaction } from '../database.ts';
import type { MatchKey } from '../entities/import.ts';
import { type KnownBy, matchKeys } from '../imports/match-keys.ts';
import { SeenKeys } from '../imports/seen-keys.ts';
import { type Chunk, type Part } from '../snapshots/chunk.ts';
import { eachRow, textAt, uuidAt } from '../snapshots/copy.ts';
import { readChunk } from '../snapshots/restore.ts';
import { sql } from '../sql.ts';
import type { App } from './app.ts';
import { folded } from './derived-fields.ts';

export interface DeletedMatch {
  contactId: string;
  deletionId: string;
  by: MatchKey;
}

/** Finds the deleted contact that a row is, in the order of trust. Of millions it takes some 100 bytes each. */
export class DeletedKeys {
  /** Lead to the number of the contact, from 1. */
  readonly #keys = new SeenKeys();
  /** The ids of the contacts, 16 bytes each. */
  #ids = Buffer.alloc(16 * 1024);
  /** Each with the number of its first contact. */
  readonly #deletions: { id: string; first: number }[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(known: KnownBy): DeletedMatch | undefined {
    for (const [by, key] of matchKeys(known)) {
      const number = this.#keys.get(key);
      if (number === undefined) continue;
      return { by, contactId: uuidAt(this.#ids, (number - 1) * 16), deletionId: this.#deletions.findLast(({ first }) => first <= number)!.id };
    }
    return undefined;
  }

  /** Takes in the contacts of the next chunk of a deletion. Of several with one key the first is found. */
  add(chunk: Chunk, deletionId: string): void {
    if (this.#deletions.at(-1)?.id !== deletionId) this.#deletions.push({ id: deletionId, first: this.#size + 1 });
    const part = (table: string) => chunk.parts.find((one) => one.table === table);
    const contacts = new Map<string, { number: number; name: string }>();
    const put = (number: number, known: Partial<KnownBy> & { name: string }) => {
      for (const [, key] of matchKeys({ emails: [], phones: [], memberNumber: null, birthDate: null, ...known })) this.#keys.first(key, number);
    };
    each(part('contact'), ['id', 'email_normalized', 'member_number', 'last_name', 'first_name', 'birth_date'], (at, rows) => {
      const [email, memberNumber, lastName, firstName] = at.slice(1, 5).map((one) => textAt(rows, one));
      const name = folded([lastName, firstName]);
      if (this.#size * 16 === this.#ids.length) this.#ids = Buffer.concat([this.#ids], this.#ids.length * 2);
      rows.copy(this.#ids, this.#size++ * 16, at[0]!, at[0]! + 16);
      const number = this.#size;
      contacts.set(uuidAt(rows, at[0]!), { number, name });
      put(number, { emails: email ? [email] : [], memberNumber, name, birthDate: at[5]! >= 0 ? dateAt(rows, at[5]!) : null });
    });
    each(part('contact_point'), ['contact_id', 'kind', 'normalized'], (at, rows) => {
      const { number, name } = contacts.get(uuidAt(rows, at[0]!))!;
      const [kind, normalized] = [textAt(rows, at[1]!), textAt(rows, at[2]!)!];
      if (kind === 'EMAIL') put(number, { emails: [normalized], name });
      else if (kind === 'PHONE') put(number, { phones: [normalized], name });
    });
  }
}

function each(part: Part | undefined, columns: readonly string[], visit: (at: number[], rows: Buffer) => void): void {
  if (!part) return;
  const places = columns.map((column) => part.columns.findIndex(({ name }) => name === column));
  eachRow(part.rows, (_start, _end, starts) =>
    visit(
      places.map((place) => starts[place]!),
      part.rows,
    ),
  );
}

/** PostgreSQL counts days from here. */
const epoch = Date.UTC(2000, 0, 1);
const dateAt = (rows: Buffer, at: number): string => new Date(epoch + rows.readInt32BE(at) * 86_400_000).toISOString().slice(0, 10);

/** Reads the keys of all contacts that can still be recovered from deletions, the latest deletion first. */
export async function readDeletedKeys(app: App, organizationId: string, signal: AbortSignal): Promise<DeletedKeys> {
  const keys = new DeletedKeys();
  const chunks = await app.database.transact(
    organizationId,
    (tx) =>
      tx.rows<{ deletionId: string; snapshotId: string; number: number }>(sql`
        select d.id as "deletionId", d.snapshot_id as "snapshotId", k.number from deletion d
        join snapshot_chunk k on k.organization_id = d.organization_id and k.snapshot_id = d.snapshot_id
        where d.organization_id = ${organizationId} and d.state = 'COMPLETED' and d.recoverable_until > clock_timestamp()
        order by d.id desc, k.number`),
    { readOnly: true },
  );
  for (const { deletionId, snapshotId, number } of chunks) {
    signal.throwIfAborted();
    const read = (tx: Transaction) => readChunk(tx, app, { organizationId, snapshotId, number });
    keys.add(await app.database.transact(organizationId, read, { readOnly: true }), deletionId);
  }
  return keys;
}
