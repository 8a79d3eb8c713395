// Who did what to which target, and exactly when. The server's database role can add entries and read them, nothing else.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, tenantKey } from './columns.ts';

export const actorKinds = ['STAFF', 'OPERATOR', 'SYSTEM', 'API_KEY'] as const;
export const actionOutcomes = ['DONE', 'REFUSED'] as const;

const ofAction = { organizationId: p.uuid().primary(), actionId: p.uuid().primary() };

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
    /** SHA-256 of a salt and of what lies beside the entry: see log/entry.ts. */
    reasonDigest: p.blob().nullable(),
    detailDigest: p.blob().nullable(),
  },
  indexes: [
    { properties: ['organizationId', 'occurredAt', 'id'] },
    { properties: ['organizationId', 'targetId'] },
    { properties: ['organizationId', 'deletionId'], where: 'deletion_id is not null' },
  ],
});

/** Why, in the words of who did it. It lies beside the entry because it may name people: it goes when one of them is erased, and the entry stays. */
export const ActionReason = defineEntity({
  name: 'ActionReason',
  tableName: 'action_reason',
  ...ofOneOrganization,
  properties: { ...ofAction, reason: p.text(), salt: p.blob() },
});

/** The salt of the digest of what an action changed on a contact. It goes when the contact is erased; the changes go with the contact itself. */
export const ActionSalt = defineEntity({
  name: 'ActionSalt',
  tableName: 'action_salt',
  ...ofOneOrganization,
  properties: { ...ofAction, contactId: p.uuid(), salt: p.blob() },
  indexes: [{ properties: ['organizationId', 'contactId'] }],
});

/** An entry that waits for its seal. Added by a trigger with every entry. Which organizations have any is open to the platform's own jobs. */
export const UnsealedAction = defineEntity({
  name: 'UnsealedAction',
  tableName: 'action_unsealed',
  ...ofOneOrganization,
  policies: [...ofOneOrganization.policies, { name: 'platform', command: 'select', using: "current_setting('app.platform', true) = 'on'" }],
  properties: { ...ofAction },
});

/** A seal over the next entries: see log/seal.ts. Only ever added. */
export const ActionSeal = defineEntity({
  name: 'ActionSeal',
  tableName: 'action_seal',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    number: p.integer().primary(),
    /** The text that is signed. */
    seal: p.text(),
    signature: p.blob(),
    /** In the order that they were sealed in. */
    actionIds: p.array().columnType('uuid[]'),
    /** 32 bytes for each. */
    leaves: p.blob(),
  },
});

/** A seal that was also written outside of the database. */
export const ActionCheckpoint = defineEntity({
  name: 'ActionCheckpoint',
  tableName: 'action_checkpoint',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), sealNumber: p.integer().primary(), location: p.text(), exportedAt: createdNow() },
});

/** The statement that an organization's log was pruned, which stands for the seals that went: see log/seal.ts. Written by `prune_action_log` alone. */
export const ActionPruning = defineEntity({
  name: 'ActionPruning',
  tableName: 'action_pruning',
  ...ofOneOrganization,
  properties: { organizationId: p.uuid().primary(), statement: p.text(), signature: p.blob() },
});
