// What of a contact is computed from its own fields. It loads nothing heavy: the readers of contact files use it as well.
import { normalizeEmail } from './email.ts';

type Named = { [field in 'memberNumber' | 'firstName' | 'lastName' | 'email' | 'company']?: string | null };

/** What is searched in and sorted by, computed from the fields; to be written whenever they are. */
export function derive({ memberNumber, firstName, lastName, email, company }: Named) {
  const sortName = folded([lastName, firstName]) || folded([company]) || folded([email]) || folded([memberNumber]);
  return {
    emailNormalized: email ? normalizeEmail(email) : null,
    // Folding can make 18 characters of one, and an index takes only so many bytes.
    sortName: sortName.length <= 200 ? sortName : [...sortName].slice(0, 200).join(''),
    searchText: folded([firstName, lastName, email, company, memberNumber]),
  };
}

/** Lower case in one form for letters of one meaning: “ﬁ” is “fi”. */
export function folded(texts: readonly (string | null | undefined)[]): string {
  const text = texts.filter((one) => one != null).join(' ');
  // Of ASCII it is the same, for a tenth of the time.
  if (ascii.test(text)) return text.toLowerCase().trim();
  return text.normalize('NFKC').toLowerCase().normalize('NFKC').trim();
}

const ascii = /^[ -~]*$/;
