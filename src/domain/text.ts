// What a value from outside must fulfil before it is kept. The codes are those of the import's row problems.
import { Refusal } from '../errors.ts';

/** The longest text of one line in characters: some are indexed, and PostgreSQL indexes no more than 2,704 bytes. */
export const lineLength = 255;
/** The longest text of many lines. */
export const textLength = 20_000;
/** The largest amount of one payment or charge in minor units. */
export const largestAmount = 1_000_000_000_000;

type Given = string | null | undefined;

/**
 * The text trimmed and in NFC, or null when there is none.
 * @throws Refusal NUL_CHARACTER, BROKEN_CHARACTER, VALUE_TOO_LONG
 */
export function readText(value: Given, path: string[], longest = lineLength): string | null {
  if (value == null) return null;
  if (value.includes('\0')) throw new Refusal('NUL_CHARACTER', 'The text has a NUL character, which can’t be stored. Nothing was changed. Remove it.', path);
  if (!value.isWellFormed())
    throw new Refusal('BROKEN_CHARACTER', 'The text has half of a character (an unpaired surrogate). Nothing was changed. Remove it.', path);
  const text = value.normalize('NFC').trim();
  if (text.length > longest)
    throw new Refusal('VALUE_TOO_LONG', `The text is longer than ${longest.toLocaleString('en')} characters. Nothing was changed. Shorten it.`, path);
  return text === '' ? null : text;
}

/** The same for a text that must be there. @throws Refusal VALUE_MISSING and those of `readText` */
export function requireText(value: Given, path: string[], longest = lineLength): string {
  const text = readText(value, path, longest);
  if (text === null) throw new Refusal('VALUE_MISSING', 'The text is empty. Nothing was changed. Fill it in.', path);
  return text;
}

/** An ISO 8601 date of the calendar that PostgreSQL also knows: it has no year 0. @throws Refusal INVALID_DATE */
export function readDate(value: Given, path: string[]): string | null {
  if (value == null || value === '') return null;
  const date = /^\d{4}-\d\d-\d\d$/.test(value) && !value.startsWith('0000') ? new Date(`${value}T00:00:00Z`) : undefined;
  if (!date || Number.isNaN(date.getTime()) || !date.toISOString().startsWith(value))
    throw new Refusal('INVALID_DATE', 'This is not a date as year-month-day. Nothing was changed. Write it like 1990-12-31.', path);
  return value;
}

/** An instant of the years 1900 to 2999. @throws Refusal INVALID_DATE */
export function readInstant(value: Date | null | undefined, path: string[]): Date | null {
  if (value == null) return null;
  const year = value.getUTCFullYear();
  if (!(year >= 1900 && year < 3000)) throw new Refusal('INVALID_DATE', 'The instant is not in the years 1900 to 2999. Nothing was changed. Correct it.', path);
  return value;
}

/** An amount of minor units above zero. @throws Refusal INVALID_AMOUNT */
export function readAmount(value: number, path: string[]): number {
  if (!Number.isSafeInteger(value) || value < 1 || value > largestAmount)
    throw new Refusal(
      'INVALID_AMOUNT',
      `An amount must be a whole number of minor units (cents), from 1 to ${largestAmount.toLocaleString('en')}. Nothing was changed.`,
      path,
    );
  return value;
}

/** An ISO 4217 code by its form. @throws Refusal INVALID_CURRENCY */
export function readCurrency(value: string, path: string[]): string {
  if (!/^[A-Z]{3}$/.test(value)) throw new Refusal('INVALID_CURRENCY', 'A currency is three capital letters, as in USD. Nothing was changed.', path);
  return value;
}

/** @throws Refusal TOO_MANY_VALUES */
export function checkLength(values: readonly unknown[], most: number, path: string[]): void {
  if (values.length > most)
    throw new Refusal('TOO_MANY_VALUES', `These are ${values.length} entries, and at most ${most} are taken at once. Nothing was changed.`, path);
}
