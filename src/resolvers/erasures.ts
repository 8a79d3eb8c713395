// Erasures: the preview, erasing, and looking up what was erased and its certificate.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { certificateKey, isCertified } from '../domain/certificates.ts';
import { type ErasureRow, listErasures, listSubjects, readErasures, readPurges } from '../domain/erasure-rows.ts';
import { eraseContacts, previewErasure } from '../domain/erasures.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import {
  ContactErasurePreview,
  ContactErasurePreviewInput,
  EraseContactsInput,
  EraseContactsPayload,
  type ErasedContact,
  ErasedContactConnection,
  Erasure,
  ErasureConnection,
  type ErasureCertificate,
} from '../schema/erasures.ts';
import { Job } from '../schema/jobs.ts';
import { loadJob } from './jobs.ts';

const certificateOf = ({ app }: Context, row: ErasureRow): ErasureCertificate | null =>
  row.certificate !== null && row.signature
    ? {
        document: row.certificate,
        signature: row.signature.toString('base64'),
        publicKey: certificateKey(app),
        isValid: isCertified(app, row, row.certificate, row.signature),
      }
    : null;

const shownErasure = (context: Context, row: ErasureRow): Erasure & { __typename: string } => ({
  ...row,
  __typename: 'Erasure',
  id: encodeId('Erasure', row.id),
  uuid: row.id,
  jobUuid: row.jobId,
  legalGround: row.ground,
  deletionId: row.deletionId && encodeId('Deletion', row.deletionId),
  rows: Object.entries(row.rowCounts).map(([kind, count]) => ({ kind, count })),
  certificate: certificateOf(context, row),
});

/** The erasure, or null. */
export async function loadErasure(context: Context, id: string): Promise<(Erasure & { __typename: string }) | null> {
  const row = await context
    .loader<string, ErasureRow | null>('erasure', async (tx, ids) => {
      const rows = new Map((await readErasures(tx, ids)).map((row) => [row.id, row]));
      return ids.map((id) => rows.get(id) ?? null);
    })
    .load(id);
  return row && shownErasure(context, row);
}

/** The purge of a deletion, or null. */
export async function loadPurge(context: Context, deletionId: string): Promise<Erasure | null> {
  const row = await context
    .loader<string, ErasureRow | null>('purge', async (tx, ids) => {
      const rows = new Map((await readPurges(tx, ids)).map((row) => [row.deletionId, row]));
      return ids.map((id) => rows.get(id) ?? null);
    })
    .load(deletionId);
  return row && shownErasure(context, row);
}

const targetOf = ({ contactIds }: ContactErasurePreviewInput): string[] => contactIds.map((id) => decodeId('Contact', id));

@Resolver(() => Erasure)
export class ErasureResolver {
  @Query(() => ContactErasurePreview, {
    complexity: 1000,
    description: 'What an erasure would destroy, and the confirmation that it takes. Changes nothing.',
  })
  async contactErasurePreview(
    @Ctx() context: Context,
    @Arg('input', () => ContactErasurePreviewInput, { description: 'Which contacts.' }) input: ContactErasurePreviewInput,
  ): Promise<ContactErasurePreview> {
    return previewErasure(await context.reading(), context.app, await context.viewer(), targetOf(input));
  }

  @Mutation(() => EraseContactsPayload, {
    description:
      'Destroys contacts for good (GDPR, Article 17), whether live or deleted: at once, everywhere, without a way back. Stored copies follow in a job, then a certificate is signed.',
  })
  eraseContacts(
    @Ctx() context: Context,
    @Arg('input', () => EraseContactsInput, { description: 'What was previewed, why, and its confirmation.' }) input: EraseContactsInput,
  ): Promise<EraseContactsPayload> {
    const { legalGround: ground, reason, confirmation } = input;
    return payload<EraseContactsPayload>(
      async () => {
        const id = await context.write((app, viewer) => eraseContacts(app, viewer, { contactIds: targetOf(input), ground, reason, confirmation }));
        return { erasure: await loadErasure(context, id) };
      },
      { erasure: null },
    );
  }

  @Query(() => Erasure, { description: 'An erasure, by its id.' })
  async erasure(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the erasure.' }) id: string): Promise<Erasure> {
    const erasure = await loadErasure(context, decodeId('Erasure', id));
    if (!erasure) throw new NotFound('erasure');
    return erasure;
  }

  @Query(() => ErasureConnection, { description: 'All erasures, purges included, the newest first.' })
  async erasures(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<Erasure>> {
    const rows = await listErasures(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'erasures', 1)[0]! : null);
    return pageOf(
      rows,
      first,
      (row) => ['erasures', row.id],
      (row) => shownErasure(context, row),
    );
  }

  @FieldResolver(() => Job, {
    nullable: true,
    description: 'The job that destroys the stored copies, for those who may watch jobs or ordered it.',
  })
  async job(@Ctx() context: Context, @Root() { jobUuid }: Erasure): Promise<Job | null> {
    return jobUuid ? loadJob(context, jobUuid) : null;
  }

  @FieldResolver(() => ErasedContactConnection, { description: 'The contacts that are nowhere any more because of it, by id.' })
  async subjects(@Ctx() context: Context, @Root() { uuid }: Erasure, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<ErasedContact>> {
    const before = after ? decodeCursor(after, 'erased contacts', 1)[0]! : null;
    const rows = await listSubjects(await context.reading(), uuid, checkFirst(first) + 1, before);
    return pageOf(
      rows,
      first,
      (row) => ['erased contacts', row.id],
      ({ id }) => ({ id: encodeId('Contact', id) }),
    );
  }
}
