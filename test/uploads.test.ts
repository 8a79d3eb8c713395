// Files on their way in, over real HTTP: in one go and in parts, through lies, interruptions, killed servers and a virus scanner.
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, connect, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import type { Client } from '../sdk/client.ts';
import { CreateUploadDocument, EndSessionsDocument, RevokeApiKeyDocument, SessionsDocument, StartImportDocument, UploadDocument } from '../sdk/generated.ts';
import { readConfig } from '../src/config.ts';
import { kindOf } from '../src/domain/file-kinds.ts';
import { readFile as readStored } from '../src/domain/files.ts';
import { pieceBytes } from '../src/domain/pieces.ts';
import { decodeId } from '../src/schema/common.ts';
import { Places } from '../src/uploads.ts';
import { hire, makeKey } from './custom-roles.ts';
import { dump, meetDeadlines } from './erasing.ts';
import { runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { done } from './importing.ts';
import { testKeys } from './people.ts';
import { startProcess, until } from './processes.ts';
import { startS3 } from './s3-server.ts';
import { filesOf } from './stores.ts';
import { announce, askStanding, put, putPart } from './uploading.ts';

const part = 256 * 1024;
const limits = { UPLOAD_MAX_MEGABYTES: '1', REQUEST_TIMEOUT_SECONDS: '1' };

/** Text that no two places of are the same. */
const textOf = (bytes: number): Buffer =>
  Buffer.from(
    randomBytes(Math.ceil(bytes / 2))
      .toString('hex')
      .slice(0, bytes),
  );

const upload = async (client: Client, id: string) => (await client.request(UploadDocument, { id })).upload;
const filesIn = (world: World) => filesOf(join(world.app.config.DATA_DIRECTORY, 'files'));

/** The content that an upload came to. */
async function stored(world: World, id: string): Promise<Buffer> {
  const { rows } = await world.owner.query<{ file: string }>('select file_id as file from upload where id = $1', [decodeId('Upload', id)]);
  return buffer(readStored(world.app, world.organizationId(), rows[0]!.file, { unfinished: true }));
}

/** What the log tells of uploads. */
async function logged(world: World): Promise<string[]> {
  const { rows } = await world.owner.query<{ line: string }>(
    `select concat_ws(' ', actor_name, action, code) as line from action_log where action like 'upload.%' or action = 'createUpload' order by id`,
  );
  return rows.map(({ line }) => line);
}

describe('a file in one go', () => {
  it('is announced, sent, looked at, kept and logged, and the target is used then', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const file = textOf(2 * pieceBytes + 12_345);
    const { createUpload } = await staff.request(CreateUploadDocument, { input: { fileName: ' Members.csv ', byteLength: file.length } });
    expect(createUpload).toMatchObject({ maxBytes: 256 * 1024 * 1024, userErrors: [], expiresAt: createUpload.upload!.expiresAt });
    expect(createUpload.upload).toMatchObject({
      fileName: 'Members.csv',
      state: 'WAITING',
      byteLength: file.length,
      receivedBytes: 0,
      kind: null,
      failure: null,
    });
    const { path, upload: made } = createUpload;
    const sent = await put(world, path!, file);
    expect(sent).toMatchObject({ status: 200 });
    expect(JSON.parse(sent.text)).toEqual({ upload: { id: made!.id, state: 'COMPLETE', receivedBytes: file.length, failure: null } });
    expect(await upload(staff, made!.id)).toMatchObject({
      state: 'COMPLETE',
      receivedBytes: file.length,
      kind: 'TEXT',
      createdByName: 'Staff of Riverside Club',
    });
    expect((await stored(world, made!.id)).equals(file)).toBe(true);
    const { rows } = await world.owner.query<{ sha256: Buffer }>('select sha256 from stored_file');
    expect(rows).toEqual([{ sha256: createHash('sha256').update(file).digest() }]);
    expect(await put(world, path!, file)).toMatchObject({ status: 409, code: 'UPLOAD_OVER' });
    expect(await askStanding(world, path!)).toMatchObject({ status: 200 });
    expect(await logged(world)).toEqual(['Staff of Riverside Club upload.completed']);
  });

  it('may come without being announced by its length, and without saying it', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff);
    const chunks = async function* () {
      for (const text of ['first,last\n', 'Ada,Lovelace\n']) yield Buffer.from(text);
    };
    expect(await put(world, path, chunks())).toMatchObject({ status: 200 });
    expect(await upload(staff, id)).toMatchObject({ state: 'COMPLETE', byteLength: 24, receivedBytes: 24 });
  });

  it('is encrypted: nothing of it is on the disk, in the database or in the log', async () => {
    await using world = await createWorld();
    const canary = 'quillfeather@canary.example';
    const { path } = await announce(await world.as('Staff'), { fileName: 'members.csv' });
    expect(await put(world, path, `email\n${canary}\n`)).toMatchObject({ status: 200 });
    expect(await filesIn(world)).toHaveLength(1);
    for (const file of await filesOf(world.app.config.DATA_DIRECTORY)) expect((await readFile(file)).includes(canary)).toBe(false);
    const everything = (await dump(world)).join('\n');
    expect(everything).toContain('members.csv');
    for (const form of [canary, Buffer.from(canary).toString('hex')]) expect(everything).not.toContain(form);
  });

  it.each([
    ['a zip archive', Buffer.from('PK\x03\x04 and more'), 'ZIP'],
    ['vCards', Buffer.from('\ufeffbegin:vcard\r\nVERSION:4.0'), 'VCARD'],
    ['text of UTF-16', Buffer.from('\ufeffName;E-Mail\r\nAda;ada@club.example', 'utf16le'), 'TEXT'],
    ['text of UTF-16 without a mark', Buffer.from('Name;E-Mail\r\nAda;ada@club.example', 'utf16le').swap16(), 'TEXT'],
    ['text with a few control characters', Buffer.from(`name\nA\0da${' '.repeat(100)}`), 'TEXT'],
    ['text of Windows-1252', Buffer.from('Größe,Straße', 'latin1'), 'TEXT'],
    ['a lone comma', Buffer.from(','), 'TEXT'],
  ])('that is %s is known for it', (_what, content, kind) => {
    expect(kindOf(content)).toBe(kind);
  });

  it.each([
    ['a PDF', Buffer.from('%PDF-1.7\n')],
    ['an image', Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')],
    ['a photograph', Buffer.from('\xff\xd8\xff\xe0', 'latin1')],
    ['a Windows program', Buffer.from('MZ\x90\0', 'latin1')],
    ['a Linux program', Buffer.from('\x7fELF')],
    ['a script', Buffer.from('#!/bin/sh\nrm -rf /\n')],
    ['a web page', Buffer.from('\ufeff \r\n<!DOCTYPE HTML><script>')],
    ['a web page of UTF-16', Buffer.from('\ufeff<HTML>', 'utf16le')],
    ['an old workbook', Buffer.from('d0cf11e0a1b11ae1', 'hex')],
    ['a packed file', Buffer.from('1f8b0800', 'hex')],
    ['noise', Buffer.from(Array.from({ length: 4000 }, (_, at) => at % 11))],
  ])('that is %s is refused at once, whatever it is called, and nothing of it stays', async (_what, content) => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff, { fileName: 'members.csv', byteLength: 3 * part });
    const first = Buffer.concat([content, Buffer.alloc(part - content.length, content)]);
    expect(await putPart(world, path, first, 0, part, 3 * part)).toMatchObject({ status: 415, code: 'UNSUPPORTED_FILE' });
    expect(await upload(staff, id)).toMatchObject({ state: 'REFUSED', receivedBytes: 0, failure: { code: 'UNSUPPORTED_FILE' } });
    expect(await put(world, path, 'first,last')).toMatchObject({ status: 409, code: 'UPLOAD_OVER' });
    expect(JSON.parse((await askStanding(world, path)).text)).toMatchObject({ upload: { state: 'REFUSED', failure: { code: 'UNSUPPORTED_FILE' } } });
    expect(await logged(world)).toEqual(['Staff of Riverside Club upload.refused UNSUPPORTED_FILE']);
    await runJobs(world);
    expect(await filesIn(world)).toEqual([]);
  });

  it('that is a form, or packed, or empty is not taken, and another can be sent', async () => {
    await using world = await createWorld();
    const { path } = await announce(await world.as('Staff'));
    expect(await put(world, path, 'x', { 'content-type': 'multipart/form-data; boundary=x' })).toMatchObject({ status: 415, code: 'UNSUPPORTED_FILE' });
    expect(await put(world, path, 'x', { 'content-encoding': 'gzip' })).toMatchObject({ status: 415, code: 'UNSUPPORTED_FILE' });
    expect(await put(world, path, '')).toMatchObject({ status: 400, code: 'EMPTY_FILE' });
    expect(await put(world, path, 'name')).toMatchObject({ status: 200 });
  });
});

