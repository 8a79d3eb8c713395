// Compression of chunks: zstd (RFC 8878).
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdCompressSync, zstdDecompress, zstdDecompressSync } from 'node:zlib';

const compressAside = promisify(zstdCompress);
const decompressAside = promisify(zstdDecompress);

/**
 * Up to so many bytes of plain form are compressed at once, and a quarter of that is decompressed: it takes some
 * milliseconds, no hand-over, and leaves no memory behind in the threads of the pool.
 */
const atOnce = 8 * 1024 * 1024;

/** No chunk is larger when opened; a store that lies can't make the process run out of memory. */
const largestChunk = 512 * 1024 * 1024;

/** A small chunk is mostly ids and digests, which no level makes smaller, so the lowest does (1 % more bytes, two thirds of the time); in a large one it would cost a fifth more. */
const levelOf = (bytes: number) => (bytes < 256 * 1024 ? 1 : constants.ZSTD_CLEVEL_DEFAULT);

export const compress = (plain: Buffer): Promise<Buffer> | Buffer => {
  const params = { [constants.ZSTD_c_compressionLevel]: levelOf(plain.length) };
  const options = { chunkSize: Math.max(64 * 1024, plain.length >> 1), pledgedSrcSize: plain.length, params };
  return plain.length < atOnce ? zstdCompressSync(plain, options) : compressAside(plain, options);
};

/** @throws Error when the bytes are not what `compress` gives, or give more than a chunk may hold */
export const decompress = (packed: Buffer): Promise<Buffer> | Buffer => {
  const options = { maxOutputLength: largestChunk, chunkSize: Math.max(64 * 1024, packed.length * 4) };
  return packed.length < atOnce / 4 ? zstdDecompressSync(packed, options) : decompressAside(packed, options);
};
