// Secrets that are given once and kept as a digest: API keys and refresh tokens. Each names its organization and its record,
// so that it is found under row-level security, and has 256 random bits, so that a fast hash is enough.
import { createHash, randomBytes } from 'node:crypto';
import { uuid } from '../global-id.ts';

const secretBytes = 32;

export interface ReadSecret {
  organizationId: string;
  /** Of the record that it belongs to. */
  id: string;
  /** SHA-256 of the random bytes. */
  digest: Buffer;
}

const digestOf = (secret: Buffer): Buffer => createHash('sha256').update(secret).digest();
const bytesOf = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex');
const idOf = (bytes: Buffer): string => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** Makes a secret. `prefix` tells what it is, wherever it turns up. */
export function makeSecret(prefix: string, organizationId: string, id: string): { text: string; digest: Buffer } {
  const secret = randomBytes(secretBytes);
  return { text: prefix + Buffer.concat([bytesOf(organizationId), bytesOf(id), secret]).toString('base64url'), digest: digestOf(secret) };
}

/** What a text says that has the form of such a secret; null for any other. Whether it is right is told by the digest that was kept. */
export function readSecret(prefix: string, text: string): ReadSecret | null {
  if (!text.startsWith(prefix)) return null;
  const bytes = Buffer.from(text.slice(prefix.length), 'base64url');
  if (bytes.length !== 32 + secretBytes || prefix + bytes.toString('base64url') !== text) return null;
  const [organizationId, id] = [idOf(bytes.subarray(0, 16)), idOf(bytes.subarray(16, 32))];
  return uuid.test(organizationId) && uuid.test(id) ? { organizationId, id, digest: digestOf(bytes.subarray(32)) } : null;
}
