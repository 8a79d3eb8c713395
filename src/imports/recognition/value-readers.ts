// How dates, amounts and the values of custom fields are read into a row, each as its column and the organization say.
import { textLength } from '../../domain/text.ts';
import type { RowProblem } from '../problems.ts';
import { everyOrder, orderBits, readDate } from './dates.ts';
import type { Guard, Read, Work } from './drafting.ts';
import { ambiguousDate, ambiguousNumber, invalidAmount, invalidDate } from './faults.ts';
import { type ColumnMapping, type ColumnTarget, type Known, latestYearOf, type ValueSettings } from './mapping.ts';
import { readNumber, toMinor } from './numbers.ts';
import { readBoolean } from './values.ts';

/** Reads a date. Null: there is none; empty: there is a problem. */
export function dateReader(mapping: ColumnMapping, settings: ValueSettings): (value: string, work: Work, yearless: boolean) => string | null {
  const { header, dateForm } = mapping;
  const name = header.normalize('NFC');
  const order = mapping.dateOrder ?? settings.dateOrder;
  const orders = order ? orderBits[order] : everyOrder;
  const latestYear = latestYearOf(mapping);
  return (value, { problems, rest }, yearless) => {
    const read = readDate(value, orders, latestYear);
    if (read.kind === 'DATE' && (order || dateForm !== 'MIXED' || read.orders === everyOrder)) return read.date;
    if (read.kind === 'SERIAL' && dateForm === 'SERIAL') return read.date;
    if (read.kind === 'NONE') return null;
    if (read.kind === 'YEARLESS' && yearless) {
      rest.push(`${name}: ${value}`);
      return null;
    }
    problems.push({ ...(read.kind === 'AMBIGUOUS' || read.kind === 'DATE' ? ambiguousDate : invalidDate), column: header });
    return '';
  };
}

/** Reads an amount into an opening balance. */
export function amountReader({ header, decimal }: ColumnMapping, { field, currency }: ColumnTarget, settings: ValueSettings): Read {
  const mark = decimal ?? settings.decimal;
  return (value, { draft, problems }) => {
    const read = readNumber(value, mark);
    if (read.kind === 'AMBIGUOUS') problems.push({ ...ambiguousNumber, column: header });
    const unit = (read.kind === 'NUMBER' && read.currency) || currency || settings.currency;
    const amount = read.kind === 'NUMBER' ? toMinor(read.number, unit) : null;
    if (read.kind === 'INVALID' || (read.kind === 'NUMBER' && amount === null)) problems.push({ ...invalidAmount, column: header });
    if (amount) draft.openingBalances.push({ amountMinor: field === 'AMOUNT_DUE' ? -amount : amount, currency: unit });
  };
}

/** Reads the value of a custom field, as the kind of that says. */
export function customReader(mapping: ColumnMapping, { customFieldKey }: ColumnTarget, known: Known, settings: ValueSettings, guard: Guard): Read {
  const { header, decimal } = mapping;
  const field = known.customFields.find(({ key }) => key === customFieldKey);
  const unknown: RowProblem = {
    code: 'UNKNOWN_CUSTOM_FIELD',
    column: header,
    message: 'The organization has no such custom field. Make it, or choose something else for this column.',
  };
  if (!field) return (_, { problems }) => void problems.push(unknown);
  const { key, kind } = field;
  const name = header.normalize('NFC');
  const set = (value: string, { draft, rest }: Work) => {
    const earlier = draft.customFields.find((one) => one.key === key);
    if (!earlier) draft.customFields.push({ key, value });
    else if (earlier.value !== value) rest.push(`${name}: ${value}`);
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
    const mark = decimal ?? settings.decimal;
    return (value, work) => {
      const read = readNumber(value, mark);
      if (read.kind === 'NUMBER') set(read.number, work);
      else work.problems.push(read.kind === 'AMBIGUOUS' ? { ...ambiguousNumber, column: header } : invalid);
    };
  }
  const read = dateReader(mapping, settings);
  return (value, work) => {
    const date = read(value, work, false);
    if (date) set(date, work);
  };
}
