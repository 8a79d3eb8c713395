// Sending files, as any client would: over plain HTTP.
import type { Client } from '../sdk/client.ts';
import { CreateUploadDocument, type CreateUploadInput } from '../sdk/generated.ts';
import type { World } from './harness.ts';

/** Announces a file. @returns its id, and the path to send it to */
export async function announce(client: Client, input: Partial<CreateUploadInput> = {}): Promise<{ id: string; path: string }> {
  const { createUpload } = await client.request(CreateUploadDocument, { input: { fileName: 'members.csv', ...input } });
  if (!createUpload.upload) throw new Error(JSON.stringify(createUpload.userErrors));
  return { id: createUpload.upload.id, path: createUpload.path! };
}

export interface Sent {
  status: number;
  /** How many bytes are here, as `Range` says it. */
  here: number;
  /** The code of the refusal. */
  code: string | undefined;
  text: string;
}

type Body = Buffer | string | AsyncIterable<Buffer>;

/** Sends a body to a target of the world, or of the server whose address is given. */
export async function put(world: World | string, path: string, body: Body, headers: Record<string, string> = {}): Promise<Sent> {
  const url = new URL(path, typeof world === 'string' ? world : world.url);
  const sent = typeof body === 'string' || Buffer.isBuffer(body) ? Uint8Array.from(Buffer.from(body)) : body;
  const response = await fetch(url, { method: 'PUT', body: sent as BodyInit, headers, duplex: 'half' } as RequestInit);
  const text = await response.text();
  const { errors } = JSON.parse(text) as { errors?: { extensions: { code: string } }[] };
  const range = response.headers.get('range');
  return { status: response.status, here: range ? Number(/^bytes=0-(\d+)$/.exec(range)![1]) + 1 : 0, code: errors?.[0]?.extensions.code, text };
}

/** Sends bytes `from` to `to` of a file, as a part of it. */
export const putPart = (world: World | string, path: string, file: Buffer, from: number, to: number, total: number | '*' = file.length): Promise<Sent> =>
  put(world, path, file.subarray(from, to), { 'content-range': `bytes ${from}-${to - 1}/${total}` });

/** Asks how much is here. */
export const askStanding = (world: World | string, path: string, total: number | '*' = '*'): Promise<Sent> =>
  put(world, path, '', { 'content-range': `bytes */${total}` });
