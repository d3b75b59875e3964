/**
 * Who runs the cluster: sets it up, hands leadership over, and replaces servers, by the
 * same operations as people, at whichever server, until the servers say that it is done.
 */
import type { Prng } from "../base/prng.ts";
import type { MemberId } from "../core/raft/raft-types.ts";
import {
  addMember,
  promoteMember,
  raftStatus,
  removeMember,
  transferLeadership,
} from "../engine/server/operations/cluster.ts";
import { createTenant } from "../engine/server/operations/tenants.ts";
import type { Request, ServerDoor } from "./clients/rpc.ts";
import { callServer } from "./clients/rpc.ts";
import type { SimNetwork } from "./network/network.ts";
import type { SimServer } from "./server.ts";
import { addressOf } from "./server.ts";
import type { Span } from "./world/chance.ts";
import { pick, within } from "./world/chance.ts";
import { SimProcess } from "./world/process.ts";

const AGAIN_MS: Span = [100, 800];
/** Between adding a member and asking for its promotion. */
const PROMOTE_AFTER_MS: Span = [0, 1_500];
/** Words of refusals that say how it is. */
const NOT_THERE = "there is no member";
const ALREADY_VOTES = "is a voter already";

/** What an operator works with. */
export interface OperatorParts {
  readonly network: SimNetwork;
  readonly doors: () => readonly ServerDoor[];
}

/** Does one thing after another. */
export class SimOperator {
  readonly process: SimProcess;
  readonly #parts: OperatorParts;
  readonly #random: Prng;
  #tasks = 0;
  #last: Promise<void> = Promise.resolve();
  /** The server that is being replaced. */
  replacing: SimServer | undefined;

  constructor(parts: OperatorParts) {
    this.#parts = parts;
    this.process = new SimProcess(parts.network.world, "op");
    this.#random = parts.network.world.random("operator");
    this.process.begin();
  }

  get isIdle(): boolean {
    return this.#tasks === 0;
  }

  /** Makes the tenant that the clients use. */
  setUp(tenant: string, nodesMax: number): void {
    this.#enqueue(() =>
      this.#until(["exists"], {
        operation: "tenant.create",
        idempotencyKey: `set-up-${tenant}`,
        run: (server, call) => createTenant(server, call, { name: tenant, quota: { nodesMax } }),
      }),
    );
  }

  /** Asks once that another server leads. */
  transfer(to: SimServer): void {
    this.#enqueue(async () => {
      const door = pick(this.#random, this.#parts.doors());
      if (door === undefined) return;
      this.#note(`transfer to ${to.name}`);
      await callServer({ ...this.#parts, process: this.process }, door, {
        operation: "raft.change",
        run: (server, call) => transferLeadership(server, call, to.id),
      });
    });
  }

  /** Takes a server out and puts an empty one in its place. */
  replace(server: SimServer): void {
    const { id } = server;
    this.replacing = server;
    this.#enqueue(async () => {
      this.#note(`remove ${server.name}`);
      await this.#remove(id);
      server.crash(false);
      server.disk.wipe();
      server.start();
      this.#note(`add ${server.name}`);
      await this.#letJoin(id);
      this.#note(`replaced ${server.name}`);
      this.replacing = undefined;
    });
  }

  /** Lets another server join and vote before an old one goes for good. */
  exchange(old: SimServer, join: () => SimServer, retire: () => void): void {
    this.replacing = old;
    this.#enqueue(async () => {
      const fresh = join();
      const { id } = fresh;
      this.#note(`add ${fresh.name} for ${old.name}`);
      await this.#letJoin(id);
      this.#note(`remove ${old.name}`);
      await this.#remove(old.id);
      retire();
      this.replacing = undefined;
    });
  }

  /** Lets a server join again that a late request has removed. */
  readmit({ id, name }: SimServer): void {
    this.#note(`add ${name} again`);
    this.#enqueue(() => this.#letJoin(id));
  }

  /** What is asked for late is refused, so each attempt looks first. */
  async #remove(id: MemberId): Promise<void> {
    await this.#change([NOT_THERE], async (at, call) => {
      const { membersAt } = await raftStatus(at, call);
      await removeMember(at, call, { id, seenAt: membersAt });
    });
  }

  /** Adds a member until it votes: an earlier request to remove it may come late. */
  async #letJoin(id: MemberId): Promise<void> {
    for (let isGone = true; isGone; ) {
      await this.#change(["belongs to the cluster already"], (at, call) =>
        addMember(at, call, { id, address: addressOf(id) }),
      );
      await this.#wait(PROMOTE_AFTER_MS);
      const end = await this.#change([ALREADY_VOTES, NOT_THERE], (at, call) => promoteMember(at, call, id));
      isGone = end === NOT_THERE;
    }
  }

  #change(isDone: readonly string[], run: Request<void>["run"]): Promise<string | undefined> {
    return this.#until(isDone, { operation: "raft.change", run });
  }

  /** Repeats until it is done, or refused with one of these words, which it returns. */
  async #until<T>(words: readonly string[], request: Request<T>): Promise<string | undefined> {
    for (;;) {
      const door = pick(this.#random, this.#parts.doors());
      if (door !== undefined) {
        const answer = await callServer({ ...this.#parts, process: this.process }, door, request);
        if (answer.kind === "value") return undefined;
        const said = answer.kind === "fault" ? answer.fault.message : "";
        const found = words.find((word) => said.includes(word));
        if (found !== undefined) return found;
      }
      await this.#wait(AGAIN_MS);
    }
  }

  #wait(span: Span): Promise<void> {
    return new Promise((resolve) => this.process.clock.after(within(this.#random, span), resolve));
  }

  #enqueue(task: () => Promise<unknown>): void {
    this.#tasks += 1;
    this.#last = this.#last.then(async () => {
      await task();
      this.#tasks -= 1;
    });
  }

  #note(text: string): void {
    this.#parts.network.world.log("op", "operator", text);
  }
}
