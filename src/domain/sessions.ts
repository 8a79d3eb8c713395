// What an access token stands for. The token says which session; whether that is still open, who it is and what they may do is
// read fresh each time.
import { jwtVerify, SignJWT } from 'jose';
import type { Opening, Transaction } from '../database.ts';
import type { Plan } from '../entities/organization.ts';
import { NotFound, Unauthenticated } from '../errors.ts';
import type { Permission } from '../permissions/catalogue.ts';
import { sql } from '../sql.ts';
import { logOwn, transactFor } from './accounts.ts';
import { keyFrom, keyOpening, readApiKey } from './api-keys.ts';
import type { AccessClaims, App, From, Viewer } from './app.ts';
import { addedUp, type Grants, scopeFor } from './grants.ts';

const issuer = 'reinstate';

/** Signs an access token for a session. @returns it, and when it ends */
export async function signAccessToken({ config, keys }: App, accountId: string, organizationId: string | null, sessionId: string) {
  const expiresAt = new Date(Math.floor(Date.now() / 1000) * 1000 + config.ACCESS_TOKEN_MINUTES * 60_000);
  const accessToken = await new SignJWT({ sid: sessionId, ...(organizationId ? { org: organizationId } : {}) })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuer(issuer)
    .setAudience(issuer)
    .setSubject(accountId)
    .setIssuedAt()
    .setExpirationTime(expiresAt)
    .sign(keys.tokens);
  return { accessToken, expiresAt };
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
      requiredClaims: ['exp', 'sub', 'iat', 'sid'],
    });
    const organizationId = typeof payload['org'] === 'string' ? payload['org'] : null;
    return { accountId: payload.sub!, organizationId, sessionId: String(payload['sid']), expiresAt: new Date(payload.exp! * 1000) };
  } catch {
    return null;
  }
}

const fromRequest = ({ id, address, agent }: From, { accountId, sessionId }: AccessClaims) => ({
  requestId: id,
  address,
  agent,
  accountId,
  sessionId: sessionId ?? null,
});

/** How long ago, in seconds, the one whose session `x` is last proved who they are. */
const provenAgo = `extract(epoch from clock_timestamp() - x.proven_at)::float8 as "provenAgo"`;

/** Reads an operator. @throws Unauthenticated when the account is gone, or the session has ended */
export async function readOperator(app: App, claims: AccessClaims, request: From): Promise<Viewer> {
  const { rows } = await app.database.pool.query<{ name: string; email: string; permissions: Permission[]; provenAgo: number | null }>(
    `select a.name, a.email, a.platform_permissions as permissions, ${provenAgo} from account a join session x on x.account_id = a.id
     where a.id = $1 and a.organization_id is null and x.id = $2 and x.expires_at > clock_timestamp()`,
    [claims.accountId, claims.sessionId],
  );
  const operator = rows[0];
  if (!operator) throw new Unauthenticated();
  const { permissions, ...rest } = operator;
  const from = fromRequest(request, claims);
  const nothing = { organization: null, roles: [], hidden: new Set<never>(), scope: null };
  return { ...from, ...rest, ...nothing, kind: 'OPERATOR', id: claims.accountId, permissions: new Set(permissions) };
}

interface OpenedStaff {
  id: string;
  name: string;
  email: string;
  organization: string;
  plan: Plan;
  currency: string;
  roles: (Grants & { name: string })[];
  provenAgo: number | null;
}

