// Who did what to which target, and exactly when. The server's database role can add entries and read them, nothing else.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { instant, ofOneOrganization, tenantKey } from './columns.ts';

export const actorKinds = ['STAFF', 'OPERATOR', 'SYSTEM'] as const;
export const actionOutcomes = ['DONE', 'REFUSED'] as const;

export const ActionLogEntry = defineEntity({
  name: 'ActionLogEntry',
  tableName: 'action_log',
  ...ofOneOrganization,
  properties: {
    ...tenantKey,
    occurredAt: instant().defaultRaw('clock_timestamp()'),
    actorKind: p.enum(actorKinds),
    actorId: p.uuid().nullable(),
    actorName: p.text(),
    action: p.text(),
    outcome: p.enum(actionOutcomes),
    code: p.text().nullable(),
    targetKind: p.text().nullable(),
    targetId: p.uuid().nullable(),
    targetCount: p.integer().default(0),
    deletionId: p.uuid().nullable(),
    chunkNumber: p.integer().nullable(),
    requestId: p.text(),
    address: p.text().nullable(),
    agent: p.text().nullable(),
  },
  indexes: [
    { properties: ['organizationId', 'occurredAt', 'id'] },
    { properties: ['organizationId', 'targetId'] },
    { properties: ['organizationId', 'deletionId'] },
  ],
});

/** Why, in the words of who did it. It lies beside the entry because it may name people: it goes when one of them is erased, and the entry stays. */
export const ActionReason = defineEntity({
  name: 'ActionReason',
  tableName: 'action_reason',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), actionId: p.uuid().primary(), reason: p.text() },
});
