/**
 * The parts of an AllocationSpec that this build stores and returns but does not act on.
 * The domain keeps them as JSON in `extra`, under the names of the contract's fields.
 */

import { fromJson, type JsonValue, type Message, toJson } from "@bufbuild/protobuf";
import type { GenMessage } from "@bufbuild/protobuf/codegenv2";
import type { AllocationSpec as ProtoSpec } from "../gen/lattice/v1/allocations_pb.ts";
import {
  CheckpointSpecSchema,
  ConnectivitySpecSchema,
  DataSpecSchema,
  EnvironmentSpecSchema,
  LivenessProbeSpecSchema,
  TelemetrySpecSchema,
} from "../gen/lattice/v1/allocations_pb.ts";

/** The fields of a spec that live in `extra`. */
export type ExtraFields = Pick<
  ProtoSpec,
  "environment" | "data" | "connectivity" | "checkpoint" | "telemetry" | "livenessProbe"
>;

/** Reads the fields as JSON; undefined when the spec has none of them. */
export function extraFromProto(spec: ExtraFields): Readonly<Record<string, unknown>> | undefined {
  const extra: Record<string, JsonValue> = {};
  if (spec.environment) extra.environment = toJson(EnvironmentSpecSchema, spec.environment);
  if (spec.data) extra.data = toJson(DataSpecSchema, spec.data);
  if (spec.connectivity) extra.connectivity = toJson(ConnectivitySpecSchema, spec.connectivity);
  if (spec.checkpoint) extra.checkpoint = toJson(CheckpointSpecSchema, spec.checkpoint);
  if (spec.telemetry) extra.telemetry = toJson(TelemetrySpecSchema, spec.telemetry);
  if (spec.livenessProbe) extra.liveness_probe = toJson(LivenessProbeSpecSchema, spec.livenessProbe);
  return Object.keys(extra).length === 0 ? undefined : extra;
}

/** Writes the fields back. */
export function extraToProto(extra: Readonly<Record<string, unknown>> | undefined): Partial<ExtraFields> {
  if (extra === undefined) return {};
  return {
    ...field("environment", EnvironmentSpecSchema, extra.environment),
    ...field("data", DataSpecSchema, extra.data),
    ...field("connectivity", ConnectivitySpecSchema, extra.connectivity),
    ...field("checkpoint", CheckpointSpecSchema, extra.checkpoint),
    ...field("telemetry", TelemetrySpecSchema, extra.telemetry),
    ...field("livenessProbe", LivenessProbeSpecSchema, extra.liveness_probe),
  };
}

function field<K extends string, M extends Message>(name: K, schema: GenMessage<M>, value: unknown) {
  if (value === undefined) return {};
  const message = fromJson(schema, value as JsonValue, { ignoreUnknownFields: true });
  return { [name]: message } as Record<K, M>;
}
