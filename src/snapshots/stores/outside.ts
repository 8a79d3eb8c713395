// What every store outside of the database shares: names that are never used twice, a time limit, and one kind of failure.
import { randomBytes } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import type { OutsideStoreKind } from '../../entities/snapshot.ts';
import { Refusal } from '../../errors.ts';

/**
 * Keeps bodies outside of the database, under names of the form `<organization>/<rest>`. What it throws is turned into
 * StoreUnavailable by `withinTime`.
 */
export interface OutsideStore {
  readonly kind: OutsideStoreKind;
  /** Keeps a body under a name that is new. It is there, whole and to stay, when this resolves. */
  put(name: string, body: Buffer, signal: AbortSignal): Promise<void>;
  /** The body, or undefined when there is none of that name. */
  get(name: string, signal: AbortSignal): Promise<Buffer | undefined>;
  /** Removes a body for good; one that is not there is passed over. */
  remove(name: string, signal: AbortSignal): Promise<void>;
  /** Some of an organization's names after `after`, in order, those of bodies that were never finished included; none at the end. */
  list(organizationId: string, after: string, signal: AbortSignal): Promise<string[]>;
}

/** What bodies are parts of. Each has stores of its own, so that none holds what another knows nothing of. */
export const contents = ['SNAPSHOTS', 'FILES'] as const;
export type Contents = (typeof contents)[number];

const words = {
  SNAPSHOTS: {
    code: 'SNAPSHOT_STORE_UNAVAILABLE',
    store: 'snapshot store',
    left: 'Nothing is deleted or changed without its snapshot, so what was not yet done was left as it was.',
  },
  FILES: { code: 'FILE_STORE_UNAVAILABLE', store: 'file store', left: 'What was not yet done was left as it was.' },
} as const satisfies Record<Contents, object>;

/** A store that is full, slow, away, or gives back other than it was given. The transaction that needs it must not commit. */
export class StoreUnavailable extends Refusal {
  constructor(
    of: Contents,
    /** What is wrong, as a clause: `it is full`. Made for anyone: it names no host and no path. */
    readonly why: string,
    cause?: unknown,
  ) {
    const { code, store, left } = words[of];
    super(code, `The ${store} can’t be used: ${why}. ${left} Try again; if it stays so, tell the operator.`);
    this.cause = cause;
  }
}

/** What a store itself finds wrong, as a clause. */
export class StoreFault extends Error {}

/** A name that nothing has: it tells when it was made, in milliseconds by the database clock, because no other clock can be trusted. */
export const newName = (organizationId: string, id: string, number: number, madeAt: number): string =>
  `${organizationId}/${id}-${number}-${madeAt}-${randomBytes(8).toString('hex')}`;

const form = /^[\w-]+\/[\w-]+-(\d+)-[0-9a-f]{16}$/;

/** When a name was made; undefined for a name that is none of ours. */
export function madeAt(name: string): number | undefined {
  const [, time] = form.exec(name.replace(/\.part$/, '')) ?? [];
  return time === undefined ? undefined : Number(time);
}

/**
 * Runs `work` for at most so long; what still goes on then is left alone.
 * @throws StoreUnavailable for whatever goes wrong
 */
export async function withinTime<T>(of: Contents, seconds: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const ending = new AbortController();
  const late = new StoreUnavailable(of, `it did not answer within ${seconds} seconds`);
  const limit = wait(seconds * 1000, undefined, { signal: ending.signal }).then(
    () => {
      ending.abort(late);
      throw late;
    },
    () => undefined as never,
  );
  try {
    return await Promise.race([work(ending.signal), limit]);
  } catch (error) {
    throw error instanceof StoreUnavailable ? error : new StoreUnavailable(of, reasonOf(error), error);
  } finally {
    ending.abort();
  }
}

/** By the codes of the operating system and of S3 and its likes. */
const reasons: readonly [reason: string, codes: RegExp][] = [
  ['it is full', /^(ENOSPC|EDQUOT|QuotaExceeded\w*|\w*StorageFull|InsufficientStorage|InsufficientCapacity|507)$/],
  ['it can’t be reached', /^(ECONN\w+|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|EPIPE|ETIMEDOUT|TimeoutError|ENOENT|ENOTDIR|NoSuchBucket)$/],
  ['it does not let us in', /^(EACCES|EPERM|EROFS|AccessDenied|InvalidAccessKeyId|SignatureDoesNotMatch|401|403)$/],
];

function reasonOf(error: unknown): string {
  if (error instanceof StoreFault) return error.message;
  const { code, name, $metadata } = error as { code?: unknown; name?: unknown; $metadata?: { httpStatusCode?: unknown } };
  const told = [code, name, $metadata?.httpStatusCode].map(String);
  return reasons.find(([, codes]) => told.some((one) => codes.test(one)))?.[0] ?? 'it failed';
}
