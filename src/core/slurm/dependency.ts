/**
 * Reads dependency lists: Slurm's (`afterok:12:13,singleton`) and Lattice's own
 * (`success:12`, `12:success`, `12`). Whether the ids exist is for the server to say.
 */
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { DependencyCondition, DependencySpec } from "../domain/allocation.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";

/** Dependencies, and what of the text is not obeyed to the letter. */
export interface DependencyList {
  readonly dependsOn: readonly DependencySpec[];
  readonly warnings: readonly string[];
}

const CONDITIONS: ReadonlyMap<string, DependencyCondition> = new Map([
  ["afterok", "success"],
  ["afternotok", "failure"],
  ["afterany", "any"],
  ["after", "any"],
  ["afterburstbuffer", "any"],
  ["aftercorr", "corresponding"],
  ["success", "success"],
  ["failure", "failure"],
  ["any", "any"],
  ["corresponding", "corresponding"],
  ["mutex", "mutex"],
]);

const REF = /^[\w.-]+$/;

/** Returns the dependencies that `text` lists; `singleton` is a mutex without a name: that of the allocation itself. */
export function parseDependency(text: string): Result<DependencyList, Fault> {
  const dependsOn: DependencySpec[] = [];
  const warnings: string[] = [];
  if (text.includes("?")) warnings.push("alternatives joined by ? are all required");
  for (const item of text.split(/[,?]/)) {
    const words = item.trim().split(":");
    const [first = "", ...rest] = words;
    if (first === "singleton" && rest.length === 0) {
      dependsOn.push({ ref: "", condition: "mutex" });
      continue;
    }
    const named = orderOf(words);
    if (named === undefined) return malformed(text);
    if (named.kind === "after") warnings.push("after waits for the end of the other allocation, not for its start");
    for (const ref of named.refs) {
      const [id = "", delay] = ref.split("+");
      if (!REF.test(id)) return malformed(text);
      if (delay !== undefined) warnings.push(`the delay +${delay} after ${id} is not obeyed`);
      dependsOn.push({ ref: id, condition: named.condition });
    }
  }
  return ok({ dependsOn, warnings });
}

interface Named {
  readonly kind: string;
  readonly condition: DependencyCondition;
  readonly refs: readonly string[];
}

/** The condition comes first in Slurm and may come last in Lattice; alone, an id means success. */
function orderOf(words: readonly string[]): Named | undefined {
  const first = words[0] ?? "";
  const last = words.at(-1) ?? "";
  const leading = CONDITIONS.get(first);
  if (leading) return words.length > 1 ? { kind: first, condition: leading, refs: words.slice(1) } : undefined;
  const trailing = CONDITIONS.get(last);
  if (trailing && words.length > 1) return { kind: last, condition: trailing, refs: words.slice(0, -1) };
  return words.length === 1 ? { kind: "success", condition: "success", refs: words } : undefined;
}

const malformed = (text: string): Result<never, Fault> =>
  refuse("INVALID_SPEC", `"${text}" is not a dependency: write afterok:12:13, afterany:14 or singleton`);
