/**
 * Shows how logins are kept: the user's alone whatever was there before, whole after every
 * change, one change at a time, and refused where they cannot be trusted.
 */
import { expect, test } from "bun:test";
import { chmodSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { type Login, loginsPath, SavedLogins } from "../../src/cli/auth/saved-logins.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const LOGIN: Login = {
  issuer: "https://idp",
  clientId: "lattice",
  audience: "lattice",
  scope: "openid",
  token: "t",
  expiresAt: 1,
  refreshToken: "r",
  user: "ann",
};

function logins(folder: TempDir) {
  const warnings: string[] = [];
  return { saved: new SavedLogins(folder.join("lattice/tokens.json"), (text) => warnings.push(text)), warnings };
}

const add = (saved: SavedLogins, server: string, login = LOGIN) =>
  saved.change(async (before) => ({ logins: { ...before, [server]: login }, result: undefined }));

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("logins are where the user's configuration is", () => {
  expect(loginsPath({ HOME: "/h" })).toBe("/h/.config/lattice/tokens.json");
  expect(loginsPath({ HOME: "/h", XDG_CONFIG_HOME: "/x" })).toBe("/x/lattice/tokens.json");
});

test("what was kept is found by the first server that it is for", async () => {
  using folder = new TempDir();
  const { saved } = logins(folder);
  expect(saved.find(["http://a"])).toBeUndefined();
  await add(saved, "http://a");
  await add(saved, "http://b", { ...LOGIN, token: "of-b" });
  expect(saved.find(["http://c", "http://b", "http://a"])?.token).toBe("of-b");
  expect(saved.find(["http://a"])).toEqual(LOGIN);
});

test("file and folder are the user's alone from the first byte, under any umask", async () => {
  using folder = new TempDir();
  const { saved } = logins(folder);
  const before = process.umask(0);
  try {
    await add(saved, "http://a");
  } finally {
    process.umask(before);
  }
  expect([modeOf(saved.path), modeOf(dirname(saved.path))]).toEqual(["600", "700"]);
  expect(readdirSync(dirname(saved.path))).toEqual(["tokens.json"]);
});

test.each([0o640, 0o604, 0o666, 0o620])("mode %o is put right with a warning", async (mode) => {
  using folder = new TempDir();
  const { saved, warnings } = logins(folder);
  await add(saved, "http://a");
  chmodSync(saved.path, mode);
  expect(saved.find(["http://a"])).toEqual(LOGIN);
  expect(modeOf(saved.path)).toBe("600");
  expect(warnings).toEqual([expect.stringContaining(`(mode ${mode.toString(8)})`)]);
});

test.each(["", "{", "[]", '{"version":2,"servers":{}}', '{"version":1,"servers":{"http://a":{"token":5}}}'])(
  "a file that holds %p is named, and nothing of it is used",
  async (text) => {
    using folder = new TempDir();
    const { saved } = logins(folder);
    await add(saved, "http://a");
    writeFileSync(saved.path, text);
    expect(() => saved.find(["http://a"])).toThrow("tokens.json is damaged");
    expect(add(saved, "http://b")).rejects.toThrow("tokens.json is damaged");
  },
);

test("changes wait for each other, so that none is lost", async () => {
  using folder = new TempDir();
  const [one, two] = [logins(folder).saved, logins(folder).saved];
  const servers = Array.from({ length: 10 }, (_, i) => `http://s${i}`);
  await Promise.all(servers.map((server, i) => add(i % 2 === 0 ? one : two, server)));
  expect(Object.keys(one.all()).sort()).toEqual(servers);
});

test("a change that fails leaves the file as it was, and lets the next one in", async () => {
  using folder = new TempDir();
  const { saved } = logins(folder);
  await add(saved, "http://a");
  const before = readFileSync(saved.path, "utf8");
  const failing = saved.change(async () => {
    throw new Error("the provider is away");
  });
  expect(failing).rejects.toThrow("the provider is away");
  await failing.catch(() => {});
  expect(readFileSync(saved.path, "utf8")).toBe(before);
  await add(saved, "http://b");
});

test("a lock that a killed command left behind is taken away", async () => {
  using folder = new TempDir();
  const { saved } = logins(folder);
  await add(saved, "http://a");
  const lock = `${saved.path}.lock`;
  writeFileSync(lock, "");
  const longAgo = new Date(Date.now() - 120_000);
  utimesSync(lock, longAgo, longAgo);
  await add(saved, "http://b");
  expect(Object.keys(saved.all())).toEqual(["http://a", "http://b"]);
});

test("a folder that cannot be written is named", async () => {
  using folder = new TempDir();
  writeFileSync(folder.join("lattice"), "a file, not a folder");
  expect(add(logins(folder).saved, "http://a")).rejects.toThrow("cannot be");
});
