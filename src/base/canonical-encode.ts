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
      return quote(value);
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
  let text = "{";
  for (const key of sortedKeys(value)) {
    const field: unknown = Reflect.get(value, key);
    if (field !== undefined) text += `${text.length === 1 ? "" : ","}${quote(key)}:${canonicalEncode(field)}`;
  }
  return `${text}}`;
}

/** Printable ASCII without quote and backslash: most texts are, and stand for themselves. */
const PLAIN = /^[ !#-[\]-~]*$/;

const quote = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

/** Sorts only what is not in order already: the keys of a record read from its text are. */
function sortedKeys(value: object): readonly string[] {
  const keys = Object.keys(value);
  return isSorted(keys) ? keys : keys.sort(compareText);
}

function isSorted(keys: readonly string[]): boolean {
  let before: string | undefined;
  for (const key of keys) {
    if (before !== undefined && before > key) return false;
    before = key;
  }
  return true;
}
