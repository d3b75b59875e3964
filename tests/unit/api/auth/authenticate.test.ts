/** Shows who a credential is taken for: verified tokens only, remembered until they expire; on an open server, whoever the header names. */
import { expect, test } from "bun:test";
import { Authenticator, type AuthSettings, VERIFIED_MS } from "../../../../src/api/auth/authenticate.ts";
import { tenantId, userId } from "../../../../src/core/domain/ids.ts";
import { hmacVerifier } from "../../../../src/io/oidc/hmac-verifier.ts";
import type { TokenVerifier } from "../../../../src/ports/token-verifier.ts";
import { anUnsignedToken, aToken, SECRET } from "../../../fixtures/tokens.ts";

const NOW = 1_800_000_000_000;
const SOON = NOW / 1000 + 100;

async function who(token: string | undefined, options: { settings?: AuthSettings; now?: number; user?: string } = {}) {
  const { settings = { verifier: hmacVerifier(SECRET) }, now = NOW, user } = options;
  const headers = new Headers();
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (user !== undefined) headers.set("x-lattice-user", user);
  return (await new Authenticator(settings, () => now).authenticate(headers)).principal;
}

const refusal = async (attempt: Promise<unknown>) =>
  attempt.then(
    () => "let in",
    (error) => `${error.fault.reason}: ${error.fault.message}`,
  );

test("a valid token gives its subject, role and tenant", async () => {
  const claims = { scope: "operator", tenant: "physics" };
  expect(await who(await aToken("ann", { expiresAt: SOON, claims }))).toEqual({
    user: userId("ann"),
    role: "Operator",
    tenant: tenantId("physics"),
  });
});

test("INV-A1 the header that names a user counts for nothing when tokens are checked", async () => {
  const token = await aToken("ann", { expiresAt: SOON });
  expect((await who(token, { user: "root" })).user).toBe(userId("ann"));
});

test("an open server believes the header, and calls who names nobody anonymous", async () => {
  expect(await who(undefined, { settings: {} })).toEqual({ user: userId("anonymous"), role: "SystemAdmin" });
  expect((await who(undefined, { settings: {}, user: "bob" })).user).toBe(userId("bob"));
  expect(await refusal(who(undefined, { settings: {}, user: "a b" }))).toStartWith("MALFORMED");
});

test.each([
  ["no token", async () => undefined, "UNAUTHENTICATED: the request has no token"],
  ["another secret", () => aToken("ann", { expiresAt: SOON, secret: "another" }), "its signature does not match"],
  ["algorithm none", async () => anUnsignedToken("ann"), "UNAUTHENTICATED"],
  ["an expired token", () => aToken("ann", { expiresAt: NOW / 1000 - 61 }), "TOKEN_EXPIRED"],
  ["a token of tomorrow", () => aToken("ann", { expiresAt: SOON, claims: { nbf: NOW / 1000 + 61 } }), "claim nbf"],
  ["no subject", () => aToken("", { expiresAt: SOON }), "no subject"],
  ["no expiry", () => aToken("ann", { claims: { exp: undefined } }), "no claim exp"],
  ["no token at all", async () => "garbage", "not a well-formed"],
  ["an oversized token", async () => "x".repeat(9_000), "longer than 8192"],
  ["a deeply nested token", () => aToken("ann", { expiresAt: SOON, claims: { a: nested(11) } }), "nested more than 10"],
  ["a token whose header is long", () => aToken("ann", { header: { x: "y".repeat(2_048) } }), "header is longer"],
  ["a logout token", () => aToken("ann", { expiresAt: SOON, header: { typ: "logout+jwt" } }), "type logout+jwt"],
  ["a user name with a space", () => named("a b"), "name of a user"],
  ["a user name that is a list", () => named(["ann"]), "name of a user"],
  ["two tenants", () => aToken("ann", { expiresAt: SOON, claims: { tenant: ["a", "b"] } }), "one tenant"],
])("%s is refused", async (_, token, why) => {
  expect(await refusal(who(await token()))).toContain(why);
});

const named = (preferred_username: unknown) => aToken("ann", { expiresAt: SOON, claims: { preferred_username } });

