// Carries out a restore drill; and orders those of a night, in every organization that has snapshots.
import type { Task } from 'graphile-worker';
import { v7 as newId } from 'uuid';
import type { App } from '../domain/app.ts';
import { drillRestore, giveUpDrill } from '../domain/drilling.ts';
import { orderDrill, secondOf } from '../domain/drills.ts';
import { listOrganizationIds } from '../domain/organizations.ts';
import type { JobDefinition } from './kit.ts';

export const restoreDrillJob: JobDefinition = {
  kind: 'RESTORE_DRILL',
  run: (app, { organizationId, subjectId, jobId, actor }, report, signal) =>
    drillRestore(app, actor, { organizationId, drillId: subjectId, jobId }, report, signal),
  fail: (app, { organizationId, subjectId, jobId, actor }, failure) => giveUpDrill(app, actor, { organizationId, drillId: subjectId, jobId }, failure),
};

export const orderDrills =
  (app: App): Task =>
  async () => {
    const actor = { kind: 'SYSTEM', id: null, name: 'Reinstate', requestId: newId(), address: null, agent: null } as const;
    for (const organizationId of await listOrganizationIds(app)) await orderDrill(app, actor, organizationId, secondOf(organizationId));
  };
