// A row becomes a draft of a contact, or comes out with all that is wrong with it. Nothing is guessed and nothing is
// lost: what has no place of its own is kept as a note under the name of its column.
import { lineLength, textLength } from '../../domain/text.ts';
import type { RowDraft } from '../draft.ts';
import type { RowProblem } from '../problems.ts';
import type { SheetRow } from '../sheet.ts';
import { countryCode, countryName } from './countries.ts';
import { everyOrder, orderBits, readDate } from './dates.ts';
import { type ColumnMapping, type ColumnTarget, type Known, latestYearOf, type TargetField, type ValueSettings } from './mapping.ts';
import { splitName } from './names.ts';
import { readNumber, toMinor } from './numbers.ts';
import { toE164 } from './phones.ts';
import { foldWords } from './text.ts';
import { isSameEmail, readBoolean, splitAddress, splitEmails, splitPhones, splitPostalCode, splitTags, splitWebsites } from './values.ts';

/** The longest value of a contact point, and the longest name of a tag, in characters. */
const pointLength = 1_000;
const tagLength = 100;
/** The most contact points, tags and notes of one contact. */
const mostValues = 50;

interface Address {
  label: string | null;
  street: string | undefined;
  city: string | undefined;
  region: string | undefined;
  postalCode: string | undefined;
  country: string | undefined;
  whole: string | undefined;
}

interface Membership {
  planName?: string;
  startsOn?: string;
  endsOn?: string;
}

/** A row while it is read. */
interface Work {
  cells: readonly string[];
  problems: RowProblem[];
  draft: RowDraft;
  middleName: string | undefined;
  suffix: string | undefined;
  names: { name: string; header: string; lastFirst: boolean }[];
  phones: { value: string; label: string | null }[];
  addresses: (Address | undefined)[];
  memberships: (Membership | undefined)[];
  /** What has no place of its own. */
  rest: string[];
}

type Read = (value: string, work: Work) => void;

interface Column {
  index: number;
  read: Read;
}

type LineField = 'memberNumber' | 'firstName' | 'lastName' | 'company' | 'jobTitle';

/** Made once for a file, with the mappings as `Evidence` has settled them. */
export class Drafter {
  private readonly columns: Column[] = [];
  private readonly plans: Set<string>;
  private readonly foldedPlans: Map<string, string>;
  private readonly groups = new Map<string, number>();
  private readonly membershipOrdinals: (number | null)[] = [];
  private readonly labelColumns = new Map<string, number>();
  private readonly countries: (string | null)[];

  constructor(
    mappings: readonly ColumnMapping[],
    private readonly settings: ValueSettings,
    known: Known,
  ) {
    this.plans = new Set(known.plans);
    this.foldedPlans = byFoldedName(known.plans);
    this.countries = [settings.country];
    for (const { index, target } of mappings) {
      const kind = target && labelled[target.field];
      if (target && kind) this.labelColumns.set(`${kind} ${target.ordinal ?? ''}`, index);
    }
    const emails = mappings.filter(({ target }) => target?.field === 'EMAIL');
    const others = mappings.filter(({ target }) => target?.field !== 'EMAIL');
    for (const mapping of [...emails, ...others]) {
      const { index, target } = mapping;
      if (target && !labelled[target.field]) this.columns.push({ index, read: this.reader(mapping, target, known) });
    }
  }

  /** A pure function of the row. */
  draft({ cells, problem }: SheetRow): { draft: RowDraft } | { problems: RowProblem[] } {
    if (problem) return { problems: [problem] };
    const work: Work = {
      cells,
      problems: [],
      draft: { fields: {}, contactPoints: [], phones: [], tags: [], customFields: [], notes: [], memberships: [], openingBalances: [] },
      middleName: undefined,
      suffix: undefined,
      names: [],
      phones: [],
      addresses: [],
      memberships: [],
      rest: [],
    };
    for (const { index, read } of this.columns) {
      const cell = cells[index];
      if (cell === undefined || cell === '') continue;
      const value = compose(cell);
      if (value !== '') read(value, work);
    }
    finishNames(work);
    finishAddresses(work);
    this.finishPhones(work);
    finishMemberships(work);
    if (work.rest.length > 0) work.draft.notes.push(work.rest.join('\n'));
    check(work);
    return work.problems.length > 0 ? { problems: work.problems } : { draft: work.draft };
  }

