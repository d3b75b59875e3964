/**
 * Entry of the Worker that gives consensus a thread of its own: opens log and links, runs
 * the raft driver over them and speaks io/consensus/consensus-messages with the main thread.
 */
import { rmSync } from "node:fs";
import type { LogIndex } from "../../base/brand.ts";
import { createPrng } from "../../base/prng.ts";
import type { Fault } from "../../core/domain/errors.ts";
import { fault, LatticeError } from "../../core/domain/errors.ts";
import { raftSettingsOf } from "../../engine/server/raft/raft-settings.ts";
import { RaftDriver } from "../../engine/server/raft-driver.ts";
import type { ConsensusReply, ConsensusRequest, RaftMemberOptions } from "../../io/consensus/consensus-messages.ts";
import { packEntries, unpackProposals } from "../../io/consensus/consensus-messages.ts";
import { createLoneLink } from "../../io/consensus/lone-link.ts";
import { OpenQuestions } from "../../io/consensus/open-questions.ts";
import { createJsonLogger } from "../../io/json-logger.ts";
import { createTcpPeerLink, type TcpPeerLink } from "../../io/peer/tcp-peer-link.ts";
import { stagedSnapshotPath } from "../../io/snapshot/staging.ts";
import { openLogStore } from "../../io/sqlite/log-store.ts";
import { randomSeed, systemClock } from "../../io/system-clock.ts";
import type { ConsensusListener, ConsensusStatus } from "../../ports/consensus.ts";
import type { LogStore } from "../../ports/log-store.ts";
import type { ReceivedSnapshot } from "../../ports/peer-link.ts";

/** How often the main thread is told what is measured: how far members are and when they were heard. */
const STATUS_PERIOD_MS = 250;

let driver: RaftDriver | undefined;
let store: LogStore | undefined;
let peers: TcpPeerLink | undefined;
/** Snapshots that the main thread is asked to send. */
const snapshots = new OpenQuestions();

const send = (reply: ConsensusReply, transfer: Transferable[] = []): void => postMessage(reply, { transfer });

function sendStatus(status: ConsensusStatus, isNews: boolean): void {
  if (store) send({ kind: "status", identity: store.identity, status, isNews });
}

const listener: ConsensusListener = {
  onCommitted(committed) {
    const packed = packEntries(committed);
    send({ kind: "committed", ...packed }, [packed.buffer]);
  },
  onSnapshot: (snapshot) => send({ kind: "snapshot", snapshot }),
  onSnapshotWanted(order) {
    const { ticket, answer } = snapshots.open();
    send({ kind: "snapshot-wanted", ticket, order });
    return answer;
  },
  onRejected: (proposals, cause) => send({ kind: "rejected", proposals, fault: cause }),
  onRelayed(from, data) {
    // A copy: a view would take the whole frame along that it lies in.
    const own = new Uint8Array(data);
    send({ kind: "relayed", from, data: own }, [own.buffer]);
  },
  onStatus: (status) => sendStatus(status, true),
  onFailed: (cause) => send({ kind: "failed", fault: cause }),
};

function open(member: RaftMemberOptions): void {
  const { dir, memberId, address, isAddressChosen = false, peers: seeds, listen, tls, logLevel = "info" } = member;
  const log = createJsonLogger((line) => process.stderr.write(line), logLevel);
  store = openLogStore(dir, memberId);
  if (store.damage) log.warn("the log on disk was damaged", { damage: store.damage });
  const random = createPrng(randomSeed());
  const snapshotPath = (meta: { readonly index: LogIndex }): string => stagedSnapshotPath(dir, meta);
  const common = { clock: systemClock, random };
  peers = listen && createTcpPeerLink({ ...common, listen, log, snapshotPath, ...(tls && { tls }) });
  const link = peers ?? createLoneLink();
  const settings = raftSettingsOf(member);
  if (!listen) demandAlone(store);
  const discard = ({ path }: ReceivedSnapshot): void => rmSync(path, { force: true });
  const own = { ...common, store, link, address, isAddressChosen, seeds, settings };
  driver = new RaftDriver({ ...own, discard, defer: setImmediate });
  send({ kind: "opened", identity: store.identity, status: driver.status() });
}

/** A member that the others cannot reach would wait for them forever. @throws INVALID_CONFIG. */
function demandAlone(own: LogStore): void {
  const { memberId } = own.identity;
  const others = (own.load().memberships.at(-1)?.membership.members ?? []).filter(({ id }) => id !== memberId);
  if (others.length === 0) return;
  const text = `this server belongs to a cluster with ${others.map(({ id, address }) => `${id} at ${address}`).join(", ")}`;
  const next = "list the others in quorum.peers, or set quorum.raft_listen_address";
  throw new LatticeError(fault("INVALID_CONFIG", `${text}, and is not told where to listen for them`, next));
}

function start(applied: LogIndex): void {
  driver?.start(listener, applied);
  systemClock.every(STATUS_PERIOD_MS, () => driver && sendStatus(driver.status(), false));
}

function propose(packed: ConsensusRequest & { readonly kind: "propose" }): void {
  for (const { proposal, data } of unpackProposals(packed)) driver?.propose(proposal, data);
}

async function answer({ ticket, question }: ConsensusRequest & { readonly kind: "ask" }): Promise<void> {
  try {
    if (question.kind === "read") {
      const index = await driver?.readIndex();
      send({ kind: "answered", ticket, ...(index !== undefined && { index }) });
      return;
    }
    await (question.kind === "change" ? driver?.changeMembers(question.change) : driver?.transfer(question.to));
    send({ kind: "answered", ticket });
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    send({ kind: "answered", ticket, fault: error.fault });
  }
}

const NOT_SENT: Fault = fault("SERVER_UNREACHABLE", "the snapshot has not arrived");

function receive(request: ConsensusRequest): void {
  switch (request.kind) {
    case "open":
      open(request.member);
      break;
    case "start":
      start(request.applied);
      break;
    case "propose":
      propose(request);
      break;
    case "ask":
      void answer(request);
      break;
    case "relay":
      driver?.relay(request.to, request.data);
      break;
    case "snapshot-sent":
      snapshots.answer(request.ticket, request.index === undefined ? { fault: NOT_SENT } : { index: request.index });
      break;
    case "certificates":
      peers?.useCertificates(request.tls);
      break;
    case "compact":
      driver?.compact(request.index);
      break;
    case "close":
      driver?.close().then(() => send({ kind: "closed" }));
      break;
  }
}

addEventListener("message", ({ data }: MessageEvent<ConsensusRequest>) => {
  try {
    receive(data);
  } catch (error) {
    if (!(error instanceof LatticeError)) throw error;
    send({ kind: "failed", fault: error.fault });
  }
});
