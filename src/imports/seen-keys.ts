// Who was the first with a key, for millions of keys: 12 bytes each, and not the keys themselves. A key is one text or more, in an order.

/** An open-addressing table over hashes of 64 bits, seeded anew for each. Two of ten million keys are alike with one chance in 300,000. */
export class SeenKeys {
  readonly #seeds = crypto.getRandomValues(new Uint32Array(2));
  /** For each slot two halves of a hash and a number, which is 0 where the slot is free. */
  #slots = new Uint32Array(3 * 1024);
  #count = 0;
  /** The halves of the last hash. */
  #high = 0;
  #low = 0;

  /** The number, from 1, that came with the key first, which is this one when none had. */
  first(key: readonly string[], number: number): number {
    // At three quarters, so that a sheet's million rows with four keys each take 100 MB, and 150 while it grows.
    if (this.#count * 4 >= this.#slots.length) this.#grow();
    this.#hash(key);
    const slot = this.#find(this.#high, this.#low);
    const found = this.#slots[slot + 2]!;
    if (found !== 0) return found;
    this.#put(slot, this.#high, this.#low, number);
    this.#count++;
    return number;
  }

  /** The number that came with the key first; undefined when none had it. */
  get(key: readonly string[]): number | undefined {
    this.#hash(key);
    return this.#slots[this.#find(this.#high, this.#low) + 2] || undefined;
  }

  /** Two multiplicative hashes side by side, mixed at the end as in MurmurHash3. */
  #hash(key: readonly string[]): void {
    let [high, low] = this.#seeds as unknown as [number, number];
    for (const text of key) {
      // Up to the end, where what comes is no character: it keeps the texts apart.
      for (let at = 0; at <= text.length; at++) {
        const code = at < text.length ? text.charCodeAt(at) : 0x10000;
        high = Math.imul(high ^ code, 0x9e3779b1);
        low = Math.imul(low ^ code, 0x5f356495);
      }
    }
    high = Math.imul(high ^ (high >>> 16), 0x85ebca6b) ^ Math.imul(low ^ (low >>> 13), 0xc2b2ae35);
    low = Math.imul(low ^ (low >>> 16), 0x85ebca6b) ^ Math.imul(high ^ (high >>> 13), 0xc2b2ae35);
    this.#high = high >>> 0;
    this.#low = low >>> 0;
  }

  /** The slot of a hash, or the free one where it belongs. */
  #find(high: number, low: number): number {
    const size = this.#slots.length / 3;
    for (let place = (low ^ high) >>> 0; ; place++) {
      const slot = (place % size) * 3;
      if (this.#slots[slot + 2] === 0 || (this.#slots[slot] === high && this.#slots[slot + 1] === low)) return slot;
    }
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Uint32Array(old.length * 2);
    for (let slot = 0; slot < old.length; slot += 3)
      if (old[slot + 2] !== 0) this.#put(this.#find(old[slot]!, old[slot + 1]!), old[slot]!, old[slot + 1]!, old[slot + 2]!);
  }

  #put(slot: number, high: number, low: number, number: number): void {
    this.#slots[slot] = high;
    this.#slots[slot + 1] = low;
    this.#slots[slot + 2] = number;
  }
}
