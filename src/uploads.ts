// Takes files by HTTP PUT, in one go or in parts, as the resumable uploads of Google Cloud Storage do: `Content-Range` says
// where a part belongs, 308 and `Range` say how much is here. A piece of a file is in memory, never more.
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import type { Request, Response } from 'express';
import type { RequestInfo } from './context.ts';
import type { App } from './domain/app.ts';
import { askStanding, type Part, partBytes, receivePart } from './domain/receiving-uploads.ts';
import { readTarget, type Target, type UploadRow } from './domain/uploads.ts';
import { NotFound, Refusal } from './errors.ts';
import { globalId } from './global-id.ts';
import { byLink, type Entrance, type Refuse } from './links.ts';

/** Each holds a few pieces in memory while it lasts. */
const mostAtOnce = 8;
/** Of an organization, so that none keeps the others out. */
const mostOfOne = 2;
/** Of a client that sends at all as much must come within REQUEST_TIMEOUT_SECONDS; the time that we take is ours. */
const leastBytes = 64 * 1024;

/** The connections that a file is coming in on: those take longer than requests may. */
const receiving = new WeakSet<object>();

const statuses: Record<string, number> = {
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  UPLOAD_STALLED: 408,
  UPLOAD_OVER: 409,
  FILE_CHANGED: 409,
  FILE_TOO_LARGE: 413,
  UNSUPPORTED_FILE: 415,
  RANGE_NOT_NEXT: 416,
  INFECTED_FILE: 422,
  FILE_DAMAGED: 500,
  SCANNER_UNAVAILABLE: 503,
  TOO_MANY_UPLOADS: 503,
  FILE_STORE_UNAVAILABLE: 503,
};

const entrance: Entrance = {
  permissions: ['contacts:import'],
  attempt: 'createUpload',
  forbidden: 'You may not import contacts any more. Nothing was kept.',
};

