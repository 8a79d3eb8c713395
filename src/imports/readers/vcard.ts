// Cards (vCard 2.1, 3.0 and 4.0) as the rows of a table. Its columns are those of the CSV that Google Contacts exports,
// so that whoever understands that file understands cards too.
import type { FileHandle } from 'node:fs/promises';
import type { RowProblem } from '../problems.ts';
import type { ReadOptions, SheetFacts, SheetRow } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';
import { Batch, findProblem, type OpenSheet, shortened, tooManyRows } from './rows.ts';
import { decodeWindows1252, openText } from './text.ts';

/** So many of each kind have columns; those beyond stand in the last of these. */
const columnsOfAKind = 5;
const betweenValues = ' ::: ';

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

/** A card without its pictures, and a line of it. */
const longestCard = 262_144;

export const isVcard = (start: string) => /^(?:\xEF\xBB\xBF|\xFF\xFE|\xFE\xFF)?\s*(?:[\w-]+\.)?BEGIN\s*:\s*VCARD/i.test(start.replaceAll('\0', ''));

export async function openVcard(file: FileHandle, totalBytes: number, options: ReadOptions, limits: SheetLimits): Promise<OpenSheet<SheetFacts>> {
  const text = await openText(file, options.encoding);
  return {
    facts: { format: 'VCARD', encoding: text.encoding, separator: null, quote: null, sheet: null, sheets: [], headerRow: 1, header: [...vcardHeader] },
    totalBytes,
    bytesRead: text.bytesRead,
    rows: cardRows(text.chunks(), limits, text.mixed),
  };
}

async function* cardRows(chunks: AsyncIterable<string>, limits: SheetLimits, mixed: boolean): AsyncGenerator<SheetRow[]> {
  const batch = new Batch();
  let rowNumber = 1;
  for await (const card of cardsOf(linesOf(chunks))) {
    if (++rowNumber > limits.rows + 1) throw tooManyRows(limits);
    const { cells, problem = findProblem(cells, vcardHeader, limits, mixed) } = readCard(card);
    const raw = card.problem === tooLong ? {} : { card: `${card.lines.join('\r\n')}\r\n` };
    batch.add(problem ? { rowNumber, cells: shortened(cells, vcardHeader, limits), problem, ...raw } : { rowNumber, cells, ...raw });
    if (batch.isFull) yield batch.take();
  }
  if (!batch.isEmpty) yield batch.take();
}

/** Lines, and no more of each than a card may have. */
async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    // A return at the end may be half of a line end.
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    yield* lines;
    if (rest.length > 2 * longestCard) rest = rest.slice(0, longestCard + 1);
  }
  yield rest.replace(/\r$/, '');
}

interface Card {
  /** As they stand there, without pictures. */
  lines: string[];
  problem?: RowProblem;
}

const tooLong: RowProblem = { code: 'CARD_TOO_LONG', message: `The card is longer than ${longestCard} characters without its pictures. Shorten it.` };
const brokenCard = (message: string): RowProblem => ({ code: 'BROKEN_CARD', message });

const begins = (line: string) => /^\s*BEGIN\s*:\s*VCARD\s*$/i.test(line);
const ends = (line: string) => /^\s*END\s*:\s*VCARD\s*$/i.test(line);
const isPicture = (line: string) => /^(?:[\w-]+\.)?(?:PHOTO|LOGO|SOUND|KEY)[;:]/i.test(line);

/** Cards, whole or not: what stands outside of any is one that has no beginning. */
async function* cardsOf(lines: AsyncIterable<string>): AsyncGenerator<Card> {
  let card: Card | undefined;
  let length = 0;
  let inPicture = false;
  /** A card within the card, of an agent. */
  let within = 0;
  for await (const line of lines) {
    if (within > 0) {
      within += begins(line) ? 1 : ends(line) ? -1 : 0;
      continue;
    }
    if (begins(line)) {
      if (card && /^(?:[\w-]+\.)?AGENT[;:]/i.test(card.lines.at(-1)!)) {
        within = 1;
        continue;
      }
      if (card) yield { ...card, problem: card.problem ?? brokenCard('The card has no END:VCARD. Add it, or export the card again.') };
      card = { lines: [line] };
      length = line.length;
      inPicture = false;
      continue;
    }
    if (!card) {
      if (line.trim() === '') continue;
      card = { lines: [], problem: brokenCard('The card has no BEGIN:VCARD. Add it, or export the card again.') };
      length = 0;
    }
    const isEnd = ends(line);
    // Pictures go on in lines that are indented, or in some old files are not; these hold no colon.
    inPicture = !isEnd && (isPicture(line) || (inPicture && (/^[ \t]/.test(line) || !line.includes(':'))));
    if (!inPicture && (length += line.length + 2) > longestCard) card.problem ??= tooLong;
    if (!inPicture && card.problem !== tooLong) card.lines.push(line);
    if (!isEnd) continue;
    yield card;
    card = undefined;
  }
  if (card) yield { ...card, problem: card.problem ?? brokenCard('The file ends before the card does. Export it again.') };
}

interface Property {
  group: string;
  name: string;
  /** In capitals. */
  types: string[];
  parameters: Map<string, string>;
  value: string;
}

function readCard({ lines, problem }: Card): { cells: string[]; problem?: RowProblem } {
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

/** The lines that were folded as one again; `isOld`: folded at a space, which stays. */
function unfold(lines: readonly string[], isOld: boolean): string[] {
  const whole: string[] = [];
  let parts: string[] = [];
  let isQuotedPrintable = false;
  let isBase64 = false;
  const isOpen = () => isQuotedPrintable && parts.at(-1)!.endsWith('=');
  for (const line of lines) {
    if (parts.length && isOpen()) {
      parts.push(parts.pop()!.slice(0, -1), line);
    } else if (parts.length && /^[ \t]/.test(line)) {
      parts.push(isOld && !isBase64 ? line : line.slice(1));
    } else {
      if (parts.length) whole.push(parts.join(''));
      parts = [line];
      const head = line.split(':', 1)[0]!;
      isQuotedPrintable = /QUOTED-PRINTABLE/i.test(head);
      isBase64 = /;(?:ENCODING=)?(?:BASE64|B)(?:;|$)/i.test(head);
    }
  }
  if (parts.length) whole.push(parts.join(''));
  return whole;
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
    // What was not encoded may be any character.
    const bytes = Buffer.from(value)
      .toString('latin1')
      .replace(/=([\dA-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
    return decodeBytes(Buffer.from(bytes, 'latin1'), parameters.get('CHARSET'))?.replace(/\r\n?/g, '\n');
  }
  return encoding === 'B' || encoding === 'BASE64' ? decodeBytes(Buffer.from(value, 'base64'), parameters.get('CHARSET')) : undefined;
}

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
  const isUnnamed = !last && !first && fullName !== organization;
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

  const labelOf = (property: Property) => {
    const own = property.group && properties.find(({ group, name }) => group === property.group && name === 'X-ABLABEL');
    return own ? unescape(own.value).replace(/^_\$!<(.*)>!\$_$/s, '$1') : labelOfTypes(property.types);
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
  several('TEL', 'Phone', ['Value'], ({ value }) => [
    unescape(value)
      .replace(/^tel:/i, '')
      .replace(/;ext=(\w+).*$/i, ' x$1')
      .replace(/;.*$/, ''),
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
