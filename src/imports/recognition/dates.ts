// Dates as files write them. A date that could be read in two ways is read in none, until its column or a person says
// how; see evidence.ts.
import type { DateOrder } from './mapping.ts';
import { fold } from './text.ts';

/** Bits of a set of orders. */
export const orderBits: Record<DateOrder, number> = { DMY: 1, MDY: 2, YMD: 4 };
export const everyOrder = 7;

/**
 * What a cell is: a date; NONE, which programs write for no date (`0/0/00`); YEARLESS, a day of a month or a month of a
 * year alone; SERIAL, a number of days; AMBIGUOUS with the orders that it allows; INVALID.
 */
export type ReadDate =
  | { kind: 'DATE'; date: string; orders: number }
  | { kind: 'AMBIGUOUS'; orders: number }
  | { kind: 'SERIAL'; date: string }
  | { kind: 'NONE' | 'YEARLESS' | 'INVALID' };

const none: ReadDate = { kind: 'NONE' };
const invalid: ReadDate = { kind: 'INVALID' };
const yearless: ReadDate = { kind: 'YEARLESS' };

/** A time after the date, which is cut off. */
const time = /(?:[T,]\s*|\s+)\d{1,2}[:h]\d{2}.*$/i;
const numbers = /^(\d{1,4})\s*([./-])\s*(\d{1,2})\s*\2\s*(\d{1,4})\.?$/;
const partial = /^(?:--(\d\d)-?(\d\d)|(\d{1,2})\s*[./-]\s*(\d{1,2})\.?|\d{1,2}\s*[./-]\s*\d{4}|\d{4}(?:-\d\d)?)$/;

/**
 * Reads a cell that is trimmed and not empty. `orders` are those that are possible: all of them where nothing is known
 * of the column. `latestYear` is the last year that two digits may mean.
 */
export function readDate(cell: string, orders: number, latestYear: number): ReadDate {
  if (cell.length === 10 && cell.charCodeAt(4) === 45 && cell.charCodeAt(7) === 45) {
    const date = isoDate(cell);
    if (date) return date;
  }
  if (cell.length > 60) return invalid;
  const text = cell.length > 8 ? cell.replace(time, '') : cell;
  const match = numbers.exec(text);
  if (match) return readNumbers(match, orders, latestYear);
  if (/^\d{5}(?:\.\d+)?$/.test(text)) return readSerial(text);
  if (/^\d{8}$/.test(text)) return toDate(+text.slice(0, 4), +text.slice(4, 6), +text.slice(6), everyOrder);
  if (partial.test(text)) return /^0+(?:\D0+)*$/.test(text) ? none : yearless;
  return readWords(text, latestYear);
}

/** Undefined when it is no such date. Most files have these, so it is read without cutting the text up. */
function isoDate(cell: string): ReadDate | undefined {
  const year = digits(cell, 0, 4);
  const month = digits(cell, 5, 7);
  const day = digits(cell, 8, 10);
  if (year < 0 || month < 0 || day < 0) return undefined;
  if (year === 0 && month === 0 && day === 0) return none;
  return isDay(year, month, day) ? { kind: 'DATE', date: cell, orders: everyOrder } : invalid;
}

/** The number that a part of a text is; negative when it is none. */
function digits(text: string, start: number, end: number): number {
  let number = 0;
  for (let at = start; at < end; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit < 0 || digit > 9) return -1;
    number = number * 10 + digit;
  }
  return number;
}

function readNumbers([, a, separator, b, c]: RegExpExecArray, orders: number, latestYear: number): ReadDate {
  const [first, second, third] = [+a!, +b!, +c!];
  if (first === 0 && second === 0 && third === 0) return none;
  if (a!.length > 2) return a!.length === 4 && c!.length <= 2 ? toDate(first, second, third, everyOrder) : invalid;
  if (c!.length === 3) return invalid;
  const full = c!.length === 4;
  const year = full ? third : century(third, latestYear);
  let possible = 0;
  let date: string | undefined;
  let several = false;
  const consider = (bit: number, y: number, month: number, day: number) => {
    if (!isDay(y, month, day)) return;
    possible |= bit;
    if ((orders & bit) === 0) return;
    const found = format(y, month, day);
    if (date !== undefined && date !== found) several = true;
    date ??= found;
  };
  consider(orderBits.DMY, year, second, first);
  // With dots the day is first wherever that makes a date, unless the column is known to be otherwise.
  const asked = separator !== '.' || possible === 0 || (orders & orderBits.DMY) === 0;
  if (asked) consider(orderBits.MDY, year, first, second);
  if (asked && !full) consider(orderBits.YMD, century(first, latestYear), second, third);
  if (several) return { kind: 'AMBIGUOUS', orders: possible };
  return date === undefined ? invalid : { kind: 'DATE', date, orders: possible };
}

