// One spelling for every phone number, address and website, so that duplicates are found by comparing text.
import { createHash } from 'node:crypto';
import type { contactPointKinds } from '../entities/contact.ts';
import { normalizeEmail } from './email.ts';

export type ContactPointKind = (typeof contactPointKinds)[number];

/** PostgreSQL indexes no text of more than 2,704 bytes. */
const longest = 1_000;

/**
 * The comparable form of a contact point's value. Emails as `normalizeEmail` has them; of phone numbers the digits and a
 * leading plus; websites without scheme and trailing slash, the host in lower case; addresses in one case with single
 * spaces. What is not of its kind (an email without an @, a phone number without a digit) is trimmed and in lower case.
 * A form of more than 1,000 bytes is represented by its SHA-256.
 */
export function comparableForm(kind: ContactPointKind, value: string): string {
  const text = value.normalize('NFKC').trim();
  const form = forms[kind](text) || text.toLowerCase();
  return Buffer.byteLength(form) <= longest ? form : `sha256:${createHash('sha256').update(form).digest('hex')}`;
}

/** The form of each kind; null or empty for what is not of that kind. */
const forms: Record<ContactPointKind, (text: string) => string | null> = {
  EMAIL: normalizeEmail,
  PHONE(text) {
    const digits = text.replace(/\D/g, '');
    return digits && (/^\D*\+/.test(text) ? `+${digits}` : digits);
  },
  WEBSITE(text) {
    const [, host, rest] = /^(?:[a-z][a-z0-9+.-]*:\/\/)?([^/?#]*)(.*)$/is.exec(text)!;
    return host!.toLowerCase() + rest!.replace(/\/+$/, '');
  },
  // By way of capitals, in which “ß” is “SS” and “ς” is “Σ”.
  ADDRESS: (text) => text.toUpperCase().toLowerCase().replace(/\s+/g, ' '),
};
