// Every minute: writes the newest seal of each organization's action log outside of the database, where that is due.
import type { Task } from 'graphile-worker';
import type { App } from '../domain/app.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import { exportCheckpoint } from '../log/checkpoints.ts';

export const keepCheckpoints =
  (app: App): Task =>
  async () => {
    if (!app.checkpoints) return;
    const failures: Error[] = [];
    // What fails in one organization keeps no other from its checkpoint.
    for (const organizationId of await listOrganizationIds(app)) await exportCheckpoint(app, organizationId).catch((error: Error) => failures.push(error));
    if (failures.length > 0)
      throw new Error(`Checkpoints of ${failures.length} organizations were not written: ${failures.map(({ message }) => message).join(' | ')}`);
  };
