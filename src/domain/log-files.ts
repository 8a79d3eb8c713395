// The action log as a file, which is made while it is downloaded: no file takes more memory than a page of it.
import { Refusal } from '../errors.ts';
import { csvType } from '../exports/csv.ts';
import { exportLog } from '../log/export.ts';
import { logAction } from './action-log.ts';
import type { App, Viewer } from './app.ts';
import { type FileKind, type Link, signDownload, type Wanted } from './downloads.ts';
import { transactAs } from './writing.ts';

type LogFile = Wanted<'ACTION_LOG'>;

const types = {
  CSV: [csvType, 'csv'],
  JSON_LINES: ['application/x-ndjson', 'jsonl'],
  PROOF: ['application/x-ndjson', 'proof.jsonl'],
} as const;

/**
 * Gives a link to the action log as a file, and logs that.
 * @throws Refusal FILTERED_PROOF
 */
export async function orderLogFile(app: App, viewer: Viewer, file: LogFile): Promise<Link> {
  if (file.format === 'PROOF' && Object.values(file.filter).some((value) => value !== undefined))
    throw new Refusal(
      'FILTERED_PROOF',
      'A proof is of the whole log, so it takes no filter. Nothing was exported. Leave the filter out, or choose another format.',
      ['input', 'filter'],
    );
  await transactAs(app, viewer, (tx) => logAction(tx, viewer, { action: 'log.exported' }));
  return signDownload(app, viewer, file);
}

export const logFile: FileKind<'ACTION_LOG'> = {
  permissions: ['log:read'],
  attempt: 'exportActionLog',
  async open({ organizationId }, app, _viewer, file) {
    const [type, ending] = types[file.format];
    return { type, name: `action-log.${ending}`, content: written(app, organizationId, file) };
  },
};

async function* written(app: App, organizationId: string, { format, filter }: LogFile): AsyncGenerator<string> {
  const tx = await app.database.begin(organizationId, { readOnly: true });
  try {
    yield* exportLog(tx, app, format, filter);
  } finally {
    await app.database.end(tx, 'COMMIT');
  }
}
