/** Tells who called and was refused: once when the reason changes, not once per attempt. */
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { Logger } from "../../ports/log.ts";

/** Strangers may name any number: more than this are not remembered. */
const REMEMBERED_MAX = 64;

/** The refusals of one server. */
export class RefusalLog {
  readonly #log: Logger;
  readonly #last = new Map<MemberId, string>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Writes that `member` called and that one of the two does not want the other. */
  refused(member: MemberId, reason: string): void {
    if (this.#last.get(member) === reason) return;
    if (this.#last.size >= REMEMBERED_MAX) this.#last.clear();
    this.#last.set(member, reason);
    this.#log.warn("a server that called is not admitted", { member, reason });
  }

  /** Forgets what was said of `member`. */
  admitted(member: MemberId): void {
    this.#last.delete(member);
  }
}
