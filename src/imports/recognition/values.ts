// Cells that hold several values, and cells that hold two things.
import { normalizeEmail } from '../../domain/email.ts';
import { betweenValues } from '../sheet.ts';

/** The parts of a cell by the first of the separators that it has. */
function split(cell: string, separators: readonly (string | RegExp)[]): string[] {
  for (const separator of [betweenValues, ...separators])
    if (typeof separator === 'string' ? cell.includes(separator) : separator.test(cell))
      return cell
        .split(separator)
        .map((part) => part.trim())
        .filter((part) => part !== '');
  return [cell];
}

const several = /[,;|\r\n]|:::/;

/** `one; two`, `one, two`, `one | two`, one on each line; and `"Member","2026 regatta"`, as Mailchimp quotes them. */
export function splitTags(cell: string): string[] {
  if (!several.test(cell) && !cell.startsWith('"') && !cell.startsWith('*')) return [cell];
  if (/^"(?:[^"]|"")*"(?:\s*,\s*"(?:[^"]|"")*")*$/.test(cell))
    return [...cell.matchAll(/"((?:[^"]|"")*)"/g)].map(([, tag]) => tag!.replaceAll('""', '"').trim()).filter((tag) => tag !== '');
  // Google marks its own groups with an asterisk; everybody is in “myContacts”.
  return split(cell, [';', '|', /[\r\n]+/, ','])
    .map((tag) => tag.replace(/^\*\s*/, ''))
    .filter((tag) => tag !== '' && !/^(?:my ?contacts|starred)$/i.test(tag));
}

const plainEmail = /^[a-z0-9_+-]+(?:\.[a-z0-9_+-]+)*@(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/i;

const isPlainEmail = (text: string): boolean => text.length <= 64 && plainEmail.test(text) && !/xn--/i.test(text);

/** True for an address that mail could reach; most are recognized without all that `normalizeEmail` does. */
export const isEmail = (text: string): boolean => isPlainEmail(text) || normalizeEmail(text) !== null;

/** True for two spellings of one address. */
export const isSameEmail = (a: string, b: string): boolean =>
  a.toLowerCase() === b.toLowerCase() || ((!isPlainEmail(a) || !isPlainEmail(b)) && normalizeEmail(a) === normalizeEmail(b));

/** Not one within a name, which a < follows; and no further before the @ than an address is long. */
const commaBeforeEmail = /,(?=[^<@]{0,300}@)/;
/** Behind an address, with or without its bracket; in a name (`Bell, Ann <a@x.org>`) it stands before. */
const commaAfterEmail = /(?<=@[^\s,<>@]{1,255}>?\s?),/;

/** The addresses of a cell with the names that stand beside them; null where one of them is no address. */
export function splitEmails(cell: string): { email: string; name: string | null }[] | null {
  if (isEmail(cell)) return [{ email: cell, name: null }];
  if (cell.length > 5_000) return null;
  const words = cell.split(/\s+/);
  const parts =
    words.length > 1 && words.every((word) => word.includes('@'))
      ? words.map((word) => word.replace(/[;,|]$/, ''))
      : split(cell, [';', '|', /[\r\n]+/, commaBeforeEmail, commaAfterEmail]);
  const found: { email: string; name: string | null }[] = [];
  for (const part of parts) {
    const [, name, email] = part.length > 400 ? [] : (/^"?([^<"]*)"?\s*<([^<>\s]+)>$/.exec(part) ?? []);
    const address = (email ?? part).replace(/^mailto:/i, '');
    if (!isEmail(address)) return null;
    found.push({ email: address, name: name?.trim() || null });
  }
  return found;
}

/** The numbers of a cell. */
export function splitPhones(cell: string): string[] {
  if (!/[,;|/\r\n:]| (?:or?|ou|oder) /.test(cell)) return [cell];
  const parts = split(cell, [/[|\r\n]+/, /;(?!\s*ext)/i, /(?<=\s)(?:or?|ou|oder)(?=\s)/i]).flatMap((part) =>
    numbersOf(part, ',').flatMap((one) => numbersOf(one, '/')),
  );
  return parts.map((part) => part.replace(/^tel:/i, '')).filter((part) => part !== '');
}

/** A comma or slash between two numbers separates them; within one it is a mark. */
function numbersOf(text: string, separator: string): string[] {
  const parts = text.split(separator).map((part) => part.trim());
  return parts.length > 1 && parts.every((part) => part.replace(/\D/g, '').length >= 7) ? parts : [text];
}

/** The websites of a cell; a text that has other words in it stays as it is. */
export const splitWebsites = (cell: string): string[] =>
  split(cell, []).flatMap((one) => {
    const parts = split(one, [/[\s|]+/, /[;,]\s*(?=https?:|www\.)/i]);
    return parts.every((part) => /[.:/]/.test(part)) ? parts : [one];
  });

/** `12203 Berlin`, `D-12203 Berlin`, `1012 AB Amsterdam`, `SW1A 1AA London`; what has no such code is a city. */
export function splitPostalCode(cell: string): { postalCode?: string; city?: string } {
  const match = /^((?:[A-Z]{1,3}-\s?)?(?:\d{2}-\d{3}|\d{3,6})(?:[\s-]\d{2,4}(?!\S)|\s?[A-Z]{2}(?=\s))?|[A-Z]{1,2}\d[A-Z\d]?\s\d[A-Z]{2})(?:[\s,/]+(.+))?$/.exec(
    cell,
  );
  if (!match) return { city: cell };
  return { postalCode: match[1]!, ...(match[2] && { city: match[2] }) };
}

/** Mailchimp’s addresses, whose parts have two spaces between them: `5 Main St  Apt 4  Springfield  IL  62701  US`. */
export function splitAddress(cell: string): { street: string; city: string; region: string; postalCode: string; country: string } | null {
  const parts = cell.split(/ {2,}/);
  const [country, postalCode, region, city] = parts.slice(-4).toReversed();
  if (parts.length < 5 || !/^[A-Z]{2}$/.test(country!) || !/\d/.test(postalCode!)) return null;
  return { street: parts.slice(0, -4).join(', '), city: city!, region: region!, postalCode: postalCode!, country: country! };
}

const yes = new Set('true yes y ja j oui o si sí s evet e sim 1 x ✓ ✔ on vero wahr vrai verdadero doğru'.split(' '));
const no = new Set('false no n nein non hayır hayir h nee não nao 0 off falso falsch faux yanlış -'.split(' '));

export function readBoolean(cell: string): 'true' | 'false' | null {
  const text = cell.toLocaleLowerCase('en');
  return yes.has(text) ? 'true' : no.has(text) ? 'false' : null;
}