const nested = (levels: number): unknown => (levels === 1 ? [] : [nested(levels - 1)]);

test("clocks may differ by a minute", async () => {
  expect((await who(await aToken("ann", { expiresAt: NOW / 1000 - 59 }))).user).toBe(userId("ann"));
});

test("a token for another audience is refused, one for none or for this is not", async () => {
  const settings = { verifier: hmacVerifier(SECRET, "lattice") };
  const of = (aud: unknown) => aToken("ann", { expiresAt: SOON, claims: { aud } });
  expect(await refusal(who(await of("other"), { settings }))).toContain("not for lattice");
  expect((await who(await of(["other", "lattice"]), { settings })).user).toBe(userId("ann"));
  expect((await who(await of(undefined), { settings })).user).toBe(userId("ann"));
});

test("the user comes from the claim of the login name, and a token without it is of its subject", async () => {
  const settings = { verifier: hmacVerifier(SECRET), claims: { user: "login", tenant: "org" } };
  const claims = { login: "ann", org: "physics", tenant: "law" };
  expect(await who(await aToken("f:1:2", { expiresAt: SOON, claims }), { settings })).toMatchObject({
    user: userId("ann"),
    tenant: tenantId("physics"),
  });
  expect((await who(await aToken("f:1:2", { expiresAt: SOON }), { settings })).user).toBe(userId("f:1:2"));
});

/** A verifier that counts how often it is asked. */
function counting() {
  const count = { verified: 0 };
  const real = hmacVerifier(SECRET);
  const verifier: TokenVerifier = {
    verify(token, now) {
      count.verified += 1;
      return real.verify(token, now);
    },
  };
  return { count, verifier };
}

const bearing = (token: string) => new Headers({ authorization: `Bearer ${token}` });

test("requests that come together with one token wait for one verification", async () => {
  const { count, verifier } = counting();
  const authenticator = new Authenticator({ verifier }, () => NOW);
  const headers = bearing(await aToken("ann", { expiresAt: SOON }));
  await Promise.all(Array.from({ length: 50 }, () => authenticator.authenticate(headers)));
  expect(count.verified).toBe(1);
});

test("a token that lives long is verified again after five minutes, so that a withdrawn key is noticed", async () => {
  const { count, verifier } = counting();
  let now = NOW;
  const authenticator = new Authenticator({ verifier }, () => now);
  const headers = bearing(await aToken("ann", { expiresAt: NOW / 1000 + 86_400 }));
  await authenticator.authenticate(headers);
  now += VERIFIED_MS - 1;
  await authenticator.authenticate(headers);
  expect(count.verified).toBe(1);
  now += 1;
  await authenticator.authenticate(headers);
  expect(count.verified).toBe(2);
});

test("no more than ten thousand verified tokens are remembered", async () => {
  let verified = 0;
  const verifier: TokenVerifier = {
    async verify(token) {
      verified += 1;
      return { subject: token, claims: {}, validUntil: NOW + 1_000_000 };
    },
  };
  const authenticator = new Authenticator({ verifier }, () => NOW);
  for (let i = 0; i <= 10_000; i++) await authenticator.authenticate(bearing(`token-${i}`));
  expect(verified).toBe(10_001);
  await authenticator.authenticate(bearing("token-10000"));
  expect(verified).toBe(10_001);
  await authenticator.authenticate(bearing("token-0"));
  expect(verified).toBe(10_002);
});

test("a token is verified once, and again only to be refused when it has expired", async () => {
  const { count, verifier } = counting();
  let now = NOW;
  const authenticator = new Authenticator({ verifier }, () => now);
  const headers = new Headers({ authorization: `bearer ${await aToken("ann", { expiresAt: SOON })}` });
  await authenticator.authenticate(headers);
  const again = authenticator.authenticate(headers);
  expect(again).not.toBeInstanceOf(Promise);
  expect(count.verified).toBe(1);
  now += 200_000;
  expect(await refusal(Promise.resolve().then(() => authenticator.authenticate(headers)))).toStartWith("TOKEN_EXPIRED");
  expect(count.verified).toBe(2);
});
