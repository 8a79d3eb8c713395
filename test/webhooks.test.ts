// Webhooks: integrations are told of a recovery once, by whoever holds the secret, and by no way into a private network.
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import { syncBuiltinESMExports } from 'node:module';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { runOnce } from 'graphile-worker';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it, vi } from 'vitest';
import {
  ActionLogDocument,
  CreateWebhookEndpointDocument,
  DeleteWebhookEndpointDocument,
  SendTestEventDocument,
  WebhookEndpointDocument,
  WebhookEndpointsDocument,
  type WebhookEndpointQuery,
} from '../sdk/generated.ts';
import { mostEndpoints } from '../src/domain/webhooks.ts';
import { taskList } from '../src/jobs/worker.ts';
import { quietWorkerLogger } from '../src/migrate.ts';
import { isPublic, lookupPublic } from '../src/outbound.ts';
import { decodeId } from '../src/schema/common.ts';
import { deadlinesAgo, dump, meetDeadlines } from './erasing.ts';
import { deleteThem, fill, orderRecovery, pay, runJobs as runOnceThrough } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import type { OrganizationName } from './people.ts';
import { startProcess, until } from './processes.ts';

const local = { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_TIMEOUT_SECONDS: '1' };

/** A status, or something that is done with the answer. */
type Answer = number | ((response: ServerResponse) => void);

