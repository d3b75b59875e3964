/** The query of a request, read field by field; parsed only when somebody asks. */
import { nearest } from "../../base/nearest.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { AllocationState } from "../../core/domain/lifecycle.ts";
import { LIMITS } from "../../core/domain/limits.ts";
import type { PageRequest } from "../../engine/server/operations/results.ts";
import { statesOf } from "../allocation-states.ts";

/** @throws INVALID_SPEC for a parameter that the route does not have: ignoring it would answer another question. */
export function checkQuery(url: string, known: readonly string[]): void {
  const start = url.indexOf("?");
  if (start === -1) return;
  for (const name of new URLSearchParams(url.slice(start + 1)).keys()) {
    if (known.includes(name)) continue;
    const guess = nearest(name, known);
    const next = guess === undefined ? `it takes: ${known.join(", ")}` : `did you mean ${guess}?`;
    throw new LatticeError(fault("INVALID_SPEC", `there is no query parameter ${JSON.stringify(name)} here`, next));
  }
}

/** One request's query. */
export class Query {
  readonly #values: URLSearchParams;

  constructor(url: string) {
    const start = url.indexOf("?");
    this.#values = new URLSearchParams(start === -1 ? "" : url.slice(start + 1));
  }

  /** Returns the value; empty when absent. */
  text(name: string): string {
    return this.#values.get(name) ?? "";
  }

  /** Returns a record with the named values that are there. */
  texts<K extends string>(...names: readonly K[]): Partial<Record<K, string>> {
    const found: Partial<Record<K, string>> = {};
    for (const name of names) {
      const value = this.text(name);
      if (value !== "") found[name] = value;
    }
    return found;
  }

  /** Returns a count; 0 when absent. @throws INVALID_SPEC for anything else. */
  count(name: string): number {
    const text = this.text(name);
    if (!/^\d{0,15}$/.test(text)) throw new LatticeError(fault("INVALID_SPEC", `${name} is not a number: ${text}`));
    return Number(text);
  }

  /** Returns whether the value is true or 1. */
  flag(name: string): boolean {
    const text = this.text(name);
    if (!["", "true", "false", "1", "0"].includes(text)) {
      throw new LatticeError(fault("INVALID_SPEC", `${name} is neither true nor false: ${text}`));
    }
    return text === "true" || text === "1";
  }

  /** Returns the page asked for. */
  page(): PageRequest {
    const limit = this.count("limit");
    if (limit > LIMITS.pageSizeMax) {
      throw new LatticeError(fault("INVALID_SPEC", `a page has ${LIMITS.pageSizeMax} items at most, not ${limit}`));
    }
    return { limit, cursor: this.text("cursor") };
  }

  /** Returns the allocation states of a comma-separated list. */
  states(): readonly AllocationState[] {
    return statesOf(this.text("state"));
  }
}
