// Writes contacts to a file.
import { failExport, writeExport } from '../domain/writing-exports.ts';
import type { JobDefinition } from './kit.ts';

export const exportContactsJob: JobDefinition = {
  kind: 'EXPORT_CONTACTS',
  run: (app, { organizationId, subjectId, actor }, report, signal) => writeExport(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId, actor }, failure) => failExport(app, actor, organizationId, subjectId, failure),
};
