// Links to files that are made while they are downloaded. A link is for one person and one file, and for minutes; what that
// person may do is asked again when it is used.
import { errors, jwtVerify, SignJWT } from 'jose';
import { z } from 'zod';
import { logFormats } from '../log/export.ts';
import { Refusal } from '../errors.ts';
import { logAction } from './action-log.ts';
import type { AccessClaims, App, Viewer } from './app.ts';
import { transactAs } from './writing.ts';

const wanted = z.strictObject({
  kind: z.literal('ACTION_LOG'),
  format: z.enum(logFormats),
  filter: z.strictObject({
    actorId: z.uuid().optional(),
    action: z.string().optional(),
    outcome: z.enum(['DONE', 'REFUSED']).optional(),
    targetId: z.uuid().optional(),
    requestId: z.string().optional(),
    from: z.coerce.date().optional(),
    before: z.coerce.date().optional(),
  }),
});

/** Which file. */
export type Wanted = z.output<typeof wanted>;

/** A link as it was given: who may use it, and for what. */
export interface Download {
  claims: AccessClaims;
  wanted: Wanted;
}

const audience = 'reinstate download';

/**
 * Gives a link to the action log as a file, and logs that.
 * @throws Refusal FILTERED_PROOF
 */
export async function orderLogFile(app: App, viewer: Viewer, file: Wanted): Promise<{ path: string; expiresAt: Date }> {
  if (file.format === 'PROOF' && Object.values(file.filter).some((value) => value !== undefined))
    throw new Refusal(
      'FILTERED_PROOF',
      'A proof is of the whole log, so it takes no filter. Nothing was exported. Leave the filter out, or choose another format.',
      ['input', 'filter'],
    );
  await transactAs(app, viewer, (tx) => logAction(tx, viewer, { action: 'log.exported' }));
  return signDownload(app, viewer, file);
}

/** Signs a link. @returns its path on the server, and the instant it expires */
async function signDownload(app: App, viewer: Viewer, file: Wanted): Promise<{ path: string; expiresAt: Date }> {
  const expiresAt = new Date(Math.floor(Date.now() / 1000) * 1000 + app.config.DOWNLOAD_MINUTES * 60_000);
  const { sessionId, keyDigest } = viewer;
  const token = await new SignJWT({ org: viewer.organization!.id, file, ...(keyDigest ? { key: keyDigest.toString('base64') } : { sid: sessionId }) })
    .setProtectedHeader({ alg: 'HS256', typ: 'download+jwt' })
    .setAudience(audience)
    .setSubject(viewer.accountId)
    .setExpirationTime(expiresAt)
    .sign(app.keys.downloads);
  return { path: `/downloads/${token}`, expiresAt };
}

/** What a link says; undefined when it isn't ours or has expired. */
export async function readDownload(app: App, token: string): Promise<Download | undefined> {
  try {
    const { payload } = await jwtVerify(token, app.keys.downloads, {
      algorithms: ['HS256'],
      audience,
      typ: 'download+jwt',
      requiredClaims: ['exp', 'sub', 'org', 'file'],
    });
    const { key, sid } = payload as { key?: string; sid?: string };
    const claims = { accountId: payload.sub!, organizationId: String(payload['org']), expiresAt: new Date(payload.exp! * 1000) };
    const held = key === undefined ? { sessionId: sid! } : { keyDigest: Buffer.from(key, 'base64') };
    return { claims: { ...claims, ...held }, wanted: wanted.parse(payload['file']) };
  } catch (error) {
    if (error instanceof errors.JOSEError || error instanceof z.ZodError) return undefined;
    throw error;
  }
}
