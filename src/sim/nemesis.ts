/**
 * Makes things go wrong, each kind of fault at its own pace: crashes, pauses, clocks that
 * are set, links that break, paths that are cut or clogged, disks that are slow or full,
 * and operators who act meanwhile. Never more disks lose what they acknowledged than the
 * cluster is meant to bear.
 */
import type { Prng } from "../base/prng.ts";
import type { Cluster } from "./cluster.ts";
import { pathOf } from "./network/network.ts";
import type { SimServer } from "./server.ts";
import type { Span } from "./world/chance.ts";
import { happens, pick, shuffled, wholeWithin, within } from "./world/chance.ts";
import type { SimProcess } from "./world/process.ts";
import type { World } from "./world/world.ts";

/** How often it is seen to servers that are down and not meant to be. */
const KEEPER_MS = 50;
/** Until people notice a server that came back empty. */
const NOTICED_MS: Span = [100, 4_000];
/** A crash waits no longer for a write to fall into. */
const WRITE_WAIT_MS = 2_000;

export class Nemesis {
  readonly #cluster: Cluster;
  readonly #world: World;
  readonly #random: Prng;
  /** Servers that stay down until then. */
  readonly #heldUntil = new Map<SimServer, number>();
  #isOver = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#world = cluster.world;
    this.#random = cluster.world.random("nemesis");
  }

  /** Starts servers that are down, and notices disks that are whole again; for ever. */
  keep(): void {
    for (const server of this.#cluster.servers) this.#keepOne(server);
    const { leader, operator, servers } = this.#cluster;
    const members = leader?.running?.replica.status.members;
    const removed = members && servers.find(({ id }) => !members.some((m) => m.id === id));
    if (removed && operator.isIdle) operator.readmit(removed);
    this.#world.after(KEEPER_MS, () => this.keep());
  }

  /** Begins. */
  start(): void {
    const { network, disk, process, operator } = this.#cluster.faults;
    this.#repeat(process.crashEveryMs, () => this.#crash());
    this.#repeat(process.pauseEveryMs, () => this.#pause());
    this.#repeat(process.jumpEveryMs, () => this.#jump());
    this.#repeat(network.cutEveryMs, () => this.#cluster.network.cutOne());
    this.#repeat(network.partitionEveryMs, () => this.#partition());
    this.#repeat(network.clogEveryMs, () => this.#clog());
    this.#repeat(disk.slowEveryMs, () => this.#trouble("slow", disk.slowMs));
    this.#repeat(disk.fullEveryMs, () => this.#trouble("full", disk.fullMs));
    this.#repeat(operator.transferEveryMs, () => this.#transfer());
    this.#repeat(operator.replaceEveryMs, () => this.#replace());
    this.#repeat(operator.restartEveryMs, () => this.#restart());
  }

  /** Ends, and mends everything but what people have to mend. */
  stop(): void {
    this.#isOver = true;
    const { network, servers, nodes } = this.#cluster;
    network.heal();
    this.#heldUntil.clear();
    for (const { disk } of servers) {
      disk.isSlow = false;
      disk.isFull = false;
    }
    for (const node of nodes) if (!node.process.isUp) node.start();
    for (const { process } of [...servers, ...nodes]) {
      process.resume();
      process.wallOffsetMs = 0;
    }
  }

  #keepOne(server: SimServer): void {
    const { impaired, operator, observer } = this.#cluster;
    const isHeld = (this.#heldUntil.get(server) ?? 0) > this.#world.now;
    if (!server.process.isUp && !isHeld) {
      server.start();
      // A log too damaged to be used is a person's business; any other refusal is a finding.
      const isBeyondRepair = server.refusal?.reason === "CORRUPT_LOG" && impaired.has(server);
      if (isBeyondRepair && operator.isIdle) operator.replace(server);
      else if (server.refusal && !isBeyondRepair) observer.onStopped(server.id, server.refusal);
    }
    const stored = server.store?.load();
    const isWhole = stored !== undefined && stored.hardState.recoverUntil === undefined && stored.shape.lastIndex > 0;
    if (isWhole && operator.replacing !== server) impaired.delete(server);
  }

  #repeat(everyMs: number, act: () => void): void {
    if (everyMs === 0) return;
    this.#world.after(within(this.#random, [0.2, 1.8]) * everyMs, () => {
      if (this.#isOver) return;
      act();
      this.#repeat(everyMs, act);
    });
  }

  #crash(): void {
    const { servers, nodes } = this.#cluster;
    if (nodes.length > 0 && happens(this.#random, 0.2)) {
      this.#crashNode();
      return;
    }
    const isOfLeader = happens(this.#random, 0.3);
    const first = (isOfLeader ? this.#cluster.leader : undefined) ?? this.#anyServer();
    if (first === undefined) return;
    const isOfAll = happens(this.#random, 0.1);
    const strike = (): void => {
      for (const server of isOfAll ? servers : [first]) this.#crashServer(server);
    };
    if (happens(this.#random, 0.5)) strike();
    else this.#duringWrite(first, strike);
  }

  /** What a write has not finished is where bugs are. */
  #duringWrite(server: SimServer, strike: () => void): void {
    const { now } = this.#world;
    server.disk.onNextWrite = (endsAt) => {
      const began = this.#world.now;
      if (began > now + WRITE_WAIT_MS) return;
      this.#world.at(within(this.#random, [began, endsAt]), () => {
        if (!this.#isOver) strike();
      });
    };
  }

  #crashServer(server: SimServer): void {
    const { process, disk } = this.#cluster.faults;
    if (!server.process.isUp) return;
    server.crash(happens(this.#random, disk.powerLossRate));
    this.#heldUntil.set(server, this.#world.now + within(this.#random, process.downMs));
    if (happens(this.#random, disk.damageRate)) this.#damage(server);
    if (happens(this.#random, disk.wipeRate)) this.#wipe(server);
  }

  #crashNode(): void {
    const node = pick(this.#random, this.#cluster.nodes);
    if (node === undefined || !node.process.isUp) return;
    this.#world.log(node.process.name, "crash");
    node.crash();
    this.#world.after(within(this.#random, this.#cluster.faults.process.downMs), () => {
      if (!node.process.isUp) node.start();
    });
  }

  #mayImpair(server: SimServer): boolean {
    const { impaired, operator, servers } = this.#cluster;
    const most = Math.floor((servers.length - 1) / 2);
    const others = [...impaired].filter((s) => s !== server).length;
    return operator.replacing === undefined && others < most;
  }

  #damage(server: SimServer): void {
    if (!this.#mayImpair(server)) return;
    const done = server.disk.damage();
    if (done === undefined) return;
    this.#cluster.impaired.add(server);
    this.#world.log(server.name, "damage", done);
  }

  /** A server that comes back empty is refused; people have to replace it. */
  #wipe(server: SimServer): void {
    // One that is emptied twice would be replaced twice, the second time while another may be emptied.
    if (!this.#mayImpair(server) || this.#cluster.impaired.size > 0) return;
    this.#world.log(server.name, "wipe");
    server.disk.wipe();
    this.#cluster.impaired.add(server);
    // People notice after a while.
    this.#world.after(within(this.#random, NOTICED_MS), () => this.#cluster.replaceEmptied(server));
  }

  #replace(): void {
    const { operator, impaired } = this.#cluster;
    const server = this.#anyServer();
    if (server === undefined || operator.replacing !== undefined) return;
    if ([...impaired].some((s) => s !== server)) return;
    if (!impaired.has(server) && happens(this.#random, 0.5)) {
      operator.exchange(
        server,
        () => this.#cluster.join(),
        () => this.#cluster.retire(server),
      );
      return;
    }
    impaired.add(server);
    operator.replace(server);
  }

  #pause(): void {
    const { pauseMs } = this.#cluster.faults.process;
    const isOfLeader = happens(this.#random, 0.4);
    const target = (isOfLeader ? this.#cluster.leader : this.#anyHost()) ?? this.#anyHost();
    const ms = within(this.#random, pauseMs);
    if (target === undefined || !target.process.isUp) return;
    this.#world.log(target.process.name, "pause", `${ms.toFixed(0)} ms`);
    target.process.pause(ms);
  }

  #jump(): void {
    const target = this.#anyHost();
    if (target === undefined) return;
    const ms = Math.round(within(this.#random, this.#cluster.faults.process.jumpMs));
    this.#world.log(target.process.name, "clock-set", `${ms} ms`);
    target.process.wallOffsetMs += ms;
  }

  #partition(): void {
    const { servers, nodes, clients, faults, network, leader } = this.#cluster;
    const alone = happens(this.#random, 0.4) ? (leader ?? pick(this.#random, servers)) : undefined;
    const order = shuffled(this.#random, servers);
    const count = wholeWithin(this.#random, [1, servers.length - 1]);
    const near = alone ? [alone] : order.slice(0, count);
    const far = servers.filter((server) => !near.includes(server));
    const side = [...nodes, ...clients].filter(() => happens(this.#random, 0.3)).map((h) => h.process.name);
    const nearNames = near.map((s) => s.name);
    const farNames = [...far.map((s) => s.name), ...side];
    const isOneWay = happens(this.#random, faults.network.oneWayRate);
    const pairs = nearNames.flatMap((a) => farNames.map((b) => [a, b] as const));
    const flip = happens(this.#random, 0.5);
    const paths = pairs.flatMap(([a, b]) =>
      isOneWay ? [flip ? pathOf(a, b) : pathOf(b, a)] : [pathOf(a, b), pathOf(b, a)],
    );
    const arrow = isOneWay ? (flip ? "-x>" : "<x-") : "<x>";
    this.#world.log("-", "partition", `${nearNames.join(" ")} ${arrow} ${farNames.join(" ")}`);
    for (const path of paths) network.block(path, true);
    this.#world.after(within(this.#random, faults.network.partitionMs), () => {
      for (const path of paths) network.block(path, false);
      this.#world.log("-", "heal", `${nearNames.join(" ")} ${arrow} ${farNames.join(" ")}`);
    });
  }

  #clog(): void {
    const { servers, network, faults } = this.#cluster;
    const [a, b] = shuffled(this.#random, servers);
    if (a === undefined || b === undefined) return;
    const ms = within(this.#random, faults.network.clogMs);
    this.#world.log("-", "clog", `${a.name}>${b.name} ${ms.toFixed(0)} ms`);
    network.clog(pathOf(a.name, b.name), ms);
  }

  #trouble(kind: "slow" | "full", span: readonly [number, number]): void {
    const server = this.#anyServer();
    if (server === undefined) return;
    const ms = within(this.#random, span);
    const set = (value: boolean): void => {
      if (kind === "slow") server.disk.isSlow = value;
      else server.disk.isFull = value;
    };
    this.#world.log(server.name, `disk-${kind}`, `${ms.toFixed(0)} ms`);
    set(true);
    this.#world.after(ms, () => set(false));
  }

  #transfer(): void {
    const server = this.#anyServer();
    if (server !== undefined) this.#cluster.operator.transfer(server);
  }

  #restart(): void {
    const server = this.#anyServer();
    if (server === undefined || !server.process.isUp) return;
    this.#heldUntil.set(server, this.#world.now + within(this.#random, this.#cluster.faults.process.downMs));
    void server.stop();
  }

  #anyServer(): SimServer | undefined {
    return pick(this.#random, this.#cluster.servers);
  }

  #anyHost(): { readonly process: SimProcess } | undefined {
    return pick(this.#random, [...this.#cluster.servers, ...this.#cluster.nodes]);
  }
}
