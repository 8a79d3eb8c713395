// Serves files to whoever has a link to them and may still have them.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Request, Response } from 'express';
import type { RequestInfo } from './context.ts';
import { logAction } from './domain/action-log.ts';
import type { App } from './domain/app.ts';
import { contactFile } from './domain/contact-files.ts';
import { type Download, type FileKind, type OpenFile, readDownload, type WantedKind } from './domain/downloads.ts';
import { contactExportFile } from './domain/exports.ts';
import { importFile } from './domain/import-files.ts';
import { logFile } from './domain/log-files.ts';
import { NotFound, Refusal } from './errors.ts';
import { byLink, type Refuse } from './links.ts';

const kinds: { readonly [kind in WantedKind]: FileKind<kind> } = {
  ACTION_LOG: logFile,
  CONTACT_EXPORT: contactExportFile,
  CONTACT: contactFile,
  IMPORT: importFile,
};

/** Each holds a connection while it lasts, or pieces of a file. */
const mostAtOnce = 3;
/** A client that takes nothing for so long is given up. */
const patience = 30_000;

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

async function send(app: App, download: Download, info: RequestInfo, response: Response, refuse: Refuse): Promise<void> {
  const file = await open(app, download, info).catch((error: unknown) => {
    if (error instanceof NotFound) refuse(404, error.code, error.message);
    else if (error instanceof Refusal) refuse(error.code.endsWith('_GONE') ? 410 : 403, error.code, error.message);
    else throw error;
  });
  if (!file) return;
  const { type, name, byteLength, content } = file;
  response.set({ 'content-type': type, 'content-disposition': `attachment; filename="${name}"` });
  if (byteLength !== undefined) response.set('content-length', String(byteLength));
  // Where nothing waits to be taken it is the content that takes its time, and not the client.
  response.setTimeout(patience, () => (response.writableLength > 0 ? response.destroy() : response.setTimeout(patience)));
  // A client that goes away ends the walk; what it has got then does not end as a whole answer does.
  await pipeline(Readable.from(content), response).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw error;
  });
}

const forbidden = 'You may not have this file any more. Nothing was read. Ask someone who may.';

/** The file for whoever the link was given to. That it is fetched is logged. @throws Refusal; NotFound */
async function open(app: App, { claims, wanted }: Download, info: RequestInfo): Promise<OpenFile> {
  const kind = kinds[wanted.kind] as FileKind<typeof wanted.kind>;
  return byLink(app, claims, info, { ...kind, forbidden }, async (tx, viewer) => {
    const file = await kind.open(tx, app, viewer, wanted as never);
    if (file.fetched) await logAction(tx, viewer, file.fetched);
    return file;
  });
}
