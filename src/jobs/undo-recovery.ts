// Takes a completed recovery back.
import { revertRecovery, stopUndo } from '../domain/undoing.ts';
import type { JobDefinition } from './kit.ts';

export const undoRecoveryJob: JobDefinition = {
  kind: 'UNDO_RECOVERY',
  topic: 'recovery',
  run: (app, { organizationId, subjectId, actor }, report, signal) => revertRecovery(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId }, failure) => stopUndo(app, organizationId, subjectId, failure),
};
