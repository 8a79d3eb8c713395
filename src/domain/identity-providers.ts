// Identity providers: where an organization's staff sign in elsewhere, with OpenID Connect.
import { v7 as newId } from 'uuid';
import type { Transaction } from '../database.ts';
import { NotFound, Refusal } from '../errors.ts';
import { namesPrivateAddress } from '../outbound.ts';
import { staffPermissions } from '../permissions/catalogue.ts';
import { open, seal } from '../snapshots/cipher.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { mustHold } from './grants.ts';
import { requireText } from './text.ts';
import { write } from './writing.ts';

/** How many an organization may have. */
const mostProviders = 5;
const longestUrl = 2000;

export interface ProviderRow {
  id: string;
  name: string;
  issuer: string;
  clientId: string;
  redirectUrl: string;
  createdAt: Date;
}

const columns = sql`p.id, p.name, p.issuer, p.client_id as "clientId", p.redirect_url as "redirectUrl", p.created_at as "createdAt"`;

export async function readProviders(tx: Transaction, ids: readonly string[]): Promise<ProviderRow[]> {
  return tx.rows<ProviderRow>(sql`select ${columns} from identity_provider p where p.organization_id = ${tx.organizationId} and p.id = any(${ids}::uuid[])`);
}

/** In order of name. */
export async function listProviders(tx: Transaction): Promise<ProviderRow[]> {
  return tx.rows<ProviderRow>(sql`select ${columns} from identity_provider p where p.organization_id = ${tx.organizationId} order by p.name, p.id`);
}

export interface NewProvider {
  name: string;
  issuer: string;
  clientId: string;
  clientSecret: string;
  redirectUrl: string;
}

/**
 * Registers a provider. Who signs in there comes in here as the member of staff with the same address, or with an invitation to it:
 * any of them, if the provider says so, which is why it takes holding all that any of them may hold.
 * @returns its id
 * @throws Refusal CANNOT_GRANT, TOO_MANY_PROVIDERS, INVALID_URL, CREDENTIALS_IN_URL, INSECURE_URL, PRIVATE_ADDRESS and those of `requireText`
 */
export async function createProvider(app: App, viewer: Viewer, given: NewProvider): Promise<string> {
  mustHold(viewer, [{ permissions: staffPermissions, hiddenFields: [], tagScope: null }], ['input']);
  const name = requireText(given.name, ['input', 'name'], 100);
  const clientId = requireText(given.clientId, ['input', 'clientId']);
  const secret = requireText(given.clientSecret, ['input', 'clientSecret'], longestUrl);
  const issuer = readAddress(app, given.issuer, 'issuer');
  const redirectUrl = readAddress(app, given.redirectUrl, 'redirectUrl');
  const id = newId();
  await write(app, viewer, async (tx) => {
    await tx.run(sql`select pg_advisory_xact_lock(hashtextextended(${`identity providers/${tx.organizationId}`}, 0))`);
    if ((await listProviders(tx)).length >= mostProviders)
      throw new Refusal(
        'TOO_MANY_PROVIDERS',
        `The organization has ${mostProviders} identity providers, which is as many as there may be. None was added. Delete one that is not needed.`,
      );
    const sealed = seal(app.keys.providers, sealedAs(tx.organizationId, id), Buffer.from(secret));
    await tx.run(sql`
      insert into identity_provider (organization_id, id, name, issuer, client_id, redirect_url, sealed_secret, master_key_id)
      values (${tx.organizationId}, ${id}, ${name}, ${issuer}, ${clientId}, ${redirectUrl}, ${sealed}, ${app.keys.id})`);
    await logAction(tx, viewer, { action: 'identity_provider.created', target: { kind: 'IdentityProvider', id } });
  });
  return id;
}

/** Removes a provider: nobody comes in by it any more. Sessions that it opened go on; passwords work as before. @throws NotFound */
export async function deleteProvider(app: App, viewer: Viewer, id: string): Promise<void> {
  await write(app, viewer, async (tx) => {
    const deleted = await tx.run(sql`delete from identity_provider where organization_id = ${tx.organizationId} and id = ${id}`);
    if (deleted.rowCount === 0) throw new NotFound('identity provider');
    await tx.run(sql`delete from credential where provider_id = ${credentialOf(id)}`);
    await logAction(tx, viewer, { action: 'identity_provider.deleted', target: { kind: 'IdentityProvider', id } });
  });
}

/** What the credentials of a provider's people are kept under. */
export const credentialOf = (id: string): string => `oidc/${id}`;

/** A provider with its secret. @throws NotFound; Error when the secret was sealed under another master key, or changed */
export async function openProvider(tx: Transaction, { keys }: App, id: string): Promise<ProviderRow & { clientSecret: string }> {
  const provider = await tx.row<ProviderRow & { sealed: Buffer }>(sql`
    select ${columns}, p.sealed_secret as sealed from identity_provider p where p.organization_id = ${tx.organizationId} and p.id = ${id}`);
  if (!provider) throw new NotFound('identity provider');
  return { ...provider, clientSecret: open(keys.providers, sealedAs(tx.organizationId, id), provider.sealed).toString() };
}

const sealedAs = (organizationId: string, id: string) => `reinstate identity provider|${organizationId}|${id}`;

/** An address that people's browsers, or we, are sent to. Where its name leads is checked when it is connected to. */
function readAddress({ config }: App, given: string, field: 'issuer' | 'redirectUrl'): string {
  const path = ['input', field];
  const url = URL.parse(requireText(given, path, longestUrl));
  if (!url?.host || !/^https?:$/.test(url.protocol) || url.hash)
    throw new Refusal('INVALID_URL', 'This is not a web address. Nothing was added. Give one like https://login.example.com.', path);
  if (url.username || url.password)
    throw new Refusal('CREDENTIALS_IN_URL', 'The URL has a user name or a password in it. Nothing was added. Take it out.', path);
  if (config.IDENTITY_ALLOW_PRIVATE) return url.href;
  const local = field === 'redirectUrl' && ['localhost', '127.0.0.1'].includes(url.hostname);
  if (url.protocol !== 'https:' && !local)
    throw new Refusal(
      'INSECURE_URL',
      'The URL begins with http, so others could read and change what is sent. Nothing was added. Give one that begins with https.',
      path,
    );
  if (field === 'issuer' && namesPrivateAddress(url))
    throw new Refusal('PRIVATE_ADDRESS', 'The URL leads to an address that is not on the public internet. Nothing was added. Give one that does.', path);
  return url.href;
}
