// The action log can't be bent: whatever is done to it behind the server's back is found, and the first bad entry is named.
import { createHash, createPublicKey } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as sdk from '../sdk/generated.ts';
import { startWorker } from '../src/jobs/worker.ts';
import { deriveKeys } from '../src/keys.ts';
import { Chain } from '../src/log/chain.ts';
import { exportCheckpoint } from '../src/log/checkpoints.ts';
import { leafOf, rootOf } from '../src/log/merkle.ts';
import { readSealed } from '../src/log/reading.ts';
import { hashOf, makeSeal } from '../src/log/seal.ts';
import { verifyFile } from '../src/log/verify-file.ts';
import { sealEntries } from '../src/log/sealing.ts';
import { encodeId } from '../src/schema/common.ts';
import { hire } from './custom-roles.ts';
import { eraseThem } from './erasing.ts';
import { contactId, deleteThem, fill, liveIds, runJobs } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { behindTheBack, download, reinstate, swap, verify } from './logs.ts';
import { until } from './processes.ts';

/** Three batches of entries under three seals: sign-ins, a contact that is created and changed, a deletion with a reason. */
async function writeLog(world: World): Promise<string[]> {
  const seal = () => sealEntries(world.app, world.organizationId());
  const admin = await world.as('Super admin');
  await world.as('Viewer');
  await seal();
  const { createContact } = await admin.request(sdk.CreateContactDocument, { input: { firstName: 'Ada', city: 'Ghent' } });
  const { id, version } = createContact.contact!;
  await admin.request(sdk.UpdateContactDocument, { input: { id, version, city: 'Porto' } });
  for (const firstName of ['Bea', 'Cleo', 'Dora']) await admin.request(sdk.CreateContactDocument, { input: { firstName } });
  await seal();
  await deleteThem(world, { contactIds: [id] });
  await seal();
  const { rows } = await world.owner.query<{ id: string }>('select unnest(action_ids) as id from action_seal where organization_id = $1 order by number', [
    world.organizationId(),
  ]);
  return rows.map((row) => row.id);
}

const insertion = `insert into action_log select (jsonb_populate_record(a, jsonb_build_object('id', gen_random_uuid(), 'action', 'contact.seen'))).* from action_log a where id = $1`;

