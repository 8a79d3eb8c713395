// What contacts are known by that were deleted and can still be recovered: read out of their chunks, and kept nowhere.
import type { Transaction } from '../database.ts';
import type { MatchKey } from '../entities/import.ts';
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

/** What a row is known by, each in its comparable form. */
export interface RowKeys {
  emails: readonly string[];
  phones: readonly string[];
  memberNumber: string | null;
  /** The folded last and first name. */
  name: string;
  birthDate: string | null;
}

/** Finds the deleted contact that a row is, in the order of trust. */
export class DeletedKeys {
  readonly #keys = new Map<string, { contactId: string; deletionId: string }>();

  get size(): number {
    return this.#keys.size;
  }

  find({ emails, phones, memberNumber, name, birthDate }: RowKeys): DeletedMatch | undefined {
    if (this.#keys.size === 0) return undefined;
    const of = (by: MatchKey, key: string) => {
      const found = this.#keys.get(key);
      return found && { ...found, by };
    };
    for (const email of emails) {
      const found = of('EMAIL', `e${email}`);
      if (found) return found;
    }
    for (const phone of phones) {
      const found = of('PHONE', `p${phone}\t${name}`);
      if (found) return found;
    }
    return (
      (memberNumber === null ? undefined : of('MEMBER_NUMBER', `m${memberNumber}`)) ??
      (name && birthDate ? of('NAME_AND_BIRTH_DATE', `n${name}\t${birthDate}`) : undefined)
    );
  }

  /** Takes in the contacts of a chunk. */
  add(chunk: Chunk, deletionId: string): void {
    const part = (table: string) => chunk.parts.find((one) => one.table === table);
    const names = new Map<string, string>();
    const put = (key: string, contactId: string) => this.#keys.set(key, { contactId, deletionId });
    each(part('contact'), ['id', 'email_normalized', 'member_number', 'last_name', 'first_name', 'birth_date'], (at, rows) => {
      const id = uuidAt(rows, at[0]!);
      const [email, memberNumber, lastName, firstName] = at.slice(1, 5).map((one) => textAt(rows, one));
      const name = folded([lastName, firstName]);
      names.set(id, name);
      if (email) put(`e${email}`, id);
      if (memberNumber) put(`m${memberNumber}`, id);
      if (name && at[5]! >= 0) put(`n${name}\t${dateAt(rows, at[5]!)}`, id);
    });
    each(part('contact_point'), ['contact_id', 'kind', 'normalized'], (at, rows) => {
      const id = uuidAt(rows, at[0]!);
      const [kind, normalized] = [textAt(rows, at[1]!), textAt(rows, at[2]!)];
      if (kind === 'EMAIL') put(`e${normalized}`, id);
      else if (kind === 'PHONE') put(`p${normalized}\t${names.get(id)}`, id);
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

/** Reads the keys of all contacts that can still be recovered from deletions. */
export async function readDeletedKeys(app: App, organizationId: string, signal: AbortSignal): Promise<DeletedKeys> {
  const keys = new DeletedKeys();
  const chunks = await app.database.transact(
    organizationId,
    (tx) =>
      tx.rows<{ deletionId: string; snapshotId: string; number: number }>(sql`
        select d.id as "deletionId", d.snapshot_id as "snapshotId", k.number from deletion d
        join snapshot_chunk k on k.organization_id = d.organization_id and k.snapshot_id = d.snapshot_id
        where d.organization_id = ${organizationId} and d.state = 'COMPLETED' and d.recoverable_until > clock_timestamp()
        order by d.id, k.number`),
    { readOnly: true },
  );
  for (const { deletionId, snapshotId, number } of chunks) {
    signal.throwIfAborted();
    const read = (tx: Transaction) => readChunk(tx, app, { organizationId, snapshotId, number });
    keys.add(await app.database.transact(organizationId, read, { readOnly: true }), deletionId);
  }
  return keys;
}
