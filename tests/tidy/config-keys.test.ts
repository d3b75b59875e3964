/**
 * Shows that a key of the configuration is either acted on or listed as not active: every
 * setting of ServerConfig is read outside config/, and every active key of the schema
 * reaches a file that builds settings.
 */
import { expect, test } from "bun:test";
import { inactiveCapability } from "../../src/config/inactive.ts";
import { CONFIG_KEYS } from "../../src/config/schema.ts";
import { bare, files, SRC } from "./sources.ts";

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
