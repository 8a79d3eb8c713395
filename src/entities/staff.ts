// Who may act inside one organization: its staff, and the roles that they hold.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { createdNow, instant, ofOneOrganization, rootKey } from './columns.ts';

export const Role = defineEntity({
  name: 'Role',
  tableName: 'role',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    name: p.text(),
    description: p.text(),
    builtIn: p.boolean().default(false),
    permissions: p.array().columnType('text[]'),
    /** Groups of fields that it hides. */
    hiddenFields: p.array().columnType('text[]').defaultRaw(`'{}'`),
    /** Ids of tags: its holders work with contacts that have one of them. They stay when a tag goes. Null: with all contacts. */
    tagScope: p.array().columnType('uuid[]').nullable(),
    createdAt: createdNow(),
  },
  uniques: [{ properties: ['organizationId', 'name'] }],
});

export const StaffMember = defineEntity({
  name: 'StaffMember',
  tableName: 'staff_member',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    name: p.text(),
    email: p.text(),
    suspendedAt: instant().nullable(),
    createdAt: createdNow(),
  },
  uniques: [{ properties: ['organizationId', 'email'] }],
});

export const StaffMemberRole = defineEntity({
  name: 'StaffMemberRole',
  tableName: 'staff_member_role',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    staffMember: () =>
      p.manyToOne(StaffMember).ref().primary().joinColumns('organization_id', 'staff_member_id').updateRule('no action').deleteRule('no action'),
    role: () => p.manyToOne(Role).ref().primary().joinColumns('organization_id', 'role_id').updateRule('no action').deleteRule('no action'),
  },
});
