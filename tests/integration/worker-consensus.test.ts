/**
 * Shows that a member in a real Worker behaves as the port says: everything committed
 * comes back once and in order, over restarts and compaction; what cannot be opened is an
 * error with its reason; a worker that dies is reported once; three workers on loopback
 * elect, forward, read and fail over.
 */
import { afterEach, describe, expect, test } from "bun:test";
import type { LogIndex } from "../../src/base/brand.ts";
import { logIndex } from "../../src/base/brand.ts";
import type { Fault } from "../../src/core/domain/errors.ts";
import type { WorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { openWorkerConsensus } from "../../src/io/consensus/worker-consensus.ts";
import { createLogStore, createWaitingStore } from "../../src/io/sqlite/log-store.ts";
import type { CommittedEntry, ConsensusListener } from "../../src/ports/consensus.ts";
import { TempDir } from "../fixtures/temp-dir.ts";

const RAFT_WORKER = new URL("../../src/bin/workers/raft-worker.ts", import.meta.url).href;
const DYING_WORKER = new URL("../fixtures/dying-worker.ts", import.meta.url).href;

const ALONE = {
  memberId: 1,
  address: "here:9000",
  peers: [],
  listen: undefined,
  electionTimeoutMs: 500,
  heartbeatIntervalMs: 100,
  logLevel: "error",
} as const;

const opened: WorkerConsensus[] = [];

async function open(dir: string, workerUrl = RAFT_WORKER): Promise<WorkerConsensus> {
  const consensus = await openWorkerConsensus({ workerUrl, dir, ...ALONE });
  opened.push(consensus);
  return consensus;
}

const createLog = (dir: string) =>
  createLogStore(dir, { memberId: 1, clusterId: "c1", members: [{ id: 1, address: "here:9000" }] });

afterEach(async () => {
  for (const consensus of opened.splice(0)) await consensus.close();
});

/** Collects what a member reports and waits for parts of it. */
class Listener implements ConsensusListener {
  readonly entries: CommittedEntry[] = [];
  readonly rejected: (readonly number[])[] = [];
  readonly failures: Fault[] = [];
  #wakers: (() => void)[] = [];

  async until(isDone: () => boolean): Promise<void> {
    while (!isDone()) await new Promise<void>((resolve) => this.#wakers.push(resolve));
  }

  #wake(): void {
    for (const wake of this.#wakers.splice(0)) wake();
  }

  get texts(): readonly string[] {
    return this.entries.filter((e) => e.kind === "command").map((e) => new TextDecoder().decode(e.data));
  }

  onCommitted(entries: readonly CommittedEntry[]): void {
    this.entries.push(...entries);
    this.#wake();
  }
  onRejected(proposals: readonly number[]): void {
    this.rejected.push(proposals);
    this.#wake();
  }
  onSnapshot(): void {
    throw new Error("no snapshot is expected");
  }
  onSnapshotWanted(): Promise<never> {
    return Promise.reject(new Error("no snapshot is expected"));
  }
  readonly relayed: string[] = [];
  onRelayed(from: number, data: Uint8Array): void {
    this.relayed.push(`${from}: ${new TextDecoder().decode(data)}`);
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
    createLog(dir.path).close();
    const first = await open(dir.path);
    expect(first.clusterId).toBe("c1");
    const before = new Listener();
    first.start(before, logIndex(0));
    propose(first, numbered(0, 2_000));
    await before.until(() => before.texts.length === 2_000);
    expect(before.texts).toEqual(numbered(0, 2_000));
    expect(before.entries.map((e) => Number(e.index))).toEqual(Array.from({ length: 2_002 }, (_, i) => i + 1));
    expect(first.status()).toMatchObject({ self: 1, leader: 1, commit: logIndex(2_002) });
    first.compact(logIndex(1_500));
    await first.close();

    const second = await open(dir.path);
    const after = new Listener();
    second.start(after, logIndex(1_502));
    await after.until(() => after.entries.length === 501);
    expect(after.texts).toEqual(numbered(1_500, 2_000));
    expect(after.entries.at(-1)?.term).toBe(second.status().term);
  });

  test("close writes what was proposed and rejects what comes later", async () => {
    using dir = new TempDir();
    createLog(dir.path).close();
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
    const store = createLog(dir.path);
    await expect(open(dir.path)).rejects.toThrow("is in use by another process");
    store.close();
  });

  test("a state that does not fit the log is reported, and the log closed again", async () => {
    using dir = new TempDir();
    createLog(dir.path).close();
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

/** Three members on loopback; the first bootstraps, the others wait. */
class Three {
  readonly dirs = [1, 2, 3].map(() => new TempDir());
  readonly listeners = new Map<number, Listener>();
  readonly members = new Map<number, WorkerConsensus>();
  #peers: { id: number; address: string }[] = [];

  async start(): Promise<void> {
    const ports = freePorts(3);
    this.#peers = ports.map((port, i) => ({ id: i + 1, address: `127.0.0.1:${port}` }));
    createLogStore(this.dir(1), { memberId: 1, clusterId: "c3", members: this.#peers }).close();
    for (const id of [2, 3]) createWaitingStore(this.dir(id), id).close();
    for (const { id } of this.#peers) await this.open(id, logIndex(0));
  }

  dir(id: number): string {
    return this.dirs[id - 1]?.path ?? "";
  }

  async open(id: number, applied: LogIndex): Promise<void> {
    const self = this.#peers.find((peer) => peer.id === id);
    const port = Number(self?.address.split(":")[1]);
    const consensus = await openWorkerConsensus({
      ...ALONE,
      workerUrl: RAFT_WORKER,
      dir: this.dir(id),
      memberId: id,
      address: self?.address ?? "",
      peers: this.#peers.filter((peer) => peer.id !== id),
      listen: { host: "127.0.0.1", port },
      electionTimeoutMs: 300,
      heartbeatIntervalMs: 60,
    });
    opened.push(consensus);
    const listener = this.listeners.get(id) ?? new Listener();
    this.listeners.set(id, listener);
    this.members.set(id, consensus);
    consensus.start(listener, applied);
  }

  member(id: number): WorkerConsensus {
    const member = this.members.get(id);
    if (!member) throw new Error(`there is no member ${id}`);
    return member;
  }

  listener(id: number): Listener {
    const listener = this.listeners.get(id);
    if (!listener) throw new Error(`there is no member ${id}`);
    return listener;
  }

  /** Waits until these members agree on a leader among them; returns it. */
  async leader(ids: readonly number[] = [1, 2, 3]): Promise<number> {
    const agreed = () => {
      const leaders = new Set(ids.map((id) => this.member(id).status().leader));
      const [leader] = leaders;
      return leaders.size === 1 && leader !== undefined && ids.includes(leader) ? leader : undefined;
    };
    for (let leader = agreed(); ; leader = agreed()) {
      if (leader !== undefined) return leader;
      await Bun.sleep(10);
    }
  }

  /** Waits until everybody has heard everybody. */
  async linked(): Promise<void> {
    const isDone = () =>
      [...this.members.values()].every((m) => m.status().members.every((other) => other.lastContactMs !== undefined));
    while (!isDone()) await Bun.sleep(10);
  }

  [Symbol.dispose](): void {
    for (const dir of this.dirs) dir[Symbol.dispose]();
  }
}

function freePorts(count: number): number[] {
  const servers = Array.from({ length: count }, () =>
    Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } }),
  );
  for (const server of servers) server.stop(true);
  return servers.map((server) => server.port);
}

describe("three workers on loopback", () => {
  test("elect, join, forward, read, change the leader by hand and by loss, and relay", async () => {
    using three = new Three();
    await three.start();
    expect(await three.leader()).toBe(1);
    expect(three.member(2).clusterId).toBe("c3");

    for (const id of [1, 2, 3]) propose(three.member(id), [`from ${id}`]);
    for (const id of [1, 2, 3]) await three.listener(id).until(() => three.listener(id).texts.length === 3);
    expect(three.listener(2).texts).toEqual(three.listener(1).texts);
    expect(three.listener(3).texts.toSorted()).toEqual(["from 1", "from 2", "from 3"]);

    for (const id of [1, 2, 3]) {
      const commit = three.member(1).status().commit;
      expect(await three.member(id).readIndex()).toBeGreaterThanOrEqual(commit);
    }
    three.member(3).relay(2, new TextEncoder().encode("hello"));
    await three.listener(2).until(() => three.listener(2).relayed.length > 0);
    expect(three.listener(2).relayed).toEqual(["3: hello"]);

    const refusal = await three.member(2).transfer(3).then(String, String);
    expect(refusal).toContain("this member is not the leader");
    await three.member(1).transfer(2);
    expect(await three.leader()).toBe(2);
    // A leader confirms an index once it has committed an entry of its term: it changes no members before.
    await three.member(2).readIndex();
    await three.member(2).changeMembers({ kind: "remove", id: 1 });
    expect(
      three
        .member(2)
        .status()
        .members.map((m) => m.id),
    ).toEqual([2, 3]);
  }, 20_000);

  test("lose their leader and go on; it comes back and catches up", async () => {
    using three = new Three();
    await three.start();
    const first = await three.leader();
    await three.linked();
    await three.member(first).close();
    const others = [1, 2, 3].filter((id) => id !== first);
    propose(three.member(others[1] ?? 0), ["while it was away"]);
    const second = await three.leader(others);
    expect(second).not.toBe(first);
    for (const id of others) await three.listener(id).until(() => three.listener(id).texts.length === 1);
    const applied = three.listener(first).entries.at(-1)?.index ?? logIndex(0);
    await three.open(first, applied);
    await three.listener(first).until(() => three.listener(first).texts.length === 1);
    expect(three.listener(first).texts).toEqual(["while it was away"]);
  }, 20_000);
});
