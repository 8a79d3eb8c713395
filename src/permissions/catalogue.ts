// Every permission there is, in human words. Roles are sets of these; rules ask for these; nobody asks for a role's name.

export const catalogue = {
  'contacts:read': ['See contacts', 'Find contacts and see their details, notes, activities, memberships and tags.'],
  'contacts:create': ['Add contacts', 'Create contacts, one by one or many at once.'],
  'contacts:update': ['Change contacts', 'Change details and tags, and add notes, activities and memberships.'],
  'contacts:delete': ['Delete contacts', 'Preview and carry out deletions. Deleted contacts can be recovered for 30 days, then they are gone.'],
  'contacts:erase': ['Erase contacts', 'Destroy contacts for good and everywhere, deleted ones included (GDPR, Article 17). Nothing brings them back.'],
  'contacts:import': [
    'Import contacts',
    'Bring contacts in from files, see what a file would do, and apply it. Taking an import back deletes what it added, so it takes contacts:delete as well.',
  ],
  'contacts:export': ['Export contacts', 'Take contacts out as files, as far as one sees them, and the whole of what is kept about one.'],
  'payments:read': ['See payments', 'See payments, ledger entries and balances.'],
  'payments:create': ['Record payments', 'Record payments and charges, which changes balances.'],
  'deletions:read': [
    'See deletions',
    'See who deleted which contacts and when, how long they can still be recovered, and the certificates of what was erased.',
  ],
  'recovery:read': ['See recoveries', 'See recovery plans, requests, invoices and reports.'],
  'recovery:request': [
    'Order recoveries',
    'Order, cancel and undo recoveries, which the organization is billed for. Planning and ordering one takes seeing recoveries.',
  ],
  'snapshots:read': ['See snapshots', 'See organization snapshots, what changed since, and restore drills.'],
  'snapshots:take': ['Take snapshots', 'Take a snapshot of the whole organization.'],
  'jobs:read': ['Watch jobs', 'See work in the background and its progress.'],
  'log:read': ['Read the action log', 'See who did what and exactly when, refused attempts included.'],
  'staff:read': ['See staff', 'See who works for the organization, the roles there are, and who holds which.'],
  'staff:manage': ['Manage staff', 'Invite staff, keep them out and let them back in.'],
  'roles:manage': ['Manage roles', 'Make, change and delete roles, and say who holds which. Nobody gives or takes what they do not hold.'],
  'keys:manage': ['Manage API keys', 'Make API keys for integrations, with what one holds oneself, and revoke them.'],
  'identity:manage': [
    'Manage sign-in',
    'See and remove the identity providers where the staff of the organization sign in; registering one takes every other permission too.',
  ],
  'integrations:manage': ['Manage integrations', 'Register webhook endpoints, remove them, and see what was delivered to them.'],
  'platform:organizations': ['Find organizations', 'Operators: list the organizations and their open invoices.'],
  'platform:payments': ['Confirm payments', 'Operators: record that an invoice was paid.'],
  'platform:approvals': ['Approve recoveries', 'Operators: let a paid recovery start, where the policy asks for it.'],
} as const satisfies Record<string, readonly [title: string, description: string]>;

export type Permission = keyof typeof catalogue;

export const permissions = Object.keys(catalogue) as Permission[];

/** The permissions that staff can hold; the others are for operators. */
export const staffPermissions = permissions.filter((permission) => !permission.startsWith('platform:'));

/** The permissions that say who may do what: for people, and never for an API key. */
export const personalPermissions: readonly Permission[] = ['staff:manage', 'roles:manage', 'keys:manage', 'identity:manage'];

/**
 * The permissions that somebody can hold whose roles are limited to contacts with certain tags. The others tell of, or change,
 * the organization as a whole, and are void beside such a limit.
 */
export const scopedPermissions: readonly Permission[] = [
  'contacts:read',
  'contacts:create',
  'contacts:update',
  'contacts:delete',
  'contacts:export',
  'payments:read',
  'payments:create',
  'deletions:read',
  'staff:read',
  ...personalPermissions,
];

/** The permissions that only operators hold. */
export const platformPermissions = permissions.filter((permission) => permission.startsWith('platform:'));

/** The roles that every organization starts with. */
export const builtInRoles: readonly { name: string; description: string; permissions: readonly Permission[] }[] = [
  { name: 'Super admin', description: 'May do everything, ordering paid recoveries included.', permissions: staffPermissions },
  {
    name: 'Admin',
    description: 'May do everything but order paid recoveries.',
    permissions: staffPermissions.filter((permission) => permission !== 'recovery:request'),
  },
  {
    name: 'Staff',
    description: 'Works with contacts and payments; deletes nothing.',
    permissions: ['contacts:read', 'contacts:create', 'contacts:update', 'contacts:import', 'payments:read', 'payments:create', 'jobs:read'],
  },
  { name: 'Viewer', description: 'Sees contacts; changes nothing.', permissions: ['contacts:read'] },
];
