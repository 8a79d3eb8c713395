// The confirmation that a preview gives and a deletion or an erasure takes: bound to one purpose, one person, one
// organization and one exact set of contacts, valid for minutes by the database clock. That it is used once is a unique key
// of the tables of deletions and erasures.
import { errors, jwtVerify, SignJWT } from 'jose';
import { v7 as newId } from 'uuid';
import { Refusal } from '../errors.ts';
import type { App, Viewer } from './app.ts';

const path = ['input', 'confirmation'];

/** What a confirmation is for; one for a deletion is never taken for an erasure. */
export type Purpose = 'deletion' | 'erasure';
const audiences: Record<Purpose, string> = { deletion: 'reinstate deletion', erasure: 'reinstate erasure' };
const unchanged: Record<Purpose, string> = { deletion: 'Nothing was deleted.', erasure: 'Nothing was erased.' };

/** What exactly is confirmed: a SHA-256 over the sorted ids, in hex. */
export interface ConfirmedSet {
  digest: string;
  count: number;
}

/** Signs a confirmation for this viewer and this set. `now` is the database's. */
export async function signConfirmation(
  app: App,
  viewer: Viewer,
  set: ConfirmedSet,
  now: Date,
  purpose: Purpose = 'deletion',
): Promise<{ confirmation: string; expiresAt: Date }> {
  const expiresAt = new Date(Math.floor(now.getTime() / 1000) * 1000 + app.config.CONFIRMATION_MINUTES * 60_000);
  const confirmation = await new SignJWT({ org: viewer.organization!.id, set: set.digest, count: set.count })
    .setProtectedHeader({ alg: 'HS256', typ: 'confirmation+jwt' })
    .setAudience(audiences[purpose])
    .setSubject(viewer.id)
    .setJti(newId())
    .setExpirationTime(expiresAt)
    .sign(app.keys.confirmations);
  return { confirmation, expiresAt };
}

/**
 * Reads a confirmation back.
 * @returns its id, and the set that it is for
 * @throws Refusal CONFIRMATION_EXPIRED, CONFIRMATION_INVALID, CONFIRMATION_NOT_YOURS
 */
export async function readConfirmation(
  app: App,
  viewer: Viewer,
  confirmation: string,
  now: Date,
  purpose: Purpose = 'deletion',
): Promise<{ id: string } & ConfirmedSet> {
  const again = `${unchanged[purpose]} Ask for a new preview and confirm that.`;
  try {
    const { payload } = await jwtVerify(confirmation, app.keys.confirmations, {
      algorithms: ['HS256'],
      audience: audiences[purpose],
      typ: 'confirmation+jwt',
      requiredClaims: ['exp', 'sub', 'jti', 'org', 'set', 'count'],
      currentDate: now,
    });
    if (payload.sub !== viewer.id || payload['org'] !== viewer.organization!.id)
      throw new Refusal('CONFIRMATION_NOT_YOURS', `This confirmation was given to someone else. ${again}`, path);
    return { id: payload.jti!, digest: String(payload['set']), count: Number(payload['count']) };
  } catch (error) {
    if (error instanceof errors.JWTExpired) throw new Refusal('CONFIRMATION_EXPIRED', `The confirmation has expired. ${again}`, path);
    if (error instanceof errors.JOSEError) throw new Refusal('CONFIRMATION_INVALID', `This is not a confirmation that a preview gave. ${again}`, path);
    throw error;
  }
}
