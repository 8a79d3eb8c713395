// Random moments at which tests kill what is at work.
/** Repeats the moments of a run that failed. */
export const seed = Number(process.env['CRASH_SEED'] ?? Date.now() % 1_000_000);

/** Mulberry32: the same numbers from 0 to 1 for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** `count` random moments of a run, as parts of its duration: one in each equal part of it, in random order. */
export function moments(count: number, random: () => number): number[] {
  const spread = Array.from({ length: count }, (_, part) => ({ at: (part + random()) / count, order: random() }));
  return spread.sort((a, b) => a.order - b.order).map(({ at }) => at);
}
