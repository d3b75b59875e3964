/**
 * `bun run bench:auth [ROUNDS]`: what it costs to check tokens of an identity provider, and
 * to speak TLS. One server answers on two ports through the same listener: open, and with tokens. The load
 * comes from a process of its own, by turns. Prints figures; never fails by the clock.
 */
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { Authenticator } from "../../../src/api/auth/authenticate.ts";
import { createApi } from "../../../src/api/create-api.ts";
import { listenRest } from "../../../src/io/http/rest-listener.ts";
import { createJsonLogger } from "../../../src/io/json-logger.ts";
import { jwksVerifier } from "../../../src/io/oidc/jwks-verifier.ts";
import { systemClock } from "../../../src/io/system-clock.ts";
import { startTestServer } from "../../fixtures/test-server.ts";
import { type Figure, median, printFigures, printMachine, spread } from "../figure.ts";
import { sendLoad, tlsFigures } from "./tls.ts";

const HOST = "127.0.0.1";
const CONNECTIONS = 16;
const ROUND_MS = 1_000;
const ALGORITHMS = ["RS256", "ES256"] as const;

/** Publishes keys as a provider does, and signs with them. */
async function startProvider() {
  const keys = await Promise.all(
    ALGORITHMS.map(async (alg) => {
      const { publicKey, privateKey } = await generateKeyPair(alg);
      return { alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid: alg, alg, use: "sig" } };
    }),
  );
  const server = Bun.serve({
    hostname: HOST,
    port: 0,
    fetch(request): Response {
      const issuer = new URL(request.url).origin;
      if (request.url.endsWith("/keys")) return Response.json({ keys: keys.map(({ jwk }) => jwk) });
      return Response.json({ issuer, jwks_uri: `${issuer}/keys` });
    },
  });
  const issuer = server.url.origin;
  const claims = { iss: issuer, aud: "lattice", scope: "openid admin", preferred_username: "ann", tenant: "default" };
  const sign = (alg: (typeof ALGORITHMS)[number], subject: string) => {
    const key = keys.find((one) => one.alg === alg);
    if (key === undefined) throw new Error(`no key for ${alg}`);
    const exp = Math.floor(Date.now() / 1_000) + 3_600;
    return new SignJWT({ ...claims, sub: subject, exp }).setProtectedHeader({ alg, kid: alg }).sign(key.privateKey);
  };
  return { issuer, sign, stop: () => server.stop(true) };
}

async function rate(port: number, token?: string): Promise<number> {
  const order = { port, connections: CONNECTIONS, ms: ROUND_MS, ...(token !== undefined && { token }) };
  return (await sendLoad(order)).perSecond;
}

type Provider = Awaited<ReturnType<typeof startProvider>>;

const verifierFor = ({ issuer }: Provider) =>
  jwksVerifier({ issuer, audience: "lattice", clock: systemClock, log: createJsonLogger(() => {}, "error") });

/** Requests a second through both ports, by turns. */
async function requestRates(provider: Provider, rounds: number): Promise<readonly Figure[]> {
  const { server, stop } = await startTestServer();
  const open = listenRest({ host: HOST, port: 0 }, createApi({ server, auth: {} }));
  const guarded = listenRest({ host: HOST, port: 0 }, createApi({ server, auth: { verifier: verifierFor(provider) } }));
  const token = await provider.sign("RS256", "ann");
  const rates: Record<"open" | "guarded", number[]> = { open: [], guarded: [] };
  await rate(open.port);
  await rate(guarded.port, token);
  const shares: number[] = [];
  for (let i = 0; i < rounds; i++) {
    // Neighbours on the machine come and go: both sides of a round are measured next to each other, either first.
    const turns = i % 2 === 0 ? (["open", "guarded"] as const) : (["guarded", "open"] as const);
    const round = { open: 0, guarded: 0 };
    for (const side of turns) round[side] = await (side === "open" ? rate(open.port) : rate(guarded.port, token));
    rates.open.push(round.open);
    rates.guarded.push(round.guarded);
    shares.push((100 * round.guarded) / round.open);
  }
  await Promise.all([open.close(500), guarded.close(500)]);
  await stop();
  return [
    {
      name: `requests, open, ${CONNECTIONS} connections`,
      value: median(rates.open),
      unit: "/s",
      note: spread(rates.open),
    },
    { name: "requests, tokens of a provider", value: median(rates.guarded), unit: "/s", note: spread(rates.guarded) },
    {
      name: "share of the open server's rate",
      value: median(shares),
      unit: "%",
      note: spread(shares),
      target: { atLeast: 85 },
    },
  ];
}

/** What one token costs in this process: the first time, and when it is known. */
async function tokenRates(provider: Provider): Promise<readonly Figure[]> {
  const verifier = verifierFor(provider);
  const figures: Figure[] = [];
  for (const alg of ALGORITHMS) {
    const token = await provider.sign(alg, "ann");
    await verifier.verify(token, Date.now());
    const value = await perSecond(async () => void (await verifier.verify(token, Date.now())));
    figures.push({ name: `tokens verified, ${alg}`, value, unit: "/s" });
  }
  const authenticator = new Authenticator({ verifier }, Date.now);
  const headers = new Headers({ authorization: `Bearer ${await provider.sign("RS256", "ann")}` });
  await authenticator.authenticate(headers);
  const known = await perSecond(async () => {
    for (let i = 0; i < 100; i++) authenticator.authenticate(headers);
  });
  return [...figures, { name: "known tokens recognised", value: known * 100, unit: "/s", target: { atLeast: 20_000 } }];
}

async function perSecond(once: () => Promise<void>): Promise<number> {
  const began = performance.now();
  let count = 0;
  for (; performance.now() - began < 1_000; count++) await once();
  return (count * 1_000) / (performance.now() - began);
}

printMachine();
const provider = await startProvider();
printFigures(await tokenRates(provider));
const rounds = Number(process.argv[2] ?? 11);
printFigures(await requestRates(provider, rounds));
provider.stop();
printFigures(await tlsFigures(rounds));
process.exit(0);
