// Every minute: writes the newest seal of each organization's action log outside of the database, where that is due.
import type { Task } from 'graphile-worker';
import type { App } from '../domain/app.ts';
import { exportCheckpoint } from '../log/checkpoints.ts';
import { inEachOrganization } from './kit.ts';

export const keepCheckpoints =
  (app: App): Task =>
  async () => {
    if (app.checkpoints) await inEachOrganization(app, 'Checkpoints were not written', (organizationId) => exportCheckpoint(app, organizationId));
  };
