// Tickets: what someone is given to bring back, signed, each for one purpose and a time, and worth nothing for another. That one
// is used once is for whoever takes it to see to.
import { jwtVerify, SignJWT, type JWTPayload } from 'jose';
import type { App } from './app.ts';

/** What a ticket is for. */
export type Purpose = 'sign-in' | 'provider' | 'invitation' | 'password-reset';

/** Signs a ticket for a purpose; `sub` among the claims says whose or what it is. */
export async function signTicket({ keys }: App, purpose: Purpose, claims: JWTPayload, minutes: number): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'ticket+jwt' })
    .setAudience(`reinstate ${purpose}`)
    .setExpirationTime(new Date(Date.now() + minutes * 60_000))
    .sign(keys.identity);
}

/** What the ticket says; null when it is none, is over, or is for something else. */
export async function readTicket({ keys }: App, purpose: Purpose, ticket: string): Promise<JWTPayload | null> {
  return jwtVerify(ticket, keys.identity, { algorithms: ['HS256'], audience: `reinstate ${purpose}`, typ: 'ticket+jwt', requiredClaims: ['exp', 'sub'] }).then(
    ({ payload }) => payload,
    () => null,
  );
}
