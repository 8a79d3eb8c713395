// Every second: seals what was added to any organization's action log. No job of the runner, because queueing one with each
// entry would make every writer wait for the others.
import { setTimeout as wait } from 'node:timers/promises';
import type { App } from '../domain/app.ts';
import { listUnsealed, sealEntries } from '../log/sealing.ts';

const pause = 1000;

/** Goes on until the signal fires. What fails is told and tried again; it keeps no other organization from its seals. */
export async function sealAll(app: App, signal: AbortSignal): Promise<void> {
  const tell = (error: Error) => console.error(JSON.stringify({ at: 'sealing', message: error.message }));
  while (!signal.aborted) {
    for (const organizationId of await listUnsealed(app).catch((error: Error) => (tell(error), []))) {
      if (signal.aborted) break;
      await sealEntries(app, organizationId).catch(tell);
    }
    await wait(pause, undefined, { signal }).catch(() => undefined);
  }
}
