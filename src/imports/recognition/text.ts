// How names are compared: of columns, countries, plans and months.

/** Lower case without accents, so that “Straße”, “STRASSE” and “strasse” are the same; İ and ı are i. */
export function fold(text: string): string {
  // Most values are plain ASCII already.
  if (/^[a-z0-9 ]*$/.test(text)) return text;
  return text
    .normalize('NFKD')
    .toLowerCase()
    .replace(/\p{M}/gu, '')
    .replace(/[ıßøæœ]/g, (letter) => letters[letter as keyof typeof letters]);
}
const letters = { ı: 'i', ß: 'ss', ø: 'o', æ: 'ae', œ: 'oe' };

/** The same in words with single spaces. */
export const foldWords = (text: string): string =>
  fold(text)
    .replace(/[^\p{L}\p{N}]+/gu, ' ')
    .trim();
