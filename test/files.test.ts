// Files that are kept for a while: encrypted, in pieces, in a real directory and a real S3 server, through what can go wrong.
import { createHash, randomBytes } from 'node:crypto';
import { spawn, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile as readFromDisk, rm, stat, utimes, writeFile as writeToDisk } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { describe, expect, it } from 'vitest';
import { readConfig } from '../src/config.ts';
import { meetDeadlines } from '../src/domain/deadlines.ts';
import { appendPiece, beginFile, completeFile, readFile, removeFile, writeFile } from '../src/domain/files.ts';
import { inPieces, pieceBytes } from '../src/domain/pieces.ts';
import { removeLeftCopies, withLocalCopy } from '../src/domain/local-copies.ts';
import { FileStore } from '../src/snapshots/stores/bodies.ts';
import { openFiles } from '../src/snapshots/stores/open.ts';
import { sweepBodies } from '../src/snapshots/stores/sweep.ts';
import { runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { startProcess } from './processes.ts';
import { flipped, startS3 } from './s3-server.ts';
import { meetDeadlines as sweep } from './erasing.ts';
import { filesOf, type Place } from './stores.ts';

async function inDirectory(): Promise<Place> {
  const root = await mkdtemp(join(tmpdir(), 'reinstate-files-'));
  return {
    settings: { FILES_DIRECTORY: root, STORE_TIMEOUT_SECONDS: '2' },
    root,
    files: () => filesOf(root),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

async function inS3(): Promise<Place> {
  const server = await startS3();
  const { SNAPSHOT_STORE: _, ...settings } = server.settings;
  const files = async () => (await filesOf(server.directory)).filter((path) => path.endsWith('_object'));
  return { settings: { ...settings, FILE_STORE: 's3' }, root: server.directory, files, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
}

const places: Record<string, () => Promise<Place>> = { 'a directory': inDirectory, S3: inS3 };

const inAnHour = () => new Date(Date.now() + 3_600_000);
const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: 'test', address: null, agent: null } as const;

/** The bytes in chunks of that size, as a socket would give them. */
async function* chunksOf(content: Buffer, size = 60_000): AsyncGenerator<Buffer> {
  for (let at = 0; at < content.length; at += size) yield content.subarray(at, at + size);
}

const write = (world: World, content: Buffer) => writeFile(world.app, world.organizationId(), chunksOf(content), inAnHour());
const read = (world: World, id: string, from?: { start: number }) => buffer(readFile(world.app, world.organizationId(), id, from));

/** How many rows there are of files and of pieces. */
async function rows(world: World): Promise<number[]> {
  const { rows: found } = await world.owner.query<{ files: number; pieces: number }>(
    'select (select count(*)::int from stored_file) as files, (select count(*)::int from file_piece) as pieces',
  );
  return [found[0]!.files, found[0]!.pieces];
}

describe.each(Object.entries(places))('with files in %s', (_name, place) => {
  it('what was written is read, whole and from anywhere, and nobody else can read it', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const content = randomBytes(2 * pieceBytes + 4321);
    const written = await write(world, content);
    expect(written).toEqual({ id: written.id, byteLength: content.length, sha256: createHash('sha256').update(content).digest() });
    expect(await rows(world)).toEqual([1, 3]);
    expect((await read(world, written.id)).equals(content)).toBe(true);
    for (const start of [1, pieceBytes - 1, pieceBytes, 2 * pieceBytes + 4320, content.length, content.length + 1])
      expect((await read(world, written.id, { start })).equals(content.subarray(start))).toBe(true);
    await expect(buffer(readFile(world.app, world.organizationId('Hilltop Society'), written.id))).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { id: empty } = await write(world, Buffer.alloc(0));
    expect(await read(world, empty)).toHaveLength(0);
  });

  it('what lies there and in the database tells nothing of what is in it', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const canary = 'canary-of-a-file@example.org';
    await write(world, Buffer.from(`Email\n${canary}\n`.repeat(1000)));
    const [body] = await kept.files();
    expect((await readFromDisk(body!)).length).toBeGreaterThan(30_000);
    for (const path of await filesOf(kept.root)) expect((await readFromDisk(path)).includes(canary)).toBe(false);
    const { rows: stored } = await world.owner.query<{ row: string }>('select f::text as row from stored_file f union all select p::text from file_piece p');
    expect(stored).toHaveLength(2);
    expect(JSON.stringify(stored)).not.toContain(canary);
    expect(JSON.stringify(stored)).not.toContain(Buffer.from(canary).toString('hex'));
  });

  it.each([
    ['altered', (path: string) => readFromDisk(path).then((body) => writeToDisk(path, flipped(body)))],
    ['cut off', (path: string) => readFromDisk(path).then((body) => writeToDisk(path, body.subarray(0, -20)))],
    ['lost', (path: string) => rm(path)],
  ])('a piece that was %s there is refused by its number', async (_how, damage) => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const { id } = await write(world, randomBytes(1000));
    await damage((await kept.files())[0]!);
    await expect(read(world, id)).rejects.toMatchObject({ code: 'FILE_DAMAGED', message: expect.stringMatching(/^File [0-9a-f-]{36} is damaged: .*piece 1/) });
  });

  it('pieces in each other’s places, a piece whose row is gone, another key, and another master key are refused', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const content = randomBytes(2 * pieceBytes);
    const damaged = async (statement: string) => {
      const { id } = await write(world, content);
      await world.owner.query(statement, [id]);
      await expect(read(world, id)).rejects.toMatchObject({ code: 'FILE_DAMAGED' });
    };
    await damaged(`update file_piece p set location = o.location from file_piece o where p.file_id = $1 and o.file_id = $1 and o.number = 3 - p.number`);
    await damaged('delete from file_piece where file_id = $1 and number = 2');
    await damaged('delete from file_piece where file_id = $1 and number = 1');
    await damaged('update stored_file f set wrapped_key = o.wrapped_key from stored_file o where f.id = $1 and o.id <> $1');
    const { id } = await write(world, content);
    const other = { ...world.app, keys: { ...world.app.keys, id: 'another', files: randomBytes(32) } };
    await expect(buffer(readFile(other, world.organizationId(), id))).rejects.toThrow(/it was sealed under master key \w+, and this process has another\./);
  });

  it('of a file that ends in an error nothing is left', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const broken = async function* () {
      yield randomBytes(pieceBytes + 1);
      throw new Error('Gone away.');
    };
    await expect(writeFile(world.app, world.organizationId(), broken(), inAnHour())).rejects.toThrow('Gone away.');
    expect(await rows(world)).toEqual([0, 0]);
    expect(await kept.files()).toHaveLength(1);
    await runJobs(world);
    expect(await kept.files()).toEqual([]);
  });

  it('a removed file is gone with its key at once, its pieces after the commit, and no other file goes with it', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const [organizationId, { database }] = [world.organizationId(), world.app];
    const content = randomBytes(1000);
    const [one, two] = [await write(world, content), await write(world, content)];
    await expect(
      database.transact(organizationId, async (tx) => {
        await removeFile(tx, one.id);
        throw new Error('Undone.');
      }),
    ).rejects.toThrow('Undone.');
    await database.transact(world.organizationId('Hilltop Society'), (tx) => removeFile(tx, two.id));
    await runJobs(world);
    expect(await read(world, one.id)).toEqual(content);
    const reading = readFile(world.app, organizationId, one.id);
    await database.transact(organizationId, (tx) => removeFile(tx, one.id));
    expect(await rows(world)).toEqual([1, 1]);
    await runJobs(world);
    expect(await kept.files()).toHaveLength(1);
    await expect(reading.next()).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await read(world, two.id)).toEqual(content);
  });

  it('an expired file is not read any more, and goes with the sweep of every minute', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const [one, two] = [await write(world, randomBytes(10)), await write(world, randomBytes(10))];
    await world.owner.query('update stored_file set expires_at = clock_timestamp() where id = $1', [one.id]);
    await expect(read(world, one.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await meetDeadlines(world.app, actor, world.organizationId());
    await runJobs(world);
    expect(await rows(world)).toEqual([1, 1]);
    expect(await kept.files()).toHaveLength(1);
    expect(await read(world, two.id)).toHaveLength(10);
  });

  it('is written piece by piece, of two at once one, and is not there before it is whole', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const [organizationId, { app }] = [world.organizationId(), world];
    const id = await app.database.transact(organizationId, (tx) => beginFile(tx, app, inAnHour()));
    const append = (at: number, text: string) => appendPiece(app, organizationId, id, at, Buffer.from(text));
    const both = await Promise.allSettled([append(0, 'abc'), append(0, 'xyz')]);
    expect(both.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(both.find((one) => one.status === 'rejected')!.reason).toMatchObject({ code: 'FILE_CHANGED' });
    const first = both[0].status === 'fulfilled' ? 'abc' : 'xyz';
    await expect(append(2, 'd')).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    await append(3, 'def');
    await expect(read(world, id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect((await buffer(readFile(app, organizationId, id, { unfinished: true }))).toString()).toBe(`${first}def`);
    const complete = (byteLength: number) =>
      app.database.transact(organizationId, (tx) => completeFile(tx, id, { byteLength, sha256: Buffer.alloc(32) }, inAnHour()));
    // Nobody has gone through what was added since.
    await expect(complete(3)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    await complete(6);
    await expect(complete(6)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    expect((await read(world, id)).toString()).toBe(`${first}def`);
    await expect(append(6, 'ghi')).rejects.toMatchObject({ code: 'FILE_CHANGED' });
    await runJobs(world);
    expect(await kept.files()).toHaveLength(2);
  });

  it('the sweep leaves files alone, and removes what no row knows once it is old', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const content = randomBytes(1000);
    const { id } = await write(world, content);
    const { app } = world;
    const part = { organizationId: world.organizationId(), id, number: 2 };
    for (const now of [Date.now() - 7_200_000, Date.now()]) await app.files.write(app.files.kept, { ...part, now }, content);
    expect(await kept.files()).toHaveLength(3);
    expect(await sweepBodies(app, world.organizationId())).toBe(1);
    expect(await kept.files()).toHaveLength(2);
    expect(await read(world, id)).toEqual(content);
  });

  it('a store that is away is told in the words of files, and nothing is left', async () => {
    await using kept = await place();
    await using world = await createWorld({ settings: kept.settings });
    const full = () => Promise.reject(Object.assign(new Error('There is no space left.'), { code: 'ENOSPC' }));
    const files = new FileStore(world.app.files.kept, [{ ...world.app.files.at(world.app.files.kept), put: full }], 2);
    await expect(writeFile({ ...world.app, files }, world.organizationId(), chunksOf(randomBytes(10)), inAnHour())).rejects.toMatchObject({
      code: 'FILE_STORE_UNAVAILABLE',
      message: expect.stringMatching(/^The file store can’t be used: it is full\./),
    });
    expect(await rows(world)).toEqual([0, 0]);
  });
});

describe('a piece', () => {
  it('is filled as bytes come, and keeps none of the chunks that they came in', async () => {
    const content = randomBytes(pieceBytes + 100_001);
    const chunk = Buffer.alloc(3);
    const reused = async function* () {
      for (let at = 0; at < content.length; at += chunk.length) yield chunk.subarray(0, content.copy(chunk, 0, at));
    };
    const pieces: Buffer[] = [];
    for await (const piece of inPieces(reused())) pieces.push(piece);
    expect(pieces.map(({ length }) => length)).toEqual([pieceBytes, 100_001]);
    expect(Buffer.concat(pieces).equals(content)).toBe(true);
  });
});

describe('a local copy', () => {
  const copiesIn = (world: World) => join(world.app.config.DATA_DIRECTORY, 'copies');

  it('is readable by nobody else, and removed however the work ends', async () => {
    await using world = await createWorld();
    const content = randomBytes(pieceBytes + 10);
    const { id } = await write(world, content);
    const copy = (work: (path: string) => Promise<unknown>) => withLocalCopy(world.app, world.organizationId(), id, work);
    const seen = await copy(async (path) => {
      await removeLeftCopies(world.app.config);
      expect((await readFromDisk(path)).equals(content)).toBe(true);
      return [(await stat(path)).mode & 0o777, (await stat(copiesIn(world))).mode & 0o777];
    });
    expect(seen).toEqual([0o600, 0o700]);
    await expect(copy(() => Promise.reject(new Error('Failed.')))).rejects.toThrow('Failed.');
    await world.owner.query('delete from file_piece where number = 2');
    await expect(copy(async () => 'worked')).rejects.toMatchObject({ code: 'FILE_DAMAGED' });
    expect(await readdir(copiesIn(world))).toEqual([]);
  });

  it('that a killed process has left goes at the next start or within a minute, and none that another process works with', async () => {
    await using world = await createWorld();
    const directory = copiesIn(world);
    await mkdir(directory, { recursive: true });
    const here = hostname().replaceAll(/[^\w]/g, '_');
    const [ended, running] = [spawnSync(process.execPath, ['--version']).pid, spawn(process.execPath, ['-e', 'process.stdin.resume()'])];
    const leave = async (from: string, pid: number | undefined, minutes: number, end = '0123456789abcdef') => {
      const [name, then] = [`${from}-${pid}-${end}`, new Date(Date.now() - minutes * 60_000)];
      await writeToDisk(join(directory, name), 'x');
      await utimes(join(directory, name), then, then);
      return name;
    };
    try {
      await leave(here, ended, 0);
      await sweep(world);
      expect(await readdir(directory)).toEqual([]);
      await leave(here, ended, 0);
      await leave(here, process.pid, 0);
      await leave('elsewhere', ended, 20);
      await leave(here, running.pid, 20, 'ffffffffffffffff');
      const left = [await leave(here, running.pid, 0), await leave('elsewhere', ended, 10, 'ffffffffffffffff'), 'none-of-ours'];
      await writeToDisk(join(directory, 'none-of-ours'), 'x');
      await removeLeftCopies(world.app.config);
      expect(await readdir(directory)).toEqual(left.toSorted());
    } finally {
      running.kill();
    }
  });
});

describe('a server that starts', () => {
  it('removes what a killed one has left', async () => {
    await using world = await createWorld();
    const directory = join(world.app.config.DATA_DIRECTORY, 'copies');
    await mkdir(directory, { recursive: true });
    const { pid } = spawnSync(process.execPath, ['--version']);
    await writeToDisk(join(directory, `${hostname().replaceAll(/[^\w]/g, '_')}-${pid}-0123456789abcdef`), 'x');
    await using _started = await startProcess(world, 'worker');
    expect(await readdir(directory)).toEqual([]);
  });
});

describe('settings of files', () => {
  const opening = (settings: Record<string, string>) => openFiles(readConfig({ STORE_TIMEOUT_SECONDS: '1', ...settings }));

  it('that can’t work stop the start with one line that names them', async () => {
    await using kept = await inDirectory();
    const FILES_DIRECTORY = kept.root;
    await expect(opening({ FILES_DIRECTORY: '/nowhere/at/all' })).rejects.toThrow(
      /^Files can’t be kept in the directory \/nowhere\/at\/all \(FILES_DIRECTORY\): it can’t be reached .*Nothing was started\.$/,
    );
    await expect(opening({ DATA_DIRECTORY: '/dev/null' })).rejects.toThrow(/^Files can’t be kept in the directory \/dev\/null\/files \(DATA_DIRECTORY, or set/);
    await expect(opening({ FILES_DIRECTORY, SNAPSHOT_DIRECTORY: `${FILES_DIRECTORY}/.` })).rejects.toThrow(/: snapshots are kept there\. Set another/);
    await expect(async () => opening({ FILES_DIRECTORY, FILE_STORE: 's3' })).rejects.toThrow(/^Files can’t be kept in S3 without S3_BUCKET and /);
  });

  it('that work leave nothing behind', async () => {
    for (const place of Object.values(places)) {
      await using kept = await place();
      await using directory = await inDirectory();
      await opening({ FILES_DIRECTORY: directory.root, ...kept.settings });
      expect([...(await kept.files()), ...(await directory.files())]).toEqual([]);
    }
  });

  it('and those that don’t leave what could be put removed again', async () => {
    await using s3 = await startS3();
    const { SNAPSHOT_STORE: _, ...settings } = s3.settings;
    s3.proxy.alterAnswers = true;
    await expect(opening({ ...settings, FILE_STORE: 's3' })).rejects.toThrow(/^Files can’t be kept in the bucket /);
    expect(s3.proxy.seen.some(({ method }) => method === 'PUT')).toBe(true);
    expect((await filesOf(s3.directory)).filter((path) => path.endsWith('_object'))).toEqual([]);
  });

  it('and what lies where new files no longer go is still read', async () => {
    await using s3 = await inS3();
    await using kept = await inDirectory();
    const { FILE_STORE: _, ...settings } = s3.settings;
    await using world = await createWorld({ settings: { ...kept.settings, ...settings } });
    const content = randomBytes(100);
    const { id } = await write(world, content);
    expect([await kept.files(), await s3.files()].map(({ length }) => length)).toEqual([1, 0]);
    Object.assign(world.app, { files: await opening({ ...kept.settings, ...s3.settings }) });
    const { id: newer } = await write(world, content);
    expect([await kept.files(), await s3.files()].map(({ length }) => length)).toEqual([1, 1]);
    for (const one of [id, newer]) expect(await read(world, one)).toEqual(content);
  });
});
