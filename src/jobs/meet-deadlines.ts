// Every minute, in every organization: warns of deadlines that are near, and does what is due when one has passed. And on
// this host: what killed processes have left goes.
import type { Task } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import type { App } from '../domain/app.ts';
import { meetDeadlines } from '../domain/deadlines.ts';
import { removeLeftCopies } from '../domain/local-copies.ts';
import { inEachOrganization } from './kit.ts';

export const meetDeadlinesTask =
  (app: App): Task =>
  async () => {
    const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: newId(), address: null, agent: null } as const;
    await inEachOrganization(app, 'Deadlines were not met', (organizationId) => meetDeadlines(app, actor, organizationId));
    await removeLeftCopies(app.config);
  };
