// Where snapshots are kept: a real directory and a real S3 server, through everything that can go wrong with them. Whatever
// it is, nothing is deleted without its snapshot.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { createClient, type ReinstateError } from '../sdk/client.ts';
import { ContactDeletionPreviewDocument, DeleteContactsDocument, DeletionDocument, RecoveryPlanDocument, RecoveryRequestDocument } from '../sdk/generated.ts';
import { readConfig } from '../src/config.ts';
import { StartupError } from '../src/errors.ts';
import { sql } from '../src/sql.ts';
import { openStore } from '../src/snapshots/stores/open.ts';
import { sweepBodies } from '../src/snapshots/stores/sweep.ts';
import { contactId, deleteThem, everything, fill, liveIds, orderRecovery, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { startProcess, until } from './processes.ts';
import { type Fault, flipped, startS3 } from './s3-server.ts';
import { filesOf, inDirectory, type Place } from './stores.ts';

/** Several chunks of few contacts; more than five contacts are a job. */
const small = { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5', STORE_TIMEOUT_SECONDS: '2' };

async function inS3(): Promise<Place> {
  const server = await startS3();
  const files = async () => (await filesOf(server.directory)).filter((path) => path.endsWith('_object'));
  return { settings: server.settings, root: server.directory, files, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const places: Record<string, () => Promise<Place>> = { 'a directory': inDirectory, S3: inS3 };

/** Makes all bodies that are kept as old as if they had been made then; in milliseconds by the database clock. */
async function dateBodies(world: World, { root }: Place, madeAt: number): Promise<void> {
  for (const path of await filesOf(root)) await rename(path, join(dirname(path), basename(path).replace(/-\d{13}-/, `-${madeAt}-`)));
  await world.owner.query(`update snapshot_chunk_body set location = regexp_replace(location, '-\\d{13}-', $1)`, [`-${madeAt}-`]);
}

/** What the rows say of where bodies lie. */
async function bodies(world: World): Promise<{ store: string; location: string | null; inside: boolean }[]> {
  const { rows } = await world.owner.query('select store, location, body is not null as inside from snapshot_chunk_body order by snapshot_id, number');
  return rows;
}

/** Orders, pays and carries out the recovery of a deletion; `meanwhile` happens after the order. @returns what the API tells of it */
async function recover(world: World, deletionId: string, idempotencyKey = deletionId, meanwhile: () => unknown = () => undefined) {
  const { recoveryRequest } = await orderRecovery(world, deletionId, idempotencyKey);
  await meanwhile();
  await pay(world, recoveryRequest!.invoice.id);
  await runJobs(world);
  const admin = await world.as('Super admin');
  return (await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id })).recoveryRequest;
}

/** The code that a plan is refused with. */
const refusedPlan = async (world: World, deletionId: string): Promise<string> =>
  (await world.as('Super admin')).request(RecoveryPlanDocument, { input: whole(deletionId) }).then(
    () => 'NONE',
    (error: ReinstateError) => error.code,
  );

const atOnce = async (world: World) => deleteThem(world, { contactIds: (await liveIds(world)).slice(0, 4).map(contactId) });

describe.each(Object.entries(places))('with snapshots in %s', (_name, place) => {
  it('everything that was deleted comes back, and nothing of it lay in the database', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    await fill(world, 23);
    const before = await everything(world);
    const { deletion: first } = await atOnce(world);
    const { deletion: second } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    expect(await liveIds(world)).toEqual([]);
    const rows = await bodies(world);
    expect(rows).toHaveLength(5);
    expect(rows.every(({ store, inside }) => store === kept.settings['SNAPSHOT_STORE']!.toUpperCase() && !inside)).toBe(true);
    expect(await kept.files()).toHaveLength(5);
    for (const { id } of [first!, second!]) expect(await recover(world, id)).toMatchObject({ state: 'COMPLETED', conflictCount: 0 });
    expect(await everything(world)).toEqual(before);
  });

  it('what lies there tells nothing of the people in it', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    await fill(world, 4);
    const { rows: people } = await world.owner.query<{ email: string }>('select email from contact');
    await atOnce(world);
    const [file] = await kept.files();
    const body = await readFile(file!);
    expect(body.length).toBeGreaterThan(500);
    for (const { email } of people) expect(body.includes(email)).toBe(false);
  });

  it.each([
    ['altered', (path: string) => readFile(path).then((body) => writeFile(path, flipped(body)))],
    ['cut off', (path: string) => readFile(path).then((body) => writeFile(path, body.subarray(0, -20)))],
    ['lost', (path: string) => rm(path)],
  ])('a body that was %s there is refused by its name, and the fee goes back', async (_how, damage) => {
    await using kept = await place();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    await fill(world, 4);
    const { deletion } = await atOnce(world);
    const [file] = await kept.files();
    const ended = await recover(world, deletion!.id, undefined, () => damage(file!));
    expect(ended).toMatchObject({ state: 'FAILED', restoredCount: 0, failure: { code: 'SNAPSHOT_DAMAGED' }, invoice: { state: 'REFUNDED' } });
    expect(ended.failure!.message).toMatch(/^Chunk 1 of snapshot [0-9a-f-]{36} is damaged: /);
    expect(await refusedPlan(world, deletion!.id)).toBe('SNAPSHOT_DAMAGED');
    expect(await liveIds(world)).toEqual([]);
  });

  it('a body that is put in the place of another replaces it when the transaction commits, and not when it rolls back', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    const { store, database } = world.app;
    const [organizationId, snapshotId] = [world.organizationId(), '01890000-0000-7000-8000-00000000beef'];
    const [one, two, three] = [randomBytes(1000), randomBytes(2000), randomBytes(3000)];
    const get = () => database.transact(organizationId, (tx) => store.get(tx, snapshotId, 1));
    await database.transact(organizationId, (tx) => store.put(tx, snapshotId, 1, one));
    await expect(
      database.transact(organizationId, async (tx) => {
        await store.put(tx, snapshotId, 1, two);
        expect(await store.get(tx, snapshotId, 1)).toEqual(two);
        throw new Error('Undone.');
      }),
    ).rejects.toThrow('Undone.');
    await runJobs(world);
    expect(await get()).toEqual(one);
    await database.transact(organizationId, (tx) => store.put(tx, snapshotId, 1, three));
    expect(await get()).toEqual(three);
    // The orphan of the transaction that rolled back, and what was replaced until a worker comes by.
    expect(await kept.files()).toHaveLength(3);
    await runJobs(world);
    expect(await kept.files()).toHaveLength(2);
    expect(await get()).toEqual(three);
  });

  it('a body goes only after the transaction that removes it has committed', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    const { store, database } = world.app;
    const [organizationId, snapshotId] = [world.organizationId(), '01890000-0000-7000-8000-00000000beef'];
    await database.transact(organizationId, async (tx) => {
      for (const number of [1, 2]) await store.put(tx, snapshotId, number, randomBytes(100));
    });
    await expect(
      database.transact(organizationId, async (tx) => {
        await store.remove(tx, snapshotId, [1, 2]);
        throw new Error('Undone.');
      }),
    ).rejects.toThrow('Undone.');
    await runJobs(world);
    expect(await kept.files()).toHaveLength(2);
    await database.transact(organizationId, async (tx) => {
      await store.remove(tx, snapshotId, [1, 3]);
      await runJobs(world);
      expect(await kept.files()).toHaveLength(2);
    });
    await runJobs(world);
    expect(await kept.files()).toHaveLength(1);
    expect(await database.transact(organizationId, (tx) => store.get(tx, snapshotId, 1))).toBeUndefined();
    expect(await database.transact(organizationId, (tx) => store.get(tx, snapshotId, 2))).toHaveLength(100);
  });

  it('the sweep removes old orphans, and nothing that is young or that the database knows', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    const { store, database } = world.app;
    const [organizationId, snapshotId] = [world.organizationId(), '01890000-0000-7000-8000-00000000beef'];
    await database.transact(organizationId, (tx) => store.put(tx, snapshotId, 1, randomBytes(100)));
    const orphan = async () => {
      const tx = await database.begin(organizationId);
      await store.put(tx, snapshotId, 2, randomBytes(100));
      await database.end(tx, 'ROLLBACK');
    };
    await orphan();
    const removedWhile = await database.transact(organizationId, async (tx) => {
      const { began } = (await tx.row<{ began: number }>(sql`select floor(extract(epoch from transaction_timestamp()) * 1000)::bigint as began`))!;
      // An hour old as soon as the clock goes on, but younger than an hour before this transaction, which may be the one that wrote it.
      await dateBodies(world, kept, began - 3_600_000 + 1);
      await until('the clock to go on', 1, () => performance.timeOrigin + performance.now() > began + 20);
      return sweepBodies(world.app, organizationId);
    });
    expect(removedWhile).toBe(0);
    await orphan();
    expect(await kept.files()).toHaveLength(3);
    expect(await sweepBodies(world.app, organizationId)).toBe(1);
    expect(await sweepBodies(world.app, organizationId)).toBe(0);
    expect(await kept.files()).toHaveLength(2);
    expect(await database.transact(organizationId, (tx) => store.get(tx, snapshotId, 1))).toHaveLength(100);
  });
});

