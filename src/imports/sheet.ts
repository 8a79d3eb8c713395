// What the readers give, whatever the file was: a header, and rows of text.
import type { RowProblem } from './problems.ts';

export const fileFormats = ['CSV', 'XLSX', 'VCARD'] as const;
export type FileFormat = (typeof fileFormats)[number];

export const encodings = ['UTF_8', 'UTF_16LE', 'UTF_16BE', 'WINDOWS_1252'] as const;
export type Encoding = (typeof encodings)[number];

export const separators: readonly string[] = [',', ';', '\t', '|'];

/** Between several values in one cell, as Google’s contacts have it; no value has it in it. */
export const betweenValues = ' ::: ';

/** The name of a card whose contact has none that may be told. */
export const unnamed = '—';

/** How a file is to be read, where it should not be as it was detected. */
export interface ReadOptions {
  encoding?: Encoding | null;
  /** Of a CSV: `,` `;` tab or `|`. */
  separator?: string | null;
  /** Of a CSV: `"` or `'`; an empty text where no character quotes. */
  quote?: string | null;
  /** Of a workbook: the name of the sheet. */
  sheet?: string | null;
  /** The row with the column names, from 1; rows above it are passed over. */
  headerRow?: number | null;
}

/** How a file was read. What does not apply to its format is null. */
export interface SheetFacts {
  format: FileFormat;
  encoding: Encoding | null;
  separator: string | null;
  quote: string | null;
  sheet: string | null;
  /** The names of all sheets. */
  sheets: string[];
  headerRow: number;
  /** As the file spells the names; of a vCard file those of Google's CSV, which say the same. */
  header: string[];
}

/**
 * A row that is not blank. `rowNumber` is the row a spreadsheet shows; of a vCard file the number of the card, from 2.
 * Cells are in the order of the header, and may end before it does. Dates out of a workbook are ISO 8601.
 */
export interface SheetRow {
  rowNumber: number;
  cells: string[];
  /** Why it can't be used; `cells` then holds what could be read, shortened. */
  problem?: RowProblem;
  /** Of a vCard file: the card as it stands there. */
  card?: string;
}
