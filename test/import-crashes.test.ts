// What is left when a worker is killed amid an import: amid its dry run, amid applying it and amid its undo, by `kill -9`, at
// random moments. Whatever the moment, another one goes on, and it ends where an undisturbed import ends.
import { setTimeout as wait } from 'node:timers/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { decodeId } from '../src/schema/common.ts';
import { expectBalancesToBeSums } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { count, csv, expectLogIntact, importerAs, make, shortCounts, state } from './importing.ts';
import { randomFrom, seed } from './moments.ts';
import { until } from './processes.ts';
import { filesOf } from './stores.ts';
import { startWorkers } from './workers.ts';

/** Many batches of few rows, and dead workers that are noticed soon. */
const settings = { CHUNK_CONTACTS: '10', WORKER_SILENCE_SECONDS: '1' };
const rounds = 5;
/** Kills amid applying and amid undoing, in all. */
const kills = Number(process.env['CRASH_MOMENTS'] ?? 50);
/** What is promised: by then the work of a killed process has been taken over and is done. */
const promised = 30;

const [created, updated] = [600, 200];
const header = 'First name,Last name,Email,City,Phone,Notes,Tags,Opening balance';
const row = (name: string, index: number) =>
  `${name},Number ${index},${name.toLowerCase()}${index}@club.example,Porto,+1 415 555 ${String(1000 + index)},Note ${index},imported; half ${index % 2},${index + 1}.50`;
/** Some are new and some are there, in turn; two are refused. */
const linesOf = (round: number) => [
  ...Array.from({ length: created }, (_, index) => [row('New', index), ...(index % 3 === 0 ? [row('Old', index / 3)] : [])]).flat(),
  'Bad,Email,nope',
  `Bad,Email,${round}`,
];

/** Every contact of the import by its email, with how much it owns of each kind; what is half done would show. */
async function contacts(world: World): Promise<string[]> {
  const owned = ['contact_point', 'note', 'contact_tag', 'ledger_entry', 'balance'].map(
    (table) => `(select count(*) from ${table} t where t.contact_id = c.id)`,
  );
  const { rows } = await world.owner.query<{ line: string }>(
    `select concat_ws(' ', email, city, ${owned.join(', ')}, (select amount_minor from balance b where b.contact_id = c.id)) as line from contact c order by 1`,
  );
  return rows.map(({ line }) => line);
}

const expected = [
  ...Array.from({ length: created }, (_, index) => `new${index}@club.example Porto 1 1 2 1 1 ${(index + 1) * 100 + 50}`),
  ...Array.from({ length: updated }, (_, index) => `old${index}@club.example Porto 1 1 2 1 1 ${(index + 1) * 100 + 50}`),
].toSorted();

/** What the log has since the id: how many entries of an action, of how many targets, about how many things. */
async function logged(world: World, since: string): Promise<Record<string, string>> {
  const { rows } = await world.owner.query<{ action: string; told: string }>(
    `select action, count(*) || ' ' || count(distinct target_id) || ' ' || coalesce(sum(target_count), 0) as told from action_log where id > $1 group by 1`,
    [since],
  );
  return Object.fromEntries(rows.map(({ action, told }) => [action, told]));
}

it(
  `a worker that is killed at any of ${kills} moments of applying an import and of undoing it is replaced, and nothing is half done`,
  { timeout: 120_000 + kills * promised * 1000 },
  async ({ annotate }) => {
    const random = randomFrom(seed);
    await using world = await createWorld({ settings });
    const admin = await importerAs(world, 'Super admin');
    await make(
      admin.client,
      ...Array.from({ length: updated }, (_, index) => ({ firstName: 'Old', lastName: `Number ${index}`, email: `old${index}@club.example`, city: 'Ghent' })),
    );
    await using workers = await startWorkers(world, 3, { ...settings, DATA_DIRECTORY: world.app.config.DATA_DIRECTORY });
    const before = await state(world);
    const hits = { CHECKING: 0, APPLYING: 0, UNDOING: 0 };

    /** Lets it come to that state, and kills the worker that is at it so many times on the way. */
    const disturb = async (id: string, from: keyof typeof hits, to: string, times: number, within: number) => {
      const stateOf = async () =>
        (await world.owner.query<{ state: string }>('select state from import where id = $1', [decodeId('Import', id)])).rows[0]!.state;
      for (let time = 0; time < times; time++) {
        await until(`a worker to be at it (seed ${seed})`, promised, async () => (await stateOf()) !== from || workers.isAtWork());
        await wait(random() * within);
        const { wasAtWork } = await workers.end('SIGKILL');
        workers.start();
        if (wasAtWork) hits[from]++;
      }
      await until(`the import to be ${to} (seed ${seed})`, promised, async () => (await stateOf()) === to);
      await workers.ready();
    };

    for (let round = 0; round < rounds; round++) {
      const { id } = await admin.begin(csv(header, ...linesOf(round)), { duplicatePolicy: 'OVERWRITE', deletedPolicy: 'CREATE' });
      await disturb(id, 'CHECKING', 'CHECKED', round === 0 ? 0 : 1, 1000);
      expect(shortCounts(await admin.read(id))).toBe(`${created} ${updated} 0 2`);
      expect(await count(world, 'import_row', `import_id = '${decodeId('Import', id)}'`)).toBe(created + updated + 2);
      const newest = async () => (await world.owner.query<{ id: string }>('select id from action_log order by id desc limit 1')).rows[0]!.id;

      const times = Math.ceil(kills / 2 / rounds);
      let since = await newest();
      await admin.order(id);
      await disturb(id, 'APPLYING', 'APPLIED', times, 250);
      expect(shortCounts(await admin.read(id))).toBe(`${created} ${updated} 0 2`);
      expect([seed, await contacts(world)]).toEqual([seed, expected]);
      expect(await logged(world, since)).toEqual({
        'import.apply_requested': `1 1 ${created + updated}`,
        'contact.imported': `${created} ${created} ${created}`,
        'contact.updated': `${updated} ${updated} ${updated}`,
        'import.applied': `1 1 ${created + updated}`,
      });
      await expectBalancesToBeSums(world);

      since = await newest();
      await admin.orderUndo(id);
      await disturb(id, 'UNDOING', 'UNDONE', times, 250);
      expect((await admin.read(id)).counts).toMatchObject({ revertedCount: created + updated, keptCount: 0, goneCount: 0 });
      expect([seed, await state(world)]).toEqual([seed, before]);
      expect(await logged(world, since)).toMatchObject({ 'contact.updated': `${updated} ${updated} ${updated}`, 'import.undone': `1 1 ${created + updated}` });
      const { rows } = await world.owner.query(
        `select d.state, d.contact_count as contacts, count(k)::int as chunks, sum(k.contact_count)::int as captured,
           (select sum(target_count)::int from action_log a where a.deletion_id = d.id and a.action = 'contacts.deleted') as told
         from import i join deletion d on d.id = i.undo_deletion_id join snapshot_chunk k on k.snapshot_id = d.snapshot_id where i.id = $1 group by d.organization_id, d.id`,
        [decodeId('Import', id)],
      );
      expect(rows).toMatchObject([{ state: 'COMPLETED', contacts: created, captured: created, told: created }]);
    }
    await expectLogIntact(world);
    await until('copies of files to be gone', promised, async () => (await filesOf(join(world.app.config.DATA_DIRECTORY, 'copies'))).length === 0);
    await annotate(`seed ${seed}: hit ${JSON.stringify(hits)}`);
    expect(hits.APPLYING + hits.UNDOING).toBeGreaterThan(kills / 4);
  },
);
