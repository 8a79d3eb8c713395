// Every minute: orders the nightly snapshots that are due, and removes those whose time is over, in every organization.
import type { Task } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import type { App } from '../domain/app.ts';
import { listNights } from '../domain/nights.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import { expireSnapshots, takeScheduledSnapshot } from '../domain/snapshots.ts';

export const keepSnapshots =
  (app: App): Task =>
  async () => {
    const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: newId(), address: null, agent: null } as const;
    for (const organizationId of await listOrganizationIds(app)) await expireSnapshots(app, actor, organizationId);
    if (!app.config.NIGHTLY_SNAPSHOTS) return;
    for (const { organizationId, night } of await listNights(app)) await takeScheduledSnapshot(app, actor, organizationId, night);
  };
