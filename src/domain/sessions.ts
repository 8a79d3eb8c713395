// Signing in, and what an access token stands for. The token says who; what they may do is read fresh each time.
import { hash, verify } from '@node-rs/argon2';
import { jwtVerify, SignJWT } from 'jose';
import type { Opening } from '../database.ts';
import type { Plan } from '../entities/organization.ts';
import { Refusal, Unauthenticated } from '../errors.ts';
import type { Permission } from '../permissions/catalogue.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import { keyFrom, keyOpening, readApiKey } from './api-keys.ts';
import type { AccessClaims, Actor, App, From, Viewer } from './app.ts';
import { addedUp, type Grants, scopeFor } from './grants.ts';

interface AccountRow {
  id: string;
  name: string;
  email: string;
  passwordHash: string;
  organizationId: string | null;
  staffMemberId: string | null;
}

const issuer = 'reinstate';
/** OWASP's second recommendation for argon2id: 19 MiB, two passes, one lane. */
const hashing = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };
/** Verified for unknown accounts, so that they take as long as known ones. */
const nobodysHash = hash('nobody has this password', hashing);

/** The argon2id hash to store for a password. */
export const hashPassword = (password: string): Promise<string> => hash(password, hashing);

/** Emails of accounts are compared in this form. */
export const accountEmail = (email: string): string => email.normalize('NFKC').trim().toLowerCase();

/**
 * Checks email and password.
 * @returns a signed access token and the instant it expires
 * @throws Refusal SIGN_IN_FAILED, the same for an unknown email and a wrong password; logged where the account is known
 */
export async function signIn(app: App, from: Omit<Actor, 'kind' | 'id' | 'name'>, email: string, password: string) {
  const { rows } = await app.database.pool.query<AccountRow>(
    `select id, name, email, password_hash as "passwordHash", organization_id as "organizationId", staff_member_id as "staffMemberId"
     from account where email = $1`,
    [accountEmail(email)],
  );
  const account = rows[0];
  const right = await verify(account?.passwordHash ?? (await nobodysHash), password);
  const active = account && right && (await isActive(app, account));
  if (account?.organizationId) {
    const actor: Actor = { ...from, kind: 'STAFF', id: account.staffMemberId, name: account.name };
    await app.database.transact(account.organizationId, (tx) =>
      logAction(tx, actor, {
        action: 'staff.signed_in',
        ...(active ? {} : { refusedWith: 'SIGN_IN_FAILED' }),
        target: { kind: 'StaffMember', id: account.staffMemberId! },
      }),
    );
  }
  if (!active) throw new Refusal('SIGN_IN_FAILED', 'The email or the password is not right. You are not signed in. Check both and try again.', ['input']);
  const expiresAt = new Date(Math.floor(Date.now() / 1000) * 1000 + app.config.ACCESS_TOKEN_MINUTES * 60_000);
  const accessToken = await new SignJWT(account.organizationId ? { org: account.organizationId } : {})
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(issuer)
    .setSubject(account.id)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(app.keys.tokens);
  return { accessToken, expiresAt };
}

async function isActive(app: App, account: AccountRow): Promise<boolean> {
  if (!account.organizationId) return true;
  const staff = await app.database.transact(account.organizationId, (tx) =>
    tx.row<{ active: boolean }>(sql`
      select suspended_at is null as active from staff_member where organization_id = ${tx.organizationId} and id = ${account.staffMemberId}`),
  );
  return staff?.active ?? false;
}

/** Tokens that were verified, until they expire. Checking a signature takes longer than all else that a small query does. */
const verified = new WeakMap<App, Map<string, AccessClaims>>();
const mostVerified = 10_000;

/** What a token or an API key says, or null when it is missing its signature, its audience, its expiry, or is past it. */
export async function readAccessToken(app: App, token: string): Promise<AccessClaims | null> {
  const key = readApiKey(token);
  if (key) return key;
  const known = verified.get(app) ?? new Map<string, AccessClaims>();
  verified.set(app, known);
  const claims = known.get(token) ?? (await verifyAccessToken(app, token));
  if (!claims || claims.expiresAt.getTime() <= Date.now()) {
    known.delete(token);
    return null;
  }
  if (known.size >= mostVerified) known.clear();
  known.set(token, claims);
  return claims;
}

