/**
 * Shows that what is decided between two cycles, by the ranking of the last one, is what a
 * whole pass would decide or less of it, delays no start that was promised, and is legal:
 * the state machine takes every placement. Clusters are drawn at random and worked through
 * a real state, where work comes and ends one by one.
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { logIndex, millis } from "../../src/base/brand.ts";
import type { AllocationId } from "../../src/core/domain/ids.ts";
import { allocationId, nodeId, userId, vclusterId } from "../../src/core/domain/ids.ts";
import { DEFAULT_TENANT, DEFAULT_VCLUSTER, DEFAULT_WEIGHTS } from "../../src/core/domain/tenant.ts";
import type { Decision, PendingView } from "../../src/core/domain/view.ts";
import { decide, decideHead, estimateStart, plan } from "../../src/core/scheduler/plan.ts";
import type { Policy } from "../../src/core/scheduler/policy.ts";
import { DEFAULT_POLICY, EASY_POLICY } from "../../src/core/scheduler/policy.ts";
import { headOfQueue, rankedQueue } from "../../src/core/scheduler/queue.ts";
import type { Ranking } from "../../src/core/scheduler/score/ranking.ts";
import { amongBlockers, headNow, positionIn, rankQueue } from "../../src/core/scheduler/score/ranking.ts";
import { apply } from "../../src/core/state/apply.ts";
import type { CommandBody } from "../../src/core/state/commands.ts";
import { emptyState } from "../../src/core/state/state.ts";
import { queueOf, viewOf } from "../../src/core/state/view.ts";
import { aRegistration, aRequest, aSpec } from "../fixtures/builders.ts";
import { holds } from "../fixtures/property-runs.ts";

const MINUTE = 60_000;
const NODES = 6;
const IN_ORDER = vclusterId("in-order");

const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("submit" as const),
      width: fc.integer({ min: 1, max: NODES }),
      minutes: fc.integer({ min: 1, max: 30 }),
      preemptionClass: fc.integer({ min: 0, max: 9 }),
      isInOrder: fc.boolean(),
      storageMbps: fc.constantFrom<number[]>(0, 0, 400, 800),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("end" as const), which: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const), which: fc.nat(20) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A cluster whose queue is ranked once, and then only followed. */
class Followed {
  readonly state = emptyState();
  readonly #policy: Policy;
  #index = 0;
  #submitted = 0;
  #ranking: Ranking;
  #left: { readonly blockers: readonly AllocationId[]; readonly arrivals: number } | undefined;
  now = millis(0);

  constructor(policy: Policy) {
    this.#policy = policy;
    this.propose({ kind: "initialize-cluster", clusterId: "test" });
    for (let i = 0; i < NODES; i++) {
      const name = `n${i}`;
      this.propose({ kind: "register-node", registration: aRegistration(name), issues: [] });
      const health = { health: "ready", reason: "", issues: [], isolatedUntil: millis(0) } as const;
      this.propose({ kind: "set-node-health", node: nodeId(name), ...health });
    }
    this.propose({
      kind: "create-vcluster",
      vcluster: IN_ORDER,
      tenant: DEFAULT_TENANT,
      name: "in-order",
      schedulerType: "interactive_fifo",
      weights: DEFAULT_WEIGHTS,
      dedicatedNodes: [],
      allowsBorrowing: false,
      allowsLending: false,
      sharesNodes: false,
    });
    this.#ranking = rankQueue(this.sources(), policy, this.now);
  }

  sources = () => ({ view: viewOf(this.state), queue: queueOf(this.state) });

