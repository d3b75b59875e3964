/**
 * What the quorum bench drives: three members of something that stores durably and reads
 * linearizably. Lattice and etcd are one each; load and failures are the same for both.
 */
import type { GrpcCall } from "./grpc-call.ts";

/** A durable write over HTTP/1.1 with JSON. */
export interface HttpWrite {
  /** Port of each member. */
  readonly ports: readonly number[];
  readonly path: string;
  readonly body: string;
}

/** Three members of one kind. */
export interface Rival {
  readonly name: string;
  /** Process ids of the members. */
  pids(): readonly number[];
  /** URLs of the members' gRPC ports. */
  endpoints(): readonly string[];
  /** Returns the position of the member that leads. */
  leader(): Promise<number>;
  /** A durable write; `n` makes it another one than the last. */
  write(n: number): GrpcCall;
  httpWrite(): HttpWrite;
  /** A linearizable read of something that `write` has stored, and a stale one. */
  read(isStale: boolean): GrpcCall;
  /** Ends a member with SIGKILL; it can be started again. */
  kill(member: number): Promise<void>;
  start(member: number): Promise<void>;
  close(): Promise<void>;
}
