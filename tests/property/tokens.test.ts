/**
 * Shows that whatever is presented as a token, made up or changed from a good one, is
 * refused with a fault and nothing else, unless it says the same as the good one.
 */
import { beforeAll, expect, test } from "bun:test";
import fc from "fast-check";
import { Authenticator } from "../../src/api/auth/authenticate.ts";
import { LatticeError } from "../../src/core/domain/errors.ts";
import { hmacVerifier } from "../../src/io/oidc/hmac-verifier.ts";
import { whyMisshapen } from "../../src/io/oidc/token-shape.ts";
import { holds, holdsInTime } from "../fixtures/property-runs.ts";
import { aToken, SECRET } from "../fixtures/tokens.ts";

const NOW = 1_800_000_000_000;
const LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

let good: string;
beforeAll(async () => {
  good = await aToken("ann", { expiresAt: NOW / 1000 + 60, claims: { tenant: "physics", scope: "operator" } });
});

/** Returns who is let in, or the reason of the refusal. */
async function enter(token: string): Promise<string> {
  const authenticator = new Authenticator({ verifier: hmacVerifier(SECRET) }, () => NOW);
  try {
    const { principal } = await authenticator.authenticate({ get: () => `Bearer ${token}` });
    return `${principal.user} ${principal.role} ${principal.tenant}`;
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    return error.fault.reason;
  }
}

test("a token with any one letter changed lets nobody in as anyone else", async () => {
  const change = fc.record({ at: fc.nat(good.length - 1), letter: fc.constantFrom(...LETTERS) });
  await holdsInTime(
    fc.asyncProperty(change, async ({ at, letter }) => {
      const outcome = await enter(good.slice(0, at) + letter + good.slice(at + 1));
      // The last letter of a signature has bits that mean nothing: the same bytes in another spelling.
      const isSignature = at > good.lastIndexOf(".");
      const isSame = letter === good[at] || isSignature;
      expect(isSame ? ["UNAUTHENTICATED", "ann Operator physics"] : ["UNAUTHENTICATED"]).toContain(outcome);
    }),
  );
});

test("a made-up token is refused, whatever it is made of", async () => {
  const part = fc.oneof(
    fc.json().map((json) => Buffer.from(json).toString("base64url")),
    fc.string({ unit: "binary" }).map((text) => Buffer.from(text).toString("base64url")),
    fc.string(),
  );
  const parts = fc.array(part, { minLength: 0, maxLength: 5 }).map((all) => all.join("."));
  await holdsInTime(
    fc.asyncProperty(parts, async (token) => {
      expect(await enter(token)).toBe("UNAUTHENTICATED");
    }),
  );
});

test("nesting is counted as it is, in any JSON", () => {
  const depthOf = (value: unknown): number =>
    value !== null && typeof value === "object" ? 1 + Math.max(0, ...Object.values(value).map(depthOf)) : 0;
  holds(
    fc.property(fc.jsonValue({ maxDepth: 14 }), (value) => {
      const payload = Buffer.from(JSON.stringify(value)).toString("base64url");
      const isDeep = whyMisshapen(`e30.${payload}.c2ln`)?.includes("levels deep") ?? false;
      expect(isDeep).toBe(depthOf(value) > 10);
    }),
  );
});
