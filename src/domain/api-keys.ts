// API keys: what an integration comes in with. A key is shown once and kept as a digest; it holds no more than whoever made
// it held then, is an actor of its own in the log, and stops working the moment it is revoked.
import { timingSafeEqual } from 'node:crypto';
import { v7 as newId } from 'uuid';
import { isNetwork, isWithin } from '../addresses.ts';
import type { Opening, Transaction } from '../database.ts';
import type { Plan } from '../entities/organization.ts';
import { NotFound, Refusal, Unauthenticated } from '../errors.ts';
import { personalPermissions } from '../permissions/catalogue.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { AccessClaims, App, From, Viewer } from './app.ts';
import { addedUp, type GivenGrants, type Grants, readGrants, scopeFor } from './grants.ts';
import { makeSecret, readSecret } from './secrets.ts';
import { type KeyRefusal, KeyRefused, notValid } from './key-refusals.ts';
import { readInstant, requireText } from './text.ts';
import { organizationOf, write } from './writing.ts';

/** How many keys that are not revoked an organization may have. */
const mostKeys = 50;
const mostNetworks = 20;
const longestName = 60;

/** What a key begins with, so that it is known for one wherever it turns up. */
const prefix = 'rik_';

export interface ApiKeyRow extends Grants {
  id: string;
  name: string;
  addresses: string[];
  createdById: string;
  createdByName: string;
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

const columns = sql`k.id, k.name, k.permissions, k.hidden_fields as "hiddenFields", k.tag_scope as "tagScope", k.addresses, k.created_by_id as "createdById", k.created_by_name as "createdByName", k.created_at as "createdAt",
  k.expires_at as "expiresAt", k.last_used_at as "lastUsedAt", k.revoked_at as "revokedAt"`;

export async function readApiKeys(tx: Transaction, ids: readonly string[]): Promise<ApiKeyRow[]> {
  return tx.rows<ApiKeyRow>(sql`select ${columns} from api_key k where k.organization_id = ${tx.organizationId} and k.id = any(${ids}::uuid[])`);
}

/** The newest first, revoked ones included; `before` is the id that the last page ended with. */
export async function listApiKeys(tx: Transaction, limit: number, before: string | null): Promise<ApiKeyRow[]> {
  return tx.rows<ApiKeyRow>(sql`
    select ${columns} from api_key k where k.organization_id = ${tx.organizationId} ${before ? sql`and k.id < ${before}` : sql``} order by k.id desc limit ${limit}`);
}

export interface NewApiKey extends GivenGrants {
  name: string;
  permissions: readonly string[];
  addresses: readonly string[];
  expiresAt: Date | null;
}

/**
 * Makes a key and logs it. @returns its id, and the key, which is given here and never again
 * @throws Refusal TOO_MANY_KEYS, NOT_FOR_KEYS, INVALID_NETWORK, TOO_MANY_VALUES, INVALID_DATE and those of `readGrants` and `requireText`
 */
export async function createApiKey(app: App, viewer: Viewer, given: NewApiKey): Promise<{ id: string; key: string }> {
  const name = requireText(given.name, ['input', 'name'], longestName);
  refusePersonal(given.permissions);
  const addresses = readNetworks(given.addresses);
  const expiresAt = readInstant(given.expiresAt, ['input', 'expiresAt']);
  const id = newId();
  const { text: key, digest } = makeSecret(prefix, organizationOf(viewer).id, id);
  await write(app, viewer, async (tx) => {
    const { permissions, hiddenFields, tagScope } = await readGrants(tx, viewer, given);
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`api keys/${tx.organizationId}`}, 0))`);
    const { count, late } = (await tx.row<{ count: number; late: boolean | null }>(sql`
      select count(*)::int as count, ${expiresAt}::timestamptz <= clock_timestamp() as late from api_key where organization_id = ${tx.organizationId} and revoked_at is null`))!;
    if (late)
      throw new Refusal('INVALID_DATE', 'The key would have expired already. Nothing was made. Choose an instant in the future.', ['input', 'expiresAt']);
    if (count >= mostKeys)
      throw new Refusal(
        'TOO_MANY_KEYS',
        `The organization has ${mostKeys} keys, which is as many as there may be. None was made. Revoke one that is not needed.`,
      );
    await tx.run(sql`
      insert into api_key (organization_id, id, name, permissions, hidden_fields, tag_scope, addresses, secret_digest, created_by_id, created_by_name, expires_at)
      values (${tx.organizationId}, ${id}, ${name}, ${permissions}::text[], ${hiddenFields}::text[], ${tagScope}::uuid[], ${addresses}::text[], ${digest}, ${viewer.id}, ${viewer.name}, ${expiresAt})`);
    await logAction(tx, viewer, { action: 'key.created', target: { kind: 'ApiKey', id } });
  });
  return { id, key };
}

/** Revokes a key, whatever it holds: from its next request and event on it is none. @throws NotFound */
export async function revokeApiKey(app: App, viewer: Viewer, id: string): Promise<void> {
  await write(app, viewer, async (tx) => {
    const revoked = await tx.run(sql`
      update api_key set revoked_at = clock_timestamp() where organization_id = ${tx.organizationId} and id = ${id} and revoked_at is null`);
    if (revoked.rowCount === 0) {
      if ((await readApiKeys(tx, [id])).length === 0) throw new NotFound('API key');
      return;
    }
    await logAction(tx, viewer, { action: 'key.revoked', target: { kind: 'ApiKey', id } });
  });
}

/** @throws Refusal NOT_FOR_KEYS */
function refusePersonal(given: readonly string[]): void {
  const personal = personalPermissions.filter((permission) => given.includes(permission));
  if (personal.length > 0)
    throw new Refusal('NOT_FOR_KEYS', `${personal.join(' and ')} is for people only: a key says nobody what they may do. Nothing was made. Leave it out.`, [
      'input',
      'permissions',
    ]);
}

/** @throws Refusal INVALID_NETWORK, TOO_MANY_VALUES */
function readNetworks(given: readonly string[]): string[] {
  const path = ['input', 'addresses'];
  if (given.length > mostNetworks)
    throw new Refusal('TOO_MANY_VALUES', `More than ${mostNetworks} networks were given. Nothing was made. Give larger ones.`, path);
  for (const network of given)
    if (!isNetwork(network))
      throw new Refusal('INVALID_NETWORK', 'A network is not an address, or an address and a prefix as in 192.0.2.0/24. Nothing was made. Correct it.', path);
  return [...given];
}

/** Never reached: a key says itself when it ends. */
const never = new Date(8.64e15);

/** Who would be let in by this key if it is right, which `keyFrom` tells; null for what is no key, whatever it is. */
export function readApiKey(token: string): AccessClaims | null {
  const read = readSecret(prefix, token);
  return read && { accountId: read.id, organizationId: read.organizationId, expiresAt: never, keyDigest: read.digest };
}

/** Goes along with the BEGIN of an operation that a key asks for. */
export const keyOpening = (claims: AccessClaims): Opening => ({
  name: 'key_opening',
  text: `select k.id, k.name, k.permissions, k.hidden_fields as "hiddenFields", k.tag_scope as "tagScope", k.addresses, k.secret_digest as "secretDigest", o.name as organization, o.plan, o.currency,
      k.revoked_at is not null as revoked, coalesce(k.expires_at <= clock_timestamp(), false) as expired
    from api_key k join organization o on o.id = k.organization_id
    where k.organization_id = $1 and k.id = $2`,
  args: [claims.accountId],
  scopeOf: ([key]) => (key ? scopeFor((key as OpenedKey).id, addedUp([key as OpenedKey])) : null),
});

interface OpenedKey extends Grants {
  id: string;
  name: string;
  addresses: string[];
  secretDigest: Buffer;
  organization: string;
  plan: Plan;
  currency: string;
  revoked: boolean;
  expired: boolean;
}

/**
 * The key in the rows of `keyOpening`.
 * @throws KeyRefused when it is wrong, revoked, expired, or used from elsewhere than it may be; Unauthenticated when there is no such key
 */
export function keyFrom(opened: readonly object[], { accountId, organizationId, keyDigest }: AccessClaims, { id: requestId, address, agent }: From): Viewer {
  const key = opened[0] as OpenedKey | undefined;
  if (!key) throw new Unauthenticated(notValid);
  const why = refusalOf(key, keyDigest, address);
  if (why) throw new KeyRefused(organizationId!, { kind: 'API_KEY', id: key.id, name: key.name, requestId, address, agent }, why);
  if (letIn.size >= mostLetIn) letIn.clear();
  letIn.add(keyDigest!.toString('hex'));
  const { id, name, plan, currency } = key;
  const { permissions, hidden, tagScope } = addedUp([key]);
  const organization = { id: organizationId!, name: key.organization, plan, currency };
  return {
    requestId,
    address,
    agent,
    accountId,
    keyDigest,
    sessionId: null,
    provenAgo: null,
    kind: 'API_KEY',
    id,
    name,
    email: null,
    organization,
    roles: [],
    permissions,
    hidden,
    scope: scopeFor(id, { tagScope }),
  };
}

function refusalOf(key: OpenedKey, digest: Buffer | undefined, address: string | null): KeyRefusal | undefined {
  if (!digest || !timingSafeEqual(key.secretDigest, digest)) return 'WRONG_SECRET';
  if (key.revoked) return 'KEY_REVOKED';
  if (key.expired) return 'KEY_EXPIRED';
  return isFrom(key.addresses, address) ? undefined : 'WRONG_NETWORK';
}

const isFrom = (networks: readonly string[], address: string | null): boolean => networks.length === 0 || (address !== null && isWithin(networks, address));

/** The digests of keys that this process has let in. */
const letIn = new Set<string>();
const mostLetIn = 10_000;

/** Whether this is a key that was let in before, and not just anything under the id of one. */
export const wasLetIn = (keyDigest: Buffer): boolean => letIn.has(keyDigest.toString('hex'));

/** When this process last wrote down that a key was used. */
const touched = new Map<string, number>();
const touchEvery = 60_000;

/** Writes down that a key was let in, about once a minute. Called when no transaction of the operation is open. */
export async function touchApiKey(app: App, { kind, id, organization }: Viewer): Promise<void> {
  if (kind !== 'API_KEY' || performance.now() - (touched.get(id) ?? -Infinity) < touchEvery) return;
  touched.set(id, performance.now());
  await app.database.transact(organization!.id, (tx) =>
    tx.run(sql`update api_key set last_used_at = clock_timestamp() where organization_id = ${organization!.id} and id = ${id}`),
  );
}
