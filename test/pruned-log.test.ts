// What is older than it is kept goes from the action log, and nothing else does: whole seals, up to a checkpoint outside of
// the database, with a signed statement in their place. What is left verifies as before.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { readConfig } from '../src/config.ts';
import { deriveKeys } from '../src/keys.ts';
import { exportCheckpoint } from '../src/log/checkpoints.ts';
import { pruneLog } from '../src/log/pruning.ts';
import { makePruning, type Pruning } from '../src/log/seal.ts';
import { sealEntries } from '../src/log/sealing.ts';
import { verifyFile } from '../src/log/verify-file.ts';
import { migrate } from '../src/migrate.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactId, deleteThem, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { behindTheBack, download, reinstate, swap, verify } from './logs.ts';
import { masterKey, testKeys } from './people.ts';

const days = 40;
const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: 'pruning', address: null, agent: null } as const;

const prune = (world: World) => pruneLog(world.app, actor, world.organizationId());
const checkpoint = (world: World) => exportCheckpoint(world.app, world.organizationId());

/** As many contacts as asked for are created, and what was written up to now goes under one seal; so long ago. */
async function sealSome(world: World, count: number, daysAgo: number): Promise<string[]> {
  const admin = await world.as('Super admin');
  for (let index = 0; index < count; index++) await admin.request(sdk.CreateContactDocument, { input: { firstName: `Contact ${index}` } });
  await behindTheBack(world, [
    `update action_log set occurred_at = occurred_at - make_interval(days => $1) where id in (select action_id from action_unsealed)`,
    [daysAgo],
  ]);
  await sealEntries(world.app, world.organizationId());
  const { rows } = await world.owner.query<{ ids: string[] }>(
    'select action_ids as ids from action_seal where organization_id = $1 order by number desc limit 1',
    [world.organizationId()],
  );
  return rows[0]!.ids;
}

/** As every start sets it. */
const retain = (world: World, least: number) => world.owner.query(`create or replace function log_retention_days() returns int language sql return ${least}`);

interface Pruned extends AsyncDisposable {
  world: World;
  directory: string;
  /** The entries' ids, in their order. */
  ids: string[];
}

/** A log of seals of 3, 2, 2 and 3 entries, of which the first two are older than they are kept; and checkpoints of it. */
async function agedLog(settings: Record<string, string> = {}): Promise<Pruned> {
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-pruning-'));
  const world = await createWorld({
    settings: { CHECKPOINT_DIRECTORY: directory, CHECKPOINT_MINUTES: '0', LOG_RETENTION_DAYS: String(days), ...settings },
  });
  await retain(world, days);
  await world.as('Super admin');
  const ids = [...(await sealSome(world, 2, 60)), ...(await sealSome(world, 2, 50)), ...(await sealSome(world, 2, 5)), ...(await sealSome(world, 3, 0))];
  return {
    world,
    directory,
    ids,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await rm(directory, { recursive: true });
    },
  };
}

/** Of Riverside Club: entries that are there, by their place in the log from 1, and seals by their numbers. */
async function left({ world, ids }: Pruned): Promise<{ entries: number[]; seals: number[] }> {
  const { rows } = await world.owner.query<{ id: string }>('select id from action_log where organization_id = $1', [world.organizationId()]);
  const { rows: seals } = await world.owner.query<{ number: number }>('select number from action_seal where organization_id = $1 order by number', [
    world.organizationId(),
  ]);
  const there = new Set(rows.map(({ id }) => id));
  return { entries: ids.flatMap((id, index) => (there.has(id) ? [index + 1] : [])), seals: seals.map(({ number }) => number) };
}

const whole = { entries: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], seals: [1, 2, 3, 4] };
const pruned = { entries: [6, 7, 8, 9, 10], seals: [3, 4] };

/** The proof as it is given, and what is said of it without a server. */
async function verifyProof(world: World): Promise<Awaited<ReturnType<typeof verifyFile>>> {
  const directory = await mkdtemp(join(tmpdir(), 'reinstate-proof-'));
  const file = join(directory, 'log.jsonl');
  await writeFile(file, await (await download(world, { format: 'PROOF' })).text());
  const chain = await verifyFile(file, (await verify(world)).publicKey, []);
  await rm(directory, { recursive: true });
  return chain;
}

