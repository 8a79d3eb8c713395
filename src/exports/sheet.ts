// What the writers of sheets take: columns, and rows of text. What a text means in its column is said by the column.

export interface SheetColumn {
  header: string;
  /** NUMBER: a decimal number as in `-12.50`. DATE: as in `1990-12-31`. INSTANT: as in `2026-11-25T17:38:00.000Z`. */
  kind: 'TEXT' | 'NUMBER' | 'DATE' | 'INSTANT';
  /** Of an amount of money: how many digits its currency has behind the point. */
  digits?: number;
}

/** A row's cells, in the order of the columns. */
export type Cells = readonly (string | null)[];
