// Carries an erasure out: destroys every stored copy, and certifies it.
import { carryOutErasure, giveUpErasure } from '../domain/erasing.ts';
import type { JobDefinition } from './kit.ts';

export const eraseContactsJob: JobDefinition = {
  kind: 'ERASE_CONTACTS',
  run: (app, { organizationId, subjectId, actor }, report, signal) => carryOutErasure(app, actor, organizationId, subjectId, report, signal),
  fail: (app, { organizationId, subjectId }, failure) => giveUpErasure(app, organizationId, subjectId, failure),
};