describe('pruning', () => {
  it('takes whole seals that are older than they are kept, says so in the log, and what is left verifies', async () => {
    await using log = await agedLog();
    const { world } = log;
    const { number, hash } = (await verify(world)).head!;
    await checkpoint(world);
    const { rows } = await world.owner.query<{ until: Date }>('select occurred_at as until from action_log where id = $1', [log.ids[4]]);
    expect(await prune(world)).toBe(5);
    expect(await left(log)).toEqual(pruned);
    await sealEntries(world.app, world.organizationId());
    const verified = await verify(world, { number, hash });
    expect(verified).toMatchObject({ intact: true, fault: null, waitingCount: 0, head: { number: 5, entryCount: 11 }, checkpointNumber: 4 });
    expect(verified.pruned).toMatchObject({ sealNumber: 2, entryCount: 5, until: rows[0]!.until.toISOString() });
    const { rows: told } = await world.owner.query(
      `select actor_kind, target_count, r.reason from action_log a join action_reason r on r.action_id = a.id where action = 'log.pruned'`,
    );
    expect(told).toEqual([
      { actor_kind: 'SYSTEM', target_count: 5, reason: `Entries 1 to 5, the newest of ${rows[0]!.until.toISOString()}, are older than ${days} days.` },
    ]);
    expect(await prune(world)).toBe(0);
  });

  it('goes on where it ended, run by the clock, in each organization for itself', async () => {
    await using log = await agedLog();
    const { world } = log;
    await world.as('Super admin', 'Hilltop Society');
    await sealEntries(world.app, world.organizationId('Hilltop Society'));
    await checkpoint(world);
    for (const expected of [pruned, { entries: [8, 9, 10], seals: [4, 5] }]) {
      await world.owner.query(`select graphile_worker.add_job('prune_action_log')`);
      await runJobs(world);
      expect(await left(log)).toMatchObject({ entries: expected.entries });
      await sealEntries(world.app, world.organizationId());
      await checkpoint(world);
      // Time passes: what was 5 days old is older than it is kept.
      Object.assign(world.app.config, { LOG_RETENTION_DAYS: 3 });
      await retain(world, 3);
    }
    expect(await verify(world)).toMatchObject({ intact: true, pruned: { sealNumber: 3, entryCount: 7 } });
    const { rows } = await world.owner.query('select count(*)::int as count from action_log where organization_id = $1', [
      world.organizationId('Hilltop Society'),
    ]);
    expect(rows).toEqual([{ count: 1 }]);
  });

  it('goes no further than the newest checkpoint outside of the database', async () => {
    await using log = await agedLog();
    const { world } = log;
    await expect(prune(world)).rejects.toThrow('there is no checkpoint of it outside of the database. Nothing was removed.');
    // Of a log that had got to its first seal.
    const later = await world.owner.query('select * from action_seal where number > 1 and organization_id = $1', [world.organizationId()]);
    await behindTheBack(world, ['delete from action_seal where number > 1 and organization_id = $1', [world.organizationId()]]);
    await checkpoint(world);
    await behindTheBack(world, [
      `insert into action_seal select (jsonb_populate_recordset(null::action_seal, $1)).*`,
      [JSON.stringify(later.rows.map(asJson))],
    ]);
    expect(await verify(world)).toMatchObject({ intact: true, checkpointNumber: 1 });
    expect(await prune(world)).toBe(3);
    expect(await left(log)).toEqual({ entries: [4, 5, 6, 7, 8, 9, 10], seals: [2, 3, 4] });
    expect(await verify(world)).toMatchObject({ intact: true, pruned: { sealNumber: 1 } });
  });

  it('takes nothing when the checkpoint was tampered with, was signed by somebody else, or is of another log', async () => {
    await using log = await agedLog();
    const { world, directory } = log;
    await checkpoint(world);
    const folder = join(directory, `checkpoint-${world.organizationId()}`);
    const file = join(folder, (await readdir(folder))[0]!);
    const good = await readFile(file, 'utf8');
    const { seal, signature } = JSON.parse(good) as { seal: string; signature: string };
    const others = makePruning(deriveKeys(Buffer.alloc(32, 8)), {} as Pruning).signature.toString('base64');
    const { rows } = await world.owner.query<{ seal: string; signature: Buffer }>('select seal, signature from action_seal where number = 2');
    const bad = [
      JSON.stringify({ seal: seal.replace('"number":4', '"number":9'), signature }),
      JSON.stringify({ seal, signature: others }),
      'no checkpoint at all',
      '{}',
    ];
    for (const body of bad) {
      await writeFile(file, body);
      await expect(prune(world)).rejects.toThrow(/is not pruned: .*Nothing was removed\./s);
    }
    await rm(file);
    await expect(prune(world)).rejects.toThrow('there is no checkpoint');
    await writeFile(file, good);
    // The log was written anew behind the checkpoint: its seals don't lead there.
    await behindTheBack(world, ['update action_seal set seal = $1, signature = $2 where number = 4', [rows[0]!.seal, rows[0]!.signature]]);
    await expect(prune(world)).rejects.toThrow('do not lead to the checkpoint');
    expect(await left(log)).toEqual(whole);
  });

  it('takes nothing from a log that was bent where it would be taken, so that this stays to be seen', async () => {
    await using log = await agedLog();
    const { world, ids } = log;
    await checkpoint(world);
    await behindTheBack(world, [`update action_log set actor_name = 'Somebody else' where id = $1`, [ids[3]]]);
    await expect(prune(world)).rejects.toThrow(/Entry 4 \(seal 2\) was edited/);
    expect(await left(log)).toEqual(whole);
    expect(await verify(world)).toMatchObject({ intact: false, fault: { kind: 'EDITED', position: 4 } });
  });

  it('leaves what is still open, whatever its age: a deletion that can be recovered, and all since', async () => {
    await using log = await agedLog();
    const { world } = log;
    const [one] = await liveIds(world);
    const { deletion } = await deleteThem(world, { contactIds: [contactId(one!)] });
    await sealEntries(world.app, world.organizationId());
    await checkpoint(world);
    await world.owner.query(`update deletion set requested_at = now() - interval '55 days'`);
    expect(await prune(world)).toBe(3);
    expect(await left(log)).toMatchObject({ entries: [4, 5, 6, 7, 8, 9, 10] });
    expect(deletion).not.toBeNull();
    await world.owner.query(`update deletion set state = 'ERASED'`);
    expect(await prune(world)).toBe(2);
  });

  it('is off unless it is asked for, and is refused at the start where it would take what is needed', () => {
    const read = (settings: Record<string, string>) => readConfig({ MASTER_KEY: masterKey.toString('base64'), ...settings });
    expect(read({}).LOG_RETENTION_DAYS).toBe(0);
    expect(read({ LOG_RETENTION_DAYS: '37' }).LOG_RETENTION_DAYS).toBe(37);
    expect(() => read({ LOG_RETENTION_DAYS: '36' })).toThrow(
      'LOG_RETENTION_DAYS is 36, and deletions can be recovered for 30 days: entries must be kept for at least 37 days, or 0 for ever. Nothing was started.',
    );
    expect(() => read({ LOG_RETENTION_DAYS: '40', DATABASE_URL: 'postgres://owner@db.example/reinstate' })).toThrow(/only up to a checkpoint outside/);
  });

  it('takes as young entries as the last start has said, and none before one has', async () => {
    await using world = await createWorld();
    const said = async () => (await world.owner.query<{ days: number }>('select log_retention_days() as days')).rows[0]!.days;
    const url = Object.assign(new URL(world.template.url), { pathname: world.name }).href;
    const options = { url, appUrl: world.app.database.url, secret: testKeys.database };
    expect(await said()).toBe(0);
    await migrate({ ...options, logRetentionDays: 50 });
    expect(await said()).toBe(50);
    await migrate(options);
    expect(await said()).toBe(50);
    await migrate({ ...options, logRetentionDays: 0 });
    expect(await said()).toBe(0);
  });

  it('removes nothing where it is off', async () => {
    await using log = await agedLog({ LOG_RETENTION_DAYS: '0' });
    await checkpoint(log.world);
    expect(await prune(log.world)).toBe(0);
    expect(await left(log)).toEqual(whole);
  });
});

