/**
 * What TLS costs: the same listener in clear text, with TLS, and with client certificates, by
 * turns; all with a known token. Besides rates, the processor time of the server for each
 * request and handshake, which neighbours on the machine and the load generator blur less.
 */
import { readFileSync } from "node:fs";
import { createApi } from "../../../src/api/create-api.ts";
import type { Listener } from "../../../src/io/http/handlers.ts";
import { listenRpc } from "../../../src/io/http/rpc-listener.ts";
import { createJsonLogger } from "../../../src/io/json-logger.ts";
import { hmacVerifier } from "../../../src/io/oidc/hmac-verifier.ts";
import { systemClock } from "../../../src/io/system-clock.ts";
import { CertificateKeeper } from "../../../src/io/tls/certificate-keeper.ts";
import { OpensslAuthority } from "../../fixtures/openssl-authority.ts";
import { startTestServer } from "../../fixtures/test-server.ts";
import { aToken, SECRET } from "../../fixtures/tokens.ts";
import { type Figure, median, spread } from "../figure.ts";
import type { LoadOrder, LoadResult } from "./load.ts";

const HOST = "127.0.0.1";
const CONNECTIONS = 16;
const ROUND_MS = 1_000;
const SIDES = ["plain", "TLS", "mutual TLS"] as const;
type Side = (typeof SIDES)[number];

/** What one round of one side gave, with the server's processor time for each request, in microseconds. */
type Round = LoadResult & { readonly cpuUs: number };

/** Sends load from a process of its own. */
export async function sendLoad(order: LoadOrder): Promise<LoadResult> {
  const words = [process.execPath, `${import.meta.dir}/load.ts`, JSON.stringify(order)];
  return JSON.parse(await new Response(Bun.spawn(words, { stderr: "inherit" }).stdout).text());
}

/** Measures all sides, `rounds` times, each round in another order. */
export async function tlsFigures(rounds: number): Promise<readonly Figure[]> {
  using site = new OpensslAuthority();
  const { server, stop } = await startTestServer();
  const faces = createApi({ server, auth: { verifier: hmacVerifier(SECRET) } });
  const files = site.issue("server", { names: `IP:${HOST}` });
  const caller = site.issue("caller");
  const log = createJsonLogger(() => {}, "error");
  const [cert, key, ca] = [files.cert, files.key, files.ca].map((path) => readFileSync(path, "utf8"));
  const keeperOf = (authorities: object) =>
    new CertificateKeeper({
      paths: [],
      read: () => ({ cert: cert ?? "", key: key ?? "", ...authorities }),
      clock: systemClock,
      log,
    });
  const keepers = [keeperOf({}), keeperOf({ ca })] as const;
  const at = { host: HOST, port: 0 };
  const listeners: Record<Side, Listener> = {
    plain: await listenRpc(at, faces),
    TLS: await listenRpc(at, faces, { keeper: keepers[0], log }),
    "mutual TLS": await listenRpc(at, faces, { keeper: keepers[1], log }),
  };
  const token = await aToken("ann");
  const tls: Record<Side, LoadOrder["tls"]> = {
    plain: undefined,
    TLS: { ca: site.ca },
    "mutual TLS": { ca: site.ca, cert: caller.cert, key: caller.key },
  };
  const measure = async (side: Side, isHandshake: boolean): Promise<Round> => {
    const before = process.cpuUsage();
    const secured = tls[side];
    const order = { port: listeners[side].port, connections: CONNECTIONS, ms: ROUND_MS, token, isHandshake };
    const result = await sendLoad({ ...order, ...(secured && { tls: secured }) });
    const { user, system } = process.cpuUsage(before);
    return { ...result, cpuUs: (user + system) / ((result.perSecond * ROUND_MS) / 1_000) };
  };
  for (const side of SIDES) await measure(side, false);
  const requests = await byTurns(rounds, SIDES, (side) => measure(side, false));
  const handshakes = await byTurns(Math.min(rounds, 5), SIDES.slice(1), (side) => measure(side, true));
  for (const keeper of keepers) keeper.close();
  await Promise.all(SIDES.map((side) => listeners[side].close(100)));
  await stop();
  return [...requestFigures(requests), ...handshakeFigures(handshakes)];
}

type Rounds = ReadonlyMap<Side, readonly Round[]>;

async function byTurns(
  rounds: number,
  sides: readonly Side[],
  measure: (side: Side) => Promise<Round>,
): Promise<Rounds> {
  const results = new Map<Side, Round[]>(sides.map((side) => [side, []]));
  for (let i = 0; i < rounds; i++) {
    // Another side is first each time.
    for (const at of sides.keys()) {
      const side = sides[(at + i) % sides.length] ?? "plain";
      results.get(side)?.push(await measure(side));
    }
  }
  return results;
}

function requestFigures(rounds: Rounds): Figure[] {
  const plain = rounds.get("plain") ?? [];
  return SIDES.flatMap((side) => {
    const own = rounds.get(side) ?? [];
    const of = (field: keyof Round) => own.map((round) => round[field]);
    const name = `requests, ${side}, ${CONNECTIONS} connections`;
    const figures: Figure[] = [
      { name, value: median(of("perSecond")), unit: "/s", note: spread(of("perSecond")) },
      { name: `${name}: p50`, value: median(of("p50")), unit: "ms", note: `p99 ${median(of("p99")).toFixed(1)} ms` },
      { name: `${name}: processor time`, value: median(of("cpuUs")), unit: "us", note: spread(of("cpuUs")) },
    ];
    if (side === "plain") return figures;
    const shares = own.map((round, i) => (100 * round.perSecond) / (plain[i]?.perSecond ?? Number.NaN));
    const share = { name: `share of the plain rate, ${side}`, value: median(shares), unit: "%", note: spread(shares) };
    // Both of a round are measured next to each other, so that what neighbours do cancels out.
    const added = own.map((round, i) => (100 * round.cpuUs) / (plain[i]?.cpuUs ?? Number.NaN) - 100);
    const cost = { name: `processor time added by ${side}`, value: median(added), unit: "%", note: spread(added) };
    return [...figures, { ...share, target: { atLeast: 85 } }, { ...cost, target: { atMost: 15 } }];
  });
}

const handshakeFigures = (rounds: Rounds): Figure[] =>
  [...rounds].flatMap(([side, own]) => {
    const rates = own.map(({ perSecond }) => perSecond);
    const cpu = own.map(({ cpuUs }) => cpuUs);
    return [
      { name: `handshakes, ${side}, none resumed`, value: median(rates), unit: "/s", note: spread(rates) },
      { name: `handshakes, ${side}: processor time`, value: median(cpu), unit: "us", note: spread(cpu) },
    ];
  });
