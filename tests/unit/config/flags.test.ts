/** Shows that the command line of the server is read strictly: every mistake is named, with the nearest flag. */
import { expect, test } from "bun:test";
import { parseServerFlags } from "../../../src/config/server-flags.ts";
import { LatticeError } from "../../../src/core/domain/errors.ts";

function refusalOf(...argv: readonly string[]): string {
  try {
    parseServerFlags(argv);
  } catch (error) {
    if (error instanceof LatticeError) return error.fault.message;
    throw error;
  }
  return "";
}

test("flags become settings of the keys they stand for", () => {
  const command = parseServerFlags(["-c", "f.yaml", "--rest-addr=:1", "--data-dir", "/d", "--bootstrap"]);
  expect(command).toEqual({
    kind: "serve",
    path: "f.yaml",
    overrides: [
      { path: ["api", "rest_address"], value: ":1", source: "--rest-addr" },
      { path: ["quorum", "data_dir"], value: "/d", source: "--data-dir" },
      { path: ["quorum", "bootstrap"], value: true, source: "--bootstrap" },
    ],
  });
});

test("the short form takes its value attached or apart", () => {
  expect(parseServerFlags(["-cf.yaml"])).toMatchObject({ path: "f.yaml" });
  expect(parseServerFlags(["-c=f.yaml"])).toMatchObject({ path: "f.yaml" });
});

test("config check, version and help are commands of their own", () => {
  expect(parseServerFlags(["config", "check", "--config", "f"])).toEqual({ kind: "config-check", path: "f" });
  expect(parseServerFlags(["--version"])).toEqual({ kind: "version" });
  expect(parseServerFlags(["--help"])).toMatchObject({ kind: "help" });
});

test("all mistakes come at once", () => {
  expect(refusalOf("--confg", "--bootstrap=yes", "--data-dir", "--log-level").split("\n")).toEqual([
    "unknown flag --confg; nearest: --config",
    "--bootstrap takes no value",
    "--data-dir needs a value: --data-dir FOLDER",
    "--log-level needs a value: --log-level LEVEL",
  ]);
});

test("a flag given twice, a stray word and an unknown command are refused", () => {
  expect(refusalOf("--bootstrap", "--bootstrap")).toBe("--bootstrap is given twice");
  expect(refusalOf("--bootstrap", "now")).toBe('unexpected argument "now"');
  expect(refusalOf("confg")).toContain("nearest: config check");
  expect(refusalOf("config", "chek")).toContain("nearest: config check");
});
