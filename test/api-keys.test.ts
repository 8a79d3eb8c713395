// Integrations come in with keys of their own: what those may do, for how long and from where, and who they are in the log.
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { post } from './asking.ts';
import { hire, makeKey } from './custom-roles.ts';
import { contactId, fill, liveIds } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { OrganizationName } from './people.ts';

const create = async (world: World, input: Partial<sdk.CreateApiKeyInput>) =>
  (await (await world.as('Super admin')).request(sdk.CreateApiKeyDocument, { input: { name: 'Newsletter', permissions: [], ...input } })).createApiKey;

const codes = ({ userErrors }: { userErrors: { code: string }[] }) => userErrors.map(({ code }) => code);
const whoIs = (world: World, key: string) => world.client(key).request(sdk.ViewerDocument);
const signedOut = { code: 'UNAUTHENTICATED' };

describe('an API key', () => {
  it('does what it holds and nothing else, as itself, and tells when it was last used', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const [first] = (await liveIds(world)).map(contactId);
    const { apiKey, key } = await create(world, { permissions: ['payments:read', 'contacts:update', 'contacts:read', 'contacts:delete'] });
    expect(key).toMatch(/^rik_[\w-]{86}$/);
    expect(apiKey).toMatchObject({
      name: 'Newsletter',
      permissions: ['contacts:read', 'contacts:update', 'contacts:delete', 'payments:read'],
      lastUsedAt: null,
      revokedAt: null,
    });
    const { viewer } = await whoIs(world, key!);
    expect(viewer).toMatchObject({ id: apiKey!.id, kind: 'API_KEY', name: 'Newsletter', email: null, roles: [], organization: { name: 'Riverside Club' } });
    const integration = world.client(key!);
    const { addNote } = await integration.request(sdk.AddNoteDocument, { input: { contactId: first!, body: 'Subscribed' } });
    expect(addNote.userErrors).toEqual([]);
    const { contactDeletionPreview } = await integration.request(sdk.ContactDeletionPreviewDocument, { input: { contactIds: [first!] } });
    const input = { contactIds: [first!], confirmation: contactDeletionPreview.confirmation!, reason: 'Unsubscribed' };
    expect((await integration.request(sdk.DeleteContactsDocument, { input })).deleteContacts.userErrors).toEqual([]);
    await expect(integration.request(sdk.ActionLogDocument, {})).rejects.toMatchObject({ code: 'FORBIDDEN' });
    const { rows } = await world.owner.query(`select actor_id as id, actor_name as who, action, code from action_log where actor_kind = 'API_KEY' order by id`);
    const id = decodeId('ApiKey', apiKey!.id);
    expect(rows).toEqual([
      { id, who: 'Newsletter', action: 'note.added', code: null },
      { id, who: 'Newsletter', action: 'contacts.deleted', code: null },
      { id, who: 'Newsletter', action: 'actionLog', code: 'FORBIDDEN' },
    ]);
    const { actionLog } = await (await world.as('Super admin')).request(sdk.ActionLogDocument, { filter: { action: 'contacts.deleted' } });
    expect(actionLog.nodes).toMatchObject([{ actorKind: 'API_KEY', actorName: 'Newsletter' }]);
    const { actionLog: own } = await (await world.as('Super admin')).request(sdk.ActionLogDocument, { filter: { actorId: apiKey!.id } });
    expect(own.nodes).toHaveLength(3);
    const seen = await (await world.as('Super admin')).request(sdk.ApiKeyDocument, { id: apiKey!.id });
    expect(Date.now() - new Date(seen.apiKey.lastUsedAt!).getTime()).toBeLessThan(60_000);
  });

  it('is kept nowhere: the database has its digest, and nobody is shown it again', async () => {
    await using world = await createWorld();
    const { apiKey, key } = await create(world, {});
    const { rows } = await world.owner.query<{ row: string }>('select k::text as row from api_key k');
    const secret = Buffer.from(key!.slice(4), 'base64url').subarray(32);
    expect(rows[0]!.row).not.toContain(secret.toString('hex'));
    const { text } = await post(world, await world.token('Super admin'), `{ apiKey(id: "${apiKey!.id}") { id name createdByName } apiKeys { nodes { id } } }`);
    expect(text).not.toContain(key!.slice(-20));
    expect(text).toContain('Super admin of Riverside Club');
  });

  it('holds no more than whoever makes it, and never what says who may do what', async () => {
    await using world = await createWorld();
    const { client } = await hire(world, 'keys:manage', 'contacts:read', 'roles:manage');
    const make = async (...permissions: string[]) =>
      codes((await client.request(sdk.CreateApiKeyDocument, { input: { name: 'Mine', permissions } })).createApiKey);
    expect(await make('contacts:read')).toEqual([]);
    expect(await make('contacts:delete')).toEqual(['CANNOT_GRANT']);
    expect(await make('roles:manage')).toEqual(['NOT_FOR_KEYS']);
    expect(await make('platform:payments')).toEqual(['UNKNOWN_PERMISSION']);
    expect(codes(await create(world, { name: ' ' }))).toEqual(['VALUE_MISSING']);
    expect(codes(await create(world, { expiresAt: '2020-01-01T00:00:00.000Z' }))).toEqual(['INVALID_DATE']);
    for (const network of ['', '10.0.0.0/33', '10.0.0', 'localhost', '::1/129', '10.0.0.1 ', '010.0.0.1'])
      expect([network, codes(await create(world, { addresses: [network] }))]).toEqual([network, ['INVALID_NETWORK']]);
    expect(codes(await create(world, { addresses: Array.from({ length: 21 }, () => '10.0.0.1') }))).toEqual(['TOO_MANY_VALUES']);
  });

  it('is none once it is revoked or has expired, also for a subscription that is open', async () => {
    await using world = await createWorld();
    const { apiKey, key } = await create(world, { permissions: ['jobs:read'] });
    await whoIs(world, key!);
    const events = world.client(key!).subscribe(sdk.OrganizationJobsDocument, {});
    await events.next();
    const admin = await world.as('Super admin');
    const revoke = async () => (await admin.request(sdk.RevokeApiKeyDocument, { input: { id: apiKey!.id } })).revokeApiKey.apiKey!.revokedAt;
    const revokedAt = await revoke();
    expect(revokedAt).not.toBeNull();
    expect(await revoke()).toBe(revokedAt);
    await expect(whoIs(world, key!)).rejects.toMatchObject(signedOut);
    await admin.request(sdk.TakeSnapshotDocument, { input: {} });
    await expect(events.next()).rejects.toMatchObject(signedOut);
    const other = await makeKey(world, 'jobs:read');
    await whoIs(world, other.key);
    await world.owner.query(`update api_key set expires_at = clock_timestamp() where id = $1`, [decodeId('ApiKey', other.id)]);
    await expect(whoIs(world, other.key)).rejects.toMatchObject(signedOut);
    const { rows } = await world.owner.query(`select action from action_log where action like 'key.%' and outcome = 'DONE' order by id`);
    expect(rows).toEqual([{ action: 'key.created' }, { action: 'key.revoked' }, { action: 'key.created' }]);
  });

  it('works from the networks that it is for, and from nowhere else', async () => {
    await using world = await createWorld();
    const near = await create(world, { addresses: ['192.0.2.0/24', '127.0.0.0/8'] });
    await whoIs(world, near.key!);
    for (const addresses of [['192.0.2.0/24'], ['2001:db8::/32', '::1'], ['127.0.0.2']])
      await expect(whoIs(world, (await create(world, { addresses })).key!)).rejects.toMatchObject(signedOut);
  });

  it('is not taken for another’s: a bit, an organization or an id exchanged make it none', async () => {
    await using world = await createWorld();
    const mine = await makeKey(world, 'contacts:read');
    const theirs = await makeKey(world, 'contacts:read', 'Hilltop Society');
    const bytes = Buffer.from(mine.key.slice(4), 'base64url');
    const others = Buffer.from(theirs.key.slice(4), 'base64url');
    const forged = [
      Buffer.concat([others.subarray(0, 16), bytes.subarray(16)]),
      Buffer.concat([bytes.subarray(0, 16), others.subarray(16, 32), bytes.subarray(32)]),
      Buffer.concat([bytes.subarray(0, 32), others.subarray(32)]),
      Buffer.concat([bytes.subarray(0, 63), Buffer.from([bytes[63]! ^ 1])]),
      bytes.subarray(0, 63),
      Buffer.concat([bytes, Buffer.alloc(1)]),
    ];
    for (const bent of forged) await expect(whoIs(world, `rik_${bent.toString('base64url')}`)).rejects.toMatchObject(signedOut);
    await expect(whoIs(world, 'rik_')).rejects.toMatchObject(signedOut);
    await expect(whoIs(world, `${mine.key}=`)).rejects.toMatchObject(signedOut);
    const { rows } = await world.owner.query('select 1 from api_key where last_used_at is not null');
    expect(rows).toEqual([]);
    await whoIs(world, mine.key);
  });
});

