/** Loads a rival: many clients in a closed loop, each with a connection of its own, spread over the members. */
import type { ClientHttp2Session } from "node:http2";
import { connect } from "node:http2";
import { percentile } from "../figure.ts";
import { sendOverHttp } from "../http-load.ts";
import { callGrpc, type GrpcCall } from "./grpc-call.ts";
import type { Rival } from "./rival.ts";
import { costText, readThreadTimes } from "./thread-time.ts";

/** What a load gave. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time of each operation: of the members by kind of thread, and of this load. */
  readonly cost: string;
}

/** Before each measurement, whoever is measured: connections are made and code that runs often is compiled. */
const WARM_UP_MS = 3_000;

let sequence = 0;

/** Writes with `clients` clients for `seconds`. */
export const loadWrites = (rival: Rival, clients: number, seconds: number): Promise<LoadResult> =>
  load(rival, { clients, seconds, next: () => rival.write(sequence++) });

/** Writes over HTTP/1.1 with JSON, with `clients` clients for `seconds`. */
export async function loadHttpWrites(rival: Rival, clients: number, seconds: number): Promise<LoadResult> {
  const { ports, path, body } = rival.httpWrite();
  const headers = { "content-type": "application/json" };
  const run = async (ms: number): Promise<readonly number[]> => {
    const times: number[] = [];
    const end = performance.now() + ms;
    const send = (port: number, count: number) =>
      sendOverHttp(
        { port, path, headers, body, onDone: (took) => times.push(took) },
        count,
        () => performance.now() > end,
      );
    const shares = ports.map((port, i) => [port, Math.floor((clients + ports.length - 1 - i) / ports.length)] as const);
    await Promise.all(shares.filter(([, count]) => count > 0).map(([port, count]) => send(port, count)));
    return times;
  };
  await run(WARM_UP_MS);
  const finish = measure(rival);
  return finish(await run(seconds * 1000));
}

/** Reads what was written once, with `clients` clients for `seconds`. */
export async function loadReads(
  rival: Rival,
  clients: number,
  { seconds, isStale }: { readonly seconds: number; readonly isStale: boolean },
): Promise<LoadResult> {
  const writer = open(rival.endpoints()[0] ?? "");
  await callGrpc(writer, rival.write(1));
  writer.close();
  return load(rival, { clients, seconds, next: () => rival.read(isStale) });
}

interface LoadOptions {
  readonly clients: number;
  readonly seconds: number;
  readonly next: () => GrpcCall;
}

async function load(rival: Rival, { clients, seconds, next }: LoadOptions): Promise<LoadResult> {
  const endpoints = rival.endpoints();
  const sessions = Array.from({ length: clients }, (_, i) => open(endpoints[i % endpoints.length] ?? ""));
  const run = async (ms: number): Promise<readonly number[]> => {
    const times: number[] = [];
    const end = performance.now() + ms;
    const calls = sessions.map(async (session) => {
      for (let at = performance.now(); at < end; ) {
        await callGrpc(session, next());
        const now = performance.now();
        times.push(now - at);
        at = now;
      }
    });
    await Promise.all(calls);
    return times;
  };
  await run(WARM_UP_MS);
  const finish = measure(rival);
  const result = finish(await run(seconds * 1000));
  for (const session of sessions) session.close();
  return result;
}

/** Begins to measure; the function that it returns takes how long each operation took, in milliseconds. */
function measure(rival: Rival): (times: readonly number[]) => LoadResult {
  const begin = performance.now();
  const members = readThreadTimes(rival.pids());
  const own = process.cpuUsage();
  return (times) => {
    const perSecond = (times.length * 1000) / (performance.now() - begin);
    const { user, system } = process.cpuUsage(own);
    const cost = costText(members, readThreadTimes(rival.pids()), times.length);
    const load = Math.round((user + system) / times.length);
    const [p50Ms, p99Ms] = [percentile(times, 50), percentile(times, 99)];
    return { perSecond, p50Ms, p99Ms, cost: `${cost}, the load ${load}` };
  };
}

/** Opens a connection that does not end the program when its server dies. */
export function open(endpoint: string): ClientHttp2Session {
  const session = connect(endpoint);
  session.on("error", () => {});
  return session;
}