/** A real receiver. It gives its answers one after the other, and the last one from then on. */
class Receiver {
  readonly got: { path: string; headers: IncomingHttpHeaders; body: string }[] = [];
  readonly #server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request) body += String(part);
    this.got.push({ path: request.url!, headers: request.headers, body });
    const answer = this.answers.length > 1 ? this.answers.shift()! : this.answers[0]!;
    if (typeof answer === 'number') response.writeHead(answer).end();
    else answer(response);
  });

  constructor(readonly answers: Answer[]) {}

  static async open(...answers: [Answer, ...Answer[]]): Promise<Receiver> {
    const receiver = new Receiver(answers);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/events`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

const create = async (world: World, url: string, organization: OrganizationName = 'Riverside Club') =>
  (await (await world.as('Admin', organization)).request(CreateWebhookEndpointDocument, { input: { url, description: 'Newsletter tool' } }))
    .createWebhookEndpoint;

/** Registers an endpoint. @returns its id and what verifies its events */
async function register(world: World, url: string, organization?: OrganizationName): Promise<{ id: string; webhook: Webhook }> {
  const { webhookEndpoint, secret } = await create(world, url, organization);
  return { id: webhookEndpoint!.id, webhook: new Webhook(secret!) };
}

type Delivery = WebhookEndpointQuery['webhookEndpoint']['deliveries']['nodes'][number];

const deliveries = async (world: World, id: string): Promise<Delivery[]> =>
  (await (await world.as('Admin')).request(WebhookEndpointDocument, { id })).webhookEndpoint.deliveries.nodes;

const sendTest = async (world: World, endpointId: string) => (await world.as('Admin')).request(SendTestEventDocument, { input: { endpointId } });

/** Deletes all contacts and pays for their recovery, which is then queued. */
async function pending(world: World, contacts = 5): Promise<{ requestId: string; deletionId: string }> {
  await fill(world, contacts);
  const { deletion } = await deleteThem(world, { filter: {} });
  const { recoveryRequest } = await orderRecovery(world, deletion!.id);
  await pay(world, recoveryRequest!.invoice.id);
  return { requestId: recoveryRequest!.id, deletionId: deletion!.id };
}

/** Runs what is queued until nothing is due: a run may end before the one before it has given its queue back. */
const runJobs = (world: World) =>
  until('the jobs to be done', 30, async () => {
    await runOnceThrough(world);
    return (await world.owner.query('select 1 from graphile_worker._private_jobs where run_at <= now()')).rows.length === 0;
  });

/** Lets the next attempt be due now, and makes it. */
async function tryAgain(world: World): Promise<void> {
  await world.owner.query(`update webhook_delivery set next_attempt_at = now() where state = 'PENDING'`);
  await world.owner.query(`update graphile_worker._private_jobs set run_at = now()`);
  await runJobs(world);
}

describe('a webhook endpoint', () => {
  it('shows its secret once, and nobody finds it anywhere afterwards', async () => {
    await using world = await createWorld();
    const { webhookEndpoint, secret } = await create(world, 'https://hooks.example/events?team=7');
    expect(Buffer.from(/^whsec_(.+)$/.exec(secret!)![1]!, 'base64')).toHaveLength(32);
    expect(webhookEndpoint).toMatchObject({ url: 'https://hooks.example/events?team=7', description: 'Newsletter tool' });
    const [text, hex] = [secret!.slice('whsec_'.length), Buffer.from(secret!).toString('hex')];
    expect((await dump(world)).filter((line) => line.includes(text) || line.includes(hex))).toEqual([]);
    const other = await create(world, 'https://hooks.example/events?team=7');
    expect(other.secret).not.toBe(secret);
  });

  it('is listed for its own organization, removed, and both are logged', async () => {
    await using world = await createWorld();
    const { id } = await register(world, 'https://hooks.example/one');
    const { id: second } = await register(world, 'https://hooks.example/two');
    const { id: theirs } = await register(world, 'https://hooks.example/theirs', 'Hilltop Society');
    const admin = await world.as('Admin');
    const listed = async () => (await admin.request(WebhookEndpointsDocument, {})).webhookEndpoints.nodes.map((node) => node.id);
    expect(await listed()).toEqual([second, id]);
    await expect(admin.request(DeleteWebhookEndpointDocument, { input: { id: theirs } })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { deleteWebhookEndpoint } = await admin.request(DeleteWebhookEndpointDocument, { input: { id } });
    expect(deleteWebhookEndpoint).toEqual({ deletedId: id, userErrors: [] });
    expect(await listed()).toEqual([second]);
    await expect(admin.request(WebhookEndpointDocument, { id })).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { actionLog } = await admin.request(ActionLogDocument, { filter: { targetId: id } });
    expect(actionLog.nodes.map(({ action }) => action)).toEqual(['webhook.deleted', 'webhook.created']);
  });

  it('is one of ten at most, also when the last is registered twice at once', async () => {
    await using world = await createWorld();
    for (let number = 1; number < mostEndpoints; number++) await register(world, `https://hooks.example/${number}`);
    const both = await Promise.all([create(world, 'https://hooks.example/last'), create(world, 'https://hooks.example/last')]);
    const codes = both.map(({ secret, userErrors }) => userErrors[0]?.code ?? Boolean(secret));
    expect(codes.toSorted()).toEqual(['TOO_MANY_ENDPOINTS', true]);
    const full = await create(world, 'https://hooks.example/more');
    expect(full).toMatchObject({ webhookEndpoint: null, secret: null, userErrors: [{ code: 'TOO_MANY_ENDPOINTS' }] });
  });

  const refused: [code: string, ...urls: string[]][] = [
    ['VALUE_MISSING', '', '   '],
    ['VALUE_TOO_LONG', `https://hooks.example/${'x'.repeat(2000)}`],
    ['INVALID_URL', 'hooks.example', 'ftp://hooks.example/', 'javascript:alert(1)', 'https://', 'https://256.1.1.1/', 'file:///etc/passwd'],
    ['CREDENTIALS_IN_URL', 'https://user:secret@hooks.example/', 'https://user@hooks.example/', 'https://:secret@hooks.example/'],
    ['INSECURE_URL', 'http://hooks.example/', 'http://127.0.0.1/'],
    [
      'PRIVATE_ADDRESS',
      ...(
        '127.0.0.1 127.1 2130706433 0x7f.0.0.1 0177.0.0.1 127.0.0.1. 0.0.0.0 0 10.1.2.3 172.31.0.1 192.168.1.1:8443 169.254.169.254/latest 100.64.0.1 224.0.0.1 255.255.255.255 １２７.0.0.1 ' +
        '[::1] [::] [::127.0.0.1] [::ffff:127.0.0.1] [::ffff:0:10.0.0.1] [fe80::1] [fd00::1] [ff02::1] [64:ff9b::7f00:1] [2002:7f00:1::] [2001:0:1::]'
      )
        .split(' ')
        .map((host) => `https://${host}/`),
    ],
  ];
  it.each(refused)('is refused with %s and a sentence that says what to do', async (code, ...urls) => {
    await using world = await createWorld();
    for (const url of urls) {
      const { webhookEndpoint, secret, userErrors } = await create(world, url);
      expect([url, webhookEndpoint, secret, userErrors.map((error) => error.code)]).toEqual([url, null, null, [code]]);
      expect(userErrors[0]!.path).toEqual(['input', 'url']);
      expect(userErrors[0]!.message).toMatch(/Nothing was (added|changed)\. .{5,}\.$/);
    }
  });
});

