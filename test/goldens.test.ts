// Snapshots of every version of the schema, restored by today's code on the way that users take.
import { readFileSync } from 'node:fs';
import { v7 as newId } from 'uuid';
import { describe, expect, it } from 'vitest';
import { RecoveryPlanDocument, RecoveryRequestDocument, RestoreDrillsDocument } from '../sdk/generated.ts';
import { orderDrill } from '../src/domain/drills.ts';
import { encodeId } from '../src/schema/common.ts';
import { contactGraph, schemaVersion } from '../src/snapshots/graph.ts';
import { chunkFile, columnsOf, type Golden, goldenVersions, liveRows, readExpected, readGolden } from './fixtures/golden.ts';
import { orderRecovery, pay, runJobs, whole } from './graphs.ts';
import { createWorld, type World } from './harness.ts';
import { emailOf } from './people.ts';

/** Puts rows in, with the columns that they have. */
async function insert(world: World, table: string, rows: readonly object[]): Promise<void> {
  const columns = Object.keys(rows[0]!).join(', ');
  await world.owner.query(`insert into ${table} (${columns}) select ${columns} from jsonb_populate_recordset(null::${table}, $1)`, [JSON.stringify(rows)]);
}

/** Makes the golden's organization anew: with its snapshot as a deletion of today, without all that the snapshot must bring. */
async function putIn(world: World, { organizationId, keeper, snapshot, chunks, schemaVersion: version }: Golden): Promise<string> {
  const of = { organization_id: organizationId };
  const [roleId, deletionId] = [newId(), newId()];
  await insert(world, 'organization', [{ id: organizationId, name: 'Golden Club', plan: 'PREMIUM', currency: 'EUR' }]);
  const { rows: roles } = await world.owner.query<object>(`select name, description, built_in, permissions from role where name = 'Super admin' limit 1`);
  await insert(world, 'role', [{ ...of, id: roleId, ...roles[0] }]);
  await insert(world, 'staff_member', [{ ...of, id: keeper.id, name: keeper.name, email: 'keeper@golden.example' }]);
  await insert(world, 'staff_member_role', [{ ...of, staff_member_id: keeper.id, role_id: roleId }]);
  // Whoever signs in as Super admin works for the golden's organization now.
  await world.owner.query('update account set organization_id = $1, staff_member_id = $2 where email = $3', [
    organizationId,
    keeper.id,
    emailOf('Super admin', 'Riverside Club'),
  ]);
  await insert(world, 'snapshot', [snapshot]);
  await insert(world, 'snapshot_chunk', chunks);
  const contacts = chunks.flatMap((chunk) =>
    (chunk['contact_ids'] as string[]).map((id) => ({ ...of, deletion_id: deletionId, contact_id: id, chunk_number: chunk['number'] })),
  );
  await insert(world, 'deletion_contact', contacts);
  await world.owner.query(
    `insert into deletion (organization_id, id, state, reason, requested_by_id, requested_by_name, confirmation_id, snapshot_id, contact_count, deleted_at, recoverable_until)
     values ($1, $2, 'COMPLETED', 'Golden', $3, $4, gen_random_uuid(), $5, $6, now(), now() + interval '30 days')`,
    [organizationId, deletionId, keeper.id, keeper.name, snapshot['id'], contacts.length],
  );
  await world.app.database.transact(organizationId, async (tx) => {
    for (const { number } of chunks as { number: number }[])
      await world.app.store.put(tx, snapshot['id'] as string, number, readFileSync(chunkFile(version, number)));
  });
  return encodeId('Deletion', deletionId);
}

describe('a snapshot of an older schema', () => {
  for (const version of goldenVersions())
    it(`of version ${version} is recovered to the letter`, async () => {
      await using world = await createWorld();
      const golden = readGolden(version);
      const deletionId = await putIn(world, golden);
      const admin = await world.as('Super admin');
      const { recoveryPlan } = await admin.request(RecoveryPlanDocument, { input: whole(deletionId) });
      expect(recoveryPlan).toMatchObject({ contactCount: 12 });
      const { recoveryRequest } = await orderRecovery(world, deletionId);
      await pay(world, recoveryRequest!.invoice.id, golden.organizationId);
      await runJobs(world);
      const { recoveryRequest: ended } = await admin.request(RecoveryRequestDocument, { id: recoveryRequest!.id });
      expect(ended).toMatchObject({ state: 'COMPLETED', restoredCount: 12, provenCount: 12, conflictCount: 0 });
      expect(await liveRows(world.owner, contactGraph(world.app.database.orm), golden.organizationId)).toEqual(readExpected(version));
    });
});

describe('a drill', () => {
  for (const version of goldenVersions())
    it(`brings back a snapshot of version ${version} beside the tables of today`, async () => {
      await using world = await createWorld();
      const golden = readGolden(version);
      await putIn(world, golden);
      const system = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: 'test', address: null, agent: null } as const;
      await orderDrill(world.app, system, golden.organizationId, 0);
      await runJobs(world);
      const { restoreDrills } = await (await world.as('Super admin')).request(RestoreDrillsDocument, {});
      expect(restoreDrills.nodes).toMatchObject([{ outcome: 'PASSED', failure: null, contactCount: 12 }]);
    });
});

describe('the goldens', () => {
  it('are there for every version up to the one of this code', () => {
    const versions = Array.from({ length: schemaVersion }, (_, index) => index + 1);
    const advice =
      'Each schemaVersion needs its golden snapshot in test/fixtures/snapshots, so that later versions prove that they restore it. ' +
      'If you have just raised schemaVersion, run `npm run golden`, once the columns are final.';
    expect(goldenVersions(), advice).toEqual(versions);
  });

  it('of the newest version have the columns of the graph', async () => {
    await using world = await createWorld();
    const newest = goldenVersions().at(-1)!;
    const advice =
      `The graph is not the one that golden ${newest} was taken from. Raise schemaVersion in src/snapshots/graph.ts, add the step from ${newest} ` +
      `to src/snapshots/ladder.ts, amend expected.json of the goldens before, and run \`npm run golden\`.`;
    expect(columnsOf(contactGraph(world.app.database.orm)), advice).toEqual(readGolden(newest).columns);
  });
});
