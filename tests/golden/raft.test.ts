/**
 * Runs the scripts of tests/golden/raft: a cluster in memory is driven line by line, and
 * the transcript shows what each member wrote, sent and became. Times are ticks; an
 * election span is 10 to 19 of them, a heartbeat comes every second one.
 */
import { join } from "node:path";
import { assert } from "../../src/base/assert.ts";
import { logIndex } from "../../src/base/brand.ts";
import type { RaftMessage } from "../../src/core/raft/raft-types.ts";
import type { Letter } from "../fixtures/raft-cluster.ts";
import { RaftCluster } from "../fixtures/raft-cluster.ts";
import type { GoldenCase } from "./runner.ts";
import { runGolden } from "./runner.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

class Script {
  #cluster = new RaftCluster(3);
  #cut = new Set<number>();
  #seen: string[] = [];
  #reads = 0;

  run({ command, args }: GoldenCase): string {
    const [first = "", second = ""] = args;
    const member = () => this.#cluster.member(Number(first));
    this.#seen = [];
    switch (command) {
      case "cluster":
        this.#cluster = new RaftCluster(Number(first), 0, second === "" ? {} : { windowMax: Number(second) });
        break;
      case "found":
        this.#cluster = RaftCluster.founded(Number(first));
        break;
      case "bind":
        this.#change(Number(first), { kind: "bind", id: Number(second), storeId: args[2] ?? "" });
        break;
      case "empty":
        this.#cluster.addEmpty(Number(first));
        break;
      case "tick":
        this.#settleAfter(() => {
          // A follower's until it asks for an election, which it would repeat.
          for (let i = 0; i < Number(second || "1") && member().node.role !== "pre-candidate"; i++) {
            member().input({ kind: "tick" });
          }
        });
        break;
      case "ticks":
        this.#cluster.tick(Number(first), (letter) => this.#isCut(letter));
        this.#report();
        break;
      case "propose":
        this.#settleAfter(() => member().input({ kind: "propose", data: args.slice(1).map(bytes) }));
        break;
      case "read":
        this.#reads += 1;
        this.#settleAfter(() => member().input({ kind: "read", ticket: this.#reads }));
        break;
      case "compact":
        member().input({ kind: "compact", index: logIndex(Number(second)) });
        break;
      case "transfer":
        this.#settleAfter(() => member().input({ kind: "transfer", to: Number(second) }));
        break;
      case "add":
        this.#change(Number(first), { kind: "add-learner", id: Number(second), address: "new:9000", storeId: "s" });
        break;
      case "promote":
      case "remove":
        this.#change(Number(first), { kind: command, id: Number(second) });
        break;
      case "cut":
        this.#cut = new Set(args.map(Number));
        break;
      case "crash":
        member().crash();
        break;
      case "restart":
        this.#settleAfter(() => member().restart());
        break;
      default:
        throw new Error(`unknown command ${command}`);
    }
    return [...this.#seen, this.#state()].join("\n");
  }

  #change(at: number, change: Parameters<RaftCluster["change"]>[1]): void {
    this.#settleAfter(() => this.#cluster.change(at, change));
  }

  #settleAfter(action: () => void): void {
    action();
    this.#cluster.settle((letter) => {
      const isLost = this.#isCut(letter);
      this.#seen.push(`${letter.from} -> ${letter.to}  ${show(letter.message)}${isLost ? "  lost" : ""}`);
      return isLost;
    });
    for (const report of this.#cluster.later.splice(0)) report();
    this.#report();
  }

  #report(): void {
    for (const { member, effect } of this.#cluster.notices.splice(0)) {
      if (effect.kind === "reject") this.#seen.push(`${member} rejects ${effect.count}: ${effect.reason}`);
      if (effect.kind === "change-refused") this.#seen.push(`${member} refuses: ${effect.reason}`);
      if (effect.kind === "transfer-ended") this.#seen.push(`${member} transfer: ${effect.reason ?? "done"}`);
      if (effect.kind === "install-snapshot") this.#seen.push(`${member} installs a snapshot`);
    }
    for (const member of this.#cluster.members.values()) {
      for (const { ticket, index } of member.reads.splice(0)) {
        this.#seen.push(`${member.id} read ${ticket}: ${index === undefined ? "failed" : `at index ${index}`}`);
      }
    }
  }

  #isCut({ from, to }: Letter): boolean {
    return this.#cut.has(from) !== this.#cut.has(to);
  }

  #state(): string {
    return [...this.#cluster.members.values()].map((m) => describe(m)).join("\n");
  }
}

function describe({ id, isUp, node }: ReturnType<RaftCluster["member"]>): string {
  if (!isUp) return `${id}  down`;
  const { log, role, term, commit } = node;
  const runs = log.runs.map(
    (run, i) => `${run.first}-${(log.runs[i + 1]?.first ?? log.lastIndex + 1) - 1}/${run.term}`,
  );
  const compacted = log.compactedIndex > 0 ? `..${log.compactedIndex}/${log.compactedTerm} ` : "";
  return `${id}  ${role.padEnd(9)} term=${term} commit=${commit} log=[${compacted}${runs.join(" ")}]`;
}

function show(message: RaftMessage): string {
  switch (message.kind) {
    case "vote": {
      const name = message.isPreVote ? "pre-vote?" : message.isTransfer ? "vote! (transfer)" : "vote?";
      return `${name} term=${message.term} last=${message.lastIndex}/${message.lastTerm}`;
    }
    case "vote-reply":
      return `${message.isPreVote ? "pre-vote" : "vote"}: ${message.isGranted ? "yes" : "no"} term=${message.term}`;
    case "append": {
      const entries = message.entries.map((e) => `${e.index}/${e.term}`).join(" ");
      return `append term=${message.term} after=${message.prevIndex}/${message.prevTerm} [${entries}] commit=${message.commit}`;
    }
    case "append-reply":
      return message.isAccepted
        ? `appended up to ${message.index}`
        : `conflict at ${message.index}, try ${message.hintIndex}/${message.hintTerm}`;
    case "heartbeat":
      return `heartbeat #${message.round} term=${message.term} commit=${message.commit}`;
    case "heartbeat-reply":
      return `alive #${message.round} term=${message.term}`;
    case "timeout-now":
      return `take over term=${message.term}`;
    case "read-index":
      return `which index? read ${message.ticket}`;
    case "read-index-reply":
      return `read ${message.ticket} at ${message.index}`;
  }
}

runGolden(join(import.meta.dir, "raft"), () => {
  const script = new Script();
  return (golden) => {
    assert(golden.command !== "", "a case has a command");
    return script.run(golden);
  };
});
