// Imports in the background: the dry run, applying, and taking back.
import { checkImport, failCheck } from '../domain/import-checks.ts';
import { applyImportRows } from '../domain/importing.ts';
import { stopImport } from '../domain/imports.ts';
import { revertImport, stopUndoingImport } from '../domain/undoing-imports.ts';
import { Refusal } from '../errors.ts';
import { StoreUnavailable } from '../snapshots/stores/outside.ts';
import type { JobDefinition } from './kit.ts';

export const checkImportJob: JobDefinition = {
  kind: 'CHECK_IMPORT',
  topic: 'import',
  async run(app, { organizationId, subjectId, jobId }, report, signal) {
    try {
      await checkImport(app, organizationId, subjectId, report, signal);
    } catch (error) {
      // No further try makes a file another.
      if (signal.aborted || !(error instanceof Refusal) || error instanceof StoreUnavailable) throw error;
      await failCheck(app, organizationId, subjectId, jobId, error);
    }
  },
  fail: (app, { organizationId, subjectId, jobId }, failure) => failCheck(app, organizationId, subjectId, jobId, failure),
};

export const applyImportJob: JobDefinition = {
  kind: 'APPLY_IMPORT',
  topic: 'import',
  run: (app, { organizationId, subjectId, actor }, report, signal) => applyImportRows(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId, jobId }, failure) => stopImport(app, organizationId, subjectId, jobId, failure),
};

export const undoImportJob: JobDefinition = {
  kind: 'UNDO_IMPORT',
  topic: 'import',
  run: (app, { organizationId, subjectId, actor }, report, signal) => revertImport(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId, jobId }, failure) => stopUndoingImport(app, organizationId, subjectId, jobId, failure),
};
