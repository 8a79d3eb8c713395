// Verifies the log of an organization as it lies in the database, and against the newest checkpoint outside of it.
import { createPublicKey } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { App } from '../domain/app.ts';
import { Chain, type Fault } from './chain.ts';
import { newestCheckpoint } from './checkpoints.ts';
import { countEntries, findStray, readPruned, readSealed } from './reading.ts';
import { type Head, type Pruning, sealKey } from './seal.ts';

export interface Verification {
  fault: Fault | null;
  /** The last seal that is good; null before there is one. */
  head: (Head & { total: number; sealedAt: string }) | null;
  /** Entries that are not yet sealed, which takes about a second. */
  waitingCount: number;
  /** Entries whose reason or details were erased with a person. */
  erasedCount: number;
  /** Where pruning ended; null when the log is whole. */
  pruned: Pruning | null;
  /** The seal that the checkpoint outside of the database is of; null where there is none. */
  checkpointNumber: number | null;
  /** PEM. */
  publicKey: string;
}

/**
 * Verifies the log of the transaction's organization. What is added or sealed meanwhile does not disturb it.
 * @param known a head that the caller kept from an earlier verification
 * @throws StoreUnavailable when the checkpoints can't be read
 */
export async function verifyLog(tx: Transaction, app: App, known: Head | null): Promise<Verification> {
  const checkpoint = await newestCheckpoint(tx, app);
  const pruning = await readPruned(tx);
  const chain = new Chain(
    tx.organizationId,
    createPublicKey(app.keys.log),
    [checkpoint, known].filter((head) => head !== null),
    pruning,
  );
  const { present, waiting, lost, sealNumber } = await countEntries(tx);
  const gone = chain.pruned?.total ?? 0;
  let sealed = gone;
  for await (const batch of readSealed(tx)) {
    if (!chain.take(batch)) break;
    if (chain.head!.number <= sealNumber) sealed = chain.head!.total;
  }
  chain.end();
  const aside = (kind: Fault['kind'], entryId: string | null, message: string): Fault => ({
    kind,
    sealNumber: (chain.head?.number ?? 0) + 1,
    position: null,
    entryId,
    message,
  });
  const strays = present - (sealed - gone) - waiting;
  if (lost) chain.fault ??= aside('REMOVED', lost, `Entry ${lost} was removed before it was sealed.`);
  if (strays > 0)
    chain.fault ??= aside(
      'INSERTED',
      (await findStray(tx)) ?? null,
      `Entries that are under no seal and wait for none: ${strays}. They were inserted past the log.`,
    );
  return {
    fault: chain.fault ?? null,
    head: chain.head,
    waitingCount: waiting,
    erasedCount: chain.erased,
    pruned: chain.pruned,
    checkpointNumber: checkpoint?.number ?? null,
    publicKey: sealKey(app.keys),
  };
}
