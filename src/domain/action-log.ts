// Writes the action log. An entry is written in the transaction of what it tells, so neither exists alone.
import { randomBytes } from 'node:crypto';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { newIdOfMany } from '../ids.ts';
import { digestBeside, saltBytes } from '../log/entry.ts';
import { type Sql, sql } from '../sql.ts';
import type { Actor } from './app.ts';

export interface Action {
  /** What was done, `noun.verb` in the past tense: `contacts.deleted`. */
  action: string;
  /** Present when it was refused; the stable code of the refusal. */
  refusedWith?: string;
  target?: { kind: string; id: string };
  /** How many records it touched. */
  targetCount?: number;
  /** For a batch of contacts: the deletion and the chunk that hold its targets, for a recovery those that it brought back. */
  batch?: { deletionId: string; chunkNumber: number };
  /** In the words of who did it; goes when someone whom it may name is erased, see `eraseReasons`. */
  reason?: string;
  /** What it changed on the contact that is its target; kept with the contact, here as a salted digest only. */
  changes?: object;
}

/**
 * Adds an entry, stamped by the database clock: with the commit, which fails when the entry can't be written.
 * @returns the entry's id
 */
export async function logAction(tx: Transaction, actor: Actor, action: Action): Promise<string> {
  return (await logActions(tx, actor, [action]))[0]!;
}

/**
 * Adds an entry for each action, in one statement.
 * @returns the entries' ids, in the order of the actions
 */
export async function logActions(tx: Transaction, actor: Actor, actions: readonly Action[]): Promise<string[]> {
  const ids = actions.map(() => newId());
  if (actions.length === 0) return ids;
  const reasons = actions.map(({ reason }, index) => (reason === undefined ? undefined : { id: ids[index]!, ...beside(reason) }));
  const changes = actions.map(({ changes, target }, index) => (changes === undefined ? undefined : { id: ids[index]!, of: target!.id, ...beside(changes) }));
  const rows = actions.map(({ action, refusedWith: code = null, target, targetCount = target ? 1 : 0, batch }, index) => ({
    id: ids[index]!,
    action,
    code,
    kind: target?.kind ?? null,
    target: target?.id ?? null,
    count: targetCount,
    deletionId: batch?.deletionId ?? null,
    chunkNumber: batch?.chunkNumber ?? null,
    reason: reasons[index]?.digest ?? null,
    detail: changes[index]?.digest ?? null,
  }));
  tx.atEnd(rows.length === 1 ? oneEntry(tx, actor, rows[0]!) : manyEntries(tx, actor, rows));
  const told = reasons.filter((one) => one !== undefined);
  if (told.length > 0)
    tx.atEnd(sql`
      insert into action_reason (organization_id, action_id, reason, salt)
      select ${tx.organizationId}, id, reason, salt
      from unnest(${told.map(({ id }) => id)}::uuid[], ${told.map(({ kept }) => kept)}::text[], ${told.map(({ salt }) => salt)}::bytea[]) given (id, reason, salt)`);
  const changed = changes.filter((one) => one !== undefined);
  if (changed.length > 0)
    tx.atEnd(sql`
      insert into action_salt (organization_id, action_id, contact_id, salt)
      select ${tx.organizationId}, id, contact_id, salt
      from unnest(${changed.map(({ id }) => id)}::uuid[], ${changed.map(({ of }) => of)}::uuid[], ${changed.map(({ salt }) => salt)}::bytea[]) given (id, contact_id, salt)`);
  return ids;
}

/** Adds an entry for each target, alike but for that. Cheaper than `logActions` where there are thousands. */
export async function logEach(tx: Transaction, actor: Actor, { action, kind }: { action: string; kind: string }, targetIds: readonly string[]): Promise<void> {
  if (targetIds.length === 0) return;
  tx.atEnd(sql`
    insert into action_log (organization_id, actor_kind, actor_id, actor_name, request_id, address, agent, id, action, outcome, target_kind, target_id, target_count)
    select ${tx.organizationId}, ${actor.kind}, ${actor.id}, ${actor.name}, ${actor.requestId}, ${actor.address}, ${actor.agent}, id, ${action}, 'DONE', ${kind}, target, 1
    from unnest(${targetIds.map(newIdOfMany)}::uuid[], ${targetIds}::uuid[]) entry (id, target)`);
}

interface NewRow {
  id: string;
  action: string;
  code: string | null;
  kind: string | null;
  target: string | null;
  count: number;
  deletionId: string | null;
  chunkNumber: number | null;
  reason: Buffer | null;
  detail: Buffer | null;
}

/** Most writes add one entry, and arrays of one are the slower way. */
const oneEntry = (tx: Transaction, actor: Actor, { id, action, code, kind, target, count, deletionId, chunkNumber, reason, detail }: NewRow): Sql => sql`
  insert into action_log (organization_id, actor_kind, actor_id, actor_name, request_id, address, agent,
    id, action, outcome, code, target_kind, target_id, target_count, deletion_id, chunk_number, reason_digest, detail_digest)
  values (${tx.organizationId}, ${actor.kind}, ${actor.id}, ${actor.name}, ${actor.requestId}, ${actor.address}, ${actor.agent},
    ${id}, ${action}, ${code === null ? 'DONE' : 'REFUSED'}, ${code}, ${kind}, ${target}, ${count}, ${deletionId}, ${chunkNumber}, ${reason}, ${detail})`;

function manyEntries(tx: Transaction, actor: Actor, rows: readonly NewRow[]): Sql {
  const all = <Key extends keyof NewRow>(key: Key) => rows.map((row) => row[key]);
  return sql`
    insert into action_log (organization_id, actor_kind, actor_id, actor_name, request_id, address, agent,
      id, action, outcome, code, target_kind, target_id, target_count, deletion_id, chunk_number, reason_digest, detail_digest)
    select ${tx.organizationId}, ${actor.kind}, ${actor.id}, ${actor.name}, ${actor.requestId}, ${actor.address}, ${actor.agent},
      id, action, case when code is null then 'DONE' else 'REFUSED' end, code, kind, target, count, deletion_id, chunk_number, reason, detail
    from unnest(${all('id')}::uuid[], ${all('action')}::text[], ${all('code')}::text[], ${all('kind')}::text[], ${all('target')}::uuid[], ${all('count')}::int[],
      ${all('deletionId')}::uuid[], ${all('chunkNumber')}::int[], ${all('reason')}::bytea[], ${all('detail')}::bytea[])
      entry (id, action, code, kind, target, count, deletion_id, chunk_number, reason, detail)`;
}

/** What is kept beside an entry, and its digest under a fresh salt. */
function beside<T>(kept: T) {
  const salt = randomBytes(saltBytes);
  return { kept, salt, digest: digestBeside(salt, kept) };
}

/** Takes away what was given as a reason in entries about a deletion or an erasure, because it may name who was erased. The entries stay. */
export async function eraseReasons(tx: Transaction, subjectId: string): Promise<void> {
  await tx.run(sql`
    delete from action_reason r using action_log a
    where r.organization_id = ${tx.organizationId} and a.organization_id = r.organization_id and a.id = r.action_id and ${subjectId} in (a.target_id, a.deletion_id)`);
}
