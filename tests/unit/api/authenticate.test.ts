/** Shows who a credential is taken for: verified tokens only, remembered until they expire; on an open server, whoever the header names. */
import { expect, test } from "bun:test";
import { Authenticator, type AuthSettings } from "../../../src/api/auth/authenticate.ts";
import { hmacVerifier, type TokenVerifier } from "../../../src/api/auth/token-verifier.ts";
import { tenantId, userId } from "../../../src/core/domain/ids.ts";
import { anUnsignedToken, aToken, SECRET } from "../../fixtures/tokens.ts";

const NOW = 1_800_000_000_000;
const SOON = NOW / 1000 + 100;

async function who(token: string | undefined, options: { settings?: AuthSettings; now?: number; user?: string } = {}) {
  const { settings = { verifier: hmacVerifier(SECRET) }, now = NOW, user } = options;
  const headers = new Headers();
  if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
  if (user !== undefined) headers.set("x-lattice-user", user);
  return await new Authenticator(settings, () => now).authenticate(headers);
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

test("the header that names a user counts for nothing when tokens are checked", async () => {
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
])("%s is refused", async (_, token, why) => {
  expect(await refusal(who(await token()))).toContain(why);
});

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

test("a token is verified once, and again only to be refused when it has expired", async () => {
  let verified = 0;
  const real = hmacVerifier(SECRET);
  const verifier: TokenVerifier = {
    verify(token, now) {
      verified += 1;
      return real.verify(token, now);
    },
  };
  let now = NOW;
  const authenticator = new Authenticator({ verifier }, () => now);
  const headers = new Headers({ authorization: `bearer ${await aToken("ann", { expiresAt: SOON })}` });
  await authenticator.authenticate(headers);
  const again = authenticator.authenticate(headers);
  expect(again).not.toBeInstanceOf(Promise);
  expect(verified).toBe(1);
  now += 200_000;
  expect(await refusal(Promise.resolve().then(() => authenticator.authenticate(headers)))).toStartWith("TOKEN_EXPIRED");
  expect(verified).toBe(2);
});
