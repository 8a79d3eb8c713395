// Which column is for what: by its header first, and where that is unknown by what its cells look like.
import { normalizeEmail } from '../../domain/email.ts';
import { headerKey, isOfOthers, recognizeHeader, type RecognizedHeader, toTarget } from './headers.ts';
import type { ColumnMapping, ColumnTarget, Known, TargetField } from './mapping.ts';

type Found = RecognizedHeader | { customFieldKey: string };

/**
 * A mapping for each column of the header. `sample` are the first rows. Columns that are unknown, and those that are
 * known and not about the contact, have no target; the latter with confidence 1.
 */
export function recognize(header: readonly string[], sample: readonly (readonly string[])[], known: Known): ColumnMapping[] {
  const custom = new Map(
    known.customFields.flatMap(({ key, label }) => [[headerKey(label), key] as const, [headerKey(key), key] as const]).filter(([name]) => name !== ''),
  );
  const found = header.map((name): Found | null => {
    const customFieldKey = custom.get(headerKey(name));
    return customFieldKey === undefined ? recognizeHeader(name) : { customFieldKey };
  });
  // Mailchimp’s REGION is of the network address that somebody signed up from.
  if (header.includes('EUID') && header.includes('LEID'))
    header.forEach((name, index) => void (name === 'REGION' && (found[index] = recognizeHeader('OPTIN_IP'))));
  const context = contextOf(found);
  const mappings = header.map((name, index): ColumnMapping => {
    const one = found[index];
    const header = name.trim();
    if (!one) return byValues(index, header, sample);
    if ('customFieldKey' in one) return { index, header, target: { field: 'CUSTOM_FIELD', customFieldKey: one.customFieldKey }, confidence: 1 };
    const field = settle(one, context, () => cellsOf(sample, index));
    const unsure = field !== one.meaning && field !== null;
    return {
      index,
      header,
      target: field && toTarget(one, field),
      confidence: unsure ? Math.min(one.confidence, 0.8) : one.confidence,
      ...(one.dateOrder && { dateOrder: one.dateOrder }),
    };
  });
  settleAddresses(mappings);
  settleEmails(mappings);
  settleMemberships(mappings);
  settleCustomFields(mappings);
  return mappings;
}

interface Context {
  has(meaning: RecognizedHeader['meaning']): boolean;
  hasPlace(label: string | null): boolean;
}

function contextOf(found: (Found | null)[]): Context {
  const headers = found.filter((one): one is RecognizedHeader => one !== null && 'meaning' in one);
  const meanings = new Set(headers.map(({ meaning }) => meaning));
  const places = new Set(
    headers.filter(({ meaning }) => meaning === 'CITY' || meaning === 'POSTAL_CODE' || meaning === 'POSTAL_CODE_AND_CITY').map(({ label }) => label),
  );
  return { has: (meaning) => meanings.has(meaning), hasPlace: (label) => places.has(label) };
}

/** What a header means beside the others of its file. */
function settle({ meaning, label }: RecognizedHeader, { has, hasPlace }: Context, cells: () => string[]): TargetField | null {
  switch (meaning) {
    case 'GIVEN_NAME':
      return has('LAST_NAME') || has('NAME') ? 'FIRST_NAME' : 'FULL_NAME';
    case 'NAME':
      return (has('FIRST_NAME') || has('GIVEN_NAME')) && !has('LAST_NAME') ? 'LAST_NAME' : 'FULL_NAME';
    case 'ADDRESS':
      return hasPlace(label) ? 'STREET' : 'FULL_ADDRESS';
    case 'TITLE':
      return has('JOB_TITLE') || areMostly(cells(), (cell) => salutation.test(cell)) ? null : 'JOB_TITLE';
    case 'DEGREE':
      return has('JOB_TITLE') || cells().length === 0 || areMostly(cells(), (cell) => salutation.test(cell)) ? null : 'JOB_TITLE';
    case 'COUNTRY':
      // Of a phone number: +49.
      return areMostly(cells(), (cell) => /^\+?\d+$/.test(cell)) ? null : 'COUNTRY';
    case 'PHONE_MOBILE':
    case 'PHONE_FAX':
      return 'PHONE';
    case 'OTHER':
      return null;
    default:
      return meaning;
  }
}

const salutation =
  /^(?:(?:mrs?|ms|miss|mx|dr|prof|pd|rev|sir|herr|frau|m|mme|mlle|sr|sra|srta|bay|bayan|dipl|ing|mag|med|phil|rer|nat|jur|h|c)(?:[.\s/-]+|$))+$/i;