describe('the tree', () => {
  it('has the roots that RFC 6962 gives', () => {
    // The test vectors of Certificate Transparency's reference implementation.
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657', '606162636465666768696a6b6c6d6e6f'];
    const roots = [
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
      'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
      'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
      'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
      '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
      '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
      'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    ];
    const leaves = inputs.map((hex) =>
      createHash('sha256')
        .update(Buffer.from(`00${hex}`, 'hex'))
        .digest(),
    );
    expect(roots.map((_, count) => rootOf(Buffer.concat(leaves.slice(0, count))).toString('hex'))).toEqual(roots);
    expect(leafOf('').toString('hex')).toBe(roots[1]);
  });
});

describe('a log that nobody bent', () => {
  it('is intact, before and after everything is sealed, and goes through every head that it once had', async () => {
    await using world = await createWorld();
    await world.as('Super admin');
    expect(await verify(world)).toMatchObject({ intact: true, fault: null, head: null, waitingCount: 1 });
    const ids = await writeLog(world);
    const first = await verify(world);
    expect(first).toMatchObject({ intact: true, fault: null, waitingCount: 0, erasedCount: 0, checkpointNumber: null });
    expect(first.head).toMatchObject({ number: 3, entryCount: ids.length });
    expect(new Set(ids).size).toBe(ids.length);
    const { number, hash } = first.head!;
    await world.as('Staff');
    await sealEntries(world.app, world.organizationId());
    expect(await verify(world, { number, hash })).toMatchObject({ intact: true, head: { number: 4, entryCount: ids.length + 1 } });
  });

  it('is sealed and checkpointed by a worker, without being asked', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-checkpoints-'));
    await using world = await createWorld({ settings: { CHECKPOINT_DIRECTORY: directory } });
    const worker = await startWorker(world.app);
    await world.as('Super admin');
    await until('the entry to be sealed', 20, async () => (await world.owner.query('select 1 from action_seal')).rows.length > 0);
    await world.owner.query(`select graphile_worker.add_job('keep_checkpoints')`);
    await until('the checkpoint to be written', 20, async () => (await verify(world)).checkpointNumber === 1);
    await worker.stop();
    expect(await verify(world)).toMatchObject({ intact: true, waitingCount: 0 });
    await rm(directory, { recursive: true });
  });

  it('is the same whoever seals it, at once, while others write', async () => {
    await using world = await createWorld();
    const admin = await world.as('Super admin');
    const names = Array.from({ length: 40 }, (_, index) => `Contact ${index}`);
    const writing = new AbortController();
    const sealers = Array.from({ length: 3 }, async () => {
      while (!writing.signal.aborted) await sealEntries(world.app, world.organizationId());
    });
    await Promise.all(names.map((firstName) => admin.request(sdk.CreateContactDocument, { input: { firstName } })));
    writing.abort();
    await Promise.all(sealers);
    await sealEntries(world.app, world.organizationId());
    expect(await verify(world)).toMatchObject({ intact: true, waitingCount: 0, head: { entryCount: names.length + 1 } });
  });

  it('is intact when reasons and details are erased with the person, whose salts are gone', async () => {
    await using world = await createWorld();
    await writeLog(world);
    const { rows } = await world.owner.query<{ id: string }>(`select target_id as id from action_log where action = 'contact.updated'`);
    await eraseThem(world, [rows[0]!.id]);
    await runJobs(world);
    await sealEntries(world.app, world.organizationId());
    expect(await verify(world)).toMatchObject({ intact: true, fault: null, erasedCount: 3 });
    const { rows: salts } = await world.owner.query(
      'select (select count(*)::int from action_salt) as salts, (select count(*)::int from action_reason) as reasons',
    );
    expect(salts).toEqual([{ salts: 0, reasons: 0 }]);
  });

  it('belongs to one organization: another has seals of its own', async () => {
    await using world = await createWorld();
    await writeLog(world);
    const other = await world.as('Super admin', 'Hilltop Society');
    await sealEntries(world.app, world.organizationId('Hilltop Society'));
    const { verifyActionLog } = await other.request(sdk.VerifyActionLogDocument, { since: null });
    expect(verifyActionLog).toMatchObject({ intact: true, head: { number: 1, entryCount: 1 } });
  });

  it('takes no action whose entry can’t be written, or what lies beside it, and its connections work on', async () => {
    await using world = await createWorld({ settings: { POOL_SIZE: '4' } });
    const admin = await world.as('Super admin');
    const { createContact } = await admin.request(sdk.CreateContactDocument, { input: { firstName: 'Ada' } });
    const { id, version } = createContact.contact!;
    const server = new URL(world.app.database.url).username;
    const change = (city: string) => admin.request(sdk.UpdateContactDocument, { input: { id, version, city } });
    for (const table of ['action_log', 'action_salt', 'action_unsealed']) {
      await world.owner.query(`revoke insert on ${table} from ${server}`);
      const tried = await Promise.allSettled(['Porto', 'Ghent'].map(change));
      expect(tried).toMatchObject(tried.map(() => ({ status: 'rejected', reason: { code: 'INTERNAL_SERVER_ERROR' } })));
      await world.owner.query(`grant insert on ${table} to ${server}`);
      const { contact } = await admin.request(sdk.ContactDocument, { id });
      expect(contact).toMatchObject({ version, city: null });
    }
    expect((await change('Porto')).updateContact.contact).toMatchObject({ city: 'Porto' });
    await deleteThem(world, { contactIds: [id] });
    const { rows } = await world.owner.query<{ action: string }>(`select action from action_log where target_kind <> 'StaffMember' order by id`);
    expect(rows.map(({ action }) => action)).toEqual(['contact.created', 'contact.updated', 'contacts.deleted']);
  });

  it('is only ever added to, by its owner too', async () => {
    await using world = await createWorld();
    await writeLog(world);
    for (const table of ['action_log', 'action_seal'])
      for (const statement of [`update ${table} set organization_id = organization_id`, `delete from ${table}`, `truncate ${table}`])
        await expect(world.owner.query(statement)).rejects.toThrow(`Rows of ${table} are only ever added. Nothing was changed.`);
    const { rows } = await world.owner.query(
      `select t as table, array_agg(p order by p) filter (where has_table_privilege($1, t, p)) as may
       from unnest('{action_checkpoint,action_salt,action_seal,action_unsealed}'::text[]) t, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p group by t order by t`,
      [new URL(world.app.database.url).username],
    );
    expect(rows).toEqual([
      { table: 'action_checkpoint', may: ['INSERT', 'SELECT'] },
      { table: 'action_salt', may: ['DELETE', 'INSERT', 'SELECT'] },
      { table: 'action_seal', may: ['INSERT', 'SELECT'] },
      { table: 'action_unsealed', may: ['DELETE', 'INSERT', 'SELECT'] },
    ]);
  });
});

