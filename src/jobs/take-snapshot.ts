// Takes the snapshot of a whole organization.
import { captureSnapshot, failSnapshot } from '../domain/taking-snapshots.ts';
import type { JobDefinition } from './kit.ts';

export const takeSnapshotJob: JobDefinition = {
  kind: 'TAKE_SNAPSHOT',
  run: (app, { organizationId, subjectId, actor }, report, signal) => captureSnapshot(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId, actor }, failure) => failSnapshot(app, actor, organizationId, subjectId, failure),
};
