// Bodies as objects of a bucket, of Amazon S3 or a server that speaks the same protocol. The server is told the SHA-256 of
// what it gets, and is asked for it again before it is believed.
import { createHash } from 'node:crypto';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type OutsideStore, StoreFault } from './outside.ts';

export interface S3Settings {
  bucket: string;
  /** Null for Amazon's own. With it buckets are named in the path, which every server understands. */
  endpoint: string | null;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
  /** What the keys of all objects begin with. */
  prefix: string;
  /** Bodies over this many bytes are sent in parts of it. At least 5 MiB, or S3 refuses the parts. */
  partBytes: number;
}

const sha256 = (body: Buffer): string => createHash('sha256').update(body).digest('base64');

export function s3Store({ bucket, endpoint, region, accessKeyId, secretAccessKey, prefix, partBytes }: S3Settings): OutsideStore {
  const client = new S3Client({
    region,
    credentials: { accessKeyId, secretAccessKey },
    // The checksums that we give ourselves are in headers; those that the client would add come in trailers, which not every server reads.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    // Whoever reads a body holds it against the SHA-256 in its manifest, and names the chunk that differs.
    responseChecksumValidation: 'WHEN_REQUIRED',
    ...(endpoint === null ? {} : { endpoint, forcePathStyle: true }),
  });
  const object = (name: string) => ({ Bucket: bucket, Key: prefix + name });

  async function putInParts(name: string, body: Buffer, abortSignal: AbortSignal): Promise<void> {
    const { UploadId } = await client.send(new CreateMultipartUploadCommand({ ...object(name), ChecksumAlgorithm: 'SHA256' }), { abortSignal });
    const upload = { ...object(name), UploadId };
    try {
      const Parts: CompletedPart[] = [];
      for (let at = 0; at < body.length; at += partBytes) {
        const Body = body.subarray(at, at + partBytes);
        const part = { PartNumber: Parts.length + 1, ChecksumSHA256: sha256(Body) };
        const { ETag } = await client.send(new UploadPartCommand({ ...upload, ...part, Body }), { abortSignal });
        Parts.push({ ...part, ETag });
      }
      await client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }), { abortSignal });
    } catch (error) {
      // Without a wait: the server may be away, and a rule of the bucket removes what is left.
      client.send(new AbortMultipartUploadCommand(upload), { abortSignal: AbortSignal.timeout(10_000) }).catch(() => undefined);
      throw error;
    }
  }

  async function get(name: string, abortSignal: AbortSignal): Promise<Buffer | undefined> {
    try {
      const { Body } = await client.send(new GetObjectCommand(object(name)), { abortSignal });
      return Buffer.from(await Body!.transformToByteArray());
    } catch (error) {
      if ((error as Error).name === 'NoSuchKey') return undefined;
      throw error;
    }
  }

  return {
    kind: 'S3',
    get,

    async put(name, body, abortSignal) {
      if (body.length > partBytes) await putInParts(name, body, abortSignal);
      else await client.send(new PutObjectCommand({ ...object(name), Body: body, ChecksumSHA256: sha256(body) }), { abortSignal });
      const kept = await get(name, abortSignal);
      if (!kept?.equals(body)) throw new StoreFault(kept ? 'it gave back other bytes than it was given' : 'it did not keep what it was given');
    },

    async remove(name, abortSignal) {
      await client.send(new DeleteObjectCommand(object(name)), { abortSignal });
    },

    async list(organizationId, after, abortSignal) {
      const asked = { Bucket: bucket, Prefix: `${prefix}${organizationId}/`, StartAfter: prefix + after };
      const { Contents = [] } = await client.send(new ListObjectsV2Command(asked), { abortSignal });
      return Contents.map(({ Key }) => Key!.slice(prefix.length));
    },
  };
}
