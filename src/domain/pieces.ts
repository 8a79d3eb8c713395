// Bytes as they come, cut into the pieces that a file is kept in.

/** The most that a piece holds: what is in memory of a file. */
export const pieceBytes = 4 * 1024 * 1024;

/**
 * What comes, cut into pieces that are full, but for the last. Of what was there when it ended in an error, multiples of
 * `salvaged` bytes are a piece as well, before the error is thrown.
 */
export async function* inPieces(content: AsyncIterable<Uint8Array>, salvaged = Infinity): AsyncGenerator<Buffer> {
  let piece: Buffer = Buffer.allocUnsafe(firstRoom);
  let length = 0;
  try {
    for await (const chunk of content)
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + pieceBytes - length);
        // Copied, because many small chunks take far more memory than what is in them.
        if (length + part.length > piece.length) piece = withRoom(piece, length, length + part.length);
        piece.set(part, length);
        at += part.length;
        length += part.length;
        if (length < pieceBytes) continue;
        yield piece;
        [piece, length] = [Buffer.allocUnsafe(firstRoom), 0];
      }
  } catch (error) {
    const whole = length - (length % salvaged);
    if (whole > 0) yield piece.subarray(0, whole);
    throw error;
  }
  if (length > 0) yield piece.subarray(0, length);
}

/** What there is room for at first; then for twice as much each time. */
const firstRoom = 64 * 1024;

function withRoom(piece: Buffer, length: number, wanted: number): Buffer {
  const larger = Buffer.allocUnsafe(Math.min(Math.max(2 * piece.length, wanted), pieceBytes));
  piece.copy(larger, 0, 0, length);
  return larger;
}
