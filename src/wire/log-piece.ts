/** Requests for output, and output itself, between domain and wire, both directions. */
import { create } from "@bufbuild/protobuf";
import { fault, LatticeError } from "../core/domain/errors.ts";
import { allocationId } from "../core/domain/ids.ts";
import type { LogChunk, LogRequest as ProtoLogRequest } from "../gen/lattice/v1/agent_pb.ts";
import { LogChunkSchema, LogRequestSchema } from "../gen/lattice/v1/agent_pb.ts";
import { LogEntry_LogStreamType, LogStreamRequest_Stream } from "../gen/lattice/v1/allocations_pb.ts";
import type { LogPiece, LogRequest, LogStreamName } from "../ports/agent-link.ts";
import { timestampFromProto, timestampToProto } from "./timestamp.ts";

/** Who a piece of output answers and whose it is. */
export interface LogPieceOrigin {
  readonly requestId: string;
  readonly nodeId: string;
  readonly attempt: number;
}

/** Writes a request for output. */
export const logRequestToProto = (request: LogRequest): ProtoLogRequest =>
  create(LogRequestSchema, {
    requestId: request.requestId,
    allocationId: request.allocation,
    attempt: request.attempt,
    stream: streamsToProto(request.streams),
    offset: BigInt(request.offset),
    length: BigInt(request.length),
    follow: request.isFollowing,
    tailLines: request.tailLines,
    uploadTo: request.uploadTo ?? "",
  });

/** Reads a request for output. */
export const logRequestFromProto = (proto: ProtoLogRequest): LogRequest => ({
  requestId: proto.requestId,
  allocation: allocationId(proto.allocationId),
  attempt: proto.attempt,
  streams: streamsFromProto(proto.stream),
  offset: Number(proto.offset),
  length: Number(proto.length),
  isFollowing: proto.follow,
  tailLines: proto.tailLines,
  ...(proto.uploadTo !== "" && { uploadTo: proto.uploadTo }),
});

/** Writes one piece of output. */
export function logPieceToProto(piece: LogPiece, origin: LogPieceOrigin): LogChunk {
  return create(LogChunkSchema, {
    requestId: origin.requestId,
    entry: {
      nodeId: origin.nodeId,
      attempt: origin.attempt,
      stream: piece.stream === "stdout" ? LogEntry_LogStreamType.STDOUT : LogEntry_LogStreamType.STDERR,
      data: piece.data,
      offset: BigInt(piece.offset),
      timestamp: timestampToProto(piece.at),
    },
  });
}

/** Reads one piece of output; undefined for a chunk that carries none. @throws LOGS_NOT_AVAILABLE with the agent's words when it could not read it. */
export function logPieceFromProto(proto: LogChunk): LogPiece | undefined {
  if (proto.error !== "") throw new LatticeError(fault("LOGS_NOT_AVAILABLE", proto.error));
  const { entry } = proto;
  if (entry === undefined) return undefined;
  return {
    stream: entry.stream === LogEntry_LogStreamType.STDERR ? "stderr" : "stdout",
    offset: Number(entry.offset),
    data: entry.data,
    at: timestampFromProto(entry.timestamp),
  };
}

/** Writes the answer to a request for output that cannot be read. */
export const logErrorToProto = (requestId: string, error: string): LogChunk =>
  create(LogChunkSchema, { requestId, error });

function streamsToProto(streams: readonly LogStreamName[]): LogStreamRequest_Stream {
  if (streams.length !== 1) return LogStreamRequest_Stream.ALL;
  return streams[0] === "stderr" ? LogStreamRequest_Stream.STDERR : LogStreamRequest_Stream.STDOUT;
}

function streamsFromProto(stream: LogStreamRequest_Stream): readonly LogStreamName[] {
  if (stream === LogStreamRequest_Stream.STDOUT) return ["stdout"];
  if (stream === LogStreamRequest_Stream.STDERR) return ["stderr"];
  return ["stdout", "stderr"];
}
