// Verifies a proof, which is an export of the action log with its seals, from the file and a public key alone.
import { createPublicKey } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { Chain, proofType, type SealedBatch } from './chain.ts';
import { type Found, foundOf, type FullEntry } from './entry.ts';
import type { Head } from './seal.ts';

/** A file that is no proof, or not all of one. */
export class NoProof extends Error {}

const text = z.string().nullable();
const entry = z.strictObject({
  id: z.string(),
  occurredAt: z.string(),
  actorKind: z.string(),
  actorId: text,
  actorName: z.string(),
  action: z.string(),
  outcome: z.string(),
  code: text,
  targetKind: text,
  targetId: text,
  targetCount: z.number(),
  deletionId: text,
  chunkNumber: z.number().nullable(),
  requestId: z.string(),
  address: text,
  agent: text,
  reasonDigest: text,
  detailDigest: text,
  reason: z.strictObject({ text: z.string(), salt: z.string() }).nullable(),
  detail: z.strictObject({ changes: z.unknown(), salt: z.string() }).nullable(),
}) satisfies z.ZodType<FullEntry>;

const lines = z.union([
  z.strictObject({ entry }),
  z.strictObject({ seal: z.string(), signature: z.base64(), ids: z.array(z.string()), leaves: z.base64() }),
  z.strictObject({ type: z.literal(proofType), organizationId: z.uuid(), publicKey: z.string() }),
  z.strictObject({ pruned: z.string(), signature: z.base64() }),
  z.strictObject({ end: z.int() }),
]);

/**
 * @param publicKey PEM; null takes the one in the file, which proves only that the file fits together
 * @param known heads that were kept elsewhere
 * @returns the chain, with its fault if there is one @throws NoProof
 */
export async function verifyFile(file: string, publicKey: string | null, known: readonly Head[]): Promise<Chain> {
  const input = createReadStream(file);
  let chain: Chain | undefined;
  let batch: (Omit<SealedBatch, 'entries'> & { entries: Found[] }) | undefined;
  let [number, ended] = [0, false];
  try {
    for await (const line of createInterface({ input, crlfDelay: Infinity })) {
      number++;
      const told = parse(line, number);
      if (ended) throw new NoProof(`Line ${number} comes after the end of the proof.`);
      if ('type' in told) {
        if (chain) throw new NoProof(`Line ${number} begins a second proof.`);
        chain = new Chain(told.organizationId, createPublicKey(publicKey ?? told.publicKey), known);
        continue;
      }
      if (!chain) throw new NoProof('The first line does not say that this is a proof of an action log.');
      if ('pruned' in told) {
        if (number !== 2) throw new NoProof(`Line ${number} tells of pruning, which is told before everything else.`);
        chain = new Chain(chain.organizationId, chain.key, known, { text: told.pruned, signature: Buffer.from(told.signature, 'base64') });
        continue;
      }
      if ('entry' in told) {
        if (!batch) throw new NoProof(`Line ${number} is an entry before any seal.`);
        batch.entries.push(foundOf(chain.organizationId, told.entry));
        continue;
      }
      if (batch && !chain.take(batch)) return chain;
      batch = undefined;
      if ('end' in told) ended = true;
      else
        batch = { seal: told.seal, signature: Buffer.from(told.signature, 'base64'), ids: told.ids, leaves: Buffer.from(told.leaves, 'base64'), entries: [] };
    }
  } finally {
    input.destroy();
  }
  if (!chain || !ended) throw new NoProof(`The file ends after line ${number} without the end of the proof: it is not all of one.`);
  chain.end();
  return chain;
}

function parse(line: string, number: number): z.output<typeof lines> {
  try {
    return lines.parse(JSON.parse(line));
  } catch {
    throw new NoProof(`Line ${number} is not one of a proof.`);
  }
}
