/** Spans of time between domain (milliseconds) and wire (google.protobuf.Duration). */
import { create } from "@bufbuild/protobuf";
import type { Duration } from "@bufbuild/protobuf/wkt";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import type { Millis } from "../base/brand.ts";
import { millis } from "../base/brand.ts";

/** Writes a span. */
export function durationToProto(span: number): Duration {
  const seconds = Math.trunc(span / 1000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos: Math.round((span - seconds * 1000) * 1e6) });
}

/** Reads a span; one that is absent is zero. */
export const durationFromProto = (proto: Duration | undefined): Millis =>
  millis(proto ? Number(proto.seconds) * 1000 + Math.trunc(proto.nanos / 1e6) : 0);
