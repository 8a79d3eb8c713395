#!/usr/bin/env node
// What can be done without a server: `npx reinstate verify-log`.
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { StartupError } from './errors.ts';
import { hashOf, type Head } from './log/seal.ts';
import { NoProof, verifyFile } from './log/verify-file.ts';

const usage = `Usage:
  npx reinstate verify-log FILE [--key KEY.pem] [--checkpoint CHECKPOINT]... [--head NUMBER:HASH]
FILE is an export of the action log in the format PROOF. The key is the log's public key, which you were given before and
not with the file. A checkpoint is a file that the server keeps outside of its database, a head what an earlier
verification gave: with one of them it is noticed, too, when the end of the log was cut off.
Exit codes: 0 intact, 1 not intact, 2 not verified.`;

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { key: { type: 'string' }, checkpoint: { type: 'string', multiple: true, default: [] }, head: { type: 'string', multiple: true, default: [] } },
  });
  const [verb, file, ...rest] = positionals;
  if (verb !== 'verify-log' || !file || rest.length > 0) throw new StartupError(usage);
  const known = [...(await Promise.all(values.checkpoint.map(readCheckpoint))), ...values.head.map(readHead)];
  const chain = await verifyFile(file, values.key === undefined ? null : await readFile(values.key, 'utf8'), known);
  const { fault, head, erased, pruned } = chain;
  console.log(`Organization ${chain.organizationId}`);
  if (pruned)
    console.log(
      `Pruned on ${pruned.prunedAt}: entries 1 to ${pruned.total}, under seals 1 to ${pruned.number}, the newest of ${pruned.until}. The log is complete from then on.`,
    );
  const [entries, seals] = [(head?.total ?? 0) - (head && pruned ? pruned.total : 0), (head?.number ?? 0) - (head && pruned ? pruned.number : 0)];
  console.log(`Verified: ${entries} entries under ${seals} seals${head ? `, the last of ${head.sealedAt}` : ''}.`);
  if (erased > 0) console.log(`Of these, ${erased} had their reason or details erased with a person; they verify all the same.`);
  if (values.key === undefined) console.log('The key is the one in the file, so this proves that the file fits together, and not who wrote it. Give --key.');
  if (known.length === 0) console.log('Nothing tells how long the log was, so entries cut off at its end are not noticed. Give --checkpoint or --head.');
  const before = known.filter(({ number }) => pruned !== null && number < pruned.number).map(({ number }) => number);
  if (before.length > 0) console.log(`Seals ${before.join(', ')}, which you gave, were pruned: there is nothing left to hold them against.`);
  if (fault) {
    console.log(`NOT INTACT (${fault.kind}): ${fault.message}${fault.entryId ? ` Entry id: ${fault.entryId}` : ''}`);
    return 1;
  }
  console.log(head ? `INTACT. Keep this head: ${head.number}:${head.hash}` : 'INTACT, and empty.');
  return 0;
}

async function readCheckpoint(path: string): Promise<Head> {
  const { seal } = JSON.parse(await readFile(path, 'utf8')) as { seal: string };
  return { number: (JSON.parse(seal) as { number: number }).number, hash: hashOf(seal) };
}

function readHead(text: string): Head {
  const [, number, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (!number || !hash) throw new StartupError(`${text} is no head of a log.\n${usage}`);
  return { number: Number(number), hash };
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    console.error(error instanceof StartupError || error instanceof NoProof ? error.message : `${(error as Error).message}\n${usage}`);
    process.exit(2);
  },
);
