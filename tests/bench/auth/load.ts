/**
 * `bun load.ts JSON`: asks for the nodes as often as the server lets it, or makes handshakes
 * alone; prints how many a second, and the 50th and 99th percentile in milliseconds, as JSON.
 */
import { readFileSync } from "node:fs";
import { connect } from "node:tls";
import { percentile } from "../figure.ts";
import { sendOverHttp } from "../http-load.ts";

/** What is sent, and for how long. */
export interface LoadOrder {
  readonly port: number;
  readonly connections: number;
  readonly ms: number;
  readonly token?: string;
  /** Paths of PEM files: the server's authority, and the caller's certificate. */
  readonly tls?: { readonly ca: string; readonly cert?: string; readonly key?: string };
  /** Connects and hangs up. */
  readonly isHandshake?: boolean;
}

/** What came of it. */
export interface LoadResult {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

const HOST = "127.0.0.1";

async function run({ port, connections, ms, token, tls: files, isHandshake }: LoadOrder): Promise<LoadResult> {
  const tls = files && Object.fromEntries(Object.entries(files).map(([name, path]) => [name, readFileSync(path)]));
  const times: number[] = [];
  const began = performance.now();
  const isOver = () => performance.now() - began >= ms;
  if (isHandshake) {
    const greet = () =>
      new Promise<void>((resolve, reject) => {
        const from = performance.now();
        // No session is given, so that none is resumed.
        const socket = connect({ host: HOST, port, ...tls }, () => {
          times.push(performance.now() - from);
          socket.destroy();
          resolve();
        });
        socket.once("error", reject);
      });
    await Promise.all(
      Array.from({ length: connections }, async () => {
        while (!isOver()) await greet();
      }),
    );
  } else {
    const headers = {
      "content-type": "application/json",
      "connect-protocol-version": "1",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const path = "/lattice.v1.NodeService/ListNodes";
    const load = { port, path, headers, body: "{}", onDone: (took: number) => void times.push(took) };
    await sendOverHttp({ ...load, ...(tls && { tls }) }, connections, isOver);
  }
  const perSecond = (times.length * 1_000) / (performance.now() - began);
  return { perSecond, p50: percentile(times, 50), p99: percentile(times, 99) };
}

if (import.meta.main) {
  console.log(JSON.stringify(await run(JSON.parse(process.argv[2] ?? "{}"))));
  process.exit(0);
}
