/**
 * What holds the processes of a workload together: a control group where the kernel gives
 * one, else its session, descendants and environment marker, from which a process that
 * wants to can get away.
 */
import { rmdir } from "node:fs/promises";
import { nodeId } from "../../../core/domain/ids.ts";
import type { Claim } from "../../../core/domain/resources.ts";
import type { ScopeParent } from "../../cgroup/hierarchy.ts";
import { Scope, scopeNames } from "../../cgroup/scope.ts";
import { MARKER } from "./environment.ts";
import type { ProcessId } from "./process-table.ts";
import { findLineage, signalProcess } from "./process-table.ts";

export interface Containment {
  /** What it cannot do on this node, one sentence each. */
  readonly limitations: readonly string[];
  create(name: string, claim: Claim): Promise<void>;
  /** The file that takes the workload's first process in; empty when there is none. */
  procsFile(name: string): string;
  /** Returns the living processes of a workload. */
  processes(name: string, first: ProcessId | undefined): Promise<readonly number[]>;
  /** Kills them; returns when none is left. @throws Error when some do not die. */
  kill(name: string, first: ProcessId | undefined): Promise<void>;
  hadOutOfMemoryKill(name: string): Promise<boolean>;
  /** Kills what belongs to none of `known`. */
  killStrays(known: ReadonlySet<string>): Promise<readonly string[]>;
  /** Makes and removes what a workload needs. @throws the system's error when it cannot. */
  probe(): Promise<void>;
  /** Removes what holds no workload. */
  close(): Promise<void>;
}

/** Holds each workload in a control group of its own. */
export class ScopeContainment implements Containment {
  readonly limitations: readonly string[];
  readonly #parent: ScopeParent;

  constructor(parent: ScopeParent) {
    this.#parent = parent;
    const missing = ["memory", "pids", "cpu"].filter((name) => !parent.controllers.some((has) => has === name));
    this.limitations =
      missing.length === 0 ? [] : [`limits are not enforced for ${missing.join(", ")}: the kernel gives no controller`];
  }

  create(name: string, claim: Claim): Promise<void> {
    return this.#scope(name).create(this.#parent, claim);
  }

  procsFile(name: string): string {
    return this.#scope(name).procsFile;
  }

  processes(name: string): Promise<readonly number[]> {
    return this.#scope(name).processes();
  }

  async kill(name: string): Promise<void> {
    await this.#scope(name).kill();
    await this.#scope(name).remove();
  }

  hadOutOfMemoryKill(name: string): Promise<boolean> {
    return this.#scope(name).hadOutOfMemoryKill();
  }

  async killStrays(known: ReadonlySet<string>): Promise<readonly string[]> {
    const strays = (await scopeNames(this.#parent)).filter((name) => !known.has(name));
    await Promise.all(strays.map((name) => this.kill(name)));
    return strays;
  }

  async probe(): Promise<void> {
    const scope = this.#scope("probe");
    await scope.create(this.#parent, NO_CLAIM);
    await scope.remove();
  }

  async close(): Promise<void> {
    // Refused while a workload's group is in it, which is as it should be.
    await rmdir(this.#parent.path).catch(() => undefined);
  }

  #scope(name: string): Scope {
    return new Scope(this.#parent, name);
  }
}

const NO_CLAIM: Claim = { nodeId: nodeId("probe"), cpus: 0, memoryBytes: 0, gpuMilli: 0, isExclusive: true };

const KILL_TIMEOUT_MS = 30_000;

/** Finds each workload's processes in the process table. */
export class LineageContainment implements Containment {
  readonly limitations = [
    "there is no writable cgroup v2 hierarchy: a process that leaves its session and clears its environment can outlive its allocation",
    "limits are not enforced for memory, pids, cpu: there is no writable cgroup v2 hierarchy",
  ];

  async create(): Promise<void> {}

  procsFile(): string {
    return "";
  }

  async processes(name: string, first: ProcessId | undefined): Promise<readonly number[]> {
    if (first === undefined) return [];
    const rows = await findLineage({ root: first, marker: `${MARKER}=${name}` });
    return rows.map((row) => row.pid);
  }

  /** Stops them first, so that none starts another while it is being looked for. */
  async kill(name: string, first: ProcessId | undefined): Promise<void> {
    const deadline = Date.now() + KILL_TIMEOUT_MS;
    for (let pauseMs = 1; ; pauseMs = Math.min(pauseMs * 2, 200)) {
      const pids = await this.processes(name, first);
      if (pids.length === 0) return;
      if (Date.now() > deadline) throw new Error(`processes ${pids.join(", ")} do not die`);
      for (const pid of pids) signalProcess(pid, "SIGSTOP");
      for (const pid of pids) signalProcess(pid, "SIGKILL");
      await Bun.sleep(pauseMs);
    }
  }

  async hadOutOfMemoryKill(): Promise<boolean> {
    return false;
  }

  /** Without control groups there is no list of what is there. */
  async killStrays(): Promise<readonly string[]> {
    return [];
  }

  async probe(): Promise<void> {}

  async close(): Promise<void> {}
}