  private reader(mapping: ColumnMapping, target: ColumnTarget, known: Known): Read {
    const { header } = mapping;
    const label = this.labelOf(target);
    const guard = (longest: number, read: Read): Read =>
      function guarded(value, work) {
        const fault = faultOf(value, longest);
        if (fault) work.problems.push({ ...fault, column: header });
        else read(value, work);
      };
    const field = (name: LineField) => guard(lineLength, (value, { draft, rest }) => setOnce(draft.fields, name, oneLine(value), header, rest));
    switch (target.field) {
      case 'FIRST_NAME':
        return field('firstName');
      case 'LAST_NAME':
        return field('lastName');
      case 'MIDDLE_NAME':
        return guard(lineLength, (value, work) => void (work.middleName = work.middleName ? `${work.middleName} ${oneLine(value)}` : oneLine(value)));
      case 'NAME_SUFFIX':
        return guard(lineLength, (value, work) => void (work.suffix = work.suffix ? `${work.suffix} ${oneLine(value)}` : oneLine(value)));
      case 'FULL_NAME':
      case 'FULL_NAME_LAST_FIRST': {
        const lastFirst = target.field === 'FULL_NAME_LAST_FIRST';
        return guard(lineLength, (value, { names }) => void names.push({ name: oneLine(value), header, lastFirst }));
      }
      case 'EMAIL':
      case 'FURTHER_EMAIL':
        return guard(textLength, (value, work) => {
          const found = splitEmails(value);
          if (!found) work.problems.push({ ...invalidEmail, column: header });
          else
            for (const { email, name } of found) {
              addEmail(work.draft, email, label(work));
              if (name) work.names.push({ name, header, lastFirst: false });
            }
        });
      case 'PHONE':
        return guard(textLength, (value, work) => {
          for (const phone of splitPhones(value)) work.phones.push({ value: phone, label: label(work) });
        });
      case 'WEBSITE':
        return guard(textLength, (value, work) => {
          for (const website of splitWebsites(value)) addPoint(work.draft, 'WEBSITE', website, label(work));
        });
      case 'STREET':
        return this.addressReader(
          target,
          guard,
          (address, value) => void (address.street = address.street ? joinStreet(address.street, oneAddress(value)) : oneAddress(value)),
        );
      case 'CITY':
        return this.addressReader(target, guard, (address, value, work) => setOnce(address, 'city', oneLine(value), header, work.rest));
      case 'REGION':
        return this.addressReader(target, guard, (address, value, work) => setOnce(address, 'region', oneLine(value), header, work.rest));
      case 'POSTAL_CODE':
        return this.addressReader(target, guard, (address, value, work) => setOnce(address, 'postalCode', oneLine(value), header, work.rest));
      case 'POSTAL_CODE_AND_CITY':
        return this.addressReader(target, guard, (address, value, work) => {
          const { postalCode, city } = splitPostalCode(oneLine(value));
          if (postalCode) setOnce(address, 'postalCode', postalCode, header, work.rest);
          if (city) setOnce(address, 'city', city, header, work.rest);
        });
      case 'COUNTRY':
        return this.addressReader(target, guard, (address, value, work) => setOnce(address, 'country', countryName(oneLine(value)), header, work.rest));
      case 'FULL_ADDRESS':
        return this.addressReader(
          target,
          guard,
          (address, value, work) => {
            const parts = splitAddress(value);
            if (parts && address.street === undefined && address.city === undefined) Object.assign(address, parts, { country: countryName(parts.country) });
            else setOnce(address, 'whole', oneAddress(value).replace(/\s{2,}/g, ', '), header, work.rest);
          },
          pointLength,
        );
      case 'BIRTH_DATE': {
        const read = this.dateReader(mapping);
        return (value, work) => {
          const date = read(value, work, true);
          if (date) setOnce(work.draft.fields, 'birthDate', date, header, work.rest);
        };
      }
      case 'MEMBER_NUMBER':
        return field('memberNumber');
      case 'COMPANY':
        return field('company');
      case 'JOB_TITLE':
        return field('jobTitle');
      case 'TAGS':
        return guard(textLength, (value, work) => {
          for (const tag of splitTags(value))
            if (tag.length > tagLength) work.problems.push({ ...tooLong(tagLength), column: header });
            else if (!work.draft.tags.includes(tag)) work.draft.tags.push(tag);
        });
      case 'NOTE': {
        const start = target.label ? `${target.label}: ` : '';
        return guard(textLength - start.length, (value, { draft }) => void draft.notes.push(start + value));
      }
      case 'MEMBERSHIP_PLAN': {
        const at = this.membershipAt(target);
        return (value, work) => {
          const planName = this.plans.has(value) ? value : this.foldedPlans.get(foldWords(value));
          if (planName === undefined) work.problems.push({ ...unknownPlan, column: header });
          setOnce((work.memberships[at] ??= {}), 'planName', planName ?? '', header, work.rest);
        };
      }
      case 'MEMBERSHIP_START':
      case 'MEMBERSHIP_END': {
        const at = this.membershipAt(target);
        const name = target.field === 'MEMBERSHIP_START' ? 'startsOn' : 'endsOn';
        const read = this.dateReader(mapping);
        return (value, work) => {
          const date = read(value, work, false);
          if (date !== null) setOnce((work.memberships[at] ??= {}), name, date, header, work.rest);
        };
      }
      case 'OPENING_BALANCE':
      case 'AMOUNT_DUE':
        return this.amountReader(mapping, target);
      case 'CUSTOM_FIELD':
        return this.customReader(mapping, target, known, guard);
      default:
        throw new Error(`No column can be read as ${target.field}.`);
    }
  }