/** A year of two digits. */
function century(year: number, latestYear: number): number {
  const inCentury = latestYear - (latestYear % 100) + year;
  return inCentury > latestYear ? inCentury - 100 : inCentury;
}

function readSerial(text: string): ReadDate {
  const days = Math.floor(Number(text));
  return { kind: 'SERIAL', date: new Date(Date.UTC(1899, 11, 30 + days)).toISOString().slice(0, 10) };
}

const monthNames = [
  'jan|january|januar|janner|janvier|janv|enero|ene|ocak|oca|januari|gennaio|gen|janeiro',
  'feb|february|februar|feber|fevrier|fevr|fev|febrero|subat|sub|februari|febbraio|fevereiro',
  'mar|march|marz|maerz|mrz|mars|marzo|mart|maart|mrt|marco',
  'apr|april|avril|avr|abril|abr|nisan|nis|aprile',
  'may|mai|mayo|mayis|mei|maggio|mag|maio',
  'jun|june|juni|juin|junio|haziran|haz|giugno|giu|junho',
  'jul|july|juli|juillet|juil|julio|temmuz|tem|luglio|lug|julho',
  'aug|august|aout|agosto|ago|agustos|agu|augustus',
  'sep|sept|september|septembre|septiembre|setiembre|eylul|eyl|settembre|set|setembro',
  'oct|october|okt|oktober|octobre|octubre|ekim|eki|ottobre|ott|outubro|out',
  'nov|november|novembre|noviembre|kasim|kas|novembro',
  'dec|december|dez|dezember|decembre|diciembre|dic|aralik|ara|dicembre|dezembro',
];
const months = new Map(monthNames.flatMap((names, index) => names.split('|').map((name) => [name, index + 1] as const)));
const ignoredWords = new Set(['de', 'del', 'of', 'le', 'the', 'er', 'st', 'nd', 'rd', 'th', 'a', 'o']);

/** `12 Oct 1990`, `October 12th, 1990`, `12. Oktober 1990`, `1er janvier 1990`, `12 de octubre de 1990`. */
function readWords(text: string, latestYear: number): ReadDate {
  let month: number | undefined;
  const found: string[] = [];
  for (const word of fold(text).match(/\d+|\p{L}+/gu) ?? []) {
    if (/^\d/.test(word)) found.push(word);
    else if (month === undefined && months.has(word)) month = months.get(word);
    else if (!ignoredWords.has(word) && !weekday.test(word)) return invalid;
  }
  if (month === undefined) return invalid;
  if (found.length === 1) return yearless;
  if (found.length !== 2) return invalid;
  const [a, b] = found as [string, string];
  if (a.length === 4 && b.length <= 2) return toDate(+a, month, +b, everyOrder);
  if (a.length <= 2 && b.length === 4) return toDate(+b, month, +a, everyOrder);
  return a.length <= 2 && b.length === 2 ? toDate(century(+b, latestYear), month, +a, everyOrder) : invalid;
}
const weekday =
  /^(?:mon|tue|wed|thu|fri|sat|sun|tues|thurs|\p{L}+day|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|mo|di|mi|do|fr|sa|so|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|lunes|martes|miercoles|jueves|viernes|sabado|domingo|pazartesi|sali|carsamba|persembe|cuma|cumartesi|pazar)$/u;

const toDate = (year: number, month: number, day: number, orders: number): ReadDate =>
  year === 0 && month === 0 && day === 0 ? none : isDay(year, month, day) ? { kind: 'DATE', date: format(year, month, day), orders } : invalid;

const pad = (value: number) => (value < 10 ? `0${value}` : String(value));
const format = (year: number, month: number, day: number) => `${String(year).padStart(4, '0')}-${pad(month)}-${pad(day)}`;

const lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** A day of the calendar that PostgreSQL also knows: it has no year 0. */
function isDay(year: number, month: number, day: number): boolean {
  if (year < 1 || month < 1 || month > 12 || day < 1) return false;
  const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  return day <= lengths[month - 1]! + (leap ? 1 : 0);
}
