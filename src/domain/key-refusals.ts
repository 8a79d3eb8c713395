// API keys that were not let in: told like a key that there is not, and logged for the organization that there is one of.
import { Unauthenticated } from '../errors.ts';
import { sql } from '../sql.ts';
import { logAction } from './action-log.ts';
import type { Actor, App } from './app.ts';

/** Why a key that there is was not let in. */
export type KeyRefusal = 'WRONG_SECRET' | 'KEY_REVOKED' | 'KEY_EXPIRED' | 'WRONG_NETWORK';

export const notValid = 'This API key is not valid, or not from here. Nothing was changed. Ask an administrator of your organization for another one.';

/** Somebody came with a key of the organization and was not let in: to them it reads like a key that there is not. */
export class KeyRefused extends Unauthenticated {
  constructor(
    readonly organizationId: string,
    readonly actor: Actor & { readonly id: string },
    readonly why: KeyRefusal,
  ) {
    super(notValid);
  }
}

/** When this process last wrote down that a key was refused, by key and reason. */
const told = new Map<string, number>();
const tellEvery = 60_000;

/**
 * Logs that a key was refused: once a minute for each key and reason, whoever floods whichever process, and never for a key that there is not.
 * Called when no transaction of the operation is open.
 */
export async function logKeyRefusal(app: App, { organizationId, actor, why }: KeyRefused): Promise<void> {
  const { id } = actor;
  const what = `${id} ${why}`;
  if (performance.now() - (told.get(what) ?? -Infinity) < tellEvery) return;
  // A flood waits for no row: who comes meanwhile is turned away at once.
  told.set(what, performance.now());
  try {
    await app.database.transact(organizationId, async (tx) => {
      const due = await tx.run(sql`
        update api_key set refused_at = refused_at || jsonb_build_object(${why}::text, clock_timestamp())
        where organization_id = ${organizationId} and id = ${id}
          and coalesce((refused_at->>${why})::timestamptz < clock_timestamp() - make_interval(secs => ${tellEvery / 1000}), true)`);
      if (due.rowCount === 1) await logAction(tx, actor, { action: 'key.refused', refusedWith: why, target: { kind: 'ApiKey', id } });
    });
  } catch (error) {
    told.delete(what);
    throw error;
  }
}
