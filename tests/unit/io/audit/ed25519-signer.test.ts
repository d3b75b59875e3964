/** Shows the audit signing key: made where there is none, for its owner alone, and refused where it could not be trusted. */
import { afterAll, expect, test } from "bun:test";
import { chmodSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { openAuditSigner, signerOf, verifyEd25519 } from "../../../../src/io/audit/ed25519-signer.ts";
import { listedLog } from "../../../fixtures/listed-log.ts";
import { TempDir } from "../../../fixtures/temp-dir.ts";

const temp = new TempDir();
afterAll(() => temp[Symbol.dispose]());

test("a key that is not there is made, with 0600, and said in the log; the next start has the same", () => {
  const path = temp.join("deep/audit.key");
  const said: string[] = [];
  const first = openAuditSigner({ path }, listedLog(said));
  expect(said.join()).toContain("a fresh one was made");
  expect([statSync(path).mode & 0o777, statSync(path).size]).toEqual([0o600, 32]);
  expect(openAuditSigner({ path }, listedLog(said)).publicKey).toBe(first.publicKey);
  expect(said).toHaveLength(1);
});

test("a key in base64 wins over the file and is the same key", () => {
  const path = temp.join("other.key");
  const file = openAuditSigner({ path }, listedLog());
  const seed = readFileSync(path).toString("base64");
  expect(openAuditSigner({ path: temp.join("none"), seed }, listedLog()).publicKey).toBe(file.publicKey);
  expect(() => openAuditSigner({ path, seed: "c2hvcnQ=" }, listedLog())).toThrow("holds 5 bytes, not 32");
});

test("a key that others may read, or that is none, is refused and left as it is", () => {
  const path = temp.join("open.key");
  openAuditSigner({ path }, listedLog());
  chmodSync(path, 0o640);
  expect(() => openAuditSigner({ path }, listedLog())).toThrow("others may read the audit signing key");
  const short = temp.join("short.key");
  writeFileSync(short, "0123", { mode: 0o600 });
  expect(() => openAuditSigner({ path: short }, listedLog())).toThrow("has 4 bytes, an Ed25519 seed has 32");
  expect(readFileSync(short, "utf8")).toBe("0123");
});

test("signatures are Ed25519 as RFC 8032 has it, and what is no key or no signature verifies nothing", () => {
  // Section 7.1, test 1: the empty message.
  const seed = Buffer.from("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", "hex");
  const signer = signerOf(seed);
  expect(signer.publicKey).toBe("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const signature = signer.sign("");
  expect(signature).toStartWith("e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155");
  expect(verifyEd25519(signer.publicKey, "", signature)).toBe(true);
  expect(verifyEd25519(signer.publicKey, "x", signature)).toBe(false);
  expect(verifyEd25519("00", "", signature)).toBe(false);
  expect(verifyEd25519(signer.publicKey, "", "not hex")).toBe(false);
});
