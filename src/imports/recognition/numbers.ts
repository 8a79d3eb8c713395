// Numbers and amounts as files write them: `1.234,50`, `$1,234.50`, `(49.50)`, `-12,5 €`. A number that could be read in
// two ways (`1.234`) is read in none, until its column or a person says which mark begins the fraction.
import { largestAmount } from '../../domain/text.ts';
import type { DecimalMark } from './mapping.ts';

/** A plain number, as in `-1234.50`, with the mark that it shows (null: none); or why there is none. */
export type ReadNumber = { kind: 'NUMBER'; number: string; mark: DecimalMark | null; currency: string | null } | { kind: 'AMBIGUOUS' | 'INVALID' };

const invalid: ReadNumber = { kind: 'INVALID' };
const ambiguous: ReadNumber = { kind: 'AMBIGUOUS' };
/** Most cells: a plain number. */
const usual = /^-?[\d.,]*\d$/;
const form = /^([^\d.,()+-]*)(\(?)\s*([+-]?)\s*([^\d.,()+-]*)([\d.,]*\d[.,]?)\s*(-?)([^\d.,()+-]*?)(\)?)([^\d.,()+-]*)$/;

/** Reads a cell that is trimmed and not empty; `mark` begins the fraction where that is known. */
export function readNumber(cell: string, mark: DecimalMark | null): ReadNumber {
  if (cell.length > 60) return invalid;
  const match = form.exec(usual.test(cell) ? cell : tidy(cell));
  if (!match) return invalid;
  const [, a, opened, sign, b, digits, after, c, closed, d] = match as unknown as [string, ...string[]];
  if (Boolean(opened) !== Boolean(closed) || (sign && after)) return invalid;
  const unit = [a, b, c, d].map((text) => text!.trim()).filter(Boolean);
  const currency = unit.length === 0 ? null : unit.length === 1 ? readUnit(unit[0]!) : undefined;
  if (currency === undefined) return invalid;
  const read = readDigits(digits!, mark);
  if (read.kind !== 'NUMBER') return read;
  const negative = (opened || sign === '-' || after === '-') && /[1-9]/.test(read.number);
  return { ...read, currency, number: negative ? `-${read.number}` : read.number };
}

/** With one kind of minus, and without what stands between thousands, before the number, or for no cents (`50,-`). */
const tidy = (cell: string): string =>
  cell
    .replace(/[\u2212\u2013\u2014]/g, '-')
    .replace(/(?<=\d[.,])-{1,2}(?=$|[^\d.,-])/, '')
    .replace(/(?<=\d)[\s'’]+(?=\d{3}(?!\d))/g, '')
    .replace(/(?<!\d)[\s'’]+(?=\d)/g, '');

function readDigits(text: string, mark: DecimalMark | null): ReadNumber {
  const comma = text.lastIndexOf(',');
  const dot = text.lastIndexOf('.');
  if (comma < 0 && dot < 0) return number(text, '', null);
  const last = comma > dot ? ',' : '.';
  const both = comma >= 0 && dot >= 0;
  const repeated = text.indexOf(last) !== text.lastIndexOf(last);
  if (both) {
    if (repeated || (mark && mark !== last)) return invalid;
    return split(text, last);
  }
  if (repeated) return mark === last || !isGrouped(text, last) ? invalid : number(text.replaceAll(last, ''), '', other(last));
  const grouped = isGrouped(text, last);
  if (mark) return mark === last ? split(text, last) : grouped ? number(text.replace(last, ''), '', mark) : invalid;
  return grouped ? ambiguous : split(text, last);
}

const other = (mark: DecimalMark): DecimalMark => (mark === ',' ? '.' : ',');

/** Digits in groups of three: `1.234`, `12.345.678`. */
const isGrouped = (text: string, separator: DecimalMark) => (separator === ',' ? /^[1-9]\d{0,2}(?:,\d{3})+$/ : /^[1-9]\d{0,2}(?:\.\d{3})+$/).test(text);

function split(text: string, mark: DecimalMark): ReadNumber {
  const at = text.indexOf(mark);
  const whole = text.slice(0, at);
  const separator = other(mark);
  if (whole.includes(separator) && !isGrouped(whole, separator)) return invalid;
  return number(whole.replaceAll(separator, ''), text.slice(at + 1), mark);
}

const number = (whole: string, fraction: string, mark: DecimalMark | null): ReadNumber =>
  whole.length > 30 || fraction.length > 30 ? invalid : { kind: 'NUMBER', number: `${whole || '0'}${fraction && `.${fraction}`}`, mark, currency: null };

const symbols = new Map([
  ['€', 'EUR'],
  ['£', 'GBP'],
  ['₺', 'TRY'],
  ['tl', 'TRY'],
  ['us$', 'USD'],
  ['ca$', 'CAD'],
  ['c$', 'CAD'],
  ['a$', 'AUD'],
  ['au$', 'AUD'],
  ['nz$', 'NZD'],
  ['r$', 'BRL'],
  ['¥', 'JPY'],
  ['fr.', 'CHF'],
  ['sfr', 'CHF'],
  ['euro', 'EUR'],
  ['euros', 'EUR'],
  ['zł', 'PLN'],
  ['₹', 'INR'],
]);

/** The currency of a sign or code; null for signs of several currencies; undefined for anything else. */
function readUnit(unit: string): string | null | undefined {
  if (/^[A-Za-z]{3}$/.test(unit) && unit.toLowerCase() !== 'sfr') return isCurrency(unit.toUpperCase()) ? unit.toUpperCase() : undefined;
  if (unit === '$' || unit === 'kr' || unit === 'kr.') return null;
  return symbols.get(unit.toLowerCase());
}

let currencies: Set<string> | undefined;
export const isCurrency = (code: string): boolean => (currencies ??= new Set(Intl.supportedValuesOf('currency'))).has(code);

const digitsOf = new Map<string, number>();

/** How many digits amounts of a currency have behind the point. */
export function currencyDigits(currency: string): number {
  let digits = digitsOf.get(currency);
  if (digits === undefined) {
    digits = new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits ?? 2;
    digitsOf.set(currency, digits);
  }
  return digits;
}

/** The amount of a plain number in minor units; null where it has more decimals than the currency, or is too large. */
export function toMinor(plain: string, currency: string): number | null {
  const digits = currencyDigits(currency);
  const isNegative = plain.startsWith('-');
  const [whole, fraction = ''] = (isNegative ? plain.slice(1) : plain).split('.') as [string, string?];
  const [units, rest] = fraction.length > longestFraction ? rounded(whole, fraction) : [whole, fraction];
  const kept = rest.replace(/0+$/, '');
  if (kept.length > digits) return null;
  const minor = Number(units + kept.padEnd(digits, '0'));
  return minor <= largestAmount ? (isNegative ? -minor : minor) : null;
}

/** Nobody writes more decimals than this; spreadsheets keep 49.1 as 49.100000000000001 and 50 as 49.999999999999996. */
const longestFraction = 8;

/** Rounded to six decimals: what is before the point, and what is behind it. */
function rounded(whole: string, fraction: string): [string, string] {
  const millionths = BigInt(whole + fraction.slice(0, 6)) + (fraction[6]! >= '5' ? 1n : 0n);
  const text = String(millionths).padStart(7, '0');
  return [text.slice(0, -6), text.slice(-6)];
}
