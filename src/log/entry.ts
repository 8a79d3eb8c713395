// What of an entry is sealed, as text. What could name a contact is in it as a salted digest only: once the salt is
// destroyed, the digest tells nothing and the entry still verifies.
import { createHash } from 'node:crypto';
import { canonical } from '../canonical.ts';
import { leafOf } from './merkle.ts';

/** The facts of an entry, as they are sealed. */
export interface Entry {
  id: string;
  /** RFC 3339, in UTC, to the millisecond. */
  occurredAt: string;
  actorKind: string;
  actorId: string | null;
  actorName: string;
  action: string;
  outcome: string;
  code: string | null;
  targetKind: string | null;
  targetId: string | null;
  targetCount: number;
  deletionId: string | null;
  chunkNumber: number | null;
  requestId: string;
  address: string | null;
  agent: string | null;
  /** Hex; null where the entry came without. */
  reasonDigest: string | null;
  detailDigest: string | null;
}

/** What lies beside an entry and may be gone: erased with the person whom it could name. */
export interface Beside {
  reason: { text: string; salt: string } | null;
  /** `changes` is null while the contact is deleted: they are with it in its snapshot. */
  detail: { changes: unknown; salt: string } | null;
}

/** An entry with what lies beside it. */
export type FullEntry = Entry & Beside;

/** The leaf of an entry of an organization. Its text is JSON with sorted keys and no spaces. */
export function leafOfEntry(organizationId: string, entry: Entry): Buffer {
  const { id, occurredAt, actorKind, actorId, actorName, action, outcome, code, targetKind, targetId, targetCount } = entry;
  const { deletionId, chunkNumber, requestId, address, agent, reasonDigest, detailDigest } = entry;
  // In the order of the names, which makes the text the canonical one without a sort for each entry.
  return leafOf(
    JSON.stringify({
      action,
      actorId,
      actorKind,
      actorName,
      address,
      agent,
      chunkNumber,
      code,
      deletionId,
      detailDigest,
      id,
      occurredAt,
      organizationId,
      outcome,
      reasonDigest,
      requestId,
      targetCount,
      targetId,
      targetKind,
    }),
  );
}

export const saltBytes = 16;

/** SHA-256 over the salt and the canonical JSON of what is kept beside the entry. */
export const digestBeside = (salt: Buffer, kept: unknown): Buffer =>
  createHash('sha256')
    .update(salt)
    .update(canonical(JSON.parse(JSON.stringify(kept))))
    .digest();

/** Whether what lies beside an entry is what was sealed. What is gone is no fault: it was erased. */
function isIntact({ reason, detail, reasonDigest, detailDigest }: FullEntry): boolean {
  const same = (digest: string | null, kept: { salt: string; value: unknown } | null) =>
    !kept || digest === digestBeside(Buffer.from(kept.salt, 'base64'), kept.value).toString('hex');
  return (
    same(reasonDigest, reason && { salt: reason.salt, value: reason.text }) &&
    same(detailDigest, detail && detail.changes !== null ? { salt: detail.salt, value: detail.changes } : null)
  );
}

/** What a walk has to know of an entry that it found. */
export interface Found {
  id: string;
  /** 32 bytes, as text that holds one in each character. */
  leaf: string;
  /** Whether what lies beside it is what was sealed. */
  intact: boolean;
  /** Whether something that lay beside it is gone. */
  erased: boolean;
}

export function foundOf(organizationId: string, entry: FullEntry): Found {
  const { id, reason, detail, reasonDigest, detailDigest } = entry;
  const erased = Boolean((reasonDigest && !reason) || (detailDigest && !detail));
  return { id, leaf: leafOfEntry(organizationId, entry).toString('latin1'), intact: isIntact(entry), erased };
}
