/**
 * Shows the operator's walk with the built binaries: make a backup, find damage in it,
 * restore it over a cluster whose agents go on working, and onto a fresh machine.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster, until } from "./cluster.ts";

const SERVER = join(import.meta.dir, "../../dist/lattice-server");
let cluster: Cluster;
let backup = "";

beforeAll(async () => {
  cluster = await Cluster.start({ isQuick: true });
  await cluster.startAgent("n1");
  await cluster.startAgent("n2");
}, 60_000);
afterAll(() => cluster.stop());

test("a backup is made, listed and checked by the command line", async () => {
  const kept = await cluster.submit({ entrypoint: "sleep 300", name: "kept" });
  const ended = await cluster.submit({
    entrypoint: `while [ ! -e ${cluster.dir}/go ]; do sleep 0.05; done`,
    name: "seen",
  });
  await cluster.reaches(kept, "running");
  await cluster.reaches(ended, "running");
  const made = await cluster.cli("admin", "backup", "create");
  expect(made).toMatchObject({ code: 0, stderr: "" });
  backup = /Made (\S+):/.exec(made.stdout)?.[1] ?? "";
  expect(backup).toMatch(new RegExp(`^${cluster.dir}/backups/backup-\\d{8}T\\d{6}Z\\.tar\\.gz$`));
  expect(made.stdout).toContain("2 nodes, 2 allocations, 1 tenant");
  const listed = await cluster.cli("admin", "backup", "list");
  expect(listed.stdout).toContain(backup);
  const verified = await cluster.cli("admin", "backup", "verify");
  expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining(`${backup}: whole`) });
  writeFileSync(join(cluster.dir, "go"), "");
  await cluster.reaches(ended, "completed");
}, 60_000);

test("the routes of the specification make, check and refuse", async () => {
  const made = await cluster.request("POST", "/api/v1/admin/backup");
  const body = (await made.json()) as Record<string, unknown>;
  expect(body).toMatchObject({ success: true, node_count: 2, tenant_count: 1 });
  expect(await cluster.get("/api/v1/admin/backup/verify")).toMatchObject({ valid: true, path: body.path });
  const outside = await cluster.request("POST", "/api/v1/admin/restore", { path: "/etc/passwd" });
  expect(await outside.json()).toMatchObject({ code: "INVALID_SPEC", next: expect.stringContaining("backups") });
  const curl = (...flags: readonly string[]) => {
    const body = JSON.stringify({ path: "backup-20200101T000000Z.tar.gz" });
    const url = `${cluster.url}/api/v1/admin/restore`;
    return Bun.spawnSync(["curl", "-sS", "-X", "POST", url, "-d", body, ...flags]).stdout.toString();
  };
  expect(curl()).toContain("BACKUP_NOT_FOUND");
  expect(curl("-H", "Origin: http://elsewhere")).toContain("UNSUPPORTED_MEDIA_TYPE");
  const gone = await cluster.request("POST", "/api/v1/admin/restore", { path: "backup-20200101T000000Z.tar.gz" });
  expect(gone.ok).toBe(false);
  expect(await gone.json()).toMatchObject({ code: "BACKUP_NOT_FOUND" });
}, 60_000);

test("damage is found, named, and not restored", async () => {
  const bytes = readFileSync(backup);
  const at = bytes.length >> 1;
  bytes[at] = (bytes[at] ?? 0) ^ 16;
  const damaged = join(cluster.dir, "backups/backup-20260101T000000Z.tar.gz");
  writeFileSync(damaged, bytes);
  const verified = await cluster.cli("admin", "backup", "verify", damaged);
  expect(verified.code).toBe(1);
  expect(verified.stdout).toContain("damaged: the checksum at its end is not that of its bytes");
  const restored = await cluster.cli("admin", "backup", "restore", damaged);
  expect(restored.code).toBe(1);
  expect(existsSync(join(cluster.dir, "server.restore"))).toBe(false);
}, 60_000);

test("after a restore, running work goes on, what ended since runs again, and no short id is given twice", async () => {
  const after = await cluster.submit({ entrypoint: "true", name: "after the backup" });
  const staged = await cluster.cli("admin", "backup", "restore", backup);
  expect(staged).toMatchObject({ code: 0, stdout: expect.stringContaining("restart this server") });
  expect((await cluster.allocation(after)).name).toBe("after the backup");
  expect(await cluster.stopServer()).toBe(0);
  await cluster.startServer();
  await cluster.nodeIs("n1", "ready");
  await cluster.nodeIs("n2", "ready");
  expect(await cluster.allocation("1")).toMatchObject({ name: "kept", state: "running", attempt: 1 });
  expect(await cluster.reaches("2", "completed")).toMatchObject({ name: "seen", attempt: 2 });
  expect((await cluster.request("GET", `/api/v1/allocations/${after}`)).ok).toBe(false);
  expect(await cluster.submit({ entrypoint: "true" })).toBe("2000000");
  await cluster.reaches("2000000", "completed");
  const replaced = readdirSync(cluster.dir).filter((name) => name.startsWith("server.replaced-"));
  expect(replaced).toHaveLength(1);
  expect(existsSync(join(cluster.dir, replaced[0] ?? "", "log.db"))).toBe(true);
}, 90_000);

test("a fresh machine is restored from the file alone, and a running server's data is left alone", async () => {
  const restore = (dir: string) =>
    Bun.spawnSync([SERVER, "restore", "--from", backup, "--data-dir", dir], { env: { PATH: process.env.PATH ?? "" } });
  const refused = restore(join(cluster.dir, "server"));
  expect(refused.exitCode).not.toBe(0);
  expect(refused.stderr.toString()).toContain("a server runs on");
  const dir = join(cluster.dir, "fresh/raft");
  const done = restore(dir);
  expect(done.stderr.toString()).toBe("");
  expect(done.stdout.toString()).toContain("start lattice-server without --bootstrap");
  const said = join(cluster.dir, "fresh.log");
  const child = Bun.spawn([SERVER, "--rest-addr", "127.0.0.1:0", "--grpc-addr", "127.0.0.1:0", "--data-dir", dir], {
    stderr: Bun.file(said),
    env: { PATH: process.env.PATH ?? "" },
  });
  await until("the restored server has started", () => readFileSync(said, "utf8").includes("server started"));
  child.kill("SIGTERM");
  expect(await child.exited).toBe(0);
}, 60_000);
