/**
 * Shows that the types are not talked around, no test is switched off, versions are exact,
 * and no file knows the machine it was written on.
 */
import { expect, test } from "bun:test";
import { CODE, files, matches, SRC } from "./sources.ts";

/** Where a cast is at home: bytes and foreign objects become types there, and plain values get their brands. */
const CAST_FOLDERS = [
  "src/wire/",
  "src/io/",
  "src/base/brand.ts",
  "src/base/drop-undefined.ts",
  "src/core/domain/ids.ts",
];

test("no any, no ignored type error", () => {
  expect(CODE.flatMap((file) => matches(file, /(?:[:<,|&]\s*|\bas )any\b(?!\s*:)/g))).toEqual([]);
  const own = "tests/tidy/conventions.test.ts";
  const silenced = CODE.filter(({ path, text }) => path !== own && /@ts-(ignore|expect-error|nocheck)/.test(text));
  expect(silenced.map((f) => f.path)).toEqual([]);
});

test("no non-null assertion", () => {
  expect(CODE.flatMap((file) => matches(file, /[\w)\]]!(?=[.;,)\]\s[])(?!\s*=)/g))).toEqual([]);
});

test("no cast in src/ but at the rim", () => {
  const inner = SRC.filter(({ path }) => !CAST_FOLDERS.some((f) => path.startsWith(f)));
  expect(inner.flatMap((file) => matches(file, /(?<!\bimport[^;]*)(?<!\bexport [*{][^;]*) as (?!const\b)\w/g))).toEqual(
    [],
  );
});

test("no default export, enum or namespace", () => {
  expect(
    CODE.flatMap((file) => matches(file, /^export default\b|^(?:export )?(?:const )?(?:enum|namespace) \w/gm)),
  ).toEqual([]);
});

test("no test is skipped or runs alone", () => {
  const off = /\b(?:test|it|describe)\.(?:skip|only|todo)\b|\b(?:xtest|xit|xdescribe)\(/g;
  expect(CODE.flatMap((file) => matches(file, off))).toEqual([]);
});

test("no test asserts that something was quick: a busy machine would fail it", () => {
  const timed = CODE.filter(({ path }) => path.endsWith(".test.ts"));
  const quick = /\b(?:performance\.now|Date\.now|monotonic)\(\)[^;\n]*\.toBeLessThan/g;
  expect(timed.flatMap((file) => matches(file, quick))).toEqual([]);
});

test("package.json names exact versions and bun.lock no address", () => {
  const [manifest, lock] = files("{package.json,bun.lock}").toReversed();
  const { dependencies, devDependencies } = JSON.parse(manifest?.text ?? "{}");
  const versions = Object.entries<string>({ ...dependencies, ...devDependencies });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version))).toEqual([]);
  expect(lock?.text).not.toMatch(/https?:\/\//);
});

test("no file names a developer's machine or a package registry", () => {
  const all = files("{src,tests,scripts,docs,config,proto,examples,infra,.ci,.github}/**/*", "*.{md,json,toml,yaml}");
  const known = /\/work\/|\/Users\/|\/home\/(?!lattice|USER)\w+\/|registry\.npmjs|\bnpmjs\.org|artifactory|_authToken/i;
  const guilty = all.filter(({ path, text }) => path !== "tests/tidy/conventions.test.ts" && known.test(text));
  expect(guilty.map((f) => f.path)).toEqual([]);
});
