/**
 * Shows that the list of what a reload brings into use is the truth for the sections on it: each of
 * their keys that is active changes what the running loops are told, and the administrator's
 * guide names the same sections and keys. Files are texts in a table.
 */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { present } from "../../../src/base/assert.ts";
import { waitingSections } from "../../../src/bin/server-reload.ts";
import { schedulingOf } from "../../../src/bin/server-settings.ts";
import { inactiveCapability } from "../../../src/config/inactive.ts";
import { isLive, LIVE } from "../../../src/config/live.ts";
import { readConfig } from "../../../src/config/load.ts";
import { CONFIG_KEYS, type KeyEntry } from "../../../src/config/schema.ts";
import type { ServerConfig } from "../../../src/config/server-config.ts";

const GUIDE = join(import.meta.dir, "../../../docs/guide/README.md");
const BASE = "quorum: {}\napi: {}\nstorage: {}\ntelemetry: {}\n";
/** Values to try in turn: one of them is valid and not the default. */
const OTHERS = ["7", "10", "false", "true", "[a]", "conservative", "none", "fcfs", "score", "hpc-batch", "warn"];
const MORE = ["walltime", "shortest", "size", "tiny", "tiny-largest"];

const configOf = (text: string): ServerConfig | undefined => {
  const files = { readText: () => BASE + text, obstacle: () => undefined };
  return readConfig({ path: "c.yaml", env: {}, files }).config;
};
const before = present(configOf(""), "the default configuration");

/** Returns configurations that differ from the default one in a key, or in nothing that the server keeps. */
const changed = ({ path: [section, own] }: KeyEntry): readonly ServerConfig[] =>
  [...OTHERS, ...MORE].flatMap((value) => configOf(`${section}: {${own}: ${value}}\n`) ?? []);

test("each active key of a section on the list changes what the loops are told, and waits for nothing", () => {
  const told = (config: ServerConfig) => JSON.stringify([schedulingOf(config), config.log.level]);
  const keys = CONFIG_KEYS.filter(({ path }) => LIVE.includes(path[0] ?? "") && inactiveCapability(path) === undefined);
  expect(keys.length).toBeGreaterThan(15);
  const deaf = keys.filter((key) => changed(key).every((config) => told(config) === told(before)));
  expect(deaf.map(({ name }) => name)).toEqual([]);
  for (const key of keys) for (const config of changed(key)) expect(waitingSections(before, config)).toEqual([]);
});

test("what is not on the list is named as waiting for a restart", () => {
  expect(waitingSections(before, present(configOf("node_agent: {heartbeat_timeout_seconds: 77}\n"), "usable"))).toEqual(
    ["node_agent"],
  );
  const pushed = present(readPushed(), "usable");
  expect(waitingSections(before, pushed)).toEqual(["telemetry"]);
  expect(isLive(["telemetry"])).toBe(false);
});

function readPushed(): ServerConfig | undefined {
  const env = { LATTICE_TELEMETRY_TSDB_ENDPOINT: "http://127.0.0.1:8428" };
  const files = { readText: () => BASE, obstacle: () => undefined };
  return readConfig({ path: "c.yaml", env, files }).config;
}

test("the guide lists the same", () => {
  const [, table = ""] = /\| Changed \| Takes effect \|\n([\s\S]*?)\n\n/.exec(readFileSync(GUIDE, "utf8")) ?? [];
  const atOnce = table.split("\n").filter((line) => line.endsWith("| at once |"));
  const named = [...atOnce.join("\n").matchAll(/`([a-z0-9_.]+)`/g)].map(([, name = ""]) => name);
  expect(named.toSorted()).toEqual(LIVE.toSorted());
});
