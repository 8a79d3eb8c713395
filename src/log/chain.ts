// Walks a log from its first seal to its last and finds the first thing that isn't as it was sealed. Pure: it is given
// what lies in the database, or what an export holds, seal by seal, so a log of any length takes no more memory.
import type { KeyObject } from 'node:crypto';
import type { Found } from './entry.ts';
import { digestBytes, rootOf } from './merkle.ts';
import { type Head, hashOf, noSeal, type Pruning, readPruning, readSeal, type Seal, type Signed } from './seal.ts';

/** What the first line of a proof, which is a log as a file, says that it is. */
export const proofType = 'reinstate action log 1';

/** A seal as it lies there, with the entries that are found under it. */
export interface SealedBatch {
  /** The text that was signed. */
  seal: string;
  signature: Buffer;
  /** The ids of the entries in the order that they were sealed in. */
  ids: readonly string[];
  /** Their leaves, 32 bytes each. */
  leaves: Buffer;
  /** The entries that are there, in the order that they are found in. */
  entries: readonly Found[];
}

export const faultKinds = ['EDITED', 'REMOVED', 'INSERTED', 'REORDERED', 'CUT_OFF', 'BAD_SEAL'] as const;

/** The first thing that is wrong. */
export interface Fault {
  kind: (typeof faultKinds)[number];
  /** The seal that it was found at. */
  sealNumber: number;
  /** The place of the entry in the log, from 1; null when it is not one entry. */
  position: number | null;
  entryId: string | null;
  message: string;
}

const wrong = (kind: Fault['kind'], sealNumber: number, message: string): Fault => ({ kind, sealNumber, position: null, entryId: null, message });

export class Chain {
  #head: Head & { total: number } = noSeal;
  #sealedAt: string | null = null;
  fault: Fault | undefined;
  /** Entries whose reason or details were erased since. */
  erased = 0;
  /** Where pruning ended and the log begins; null when it is whole. */
  readonly pruned: Pruning | null = null;

  /**
   * @param checkpoints heads that were kept elsewhere: the log must go through each of them that was not pruned
   * @param pruning the statement that the log was pruned, where there is one
   */
  constructor(
    readonly organizationId: string,
    readonly key: KeyObject,
    readonly checkpoints: readonly Head[] = [],
    pruning: Signed | null = null,
  ) {
    if (!pruning) return;
    const said = readPruning(key, pruning);
    if (said?.organizationId !== organizationId) {
      this.fault = wrong('BAD_SEAL', 1, 'The statement that the log was pruned is not one that was signed for it with this key.');
      return;
    }
    this.pruned = said;
    this.#head = said;
    this.fault = this.#faultOfCheckpoint(said);
  }

  /** The last good seal: null before there is one. */
  get head(): (Head & { total: number; sealedAt: string }) | null {
    return this.#sealedAt === null ? null : { ...this.#head, sealedAt: this.#sealedAt };
  }

  /** Takes the next seal. Nothing more is looked at after the first fault. @returns whether all is well so far */
  take(batch: SealedBatch): boolean {
    this.fault ??= this.#faultOf(batch);
    return this.fault === undefined;
  }

  /** Tells that there are no more seals. */
  end(): void {
    const { number, total } = this.#head;
    const last = Math.max(0, ...this.checkpoints.map((kept) => kept.number));
    // Pruning leaves the newest seal where it is.
    const empty = this.pruned !== null && this.#sealedAt === null;
    if (this.fault || (last <= number && !empty)) return;
    const than = empty ? 'there was at least one more when it was pruned' : `a checkpoint outside of it says that there were ${last}`;
    this.fault = {
      ...wrong('CUT_OFF', number + 1, `The log ends with seal ${number}, and ${than}. Everything from entry ${total + 1} on was cut off.`),
      position: total + 1,
    };
  }

