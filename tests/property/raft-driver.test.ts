/**
 * Shows what callers of several drivers can rely on, over random orders of everything that
 * can happen to them: frames lost, repeated and late, links cut, crashes, emptied data
 * directories, stopped processes, changes of members, compaction and snapshots. What was
 * applied for its proposer stays, once; what was said to be lost is nowhere; a read sees
 * what was applied anywhere before it. When the faults stop, everybody ends alike. A
 * failure names its seed.
 */
import { expect, test } from "bun:test";
import { assert } from "../../src/base/assert.ts";
import { createPrng, type Prng } from "../../src/base/prng.ts";
import type { MembershipChange } from "../../src/core/raft/raft-types.ts";
import { DriverCluster, type DriverMember } from "../fixtures/driver-cluster.ts";

const SEEDS = Number(process.env.RAFT_SEEDS ?? 30);
const FIRST = Number(process.env.RAFT_FIRST_SEED ?? 0);
const STEPS = 5_000;

/** One random order. */
class Order {
  readonly cluster: DriverCluster;
  readonly random: Prng;
  readonly voters: number;
  /** Texts proposed, by member and number. */
  readonly #texts = new Map<string, string>();
  readonly #refused = new Set<string>();
  #staleRead: string | undefined;
  #count = 0;
  #stores = 0;

