// Encryption of snapshots and files: AES-256-GCM (NIST SP 800-38D), a key for each, wrapped by the master key. What a
// ciphertext is for is bound to it as associated data, so it can't stand in another place.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const ivLength = 12;
const tagLength = 16;

/** Encrypts under `key`, bound to `name`. Output: iv, tag, ciphertext. */
export function seal(key: Buffer, name: string, plain: Buffer): Buffer {
  const iv = randomBytes(ivLength);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name));
  const text = cipher.update(plain);
  cipher.final();
  return Buffer.concat([iv, cipher.getAuthTag(), text]);
}

/** Decrypts what `seal` made. @throws Error when a bit or the name differs */
export function open(key: Buffer, name: string, sealed: Buffer): Buffer {
  const iv = sealed.subarray(0, ivLength);
  const tag = sealed.subarray(ivLength, ivLength + tagLength);
  if (tag.length < tagLength) throw new Error('too short');
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: tagLength }).setAAD(Buffer.from(name)).setAuthTag(tag);
  const plain = decipher.update(sealed.subarray(ivLength + tagLength));
  decipher.final();
  return plain;
}

const wrappingName = (organizationId: string, snapshotId: string) => `reinstate snapshot key|${organizationId}|${snapshotId}`;

/** A new key for a snapshot, and its form that may be stored. */
export const newSnapshotKey = (wrapping: Buffer, organizationId: string, snapshotId: string) => newKey(wrapping, wrappingName(organizationId, snapshotId));

/** A new key, and its form that may be stored, which `open` opens under the same name. */
export function newKey(wrapping: Buffer, name: string): { key: Buffer; wrapped: Buffer } {
  const key = randomBytes(32);
  return { key, wrapped: seal(wrapping, name, key) };
}

/** The key of a snapshot can't be had. The message is a clause. */
export class LostKey extends Error {}

/** The key of a snapshot out of its stored form. @throws LostKey when the master key is another, or the stored form was changed */
export function unwrapSnapshotKey(wrapping: Buffer, organizationId: string, snapshotId: string, wrapped: Buffer): Buffer {
  try {
    return open(wrapping, wrappingName(organizationId, snapshotId), wrapped);
  } catch {
    throw new LostKey('the key of its snapshot was changed, or wrapped by another master key');
  }
}
