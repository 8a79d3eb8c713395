// What tests of the action log share: verifying it with and without a server, and bending it as somebody could who owns the tables.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import * as sdk from '../sdk/generated.ts';
import type { World } from './harness.ts';

export const verify = async (world: World, since?: sdk.LogHeadInput) =>
  (await (await world.as('Super admin')).request(sdk.VerifyActionLogDocument, { since: since ?? null })).verifyActionLog;

/** As somebody who owns the tables, has taken the triggers off and knows how rows are queued. */
export async function behindTheBack(world: World, ...statements: [text: string, values?: unknown[]][]): Promise<void> {
  for (const table of ['action_log', 'action_seal']) await world.owner.query(`alter table ${table} disable trigger user`);
  for (const [text, values] of statements) await world.owner.query(text, values);
  for (const table of ['action_log', 'action_seal']) await world.owner.query(`alter table ${table} enable trigger user`);
}

export const swap = (one: string, other: string): [string, unknown[]][] => [
  [`update action_log set id = '00000000-0000-7000-8000-000000000000' where id = $1`, [one]],
  ['update action_log set id = $1 where id = $2', [one, other]],
  [`update action_log set id = $1 where id = '00000000-0000-7000-8000-000000000000'`, [other]],
];

const run = promisify(execFile);

/** `npx reinstate verify-log`, as it is run from the sources. */
export const reinstate = async (...args: string[]) =>
  run(process.execPath, ['--import', 'tsx', 'src/reinstate.ts', 'verify-log', ...args]).then(
    ({ stdout }) => ({ code: 0, out: stdout }),
    ({ code, stdout, stderr }: { code: number; stdout: string; stderr: string }) => ({ code, out: stdout + stderr }),
  );

/** Orders the action log as a file, as Super admin, and gets it. */
export async function download(world: World, input: sdk.ExportActionLogInput): Promise<Response> {
  const { exportActionLog } = await (await world.as('Super admin')).request(sdk.ExportActionLogDocument, { input });
  return fetch(new URL(exportActionLog.path!, world.url));
}