describe('a recovery', () => {
  it('is told to every endpoint of its organization once, signed, with ids and counts and nothing else', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(204);
    await using other = await Receiver.open(200);
    const { id, webhook } = await register(world, receiver.url);
    const { webhook: otherWebhook } = await register(world, other.url);
    await register(world, receiver.url, 'Hilltop Society');
    const { requestId, deletionId } = await pending(world);
    expect(await deliveries(world, id)).toEqual([]);
    await runJobs(world);
    expect([receiver.got.length, other.got.length]).toEqual([1, 1]);
    const [{ headers, body, path }] = receiver.got as [(typeof receiver.got)[number]];
    expect(webhook.verify(body, headers as Record<string, string>)).toEqual({
      id: decodeId('RecoveryRequest', requestId),
      type: 'contacts.recovered',
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as string,
      data: {
        recoveryRequestId: requestId,
        deletionIds: [deletionId],
        snapshotId: null,
        counts: { restored: 5, merged: 0, replaced: 0, skipped: 0 },
      },
    });
    expect(path).toBe('/events');
    expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': decodeId('RecoveryRequest', requestId) });
    expect(headers['user-agent']).toMatch(/^reinstate\/\d+\.\d+\.\d+$/);
    expect(() => otherWebhook.verify(body, headers as Record<string, string>)).toThrow('No matching signature');
    expect(other.got[0]!.body).toBe(body);
    const [delivery] = await deliveries(world, id);
    expect(delivery).toMatchObject({ event: 'contacts.recovered', state: 'DELIVERED', attempts: 1, lastStatus: 204, failure: null, nextAttemptAt: null });
    expect(delivery!.eventId).toBe(headers['webhook-id']);
    expect(Date.parse(delivery!.finishedAt!)).toBeGreaterThanOrEqual(Date.parse(delivery!.createdAt));
  });

  it('that brings nothing back is told to nobody', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(200);
    const { id } = await register(world, receiver.url);
    const { requestId } = await pending(world, 1);
    await world.owner.query(`insert into contact (organization_id, id, sort_name, search_text)
      select k.organization_id, unnest(s.contact_ids), 'x', 'x' from recovery_chunk k join snapshot_chunk s on s.snapshot_id = k.snapshot_id`);
    await runJobs(world);
    const { rows } = await world.owner.query('select state from recovery_request where id = $1', [decodeId('RecoveryRequest', requestId)]);
    expect([rows, receiver.got, await deliveries(world, id)]).toEqual([[{ state: 'FAILED' }], [], []]);
  });

  it('and its event commit in one transaction, with the job that sends it', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(200);
    await register(world, receiver.url);
    await pending(world);
    const { RECOVER_CONTACTS } = taskList(world.app, new AbortController().signal);
    await runOnce({ pgPool: world.app.database.pool, taskList: { RECOVER_CONTACTS: RECOVER_CONTACTS! }, logger: quietWorkerLogger, noHandleSignals: true });
    const { rows } = await world.owner.query(`
      select r.state, d.state as delivery, r.xmin::text = d.xmin::text and d.xmin::text = j.xmin::text as together
      from recovery_request r, webhook_delivery d, graphile_worker._private_jobs j where j.payload ->> 'deliveryId' = d.id::text`);
    expect(rows).toEqual([{ state: 'COMPLETED', delivery: 'PENDING', together: true }]);
    await Promise.all([runJobs(world), runJobs(world)]);
    expect(receiver.got).toHaveLength(1);
  });

  it('is told although the worker that was telling it was killed, under the same id', { timeout: 90_000 }, async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(() => {}, 200);
    const { id, webhook } = await register(world, receiver.url);
    await pending(world);
    const settings = { WEBHOOK_ALLOW_PRIVATE: 'true', WEBHOOK_TIMEOUT_SECONDS: '60', WORKER_SILENCE_SECONDS: '1' };
    {
      await using worker = await startProcess(world, 'worker', settings);
      await until('the event', 30, () => receiver.got.length === 1);
      await worker.end('SIGKILL');
    }
    expect(await deliveries(world, id)).toMatchObject([{ state: 'PENDING', attempts: 0 }]);
    await using worker = await startProcess(world, 'worker', settings);
    await until('the delivery', 60, async () => (await deliveries(world, id))[0]!.state === 'DELIVERED');
    await worker.end('SIGTERM');
    expect(receiver.got.map(({ headers }) => headers['webhook-id'])).toEqual([receiver.got[0]!.headers['webhook-id'], receiver.got[0]!.headers['webhook-id']]);
    for (const { body, headers } of receiver.got) webhook.verify(body, headers as Record<string, string>);
  });
});

