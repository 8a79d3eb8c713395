// The action log as files: for a spreadsheet, for a SIEM, and for whoever wants to prove it without us.
import { type ActionLogFilter, type ActionLogRow, eachAction } from '../domain/action-log.ts';
import type { App } from '../domain/app.ts';
import type { Transaction } from '../database.ts';
import { globalId } from '../global-id.ts';
import { proofType } from './chain.ts';
import { readSealed } from './reading.ts';
import { sealKey } from './seal.ts';

export const logFormats = ['CSV', 'JSON_LINES', 'PROOF'] as const;
export type LogFormat = (typeof logFormats)[number];

const shown = (row: ActionLogRow) => ({
  id: globalId('ActionLogEntry', row.id),
  occurredAt: row.occurredAt.toISOString(),
  actorKind: row.actorKind,
  actorId:
    row.actorId && (row.actorKind === 'STAFF' ? globalId('StaffMember', row.actorId) : row.actorKind === 'API_KEY' ? globalId('ApiKey', row.actorId) : null),
  actorName: row.actorName,
  action: row.action,
  outcome: row.outcome,
  code: row.code,
  targetKind: row.targetKind,
  targetId: row.targetId && row.targetKind ? globalId(row.targetKind, row.targetId) : null,
  targetCount: row.targetCount,
  reason: row.reason,
  requestId: row.requestId,
  address: row.address,
  agent: row.agent,
});

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
] as const satisfies (keyof ReturnType<typeof shown>)[];

/** The log of the transaction's organization, piece by piece. A PROOF is whole: it takes no filter. */
export async function* exportLog(tx: Transaction, app: App, format: LogFormat, filter: ActionLogFilter): AsyncGenerator<string> {
  if (format === 'PROOF') return yield* proof(tx, app);
  if (format === 'CSV') yield csvLine(columns);
  for await (const rows of eachAction(tx, filter))
    yield rows
      .map(shown)
      .map((row) => (format === 'CSV' ? csvLine(columns.map((column) => row[column])) : `${JSON.stringify(row)}\n`))
      .join('');
}

/** One line that says what it is, then each seal with the entries under it, then the end. */
async function* proof(tx: Transaction, app: App): AsyncGenerator<string> {
  const line = (value: object) => `${JSON.stringify(value)}\n`;
  yield line({ type: proofType, organizationId: tx.organizationId, publicKey: sealKey(app.keys) });
  let seals = 0;
  for await (const { seal, signature, ids, leaves, entries } of readSealed(tx)) {
    seals++;
    yield line({ seal, signature: signature.toString('base64'), ids, leaves: leaves.toString('base64') }) + entries.map((entry) => line({ entry })).join('');
  }
  yield line({ end: seals });
}

/**
 * A line of RFC 4180. A cell that a spreadsheet would take for a formula begins with an apostrophe.
 * Source: OWASP, "CSV Injection".
 */
function csvLine(cells: readonly (string | number | null)[]): string {
  const texts = cells.map((cell) => {
    const text = cell === null ? '' : String(cell);
    const safe = typeof cell === 'string' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  });
  return `${texts.join(',')}\r\n`;
}
