/**
 * Shows that a killed process loses no entry that it had acknowledged, and that a disk
 * which takes no more ends the member with a reason and leaves a sound log, with real
 * processes and files.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { logIndex } from "../../src/base/brand.ts";
import { createLogStore, openLogStore } from "../../src/io/sqlite/log-store.ts";
import { aNewLog } from "../fixtures/raft-entries.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const WRITER = join(import.meta.dir, "../fixtures/log-writer.ts");

/** Reads the indices that a writer prints until there are `count` of them or it ends. */
async function acknowledged(stdout: ReadableStream<Uint8Array>, count: number): Promise<string[]> {
  let text = "";
  for await (const chunk of stdout) {
    text += new TextDecoder().decode(chunk);
    if (text.split("\n").length > count) break;
  }
  // What follows the last line end was cut off.
  return text.split("\n").slice(0, -1);
}

/** Opens the log, which checks every record, and returns how many entries it holds. */
function entryCount(dir: string): number {
  const store = openLogStore(dir, 1);
  const { lastIndex } = store.load().shape;
  const entries = store.read(logIndex(1), lastIndex);
  store.close();
  expect(entries.map((e) => Number(e.index))).toEqual(Array.from({ length: lastIndex }, (_, i) => i + 1));
  return lastIndex;
}

describe("INV-D1: acknowledged entries", () => {
  test("survive kill -9 at any moment, time after time", async () => {
    using dir = new TempDir();
    createLogStore(dir.path, aNewLog()).close();
    let found = 0;
    for (const [inFlight, count] of [
      [1, 3],
      [16, 500],
      [256, 20_000],
      [64, 7_000],
      [256, 1],
    ] as const) {
      const writer = Bun.spawn([process.execPath, WRITER, dir.path, String(inFlight)], {
        stdout: "pipe",
        stderr: "ignore",
      });
      const lines = await acknowledged(writer.stdout, count);
      writer.kill("SIGKILL");
      await writer.exited;
      const acknowledgedLast = Math.max(found, Number(lines.at(-1)));
      found = entryCount(dir.path);
      expect(found).toBeGreaterThanOrEqual(acknowledgedLast);
    }
  }, 60_000);

  test("survive a disk that is full, which ends the member", async () => {
    using dir = new TempDir();
    createLogStore(dir.path, aNewLog()).close();
    // Writes past the limit fail as on a full disk, for root as well.
    const limited = `trap '' XFSZ; ulimit -f 256; exec "$0" "$@"`;
    const command = ["bash", "-c", limited, process.execPath, WRITER, dir.path, "16"];
    const writer = Bun.spawn(command, { stdout: "pipe" });
    const lines = await acknowledged(writer.stdout, Number.POSITIVE_INFINITY);
    expect(await writer.exited).toBe(3);
    expect(lines.at(-1)).toStartWith(`INTERNAL the disk fails under ${dir.join("log.db")}`);
    expect(entryCount(dir.path)).toBeGreaterThanOrEqual(Number(lines.at(-2)));
  }, 60_000);
});
