// What recoveries make of damage to any column of what is stored of a chunk: they refuse it by its name and change nothing,
// or, where nothing hangs on the column, bring everything back. A column that is new here has to be given its faults.
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CancelRecoveryDocument, RecoveryPlanDocument, RecoveryRequestDocument, UndoRecoveryDocument } from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';
import { quoted } from '../src/sql.ts';
import { deleteThem, everything, fill, orderRecovery, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { inDirectory } from './stores.ts';

/** No job may go on for longer than that. */
const promised = 30_000;

/** What becomes of a recovery; IMPOSSIBLE when the database does not take the damage. */
type Outcome = 'REFUSED' | 'EQUAL' | 'IMPOSSIBLE';
/** What becomes of the column, as SQL. */
type Fault = readonly [value: string, outcome: Outcome];

const flip = (column: string, at: string) => `set_byte(${column}, ${at}, get_byte(${column}, ${at}) # 1)`;
/** In what `seal` makes: the iv, the tag, the first byte of the ciphertext and its last. */
const flips = (column: string, outcome: Outcome = 'REFUSED') => ['0', '12', '28', `length(${column}) - 1`].map((at): Fault => [flip(column, at), outcome]);
const cutShort = (column: string): Fault => [`substring(${column} from 1 for length(${column}) - 1)`, 'REFUSED'];
const nobodys = 'gen_random_uuid()';
const another = `(select o.id from organization o where o.id <> t.organization_id)`;
const ofTheThird = (column: string) => `(select o.${column} from snapshot_chunk_body o where o.snapshot_id = t.snapshot_id and o.number = 3)`;

/** Of the snapshot and of its second chunk, by column. */
const faults: Record<string, readonly Fault[]> = {
  'snapshot.organization_id': [[another, 'REFUSED']],
  'snapshot.id': [[nobodys, 'REFUSED']],
  'snapshot.kind': [
    [`'MANUAL'`, 'EQUAL'],
    [`'SAFETY'`, 'EQUAL'],
  ],
  'snapshot.schema_version': [['schema_version # 1', 'EQUAL']],
  'snapshot.master_key_id': [[`'other'`, 'REFUSED']],
  'snapshot.wrapped_key': [...flips('wrapped_key'), cutShort('wrapped_key'), ['null', 'IMPOSSIBLE']],
  'snapshot.created_at': [[`created_at - interval '40 days'`, 'EQUAL']],
  'snapshot.expires_at': [[`now() - interval '1 day'`, 'EQUAL']],
  'snapshot.key_destroyed_at': [['now()', 'IMPOSSIBLE']],
  'snapshot_chunk.organization_id': [[another, 'REFUSED']],
  'snapshot_chunk.snapshot_id': [[nobodys, 'REFUSED']],
  'snapshot_chunk.number': [['number # 1024', 'REFUSED']],
  'snapshot_chunk.contact_count': ['contact_count # 1', '-contact_count', '0'].map((value) => [value, 'REFUSED']),
  'snapshot_chunk.contact_ids': [`'{}'`, 'contact_ids[2:]', `${nobodys} || contact_ids[2:]`, 'contact_ids[2:] || contact_ids[1]'].map((value) => [
    value,
    'REFUSED',
  ]),
  'snapshot_chunk.row_counts': [[`row_counts || '{"Note": 7}'`, 'EQUAL']],
  'snapshot_chunk.balances': [[`'{"USD": 7}'`, 'EQUAL']],
  'snapshot_chunk.raw_bytes': [['raw_bytes # 1', 'EQUAL']],
  'snapshot_chunk.stored_bytes': [['stored_bytes # 1', 'EQUAL']],
  'snapshot_chunk.digest': [[flip('digest', '0'), 'REFUSED'], cutShort('digest'), [`''`, 'REFUSED']],
  'snapshot_chunk.content': [[`'\\x00'`, 'EQUAL']],
  'snapshot_chunk.created_at': [[`created_at - interval '40 days'`, 'EQUAL']],
  'snapshot_chunk_body.organization_id': [[another, 'REFUSED']],
  'snapshot_chunk_body.snapshot_id': [[nobodys, 'REFUSED']],
  'snapshot_chunk_body.number': [['number # 1024', 'REFUSED']],
  'snapshot_chunk_body.store': [[`'DIRECTORY'`, 'IMPOSSIBLE']],
  'snapshot_chunk_body.body': [...flips('body'), cutShort('body'), [`''`, 'REFUSED'], [ofTheThird('body'), 'REFUSED'], ['null', 'IMPOSSIBLE']],
  'snapshot_chunk_body.location': [[`'elsewhere'`, 'IMPOSSIBLE']],
};

/** The same for what is different where bodies lie in a directory. */
const faultsOutside: Record<string, readonly Fault[]> = {
  'snapshot_chunk_body.store': [[`'POSTGRES'`, 'IMPOSSIBLE']],
  'snapshot_chunk_body.body': [[`'\\x00'`, 'IMPOSSIBLE']],
  'snapshot_chunk_body.location': [
    [`left(location, -1) || case when right(location, 1) = '0' then '1' else '0' end`, 'REFUSED'],
    [`location || '0'`, 'REFUSED'],
    [`'elsewhere'`, 'REFUSED'],
    [ofTheThird('location'), 'REFUSED'],
    ['null', 'IMPOSSIBLE'],
  ],
};

/** What comes of them. */
const outcomes: Record<Outcome, object> = {
  REFUSED: {
    plan: 'SNAPSHOT_DAMAGED of a chunk',
    state: 'FAILED',
    failure: 'SNAPSHOT_DAMAGED of a chunk',
    fee: 'REFUNDED',
    live: 'NOTHING',
    inTime: true,
  },
  EQUAL: { plan: 'AS BEFORE', state: 'COMPLETED', failure: null, fee: 'PAID', live: 'EVERYTHING', inTime: true },
  IMPOSSIBLE: { damage: '23514' },
};

const tables = ['snapshot', 'snapshot_chunk', 'snapshot_chunk_body'];

/** Gives one row's column another value. @returns what puts the old one back */
async function damage(world: World, column: string, value: string, which: string): Promise<() => Promise<unknown>> {
  const [table, name] = column.split('.') as [string, string];
  const { owner } = world;
  const { rows: kept } = await owner.query<{ value: unknown }>(`select ${quoted(name)} as value from ${table} t where ${which}`);
  const { rows } = await owner.query<{ place: string }>(`update ${table} t set ${quoted(name)} = ${value} where ${which} returning ctid::text as place`);
  return () => owner.query(`update ${table} set ${quoted(name)} = $1 where ctid = $2`, [kept[0]!.value, rows[0]!.place]);
}

describe.each([
  ['the database', faults, {}],
  ['a directory', faultsOutside, { SNAPSHOT_STORE: 'directory' }],
] as const)('with bodies in %s, a recovery with a fault in', (_where, tried, settings) => {
  let kept: Awaited<ReturnType<typeof inDirectory>>;
  let world: World;
  let before: Record<string, string[]>;
  /** The one that is to be recovered, and its snapshot. */
  let deletion: { id: string; snapshotId: string };
  let orders = 0;

  const deleteAll = async () => {
    const { deletion: made } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    const { rows } = await world.owner.query<{ id: string }>('select snapshot_id as id from deletion where id = $1', [decodeId('Deletion', made!.id)]);
    deletion = { id: made!.id, snapshotId: rows[0]!.id };
  };

  beforeAll(async () => {
    kept = await inDirectory();
    world = await createWorld({ settings: { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5', SNAPSHOT_DIRECTORY: kept.root, ...settings } });
    await fill(world, 12);
    before = await everything(world);
    await deleteAll();
  });

  afterAll(async () => {
    await world[Symbol.asyncDispose]();
    await kept[Symbol.asyncDispose]();
  });

  /** The code of a refusal, and whether it names a chunk. */
  const told = ({ code, message }: { code: string; message: string }) =>
    `${code} ${new RegExp(`Chunk [123] of snapshot ${deletion.snapshotId} is damaged: `).test(message) ? 'of a chunk' : message}`;

  const contentsOf = async () => {
    const live = await everything(world);
    if (Object.values(live).flat().length === 0) return 'NOTHING';
    return isDeepStrictEqual(live, before) ? 'EVERYTHING' : live;
  };

  /** Orders, damages, plans and recovers; then puts the damage right. @returns what came of it */
  async function meet(column: string, value: string): Promise<object> {
    const which = column.startsWith('snapshot.') ? `id = '${deletion.snapshotId}'` : `snapshot_id = '${deletion.snapshotId}' and number = 2`;
    const admin = await world.as('Super admin');
    const plan = () => admin.request(RecoveryPlanDocument, { input: whole(deletion.id) }).then(({ recoveryPlan }) => recoveryPlan.hash, told);
    const planned = await plan();
    const { recoveryRequest } = await orderRecovery(world, deletion.id, `order-number-${++orders}`);
    const mend = await damage(world, column, value, which).catch((error: { code: string }) => error.code);
    if (typeof mend === 'string') {
      await admin.request(CancelRecoveryDocument, { input: { id: recoveryRequest!.id } });
      return { damage: mend };
    }
    await pay(world, recoveryRequest!.invoice.id);
    const now = await plan();
    const started = performance.now();
    await runJobs(world);
    const inTime = performance.now() - started < promised;
    const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
    await mend();
    const live = await contentsOf();
    if (live !== 'NOTHING') await deleteAll();
    return {
      plan: now === planned ? 'AS BEFORE' : now,
      state: ended.state,
      failure: ended.failure && told(ended.failure),
      fee: ended.invoice.state,
      live,
      inTime,
    };
  }

  it.each(Object.entries(tried).flatMap(([column, all]) => all.map(([value, outcome]) => ({ column, value, outcome }))))(
    '$column = $value',
    async ({ column, value, outcome }) => {
      expect(await meet(column, value)).toEqual(outcomes[outcome]);
    },
  );

  it('each column that there is has its faults here', async () => {
    const { rows } = await world.owner.query<{ name: string }>(
      `select table_name || '.' || column_name as name from information_schema.columns where table_schema = 'public' and table_name = any($1)`,
      [tables],
    );
    expect(Object.keys(faults).toSorted(), 'each column of what is stored has its faults in this file').toEqual(rows.map(({ name }) => name).toSorted());
  });

  it.each(tables)('the whole row of %s: it is gone', async (table) => {
    const { recoveryRequest } = await orderRecovery(world, deletion.id, `order-number-${++orders}`);
    await pay(world, recoveryRequest!.invoice.id);
    const which = table === 'snapshot' ? `id = '${deletion.snapshotId}'` : `snapshot_id = '${deletion.snapshotId}' and number = 2`;
    await world.owner.query(`create temporary table kept as select * from ${table} where ${which}; delete from ${table} where ${which}`);
    await runJobs(world);
    await world.owner.query(`insert into ${table} select * from kept; drop table kept`);
    const { recoveryRequest: ended } = await (await world.as('Super admin')).request(RecoveryRequestDocument, { id: recoveryRequest!.id });
    expect(ended).toMatchObject({ state: 'FAILED', restoredCount: 0, failure: { code: 'SNAPSHOT_DAMAGED' } });
    expect(Object.values(await everything(world)).flat()).toEqual([]);
  });

  it('nothing any more brings everything back', async () => {
    const { recoveryRequest } = await orderRecovery(world, deletion.id, 'the-last-order');
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    expect(await everything(world)).toEqual(before);
  });
});

describe('an undo with a fault in its safety snapshot', () => {
  it('takes nothing back, names the chunk, and works once that is mended', async () => {
    await using world = await createWorld({ settings: { CHUNK_CONTACTS: '5', DELETE_AT_ONCE: '5' } });
    await fill(world, 12);
    const { rows: gone } = await world.owner.query<{ id: string }>('select id from contact order by id offset 6 limit 1');
    const { deletion } = await deleteThem(world, { filter: {} });
    await runJobs(world);
    await world.owner.query(
      `insert into contact (organization_id, id, last_name, sort_name, search_text) select organization_id, $1, 'Live', 'live', 'live' from deletion`,
      [gone[0]!.id],
    );
    const between = await everything(world);
    const { recoveryRequest } = await orderRecovery(world, deletion!.id, 'to-be-taken-back', { conflictPolicy: 'REPLACE' });
    await pay(world, recoveryRequest!.invoice.id);
    await runJobs(world);
    const after = await everything(world);
    const admin = await world.as('Super admin');
    const undo = async () => {
      const { undoRecovery } = await admin.request(UndoRecoveryDocument, { input: { id: recoveryRequest!.id } });
      expect(undoRecovery.userErrors).toEqual([]);
      await runJobs(world);
      const { rows } = await world.owner.query<{ state: string; code: string | null; message: string | null }>(
        'select state, failure_code as code, failure_message as message from job order by id desc limit 1',
      );
      return rows[0]!;
    };
    const { rows: safety } = await world.owner.query<{ id: string }>(`select id from snapshot where kind = 'SAFETY'`);
    // Of the second chunk: the live contacts that were replaced, and what was done.
    for (const number of [3, 4])
      for (const [column, value] of [
        ['snapshot.wrapped_key', flip('wrapped_key', '28')],
        ['snapshot_chunk.contact_ids', `'{}'`],
        ['snapshot_chunk.digest', flip('digest', '0')],
        ['snapshot_chunk_body.body', flip('body', '28')],
        ['snapshot_chunk_body.number', 'number # 1024'],
      ] as const) {
        const which = column.startsWith('snapshot.') ? `id = '${safety[0]!.id}'` : `snapshot_id = '${safety[0]!.id}' and number = ${number}`;
        const mend = await damage(world, column, value, which);
        const ended = await undo();
        await mend();
        expect(ended, column).toMatchObject({ state: 'FAILED', code: 'SNAPSHOT_DAMAGED' });
        expect(ended.message).toMatch(new RegExp(`^Chunk \\d of snapshot ${safety[0]!.id} is damaged: .* Nothing more was taken back.`));
        expect(await everything(world)).toEqual(after);
      }
    expect(await undo()).toMatchObject({ state: 'COMPLETED' });
    expect(await everything(world)).toEqual(between);
  });
});
