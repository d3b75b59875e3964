/**
 * Shows that a key of the configuration is either acted on or listed as not active: every
 * setting of ServerConfig is read outside config/, every active key of the schema
 * reaches a file that builds settings, and the list only shrinks and stands in the README.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { INACTIVE, inactiveCapability } from "../../src/config/inactive.ts";
import { CONFIG_KEYS } from "../../src/config/schema.ts";
import { bare, files, ROOT, SRC } from "./sources.ts";

const textOfReadme = (): string => readFileSync(join(ROOT, "README.md"), "utf8");
const textOf = (path: string): string => bare(files(path)[0]?.text ?? "");

test("every setting is read by the code", () => {
  const [, body = ""] = textOf("src/config/server-config.ts").split("export interface ServerConfig");
  const settings = [...body.matchAll(/readonly (\w+): (?!\{\s*$)/gm)].map((m) => m[1] ?? "");
  const readers = SRC.filter(({ path }) => !path.startsWith("src/config/")).map(({ text }) => bare(text));
  expect(settings.length).toBeGreaterThan(10);
  expect(settings.filter((name) => !readers.some((text) => new RegExp(`\\b${name}\\b`).test(text)))).toEqual([]);
});

test("every active key becomes a setting", () => {
  const builder = ["build-config", "sources/vault-secrets", "sources/agent-config"]
    .map((name) => textOf(`src/config/${name}.ts`))
    .join();
  const active = CONFIG_KEYS.filter((key) => inactiveCapability(key.path) === undefined);
  expect(active.filter((key) => !builder.includes(key.path.at(-1) ?? "")).map((key) => key.name)).toEqual([]);
});

/** Keys that are not active. It may only be lowered: a capability that arrives takes its keys away. */
const INACTIVE_KEYS = 35;

test("the list of keys that are not active only shrinks", () => {
  const idle = CONFIG_KEYS.filter((key) => inactiveCapability(key.path) !== undefined);
  expect(idle.length).toBe(INACTIVE_KEYS);
  const known = new Set(CONFIG_KEYS.flatMap(({ path, name }) => [path[0] ?? "", name]));
  expect(Object.keys(INACTIVE).filter((name) => !known.has(name))).toEqual([]);
});

test("the README names each capability that is not active", () => {
  const [, section = ""] = textOfReadme().split("## What is not in this build");
  const said = (section.split("\n## ")[0] ?? "").replaceAll(/\s+/g, " ").toLowerCase();
  expect(Object.values(INACTIVE).filter((capability) => !said.includes(capability.toLowerCase()))).toEqual([]);
});