/** Deletes four contacts while the store is broken, and again when it is mended; recovers them. Tells what came of it. */
async function deleteWhileBroken(world: World, breakIt: () => unknown, mendIt: () => unknown) {
  await fill(world, 4);
  const before = JSON.stringify(await everything(world));
  const isAsBefore = async () => JSON.stringify(await everything(world)) === before;
  await breakIt();
  const answer = await atOnce(world);
  const { rowCount: deletions } = await world.owner.query('select 1 from deletion');
  const whileBroken = { answer, isAsBefore: await isAsBefore(), deletions, bodies: (await bodies(world)).length };
  await mendIt();
  const { deletion } = await atOnce(world);
  const { state, restoredCount } = await recover(world, deletion!.id);
  return { whileBroken, mended: { state, restoredCount, isAsBefore: await isAsBefore() } };
}

/** The deletion was refused, changed nothing and left nothing; when the store was mended it was done. */
const nothingDeleted = (why: string) => ({
  whileBroken: {
    answer: {
      deletion: null,
      userErrors: [
        {
          code: 'SNAPSHOT_STORE_UNAVAILABLE',
          message: `The snapshot store can’t be used: ${why}. Nothing is deleted or changed without its snapshot, so what was not yet done was left as it was. Try again; if it stays so, tell the operator.`,
          path: [],
        },
      ],
    },
    isAsBefore: true,
    deletions: 0,
    bodies: 0,
  },
  mended: { state: 'COMPLETED', restoredCount: 4, isAsBefore: true },
});

