// Carries out a deletion that is too large for one request.
import { removeContacts, stopDeletion } from '../domain/deleting.ts';
import type { JobDefinition } from './kit.ts';

export const deleteContactsJob: JobDefinition = {
  kind: 'DELETE_CONTACTS',
  run: (app, { organizationId, subjectId, actor }, report, signal) => removeContacts(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId }, failure) => stopDeletion(app, organizationId, subjectId, failure),
};
