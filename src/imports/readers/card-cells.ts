// A card's properties (vCard 2.1, 3.0 and 4.0) as the cells of a row. The columns are those of the CSV that Google
// Contacts exports, so that whoever understands that file understands cards too.
import type { RowProblem } from '../problems.ts';
import { betweenValues, unnamed } from '../sheet.ts';
import { brokenCard, type Card, unfold } from './cards.ts';
import { looksLikeEmail } from './rows.ts';
import { decodeWindows1252 } from './text.ts';

/** So many of each kind have columns; those beyond stand in the last of these. */
const columnsOfAKind = 5;

const numbered = (kind: string, parts: string[]) =>
  Array.from({ length: columnsOfAKind }, (_, index) => parts.map((part) => `${kind} ${index + 1} - ${part}`)).flat();

const addressParts = ['PO Box', 'Extended Address', 'Street', 'City', 'Region', 'Postal Code', 'Country'];

export const vcardHeader: readonly string[] = [
  'First Name',
  'Middle Name',
  'Last Name',
  'Name Prefix',
  'Name Suffix',
  'Nickname',
  'Organization Name',
  'Organization Title',
  'Organization Department',
  'Birthday',
  'Notes',
  'Labels',
  ...numbered('E-mail', ['Label', 'Value']),
  ...numbered('Phone', ['Label', 'Value']),
  ...numbered('Address', ['Label', ...addressParts]),
  ...numbered('Website', ['Label', 'Value']),
];

const columns = new Map(vcardHeader.map((name, index) => [name, index]));

interface Property {
  group: string;
  name: string;
  /** In capitals. */
  types: string[];
  parameters: Map<string, string>;
  value: string;
}

export function readCard({ lines, problem }: Card): { cells: string[]; problem?: RowProblem } {
  if (problem) return { cells: [], problem };
  const version =
    lines
      .find((line) => /^VERSION\s*:/i.test(line))
      ?.split(':', 2)[1]!
      .trim() ?? '3.0';
  if (!['2.1', '3.0', '4.0'].includes(version)) {
    return { cells: [], problem: { code: 'UNKNOWN_VERSION', message: 'The card is of a version other than 2.1, 3.0 and 4.0. Export it as one of these.' } };
  }
  const properties: Property[] = [];
  for (const line of unfold(lines.slice(1, -1), version === '2.1')) {
    if (line.trim() === '') continue;
    const property = readProperty(line);
    if (!property)
      return { cells: cellsOf(properties, version), problem: brokenCard('A line of the card is no property. Remove it, or export the card again.') };
    if (property === 'UNKNOWN_ENCODING') {
      return {
        cells: cellsOf(properties, version),
        problem: { code: 'UNKNOWN_ENCODING', message: 'A line of the card is in an encoding that is not known. Export it as UTF-8.' },
      };
    }
    properties.push(property);
  }
  return { cells: cellsOf(properties, version) };
}

