// The texts that the cells of a workbook share. There may be millions, so they lie as bytes in a few blocks of memory,
// and those that are asked for again and again are kept as text.

const blockSize = 4_194_304;
const keptTexts = 65_536;

export class SharedTexts {
  readonly #blocks: Buffer[] = [];
  /** Where each begins, counted over all blocks, and how many bytes it has. */
  #starts = new Float64Array(1024);
  #lengths = new Uint32Array(1024);
  #count = 0;
  #used = blockSize;
  readonly #keptIndexes = new Int32Array(keptTexts).fill(-1);
  readonly #kept: string[] = [];

  /** The memory that they take. */
  get bytes(): number {
    return this.#blocks.length * blockSize + this.#count * 12;
  }

  /** A text is shorter than a block. */
  add(text: string): void {
    const length = Buffer.byteLength(text);
    if (this.#used + length > blockSize) {
      this.#blocks.push(Buffer.allocUnsafeSlow(blockSize));
      this.#used = 0;
    }
    if (this.#count === this.#lengths.length) {
      this.#starts = grown(this.#starts, new Float64Array(this.#count * 2));
      this.#lengths = grown(this.#lengths, new Uint32Array(this.#count * 2));
    }
    this.#blocks.at(-1)!.write(text, this.#used);
    this.#starts[this.#count] = (this.#blocks.length - 1) * blockSize + this.#used;
    this.#lengths[this.#count++] = length;
    this.#used += length;
  }

  /** Undefined when there is no such text. */
  get(index: number): string | undefined {
    if (!Number.isInteger(index) || index < 0 || index >= this.#count) return undefined;
    const place = index % keptTexts;
    if (this.#keptIndexes[place] === index) return this.#kept[place];
    const start = this.#starts[index]!;
    const from = start % blockSize;
    const text = this.#blocks[Math.floor(start / blockSize)]!.toString('utf8', from, from + this.#lengths[index]!);
    this.#keptIndexes[place] = index;
    this.#kept[place] = text;
    return text;
  }
}

function grown<Numbers extends Float64Array | Uint32Array>(old: Numbers, larger: Numbers): Numbers {
  larger.set(old);
  return larger;
}
