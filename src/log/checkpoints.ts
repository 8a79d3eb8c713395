// Keeps the newest seals outside of the database, where whoever can rewrite the whole log can't reach: a log that was cut
// off or written anew no longer goes through them.
import { createPublicKey } from 'node:crypto';
import { z } from 'zod';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { madeAt, newName, withinTime } from '../snapshots/stores/outside.ts';
import { sql } from '../sql.ts';
import { type Head, hashOf, readSeal } from './seal.ts';

/** Under which an organization's checkpoints lie; in order of their numbers. */
const folderOf = (organizationId: string) => `checkpoint-${organizationId}`;
const numbered = (number: number) => `seal-${String(number).padStart(10, '0')}`;

const kept = z.strictObject({ seal: z.string(), signature: z.base64() });

/**
 * Writes the newest seal of an organization to the outside store, unless one was written in the last CHECKPOINT_MINUTES.
 * @returns whether one was written @throws StoreUnavailable
 */
export async function exportCheckpoint(app: App, organizationId: string): Promise<boolean> {
  const { checkpoints, config } = app;
  if (!checkpoints) return false;
  return app.database.transact(organizationId, async (tx) => {
    const due = await tx.row<{ number: number; seal: string; signature: Buffer; now: Date }>(sql`
      select s.number, s.seal, s.signature, clock_timestamp() as now from action_seal s
      where s.organization_id = ${organizationId} and not exists (
        select 1 from action_checkpoint c where c.organization_id = ${organizationId}
          and (c.seal_number >= s.number or c.exported_at > clock_timestamp() - make_interval(mins => ${config.CHECKPOINT_MINUTES})))
      order by s.number desc limit 1`);
    if (!due) return false;
    const name = newName(folderOf(organizationId), numbered(due.number), 0, due.now.getTime());
    const body = Buffer.from(JSON.stringify({ seal: due.seal, signature: due.signature.toString('base64') }));
    const added = await tx.run(sql`
      insert into action_checkpoint (organization_id, seal_number, location) values (${organizationId}, ${due.number}, ${name}) on conflict do nothing`);
    if (added.rowCount === 0) return false;
    await withinTime('SNAPSHOTS', app.store.timeoutSeconds, (signal) => checkpoints.put(name, body, signal));
    return true;
  });
}

/**
 * The newest head of an organization's log that the outside store holds; null where there is none, or no store. The database
 * is believed only as to where to begin looking, because whoever cut the log off may have changed that too.
 * @throws StoreUnavailable; Error when what lies there was not signed by us
 */
export async function newestCheckpoint(tx: Transaction, app: App): Promise<Head | null> {
  const { checkpoints } = app;
  if (!checkpoints) return null;
  const { organizationId } = tx;
  const within = <T>(work: (signal: AbortSignal) => Promise<T>) => withinTime('SNAPSHOTS', app.store.timeoutSeconds, work);
  const newestAfter = async (start: string): Promise<string | undefined> => {
    let newest: string | undefined;
    for (let after: string | undefined = start; after !== undefined;) {
      const names = await within((signal) => checkpoints.list(folderOf(organizationId), after!, signal));
      newest = names.findLast((name) => !name.endsWith('.part')) ?? newest;
      after = names.at(-1);
    }
    return newest;
  };
  const read = (name: string | undefined) => (name === undefined ? undefined : within((signal) => checkpoints.get(name, signal)));
  const told = await tx.row<{ name: string }>(sql`
    select location as name from action_checkpoint where organization_id = ${organizationId} order by seal_number desc limit 1`);
  const known = told?.name.startsWith(`${folderOf(organizationId)}/`) && madeAt(told.name) !== undefined ? told.name : undefined;
  const body = (known && (await read((await newestAfter(known)) ?? known))) || (await read(await newestAfter('')));
  if (!body) return null;
  const { seal, signature } = kept.parse(JSON.parse(body.toString()));
  const said = readSeal(createPublicKey(app.keys.log), seal, Buffer.from(signature, 'base64'));
  if (said?.organizationId !== organizationId) throw new Error(`A checkpoint of organization ${organizationId} was not signed for it.`);
  return { number: said.number, hash: hashOf(seal) };
}
