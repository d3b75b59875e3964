/**
 * What a plot works with: it waits for a situation, parts servers into groups that hear
 * only each other, and lets a witness write or read. Once the faults of a run are over
 * nothing is waited for any more and nothing is cut.
 */
import type { Prng } from "../../base/prng.ts";
import type { LogShape } from "../../core/raft/log.ts";
import { EMPTY_LOG, lastTerm } from "../../core/raft/log.ts";
import { Witness } from "../clients/witness.ts";
import type { Cluster } from "../cluster.ts";
import { pathOf } from "../network/network.ts";
import type { SimServer } from "../server.ts";
import type { Span } from "../world/chance.ts";
import { within } from "../world/chance.ts";

/** Servers that hear each other. */
export type Group = readonly SimServer[];

export class Stage {
  readonly cluster: Cluster;
  readonly random: Prng;
  readonly witness: Witness;
  #isOver = false;
  #cuts: readonly string[] = [];

  constructor(cluster: Cluster) {
    this.cluster = cluster;
    this.random = cluster.world.random("plot");
    this.witness = new Witness(cluster);
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Servers in order of their ids. */
  get servers(): Group {
    return this.cluster.servers;
  }

  /** All servers but these. */
  without(...absent: Group): Group {
    return this.servers.filter((server) => !absent.includes(server));
  }

  /** Ends whatever is under way. */
  end(): void {
    this.join();
    this.#isOver = true;
  }

  /** Lets time pass; returns whether there is more to come. */
  wait(span: Span): Promise<boolean> {
    const { world } = this.cluster;
    return new Promise((resolve) => world.after(within(this.random, span), () => resolve(!this.#isOver)));
  }

  /** Waits for a situation, looked for after each event; returns whether it came in time. */
  until(isThere: () => boolean, withinMs: number): Promise<boolean> {
    const { world } = this.cluster;
    const end = world.now + withinMs;
    return new Promise((resolve) =>
      world.watch(() => {
        const isReached = !this.#isOver && isThere();
        if (!isReached && !this.#isOver && world.now < end) return false;
        resolve(isReached);
        return true;
      }),
    );
  }

  /** Cuts whatever goes from one group to another; earlier cuts of the plot are mended. */
  part(...groups: readonly Group[]): void {
    this.#cut(groups.flatMap((a) => groups.flatMap((b) => (a === b ? [] : pathsBetween(a, b)))));
    this.#note(groups.map((group) => group.map((s) => s.name).join(" ")).join(" <x> "));
  }

  /** Cuts one direction only; earlier cuts of the plot are mended. */
  muffle(from: Group, to: Group): void {
    this.#cut(pathsBetween(from, to));
    this.#note(`${from.map((s) => s.name).join(" ")} -x> ${to.map((s) => s.name).join(" ")}`);
  }

  /** Mends whatever the plot has cut. */
  join(): void {
    this.#cut([]);
    this.muteClients(false);
  }

  /** Cuts the clients off, or lets them speak again. */
  muteClients(isMuted: boolean): void {
    if (this.#isOver) return;
    const { network, clients } = this.cluster;
    for (const { process } of clients) {
      for (const { name } of this.servers) network.block(pathOf(process.name, name), isMuted);
    }
  }

  /** Cuts paths by their names, until the plot cuts others. */
  cut(paths: readonly string[]): void {
    this.#cut(paths);
  }

  #cut(paths: readonly string[]): void {
    if (this.#isOver) return;
    const { network } = this.cluster;
    for (const path of this.#cuts) network.block(path, false);
    for (const path of paths) network.block(path, true);
    this.#cuts = paths;
  }

  #note(text: string): void {
    if (!this.#isOver) this.cluster.world.log("-", "plot", text);
  }
}

/** Returns the log of a server, as far as it is open. */
export const logOf = (server: SimServer): LogShape => server.store?.load().shape ?? EMPTY_LOG;

/** Returns the term of the last entry of a server. */
export const lastTermOf = (server: SimServer): number => lastTerm(logOf(server));

/** Returns whether a server leads, as far as it knows, in a term after this one. */
export function leadsAfter(server: SimServer, term: number): boolean {
  const status = server.running?.replica.status;
  return status !== undefined && status.leader === server.id && status.term > term;
}

/** Returns the term that a server knows. */
export const termOf = (server: SimServer): number => server.running?.replica.status.term ?? 0;

const pathsBetween = (from: Group, to: Group): readonly string[] =>
  from.flatMap((a) => to.map((b) => pathOf(a.name, b.name)));