/** What reading a body fails with when its client has gone away. */
const gone = new Set<string | undefined>(['ECONNRESET', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR']);

/** Answers the path of a target that `createUpload` made. */
export function serveUploads(app: App, infoOf: () => RequestInfo, refuse: (response: Response) => Refuse) {
  const places = new Places();
  return async (request: Request<{ token: string }>, response: Response): Promise<void> => {
    const { socket } = request;
    response.once('finish', () => void passOver(request, app.config.REQUEST_TIMEOUT_SECONDS * 1000));
    const target = await readTarget(app, request.params.token);
    if (!target) return refuse(response)(404, 'NOT_FOUND', 'This target is not valid any more. Nothing was kept. Make a new upload.');
    receiving.add(socket);
    try {
      await receive(app, target, request, response, infoOf(), refuse(response), () => places.take(target.claims.organizationId!));
    } finally {
      receiving.delete(socket);
    }
  };
}

/** Those that a process has for files that come in or are looked at. */
export class Places {
  readonly #taken: string[] = [];

  /** Use with `using`. @throws Refusal TOO_MANY_UPLOADS when there is none for the organization */
  take(organizationId: string): Disposable {
    const taken = this.#taken;
    if (taken.length >= mostAtOnce || taken.filter((one) => one === organizationId).length >= mostOfOne)
      throw new Refusal('TOO_MANY_UPLOADS', 'Too many files are coming in. Nothing of this request was kept. Send it again in a minute.');
    taken.push(organizationId);
    return { [Symbol.dispose]: () => void taken.splice(taken.indexOf(organizationId), 1) };
  }
}

/** Reads what is left of a body to no end, for a while: a client that is cut off while it sends does not get to see the answer. */
async function passOver(request: Request, patience: number): Promise<void> {
  if (request.complete) return;
  request.resume();
  await wait(patience, undefined, { ref: false });
  if (!request.complete) request.socket.destroy();
}

async function receive(
  app: App,
  target: Target,
  request: Request,
  response: Response,
  info: RequestInfo,
  refuse: Refuse,
  enter: () => Disposable,
): Promise<void> {
  try {
    const part = readPart(request);
    const enterAs = () => byLink(app, target.claims, info, entrance, (_tx, entered) => Promise.resolve(entered));
    if ('ask' in part) return answer(response, await askStanding(app, await enterAs(), target.id, part.ask, enter));
    using _place = enter();
    const body = bodyOf(request, app.config.REQUEST_TIMEOUT_SECONDS * 1000, target.claims.expiresAt);
    answer(response, await receivePart(app, await enterAs(), target, part, body));
  } catch (error) {
    // Nobody is there any more to be answered.
    if (request.destroyed && gone.has((error as NodeJS.ErrnoException).code)) return;
    if (!(error instanceof Refusal || error instanceof NotFound)) throw error;
    refuse(statuses[error.code] ?? 400, error.code, error.message);
  }
}

function answer(response: Response, { id, state, receivedBytes, failureCode: code, failureMessage: message }: UploadRow): void {
  const upload = { id: globalId('Upload', id), state, receivedBytes, failure: code ? { code, message } : null };
  if (state === 'WAITING' && receivedBytes > 0) response.set('range', `bytes=0-${receivedBytes - 1}`);
  response.status(state === 'WAITING' ? 308 : 200).json({ upload });
}

const badRange = (what: string) => new Refusal('BAD_RANGE', `${what}. Nothing of this part was kept. Send a part as the manual says.`);

/** What the headers say of the body; or that there is none, and the standing is asked for. @throws Refusal BAD_RANGE, LENGTH_DIFFERS, UNSUPPORTED_FILE */
function readPart({ headers }: Request): Part | { ask: number | null } {
  if (/^multipart\//i.test(headers['content-type'] ?? '') || !/^(identity)?$/i.test(headers['content-encoding'] ?? ''))
    throw new Refusal('UNSUPPORTED_FILE', 'The body is a form, or packed. Nothing of it was kept. Send the bytes of the file, and nothing else.');
  const length = headers['content-length'] === undefined ? null : Number(headers['content-length']);
  const range = headers['content-range'];
  if (range === undefined) return { start: null, length, total: null };
  const [, from, to, of] = /^bytes (?:(\d{1,15})-(\d{1,15})|\*)\/(\d{1,15}|\*)$/.exec(range) ?? [];
  if (of === undefined) throw badRange('Content-Range is not like “bytes 0-262143/1000000”, or “bytes */1000000” to ask for the standing');
  const total = of === '*' ? null : Number(of);
  if (from === undefined) {
    if (length === 0 || (length === null && headers['transfer-encoding'] === undefined)) return { ask: total };
    throw badRange('A request that asks for the standing has no body');
  }
  const [start, end] = [Number(from), Number(to) + 1];
  if (end <= start || (total !== null && end > total)) throw badRange('Content-Range ends before it begins, or beyond the file');
  if (length !== null && length !== end - start) throw badRange(`Content-Range is of ${end - start} bytes, and the body has ${length}`);
  if (end !== total && (end - start) % partBytes !== 0) throw badRange(`Parts but for the last are multiples of ${partBytes} bytes`);
  return { start, length: end - start, total };
}

/** The body as it comes. @throws Refusal UPLOAD_STALLED when too little comes for too long; UPLOAD_OVER when the target expires */
async function* bodyOf(request: Request, patience: number, expiresAt: Date): AsyncGenerator<Buffer> {
  const chunks = request.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
  let [left, came] = [patience, 0];
  try {
    for (;;) {
      const asked = performance.now();
      const valid = expiresAt.getTime() - Date.now();
      if (valid <= 0) throw expired();
      const next = await within(Math.min(left, valid), chunks.next(), valid < left ? expired : stalled);
      left -= performance.now() - asked;
      if (next.done) return;
      came += next.value.length;
      if (came >= leastBytes) [left, came] = [patience, 0];
      yield next.value;
    }
  } finally {
    // Lets go of the body, without a wait: it may be one that does not come.
    void chunks.return?.();
  }
}

const stalled = () =>
  new Refusal('UPLOAD_STALLED', 'Too little came for too long. What came in whole parts stays. Ask for the standing, and go on from there.');

const expired = () => new Refusal('UPLOAD_OVER', 'The upload is over: its time has run out. What came of it is removed. Make a new upload.');

/** A plain timer for each chunk: there may be one for every byte. */
function within<T>(milliseconds: number, work: Promise<T>, late: () => Refusal): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), Math.max(milliseconds, 0));
    void work.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

const faults: Record<string, string> = {
  ERR_HTTP_REQUEST_TIMEOUT: '408 Request Timeout',
  HPE_HEADER_OVERFLOW: '431 Request Header Fields Too Large',
  HPE_CHUNK_EXTENSIONS_OVERFLOW: '413 Payload Too Large',
};

/** What Node answers to a request that it can't read or that takes too long; but a file may take longer. */
export function answerClientError(error: NodeJS.ErrnoException, socket: Socket & { _httpMessage?: { headersSent: boolean } }): void {
  if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT' && receiving.has(socket)) return;
  const fault = faults[error.code ?? ''] ?? '400 Bad Request';
  if (socket.writable && !socket._httpMessage?.headersSent) socket.write(`HTTP/1.1 ${fault}\r\nconnection: close\r\n\r\n`);
  socket.destroySoon();
}