  constructor(readonly seed: number) {
    this.random = createPrng(seed);
    this.voters = seed % 2 === 0 ? 3 : 5;
    this.cluster = new DriverCluster(this.voters, { keptEntries: 10 }, seed);
    this.cluster.addEmpty(this.voters + 1);
  }

  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.random() * list.length)];
  }

  async run(): Promise<void> {
    for (let i = 0; i < STEPS; i++) {
      this.act(this.pick([...this.cluster.members.values()]) ?? this.cluster.member(1));
      for (let settled = 0; settled < 3; settled++) await Promise.resolve();
      this.takeRejections();
      assert(this.#staleRead === undefined, `${this.#staleRead}`);
    }
    await this.heal();
  }

  act(member: DriverMember): void {
    const { cluster, random } = this;
    const roll = random();
    if (roll < 0.3) this.deliver();
    else if (roll < 0.5) member.turn();
    else if (roll < 0.7) this.pass(member);
    else if (roll < 0.75) {
      cluster.network.endBackOff();
      cluster.network.connect();
    } else if (roll < 0.88) this.propose(member);
    else if (roll < 0.93) this.read(member);
    else if (roll < 0.95) {
      if (member.isUp) member.driver.compact(member.applied.index);
    } else if (roll < 0.96) this.cutOrHeal(member);
    else if (roll < 0.975) this.changeMembers(member);
    else if (roll < 0.978) {
      // Sometimes between the two halves of a turn: what it sent is out, what it wrote is not.
      if (random() < 0.5) member.turn();
      if (member.isUp) member.crash();
    } else if (!member.isUp) this.restart(member);
  }

  /** Clocks run about equally fast: none is more than a tick ahead, up or down. */
  pass(member: DriverMember): void {
    const all = [...this.cluster.members.values()];
    const slowest = all.toSorted((a, b) => a.clock.time - b.clock.time)[0] ?? member;
    const next = member.clock.time > slowest.clock.time ? slowest : member;
    if (next.isUp) next.clock.advance(this.cluster.settings.tickMs);
    else next.clock.time += this.cluster.settings.tickMs;
  }

  deliver(): void {
    const { network } = this.cluster;
    for (let i = 0; i < 6 && network.held.length > 0; i++) {
      const at = this.random() < 0.9 ? 0 : Math.floor(this.random() * network.held.length);
      const [frame] = this.random() < 0.02 ? network.held.slice(at, at + 1) : network.held.splice(at, 1);
      if (frame && this.random() > 0.02) network.give(frame);
    }
  }

  propose(member: DriverMember): void {
    if (!member.isUp) return;
    this.#count += 1;
    const text = `c${this.#count}`;
    const [proposal] = member.propose(text);
    this.#texts.set(`${member.id} ${member.starts} ${proposal}`, text);
  }

  /** What was said not to be stored is remembered. */
  takeRejections(): void {
    for (const member of this.cluster.members.values()) {
      for (const { proposal, cause } of member.rejected.splice(0)) {
        const text = this.#texts.get(`${member.id} ${member.starts} ${proposal}`);
        const isSure = cause.reason !== "INTERNAL" && !cause.message.includes("not known");
        if (text !== undefined && isSure) this.#refused.add(text);
      }
    }
  }

  read(member: DriverMember): void {
    if (!member.isUp) return;
    const floor = Math.max(0, ...[...this.cluster.members.values()].map((m) => m.applied.index));
    member.driver.readIndex().then(
      (index) => {
        if (index < floor) this.#staleRead = `a read at ${member.id} got ${index}, but ${floor} was applied before`;
      },
      () => undefined,
    );
  }

  cutOrHeal(member: DriverMember): void {
    if (this.random() < 0.5) this.cluster.network.isolate(member.id);
    else this.cluster.network.heal();
  }

  changeMembers(member: DriverMember): void {
    if (!member.isUp) return;
    const id = this.pick([...this.cluster.members.keys()]) ?? 1;
    const roll = this.random();
    const change: MembershipChange =
      roll < 0.25
        ? { kind: "remove", id }
        : roll < 0.6
          ? { kind: "promote", id }
          : { kind: "add-learner", id, address: `m${id}:9000`, storeId: "" };
    if (roll > 0.95) member.driver.transfer(id).catch(() => undefined);
    else member.driver.changeMembers(change).catch(() => undefined);
  }

  restart(member: DriverMember): void {
    if (this.random() < 0.05) {
      this.#stores += 1;
      member.restartEmpty(`s${member.id}.${this.#stores}`);
    } else member.restart();
  }

  /** With emptied directories a majority may be gone for good; then nothing may go on. */
  isMajorityWhole(): boolean {
    const all = [...this.cluster.members.values()];
    const newest = all.toSorted((a, b) => b.store.load().shape.lastIndex - a.store.load().shape.lastIndex)[0];
    const voters =
      newest?.store
        .load()
        .memberships.at(-1)
        ?.membership.members.filter((m) => m.isVoter) ?? [];
    const whole = voters.filter(({ id, storeId }) => this.cluster.member(id).store.identity.storeId === storeId);
    return whole.length > voters.length / 2;
  }

  /** The faults stop; whoever belongs to the cluster must agree in the end. */
  async heal(): Promise<void> {
    const { cluster } = this;
    cluster.network.heal();
    for (const member of cluster.members.values()) if (!member.isUp) member.restart();
    await cluster.tick(150);
    this.takeRejections();
    const leader = cluster.leader;
    if (!leader) {
      expect(this.isMajorityWhole()).toBe(false);
      return;
    }
    leader.propose("last");
    await cluster.tick(60);
    const shown = [...cluster.history.values()].filter((entry) => entry.includes(" command "));
    expect(new Set(shown.map((entry) => entry.split(" ")[2])).size).toBe(shown.length);
    for (const text of this.#refused) expect(leader.texts).not.toContain(text);
    expect(leader.texts).toContain("last");
    const belongs = leader.status.members.map((m) => m.id).filter((id) => cluster.network.isLinked(id, leader.id));
    for (const id of belongs) expect(cluster.member(id).applied.index).toBe(leader.applied.index);
  }
}

test(`INV-O1: what drivers told their callers holds over ${SEEDS} random orders`, async () => {
  for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
    try {
      await new Order(seed).run();
    } catch (error) {
      throw new Error(
        `seed ${seed}: RAFT_FIRST_SEED=${seed} RAFT_SEEDS=1 bun test tests/property/raft-driver.test.ts`,
        {
          cause: error,
        },
      );
    }
  }
}, 120_000);
