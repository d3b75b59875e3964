/**
 * How two servers introduce themselves at the start of a connection: the caller says hello,
 * the called one answers, then each says whether it admits the other. One that waits to
 * join lets the other judge first, so that it never adopts a cluster that refuses it.
 */
import type { MemberId } from "../../core/raft/raft-types.ts";
import type { Clock } from "../../ports/clock.ts";
import type { PeerIdentity, PeerLinkListener } from "../../ports/peer-link.ts";
import type { Frame, FrameKind } from "./frames.ts";
import { CLOSED_BY_OTHER, ConnectionEnded, type PeerConnection } from "./peer-connection.ts";
import type { Hello, Purpose } from "./peer-records.ts";
import { decodeHello, encodeHello } from "./peer-records.ts";

/** Thrown when one end does not want the other; the message says which and why. */
export class HandshakeRefused extends Error {
  override readonly name = "HandshakeRefused";
  /** Who was refused or refuses; undefined when it did not say who it is. */
  readonly peer: PeerIdentity | undefined;

  constructor(message: string, peer?: PeerIdentity) {
    super(message);
    this.peer = peer;
  }
}

/** What a handshake needs to know of this end. */
export interface HandshakeOptions {
  readonly clock: Clock;
  readonly self: Pick<PeerLinkListener, "identity" | "admit">;
  /** Returns why the other end's certificate is not that of who it says it is. */
  readonly certificateDefect: (connection: PeerConnection, peer: MemberId) => string | undefined;
}

/** Both ends admit each other. */
export interface Introduced {
  readonly peer: PeerIdentity;
  readonly purpose: Purpose;
}

const HANDSHAKE_MS = 5_000;

/** Introduces this end to `to`, which it has dialled. @throws HandshakeRefused, ConnectionEnded */
export function introduceTo(
  connection: PeerConnection,
  { to, purpose }: { readonly to: MemberId; readonly purpose: Purpose },
  options: HandshakeOptions,
): Promise<Introduced> {
  return withinTime(connection, options, async () => {
    const identity = options.self.identity();
    connection.send("hello", encodeHello({ purpose, to, identity }));
    const { identity: peer } = await nextHello(connection);
    if (peer.memberId !== to)
      refuse(connection, peer, `this is server ${peer.memberId} and not ${to}: check quorum.peers`);
    await exchangeVerdicts(connection, { identity, peer }, options);
    return { peer, purpose };
  });
}

/** Waits for whoever called to introduce itself. @throws HandshakeRefused, ConnectionEnded */
export function awaitIntroduction(connection: PeerConnection, options: HandshakeOptions): Promise<Introduced> {
  return withinTime(connection, options, async () => {
    const { purpose, to, identity: peer } = await nextHello(connection);
    const identity = options.self.identity();
    if (to !== identity.memberId) {
      refuse(connection, peer, `this is server ${identity.memberId} and not ${to}: check quorum.peers`);
    }
    connection.send("hello", encodeHello({ purpose, to: peer.memberId, identity }));
    await exchangeVerdicts(connection, { identity, peer }, options);
    return { peer, purpose };
  });
}

/** Ends with a connection that is of use, or with one that is closed. */
async function withinTime<T>(
  connection: PeerConnection,
  { clock }: HandshakeOptions,
  work: () => Promise<T>,
): Promise<T> {
  const cancel = clock.after(HANDSHAKE_MS, () =>
    connection.close(`the introduction was not over after ${HANDSHAKE_MS / 1_000} s`),
  );
  try {
    return await work();
  } catch (error) {
    connection.finish("refused");
    throw error;
  } finally {
    cancel();
  }
}

async function exchangeVerdicts(
  connection: PeerConnection,
  { identity, peer }: { readonly identity: PeerIdentity; readonly peer: PeerIdentity },
  { self, certificateDefect }: HandshakeOptions,
): Promise<void> {
  const judge = (): void => {
    const reason = certificateDefect(connection, peer.memberId) ?? self.admit(peer);
    if (reason !== undefined) refuse(connection, peer, reason);
    connection.admit();
    connection.send("admitted");
  };
  const isWaiting = identity.clusterId === "" && peer.clusterId !== "";
  if (!isWaiting) judge();
  await expectFrame(connection, "admitted", peer);
  if (isWaiting) judge();
}

async function nextHello(connection: PeerConnection): Promise<Hello> {
  const frame = await expectFrame(connection, "hello").catch((error: unknown) => {
    if (!(error instanceof ConnectionEnded && error.message === CLOSED_BY_OTHER)) throw error;
    throw new ConnectionEnded(`${CLOSED_BY_OTHER} before any introduction: is one of the two without TLS?`);
  });
  const hello = decodeHello(frame.payload);
  if (!hello.ok) refuse(connection, undefined, hello.error);
  return hello.value;
}

async function expectFrame(connection: PeerConnection, kind: FrameKind, peer?: PeerIdentity): Promise<Frame> {
  const frame = await connection.next();
  if (frame.kind === "refused") throw new HandshakeRefused(`it says: ${textOf(frame.payload)}`, peer);
  if (frame.kind !== kind) throw new HandshakeRefused(`a ${frame.kind} frame came in the place of ${kind}`, peer);
  return frame;
}

/** Tells the other end why, and gives up. */
function refuse(connection: PeerConnection, peer: PeerIdentity | undefined, reason: string): never {
  connection.send("refused", new TextEncoder().encode(reason));
  throw new HandshakeRefused(reason, peer);
}

/** Text from the other end, as one line that fits a log. */
export const textOf = (payload: Uint8Array): string =>
  new TextDecoder().decode(payload.subarray(0, 1_000)).replaceAll(/[\p{Cc}\p{Cf}]/gu, " ");
