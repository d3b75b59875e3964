/** Makes the runtime that suits this machine: with control groups or without, as root or not. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Logger } from "../../ports/log.ts";
import { findHierarchy, makeScopeParent } from "../cgroup/hierarchy.ts";
import type { AccountPolicy } from "./process/account.ts";
import { Accounts } from "./process/account.ts";
import type { Containment } from "./process/containment.ts";
import { LineageContainment, ScopeContainment } from "./process/containment.ts";
import { ProcessRuntime } from "./process/process-runtime.ts";

/** What the runtime depends on besides the machine. */
export interface OpenRuntimeOptions {
  readonly stateDir: string;
  /** Keeps the groups of several agents on one machine apart. */
  readonly instanceId: string;
  readonly policy: AccountPolicy;
  readonly log: Logger;
}

/** Returns the runtime. @throws NOT_SUPPORTED when the machine lacks what it needs. */
export async function openRuntime(options: OpenRuntimeOptions): Promise<ProcessRuntime> {
  const { stateDir, instanceId, policy, log } = options;
  if (process.platform !== "linux") throw new LatticeError(fault("NOT_SUPPORTED", "the agent runs on Linux only"));
  const isRoot = process.getuid?.() === 0;
  const containment = await openContainment(instanceId, log);
  return new ProcessRuntime({ stateDir, containment, accounts: isRoot ? new Accounts(policy) : undefined, log });
}

async function openContainment(instanceId: string, log: Logger): Promise<Containment> {
  const hierarchy = await findHierarchy();
  if (hierarchy === undefined) return new LineageContainment();
  try {
    const parent = await makeScopeParent(hierarchy, instanceId);
    log.info("workloads run in control groups", { path: parent.path, controllers: parent.controllers });
    return new ScopeContainment(parent);
  } catch (error) {
    log.warn("the cgroup v2 hierarchy cannot be used", { hierarchy, error });
    return new LineageContainment();
  }
}
