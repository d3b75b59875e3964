/**
 * Node lists as Slurm writes them: `n[1-3,07],login`. The agent puts the compressed form
 * into SLURM_JOB_NODELIST. Order is kept both ways, so rank order survives, and
 * expanding a compressed list gives the list back.
 */
import type { Result } from "../../base/result.ts";
import { ok } from "../../base/result.ts";
import type { Fault } from "../domain/errors.ts";
import { refuse } from "../domain/errors.ts";
import { LIMITS } from "../domain/limits.ts";

/** Consecutive numbers; `width` is the digits of a zero-padded number, else 0. */
interface Run {
  readonly from: string;
  readonly width: number;
  last: number;
}

interface Group {
  readonly prefix: string;
  readonly runs: Run[];
}

const NUMBERED = /^(.*?)([0-9]{1,15})$/;
const RANGE = /^([0-9]{1,15})(?:-([0-9]{1,15}))?$/;

/** Returns the names as one Slurm node list; neighbours with consecutive numbers share brackets. */
export function compressNodeList(names: readonly string[]): string {
  const parts: (string | Group)[] = [];
  for (const name of names) {
    const [, prefix, digits] = NUMBERED.exec(name) ?? [];
    if (prefix === undefined || digits === undefined) {
      parts.push(name);
      continue;
    }
    const before = parts.at(-1);
    if (before !== undefined && typeof before !== "string" && before.prefix === prefix) extend(before, digits);
    else parts.push({ prefix, runs: [runOf(digits)] });
  }
  return parts.map((part) => (typeof part === "string" ? part : groupText(part))).join(",");
}

/** Returns the names in a Slurm node list. Fails with INVALID_SPEC for malformed brackets or too many names. */
export function expandNodeList(text: string): Result<readonly string[], Fault> {
  const names: string[] = [];
  for (const item of splitOutsideBrackets(text)) {
    const expanded = expandItem(item);
    if (!expanded.ok) return expanded;
    if (names.length + expanded.value.length > LIMITS.nodesPerAllocationMax) return tooMany(text);
    for (const name of expanded.value) names.push(name);
  }
  return ok(names);
}

const runOf = (digits: string): Run => ({
  from: digits,
  width: digits.startsWith("0") ? digits.length : 0,
  last: Number(digits),
});

const padded = (value: number, width: number): string => String(value).padStart(width, "0");

function extend(group: Group, digits: string): void {
  const run = group.runs.at(-1);
  if (run !== undefined && padded(run.last + 1, run.width) === digits) run.last++;
  else group.runs.push(runOf(digits));
}

function groupText(group: Group): string {
  const runs = group.runs.map((run) =>
    run.last === Number(run.from) ? run.from : `${run.from}-${padded(run.last, run.width)}`,
  );
  const only = runs.length === 1 ? runs[0] : undefined;
  return only !== undefined && !only.includes("-") ? `${group.prefix}${only}` : `${group.prefix}[${runs.join(",")}]`;
}

function splitOutsideBrackets(text: string): readonly string[] {
  const items: string[] = [];
  let depth = 0;
  let item = "";
  for (const char of text) {
    if (char === "[") depth++;
    if (char === "]") depth--;
    if (char === "," && depth === 0) {
      items.push(item);
      item = "";
    } else item += char;
  }
  items.push(item);
  return items.map((i) => i.trim()).filter((i) => i !== "");
}

function expandItem(item: string): Result<readonly string[], Fault> {
  const open = item.indexOf("[");
  const close = item.indexOf("]");
  if (open < 0 && close < 0) return ok([item]);
  if (open < 0 || close < open) return refuse("INVALID_SPEC", `node list ${item} has unmatched brackets`);
  const rest = expandItem(item.slice(close + 1));
  if (!rest.ok) return rest;
  const numbers: string[] = [];
  for (const range of item.slice(open + 1, close).split(",")) {
    const [, from, to = from] = RANGE.exec(range.trim()) ?? [];
    if (from === undefined || to === undefined || Number(to) < Number(from)) {
      return refuse("INVALID_SPEC", `node list ${item} has the malformed range "${range}"`);
    }
    const count = Number(to) - Number(from) + 1;
    if ((numbers.length + count) * rest.value.length > LIMITS.nodesPerAllocationMax) return tooMany(item);
    const width = from.startsWith("0") ? from.length : 0;
    for (let n = Number(from); n <= Number(to); n++) numbers.push(padded(n, width));
  }
  const prefix = item.slice(0, open);
  return ok(numbers.flatMap((number) => rest.value.map((suffix) => `${prefix}${number}${suffix}`)));
}

const tooMany = (text: string): Result<never, Fault> =>
  refuse("INVALID_SPEC", `node list ${text} names more than ${LIMITS.nodesPerAllocationMax} nodes`);
