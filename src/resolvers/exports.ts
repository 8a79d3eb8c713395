// Taking contacts out as files: ordering exports, looking them up, and links to the files.
import { Arg, Args, Ctx, FieldResolver, ID, Mutation, Query, Resolver, Root } from 'type-graphql';
import type { Context } from '../context.ts';
import { exportContact } from '../domain/contact-files.ts';
import { type ExportRow, listExports, readExports } from '../domain/export-rows.ts';
import { exportContacts, linkExport } from '../domain/exports.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import {
  ContactExport,
  ContactExportConnection,
  CreateContactExportLinkInput,
  ExportContactInput,
  ExportContactsInput,
  ExportContactsPayload,
  FileLinkPayload,
} from '../schema/exports.ts';
import { Job } from '../schema/jobs.ts';
import { checkFirst, decodeCursor, PageArgs, pageOf, type Page } from '../schema/pages.ts';
import { filterOf } from './contacts.ts';
import { loadJob } from './jobs.ts';

const shownExport = ({ id, state, format, fields, failureCode, failureMessage, ...row }: ExportRow): ContactExport & { __typename: string } => ({
  __typename: 'ContactExport',
  id: encodeId('ContactExport', id),
  state,
  format,
  fields,
  requestedById: row.requestedById,
  requestedByName: row.requestedByName,
  jobId: row.jobId,
  requestedAt: row.requestedAt,
  takenAt: row.takenAt,
  expiresAt: row.expiresAt,
  contactCount: row.contactCount,
  byteLength: row.byteLength,
  failure: failureCode ? { code: failureCode, message: failureMessage! } : null,
});

/** The export, or null. */
export async function loadExport(context: Context, id: string): Promise<(ContactExport & { __typename: string }) | null> {
  const [row] = await readExports(await context.reading(), [id]);
  return row ? shownExport(row) : null;
}

export const noLink = { path: null, expiresAt: null };

@Resolver(() => ContactExport)
export class ExportResolver {
  @Mutation(() => ExportContactsPayload, {
    description:
      'Orders contacts as a file, as they are at one instant and as far as you see them; a job writes it. Whoever ordered it gets the file with `createContactExportLink` while it is kept.',
  })
  exportContacts(
    @Ctx() context: Context,
    @Arg('input', () => ExportContactsInput, { description: 'Which contacts, and how.' }) { filter, ...input }: ExportContactsInput,
  ): Promise<ExportContactsPayload> {
    const asked = { ...input, filter: filterOf(filter ?? {}) };
    return payload<ExportContactsPayload>(
      async () => {
        const id = await context.write((app, viewer) => exportContacts(app, viewer, asked));
        return { contactExport: await loadExport(context, id) };
      },
      { contactExport: null },
    );
  }

  @Mutation(() => FileLinkPayload, {
    description: 'Gives a link to the file of an export that you ordered, as often as you ask while it is kept. Fetching it is logged.',
  })
  createContactExportLink(
    @Ctx() context: Context,
    @Arg('input', () => CreateContactExportLinkInput, { description: 'Which export.' }) input: CreateContactExportLinkInput,
  ): Promise<FileLinkPayload> {
    const id = decodeId('ContactExport', input.id);
    return payload<FileLinkPayload>(() => context.write((app, viewer) => linkExport(app, viewer, id)), noLink);
  }

  @Mutation(() => FileLinkPayload, {
    description:
      'Gives a link to all that is kept about a contact, as JSON (GDPR, Articles 15 and 20): its own fields and all that it owns, what was done with it and by whom, and where copies are kept and until when. It is for those from whom your roles hide nothing; giving the link and fetching the file are logged.',
  })
  exportContact(
    @Ctx() context: Context,
    @Arg('input', () => ExportContactInput, { description: 'Which contact.' }) { contactId }: ExportContactInput,
  ): Promise<FileLinkPayload> {
    const id = decodeId('Contact', contactId);
    return payload<FileLinkPayload>(() => context.write((app, viewer) => exportContact(app, viewer, id)), noLink);
  }

  @Query(() => ContactExport, { description: 'An export, by its id.' })
  async contactExport(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the export.' }) id: string): Promise<ContactExport> {
    const found = await loadExport(context, decodeId('ContactExport', id));
    if (!found) throw new NotFound('export');
    return found;
  }

  @Query(() => ContactExportConnection, {
    description: 'All exports, whoever ordered them, the newest first; for those who work only with contacts with certain tags, their own.',
  })
  async contactExports(@Ctx() context: Context, @Args(() => PageArgs) { first, after }: PageArgs): Promise<Page<ContactExport>> {
    const rows = await listExports(await context.reading(), checkFirst(first) + 1, after ? decodeCursor(after, 'exports', 1)[0]! : null);
    return pageOf(rows, first, (row) => ['exports', row.id], shownExport);
  }

  @FieldResolver(() => Job, { nullable: true, description: 'The job that writes the file, for those who may watch jobs or ordered it.' })
  async job(@Ctx() context: Context, @Root() { jobId }: ContactExport): Promise<Job | null> {
    return loadJob(context, jobId);
  }
}
