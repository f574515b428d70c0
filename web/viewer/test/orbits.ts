/** Cameras for tests: many, everywhere, the same in every run. */
import type { Orbit } from "../src/camera";

/** Evenly in [0, 1). */
export function* random(seed = 1): Generator<number, never> {
  for (let x = seed; ;) yield (x = (x * 16807) % 2147483647) / 2147483647;
}

/** Orbits far outside of any envelope, some inside. */
export function* anywhere(count: number): Generator<Orbit> {
  const next = random();
  const between = (low: number, high: number): number => low + (high - low) * next.next().value;
  for (let k = 0; k < count; k++) {
    const wide = k % 2 === 0 ? 1 : 0.2;
    yield {
      azimuth: between(-20, 20),
      elevation: between(-1.5, 1.5),
      radius: Math.exp(between(-2, 3)),
      offset: [between(-wide, wide), between(-wide, wide), between(-wide, wide)],
      focal: Math.exp(between(-1, 2)),
    };
  }
}
