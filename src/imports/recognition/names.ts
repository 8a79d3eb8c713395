// A whole name in its two parts. Every word of it is in one of them.

const suffix = /^(?:jr|sr|jnr|snr|junior|senior|ii|iii|iv|esq|ph\.?d|m\.?d|mba|m\.?a|b\.?a|m\.?sc|b\.?sc|cpa|dds|rn)\.?$/i;
const particle =
  /^(?:von|vom|van|vander|de|del|della|dello|dei|degli|der|den|di|da|do|dos|das|du|des|la|le|las|los|ter|ten|te|zu|zum|zur|af|av|bin|ibn|ben|el|al|st\.?|d')$/i;
const title = /^(?:dr|prof|mr|mrs|ms|miss|sir|herr|frau|m|mme|mlle|sr|sra|srta|don|doña|dipl|ing|mag|rev|hon)\.?(?:-?ing\.?)?$/i;

export interface Name {
  firstName?: string;
  lastName?: string;
}

/** Splits `Robert Kling-Monahan`, `Kling-Monahan, Robert`, `Dr. Anna von der Heide`, `Martin King Jr.`, `DUPONT Marie`. */
export function splitName(text: string, lastFirst = false): Name {
  const comma = text.indexOf(',');
  if (comma < 0) return lastFirst ? splitLastFirst(words(text)) : splitWords(words(text));
  const before = words(text.slice(0, comma));
  const rest = text
    .slice(comma + 1)
    .split(',')
    .map(words);
  const suffixes = rest.filter((part) => part.length > 0 && part.every((word) => suffix.test(word))).flat();
  const first = rest.filter((part) => part.length > 0 && !part.every((word) => suffix.test(word))).flat();
  // “Martin King, Jr.” has its first name in front.
  if (first.length === 0) return suffixes.length > 0 ? splitWords([...before, ...suffixes]) : toName([], before);
  return toName(first, [...before, ...suffixes]);
}

const words = (text: string) => text.split(/\s+/).filter((word) => word !== '');

const toName = (first: string[], last: string[]): Name => ({
  ...(first.length > 0 && { firstName: first.join(' ') }),
  ...(last.length > 0 && { lastName: last.join(' ') }),
});

function splitWords(all: string[]): Name {
  if (all.length < 2) return toName(all, []);
  let end = all.length;
  while (end > 2 && suffix.test(all[end - 1]!)) end--;
  let start = 0;
  while (start < end - 1 && title.test(all[start]!)) start++;
  if (start === end - 1) return toName(all.slice(0, start), all.slice(start));
  // As the French write it: the last name first, in capitals.
  const capitals = all.slice(start, end).findIndex((word) => !isCapitals(word));
  const inCapitals = capitals > 0 ? all.slice(start, start + capitals) : [];
  if (inCapitals.some(isNoInitials) && all.slice(start + capitals, end).every((word) => !isCapitals(word) || word.length < 3))
    return toName([...all.slice(0, start), ...all.slice(start + capitals, end)], [...inCapitals, ...all.slice(end)]);
  let last = end - 1;
  for (let at = start + 1; at < end - 1; at++)
    if (particle.test(all[at]!)) {
      last = at;
      break;
    }
  return toName(all.slice(0, last), all.slice(last));
}

/** `Kling-Monahan Robert`, `von der Heide Anna`. */
function splitLastFirst(all: string[]): Name {
  let end = 1;
  while (end < all.length - 1 && particle.test(all[end - 1]!)) end++;
  while (end < all.length - 1 && isCapitals(all[0]!) && isCapitals(all[end]!)) end++;
  return all.length < 2 ? toName([], all) : toName(all.slice(end), all.slice(0, end));
}

const isCapitals = (word: string) => word.length > 1 && word === word.toUpperCase() && word !== word.toLowerCase() && !word.endsWith('.');
/** “JP” and “A-J” are first names. */
const isNoInitials = (word: string) => word.length > 2 && word.replace(/\P{L}/gu, '').length > 2;
