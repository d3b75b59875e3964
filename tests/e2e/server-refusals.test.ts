/** What a server refuses to start on, as an operator sees it: the reason, what to do, and nothing overwritten. */
import { afterEach, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Cluster, until } from "./cluster.ts";

const SERVER = join(import.meta.dir, "../../dist/lattice-server");
const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

const folder = () => {
  const made = mkdtempSync(join(tmpdir(), "lattice-refusal-"));
  folders.push(made);
  return made;
};
const fingerprint = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

/** Starts a server that should not come up; returns its exit code and what it said. */
function refuse(...flags: readonly string[]) {
  const rest = flags.includes("--rest-addr") ? [] : ["--rest-addr", "127.0.0.1:0"];
  const listen = [...rest, "--grpc-addr", "127.0.0.1:0"];
  const run = Bun.spawnSync([SERVER, ...listen, ...flags], { env: { PATH: process.env.PATH ?? "" }, timeout: 10_000 });
  return { code: run.exitCode, said: run.stderr.toString() };
}

/** A data directory that a real server has used and left. */
async function usedDataDir(): Promise<string> {
  const dir = folder();
  const child = Bun.spawn(
    [SERVER, "--rest-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--data-dir", dir, "--bootstrap"],
    { stderr: Bun.file(join(dir, "said.txt")), env: { PATH: process.env.PATH ?? "" } },
  );
  await until("the server serves", async () => {
    const [, port] = /"server started".*"rest":(\d+)/.exec(await Bun.file(join(dir, "said.txt")).text()) ?? [];
    return port !== undefined && (await fetch(`http://127.0.0.1:${port}/readyz`)).ok;
  });
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
  return dir;
}

test("an empty data directory without --bootstrap is no cluster", () => {
  const { code, said } = refuse("--data-dir", folder());
  expect(code).not.toBe(0);
  expect(said).toContain("--bootstrap");
});

test("a data directory that cannot be written is named", () => {
  const file = join(folder(), "file");
  writeFileSync(file, "");
  const { code, said } = refuse("--data-dir", join(file, "data"), "--bootstrap");
  expect(code).not.toBe(0);
  expect(said).toContain(file);
});

test("a port in use is named", async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
  const address = taken.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const { code, said } = refuse("--data-dir", folder(), "--bootstrap", "--rest-addr", `127.0.0.1:${port}`);
  taken.close();
  expect(code).not.toBe(0);
  expect(said).toContain(`127.0.0.1:${port}`);
});

test("a second server on the same data directory is refused, and the first goes on", async () => {
  const cluster = await Cluster.start();
  const { code, said } = refuse("--data-dir", join(cluster.dir, "server"));
  expect(code).not.toBe(0);
  expect(said).toContain("another");
  expect((await fetch(`${cluster.url}/readyz`)).ok).toBe(true);
  await cluster.stop();
}, 30_000);

test("a second --bootstrap on a cluster's data warns and changes nothing", async () => {
  const cluster = await Cluster.start();
  const id = await cluster.submit({ entrypoint: "true" });
  expect(await cluster.stopServer()).toBe(0);
  await cluster.startServer(true);
  expect((await cluster.allocation(id)).state).toBe("pending");
  expect(await cluster.log("server")).toContain("--bootstrap is ignored");
  await cluster.stop();
}, 30_000);

test("a log with a flipped byte is refused with the reason, and left as it was", async () => {
  const dir = await usedDataDir();
  const path = join(dir, "log.db");
  const bytes = readFileSync(path);
  const at = bytes.indexOf("initialize-cluster");
  expect(at).toBeGreaterThan(0);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  writeFileSync(path, bytes);
  const before = fingerprint(path);
  const { code, said } = refuse("--data-dir", dir);
  expect(code).not.toBe(0);
  expect(said).toMatch(/log\.db/);
  expect(fingerprint(path)).toBe(before);
}, 30_000);

test("a log of another format version is refused with both versions, and left as it was", async () => {
  const dir = await usedDataDir();
  const path = join(dir, "log.db");
  const bytes = readFileSync(path);
  // SQLite keeps user_version, which holds the format's version, at byte 60 of the file.
  bytes.writeUInt32BE(99, 60);
  writeFileSync(path, bytes);
  const before = fingerprint(path);
  const { code, said } = refuse("--data-dir", dir);
  expect(code).not.toBe(0);
  expect(said).toContain("99");
  expect(fingerprint(path)).toBe(before);
}, 30_000);

test("an unknown flag is named with its nearest", () => {
  const { code, said } = refuse("--boostrap");
  expect(code).not.toBe(0);
  expect(said).toContain("--bootstrap");
});