describe('announcing a file', () => {
  it('takes a name and a length that can be, and not more than there may be at once', async () => {
    await using world = await createWorld({ settings: limits });
    const staff = await world.as('Staff');
    const codes = async (input: { fileName: string; byteLength?: number }) =>
      (await staff.request(CreateUploadDocument, { input })).createUpload.userErrors.map(({ code, path }) => `${code} ${path.join('.')}`);
    expect(await codes({ fileName: ' ' })).toEqual(['VALUE_MISSING input.fileName']);
    expect(await codes({ fileName: 'x'.repeat(256) })).toEqual(['VALUE_TOO_LONG input.fileName']);
    expect(await codes({ fileName: 'x', byteLength: 0 })).toEqual(['EMPTY_FILE input.byteLength']);
    expect(await codes({ fileName: 'x', byteLength: -1 })).toEqual(['EMPTY_FILE input.byteLength']);
    expect(await codes({ fileName: 'x', byteLength: 1024 * 1024 + 1 })).toEqual(['FILE_TOO_LARGE input.byteLength']);
    await Promise.all(Array.from({ length: 50 }, () => announce(staff)));
    expect(await codes({ fileName: 'x' })).toEqual(['TOO_MANY_UPLOADS ']);
    await announce(await world.as('Staff', 'Hilltop Society'));
    await world.owner.query(`update upload set expires_at = clock_timestamp() where id = (select id from upload limit 1)`);
    await announce(staff);
  });

  it('takes no more of an organization than it may have in all, counting what may come and what imports keep', async () => {
    await using world = await createWorld({ settings: { ...limits, UPLOAD_MAX_TOTAL_MEGABYTES: '2' } });
    const staff = await world.as('Staff');
    const megabyte = 1024 * 1024;
    const tooMuch = async (input: { byteLength?: number } = {}) => {
      const { createUpload } = await staff.request(CreateUploadDocument, { input: { fileName: 'x', ...input } });
      expect(createUpload).toMatchObject({ upload: null, userErrors: [{ code: 'TOO_MUCH_STORED', path: [] }] });
      return createUpload.userErrors[0]!.message;
    };
    // Nobody says how long they are, so they may be as long as any.
    const [one, two] = [await announce(staff), await announce(staff)];
    expect(await tooMuch({ byteLength: 1 })).toMatch(/^The organization’s uploads may take 2 megabytes\. 0 are here, 2 may come/);
    await announce(await world.as('Staff', 'Hilltop Society'));
    const text = `first,last\n${'Ada,Lovelace\n'.repeat(20_000)}`;
    expect(await put(world, one.path, text)).toMatchObject({ status: 200 });
    const left = megabyte - text.length;
    await tooMuch();
    await tooMuch({ byteLength: left + 1 });
    await announce(staff, { byteLength: left });
    await tooMuch({ byteLength: 1 });
    // Those whose time is over leave room, and an import keeps its file all the same.
    done((await staff.request(StartImportDocument, { input: { uploadId: one.id } })).startImport);
    await world.owner.query('update upload set expires_at = clock_timestamp() where id = any($1)', [[one, two].map(({ id }) => decodeId('Upload', id))]);
    await meetDeadlines(world);
    await announce(staff, { byteLength: megabyte });
    await tooMuch({ byteLength: 1 });
  });

  it('has room for a file at least', () => {
    expect(() => readConfig({ UPLOAD_MAX_MEGABYTES: '300', UPLOAD_MAX_TOTAL_MEGABYTES: '299' })).toThrow(
      /^UPLOAD_MAX_TOTAL_MEGABYTES is 299, and a file may have 300 megabytes .*Nothing was started\.$/,
    );
  });
});

