// Who signs in, and how: accounts, their credentials and sessions, and the ways in that an organization opens. What is looked
// up before the organization is known belongs to none; the columns of those tables are the ones that better-auth works with.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

/** A sign-in identity: of a staff member, or of an operator, who is in no organization. */
export const Account = defineEntity({
  name: 'Account',
  tableName: 'account',
  properties: {
    id: p.uuid().primary(),
    email: p.text().unique(),
    name: p.text(),
    organizationId: p.uuid().nullable(),
    staffMemberId: p.uuid().nullable(),
    platformPermissions: p.array().columnType('text[]').defaultRaw(`'{}'`),
    emailVerified: p.boolean().default(true),
    twoFactorEnabled: p.boolean().default(false),
    createdAt: createdNow(),
    updatedAt: createdNow(),
  },
  checks: [{ name: 'account_is_staff_or_operator', expression: '(organization_id is null) = (staff_member_id is null)' }],
});

const ofAccount = () => p.manyToOne(Account).mapToPk().joinColumn('account_id').updateRule('no action').deleteRule('cascade').index();

/** What an account proves itself with: a password (`credential`), or a subject at an identity provider. */
export const Credential = defineEntity({
  name: 'Credential',
  tableName: 'credential',
  properties: {
    id: p.uuid().primary(),
    accountId: ofAccount,
    providerId: p.text(),
    subject: p.text(),
    /** An argon2id hash, which carries its own cost. */
    password: p.text().nullable(),
    createdAt: createdNow(),
    updatedAt: createdNow(),
  },
  uniques: [{ properties: ['providerId', 'subject'] }],
});

/** One sign-in, until it ends: access tokens name it, refresh tokens belong to it. */
export const Session = defineEntity({
  name: 'Session',
  tableName: 'session',
  properties: {
    id: p.uuid().primary(),
    accountId: ofAccount,
    /** What better-auth knows the session by; it never leaves the server. */
    token: p.text().unique(),
    ipAddress: p.text().nullable(),
    userAgent: p.text().nullable(),
    createdAt: createdNow(),
    updatedAt: createdNow(),
    lastUsedAt: createdNow(),
    /** When the person last proved who they are; null where an identity provider let them in without asking. */
    provenAt: p.datetime(3).defaultRaw('now()').nullable(),
    expiresAt: instant(),
  },
});

/** Each is good for one use; the use of one that was used ends its session. */
export const RefreshToken = defineEntity({
  name: 'RefreshToken',
  tableName: 'refresh_token',
  properties: {
    /** SHA-256 of the secret, which has 256 random bits. */
    digest: p.blob().primary(),
    sessionId: () => p.manyToOne(Session).mapToPk().joinColumn('session_id').updateRule('no action').deleteRule('cascade').index(),
    createdAt: createdNow(),
    usedAt: instant().nullable(),
  },
});

/** What is waited for: a second factor, a password reset. Identifiers are hashed. */
export const Verification = defineEntity({
  name: 'Verification',
  tableName: 'verification',
  properties: {
    id: p.uuid().primary(),
    identifier: p.text().index(),
    value: p.text(),
    createdAt: createdNow(),
    updatedAt: createdNow(),
    expiresAt: instant(),
  },
});

/** Codes of an authenticator app (RFC 6238), and the recovery codes beside them; both are encrypted. */
export const SecondFactor = defineEntity({
  name: 'SecondFactor',
  tableName: 'second_factor',
  properties: {
    id: p.uuid().primary(),
    accountId: () => p.manyToOne(Account).mapToPk().joinColumn('account_id').updateRule('no action').deleteRule('cascade').unique(),
    secret: p.text(),
    backupCodes: p.text(),
    verified: p.boolean().default(true),
    failedVerificationCount: p.integer().default(0),
    lockedUntil: instant().nullable(),
  },
});

/** Someone who was asked to join the staff. The link in the email is signed, and worth nothing once this says so. */
export const Invitation = defineEntity({
  name: 'Invitation',
  tableName: 'invitation',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    email: p.text(),
    name: p.text(),
    roleIds: p.array().columnType('uuid[]'),
    invitedById: p.uuid(),
    invitedByName: p.text(),
    createdAt: createdNow(),
    expiresAt: instant(),
    acceptedAt: instant().nullable(),
    revokedAt: instant().nullable(),
  },
});

/** Where an organization's staff sign in elsewhere (OpenID Connect). */
export const IdentityProvider = defineEntity({
  name: 'IdentityProvider',
  tableName: 'identity_provider',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    name: p.text(),
    issuer: p.text(),
    clientId: p.text(),
    /** The page of the frontend that the provider sends people back to. */
    redirectUrl: p.text(),
    sealedSecret: p.blob(),
    masterKeyId: p.text(),
    createdAt: createdNow(),
  },
});
