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

export const brokenCharacter: RowProblem = { code: 'BROKEN_CHARACTER', message: 'The cell contains a character that is broken. Type the cell again.' };

/** Why this is no text, if it isn't: PostgreSQL and JSON keep neither. */
export function brokenText(text: string): RowProblem | undefined {
  if (text.includes('\0')) return { code: 'NUL_CHARACTER', message: 'The cell contains a NUL character, which is not text. Type the cell again.' };
  if (!text.isWellFormed()) return brokenCharacter;
  return undefined;
}
