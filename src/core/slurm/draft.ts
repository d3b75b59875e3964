/**
 * An allocation request while options are being applied to it. Some options only make
 * sense together (GPUs in total and the number of nodes), so they meet in `complete`.
 */

import { millis } from "../../base/brand.ts";
import type { Result } from "../../base/result.ts";
import type { AllocationRequest, Directives } from "../domain/allocation-request.ts";
import type { Fault } from "../domain/errors.ts";
import type { ArraySpec } from "./array-spec.ts";
import { parseDependency } from "./dependency.ts";
import { parseMoment } from "./moment.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** What has been read so far. */
export interface Draft {
  readonly request: Mutable<AllocationRequest>;
  readonly warnings: string[];
  array?: ArraySpec;
  /** Text of the dependencies, read last because `singleton` needs the name. */
  dependency?: string;
  gpusTotal?: number;
  gpusPerTask?: number;
  cpusPerGpu?: number;
  memoryBytesPerGpu?: number;
}

/** Applies the value of one option; returns what is wrong with the value, if anything. */
export type Setter = (draft: Draft, value: string) => string | undefined;

/** Returns a draft that asks for nothing. */
export const emptyDraft = (): Draft => ({ request: {}, warnings: [] });

/** Makes a setter from a parser and what to do with its value. */
export const setting =
  <T>(parse: (text: string) => Result<T, Fault>, apply: (draft: Draft, value: T) => void): Setter =>
  (draft, text) => {
    const parsed = parse(text);
    if (!parsed.ok) return parsed.error.message;
    apply(draft, parsed.value);
    return undefined;
  };

/** Makes a setter that keeps the text; an empty one is refused. */
export const keeping =
  (apply: (draft: Draft, value: string) => void): Setter =>
  (draft, text) => {
    if (text === "") return "the value is empty";
    apply(draft, text);
    return undefined;
  };

/** Makes a setter that keeps a moment as it is written: the server that takes the submission reads it by its clock. */
const keepingMoment =
  (apply: (draft: Draft, value: string) => void): Setter =>
  (draft, text) => {
    const parsed = parseMoment(text, { now: millis(0), zoneMs: 0 });
    if (!parsed.ok) return parsed.error.message;
    apply(draft, text);
    return undefined;
  };

/** Sets when it may start. */
export const setBegin: Setter = keepingMoment((draft, text) => {
  draft.request.begin = text;
});

/** Sets by when it must have ended. */
export const setDeadline: Setter = keepingMoment((draft, text) => {
  draft.request.deadline = text;
});

/** Makes a setter that takes one of some words. */
export const choosing =
  (words: readonly string[], apply: (draft: Draft, value: string) => void): Setter =>
  (draft, text) => {
    if (!words.includes(text)) return `"${text}" is none of ${words.join(", ")}`;
    apply(draft, text);
    return undefined;
  };

/** Sets GPUs on each node. */
export function setGpusPerNode(draft: Draft, gpus: { readonly type: string; readonly count: number }): void {
  draft.request.perNode = { ...draft.request.perNode, gpuMilli: Math.round(gpus.count * 1000) };
  if (gpus.type !== "") draft.request.gpuType = gpus.type;
}

/** Adds a dependency list to those that are there. */
export const addDependency = keeping((draft, text) => {
  draft.dependency = draft.dependency === undefined ? text : `${draft.dependency},${text}`;
});

/** Returns what the options together ask for. */
export function complete(draft: Draft): Directives {
  completeGpus(draft);
  if (draft.dependency !== undefined) {
    const list = parseDependency(draft.dependency);
    if (list.ok) {
      draft.request.dependsOn = list.value.dependsOn;
      draft.warnings.push(...list.value.warnings.map((warning) => `dependency: ${warning}`));
    }
  }
  return {
    request: draft.request,
    ...(draft.array === undefined ? {} : { array: draft.array }),
    warnings: draft.warnings,
  };
}

function completeGpus(draft: Draft): void {
  const { request } = draft;
  const tasksPerNode = request.tasksPerNode ?? 1;
  const nodes = request.nodesMin ?? Math.max(1, Math.ceil((request.tasks ?? 1) / tasksPerNode));
  const total = draft.gpusTotal;
  if (total !== undefined) setGpusPerNode(draft, { type: "", count: Math.ceil(total / nodes) });
  else if (draft.gpusPerTask !== undefined && request.perNode?.gpuMilli === undefined) {
    const tasks = request.tasksPerNode ?? Math.ceil((request.tasks ?? nodes) / nodes);
    setGpusPerNode(draft, { type: "", count: draft.gpusPerTask * tasks });
  }
  const gpus = (request.perNode?.gpuMilli ?? 0) / 1000;
  if (gpus === 0) return;
  if (draft.cpusPerGpu !== undefined)
    request.perNode = { ...request.perNode, cpus: Math.ceil(draft.cpusPerGpu * gpus) };
  if (draft.memoryBytesPerGpu !== undefined) {
    request.perNode = { ...request.perNode, memoryBytes: Math.ceil(draft.memoryBytesPerGpu * gpus) };
  }
}
