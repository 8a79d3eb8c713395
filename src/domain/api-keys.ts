// API keys: what an integration comes in with. A key is shown once and kept as a digest; it holds no more than whoever made
// it held then, is an actor of its own in the log, and stops working the moment it is revoked.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { BlockList, isIPv4, isIPv6 } from 'node:net';
import { v7 as newId } from 'uuid';
import type { Opening, Transaction } from '../database.ts';
import type { Plan } from '../entities/organization.ts';
import { NotFound, Refusal, Unauthenticated } from '../errors.ts';
import { uuid } from '../global-id.ts';
import { personalPermissions } from '../permissions/catalogue.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { AccessClaims, App, From, Viewer } from './app.ts';
import { addedUp, type GivenGrants, type Grants, readGrants, scopeFor } from './grants.ts';
import { readInstant, requireText } from './text.ts';
import { write } from './writing.ts';

/** How many keys that are not revoked an organization may have. */
const mostKeys = 50;
const mostNetworks = 20;
const longestName = 60;

/** What a key begins with, so that it is known for one wherever it turns up. */
const prefix = 'rik_';
const secretBytes = 32;

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
  const [id, secret] = [newId(), randomBytes(secretBytes)];
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
      values (${tx.organizationId}, ${id}, ${name}, ${permissions}::text[], ${hiddenFields}::text[], ${tagScope}::uuid[], ${addresses}::text[], ${digestOf(secret)}, ${viewer.id}, ${viewer.name}, ${expiresAt})`);
    await logAction(tx, viewer, { action: 'key.created', target: { kind: 'ApiKey', id } });
  });
  return { id, key: prefix + Buffer.concat([bytesOf(viewer.organization!.id), bytesOf(id), secret]).toString('base64url') };
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
    if (!subnetOf(network))
      throw new Refusal('INVALID_NETWORK', 'A network is not an address, or an address and a prefix as in 192.0.2.0/24. Nothing was made. Correct it.', path);
  return [...given];
}

function subnetOf(network: string): [address: string, prefix: number, family: 'ipv4' | 'ipv6'] | undefined {
  const [, address = '', bits] = /^([0-9a-fA-F:.]+)(?:\/(\d{1,3}))?$/.exec(network) ?? [];
  const family = isIPv4(address) ? 'ipv4' : isIPv6(address) ? 'ipv6' : undefined;
  if (!family) return undefined;
  const most = family === 'ipv4' ? 32 : 128;
  const length = bits === undefined ? most : Number(bits);
  return length <= most ? [address, length, family] : undefined;
}

const digestOf = (secret: Buffer): Buffer => createHash('sha256').update(secret).digest();
const bytesOf = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex');
const idOf = (bytes: Buffer): string => bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');

/** Never reached: a key says itself when it ends. */
const never = new Date(8.64e15);

/** Who would be let in by this key if it is right, which `keyFrom` tells; null for what is no key, whatever it is. */
export function readApiKey(token: string): AccessClaims | null {
  if (!token.startsWith(prefix)) return null;
  const bytes = Buffer.from(token.slice(prefix.length), 'base64url');
  if (bytes.length !== 32 + secretBytes || prefix + bytes.toString('base64url') !== token) return null;
  const [organizationId, id] = [idOf(bytes.subarray(0, 16)), idOf(bytes.subarray(16, 32))];
  return uuid.test(organizationId) && uuid.test(id) ? { accountId: id, organizationId, expiresAt: never, keyDigest: digestOf(bytes.subarray(32)) } : null;
}

/** Goes along with the BEGIN of an operation that a key asks for. */
export const keyOpening = (claims: AccessClaims): Opening => ({
  name: 'key_opening',
  text: `select k.id, k.name, k.permissions, k.hidden_fields as "hiddenFields", k.tag_scope as "tagScope", k.addresses, k.secret_digest as "secretDigest", o.name as organization, o.plan, o.currency
    from api_key k join organization o on o.id = k.organization_id
    where k.organization_id = $1 and k.id = $2 and k.revoked_at is null and (k.expires_at is null or k.expires_at > clock_timestamp())`,
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
}

/**
 * The key in the rows of `keyOpening`.
 * @throws Unauthenticated when it is unknown, wrong, revoked, expired, or used from elsewhere than it may be
 */
export function keyFrom(opened: readonly object[], { accountId, organizationId, keyDigest }: AccessClaims, { id: requestId, address, agent }: From): Viewer {
  const key = opened[0] as OpenedKey | undefined;
  const refused = new Unauthenticated(
    'This API key is not valid, or not from here. Nothing was changed. Ask an administrator of your organization for another one.',
  );
  if (!key || !keyDigest || !timingSafeEqual(key.secretDigest, keyDigest) || !isWithin(key.addresses, address)) throw refused;
  const { id, name, plan, currency } = key;
  const { permissions, hidden, tagScope } = addedUp([key]);
  const organization = { id: organizationId!, name: key.organization, plan, currency };
  return {
    requestId,
    address,
    agent,
    accountId,
    keyDigest,
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

function isWithin(networks: readonly string[], address: string | null): boolean {
  if (networks.length === 0) return true;
  if (!address) return false;
  const list = new BlockList();
  for (const network of networks) list.addSubnet(...subnetOf(network)!);
  const plain = address.replace(/^::ffff:(?=\d+\.)/i, '');
  return list.check(plain, isIPv4(plain) ? 'ipv4' : 'ipv6');
}

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
