// The contact graph: a contact and all it owns. The snapshot engine derives the graph from these definitions: a table
// belongs to it when a mandatory key leads to the contact.
import { defineEntity, p } from '@mikro-orm/postgresql';
import { calendarDate, createdNow, currencyCode, instant, minorUnits, ofOneOrganization, ofScopedContacts, rootKey, tenantKey } from './columns.ts';
import { StaffMember } from './staff.ts';

/** What is written of a contact: its own fields, and what is computed from them. */
export const writtenFields = () => ({
  memberNumber: p.text().nullable(),
  firstName: p.text().nullable(),
  lastName: p.text().nullable(),
  email: p.text().nullable(),
  emailNormalized: p.text().nullable(),
  company: p.text().nullable(),
  jobTitle: p.text().nullable(),
  street: p.text().nullable(),
  city: p.text().nullable(),
  postalCode: p.text().nullable(),
  country: p.text().nullable(),
  birthDate: calendarDate().nullable(),
  sortName: p.text(),
  searchText: p.text(),
});

export const Contact = defineEntity({
  name: 'Contact',
  tableName: 'contact',
  ...ofScopedContacts('id'),
  properties: {
    ...tenantKey,
    ...writtenFields(),
    version: p.integer().default(1),
    createdAt: createdNow(),
    updatedAt: createdNow(),
  },
  uniques: [{ properties: ['organizationId', 'emailNormalized'] }, { properties: ['organizationId', 'memberNumber'] }],
  indexes: [{ properties: ['organizationId', 'sortName', 'id'] }],
  checks: [{ name: 'contact_email_is_normalized', expression: '(email is null) = (email_normalized is null)' }],
});

const contact = () => p.manyToOne(Contact).ref().joinColumns('organization_id', 'contact_id').updateRule('no action').deleteRule('no action');
const author = () => p.manyToOne(StaffMember).ref().joinColumns('organization_id', 'author_id').updateRule('no action').deleteRule('no action').nullable();

export const contactPointKinds = ['EMAIL', 'PHONE', 'ADDRESS', 'WEBSITE'] as const;
export const ContactPoint = defineEntity({
  name: 'ContactPoint',
  tableName: 'contact_point',
  ...ofScopedContacts(),
  properties: {
    ...tenantKey,
    contact,
    kind: p.enum(contactPointKinds),
    label: p.text().nullable(),
    value: p.text(),
    /** The comparable form of the value, by which duplicates are found: see domain/contact-points.ts. */
    normalized: p.text(),
    createdAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }, { properties: ['organizationId', 'kind', 'normalized'] }],
});

export const Note = defineEntity({
  name: 'Note',
  tableName: 'note',
  ...ofScopedContacts(),
  properties: {
    ...tenantKey,
    contact,
    author,
    authorName: p.text(),
    body: p.text(),
    createdAt: createdNow(),
    updatedAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }],
});

export const activityKinds = ['CALL', 'EMAIL', 'MEETING', 'EVENT', 'VISIT', 'OTHER'] as const;
export const Activity = defineEntity({
  name: 'Activity',
  tableName: 'activity',
  ...ofScopedContacts(),
  properties: {
    ...tenantKey,
    contact,
    author,
    authorName: p.text(),
    kind: p.enum(activityKinds),
    subject: p.text(),
    occurredAt: instant(),
    createdAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }],
});

export const membershipIntervals = ['MONTH', 'YEAR', 'LIFETIME'] as const;
export const MembershipPlan = defineEntity({
  name: 'MembershipPlan',
  tableName: 'membership_plan',
  ...ofOneOrganization,
  properties: {
    ...rootKey,
    name: p.text(),
    priceMinor: minorUnits(),
    currency: currencyCode(),
    interval: p.enum(membershipIntervals),
    createdAt: createdNow(),
  },
  uniques: [{ properties: ['organizationId', 'name'] }],
});

export const membershipStates = ['ACTIVE', 'EXPIRED', 'CANCELLED'] as const;
export const Membership = defineEntity({
  name: 'Membership',
  tableName: 'membership',
  ...ofScopedContacts(),
  properties: {
    ...tenantKey,
    contact,
    plan: () => p.manyToOne(MembershipPlan).ref().joinColumns('organization_id', 'plan_id').updateRule('no action').deleteRule('no action'),
    state: p.enum(membershipStates),
    startsOn: calendarDate(),
    endsOn: calendarDate().nullable(),
    createdAt: createdNow(),
    updatedAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }],
});