/** What may be done to a log of nine entries under three seals of 2, 5 and 2, and what is said of it. */
const bendings: [what: string, does: (ids: string[]) => [string, unknown[]?][], says: (ids: string[]) => object][] = [
  [
    'an edited entry',
    (ids) => [[`update action_log set actor_name = 'Somebody else' where id = $1`, [ids[4]]]],
    (ids) => ({ kind: 'EDITED', sealNumber: 2, position: 5, entryId: ids[4] }),
  ],
  [
    'an instant moved by a millisecond',
    (ids) => [[`update action_log set occurred_at = occurred_at + interval '1 ms' where id = $1`, [ids[0]]]],
    (ids) => ({ kind: 'EDITED', sealNumber: 1, position: 1, entryId: ids[0] }),
  ],
  [
    'a removed entry',
    (ids) => [['delete from action_log where id = $1', [ids[5]]]],
    (ids) => ({ kind: 'REMOVED', sealNumber: 2, position: 6, entryId: ids[5] }),
  ],
  ['an entry inserted past the queue', (ids) => [[insertion, [ids[2]]]], () => ({ kind: 'INSERTED', position: null })],
  [
    'an entry inserted into the list of a seal',
    (ids) => [
      [insertion, [ids[2]]],
      [`update action_seal set action_ids = action_ids[1:2] || (select id from action_log where action = 'contact.seen') || action_ids[3:] where number = 2`],
    ],
    () => ({ kind: 'INSERTED', sealNumber: 2, position: 5 }),
  ],
  ['two entries in each other’s place', (ids) => swap(ids[3]!, ids[5]!), (ids) => ({ kind: 'EDITED', sealNumber: 2, position: 4, entryId: ids[3] })],
  [
    'the list of a seal in another order',
    () => [['update action_seal set action_ids = action_ids[2:2] || action_ids[1:1] || action_ids[3:] where number = 2']],
    (ids) => ({ kind: 'REORDERED', sealNumber: 2, position: 3, entryId: ids[3] }),
  ],
  ['a seal taken away', () => [['delete from action_seal where number = 2']], () => ({ kind: 'REMOVED', sealNumber: 2, position: 3 })],
  [
    'two seals in each other’s place',
    () => [['update action_seal set number = number + 10'], ['update action_seal set number = case number when 12 then 3 when 13 then 2 else 1 end']],
    () => ({ kind: 'REMOVED', sealNumber: 2 }),
  ],
  [
    'an edited statement of a seal',
    () => [[`update action_seal set seal = replace(seal, '"count":5', '"count":4') where number = 2`]],
    () => ({ kind: 'BAD_SEAL', sealNumber: 2 }),
  ],
  [
    'an edited list of leaves',
    () => [[`update action_seal set leaves = set_byte(leaves, 40, get_byte(leaves, 40) # 1) where number = 2`]],
    () => ({ kind: 'BAD_SEAL', sealNumber: 2 }),
  ],
  [
    'an edited reason',
    () => [[`update action_reason set reason = 'They asked for it'`]],
    (ids) => ({
      kind: 'EDITED',
      sealNumber: 3,
      entryId: expect.any(String) as string,
      position: expect.toSatisfy((at: number) => at > 7 && at <= ids.length) as number,
    }),
  ],
];

