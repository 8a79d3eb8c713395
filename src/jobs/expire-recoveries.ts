// Every minute: closes the unpaid recovery requests whose deadline has passed, in every organization.
import type { Task } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import type { App } from '../domain/app.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import { expireLateRequests } from '../domain/recoveries.ts';

export const expireRecoveries =
  (app: App): Task =>
  async () => {
    const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: newId(), address: null, agent: null } as const;
    for (const organizationId of await listOrganizationIds(app)) await expireLateRequests(app, actor, organizationId);
  };