describe('a deadline', () => {
  it('that is near is told to every endpoint of its organization, once for 7 days and once for 1 day', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(200);
    const { webhook } = await register(world, receiver.url);
    await using stranger = await Receiver.open(200);
    await register(world, stranger.url, 'Hilltop Society');
    await fill(world, 3);
    const { deletion } = await deleteThem(world, { filter: {} });
    for (const ahead of ['8 days', '6 days', '5 days', '1 hour', '30 minutes']) {
      await deadlinesAgo(world, `-${ahead}`);
      await meetDeadlines(world);
      await runJobs(world);
    }
    const told = receiver.got.map(({ body, headers }) => webhook.verify(body, headers as Record<string, string>) as { type: string; data: object });
    expect(told.map(({ type, data }) => [type, data])).toEqual(
      [7, 1].map((daysBefore) => [
        'deletion.deadline_near',
        { deletionId: deletion!.id, daysBefore, contactCount: 3, recoverableUntil: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/) },
      ]),
    );
    expect(new Set(receiver.got.map(({ headers }) => headers['webhook-id'])).size).toBe(2);
    expect(stranger.got).toEqual([]);
  });
});

describe('a delivery', () => {
  it('that was refused is sent again, as the same event, until it is taken', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(500, 200);
    const { id, webhook } = await register(world, receiver.url);
    await pending(world);
    await runJobs(world);
    const [refused] = await deliveries(world, id);
    expect(refused).toMatchObject({ state: 'PENDING', attempts: 1, lastStatus: 500, finishedAt: null });
    expect(refused!.failure).toContain('status 500');
    expect(Date.parse(refused!.nextAttemptAt!) - Date.parse(refused!.lastAttemptAt!)).toBe(10_000);
    // Its time has not come, whoever asks.
    await world.owner.query(`update graphile_worker._private_jobs set run_at = now()`);
    await runJobs(world);
    expect(receiver.got).toHaveLength(1);
    await world.owner.query(`update webhook_delivery set next_attempt_at = now()`);
    await world.owner.query(
      `select graphile_worker.add_job('send_webhook', json_build_object('organizationId', organization_id, 'deliveryId', id), 'webhooks/' || organization_id) from webhook_delivery, generate_series(1, 3)`,
    );
    await Promise.all([runJobs(world), runJobs(world)]);
    expect(await deliveries(world, id)).toMatchObject([{ state: 'DELIVERED', attempts: 2, lastStatus: 200, failure: null }]);
    const [first, second, ...more] = receiver.got;
    expect(more).toEqual([]);
    expect([second!.headers['webhook-id'], second!.body]).toEqual([first!.headers['webhook-id'], first!.body]);
    for (const { body, headers } of receiver.got) webhook.verify(body, headers as Record<string, string>);
  });

  it('is given up after eight attempts, each after a longer wait than the one before', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(503);
    const { id } = await register(world, receiver.url);
    await pending(world);
    await runJobs(world);
    const waits: number[] = [];
    for (let [delivery] = await deliveries(world, id); delivery!.state === 'PENDING'; [delivery] = await deliveries(world, id)) {
      waits.push((Date.parse(delivery!.nextAttemptAt!) - Date.parse(delivery!.lastAttemptAt!)) / 1000);
      await tryAgain(world);
    }
    expect(waits).toEqual([10, 50, 250, 1250, 6250, 31_250, 156_250]);
    expect(await deliveries(world, id)).toMatchObject([{ state: 'FAILED', attempts: 8, lastStatus: 503, nextAttemptAt: null }]);
    expect(receiver.got).toHaveLength(8);
    const { rows } = await world.owner.query('select 1 from graphile_worker._private_jobs');
    expect(rows).toEqual([]);
  });

  it('of a test is sent once, and told as it went', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(200, 404);
    const { id, webhook } = await register(world, receiver.url);
    const { sendTestEvent } = await sendTest(world, id);
    expect(sendTestEvent).toMatchObject({ delivery: { event: 'webhook.test', state: 'PENDING', attempts: 0 }, userErrors: [] });
    await runJobs(world);
    expect(webhook.verify(receiver.got[0]!.body, receiver.got[0]!.headers as Record<string, string>)).toMatchObject({ type: 'webhook.test', data: {} });
    await sendTest(world, id);
    await runJobs(world);
    expect(await deliveries(world, id)).toMatchObject([
      { state: 'FAILED', attempts: 1, lastStatus: 404 },
      { state: 'DELIVERED', attempts: 1, lastStatus: 200 },
    ]);
  });

  it('to an endpoint that hangs, closes or can’t be reached is told as what it is', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(
      () => {},
      (response) => response.socket!.destroy(),
    );
    const { id } = await register(world, receiver.url);
    const { id: nowhere } = await register(world, 'http://127.0.0.1:1/');
    for (const one of [id, id, nowhere]) {
      await sendTest(world, one);
      await runJobs(world);
    }
    expect(await deliveries(world, id)).toMatchObject([
      { state: 'FAILED', lastStatus: null, failure: 'It could not be reached (ECONNRESET).' },
      { state: 'FAILED', lastStatus: null, failure: expect.stringContaining('did not answer within 1 second') as string },
    ]);
    expect(await deliveries(world, nowhere)).toMatchObject([{ state: 'FAILED', lastStatus: null, failure: 'It could not be reached (ECONNREFUSED).' }]);
  });

  it('follows no redirect', async () => {
    await using world = await createWorld({ settings: local });
    await using target = await Receiver.open(200);
    await using receiver = await Receiver.open((response) => response.writeHead(307, { location: target.url }).end());
    const { id } = await register(world, receiver.url);
    await sendTest(world, id);
    await runJobs(world);
    expect(await deliveries(world, id)).toMatchObject([{ state: 'FAILED', lastStatus: 307 }]);
    expect([receiver.got.length, target.got.length]).toEqual([1, 0]);
  });

  it('reads nothing of an answer but its status, and hangs up', async () => {
    await using world = await createWorld({ settings: local });
    let hungUp = false;
    await using receiver = await Receiver.open((response) => {
      response.writeHead(200).write('x');
      response.on('close', () => (hungUp = true));
    });
    const { id } = await register(world, receiver.url);
    await sendTest(world, id);
    await runJobs(world);
    expect(await deliveries(world, id)).toMatchObject([{ state: 'DELIVERED', lastStatus: 200 }]);
    await until('the end of the connection', 10, () => hungUp);
  });

  it('is not sent once its endpoint is gone', async () => {
    await using world = await createWorld({ settings: local });
    await using receiver = await Receiver.open(200);
    const { id } = await register(world, receiver.url);
    await sendTest(world, id);
    await (await world.as('Admin')).request(DeleteWebhookEndpointDocument, { input: { id } });
    await runJobs(world);
    const { rows } = await world.owner.query('select 1 from webhook_delivery union all select 1 from graphile_worker._private_jobs');
    expect([receiver.got, rows]).toEqual([[], []]);
  });
});