/** A row as JSON that PostgreSQL reads back. */
const asJson = (row: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Buffer.isBuffer(value) ? `\\x${value.toString('hex')}` : value]));

describe('the way to prune', () => {
  it('is the one function, which takes no more than it should, whoever calls it', async () => {
    await using log = await agedLog();
    const { world } = log;
    const server = new pg.Client({ connectionString: world.app.database.url });
    await server.connect();
    const organizationId = world.organizationId();
    const { rows } = await world.owner.query<{ number: number; hash: string }>(
      `select number, encode(sha256(convert_to(seal, 'UTF8')), 'hex') as hash from action_seal where organization_id = $1 order by number`,
      [organizationId],
    );
    const call = async (statement: object, as: string | null = organizationId) => {
      await server.query(`begin; set local app.pruning = 'on'${as ? `; set local app.organization_id = '${as}'` : ''}`);
      return server.query(`select prune_action_log($1, '\\x00')`, [JSON.stringify(statement)]).finally(() => server.query('rollback'));
    };
    const [first, second, third, fourth] = rows.map(({ number, hash }) => ({ organizationId, number, hash }));
    const none = 'This is no statement by which the action log could be pruned. Nothing was removed.';
    for (const [statement, as] of [
      [{ ...second, hash: first!.hash }],
      [{ ...second, number: 7 }],
      [{ ...second, organizationId: world.organizationId('Hilltop Society') }],
      [second, world.organizationId('Hilltop Society')],
      [second, null],
      [fourth],
      [{}],
    ] as [object, string | null | undefined][])
      await expect(call(statement, as)).rejects.toThrow(none);
    await expect(call(third!)).rejects.toThrow('Entries of the action log are kept for 40 days, and some of these are younger. Nothing was removed.');
    expect((await call(second!)).rows).toEqual([{ prune_action_log: 5 }]);
    await retain(world, 0);
    await expect(call(second!)).rejects.toThrow(none);
    await server.query(`begin; set local app.pruning = 'on'; set local app.organization_id = '${organizationId}'`);
    for (const table of ['action_log', 'action_seal', 'action_pruning']) {
      await server.query('savepoint here');
      await expect(server.query(`delete from ${table}`)).rejects.toThrow(`permission denied for table ${table}`);
      await server.query('rollback to here');
    }
    await server.query('rollback');
    await server.end();
    const { rows: may } = await world.owner.query(
      `select has_function_privilege('public', 'prune_action_log(text, bytea)', 'execute') as everyone,
        array(select p from unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p where has_table_privilege($1, 'action_pruning', p)) as server`,
      [new URL(world.app.database.url).username],
    );
    expect(may).toEqual([{ everyone: false, server: ['SELECT'] }]);
    for (const statement of ['delete from action_log', 'delete from action_seal', 'update action_log set action = action'])
      await expect(world.owner.query(statement)).rejects.toThrow('are only ever added. Nothing was changed.');
    expect(await left(log)).toEqual(whole);
  });
});