describe('nothing is deleted when the directory', async () => {
  /** A disk of its own, of 64 kB. @throws where we may not mount one */
  async function smallDisk() {
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-disk-'));
    const mount = (...options: string[]) => execFileSync('mount', [...options, directory], { stdio: 'ignore' });
    mount('-t', 'tmpfs', '-o', 'size=64k', 'tmpfs');
    return {
      directory,
      remount: (how: string) => mount('-o', `remount,${how}`),
      async [Symbol.asyncDispose]() {
        execFileSync('umount', [directory]);
        await rm(directory, { recursive: true });
      },
    };
  }

  const mayMount = await smallDisk().then(
    (disk) => disk[Symbol.asyncDispose]().then(() => true),
    () => false,
  );

  it.skipIf(!mayMount)('is full', async () => {
    await using disk = await smallDisk();
    await using world = await createWorld({ settings: { ...small, SNAPSHOT_STORE: 'directory', SNAPSHOT_DIRECTORY: disk.directory } });
    const filler = join(disk.directory, 'filler');
    const fillUp = () => execFileSync('sh', ['-c', `cat /dev/zero > '${filler}' || true`], { stdio: 'ignore' });
    expect(await deleteWhileBroken(world, fillUp, () => rm(filler))).toEqual(nothingDeleted('it is full'));
    expect((await filesOf(disk.directory)).filter((path) => path.endsWith('.part'))).toEqual([]);
  });

  it.skipIf(!mayMount)('is on a disk that has become read-only', async () => {
    await using disk = await smallDisk();
    await using world = await createWorld({ settings: { ...small, SNAPSHOT_STORE: 'directory', SNAPSHOT_DIRECTORY: disk.directory } });
    expect(
      await deleteWhileBroken(
        world,
        async () => disk.remount('ro'),
        async () => disk.remount('rw'),
      ),
    ).toEqual(nothingDeleted('it does not let us in'));
  });

  it('is gone: it is not made anew where its disk should be', async () => {
    await using kept = await inDirectory();
    await using world = await createWorld({ settings: { ...small, ...kept.settings } });
    expect(
      await deleteWhileBroken(
        world,
        () => rm(kept.root, { recursive: true }),
        () => mkdir(kept.root),
      ),
    ).toEqual(nothingDeleted('it can’t be reached'));
  });
});

