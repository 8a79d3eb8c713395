// Contacts as vCards: 4.0 (RFC 6350), and 3.0 (RFC 2426), which phones import.

export const vCardType = 'text/vcard; charset=utf-8';

export type VCardVersion = '3.0' | '4.0';

/** What a card tells. What is left out or null is not in it. */
export interface CardContact {
  id: string;
  /** What to call the contact, never empty. */
  name: string;
  firstName?: string | null;
  lastName?: string | null;
  company?: string | null;
  jobTitle?: string | null;
  email?: string | null;
  street?: string | null;
  city?: string | null;
  postalCode?: string | null;
  country?: string | null;
  /** As in `1990-12-31`. */
  birthDate?: string | null;
  contactPoints?: readonly { kind: 'EMAIL' | 'PHONE' | 'ADDRESS' | 'WEBSITE'; label: string | null; value: string }[];
  tags?: readonly string[];
  notes?: readonly string[];
  updatedAt?: Date;
}

/** The labels that vCards have a word for. */
const knownTypes: Readonly<Record<string, string>> = { home: 'home', private: 'home', work: 'work', mobile: 'cell', cell: 'cell', fax: 'fax', pager: 'pager' };

const properties = { EMAIL: 'EMAIL', PHONE: 'TEL', ADDRESS: 'ADR', WEBSITE: 'URL' } as const;

/** A card, with the end of its last line. */
export function vCard(contact: CardContact, version: VCardVersion): string {
  const lines: string[] = ['BEGIN:VCARD', `VERSION:${version}`, `UID:urn:uuid:${contact.id}`];
  let groups = 0;
  /** Adds a line; a label that is no known type follows in a line of its own, which is how Apple and Google keep them. */
  const add = (property: string, value: string, label: string | null = null): void => {
    const type = label === null ? undefined : knownTypes[label.trim().toLowerCase()];
    if (type) lines.push(`${property};TYPE=${version === '3.0' ? type.toUpperCase() : type}:${value}`);
    else if (label === null) lines.push(`${property}:${value}`);
    else lines.push(`item${++groups}.${property}:${value}`, `item${groups}.X-ABLabel:${escape(label)}`);
  };
  const { firstName, lastName, company, jobTitle, email, street, city, postalCode, country, birthDate, updatedAt } = contact;
  add('FN', escape(contact.name));
  add('N', `${escape(lastName)};${escape(firstName)};;;`);
  if (company) add('ORG', escape(company));
  if (jobTitle) add('TITLE', escape(jobTitle));
  if (email) add('EMAIL', escape(email));
  if (street || city || postalCode || country) add('ADR', `;;${escape(street)};${escape(city)};;${escape(postalCode)};${escape(country)}`);
  for (const { kind, label, value } of contact.contactPoints ?? [])
    add(properties[kind], kind === 'ADDRESS' ? `;;${escape(value)};;;;` : kind === 'WEBSITE' ? uri(value) : escape(value), label);
  if (birthDate) add('BDAY', version === '4.0' ? birthDate.replaceAll('-', '') : birthDate);
  for (const note of contact.notes ?? []) add('NOTE', escape(note));
  if (contact.tags?.length) add('CATEGORIES', contact.tags.map(escape).join(','));
  if (updatedAt) add('REV', version === '4.0' ? updatedAt.toISOString().replace(/[-:]|\.\d+/g, '') : updatedAt.toISOString());
  lines.push('END:VCARD');
  return lines.map(fold).join('');
}

/** A text as a value; characters that are not shown and end no line are left out, because no card can hold them. */
function escape(text: string | null | undefined): string {
  if (!text) return '';
  const held = text
    .toWellFormed()
    .replace(/\r\n?/g, '\n')
    // oxlint-disable-next-line no-control-regex -- they are what is left out
    .replace(/[\u0000-\u0008\u000b-\u001f\u007f]/g, '');
  return held.replace(/[\\;,]/g, '\\$&').replaceAll('\n', '\\n');
}

/** An address of the web is not escaped; what would end the line is. */
const uri = (text: string): string => encodeURI(text.toWellFormed()).replace(/%25(?=[0-9a-f]{2})/gi, '%');

const longestLine = 75;

/** A line of at most 75 bytes, and what is left on lines that begin with a space; no character is torn. */
function fold(line: string): string {
  if (line.length * 3 <= longestLine || Buffer.byteLength(line) <= longestLine) return `${line}\r\n`;
  let folded = '';
  let room = longestLine;
  for (const character of line) {
    const size = Buffer.byteLength(character);
    if (size > room) {
      folded += '\r\n ';
      room = longestLine - 1;
    }
    folded += character;
    room -= size;
  }
  return `${folded}\r\n`;
}
