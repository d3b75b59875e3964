/**
 * Shows that the shipped files and the schema say the same: every key of production.yaml
 * is known, every key of the schema is in production.yaml, both files load, and an
 * inactive row names something that exists.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { INACTIVE } from "../../../src/config/inactive.ts";
import { readConfig } from "../../../src/config/load.ts";
import { CONFIG_KEYS, SECTIONS } from "../../../src/config/schema.ts";

const CONFIG = join(import.meta.dir, "../../../config");
const load = (name: string) =>
  readConfig({
    path: name,
    env: {},
    files: { readText: () => readFileSync(join(CONFIG, name), "utf8"), obstacle: () => undefined },
  });

/** Names every key of a file, also those behind a '#' as examples. */
function keysIn(name: string): string[] {
  let section = "";
  return readFileSync(join(CONFIG, name), "utf8")
    .split("\n")
    .flatMap((line) => {
      const top = /^([a-z_]+):(.*)$/.exec(line);
      if (top) section = top[1] ?? "";
      if (top) return top[2] === "" ? [] : [section];
      const key = /^ {2}(?:# )?([a-z0-9_]+):(?: |$)/.exec(line)?.[1];
      return key === undefined ? [] : [`${section}.${key}`];
    });
}

test("production.yaml has every key of the schema, in its order, and no other", () => {
  expect(keysIn("production.yaml")).toEqual(CONFIG_KEYS.map((k) => k.name));
});

test("both files load, and this build starts with them", () => {
  for (const name of ["minimal.yaml", "production.yaml"]) {
    const reading = load(name);
    expect(reading.problems).toEqual([]);
    expect(reading.config?.api.restAddress).toEqual({ host: "127.0.0.1", port: 8080 });
  }
});

test("every row of the inactive list names a section or a key", () => {
  const known = new Set([...SECTIONS, ...CONFIG_KEYS.map((k) => k.name)]);
  expect(Object.keys(INACTIVE).filter((name) => !known.has(name))).toEqual([]);
});

test("every meaning is one sentence", () => {
  const meanings = CONFIG_KEYS.map((k) => k.facts.meaning);
  expect(meanings.filter((m) => !/^[A-Z].*\.$/.test(m))).toEqual([]);
});
