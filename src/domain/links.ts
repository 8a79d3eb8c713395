// Links that let one person, or one API key, do one thing without a token: a JWT with a key and an audience of its own for each
// purpose. What whoever holds it may do is asked again when it is used.
import { errors, jwtVerify, SignJWT } from 'jose';
import type { AccessClaims, Viewer } from './app.ts';

/** What a link is for. */
export interface Purpose {
  key: Buffer;
  audience: string;
  /** Of the JWT. */
  type: string;
}

/** Whole seconds, which is what a JWT knows. */
export const inMinutes = (minutes: number): Date => new Date(Math.floor(Date.now() / 1000) * 1000 + minutes * 60_000);

/** Signs what a link says, for the viewer as they have come in now. */
export function signLink({ key, audience, type }: Purpose, viewer: Viewer, said: Record<string, unknown>, expiresAt: Date): Promise<string> {
  const { sessionId, keyDigest } = viewer;
  return new SignJWT({ org: viewer.organization!.id, ...said, ...(keyDigest ? { key: keyDigest.toString('base64') } : { sid: sessionId }) })
    .setProtectedHeader({ alg: 'HS256', typ: type })
    .setAudience(audience)
    .setSubject(viewer.accountId)
    .setExpirationTime(expiresAt)
    .sign(key);
}

/** Who may use a link, and what it says; undefined when it isn't ours or has expired. */
export async function readLink({ key, audience, type }: Purpose, token: string): Promise<{ claims: AccessClaims; said: Record<string, unknown> } | undefined> {
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'], audience, typ: type, requiredClaims: ['exp', 'sub', 'org'] });
    const { key: digest, sid } = payload as { key?: string; sid?: string };
    const claims = { accountId: payload.sub!, organizationId: String(payload['org']), expiresAt: new Date(payload.exp! * 1000) };
    const held = digest === undefined ? { sessionId: sid! } : { keyDigest: Buffer.from(digest, 'base64') };
    return { claims: { ...claims, ...held }, said: payload };
  } catch (error) {
    if (error instanceof errors.JOSEError) return undefined;
    throw error;
  }
}
