/** Routes that answer with a stream: watches and output. */
import { fault, LatticeError } from "../../core/domain/errors.ts";
import type { Call } from "../../engine/server/call.ts";
import { getAllocation } from "../../engine/server/operations/read-allocations.ts";
import { readLogs } from "../../engine/server/operations/read-logs.ts";
import type { AllocationEvent, LogLine, LogQuery } from "../../engine/server/operations/results.ts";
import { watchAllocations } from "../../engine/server/operations/watch-allocations.ts";
import { faultOf } from "../errors.ts";
import { allocationJson, eventJson } from "./allocation-json.ts";
import { byteStream, eventStream, type ServerSentEvent, type StreamSetting } from "./event-stream.ts";
import { textLines } from "./log-lines.ts";
import { param, queryOf, type Route, type RouteContext } from "./route.ts";

const LOG_QUERY = {
  stream: "stdout, stderr or all",
  node: "of this node only",
  attempt: "of this run; the latest when absent",
  offset: "first byte of each stream",
  length: "bytes of each stream at most",
  tail: "only this many last lines",
} as const;

/** Watches and output. */
export const STREAM_ROUTES: readonly Route[] = [
  {
    method: "GET",
    path: "/api/v1/watch",
    operation: "allocation.watch",
    summary: "Streams changes of allocations as they happen",
    query: { tenant: "of this tenant", vcluster: "of this vCluster", dag_id: "of this workflow" },
    isStream: true,
    handle(context) {
      const { dag_id: dag, ...filter } = queryOf(context).texts("tenant", "vcluster", "dag_id");
      const { call, setting } = streaming(context);
      const changes = watchAllocations(context.server, call, dag === undefined ? filter : { ...filter, dag });
      return eventStream(stateChanges(changes), setting);
    },
  },
  {
    method: "GET",
    path: "/api/v1/allocations/:id/watch",
    operation: "allocation.watch",
    summary: "Streams changes of one allocation as they happen",
    isStream: true,
    handle(context) {
      const { call, setting } = streaming(context);
      const changes = watchAllocations(context.server, call, { ref: param(context, "id") });
      return eventStream(stateChanges(changes), setting);
    },
  },
  {
    method: "GET",
    path: "/api/v1/allocations/:id/logs",
    operation: "allocation.logs",
    summary: "Shows the output so far: lines, or the bytes themselves with ?format=raw or Accept: text/plain",
    query: { ...LOG_QUERY, format: "json or raw" },
    async handle(context) {
      const { call, setting } = streaming(context);
      const pieces = readLogs(context.server, call, logQueryOf(context, false));
      if (isRaw(context)) return byteStream(bytesOf(pieces), "text/plain", setting.abort);
      const detail = await getAllocation(context.server, context.call, param(context, "id"));
      return byteStream(jsonOf(allocationJson(detail).id, pieces), "application/json", setting.abort);
    },
  },
  {
    method: "GET",
    path: "/api/v1/allocations/:id/logs/stream",
    operation: "allocation.logs",
    summary: "Streams the output, also what is still to come",
    query: LOG_QUERY,
    isStream: true,
    async handle(context) {
      await getAllocation(context.server, context.call, param(context, "id"));
      const { call, setting } = streaming(context);
      return eventStream(logEvents(readLogs(context.server, call, logQueryOf(context, true))), setting);
    },
  },
];

/** A stream ends when its reader goes away, when it is cancelled or when the server shuts down. */
function streaming({ server, call, request, shutdown }: RouteContext): { call: Call; setting: StreamSetting } {
  const own = new AbortController();
  const signal = AbortSignal.any([request.signal, shutdown, own.signal]);
  const { principal, requestId, credentialEndsAt } = call;
  return {
    call: { principal, requestId, signal },
    setting: {
      clock: server.clock,
      shutdown,
      credentialEndsAt,
      abort: () => own.abort(),
      faultOf: (error) => faultOf(error, requestId, server.log),
    },
  };
}

async function* stateChanges(events: AsyncIterable<AllocationEvent>): AsyncIterable<ServerSentEvent> {
  for await (const event of events) yield { event: "state_change", id: String(event.index), data: eventJson(event) };
}

async function* logEvents(pieces: AsyncIterable<LogLine>): AsyncIterable<ServerSentEvent> {
  for await (const data of textLines(pieces)) yield { event: "log", data };
  yield { event: "end", data: {} };
}

async function* bytesOf(pieces: AsyncIterable<LogLine>): AsyncIterable<Uint8Array> {
  for await (const piece of pieces) yield piece.data;
}

/** Writes the answer as it comes: output may be larger than memory. */
async function* jsonOf(id: string, pieces: AsyncIterable<LogLine>): AsyncIterable<Uint8Array> {
  const encoder = new TextEncoder();
  let separator = `{"allocation_id":${JSON.stringify(id)},"lines":[`;
  for await (const line of textLines(pieces)) {
    yield encoder.encode(separator + JSON.stringify(line));
    separator = ",";
  }
  yield encoder.encode(separator === "," ? "]}" : `${separator}]}`);
}

function isRaw(context: RouteContext): boolean {
  const format = queryOf(context).text("format");
  if (!["", "json", "raw"].includes(format)) {
    throw new LatticeError(fault("INVALID_SPEC", `format is json or raw, not ${format}`));
  }
  return format === "raw" || (format === "" && (context.request.headers.get("accept") ?? "").startsWith("text/plain"));
}

function logQueryOf(context: RouteContext, isFollowing: boolean): LogQuery {
  const query = queryOf(context);
  return {
    ref: param(context, "id"),
    streams: streamsOf(query.text("stream")),
    node: query.text("node"),
    attempt: query.count("attempt"),
    offset: query.count("offset"),
    length: query.count("length"),
    tailLines: query.count("tail"),
    isFollowing,
  };
}

function streamsOf(text: string): LogQuery["streams"] {
  if (text === "" || text === "all") return ["stdout", "stderr"];
  if (text === "stdout" || text === "stderr") return [text];
  throw new LatticeError(fault("INVALID_SPEC", `stream is stdout, stderr or all, not ${text}`));
}
