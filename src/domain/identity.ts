// better-auth, put to work inside our own transactions: it checks passwords and codes and keeps sessions, and what it does
// commits together with what we log. It speaks in cookies, which never leave this file: clients get tokens and tickets.
import { betterAuth } from 'better-auth';
import { APIError } from 'better-auth/api';
import { bearer } from 'better-auth/plugins/bearer';
import { twoFactor } from 'better-auth/plugins/two-factor';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { sql } from '../sql.ts';
import { hashPassword, verifyPassword } from './accounts.ts';
import type { App, Viewer } from './app.ts';

/** The shortest and the longest password that can be chosen. */
export const passwordLength = { least: 12, most: 128 };

const cookies = 'reinstate';
const times = { createdAt: 'created_at', updatedAt: 'updated_at' };

/** Told the token of a password reset that someone asked for. */
export type SendReset = (accountId: string, token: string) => Promise<void>;

const build = ({ config, keys }: App, tx: Transaction, sendReset: SendReset) =>
  betterAuth({
    appName: 'Reinstate',
    // Never called: everything goes through `api`.
    baseURL: 'http://localhost',
    secret: keys.identity.toString('hex'),
    database: { db: tx.kysely, type: 'postgres' },
    telemetry: { enabled: false },
    logger: { disabled: true },
    rateLimit: { enabled: false },
    user: { modelName: 'account', fields: { ...times, emailVerified: 'email_verified' } },
    session: {
      modelName: 'session',
      fields: { ...times, userId: 'account_id', expiresAt: 'expires_at', ipAddress: 'ip_address', userAgent: 'user_agent' },
      expiresIn: config.SESSION_DAYS * 86_400,
      disableSessionRefresh: true,
    },
    account: { modelName: 'credential', fields: { ...times, userId: 'account_id', providerId: 'provider_id', accountId: 'subject' } },
    verification: { modelName: 'verification', fields: { ...times, expiresAt: 'expires_at' }, storeIdentifier: 'hashed' },
    emailAndPassword: {
      enabled: true,
      disableSignUp: true,
      minPasswordLength: passwordLength.least,
      maxPasswordLength: passwordLength.most,
      password: { hash: hashPassword, verify: ({ hash, password }) => verifyPassword(hash, password) },
      resetPasswordTokenExpiresIn: config.PASSWORD_RESET_MINUTES * 60,
      revokeSessionsOnPasswordReset: true,
      sendResetPassword: ({ user, token }) => sendReset(user.id, token),
    },
    advanced: { cookiePrefix: cookies, useSecureCookies: false, database: { generateId: () => newId(), validateSchema: false } },
    plugins: [
      bearer(),
      twoFactor({
        issuer: 'Reinstate',
        twoFactorCookieMaxAge: challengeMinutes * 60,
        schema: {
          user: { fields: { twoFactorEnabled: 'two_factor_enabled' } },
          twoFactor: {
            modelName: 'second_factor',
            fields: {
              userId: 'account_id',
              backupCodes: 'backup_codes',
              failedVerificationCount: 'failed_verification_count',
              lockedUntil: 'locked_until',
            },
          },
        },
      }),
    ],
  });

export type Identity = ReturnType<typeof build>;

/** How long a sign-in waits for its second factor. */
export const challengeMinutes = 10;

/** The library, working in `tx`. Making it takes a millisecond; what it checks takes twenty. */
export const identity = (app: App, tx: Transaction, sendReset: SendReset = () => Promise.resolve()): Identity => build(app, tx, sendReset);

/** What the library answered: with a value, or with the code of a refusal. Anything else is thrown. */
export type Answer<T> = { value: T; refused?: never } | { value?: never; refused: string };

export async function ask<T>(call: Promise<T>): Promise<Answer<T>> {
  try {
    return { value: await call };
  } catch (error) {
    if (!(error instanceof APIError) || error.statusCode >= 500) throw error;
    return { refused: String(error.body?.code) };
  }
}

/** The headers that say which session asks. */
export async function headersOf(tx: Transaction, { sessionId }: Viewer): Promise<Headers> {
  const session = await tx.row<{ token: string }>(sql`select token from session where id = ${sessionId}`);
  return new Headers(session ? { authorization: `Bearer ${session.token}` } : {});
}

/** The value of a cookie that the library set; it is opaque, and goes back as it is. */
export function cookieIn(headers: Headers, name: 'session_token' | 'two_factor'): string | undefined {
  const start = `${cookies}.${name}=`;
  const set = headers.getSetCookie().find((one) => one.startsWith(start) && !/max-age=0/i.test(one));
  return set?.slice(start.length).split(';')[0];
}

/** The token of the session that the library has put in place of another. */
export const sessionTokenIn = (headers: Headers): string | undefined => cookieIn(headers, 'session_token')?.split('.')[0];

export const cookieHeader = (name: 'two_factor', value: string): Headers => new Headers({ cookie: `${cookies}.${name}=${value}` });