/** What is done to a log of which seals 1 and 2 were pruned, and what is said of it. */
const bendings: [what: string, does: (ids: string[]) => [string, unknown[]?][], says: object][] = [
  [
    'an edited entry',
    (ids) => [[`update action_log set actor_name = 'Somebody else' where id = $1`, [ids[6]]]],
    { kind: 'EDITED', sealNumber: 3, position: 7 },
  ],
  ['a removed entry', (ids) => [['delete from action_log where id = $1', [ids[5]]]], { kind: 'REMOVED', sealNumber: 3, position: 6 }],
  ['two entries in each other’s place', (ids) => swap(ids[7]!, ids[8]!), { kind: 'EDITED', sealNumber: 4, position: 8 }],
  ['a seal taken away', () => [['delete from action_seal where number = 3']], { kind: 'REMOVED', sealNumber: 3, position: 6 }],
  [
    'more taken from the beginning than was pruned',
    (ids) => [['delete from action_log where id = any($1)', [ids.slice(0, 7)]], ['delete from action_seal where number <= 3']],
    { kind: 'REMOVED', sealNumber: 3, position: 6 },
  ],
  ['the statement taken away', () => [['delete from action_pruning']], { kind: 'REMOVED', sealNumber: 1, position: 1 }],
  ['an edited statement', () => [[`update action_pruning set statement = replace(statement, '"total":5', '"total":4')`]], { kind: 'BAD_SEAL' }],
  [
    'a statement moved forward with what it would allow',
    () => [[`update action_pruning set statement = replace(statement, '"number":2', '"number":3')`], ['delete from action_seal where number = 3']],
    { kind: 'BAD_SEAL' },
  ],
  [
    'everything taken but the statement',
    () => [['delete from action_seal'], ['delete from action_log'], ['delete from action_unsealed']],
    { kind: 'CUT_OFF', sealNumber: 3, position: 6 },
  ],
];