async function verifyAccessToken(app: App, token: string): Promise<AccessClaims | null> {
  try {
    const { payload } = await jwtVerify(token, app.keys.tokens, {
      algorithms: ['HS256'],
      issuer,
      audience: issuer,
      typ: 'at+jwt',
      requiredClaims: ['exp', 'sub', 'iat'],
    });
    const organizationId = typeof payload['org'] === 'string' ? payload['org'] : null;
    return { accountId: payload.sub!, organizationId, expiresAt: new Date(payload.exp! * 1000) };
  } catch {
    return null;
  }
}

const fromRequest = ({ id, address, agent }: From, { accountId }: AccessClaims) => ({ requestId: id, address, agent, accountId });

/** Reads an operator. @throws Unauthenticated when the account is gone */
export async function readOperator(app: App, claims: AccessClaims, request: From): Promise<Viewer> {
  const { rows } = await app.database.pool.query<{ name: string; email: string; permissions: Permission[] }>(
    `select name, email, platform_permissions as permissions from account where id = $1 and organization_id is null`,
    [claims.accountId],
  );
  const operator = rows[0];
  if (!operator) throw new Unauthenticated();
  const { name, email, permissions } = operator;
  const from = fromRequest(request, claims);
  const nothing = { organization: null, roles: [], hidden: new Set<never>(), scope: null };
  return { ...from, ...nothing, kind: 'OPERATOR', id: claims.accountId, name, email, permissions: new Set(permissions) };
}

interface OpenedStaff {
  id: string;
  name: string;
  email: string;
  organization: string;
  plan: Plan;
  currency: string;
  roles: (Grants & { name: string })[];
}

/** Goes along with the BEGIN of a staff member's operation: who the token stands for, with what their roles give at this moment. */
export const staffOpening = (claims: AccessClaims): Opening => ({
  name: 'staff_opening',
  text: `select s.id, s.name, s.email, o.name as organization, o.plan, o.currency, coalesce(jsonb_agg(jsonb_build_object(
      'name', r.name, 'permissions', r.permissions, 'hiddenFields', r.hidden_fields, 'tagScope', r.tag_scope) order by r.name) filter (where r.id is not null), '[]') as roles
    from account a
    join staff_member s on s.organization_id = a.organization_id and s.id = a.staff_member_id
    join organization o on o.id = s.organization_id
    left join staff_member_role l on l.organization_id = s.organization_id and l.staff_member_id = s.id
    left join role r on r.organization_id = l.organization_id and r.id = l.role_id
    where s.organization_id = $1 and a.id = $2 and s.suspended_at is null
    group by s.id, s.name, s.email, o.name, o.plan, o.currency`,
  args: [claims.accountId],
  scopeOf: ([staff]) => (staff ? scopeFor((staff as OpenedStaff).id, addedUp((staff as OpenedStaff).roles)) : null),
});

/** The staff member in the rows of `staffOpening`. @throws Unauthenticated when the account is gone or suspended */
export function staffFrom(opened: readonly object[], claims: AccessClaims, request: From): Viewer {
  const staff = opened[0] as OpenedStaff | undefined;
  if (!staff) throw new Unauthenticated();
  const { id, name, email, plan, currency } = staff;
  const organization = { id: claims.organizationId!, name: staff.organization, plan, currency };
  const { permissions, hidden, tagScope } = addedUp(staff.roles);
  const roles = staff.roles.map((role) => role.name);
  return { ...fromRequest(request, claims), kind: 'STAFF', id, name, email, organization, roles, permissions, hidden, scope: scopeFor(id, { tagScope }) };
}

/** Goes along with the BEGIN of an operation in an organization: who the token or the key stands for, with the permissions of this moment. */
export const openingOf = (claims: AccessClaims): Opening => (claims.keyDigest ? keyOpening(claims) : staffOpening(claims));

/** Who is in the rows of `openingOf`. @throws Unauthenticated */
export const viewerFrom = (opened: readonly object[], claims: AccessClaims, request: From): Viewer =>
  claims.keyDigest ? keyFrom(opened, claims, request) : staffFrom(opened, claims, request);