describe('a log that was bent behind the server’s back', () => {
  it.each(bendings)('is not intact after %s, which is named, and named again in a proof of it', async (_what, does, says) => {
    await using world = await createWorld();
    const ids = await writeLog(world);
    await behindTheBack(world, ...does(ids));
    const { entryId, ...expected } = says(ids) as { entryId?: unknown };
    const { intact, fault } = await verify(world);
    expect(intact).toBe(false);
    expect(fault).toMatchObject({ ...expected, ...(typeof entryId === 'string' ? { entryId: encodeId('ActionLogEntry', entryId) } : {}) });
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-bent-'));
    const [file, publicKey] = [join(directory, 'log.jsonl'), (await verify(world)).publicKey];
    await writeFile(file, await (await download(world, { format: 'PROOF' })).text());
    const { fault: inFile } = await verifyFile(file, publicKey, []);
    await rm(directory, { recursive: true });
    // What is under no seal is in no proof.
    const named = fault!.kind !== 'INSERTED' || fault!.position !== null;
    expect(inFile && { kind: inFile.kind, sealNumber: inFile.sealNumber, position: inFile.position }).toEqual(
      named ? { kind: fault!.kind, sealNumber: fault!.sealNumber, position: fault!.position } : undefined,
    );
  });

  it('is not intact after an entry was taken away before it was sealed', async () => {
    await using world = await createWorld();
    await writeLog(world);
    await (await world.as('Super admin')).request(sdk.CreateContactDocument, { input: { firstName: 'Eve' } });
    const { rows } = await world.owner.query<{ id: string }>('select action_id as id from action_unsealed where organization_id = $1', [
      world.organizationId(),
    ]);
    await behindTheBack(world, ['delete from action_log where id = $1', [rows[0]!.id]]);
    await sealEntries(world.app, world.organizationId());
    expect((await verify(world)).fault).toMatchObject({ kind: 'REMOVED', entryId: encodeId('ActionLogEntry', rows[0]!.id) });
  });

  it('is not intact after its end was cut off, for whoever kept a head, or a checkpoint outside of the database', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-checkpoints-'));
    await using world = await createWorld({ settings: { CHECKPOINT_DIRECTORY: directory, CHECKPOINT_MINUTES: '0' } });
    const ids = await writeLog(world);
    const { number, hash } = (await verify(world)).head!;
    const cut: [string, unknown[]?][] = [['delete from action_log where id = any($1)', [ids.slice(7)]], ['delete from action_seal where number = 3']];
    await behindTheBack(world, ...cut);
    expect(await verify(world)).toMatchObject({ intact: true, checkpointNumber: null });
    const fault = { kind: 'CUT_OFF', sealNumber: 3, position: 8 };
    expect((await verify(world, { number, hash })).fault).toMatchObject(fault);
    expect(await exportCheckpoint(world.app, world.organizationId())).toBe(true);
    expect(await exportCheckpoint(world.app, world.organizationId())).toBe(false);
    expect(await verify(world)).toMatchObject({ intact: true, checkpointNumber: 2 });
    await behindTheBack(world, ['delete from action_log where id = any($1)', [ids.slice(2)]], ['delete from action_seal where number = 2']);
    expect(await verify(world)).toMatchObject({ intact: false, checkpointNumber: 2, fault: { kind: 'CUT_OFF', sealNumber: 2, position: 3 } });
    for (const location of [
      `checkpoint-${world.organizationId()}/seal-9999999999-0-1-0123456789abcdef`,
      'checkpoint-elsewhere/seal-0-0-1-0123456789abcdef',
      '../etc',
    ]) {
      await world.owner.query('update action_checkpoint set location = $1', [location]);
      expect((await verify(world)).fault).toMatchObject({ kind: 'CUT_OFF', sealNumber: 2 });
    }
    await world.owner.query('delete from action_checkpoint');
    expect((await verify(world)).fault).toMatchObject({ kind: 'CUT_OFF', sealNumber: 2 });
    await rm(directory, { recursive: true });
  });

  it('is not intact when it was written anew with another key, or with the right one against a checkpoint', async () => {
    await using world = await createWorld();
    await writeLog(world);
    const { rows } = await world.owner.query<{ seal: string }>('select seal from action_seal where number = 3 and organization_id = $1', [
      world.organizationId(),
    ]);
    const { type: _type, signingKey: _key, ...facts } = JSON.parse(rows[0]!.seal) as Parameters<typeof makeSeal>[1] & { type: string; signingKey: string };
    const forged = makeSeal(deriveKeys(Buffer.alloc(32, 8)), facts);
    const { number, hash } = (await verify(world)).head!;
    const put = 'update action_seal set seal = $1, signature = $2 where number = 3';
    await behindTheBack(world, [put, [forged.text, forged.signature]]);
    expect((await verify(world)).fault).toMatchObject({ kind: 'BAD_SEAL', sealNumber: 3 });
    await expect(
      sealEntries(world.app, world.organizationId())
        .then(() => world.as('Staff'))
        .then(() => sealEntries(world.app, world.organizationId())),
    ).rejects.toThrow(/Nothing more of it is sealed: verify the log/);
    const anew = makeSeal(world.app.keys, { ...facts, sealedAt: '2026-01-01T00:00:00.000Z' });
    await behindTheBack(world, [put, [anew.text, anew.signature]]);
    expect((await verify(world)).intact).toBe(true);
    expect((await verify(world, { number, hash })).fault).toMatchObject({ kind: 'BAD_SEAL', sealNumber: 3 });
    const now = (await verify(world)).head!;
    const key = createPublicKey(world.app.keys.log);
    // Of two heads of one seal, which can't both be right, neither hides the other.
    for (const heads of [
      [now, { number, hash }],
      [{ number, hash }, now],
    ]) {
      const chain = new Chain(world.organizationId(), key, heads);
      await world.app.database.transact(world.organizationId(), async (tx) => {
        for await (const batch of readSealed(tx)) chain.take(batch);
      });
      expect(chain.fault).toMatchObject({ kind: 'BAD_SEAL', sealNumber: 3 });
    }
  });
});

