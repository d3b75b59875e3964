/**
 * Shows what every verifier of tokens promises, whoever signs: the claims of a good token
 * and until when they hold, and a refusal that says why for each that is not good.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exportJWK, generateKeyPair, SignJWT } from "jose";
import { LatticeError } from "../../src/core/domain/errors.ts";
import { createJsonLogger } from "../../src/io/json-logger.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { jwksVerifier } from "../../src/io/oidc/jwks-verifier.ts";
import { CLOCK_LEEWAY_MS } from "../../src/io/oidc/verify-token.ts";
import { systemClock } from "../../src/io/system-clock.ts";
import type { TokenVerifier } from "../../src/ports/token-verifier.ts";
import { SECRET } from "../fixtures/tokens.ts";

const NOW = 1_800_000_000_000;
const NOW_S = NOW / 1000;

/** A verifier, and a signer that it trusts. */
interface Pair {
  readonly verifier: TokenVerifier;
  readonly sign: (
    claims: Readonly<Record<string, unknown>>,
    header?: Readonly<Record<string, unknown>>,
  ) => Promise<string>;
}

let publisher: ReturnType<typeof Bun.serve>;
const pairs: Record<string, Pair> = {};
beforeAll(async () => {
  const signer = (
    key: CryptoKey | Uint8Array,
    fixed: { readonly alg: string; readonly kid?: string },
    issuer?: string,
  ) =>
    ((claims, header = {}) =>
      new SignJWT({
        sub: "ann",
        aud: "lattice",
        exp: NOW_S + 60,
        ...(issuer !== undefined && { iss: issuer }),
        ...claims,
      })
        .setProtectedHeader({ ...fixed, ...header })
        .sign(key)) satisfies Pair["sign"];
  const keys = new Map<string, CryptoKey>();
  const jwks: object[] = [];
  for (const alg of ["RS256", "ES256"]) {
    const { publicKey, privateKey } = await generateKeyPair(alg);
    keys.set(alg, privateKey);
    jwks.push({ ...(await exportJWK(publicKey)), alg, kid: alg });
  }
  publisher = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request): Response {
      const { origin, pathname } = new URL(request.url);
      return Response.json(pathname === "/keys" ? { keys: jwks } : { issuer: origin, jwks_uri: `${origin}/keys` });
    },
  });
  const issuer = publisher.url.origin;
  pairs.HS256 = {
    verifier: hmacVerifier(SECRET, "lattice"),
    sign: signer(new TextEncoder().encode(SECRET), { alg: "HS256" }),
  };
  const log = createJsonLogger(() => {}, "error");
  const verifier = jwksVerifier({ issuer, audience: "lattice", clock: systemClock, log });
  for (const [alg, key] of keys) pairs[alg] = { verifier, sign: signer(key, { alg, kid: alg }, issuer) };
});
afterAll(() => publisher.stop(true));

const pairOf = (name: string): Pair => pairs[name] ?? { verifier: hmacVerifier(SECRET), sign: async () => "" };

describe.each(["HS256", "RS256", "ES256"])("a verifier of %s", (name) => {
  const refusal = async (claims: Readonly<Record<string, unknown>>, header?: Readonly<Record<string, unknown>>) => {
    const { verifier, sign } = pairOf(name);
    return whyRefused(verifier, await sign(claims, header));
  };

  test("gives the subject, the claims, and the expiry with its leeway", async () => {
    const { verifier, sign } = pairOf(name);
    const verified = await verifier.verify(await sign({ tenant: "physics", scope: "operator" }), NOW);
    expect(verified).toMatchObject({ subject: "ann", validUntil: NOW + 60_000 + CLOCK_LEEWAY_MS });
    expect(verified.claims).toMatchObject({ tenant: "physics", scope: "operator" });
  });

  test("takes an audience among others, and clocks that differ by less than the leeway", async () => {
    const { verifier, sign } = pairOf(name);
    for (const claims of [{ aud: ["x", "lattice"] }, { exp: NOW_S - 59 }, { nbf: NOW_S + 59 }]) {
      expect((await verifier.verify(await sign(claims), NOW)).subject).toBe("ann");
    }
  });

  test.each([
    ["it has expired", { exp: NOW_S - 61 }, "TOKEN_EXPIRED: the token has expired"],
    ["it never ends", { exp: undefined }, "it has no claim exp"],
    ["it begins later", { nbf: NOW_S + 61 }, "its claim nbf does not hold"],
    ["it has no subject", { sub: undefined }, "it has no claim sub"],
    ["its subject is empty", { sub: "" }, "it has no subject"],
    ["its subject is no text", { sub: 7 }, "sub"],
    ["it is for another", { aud: "grafana" }, "it is for grafana, not for lattice"],
    ["it is for several others", { aud: ["a", "b"] }, "it is for a, b, not for lattice"],
    ["it tells of an event", { events: {} }, "it tells of an event"],
    ["it is bound to a key", { cnf: { jkt: "x" } }, "it is bound to a key"],
    ["it is nested deeply", { a: [[[[[[[[[[1]]]]]]]]]] }, "levels deep"],
  ])("refuses a token because %s", async (_, claims, why) => {
    expect(await refusal(claims)).toContain(why);
  });

  test("refuses a token of another type, and takes the types of access tokens", async () => {
    expect(await refusal({}, { typ: "logout+jwt" })).toContain("type logout+jwt");
    for (const typ of ["JWT", "at+jwt", "application/at+jwt"]) expect(await refusal({}, { typ })).toBe("let in");
  });

  test("refuses what another verifier's signer signed, and what nobody did", async () => {
    for (const other of ["HS256", "RS256", "ES256"].filter((one) => (one === "HS256") !== (name === "HS256"))) {
      const token = await pairOf(other).sign({});
      expect(await whyRefused(pairOf(name).verifier, token)).toContain("its algorithm is not");
    }
    const [header, payload] = (await pairOf(name).sign({})).split(".");
    expect(await whyRefused(pairOf(name).verifier, `${header}.${payload}.`)).toContain("signature");
    expect(await whyRefused(pairOf(name).verifier, `${header}.${payload}`)).toContain("not a well-formed");
  });
});

async function whyRefused(verifier: TokenVerifier, token: string): Promise<string> {
  try {
    await verifier.verify(token, NOW);
    return "let in";
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    return `${error.fault.reason}: ${error.fault.message}`;
  }
}
