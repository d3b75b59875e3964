/** Shows when the leader makes a backup by itself and which it removes, against a location in memory. */
import { expect, test } from "bun:test";
import type { LogIndex, Millis, Term } from "../../../../src/base/brand.ts";
import { millis } from "../../../../src/base/brand.ts";
import { backupName, backupTime } from "../../../../src/core/backup/backup-name.ts";
import { fault, LatticeError } from "../../../../src/core/domain/errors.ts";
import { BackupSchedule } from "../../../../src/engine/server/backup-schedule.ts";
import type { Backups } from "../../../../src/ports/backups.ts";
import { TEST_SETTINGS } from "../../../fixtures/test-server.ts";

const HOUR = 3_600_000;
const START = Date.UTC(2026, 2, 5);

class World {
  now = START;
  isLeader = true;
  isFull = false;
  names: string[] = [];
  errors = 0;

  readonly schedule = new BackupSchedule({
    version: "test",
    backups: this.#backups(),
    replica: this as never,
    clock: { now: () => millis(this.now) } as never,
    log: { info: () => {}, error: () => this.errors++ } as never,
    settings: { ...TEST_SETTINGS, backupIntervalMs: HOUR, backupsKept: 3 },
  });
  readonly status = { term: 1 };
  flush() {}

  #backups(): Backups {
    const fileOf = (at: Millis) => ({ path: `/backups/${backupName(at)}`, bytes: 1, createdAt: at });
    return {
      location: "/backups/",
      create: async ({ at }) => {
        if (this.isFull) throw new LatticeError(fault("BACKUP_FAILED", "no space is left on the device"));
        this.names.unshift(backupName(at));
        const head = { format: 1, version: "test", clusterId: "c", createdAt: at, stateHash: "", restoreEpoch: 1 };
        const cut = { term: 1 as Term, index: 1 as LogIndex, counts: {}, archivedCount: 0, members: [] };
        return { ...fileOf(at), manifest: { ...head, ...cut } };
      },
      list: async () => this.names.map((name) => fileOf(backupTime(name) ?? millis(0))),
      verify: () => Promise.reject(new Error("not asked for")),
      stage: () => Promise.reject(new Error("not asked for")),
      remove: async (names) => {
        this.names = this.names.filter((name) => !names.includes(name));
      },
    };
  }

  async pass(ms: number): Promise<void> {
    this.now += ms;
    await this.schedule.look();
  }
}

test("a backup is made when the newest is an interval old, whoever made it", async () => {
  const world = new World();
  await world.pass(0);
  await world.pass(HOUR - 1_000);
  expect(world.names).toHaveLength(1);
  await world.pass(1_000);
  expect(world.names).toHaveLength(2);
});

test("the newest stay, and only as many as are kept", async () => {
  const world = new World();
  for (let i = 0; i < 6; i++) await world.pass(HOUR);
  expect(world.names).toEqual([6, 5, 4].map((hours) => backupName(millis(START + hours * HOUR))));
});

test("only the leader makes them", async () => {
  const world = new World();
  world.isLeader = false;
  await world.pass(HOUR);
  expect(world.names).toEqual([]);
});

test("a failure is logged, removes nothing, and is tried again", async () => {
  const world = new World();
  for (let i = 0; i < 3; i++) await world.pass(HOUR);
  world.isFull = true;
  await world.pass(HOUR);
  expect([world.names.length, world.errors]).toEqual([3, 1]);
  world.isFull = false;
  await world.pass(60_000);
  expect(world.names[0]).toBe(backupName(millis(START + 4 * HOUR + 60_000)));
});