describe('a proof', () => {
  it('verifies without a server, and names what was done to the file', { timeout: 120_000 }, async () => {
    const directory = await mkdtemp(join(tmpdir(), 'reinstate-proof-'));
    await using world = await createWorld({ settings: { CHECKPOINT_DIRECTORY: directory, CHECKPOINT_MINUTES: '0' } });
    const ids = await writeLog(world);
    await exportCheckpoint(world.app, world.organizationId());
    const response = await download(world, { format: 'PROOF' });
    expect(response.status).toBe(200);
    const lines = (await response.text()).trimEnd().split('\n');
    const { publicKey, head } = await verify(world);
    const [proof, key] = [join(directory, 'log.jsonl'), join(directory, 'key.pem')];
    await writeFile(key, publicKey);
    const folder = (await readdir(directory)).find((name) => name.startsWith('checkpoint-'))!;
    const checkpoint = join(directory, folder, (await readdir(join(directory, folder)))[0]!);
    const told = async (some: string[], ...args: string[]) => {
      await writeFile(proof, `${some.join('\n')}\n`);
      return reinstate(proof, '--key', key, ...args);
    };
    const kept = `${head!.number}:${hashOf((JSON.parse(await readFile(checkpoint, 'utf8')) as { seal: string }).seal)}`;
    expect(kept).toBe(`${head!.number}:${head!.hash}`);
    const good = await told(lines, '--checkpoint', checkpoint, '--head', kept);
    expect(good).toEqual({ code: 0, out: expect.stringContaining(`INTACT. Keep this head: ${kept}`) as string });
    expect(good.out).toContain(`Verified: ${ids.length} entries under 3 seals`);
    const at = lines.findIndex((line) => line.includes(`"entry":{"id":"${ids[4]}"`));
    const without = lines.toSpliced(at, 1);
    const third = lines.findIndex((line) => line.includes('\\"number\\":3'));
    const cases: [string[], RegExp][] = [
      [lines.with(at, lines[at]!.replace('contact.created', 'contact.creamed')), /EDITED\): Entry 5 /],
      [without, /REMOVED\): Entry 5 /],
      [lines.toSpliced(at, 0, lines[at]!.replace(ids[4]!, '01890000-0000-7000-8000-000000000000')), /INSERTED\): Entry 5 /],
      [lines.with(at, lines[at + 1]!).with(at + 1, lines[at]!), /REORDERED\): Entry 5 /],
      [lines.toSpliced(third, lines.length - 1 - third), /CUT_OFF\): The log ends with seal 2/],
    ];
    for (const [some, message] of cases)
      expect(await told(some, '--checkpoint', checkpoint)).toEqual({ code: 1, out: expect.stringMatching(message) as string });
    expect(await told(lines.slice(0, -1))).toEqual({ code: 2, out: expect.stringMatching(/it is not all of one/) as string });
    expect(await told(['{}'])).toEqual({ code: 2, out: expect.stringMatching(/Line 1 is not one of a proof/) as string });
    expect(await reinstate()).toMatchObject({ code: 2 });
    await rm(directory, { recursive: true });
  });
});

