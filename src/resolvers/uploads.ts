// Uploads: announcing a file, and how it stands.
import { Arg, Ctx, ID, Mutation, Query, Resolver } from 'type-graphql';
import type { Context } from '../context.ts';
import { createUpload, mostBytes, readUploads, type UploadRow } from '../domain/uploads.ts';
import { NotFound } from '../errors.ts';
import { decodeId, encodeId, payload } from '../schema/common.ts';
import { CreateUploadInput, CreateUploadPayload, Upload } from '../schema/uploads.ts';

const shownUpload = (row: UploadRow): Upload & { __typename: string } => ({
  ...row,
  __typename: 'Upload',
  id: encodeId('Upload', row.id),
  failure: row.failureCode ? { code: row.failureCode, message: row.failureMessage! } : null,
});

/** The upload, or null. */
export async function loadUpload(context: Context, id: string): Promise<(Upload & { __typename: string }) | null> {
  const [row] = await readUploads(await context.reading(), [id]);
  return row ? shownUpload(row) : null;
}

@Resolver(() => Upload)
export class UploadResolver {
  @Query(() => Upload, { description: 'An upload, by its id.' })
  async upload(@Ctx() context: Context, @Arg('id', () => ID, { description: 'The id of the upload.' }) id: string): Promise<Upload> {
    const upload = await loadUpload(context, decodeId('Upload', id));
    if (!upload) throw new NotFound('upload');
    return upload;
  }

  @Mutation(() => CreateUploadPayload, { description: 'Announces a file, and gives the target to send it to.' })
  createUpload(
    @Ctx() context: Context,
    @Arg('input', () => CreateUploadInput, { description: 'The file.' }) input: CreateUploadInput,
  ): Promise<CreateUploadPayload> {
    return payload<CreateUploadPayload>(
      async () => {
        const { fileName, byteLength = null } = input;
        const { id, path, expiresAt } = await context.write((app, viewer) => createUpload(app, viewer, { fileName, byteLength }));
        return { upload: await loadUpload(context, id), path, expiresAt, maxBytes: mostBytes(context.app) };
      },
      { upload: null, path: null, expiresAt: null, maxBytes: null },
    );
  }
}
