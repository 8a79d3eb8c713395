// Every minute: writes the newest seal of each organization's action log outside of the database, where that is due.
import type { Task } from 'graphile-worker';
import type { App } from '../domain/app.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import { exportCheckpoint } from '../log/checkpoints.ts';

export const keepCheckpoints =
  (app: App): Task =>
  async () => {
    if (!app.checkpoints) return;
    for (const organizationId of await listOrganizationIds(app)) await exportCheckpoint(app, organizationId);
  };
