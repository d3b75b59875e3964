/**
 * Shows with a real identity provider, once set up like Keycloak and once like Dex, which
 * tokens let in and as whom, and that forged, foreign, stale and swollen ones do not:
 * docs/security.md lists these attempts. Keys change and the provider goes away meanwhile.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { calculateJwkThumbprint, exportSPKI, generateKeyPair, importJWK, type JWK, SignJWT } from "jose";
import { Authenticator, VERIFIED_MS } from "../../src/api/auth/authenticate.ts";
import { present } from "../../src/base/assert.ts";
import { millis } from "../../src/base/brand.ts";
import { LatticeError } from "../../src/core/domain/errors.ts";
import { jwksVerifier } from "../../src/io/oidc/jwks-verifier.ts";
import { READ_FLOOR_MS } from "../../src/io/oidc/provider-keys.ts";
import type { Logger } from "../../src/ports/log.ts";
import { logIn, serviceToken } from "../fixtures/oidc-login.ts";
import { CLIENT_ID, type Flavour, TestProvider } from "../fixtures/oidc-provider.ts";

const FLAVOURS: readonly Flavour[] = ["keycloak", "dex"];

const ACCOUNTS = {
  ann: { scope: "operator", claims: { tenant: "physics" } },
  bob: { claims: { tenant: "law", pact_role: "tenant-admin" } },
  eve: {},
  root: { claims: { pact_role: "system-admin" } },
  nightly: { scope: "readonly", claims: { lattice_role: "operator" } },
};

const providers = new Map<Flavour, TestProvider>();
beforeAll(async () => {
  for (const flavour of FLAVOURS) {
    const algorithm = flavour === "keycloak" ? "RS256" : "ES256";
    providers.set(flavour, await TestProvider.start({ flavour, algorithm, accounts: ACCOUNTS }));
  }
});
afterAll(() => {
  for (const provider of providers.values()) provider.stop();
});

const providerOf = (flavour: Flavour) => present(providers.get(flavour), flavour);

/** The authentication of a server that trusts `provider`, on a clock that can be moved. */
function trusting(provider: TestProvider, audience: string | undefined = CLIENT_ID) {
  const lines: string[] = [];
  const write = (message: string, fields?: object) => lines.push(`${message} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: write, info: () => {}, warn: write, error: write, with: () => log };
  const time = { ahead: 0 };
  const clock = { monotonic: () => performance.now() + time.ahead };
  const verifier = jwksVerifier({
    issuer: provider.issuer,
    ...(audience !== undefined && { audience }),
    clock,
    log,
  });
  const authenticator = new Authenticator({ verifier }, () => millis(Date.now() + time.ahead));
  const enter = async (token: string) => {
    try {
      const { principal } = await authenticator.authenticate(new Headers({ authorization: `Bearer ${token}` }));
      return `${principal.user} ${principal.role} ${principal.tenant ?? "-"}`;
    } catch (error) {
      if (!(error instanceof LatticeError)) throw error;
      return `${error.fault.reason}: ${error.fault.message}`;
    }
  };
  return { enter, time, lines };
}

test.each(FLAVOURS)(
  "people of a provider like %s come in under their login name, with role and tenant",
  async (flavour) => {
    const provider = providerOf(flavour);
    const { enter } = trusting(provider);
    const as = async (login: string) => enter((await logIn(provider, login)).access_token);
    expect(await as("ann")).toBe(flavour === "keycloak" ? "ann Operator physics" : "ann User physics");
    expect(await as("bob")).toBe("bob TenantAdmin law");
    expect(await as("eve")).toBe("eve User -");
    expect(await as("root")).toBe("root SystemAdmin -");
  },
);

test.each(FLAVOURS)("a service of a provider like %s comes in with its own credentials", async (flavour) => {
  const provider = providerOf(flavour);
  const role = flavour === "keycloak" ? "ReadOnly" : "Operator";
  expect(await trusting(provider).enter(await serviceToken(provider))).toBe(`nightly ${role} -`);
});

test.each(FLAVOURS)(
  "the ID token of a provider like %s, which is for the client, proves who calls too",
  async (flavour) => {
    const provider = providerOf(flavour);
    const { id_token: idToken } = await logIn(provider, "bob");
    expect(await trusting(provider).enter(idToken ?? "")).toBe("bob TenantAdmin law");
  },
);

/** Makes a token with the provider's own key that the provider itself would not make. */
async function forge(
  provider: TestProvider,
  claims: Readonly<Record<string, unknown>>,
  { header = {}, key = present(provider.keys[0], "the provider has a key") }: ForgeOptions = {},
): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const payload = { sub: "s", iss: provider.issuer, aud: CLIENT_ID, iat: now, exp: now + 300, ...claims };
  return new SignJWT(payload)
    .setProtectedHeader({ alg: key.alg ?? "", kid: key.kid ?? "", ...header })
    .sign(await importJWK(key));
}

interface ForgeOptions {
  readonly header?: Readonly<Record<string, unknown>>;
  readonly key?: JWK;
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

const seconds = (fromNow: number): number => Math.floor(Date.now() / 1000) + fromNow;

const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

/** Attempts by whoever has no, or another, right to come in: what is presented, and what the refusal says. */
const ATTEMPTS: readonly (readonly [string, (provider: TestProvider) => Promise<string>, string])[] = [
  [
    "a token that nobody signed (alg none)",
    async (p) => `${encoded({ alg: "none" })}.${encoded(adminOf(p))}.`,
    "algorithm",
  ],
  ["a token signed with the public key as a shared secret", (p) => confused(p), "algorithm is not RS256 or ES256"],
  ["a token signed by a key that it brings along (jwk)", (p) => broughtKey(p), "not among those"],
  [
    "a token that says where its key is (jku)",
    (p) => broughtKey(p, { jku: "http://127.0.0.1:9/keys" }),
    "not among those",
  ],
  ["a token signed by a stranger under the provider's key id", (p) => impersonated(p), "signature does not match"],
  ["a token whose claims were changed after signing", (p) => altered(p), "signature does not match"],
  ["a token without its signature", async (p) => `${(await forge(p, {})).replace(/[^.]*$/, "")}`, "signature"],
  ["an expired token", (p) => forge(p, { exp: seconds(-61) }), "TOKEN_EXPIRED"],
  ["a token that never expires", (p) => forge(p, { exp: undefined }), "no claim exp"],
  ["a token whose expiry is no number", (p) => forge(p, { exp: "never" }), "claim exp"],
  ["a token of tomorrow (nbf)", (p) => forge(p, { nbf: seconds(3_600) }), "claim nbf"],
  ["a token for another service (aud)", (p) => forge(p, { aud: "grafana" }), "for grafana, not for lattice"],
  ["a token for nobody in particular", (p) => forge(p, { aud: undefined }), "no audience"],
  ["a token that was issued to another client (azp)", (p) => forge(p, { aud: "account", azp: "other" }), "for account"],
  ["a token of another issuer (iss)", (p) => forge(p, { iss: "https://evil.example.com" }), "not issued by"],
  ["a token of an issuer with the same beginning", (p) => forge(p, { iss: `${p.issuer}.evil.com` }), "not issued by"],
  ["a token of no issuer", (p) => forge(p, { iss: undefined }), "no claim iss"],
  ["a token of nobody (sub)", (p) => forge(p, { sub: undefined }), "no claim sub"],
  ["a token of an empty name", (p) => forge(p, { preferred_username: "" }), "name of a user"],
  ["a login name that hides a line break", (p) => forge(p, { preferred_username: "ann\nroot" }), "name of a user"],
  ["a token of two tenants", (p) => forge(p, { tenant: ["physics", "law"] }), "does not name one tenant"],
  ["a logout token", (p) => forge(p, {}, { header: { typ: "logout+jwt" } }), "type logout+jwt"],
  ["a security event that names a person", (p) => forge(p, { events: { "http://a": {} } }), "tells of an event"],
  ["a token that is bound to its owner's key", (p) => forge(p, { cnf: { jkt: "x" } }), "bound to a key"],
  ["a token with an unknown critical header", (p) => critical(p), "not a well-formed"],
  ["a deeply nested token", (p) => forge(p, { a: nested(500) }), "nested more than 10"],
  ["a token with a deeply nested header", async () => `${encoded(nested(50))}.${encoded({})}.c2ln`, "nested more than"],
  ["a token of 9000 characters", (p) => forge(p, { padding: "x".repeat(7_000) }), "longer than 8192"],
  ["an encrypted token", async () => "a.b.c.d.e", "not a well-formed"],
  ["an opaque token", async () => crypto.randomUUID(), "not a well-formed"],
];

const adminOf = ({ issuer }: TestProvider) => ({
  sub: "x",
  iss: issuer,
  aud: CLIENT_ID,
  exp: seconds(300),
  scope: "admin",
});

/** The public key is no secret: whoever takes it for one believes everybody (RFC 8725, section 2.1). */
async function confused(provider: TestProvider): Promise<string> {
  const { d: _, p: __, q: ___, dp, dq, qi, ...jwk } = present(provider.keys[0], "a key");
  const pem = await exportSPKI((await importJWK({ ...jwk }, jwk.alg, { extractable: true })) as CryptoKey);
  return new SignJWT(adminOf(provider))
    .setProtectedHeader({ alg: "HS256", kid: jwk.kid ?? "" })
    .sign(new TextEncoder().encode(pem));
}

async function broughtKey(provider: TestProvider, header: Readonly<Record<string, unknown>> = {}): Promise<string> {
  const { privateKey, publicKey } = await generateKeyPair("ES256", { extractable: true });
  const jwk = await crypto.subtle.exportKey("jwk", publicKey);
  const kid = await calculateJwkThumbprint({ ...jwk, kty: "EC" });
  return new SignJWT(adminOf(provider)).setProtectedHeader({ alg: "ES256", kid, jwk, ...header }).sign(privateKey);
}

async function impersonated(provider: TestProvider): Promise<string> {
  const { alg = "", kid = "" } = present(provider.keys[0], "a key");
  const { privateKey } = await generateKeyPair(alg);
  return new SignJWT(adminOf(provider)).setProtectedHeader({ alg, kid }).sign(privateKey);
}

async function altered(provider: TestProvider): Promise<string> {
  const [header, , signature] = (await forge(provider, {})).split(".");
  return `${header}.${encoded(adminOf(provider))}.${signature}`;
}

async function critical(provider: TestProvider): Promise<string> {
  const { alg, kid } = present(provider.keys[0], "a key");
  return `${encoded({ alg, kid, crit: ["exp"], exp: 1 })}.${encoded(adminOf(provider))}.c2ln`;
}

test.each(FLAVOURS.flatMap((flavour) => ATTEMPTS.map((row) => [row[0], flavour, row] as const)))(
  "%s is refused (%s)",
  async (_, flavour, [, present, why]) => {
    const provider = providerOf(flavour);
    const { enter } = trusting(provider);
    const outcome = await enter(await present(provider));
    expect(outcome).toMatch(/^(UNAUTHENTICATED|TOKEN_EXPIRED): /);
    expect(outcome).toContain(why);
  },
);

test("a person's token for another client of the same provider does not let in", async () => {
  for (const flavour of FLAVOURS) {
    const provider = providerOf(flavour);
    const { access_token: token } = await logIn(provider, "root", "another-client");
    expect(await trusting(provider).enter(token)).toContain("not for lattice");
  }
});

test("a good token of one provider does not let in at a server that trusts another", async () => {
  const { access_token: token } = await logIn(providerOf("dex"), "root");
  expect(await trusting(providerOf("keycloak")).enter(token)).toStartWith("UNAUTHENTICATED");
});

test("a refresh token does not let in", async () => {
  const provider = providerOf("dex");
  const { refresh_token: token = "opaque" } = await logIn(provider, "root");
  expect(await trusting(provider).enter(token)).toStartWith("UNAUTHENTICATED");
});

test("keys change without a restart: tokens of the next and of the former key work, until the former is withdrawn", async () => {
  const provider = await TestProvider.start({ flavour: "keycloak", accounts: ACCOUNTS, tokenSeconds: 86_400 });
  try {
    const { enter, time, lines } = trusting(provider);
    const before = (await logIn(provider, "ann")).access_token;
    expect(await enter(before)).toStartWith("ann");
    await provider.rotate();
    time.ahead += READ_FLOOR_MS;
    expect(await enter((await logIn(provider, "bob")).access_token)).toStartWith("bob");
    expect(await enter(before)).toStartWith("ann");
    await provider.rotate({ withdraw: true });
    time.ahead += VERIFIED_MS;
    expect(await enter((await logIn(provider, "bob")).access_token)).toStartWith("bob");
    expect(await enter(before)).toContain("not among those of the identity provider");
    expect(lines).toEqual([]);
  } finally {
    provider.stop();
  }
});

test("a provider that is away at the start does not keep the server from starting, and is found when it comes", async () => {
  const provider = await TestProvider.start({ flavour: "dex", accounts: ACCOUNTS });
  try {
    const { access_token: token } = await logIn(provider, "bob");
    provider.isAway = true;
    const { enter, time, lines } = trusting(provider);
    expect(await enter(token)).toContain("cannot be read at present");
    expect(lines.join()).toContain("answers with status 503");
    provider.isAway = false;
    time.ahead += READ_FLOOR_MS;
    expect(await enter(token)).toStartWith("bob");
    provider.isAway = true;
    time.ahead += VERIFIED_MS - READ_FLOOR_MS;
    expect(await enter(token)).toStartWith("bob");
  } finally {
    provider.stop();
  }
});

test("a thousand tokens of invented keys make the provider be asked once", async () => {
  const provider = await TestProvider.start({ flavour: "dex", accounts: ACCOUNTS });
  try {
    const { enter, time } = trusting(provider);
    expect(await enter((await logIn(provider, "bob")).access_token)).toStartWith("bob");
    const reads = provider.keysRead;
    time.ahead += READ_FLOOR_MS;
    const claims = encoded(adminOf(provider));
    const invented = Array.from(
      { length: 1_000 },
      (_, i) => `${encoded({ alg: "RS256", kid: `k${i}` })}.${claims}.c2ln`,
    );
    const outcomes = await Promise.all(invented.map(enter));
    expect(new Set(outcomes).size).toBe(1);
    expect(provider.keysRead - reads).toBe(1);
  } finally {
    provider.stop();
  }
});

test("metadata of another issuer are not believed, whoever serves them", async () => {
  const provider = providerOf("dex");
  const evil = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: () => Response.json({ issuer: provider.issuer, jwks_uri: `${provider.issuer}/jwks` }),
  });
  try {
    const { lines, enter } = trusting(Object.assign(Object.create(provider), { issuer: evil.url.origin }));
    expect(await enter(await forge(provider, { iss: evil.url.origin }))).toContain("cannot be read");
    expect(lines.join()).toContain("set api.oidc_issuer to that, exactly");
  } finally {
    evil.stop(true);
  }
});
