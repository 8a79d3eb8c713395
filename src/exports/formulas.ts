// What a spreadsheet would take for a formula, in files that don’t say what is text. It gets an apostrophe in front, and
// whoever reads such a file takes exactly these apostrophes off again.

/** Also behind white space and characters that are not shown, which some programs pass over; the wide ones are those of East Asian keyboards. */
const dangerous = /^[\s\p{Cc}\p{Cf}]*[=+\-@＝＋－＠]|^[\t\r\n]/u;

/** A number, or a phone number with its country code: digits, and what stands between them, can name no function, cell or program. */
const harmless = /^[+-]\d[\d.,]*$|^\+\d{1,3} [\d ()./-]*\d$/;

/** Whether it would be computed, or would be taken for text that was defused. */
function isMistaken(text: string): boolean {
  const bare = text.charCodeAt(0) === 0x27 ? text.replace(/^'+/, '') : text;
  return dangerous.test(bare) && !harmless.test(bare);
}

/** The text, with an apostrophe in front where it would be computed. */
export const defuse = (text: string): string => (isMistaken(text) ? `'${text}` : text);

/** The text that `defuse` was given. */
export const undefuse = (text: string): string => (text.startsWith("'") && isMistaken(text.slice(1)) ? text.slice(1) : text);