function readProperty(line: string): Property | 'UNKNOWN_ENCODING' | undefined {
  // The first colon that is not within quotes.
  const found = /^((?:[^":]|"[^"]*")+):(.*)$/s.exec(line) ?? /^([^:]+):(.*)$/s.exec(line);
  if (!found) return undefined;
  const [, head, written] = found as unknown as [string, string, string];
  const [title, ...rest] = head.match(/(?:[^";]|"[^"]*"|")+/g) ?? [''];
  const [, group = '', name] = /^(?:([^.]*)\.)?(.*)$/s.exec(title!.trim()) as unknown as [string, string | undefined, string];
  const types: string[] = [];
  const parameters = new Map<string, string>();
  for (const parameter of rest) {
    const equals = parameter.indexOf('=');
    const key = parameter.slice(0, Math.max(equals, 0)).trim();
    const text = parameter
      .slice(equals + 1)
      .trim()
      .replaceAll('"', '');
    if (/^(?:QUOTED-PRINTABLE|BASE64|8BIT|7BIT)$/i.test(text) && !key) parameters.set('ENCODING', text.toUpperCase());
    else if (!key || /^TYPE$/i.test(key)) types.push(...text.toUpperCase().split(','));
    else parameters.set(key.toUpperCase(), text);
  }
  const value = decodeValue(written, parameters);
  return value === undefined ? 'UNKNOWN_ENCODING' : { group: group.toLowerCase(), name: name.toUpperCase(), types, parameters, value };
}

/** Undefined when it is in an encoding that is not known. */
function decodeValue(value: string, parameters: ReadonlyMap<string, string>): string | undefined {
  const encoding = parameters.get('ENCODING')?.toUpperCase() ?? '8BIT';
  if (/^[78]BIT$/.test(encoding)) return value;
  if (encoding === 'QUOTED-PRINTABLE') {
    // Of bytes that are encoded, one may be followed by its second half as it is, which looks like ASCII. What is no ASCII was not encoded.
    const parts = value.split(/([\u0080-\uFFFF]+)/).map((part, at) => (at % 2 ? part : decodeBytes(unquoted(part), parameters.get('CHARSET'))));
    return parts.includes(undefined) ? undefined : parts.join('').replace(/\r\n?/g, '\n');
  }
  return encoding === 'B' || encoding === 'BASE64' ? decodeBytes(Buffer.from(value, 'base64'), parameters.get('CHARSET')) : undefined;
}

/** @see https://www.rfc-editor.org/rfc/rfc2045#section-6.7 */
const unquoted = (text: string): Buffer =>
  Buffer.from(
    text.replace(/=([\dA-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    'latin1',
  );

function decodeBytes(bytes: Buffer, charset = 'utf-8'): string | undefined {
  if (/^(?:windows-1252|cp1252|iso-8859-1|latin1|us-ascii|ascii)$/i.test(charset)) return decodeWindows1252(bytes);
  try {
    return new TextDecoder(charset, { fatal: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** A value at its separators that are not escaped. */
function split(value: string, separator: ';' | ','): string[] {
  const parts = [''];
  for (const piece of value.match(/\\.|[^\\;,]+|[\\;,]/gs) ?? []) {
    if (piece === separator) parts.push('');
    else parts.push(parts.pop()! + piece);
  }
  return parts;
}

function cellsOf(properties: readonly Property[], version: string): string[] {
  const cells: string[] = Array.from({ length: vcardHeader.length }, () => '');
  const set = (column: string, value: string) => (cells[columns.get(column)!] = value);
  const unescape = (text: string) =>
    text.replace(/\\(.)/gs, (whole, char: string) => (/n/i.test(char) ? (version === '2.1' ? whole : '\n') : /[\\,;:]/.test(char) ? char : whole)).trim();
  /** The components of a value, each of which may be a list. */
  const components = (value: string, between: string) =>
    split(value, ';').map((part) => (version === '2.1' ? unescape(part) : split(part, ',').map(unescape).filter(Boolean).join(between)));
  const all = (name: string) => properties.filter((property) => property.name === name);
  const texts = (name: string) =>
    all(name)
      .map(({ value }) => unescape(value))
      .filter(Boolean);

  const [last = '', first = '', middle = '', prefix = '', suffix = ''] = components(all('N')[0]?.value ?? '', ' ');
  const [organization = '', ...departments] = split(all('ORG')[0]?.value ?? '', ';').map(unescape);
  const [fullName = ''] = texts('FN');
  // Only a card without parts of its name: that of an organization has none.
  const isUnnamed = !last && !first && fullName !== organization && fullName !== unnamed && !looksLikeEmail(fullName);
  set('First Name', isUnnamed ? fullName : first);
  set('Middle Name', middle);
  set('Last Name', last);
  set('Name Prefix', prefix);
  set('Name Suffix', suffix);
  set(
    'Nickname',
    all('NICKNAME')
      .flatMap(({ value }) => split(value, ',').map(unescape))
      .filter(Boolean)
      .join(', '),
  );
  set('Organization Name', organization);
  set('Organization Title', texts('TITLE')[0] ?? texts('ROLE')[0] ?? '');
  set('Organization Department', departments.filter(Boolean).join(', '));
  set('Birthday', birthday(all('BDAY')[0], unescape));
  set('Notes', texts('NOTE').join('\n'));
  set(
    'Labels',
    all('CATEGORIES')
      .flatMap(({ value }) => split(value, ',').map(unescape))
      .filter(Boolean)
      .join(betweenValues),
  );

  const labels = new Map(
    all('X-ABLABEL')
      .toReversed()
      .map(({ group, value }) => [group, value]),
  );
  const labelOf = (property: Property) => {
    const own = property.group === '' ? undefined : labels.get(property.group);
    return own !== undefined ? unescape(own).replace(/^_\$!<(.*)>!\$_$/s, '$1') : labelOfTypes(property.types);
  };
  /** The preferred one is the first. */
  const several = (name: string, kind: string, parts: string[], read: (property: Property) => string[]) => {
    const found = all(name)
      .map((property) => ({ property, values: read(property) }))
      .filter(({ values }) => values.some(Boolean))
      .sort((a, b) => preference(a.property) - preference(b.property));
    for (const [index, { property, values }] of found.entries()) {
      const column = `${kind} ${Math.min(index + 1, columnsOfAKind)} - `;
      for (const [part, value] of [['Label', labelOf(property)] as const, ...parts.map((part, at) => [part, values[at] ?? ''] as const)]) {
        const before = cells[columns.get(column + part)!]!;
        set(column + part, index < columnsOfAKind ? value : before + betweenValues + value);
      }
    }
  };
  several('EMAIL', 'E-mail', ['Value'], ({ value }) => [unescape(value).replace(/^mailto:/i, '')]);
  // The parameters of a URI begin with a semicolon that is not escaped.
  several('TEL', 'Phone', ['Value'], ({ value }) => [
    unescape(
      value
        .replace(/^tel:/i, '')
        .replace(/(?<!\\);ext=(\w+).*$/i, ' x$1')
        .replace(/(?<!\\);.*$/, ''),
    ),
  ]);
  several('ADR', 'Address', addressParts, ({ value }) => components(value, ', '));
  several('URL', 'Website', ['Value'], ({ value }) => [unescape(value)]);
  cells.length = cells.findLastIndex((cell) => cell !== '') + 1;
  return cells;
}

const preference = ({ types, parameters }: Property) => (types.includes('PREF') ? 1 : Number(parameters.get('PREF') ?? 101));

function labelOfTypes(types: readonly string[]): string {
  const place = types.includes('WORK') ? 'Work' : types.includes('HOME') ? 'Home' : '';
  if (types.includes('FAX')) return `${place} Fax`.trim();
  if (types.includes('CELL')) return place === 'Work' ? 'Work Mobile' : 'Mobile';
  return types.includes('PAGER') ? 'Pager' : types.includes('MAIN') ? 'Main' : place || (types.includes('OTHER') ? 'Other' : '');
}

/** ISO 8601 with hyphens and without a time; without a year it begins with two hyphens, as in Google's file. */
function birthday(property: Property | undefined, unescape: (text: string) => string): string {
  if (!property) return '';
  const value = unescape(property.value);
  const [, year, month, day] = /^(\d{4}|--)-?(\d\d)-?(\d\d)(?:[T ].*)?$/.exec(value) ?? [];
  if (!year) return value;
  return year === '--' || property.parameters.get('X-APPLE-OMIT-YEAR') === year ? `--${month}-${day}` : `${year}-${month}-${day}`;
}
