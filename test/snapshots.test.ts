// The engine by itself: what it takes for the graph, and which chunks it refuses to open.
import { describe, expect, it } from 'vitest';
import { contactGraph } from '../src/snapshots/graph.ts';
import { readChunk } from '../src/snapshots/restore.ts';
import { createWorld, type World } from './harness.ts';
import { deleteThem, everything, fill, orderRecovery, pay, runJobs } from './graphs.ts';
import { RecoveryRequestDocument } from '../sdk/generated.ts';
import { decodeId } from '../src/schema/common.ts';

describe('the contact graph', () => {
  it('holds exactly the tables that the database itself ties to a contact', async () => {
    await using world = await createWorld();
    const { rows } = await world.owner.query<{ name: string }>(`
      select distinct k.conrelid::regclass::text as name from pg_constraint k
      join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname = 'contact_id'
      where k.contype = 'f' and k.confrelid = 'contact'::regclass`);
    const graph = contactGraph(world.app.database.orm);
    expect([...graph.tables.map((table) => table.name), ...graph.rebuilt].sort()).toEqual(['contact', ...rows.map((row) => row.name)].sort());
  });

  it('writes parents before children', async () => {
    await using world = await createWorld();
    const names = contactGraph(world.app.database.orm).tables.map((table) => table.name);
    expect(names[0]).toBe('contact');
    expect(names.indexOf('membership')).toBeLessThan(names.indexOf('payment'));
    expect(names.indexOf('payment')).toBeLessThan(names.indexOf('ledger_entry'));
  });
});

describe('a stored chunk', () => {
  const damages: Record<string, (world: World) => Promise<unknown>> = {
    'with a flipped byte': (world) =>
      world.owner.query(`update snapshot_chunk_body set body = set_byte(body, length(body) / 2, get_byte(body, length(body) / 2) # 1) where number = 1`),
    'that was cut off': (world) => world.owner.query(`update snapshot_chunk_body set body = substring(body from 1 for length(body) - 20) where number = 1`),
    'that stands in the place of another': async (world) => {
      await world.owner.query(`update snapshot_chunk_body set body = (select body from snapshot_chunk_body where number = 2) where number = 1`);
      await world.owner.query(
        `update snapshot_chunk set digest = (select digest from snapshot_chunk where number = 2), contact_count = (select contact_count from snapshot_chunk where number = 2) where number = 1`,
      );
    },
    'that is gone': (world) => world.owner.query(`delete from snapshot_chunk_body where number = 1`),
  };

  for (const [how, damage] of Object.entries(damages))
    it(`${how} is refused by its name, nothing is restored and the fee goes back`, async () => {
      await using world = await createWorld();
      await fill(world, 1200);
      const { deletion } = await deleteThem(world, { filter: {} });
      await runJobs(world);
      const { recoveryRequest } = await orderRecovery(world, deletion!.id);
      await pay(world, recoveryRequest!.invoice.id);
      await damage(world);
      await runJobs(world);
      const admin = await world.as('Super admin');
      const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
      expect(ended).toMatchObject({
        state: 'FAILED',
        restoredCount: 0,
        failure: { code: 'SNAPSHOT_DAMAGED' },
        invoice: { state: 'REFUNDED' },
        job: { state: 'FAILED' },
      });
      const { rows } = await world.owner.query<{ id: string }>('select id from snapshot');
      expect(ended.failure!.message).toContain(`Chunk 1 of snapshot ${rows[0]!.id}`);
      expect((await everything(world))['contact']).toEqual([]);
    });

  it('opens under its own name only', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { deletion } = await deleteThem(world, { filter: {} });
    const organizationId = world.organizationId();
    const { rows } = await world.owner.query<{ snapshot_id: string }>('select snapshot_id from deletion where id = $1', [decodeId('Deletion', deletion!.id)]);
    const snapshotId = rows[0]!.snapshot_id;
    const open = (number: number) => world.app.database.transact(organizationId, (tx) => readChunk(tx, world.app, { organizationId, snapshotId, number }));
    expect((await open(1)).digests.size).toBe(3);
    await expect(open(2)).rejects.toThrow(/Chunk 2 of snapshot .* is damaged: it is missing/);
  });

  it('tells nothing of the people in it', async () => {
    await using world = await createWorld();
    await fill(world, 3);
    const { rows: people } = await world.owner.query<{ email: string }>('select email from contact');
    await deleteThem(world, { filter: {} });
    const { rows } = await world.owner.query<{ body: Buffer }>('select body from snapshot_chunk_body');
    for (const { email } of people) expect(rows[0]!.body.includes(email)).toBe(false);
  });
});
