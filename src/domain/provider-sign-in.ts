// Signing in at an organization's identity provider: OpenID Connect, authorization code flow with PKCE, state and nonce.
// A provider speaks for the staff of its own organization and for nobody else's, whatever addresses it claims.
import * as oidc from 'openid-client';
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { Refusal } from '../errors.ts';
import { send } from '../outbound.ts';
import { sql } from '../sql.ts';
import { accountColumns, type AccountRow, accountEmail, actorOf, holdAccount, isActive, logOwn, transactFor } from './accounts.ts';
import type { App, From } from './app.ts';
import { challengeMinutes, identity } from './identity.ts';
import { credentialOf, openProvider, type ProviderRow } from './identity-providers.ts';
import { invitationOf, join, readInvitations, takeInvitation } from './invitations.ts';
import { openSession, type Tokens } from './signing-in.ts';
import { readTicket, signTicket } from './tickets.ts';

/** Keys and answers of a provider are a few kilobytes. */
const mostBytes = 1 << 20;
/** How long ago, in seconds, someone may have signed in at the provider where that is to be fresh. */
const freshSeconds = 60;

/** What the provider says of someone: `sub` always, the others perhaps. */
type Claims = { sub: string; email?: unknown; email_verified?: unknown };

type Secret = ProviderRow & { clientSecret: string };

/** Speaks to the provider by way of `outbound.ts`, so to public addresses only. */
const fetching =
  ({ config }: App): oidc.CustomFetch =>
  async (address, { method, headers, body }) => {
    const answer = await send(new URL(address), {
      method,
      headers,
      body: body == null ? '' : String(body as string | URLSearchParams),
      allowPrivate: config.IDENTITY_ALLOW_PRIVATE,
      seconds: config.IDENTITY_TIMEOUT_SECONDS,
      mostBytes,
    });
    const told = Object.entries(answer.headers).flatMap(([name, value]) => (typeof value === 'string' ? [[name, value] as [string, string]] : []));
    return new Response([204, 304].includes(answer.status) ? null : new Uint8Array(answer.body), { status: answer.status, headers: told });
  };

/** What the provider tells of itself. Signatures of id tokens are checked although they come over TLS: it costs one more request. */
const discover = (app: App, { issuer, clientId, clientSecret }: Secret): Promise<oidc.Configuration> =>
  oidc.discovery(new URL(issuer), clientId, clientSecret, oidc.ClientSecretBasic(clientSecret), {
    [oidc.customFetch]: fetching(app),
    execute: [oidc.enableNonRepudiationChecks, ...(app.config.IDENTITY_ALLOW_PRIVATE ? [oidc.allowInsecureRequests] : [])],
  });

/** What went wrong at the provider becomes one refusal; how is for whoever runs the server. */
async function atProvider<T>(provider: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    console.error(JSON.stringify({ at: 'identity provider', provider, name, code, message }));
    throw new Refusal(
      'PROVIDER_FAILED',
      'The identity provider did not answer, or not in a way that can be trusted. You are not signed in. Try again; if it stays so, tell an administrator of your organization.',
    );
  }
}

/**
 * Begins a sign-in. `token`: of an invitation, for who joins by it. `fresh`: the provider asks them anew who they are, which counts as a proof of identity here.
 * @returns where to send the browser, and the challenge that `completeProviderSignIn` takes
 * @throws NotFound; Refusal PROVIDER_FAILED, INVITATION_OVER
 */
export async function startProviderSignIn(
  app: App,
  { organizationId, providerId, fresh, token }: { organizationId: string; providerId: string; fresh: boolean; token: string | undefined },
): Promise<{ url: string; challenge: string }> {
  const invitation = token === undefined ? undefined : await invitationOf(app, organizationId, token);
  const provider = await transactFor(app, organizationId, (tx) => openProvider(tx, app, providerId));
  const [verifier, state, nonce] = [oidc.randomPKCECodeVerifier(), oidc.randomState(), oidc.randomNonce()];
  const url = await atProvider(provider.id, async () =>
    oidc.buildAuthorizationUrl(await discover(app, provider), {
      redirect_uri: provider.redirectUrl,
      scope: 'openid email profile',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
      nonce,
      ...(fresh ? { prompt: 'login', max_age: '0' } : {}),
    }),
  );
  const claims = { sub: provider.id, org: organizationId, verifier, state, nonce, fresh, invitation };
  return { url: url.href, challenge: await signTicket(app, 'provider', claims, challengeMinutes) };
}