describe('a file in parts', () => {
  it('goes on from where it stands, tells that, and is whole with the last', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const file = textOf(3 * part + 100);
    const { id, path } = await announce(staff);
    expect(await askStanding(world, path, file.length)).toMatchObject({ status: 308, here: 0 });
    expect(await putPart(world, path, file, 0, part)).toMatchObject({ status: 308, here: part });
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', byteLength: file.length, receivedBytes: part });
    expect(await askStanding(world, path)).toMatchObject({ status: 308, here: part });
    // One that was sent already, as after an answer that got lost, and one that overlaps: what is here is passed over.
    expect(await putPart(world, path, file, 0, part)).toMatchObject({ status: 308, here: part });
    expect(await putPart(world, path, file, 0, 2 * part, '*')).toMatchObject({ status: 308, here: 2 * part });
    expect(await putPart(world, path, file, part + 50, file.length)).toMatchObject({ status: 200 });
    expect((await stored(world, id)).equals(file)).toBe(true);
    expect(await putPart(world, path, file, 3 * part, file.length)).toMatchObject({ status: 409, code: 'UPLOAD_OVER' });
  });

  it('with a gap, at a wrong length, beyond its end, of odd size, or with words that mean nothing adds nothing', async () => {
    await using world = await createWorld();
    const file = textOf(3 * part);
    const { id, path } = await announce(await world.as('Staff'), { byteLength: file.length });
    await putPart(world, path, file, 0, part);
    expect(await putPart(world, path, file, 2 * part, 3 * part)).toMatchObject({ status: 416, code: 'RANGE_NOT_NEXT' });
    expect(await putPart(world, path, file, part, 2 * part, 4 * part)).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await askStanding(world, path, 4 * part)).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await putPart(world, path, file, part, part + 1000)).toMatchObject({ status: 400, code: 'BAD_RANGE' });
    for (const range of [
      'bytes 0-1',
      'bytes 5-4/10',
      `bytes ${part}-${4 * part - 1}/${3 * part}`,
      'lines 0-1/2',
      'bytes 0x0-1/2',
      `bytes 0-${'9'.repeat(20)}/*`,
    ])
      expect([range, await put(world, path, file.subarray(part, 2 * part), { 'content-range': range })]).toMatchObject([
        range,
        { status: 400, code: 'BAD_RANGE' },
      ]);
    const range = { 'content-range': `bytes ${part}-${2 * part - 1}/${3 * part}` };
    expect(await put(world, path, file.subarray(part, part + 9), range)).toMatchObject({ status: 400, code: 'BAD_RANGE' });
    expect(await put(world, path, 'x', { 'content-range': 'bytes */10' })).toMatchObject({ status: 400, code: 'BAD_RANGE' });
    const lying = async function* (from: number, to: number) {
      yield file.subarray(from, to);
    };
    expect(await put(world, path, lying(part, 2 * part + 1), range)).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await put(world, path, lying(part, 2 * part - 1), range)).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await askStanding(world, path)).toMatchObject({ status: 308, here: part });
    expect(await putPart(world, path, file, part, file.length)).toMatchObject({ status: 200 });
    expect((await stored(world, id)).equals(file)).toBe(true);
  });

  it('that goes beyond the end, or a whole that ends before what is here, is refused, and adds nothing', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const file = textOf(2 * part);
    const short = await announce(staff, { byteLength: 1000 });
    expect(await putPart(world, short.path, file, 0, part, '*')).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await upload(staff, short.id)).toMatchObject({ state: 'WAITING', receivedBytes: 0 });
    expect(await put(world, short.path, file.subarray(0, 1000))).toMatchObject({ status: 200 });
    const { id, path } = await announce(staff);
    await putPart(world, path, file, 0, 2 * part, '*');
    expect(await putPart(world, path, file, 0, part, part)).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await askStanding(world, path, part)).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', byteLength: null, receivedBytes: 2 * part });
    expect(await askStanding(world, path, 2 * part)).toMatchObject({ status: 200 });
  });

  it('of two at once one is added', async () => {
    await using world = await createWorld();
    const file = textOf(2 * part);
    const { id, path } = await announce(await world.as('Staff'), { byteLength: file.length });
    const other = textOf(2 * part);
    const answers = await Promise.all([file, other].map((one) => putPart(world, path, one, 0, part)));
    for (const { status, code } of answers) expect([status, code]).toEqual(status === 409 ? [409, 'FILE_CHANGED'] : [308, undefined]);
    expect(answers.some(({ status }) => status === 308)).toBe(true);
    expect(await askStanding(world, path)).toMatchObject({ status: 308, here: part });
    const begun = (await stored(world, id)).equals(file.subarray(0, part)) ? file : other;
    const ended = await Promise.all([1, 2].map(() => putPart(world, path, begun, part, 2 * part)));
    expect(ended.filter(({ status }) => status === 200).length).toBeGreaterThan(0);
    for (const { status } of ended) expect([200, 409]).toContain(status);
    expect((await stored(world, id)).equals(begun)).toBe(true);
    expect(await logged(world)).toEqual(['Staff of Riverside Club upload.completed']);
  });

  it('and two files in one go at once come to one of them, whole', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff);
    const files = [textOf(2 * pieceBytes), textOf(2 * pieceBytes)];
    const answers = await Promise.all(files.map((file) => put(world, path, file)));
    for (const { status } of answers) expect([200, 409]).toContain(status);
    const won = answers.findIndex(({ status }) => status === 200);
    const kept = await stored(world, id);
    expect(won).toBeGreaterThanOrEqual(0);
    expect(answers.every(({ status }, index) => status === 409 || kept.equals(files[index]!))).toBe(true);
    expect(await upload(staff, id)).toMatchObject({ state: 'COMPLETE', receivedBytes: 2 * pieceBytes });
    await runJobs(world);
    expect(await filesIn(world)).toHaveLength(2);
  });
});

