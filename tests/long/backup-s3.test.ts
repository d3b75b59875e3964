/**
 * Shows backups in a real S3 server (Ceph's gateway, scripts/s3-up.sh): made, listed,
 * checked and restored through it, removed by retention, and each mistake of the settings
 * named. Installs the gateway when it is missing.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { millis } from "../../src/base/brand.ts";
import { auditFilesBy } from "../../src/io/audit/worker-audit-files.ts";
import { doBackupTask } from "../../src/io/backup/backup-tasks.ts";
import type { BackupQuestion, BackupTask, BackupTasks } from "../../src/io/backup/backup-worker-messages.ts";
import type { S3Options } from "../../src/io/s3/s3-store.ts";
import { Cluster } from "../e2e/cluster.ts";
import { TempDir } from "../fixtures/temp-dir.ts";
import { startTestServer, type TestServer } from "../fixtures/test-server.ts";

const SCRIPT = join(import.meta.dir, "../../scripts/s3-up.sh");
const PACKAGES = ["radosgw", "ceph-mon", "ceph-osd"];
const AT = millis(Date.UTC(2026, 2, 5, 12));
const NAME = "backup-20260305T120000Z.tar.gz";
const temp = new TempDir();
let s3: Required<S3Options>;
let running: TestServer;

beforeAll(async () => {
  if (Bun.which("radosgw") === null) {
    const flags = ["-o", "DPkg::Lock::Timeout=300", "--no-install-recommends", "-y", "install"];
    const run = Bun.spawnSync(["apt-get", ...flags, ...PACKAGES]);
    if (run.exitCode !== 0) throw new Error(`the S3 server cannot be installed: ${run.stderr}`);
  }
  const up = Bun.spawnSync(["bash", SCRIPT, temp.join("s3")], { env: { ...process.env, PORT: "14581" } });
  const said = up.stdout.toString();
  const value = (name: string) => new RegExp(`export ${name}=(.*)`).exec(said)?.[1] ?? "";
  s3 = {
    endpoint: value("S3_ENDPOINT"),
    region: "us-east-1",
    accessKeyId: value("S3_ACCESS_KEY"),
    secretAccessKey: value("S3_SECRET_KEY"),
  };
  if (s3.secretAccessKey === "") throw new Error(`no S3 server: ${said}${up.stderr}`);
  const { accessKeyId, secretAccessKey, ...place } = s3;
  const client = new S3Client({ ...place, forcePathStyle: true, credentials: { accessKeyId, secretAccessKey } });
  await client.send(new CreateBucketCommand({ Bucket: "lattice" }));
  running = await startTestServer({ dir: temp.join("raft") });
  await running.server.replica.flush();
}, 300_000);
afterAll(async () => {
  await running?.stop();
  Bun.spawnSync(["bash", SCRIPT, temp.join("s3"), "stop"]);
  temp[Symbol.dispose]();
});

const ask = async <K extends BackupTask>(
  task: K,
  given: BackupTasks[K]["given"],
  odd: { readonly location?: string; readonly s3?: S3Options } = {},
) => {
  const places = { dataDir: temp.join("raft"), memberId: 1, members: [], location: "s3://lattice/site/a", s3, ...odd };
  return (await doBackupTask({ task, places, given } as BackupQuestion)) as BackupTasks[K]["result"];
};
const refusal = (odd: Parameters<typeof ask>[2]) => ask("list", {}, odd).catch((error: Error) => error.message);

test("a backup goes into the bucket and comes out whole", async () => {
  const made = await ask("create", { at: AT, version: "test" });
  expect(made.path).toBe(`s3://lattice/site/a/${NAME}`);
  expect(await ask("list", {})).toEqual([{ path: made.path, bytes: made.bytes, createdAt: AT }]);
  expect(await ask("verify", { name: NAME })).toMatchObject({ isValid: true, backup: { manifest: made.manifest } });
  const replaced = { restoreEpoch: 1, nextShortId: 1 };
  expect((await ask("stage", { name: NAME, at: AT, clusterId: "new", replaced })).manifest).toEqual(made.manifest);
}, 60_000);

test("another prefix is another place, and what is removed is gone", async () => {
  expect(await ask("list", {}, { location: "s3://lattice" })).toEqual([]);
  await ask("remove", { names: [NAME] });
  expect(await ask("list", {})).toEqual([]);
  const gone = await ask("verify", { name: NAME }).catch((error: unknown) => error);
  expect(gone).toMatchObject({ fault: { reason: "BACKUP_NOT_FOUND" } });
}, 60_000);

test("a wrong key, secret, bucket or server is named", async () => {
  expect(await refusal({ s3: { ...s3, secretAccessKey: "wrong" } })).toContain("the secret key is wrong");
  expect(await refusal({ s3: { ...s3, accessKeyId: "nobody" } })).toContain("the access key is unknown there");
  expect(await refusal({ location: "s3://nowhere" })).toContain("there is no such bucket");
  expect(await refusal({ s3: { ...s3, endpoint: "http://127.0.0.1:1" } })).toContain("cannot use s3://lattice/site/a");
}, 120_000);

test("the built server keeps its scheduled backups there, and no more than it is told", async () => {
  const cluster = await Cluster.start({
    env: {
      LATTICE_BACKUP_LOCATION: "s3://lattice/scheduled",
      LATTICE_BACKUP_INTERVAL_SECONDS: "1",
      LATTICE_BACKUP_KEEP: "2",
      LATTICE_BACKUP_S3_ENDPOINT: s3.endpoint,
      AWS_ACCESS_KEY_ID: s3.accessKeyId,
      AWS_SECRET_ACCESS_KEY: s3.secretAccessKey,
    },
  });
  try {
    await Bun.sleep(6_000);
    const { stdout } = await cluster.cli("admin", "backup", "list", "-q");
    const paths = stdout.trim().split("\n");
    expect(paths.length).toBeGreaterThanOrEqual(2);
    expect(paths.length).toBeLessThanOrEqual(3);
    expect((await cluster.cli("admin", "backup", "verify", paths[0] ?? "")).code).toBe(0);
  } finally {
    await cluster.stop();
  }
}, 60_000);

test("archives of the audit log go into the bucket and are read back; the same text again is no error, another is", async () => {
  const places = { dataDir: temp.join("raft"), memberId: 1, members: [], location: "s3://lattice/site/audit", s3 };
  const files = auditFilesBy(doBackupTask, places);
  await files.put("audit-1-1-2.jsonl", "one\ntwo\n");
  await files.put("audit-1-1-2.jsonl", "one\ntwo\n");
  expect(await files.get("audit-1-1-2.jsonl")).toEqual({
    text: "one\ntwo\n",
    sha256: new Bun.CryptoHasher("sha256").update("one\ntwo\n").digest("hex"),
  });
  await expect(files.put("audit-1-1-2.jsonl", "another\n")).rejects.toMatchObject({
    fault: { reason: "ALREADY_EXISTS" },
  });
  await expect(files.get("audit-1-3-4.jsonl")).rejects.toMatchObject({ fault: { reason: "BACKUP_NOT_FOUND" } });
}, 60_000);
