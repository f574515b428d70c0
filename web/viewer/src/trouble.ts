/** An error for the visitor: the thing at fault, what was given, what was expected, what to do. */
export class Trouble extends Error {
  constructor(
    readonly thing: string,
    readonly given: string,
    readonly expected: string,
    readonly remedy: string,
  ) {
    super(`${thing}: ${given} (expected: ${expected})`);
    this.name = "Trouble";
  }
}

/** The four parts, which unlike an Error's class survive the way from a worker to the page. */
export type TroubleParts = Pick<Trouble, "thing" | "given" | "expected" | "remedy">;

/**
 * What kind of failure: too little memory, a picture that is not what torch computed, or anything
 * else.
 */
export type Cause = "memory" | "wrong" | "other";

/** The graphics card, or the browser's share of memory, is full. */
export class OutOfMemory extends Error {
  override readonly name = "OutOfMemory";
}

/** The self-check's picture is not the exported one. */
export class WrongPicture extends Error {
  override readonly name = "WrongPicture";
}

// Browsers: "Array buffer allocation failed", "WebAssembly.Memory(): could not allocate memory",
// "Out of memory"; ONNX Runtime: "bad allocation", "Failed to allocate memory for requested buffer";
// Emscripten: "Aborted(OOM)", "Cannot enlarge memory".
const MEMORY = [
  /out of memory/i,
  /\boom\b/i,
  /bad.alloc/i,
  /(could not|cannot|failed to) (allocate|enlarge|grow)/i,
  /allocation failed/i,
];

/** The kind of failure that `error` is. */
export function causeOf(error: unknown): Cause {
  if (error instanceof OutOfMemory) return "memory";
  if (error instanceof WrongPicture) return "wrong";
  const text = messageOf(error);
  return MEMORY.some((pattern) => pattern.test(text)) ? "memory" : "other";
}

/** Any thrown value as the four parts; `doing` names what was going on. */
export function partsOf(error: unknown, doing: string): TroubleParts {
  if (error instanceof Trouble) {
    const { thing, given, expected, remedy } = error;
    return { thing, given, expected, remedy };
  }
  const given = messageOf(error);
  if (causeOf(error) === "memory") {
    return {
      thing: doing,
      given: `not enough memory (${given})`,
      expected: "memory for this scene",
      remedy: "close other tabs and programs and reload the page, or open it on a larger device",
    };
  }
  return {
    thing: doing,
    given,
    expected: "no error",
    remedy: "reload the page; if it happens again, try another browser or ?backend=wasm",
  };
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
