/**
 * One text for one value: object keys sorted, absent fields dropped, finite numbers only.
 * State hashes and idempotency fingerprints are taken over this text and over nothing else.
 */
import { assert } from "./assert.ts";
import { compareText } from "./compare.ts";

/** A value that has a canonical text. Fields that are undefined count as absent. */
export type Encodable =
  | null
  | boolean
  | number
  | string
  | readonly Encodable[]
  | { readonly [key: string]: Encodable | undefined };

/** Returns the canonical text of `value`, which is valid JSON. */
export function canonicalEncode(value: unknown): string {
  switch (typeof value) {
    case "number":
      assert(Number.isFinite(value), `cannot encode the number ${value}`);
      return Object.is(value, -0) ? "0" : String(value);
    case "string":
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "object":
      return value === null ? "null" : Array.isArray(value) ? encodeArray(value) : encodeObject(value);
    default:
      assert(false, `cannot encode a ${typeof value}`);
  }
}

function encodeArray(values: readonly unknown[]): string {
  let text = "[";
  for (let i = 0; i < values.length; i++) text += (i === 0 ? "" : ",") + canonicalEncode(values[i]);
  return `${text}]`;
}

function encodeObject(value: object): string {
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  entries.sort(([a], [b]) => compareText(a, b));
  let text = "{";
  for (const [key, field] of entries) {
    text += `${text.length === 1 ? "" : ","}${JSON.stringify(key)}:${canonicalEncode(field)}`;
  }
  return `${text}}`;
}