describe('a pruned log that was bent behind the server’s back', () => {
  it.each(bendings)('is not intact after %s, in the database and in a proof', async (_what, does, says) => {
    await using log = await agedLog();
    const { world, ids } = log;
    await checkpoint(world);
    await prune(world);
    expect((await verify(world)).intact).toBe(true);
    expect((await verifyProof(world)).fault).toBeUndefined();
    await behindTheBack(world, ...does(ids));
    expect(await verify(world)).toMatchObject({ intact: false, fault: says });
    expect((await verifyProof(world)).fault).toMatchObject(says);
  });

  it('is not intact when entries that went are put back, or a statement of another log or key is put in', async () => {
    await using log = await agedLog();
    const { world } = log;
    await checkpoint(world);
    const { rows } = await world.owner.query<{ row: object }>('select to_jsonb(a) as row from action_log a where id = $1', [log.ids[1]]);
    await prune(world);
    const { rows: statements } = await world.owner.query<{ statement: string; signature: Buffer }>('select statement, signature from action_pruning');
    const { type: _type, signingKey: _key, ...facts } = JSON.parse(statements[0]!.statement) as Pruning;
    const put = 'update action_pruning set statement = $1, signature = $2';
    for (const forged of [
      makePruning(deriveKeys(Buffer.alloc(32, 8)), facts),
      makePruning(world.app.keys, { ...facts, organizationId: world.organizationId('Hilltop Society') }),
    ]) {
      await world.owner.query(put, [forged.text, forged.signature]);
      expect(await verify(world)).toMatchObject({ intact: false, fault: { kind: 'BAD_SEAL' }, pruned: null });
      await expect(prune(world)).rejects.toThrow('is not one that was signed for it with this key');
    }
    await world.owner.query(put, [statements[0]!.statement, statements[0]!.signature]);
    expect((await verify(world)).intact).toBe(true);
    await behindTheBack(world, ['insert into action_log select (jsonb_populate_record(null::action_log, $1)).*', [rows[0]!.row]]);
    expect((await verify(world)).fault).toMatchObject({ kind: 'INSERTED', entryId: encodeId('ActionLogEntry', log.ids[1]!) });
  });
});

describe('a proof of a pruned log', () => {
  it('verifies without a server, with and without a checkpoint, and says from when on it is complete', { timeout: 60_000 }, async () => {
    await using log = await agedLog();
    const { world, directory } = log;
    const early = (await verify(world)).head!;
    await checkpoint(world);
    await prune(world);
    await sealEntries(world.app, world.organizationId());
    const { publicKey, head, pruned: told } = await verify(world);
    const lines = (await (await download(world, { format: 'PROOF' })).text()).trimEnd().split('\n');
    const [proof, key] = [join(directory, 'log.jsonl'), join(directory, 'key.pem')];
    await writeFile(key, publicKey);
    const check = async (some: string[], ...args: string[]) => {
      await writeFile(proof, `${some.join('\n')}\n`);
      return reinstate(proof, '--key', key, ...args);
    };
    const folder = join(directory, `checkpoint-${world.organizationId()}`);
    const file = join(folder, (await readdir(folder))[0]!);
    const good = await check(lines, '--checkpoint', file);
    expect(good).toEqual({ code: 0, out: expect.stringContaining(`INTACT. Keep this head: ${head!.number}:${head!.hash}`) as string });
    expect(good.out).toContain(`entries 1 to 5, under seals 1 to 2, the newest of ${told!.until}. The log is complete from then on.`);
    expect(good.out).toContain('Verified: 6 entries under 3 seals');
    expect(await check(lines)).toMatchObject({ code: 0, out: expect.stringContaining('Nothing tells how long the log was') as string });
    expect(await check(lines, '--head', `1:${'0'.repeat(64)}`)).toMatchObject({
      code: 0,
      out: expect.stringContaining('Seals 1, which you gave, were pruned: there is nothing left to hold them against.') as string,
    });
    expect(await check(lines, '--head', `2:${'0'.repeat(64)}`)).toMatchObject({
      code: 1,
      out: expect.stringMatching(/BAD_SEAL\): Seal 2 is not the one/) as string,
    });
    expect(early.number).toBe(4);
    const cases: [string[], RegExp, number][] = [
      [lines.toSpliced(1, 1), /REMOVED\): Seal 1 is missing, with the entries from 1 to 5/, 1],
      [lines.with(1, lines[1]!.replace(String.raw`\"total\":5`, String.raw`\"total\":6`)), /BAD_SEAL\): The statement that the log was pruned/, 1],
      [[...lines.slice(0, 1), ...lines.slice(2, 3), lines[1]!, ...lines.slice(3)], /Line 3 tells of pruning/, 2],
      [[...lines.slice(0, 2), JSON.stringify({ end: 0 })], /CUT_OFF\): The log ends with seal 2, and there was at least one more/, 1],
    ];
    for (const [some, message, code] of cases)
      expect(await check(some, '--head', `${early.number}:${early.hash}`)).toEqual({ code, out: expect.stringMatching(message) as string });
  });
});

