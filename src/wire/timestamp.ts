/** Moments between domain (milliseconds) and wire (google.protobuf.Timestamp). */
import { create } from "@bufbuild/protobuf";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";

/** Writes a moment. */
export function timestampToProto(at: Millis): Timestamp {
  const seconds = Math.floor(at / 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: Math.round((at - seconds * 1000) * 1e6) });
}

/** Reads a moment; one that is absent is the epoch. */
export const timestampFromProto = (proto: Timestamp | undefined): Millis =>
  millis(proto ? Number(proto.seconds) * 1000 + Math.floor(proto.nanos / 1e6) : 0);
