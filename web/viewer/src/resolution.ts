/**
 * Which rendition of a model the next frame takes: the full size, or half of its width and height.
 *
 *     drawn(rendition, ms) -> recent times of each -> choose(moving) -> "full" | "reduced"
 *
 * At rest it is always the full size. While the camera moves it is the full size too, for as long as
 * that keeps the wanted frames per second. Where the smaller picture hardly takes less time (the
 * overhead of a frame is all there is), it is not worth its blur. All times are in milliseconds.
 */
export type RenditionName = "full" | "reduced";

/** Frames a second to keep while the camera moves, where nobody asks for others. */
export const FPS = 30;
/** Newest frames that count. */
const WINDOW = 7;
/** Frames that have to count before anything is concluded from them. */
const ENOUGH = 3;
/** First frames of a rendition, which do not count: shaders and code are still being compiled. */
const COLD = 2;
/** The full size is left above this multiple of a frame's time, ... */
const TOO_SLOW = 1.1;
/** ... and taken again below this one. Between the two nothing changes. */
const FAST_ENOUGH = 0.85;
/** The smaller picture has to take less than this part of the full one's time. */
const WORTH = 0.8;
/** The smaller picture is tried again when the full one has become slower by this factor. */
const TRY_AGAIN = 1.5;
/** A picture of the full size takes at most this many times as long: it has as many more pixels. */
const PIXELS = 4;

/** The newest times of one rendition. */
class Times {
  #cold = COLD;
  #newest: number[] = [];

  add(milliseconds: number): void {
    if (this.#cold > 0) this.#cold--;
    else this.#newest = [...this.#newest, milliseconds].slice(-WINDOW);
  }

  forget(): void {
    this.#newest = [];
  }

  /** Null: too few to tell. */
  get median(): number | null {
    if (this.#newest.length < ENOUGH) return null;
    const sorted = [...this.#newest].sort((a, b) => a - b);
    const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1];
    return (sorted[low]! + sorted[high]!) / 2;
  }
}

export class Resolution {
  readonly #budget: number;
  readonly #times = { full: new Times(), reduced: new Times() };
  #moving: RenditionName = "full";
  #newest: RenditionName = "full";
  #resting = true;
  #waking = false;
  /** Median of the full size when the smaller one was found not to be worth it. */
  #refusedAt: number | null = null;

  /** `reducible`: there is a smaller rendition. `fps`: frames a second to keep; null: the usual. */
  constructor(
    private readonly reducible: boolean,
    fps: number | null = null,
  ) {
    this.#budget = 1000 / (fps ?? FPS);
  }

  /** What the next frame is drawn with. */
  choose(moving: boolean): RenditionName {
    if (moving && this.#resting) this.#waking = true;
    this.#resting = !moving;
    if (!moving || !this.reducible) return "full";
    if (this.#moving === "full" ? this.#leaves() : this.#returns())
      this.#moving = this.#moving === "full" ? "reduced" : "full";
    return this.#moving;
  }

  /** A frame is done. */
  drawn(rendition: RenditionName, milliseconds: number): void {
    this.#newest = rendition;
    if (this.#waking)
      this.#waking = false; // clocks were low: it says nothing of the next ones
    else this.#times[rendition].add(milliseconds);
  }

  /** Whether the newest picture is to be drawn once more, sharper, when the camera rests. */
  get blurred(): boolean {
    return this.#newest === "reduced";
  }

  /** Is the full size too slow, and the smaller one any better? */
  #leaves(): boolean {
    const full = this.#times.full.median;
    if (full === null || full <= TOO_SLOW * this.#budget) return false;
    if (this.#refusedAt !== null && full <= TRY_AGAIN * this.#refusedAt) return false;
    this.#refusedAt = null;
    this.#times.reduced.forget();
    return true;
  }

  /** Is the smaller one not worth it, or would the full size be fast enough again? */
  #returns(): boolean {
    const [full, reduced] = [this.#times.full.median, this.#times.reduced.median];
    if (reduced === null) return false;
    if (full !== null && reduced >= WORTH * full) {
      this.#refusedAt = full;
      return true;
    }
    const fits = FAST_ENOUGH * this.#budget;
    if ((full === null || full > fits) && PIXELS * reduced > fits) return false;
    this.#times.full.forget(); // what made it slow is over
    return true;
  }
}