const addressFields = new Set<TargetField>(['STREET', 'CITY', 'REGION', 'POSTAL_CODE', 'POSTAL_CODE_AND_CITY', 'COUNTRY', 'FULL_ADDRESS', 'ADDRESS_LABEL']);

/** A number at a street is a line of its address, unless a city has the same number. */
function settleAddresses(mappings: ColumnMapping[]): void {
  const isGoogle = ({ header }: ColumnMapping) => / \d+ - /.test(header);
  const targets = mappings.flatMap((mapping) => (mapping.target && addressFields.has(mapping.target.field) && !isGoogle(mapping) ? [mapping.target] : []));
  const cities = new Set(targets.filter(({ field }) => field === 'CITY').map(({ label, ordinal }) => `${label} ${ordinal}`));
  for (const target of targets) if (target.ordinal === 1 || !cities.has(`${target.label} ${target.ordinal}`)) delete target.ordinal;
}

/** One column has the contact’s own email: the first that is no further one by its name. */
function settleEmails(mappings: ColumnMapping[]): void {
  const emails = mappings.flatMap(({ target }) => (target?.field === 'EMAIL' ? [target] : []));
  const own = emails.find(({ label, ordinal }) => !label && (ordinal ?? 1) === 1) ?? emails[0];
  for (const target of emails) if (target !== own) target.field = 'FURTHER_EMAIL';
}

/** A membership needs its plan and its start; where the file has no column for one of them, the others are kept as notes. */
function settleMemberships(mappings: ColumnMapping[]): void {
  const has = (field: TargetField) => mappings.some(({ target }) => target?.field === field);
  if (has('MEMBERSHIP_PLAN') && has('MEMBERSHIP_START')) return;
  for (const mapping of mappings)
    if (mapping.target?.field.startsWith('MEMBERSHIP_')) {
      mapping.target = asNote(mapping);
      mapping.confidence = Math.min(mapping.confidence, 0.5);
    }
}

/** A custom field has one value. */
function settleCustomFields(mappings: ColumnMapping[]): void {
  const keys = new Set<string>();
  for (const mapping of mappings) {
    const key = mapping.target?.customFieldKey;
    if (key == null) continue;
    if (keys.has(key)) mapping.target = asNote(mapping);
    keys.add(key);
  }
}

const asNote = ({ header }: ColumnMapping): ColumnTarget => ({ field: 'NOTE', label: header.normalize('NFC') });

function byValues(index: number, header: string, sample: readonly (readonly string[])[]): ColumnMapping {
  const cells = isOfOthers(header) ? [] : cellsOf(sample, index);
  const looks = (test: (cell: string) => boolean, field: TargetField, confidence: number): ColumnMapping | undefined =>
    areMostly(cells, test) ? { index, header, target: { field } satisfies ColumnTarget, confidence } : undefined;
  return (
    (repeat(cells) ? undefined : looks((cell) => cell.includes('@') && normalizeEmail(cell) !== null, 'EMAIL', 0.6)) ??
    looks((cell) => /^(?:https?:\/\/|www\.)\S+$/i.test(cell), 'WEBSITE', 0.5) ??
    looks(looksLikePhone, 'PHONE', 0.4) ?? { index, header, target: null, confidence: 0 }
  );
}

/** True where most values are there again: the same address in many rows is of somebody who looks after them. */
const repeat = (cells: string[]): boolean => new Set(cells.map((cell) => cell.toLowerCase())).size < cells.length / 2;

/** With the marks of a phone number: plain digits may be any number. */
const looksLikePhone = (cell: string) =>
  /^(?:\+|00|\(?0?\d)[\d\s()./-]{6,22}(?:\s*(?:x|ext\.?)\s*\d{1,6})?$/i.test(cell) &&
  (/^(?:\+|00)/.test(cell) || /\D/.test(cell.slice(1))) &&
  cell.replace(/\D/g, '').length >= 7 &&
  !/^\d{1,4}([./-])\d{1,2}\1\d{1,4}$/.test(cell) &&
  !/^\d{1,3}(?:\.\d{1,3}){3}$/.test(cell) &&
  !/^\d+\.\d+$/.test(cell) &&
  !/^\d{4}-\d\d-\d\d/.test(cell);

const cellsOf = (sample: readonly (readonly string[])[], index: number): string[] =>
  sample.slice(0, 200).flatMap((row) => {
    const cell = row[index]?.trim().slice(0, 300);
    return cell ? [cell] : [];
  });

const areMostly = (cells: string[], test: (cell: string) => boolean): boolean => cells.length > 0 && cells.filter(test).length >= cells.length * 0.8;