/**
 * Ends it, with the address that the provider sent the browser back to.
 * @throws NotFound; Refusal CHALLENGE_EXPIRED, PROVIDER_FAILED, and NO_ACCOUNT for who is no member of staff here and is not invited
 */
export async function completeProviderSignIn(app: App, from: From, challenge: string, callbackUrl: string): Promise<Tokens> {
  const ticket = await readTicket(app, 'provider', challenge);
  if (!ticket)
    throw new Refusal('CHALLENGE_EXPIRED', 'This sign-in has waited too long, or is none of ours. You are not signed in. Begin again.', ['input', 'challenge']);
  const organizationId = String(ticket['org']);
  const provider = await transactFor(app, organizationId, (tx) => openProvider(tx, app, ticket.sub!));
  const fresh = ticket['fresh'] === true;
  const claims = await atProvider(provider.id, async () => {
    const known = await discover(app, provider);
    const answer = await oidc.authorizationCodeGrant(known, backFrom(provider, callbackUrl), {
      pkceCodeVerifier: String(ticket['verifier']),
      expectedState: String(ticket['state']),
      expectedNonce: String(ticket['nonce']),
      idTokenExpected: true,
      ...(fresh ? { maxAge: freshSeconds } : {}),
    });
    const claims = answer.claims()!;
    if (claims['email'] !== undefined || !known.serverMetadata().userinfo_endpoint) return claims;
    // Many providers tell of the address here only.
    return { ...claims, ...(await oidc.fetchUserInfo(known, answer.access_token, claims.sub)) };
  });
  const tokens = await transactFor(app, organizationId, async (tx) => {
    const account = await accountOf(tx, provider.id, claims, from, ticket['invitation'] as string | undefined);
    if (!account) return 'NO_ACCOUNT';
    await holdAccount(tx, account.id, 'share');
    if (!(await isActive(tx, account))) {
      await logOwn(tx, actorOf(account, from), 'staff.signed_in', 'NO_ACCOUNT');
      return 'NO_ACCOUNT';
    }
    const { internalAdapter } = await identity(app, tx).$context;
    const { token } = await internalAdapter.createSession(account.id);
    if (!fresh) await tx.run(sql`update session set proven_at = null where token = ${token}`);
    return openSession(app, tx, account, from, token);
  });
  if (tokens === 'NO_ACCOUNT')
    throw new Refusal('NO_ACCOUNT', 'Nobody of this organization’s staff signs in like that. You are not signed in. Ask an administrator to invite you.');
  return tokens;
}

/** What the provider sent back, as coming to where it was to send it. */
function backFrom({ redirectUrl }: ProviderRow, callbackUrl: string): URL {
  const [expected, given] = [new URL(redirectUrl), new URL(callbackUrl)];
  if (given.origin !== expected.origin || given.pathname !== expected.pathname) throw new Error('It came back to another address.');
  return given;
}

/** The longest subject that the specification allows. */
const longestSubject = 255;

/**
 * Whom the provider speaks of: known from before, or known by a verified address; or who has the link of an invitation to it. The
 * provider's word alone makes no account, because an address is in one organization only.
 */
async function accountOf(
  tx: Transaction,
  providerId: string,
  { sub, email, email_verified: verified }: Claims,
  from: From,
  invitationId: string | undefined,
): Promise<AccountRow | undefined> {
  const known = await tx.row<AccountRow>(sql`
    select ${accountColumns} from credential c join account a on a.id = c.account_id
    where c.provider_id = ${credentialOf(providerId)} and c.subject = ${sub} and a.organization_id = ${tx.organizationId}`);
  if (known || typeof email !== 'string' || verified !== true || sub.length > longestSubject) return known;
  const address = accountEmail(email);
  const member = await tx.row<AccountRow>(sql`select ${accountColumns} from account a where a.email = ${address} and a.organization_id = ${tx.organizationId}`);
  const account = member ?? (invitationId === undefined ? undefined : await joinBy(tx, invitationId, address, from));
  if (account)
    await tx.run(sql`
      insert into credential (id, account_id, provider_id, subject) values (${newId()}, ${account.id}, ${credentialOf(providerId)}, ${sub})
      on conflict (provider_id, subject) do nothing`);
  return account;
}

async function joinBy(tx: Transaction, invitationId: string, address: string, from: From): Promise<AccountRow | undefined> {
  const [invited] = await readInvitations(tx, [invitationId]);
  if (invited?.email !== address) return undefined;
  const invitation = await takeInvitation(tx, invitationId);
  return invitation && join(tx, invitation, from);
}
