/**
 * Prints round trips a second between two processes over loopback: framed TCP beside a
 * Connect and a gRPC stream in both directions over node:http2, in alternating rounds of
 * one run (docs/decisions/0009). Run with `bun tests/bench/peer-link.ts`.
 */
import { createServer } from "node:http2";
import { create } from "@bufbuild/protobuf";
import { createClient } from "@connectrpc/connect";
import { connectNodeAdapter, createConnectTransport, createGrpcTransport } from "@connectrpc/connect-node";
import { createPrng } from "../../src/base/prng.ts";
import type { AttachInput } from "../../src/gen/lattice/v1/allocations_pb.ts";
import { AllocationService, AttachInputSchema } from "../../src/gen/lattice/v1/allocations_pb.ts";
import { createTcpPeerLink, type TcpPeerLink } from "../../src/io/peer/tcp-peer-link.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import type { PeerFrame, PeerLinkListener } from "../../src/ports/peer-link.ts";
import { keepingLogger } from "../fixtures/peer-networks.ts";
import { median, percentile, printMachine } from "./figure.ts";

const ROUNDS = 3;
const ROUND_MS = 1_500;
const WARM_UP_MS = 300;
const MESSAGE_BYTES = 500;
const IN_FLIGHT = [1, 64];

/** Sends one message; each that comes back calls `onBack`. */
interface Pipe {
  send(): void;
  onBack: () => void;
  close(): Promise<void>;
}

const MESSAGE = new Uint8Array(MESSAGE_BYTES).fill(7);

async function openLink(
  memberId: number,
  onFrame: (link: TcpPeerLink, frame: PeerFrame) => void,
): Promise<{ readonly link: TcpPeerLink; readonly connected: Promise<void> }> {
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  const link = createTcpPeerLink({
    listen: { host: "127.0.0.1", port: 0 },
    clock: systemClock,
    random: createPrng(memberId),
    log: keepingLogger([]),
    snapshotPath: () => "",
  });
  const listener: PeerLinkListener = {
    identity: () => ({ clusterId: "bench", memberId, storeId: `s${memberId}` }),
    admit: () => undefined,
    onFrame: (_, frame) => onFrame(link, frame),
    onSnapshot: () => undefined,
    onConnected: () => resolve(),
    onLost: () => undefined,
  };
  await link.start(listener);
  return { link, connected };
}

