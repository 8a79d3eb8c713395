// What two of a contact's copies are told to be the same by, wherever that is not asked of the database.
import type { MatchKey } from '../entities/import.ts';

/** What a row or a contact is known by, each in its comparable form. */
export interface KnownBy {
  emails: readonly string[];
  phones: readonly string[];
  memberNumber: string | null | undefined;
  /** The folded last and first name; empty when there is none. */
  name: string;
  /** ISO 8601. */
  birthDate: string | null | undefined;
}

/** The keys of it in the order of trust. People share a phone: who bears another name is somebody else. */
export function matchKeys({ emails, phones, memberNumber, name, birthDate }: KnownBy): (readonly [by: MatchKey, key: readonly string[]])[] {
  const keys: [MatchKey, string[]][] = [];
  for (const email of emails) keys.push(['EMAIL', ['e', email]]);
  for (const phone of phones) keys.push(['PHONE', ['p', phone, name]]);
  if (memberNumber) keys.push(['MEMBER_NUMBER', ['m', memberNumber]]);
  if (name && birthDate) keys.push(['NAME_AND_BIRTH_DATE', ['n', name, birthDate]]);
  return keys;
}
