// Every minute, in every organization: warns of deadlines that are near, and does what is due when one has passed.
import type { Task } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import type { App } from '../domain/app.ts';
import { meetDeadlines } from '../domain/deadlines.ts';
import { listOrganizationIds } from '../domain/organizations.ts';

export const meetDeadlinesTask =
  (app: App): Task =>
  async () => {
    const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: newId(), address: null, agent: null } as const;
    const failures: Error[] = [];
    // What fails in one organization keeps no other from its deadlines.
    for (const organizationId of await listOrganizationIds(app)) await meetDeadlines(app, actor, organizationId).catch((error: Error) => failures.push(error));
    if (failures.length > 0)
      throw new Error(`Deadlines were not met in ${failures.length} organizations: ${failures.map(({ message }) => message).join(' | ')}`);
  };