/** Begins a request by hand. @returns the connection, and what is answered once it ends */
function begin(world: World, path: string, headers: string, port = world.server.port): { socket: Socket; answered: Promise<string> } {
  const socket = connect(port, '127.0.0.1');
  socket.write(`PUT ${path} HTTP/1.1\r\nhost: localhost\r\n${headers}\r\n\r\n`);
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
  socket.on('error', () => undefined);
  return { socket, answered: once(socket, 'close').then(() => text) };
}

describe('the size', () => {
  it('is held by what comes, whatever was said of it', async () => {
    await using world = await createWorld({ settings: limits });
    const staff = await world.as('Staff');
    const large = textOf(1024 * 1024 + 1);
    const chunks = async function* () {
      for (let at = 0; at < large.length; at += 100_000) yield large.subarray(at, at + 100_000);
    };
    const one = await announce(staff);
    expect(await put(world, one.path, large)).toMatchObject({ status: 413, code: 'FILE_TOO_LARGE' });
    expect(await putPart(world, one.path, large, 0, part, 2 * 1024 * 1024)).toMatchObject({ status: 413, code: 'FILE_TOO_LARGE' });
    expect(await upload(staff, one.id)).toMatchObject({ state: 'WAITING', receivedBytes: 0 });
    // It does not say how long it is.
    expect(await put(world, one.path, chunks())).toMatchObject({ status: 413, code: 'FILE_TOO_LARGE' });
    expect(await upload(staff, one.id)).toMatchObject({ state: 'REFUSED', receivedBytes: 0, failure: { code: 'FILE_TOO_LARGE' } });
    const announced = await announce(staff, { byteLength: 1000 });
    expect(await put(world, announced.path, large.subarray(0, 1001))).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await put(world, announced.path, large.subarray(0, 999))).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await put(world, announced.path, chunks())).toMatchObject({ status: 400, code: 'LENGTH_DIFFERS' });
    expect(await put(world, announced.path, large.subarray(0, 1000))).toMatchObject({ status: 200 });
    // Parts that never say how many there are.
    const endless = await announce(staff);
    for (let at = 0; at < 4 * part; at += part) expect(await putPart(world, endless.path, large, at, at + part, '*')).toMatchObject({ status: 308 });
    expect(await put(world, endless.path, textOf(part), { 'content-range': `bytes ${4 * part}-${5 * part - 1}/*` })).toMatchObject({ status: 413 });
    expect(await upload(staff, endless.id)).toMatchObject({ state: 'REFUSED', receivedBytes: 0 });
    await runJobs(world);
    expect(await filesIn(world)).toHaveLength(1);
  });
});

