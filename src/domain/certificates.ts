// Erasure certificates: what was destroyed, for whom and why, signed so that anyone can check it with the public key alone.
import { createHash, createPublicKey, sign, verify } from 'node:crypto';
import { canonical } from '../canonical.ts';
import type { ErasureKind, LegalGround, StoreCounts } from '../entities/erasure.ts';
import { softwareVersion } from '../version.ts';
import type { App } from './app.ts';

/** Larger sets of subjects are in the certificate by their digest alone; the record lists them. */
const mostSubjectsNamed = 1000;

export interface CertificateFacts {
  erasureId: string;
  organizationId: string;
  kind: ErasureKind;
  legalGround: LegalGround;
  /** RFC 3339, in UTC, by the database clock. */
  requestedAt: string;
  doneAt: string;
  actor: { kind: string; id: string | null; name: string };
  deletionId: string | null;
  /** Rows by kind, live ones and those in stored copies. */
  rows: Record<string, number>;
  stores: StoreCounts[];
  keysDestroyed: string[];
}

/**
 * Writes and signs a certificate.
 * @param subjectIds sorted
 * @returns the exact text that is signed: JSON with sorted keys and no spaces, in UTF-8; and its signature (Ed25519, RFC 8032)
 */
export function certify({ keys }: App, facts: CertificateFacts, subjectIds: readonly string[]): { certificate: string; signature: Buffer } {
  const certificate = canonical({
    ...facts,
    type: 'reinstate erasure certificate 1',
    software: softwareVersion,
    signingKey: keys.id,
    subjectCount: subjectIds.length,
    subjectDigest: subjectDigest(subjectIds),
    ...(subjectIds.length <= mostSubjectsNamed ? { subjectIds } : {}),
  });
  return { certificate, signature: sign(null, Buffer.from(certificate), keys.certificates) };
}

/** SHA-256 over the sorted ids, 16 bytes each, in hex. */
export function subjectDigest(sortedIds: readonly string[]): string {
  const hash = createHash('sha256');
  for (const id of sortedIds) hash.update(Buffer.from(id.replaceAll('-', ''), 'hex'));
  return hash.digest('hex');
}

/** Whether the certificate is the one that was signed, and is about this erasure. */
export function isCertified({ keys }: App, erasure: { id: string; organizationId: string }, certificate: string, signature: Buffer): boolean {
  if (!verify(null, Buffer.from(certificate), createPublicKey(keys.certificates), signature)) return false;
  const facts = JSON.parse(certificate) as CertificateFacts;
  return facts.erasureId === erasure.id && facts.organizationId === erasure.organizationId;
}

/** The key that verifies certificates, in PEM (SubjectPublicKeyInfo). */
export const certificateKey = ({ keys }: App): string => createPublicKey(keys.certificates).export({ type: 'spki', format: 'pem' }).toString();
