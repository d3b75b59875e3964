/**
 * Shows that the log behind a real Worker behaves as the port says: everything committed
 * comes back once and in order, over restarts and compaction; what cannot be opened is an
 * error with its reason; a worker that dies is reported once.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { logIndex } from "../../src/base/brand.ts";
import type { Fault } from "../../src/core/domain/errors.ts";
import type { WorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { openWorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { createLogStore } from "../../src/io/sqlite/log-store.ts";
import type { CommittedEntry, ConsensusListener } from "../../src/ports/consensus.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const RAFT_WORKER = new URL("../../src/bin/workers/raft-worker.ts", import.meta.url).href;
const DYING_WORKER = new URL("../fixtures/dying-worker.ts", import.meta.url).href;

const opened: WorkerConsensus[] = [];

async function open(dir: string, workerUrl = RAFT_WORKER): Promise<WorkerConsensus> {
  const consensus = await openWorkerConsensus({ workerUrl, dir, memberId: 1, address: "here:9000" });
  opened.push(consensus);
  return consensus;
}

afterEach(async () => {
  for (const consensus of opened.splice(0)) await consensus.close();
});

/** Collects what a member reports and waits for parts of it. */
class Listener implements ConsensusListener {
  readonly entries: CommittedEntry[] = [];
  readonly rejected: (readonly number[])[] = [];
  readonly failures: Fault[] = [];
  #wake = () => {};

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => (this.#wake = resolve));
  }

  get texts(): readonly string[] {
    return this.entries.filter((e) => e.data.length > 0).map((e) => new TextDecoder().decode(e.data));
  }

  onCommitted(entries: readonly CommittedEntry[]): void {
    this.entries.push(...entries);
    this.#wake();
  }
  onRejected(proposals: readonly number[]): void {
    this.rejected.push(proposals);
    this.#wake();
  }
  onStatus(): void {
    this.#wake();
  }
  onFailed(fault: Fault): void {
    this.failures.push(fault);
    this.#wake();
  }
}

const numbered = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `command ${from + i}`);

function propose(consensus: WorkerConsensus, texts: readonly string[]): void {
  for (const [i, text] of texts.entries()) consensus.propose(i, new TextEncoder().encode(text));
}

describe("the log in a worker", () => {
  test("commits in order, and after a restart gives what the state lacks", async () => {
    using dir = new TempDir();
    createLogStore(dir.path, 1, "c1").close();
    const first = await open(dir.path);
    expect(first.clusterId).toBe("c1");
    const before = new Listener();
    first.start(before, logIndex(0));
    propose(first, numbered(0, 2_000));
    await before.until(() => before.entries.length === 2_001);
    expect(before.texts).toEqual(numbered(0, 2_000));
    expect(before.entries.map((e) => Number(e.index))).toEqual(Array.from({ length: 2_001 }, (_, i) => i + 1));
    expect(first.status()).toMatchObject({ self: 1, leader: 1, commit: logIndex(2_001) });
    first.compact(logIndex(1_500));
    await first.close();

    const second = await open(dir.path);
    const after = new Listener();
    second.start(after, logIndex(1_501));
    await after.until(() => after.entries.length === 501);
    expect(after.texts).toEqual(numbered(1_500, 2_000));
    expect(after.entries.at(-1)?.term).toBe(second.status().term);
  });

  test("close writes what was proposed and rejects what comes later", async () => {
    using dir = new TempDir();
    createLogStore(dir.path, 1, "c1").close();
    const consensus = await open(dir.path);
    const listener = new Listener();
    consensus.start(listener, logIndex(0));
    propose(consensus, numbered(0, 10));
    await consensus.close();
    expect(listener.texts).toEqual(numbered(0, 10));
    consensus.propose(77, new Uint8Array(1));
    await listener.until(() => listener.rejected.length > 0);
    expect(listener.rejected).toEqual([[77]]);
    expect(listener.failures).toEqual([]);
  });

  test("a log that is missing or in use is an error with the reason", async () => {
    using dir = new TempDir();
    await expect(open(dir.path)).rejects.toThrow(`there is no log in ${dir.path}`);
    const store = createLogStore(dir.path, 1, "c1");
    await expect(open(dir.path)).rejects.toThrow("is in use by another process");
    store.close();
  });

  test("a state that does not fit the log is reported, and the log closed again", async () => {
    using dir = new TempDir();
    createLogStore(dir.path, 1, "c1").close();
    const consensus = await open(dir.path);
    const listener = new Listener();
    consensus.start(listener, logIndex(9));
    await listener.until(() => listener.failures.length > 0);
    expect(listener.failures.map((f) => f.reason)).toEqual(["CORRUPT_LOG"]);
    await consensus.close();
    await (await open(dir.path)).close();
  });

  test("a worker that dies is reported once, and later proposals are rejected", async () => {
    using dir = new TempDir();
    const consensus = await open(dir.path, DYING_WORKER);
    const listener = new Listener();
    consensus.start(listener, logIndex(0));
    await listener.until(() => listener.failures.length > 0);
    expect(listener.failures.map((f) => f.message)).toEqual([expect.stringContaining("the raft worker stopped: ")]);
    consensus.propose(5, new Uint8Array(1));
    await listener.until(() => listener.rejected.length > 0);
    expect(listener.rejected).toEqual([[5]]);
    await consensus.close();
    expect(listener.failures).toHaveLength(1);
  });
});
