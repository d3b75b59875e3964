/** How many submissions a second the server takes: REST, Connect with JSON, and gRPC. No agent runs. */
import { Cluster } from "../e2e/cluster.ts";
import type { Figure } from "./figure.ts";
import { median, spread } from "./figure.ts";
import { submitOverGrpc } from "./grpc-load.ts";
import { sendOverHttp } from "./http-load.ts";

const CONNECTIONS = [1, 16, 64];
const WARM_UP_MS = 500;
const ROUND_MS = 2_000;

type Send = (cluster: Cluster, connections: number, isOver: () => boolean) => Promise<number>;

const JSON_HEADERS = { "content-type": "application/json" };

const FACES: readonly (readonly [string, Send])[] = [
  [
    "REST",
    (cluster, connections, isOver) => {
      const body = JSON.stringify({ tenant: "default", entrypoint: "true" });
      const load = {
        port: Number(new URL(cluster.url).port),
        path: "/api/v1/allocations",
        headers: JSON_HEADERS,
        body,
      };
      return sendOverHttp(load, connections, isOver);
    },
  ],
  [
    "Connect JSON",
    (cluster, connections, isOver) => {
      const body = JSON.stringify({ single: { tenant: "default", entrypoint: "true" } });
      const headers = { ...JSON_HEADERS, "connect-protocol-version": "1" };
      const path = "/lattice.v1.AllocationService/Submit";
      return sendOverHttp({ port: Number(new URL(cluster.url).port), path, headers, body }, connections, isOver);
    },
  ],
  ["gRPC", (cluster, connections, isOver) => submitOverGrpc(cluster.grpcPort, connections, isOver)],
];

/** Measures each face at each number of connections, with a fresh server for each face. */
export async function submitRates(rounds: number): Promise<readonly Figure[]> {
  const figures: Figure[] = [];
  for (const [name, send] of FACES) {
    const cluster = await Cluster.start();
    try {
      await rate(cluster, send, { connections: 16, ms: WARM_UP_MS });
      for (const connections of CONNECTIONS) {
        const rates: number[] = [];
        for (let i = 0; i < rounds; i++) rates.push(await rate(cluster, send, { connections, ms: ROUND_MS }));
        const isTarget = name === "REST" && connections === 16;
        figures.push({
          name: `submit, ${name}, ${connections} connection${connections === 1 ? "" : "s"}`,
          value: median(rates),
          unit: "/s",
          note: spread(rates),
          ...(isTarget && { target: { atLeast: 3_000 } }),
        });
      }
    } finally {
      await cluster.stop();
    }
  }
  return figures;
}

async function rate(
  cluster: Cluster,
  send: Send,
  { connections, ms }: { readonly connections: number; readonly ms: number },
): Promise<number> {
  const began = performance.now();
  const count = await send(cluster, connections, () => performance.now() - began >= ms);
  return (count * 1_000) / (performance.now() - began);
}
