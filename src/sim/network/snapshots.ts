/**
 * Snapshots between fake servers: the rows of the sender's disk as they are at the moment,
 * under way for a while, staged on the receiver's disk before anybody is told.
 */
import type { LogIndex } from "../../base/brand.ts";
import type { Prng } from "../../base/prng.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { SnapshotOrder } from "../../ports/peer-link.ts";
import type { Snapshots } from "../../ports/snapshots.ts";
import type { SimDisk, StagedSnapshot } from "../disk/disk.ts";
import type { Span } from "../world/chance.ts";
import { within } from "../world/chance.ts";
import type { SimProcess } from "../world/process.ts";
import type { Host, SimNetwork } from "./network.ts";
import { pathOf } from "./network.ts";

const TRANSFER_MS: Span = [20, 400];
/** After this the sender gives up. */
const PATIENCE_MS = 3_000;

/** Whose snapshots they are. */
export interface SnapshotSource {
  readonly id: MemberId;
  readonly process: SimProcess;
  readonly disk: SimDisk;
}

/** The snapshots that one server sends. */
export class SimSnapshots implements Snapshots {
  readonly #network: SimNetwork;
  readonly #from: SnapshotSource;
  readonly #random: Prng;

  constructor(network: SimNetwork, from: SnapshotSource) {
    this.#network = network;
    this.#from = from;
    this.#random = network.world.random(`snapshots of ${from.process.name}/${from.process.life}`);
  }

  send(order: SnapshotOrder): Promise<LogIndex> {
    const { disk, process } = this.#from;
    const snapshot: StagedSnapshot = { meta: disk.applied, rows: [...disk.rows.values()] };
    const { index } = snapshot.meta;
    return new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new LatticeError(fault("SERVER_UNREACHABLE", `the snapshot did not reach member ${order.to}: ${why}`)));
      if (index < order.atLeast) {
        fail(`the state on disk ends at entry ${index}`);
        return;
      }
      process.clock.after(PATIENCE_MS, () => fail("no answer came"));
      process.emit(() => this.#transfer(order, snapshot, () => process.receive(() => resolve(index))));
    });
  }

  #transfer(order: SnapshotOrder, snapshot: StagedSnapshot, onStored: () => void): void {
    const network = this.#network;
    const [self, other] = [this.#from.process.name, `s${order.to}`];
    const { life } = this.#from.process;
    network.world.log(self, "snapshot-out", `${other} ${snapshot.meta.index}`);
    network.world.after(within(this.#random, TRANSFER_MS), () => {
      if (this.#from.process.life !== life || !network.isLinked(this.#from.id, order.to)) return;
      network.travel(pathOf(self, other), () => {
        const host = network.hostOf(order.to);
        host?.process.receive(() => this.#arrive(host, { order, snapshot, onStored }));
      });
    });
  }

  #arrive(
    host: Host,
    work: { readonly order: SnapshotOrder; readonly snapshot: StagedSnapshot; readonly onStored: () => void },
  ): void {
    const { order, snapshot, onStored } = work;
    const { disk, process, listener } = host;
    if (this.#network.hostOf(order.to) !== host || disk.isFull) return;
    const path = `snapshot-${snapshot.meta.index}-${snapshot.meta.term}-from-${this.#from.id}`;
    disk.staged.set(path, snapshot);
    const undo = (): void => void disk.staged.delete(path);
    const beginsAt = process.localNow;
    const endsAt = process.spend(disk.syncMs);
    disk.stagedWrites.add({ beginsAt, endsAt, isSynced: true, undo }, process.world.now);
    process.world.log(process.name, "snapshot-in", `${this.#from.process.name} ${snapshot.meta.index}`);
    process.emit(() => this.#network.travel(pathOf(process.name, this.#from.process.name), onStored));
    listener.onSnapshot(this.#from.id, order.term, { meta: snapshot.meta, path });
  }
}