  /** What is wrong when a seal that was kept elsewhere had another hash. */
  #faultOfCheckpoint({ number, hash }: Head): Fault | undefined {
    return this.checkpoints.some((kept) => kept.number === number && kept.hash !== hash)
      ? wrong('BAD_SEAL', number, `Seal ${number} is not the one that a checkpoint outside of the log names: the log was written anew.`)
      : undefined;
  }

  #faultOf(batch: SealedBatch): Fault | undefined {
    const due = this.#head.number + 1;
    const seal = readSeal(this.key, batch.seal, batch.signature);
    if (!seal) return wrong('BAD_SEAL', due, `Seal ${due} is not one that was signed with this key.`);
    if (seal.organizationId !== this.organizationId) return wrong('BAD_SEAL', due, `Where seal ${due} should be is one of another organization.`);
    if (seal.number > due)
      return {
        ...wrong('REMOVED', due, `Seal ${due} is missing, with the entries from ${this.#head.total + 1} to ${seal.total - seal.count}.`),
        position: this.#head.total + 1,
      };
    if (seal.number < due) return wrong('REORDERED', due, `Where seal ${due} should be is seal ${seal.number}, which was there already.`);
    if (seal.previous !== this.#head.hash || seal.total !== this.#head.total + seal.count)
      return wrong('BAD_SEAL', due, `Seal ${due} does not continue the one before it: the log was begun anew or put together from two.`);
    const found = this.#faultOfEntries(seal, batch);
    if (found) return found;
    const hash = hashOf(batch.seal);
    const anew = this.#faultOfCheckpoint({ number: seal.number, hash });
    if (anew) return anew;
    this.#head = { number: seal.number, hash, total: seal.total };
    this.#sealedAt = seal.sealedAt;
    this.erased += batch.entries.filter(({ erased }) => erased).length;
    return undefined;
  }

  #faultOfEntries(seal: Seal, { ids, leaves, entries }: SealedBatch): Fault | undefined {
    const before = seal.total - seal.count;
    const at = (kind: Fault['kind'], index: number, entryId: string | null, what: string): Fault => ({
      kind,
      sealNumber: seal.number,
      position: before + index + 1,
      entryId,
      message: `Entry ${before + index + 1} (seal ${seal.number}) ${what}.`,
    });
    const sealed = Array.from({ length: leaves.length / digestBytes }, (_, index) => leaves.toString('latin1', index * digestBytes, (index + 1) * digestBytes));
    const found = entries.map(({ leaf }) => leaf);
    if (sealed.length !== seal.count || rootOf(leaves).toString('hex') !== seal.root) {
      // Without the leaves that were sealed it can't be told which entry was edited, unless it is the list alone.
      if (rootOf(Buffer.from(found.join(''), 'latin1')).toString('hex') === seal.root)
        return { ...at('BAD_SEAL', 0, null, 'begins a list of leaves that was edited; the entries themselves are as they were sealed'), position: null };
      return at('EDITED', 0, ids[0] ?? null, `begins a batch of ${seal.count} of which entries and leaves were edited`);
    }
    // The leaves alone are signed; the ids only help to name what is gone.
    const [known, there] = [new Set(sealed), new Set(found)];
    for (let index = 0; index < Math.max(seal.count, entries.length); index++) {
      const entry = entries[index];
      const id = ids[index] ?? null;
      if (!entry) return at('REMOVED', index, id, 'was removed');
      if (found[index] === sealed[index]) {
        if (!entry.intact) return at('EDITED', index, entry.id, 'has a reason or details that are not the ones that were sealed');
        continue;
      }
      const missing = index < seal.count && !there.has(sealed[index]!);
      if (!known.has(found[index]!)) {
        if (!missing) return at('INSERTED', index, entry.id, 'was inserted afterwards');
        const gone = id !== null && !entries.some((other) => other.id === id);
        return gone ? at('REMOVED', index, id, 'was removed') : at('EDITED', index, entry.id, 'was edited');
      }
      return missing ? at('REMOVED', index, id, 'was removed') : at('REORDERED', index, entry.id, 'is not in its place');
    }
    return undefined;
  }
}
