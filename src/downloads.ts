// Serves files that are made while they are downloaded: nothing is kept, and no file takes more memory than a page of it.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { RequestInfo } from './context.ts';
import { logAction } from './domain/action-log.ts';
import { KeyRefused, logKeyRefusal } from './domain/key-refusals.ts';
import type { AccessClaims, App, Viewer } from './domain/app.ts';
import { type Download, readDownload } from './domain/downloads.ts';
import { openingOf, viewerFrom } from './domain/sessions.ts';
import { Unauthenticated } from './errors.ts';
import { exportLog } from './log/export.ts';
import { holds } from './permissions/rules.ts';

/** Each holds a connection while it lasts. */
const mostAtOnce = 3;
/** A client that takes nothing for so long is given up. */
const patience = 30_000;

const types = {
  CSV: ['text/csv; charset=utf-8', 'csv'],
  JSON_LINES: ['application/x-ndjson', 'jsonl'],
  PROOF: ['application/x-ndjson', 'proof.jsonl'],
} as const;

type Refuse = (status: number, code: string, message: string) => void;

/** Answers the path of a link that `signDownload` made. */
export function serveDownloads(app: App, infoOf: () => RequestInfo, refuse: (response: Response) => Refuse) {
  let open = 0;
  return async (request: Request<{ token: string }>, response: Response): Promise<void> => {
    const download = await readDownload(app, request.params.token);
    if (!download) return refuse(response)(404, 'NOT_FOUND', 'This link is not valid any more. Nothing was read. Ask for a new one.');
    if (open >= mostAtOnce)
      return refuse(response)(503, 'TOO_MANY_DOWNLOADS', 'Too many files are being downloaded. Nothing was read. Use the link again in a minute.');
    open++;
    try {
      await send(app, download, infoOf(), response, refuse(response));
    } finally {
      open--;
    }
  };
}

async function send(app: App, { claims, wanted }: Download, info: RequestInfo, response: Response, refuse: Refuse): Promise<void> {
  const organizationId = claims.organizationId!;
  const tx = await app.database.begin(organizationId, { readOnly: true, opening: openingOf(claims) });
  const viewer = enter(tx.opened, claims, info);
  if (viewer instanceof Unauthenticated || !holds(viewer, 'log:read')) {
    await app.database.end(tx, 'COMMIT');
    if (viewer instanceof KeyRefused) await logKeyRefusal(app, viewer);
    else if (!(viewer instanceof Unauthenticated))
      await app.database.transact(organizationId, (log) => logAction(log, viewer, { action: 'exportActionLog', refusedWith: 'FORBIDDEN' }));
    return refuse(403, 'FORBIDDEN', 'You may not read the action log any more. Nothing was read.');
  }
  try {
    const [type, ending] = types[wanted.format];
    response.set({ 'content-type': type, 'content-disposition': `attachment; filename="action-log.${ending}"` });
    response.setTimeout(patience, () => response.destroy());
    // A client that goes away ends the walk; what it has got then does not end as a whole answer does.
    await pipeline(Readable.from(exportLog(tx, app, wanted.format, wanted.filter)), response).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
    });
  } finally {
    await app.database.end(tx, 'COMMIT');
  }
}

/** Whoever the link was given to, as they are now, or why they may not come in any more. */
function enter(opened: readonly object[], claims: AccessClaims, info: RequestInfo): Viewer | Unauthenticated {
  try {
    return viewerFrom(opened, claims, info);
  } catch (error) {
    if (error instanceof Unauthenticated) return error;
    throw error;
  }
}
