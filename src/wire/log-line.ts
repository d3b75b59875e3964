/** Pieces of an allocation's output, as its readers get them, between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import type { LogLine } from "../core/domain/detail.ts";
import { nodeId } from "../core/domain/ids.ts";
import type { LogEntry } from "../gen/lattice/v1/allocations_pb.ts";
import { LogEntry_LogStreamType, LogEntrySchema } from "../gen/lattice/v1/allocations_pb.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Writes a piece. */
export const logLineToProto = (line: LogLine): LogEntry =>
  create(LogEntrySchema, {
    nodeId: line.node,
    stream: line.stream === "stderr" ? LogEntry_LogStreamType.STDERR : LogEntry_LogStreamType.STDOUT,
    data: line.data,
    timestamp: timestampToProto(line.at),
    offset: BigInt(line.offset),
    attempt: line.attempt,
  });

/** Reads a piece. */
export const logLineFromProto = (proto: LogEntry): LogLine => ({
  node: nodeId(proto.nodeId),
  stream: proto.stream === LogEntry_LogStreamType.STDERR ? "stderr" : "stdout",
  attempt: proto.attempt,
  offset: Number(proto.offset),
  data: proto.data,
  at: timestampFromProto(proto.timestamp),
});