describe('a client', () => {
  it('that sends nothing more is given up; what came in whole stays, and it may go on', async () => {
    await using world = await createWorld({ settings: limits });
    const staff = await world.as('Staff');
    const file = textOf(2 * part + 50);
    const { id, path } = await announce(staff, { byteLength: file.length });
    const { socket, answered } = begin(world, path, `content-length: ${file.length}\r\ncontent-type: text/csv`);
    socket.write(file.subarray(0, part + 1234));
    const text = await answered;
    expect(text).toMatch(/^HTTP\/1\.1 408 [^]*"code":"UPLOAD_STALLED"/);
    expect(await askStanding(world, path)).toMatchObject({ status: 308, here: part });
    expect(await putPart(world, path, file, part, file.length)).toMatchObject({ status: 200 });
    expect((await stored(world, id)).equals(file)).toBe(true);
  });

  it('that goes away leaves what came in whole', async () => {
    await using world = await createWorld();
    const file = textOf(2 * part);
    const { path } = await announce(await world.as('Staff'), { byteLength: file.length });
    const { socket } = begin(world, path, `content-range: bytes 0-${file.length - 1}/${file.length}\r\ncontent-length: ${file.length}`);
    await new Promise((sent) => socket.write(file.subarray(0, part + 99), sent));
    socket.end();
    await until('what came to be kept', 20, async () => (await askStanding(world, path)).here === part);
    expect(await putPart(world, path, file, part, file.length)).toMatchObject({ status: 200 });
  });

  it('that takes longer than a request may, and goes on sending, gets through', async () => {
    await using world = await createWorld({ settings: limits });
    const file = textOf(4 * part);
    const { id, path } = await announce(await world.as('Staff'));
    const begun = performance.now();
    const { socket, answered } = begin(world, path, `content-length: ${file.length}\r\nconnection: close`);
    for (let at = 0; at < file.length; at += part) {
      socket.write(file.subarray(at, at + part));
      await until('the clock to go on', 5, () => performance.now() - begun > (at / part + 1) * 800);
    }
    expect(await answered).toMatch(/^HTTP\/1\.1 200 /);
    expect(performance.now() - begun).toBeGreaterThan(3000);
    expect((await stored(world, id)).equals(file)).toBe(true);
  });

  it('is one of two at most that a process takes files of at once for an organization, and keeps nobody else out', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const targets = await Promise.all(Array.from({ length: 3 }, () => announce(staff)));
    const open = targets.slice(0, 2).map(({ path }) => begin(world, path, 'content-length: 5\r\nconnection: close'));
    const begun = 'select count(*)::int as count from upload where file_id is not null';
    await until('both to be begun', 20, async () => (await world.owner.query<{ count: number }>(begun)).rows[0]!.count === 2);
    expect(await put(world, targets[2]!.path, 'names')).toMatchObject({ status: 503, code: 'TOO_MANY_UPLOADS' });
    // Nothing comes in while somebody asks.
    for (const { path } of targets) expect(await askStanding(world, path)).toMatchObject({ status: 308 });
    expect(await put(world, (await announce(await world.as('Staff', 'Hilltop Society'))).path, 'names')).toMatchObject({ status: 200 });
    for (const { socket } of open) socket.write('names');
    for (const { answered } of open) expect(await answered).toMatch(/^HTTP\/1\.1 200 /);
    expect(await put(world, targets[2]!.path, 'names')).toMatchObject({ status: 200 });
  });

  it('is one of eight at most of all organizations', () => {
    const places = new Places();
    const taken = ['a', 'b', 'c', 'd'].flatMap((organization) => [places.take(organization), places.take(organization)]);
    const refusal = expect.objectContaining({ code: 'TOO_MANY_UPLOADS' });
    expect(() => places.take('e')).toThrow(refusal);
    taken[7]![Symbol.dispose]();
    places.take('e');
    taken[0]![Symbol.dispose]();
    expect(() => places.take('b')).toThrow(refusal);
    places.take('a');
  });

  it('that still sends when its target expires is cut off', async () => {
    await using world = await createWorld({ settings: { REQUEST_TIMEOUT_SECONDS: '8' } });
    const { path } = await announce(await world.as('Staff'), { byteLength: 5 });
    const { org, sid, sub, upload: id } = JSON.parse(Buffer.from(path.split('.')[1]!, 'base64url').toString()) as Record<string, string>;
    const token = await new SignJWT({ org, sid, upload: id, bytes: 5 })
      .setProtectedHeader({ alg: 'HS256', typ: 'upload+jwt' })
      .setAudience('reinstate upload')
      .setSubject(sub!)
      .setExpirationTime('3s')
      .sign(testKeys.uploads);
    const { socket, answered } = begin(world, `/uploads/${token}`, 'content-length: 5\r\nconnection: close');
    socket.write('na');
    expect(await answered).toMatch(/^HTTP\/1\.1 409 [^]*"code":"UPLOAD_OVER"/);
  });
});

describe('a server that is killed', () => {
  it('amid an upload leaves what was written down, and another process goes on from there', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const file = textOf(3 * pieceBytes + 500);
    const { id, path } = await announce(staff, { byteLength: file.length });
    await using killed = await startProcess(world, 'api');
    const { socket, answered } = begin(world, path, `content-length: ${file.length}`, Number(new URL(await killed.url()).port));
    socket.write(file.subarray(0, 2 * pieceBytes + part + 1000));
    await until('two pieces to be written down', 30, async () => (await upload(staff, id)).receivedBytes === 2 * pieceBytes);
    await killed.end('SIGKILL');
    expect(await answered).toBe('');
    await using restarted = await startProcess(world, 'api');
    const url = await restarted.url();
    expect(await askStanding(url, path, file.length)).toMatchObject({ status: 308, here: 2 * pieceBytes });
    expect(await putPart(url, path, file, 2 * pieceBytes, 2 * pieceBytes + part)).toMatchObject({ status: 308 });
    expect(await putPart(world, path, file, 2 * pieceBytes + part, file.length)).toMatchObject({ status: 200 });
    expect((await stored(world, id)).equals(file)).toBe(true);
  });

  it('after the last byte and before it was looked at has it looked at by whoever asks next', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const file = textOf(part);
    const { id, path } = await announce(staff);
    await putPart(world, path, file, 0, part, '*');
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', receivedBytes: part });
    expect(await askStanding(world, path, part)).toMatchObject({ status: 200 });
    expect(await upload(staff, id)).toMatchObject({ state: 'COMPLETE', byteLength: part });
  });
});