  /** What the values of a column are for: what the row says in the column beside it, or what the header says. */
  private labelOf({ field, label, ordinal }: ColumnTarget): (work: Work) => string | null {
    const kind = pointFields[field];
    const index = kind ? this.labelColumns.get(`${kind} ${ordinal ?? ''}`) : undefined;
    const own = label ?? null;
    if (index === undefined) return () => own;
    return ({ cells, problems }) => {
      // Google marks the labels that are its own with an asterisk.
      const cell = cells[index] ?? '';
      const text = compose(cell.startsWith('*') ? cell.slice(1) : cell);
      const fault = text && faultOf(text, lineLength);
      if (fault) problems.push(fault);
      return text || own;
    };
  }

  private addressReader(
    target: ColumnTarget,
    guard: (longest: number, read: Read) => Read,
    read: (address: Address, value: string, work: Work) => void,
    longest = lineLength,
  ): Read {
    const key = `${target.label ?? ''} ${target.ordinal ?? ''}`;
    const at = this.groups.get(key) ?? this.groups.size;
    this.groups.set(key, at);
    const label = this.labelOf(target);
    return guard(longest, (value, work) => {
      const address = (work.addresses[at] ??= {
        label: label(work),
        street: undefined,
        city: undefined,
        region: undefined,
        postalCode: undefined,
        country: undefined,
        whole: undefined,
      });
      read(address, value, work);
    });
  }

  private membershipAt({ ordinal }: ColumnTarget): number {
    const at = this.membershipOrdinals.indexOf(ordinal ?? null);
    return at < 0 ? this.membershipOrdinals.push(ordinal ?? null) - 1 : at;
  }

  /** Reads a date. Null: there is none; empty: there is a problem. */
  private dateReader(mapping: ColumnMapping): (value: string, work: Work, yearless: boolean) => string | null {
    const { header, dateForm } = mapping;
    const order = mapping.dateOrder ?? this.settings.dateOrder;
    const orders = order ? orderBits[order] : everyOrder;
    const latestYear = latestYearOf(mapping);
    return (value, { problems, rest }, yearless) => {
      const read = readDate(value, orders, latestYear);
      if (read.kind === 'DATE' && (order || dateForm !== 'MIXED' || read.orders === everyOrder)) return read.date;
      if (read.kind === 'SERIAL' && dateForm === 'SERIAL') return read.date;
      if (read.kind === 'NONE') return null;
      if (read.kind === 'YEARLESS' && yearless) {
        rest.push(`${header}: ${value}`);
        return null;
      }
      problems.push({ ...(read.kind === 'AMBIGUOUS' || read.kind === 'DATE' ? ambiguousDate : invalidDate), column: header });
      return '';
    };
  }

