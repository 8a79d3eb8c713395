// Planning a recovery, and the conflicts of plans and requests with both of their sides.
import { Arg, Args, Ctx, FieldResolver, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { planRecovery, type Policies, readRecovered, type RecoveryPlan as PlanRow } from '../domain/recovery-plans.ts';
import type { ConflictRow } from '../domain/recovery-rows.ts';
import type { Selection } from '../domain/recovery-selection.ts';
import { decodeId, decodeOptionalId, encodeId } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { Contact } from '../schema/contacts.ts';
import { Conflict, ConflictConnection, RecoveredContact, RecoveryPlan, RecoveryPlanInput } from '../schema/recovery-plans.ts';
import { graphOf } from '../snapshots/capture.ts';
import { loadContact } from './contacts.ts';

export const shownConflict = (row: ConflictRow): Conflict => ({
  ...row,
  contactId: encodeId('Contact', row.contactId),
  liveContactId: encodeId('Contact', row.liveContactId),
  row,
});

export const shownPlan = ({ app }: Context, plan: PlanRow): RecoveryPlan => ({
  ...plan,
  conflictCount: plan.conflicts.length,
  plannedConflicts: plan.conflicts,
  recreated: plan.recreated.map(({ table, name }) => ({ kind: graphOf(app).referenced.get(table)!.kind, name })),
});

export const selectionOf = ({ selection: { deletionId, snapshotId, deletedById, contactIds, ...span } }: RecoveryPlanInput): Selection => ({
  ...span,
  deletionId: decodeOptionalId('Deletion', deletionId),
  snapshotId: decodeOptionalId('Snapshot', snapshotId),
  deletedById: decodeOptionalId('StaffMember', deletedById),
  contactIds: contactIds?.map((id) => decodeId('Contact', id)),
});

export const policiesOf = ({ conflictPolicy, overrides }: RecoveryPlanInput): Policies => ({
  conflictPolicy,
  overrides: new Map(overrides?.map(({ contactId, policy }) => [decodeId('Contact', contactId), policy])),
});

@Resolver(() => RecoveryPlan)
export class RecoveryPlanResolver {
  @Query(() => RecoveryPlan, {
    complexity: 5000,
    description: 'What a recovery would do now. Opens every part of the snapshots that holds what is selected, and changes nothing.',
  })
  async recoveryPlan(
    @Ctx() context: Context,
    @Arg('input', () => RecoveryPlanInput, { description: 'What to recover, and what to do about conflicts.' }) input: RecoveryPlanInput,
  ): Promise<RecoveryPlan> {
    return shownPlan(context, await planRecovery(await context.reading(), context.app, await context.viewer(), selectionOf(input), policiesOf(input)));
  }

  @FieldResolver(() => ConflictConnection, { description: 'The conflicts, in order of contact id, each with both sides.' })
  conflicts(@Root() { plannedConflicts }: RecoveryPlan, @Args(() => PageArgs) { first, after }: PageArgs): Page<Conflict> {
    const place = after ? decodeCursor(after, 'planned conflicts', 1)[0]! : '';
    const start = plannedConflicts.findIndex(({ contactId }) => contactId > place);
    const rows = start < 0 ? [] : plannedConflicts.slice(start, start + checkFirst(first) + 1);
    return pageOf(rows, first, (row) => ['planned conflicts', row.contactId], shownConflict);
  }
}

@Resolver(() => Conflict)
export class ConflictResolver {
  @FieldResolver(() => RecoveredContact, {
    nullable: true,
    description: 'The contact as the snapshot has it, for those who may see contacts; null once the snapshot is gone.',
  })
  async recovered(@Ctx() context: Context, @Root() { row }: Conflict): Promise<RecoveredContact | null> {
    const found = await context
      .loader<ConflictRow, RecoveredContact | null>('recovered', async (tx, rows) => {
        const contacts = await readRecovered(tx, context.app, rows);
        return rows.map(({ contactId }) => contacts.get(contactId) ?? null);
      })
      .load(row);
    return found && { ...found, id: encodeId('Contact', found.id) };
  }

  @FieldResolver(() => Contact, { nullable: true, description: 'The live contact, for those who may see contacts; null when it is gone.' })
  live(@Ctx() context: Context, @Root() { row }: Conflict): Promise<Contact | null> {
    return loadContact(context, row.liveContactId);
  }
}
