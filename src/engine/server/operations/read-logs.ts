/**
 * Reading output: from the agents of the nodes where an attempt runs or ran, live or
 * afterwards. A follower waits for work that has not started, and goes on with the next
 * attempt when one is requeued.
 */
import type { Allocation } from "../../../core/domain/allocation.ts";
import { displayId } from "../../../core/domain/allocation.ts";
import { fault, LatticeError } from "../../../core/domain/errors.ts";
import type { AllocationId, NodeId } from "../../../core/domain/ids.ts";
import { nodeId } from "../../../core/domain/ids.ts";
import { isTerminal } from "../../../core/domain/lifecycle.ts";
import type { LogPiece, LogRequest } from "../../../ports/agent-link.ts";
import { holdLogReader } from "../agents/log-readers.ts";
import type { Call } from "../call.ts";
import type { Server } from "../server.ts";
import { actOn, demand, resourceOf } from "./access.ts";
import { nodesOfAttempt } from "./details.ts";
import { findById, findOne } from "./lookup.ts";
import { mergeStreams } from "./merge-streams.ts";
import type { LogLine, LogQuery } from "./results.ts";

/** Yields output of an allocation, of all its nodes as it comes. @throws RATE_LIMITED when the caller reads too many. */
export async function* readLogs(server: Server, call: Call, query: LogQuery): AsyncIterable<LogLine> {
  const found = findOne(server, query.ref);
  demand(call, "allocation.logs", resourceOf(found));
  const release = holdLogReader(server, call);
  try {
    await server.auditor.recordFirst(call, actOn("allocation.logs", found));
    yield* readFound(server, call, { query, found });
  } finally {
    release();
  }
}

async function* readFound(
  server: Server,
  call: Call,
  { query, found }: { readonly query: LogQuery; readonly found: Allocation },
): AsyncIterable<LogLine> {
  let attempt = query.attempt;
  let a: Allocation | undefined = found;
  while (a && !call.signal.aborted) {
    const wanted: number = attempt || a.attempt;
    if (query.isFollowing && wanted === a.attempt && !hasStarted(a) && !isTerminal(a.state)) {
      a = await nextState(server, call, a.id);
      continue;
    }
    yield* readAttempt(server, call, { query, allocation: a, attempt: wanted });
    if (!query.isFollowing || query.attempt !== 0) return;
    a = await settledAfter(server, call, { id: a.id, attempt: wanted });
    if (!a || isTerminal(a.state)) return;
    attempt = 0;
  }
}

/** Output files are there from the moment that a process runs. */
const hasStarted = (a: Allocation): boolean => a.parts.some((p) => p.phase === "running" || p.phase === "ended");

async function* readAttempt(
  server: Server,
  call: Call,
  options: { readonly query: LogQuery; readonly allocation: Allocation; readonly attempt: number },
): AsyncIterable<LogLine> {
  const { query, allocation, attempt } = options;
  const nodes = nodesOfAttempt(allocation, attempt).filter((n) => query.node === "" || n === query.node);
  if (nodes.length === 0) {
    // A watcher of work that was cancelled in the queue has seen all the output there is.
    if (query.isFollowing && query.node === "") return;
    throw new LatticeError(noOutput(allocation, attempt, query.node));
  }
  const streams = nodes.map((node) => readNode(server, call, { ...options, node: nodeId(node) }));
  yield* mergeStreams(streams);
}

function noOutput(a: Allocation, attempt: number, node: string) {
  if (node !== "") return fault("LOGS_NOT_AVAILABLE", `allocation ${displayId(a)} did not run on node ${node}`);
  if (attempt === a.attempt) {
    const text = `allocation ${displayId(a)} is ${a.state} and has not run`;
    return fault("LOGS_NOT_AVAILABLE", text, a.message || undefined);
  }
  return fault("LOGS_NOT_AVAILABLE", `allocation ${displayId(a)} has no attempt ${attempt}`, `it has ${a.attempt}`);
}

async function* readNode(
  server: Server,
  call: Call,
  options: {
    readonly query: LogQuery;
    readonly allocation: Allocation;
    readonly attempt: number;
    readonly node: NodeId;
  },
): AsyncIterable<LogLine> {
  const { query, allocation, attempt, node } = options;
  const request: LogRequest = {
    requestId: server.entropy.uuid(),
    allocation: allocation.id,
    attempt,
    streams: query.streams,
    offset: query.offset,
    length: query.length,
    isFollowing: query.isFollowing,
    tailLines: query.tailLines,
  };
  const pieces: AsyncIterable<LogPiece> = server.agents.logs.request(node, { request, signal: call.signal });
  try {
    for await (const piece of pieces) yield { ...piece, node, attempt };
  } catch (error) {
    throw explained(error, allocation);
  }
}

/** Work that could not be started has no output: why is what its reader wants to know. */
function explained(error: unknown, a: Allocation): unknown {
  const isAbsent = error instanceof LatticeError && error.fault.reason === "LOGS_NOT_AVAILABLE";
  if (!isAbsent || !isTerminal(a.state) || a.message === "") return error;
  return new LatticeError({ ...error.fault, next: `it ended as ${a.state}: ${a.message}` }, { cause: error });
}

/** Waits for the next change of an allocation and returns it as it then is. */
async function nextState(server: Server, call: Call, id: AllocationId): Promise<Allocation | undefined> {
  const before = current(server, id);
  const stop = new AbortController();
  const signal = AbortSignal.any([call.signal, stop.signal]);
  const changes = server.watches.watch((e) => e.kind === "allocation-changed" && e.allocation === id, signal);
  try {
    if (current(server, id)?.version !== before?.version) return current(server, id);
    for await (const _ of changes) return current(server, id);
    return undefined;
  } catch (error) {
    // The server skipped changes by a snapshot: what is true is in the state.
    if (error instanceof LatticeError && error.fault.reason === "VERSION_CONFLICT") return current(server, id);
    throw error;
  } finally {
    stop.abort();
  }
}

/** The output has ended; what follows (the end, or a requeue) is about to be stored. */
async function settledAfter(
  server: Server,
  call: Call,
  { id, attempt }: { readonly id: AllocationId; readonly attempt: number },
): Promise<Allocation | undefined> {
  let a = current(server, id);
  while (a && a.attempt === attempt && !isTerminal(a.state) && !call.signal.aborted)
    a = await nextState(server, call, id);
  return a;
}

function current(server: Server, id: AllocationId): Allocation | undefined {
  const found = findById(server, id);
  return found?.kind === "allocation" ? found.record : undefined;
}