  private amountReader({ header, decimal }: ColumnMapping, { field, currency }: ColumnTarget): Read {
    const mark = decimal ?? this.settings.decimal;
    return (value, { draft, problems }) => {
      const read = readNumber(value, mark);
      if (read.kind === 'AMBIGUOUS') problems.push({ ...ambiguousNumber, column: header });
      const unit = (read.kind === 'NUMBER' && read.currency) || currency || this.settings.currency;
      const amount = read.kind === 'NUMBER' ? toMinor(read.number, unit) : null;
      if (read.kind === 'INVALID' || (read.kind === 'NUMBER' && amount === null)) problems.push({ ...invalidAmount, column: header });
      if (amount) draft.openingBalances.push({ amountMinor: field === 'AMOUNT_DUE' ? -amount : amount, currency: unit });
    };
  }

  private customReader(mapping: ColumnMapping, { customFieldKey }: ColumnTarget, known: Known, guard: (longest: number, read: Read) => Read): Read {
    const { header, decimal } = mapping;
    const field = known.customFields.find(({ key }) => key === customFieldKey);
    const unknown: RowProblem = {
      code: 'UNKNOWN_CUSTOM_FIELD',
      column: header,
      message: 'The organization has no such custom field. Make it, or choose something else for this column.',
    };
    if (!field) return (_, { problems }) => void problems.push(unknown);
    const { key, kind } = field;
    const set = (value: string, { draft, rest }: Work) => {
      const earlier = draft.customFields.find((one) => one.key === key);
      if (!earlier) draft.customFields.push({ key, value });
      else if (earlier.value !== value) rest.push(`${header}: ${value}`);
    };
    const invalid: RowProblem = {
      code: 'INVALID_CUSTOM_FIELD',
      column: header,
      message: `The custom field ${key} takes a ${kind}. Correct the value, or leave the cell empty.`,
    };
    if (kind === 'TEXT') return guard(textLength, set);
    if (kind === 'BOOLEAN')
      return (value, work) => {
        const read = readBoolean(value);
        if (read) set(read, work);
        else work.problems.push(invalid);
      };
    if (kind === 'NUMBER') {
      const mark = decimal ?? this.settings.decimal;
      return (value, work) => {
        const read = readNumber(value, mark);
        if (read.kind === 'NUMBER') set(read.number, work);
        else work.problems.push(read.kind === 'AMBIGUOUS' ? { ...ambiguousNumber, column: header } : invalid);
      };
    }
    const readDate = this.dateReader(mapping);
    return (value, work) => {
      const date = readDate(value, work, false);
      if (date) set(date, work);
    };
  }

  private finishPhones({ phones, draft }: Work): void {
    if (phones.length === 0) return;
    const code = draft.fields.country === undefined ? null : countryCode(draft.fields.country);
    const countries = code && code !== this.settings.country ? [code, this.settings.country] : this.countries;
    for (const { value, label } of phones) {
      addPoint(draft, 'PHONE', value, label);
      const number = toE164(value, countries);
      if (number && !draft.phones.includes(number)) draft.phones.push(number);
    }
  }
}

/** The plans by their names in one case without accents, where that is one plan only. */
function byFoldedName(names: readonly string[]): Map<string, string> {
  const folded = names.map(foldWords);
  return new Map(folded.flatMap((key, index) => (key !== '' && folded.indexOf(key) === folded.lastIndexOf(key) ? [[key, names[index]!] as const] : [])));
}

/** Whose label a column has. */
const labelled: Partial<Record<TargetField, 'EMAIL' | 'PHONE' | 'ADDRESS' | 'WEBSITE'>> = {
  EMAIL_LABEL: 'EMAIL',
  PHONE_LABEL: 'PHONE',
  ADDRESS_LABEL: 'ADDRESS',
  WEBSITE_LABEL: 'WEBSITE',
};
const pointFields: Partial<Record<TargetField, 'EMAIL' | 'PHONE' | 'ADDRESS' | 'WEBSITE'>> = {
  EMAIL: 'EMAIL',
  FURTHER_EMAIL: 'EMAIL',
  PHONE: 'PHONE',
  WEBSITE: 'WEBSITE',
  STREET: 'ADDRESS',
  CITY: 'ADDRESS',
  REGION: 'ADDRESS',
  POSTAL_CODE: 'ADDRESS',
  POSTAL_CODE_AND_CITY: 'ADDRESS',
  COUNTRY: 'ADDRESS',
  FULL_ADDRESS: 'ADDRESS',
};

