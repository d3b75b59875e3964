/** Shows the order of flags, environment and file, and that the file is checked. */
import { expect, test } from "bun:test";
import { Given } from "../../../src/cli/grammar/given.ts";
import { UsageError } from "../../../src/cli/grammar/usage-error.ts";
import { checkedFile, GLOBAL_FLAGS, readUserFile, settingsFrom } from "../../../src/cli/settings.ts";

const given = (values: Readonly<Record<string, string>> = {}): Given =>
  new Given(GLOBAL_FLAGS, new Map(Object.entries(values).map(([name, value]) => [name, [value]])), {
    positionals: [],
    argv: undefined,
  });

test("nothing said, the server is this machine's and the output a table", () => {
  expect(settingsFrom(given(), {}, {})).toEqual({
    endpoints: ["http://127.0.0.1:8080"],
    format: "table",
    isQuiet: false,
    isStale: false,
    timeoutMs: 30_000,
  });
});

test("flags win over the environment, and that over the file", () => {
  const file = { server: "f:1", tenant: "ft", vcluster: "fv", output: "yaml" };
  const env = { LATTICE_SERVER: "e:1", LATTICE_TENANT: "et", LATTICE_TOKEN: "secret" };
  const fromEnv = settingsFrom(given(), env, file);
  expect(fromEnv).toMatchObject({ endpoints: ["http://e:1"], tenant: "et", token: "secret", format: "yaml" });
  // What only the file says stays apart, because a script may still say otherwise.
  expect(fromEnv).toMatchObject({ tenantDefault: "ft", vclusterDefault: "fv" });
  expect(fromEnv.vcluster).toBeUndefined();
  const flags = { server: "a:1,b:2", tenant: "t", output: "json", timeout: "5m" };
  expect(settingsFrom(given(flags), env, file)).toMatchObject({
    endpoints: ["http://a:1", "http://b:2"],
    tenant: "t",
    format: "json",
    timeoutMs: 300_000,
  });
});

test("an empty variable is one that is not set", () => {
  expect(settingsFrom(given(), { LATTICE_SERVER: "", LATTICE_TENANT: "" }, { tenant: "ft" }).tenant).toBeUndefined();
});

test("the file may list servers; a wrong key or value names the file", () => {
  expect(checkedFile("c.toml", { server: ["a:1", "b:1"] })).toEqual({ server: "a:1,b:1" });
  expect(() => checkedFile("c.toml", { tenannt: "x" })).toThrow(new UsageError('c.toml: unknown key "tenannt"'));
  expect(() => checkedFile("c.toml", { tenant: 3 })).toThrow(new UsageError("c.toml: tenant must be text"));
  expect(() => checkedFile("c.toml", "text")).toThrow(UsageError);
});

test("no file is no settings", async () => {
  expect(await readUserFile({ HOME: "/nonexistent" })).toEqual({});
});
