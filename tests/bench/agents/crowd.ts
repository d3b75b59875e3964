/**
 * Many simulated agents in one process, for `bench:agents`: each registers a node over a
 * connection of its own, sends heartbeats as often as the server says, and takes no notice
 * of what it should run. Told to begin, it counts the replies; told to end, it tells them.
 */
import { millis } from "../../../src/base/brand.ts";
import { nodeId } from "../../../src/core/domain/ids.ts";
import { GrpcAgentLink } from "../../../src/io/agent-link/grpc-agent-link.ts";
import { createJsonLogger } from "../../../src/io/json-logger.ts";

/** What a crowd is to be; its only argument, as JSON. */
export interface CrowdOrders {
  readonly endpoint: string;
  /** Of the names of its nodes. */
  readonly prefix: string;
  readonly count: number;
}

/** What a crowd tells at the end. */
export interface Beats {
  /** From each heartbeat to its reply. */
  readonly delaysMs: readonly number[];
  /** Streams that ended. */
  readonly lost: number;
  /** The longest that the crowd's own loop was late: part of the delays. */
  readonly latestMs: number;
}

/** How many agents come each time that the loop looks. */
const COME_AT_ONCE = 5;
const LOOK_MS = 50;

const log = createJsonLogger(() => {}, "error");
let delaysMs: number[] = [];
let lost = 0;
let latestMs = 0;

function startAgent(endpoint: string, name: string): void {
  const link = new GrpcAgentLink({ endpoints: [endpoint], token: "", heartbeatIntervalMs: 0, log });
  const capacity = { cpus: 16, memoryBytes: 2 ** 36, gpuMilli: 0, gpuType: "", features: [], group: 0 };
  const registration = { nodeId: nodeId(name), instanceId: crypto.randomUUID(), agentVersion: "bench", address: "" };
  let sequence = 0;
  let sentAt = 0;
  let timer: Timer | undefined;
  const beat = () => {
    sentAt = performance.now();
    link.send({ kind: "heartbeat", sequence: ++sequence, clock: millis(Date.now()), issues: [] });
  };
  link.start({
    hello: () => ({
      registration: { ...registration, capacity },
      fence: { clusterId: "", restoreEpoch: 0, term: 0, index: 0 },
      workloads: [],
      clock: millis(Date.now()),
    }),
    onMessage(message) {
      if (message.kind === "heartbeat-reply" && message.sequence === sequence)
        delaysMs.push(performance.now() - sentAt);
      if (message.kind !== "welcome") return;
      clearInterval(timer);
      timer = setInterval(beat, message.heartbeatIntervalMs);
    },
    onLost() {
      lost++;
      clearInterval(timer);
    },
  });
}

function watchLoop(): void {
  let due = performance.now() + LOOK_MS;
  setInterval(() => {
    const now = performance.now();
    latestMs = Math.max(latestMs, now - due);
    due = now + LOOK_MS;
  }, LOOK_MS);
}

const { endpoint, prefix, count }: CrowdOrders = JSON.parse(process.argv[2] ?? "");
process.on("message", (word) => {
  if (word === "end") {
    const beats: Beats = { delaysMs, lost, latestMs };
    process.send?.(beats);
  }
  delaysMs = [];
  lost = 0;
  latestMs = 0;
});
watchLoop();
for (let i = 0; i < count; i++) {
  startAgent(endpoint, `${prefix}${i}`);
  if (i % COME_AT_ONCE === COME_AT_ONCE - 1) await Bun.sleep(LOOK_MS);
}
