// The organizations and people of every world, and the keys that it is run with.
import { Buffer } from 'node:buffer';
import { deriveKeys } from '../src/keys.ts';

export const masterKey = Buffer.alloc(32, 7);
export const testKeys = deriveKeys(masterKey);

export const riverside = { name: 'Riverside Club', plan: 'PREMIUM' } as const;
export const hilltop = { name: 'Hilltop Society', plan: 'FREE' } as const;

export type OrganizationName = (typeof riverside | typeof hilltop)['name'];
export type RoleName = 'Super admin' | 'Admin' | 'Staff' | 'Viewer' | 'Operator';

/** Everyone's. */
export const password = 'correct horse battery staple';
export const operatorEmail = 'operator@reinstate.example';

/** As in `super.admin@riverside.example`. */
export const emailOf = (role: string, organization: string): string =>
  `${role.toLowerCase().replace(' ', '.')}@${organization.split(' ')[0]!.toLowerCase()}.example`;
