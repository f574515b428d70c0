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

/** Any thrown value as the four parts; `doing` names what was going on. */
export function partsOf(error: unknown, doing: string): TroubleParts {
  if (error instanceof Trouble) {
    const { thing, given, expected, remedy } = error;
    return { thing, given, expected, remedy };
  }
  return {
    thing: doing,
    given: error instanceof Error ? error.message : String(error),
    expected: "no error",
    remedy: "reload the page; if it happens again, try another browser or ?backend=wasm",
  };
}