describe('an API key that is not let in', () => {
  /** What the log of an organization has of it. */
  const refusals = async (world: World, organization: OrganizationName = 'Riverside Club') => {
    const { actionLog } = await (await world.as('Super admin', organization)).request(sdk.ActionLogDocument, { filter: { action: 'key.refused' } });
    return actionLog.nodes.toReversed();
  };
  const forged = (key: string, at: number) => {
    const bytes = Buffer.from(key.slice(4), 'base64url');
    bytes[at]! ^= 1;
    return `rik_${bytes.toString('base64url')}`;
  };
  const turnedAway = (world: World, key: string) => expect(whoIs(world, key)).rejects.toMatchObject(signedOut);

  it('is in the log of its organization, with why, and reads to whoever came with it like any other', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const [wrong, revoked, expired] = [await makeKey(world, 'jobs:read'), await makeKey(world, 'jobs:read'), await makeKey(world, 'jobs:read')];
    const far = await create(world, { name: 'Far', addresses: ['192.0.2.0/24'] });
    await admin.request(sdk.RevokeApiKeyDocument, { input: { id: revoked.id } });
    await world.owner.query(`update api_key set expires_at = clock_timestamp() where id = $1`, [decodeId('ApiKey', expired.id)]);
    const answers = [];
    for (const key of [forged(wrong.key, 63), revoked.key, expired.key, far.key!, forged(wrong.key, 31)])
      answers.push(await whoIs(world, key).catch(({ code, message }: { code: string; message: string }) => ({ code, message })));
    expect(new Set(answers.map((one) => JSON.stringify(one))).size).toBe(1);
    expect(answers[0]).toMatchObject(signedOut);
    const seen = await refusals(world);
    expect(seen.map(({ actorKind, actorId, code, targetId, outcome }) => [actorKind, actorId, code, targetId, outcome])).toEqual(
      [
        [wrong.id, 'WRONG_SECRET'],
        [revoked.id, 'KEY_REVOKED'],
        [expired.id, 'KEY_EXPIRED'],
        [far.apiKey!.id, 'WRONG_NETWORK'],
      ].map(([id, code]) => ['API_KEY', id, code, id, 'REFUSED']),
    );
    expect(seen.map(({ address }) => address)).toEqual(seen.map(() => '127.0.0.1'));
    await whoIs(world, wrong.key);
  });

  it('is told once a minute for each reason, however many come at once and over whichever way', async () => {
    await using world = await createWorld();
    const { id, key } = await makeKey(world, 'log:read');
    const bad = Array.from({ length: 30 }, (_, index) => forged(key, 32 + index));
    await Promise.all(bad.map((one) => turnedAway(world, one)));
    await expect(world.client(bad[0]!).subscribe(sdk.OrganizationJobsDocument, {}).next()).rejects.toMatchObject(signedOut);
    expect((await refusals(world)).map(({ code }) => code)).toEqual(['WRONG_SECRET']);
    // Another process has told it: what the row says holds for all of them.
    const { exportActionLog } = await world.client(key).request(sdk.ExportActionLogDocument, { input: { format: 'CSV' } });
    await (await world.as('Super admin')).request(sdk.RevokeApiKeyDocument, { input: { id } });
    await world.owner.query(`update api_key set refused_at = refused_at || jsonb_build_object('KEY_REVOKED', clock_timestamp())`);
    const link = new URL(exportActionLog.path!, world.url);
    expect((await fetch(link)).status).toBe(403);
    expect(await refusals(world)).toHaveLength(1);
  });

  it('is told again after a minute, and when the link of a file is used with it', async () => {
    await using world = await createWorld();
    const { id, key } = await makeKey(world, 'log:read');
    const { exportActionLog } = await world.client(key).request(sdk.ExportActionLogDocument, { input: { format: 'CSV' } });
    await (await world.as('Super admin')).request(sdk.RevokeApiKeyDocument, { input: { id } });
    await world.owner.query(`update api_key set refused_at = jsonb_build_object('KEY_REVOKED', clock_timestamp() - interval '61 seconds')`);
    expect((await fetch(new URL(exportActionLog.path!, world.url))).status).toBe(403);
    expect((await refusals(world)).map(({ code, targetId }) => [code, targetId])).toEqual([['KEY_REVOKED', id]]);
  });

  it('is nowhere when there is no such key or organization', async () => {
    await using world = await createWorld();
    const { key } = await makeKey(world, 'jobs:read');
    await makeKey(world, 'jobs:read', 'Hilltop Society');
    for (const at of [15, 31]) await turnedAway(world, forged(key, at));
    expect([await refusals(world), await refusals(world, 'Hilltop Society')]).toEqual([[], []]);
    const { rows } = await world.owner.query(`select 1 from action_log where action = 'key.refused'`);
    expect(rows).toEqual([]);
  });

  it('is turned away with an error when that can’t be logged', async () => {
    await using world = await createWorld();
    const { key } = await makeKey(world, 'jobs:read');
    const server = new URL(world.app.database.url).username;
    await world.owner.query(`revoke insert on action_log from ${server}`);
    await expect(whoIs(world, forged(key, 40))).rejects.toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    await world.owner.query(`grant insert on action_log to ${server}`);
    await turnedAway(world, forged(key, 40));
    expect(await refusals(world)).toHaveLength(1);
  });
});
