// What can be wrong with a value of a row, and what to do about it.
import { brokenText, type RowProblem } from '../problems.ts';

/** The most contact points, tags and notes of one contact. */
export const mostValues = 50;

/** What is in NFC whatever it is: ASCII. */
export const plain = /^[\t\n\r -~]*$/;

/** What is wrong with any value of a column, whatever it is for. */
export function faultOf(value: string, longest: number): RowProblem | null {
  if (value.length > longest) return tooLong(longest);
  if (plain.test(value)) return null;
  return brokenText(value) ?? null;
}

export const tooLong = (longest: number): RowProblem => ({
  code: 'VALUE_TOO_LONG',
  message: `This is longer than ${longest.toLocaleString('en')} characters. Shorten it.`,
});

export const invalidEmail: RowProblem = {
  code: 'INVALID_EMAIL',
  message: 'This is not an email address. Write it like name@example.org, or leave the cell empty.',
};
export const invalidDate: RowProblem = {
  code: 'INVALID_DATE',
  message: 'This is not a date, or not in the order of the others in its column. Write it like 1990-12-31, or leave the cell empty.',
};
export const ambiguousDate: RowProblem = {
  code: 'AMBIGUOUS_DATE',
  message: 'Whether the day or the month is first in this date is not clear, and no other row of the column shows it. Answer the question about this column.',
};
export const ambiguousNumber: RowProblem = {
  code: 'AMBIGUOUS_NUMBER',
  message: 'Whether this number has thousands or a fraction is not clear, and no other row of the column shows it. Answer the question about this column.',
};
export const invalidAmount: RowProblem = {
  code: 'INVALID_AMOUNT',
  message: 'This is not an amount, or has more decimals than its currency. Write it like -1234.50, or leave the cell empty.',
};
export const unknownPlan: RowProblem = {
  code: 'UNKNOWN_PLAN',
  message: 'The organization has no membership plan of this name. Make the plan, correct the name, or leave this column out.',
};
export const incompleteMembership: RowProblem = {
  code: 'INCOMPLETE_MEMBERSHIP',
  message: 'A membership needs both its plan and the date it starts. Fill in both, or leave all of it empty.',
};
export const endsBeforeStart: RowProblem = {
  code: 'MEMBERSHIP_ENDS_BEFORE_START',
  message: 'The membership ends before it starts. Correct one of the two dates.',
};
export const noName: RowProblem = {
  code: 'NO_NAME_OR_EMAIL',
  message: 'The row has no name, no company and no email address. Fill in at least one of them.',
};
export const tooManyValues: RowProblem = {
  code: 'TOO_MANY_VALUES',
  message: `The row has more than ${mostValues} tags, notes, or ways to reach the contact. Shorten it.`,
};
