// Who comes with a link: asked anew, like everyone who comes with a token.
import type { RequestInfo } from './context.ts';
import type { Transaction } from './database.ts';
import { logAction } from './domain/action-log.ts';
import type { AccessClaims, App, Viewer } from './domain/app.ts';
import { KeyRefused, logKeyRefusal } from './domain/key-refusals.ts';
import { openingOf, viewerFrom } from './domain/sessions.ts';
import { Refusal, Unauthenticated } from './errors.ts';
import { holds, type StaffPermission } from './permissions/rules.ts';

/** Answers a request that is refused, as all of ours are. */
export type Refuse = (status: number, code: string, message: string) => void;

/** What coming in by a link takes, and what is said and logged of whoever may not. */
export interface Entrance {
  permissions: readonly StaffPermission[];
  /** The mutation that gives the link, which is what the log calls an attempt that is refused. */
  attempt: string;
  /** What they are told who do not hold the permissions any more. */
  forbidden: string;
}

/**
 * Does something for whoever the link was given to, as they are now, in a transaction that commits with it. What is refused is logged.
 * @throws Refusal FORBIDDEN for those who may not come in any more, and what `work` throws
 */
export async function byLink<T>(
  app: App,
  claims: AccessClaims,
  info: RequestInfo,
  { permissions, attempt, forbidden }: Entrance,
  work: (tx: Transaction, viewer: Viewer) => Promise<T>,
): Promise<T> {
  const organizationId = claims.organizationId!;
  const tx = await app.database.begin(organizationId, { opening: openingOf(claims) });
  let viewer: Viewer | undefined;
  try {
    viewer = viewerFrom(tx.opened, claims, info);
    const entered = viewer;
    if (!permissions.every((permission) => holds(entered, permission))) throw new Refusal('FORBIDDEN', forbidden);
    const result = await work(tx, viewer);
    await app.database.end(tx, 'COMMIT');
    return result;
  } catch (error) {
    if (!tx.ended) await app.database.end(tx, 'ROLLBACK');
    if (error instanceof KeyRefused) await logKeyRefusal(app, error);
    const [actor, refusal] = [viewer, error];
    if (actor && refusal instanceof Refusal)
      await app.database.transact(organizationId, (log) => logAction(log, actor, { action: attempt, refusedWith: refusal.code }));
    throw error instanceof Unauthenticated ? new Refusal('FORBIDDEN', forbidden) : error;
  }
}
