// A file of vCards cut into cards, and a card into lines: each is taken as it stands there, whole or not.
import type { RowProblem } from '../problems.ts';

/** A card without its pictures, and a line of it. */
const longestCard = 262_144;

/** Lines, and no more of each than a card may have. */
export async function* linesOf(chunks: AsyncIterable<string>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of chunks) {
    // A return at the end may be half of a line end.
    const lines = (rest + chunk).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop()!;
    yield* lines;
    if (rest.length > 2 * longestCard) rest = rest.slice(0, longestCard + 1);
  }
  yield rest.replace(/\r$/, '');
}

export interface Card {
  /** As they stand there, without pictures. */
  lines: string[];
  problem?: RowProblem;
}

export const tooLong: RowProblem = { code: 'CARD_TOO_LONG', message: `The card is longer than ${longestCard} characters without its pictures. Shorten it.` };
export const brokenCard = (message: string): RowProblem => ({ code: 'BROKEN_CARD', message });

const begins = (line: string) => /^\s*BEGIN\s*:\s*VCARD\s*$/i.test(line);
const ends = (line: string) => /^\s*END\s*:\s*VCARD\s*$/i.test(line);
const isPicture = (line: string) => /^(?:[\w-]+\.)?(?:PHOTO|LOGO|SOUND|KEY)[;:]/i.test(line);

/** Cards, whole or not: what stands outside of any is one that has no beginning. */
export async function* cardsOf(lines: AsyncIterable<string>): AsyncGenerator<Card> {
  let card: Card | undefined;
  let length = 0;
  let inPicture = false;
  /** A card within the card, of an agent. */
  let within = 0;
  for await (const line of lines) {
    // An indented line goes on with the one before it, whatever it looks like.
    const isFolded = card !== undefined && /^[ \t]/.test(line) && !/^[ \t]/.test(card.lines[0] ?? '');
    const [isStart, isEnd] = [!isFolded && begins(line), !isFolded && ends(line)];
    if (within > 0) {
      within += isStart ? 1 : isEnd ? -1 : 0;
      continue;
    }
    if (isStart) {
      if (card && /^(?:[\w-]+\.)?AGENT[;:]/i.test(card.lines.at(-1)!)) {
        within = 1;
        continue;
      }
      if (card) yield { ...card, problem: card.problem ?? brokenCard('The card has no END:VCARD. Add it, or export the card again.') };
      card = { lines: [line] };
      length = line.length;
      inPicture = false;
      continue;
    }
    if (!card) {
      if (line.trim() === '') continue;
      card = { lines: [], problem: brokenCard('The card has no BEGIN:VCARD. Add it, or export the card again.') };
      length = 0;
    }
    // Pictures go on in lines that are indented, or in some old files are not; these hold no colon.
    inPicture = !isEnd && (isPicture(line) || (inPicture && (/^[ \t]/.test(line) || !line.includes(':'))));
    if (!inPicture && (length += line.length + 2) > longestCard) card.problem ??= tooLong;
    if (!inPicture && card.problem !== tooLong) card.lines.push(line);
    if (!isEnd) continue;
    yield card;
    card = undefined;
  }
  if (card) yield { ...card, problem: card.problem ?? brokenCard('The file ends before the card does. Export it again.') };
}

/** The lines that were folded as one again; `isOld`: folded at a space, which stays. */
export function unfold(lines: readonly string[], isOld: boolean): string[] {
  const whole: string[] = [];
  let parts: string[] = [];
  let isQuotedPrintable = false;
  let isBase64 = false;
  const isOpen = () => isQuotedPrintable && parts.at(-1)!.endsWith('=');
  for (const line of lines) {
    if (parts.length && isOpen()) {
      parts.push(parts.pop()!.slice(0, -1), line);
    } else if (parts.length && /^[ \t]/.test(line)) {
      parts.push(isOld && !isBase64 ? line : line.slice(1));
    } else {
      if (parts.length) whole.push(parts.join(''));
      parts = [line];
      const head = line.split(':', 1)[0]!;
      isQuotedPrintable = /QUOTED-PRINTABLE/i.test(head);
      isBase64 = /;(?:ENCODING=)?(?:BASE64|B)(?:;|$)/i.test(head);
    }
  }
  if (parts.length) whole.push(parts.join(''));
  return whole;
}
