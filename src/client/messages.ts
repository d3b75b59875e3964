/** The messages of the contract under the names that users of the client need, and their JSON form. */
import {
  createRegistry,
  type DescField,
  type DescMessage,
  type JsonValue,
  type Message,
  ScalarType,
  toJson,
} from "@bufbuild/protobuf";
import { file_lattice_v1_admin } from "../gen/lattice/v1/admin_pb.ts";
import { file_lattice_v1_allocations } from "../gen/lattice/v1/allocations_pb.ts";
import { file_lattice_v1_identity } from "../gen/lattice/v1/identity_pb.ts";
import { file_lattice_v1_nodes } from "../gen/lattice/v1/nodes_pb.ts";

export type { Message } from "@bufbuild/protobuf";
export type {
  AuditArchive,
  AuditEntryProto,
  BackupEntry,
  BackupVerifyResponse,
  CreateBackupResponse,
  RaftMemberStatus,
  RaftStatusResponse,
  ReservationResponse,
  TenantResponse,
  VClusterResponse,
  VerifyAuditResponse,
} from "../gen/lattice/v1/admin_pb.ts";
export type {
  AllocationEvent,
  AllocationPart,
  AllocationSpec,
  AllocationStatus,
  DagStatus,
  ExplainResponse,
  LogEntry,
  SubmitResponse,
  TaskGroupStatus,
} from "../gen/lattice/v1/allocations_pb.ts";
export type { NodeStatus } from "../gen/lattice/v1/nodes_pb.ts";

const registry = createRegistry(
  file_lattice_v1_allocations,
  file_lattice_v1_nodes,
  file_lattice_v1_admin,
  file_lattice_v1_identity,
);

const WIDE: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/**
 * Returns the message as plain JSON with the field names of the contract (snake_case).
 * Every scalar and list is present; 64-bit integers are numbers where they fit exactly.
 */
export function messageToJson(message: Message): JsonValue {
  const schema = registry.getMessage(message.$typeName);
  if (schema === undefined) throw new TypeError(`no message ${message.$typeName} in the contract`);
  return narrowed(schema, toJson(schema, message, { useProtoFieldName: true, alwaysEmitImplicit: true }));
}

/** protobuf's JSON writes 64-bit integers as text, which no reader of a count expects. */
function narrowed(schema: DescMessage, json: JsonValue): JsonValue {
  if (json === null || typeof json !== "object" || Array.isArray(json)) return json;
  const out: { [name: string]: JsonValue } = {};
  const fields = new Map(schema.fields.map((field) => [field.name, field]));
  for (const [name, value] of Object.entries(json)) {
    const field = fields.get(name);
    out[name] = field === undefined ? value : narrowedField(field, value);
  }
  return out;
}

function narrowedField(field: DescField, value: JsonValue): JsonValue {
  if (field.fieldKind === "list" && Array.isArray(value)) return value.map((item) => narrowedItem(field, item));
  return field.fieldKind === "map" ? value : narrowedItem(field, value);
}

function narrowedItem(field: DescField, value: JsonValue): JsonValue {
  if (field.message !== undefined) return narrowed(field.message, value);
  if (field.scalar === undefined || !WIDE.has(field.scalar) || typeof value !== "string") return value;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
