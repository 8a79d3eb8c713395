// Deletions: the preview, the deletion, and looking them up.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { listBatchContacts } from '../domain/action-log-rows.ts';
import { type DeletionRow, listDeletions, readDeletionContents, readDeletions, readWarnings } from '../domain/deletion-rows.ts';
import { deleteContacts, type DeletionTarget, previewDeletion } from '../domain/deletions.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, Money, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import {
  DeadlineWarning,
  ContactDeletionPreview,
  ContactDeletionPreviewInput,
  DeleteContactsInput,
  DeleteContactsPayload,
  type DeletedContact,
  DeletedContactConnection,
  Deletion,
  DeletionConnection,
  RowCount,
} from '../schema/deletions.ts';
import { Erasure } from '../schema/erasures.ts';
import { Job } from '../schema/jobs.ts';
import { filterOf } from './contacts.ts';
import { loadPurge } from './erasures.ts';
import { loadJob } from './jobs.ts';

export const shownDeletion = (row: DeletionRow): Deletion & { __typename: string } => ({
  ...row,
  __typename: 'Deletion',
  id: encodeId('Deletion', row.id),
  uuid: row.id,
});

/** The deletion, or null. */
export async function loadDeletion(context: Context, id: string): Promise<(Deletion & { __typename: string }) | null> {
  const row = await context
    .loader<string, DeletionRow | null>('deletion', async (tx, ids) => {
      const rows = new Map((await readDeletions(tx, ids)).map((row) => [row.id, row]));
      return ids.map((id) => rows.get(id) ?? null);
    })
    .load(id);
  return row && shownDeletion(row);
}

const targetOf = ({ contactIds, filter }: ContactDeletionPreviewInput): DeletionTarget => ({
  contactIds: contactIds?.map((id) => decodeId('Contact', id)),
  filter: filter && filterOf(filter),
});

const contents = (context: Context, { snapshotId }: Deletion) => context.loader('deletion contents', readDeletionContents).load(snapshotId);

@Resolver(() => Deletion)
export class DeletionResolver {
  @Query(() => ContactDeletionPreview, {
    complexity: 1000,
    description: 'Exactly what a deletion would remove, and the confirmation that it takes. Changes nothing.',
  })
  async contactDeletionPreview(
    @Ctx() context: Context,
    @Arg('input', () => ContactDeletionPreviewInput, { description: 'Which contacts.' }) input: ContactDeletionPreviewInput,
  ): Promise<ContactDeletionPreview> {
    return previewDeletion(await context.reading(), context.app, await context.viewer(), targetOf(input));
  }

  @Mutation(() => DeleteContactsPayload, {
    description: 'Deletes contacts with all they own. Snapshot, removal and log entry commit together; what is deleted can be recovered for 30 days.',
  })
  deleteContacts(
    @Ctx() context: Context,
    @Arg('input', () => DeleteContactsInput, { description: 'What was previewed, and its confirmation.' }) input: DeleteContactsInput,
  ): Promise<DeleteContactsPayload> {
    const { confirmation, reason } = input;
    return payload<DeleteContactsPayload>(
      async () => {
        const id = await context.write((app, viewer) => deleteContacts(app, viewer, { ...targetOf(input), confirmation, reason }));
        return { deletion: await loadDeletion(context, id) };
      },
      { deletion: null },
    );
  }

  @Query(() => Deletion, { description: 'A deletion, by its id.' })
  async deletion(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the deletion.' }) id: string): Promise<Deletion> {
    const deletion = await loadDeletion(context, decodeId('Deletion', id));
    if (!deletion) throw new NotFound('deletion');
    return deletion;
  }

  @Query(() => DeletionConnection, { description: 'All deletions, the newest first; for those who work only with contacts with certain tags, their own.' })
  async deletions(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<Deletion>> {
    const rows = await listDeletions(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'deletions', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['deletions', row.id], shownDeletion);
  }

  @FieldResolver(() => [RowCount], { description: 'How many rows of each kind went, the contacts included; without kinds that your roles hide.' })
  async rows(@Ctx() context: Context, @Root() deletion: Deletion): Promise<RowCount[]> {
    return (await contents(context, deletion)).rows;
  }

  @FieldResolver(() => [Money], {
    nullable: true,
    description: 'The sum of the balances that went, for each currency; null without the permission `payments:read`, or when your roles hide them.',
  })
  async balances(@Ctx() context: Context, @Root() deletion: Deletion): Promise<Money[]> {
    return (await contents(context, deletion)).balances;
  }

  @FieldResolver(() => Job, {
    nullable: true,
    description: 'The job that carries it out, for those who may watch jobs or ordered it; null when it was done within the request.',
  })
  async job(@Ctx() context: Context, @Root() { jobId }: Deletion): Promise<Job | null> {
    return jobId ? loadJob(context, jobId) : null;
  }

  @FieldResolver(() => [DeadlineWarning], { description: 'The warnings that its deadline is near, so far.' })
  warnings(@Ctx() context: Context, @Root() { uuid }: Deletion): Promise<DeadlineWarning[]> {
    return context
      .loader<string, DeadlineWarning[]>('deadline warnings', async (tx, ids) => {
        const warnings = await readWarnings(tx, ids);
        return ids.map((id) => warnings.filter(({ deletionId }) => deletionId === id));
      })
      .load(uuid);
  }

  @FieldResolver(() => Erasure, { nullable: true, description: 'Its purge, with the certificate; null until its time has run out.' })
  erasure(@Ctx() context: Context, @Root() { uuid }: Deletion): Promise<Erasure | null> {
    return loadPurge(context, uuid);
  }

  @FieldResolver(() => DeletedContactConnection, { description: 'The contacts that it took, by id.' })
  async contacts(@Ctx() context: Context, @Root() { uuid }: Deletion, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<DeletedContact>> {
    const rows = await listBatchContacts(
      await context.reading(),
      { deletionId: uuid, chunkNumber: null, subjectId: null },
      checkFirst(first) + 1,
      after ? decodeCursor(after, 'deleted contacts', 1)[0]! : null,
    );
    return pageOf(
      rows,
      first,
      (row) => ['deleted contacts', row.id],
      ({ id }) => ({ id: encodeId('Contact', id) }),
    );
  }
}
