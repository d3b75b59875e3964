/** A fake cluster: servers, compute nodes and clients in one world, with their faults. */

import { logIndex, term } from "../base/brand.ts";
import type { Prng } from "../base/prng.ts";
import { NO_MEMBERS } from "../core/raft/membership.ts";
import type { MemberId, SnapshotMeta } from "../core/raft/raft-types.ts";
import type { RaftDriverSettings } from "../engine/server/raft/raft-settings.ts";
import { DEFAULT_DRIVER_SETTINGS } from "../engine/server/raft/raft-settings.ts";
import type { ServerSettings } from "../engine/server/settings.ts";
import type { PeerAddress } from "../ports/peer-link.ts";
import { Findings } from "./checkers/findings.ts";
import { History } from "./clients/history.ts";
import { SimClaimer } from "./clients/sim-claimer.ts";
import { SimClient } from "./clients/sim-client.ts";
import { WorkRegister } from "./clients/work-register.ts";
import { SimDisk } from "./disk/disk.ts";
import type { Faults } from "./faults.ts";
import { NO_FAULTS } from "./faults.ts";
import { SimNetwork } from "./network/network.ts";
import { SimNode } from "./nodes/sim-node.ts";
import { Observer } from "./observer.ts";
import { SimOperator } from "./operator.ts";
import { addressOf, SimServer } from "./server.ts";
import { drawDriverSettings, drawServerSettings } from "./settings.ts";
import type { World } from "./world/world.ts";

const EMPTY: SnapshotMeta = {
  index: logIndex(0),
  term: term(0),
  membership: { index: logIndex(0), membership: NO_MEMBERS },
};

/** How large a cluster is, and how its servers are set. */
export interface ClusterSize {
  readonly members: number;
  readonly nodes: number;
  readonly clients: number;
  /** Settings that are not drawn. */
  readonly server?: Partial<ServerSettings>;
  readonly driver?: Partial<RaftDriverSettings>;
  /** Its clients submit more than there is room for. */
  readonly isEager?: boolean;
}

export class Cluster {
  readonly world: World;
  readonly faults: Faults;
  readonly findings = new Findings();
  readonly observer: Observer;
  readonly network: SimNetwork;
  readonly servers: SimServer[];
  readonly nodes: readonly SimNode[];
  readonly clients: readonly SimClient[];
  readonly operator: SimOperator;
  readonly claimer: SimClaimer;
  readonly work = new WorkRegister();
  readonly histories: ConstructorParameters<typeof SimClient>[0]["histories"];
  /** Members whose disk lost what it had acknowledged, and that are not whole again. */
  readonly impaired = new Set<SimServer>();
  readonly #makeServer: (id: MemberId) => SimServer;

  constructor(world: World, faults: Faults, size: ClusterSize) {
    this.world = world;
    this.faults = faults;
    this.observer = new Observer(world, this.findings);
    this.network = new SimNetwork(world, NO_FAULTS.network);
    const now = (): number => world.now;
    this.histories = { registers: new History(now), allocations: new History(now) };
    const random = world.random("cluster");
    const doors = (): readonly SimServer[] => this.servers;
    this.#makeServer = this.#serverMaker(random, size);
    this.servers = Array.from({ length: size.members }, (_, i) => this.#makeServer(i + 1));
    this.nodes = Array.from({ length: size.nodes }, (_, i) => this.#makeNode(i + 1, random));
    this.clients = Array.from(
      { length: size.clients },
      (_, i) =>
        new SimClient({
          network: this.network,
          number: i + 1,
          doors,
          histories: this.histories,
          work: this.work,
          isEager: size.isEager === true,
        }),
    );
    this.operator = new SimOperator({ network: this.network, doors });
    const nodes = this.nodes.map((_, i) => `node${i + 1}`);
    this.claimer = new SimClaimer({ network: this.network, doors, nodes });
  }

  /** The server that leads, as far as it knows. */
  get leader(): SimServer | undefined {
    return this.servers.find((server) => server.running?.replica.isLeader === true);
  }

  /** Gives network and disks these faults. */
  setFaults({ network, disk }: Pick<Faults, "network" | "disk">): void {
    this.network.faults = network;
    for (const server of this.servers) server.disk.faults = disk;
  }

  /** Adds a server that waits to join. */
  join(): SimServer {
    const id = Math.max(...this.servers.map((server) => server.id)) + 1;
    const server = this.#makeServer(id);
    server.disk.faults = this.servers[0]?.disk.faults ?? server.disk.faults;
    this.servers.push(server);
    server.start();
    return server;
  }

  /** Has an emptied server replaced, unless somebody has noticed it already. */
  replaceEmptied(server: SimServer): void {
    if (this.impaired.has(server) && this.operator.replacing !== server) this.operator.replace(server);
  }

  /** Takes a server away for good. */
  retire(server: SimServer): void {
    server.crash(false);
    this.servers.splice(this.servers.indexOf(server), 1);
    this.impaired.delete(server);
  }

  #makeNode(number: number, random: Prng): SimNode {
    const { network, findings } = this;
    return new SimNode({ network, number, doors: () => this.servers, clockRate: this.#rate(random), findings });
  }

  #serverMaker(random: Prng, fixed: ClusterSize): (id: MemberId) => SimServer {
    const settings = { ...drawServerSettings(random), ...fixed.server };
    const driver = { ...DEFAULT_DRIVER_SETTINGS, ...drawDriverSettings(random), ...fixed.driver };
    const { network, observer, world } = this;
    const seeds = (): readonly PeerAddress[] => this.servers.map(({ id }) => ({ id, address: addressOf(id) }));
    return (id) => {
      const disk = new SimDisk(world.random(`disk ${id}`), NO_FAULTS.disk, EMPTY);
      return new SimServer({ id, network, disk, observer, clockRate: this.#rate(random), settings, driver, seeds });
    };
  }

  #rate(random: Prng): number {
    return 1 + (random() * 2 - 1) * this.faults.process.driftMax;
  }
}
