// What the reading process and its parent say to each other.
import type { ReadOptions, SheetFacts } from '../sheet.ts';
import type { SheetLimits } from './limits.ts';

export interface ReadRequest {
  path: string;
  options?: ReadOptions;
  /** What becomes of the rows in the process that reads: one of the modes in process.ts. */
  mode: string;
  /** Plain JSON that the mode needs. */
  task?: unknown;
  /** The reading ends after so many rows. */
  firstRows?: number;
}

export interface ChildRequest extends ReadRequest {
  limits: SheetLimits;
  memoryBytes: number;
}

export type Message =
  | { kind: 'FACTS'; facts: SheetFacts; totalBytes: number }
  /** The lines follow. */
  | { kind: 'ROWS'; rows: number; bytesRead: number }
  | { kind: 'END'; result?: unknown }
  | { kind: 'REFUSED'; code: string; message: string }
  | { kind: 'FAILED'; fault: string };

/** How the process ends when it takes more memory than it may. */
export const tooLargeExit = 3;
