/** Entry of the node agent: flags in, parts wired, signals out. Workloads outlive this process. */
import { hostname } from "node:os";
import { resolve } from "node:path";
import type { AgentOptions } from "../config/agent-flags.ts";
import { parseAgentFlags } from "../config/agent-flags.ts";
import { COMMIT, VERSION, versionLine } from "../config/version.ts";
import type { Registration } from "../core/domain/assignment.ts";
import { FAULTS, LatticeError, nextStep } from "../core/domain/errors.ts";
import { nodeId } from "../core/domain/ids.ts";
import { AgentDriver } from "../engine/agent/agent-driver.ts";
import { meterAgent } from "../engine/agent/agent-metrics.ts";
import { GrpcAgentLink } from "../io/agent-link/grpc-agent-link.ts";
import { listenForHealth } from "../io/agent-link/health-listener.ts";
import { createJsonLogger } from "../io/json-logger.ts";
import { detectMachine, gibibytes } from "../io/node-facts/capacity.ts";
import { detectCxlMemory } from "../io/node-facts/cxl-memory.ts";
import { detectMake } from "../io/node-facts/make.ts";
import { openStateDir } from "../io/runtime/agent-state-dir.ts";
import { openRuntime } from "../io/runtime/open-runtime.ts";
import { wipeBy } from "../io/runtime/wipe-command.ts";
import { systemClock } from "../io/system-clock.ts";
import { serviceManager } from "../io/systemd/service-manager.ts";
import { meterCertificate, meterProcess } from "../io/telemetry/process-metrics.ts";
import { openTelemetry } from "../io/telemetry/prometheus.ts";
import { pushMetrics } from "../io/telemetry/push.ts";
import { openIdentity } from "./agent-identity.ts";

/** The longest that a stop waits for what has begun. */
const STOP_MS = 5_000;
/** Between two samples that are sent to VictoriaMetrics. */
const PUSH_MS = 30_000;

async function run(options: AgentOptions): Promise<void> {
  for (const name of Object.keys(process.env)) if (name.startsWith("BUN_")) delete process.env[name];
  const log = createJsonLogger((line) => process.stderr.write(line), options.logLevel, { node: options.nodeId });
  const manager = serviceManager(process.env, { clock: systemClock, log, isAlive: () => true });
  const state = await openStateDir(resolve(options.stateDir));
  process.chdir("/");
  const { defaultUser, allowsRoot, uidMin } = options;
  const policy = { defaultUser, allowsRoot, uidMin };
  const runtime = await openRuntime({ stateDir: state.path, instanceId: state.instanceId, policy, log });
  for (const limitation of runtime.limitations) log.warn("limitation of this node", { limitation });
  const { host, port } = options.listen;
  const capacity = capacityOf(options);
  const telemetry = openTelemetry("agent");
  meterProcess(telemetry, { version: VERSION, commit: COMMIT, clock: systemClock });
  const health = listenForHealth({ host, port, exposition: telemetry });
  const identity = await openIdentity(options, state.path, log);
  meterCertificate(telemetry, () => identity.validUntil());
  const link = new GrpcAgentLink({ ...options, certificates: () => identity.certificates(), log });
  const registration: Registration = {
    nodeId: nodeId(options.nodeId),
    instanceId: state.instanceId,
    agentVersion: VERSION,
    address: options.advertiseAddress || `${isWildcard(host) ? hostname() : host}:${health.port}`,
    capacity,
  };
  const wipe = wipeBy({ path: options.wipeCommand, node: options.nodeId, stateDir: state.path });
  const ports = { clock: systemClock, log, runtime, store: state.store, link, wipe, metrics: telemetry };
  const driver = new AgentDriver({ registration, ...ports });
  meterAgent(telemetry, driver, capacity);
  if (options.tsdbEndpoint !== "") {
    const target = { endpoint: options.tsdbEndpoint, periodMs: PUSH_MS, job: "lattice-agent" };
    pushMetrics({ exposition: telemetry, ...target, instance: registration.address, clock: systemClock, log });
  }
  const stop = (signal: NodeJS.Signals) => {
    log.info("the agent stops; workloads go on", { signal });
    manager.stopping();
    health.stop();
    setTimeout(() => process.exit(0), STOP_MS).unref();
    void driver.stop().finally(() => process.exit(0));
  };
  process.once("SIGTERM", stop);
  process.once("SIGINT", stop);
  await driver.start();
  manager.ready(`health and metrics on port ${health.port}`);
  log.info("agent started", { version: VERSION, address: registration.address, stateDir: state.path, capacity });
}

function capacityOf(options: AgentOptions): Registration["capacity"] {
  const { cpus, memoryGib, gpuCount, gpuType, features, group, cxlMemoryGib, hasUnifiedMemory } = options;
  const machine = detectMachine();
  const memoryBytes = memoryGib === undefined ? machine.memoryBytes : gibibytes(memoryGib);
  const cxl = cxlMemoryGib === undefined ? detectCxlMemory() : gibibytes(cxlMemoryGib);
  const cxlMemoryBytes = Math.min(cxl, memoryBytes);
  const conformance = options.conformance ?? detectMake();
  return {
    ...{ cpus: cpus ?? machine.cpus, memoryBytes, gpuMilli: gpuCount * 1000, gpuType, features, group },
    ...(conformance !== "" && { conformance }),
    ...(hasUnifiedMemory && { hasUnifiedMemory }),
    ...(cxlMemoryBytes > 0 && { cxlMemoryBytes }),
    ...(options.powerWatts > 0 && { powerWatts: options.powerWatts }),
  };
}

const isWildcard = (host: string): boolean => host === "0.0.0.0" || host === "::";

try {
  const command = parseAgentFlags(process.argv.slice(2), process.env);
  if (command.kind === "help") process.stdout.write(command.text);
  else if (command.kind === "version") process.stdout.write(`${versionLine("lattice-agent")}\n`);
  else await run(command.options);
} catch (error) {
  if (!(error instanceof LatticeError)) throw error;
  process.stderr.write(`lattice-agent: ${error.fault.message}\n  ${nextStep(error.fault)}\n`);
  process.exit(FAULTS[error.fault.reason].exit);
}
