// How much of a file the readers take in.

/** Lengths are in UTF-16 code units. */
export interface SheetLimits {
  rows: number;
  columns: number;
  cellLength: number;
  /** Of a row of a text file with its separators and quotes, and of a vCard. */
  rowLength: number;
  /** What all parts of a workbook may be unpacked. */
  inflatedBytes: number;
  /** What the texts that the cells of a workbook share may take, in UTF-8. */
  sharedTextBytes: number;
  /** Rows with a problem come as they stand, and not only what may be kept of them. */
  wholeRows?: boolean;
}

export const sheetLimits: SheetLimits = {
  rows: 1_048_576,
  columns: 200,
  cellLength: 10_000,
  rowLength: 4_194_304,
  inflatedBytes: 4_294_967_296,
  sharedTextBytes: 134_217_728,
};

export interface ReaderLimits {
  sheet: SheetLimits;
  /** Of the process, as the system counts it. */
  memoryBytes: number;
  /** How long it may take to the next rows; while nobody asks for them, nothing counts. */
  idleMs: number;
  /** How long the reading may take in all, counted in the same way. */
  totalMs: number;
}

export const readerLimits: ReaderLimits = { sheet: sheetLimits, memoryBytes: 300 * 1_048_576, idleMs: 30_000, totalMs: 1_800_000 };