  propose(body: CommandBody) {
    this.#index++;
    const { outcome } = apply(this.state, logIndex(this.#index), { ...body, at: this.now, by: userId("u") });
    if (!outcome.ok) throw new Error(outcome.error.message);
    return outcome.value;
  }

  /** Does one step and what is decided after it; returns what a whole pass makes of the same queue. */
  follow(one: Step): { readonly decisions: readonly Decision[]; readonly whole: readonly Decision[] } {
    this.#do(one);
    const sources = this.sources();
    const head = headNow(sources, this.#policy, this.#ranking);
    if (!head) throw new Error("who came is forgotten");
    const { view } = sources;
    const context = { now: this.now, head };
    const whole = decideHead(view, this.#policy, context).decisions;
    const tried = one.kind === "submit" ? this.#amongBlockers(head) : head;
    const { decisions, reservations, blockers } = decideHead(view, this.#policy, { ...context, head: tried });
    this.#checkPromises(head, decisions);
    const promised = reservations.map(({ allocation }) => allocation);
    this.#left = { blockers: [...promised, ...blockers], arrivals: sources.queue.arrivals };
    this.#assign(decisions);
    return { decisions, whole };
  }

  #amongBlockers(head: readonly PendingView[]): readonly PendingView[] {
    const { queue } = this.sources();
    if (!this.#left || this.#policy.backfill === "none") return head;
    const { blockers } = this.#left;
    return amongBlockers(head, blockers, queue.arrivedAfter(this.#left.arrivals));
  }

  /** Those that come after a placement are promised the same starts by a whole pass, or earlier ones. */
  #checkPromises(head: readonly PendingView[], decisions: readonly Decision[]): void {
    if (this.#policy.backfill !== "easy") return;
    const placed = new Set(decisions.map(({ allocation }) => allocation));
    const { view } = this.sources();
    const before = decideHead(view, this.#policy, { now: this.now, head }).reservations;
    const [first] = before;
    if (!first || placed.has(first.allocation)) return;
    const queue = head.filter(({ id }) => !placed.has(id));
    const started = this.#withStarted(decisions);
    const after = decideHead(started, this.#policy, { now: this.now, head: queue }).reservations;
    const again = after.find(({ allocation }) => allocation === first.allocation);
    expect(again?.startsBy ?? Number.NEGATIVE_INFINITY).toBeLessThanOrEqual(first.startsBy);
  }

  /** The view once the decisions have been carried out, from a state that is thrown away. */
  #withStarted(decisions: readonly Decision[]) {
    const view = viewOf(this.state);
    const held = new Set(decisions.flatMap(({ claims }) => claims.map(({ nodeId: id }) => id)));
    const byId = new Map([...view.pending()].map((one) => [one.id, one]));
    const started = decisions.flatMap(({ allocation, claims }) => {
      const one = byId.get(allocation);
      return one ? [{ ...one, claims, startedAt: this.now }] : [];
    });
    const nodes = view.nodes.map((node) =>
      held.has(node.id) ? { ...node, claimCount: 1, hasExclusiveClaim: true } : node,
    );
    const running = [...view.running(), ...started];
    return { ...view, nodes, running: () => running };
  }

  #do(one: Step): void {
    this.now = millis(this.now + MINUTE);
    if (one.kind === "submit") {
      const spec = aSpec({
        tenant: DEFAULT_TENANT,
        vcluster: one.isInOrder ? IN_ORDER : DEFAULT_VCLUSTER,
        resources: aRequest({
          nodesMin: one.width,
          nodesMax: one.width,
          ...(one.storageMbps > 0 && { storageMbps: one.storageMbps }),
        }),
        walltimeMs: millis(one.minutes * MINUTE),
        preemptionClass: one.preemptionClass,
      });
      const id = allocationId(`j${this.#submitted++}`);
      this.propose({ kind: "submit-allocation", allocation: { id, spec, dependencies: [] } });
      return;
    }
    const open = [...this.state.tables.allocations.values()].filter(
      ({ state, stopping }) => !stopping && (one.kind === "end" ? state === "staging" : state === "pending"),
    );
    const found = open[one.which % Math.max(1, open.length)];
    if (!found) return;
    if (one.kind === "cancel") {
      this.propose({ kind: "cancel", target: found.id });
      return;
    }
    const report = {
      allocation: found.id,
      attempt: found.attempt,
      phase: "ended",
      cause: "exited",
      exitCode: 0,
    } as const;
    const reports = found.parts.map(({ claim }) => ({ node: claim.nodeId, report }));
    this.propose({ kind: "record-node-reports", reports });
  }

  #assign(decisions: readonly Decision[]): void {
    if (decisions.length === 0) return;
    const placements = decisions.map(({ allocation, version, claims }) => ({ allocation, version, claims }));
    const output = this.propose({ kind: "assign-nodes", placements });
    expect(output).toEqual({ kind: "assigned", refused: [] });
  }

  /** Ranks anew and runs a whole pass. */
  cycle(): void {
    this.#ranking = rankQueue(this.sources(), this.#policy, this.now);
    this.#assign(decide(viewOf(this.state), this.#policy, this.now));
    this.#left = undefined;
  }
}

const POLICIES: readonly (readonly [string, Policy])[] = [
  ["EASY", EASY_POLICY],
  ["conservative", { ...EASY_POLICY, backfill: "conservative" }],
  ["no backfill", { ...EASY_POLICY, backfill: "none" }],
  ["the default", DEFAULT_POLICY],
  ["the default with a cap", { ...DEFAULT_POLICY, caps: { storageMbps: 1_000 } }],
  ["EASY with a cap", { ...EASY_POLICY, caps: { storageMbps: 1_000 } }],
  ["the default over a short head", { ...DEFAULT_POLICY, depth: 3 }],
];

describe.each(POLICIES)("what is decided between two cycles by %s", (_name, policy) => {
  test("is what a whole pass decides, or less of it, is legal, and delays no promised start", () => {
    let placed = 0;
    holds(
      fc.property(fc.array(step, { maxLength: 30 }), fc.integer({ min: 1, max: 9 }), (steps, every) => {
        const followed = new Followed(policy);
        for (const [n, one] of steps.entries()) {
          if (n % every === 0) followed.cycle();
          const { decisions, whole } = followed.follow(one);
          const wholly = new Set(whole.map(({ allocation }) => allocation));
          for (const { allocation } of decisions) expect(wholly.has(allocation)).toBe(true);
          placed += decisions.length;
        }
      }),
    );
    expect(placed).toBeGreaterThan(100);
  });
});

describe("what comes between two cycles waits behind who waits without a promised start", () => {
  const submit = (width: number, fields: Partial<Extract<Step, { kind: "submit" }>> = {}): Step => ({
    kind: "submit",
    width,
    minutes: 30,
    preemptionClass: 5,
    isInOrder: false,
    storageMbps: 0,
    ...fields,
  });
  const decided = (policy: Policy, steps: readonly Step[]): readonly (readonly string[])[] => {
    const followed = new Followed(policy);
    return steps.map((one) => followed.follow(one).decisions.map(({ allocation }) => allocation));
  };

  test("in a vCluster that places in the order of submission", () => {
    const small = submit(1, { minutes: 1, isInOrder: true });
    const steps = [submit(5), submit(6), submit(2, { isInOrder: true }), small, { ...small, isInOrder: false }];
    expect(decided(EASY_POLICY, steps)).toEqual([["j0"], [], [], [], ["j4"]]);
  });

  test("in such a vCluster also where all have come since the last cycle, whatever their classes", () => {
    const first = submit(2, { isInOrder: true, preemptionClass: 1 });
    const second = submit(1, { isInOrder: true, preemptionClass: 9, minutes: 1 });
    const followed = new Followed(DEFAULT_POLICY);
    const ranking = rankQueue(followed.sources(), DEFAULT_POLICY, followed.now);
    const steps = [submit(5), first, second].map((one) => followed.follow(one).decisions);
    expect(steps.map((decisions): readonly string[] => decisions.map(({ allocation }) => allocation))).toEqual([
      ["j0"],
      [],
      [],
    ]);
    const waiting = [...followed.sources().view.pending()].toSorted((a, b) => a.shortId - b.shortId);
    expect(waiting.map((one) => positionIn(followed.sources(), ranking, one))).toEqual([1, 2]);
  });

  test("under a cap", () => {
    const draws = (storageMbps: number, minutes = 30): Step => submit(1, { storageMbps, minutes });
    const policy = { ...EASY_POLICY, caps: { storageMbps: 1_000 } };
    expect(decided(policy, [draws(800), draws(900), draws(200, 40), draws(200, 20)])).toEqual([["j0"], [], [], ["j3"]]);
  });
});

test("a ranking that was just made is the order of the queue, and says each one's place in it", () => {
  holds(
    fc.property(fc.array(step, { maxLength: 30 }), fc.constantFrom(1, 3, 1_000), (steps, depth) => {
      const policy = { ...DEFAULT_POLICY, depth };
      const followed = new Followed(policy);
      for (const one of steps) followed.follow(one);
      followed.cycle();
      const sources = followed.sources();
      const head = headNow(sources, policy, rankQueue(sources, policy, followed.now));
      expect(head).toEqual([...headOfQueue(sources.view, policy, followed.now)]);
      const ranking = rankQueue(sources, policy, followed.now);
      const places = [...rankedQueue(sources.view, policy, followed.now)].map((one) =>
        positionIn(sources, ranking, one),
      );
      expect(places).toEqual(places.map((_, i) => i + 1));
    }),
  );
});

describe("an estimated start", () => {
  test("of the first that waits is the start that it is promised, and with shorter work no later", () => {
    let estimated = 0;
    holds(
      fc.property(fc.array(step, { maxLength: 30 }), fc.double({ min: 0.1, max: 1, noNaN: true }), (steps, ratio) => {
        const followed = new Followed(EASY_POLICY);
        for (const one of steps) followed.follow(one);
        const view = viewOf(followed.state);
        const queue = [...view.pending()];
        const [first] = plan(view, EASY_POLICY, followed.now).reservations;
        if (!first) return;
        estimated++;
        const head = queue.slice(0, queue.findIndex(({ id }) => id === first.allocation) + 1);
        const estimate = (lengthRatio: number) =>
          estimateStart(view, EASY_POLICY, { now: followed.now, head, lengthRatio });
        expect(estimate(1)).toBe(first.startsBy);
        expect(estimate(ratio)).toBeLessThanOrEqual(first.startsBy);
      }),
    );
    expect(estimated).toBeGreaterThan(20);
  });
});
