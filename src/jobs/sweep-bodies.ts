// Every hour: removes from the stores outside of the database what no organization's snapshots and files lie in.
import type { Task } from 'graphile-worker';
import type { App } from '../domain/app.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import { sweepBodies } from '../snapshots/stores/sweep.ts';

export const sweepBodiesOfAll =
  (app: App): Task =>
  async () => {
    for (const organizationId of await listOrganizationIds(app)) await sweepBodies(app, organizationId);
  };
