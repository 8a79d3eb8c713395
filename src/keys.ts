// The keys that one master key gives: one for each purpose, so that none can stand in for another.
import { createHash, createPrivateKey, hkdfSync, type KeyObject } from 'node:crypto';

export interface Keys {
  /** Names the master key without telling it; kept with everything it wraps. */
  readonly id: string;
  /** Wraps the key of each snapshot. */
  readonly snapshots: Buffer;
  /** Tells whether a chunk holds what another holds, without telling what. */
  readonly contents: Buffer;
  /** Wraps the key of each stored file. */
  readonly files: Buffer;
  /** Signs access tokens. */
  readonly tokens: Buffer;
  /** Signs the confirmations of deletions and erasures. */
  readonly confirmations: Buffer;
  /** Signs the targets of uploads. */
  readonly uploads: Buffer;
  /** Signs the links of downloads. */
  readonly downloads: Buffer;
  /** Signs what is asked back of someone who signs in, and encrypts second factors. */
  readonly identity: Buffer;
  /** Encrypts emails that wait to be sent. */
  readonly mail: Buffer;
  /** Encrypts the secrets that identity providers know us by. */
  readonly providers: Buffer;
  /** Hashes the ids in the erasure ledger, which tells nothing without it. */
  readonly erasures: Buffer;
  /** Hashes the emails and addresses that are counted. */
  readonly limits: Buffer;
  /** Encrypts the secrets of webhook endpoints. */
  readonly webhooks: Buffer;
  /** Signs erasure certificates (Ed25519); its public half verifies them anywhere. */
  readonly certificates: KeyObject;
  /** Signs the seals of the action log (Ed25519); its public half verifies them anywhere. */
  readonly log: KeyObject;
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
    files: derive('files'),
    tokens: derive('tokens'),
    confirmations: derive('confirmations'),
    uploads: derive('uploads'),
    downloads: derive('downloads'),
    identity: derive('identity'),
    mail: derive('mail'),
    providers: derive('identity providers'),
    erasures: derive('erasures'),
    limits: derive('limits'),
    webhooks: derive('webhooks'),
    certificates: ed25519(derive('certificates')),
    log: ed25519(derive('action log')),
    database: derive('database'),
  };
}

/** What comes before the 32 bytes of a seed in an Ed25519 private key in PKCS #8 (RFC 8410, section 7). */
const pkcs8 = Buffer.from('302e020100300506032b657004220420', 'hex');

const ed25519 = (seed: Buffer): KeyObject => createPrivateKey({ key: Buffer.concat([pkcs8, seed]), format: 'der', type: 'pkcs8' });