describe('pruning while others are at it', () => {
  it('waits for whoever walks the log, and disturbs neither sealing nor writing nor exports', async () => {
    await using log = await agedLog();
    const { world } = log;
    await checkpoint(world);
    const admin = await world.as('Super admin');
    const writing = new AbortController();
    const sealers = Array.from({ length: 2 }, async () => {
      while (!writing.signal.aborted) await sealEntries(world.app, world.organizationId());
    });
    const pruners = Array.from({ length: 2 }, async () => {
      while ((await left(log)).seals.includes(1)) await prune(world);
    });
    const [proofs, verified] = await Promise.all([
      Promise.all(Array.from({ length: 3 }, () => verifyProof(world))),
      Promise.all(Array.from({ length: 4 }, () => verify(world))),
      ...Array.from({ length: 20 }, (_, index) => admin.request(sdk.CreateContactDocument, { input: { firstName: `Meanwhile ${index}` } })),
      ...pruners,
    ]);
    writing.abort();
    await Promise.all(sealers);
    expect(proofs.map(({ fault }) => fault)).toEqual(proofs.map(() => undefined));
    expect(verified.map(({ fault }) => fault)).toEqual(verified.map(() => null));
    await sealEntries(world.app, world.organizationId());
    expect(await verify(world)).toMatchObject({ intact: true, waitingCount: 0, pruned: { entryCount: 5 } });
    const { rows } = await world.owner.query(`select sum(target_count)::int as pruned from action_log where action = 'log.pruned'`);
    expect(rows).toEqual([{ pruned: 5 }]);
  });

  it('leaves the log as it was when a walk goes on, and prunes it afterwards', async () => {
    await using log = await agedLog();
    const { world } = log;
    await checkpoint(world);
    const reading = await world.app.database.begin(world.organizationId(), { readOnly: true });
    await reading.client.query(`select pg_advisory_xact_lock_shared(hashtextextended('prune ' || '${world.organizationId()}', 0))`);
    expect(await prune(world)).toBe(0);
    await world.app.database.end(reading, 'COMMIT');
    expect(await prune(world)).toBe(5);
  });

  it('is done as a whole or not at all when its connection is killed on the way', async () => {
    await using log = await agedLog();
    const { world } = log;
    await checkpoint(world);
    await fill(world, 1);
    // It stops where the log entry of the pruning is written, after everything has been removed.
    await world.owner.query('begin; lock table action_unsealed in share mode');
    const pruning = prune(world).catch((error: Error) => error);
    const stuck = async () =>
      (await world.admin.query<{ pid: number }>(`select pid from pg_stat_activity where datname = $1 and wait_event_type = 'Lock'`, [world.name])).rows[0]?.pid;
    let pid: number | undefined;
    while (pid === undefined) pid = await stuck();
    await world.admin.query('select pg_terminate_backend($1)', [pid]);
    expect(await pruning).toBeInstanceOf(Error);
    await world.owner.query('rollback');
    expect(await left(log)).toEqual(whole);
    expect(await verify(world)).toMatchObject({ intact: true, pruned: null });
    expect(await prune(world)).toBe(5);
    expect(await verify(world)).toMatchObject({ intact: true, pruned: { sealNumber: 2 } });
  });
});
