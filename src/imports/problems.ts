// Why a row can't become a contact.

/** The message never repeats a value: problems are kept longer than personal data may be. */
export interface RowProblem {
  /** A stable code, in capitals: `INVALID_EMAIL`. */
  code: string;
  /** The header of the column at fault, as the file spells it; absent when the whole row is at fault. */
  column?: string | undefined;
  /** What is wrong, and what to do. */
  message: string;
}
