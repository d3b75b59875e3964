/**
 * Shows that a chain of audit entries gives away every change: each way of tampering is tried
 * by somebody who can write the file and compute hashes, but has no key, and what the
 * verifier says is compared.
 */
import { expect, test } from "bun:test";
import { logIndex, millis } from "../../../../src/base/brand.ts";
import { ChainVerifier, HEAD_ACTION, linkEntry } from "../../../../src/core/audit/chain.ts";
import type { AuditBody, AuditEntry } from "../../../../src/core/audit/entry.ts";
import { EMPTY_CHAIN, entryHash, keyIdOf, signedText } from "../../../../src/core/audit/entry.ts";
import { signerOf } from "../../../../src/io/audit/ed25519-signer.ts";

const signer = signerOf(new Uint8Array(32).fill(7));
const KEY = keyIdOf(signer.publicKey);

/** Returns a chain of `length` entries, every fifth of them a signed head. */
function aChain(length: number): AuditEntry[] {
  const entries: AuditEntry[] = [];
  let head = EMPTY_CHAIN;
  for (let n = 1; n <= length; n++) {
    const isHead = n % 5 === 0;
    const body: AuditBody = {
      id: `p:${n}`,
      at: millis(n),
      actor: { user: "ann", role: "Operator" },
      action: isHead ? HEAD_ACTION : "lattice.node.drain",
      target: { node: `n${n}` },
      from: "127.0.0.1",
      requestId: `r${n}`,
      server: 1,
      ...(isHead && { head: { sequence: head.length, hash: head.hash } }),
    };
    const signed = { body, key: KEY, signature: signer.sign(signedText(body)) };
    const entry = linkEntry(head, signed, { index: logIndex(n), epoch: 1, outcome: "done" });
    entries.push(entry);
    head = { ...head, length: n, hash: entry.hash };
  }
  return entries;
}

/** Returns what is wrong with the chain, told by somebody who knows its true end. */
function problems(entries: readonly (AuditEntry | undefined)[], end = aChain(12).at(-1)): readonly string[] {
  const publicKeyOf = (key: string) => (key === KEY ? signer.publicKey : undefined);
  const pass = new ChainVerifier({ sequence: 0, hash: "" }, publicKeyOf, signer.verify);
  for (const entry of entries) pass.add(entry);
  if (end) pass.end(end);
  return pass.problems.map(({ text }) => text);
}

/** Numbers and links entries anew, as somebody does who wants to hide a change. */
function relink(entries: readonly AuditEntry[]): AuditEntry[] {
  let previous = "";
  return entries.map((entry, i) => {
    const linked = { ...entry, sequence: i + 1, previous };
    previous = entryHash(linked);
    return { ...linked, hash: previous };
  });
}

const at = (entries: readonly AuditEntry[], n: number): AuditEntry => {
  const entry = entries[n - 1];
  if (!entry) throw new Error(`no entry ${n}`);
  return entry;
};

const replace = (entries: readonly AuditEntry[], n: number, change: (entry: AuditEntry) => AuditEntry): AuditEntry[] =>
  entries.map((entry, i) => (i === n - 1 ? change(entry) : entry));

test("INV-U1: a chain as it was written is whole", () => {
  expect(problems(aChain(12))).toEqual([]);
});

test("INV-U1: a changed body is found by its hash and its signature", () => {
  const changed = replace(aChain(12), 3, (e) => ({ ...e, body: { ...e.body, actor: { user: "eve" } } }));
  expect(problems(changed)).toEqual([
    "entry 3: it was changed: its hash does not fit",
    `entry 3: its signature does not fit the key ${KEY}`,
  ]);
});

test("INV-U1: a changed outcome is found though it is not signed by the proposer", () => {
  const changed = replace(aChain(12), 3, (e) => ({ ...e, outcome: "FORBIDDEN" }));
  expect(problems(changed)).toEqual(["entry 3: it was changed: its hash does not fit"]);
  expect(problems(relink(changed), undefined)).toContain(
    "entry 5: the head signed here vouches for another entry 4: history was rewritten",
  );
});

test("INV-U1: a dropped entry is found, also when those after it are numbered and linked anew", () => {
  const dropped = aChain(12).filter((_, i) => i !== 2);
  expect(problems(dropped)[0]).toBe("entry 3: entry 4 is in its place");
  const found = problems(relink(dropped));
  expect(found).toContain("entry 12: the chain ends at entry 11, the state says 12");
  expect(found).toContain("entry 4: the head signed here vouches for another entry 4: history was rewritten");
});

test("INV-U1: reordered entries are found, also when they are numbered and linked anew", () => {
  const chain = aChain(12);
  const swapped = replace(
    replace(chain, 2, () => at(chain, 3)),
    3,
    () => at(chain, 2),
  );
  expect(problems(swapped)[0]).toBe("entry 2: entry 3 is in its place");
  expect(problems(relink(swapped))).toContain(
    "entry 5: the head signed here vouches for another entry 4: history was rewritten",
  );
});

test("INV-U1: a swapped signature is found, also when the entry is hashed and linked anew", () => {
  const chain = aChain(12);
  const swapped = replace(chain, 2, (e) => ({ ...e, signature: at(chain, 3).signature }));
  expect(problems(relink(swapped))).toContain(`entry 2: its signature does not fit the key ${KEY}`);
});

test("INV-U1: an entry that cannot be read, and one of an unknown key, are named", () => {
  const chain = aChain(12);
  expect(problems([...chain.slice(0, 2), undefined, ...chain.slice(3)])).toEqual(["entry 3: it is missing"]);
  const strange = replace(chain, 12, (e) => ({ ...e, key: "strange" }));
  expect(problems(strange)).toContain("entry 12: nobody knows the key strange that it is signed with");
});

test("INV-U1: a chain that was cut off at its end is found by what the state says", () => {
  expect(problems(aChain(12).slice(0, 9))).toEqual(["entry 12: the chain ends at entry 9, the state says 12"]);
});
