/**
 * Shows when the keys of an identity provider are read: once, again when old, again for an
 * unknown key but never more often than the floor, and that known keys outlive the
 * provider's absence. Time and the provider are arguments.
 */
import { beforeAll, expect, test } from "bun:test";
import { exportJWK, generateKeyPair, type JSONWebKeySet, type JWK, SignJWT } from "jose";
import { KEYS_AGE_MAX_MS, ProviderKeys, READ_FLOOR_MS, REFRESH_AGE_MS } from "../../../../src/io/oidc/provider-keys.ts";
import { verifyToken } from "../../../../src/io/oidc/verify-token.ts";
import type { Logger } from "../../../../src/ports/log.ts";

const NOW = 1_800_000_000_000;

interface SigningKey {
  readonly kid: string;
  readonly jwk: JWK;
  readonly privateKey: CryptoKey;
}

async function aKey(kid: string): Promise<SigningKey> {
  const { publicKey, privateKey } = await generateKeyPair("ES256");
  return { kid, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: "ES256", use: "sig" } };
}

let old: SigningKey;
let next: SigningKey;
beforeAll(async () => {
  old = await aKey("old");
  next = await aKey("next");
});

const signed = ({ kid, privateKey }: SigningKey) =>
  new SignJWT({ sub: "ann", exp: NOW / 1000 + 60 }).setProtectedHeader({ alg: "ES256", kid }).sign(privateKey);

/** A provider that answers with `published`, or not at all, and counts how often it is asked. */
function provider() {
  const state = { published: [old] as readonly SigningKey[] | undefined, asked: 0, time: 0 };
  const lines: string[] = [];
  const log: Logger = {
    debug: () => {},
    info: () => {},
    warn: (message, fields) => lines.push(`${message} ${JSON.stringify(fields)}`),
    error: () => {},
    with: () => log,
  };
  const read = async (): Promise<JSONWebKeySet> => {
    state.asked += 1;
    if (state.published === undefined) throw new Error("connection refused");
    return { keys: state.published.map(({ jwk }) => jwk) };
  };
  const keys = new ProviderKeys({ issuer: "https://idp", read, clock: { monotonic: () => state.time }, log });
  const attempt = async (key: SigningKey) =>
    verifyToken(await signed(key), keys.find, { now: NOW, rules: { algorithms: ["ES256"] } }).then(
      () => "let in",
      (error) => String(error.message),
    );
  return { state, keys, attempt, lines };
}

test("many tokens cost one reading of the keys", async () => {
  const { state, attempt } = provider();
  expect(await Promise.all([attempt(old), attempt(old), attempt(old)])).toEqual(["let in", "let in", "let in"]);
  await attempt(old);
  expect(state.asked).toBe(1);
});

test("an unknown key makes the keys be read again, so that a rotation needs no restart", async () => {
  const { state, attempt } = provider();
  await attempt(old);
  state.published = [next, old];
  state.time += READ_FLOOR_MS;
  expect(await attempt(next)).toBe("let in");
  expect(await attempt(old)).toBe("let in");
  expect(state.asked).toBe(2);
});

test("tokens of invented keys do not make the provider be asked more often than the floor allows", async () => {
  const { state, attempt, lines } = provider();
  await attempt(old);
  state.time += READ_FLOOR_MS;
  const refusals = await Promise.all(Array.from({ length: 20 }, () => attempt(next)));
  expect(new Set(refusals)).toEqual(
    new Set(["the token is refused: its key is not among those of the identity provider"]),
  );
  for (let i = 0; i < 20; i++) await attempt(next);
  expect(state.asked).toBe(2);
  expect(lines.join()).toContain("does not list");
  state.time += READ_FLOOR_MS;
  await attempt(next);
  expect(state.asked).toBe(3);
});

test("while the provider is away, known keys go on working and unknown ones are refused, with the cause in the log", async () => {
  const { state, attempt, lines } = provider();
  await attempt(old);
  state.published = undefined;
  state.time += REFRESH_AGE_MS + 1;
  expect(await attempt(old)).toBe("let in");
  state.time += READ_FLOOR_MS;
  expect(await attempt(next)).toContain("not among those");
  expect(lines.join()).toContain('"cause":"connection refused","effect":"tokens of unknown keys are refused"');
});

test("a provider that is away at the start is asked again, and tokens are refused until it answers", async () => {
  const { state, attempt, lines } = provider();
  state.published = undefined;
  expect(await attempt(old)).toContain("cannot be read at present");
  expect(lines.join()).toContain('"effect":"no token can be checked"');
  state.published = [old];
  expect(await attempt(old)).toContain("cannot be read at present");
  state.time += READ_FLOOR_MS;
  expect(await attempt(old)).toBe("let in");
});

test("keys are read again when they are old, so that a withdrawn one stops working", async () => {
  const { state, keys, attempt } = provider();
  await attempt(old);
  state.published = [next];
  state.time += REFRESH_AGE_MS + 1;
  await attempt(old);
  await keys.refresh();
  state.time += 1;
  expect(await attempt(old)).toContain("not among those");
});

test("keys that could not be read again for a day count for nothing", async () => {
  const { state, attempt } = provider();
  await attempt(old);
  state.published = undefined;
  state.time += KEYS_AGE_MAX_MS + 1;
  expect(await attempt(old)).toContain("cannot be read at present");
});

test("a token that names no key is let in by the only key, and refused when there are several", async () => {
  const { state, keys, attempt } = provider();
  const anonymous = { ...old, kid: undefined } as unknown as SigningKey;
  expect(await attempt(anonymous)).toBe("let in");
  state.published = [old, next];
  state.time += READ_FLOOR_MS;
  await keys.refresh();
  expect(await attempt(anonymous)).toContain("does not say by which key");
});
