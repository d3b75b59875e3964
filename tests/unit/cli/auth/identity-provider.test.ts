/** Shows which of a provider's tokens is kept for servers, and until when. */
import { expect, test } from "bun:test";
import { loginFrom, type Tokens } from "../../../../src/cli/auth/identity-provider.ts";

const NOW = 1_800_000_000_000;
const token = (claims: object) => `h.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.s`;
const client = { issuer: "https://idp", clientId: "lattice", audience: "lattice" };

const kept = (tokens: Partial<Tokens>) =>
  loginFrom(client, { access_token: "opaque", token_type: "bearer", ...tokens }, { scope: "openid", now: NOW });

test("an access token that is for the servers is kept, by its audience or by its client", () => {
  const id = token({ aud: "lattice", exp: 9 });
  for (const claims of [{ aud: "lattice" }, { aud: ["a", "lattice"] }, { aud: "account", azp: "lattice" }]) {
    const access = token({ ...claims, exp: 1_900_000_000 });
    expect(kept({ access_token: access, id_token: id })).toMatchObject({ token: access, expiresAt: 1_900_000_000_000 });
  }
});

test("where servers could not check the access token, the ID token is kept", () => {
  const id = token({ aud: "lattice", exp: 1_900_000_000 });
  expect(kept({ id_token: id }).token).toBe(id);
  expect(kept({ access_token: token({ aud: "other" }), id_token: id }).token).toBe(id);
});

test("without an expiry of its own a token lives as long as the provider says, or five minutes", () => {
  expect(kept({ expires_in: 60 })).toMatchObject({ token: "opaque", expiresAt: NOW + 60_000 });
  expect(kept({}).expiresAt).toBe(NOW + 300_000);
  expect(kept({ refresh_token: "r" }).refreshToken).toBe("r");
});
