// A contact file from bytes to drafts: the one entrance for whoever imports. Rows that can't become a contact come out
// too, each with its reason, so that nothing in the file is lost without a word.
import { normalizeEmail } from '../domain/email.ts';
import { readCsv, type RowProblem } from './csv.ts';
import { draftContact, recognizeHeader, type ContactDraft, type RecognizedColumn } from './recognition.ts';

/** What became of one row of the file: exactly one of these for every row that is not blank. */
export type ContactRow = { rowNumber: number; draft: ContactDraft } | { rowNumber: number; problem: RowProblem };

/**
 * Reads a CSV stream row by row; the header is row 1. Two rows with the same email or member number are one contact at
 * most: the first valid one is kept, the later is a problem. Memory grows with those keys only. Throws a Refusal when
 * the file as a whole can't be read, possibly after rows were yielded: act on them only when the reading has ended.
 */
export async function* readContactFile(stream: AsyncIterable<Uint8Array>): AsyncGenerator<ContactRow> {
  let columns: RecognizedColumn[] | undefined;
  const seen = { emails: new Map<string, number>(), memberNumbers: new Map<string, number>() };
  for await (const row of readCsv(stream)) {
    if ('problem' in row) {
      yield row;
    } else if (!columns) {
      columns = recognizeHeader(row.cells);
    } else {
      const result = draftContact(row.rowNumber, row.cells, columns);
      const problem = 'draft' in result ? findDuplicate(row.rowNumber, result.draft, columns, seen) : undefined;
      yield problem ? { rowNumber: row.rowNumber, problem } : result;
    }
  }
}

/** The earlier row that this draft repeats, as a problem; otherwise remembers the draft. */
function findDuplicate(
  rowNumber: number,
  { email, memberNumber }: ContactDraft,
  columns: RecognizedColumn[],
  seen: { emails: Map<string, number>; memberNumbers: Map<string, number> },
): RowProblem | undefined {
  const header = (name: 'email' | 'memberNumber') => columns.find(({ field }) => field === name)?.header;
  const normalized = email && normalizeEmail(email);
  const sameEmail = normalized && seen.emails.get(normalized);
  if (sameEmail) {
    const message = `Row ${sameEmail} has the same email address. Keep one of the two rows.`;
    return { rowNumber, code: 'DUPLICATE_EMAIL', column: header('email'), message };
  }
  const sameNumber = memberNumber && seen.memberNumbers.get(memberNumber);
  if (sameNumber) {
    const message = `Row ${sameNumber} has the same member number. Keep one of the two rows, or correct the number.`;
    return { rowNumber, code: 'DUPLICATE_MEMBER_NUMBER', column: header('memberNumber'), message };
  }
  if (normalized) seen.emails.set(normalized, rowNumber);
  if (memberNumber) seen.memberNumbers.set(memberNumber, rowNumber);
  return undefined;
}