describe('an upload whose time is over', () => {
  it('is over for its target and for whoever asks, whole or not, and its bytes and keys go', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const [begun, whole, kept] = [await announce(staff), await announce(staff), await announce(staff)];
    const file = textOf(2 * part);
    await putPart(world, begun.path, file, 0, part);
    for (const { path } of [whole, kept]) await put(world, path, file);
    const ids = [begun, whole].map(({ id }) => decodeId('Upload', id));
    const past = `set expires_at = clock_timestamp() where`;
    await world.owner.query(`update stored_file ${past} id in (select file_id from upload where id = any($1))`, [ids]);
    await world.owner.query(`update upload ${past} id = any($1)`, [ids]);
    expect(await putPart(world, begun.path, file, part, 2 * part)).toMatchObject({ status: 409, code: 'FILE_CHANGED' });
    await meetDeadlines(world);
    for (const { id } of [begun, whole]) expect(await upload(staff, id)).toMatchObject({ state: 'EXPIRED', receivedBytes: 0 });
    expect(await putPart(world, begun.path, file, part, 2 * part)).toMatchObject({ status: 409, code: 'UPLOAD_OVER' });
    expect(await filesIn(world)).toHaveLength(1);
    const { rows } = await world.owner.query('select 1 from stored_file union all select 1 from file_piece');
    expect(rows).toHaveLength(2);
    expect((await stored(world, kept.id)).equals(file)).toBe(true);
    // A month later it is forgotten.
    await world.owner.query(`update upload set expires_at = expires_at - interval '31 days' where id = any($1)`, [ids]);
    await meetDeadlines(world);
    await expect(upload(staff, begun.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await upload(staff, kept.id)).toMatchObject({ state: 'COMPLETE' });
  });
});

describe('a target', () => {
  it('that is forged, of another purpose, expired, or of nothing is none', async () => {
    await using world = await createWorld();
    const staff = await world.as('Staff');
    const { path } = await announce(staff);
    const token = path.split('/').at(-1)!;
    const { sub, org, sid, upload: id } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as Record<string, string>;
    const sign = async ({
      key = testKeys.uploads,
      typ = 'upload+jwt',
      audience = 'reinstate upload',
      expires = '1h',
      said = { org, sid, upload: id } as object,
    } = {}) => new SignJWT({ ...said }).setProtectedHeader({ alg: 'HS256', typ }).setAudience(audience).setSubject(sub!).setExpirationTime(expires).sign(key);
    const unsigned = `${Buffer.from('{"alg":"none","typ":"upload+jwt"}').toString('base64url')}.${token.split('.')[1]}.`;
    const none = [
      'nothing',
      unsigned,
      `${token.slice(0, -2)}xx`,
      await sign({ key: testKeys.downloads }),
      await sign({ typ: 'download+jwt' }),
      await sign({ audience: 'reinstate download' }),
      await sign({ expires: '-1s' }),
      await world.token('Staff'),
    ];
    for (const one of none) expect([one, await put(world, `/uploads/${one}`, 'name')]).toMatchObject([one, { status: 404, code: 'NOT_FOUND' }]);
    for (const upload of ['01890000-0000-7000-8000-000000000000', 'nothing'])
      expect(await put(world, `/uploads/${await sign({ said: { org, sid, upload } })}`, 'name')).toMatchObject({ status: 404 });
    expect(await put(world, `/uploads/${await sign()}`, 'name')).toMatchObject({ status: 200 });
    expect((await fetch(new URL(path, world.url))).status).toBe(404);
  });

  it('of another organization’s upload is none, and so is its id', async () => {
    await using world = await createWorld();
    const [mine, theirs] = [await announce(await world.as('Staff')), await announce(await world.as('Staff', 'Hilltop Society'))];
    const said = (path: string) => JSON.parse(Buffer.from(path.split('.')[1]!, 'base64url').toString()) as Record<string, string>;
    const { sub, org, sid } = said(mine.path);
    const crossed = await new SignJWT({ org, sid, upload: said(theirs.path)['upload'] })
      .setProtectedHeader({ alg: 'HS256', typ: 'upload+jwt' })
      .setAudience('reinstate upload')
      .setSubject(sub!)
      .setExpirationTime('1h')
      .sign(testKeys.uploads);
    expect(await put(world, `/uploads/${crossed}`, 'name')).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    expect(await askStanding(world, `/uploads/${crossed}`)).toMatchObject({ status: 404, code: 'NOT_FOUND' });
    await expect(upload(await world.as('Super admin'), theirs.id)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(await upload(await world.as('Staff', 'Hilltop Society'), theirs.id)).toMatchObject({ receivedBytes: 0 });
  });

  it('ends with the session, with the key and with the permission of whoever made it, which is asked anew each time', async () => {
    await using world = await createWorld();
    const { client, name, roleIds } = await hire(world, 'contacts:import');
    const [first, second] = [await announce(client), await announce(client)];
    expect(await put(world, first.path, 'name')).toMatchObject({ status: 200 });
    await world.owner.query(`update role set permissions = '{contacts:read}' where id = any($1)`, [roleIds]);
    expect(await put(world, second.path, 'name')).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await askStanding(world, first.path)).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    expect(await logged(world)).toEqual([`${name} upload.completed`, `${name} createUpload FORBIDDEN`, `${name} createUpload FORBIDDEN`]);
    await world.owner.query(`update role set permissions = '{contacts:import}' where id = any($1)`, [roleIds]);
    expect(await askStanding(world, second.path)).toMatchObject({ status: 308 });
    const { sessions } = await client.request(SessionsDocument);
    await client.request(EndSessionsDocument, { input: { ids: sessions.map(({ id }) => id) } });
    expect(await put(world, second.path, 'name')).toMatchObject({ status: 403, code: 'FORBIDDEN' });
    const { id, key } = await makeKey(world, 'contacts:import');
    const [one, two] = [await announce(world.client(key)), await announce(world.client(key))];
    expect(await put(world, one.path, 'name')).toMatchObject({ status: 200 });
    await (await world.as('Super admin')).request(RevokeApiKeyDocument, { input: { id } });
    expect(await put(world, two.path, 'name')).toMatchObject({ status: 403, code: 'FORBIDDEN' });
  });
});