describe('nothing is deleted when the S3 server', () => {
  const putting: (fault: Fault) => Fault = (fault) => (asked, pass, answer, body) => (asked.method === 'PUT' ? fault(asked, pass, answer, body) : pass());
  const refusal = (status: number, code: string): Fault =>
    putting(
      (_asked, _pass, answer) =>
        void answer.writeHead(status, { 'content-type': 'application/xml' }).end(`<Error><Code>${code}</Code><Message>No</Message></Error>`),
    );

  const faults: Record<string, [fault: Fault, why: string]> = {
    'is full': [refusal(507, 'XMinioStorageFull'), 'it is full'],
    'refuses us': [refusal(403, 'AccessDenied'), 'it does not let us in'],
    'does not answer': [() => {}, 'it did not answer within 2 seconds'],
    'cuts the connection': [(_asked, _pass, answer) => void answer.socket!.destroy(), 'it can’t be reached'],
    'says yes and keeps nothing': [putting((_asked, _pass, answer) => void answer.writeHead(200, { etag: '"0"' }).end()), 'it did not keep what it was given'],
    'keeps other bytes': [putting((_asked, pass, _answer, body) => pass(flipped(body))), 'it gave back other bytes than it was given'],
    'keeps less': [
      putting((asked, pass, _answer, body) => {
        const less = body.subarray(0, -1);
        asked.headers['content-length'] = String(less.length);
        return pass(less);
      }),
      'it gave back other bytes than it was given',
    ],
  };
  for (const [how, [fault, why]] of Object.entries(faults))
    it(`${how}`, async () => {
      await using server = await startS3();
      await using world = await createWorld({ settings: { ...small, ...server.settings } });
      expect(
        await deleteWhileBroken(
          world,
          async () => (server.proxy.fault = fault),
          async () => (server.proxy.fault = undefined),
        ),
      ).toEqual(nothingDeleted(why));
    });

  it('does not answer for a moment only: the client tries again', async () => {
    await using server = await startS3();
    await using world = await createWorld({ settings: { ...small, ...server.settings } });
    await fill(world, 4);
    let cuts = 0;
    server.proxy.fault = (_asked, pass, answer) => (cuts++ < 1 ? void answer.socket!.destroy() : pass());
    expect(await atOnce(world)).toMatchObject({ deletion: { contactCount: 4 }, userErrors: [] });
  });

  it.concurrent('goes away during a large deletion: what was removed can be recovered, the rest stays, and the job says so', { timeout: 120_000 }, async () => {
    await using server = await startS3();
    await using world = await createWorld({ settings: { ...small, ...server.settings } });
    await fill(world, 20);
    const before = await everything(world);
    let puts = 0;
    server.proxy.fault = putting((_asked, pass, answer) => (puts++ < 2 ? pass() : void answer.socket!.destroy()));
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const admin = await world.as('Super admin');
    const { deletion: ended } = await admin.request(DeletionDocument, { id: deletion!.id });
    expect(ended).toMatchObject({ contactCount: 10, job: { state: 'FAILED', failure: { code: 'SNAPSHOT_STORE_UNAVAILABLE' } } });
    expect(await liveIds(world)).toHaveLength(10);
    server.proxy.fault = undefined;
    expect(await recover(world, deletion!.id)).toMatchObject({ state: 'COMPLETED', restoredCount: 10 });
    expect(await everything(world)).toEqual(before);
  });
});

describe('reading from S3', () => {
  it.concurrent('while it is away for long, a recovery is given up and refunded, and can be ordered again', { timeout: 120_000 }, async () => {
    await using server = await startS3();
    await using world = await createWorld({ settings: { ...small, ...server.settings } });
    await fill(world, 4);
    const before = await everything(world);
    const { deletion } = await atOnce(world);
    const goAway = () => (server.proxy.fault = (_asked, _pass, answer) => void answer.socket!.destroy());
    expect(await recover(world, deletion!.id, undefined, goAway)).toMatchObject({
      state: 'FAILED',
      failure: { code: 'SNAPSHOT_STORE_UNAVAILABLE' },
      invoice: { state: 'REFUNDED' },
    });
    server.proxy.fault = undefined;
    expect(await recover(world, deletion!.id, 'a-second-order')).toMatchObject({ state: 'COMPLETED', restoredCount: 4 });
    expect(await everything(world)).toEqual(before);
  });

  it('what is altered on its way is refused by its name', async () => {
    await using server = await startS3();
    await using world = await createWorld({ settings: { ...small, ...server.settings } });
    await fill(world, 4);
    const { deletion } = await atOnce(world);
    const alter = () => (server.proxy.alterAnswers = true);
    expect(await recover(world, deletion!.id, undefined, alter)).toMatchObject({
      state: 'FAILED',
      failure: { code: 'SNAPSHOT_DAMAGED' },
      invoice: { state: 'REFUNDED' },
    });
  });

  it('while it is away, plans are refused with a code of their own', async () => {
    await using server = await startS3();
    await using world = await createWorld({ settings: { ...small, ...server.settings } });
    await fill(world, 4);
    const { deletion } = await atOnce(world);
    server.proxy.fault = (_asked, _pass, answer) => void answer.socket!.destroy();
    const admin = await world.as('Super admin');
    await expect(admin.request(RecoveryPlanDocument, { input: whole(deletion!.id) })).rejects.toMatchObject({ code: 'SNAPSHOT_STORE_UNAVAILABLE' });
    server.proxy.fault = undefined;
    const { recoveryPlan } = await admin.request(RecoveryPlanDocument, { input: whole(deletion!.id) });
    expect(recoveryPlan.contactCount).toBe(4);
  });
});

