// A seal: a signed statement over a batch of entries and the seal before it. Whoever has the newest one can tell whether
// anything before it was edited, removed, inserted, reordered or cut off. And the statement that the log was pruned, which
// stands for the seals that went.
import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { canonical } from '../canonical.ts';
import type { Keys } from '../keys.ts';

const type = 'reinstate action log seal 1';
const hex32 = z.string().regex(/^[0-9a-f]{64}$/);

const statement = z.strictObject({
  type: z.literal(type),
  organizationId: z.uuid(),
  /** From 1, without a gap. */
  number: z.int().min(1),
  /** The hash of the seal before, in hex; of the first one 64 zeros. */
  previous: hex32,
  /** Entries under this seal. */
  count: z.int().min(1),
  /** Entries under this seal and all before it. */
  total: z.int().min(1),
  /** Root of the tree over the entries, in hex: see merkle.ts. */
  root: hex32,
  /** RFC 3339, in UTC, by the database clock. */
  sealedAt: z.iso.datetime(),
  /** Names the master key that the signing key was derived of. */
  signingKey: z.string(),
});

export type Seal = z.output<typeof statement>;

const pruningType = 'reinstate action log pruning 1';

const pruningStatement = z.strictObject({
  type: z.literal(pruningType),
  organizationId: z.uuid(),
  /** The last seal that went. The log goes on with the next one. */
  number: z.int().min(1),
  /** Its hash, in hex. */
  hash: hex32,
  /** Entries that went, in all. */
  total: z.int().min(1),
  /** The instant of the newest of them: the log is complete from then on. */
  until: z.iso.datetime(),
  /** RFC 3339, in UTC, by the database clock. */
  prunedAt: z.iso.datetime(),
  signingKey: z.string(),
});

export type Pruning = z.output<typeof pruningStatement>;

/** A statement as it was signed. */
export interface Signed {
  text: string;
  signature: Buffer;
}

/** The place before the first seal. */
export const noSeal = { number: 0, total: 0, hash: '0'.repeat(64) };

/** Where a log has got to: all that a checkpoint has to keep. */
export interface Head {
  number: number;
  /** SHA-256 of the seal's text, in hex. */
  hash: string;
}

export const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

/** @returns the exact text that is signed, JSON with sorted keys and no spaces; and its signature (Ed25519, RFC 8032) */
export const makeSeal = (keys: Keys, facts: Omit<Seal, 'type' | 'signingKey'>): Signed => signed(keys, { ...facts, type, signingKey: keys.id } satisfies Seal);

export const makePruning = (keys: Keys, facts: Omit<Pruning, 'type' | 'signingKey'>): Signed =>
  signed(keys, { ...facts, type: pruningType, signingKey: keys.id } satisfies Pruning);

function signed(keys: Keys, facts: Seal | Pruning): Signed {
  const text = canonical(facts);
  return { text, signature: sign(null, Buffer.from(text), keys.log) };
}

/** What the seal says, or undefined when it isn't signed by the key, or says nothing that a seal says. */
export const readSeal = (key: KeyObject, text: string, signature: Buffer): Seal | undefined => read(statement, key, { text, signature });

/** The same for the statement that a log was pruned. */
export const readPruning = (key: KeyObject, given: Signed): Pruning | undefined => read(pruningStatement, key, given);

function read<T>(form: z.ZodType<T>, key: KeyObject, { text, signature }: Signed): T | undefined {
  if (!verify(null, Buffer.from(text), key, signature)) return undefined;
  try {
    return form.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** The key that verifies seals, in PEM (SubjectPublicKeyInfo). */
export const sealKey = (keys: Keys): string => createPublicKey(keys.log).export({ type: 'spki', format: 'pem' }).toString();
