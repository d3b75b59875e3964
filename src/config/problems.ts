/** Turns what the schema finds wrong into sentences: what, with the value, and the nearest valid name. */
import type { z } from "zod";
import { nearest } from "../base/nearest.ts";
import { REDACTED } from "./redact.ts";
import { CONFIG_KEYS, SECTIONS } from "./schema.ts";

/** One thing that is wrong, and the path of the value. */
export interface ConfigProblem {
  readonly path: readonly PropertyKey[];
  readonly text: string;
}

/** Returns the problems behind one issue of the schema; `data` is what was checked. */
export function problemsOf(issue: z.core.$ZodIssue, data: unknown): readonly ConfigProblem[] {
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((name) => unknownKey([...issue.path, name]));
  }
  const name = issue.path.join(".");
  const value = valueAt(data, issue.path);
  if (value === null) return [{ path: issue.path, text: `${name} has no value; give one or remove the line` }];
  const shown = isSecret(name) ? REDACTED : JSON.stringify(value);
  if (value === undefined) return [{ path: issue.path, text: `${name} is missing` }];
  return [{ path: issue.path, text: `${name}: ${expectation(issue, value)}, not ${shown}` }];
}

function expectation(issue: z.core.$ZodIssue, value: unknown): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${NAMES[issue.expected] ?? issue.expected}`;
    case "too_small":
      return issue.origin === "string" ? "must not be empty" : `must be at least ${issue.minimum}`;
    case "too_big":
      return `must be at most ${issue.maximum}`;
    case "invalid_value": {
      const guess = typeof value === "string" ? nearest(value, issue.values.map(String)) : undefined;
      const hint = guess === undefined ? "" : ` (nearest: ${guess})`;
      return `must be one of ${issue.values.join(", ")}${hint}`;
    }
    case "invalid_union":
      return issue.errors.flat().at(-1)?.message ?? issue.message;
    default:
      return issue.message;
  }
}

const NAMES: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a section of keys",
  record: "a table of names and values",
};

function unknownKey(path: readonly PropertyKey[]): ConfigProblem {
  const name = path.join(".");
  const known = path.length === 1 ? [...SECTIONS, "role"] : CONFIG_KEYS.map((k) => k.name);
  const inSection = nearest(
    String(path.at(-1)),
    known.filter((k) => k.startsWith(`${String(path[0])}.`)).map(lastPart),
  );
  const guess = inSection !== undefined && path.length === 2 ? `${String(path[0])}.${inSection}` : nearest(name, known);
  const kind = path.length === 1 ? "section or key" : "key";
  const hint = guess === undefined ? "" : `; nearest: ${guess}`;
  return { path, text: `unknown ${kind} ${name}${hint}` };
}

const lastPart = (name: string): string => name.slice(name.indexOf(".") + 1);

const isSecret = (name: string): boolean => CONFIG_KEYS.some((k) => k.name === name && k.facts.isSecret === true);

function valueAt(data: unknown, path: readonly PropertyKey[]): unknown {
  let at = data;
  for (const step of path) {
    if (typeof at !== "object" || at === null) return undefined;
    at = new Map(Object.entries(at)).get(String(step));
  }
  return at;
}