describe('writing to S3', () => {
  it('large bodies go in parts, each with its SHA-256, and come back whole', async () => {
    await using server = await startS3();
    const store = await openStore(readConfig({ ...server.settings, S3_PART_MEGABYTES: '5' }));
    const [s3] = store.outside;
    server.proxy.seen.length = 0;
    const body = randomBytes(12 * 1024 * 1024);
    const name = `${'0'.repeat(8)}/large-1-1700000000000-${'a'.repeat(16)}`;
    const { signal } = new AbortController();
    await s3!.put(name, body, signal);
    const parts = server.proxy.seen.filter(({ method }) => method === 'PUT');
    expect(parts).toHaveLength(3);
    for (const { headers } of parts) expect(headers['x-amz-checksum-sha256']).toMatch(/^[A-Za-z0-9+/]{43}=$/);
    expect((await s3!.get(name, signal))!.equals(body)).toBe(true);
    server.proxy.seen.length = 0;
    await s3!.put(name.replace('large', 'small'), randomBytes(10), signal);
    expect(server.proxy.seen[0]).toMatchObject({ method: 'PUT', headers: { 'x-amz-checksum-sha256': expect.any(String) } });
  });
});

describe('a process that is killed while a body is on its way', () => {
  it('leaves everything live, and an orphan that the sweep removes', { timeout: 120_000 }, async () => {
    await using server = await startS3();
    const settings = { ...small, STORE_TIMEOUT_SECONDS: '60', ...server.settings };
    await using world = await createWorld({ settings });
    await fill(world, 4);
    const before = await everything(world);
    await using api = await startProcess(world, 'api', settings);
    const url = await api.url();
    const client = createClient({ url, accessToken: await world.token('Super admin') });
    const target = { filter: {} };
    const { contactDeletionPreview } = await client.request(ContactDeletionPreviewDocument, { input: target });
    let kept = false;
    // The body is in the bucket; the answer that it is there never comes.
    server.proxy.fault = (asked, pass) => {
      if (asked.method === 'GET') kept = true;
      else return pass();
    };
    const lost = client.request(DeleteContactsDocument, { input: { ...target, confirmation: contactDeletionPreview.confirmation!, reason: 'Left' } });
    const outcome = lost.catch((error: ReinstateError) => error.code);
    await until('the body to be kept', 30, () => kept);
    await api.end('SIGKILL');
    expect(await outcome).toBe('NETWORK');
    server.proxy.fault = undefined;
    expect(await everything(world)).toEqual(before);
    const place = { settings, root: server.directory, files: () => filesOf(server.directory), [Symbol.asyncDispose]: async () => {} };
    expect((await place.files()).filter((path) => path.endsWith('_object'))).toHaveLength(1);
    await dateBodies(world, place, Date.now() - 2 * 3_600_000);
    await until('the killed transaction to be rolled back', 30, async () => (await sweepBodies(world.app, world.organizationId())) === 1);
    expect((await place.files()).filter((path) => path.endsWith('_object'))).toEqual([]);
  });
});

