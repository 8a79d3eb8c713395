// Every hour: removes from each organization's action log what is older than it is kept.
import type { Task } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import type { App } from '../domain/app.ts';
import { pruneLog } from '../log/pruning.ts';
import { inEachOrganization } from './kit.ts';

export const pruneActionLog =
  (app: App): Task =>
  async () => {
    if (app.config.LOG_RETENTION_DAYS === 0) return;
    const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: newId(), address: null, agent: null } as const;
    await inEachOrganization(app, 'Action logs were not pruned', (organizationId) => pruneLog(app, actor, organizationId));
  };
