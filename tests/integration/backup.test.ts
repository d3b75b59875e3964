/**
 * Shows that a backup holds the state at one index while its server goes on, that any
 * flipped or missing byte is found, and that what is restored is the same state in a
 * new log, a later epoch and another range of short ids. Real files, the tasks of the Worker in this thread.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { logIndex, millis } from "../../src/base/brand.ts";
import { createPrng } from "../../src/base/prng.ts";
import { metaOf, stateHash } from "../../src/core/state/state.ts";
import { stageRestore } from "../../src/engine/server/operations/backup.ts";
import { submit } from "../../src/engine/server/operations/submit-allocation.ts";
import type { Server } from "../../src/engine/server/server.ts";
import { doBackupTask } from "../../src/io/backup/backup-tasks.ts";
import type { BackupQuestion, BackupTask, BackupTasks } from "../../src/io/backup/backup-worker-messages.ts";
import { finishRestore } from "../../src/io/backup/restore-stage.ts";
import { unpackBackup } from "../../src/io/backup/unpack.ts";
import { openLogStore } from "../../src/io/sqlite/log-store.ts";
import { openMirrorCut } from "../../src/io/sqlite/mirror-cut.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { aCall, addNode, startTestServer, type TestServer } from "../fixtures/test-server.ts";

const AT = millis(Date.UTC(2026, 2, 5, 12, 0, 0));
const NAME = "backup-20260305T120000Z.tar.gz";
const temp = new TempDir();
const dataDir = temp.join("raft");
const location = temp.join("backups");
const members = [{ id: 1, address: "server-1:9000" }];
const places = { dataDir, memberId: 1, members, location, s3: {} };
let running: TestServer;

const ask = async <K extends BackupTask>(task: K, given: BackupTasks[K]["given"]) =>
  (await doBackupTask({ task, places, given } as BackupQuestion)) as BackupTasks[K]["result"];

beforeAll(async () => {
  running = await startTestServer({ dir: dataDir, settings: { endedInMemoryMax: 0 } });
  const { server } = running;
  await addNode(server, "n1");
  for (let i = 0; i < 20; i++) {
    const request = { tenant: "default", entrypoint: `echo ${i}`, name: `work ${i}` };
    await submit(server, aCall(), { kind: "single", request });
  }
  await Bun.sleep(50);
  await server.replica.flush();
});
afterAll(async () => {
  await running.stop();
  temp[Symbol.dispose]();
});

const bytesOf = (name = NAME) => readFileSync(join(location, name));

test("a backup has the index, the counts and the hash of the state that it was made from", async () => {
  const { server } = running;
  const { manifest, path } = await ask("create", { at: AT, version: "test" });
  expect(path).toBe(join(location, NAME));
  expect(manifest.index).toBe(server.replica.applied);
  expect(manifest.stateHash).toBe(stateHash(server.replica.state));
  expect(manifest.counts).toMatchObject({ nodes: 1, allocations: 20, tenants: 1, meta: 1 });
  expect(await ask("verify", { name: NAME })).toMatchObject({ isValid: true });
  expect(readdirSync(dirname(dataDir)).sort()).toEqual(["backups", "raft"]);
});

test("any tar program unpacks it", () => {
  const listed = Bun.spawnSync(["tar", "tzf", join(location, NAME)]);
  expect(listed.stderr.toString()).toBe("");
  expect(listed.stdout.toString()).toBe("rows/000001.jsonl\nmanifest.json\n");
});

test("INV-B2: a flipped bit at any place of the file is found", async () => {
  const whole = bytesOf();
  const random = createPrng(7);
  const below = (limit: number) => Math.floor(random() * limit);
  const ends = [0, 1, 2, 3, 4, 8, 9, 10, whole.length - 1, whole.length - 9, whole.length - 40, whole.length - 58];
  const places = [...ends, ...Array.from({ length: 200 }, () => below(whole.length))];
  for (const at of places) {
    const bytes = Buffer.from(whole);
    bytes[at] = (bytes[at] ?? 0) ^ (1 << below(8));
    const path = temp.join("flipped");
    writeFileSync(path, bytes);
    const checked = await unpackBackup(path);
    expect(checked.isValid ? `byte ${at} went unnoticed` : "found").toBe("found");
  }
});

test("a file that is cut off, or longer, is found", async () => {
  const whole = bytesOf();
  const cuts = [0, 10, 57, 58, 600, whole.length - 58, whole.length - 1];
  for (const bytes of [...cuts.map((at) => whole.subarray(0, at)), Buffer.concat([whole, Buffer.from([0])])]) {
    writeFileSync(temp.join("cut"), bytes);
    expect((await unpackBackup(temp.join("cut"))).isValid).toBe(false);
  }
});

test("two backups in one second have two names, the newest is listed first", async () => {
  const second = await ask("create", { at: AT, version: "test" });
  expect(second.path).toEndWith("backup-20260305T120001Z.tar.gz");
  expect((await ask("list", {})).map((file) => file.path)).toEqual([second.path, join(location, NAME)]);
  await ask("remove", { names: ["backup-20260305T120001Z.tar.gz"] });
  expect(await ask("list", {})).toHaveLength(1);
});

test("a name that is missing, or that leads elsewhere, is no backup", async () => {
  const gone = await ask("verify", { name: "backup-20200101T000000Z.tar.gz" }).catch((error: unknown) => error);
  expect(gone).toMatchObject({ fault: { reason: "BACKUP_NOT_FOUND" } });
  symlinkSync("/etc/hostname", join(location, "backup-20210101T000000Z.tar.gz"));
  const link = await ask("verify", { name: "backup-20210101T000000Z.tar.gz" }).catch((error: unknown) => error);
  expect(link).toMatchObject({ fault: { reason: "BACKUP_NOT_FOUND" } });
});

test("a damaged backup is not staged, and the reason is said", async () => {
  const bytes = bytesOf();
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 4;
  writeFileSync(join(location, "backup-20260101T000000Z.tar.gz"), bytes);
  const request = {
    name: "backup-20260101T000000Z.tar.gz",
    at: AT,
    clusterId: "new",
    replaced: metaOf(running.server.replica.state),
  };
  const refused = await ask("stage", request).catch((error: unknown) => error);
  expect(refused).toMatchObject({ fault: { reason: "BACKUP_DAMAGED" } });
  expect(existsSync(`${dataDir}.restore`)).toBe(false);
});

test("a restored cluster has the rows of the backup, a later epoch and unused short ids", async () => {
  const before = running.server.replica.state;
  await submit(running.server, aCall(), {
    kind: "single",
    request: { tenant: "default", entrypoint: "true", name: "after the backup" },
  });
  await ask("stage", { name: NAME, at: AT, clusterId: "restored", replaced: metaOf(before) });
  await running.stop(true);
  expect(finishRestore(dataDir, AT)).toEqual({ replaced: `${dataDir}.replaced-20260305T120000Z` });
  expect(finishRestore(dataDir, AT)).toBeUndefined();
  await ask("stage", { name: NAME, at: AT, clusterId: "again", replaced: metaOf(before) });
  expect(finishRestore(dataDir, AT)).toEqual({ replaced: `${dataDir}.replaced-20260305T120000Z-2` });
  running = await startTestServer({ dir: dataDir });
  const { state } = running.server.replica;
  expect(state.tables.allocations.size).toBe(20);
  expect(metaOf(state)).toMatchObject({ clusterId: "test-cluster", restoreEpoch: AT / 1000, nextShortId: 2_000_000 });
  const next = await submit(running.server, aCall(), {
    kind: "single",
    request: { tenant: "default", entrypoint: "true" },
  });
  expect(next).toMatchObject({ allocations: [{ shortId: 2_000_000 }] });
});

test("a restored log begins after the backup, with all configured servers as voters, on a cluster of any size", async () => {
  const three = [1, 2, 3].map((id) => ({ id, address: `server-${id}:9000` }));
  const fresh = { ...places, dataDir: temp.join("of-three"), members: three, memberId: 2 };
  const given = { name: NAME, at: AT, clusterId: "three", replaced: metaOf(running.server.replica.state) };
  const question: BackupQuestion = { task: "stage", places: fresh, given };
  const { manifest } = (await doBackupTask(question)) as BackupTasks["stage"]["result"];
  finishRestore(fresh.dataDir, AT);
  const store = openLogStore(fresh.dataDir, 2);
  const { shape, memberships } = store.load();
  const { storeId } = store.identity;
  store.close();
  const membership = {
    departed: [],
    members: three.map((member) => ({ ...member, storeId: member.id === 2 ? storeId : "", isVoter: true })),
  };
  const { index, term } = manifest;
  expect(shape).toEqual({ compactedIndex: index, compactedTerm: term, lastIndex: index, runs: [] });
  expect(memberships).toEqual([{ index, membership }]);
  const cut = openMirrorCut(fresh.dataDir);
  expect([cut.clusterId, cut.applied]).toEqual(["three", { index, term, membership: { index, membership } }]);
  cut.close();
});

test("a restore is refused while other servers are alive, unless it is forced", async () => {
  const { server } = running;
  const peer = { id: 2, address: "lattice-02:9000", role: "follower", matchIndex: logIndex(1) } as const;
  const withPeer = (lastContactMs: number): Server => {
    const status = {
      ...server.replica.status,
      members: [...server.replica.status.members, { ...peer, lastContactMs }],
    };
    const replica = Object.create(server.replica, {
      status: { value: status },
      state: { value: server.replica.state },
    });
    const stage = () => Promise.reject(new Error("staged"));
    return { ...server, replica, backups: { ...server.backups, location, stage } };
  };
  const restore = (at: Server, isForced: boolean) =>
    stageRestore(at, aCall(), { path: NAME, isForced }).catch((error: Error) => error.message);
  expect(await restore(withPeer(200), false)).toContain(
    "other servers of this cluster are alive: 2 at lattice-02:9000",
  );
  expect(await restore(withPeer(200), true)).toBe("staged");
  expect(await restore(withPeer(60_000), false)).toBe("staged");
});

test("a folder for backups that cannot be written is named", async () => {
  const file = temp.join("file");
  writeFileSync(file, "");
  const odd = { ...places, location: join(file, "backups") };
  const given = { at: AT, version: "test" };
  const refused = await doBackupTask({ task: "create", places: odd, given }).catch((error: unknown) => error);
  expect(refused).toMatchObject({ fault: { reason: "BACKUP_FAILED", message: expect.stringContaining(file) } });
});