/** Answers over each transport; prints its ports. Ends with its standard input. */
async function echo(parentPort: number): Promise<void> {
  const { link } = await openLink(2, (to, frame) => to.send(1, frame));
  link.setPeers([{ id: 1, address: `127.0.0.1:${parentPort}` }]);
  const server = createServer(
    connectNodeAdapter({
      routes: (router) =>
        router.service(AllocationService, {
          async *attach(inputs) {
            for await (const { input } of inputs) yield { output: { case: "data", value: dataOf(input) } };
          },
        }),
    }),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const at = server.address();
  console.log(JSON.stringify({ tcp: link.port, http2: typeof at === "object" ? at?.port : 0 }));
  for await (const _ of process.stdin) {
    // Its end is all that counts.
  }
  process.exit(0);
}

const dataOf = (input: AttachInput["input"]): Uint8Array => (input.case === "data" ? input.value : new Uint8Array());

/** A queue that a generator waits on. */
class Inputs {
  #count = 0;
  #isClosed = false;
  #wake = (): void => undefined;

  push(): void {
    this.#count += 1;
    this.#wake();
  }

  close(): void {
    this.#isClosed = true;
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<AttachInput> {
    for (;;) {
      for (; this.#count > 0; this.#count--) {
        yield create(AttachInputSchema, { input: { case: "data", value: MESSAGE } });
      }
      if (this.#isClosed) return;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

function rpcPipe(protocol: "connect" | "grpc", port: number): Pipe {
  const baseUrl = `http://127.0.0.1:${port}`;
  const transport =
    protocol === "grpc" ? createGrpcTransport({ baseUrl }) : createConnectTransport({ baseUrl, httpVersion: "2" });
  const inputs = new Inputs();
  const outputs = createClient(AllocationService, transport).attach(inputs);
  let isClosed = false;
  const pipe: Pipe = {
    send: () => inputs.push(),
    onBack: () => undefined,
    close: async () => {
      isClosed = true;
      inputs.close();
    },
  };
  void (async () => {
    try {
      for await (const _ of outputs) pipe.onBack();
    } catch (error) {
      if (!isClosed) throw error;
    }
  })();
  return pipe;
}

interface Round {
  readonly rate: number;
  readonly latencies: readonly number[];
  readonly cpuMicros: number;
}

/** Keeps `inFlight` messages under way for a while. */
async function measure(pipe: Pipe, inFlight: number): Promise<Round> {
  const sentAt: number[] = [];
  const latencies: number[] = [];
  let sent = 0;
  let back = 0;
  let begin = performance.now();
  let cpu = process.cpuUsage();
  let isWarm = false;
  const { promise: over, resolve } = Promise.withResolvers<void>();
  const send = (): void => {
    sentAt[sent++ % inFlight] = performance.now();
    pipe.send();
  };
  pipe.onBack = () => {
    const now = performance.now();
    if (isWarm) latencies.push(now - (sentAt[back % inFlight] ?? now));
    else if (now - begin > WARM_UP_MS) [isWarm, begin, cpu] = [true, now, process.cpuUsage()];
    back += 1;
    if (!isWarm || now - begin < ROUND_MS) send();
    else if (back === sent) resolve();
  };
  for (let i = 0; i < inFlight; i++) send();
  await over;
  const spent = process.cpuUsage(cpu);
  const count = latencies.length;
  return {
    rate: count / ((performance.now() - begin) / 1_000),
    latencies,
    cpuMicros: (spent.user + spent.system) / count,
  };
}

async function main(): Promise<void> {
  printMachine();
  let onBack = (): void => undefined;
  const { link, connected } = await openLink(1, () => onBack());
  const child = Bun.spawn([process.execPath, import.meta.path, "echo", String(link.port)], {
    stdin: "pipe",
    stdout: "pipe",
  });
  const { value } = await child.stdout.getReader().read();
  const ports: { readonly tcp: number; readonly http2: number } = JSON.parse(new TextDecoder().decode(value));
  link.setPeers([{ id: 2, address: `127.0.0.1:${ports.tcp}` }]);
  await connected;
  const tcp: Pipe = {
    send: () => link.send(2, { kind: "relay", data: MESSAGE }),
    get onBack() {
      return onBack;
    },
    set onBack(callback) {
      onBack = callback;
    },
    close: () => link.close(),
  };
  const pipes = { "framed TCP": tcp, Connect: rpcPipe("connect", ports.http2), gRPC: rpcPipe("grpc", ports.http2) };
  for (const inFlight of IN_FLIGHT) {
    const rounds = new Map<string, Round[]>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const [name, pipe] of Object.entries(pipes)) {
        rounds.set(name, [...(rounds.get(name) ?? []), await measure(pipe, inFlight)]);
      }
    }
    for (const [name, measured] of rounds) print(`${name}, ${inFlight} in flight`, measured);
  }
  for (const pipe of Object.values(pipes)) await pipe.close();
  child.stdin.end();
  await child.exited;
}

function print(name: string, rounds: readonly Round[]): void {
  const latencies = rounds.flatMap((round) => round.latencies);
  const rates = rounds.map(({ rate }) => Math.round(rate));
  const [p50, p99] = [percentile(latencies, 50), percentile(latencies, 99)].map((ms) => ms.toFixed(3));
  const cpu = median(rounds.map(({ cpuMicros }) => cpuMicros)).toFixed(0);
  const mib = ((median(rates) * MESSAGE_BYTES) / 1024 ** 2).toFixed(1);
  console.log(
    `${name.padEnd(26)} ${median(rates)} round trips/s (${Math.min(...rates)} to ${Math.max(...rates)}), ` +
      `${mib} MiB/s each way, p50 ${p50} ms, p99 ${p99} ms, ${cpu} us CPU each at one end`,
  );
}

const [mode, port] = process.argv.slice(2);
if (mode === "echo") await echo(Number(port));
else await main();
process.exit(0);
