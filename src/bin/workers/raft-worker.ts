/**
 * Entry of the Worker that gives the log a thread of its own: opens the store, runs the
 * raft driver over it and speaks io/consensus/consensus-messages with the main thread.
 */
import { LatticeError } from "../../core/domain/errors.ts";
import { RaftDriver } from "../../engine/server/raft-driver.ts";
import type { ConsensusReply, ConsensusRequest } from "../../io/consensus/consensus-messages.ts";
import { packEntries, unpackBytes } from "../../io/consensus/consensus-messages.ts";
import { openLogStore } from "../../io/sqlite/log-store.ts";
import type { ConsensusListener } from "../../ports/consensus.ts";

let driver: RaftDriver | undefined;

const send = (reply: ConsensusReply, transfer: Transferable[] = []): void => postMessage(reply, { transfer });

const listener: ConsensusListener = {
  onCommitted(committed) {
    const entries = packEntries(committed);
    send({ kind: "committed", entries }, [entries.data.bytes.buffer, entries.data.ends.buffer]);
  },
  onRejected: (proposals, fault) => send({ kind: "rejected", proposals, fault }),
  onStatus: (status) => send({ kind: "status", status }),
  onFailed: (fault) => send({ kind: "failed", fault }),
};

function open({ dir, memberId, address }: ConsensusRequest & { readonly kind: "open" }): void {
  try {
    const store = openLogStore(dir, memberId);
    driver = new RaftDriver({ memberId, address, store, defer: setImmediate });
    send({ kind: "opened", clusterId: store.clusterId, status: driver.status() });
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    send({ kind: "failed", fault: error.fault });
  }
}

function propose({ proposals, data }: ConsensusRequest & { readonly kind: "propose" }): void {
  for (const [i, bytes] of unpackBytes(data).entries()) driver?.propose(proposals[i] ?? 0, bytes);
}

function receive(request: ConsensusRequest): void {
  switch (request.kind) {
    case "open":
      open(request);
      break;
    case "start":
      driver?.start(listener, request.applied);
      break;
    case "propose":
      propose(request);
      break;
    case "compact":
      driver?.compact(request.index);
      break;
    case "close":
      driver?.close().then(() => send({ kind: "closed" }));
      break;
  }
}

addEventListener("message", ({ data }: MessageEvent<ConsensusRequest>) => receive(data));
