// What all the values of a column say about how they are written. One `25/02/1990` settles `01/02/1990`, wherever in the
// file it is; so a file is looked through once for this before its rows become drafts.
import type { SheetRow } from '../sheet.ts';
import { everyOrder, orderBits, readDate } from './dates.ts';
import { type ColumnMapping, type DateOrder, dateOrders, holdsDates, holdsNumbers, type Known, latestYearOf, type ValueSettings } from './mapping.ts';
import { readNumber } from './numbers.ts';

export const questionKinds = {
  DATE_ORDER: 'Whether day, month or year is first in the dates of this column.',
  DECIMAL_MARK: 'Whether a comma or a dot begins the fraction in the numbers of this column.',
} as const;

/** What must be answered before the rows of a column can be read. */
export interface Question {
  /** The index of the column. */
  column: number;
  header: string;
  kind: keyof typeof questionKinds;
  /** The first rows that show it; their values are personal data. */
  rows: number[];
  /** The answers that are possible. */
  dateOrders: DateOrder[];
}

const shown = 5;

interface DateEvidence {
  mapping: ColumnMapping;
  latestYear: number;
  orders: number;
  dates: number;
  serials: number;
  rows: number[];
}

interface NumberEvidence {
  mapping: ColumnMapping;
  commas: number;
  dots: number;
  rows: number[];
}

export class Evidence {
  private readonly dates: DateEvidence[];
  private readonly numbers: NumberEvidence[];

  constructor(
    private readonly mappings: readonly ColumnMapping[],
    private readonly settings: ValueSettings,
    known: Known,
  ) {
    this.dates = mappings
      .filter((mapping) => holdsDates(mapping, known))
      .map((mapping) => ({ mapping, latestYear: latestYearOf(mapping), orders: everyOrder, dates: 0, serials: 0, rows: [] }));
    this.numbers = mappings.filter((mapping) => holdsNumbers(mapping, known)).map((mapping) => ({ mapping, commas: 0, dots: 0, rows: [] }));
  }

  observe({ rowNumber, cells, problem }: SheetRow): void {
    if (problem) return;
    for (const evidence of this.dates) {
      const cell = cells[evidence.mapping.index]?.trim();
      if (cell) observeDate(evidence, cell, rowNumber);
    }
    for (const evidence of this.numbers) {
      const cell = cells[evidence.mapping.index]?.trim();
      if (cell) observeNumber(evidence, cell, rowNumber);
    }
  }

  /** The mappings with what the columns settle, where a person has not. */
  settled(): ColumnMapping[] {
    const settled = [...this.mappings];
    for (const { mapping, orders, dates, serials, rows } of this.dates) {
      const order = dateOrders.find((order) => orderBits[order] === orders);
      const dateForm = orders === 0 ? 'MIXED' : serials > 0 && dates === 0 && rows.length === 0 ? 'SERIAL' : null;
      settled[this.mappings.indexOf(mapping)] = { ...mapping, dateOrder: mapping.dateOrder ?? order ?? null, dateForm };
    }
    for (const { mapping, commas, dots } of this.numbers) {
      const mark = commas > 0 === dots > 0 ? null : commas > 0 ? ',' : '.';
      settled[this.mappings.indexOf(mapping)] = { ...mapping, decimal: mapping.decimal ?? mark };
    }
    return settled;
  }

  /** What is still to be answered. */
  questions(): Question[] {
    const open = (rows: number[], mapping: ColumnMapping, kind: Question['kind'], orders: number): Question => ({
      column: mapping.index,
      header: mapping.header,
      kind,
      rows,
      dateOrders: kind === 'DATE_ORDER' ? dateOrders.filter((order) => (orders || everyOrder) & orderBits[order]) : [],
    });
    const dates = this.settings.dateOrder
      ? []
      : this.dates
          .filter(({ mapping, orders, rows }) => !mapping.dateOrder && rows.length > 0 && !isSettled(orders))
          .map(({ mapping, orders, rows }) => open(rows, mapping, 'DATE_ORDER', orders));
    const numbers = this.settings.decimal
      ? []
      : this.numbers
          .filter(({ mapping, commas, dots, rows }) => !mapping.decimal && rows.length > 0 && commas > 0 === dots > 0)
          .map(({ mapping, rows }) => open(rows, mapping, 'DECIMAL_MARK', 0));
    return [...dates, ...numbers].sort((a, b) => a.column - b.column);
  }
}

const isSettled = (orders: number) => Object.values(orderBits).includes(orders);

function observeDate(evidence: DateEvidence, cell: string, rowNumber: number): void {
  const read = readDate(cell, everyOrder, evidence.latestYear);
  if (read.kind === 'SERIAL') evidence.serials++;
  else if (read.kind === 'DATE') evidence.dates++;
  if (read.kind !== 'DATE' && read.kind !== 'AMBIGUOUS') return;
  const before = evidence.orders;
  evidence.orders &= read.orders;
  // The first row that contradicts the others shows it as well as those that could be read in two ways.
  if ((read.kind === 'AMBIGUOUS' || (evidence.orders === 0 && before !== 0)) && evidence.rows.length < shown) evidence.rows.push(rowNumber);
}

function observeNumber(evidence: NumberEvidence, cell: string, rowNumber: number): void {
  const read = readNumber(cell, null);
  if (read.kind === 'NUMBER' && read.mark === ',') evidence.commas++;
  else if (read.kind === 'NUMBER' && read.mark === '.') evidence.dots++;
  else if (read.kind === 'AMBIGUOUS' && evidence.rows.length < shown) evidence.rows.push(rowNumber);
}