export const paymentMethods = ['CARD', 'BANK_TRANSFER', 'CASH', 'DIRECT_DEBIT', 'OTHER'] as const;
export const Payment = defineEntity({
  name: 'Payment',
  tableName: 'payment',
  ...ofScopedContacts(),
  properties: {
    ...tenantKey,
    contact,
    membership: () => p.manyToOne(Membership).ref().joinColumns('organization_id', 'membership_id').updateRule('no action').deleteRule('no action').nullable(),
    amountMinor: minorUnits(),
    currency: currencyCode(),
    method: p.enum(paymentMethods),
    reference: p.text().nullable(),
    paidAt: instant(),
    createdAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }, { properties: ['organizationId', 'membership'] }],
});

export const ledgerEntryKinds = ['CHARGE', 'PAYMENT', 'REFUND', 'ADJUSTMENT', 'OPENING'] as const;
export const LedgerEntry = defineEntity({
  name: 'LedgerEntry',
  tableName: 'ledger_entry',
  ...ofScopedContacts(),
  properties: {
    ...tenantKey,
    contact,
    payment: () => p.manyToOne(Payment).ref().joinColumns('organization_id', 'payment_id').updateRule('no action').deleteRule('no action').nullable(),
    kind: p.enum(ledgerEntryKinds),
    amountMinor: minorUnits(),
    currency: currencyCode(),
    description: p.text(),
    occurredAt: instant(),
    createdAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }, { properties: ['organizationId', 'payment'] }],
});

/** The sum of a contact's ledger in one currency: computed from the ledger, never captured. */
export const Balance = defineEntity({
  name: 'Balance',
  tableName: 'balance',
  ...ofScopedContacts(),
  properties: {
    organizationId: p.uuid().primary(),
    contact: () => contact().primary(),
    currency: currencyCode().primary(),
    amountMinor: minorUnits(),
    updatedAt: createdNow(),
  },
});

export const Tag = defineEntity({
  name: 'Tag',
  tableName: 'tag',
  ...ofOneOrganization,
  properties: { ...rootKey, name: p.text(), createdAt: createdNow() },
  uniques: [{ properties: ['organizationId', 'name'] }],
});

export const ContactTag = defineEntity({
  name: 'ContactTag',
  tableName: 'contact_tag',
  ...ofOneOrganization,
  properties: {
    organizationId: p.uuid().primary(),
    contact: () => contact().primary(),
    tag: () => p.manyToOne(Tag).ref().primary().joinColumns('organization_id', 'tag_id').updateRule('no action').deleteRule('no action'),
    createdAt: createdNow(),
  },
  indexes: [{ properties: ['organizationId', 'tag'] }],
});

export const customFieldKinds = ['TEXT', 'NUMBER', 'DATE', 'BOOLEAN'] as const;
export const CustomFieldDefinition = defineEntity({
  name: 'CustomFieldDefinition',
  tableName: 'custom_field_definition',
  ...ofOneOrganization,
  properties: { ...rootKey, key: p.text(), label: p.text(), kind: p.enum(customFieldKinds), createdAt: createdNow() },
  uniques: [{ properties: ['organizationId', 'key'] }],
});

export const CustomFieldValue = defineEntity({
  name: 'CustomFieldValue',
  tableName: 'custom_field_value',
  ...ofScopedContacts(),
  properties: {
    organizationId: p.uuid().primary(),
    contact: () => contact().primary(),
    definition: () =>
      p.manyToOne(CustomFieldDefinition).ref().primary().joinColumns('organization_id', 'definition_id').updateRule('no action').deleteRule('no action'),
    value: p.text(),
  },
  indexes: [{ properties: ['organizationId', 'definition'] }],
});

/** What an action changed on this contact, field by field: personal data, so it goes and comes back with the contact. */
export const ActionDetail = defineEntity({
  name: 'ActionDetail',
  tableName: 'action_detail',
  ...ofScopedContacts(),
  properties: { ...tenantKey, contact, actionId: p.uuid(), changes: p.json(), createdAt: createdNow() },
  indexes: [{ properties: ['organizationId', 'contact', 'id'] }],
});
