// Ids by the thousand. For one at a time `uuid` itself is the simpler way.
import { randomBytes } from 'node:crypto';
import { v7 } from 'uuid';

let pool = Buffer.alloc(0);
let used = 0;
let count = randomBytes(4).readUInt32BE();

/** A UUIDv7 like any other, for a third of the time: its random bytes are fetched 4,096 ids at a time, and a counter puts ids of one millisecond in order. */
export function newIdOfMany(): string {
  if (used === pool.length) {
    pool = randomBytes(16 * 4096);
    used = 0;
  }
  const random = pool.subarray(used, (used += 16));
  count = (count + 1) >>> 0;
  return v7({ random, msecs: Date.now(), seq: count });
}
