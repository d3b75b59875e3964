/**
 * A claiming user: keeps a node for a while, gives it back, and takes the next. Every step is
 * repeated at whichever server until it is answered, so that none is left claimed in the end.
 */
import type { Prng } from "../../base/prng.ts";
import { claimNode, releaseNode } from "../../engine/server/operations/nodes.ts";
import type { SimNetwork } from "../network/network.ts";
import type { Span } from "../world/chance.ts";
import { pick, within } from "../world/chance.ts";
import { SimProcess } from "../world/process.ts";
import type { Answer, Request, ServerDoor } from "./rpc.ts";
import { callServer } from "./rpc.ts";

const AGAIN_MS: Span = [50, 800];
const PAUSE_MS: Span = [500, 6_000];
const BUSY_MS: Span = [10, 120];
const HELD_MS: Span = [100, 4_000];
const USER = "cleo";

/** What a claimer is made from. */
export interface SimClaimerParts {
  readonly network: SimNetwork;
  readonly doors: () => readonly ServerDoor[];
  readonly nodes: readonly string[];
}

export class SimClaimer {
  readonly process: SimProcess;
  readonly #parts: SimClaimerParts;
  readonly #random: Prng;
  #isStopping = false;
  #isIdle = true;

  constructor(parts: SimClaimerParts) {
    this.#parts = parts;
    this.process = new SimProcess(parts.network.world, USER);
    this.#random = parts.network.world.random("claimer");
  }

  /** Whether nothing of it is under way: it holds no node. */
  get isIdle(): boolean {
    return this.#isIdle;
  }

  start(): void {
    this.process.begin();
    this.#isIdle = false;
    void this.#live().then(() => {
      this.#isIdle = true;
    });
  }

  /** Begins nothing new. */
  stop(): void {
    this.#isStopping = true;
  }

  async #live(): Promise<void> {
    let hasClaimed = true;
    while (!this.#isStopping) {
      // Nodes are seldom idle: a busy one is asked for again soon.
      await this.#wait(hasClaimed ? PAUSE_MS : BUSY_MS);
      const node = pick(this.#random, this.#parts.nodes);
      if (node === undefined || this.#isStopping) continue;
      const claimed = await this.#until((server, call) => claimNode(server, call, node));
      hasClaimed = claimed.kind === "value";
      if (!hasClaimed) continue;
      this.process.world.log(USER, "claims", node);
      await this.#wait(HELD_MS);
      await this.#until((server, call) => releaseNode(server, call, node));
      this.process.world.log(USER, "releases", node);
    }
  }

  /** Repeats until it is done, or refused for what no repeat would change. */
  async #until(run: Request<unknown>["run"]): Promise<Answer<unknown>> {
    for (;;) {
      const door = pick(this.#random, this.#parts.doors());
      if (door !== undefined) {
        const request = { operation: "node.claim", user: USER, run } as const;
        const answer = await callServer({ network: this.#parts.network, process: this.process }, door, request);
        const reason = answer.kind === "fault" ? answer.fault.reason : undefined;
        if (answer.kind === "value" || reason === "ILLEGAL_TRANSITION" || reason === "NODE_NOT_FOUND") return answer;
      }
      await this.#wait(AGAIN_MS);
    }
  }

  #wait(span: Span): Promise<void> {
    return new Promise((resolve) => this.process.clock.after(within(this.#random, span), resolve));
  }
}