/** Goes along with the BEGIN of a staff member's operation: who the token stands for, with what their roles give at this moment. */
export const staffOpening = (claims: AccessClaims): Opening => ({
  name: 'staff_opening',
  text: `select s.id, s.name, s.email, o.name as organization, o.plan, o.currency, ${provenAgo}, coalesce(jsonb_agg(jsonb_build_object(
      'name', r.name, 'permissions', r.permissions, 'hiddenFields', r.hidden_fields, 'tagScope', r.tag_scope) order by r.name) filter (where r.id is not null), '[]') as roles
    from account a
    join session x on x.account_id = a.id
    join staff_member s on s.organization_id = a.organization_id and s.id = a.staff_member_id
    join organization o on o.id = s.organization_id
    left join staff_member_role l on l.organization_id = s.organization_id and l.staff_member_id = s.id
    left join role r on r.organization_id = l.organization_id and r.id = l.role_id
    where s.organization_id = $1 and a.id = $2 and s.suspended_at is null and x.id = $3 and x.expires_at > clock_timestamp()
    group by s.id, s.name, s.email, o.name, o.plan, o.currency, x.proven_at`,
  args: [claims.accountId, claims.sessionId!],
  scopeOf: ([staff]) => (staff ? scopeFor((staff as OpenedStaff).id, addedUp((staff as OpenedStaff).roles)) : null),
});

/** The staff member in the rows of `staffOpening`. @throws Unauthenticated when the account is gone or suspended, or the session has ended */
export function staffFrom(opened: readonly object[], claims: AccessClaims, request: From): Viewer {
  const staff = opened[0] as OpenedStaff | undefined;
  if (!staff) throw new Unauthenticated();
  const { id, name, email, plan, currency, provenAgo } = staff;
  const organization = { id: claims.organizationId!, name: staff.organization, plan, currency };
  const { permissions, hidden, tagScope } = addedUp(staff.roles);
  const roles = staff.roles.map((role) => role.name);
  return {
    ...fromRequest(request, claims),
    kind: 'STAFF',
    id,
    name,
    email,
    organization,
    provenAgo,
    roles,
    permissions,
    hidden,
    scope: scopeFor(id, { tagScope }),
  };
}

/** Goes along with the BEGIN of an operation in an organization: who the token or the key stands for, with the permissions of this moment. */
export const openingOf = (claims: AccessClaims): Opening => (claims.keyDigest ? keyOpening(claims) : staffOpening(claims));

/** Who is in the rows of `openingOf`. @throws Unauthenticated */
export const viewerFrom = (opened: readonly object[], claims: AccessClaims, request: From): Viewer =>
  claims.keyDigest ? keyFrom(opened, claims, request) : staffFrom(opened, claims, request);

export interface SessionRow {
  id: string;
  createdAt: Date;
  lastUsedAt: Date;
  expiresAt: Date;
  address: string | null;
  agent: string | null;
  current: boolean;
}

/** The sessions of the viewer's account that are open, the one that was used last first; a hundred at most. */
export const listSessions = (app: App, viewer: Viewer): Promise<SessionRow[]> =>
  transactFor(app, viewer.organization?.id ?? null, (tx) =>
    tx.rows<SessionRow>(sql`
      select id, created_at as "createdAt", last_used_at as "lastUsedAt", expires_at as "expiresAt", ip_address as address, user_agent as agent,
        id = ${viewer.sessionId} as current
      from session where account_id = ${viewer.accountId} and expires_at > clock_timestamp() order by last_used_at desc, id limit 100`),
  );

/** Ends sessions of the viewer's account: their tokens are worth nothing from the next request and event on. @throws NotFound */
export async function endSessions(app: App, viewer: Viewer, ids: readonly string[]): Promise<void> {
  await transactFor(app, viewer.organization?.id ?? null, async (tx) => {
    const ended = await tx.run(sql`delete from session where account_id = ${viewer.accountId} and id = any(${ids}::uuid[])`);
    if (ended.rowCount !== new Set(ids).size) throw new NotFound('session');
    await logOwn(tx, viewer, 'session.ended');
  });
}

/** Ends all sessions of an account, but for one. */
export async function endOtherSessions(tx: Transaction, accountId: string, kept: string | null): Promise<void> {
  await tx.run(sql`delete from session where account_id = ${accountId} and id is distinct from ${kept}::uuid`);
}
