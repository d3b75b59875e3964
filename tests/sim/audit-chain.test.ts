/** Shows that the checker of the audit chain sees what it is for, and that a run of the simulator gives it entries to look at. */
import { expect, test } from "bun:test";
import { millis } from "../../src/base/brand.ts";
import type { AuditBody, SignedAudit } from "../../src/core/audit/entry.ts";
import { entryId, keyIdOf, signedText } from "../../src/core/audit/entry.ts";
import { AuditChain } from "../../src/sim/checkers/audit-chain.ts";
import { Findings } from "../../src/sim/checkers/findings.ts";
import { fakeSigner } from "../../src/sim/fake-signer.ts";
import { StateWorld } from "../fixtures/state-world.ts";

const signer = fakeSigner("s1");
const KEY = keyIdOf(signer.publicKey);

function signed(n: number): SignedAudit {
  const at = millis(n);
  const facts = {
    actor: { user: "ann" },
    action: "lattice.node.drain",
    target: {},
    from: "",
    requestId: "r",
    server: 1,
  };
  const body: AuditBody = { ...facts, id: `p:${n}`, at };
  return { body, key: KEY, signature: signer.sign(signedText(body)) };
}

function aWorld(): StateWorld {
  const world = new StateWorld();
  const key = { id: KEY, publicKey: signer.publicKey, member: 1, since: millis(0) };
  world.propose({ kind: "register-audit-key", key }, { audit: signed(1) });
  for (let n = 2; n <= 5; n++) world.propose({ kind: "record-audit" }, { audit: signed(n) });
  return world;
}

function found(change: (world: StateWorld) => void): string | undefined {
  const findings = new Findings();
  const world = aWorld();
  change(world);
  new AuditChain(findings).onState(world.state);
  return findings.first?.text;
}

test("INV-U1: the checker takes a chain as it is and sees a lost, a changed and a wrongly signed entry", () => {
  expect(found(() => {})).toBeUndefined();
  expect(found(({ state }) => state.tables.audit.delete(entryId(3)))).toBe("entry 3: it is missing");
  const altered = ({ state }: StateWorld) => {
    const entry = state.tables.audit.get(entryId(3));
    if (entry) state.tables.audit.put(entryId(3), { ...entry, outcome: "denied" });
  };
  expect(found(altered)).toBe("entry 3: it was changed: its hash does not fit");
  const forged = (world: StateWorld) =>
    world.propose({ kind: "record-audit" }, { audit: { ...signed(6), signature: signed(7).signature } });
  expect(found(forged)).toBe(`entry 6: its signature does not fit the key ${KEY}`);
});

test("an entry of a key that nobody has registered is refused with its command", () => {
  const world = aWorld();
  const audit = { ...signed(6), key: "stranger" };
  const { outcome } = world.propose({ kind: "record-audit" }, { audit });
  expect(outcome).toMatchObject({ ok: false, error: { reason: "VERSION_CONFLICT" } });
  expect(world.state.tables.audit.size).toBe(5);
});
