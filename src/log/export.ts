// The action log as files: for a spreadsheet, for a SIEM, and for whoever wants to prove it without us.
import { type ActionLogFilter, type ActionLogRow, eachAction, globalIdsOf } from '../domain/action-log-rows.ts';
import type { App } from '../domain/app.ts';
import type { Transaction } from '../database.ts';
import { csvLines } from '../exports/csv.ts';
import { proofType } from './chain.ts';
import { readPages, readPruned, readSeals } from './reading.ts';
import { sealKey } from './seal.ts';

export const logFormats = ['CSV', 'JSON_LINES', 'PROOF'] as const;
export type LogFormat = (typeof logFormats)[number];

const columns = [
  'id',
  'occurredAt',
  'actorKind',
  'actorId',
  'actorName',
  'action',
  'outcome',
  'code',
  'targetKind',
  'targetId',
  'targetCount',
  'reason',
  'requestId',
  'address',
  'agent',
] as const satisfies (keyof ActionLogRow)[];

/** An entry with the columns alone. */
function shown(row: ActionLogRow): Record<string, unknown> {
  const all = { ...row, ...globalIdsOf(row), occurredAt: row.occurredAt.toISOString() };
  return Object.fromEntries(columns.map((column) => [column, all[column]]));
}

/** What makes text be shown in another order than it has, so that it could pass for another one: spelled out, as JSON spells it. */
const spelled = (text: string): string =>
  text.replaceAll(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

const csv = (rows: readonly (readonly unknown[])[]): string => csvLines(rows, { cast: spelled });

/** The log of the transaction's organization, piece by piece. A PROOF is whole: it takes no filter. */
export async function* exportLog(tx: Transaction, app: App, format: LogFormat, filter: ActionLogFilter): AsyncGenerator<string> {
  if (format === 'PROOF') return yield* proof(tx, app);
  if (format === 'CSV') yield csv([columns]);
  for await (const rows of eachAction(tx, filter)) {
    const lines = rows.map(shown);
    yield format === 'CSV' ? csv(lines.map(Object.values)) : spelled(lines.map(jsonLine).join(''));
  }
}

const jsonLine = (value: object) => `${JSON.stringify(value)}\n`;

/** One line that says what it is, one that says where pruning ended, if it was pruned, then each seal with the entries under it, then the end. */
async function* proof(tx: Transaction, app: App): AsyncGenerator<string> {
  yield jsonLine({ type: proofType, organizationId: tx.organizationId, publicKey: sealKey(app.keys) });
  const pruned = await readPruned(tx);
  if (pruned) yield jsonLine({ pruned: pruned.text, signature: pruned.signature.toString('base64') });
  let seals = 0;
  for await (const stored of readSeals(tx)) {
    seals++;
    const { seal, signature, ids, leaves } = stored;
    yield jsonLine({ seal, signature: signature.toString('base64'), ids, leaves: leaves.toString('base64') });
    for await (const page of readPages(tx, stored)) yield page.map((entry) => jsonLine({ entry })).join('');
  }
  yield jsonLine({ end: seals });
}