/** What is in NFC whatever it is: ASCII. */
const plain = /^[\t\n\r -~]*$/;
const compose = (cell: string): string => (plain.test(cell) ? cell : cell.normalize('NFC')).trim();
const lineBreak = /\s*[\r\n]+\s*/g;

const oneLine = (value: string): string => (value.includes('\n') || value.includes('\r') ? value.replace(lineBreak, ' ') : value);
const oneAddress = (value: string): string => (value.includes('\n') || value.includes('\r') ? value.replace(lineBreak, ', ') : value);

/** A house number stands beside its street, anything else after it. */
const joinStreet = (street: string, more: string): string => (/^\d+\s?[a-z]?$/i.test(more) ? `${street} ${more}` : `${street}, ${more}`);

/** A second value for a field that has one goes to the rest. */
function setOnce<Name extends string>(owner: { [name in Name]?: string | undefined }, name: Name, value: string, header: string, rest: string[]): void {
  const earlier = owner[name];
  if (earlier === undefined) owner[name] = value;
  else if (earlier !== value && value !== '') rest.push(`${header}: ${value}`);
}

function addEmail(draft: RowDraft, email: string, label: string | null): void {
  const own = draft.fields.email;
  if (own === undefined) draft.fields.email = email;
  else if (!isSameEmail(own, email)) addPoint(draft, 'EMAIL', email, label);
}

function addPoint({ contactPoints }: RowDraft, kind: RowDraft['contactPoints'][number]['kind'], value: string, label: string | null): void {
  for (const point of contactPoints) if (point.kind === kind && point.value.toLowerCase() === value.toLowerCase()) return;
  contactPoints.push({ kind, label, value });
}

function finishNames({ draft: { fields }, names, middleName, suffix, rest }: Work): void {
  for (const { name, header, lastFirst } of names) {
    if (fields.firstName === undefined && fields.lastName === undefined) Object.assign(fields, splitName(name, lastFirst));
    else if (!hasWords([fields.firstName, middleName, fields.lastName, suffix], name)) rest.push(`${header}: ${name}`);
  }
  if (middleName) fields.firstName = fields.firstName === undefined ? middleName : `${fields.firstName} ${middleName}`;
  if (suffix) fields.lastName = fields.lastName === undefined ? suffix : `${fields.lastName} ${suffix}`;
}

/** True where every word of a text is in the others. */
function hasWords(texts: readonly (string | undefined)[], text: string): boolean {
  const known = new Set(texts.flatMap((one) => (one ? foldWords(one).split(' ') : [])));
  return foldWords(text)
    .split(' ')
    .every((word) => known.has(word));
}

function finishAddresses({ draft, addresses }: Work): void {
  let own: Address | undefined;
  for (const address of addresses) {
    if (!address) continue;
    const { street, city, postalCode, country, region, whole } = address;
    if (!own && (street ?? city ?? postalCode ?? country) !== undefined) {
      own = address;
      if (street !== undefined) draft.fields.street = street;
      if (city !== undefined) draft.fields.city = city;
      if (postalCode !== undefined) draft.fields.postalCode = postalCode;
      if (country !== undefined) draft.fields.country = country;
      if (region === undefined && (whole === undefined || hasWords([street, city, postalCode, country], whole))) continue;
    } else if (own && street === own.street && city === own.city && postalCode === own.postalCode && country === own.country && region === own.region) continue;
    addPoint(draft, 'ADDRESS', wholeOf(address), address.label);
  }
}

