/**
 * INV-U1 in a fake world: each entry of the audit log follows the one before, with a signature
 * that fits and a key that the servers know, and its number is the state's.
 */
import { ChainVerifier } from "../../core/audit/chain.ts";
import { entryId } from "../../core/audit/entry.ts";
import type { State } from "../../core/state/state.ts";
import { auditHeadOf } from "../../core/state/state.ts";
import { fakeSigner } from "../fake-signer.ts";
import type { Findings } from "./findings.ts";

const PROPERTY = "audit chain unbroken";

export class AuditChain {
  readonly #findings: Findings;
  readonly #keys = new Map<string, string>();
  readonly #pass: ChainVerifier;

  constructor(findings: Findings) {
    this.#findings = findings;
    this.#pass = new ChainVerifier({ sequence: 0, hash: "" }, (key) => this.#keys.get(key), fakeSigner("").verify);
  }

  /** How many entries were looked at. */
  get count(): number {
    return this.#pass.last.sequence;
  }

  /** Looks at the entries that came since the last state. */
  onState({ tables, ...state }: State): void {
    const { length, hash } = auditHeadOf({ tables, ...state });
    if (length === this.count) return;
    for (const { id, publicKey } of tables.auditKeys.values()) this.#keys.set(id, publicKey);
    for (let sequence = this.count + 1; sequence <= length; sequence++) {
      this.#pass.add(tables.audit.get(entryId(sequence)));
    }
    this.#pass.end({ sequence: length, hash });
    for (const { text } of this.#pass.problems) this.#findings.add(PROPERTY, text);
  }
}