interface Scanner extends AsyncDisposable {
  settings: Record<string, string>;
  /** What it was given, as it came. */
  given: Buffer[];
  answer: string | null;
  /** Tells all that wait for an answer. */
  say(answer: string): void;
}

/** Something that speaks clamd's protocol: reads a stream to its end and says what it found. Without an answer it says nothing. */
async function startScanner(at: number | string = 0): Promise<Scanner> {
  const given: Buffer[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    let came = Buffer.alloc(0);
    socket.on('error', () => undefined);
    socket.on('data', (chunk) => {
      came = Buffer.concat([came, chunk]);
      const command = 'zINSTREAM\0';
      if (came.length < command.length) return;
      if (came.toString('latin1', 0, command.length) !== command) return socket.end('UNKNOWN COMMAND\0');
      const parts: Buffer[] = [];
      for (let from = command.length; from + 4 <= came.length;) {
        const length = came.readUInt32BE(from);
        if (from + 4 + length > came.length) return;
        parts.push(came.subarray(from + 4, from + 4 + length));
        from += 4 + length;
        if (length > 0) continue;
        given.push(Buffer.concat(parts));
        const found = given.at(-1)!.includes('EICAR-STANDARD') ? 'stream: Eicar-Test-Signature FOUND' : scanner.answer;
        if (found !== null) socket.end(`${found}\0`);
      }
    });
  });
  if (typeof at === 'number') server.listen(at, '127.0.0.1');
  else server.listen(at);
  await once(server, 'listening');
  const address = server.address();
  const url = typeof address === 'string' ? `unix:${address}` : `tcp://127.0.0.1:${address!.port}`;
  const scanner: Scanner = {
    settings: { CLAMD_URL: url, CLAMD_TIMEOUT_SECONDS: '1' },
    given,
    answer: 'stream: OK',
    say(answer) {
      for (const socket of sockets) socket.end(`${answer}\0`);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return scanner;
}

describe('a virus scanner', () => {
  it('is given the whole of every file, and what it finds something in is not kept', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-clamd-'));
    for (const at of [0, join(directory, 'clamd.ctl')]) {
      await using scanner = await startScanner(at);
      await using world = await createWorld({ settings: scanner.settings });
      const staff = await world.as('Staff');
      const file = textOf(pieceBytes + 300_000);
      const clean = await announce(staff);
      expect(await put(world, clean.path, file)).toMatchObject({ status: 200 });
      expect(scanner.given).toHaveLength(1);
      expect(scanner.given[0]!.equals(file)).toBe(true);
      const infected = await announce(staff);
      expect(await put(world, infected.path, `name\n${'x'.repeat(1000)}EICAR-STANDARD-ANTIVIRUS-TEST-FILE`)).toMatchObject({
        status: 422,
        code: 'INFECTED_FILE',
      });
      expect(await upload(staff, infected.id)).toMatchObject({ state: 'REFUSED', receivedBytes: 0, failure: { code: 'INFECTED_FILE' } });
      expect(await logged(world)).toEqual(['Staff of Riverside Club upload.completed', 'Staff of Riverside Club upload.refused INFECTED_FILE']);
      await runJobs(world);
      expect(await filesIn(world)).toHaveLength(2);
    }
    await rm(directory, { recursive: true });
  });

  it.each([
    ['says nothing', null],
    ['fails', 'Can’t allocate memory ERROR'],
    ['has read too much', 'INSTREAM size limit exceeded. ERROR'],
    ['says something else', 'stream: MAYBE'],
    ['says nothing that ends', 'x'.repeat(20_000)],
  ])('that %s lets nothing through, and what was sent need not be sent again', async (_how, answer) => {
    await using scanner = await startScanner();
    await using world = await createWorld({ settings: scanner.settings });
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff, { byteLength: 1000 });
    scanner.answer = answer;
    expect(await put(world, path, textOf(1000))).toMatchObject({ status: 503, code: 'SCANNER_UNAVAILABLE' });
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', receivedBytes: 1000 });
    scanner.answer = 'stream: OK';
    expect(await askStanding(world, path)).toMatchObject({ status: 200 });
    expect(await upload(staff, id)).toMatchObject({ state: 'COMPLETE' });
  });

  it('that is away lets nothing through', async () => {
    await using world = await createWorld({ settings: { CLAMD_URL: 'tcp://127.0.0.1:1' } });
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff);
    expect(await put(world, path, 'name')).toMatchObject({ status: 503, code: 'SCANNER_UNAVAILABLE' });
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', receivedBytes: 4, byteLength: 4 });
  });

  it('that is away when a file has come in one go has it later, by whatever length it had, and another may come instead', async () => {
    await using scanner = await startScanner();
    scanner.answer = 'ERROR';
    await using world = await createWorld({ settings: scanner.settings });
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff);
    const file = textOf(1000);
    const chunks = async function* () {
      yield file;
    };
    expect(await put(world, path, chunks())).toMatchObject({ status: 503, code: 'SCANNER_UNAVAILABLE' });
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', byteLength: 1000, receivedBytes: 1000 });
    expect(await put(world, path, file.subarray(0, 700))).toMatchObject({ status: 503, code: 'SCANNER_UNAVAILABLE' });
    expect(await put(world, path, chunks())).toMatchObject({ status: 503, code: 'SCANNER_UNAVAILABLE' });
    scanner.answer = 'stream: OK';
    expect(await askStanding(world, path)).toMatchObject({ status: 200 });
    expect(await upload(staff, id)).toMatchObject({ state: 'COMPLETE', byteLength: 1000 });
  });

  it('that is still at it vouches for nothing that comes meanwhile', async () => {
    await using scanner = await startScanner();
    scanner.answer = null;
    await using world = await createWorld({ settings: { ...scanner.settings, CLAMD_TIMEOUT_SECONDS: '60' } });
    const staff = await world.as('Staff');
    const file = textOf(2 * part);
    const { id, path } = await announce(staff);
    await putPart(world, path, file, 0, part, '*');
    const asked = askStanding(world, path, part);
    await until('the scanner to have the first part', 20, () => scanner.given.length === 1);
    expect(await putPart(world, path, file, part, 2 * part, '*')).toMatchObject({ status: 308, here: 2 * part });
    scanner.say('stream: OK');
    expect(await asked).toMatchObject({ status: 409, code: 'FILE_CHANGED' });
    expect(await upload(staff, id)).toMatchObject({ state: 'WAITING', receivedBytes: 2 * part });
    scanner.answer = 'stream: OK';
    expect(await askStanding(world, path, 2 * part)).toMatchObject({ status: 200 });
    expect(scanner.given.at(-1)!.equals(file)).toBe(true);
    const { rows } = await world.owner.query<{ sha256: Buffer }>('select sha256 from stored_file');
    expect(rows).toEqual([{ sha256: createHash('sha256').update(file).digest() }]);
  });

  it('that was at a file which another has taken the place of says nothing of that', async () => {
    await using scanner = await startScanner();
    scanner.answer = null;
    await using world = await createWorld({ settings: { ...scanner.settings, CLAMD_TIMEOUT_SECONDS: '60' } });
    const staff = await world.as('Staff');
    const { id, path } = await announce(staff);
    const first = put(world, path, 'first');
    await until('the scanner to have the first', 20, () => scanner.given.length === 1);
    const { socket, answered } = begin(world, path, 'content-length: 6\r\nconnection: close');
    await until('the second to begin', 20, async () => (await upload(staff, id)).receivedBytes === 0);
    scanner.say('stream: OK');
    expect(await first).toMatchObject({ status: 409, code: 'FILE_CHANGED' });
    scanner.answer = 'stream: OK';
    socket.write('second');
    expect(await answered).toMatch(/^HTTP\/1\.1 200 /);
    expect((await stored(world, id)).toString()).toBe('second');
  });

  it('has no more to look at at once than there are places, and asking for what needs no look takes none', async () => {
    await using scanner = await startScanner();
    scanner.answer = null;
    await using world = await createWorld({ settings: { ...scanner.settings, CLAMD_TIMEOUT_SECONDS: '60' } });
    const staff = await world.as('Staff');
    const targets = await Promise.all(Array.from({ length: 3 }, () => announce(staff)));
    for (const { path } of targets) await putPart(world, path, textOf(part), 0, part, '*');
    const asked = targets.slice(0, 2).map(({ path }) => askStanding(world, path, part));
    await until('the scanner to have two', 20, () => scanner.given.length === 2);
    expect(await askStanding(world, targets[2]!.path, part)).toMatchObject({ status: 503, code: 'TOO_MANY_UPLOADS' });
    expect(await askStanding(world, targets[2]!.path)).toMatchObject({ status: 308, here: part });
    scanner.say('stream: OK');
    for (const one of asked) expect(await one).toMatchObject({ status: 200 });
    scanner.answer = 'stream: OK';
    expect(await askStanding(world, targets[2]!.path, part)).toMatchObject({ status: 200 });
  });

  it('may be at an address of IPv6', async () => {
    await using scanner = await startScanner();
    const { port } = new URL(scanner.settings['CLAMD_URL']!);
    // 127.0.0.1, as IPv6 writes it.
    await using world = await createWorld({ settings: { CLAMD_URL: `tcp://[::FFFF:7f00:1]:${port}` } });
    expect(await put(world, (await announce(await world.as('Staff'))).path, 'name')).toMatchObject({ status: 200 });
    expect(scanner.given.map(String)).toEqual(['name']);
  });

  it('is set by an address that it can have', () => {
    for (const CLAMD_URL of ['http://scanner:3310', 'tcp://scanner', 'unix:', 'tcp://a/b:1', 'tcp://::1:3310', 'tcp://[scanner]:3310'])
      expect(() => readConfig({ CLAMD_URL })).toThrow(/^These settings are wrong: CLAMD_URL must look like tcp:\/\/clamav\.example:3310/);
  });
});