/** An address in one line: as the row has it where that says all, or from its parts. */
function wholeOf({ street, city, region, postalCode, country, whole }: Address): string {
  const parts = [street, city, region, postalCode, country].filter((part) => part !== undefined);
  if (whole !== undefined && (parts.every((part) => whole.includes(part)) || hasWords([whole], parts.join(' ')))) return whole;
  const place = [[city, region].filter(Boolean).join(', '), postalCode].filter(Boolean).join(' ');
  return [street, place, country, whole].filter(Boolean).join(', ');
}

function finishMemberships({ memberships, draft, problems }: Work): void {
  for (const membership of memberships) {
    if (!membership) continue;
    const { planName, startsOn, endsOn } = membership;
    // Of an empty text the problem is known already.
    if (planName === undefined || startsOn === undefined) problems.push(incompleteMembership);
    else if (endsOn && startsOn && endsOn < startsOn) problems.push(endsBeforeStart);
    else if (planName && startsOn && endsOn !== '') draft.memberships.push({ planName, startsOn, endsOn: endsOn ?? null });
  }
}

/** What only the whole draft shows. */
function check({ draft, problems }: Work): void {
  const { fields, contactPoints, tags, notes } = draft;
  if (problems.length > 0) return;
  if (!fields.firstName && !fields.lastName && !fields.company && !fields.email) problems.push(noName);
  if (contactPoints.length > mostValues || tags.length > mostValues || notes.length > mostValues) problems.push(tooManyValues);
  for (const value of [fields.firstName, fields.lastName, fields.street])
    if (value !== undefined && value.length > lineLength) problems.push(tooLong(lineLength));
  if (contactPoints.some(({ value }) => value.length > pointLength)) problems.push(tooLong(pointLength));
  if (notes.some((note) => note.length > textLength)) problems.push(tooLong(textLength));
}

function faultOf(value: string, longest: number): RowProblem | null {
  if (value.length > longest) return tooLong(longest);
  if (plain.test(value)) return null;
  if (value.includes('\0')) return { code: 'NUL_CHARACTER', message: 'The cell contains a NUL character, which is not text. Type the cell again.' };
  if (!value.isWellFormed()) return { code: 'BROKEN_CHARACTER', message: 'The cell contains half of a character, which is not text. Type the cell again.' };
  return null;
}

const tooLong = (longest: number): RowProblem => ({
  code: 'VALUE_TOO_LONG',
  message: `This is longer than ${longest.toLocaleString('en')} characters. Shorten it.`,
});

const invalidEmail: RowProblem = {
  code: 'INVALID_EMAIL',
  message: 'This is not an email address. Write it like name@example.org, or leave the cell empty.',
};
const invalidDate: RowProblem = {
  code: 'INVALID_DATE',
  message: 'This is not a date, or not in the order of the others in its column. Write it like 1990-12-31, or leave the cell empty.',
};
const ambiguousDate: RowProblem = {
  code: 'AMBIGUOUS_DATE',
  message: 'Whether the day or the month is first in this date is not clear, and no other row of the column shows it. Answer the question about this column.',
};
const ambiguousNumber: RowProblem = {
  code: 'AMBIGUOUS_NUMBER',
  message: 'Whether this number has thousands or a fraction is not clear, and no other row of the column shows it. Answer the question about this column.',
};
const invalidAmount: RowProblem = {
  code: 'INVALID_AMOUNT',
  message: 'This is not an amount, or has more decimals than its currency. Write it like -1234.50, or leave the cell empty.',
};
const unknownPlan: RowProblem = {
  code: 'UNKNOWN_PLAN',
  message: 'The organization has no membership plan of this name. Make the plan, correct the name, or leave this column out.',
};
const incompleteMembership: RowProblem = {
  code: 'INCOMPLETE_MEMBERSHIP',
  message: 'A membership needs both its plan and the date it starts. Fill in both, or leave all of it empty.',
};
const endsBeforeStart: RowProblem = {
  code: 'MEMBERSHIP_ENDS_BEFORE_START',
  message: 'The membership ends before it starts. Correct one of the two dates.',
};
const noName: RowProblem = {
  code: 'NO_NAME_OR_EMAIL',
  message: 'The row has no name, no company and no email address. Fill in at least one of them.',
};
const tooManyValues: RowProblem = {
  code: 'TOO_MANY_VALUES',
  message: `The row has more than ${mostValues} tags, notes, or ways to reach the contact. Shorten it.`,
};