describe('nothing is sent', () => {
  it('to a private address, whether it is named, written down, or what a name leads to', async () => {
    await using world = await createWorld();
    let connections = 0;
    await using server = createTcpServer((socket) => socket.destroy(void connections++));
    server.listen(0, 'localhost');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const { id } = await register(world, `https://localhost:${port}/`);
    const urls = [
      `https://localhost:${port}/`,
      `https://127.0.0.1:${port}/`,
      `https://[::1]:${port}/`,
      `https://[::ffff:127.0.0.1]:${port}/`,
      `http://localhost:${port}/`,
    ];
    for (const url of urls) {
      // As it stands once the settings or the name have changed since it was registered.
      await world.owner.query('update webhook_endpoint set url = $1', [url]);
      await sendTest(world, id);
      await runJobs(world);
      const [delivery] = await deliveries(world, id);
      expect([url, delivery!.state, delivery!.lastStatus, delivery!.failure]).toEqual([url, 'FAILED', null, expect.stringContaining('public address')]);
    }
    expect(connections).toBe(0);
  });

  it('to the private ones of a name’s addresses', async () => {
    const addresses = ['10.0.0.1', '8.8.8.8', '::1', '2606:4700::1111'].map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const spy = vi
      .spyOn(dns, 'lookup')
      .mockImplementation(((_name: string, _options: object, told: (error: null, all: object) => void) =>
        told(null, addresses)) as unknown as typeof dns.lookup);
    syncBuiltinESMExports();
    const answer = (all: boolean) => new Promise((resolve) => lookupPublic('hooks.example', { all }, (_error, ...told) => resolve(told)));
    try {
      expect(await answer(true)).toEqual([[addresses[1], addresses[3]]]);
      expect(await answer(false)).toEqual(['8.8.8.8', 4]);
    } finally {
      spy.mockRestore();
      syncBuiltinESMExports();
    }
  });

  it('to what is not on the public internet, whatever it looks like', () => {
    const closed =
      '0.0.0.0 0.1.2.3 10.255.255.255 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254 172.16.0.1 172.31.255.255 192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 64:ff9b::808:808 100::1 2001::1 2001:1ff:ffff:: 2001:db8::1 2002:808:808:: 3fff::1 4000::1 5f00::1 fc00::1 fdff::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 localhost 1 ';
    const open =
      '1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.1 100.63.255.255 100.128.0.1 126.0.0.1 172.15.0.1 172.32.0.1 192.167.1.1 198.20.0.1 223.255.255.255 2001:200::1 2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450::1 3ffe::1';
    expect(closed.split(' ').filter(isPublic)).toEqual([]);
    expect(open.split(' ').filter((address) => !isPublic(address))).toEqual([]);
  });
});
