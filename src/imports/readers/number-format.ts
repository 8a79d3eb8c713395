// A number in a workbook as its number format shows it, where that changes what it says: dates, times, leading zeros,
// percentages. Everything else is the plain number with a point and without an exponent.

export type ShowNumber = (value: string) => string;

/** A number without a format: Excel keeps 15 digits, and what is beyond is an error of binary fractions. */
export function plainNumber(value: string): string {
  if (/^-?\d{1,20}$/.test(value)) return value;
  const number = Number(value);
  if (value.trim() === '' || !Number.isFinite(number)) return value;
  return number.toLocaleString('en', { useGrouping: false, maximumSignificantDigits: 15 }).replace(/^-0$/, '0');
}

/** @param code of the format, if it is none of those that are built in */
export function numberFormat(id: number, code: string | undefined, is1904: boolean): ShowNumber {
  const shown = code === undefined ? undefined : shownPart(code);
  if (shown === undefined) {
    if (id === 9 || id === 10) return percentage;
    const kind = builtInKind(id);
    return kind ? (value) => momentText(value, kind, is1904) : plainNumber;
  }
  const hasDate = /[dy]/i.test(shown);
  const hasTime = /[hs]/i.test(shown);
  // In a format that has neither days nor hours, m are months.
  if (hasDate || hasTime || /m/i.test(shown)) return (value) => momentText(value, hasTime ? (hasDate ? 'BOTH' : 'TIME') : 'DATE', is1904);
  if (shown.includes('%')) return percentage;
  return zeroPadded(code!) ?? plainNumber;
}

/** The first section, which is that of positive numbers, without texts, colors, conditions and paddings. */
const shownPart = (code: string) =>
  code
    .replace(/"[^"]*"|\\.|[_*]./gs, '')
    .replace(/\[(?![hms]+\])[^\]]*\]/gi, '')
    .split(';', 1)[0]!
    .replace(/general|standard|am\/pm|a\/p|e[+-]/gi, '');

type Kind = 'DATE' | 'TIME' | 'BOTH';

/** ECMA-376 part 1, 18.8.30; those from 27 to 36 and from 50 to 58 are the dates of East Asian languages. */
function builtInKind(id: number): Kind | undefined {
  if (id === 22) return 'BOTH';
  if ((id >= 18 && id <= 21) || (id >= 32 && id <= 35) || (id >= 45 && id <= 47) || id === 55 || id === 56) return 'TIME';
  return (id >= 14 && id <= 17) || (id >= 27 && id <= 36) || (id >= 50 && id <= 58) ? 'DATE' : undefined;
}

const lastDay = 2_958_465;
const day = 86_400;
const midnight = '00:00:00';

/** ISO 8601. A moment at midnight is its date. What lies outside of the calendar stays a number. */
function momentText(value: string, kind: Kind, is1904: boolean): string {
  const number = Number(value);
  const seconds = Math.round(number * day);
  const days = Math.floor(seconds / day);
  if (value.trim() === '' || !(seconds >= 0) || days > lastDay) return plainNumber(value);
  const time = seconds % day === 0 ? midnight : new Date((seconds % day) * 1000).toISOString().slice(11, 19);
  // Times alone, and spans of time, which may be longer than a day.
  if (kind === 'TIME') return days === 0 ? time : `${days * 24 + Number(time.slice(0, 2))}${time.slice(2)}`;
  if (days === 0 && !is1904) return plainNumber(value);
  const date = dateText(days, is1904);
  return kind === 'DATE' || time === midnight ? date : `${date}T${time}`;
}

function dateText(days: number, is1904: boolean): string {
  if (is1904) return isoDate(Date.UTC(1904, 0, 1 + days));
  // The system of 1900 has a day that never was.
  if (days === 60) return '1900-02-29';
  return isoDate(Date.UTC(1899, 11, (days < 60 ? 31 : 30) + days));
}

/** A sheet repeats its dates, and has not more of them than centuries have days. */
const isoDates = new Map<number, string>();

function isoDate(time: number): string {
  const known = isoDates.get(time);
  if (known !== undefined) return known;
  if (isoDates.size >= 50_000) isoDates.clear();
  const text = new Date(time).toISOString().slice(0, 10);
  isoDates.set(time, text);
  return text;
}

/** An ISO 8601 date in a cell of that type. */
export const dateCell = (value: string) => value.replace(/T00:00:00(?:\.0+)?Z?$/, '').replace(/(T\d\d:\d\d:\d\d)(?:\.\d+)?Z?$/, '$1');

const percentage: ShowNumber = (value) => {
  const number = Number(value);
  return Number.isFinite(number) && value.trim() !== '' ? `${plainNumber(String(Number((number * 100).toPrecision(15))))}%` : value;
};

/** Formats like `00000` and `000-00-0000`: of zeros alone, and of what stands between them. */
function zeroPadded(code: string): ShowNumber | undefined {
  const tokens = code
    .split(';', 1)[0]!
    .replace(/\[[^\]]*\]|[_*]./g, '')
    .match(/"[^"]*"|\\.|[\s\S]/g);
  const zeros = tokens?.filter((token) => token === '0').length ?? 0;
  if (!tokens || zeros < 2 || tokens.some((token) => /^[#?.,%@Ee]$/.test(token))) return undefined;
  return (value) => {
    const number = Number(value);
    if (!/^\d/.test(value) || !Number.isSafeInteger(number)) return plainNumber(value);
    let digits = String(number).padStart(zeros, '0');
    let text = '';
    let left = zeros;
    for (const token of tokens) {
      if (token === '0') {
        const taken = digits.length - --left;
        text += digits.slice(0, taken);
        digits = digits.slice(taken);
      } else {
        text += token.startsWith('"') ? token.slice(1, -1) : token.startsWith('\\') ? token.slice(1) : token;
      }
    }
    return text;
  };
}
