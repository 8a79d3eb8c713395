// What a recovery would do, computed without doing it.
import { createHash } from 'node:crypto';
import type { Transaction } from '../database.ts';
import type { ConflictPolicy } from '../entities/recovery.ts';
import { Refusal } from '../errors.ts';
import { graphOf } from '../snapshots/capture.ts';
import { type Chunk, DamagedChunk, ledgerSums, pickContacts } from '../snapshots/chunk.ts';
import { type Conflict, defaultPolicies, feasible, findConflicts, type RecoveredContact, recoveredContacts } from '../snapshots/conflicts.ts';
import type { GraphTable } from '../snapshots/graph.ts';
import { type LostReference, lostReferences, namesKept } from '../snapshots/references.ts';
import { readChunk } from '../snapshots/restore.ts';
import { sql } from '../sql.ts';
import type { App } from './app.ts';
import type { Amount, RowCount } from './deletion-rows.ts';
import type { ConflictRow } from './recovery-rows.ts';
import { type Resolved, resolveSelection, type Selection, type Source } from './recovery-selection.ts';
import { sees, seesRows, type Sight } from './visibility.ts';

/** Contacts a second, until an organization has recoveries of its own to measure by; about half of what a small machine does. */
const assumedRate = 2000;

/** What is done about conflicts: one policy for all, or each kind's default; and for single contacts. */
export interface Policies {
  conflictPolicy?: ConflictPolicy | null | undefined;
  overrides?: ReadonlyMap<string, ConflictPolicy> | undefined;
}

export interface PlannedConflict extends ConflictRow {
  /** Of the live contact as it was when the plan was computed. */
  liveVersion: number;
}

export interface RecoveryPlan extends Resolved {
  rows: RowCount[];
  balances: Amount[];
  /** In order of contact id. */
  conflicts: PlannedConflict[];
  /** What the contacts refer to and the organization no longer has, and will have again. */
  recreated: LostReference[];
  /** Authors whose accounts are gone, kept by name. */
  namesKept: string[];
  fee: Amount;
  estimatedSeconds: number;
  /** What was planned, short enough to be sent back: a request carries it. */
  hash: string;
}

/** Opens the chunk of a source and leaves out what was not chosen. */
export async function openSource(tx: Transaction, app: App, { snapshotId, chunkNumber, contactIds }: Omit<Source, 'contactCount'>): Promise<Chunk> {
  const chunk = await readChunk(tx, app, { organizationId: tx.organizationId, snapshotId, number: chunkNumber });
  const chosen = contactIds && new Set(contactIds);
  return chosen ? pickContacts(chunk, (id) => chosen.has(id)) : chunk;
}

/** What is done about a conflict. */
export const policyFor = ({ conflictPolicy, overrides }: Policies, { contactId, kind }: Conflict): ConflictPolicy =>
  feasible(kind, overrides?.get(contactId) ?? conflictPolicy ?? defaultPolicies[kind]);

/** As they are carried out. Nobody merges blindly: for someone who does not see everything of contacts, conflicts are skipped unless they say otherwise. */
export const policiesOf = ({ hidden }: Sight, given: Policies): Policies => ({
  ...given,
  conflictPolicy: given.conflictPolicy ?? (hidden.size > 0 ? 'SKIP' : null),
});

/**
 * What a recovery would do now, without doing it: opens every chunk that holds what is selected, and looks for conflicts. What
 * the viewer does not see is not counted.
 * @throws what `resolveSelection` throws; Refusal SNAPSHOT_DAMAGED
 */
