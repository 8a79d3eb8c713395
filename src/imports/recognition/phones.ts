// Phone numbers in E.164, by the numbering plans of libphonenumber. Its parser takes tens of microseconds for a number,
// which a million rows can't pay; so numbers are held against its plans here, by the rules that the parser goes by.
import { type CountryCode, isSupportedCountry, Metadata } from 'libphonenumber-js/core';
import metadata from 'libphonenumber-js/min/metadata';

interface Plan {
  callingCode: string;
  /** Prefixes of numbers abroad. */
  abroad: RegExp | null;
  prefix: RegExp | null;
  /** What the prefix and the groups in it become, where they are not just left out. */
  rule: string | null;
  pattern: RegExp;
}

/** What the library's own numbering plan has beside its declared members. */
interface LibraryPlan {
  callingCode(): string;
  IDDPrefix(): string | undefined;
  nationalPrefixForParsing(): string | undefined;
  nationalPrefixTransformRule(): string | undefined;
  nationalNumberPattern(): string;
}

const plans = new Map<string, Plan | null>();
const callingCodes = new Map(Object.entries(metadata.country_calling_codes));

function planOf(country: string): Plan | null {
  const known = plans.get(country);
  if (known !== undefined) return known;
  let plan: Plan | null = null;
  if (isSupportedCountry(country as CountryCode, metadata)) {
    const library = new Metadata(metadata);
    library.selectNumberingPlan(country as CountryCode);
    const found = library.numberingPlan as unknown as LibraryPlan;
    const start = (pattern: string | undefined) => (pattern ? new RegExp(`^(?:${pattern})`) : null);
    plan = {
      callingCode: found.callingCode(),
      abroad: start(found.IDDPrefix()),
      prefix: start(found.nationalPrefixForParsing()),
      rule: found.nationalPrefixTransformRule() ?? null,
      pattern: new RegExp(`^(?:${found.nationalNumberPattern()})$`),
    };
  }
  plans.set(country, plan);
  return plan;
}

const extension = /(?:;ext=|[\s,;]*(?:\b(?:extension|extn|ext|durchwahl|poste|dahili)|x|#)[\s.:]*)(\d{1,7})$/i;
const usual = /^\(?\+?[\d\s().\u00a0\u2010-\u2015/-]+$/;

/**
 * The number in E.164, or null when it can't be understood; with an extension as RFC 3966 writes it (`;ext=118`),
 * because the extensions of one number are different people. A number that names no country is of the first of the
 * countries in which there can be such a number.
 */
export function toE164(text: string, countries: readonly (string | null)[]): string | null {
  if (text.length > 60) return null;
  const last = text.charCodeAt(text.length - 1);
  const match = last >= 48 && last <= 57 ? extension.exec(text) : null;
  const base = match ? text.slice(0, match.index) : text;
  const number = readBase(base, countries);
  return number && match ? `${number};ext=${match[1]}` : number;
}

function readBase(given: string, countries: readonly (string | null)[]): string | null {
  const text = usual.test(given) ? given : inUsualForm(given);
  if (!usual.test(text)) return null;
  const international = text.includes('+');
  const digits = (international ? text.replace('(0)', '') : text).replace(/\D+/g, '');
  if (digits.length < 4 || digits.length > 20) return null;
  if (international) return readInternational(digits);
  for (const country of countries) {
    const plan = country && planOf(country);
    const number = plan ? readNational(digits, plan) : null;
    if (number) return number;
  }
  // Where no country is known, 00 is what most of the world dials abroad.
  return digits.startsWith('00') ? readInternational(digits.slice(2)) : null;
}

function readInternational(digits: string): string | null {
  for (let length = 1; length <= 3; length++) {
    const [country] = callingCodes.get(digits.slice(0, length)) ?? [];
    const plan = country ? planOf(country) : null;
    if (plan) return withPlan(digits.slice(length), plan);
  }
  return null;
}

function readNational(digits: string, plan: Plan): string | null {
  const abroad = plan.abroad?.exec(digits);
  if (abroad && digits[abroad[0].length] !== '0') {
    const number = readInternational(digits.slice(abroad[0].length));
    if (number) return number;
  }
  const number = withPlan(digits, plan);
  if (number) return number;
  if (digits.startsWith(plan.callingCode)) {
    const rest = withPlan(digits.slice(plan.callingCode.length), plan);
    if (rest) return rest;
  }
  // Countries that share a calling code call each other as at home.
  const main = planOf(callingCodes.get(plan.callingCode)![0]!);
  return main && main !== plan ? withPlan(digits, main) : null;
}

/** A national number without what is only dialled within the country; null where the plan has no such number. */
function withPlan(digits: string, plan: Plan): string | null {
  const match = plan.prefix?.exec(digits);
  if (match) {
    const stripped = plan.rule && match.length > 1 && match[match.length - 1] ? digits.replace(plan.prefix!, plan.rule) : digits.slice(match[0].length);
    if (plan.pattern.test(stripped)) return `+${plan.callingCode}${stripped}`;
  }
  return plan.pattern.test(digits) ? `+${plan.callingCode}${digits}` : null;
}

/** Without a word in front (“Tel.”) or behind (“(office)”), and with the digits of other scripts as 0 to 9. */
const inUsualForm = (text: string): string =>
  text
    .normalize('NFKC')
    .replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (digit) => String(digit.charCodeAt(0) & 15))
    .replace(/^\p{L}+[.:\s]+/u, '')
    .replace(/\s*\(\p{L}[^()\d]*\)$/u, '');