describe('the action log as a file', () => {
  it('is given as CSV and as JSON lines, the oldest first, with formulas defused', async () => {
    await using world = await createWorld();
    await fill(world, 2);
    await deleteThem(world, { contactIds: [contactId((await liveIds(world))[0]!)] }, 'Riverside Club', '=cmd|"/C calc"!A0');
    const csv = await download(world, { format: 'CSV', filter: { action: 'contacts.deleted' } });
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="action-log.csv"');
    const [head, entry, ...rest] = (await csv.text()).split('\r\n');
    expect(head).toMatch(/^id,occurredAt,actorKind/);
    expect({ entry, rest }).toEqual({ entry: expect.stringContaining(`,"'=cmd|""/C calc""!A0",`) as string, rest: [''] });
    const entries = (await (await download(world, { format: 'JSON_LINES' })).text())
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { action: string; occurredAt: string });
    expect(entries.map(({ action }) => action)).toEqual(expect.arrayContaining(['staff.signed_in', 'contacts.deleted', 'log.exported']));
    expect(entries.map(({ occurredAt }) => occurredAt)).toEqual(entries.map(({ occurredAt }) => occurredAt).sort());
  });

  it('is given to nobody whose link is broken, has expired, or who may not read it any more', async () => {
    await using world = await createWorld();
    const { client, name } = await hire(world, 'log:read');
    const { exportActionLog } = await client.request(sdk.ExportActionLogDocument, { input: { format: 'CSV' } });
    const get = async (path: string) => (await fetch(new URL(path, world.url))).status;
    const path = exportActionLog.path!;
    expect(await get(path)).toBe(200);
    expect(await get(`${path.slice(0, path.lastIndexOf('.') + 1)}${'A'.repeat(43)}`)).toBe(404);
    expect(await get('/downloads/nothing')).toBe(404);
    await world.owner.query(
      `update role set permissions = '{}' where id = (select role_id from staff_member_role l join staff_member s on s.id = l.staff_member_id where s.name = $1)`,
      [name],
    );
    expect(await get(path)).toBe(403);
    const { rows: refused } = await world.owner.query(`select actor_name as who from action_log where action = 'exportActionLog' and code = 'FORBIDDEN'`);
    expect(refused).toEqual([{ who: name }]);
    await world.owner.query('update staff_member set suspended_at = now() where name = $1', [name]);
    expect(await get(path)).toBe(403);
    expect(await (await world.as('Super admin')).request(sdk.ExportActionLogDocument, { input: { format: 'PROOF', filter: { action: 'x' } } })).toMatchObject({
      exportActionLog: { path: null, userErrors: [{ code: 'FILTERED_PROOF' }] },
    });
  });
});