describe('after a change of SNAPSHOT_STORE', () => {
  it('older snapshots are read from where they lie; without its settings the answer says which', async () => {
    await using directory = await inDirectory();
    await using s3 = await inS3();
    await using world = await createWorld({ settings: { ...small, ...directory.settings } });
    await fill(world, 12);
    const before = await everything(world);
    const restart = async (settings: Record<string, string>) => Object.assign(world.app, { store: await openStore(readConfig({ ...small, ...settings })) });
    const deletions = [(await atOnce(world)).deletion!.id];
    await restart({ ...directory.settings, ...s3.settings });
    deletions.push((await atOnce(world)).deletion!.id);
    await restart({});
    deletions.push((await atOnce(world)).deletion!.id);
    const admin = await world.as('Super admin');
    const plan = (deletionId: string) => admin.request(RecoveryPlanDocument, { input: whole(deletionId) });
    const unset = (setting: string) => ({ code: 'SNAPSHOT_STORE_UNAVAILABLE', message: expect.stringContaining(`${setting} is not set`) });
    await expect(plan(deletions[0]!)).rejects.toMatchObject(unset('SNAPSHOT_DIRECTORY'));
    await expect(plan(deletions[1]!)).rejects.toMatchObject(unset('S3_BUCKET'));
    await restart({ ...directory.settings, ...s3.settings, SNAPSHOT_STORE: 'postgres' });
    for (const id of deletions) expect(await recover(world, id)).toMatchObject({ state: 'COMPLETED', restoredCount: 4 });
    expect(await everything(world)).toEqual(before);
    // Nor can they be removed where nobody could reach them.
    await restart({});
    const organizationId = world.organizationId();
    const { rows: ids } = await world.owner.query<{ id: string }>('select snapshot_id as id from snapshot_chunk_body order by snapshot_id');
    const remove = world.app.database.transact(organizationId, (tx) => world.app.store.remove(tx, ids[0]!.id, [1]));
    await expect(remove).rejects.toMatchObject(unset('SNAPSHOT_DIRECTORY'));
    const { rows } = await world.owner.query(
      `select b.store from snapshot_chunk_body b join snapshot s on s.id = b.snapshot_id where s.kind = 'DELETION' order by b.snapshot_id`,
    );
    expect(rows.map(({ store }) => store)).toEqual(['DIRECTORY', 'S3', 'POSTGRES']);
  });
});

describe('settings that can’t work stop the start with one line that names them', () => {
  const s3 = { S3_BUCKET: 'snapshots', S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'secret-of-ours' };
  const open = async (settings: Record<string, string>) => openStore(readConfig({ STORE_TIMEOUT_SECONDS: '1', ...settings }));
  const lines: Record<string, [settings: Record<string, string>, line: RegExp]> = {
    'a store that there is not': [{ SNAPSHOT_STORE: 'tape' }, /^These settings are wrong: SNAPSHOT_STORE .*\.$/],
    'a directory without its name': [{ SNAPSHOT_STORE: 'directory' }, /^SNAPSHOT_STORE is directory, so SNAPSHOT_DIRECTORY is required/],
    'a directory that is not there': [
      { SNAPSHOT_STORE: 'directory', SNAPSHOT_DIRECTORY: '/nowhere/at/all' },
      /^Snapshots can’t be kept in the directory \/nowhere\/at\/all \(SNAPSHOT_DIRECTORY\): it can’t be reached .*Nothing was started\.$/,
    ],
    'S3 without a bucket and keys': [
      { SNAPSHOT_STORE: 's3' },
      /^Snapshots can’t be kept in S3 without S3_BUCKET and S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY\./,
    ],
    'half of the keys': [{ S3_BUCKET: 'snapshots', S3_ACCESS_KEY_ID: 'id' }, /without S3_SECRET_ACCESS_KEY\./],
    'a server that is away': [
      { SNAPSHOT_STORE: 's3', ...s3, S3_ENDPOINT: 'http://127.0.0.1:1' },
      /^Snapshots can’t be kept in the bucket snapshots at http:\/\/127\.0\.0\.1:1 \(S3_BUCKET, .*\): it can’t be reached.*Nothing was started\.$/,
    ],
  };
  for (const [how, [settings, line]] of Object.entries(lines))
    it(`${how}`, async () => {
      const error = await open(settings).then(
        () => undefined,
        (error: Error) => error,
      );
      expect(error).toBeInstanceOf(StartupError);
      expect(error!.message).toMatch(line);
      expect(error!.message).not.toMatch(/\n|secret-of-ours/);
    });

  it('keys and buckets that the server does not know', async () => {
    await using server = await startS3();
    await expect(open({ ...server.settings, S3_ACCESS_KEY_ID: 'STRANGER' })).rejects.toThrow(/it does not let us in/);
    await expect(open({ ...server.settings, S3_BUCKET: 'nothing' })).rejects.toThrow(/it can’t be reached/);
  });

  it('and settings that work leave nothing behind', async () => {
    for (const place of Object.values(places)) {
      await using kept = await place();
      await open(kept.settings);
      expect(await kept.files()).toEqual([]);
    }
  });
});