export async function planRecovery(tx: Transaction, app: App, viewer: Sight, selection: Selection, given: Policies): Promise<RecoveryPlan> {
  const policies = policiesOf(viewer, given);
  const shown = graphOf(app).tables.filter(({ kind }) => seesRows(viewer, kind));
  const resolved = await resolveSelection(tx, selection);
  const rows = new Map<string, number>();
  const balances = new Map<string, number>();
  const conflicts: PlannedConflict[] = [];
  const recreated = new Map<string, LostReference>();
  const names = new Set<string>();
  for (const one of resolved.sources) {
    const chunk = await openSource(tx, app, one).catch((error: unknown) => {
      throw error instanceof DamagedChunk ? damaged(error) : error;
    });
    countRows(shown, chunk, rows);
    for (const [currency, amount] of sees(viewer, ['BALANCES']) ? Object.entries(ledgerSums(chunk.parts)) : [])
      balances.set(currency, (balances.get(currency) ?? 0) + amount);
    for (const lost of await lostReferences(tx, app, chunk)) recreated.set(lost.id, lost);
    if (sees(viewer, ['NOTES'])) for (const name of await namesKept(tx, app, chunk)) names.add(name);
    conflicts.push(...(await planConflicts(tx, chunk, one, policies)));
  }
  conflicts.sort((a, b) => (a.contactId < b.contactId ? -1 : 1));
  const plan = {
    ...resolved,
    contactCount: rows.get('Contact') ?? 0,
    rows: [...rows].map(([kind, count]) => ({ kind, count })),
    balances: [...balances].map(([currency, amountMinor]) => ({ currency, amountMinor })),
    conflicts,
    recreated: [...recreated.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    namesKept: [...names].sort(),
    fee: { amountMinor: app.config.RECOVERY_FEE_MINOR, currency: app.config.RECOVERY_FEE_CURRENCY },
  };
  return { ...plan, estimatedSeconds: Math.ceil(plan.contactCount / (await measuredRate(tx))), hash: hashOf(plan) };
}

const damaged = ({ message }: DamagedChunk) =>
  new Refusal('SNAPSHOT_DAMAGED', `${message} Nothing was ordered or billed. Ask the operator to look at the snapshot store.`, ['input', 'selection']);

async function planConflicts(tx: Transaction, chunk: Chunk, { snapshotId, chunkNumber }: Source, policies: Policies): Promise<PlannedConflict[]> {
  const found = await findConflicts(tx, chunk);
  if (found.length === 0) return [];
  const live = await tx.rows<{ id: string; version: number }>(sql`
    select id, version from contact where organization_id = ${tx.organizationId} and id = any(${found.map((one) => one.liveContactId)}::uuid[])`);
  const versions = new Map(live.map(({ id, version }) => [id, version]));
  return found.map((one) => ({ ...one, policy: policyFor(policies, one), liveVersion: versions.get(one.liveContactId) ?? 0, snapshotId, chunkNumber }));
}

function countRows(tables: readonly GraphTable[], { parts }: Chunk, rows: Map<string, number>): void {
  for (const { name, kind } of tables) rows.set(kind, (rows.get(kind) ?? 0) + (parts.find((part) => part.table === name)?.count ?? 0));
}

/** Contacts a second, as the organization's last recoveries went. */
async function measuredRate(tx: Transaction): Promise<number> {
  const speed = await tx.row<{ rate: number | null }>(sql`
    select sum(r.contact_count) / nullif(sum(extract(epoch from r.finished_at - r.started_at)), 0)::float8 as rate
    from (select * from recovery_request where organization_id = ${tx.organizationId} and state = 'COMPLETED' order by id desc limit 20) r`);
  return speed?.rate || assumedRate;
}

type Facts = Omit<RecoveryPlan, 'estimatedSeconds' | 'hash'>;

/** What the difference between two plans is told by. The digest covers everything that the plan says. */
const parts = ['contacts', 'rows', 'conflicts', 'records to recreate', 'fee', 'digest'] as const;

function hashOf(plan: Facts): string {
  const { conflicts, recreated, rows, balances, fee, sources } = plan;
  const digest = createHash('sha256')
    .update(JSON.stringify([sources, rows, balances, conflicts, recreated, fee]))
    .digest('base64url')
    .slice(0, 22);
  const total = rows.reduce((sum, row) => sum + row.count, 0);
  return Buffer.from(JSON.stringify([plan.contactCount, total, conflicts.length, recreated.length, fee.amountMinor, digest])).toString('base64url');
}

/** @throws Refusal PLAN_DRIFTED, which tells the difference, or BAD_PLAN_HASH */
export function checkPlan(plan: RecoveryPlan, hash: string): void {
  if (plan.hash === hash) return;
  const [then, now] = [unpacked(hash), unpacked(plan.hash)!];
  const path = ['input', 'planHash'];
  if (!then) throw new Refusal('BAD_PLAN_HASH', 'This is not the hash of a plan. Nothing was ordered. Take it from `recoveryPlan`.', path);
  const differences = parts.flatMap((part, index) =>
    part !== 'digest' && then[index] !== now[index] ? [`${part} ${String(then[index])}, now ${String(now[index])}`] : [],
  );
  const told = differences.length > 0 ? differences.join('; ') : 'the counts are the same, but other contacts stand in the way, or they were changed';
  throw new Refusal(
    'PLAN_DRIFTED',
    `The plan has changed since it was computed: ${told}. Nothing was ordered. Look at the new plan, which comes with this answer, and send its hash.`,
    path,
  );
}

function unpacked(hash: string): unknown[] | undefined {
  try {
    const values: unknown = JSON.parse(Buffer.from(hash.slice(0, 500), 'base64url').toString('utf8'));
    return Array.isArray(values) && values.length === parts.length && values.slice(0, -1).every(Number.isSafeInteger) ? values : undefined;
  } catch {
    return undefined;
  }
}

/** The recovered side of conflicts, by contact id, out of the chunks that hold them; without those whose chunk can't be opened any more. */
export async function readRecovered(tx: Transaction, app: App, conflicts: readonly ConflictRow[]): Promise<Map<string, RecoveredContact>> {
  const found = new Map<string, RecoveredContact>();
  for (const some of Map.groupBy(conflicts, (one) => `${one.snapshotId}/${one.chunkNumber}`).values()) {
    const { snapshotId, chunkNumber } = some[0]!;
    try {
      const chunk = await openSource(tx, app, { snapshotId, chunkNumber, contactIds: null });
      for (const [id, contact] of recoveredContacts(chunk, new Set(some.map(({ contactId }) => contactId)))) found.set(id, contact);
    } catch (error) {
      // Its time is over, and with it the chunk.
      if (!(error instanceof DamagedChunk)) throw error;
    }
  }
  return found;
}
