// Cards (vCard 2.1, 3.0 and 4.0) as the rows of a table.
import type { FileHandle } from 'node:fs/promises';
import { brokenCharacter } from '../problems.ts';
import type { ReadOptions, SheetFacts, SheetRow } from '../sheet.ts';
import { readCard, vcardHeader } from './card-cells.ts';
import { cardsOf, linesOf, tooLong } from './cards.ts';
import type { SheetLimits } from './limits.ts';
import { Batch, findProblem, mixedEncoding, type OpenSheet, shortened, tooManyRows } from './rows.ts';
import { openText } from './text.ts';

export async function openVcard(file: FileHandle, totalBytes: number, options: ReadOptions, limits: SheetLimits): Promise<OpenSheet<SheetFacts>> {
  const text = await openText(file, options.encoding);
  return {
    facts: { format: 'VCARD', encoding: text.encoding, separator: null, quote: null, sheet: null, sheets: [], headerRow: 1, header: [...vcardHeader] },
    totalBytes,
    bytesRead: text.bytesRead,
    rows: cardRows(text.chunks(), limits, text.mixed),
  };
}

async function* cardRows(chunks: AsyncIterable<string>, limits: SheetLimits, mixed: boolean): AsyncGenerator<SheetRow[]> {
  const batch = new Batch();
  let rowNumber = 1;
  for await (const card of cardsOf(linesOf(chunks))) {
    if (++rowNumber > limits.rows + 1) throw tooManyRows(limits);
    const { cells, problem = findProblem(cells, vcardHeader, limits, mixed ? mixedEncoding : brokenCharacter) } = readCard(card);
    const raw = card.problem === tooLong ? {} : { card: `${card.lines.join('\r\n')}\r\n` };
    batch.add(problem ? { rowNumber, cells: shortened(cells, vcardHeader, limits), problem, ...raw } : { rowNumber, cells, ...raw });
    if (batch.isFull) yield batch.take();
  }
  if (!batch.isEmpty) yield batch.take();
}
