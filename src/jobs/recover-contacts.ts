// Carries out a paid recovery; one that can't be done is refunded.
import { endRecovery } from '../domain/recovery-states.ts';
import { recoverContacts } from '../domain/recovering.ts';
import type { JobDefinition } from './kit.ts';

export const recoverContactsJob: JobDefinition = {
  kind: 'RECOVER_CONTACTS',
  topic: 'recovery',
  run: (app, { organizationId, subjectId, actor }, report, signal) => recoverContacts(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId, actor }, failure) => endRecovery(app, actor, organizationId, subjectId, failure),
};
