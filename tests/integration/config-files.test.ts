/** Shows that a path in a configuration is tried on the real file system, and said with its line when it cannot be used. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig, usableConfig } from "../../src/config/load.ts";

const folder = mkdtempSync(join(tmpdir(), "lattice-config-"));
const at = (name: string) => join(folder, name);

beforeAll(() => {
  writeFileSync(at("plain"), "text");
  mkdirSync(at("empty"));
});

afterAll(() => rmSync(folder, { recursive: true }));

function problemsWith(section: string): readonly string[] {
  writeFileSync(at("c.yaml"), `${section}\nstorage: {}\ntelemetry: {}\n`);
  return readConfig({ path: at("c.yaml"), env: {} }).problems;
}

test("a data directory that exists, or can be made, is taken", () => {
  expect(problemsWith(`quorum: {data_dir: ${at("empty")}}\napi: {}`)).toEqual([]);
  expect(problemsWith(`quorum: {data_dir: ${at("empty/a/b/c")}}\napi: {}`)).toEqual([]);
});

test("a data directory that is, or lies below, a file is refused with its line", () => {
  const place = `${at("c.yaml")}:1: quorum.data_dir`;
  expect(problemsWith(`quorum: {data_dir: ${at("plain")}}\napi: {}`)).toEqual([
    `${place}: ${at("plain")} is not a folder`,
  ]);
  expect(problemsWith(`quorum: {data_dir: ${at("plain/below")}}\napi: {}`)).toEqual([
    `${place}: ${at("plain")} is not a folder`,
  ]);
});

test("a file that a key names must be there and be a file", () => {
  expect(problemsWith(`quorum: {}\napi: {tls_cert: ${at("none")}, tls_key: ${at("empty")}}`)).toEqual([
    `${at("c.yaml")}:2: api.tls_cert: ${at("none")} does not exist`,
    `${at("c.yaml")}:2: api.tls_key: ${at("empty")} is not a file`,
  ]);
});

test("a secret is read from the file that its variable names, and a missing one stops the start", () => {
  writeFileSync(at("c.yaml"), "quorum: {}\napi: {}\nstorage: {}\ntelemetry: {}\n");
  const load = (file: string) =>
    usableConfig(readConfig({ path: at("c.yaml"), env: { LATTICE_OIDC_HMAC_SECRET_FILE: at(file) } }));
  const { config } = load("plain");
  expect(config.api.auth.kind === "hmac" && config.api.auth.secret.reveal()).toBe("text");
  expect(() => load("none")).toThrow("LATTICE_OIDC_HMAC_SECRET_FILE: cannot read");
});
