// The hash tree that one seal is over: leaves and nodes are told apart, so no node can be shown as an entry.
// Source: RFC 9162 (Certificate Transparency 2.0), section 2.1.1, with SHA-256.
import { hash } from 'node:crypto';

export const digestBytes = 32;
const leafMark = Buffer.from([0]);
const nodeMark = Buffer.from([1]);

/** The leaf of an entry, from its canonical text. */
export const leafOf = (text: string): Buffer => hash('sha256', Buffer.concat([leafMark, Buffer.from(text)]), 'buffer');

/** The root over leaves that lie one after another, 32 bytes each; of none it is the SHA-256 of nothing. */
export function rootOf(leaves: Buffer): Buffer {
  const count = leaves.length / digestBytes;
  if (count === 0) return hash('sha256', '', 'buffer');
  let level = leaves;
  // Pairs from the left; the odd one at the end goes up as it is. That is the tree that the RFC splits from the top.
  while (level.length > digestBytes) {
    const pairs = Math.floor(level.length / (2 * digestBytes));
    const next = Buffer.allocUnsafe((level.length / digestBytes - pairs) * digestBytes);
    for (let pair = 0; pair < pairs; pair++) {
      const at = 2 * pair * digestBytes;
      hash('sha256', Buffer.concat([nodeMark, level.subarray(at, at + 2 * digestBytes)]), 'buffer').copy(next, pair * digestBytes);
    }
    level.copy(next, pairs * digestBytes, 2 * pairs * digestBytes);
    level = next;
  }
  return level;
}
