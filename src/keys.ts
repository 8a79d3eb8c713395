// The keys that one master key gives: one for each purpose, so that none can stand in for another.
import { createHash, hkdfSync } from 'node:crypto';

export interface Keys {
  /** Names the master key without telling it; kept with everything it wraps. */
  readonly id: string;
  /** Wraps the key of each snapshot. */
  readonly snapshots: Buffer;
  /** Tells whether a chunk holds what another holds, without telling what. */
  readonly contents: Buffer;
  /** Signs access tokens. */
  readonly tokens: Buffer;
  /** Signs deletion confirmations. */
  readonly confirmations: Buffer;
  /** Derives the password of the database role. */
  readonly database: Buffer;
}

/** Derives the keys (HKDF-SHA-256, RFC 5869) from the 32 bytes of the master key. */
export function deriveKeys(masterKey: Buffer): Keys {
  const derive = (purpose: string) => Buffer.from(hkdfSync('sha256', masterKey, 'reinstate', purpose, 32));
  return {
    id: createHash('sha256').update(derive('id')).digest('hex').slice(0, 16),
    snapshots: derive('snapshots'),
    contents: derive('contents'),
    tokens: derive('tokens'),
    confirmations: derive('confirmations'),
    database: derive('database'),
  };
}