describe('with files in S3', () => {
  it('what is sent goes there, a store that fails keeps nothing half, and the upload goes on when it is back', async () => {
    await using s3 = await startS3();
    const { SNAPSHOT_STORE: _, ...settings } = s3.settings;
    await using world = await createWorld({ settings: { ...settings, FILE_STORE: 's3', STORE_TIMEOUT_SECONDS: '1' } });
    const staff = await world.as('Staff');
    const file = textOf(pieceBytes + part);
    const { id, path } = await announce(staff, { byteLength: file.length });
    expect(await putPart(world, path, file, 0, pieceBytes)).toMatchObject({ status: 308, here: pieceBytes });
    s3.proxy.fault = (_asked, _pass, answer) => void answer.destroy();
    expect(await putPart(world, path, file, pieceBytes, file.length)).toMatchObject({ status: 503, code: 'FILE_STORE_UNAVAILABLE' });
    s3.proxy.fault = undefined;
    expect(await askStanding(world, path)).toMatchObject({ status: 308, here: pieceBytes });
    expect(await putPart(world, path, file, pieceBytes, file.length)).toMatchObject({ status: 200 });
    expect((await stored(world, id)).equals(file)).toBe(true);
    const objects = (await filesOf(s3.directory)).filter((name) => name.endsWith('_object'));
    expect(objects).toHaveLength(2);
    for (const object of objects) expect(object).toContain('reinstate/files/');
    expect(await filesIn(world)).toEqual([]);
  });
});
