// A row becomes a draft of a contact, or comes out with all that is wrong with it. Nothing is guessed and nothing is
// lost: what has no place of its own is kept as a note under the name of its column.
import { lineLength, textLength } from '../../domain/text.ts';
import type { RowDraft } from '../draft.ts';
import type { RowProblem } from '../problems.ts';
import type { SheetRow } from '../sheet.ts';
import { type AddressField, addressFields, finishAddresses, newAddress } from './addresses.ts';
import { countryCode } from './countries.ts';
import {
  addEmail,
  addPoint,
  addTag,
  check,
  compose,
  finishMemberships,
  finishNames,
  type Guard,
  oneLine,
  type Read,
  setOnce,
  tagLength,
  type Work,
} from './drafting.ts';
import { faultOf, invalidEmail, tooLong, unknownPlan } from './faults.ts';
import { type ColumnMapping, type ColumnTarget, type Known, labelKinds, pointKinds, type ValueSettings } from './mapping.ts';
import { toE164 } from './phones.ts';
import { foldWords } from './text.ts';
import { splitEmails, splitPhones, splitTags, splitWebsites } from './values.ts';
import { amountReader, customReader, dateReader } from './value-readers.ts';

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
  private readonly labelColumns = new Map<string, { index: number; header: string }>();
  private readonly countries: (string | null)[];

  constructor(
    mappings: readonly ColumnMapping[],
    private readonly settings: ValueSettings,
    known: Known,
  ) {
    this.plans = new Set(known.plans);
    this.foldedPlans = byFoldedName(known.plans);
    this.countries = [settings.country];
    for (const { index, header, target } of mappings) {
      const kind = target && labelKinds[target.field];
      if (target && kind) this.labelColumns.set(`${kind} ${target.ordinal ?? ''}`, { index, header });
    }
    const emails = mappings.filter(({ target }) => target?.field === 'EMAIL');
    const others = mappings.filter(({ target }) => target?.field !== 'EMAIL');
    for (const mapping of [...emails, ...others]) {
      const { index, target } = mapping;
      if (target && !labelKinds[target.field]) this.columns.push({ index, read: this.reader(mapping, target, known) });
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
    const name = header.normalize('NFC');
    const label = this.labelOf(target);
    const guard: Guard = (longest, read) =>
      function guarded(value, work) {
        const fault = faultOf(value, longest);
        if (fault) work.problems.push({ ...fault, column: header });
        else read(value, work);
      };
    const field = (to: LineField) => guard(lineLength, (value, { draft, rest }) => setOnce(draft.fields, to, oneLine(value), name, rest));
    const address = addressFields[target.field];
    if (address) return this.addressReader(target, name, guard, address);
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
        return guard(lineLength, (value, { names }) => void names.push({ name: oneLine(value), header: name, lastFirst }));
      }
      case 'EMAIL':
      case 'FURTHER_EMAIL':
        return guard(textLength, (value, work) => {
          const found = splitEmails(value);
          if (!found) return void work.problems.push({ ...invalidEmail, column: header });
          const text = label(work);
          for (const one of found) {
            addEmail(work.draft, one.email, text);
            if (one.name) work.names.push({ name: one.name, header: name, lastFirst: false });
          }
        });
      case 'PHONE':
        return guard(textLength, (value, work) => {
          const text = label(work);
          for (const phone of splitPhones(value)) addPoint(work.phones, 'PHONE', phone, text);
        });
      case 'WEBSITE':
        return guard(textLength, (value, work) => {
          const text = label(work);
          for (const website of splitWebsites(value)) addPoint(work.draft.contactPoints, 'WEBSITE', website, text);
        });
      case 'BIRTH_DATE': {
        const read = dateReader(mapping, this.settings);
        return (value, work) => {
          const date = read(value, work, true);
          if (date) setOnce(work.draft.fields, 'birthDate', date, name, work.rest);
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
          const tags = splitTags(value);
          if (tags.some((tag) => tag.length > tagLength)) work.problems.push({ ...tooLong(tagLength), column: header });
          else for (const tag of tags) addTag(work.draft.tags, tag);
        });
      case 'NOTE': {
        const start = target.label ? `${target.label.normalize('NFC')}: ` : '';
        return guard(textLength - start.length, (value, { draft }) => void draft.notes.push(start + value));
      }
      case 'MEMBERSHIP_PLAN': {
        const at = this.membershipAt(target);
        return (value, work) => {
          const planName = this.plans.has(value) ? value : this.foldedPlans.get(foldWords(value));
          if (planName === undefined) work.problems.push({ ...unknownPlan, column: header });
          setOnce((work.memberships[at] ??= {}), 'planName', planName ?? '', name, work.rest);
        };
      }
      case 'MEMBERSHIP_START':
      case 'MEMBERSHIP_END': {
        const at = this.membershipAt(target);
        const to = target.field === 'MEMBERSHIP_START' ? 'startsOn' : 'endsOn';
        const read = dateReader(mapping, this.settings);
        return (value, work) => {
          const date = read(value, work, false);
          if (date !== null) setOnce((work.memberships[at] ??= {}), to, date, name, work.rest);
        };
      }
      case 'OPENING_BALANCE':
      case 'AMOUNT_DUE':
        return amountReader(mapping, target, this.settings);
      case 'CUSTOM_FIELD':
        return customReader(mapping, target, known, this.settings, guard);
      default:
        throw new Error(`No column can be read as ${target.field}.`);
    }
  }

  /** What the values of a column are for: what the row says in the column beside it, or what the header says. */
  private labelOf({ field, label, ordinal }: ColumnTarget): (work: Work) => string | null {
    const kind = pointKinds[field];
    const column = kind && this.labelColumns.get(`${kind} ${ordinal ?? ''}`);
    const own = label?.normalize('NFC') ?? null;
    if (!column) return () => own;
    const { index, header } = column;
    return ({ cells, problems }) => {
      // Google marks the labels that are its own with an asterisk.
      const cell = cells[index] ?? '';
      const text = compose(cell.startsWith('*') ? cell.slice(1) : cell);
      const fault = text && faultOf(text, lineLength);
      if (fault) problems.push({ ...fault, column: header });
      return text || own;
    };
  }

  private addressReader(target: ColumnTarget, header: string, guard: Guard, { read, longest = lineLength }: AddressField): Read {
    const key = `${target.label ?? ''} ${target.ordinal ?? ''}`;
    const at = this.groups.get(key) ?? this.groups.size;
    this.groups.set(key, at);
    const label = this.labelOf(target);
    return guard(longest, (value, work) => read((work.addresses[at] ??= newAddress(label(work))), value, header, work.rest));
  }

  private membershipAt({ ordinal }: ColumnTarget): number {
    const at = this.membershipOrdinals.indexOf(ordinal ?? null);
    return at < 0 ? this.membershipOrdinals.push(ordinal ?? null) - 1 : at;
  }

  private finishPhones({ phones, draft }: Work): void {
    if (phones.length === 0) return;
    const code = draft.fields.country === undefined ? null : countryCode(draft.fields.country);
    const countries = code && code !== this.settings.country ? [code, this.settings.country] : this.countries;
    draft.contactPoints.push(...phones);
    for (const { value } of phones) {
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
