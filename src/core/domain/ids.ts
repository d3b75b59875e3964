/**
 * The identifiers of the domain. A UUID is for machines; the short id is the number that
 * people type. Both are never reused.
 */
import type { Brand } from "../../base/brand.ts";
import { hashHex, hashText } from "../../base/hash.ts";

/** Ids, which the compiler keeps apart. */
export type AllocationId = Brand<string, "AllocationId">;
export type TaskGroupId = Brand<string, "TaskGroupId">;
export type DagId = Brand<string, "DagId">;
export type NodeId = Brand<string, "NodeId">;
export type TenantId = Brand<string, "TenantId">;
export type VClusterId = Brand<string, "VClusterId">;
export type UserId = Brand<string, "UserId">;
/** Monotonic number of an allocation or task group, per cluster. */
export type ShortId = Brand<number, "ShortId">;

/** Brand a text that is known to be an id. */
export const allocationId = (text: string): AllocationId => text as AllocationId;
export const taskGroupId = (text: string): TaskGroupId => text as TaskGroupId;
export const dagId = (text: string): DagId => text as DagId;
export const nodeId = (text: string): NodeId => text as NodeId;
export const tenantId = (text: string): TenantId => text as TenantId;
export const vclusterId = (text: string): VClusterId => text as VClusterId;
export const userId = (text: string): UserId => text as UserId;
export const shortId = (value: number): ShortId => value as ShortId;

/** What a person may type for an allocation or task group. */
export type IdReference =
  | { readonly kind: "short"; readonly value: ShortId }
  | { readonly kind: "task"; readonly group: ShortId; readonly index: number }
  | { readonly kind: "uuid-prefix"; readonly value: string };

const SHORT = /^a?([0-9]{1,15})$/;
const TASK = /^a?([0-9]{1,15})_([0-9]{1,9})$/;
const UUID_PREFIX = /^[0-9a-f-]{6,36}$/;

/** Reads `12345`, `a12345`, `12345_7` or at least 6 characters of a UUID; undefined for anything else. */
export function parseIdReference(text: string): IdReference | undefined {
  const short = SHORT.exec(text);
  if (short) return { kind: "short", value: shortId(Number(short[1])) };
  const task = TASK.exec(text);
  if (task) return { kind: "task", group: shortId(Number(task[1])), index: Number(task[2]) };
  const lower = text.toLowerCase();
  return UUID_PREFIX.test(lower) ? { kind: "uuid-prefix", value: lower } : undefined;
}

/** Returns the id of one task of a group: equal on every server, so `apply` can derive it. */
export function taskId(group: TaskGroupId, index: number): AllocationId {
  const a = hashHex(hashText(`${group}/${index}`));
  const b = hashHex(hashText(`${index}\\${group}`));
  return allocationId(`${a.slice(0, 8)}-${a.slice(8, 12)}-8${a.slice(13)}-9${b.slice(1, 4)}-${b.slice(4)}`);
}
