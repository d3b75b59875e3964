/** What the ways to log in need of the world: what they say, how they open a browser, what they read, and how they are given up. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Provider, Tokens } from "./identity-provider.ts";

/** The surroundings of one login. */
export interface LoginWorld {
  /** Scopes to ask for, separated by spaces. */
  readonly scope: string;
  readonly say: (text: string) => void;
  /** Opens the page in a browser, if it can. */
  readonly open: (address: string) => void;
  /** Returns the line that the user types; undefined at the end of the input. */
  readonly readLine: () => Promise<string | undefined>;
  /** Aborts at Ctrl-C. */
  readonly signal: AbortSignal;
}

/** One way to log in. @throws FlowUnavailable when it cannot be gone here */
export type LogIn = (provider: Provider, world: LoginWorld) => Promise<Tokens>;

/** Returns what `answer` gives, unless the user gives up first. @throws CANCELED */
export async function unlessGivenUp<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: end, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(new LatticeError(fault("CANCELED", "cancelled")));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([answer, end]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** Thrown when a way to log in is closed here, so that another may be tried. */
export class FlowUnavailable extends Error {
  override readonly name = "FlowUnavailable";
}
